//! wapiti's JSON report, and its standard output, where it says what it left out: it ends well, with a report that looks
//! whole, when nothing answered, when the target died half way, and when it repeats what an earlier session found.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::domain::finding::Exchange;
use crate::domain::outcome::{FailureReason, Work};
use crate::domain::verdict::{Report, UnreadableReport};
use crate::tools::manifest::{Argument, Part, Template};

use super::draft::{Builder, Draft, json, last_line, unreadable};
use super::output::Input;

/// Modules that look at what the crawl brings and are never launched by name.
const PASSIVE: &[&str] = &[
    "cookieflags",
    "csp",
    "http_headers",
    "inconsistent_redirection",
    "information_disclosure",
    "stacktrace_disclosure",
    "unsecure_password",
];
const LAUNCHED: &str = "[*] Launching module ";
/// What it prints when it did less than it should, anywhere in a line.
const LEFT_OUT: &[&str] = &[
    "requests were skipped due to network issues",
    "Max attack time was reached",
    "Max scan time was reached",
];
const REPLAYED: &str = "pages were previously attacked and will be skipped";

/// Findings by category; most categories are empty.
type Categories = BTreeMap<String, Vec<Found>>;

#[derive(Deserialize)]
struct Document {
    vulnerabilities: Categories,
    anomalies: Categories,
    additionals: Categories,
    infos: Infos,
    classifications: BTreeMap<String, Classification>,
}

#[derive(Deserialize)]
struct Infos {
    crawled_pages_nbr: u32,
    crawled_pages: Vec<Page>,
}

#[derive(Deserialize)]
struct Page {
    request: Asked,
    response: Option<Answer>,
}

#[derive(Deserialize)]
struct Asked {
    url: String,
}

#[derive(Deserialize)]
struct Answer {
    status_code: u16,
}

#[derive(Deserialize)]
struct Classification {
    #[serde(default, rename = "ref")]
    links: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Found {
    method: String,
    path: String,
    info: String,
    level: u8,
    parameter: Option<String>,
    http_request: String,
}

pub(super) fn parse(input: &Input<'_>) -> Result<Report, UnreadableReport> {
    let document: Document = json(input)?;
    let log = input.stdout();
    let urls = answered(&document.infos, &log)?;
    let modules = launched(input, &log)?;
    let mut builder = Builder::new(input);
    let sections = [&document.vulnerabilities, &document.anomalies, &document.additionals];
    // One fault is found by several payloads and from several pages.
    let mut seen = BTreeSet::new();
    for (category, found) in
        sections.into_iter().flatten().flat_map(|(category, all)| all.iter().map(move |it| (category, it)))
    {
        if seen.insert((category, &found.method, &found.path, &found.parameter)) {
            finding(&mut builder, category, found, document.classifications.get(category))?;
        }
    }
    for line in log.lines().filter(|line| LEFT_OUT.iter().any(|words| line.contains(words))) {
        builder.degraded(line);
    }
    let requests = document.infos.crawled_pages_nbr;
    Ok(builder.site(Work { urls, requests, rules: modules }))
}

/// The pages of the crawl that answered. The number of pages alone comes from its session, and may be an old one; the
/// list names a page again for each fault that was found on it.
fn answered(infos: &Infos, log: &str) -> Result<u32, UnreadableReport> {
    let failed = |reason, detail: &str| Err(unreadable(reason, detail));
    if log.contains(REPLAYED) {
        let detail = "it repeats what an earlier session found, and asked for nothing";
        return failed(FailureReason::NoProofOfWork, detail);
    }
    let answers = infos
        .crawled_pages
        .iter()
        .filter_map(|page| Some((page.request.url.as_str(), page.response.as_ref()?)));
    let statuses: BTreeMap<&str, u16> = answers.map(|(url, answer)| (url, answer.status_code)).collect();
    if statuses.is_empty() || infos.crawled_pages_nbr == 0 {
        return failed(FailureReason::TargetUnreachable, "its crawl brought no page that answered");
    }
    if statuses.values().all(|status| *status >= 500) {
        let detail = "every page of its crawl answered with a server error: what was tested is an error page";
        return failed(FailureReason::NoProofOfWork, detail);
    }
    Ok(u32::try_from(statuses.len()).unwrap_or(u32::MAX))
}

/// How many modules were at work: all that the manifest asks for.
fn launched(input: &Input<'_>, log: &str) -> Result<u32, UnreadableReport> {
    let asked = modules(input);
    let launched: BTreeSet<&str> =
        log.lines().filter_map(|line| line.strip_prefix(LAUNCHED)).map(str::trim).collect();
    let missing: Vec<&str> = asked
        .iter()
        .copied()
        .filter(|module| !PASSIVE.contains(module) && !launched.contains(module))
        .collect();
    if missing.is_empty() && !asked.is_empty() {
        return Ok(u32::try_from(asked.len()).unwrap_or(u32::MAX));
    }
    let said = last_line(log);
    let detail = format!("it did not launch its modules {}; it said last: {said}", missing.join(", "));
    Err(unreadable(FailureReason::NoProofOfWork, detail))
}

/// What follows `-m` in the manifest.
fn modules<'a>(input: &Input<'a>) -> Vec<&'a str> {
    let arguments = input.manifest.program().map(|program| program.args.as_slice()).unwrap_or_default();
    let texts = arguments.iter().map(|argument| match argument {
        Argument::One(Template(parts)) => match parts.as_slice() {
            [Part::Text(text)] => text.as_str(),
            _ => "",
        },
        Argument::PerFile(_) => "",
    });
    let list = texts.skip_while(|text| *text != "-m").nth(1).unwrap_or_default();
    list.split(',').filter(|module| !module.is_empty()).collect()
}

fn finding(
    builder: &mut Builder<'_>,
    category: &str,
    found: &Found,
    classification: Option<&Classification>,
) -> Result<(), UnreadableReport> {
    let message = format!("{category}: {}", found.info);
    builder.finding(Draft {
        rule: &rule(category),
        severity: Some(&found.level.to_string()),
        message: &message,
        path: &found.path,
        help: classification.and_then(|it| it.links.values().next()).map(String::as_str),
        web: Some(Exchange {
            method: found.method.clone(),
            param: found.parameter.clone().filter(|name| !name.is_empty()),
            attack: attack(&found.http_request),
            ..Exchange::default()
        }),
        ..Draft::default()
    })
}

/// `SQL Injection` → `sql-injection`.
fn rule(category: &str) -> String {
    let words = category.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("-")
}

/// The body that was sent, or else the request line; the headers between them say nothing and may hold a session.
fn attack(request: &str) -> Option<String> {
    let (head, body) = request.split_once("\n\n").unwrap_or((request, ""));
    let said = if body.trim().is_empty() { head.lines().next()? } else { body };
    Some(said.to_owned())
}
