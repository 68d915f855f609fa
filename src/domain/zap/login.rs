//! Logging in by a form, as far as it needs no network: what the form holds, and the cookies that come of it.

use std::collections::BTreeMap;

/// Hidden fields read of one page.
const FIELDS_MAX: usize = 100;
/// Cookies kept: what browsers keep of one site at least.
const COOKIES_MAX: usize = 50;

/// Hidden inputs of a page, by name: among them the token without which many a form is refused.
pub fn hidden_fields(html: &str) -> BTreeMap<String, String> {
    // Lengths are kept, so that positions mean the same in both.
    let lower = html.to_ascii_lowercase();
    let starts = lower.match_indices("<input").map(|(at, _)| at);
    let tags = starts.filter_map(|at| Some(&html[at..at + html[at..].find('>')?]));
    let fields = tags.filter_map(|tag| {
        let hidden = attribute(tag, "type").is_some_and(|kind| kind.eq_ignore_ascii_case("hidden"));
        hidden.then(|| Some((attribute(tag, "name")?, attribute(tag, "value").unwrap_or_default())))?
    });
    fields.take(FIELDS_MAX).collect()
}

/// The value of an attribute of a tag, quoted or bare.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let lower = tag.to_ascii_lowercase();
    let at = lower.match_indices(name).map(|(at, _)| at).find(|at| {
        let before = lower[..*at].chars().next_back();
        before.is_some_and(char::is_whitespace) && lower[at + name.len()..].trim_start().starts_with('=')
    })?;
    let rest = tag[at + name.len()..].trim_start().strip_prefix('=')?.trim_start();
    let value = match rest.chars().next() {
        Some(quote @ ('"' | '\'')) => rest[1..].split(quote).next()?,
        _ => rest.split(|character: char| character.is_whitespace() || character == '/').next()?,
    };
    Some(value.replace("&quot;", "\"").replace("&#39;", "'").replace("&lt;", "<").replace("&amp;", "&"))
}

/// Cookies of one site. Where they hold and for how long is not kept: they are used at once and for one scan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Jar(BTreeMap<String, String>);

impl Jar {
    /// Takes a `Set-Cookie` header.
    pub fn set(&mut self, header: &str) {
        let pair = header.split(';').next().unwrap_or_default();
        let Some((name, value)) = pair.split_once('=') else { return };
        let (name, value) = (name.trim(), value.trim());
        if value.is_empty() {
            self.0.remove(name);
        } else if self.0.len() < COOKIES_MAX || self.0.contains_key(name) {
            self.0.insert(name.to_owned(), value.to_owned());
        }
    }

    /// The `Cookie` header; `None` when there are none.
    pub fn header(&self) -> Option<String> {
        let pairs: Vec<String> = self.0.iter().map(|(name, value)| format!("{name}={value}")).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_of_a_form_is_found_however_it_is_written() {
        let html = "<form><INPUT type=hidden name=csrf value=abc/><input name='next' value=\"/a?b&amp;c\" type='HIDDEN'>\
                    <input name=user type=text value=x><input type=hidden value=nameless><input type=hidden name=empty>";
        let fields = hidden_fields(html);
        let expected = [("csrf", "abc"), ("next", "/a?b&c"), ("empty", "")];
        assert_eq!(fields, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
        assert!(hidden_fields("<input type=hidden").is_empty());
    }

    #[test]
    fn a_page_that_is_all_inputs_fills_nothing() {
        let html: String = (0..10_000).map(|n| format!("<input type=hidden name=f{n}>")).collect();
        assert_eq!(hidden_fields(&html).len(), FIELDS_MAX);
    }

    #[test]
    fn cookies_are_set_replaced_and_taken_back() {
        let mut jar = Jar::default();
        assert_eq!(jar.header(), None);
        jar.set("session=abc; Path=/; HttpOnly");
        jar.set("lang=de");
        jar.set("session=def; Secure");
        assert_eq!(jar.header().as_deref(), Some("lang=de; session=def"));
        jar.set("lang=; Max-Age=0");
        jar.set("nonsense");
        assert_eq!(jar.header().as_deref(), Some("session=def"));
    }
}
