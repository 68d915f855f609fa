//! Being somebody to the target. A header is what it is; a form is sent once, by our own client, and what comes of it is a
//! cookie that each of ZAP's requests then carries. So ZAP needs no script, no add-on and no password.

use bytes::Bytes;
use hyper::Method;
use regex::Regex;

use crate::actors::egress::{Ask, FetchError, Fetcher, Limits};
use crate::actors::zap::order::ZapOrder;
use crate::domain::outcome::FailureReason;
use crate::domain::scope::Place;
use crate::domain::target::Login;
use crate::domain::web::page::Page;
use crate::domain::zap::login::{Jar, hidden_fields};
use crate::domain::zap::trouble::Trouble;

/// Redirects followed after a form was sent.
const REDIRECTS_MAX: usize = 5;

/// The header that makes a request that of somebody.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    pub name: String,
    pub value: String,
    /// What a page shows to somebody who is logged in, where that is known.
    shows: Option<(Place, String)>,
}

fn failed(detail: impl Into<String>) -> Trouble {
    Trouble::new(FailureReason::LoginFailed, detail)
}

/// Logs in, if the order says how.
pub async fn log_in(order: &ZapOrder) -> Result<Option<Credential>, Trouble> {
    match &order.site.plan.login {
        None => Ok(None),
        Some(Login::Header { name, value }) => {
            Ok(Some(Credential { name: name.clone(), value: value.clone(), shows: None }))
        }
        Some(Login::Form { url, fields, logged_in }) => {
            let form =
                order.site.place.join(url).map_err(|error| failed(format!("the login's URL: {error}")))?;
            let shows = Regex::new(logged_in)
                .map_err(|error| failed(format!("`logged_in` is no regular expression: {error}")))?;
            let fetcher = order.site.fetcher(Limits::default()).await;
            let mut visit = Visit { order, fetcher, jar: Jar::default() };
            let login = visit.get(form.clone()).await.map_err(|error| unanswered(&form, &error))?;
            if shows.is_match(&login.text()) {
                let detail = format!("{} shows {logged_in:?} to somebody who is not logged in", form.url);
                return Err(failed(detail).advise("choose a text that only a user sees"));
            }
            let mut sent = hidden_fields(&login.text());
            sent.extend(fields.clone());
            let page = visit.send(form.clone(), &sent).await.map_err(|error| unanswered(&form, &error))?;
            visit.prove(&form, page, &shows).await
        }
    }
}

fn unanswered(form: &Place, error: &FetchError) -> Trouble {
    failed(format!("{} did not answer: {error}", form.url))
}

/// Whether the target still takes the order's credential. One that cannot be checked holds.
pub async fn still_holds(order: &ZapOrder, credential: &Credential) -> bool {
    let Some((place, shows)) = &credential.shows else { return true };
    let ask = Ask::get(place.clone()).with(&credential.name, &credential.value);
    let shows = Regex::new(shows);
    let page = order.site.fetcher(Limits::default()).await.fetch(ask).await;
    page.is_ok_and(|page| shows.is_ok_and(|shows| shows.is_match(&page.text())))
}

/// One visitor with cookies.
struct Visit<'a> {
    order: &'a ZapOrder,
    fetcher: Fetcher,
    jar: Jar,
}

impl Visit<'_> {
    async fn get(&mut self, place: Place) -> Result<Page, FetchError> {
        self.fetch(Ask::get(place)).await
    }

    async fn fetch(&mut self, ask: Ask) -> Result<Page, FetchError> {
        let ask = match self.jar.header() {
            Some(cookies) => ask.with("Cookie", &cookies),
            None => ask,
        };
        let page = self.fetcher.fetch(ask).await?;
        page.all("set-cookie").for_each(|cookie| self.jar.set(cookie));
        Ok(page)
    }

    /// Sends the form and follows where that leads, within the scope.
    async fn send(
        &mut self,
        form: Place,
        fields: &std::collections::BTreeMap<String, String>,
    ) -> Result<Page, FetchError> {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let kind = "application/x-www-form-urlencoded".to_owned();
        let headers = vec![("Content-Type".to_owned(), kind)];
        let ask = Ask { method: Method::POST, place: form, headers, body: Bytes::from(body) };
        let mut page = self.fetch(ask).await?;
        for _ in 0..REDIRECTS_MAX {
            let Some(Ok(next)) = page.redirect().map(Place::of) else { break };
            page = self.get(next).await?;
        }
        Ok(page)
    }

    /// Somebody who is logged in sees it, on the page after the form or on the target's own.
    async fn prove(mut self, form: &Place, page: Page, shows: &Regex) -> Result<Option<Credential>, Trouble> {
        let target = self.order.site.place.clone();
        let after = Place::of(page.url.clone()).ok().filter(|_| shows.is_match(&page.text()));
        let proof = match after {
            // What answered the form itself cannot be asked for again.
            Some(place) if page.method == "GET" => place,
            _ => {
                let seen = self.get(target.clone()).await.map_err(|error| unanswered(&target, &error))?;
                if !shows.is_match(&seen.text()) {
                    let detail = format!(
                        "after the form of {} was sent (status {}), no page shows {:?}",
                        form.url,
                        page.status,
                        shows.as_str()
                    );
                    return Err(failed(detail)
                        .advise("are name and password right, and `logged_in` what a user sees?"));
                }
                target
            }
        };
        let value =
            self.jar.header().ok_or_else(|| failed("the login set no cookie: there is nothing to carry"))?;
        let shows = Some((proof, shows.as_str().to_owned()));
        Ok(Some(Credential { name: "Cookie".to_owned(), value, shows }))
    }
}
