//! nmap's XML. It ends well whatever happened: the host must be up, the target's port must be open, and a script that
//! prints something for every HTTP server must have printed it. Output of scripts comes from the target.

use roxmltree::{Document, Node, ParsingOptions};

use crate::domain::finding::Exchange;
use crate::domain::outcome::{FailureReason, Work};
use crate::domain::verdict::{Report, UnreadableReport};

use super::draft::{Builder, Draft, last_line, malformed, unreadable};
use super::output::Input;

/// Most nodes of a report: one port with twenty scripts has some hundred.
const NODES_MAX: u32 = 1_000_000;
/// Prints the headers of any HTTP server: the proof that scripts spoke to one.
const PROOF: &str = "http-headers";
/// Scripts that only print what is there.
const NO_FINDINGS: &[&str] = &[PROOF, "http-title", "fingerprint-strings"];
/// What scripts print when they broke.
const BROKEN: &[&str] = &["ERROR: ", "Bug in "];

pub(super) fn parse(input: &Input<'_>) -> Result<Report, UnreadableReport> {
    let text = std::str::from_utf8(input.report)
        .map_err(|error| malformed(format!("the report is not UTF-8: {error}")))?;
    if text.trim().is_empty() {
        let detail = format!("it wrote no report; it said: {}", last_line(&input.stderr()));
        return Err(unreadable(FailureReason::EmptyReport, detail));
    }
    // It begins with a DOCTYPE without rules.
    let options = ParsingOptions { allow_dtd: true, nodes_limit: NODES_MAX, ..ParsingOptions::default() };
    let document = Document::parse_with_options(text, options)
        .map_err(|error| malformed(format!("the report is not the XML it should be: {error}")))?;
    let port = open_port(input, &document)?;
    let mut builder = Builder::new(input);
    let mut rules = 0;
    for script in port.children().filter(|node| node.has_tag_name("script")) {
        rules += 1;
        read_script(&mut builder, input, script)?;
    }
    service(&mut builder, input, port)?;
    let spoke = port.children().any(|node| node.attribute("id") == Some(PROOF));
    if !spoke {
        builder.degraded("no script got an HTTP answer: only the port was looked at");
    }
    Ok(builder.site(Work { urls: 1, requests: 1 + rules, rules }))
}

/// The element of the target's port.
fn open_port<'a>(input: &Input<'_>, document: &'a Document<'a>) -> Result<Node<'a, 'a>, UnreadableReport> {
    let failed = |reason, detail: String| Err(unreadable(reason, detail));
    let find = |name: &str| document.descendants().find(|node| node.has_tag_name(name));
    let finished = find("finished").and_then(|node| node.attribute("exit"));
    if finished != Some("success") {
        return failed(FailureReason::UnreadableReport, format!("it says that it ended with {finished:?}"));
    }
    let up = find("hosts").and_then(|node| node.attribute("up"));
    if up.is_none_or(|up| up == "0") {
        return failed(FailureReason::NoProofOfWork, "it looked at no host".to_owned());
    }
    if find("host").and_then(|node| node.attribute("timedout")) == Some("true") {
        return failed(FailureReason::TimedOut, "it gave the host up after its own time limit".to_owned());
    }
    let number = input.web()?.address().port();
    let wanted = number.to_string();
    let mut ports = document.descendants().filter(|node| node.has_tag_name("port"));
    let Some(port) = ports.find(|port| port.attribute("portid") == Some(&wanted)) else {
        return failed(FailureReason::NoProofOfWork, format!("it says nothing about port {number}"));
    };
    let state =
        port.children().find(|node| node.has_tag_name("state")).and_then(|node| node.attribute("state"));
    if state == Some("open") {
        return Ok(port);
    }
    failed(
        FailureReason::TargetUnreachable,
        format!("port {number} is {}", state.unwrap_or("in no known state")),
    )
}

fn read_script(
    builder: &mut Builder<'_>,
    input: &Input<'_>,
    script: Node<'_, '_>,
) -> Result<(), UnreadableReport> {
    let id = script.attribute("id").ok_or_else(|| malformed("the report holds a script without a name"))?;
    let output = script.attribute("output").unwrap_or_default().trim();
    if BROKEN.iter().any(|words| output.starts_with(words)) {
        builder.degraded(&format!("its script {id} broke: {output}"));
        return Ok(());
    }
    if NO_FINDINGS.contains(&id) || output.is_empty() || !shows_fault(script, id, output) {
        return Ok(());
    }
    add(builder, input, id, output)
}

/// Whether what a script printed is a fault and not only a fact.
fn shows_fault(script: Node<'_, '_>, id: &str, output: &str) -> bool {
    let mut states = script.descendants().filter(|node| node.attribute("key") == Some("state")).peekable();
    if states.peek().is_some() {
        // The library for known vulnerabilities: NOT VULNERABLE is a state, too.
        return states
            .filter_map(|node| node.text())
            .any(|state| state.contains("VULNERABLE") && !state.starts_with("NOT "));
    }
    match id {
        "http-methods" => output.contains("risky"),
        // Which product it is, everybody knows; which version, nobody needs to.
        "http-server-header" => output.contains(|c: char| c.is_ascii_digit()),
        _ => true,
    }
}

/// The product and version that probes made out.
fn service(builder: &mut Builder<'_>, input: &Input<'_>, port: Node<'_, '_>) -> Result<(), UnreadableReport> {
    let service = port.children().find(|node| node.has_tag_name("service"));
    let Some((product, version)) =
        service.and_then(|node| Some((node.attribute("product")?, node.attribute("version")?)))
    else {
        return Ok(());
    };
    add(builder, input, "service-version", &format!("the server tells that it is {product} {version}"))
}

fn add(builder: &mut Builder<'_>, input: &Input<'_>, rule: &str, said: &str) -> Result<(), UnreadableReport> {
    let page = input.web()?.url();
    builder.finding(Draft {
        rule,
        message: &format!("{rule}: {said}"),
        path: page.as_str(),
        web: Some(Exchange {
            method: "GET".to_owned(),
            evidence: Some(said.to_owned()),
            ..Exchange::default()
        }),
        ..Draft::default()
    })
}
