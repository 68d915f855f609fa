//! A look at a site from outside: what its pages, cookies and certificate protect, and what lies open that should not.

use std::collections::BTreeMap;

use futures_util::stream::{self, StreamExt};
use hyper::Method;

use super::visitor::{As, Order, Visitor};
use crate::actors::egress::{Ask, Limits};
use crate::actors::random;
use crate::domain::scope::{self, Class, Place};
use crate::domain::verdict::WebEvidence;
use crate::domain::web::exposed::{self, Exposure};
use crate::domain::web::headers::{self, FOREIGN_ORIGIN};
use crate::domain::web::page::Page;
use crate::domain::web::rule::{self, Remark};
use crate::domain::web::{certificate, cookies, html};

/// Pages whose headers are looked at: a site that protects these protects the others alike.
const PAGES_MAX: usize = 12;
/// Requests at once: a visitor's browser has six.
const AT_ONCE: usize = 4;
/// Paths that cannot exist: two, since one may be answered by chance.
const ABSENT: usize = 2;
/// Bytes read of a page.
const BODY_BYTES_MAX: usize = 256 * 1024;

/// Looks at a site.
pub async fn look(order: &Order) -> WebEvidence {
    order.fulfil(explore(order)).await
}

async fn explore(order: &Order) -> WebEvidence {
    let limits = Limits { body_bytes: BODY_BYTES_MAX, ..Limits::default() };
    let visitor = match Visitor::enter(&order.site, limits).await {
        Ok(visitor) => visitor,
        Err(ending) => return WebEvidence::nothing(ending),
    };
    let Some(start) = visitor.follow(foreign(order.site.place.clone()), As::Somebody).await else {
        return visitor.leave(&order.tool);
    };
    visitor.remark(transport(&order.site.place, &start, order.site.address().ip()));
    (order.says)("pages".to_owned());
    let pages = pages(&visitor, start).await;
    visitor.remark(each_once(pages.iter().flat_map(judge_page)));
    visitor.remark(pages.iter().flat_map(judge_content));
    if let Some(start) = pages.first()
        && let Some(place) = visitor.in_scope(start.url.clone())
    {
        methods(&visitor, place).await;
    }
    forgotten(order, &visitor).await;
    visitor.leave(&order.tool)
}

/// A request that a page of somebody else makes.
fn foreign(place: Place) -> Ask {
    Ask::get(place).with("Origin", FOREIGN_ORIGIN)
}

/// The start page, the plan's seeds, and what the start page links to.
async fn pages(visitor: &Visitor, start: Page) -> Vec<Page> {
    let site = &visitor.site;
    let seeds = site.plan.seeds.urls.iter().filter_map(|seed| site.place.join(seed).ok());
    let text = start.text();
    let links = html::links(&text, &start.url).filter_map(|url| visitor.in_scope(url));
    let mut places: Vec<Place> = Vec::new();
    for place in seeds.chain(links) {
        if place.url != start.url && !places.contains(&place) && places.len() + 1 < PAGES_MAX {
            places.push(place);
        }
    }
    drop(text);
    let visits: Vec<_> =
        places.into_iter().map(|place| visitor.visit(foreign(place), As::Somebody)).collect();
    let visited: Vec<Option<Page>> = stream::iter(visits).buffered(AT_ONCE).collect().await;
    [start].into_iter().chain(visited.into_iter().flatten()).collect()
}

fn judge_page(page: &Page) -> Vec<Remark> {
    headers::judge(page).into_iter().chain(cookies::judge(page)).collect()
}

fn judge_content(page: &Page) -> Vec<Remark> {
    exposed::judge_listing(page).into_iter().chain(exposed::judge_error(page)).collect()
}

/// What is wrong on every page is wrong once: named with the first page that shows it, and how many do.
fn each_once(remarks: impl Iterator<Item = Remark>) -> Vec<Remark> {
    let mut seen: BTreeMap<(&str, Option<String>), (Remark, usize)> = BTreeMap::new();
    for remark in remarks {
        seen.entry((remark.rule.id, remark.param.clone())).or_insert((remark, 0)).1 += 1;
    }
    let told = seen.into_values().map(|(mut remark, pages)| {
        if pages > 1 {
            remark.message += &format!(" (on {pages} of the pages looked at)");
        }
        remark
    });
    told.collect()
}

/// How the site is reached: with whose certificate, or in the open.
fn transport(asked: &Place, start: &Page, address: std::net::IpAddr) -> Vec<Remark> {
    match &start.tls {
        Some(tls) => certificate::judge(tls, &start.url, jiff::Timestamp::now().as_second()),
        // Inside of a machine or a network of one's own, TLS is often ended before it.
        None if asked.url.scheme() == "http" && scope::class(address) == Class::Public => {
            let message = "the site is served over http, and does not lead to https";
            vec![Remark::new(&rule::NO_TLS, &asked.url, message)]
        }
        None => Vec::new(),
    }
}

/// What a page does when it is asked in ways that browsers do not.
async fn methods(visitor: &Visitor, start: Place) {
    let null = Ask::get(start.clone()).with("Origin", "null");
    if let Some(page) = visitor.visit(null, As::Somebody).await {
        visitor.remark(headers::judge_null_origin(&page));
    }
    let mark = random_word();
    let trace = Ask { method: Method::TRACE, ..Ask::get(start) }.with("X-Proctor", &mark);
    if let Some(page) = visitor.visit(trace, As::Nobody).await
        && page.status == 200
        && page.text().contains(&mark)
    {
        let message = "TRACE sends a request back as it came, with headers that scripts must not see";
        visitor.remark([Remark::new(&rule::TRACE_ENABLED, &page.url, message).by_method("TRACE")]);
    }
}

/// What lies open, asked for as nobody: first what is certainly not there, then what should not be.
async fn forgotten(order: &Order, visitor: &Visitor) {
    let mut absent = Vec::new();
    for _ in 0..ABSENT {
        let Ok(place) = visitor.site.below(&random_word()) else { continue };
        absent.extend(visitor.visit(Ask::get(place), As::Nobody).await);
    }
    visitor.remark(each_once(absent.iter().filter_map(exposed::judge_error)));
    if absent.is_empty() {
        visitor.degrade(
            "no path that cannot exist was answered, so forgotten files were not looked for".to_owned(),
        );
        return;
    }
    let looks: Vec<_> = exposed::ALL.iter().map(|exposure| look_for(visitor, exposure, &absent)).collect();
    let mut found = stream::iter(looks).buffered(AT_ONCE).enumerate();
    while let Some((before, remark)) = found.next().await {
        order.progress("forgotten files", before + 1, exposed::ALL.len());
        visitor.remark(remark);
    }
}

async fn look_for(visitor: &Visitor, exposure: &Exposure, absent: &[Page]) -> Option<Remark> {
    let place = visitor.site.below(exposure.path).ok()?;
    let page = visitor.visit(Ask::get(place), As::Nobody).await?;
    exposure.judge(&page, absent)
}

/// A name that nobody gave to anything.
fn random_word() -> String {
    let bytes = random::bytes::<16>();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
