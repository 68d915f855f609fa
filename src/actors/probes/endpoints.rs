//! Requests whose answers are known: those of the plan, or all operations of an OpenAPI document. One that is never answered
//! is a gap, never a pass.

use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use hyper::Method;

use super::visitor::{As, Order, Visitor};
use crate::actors::egress::{Ask, Limits};
use crate::domain::outcome::FailureReason;
use crate::domain::target::{GivenDocument, WebPlan};
use crate::domain::verdict::{WebEnding, WebEvidence};
use crate::domain::web::endpoints::Check;
use crate::domain::web::openapi::{DOCUMENT_BYTES_MAX, Document};

/// Requests at once. Few: what one of them changes is seen by the next.
const AT_ONCE: usize = 4;

/// Asks for everything that is expected of a site.
pub async fn look(order: &Order) -> WebEvidence {
    order.fulfil(explore(order)).await
}

async fn explore(order: &Order) -> WebEvidence {
    let limits = Limits { body_bytes: DOCUMENT_BYTES_MAX, ..Limits::default() };
    let visitor = match Visitor::enter(&order.site, limits).await {
        Ok(visitor) => visitor,
        Err(ending) => return WebEvidence::nothing(ending),
    };
    let checks = match checks(&visitor).await {
        Ok(checks) => checks,
        Err(ending) => return WebEvidence { ending, ..visitor.leave(&order.tool) },
    };
    let looks: Vec<_> = checks.iter().map(|check| ask(&visitor, check)).collect();
    let mut asked = stream::iter(looks).buffered(AT_ONCE).enumerate();
    while let Some((before, ())) = asked.next().await {
        order.progress("endpoints", before + 1, checks.len());
    }
    drop(asked);
    visitor.leave(&order.tool)
}

/// What is to be asked: what the plan expects, and what its document promises; else that its pages do not fail.
async fn checks(visitor: &Visitor) -> Result<Vec<Check>, WebEnding> {
    let plan = &visitor.site.plan;
    let mut checks: Vec<Check> = plan.expect.iter().map(Check::from).collect();
    if let Some(text) = document(visitor).await? {
        checks.extend(operations(visitor, plan, &text)?);
    }
    if checks.is_empty() {
        let seeds = plan.seeds.urls.iter().map(String::as_str);
        checks.extend(
            [visitor.site.url().as_str()].into_iter().chain(seeds).map(|url| Check::alive("GET", url)),
        );
        let why =
            "the plan has no expectations and no OpenAPI document: only whether its pages fail was looked at";
        visitor.degrade(why.to_owned());
    }
    Ok(checks)
}

/// The text of the plan's document, which is given as itself or as where it is.
async fn document(visitor: &Visitor) -> Result<Option<String>, WebEnding> {
    let given = match visitor.site.plan.seeds.document() {
        None => return Ok(None),
        Some(GivenDocument::Itself(text)) => return Ok(Some(text.to_owned())),
        Some(GivenDocument::At(place)) => place,
    };
    let failed = |why: String| WebEnding::failed(FailureReason::UnreadableReport, why);
    let place = visitor.site.place.join(given).map_err(|error| failed(error.to_string()))?;
    match visitor.follow(Ask::get(place), As::Somebody).await {
        Some(page) if page.status == 200 && !page.is_truncated => Ok(Some(page.text().into_owned())),
        Some(page) if page.is_truncated => {
            Err(failed(format!("the OpenAPI document at {given} has more than {DOCUMENT_BYTES_MAX} bytes")))
        }
        Some(page) => Err(failed(format!("there is no OpenAPI document at {given}: status {}", page.status))),
        None => Err(WebEnding::failed(FailureReason::TargetUnreachable, format!("{given} gave no answer"))),
    }
}

/// The operations of a document; without the right to attack, those only that change nothing.
fn operations(visitor: &Visitor, plan: &WebPlan, text: &str) -> Result<Vec<Check>, WebEnding> {
    let document = Document::read(text);
    let document =
        document.map_err(|error| WebEnding::failed(FailureReason::UnreadableReport, error.to_string()))?;
    let (mut checks, count) = document.checks();
    if checks.len() < count {
        visitor.degrade(format!("of {count} operations the first {} were looked at", checks.len()));
    }
    if !plan.phase.attacks() {
        let all = checks.len();
        checks.retain(Check::is_safe);
        if checks.len() < all {
            let left = all - checks.len();
            visitor
                .degrade(format!("{left} operations that change something were not asked for in this phase"));
        }
    }
    Ok(checks)
}

async fn ask(visitor: &Visitor, check: &Check) {
    let Some(request) = request(visitor, check) else {
        visitor.degrade(format!("{} {:?} cannot be asked for", check.method, check.path));
        return;
    };
    // As nobody first: an operation that deletes what it is about has no second answer.
    if check.needs_login
        && let Some(page) = visitor.visit(request.clone(), As::Nobody).await
    {
        visitor.remark(check.judge_anonymous(&page));
        if !visitor.is_somebody() {
            // Nobody is let in, as the document says; what it promises to others cannot be seen.
            let unseen = matches!(page.status, 401 | 403);
            visitor.remark(check.judge(&page).into_iter().filter(|_| !unseen));
            return;
        }
    }
    if let Some(page) = visitor.visit(request, As::Somebody).await {
        visitor.remark(check.judge(&page));
    }
}

fn request(visitor: &Visitor, check: &Check) -> Option<Ask> {
    let place = visitor.in_scope(visitor.site.place.join(&check.path).ok()?.url)?;
    let method = Method::from_bytes(check.method.as_bytes()).ok()?;
    let mut ask = Ask { method, headers: check.headers.clone(), ..Ask::get(place) };
    if let Some((kind, body)) = &check.body {
        ask.body = Bytes::from(body.clone());
        ask = ask.with("Content-Type", kind);
    }
    Some(ask)
}
