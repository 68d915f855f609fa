//! A site map (sitemaps.org): a list of `<loc>` in XML, written by somebody we do not trust. Read without an XML parser: it has
//! no entities that we would follow, and what is not a plain address is refused later.

/// Addresses read of one map; the standard allows 50,000.
const LOCATIONS_MAX: usize = 50_000;

/// The addresses in it.
pub fn locations(xml: &str) -> Vec<String> {
    let after_tags = xml.split("<loc>").skip(1);
    let texts = after_tags.filter_map(|rest| rest.split_once("</loc>").map(|(text, _)| text.trim()));
    texts.take(LOCATIONS_MAX).map(unescape).collect()
}

/// The five entities that XML itself has; `&amp;` last, so that nothing is read twice.
fn unescape(text: &str) -> String {
    let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
    entities.iter().fold(text.to_owned(), |text, (entity, character)| text.replace(entity, character))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_nothing_else() {
        let xml = "<?xml version='1.0'?><urlset><url><loc> http://a/x?b=1&amp;c=2 </loc><lastmod>2026</lastmod></url>\
                   <url><loc>http://a/y</loc></url><loc>never closed";
        assert_eq!(locations(xml), ["http://a/x?b=1&c=2", "http://a/y"]);
        assert_eq!(locations("<html>not found</html>"), [""; 0]);
    }

    #[test]
    fn an_escape_is_read_once() {
        assert_eq!(locations("<loc>&amp;lt;</loc>"), ["&lt;"]);
    }
}
