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
