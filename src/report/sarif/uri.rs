//! Paths as URI references (RFC 3986).

use std::fmt::Write;

/// Percent-encodes a path, leaving its slashes. A colon is encoded too: in the first part of a relative reference it
/// would make a scheme of it.
pub(super) fn of_path(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z'
            | b'a'..=b'z'
            | b'0'..=b'9'
            | b'-'
            | b'.'
            | b'_'
            | b'~'
            | b'/'
            | b'@'
            | b'+'
            | b','
            | b'=' => {
                uri.push(char::from(byte));
            }
            other => write!(uri, "%{other:02X}").expect("writing to a string does not fail"),
        }
    }
    uri
}

/// An absolute http(s) URL with whatever a URI may not hold percent-encoded; `None` for what is no such URL.
pub(super) fn of_url(text: &str) -> Option<String> {
    if !text.starts_with("http://") && !text.starts_with("https://") {
        return None;
    }
    let mut uri = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' => uri.push(char::from(byte)),
            _ if b"-._~:/?#@!$&'()*+,;=%[]".contains(&byte) => uri.push(char::from(byte)),
            other => write!(uri, "%{other:02X}").expect("writing to a string does not fail"),
        }
    }
    Some(uri)
}

/// Whether a text from a tool may stand where the standard asks for a URI: an absolute http(s) URI without anything
/// that would have to be encoded.
pub(super) fn is_web(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?#@!$&'()*+,;=%".contains(&byte);
    let well_formed = |rest: &str| {
        rest.starts_with(|first: char| first.is_ascii_alphanumeric())
            && rest.bytes().all(allowed)
            && rest.matches('#').count() <= 1
            && rest
                .split('%')
                .skip(1)
                .all(|after| after.len() >= 2 && after.bytes().take(2).all(|byte| byte.is_ascii_hexdigit()))
    };
    rest.is_some_and(well_formed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_becomes_one_reference_and_nothing_else() {
        assert_eq!(of_path("a b/ü#?%.py"), "a%20b/%C3%BC%23%3F%25.py");
        assert_eq!(of_path("c:x/[y].py"), "c%3Ax/%5By%5D.py");
        assert_eq!(of_path("node_modules/@scope/x.js"), "node_modules/@scope/x.js");
    }

    #[test]
    fn a_url_stays_one_whatever_was_sent_in_it() {
        let sent = "http://shop:5000/search?q=<script>alert(1)</script>&x=\"ü";
        let uri = "http://shop:5000/search?q=%3Cscript%3Ealert(1)%3C/script%3E&x=%22%C3%BC";
        assert_eq!(of_url(sent).as_deref(), Some(uri));
        assert_eq!(of_url("https.py"), None);
    }

    #[test]
    fn only_what_is_a_web_address_is_one() {
        for text in ["https://cwe.mitre.org/data/89.html#x", "http://a.b/?q=%20"] {
            assert!(is_web(text), "{text}");
        }
        for text in [
            "",
            "https://",
            "javascript:alert(1)",
            "https://a b",
            "see https://a",
            "https://a/%zz",
            "https://a/#b#c",
            "file:///etc",
        ] {
            assert!(!is_web(text), "{text}");
        }
    }
}
