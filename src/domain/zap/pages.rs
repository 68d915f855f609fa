//! The target's pages, as ZAP saw them: which answered, and which did not. A gate that cannot reach the target answers in its
//! place with 502 or 504; to ZAP that is a page like any other.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::answer::{Unreadable, loosely, only};
use crate::domain::outcome::{GAPS_NAMED_MAX, Gap};

/// How the gate's own answers begin.
const GATE: &str = "proctor: ";
/// Distinct URLs that are counted: past it a site makes its own links.
const URLS_MAX: usize = 100_000;

/// Which URLs answered.
#[derive(Debug, Default)]
pub struct Pages {
    answered: BTreeSet<String>,
    silent: BTreeSet<String>,
}

impl Pages {
    pub fn answered(&mut self, url: &str) {
        if self.answered.len() < URLS_MAX {
            self.silent.remove(url);
            self.answered.insert(url.to_owned());
        }
    }

    pub fn silent(&mut self, url: &str) {
        if !self.answered.contains(url) && self.silent.len() < URLS_MAX {
            self.silent.insert(url.to_owned());
        }
    }

    /// Takes what a crawl saw. `failures`: how often the gate answered in the target's place.
    pub fn crawled(&mut self, crawl: &Crawl, failures: u64) {
        for page in &crawl.pages {
            // Where the gate always reached the target, such a status is the target's own.
            let is_gates = failures > 0 && matches!(page.status.as_str(), "502" | "504");
            match (page.status.is_empty(), is_gates) {
                // Listed and not asked for.
                (true, _) => {}
                (false, true) => self.silent(&page.url),
                (false, false) => self.answered(&page.url),
            }
        }
        crawl.broken.iter().for_each(|url| self.silent(url));
    }

    pub fn count(&self) -> u32 {
        u32::try_from(self.answered.len()).unwrap_or(u32::MAX)
    }

    /// Those without an answer, the first of them by name.
    pub fn gaps(&self) -> Vec<Gap> {
        let gap = |url: &String| Gap { path: url.clone(), why: "no answer".to_owned() };
        self.silent.iter().take(GAPS_NAMED_MAX).map(gap).collect()
    }
}

/// The answer of `spider/view/fullResults`.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Crawl {
    pages: Vec<CrawledPage>,
    /// URLs that broke off.
    broken: Vec<String>,
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
struct CrawledPage {
    #[serde(deserialize_with = "loosely")]
    url: String,
    #[serde(default, rename = "statusCode", deserialize_with = "loosely")]
    status: String,
}

#[derive(Deserialize)]
enum CrawlPart {
    #[serde(rename = "urlsInScope")]
    InScope(Vec<CrawledPage>),
    #[serde(rename = "urlsOutOfScope")]
    OutOfScope(serde::de::IgnoredAny),
    #[serde(rename = "urlsIoError")]
    Broken(Vec<String>),
}

impl Crawl {
    pub fn read(body: &[u8]) -> Result<Self, Unreadable> {
        let mut crawl = Self::default();
        for part in only::<Vec<CrawlPart>>(body)? {
            match part {
                CrawlPart::InScope(pages) => crawl.pages = pages,
                CrawlPart::OutOfScope(_) => {}
                CrawlPart::Broken(urls) => crawl.broken = urls,
            }
        }
        Ok(crawl)
    }
}

/// What came of asking for one URL: of a redirect, the last answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// The target answered.
    Answered,
    /// The gate answered in its place.
    Silent,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    #[serde(default, deserialize_with = "loosely")]
    response_header: String,
    #[serde(default, deserialize_with = "loosely")]
    response_body: String,
}

impl Access {
    /// Reads the answer of `core/action/accessUrl` or `sendRequest`.
    pub fn read(body: &[u8]) -> Result<Self, Unreadable> {
        let last = only::<Vec<Message>>(body)?.pop();
        let answered = last.is_some_and(|message| {
            !message.response_header.trim().is_empty() && !message.response_body.starts_with(GATE)
        });
        Ok(if answered { Self::Answered } else { Self::Silent })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CRAWL: &[u8] = include_bytes!("../../../tests/fixtures/zap/spider_full_results.json");

    #[test]
    fn a_page_that_the_gate_answered_for_did_not_answer() {
        let crawl = Crawl::read(CRAWL).unwrap();
        let mut pages = Pages::default();
        pages.crawled(&crawl, 1);
        assert_eq!(pages.count(), 5);
        let gaps: Vec<String> = pages.gaps().into_iter().map(|gap| gap.path).collect();
        assert_eq!(gaps, ["http://page.app.internal:5000/found?words=tea"]);
    }

    #[test]
    fn a_bad_gateway_behind_a_gate_that_never_failed_is_the_targets_answer() {
        let mut pages = Pages::default();
        pages.crawled(&Crawl::read(CRAWL).unwrap(), 0);
        assert_eq!((pages.count(), pages.gaps().len()), (6, 0));
    }

    #[test]
    fn a_page_that_answered_once_is_no_gap() {
        let mut pages = Pages::default();
        pages.silent("http://a/");
        pages.answered("http://a/");
        pages.silent("http://a/");
        assert_eq!((pages.count(), pages.gaps().len()), (1, 0));
    }

    #[test]
    fn the_gates_words_are_told_from_the_targets() {
        let answered = include_bytes!("../../../tests/fixtures/zap/access_url.json");
        assert_eq!(Access::read(answered), Ok(Access::Answered));
        let gate = br#"{"accessUrl":[{"responseHeader":"HTTP/1.1 502 Bad Gateway\r\n\r\n","responseBody":"proctor: no"}]}"#;
        assert_eq!(Access::read(gate), Ok(Access::Silent));
        assert_eq!(Access::read(br#"{"accessUrl":[]}"#), Ok(Access::Silent));
        assert_eq!(Access::read(br#"{"sendRequest":[{"responseHeader":""}]}"#), Ok(Access::Silent));
    }
}
