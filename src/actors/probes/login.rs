//! Logging in by a form, once: what its page hides (tokens against forgery) is sent along, redirects are followed, and only
//! what the plan says about a page of somebody who is logged in proves that it worked.

use std::collections::BTreeMap;

use bytes::Bytes;
use hyper::Method;
use regex::RegexBuilder;
use url::form_urlencoded;

use super::visitor::{As, Visitor};
use crate::actors::egress::Ask;
use crate::domain::outcome::FailureReason;
use crate::domain::verdict::WebEnding;
use crate::domain::web::html;
use crate::domain::web::page::Page;

/// Bytes that the pattern of a plan may compile to.
const PATTERN_BYTES_MAX: usize = 1024 * 1024;

/// Why nobody is logged in.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotLoggedIn {
    #[error("the pattern for a page of somebody who is logged in cannot be read: {0}")]
    Pattern(String),
    #[error("{url} cannot be asked for: {why}")]
    Place { url: String, why: String },
    #[error("the form at {url} got no answer")]
    Silence { url: String },
    #[error(
        "the form at {url} was answered with status {status}, and no page shows that somebody is logged in"
    )]
    Refused { url: String, status: u16 },
}

impl NotLoggedIn {
    pub(super) fn into_ending(self) -> WebEnding {
        let advice = "check the fields, and that `logged_in` is in a page of somebody who is logged in and in no other";
        WebEnding::Failed {
            reason: FailureReason::LoginFailed,
            detail: self.to_string(),
            advice: Some(advice.to_owned()),
            log_tail: String::new(),
        }
    }
}

/// Logs a visitor in.
pub(super) async fn by_form(
    visitor: &Visitor,
    url: &str,
    fields: &BTreeMap<String, String>,
    logged_in: &str,
) -> Result<(), NotLoggedIn> {
    let pattern = RegexBuilder::new(logged_in).size_limit(PATTERN_BYTES_MAX).build();
    let pattern = pattern.map_err(|error| NotLoggedIn::Pattern(error.to_string()))?;
    let place = visitor.site.place.join(url);
    let place = place.map_err(|error| NotLoggedIn::Place { url: url.to_owned(), why: error.to_string() })?;
    let form = visitor.visit(Ask::get(place.clone()), As::Somebody).await;
    let sent = filled(form.as_ref(), fields);
    let ask = Ask { method: Method::POST, body: Bytes::from(sent), ..Ask::get(place.clone()) };
    let ask =
        ask.with("Content-Type", "application/x-www-form-urlencoded").with("Referer", place.url.as_str());
    let silence = || NotLoggedIn::Silence { url: url.to_owned() };
    let answer = visitor.follow(ask, As::Somebody).await.ok_or_else(silence)?;
    if pattern.is_match(&answer.text()) {
        return Ok(());
    }
    // Many an application answers the form with nothing but a cookie.
    let start =
        visitor.follow(Ask::get(visitor.site.place.clone()), As::Somebody).await.ok_or_else(silence)?;
    if pattern.is_match(&start.text()) {
        return Ok(());
    }
    Err(NotLoggedIn::Refused { url: url.to_owned(), status: answer.status })
}

/// The fields of the plan over those that the form hides.
fn filled(form: Option<&Page>, fields: &BTreeMap<String, String>) -> String {
    let mut all: BTreeMap<String, String> =
        form.map(|page| html::hidden_fields(&page.text()).collect()).unwrap_or_default();
    all.extend(fields.iter().map(|(name, value)| (name.clone(), value.clone())));
    form_urlencoded::Serializer::new(String::new()).extend_pairs(all).finish()
}
