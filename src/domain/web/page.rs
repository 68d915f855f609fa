//! An answer, as plain data.

use std::borrow::Cow;

use url::Url;

use super::certificate::Tls;

/// What a server answered to one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// What was asked for.
    pub url: Url,
    pub method: String,
    pub status: u16,
    /// As they came, names in lower case. A value that is not UTF-8 has replacement characters.
    pub headers: Vec<(String, String)>,
    /// The first bytes of the body.
    pub body: Vec<u8>,
    /// Whether the body went on.
    pub is_truncated: bool,
    /// `None` for plain HTTP.
    pub tls: Option<Tls>,
}

impl Page {
    /// The first header of this name, which is given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// All headers of this name, which is given in lower case.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// Where a redirect leads, as a page of this URL would mean it.
    pub fn redirect(&self) -> Option<Url> {
        let leads = matches!(self.status, 301 | 302 | 303 | 307 | 308);
        self.url.join(self.header("location").filter(|_| leads)?).ok()
    }

    /// Whether the server calls it HTML, or calls it nothing.
    pub fn is_html(&self) -> bool {
        self.header("content-type").is_none_or(|kind| kind.to_ascii_lowercase().contains("html"))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::domain::web::certificate::{Certificate, Validity};

    /// An answer of `http://shop.example/` in HTML, unless `headers` say otherwise.
    pub fn page(status: u16, headers: &[(&str, &str)], body: &str) -> Page {
        let mut headers: Vec<(String, String)> =
            headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        if !headers.iter().any(|(name, _)| name == "content-type") {
            headers.push(("content-type".into(), "text/html".into()));
        }
        Page {
            url: Url::parse("http://shop.example/").unwrap(),
            method: "GET".into(),
            status,
            headers,
            body: body.as_bytes().to_vec(),
            is_truncated: false,
            tls: None,
        }
    }

    /// The same over TLS with a certificate that nothing is wrong with.
    pub fn https(mut page: Page) -> Page {
        page.url.set_scheme("https").unwrap();
        let validity = Some(Validity { from: 0, until: i64::MAX });
        let certificate = Certificate { validity, is_self_signed: false, untrusted: None, wrong_name: None };
        page.tls = Some(Tls { version: "TLSv1.3".into(), certificate });
        page
    }

    #[test]
    fn a_redirect_is_one_by_its_status_and_is_read_as_the_page_means_it() {
        let leads = |status, to| page(status, &[("location", to)], "").redirect().map(String::from);
        assert_eq!(leads(302, "a/b").unwrap(), "http://shop.example/a/b");
        assert_eq!(leads(308, "//other/").unwrap(), "http://other/");
        assert_eq!(leads(200, "/a"), None);
        assert_eq!(leads(304, "/a"), None);
    }
}
