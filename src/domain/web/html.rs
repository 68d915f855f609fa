//! The little that is read out of HTML: where links lead, and what a form hides. Not a parser: tags and their attributes, in
//! the order in which they stand; what is inside of a script or a comment may be taken for one, which costs a request.

use url::Url;

/// Tags read of one page, so that a page made of nothing else costs no more than any.
const TAGS_MAX: usize = 20_000;

/// A start tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// In lower case.
    pub name: String,
    /// Names in lower case, values with their entities read.
    pub attributes: Vec<(String, String)>,
}

impl Tag {
    pub fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

/// The start tags of a page.
pub fn tags(html: &str) -> impl Iterator<Item = Tag> {
    html.split('<').skip(1).take(TAGS_MAX).filter_map(tag)
}

/// Where a page's links lead, without fragments, as the page means it.
pub fn links<'a>(html: &'a str, page: &'a Url) -> impl Iterator<Item = Url> {
    let hrefs = tags(html).filter(|tag| matches!(tag.name.as_str(), "a" | "area"));
    let hrefs = hrefs.filter_map(|tag| tag.get("href").map(str::trim).map(str::to_owned));
    hrefs.filter_map(|href| {
        let mut url = page.join(&href).ok()?;
        url.set_fragment(None);
        Some(url)
    })
}

/// What the forms of a page send without being asked.
pub fn hidden_fields(html: &str) -> impl Iterator<Item = (String, String)> {
    let inputs = tags(html).filter(|tag| tag.name == "input");
    let hidden = inputs.filter(|tag| tag.get("type").is_some_and(|kind| kind.eq_ignore_ascii_case("hidden")));
    hidden.filter_map(|tag| {
        let value = tag.get("value").unwrap_or_default().to_owned();
        Some((tag.get("name")?.to_owned(), value))
    })
}

/// Whether a page asks who one is.
pub fn asks_for_password(html: &str) -> bool {
    tags(html).any(|tag| tag.get("type").is_some_and(|kind| kind.eq_ignore_ascii_case("password")))
}

/// From what follows a `<`.
fn tag(text: &str) -> Option<Tag> {
    let name_end = text.find(|c: char| !c.is_ascii_alphanumeric())?;
    let (name, mut rest) = text.split_at(name_end);
    if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return None;
    }
    let mut attributes = Vec::new();
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '/');
        if rest.is_empty() || rest.starts_with('>') {
            break;
        }
        let end =
            rest.find(|c: char| c.is_ascii_whitespace() || matches!(c, '=' | '>')).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end.max(1).min(rest.len()));
        let (value, after) = value(after.trim_start());
        attributes.push((name.to_ascii_lowercase(), entities(value)));
        rest = after;
    }
    Some(Tag { name: name.to_ascii_lowercase(), attributes })
}

/// An attribute's value, if there is one, and what follows it.
fn value(text: &str) -> (&str, &str) {
    let Some(text) = text.strip_prefix('=').map(str::trim_start) else {
        return ("", text);
    };
    for quote in ['"', '\''] {
        if let Some(inside) = text.strip_prefix(quote) {
            return inside.split_once(quote).unwrap_or((inside, ""));
        }
    }
    text.split_at(text.find(|c: char| c.is_ascii_whitespace() || c == '>').unwrap_or(text.len()))
}

/// The entities that links and tokens are written with.
fn entities(text: &str) -> String {
    let mut read = text.to_owned();
    for (entity, meaning) in [
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&#x27;", "'"),
        ("&#x2F;", "/"),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&amp;", "&"),
    ] {
        if read.contains('&') {
            read = read.replace(entity, meaning);
        }
    }
    read
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn links_and_hidden_fields_are_found_however_they_are_written() {
        let html = "<A HREF='/a?x=1&amp;y=2#z'>a</a><area href=b><a class=x href = \"//other/c\" >c<a name=n>\
                    <form><input type=HIDDEN name=\"token\" value='a&quot;b'/><input name=q><input type=hidden></form><p/>< a href=no>";
        let page = Url::parse("http://shop/dir/").unwrap();
        let links: Vec<String> = links(html, &page).map(String::from).collect();
        assert_eq!(links, ["http://shop/a?x=1&y=2", "http://shop/dir/b", "http://other/c"]);
        let hidden: Vec<_> = hidden_fields(html).collect();
        assert_eq!(hidden, [("token".to_owned(), "a\"b".to_owned())]);
        assert!(!asks_for_password(html) && asks_for_password("<input type='Password'>"));
    }

    proptest! {
        #[test]
        fn no_page_brings_the_reader_down(html in "[<>a='\"/ &;é!-]{0,60}") {
            tags(&html).for_each(drop);
        }
    }
}
