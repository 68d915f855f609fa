//! Requests whose answers are known: given one by one, or derived from an OpenAPI document; and whether an answer is the one
//! that was promised.

use std::collections::BTreeMap;

use super::exposed;
use super::page::Page;
use super::rule::{self, Remark};
use crate::domain::target::Expectation;

/// A request, and what is known of its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    pub method: String,
    /// On the target, with its query.
    pub path: String,
    pub headers: Vec<(String, String)>,
    /// With its content type.
    pub body: Option<(String, String)>,
    pub status: Statuses,
    /// Headers of the answer, with a text that is in each.
    pub answer_headers: BTreeMap<String, String>,
    /// A text that is in the answer's body.
    pub answer_body: Option<String>,
    /// Whether the document says that only somebody who is logged in gets an answer.
    pub needs_login: bool,
}

/// Which statuses are right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Statuses {
    /// Any below this.
    Below(u16),
    OneOf(Vec<u16>),
    /// What a document has: `200`, `4XX`; with `default` any that is no failure of the server.
    Documented {
        words: Vec<String>,
        has_default: bool,
    },
}

impl From<&Expectation> for Check {
    fn from(expected: &Expectation) -> Self {
        let status = match expected.status.as_slice() {
            [] => Statuses::Below(400),
            some => Statuses::OneOf(some.to_vec()),
        };
        Self {
            status,
            answer_headers: expected.headers.clone(),
            answer_body: expected.body.clone(),
            ..Self::alive(&expected.method, &expected.path)
        }
    }
}

impl Check {
    /// Nothing is known but that the server must not fail.
    pub fn alive(method: &str, path: &str) -> Self {
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            headers: Vec::new(),
            body: None,
            status: Statuses::Below(500),
            answer_headers: BTreeMap::new(),
            answer_body: None,
            needs_login: false,
        }
    }

    /// Whether it asks for something and changes nothing (RFC 9110 §9.2.1).
    pub fn is_safe(&self) -> bool {
        matches!(self.method.as_str(), "GET" | "HEAD" | "OPTIONS")
    }

    /// What is wrong with the answer.
    pub fn judge(&self, page: &Page) -> Vec<Remark> {
        let remark = |rule, message: String| Remark::new(rule, &page.url, message).by_method(&self.method);
        let mut remarks = Vec::new();
        if !self.status.has(page.status) {
            let (rule, status) = (self.broken_rule(page.status), page.status);
            let message = format!("{} {} answers {status}, not {}", self.method, self.path, self.status);
            remarks.push(remark(rule, message).shown_by(format!("status {status}")));
        }
        for (name, wanted) in &self.answer_headers {
            let lower = name.to_ascii_lowercase();
            if !page.all(&lower).any(|value| value.contains(wanted)) {
                let found = page.header(&lower).unwrap_or("absent");
                let message = format!("{} {}: the header {name} has no {wanted:?}", self.method, self.path);
                remarks.push(remark(&rule::EXPECTATION_FAILED, message).about(name).shown_by(found));
            }
        }
        if let Some(wanted) = &self.answer_body
            && !page.text().contains(wanted)
        {
            let message = format!("{} {}: the body has no {wanted:?}", self.method, self.path);
            remarks.push(remark(&rule::EXPECTATION_FAILED, message).about("body"));
        }
        remarks.extend(exposed::judge_error(page));
        remarks
    }

    /// What is wrong with the answer to somebody who is nobody.
    pub fn judge_anonymous(&self, page: &Page) -> Option<Remark> {
        if !self.needs_login || !(200..300).contains(&page.status) {
            return None;
        }
        let message = format!(
            "{} {} answers {} to somebody who is not logged in; the document says that it needs a login",
            self.method, self.path, page.status
        );
        let remark = Remark::new(&rule::AUTHENTICATION_MISSING, &page.url, message).by_method(&self.method);
        Some(remark.shown_by(format!("status {}", page.status)))
    }

    const fn broken_rule(&self, status: u16) -> &'static rule::Rule {
        match (&self.status, status) {
            (_, 500..) => &rule::SERVER_ERROR,
            (Statuses::Documented { .. }, _) => &rule::UNDOCUMENTED_STATUS,
            _ => &rule::EXPECTATION_FAILED,
        }
    }
}

impl Statuses {
    fn has(&self, status: u16) -> bool {
        match self {
            Self::Below(limit) => status < *limit,
            Self::OneOf(some) => some.contains(&status),
            Self::Documented { words, has_default } => {
                let exact = status.to_string();
                let class = format!("{}XX", status / 100);
                (*has_default && status < 500)
                    || words.iter().any(|word| *word == exact || word.eq_ignore_ascii_case(&class))
            }
        }
    }
}

impl std::fmt::Display for Statuses {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Below(limit) => write!(f, "below {limit}"),
            Self::OneOf(some) => {
                f.write_str(&some.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or "))
            }
            Self::Documented { words, has_default: true } => {
                write!(f, "documented ({}, default)", words.join(", "))
            }
            Self::Documented { words, .. } => write!(f, "documented ({})", words.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::web::page::tests::page;

    fn found(check: &Check, page: &Page) -> Vec<&'static str> {
        check.judge(page).into_iter().map(|remark| remark.rule.id).collect()
    }

    #[test]
    fn a_promise_that_is_kept_has_no_finding_and_each_broken_one_has_its_own() {
        let check = Check {
            status: Statuses::OneOf(vec![200, 201]),
            answer_headers: BTreeMap::from([("Content-Type".into(), "json".into())]),
            answer_body: Some("items".into()),
            ..Check::alive("GET", "/api")
        };
        let json = [("content-type", "application/json")];
        assert_eq!(found(&check, &page(200, &json, "{\"items\":[]}")), Vec::<&str>::new());
        assert_eq!(found(&check, &page(404, &json, "items")), ["expectation-failed"]);
        assert_eq!(found(&check, &page(500, &json, "items")), ["server-error"]);
        assert_eq!(found(&check, &page(200, &[], "nothing")), ["expectation-failed", "expectation-failed"]);
        let trace = "items Traceback (most recent call last):";
        assert_eq!(found(&check, &page(500, &json, trace)), ["server-error", "error-details-told"]);
    }

    #[test]
    fn documented_statuses_are_exact_classes_or_a_default() {
        let documented = |words: &[&str], has_default| Statuses::Documented {
            words: words.iter().map(|word| (*word).to_owned()).collect(),
            has_default,
        };
        assert!(documented(&["200", "4xx"], false).has(418) && !documented(&["200"], false).has(418));
        assert!(documented(&[], true).has(418) && !documented(&[], true).has(500));
        assert!(documented(&["500"], false).has(500));
    }

    #[test]
    fn only_an_answer_shows_that_a_login_is_missing() {
        let check = Check { needs_login: true, ..Check::alive("GET", "/api") };
        assert_eq!(check.judge_anonymous(&page(200, &[], "")).unwrap().rule.id, "authentication-missing");
        for status in [301, 401, 403, 404, 500] {
            assert_eq!(check.judge_anonymous(&page(status, &[], "")), None, "{status}");
        }
        assert_eq!(Check::alive("GET", "/").judge_anonymous(&page(200, &[], "")), None);
    }
}
