//! The operations of an OpenAPI document as seeds: by ZAP's own add-on where there is one, else each asked for once, as we read
//! the document.

use super::run::Run;
use crate::actors::egress::{Ask, Limits};
use crate::actors::zap::client::{Client, ZapError};
use crate::domain::scope::Place;
use crate::domain::target::GivenDocument;
use crate::domain::web::endpoints::Check;
use crate::domain::web::openapi::{DOCUMENT_BYTES_MAX, Document};
use crate::domain::zap::pages::Access;
use crate::domain::zap::trouble::Trouble;

/// The add-on that reads such documents.
const ADD_ON: &str = "openapi";

impl Run<'_> {
    /// What cannot be read is said, and costs what it would have found.
    pub(super) async fn seed_operations(&mut self, document: GivenDocument<'_>) -> Result<(), Trouble> {
        let text = match document {
            GivenDocument::Itself(text) => Ok(text.to_owned()),
            GivenDocument::At(place) if self.add_ons.iter().any(|add_on| add_on.id == ADD_ON) => {
                return self.import(place).await;
            }
            GivenDocument::At(place) => self.fetch_document(place).await,
        };
        let read = text.and_then(|text| Document::read(&text).map_err(|error| error.to_string()));
        let (checks, count) = match read {
            Ok(document) => document.checks(),
            Err(why) => {
                self.work.account.degraded.push(format!("openapi_unreadable: {why}"));
                return Ok(());
            }
        };
        if count > checks.len() {
            let over = count - checks.len();
            self.work.account.degraded.push(format!("openapi_over: {over} operations are not asked for"));
        }
        for check in &checks {
            self.send_operation(check).await?;
        }
        Ok(())
    }

    async fn import(&mut self, document: &str) -> Result<(), Trouble> {
        let url = self
            .order
            .site
            .place
            .join(document)
            .map_or_else(|_| document.to_owned(), |place| place.url.into());
        let (client, context) = (self.zap.client(), self.context.clone());
        let imported = self.zap.once(client.import_openapi(&url, &context)).await?;
        if let Err(error) = imported {
            self.work.account.degraded.push(format!("openapi_unreadable: {error}"));
        }
        Ok(())
    }

    async fn fetch_document(&self, document: &str) -> Result<String, String> {
        let place = self.order.site.place.join(document).map_err(|error| error.to_string())?;
        let limits = Limits { body_bytes: DOCUMENT_BYTES_MAX, ..Limits::default() };
        let fetcher = self.order.site.fetcher(limits).await;
        let page = fetcher.fetch(Ask::get(place)).await.map_err(|error| error.to_string())?;
        if page.status != 200 {
            return Err(format!("{} answered {}", page.url, page.status));
        }
        Ok(page.text().into_owned())
    }

    async fn send_operation(&mut self, check: &Check) -> Result<(), Trouble> {
        let place = match self.order.site.place.join(&check.path) {
            Ok(place) => place,
            Err(error) => {
                self.work.account.degraded.push(format!("seed_unreadable: {error}"));
                return Ok(());
            }
        };
        let request = request(&place, check);
        match self.zap.try_ask(|zap| send(zap, request.clone())).await? {
            Ok(Access::Answered) => self.work.pages.answered(place.url.as_str()),
            Ok(Access::Silent) | Err(ZapError::Internal { .. }) => self.work.pages.silent(place.url.as_str()),
            Err(error) => self.work.account.degraded.push(format!("seed_failed: {}: {error}", check.path)),
        }
        Ok(())
    }
}

async fn send(zap: Client, request: String) -> Result<Access, ZapError> {
    zap.send(&request).await
}

/// A request as ZAP takes it: with the whole URL in its first line. What would end a line early is left out.
fn request(place: &Place, check: &Check) -> String {
    let mut lines =
        vec![format!("{} {} HTTP/1.1", check.method, place.url), format!("Host: {}", place.authority)];
    let body = check.body.as_ref();
    let kind = body.map(|(kind, _)| ("Content-Type".to_owned(), kind.clone()));
    let length = body.map(|(_, text)| ("Content-Length".to_owned(), text.len().to_string()));
    let headers = check.headers.iter().cloned().chain(kind).chain(length);
    let plain = |text: &str| !text.contains(['\r', '\n']);
    lines.extend(
        headers
            .filter(|(name, value)| plain(name) && plain(value))
            .map(|(name, value)| format!("{name}: {value}")),
    );
    format!("{}\r\n\r\n{}", lines.join("\r\n"), body.map_or("", |(_, text)| text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_is_sent_as_the_document_has_it_and_no_header_breaks_out() {
        let place = Place::parse("http://a.example:81/orders?x=1").unwrap();
        let mut check = Check::alive("POST", "/orders?x=1");
        check.headers = vec![("X-A".into(), "b".into()), ("X-Evil".into(), "a\r\nX-B: c".into())];
        check.body = Some(("application/json".into(), "{\"a\":1}".into()));
        assert_eq!(
            request(&place, &check),
            "POST http://a.example:81/orders?x=1 HTTP/1.1\r\nHost: a.example:81\r\nX-A: b\r\n\
             Content-Type: application/json\r\nContent-Length: 7\r\n\r\n{\"a\":1}"
        );
    }
}
