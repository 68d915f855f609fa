//! Being somebody to a target. A header is what it is; a form is sent once: what its page hides (tokens against forgery) goes
//! along, redirects are followed, and only what the plan says about a page of somebody who is logged in proves that it worked.
//! What comes of it is cookies, which any client can carry: so no tool needs a script or a password.

use std::collections::BTreeMap;

use bytes::Bytes;
use hyper::Method;
use regex::{Regex, RegexBuilder};
use url::form_urlencoded;

use super::fetch::{Ask, FetchError, Fetcher, Limits};
use super::site::Site;
use crate::domain::scope::Place;
use crate::domain::target::Login;
use crate::domain::web::cookies::Jar;
use crate::domain::web::html;
use crate::domain::web::page::Page;

/// Bytes that the pattern of a plan may compile to.
const PATTERN_BYTES_MAX: usize = 1024 * 1024;
/// Redirects followed from one page.
const REDIRECTS_MAX: usize = 5;
/// Hidden fields sent along: many more than any form for people has.
const FIELDS_MAX: usize = 100;

/// What to do about a form that let nobody in.
pub const ADVICE: &str =
    "check the fields, and that `logged_in` is in a page of somebody who is logged in and in no other";

/// Why nobody is logged in.
#[derive(Debug, thiserror::Error)]
pub enum NotLoggedIn {
    #[error("the pattern for a page of somebody who is logged in cannot be read: {0}")]
    Pattern(String),
    #[error("{url} cannot be asked for: {why}")]
    Place { url: String, why: String },
    #[error("{url} did not answer: {why}")]
    Silence { url: String, why: FetchError },
    #[error("the form at {url} shows {pattern:?} to somebody who is not logged in")]
    ShownToAll { url: String, pattern: String },
    #[error(
        "the form at {url} was answered with status {status}, and no page shows that somebody is logged in"
    )]
    Refused { url: String, status: u16 },
    #[error("the form at {url} was accepted, and no cookie was set: there is nothing to carry")]
    NothingToCarry { url: String },
}

/// What makes a request that of somebody.
#[derive(Debug, Clone)]
pub enum Session {
    Header { name: String, value: String },
    Cookies(Cookies),
}

/// What a form gave.
#[derive(Debug, Clone)]
pub struct Cookies {
    pub jar: Jar,
    shows: Regex,
    /// Where somebody who is logged in sees it, if that can be asked for again.
    shown_at: Option<Place>,
}

/// As the site's plan says; `None` where it says nothing.
pub async fn log_in(site: &Site) -> Result<Option<Session>, NotLoggedIn> {
    match &site.plan.login {
        None => Ok(None),
        Some(Login::Header { name, value }) => {
            Ok(Some(Session::Header { name: name.clone(), value: value.clone() }))
        }
        Some(Login::Form { url, fields, logged_in }) => {
            Ok(Some(Session::Cookies(by_form(site, url, fields, logged_in).await?)))
        }
    }
}

impl Session {
    /// The header for a client that sends the same to all of the site.
    pub fn header(&self, site: &Site) -> (String, String) {
        match self {
            Self::Header { name, value } => (name.clone(), value.clone()),
            Self::Cookies(cookies) => {
                ("Cookie".to_owned(), cookies.jar.whole(&site.place).unwrap_or_default())
            }
        }
    }

    /// Whether the target still takes it. What cannot be checked holds.
    pub async fn still_holds(&self, site: &Site) -> bool {
        let Self::Cookies(Cookies { shows, shown_at: Some(place), .. }) = self else { return true };
        let (name, value) = self.header(site);
        let ask = Ask::get(place.clone()).with(&name, &value);
        let page = site.fetcher(Limits::default()).await.fetch(ask).await;
        page.is_ok_and(|page| shows.is_match(&page.text()))
    }
}

async fn by_form(
    site: &Site,
    url: &str,
    fields: &BTreeMap<String, String>,
    logged_in: &str,
) -> Result<Cookies, NotLoggedIn> {
    let shows = RegexBuilder::new(logged_in).size_limit(PATTERN_BYTES_MAX).build();
    let shows = shows.map_err(|error| NotLoggedIn::Pattern(error.to_string()))?;
    let form = site.place.join(url);
    let form = form.map_err(|error| NotLoggedIn::Place { url: url.to_owned(), why: error.to_string() })?;
    let fetcher = site.fetcher(Limits::default()).await;
    let mut visit = Visit { site, fetcher, jar: Jar::default() };
    let page = visit.follow(Ask::get(form.clone())).await?;
    let url = form.url.to_string();
    if shows.is_match(&page.text()) {
        return Err(NotLoggedIn::ShownToAll { url, pattern: logged_in.to_owned() });
    }
    let answer = visit.follow(filled(form, &page, fields)).await?;
    let shown_at = visit.proof(&answer, &shows).await?;
    let Some(shown_at) = shown_at else {
        return Err(NotLoggedIn::Refused { url, status: answer.status });
    };
    if visit.jar.whole(&site.place).is_none() {
        return Err(NotLoggedIn::NothingToCarry { url });
    }
    Ok(Cookies { jar: visit.jar, shows, shown_at: shown_at.again })
}

/// The fields of the plan over those that the form hides.
fn filled(form: Place, page: &Page, fields: &BTreeMap<String, String>) -> Ask {
    let mut all: BTreeMap<String, String> = html::hidden_fields(&page.text()).take(FIELDS_MAX).collect();
    all.extend(fields.iter().map(|(name, value)| (name.clone(), value.clone())));
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(all).finish();
    let referer = form.url.to_string();
    let ask = Ask { method: Method::POST, body: Bytes::from(body), ..Ask::get(form) };
    ask.with("Content-Type", "application/x-www-form-urlencoded").with("Referer", &referer)
}

/// A page showed it.
struct Shown {
    /// What answered the form itself cannot be asked for again.
    again: Option<Place>,
}

/// One visitor with cookies.
struct Visit<'a> {
    site: &'a Site,
    fetcher: Fetcher,
    jar: Jar,
}

impl Visit<'_> {
    async fn ask(&mut self, ask: Ask) -> Result<Page, NotLoggedIn> {
        let place = ask.place.clone();
        let ask = match self.jar.header(&place) {
            Some(cookies) => ask.with("Cookie", &cookies),
            None => ask,
        };
        let silence = |why| NotLoggedIn::Silence { url: place.url.to_string(), why };
        let page = self.fetcher.fetch(ask).await.map_err(silence)?;
        self.jar.take(&place, &page);
        Ok(page)
    }

    /// Asks, and goes where that leads, within the scope.
    async fn follow(&mut self, ask: Ask) -> Result<Page, NotLoggedIn> {
        let mut page = self.ask(ask).await?;
        for _ in 0..REDIRECTS_MAX {
            let Some(Ok(next)) = page.redirect().map(Place::of) else { break };
            if !self.site.scope.is_inside(&next) {
                break;
            }
            page = self.ask(Ask::get(next)).await?;
        }
        Ok(page)
    }

    /// Where somebody who is logged in sees it: on the page after the form, or on the target's own, for many an application
    /// answers the form with nothing but a cookie.
    async fn proof(&mut self, answer: &Page, shows: &Regex) -> Result<Option<Shown>, NotLoggedIn> {
        let is_shown = shows.is_match(&answer.text());
        if is_shown && answer.method == "GET" {
            return Ok(Some(Shown { again: Place::of(answer.url.clone()).ok() }));
        }
        let start = self.follow(Ask::get(self.site.place.clone())).await?;
        let again = shows.is_match(&start.text()).then(|| self.site.place.clone());
        Ok((is_shown || again.is_some()).then_some(Shown { again }))
    }
}
