//! Who a finding is, when lines shift: our own stable fingerprint and the line hash that GitHub code scanning matches
//! alerts by. Pure: the source is handed in.

use std::collections::{HashMap, HashSet};

use sha2::{Digest, Sha256};

use super::finding::{Exchange, Finding};

/// Units of text (UTF-16 code units, spaces and tabs not counted) that a line hash covers, from the line's start on.
const WINDOW: usize = 100;
/// The polynomial's base.
const BASE: u64 = 37;
/// Stands for the end of the file in the hashed text; no character has this code unit.
const END_OF_FILE: u16 = 0xffff;
/// Part of every fingerprint: a change of what is hashed must not look like new findings to those who compare.
const SCHEME: &str = "1";
/// Bytes of SHA-256 kept of a fingerprint: 128 bits, as our ids.
const FINGERPRINT_BYTES: usize = 16;

/// A finding with its identity. Only such a finding can be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamped {
    /// With `fingerprint` set: tool, rule, path, the flagged line's text (of a running target: method, path, names of the
    /// query, parameter) and the occurrence among equal ones.
    pub finding: Finding,
    /// SARIF `partialFingerprints.primaryLocationLineHash`; `None` when the file's text was not to be had.
    pub line_hash: Option<String>,
}

/// Gives each finding its identity and puts them in the order of path, place, rule. `source` returns the bytes of a
/// file of the target; it is asked once per path.
pub fn stamp(mut findings: Vec<Finding>, mut source: impl FnMut(&str) -> Option<Vec<u8>>) -> Vec<Stamped> {
    findings.sort_by(|a, b| sort_key(a).cmp(&sort_key(b)));
    let mut stamped = Vec::with_capacity(findings.len());
    let mut occurrences = HashMap::new();
    let mut text = None;
    for mut finding in findings {
        let path = &finding.location.path;
        if text.as_ref().is_none_or(|(of, _): &(String, _)| of != path) {
            text = Some((path.clone(), source(path).map(|bytes| Text::of(&bytes))));
        }
        let text = text.as_ref().and_then(|(_, text)| text.as_ref());
        let region = finding.location.region;
        let context = region.and_then(|region| text?.line(region.start_line));
        let identity = match &finding.web {
            Some(exchange) => on_site(&finding, exchange),
            None => identity(&finding, &finding.location.path, context.unwrap_or_default()),
        };
        let occurrence = occurrences.entry(identity).or_insert(0_u32);
        *occurrence += 1;
        finding.fingerprint = fingerprint(&identity, *occurrence);
        // GitHub's rule for a finding without a region: the hash of the first line.
        let line = region.map_or(1, |region| region.start_line);
        let line_hash = text.and_then(|text| text.line_hash(line));
        stamped.push(Stamped { finding, line_hash });
    }
    stamped
}

/// What several calls of one tool found, as one: in the same order, each identity once.
pub fn merge(mut stamped: Vec<Stamped>) -> Vec<Stamped> {
    stamped.sort_by(|a, b| sort_key(&a.finding).cmp(&sort_key(&b.finding)));
    let mut seen = HashSet::new();
    stamped.retain(|stamped| seen.insert(stamped.finding.fingerprint.clone()));
    stamped
}

fn sort_key(finding: &Finding) -> impl Ord + '_ {
    (&finding.location, &finding.tool.0, &finding.rule, &finding.message)
}

type Identity = [u8; 32];

/// Of a running target: the method, the URL without its host and the values of its query, and the parameter. What was sent
/// and what came back differ from scan to scan, and the address of an app under test does, too.
fn on_site(finding: &Finding, exchange: &Exchange) -> Identity {
    let url = &finding.location.path;
    let after_scheme = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
    let local = after_scheme.find('/').map_or("/", |at| &after_scheme[at..]);
    let local = local.split_once('#').map_or(local, |(before, _)| before);
    let (path, query) = local.split_once('?').unwrap_or((local, ""));
    let mut names: Vec<&str> =
        query.split('&').map(|pair| pair.split('=').next().unwrap_or_default()).collect();
    names.sort_unstable();
    let param = exchange.param.as_deref().unwrap_or_default();
    let place = format!("{} {path}?{}", exchange.method, names.join("&"));
    identity(finding, &place, param)
}

/// The line's text with its white space taken out: re-indenting is no new finding.
fn identity(finding: &Finding, place: &str, line: &str) -> Identity {
    let mut hasher = Sha256::new();
    for part in [SCHEME, &finding.tool.0, &finding.rule, place] {
        // The length first: no two lists of parts may hash alike.
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    for word in line.split_whitespace() {
        hasher.update(word);
    }
    hasher.finalize().into()
}

fn fingerprint(identity: &Identity, occurrence: u32) -> String {
    let mut hasher = Sha256::new();
    hasher.update(identity);
    hasher.update(occurrence.to_be_bytes());
    let digest = hasher.finalize();
    digest[..FINGERPRINT_BYTES].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The text of one file, ready to be asked for its lines.
struct Text {
    lines: Vec<String>,
    hashes: Vec<String>,
}

impl Text {
    fn of(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        Self { hashes: line_hashes(&text), lines: lines(&text) }
    }

    fn line(&self, number: u32) -> Option<&str> {
        nth(&self.lines, number)
    }

    fn line_hash(&self, number: u32) -> Option<String> {
        nth(&self.hashes, number).map(str::to_owned)
    }
}

/// Lines count from 1.
fn nth(lines: &[String], number: u32) -> Option<&str> {
    let index = usize::try_from(number).ok()?.checked_sub(1)?;
    lines.get(index).map(String::as_str)
}

/// Lines end with LF, CR or CRLF, as in the line hash.
fn lines(text: &str) -> Vec<String> {
    text.replace("\r\n", "\n").split(['\n', '\r']).map(str::to_owned).collect()
}

/// The hash of every line as `hex:occurrence`, the way github/codeql-action computes
/// `primaryLocationLineHash` (`src/fingerprints.ts`): a polynomial over the [`WINDOW`] units that follow the line's
/// start, spaces and tabs skipped, every line end one LF, then an end mark, then zeros.
pub fn line_hashes(text: &str) -> Vec<String> {
    let units = normal_units(text);
    let starts_line = |at: usize| at == 0 || units[at - 1] == u16::from(b'\n');
    let unit = |at: usize| u64::from(units.get(at).copied().unwrap_or(0));
    let first_weight = (1..WINDOW).fold(1_u64, |power, _| power.wrapping_mul(BASE));
    let mut seen = HashMap::new();
    let mut hashes = Vec::new();
    let mut hash = (0..WINDOW).fold(0_u64, |hash, at| hash.wrapping_mul(BASE).wrapping_add(unit(at)));
    for at in 0..units.len() {
        if starts_line(at) {
            let occurrence = seen.entry(hash).or_insert(0_u32);
            *occurrence += 1;
            hashes.push(format!("{hash:x}:{occurrence}"));
        }
        let without_first = hash.wrapping_sub(unit(at).wrapping_mul(first_weight));
        hash = without_first.wrapping_mul(BASE).wrapping_add(unit(at + WINDOW));
    }
    hashes
}

fn normal_units(text: &str) -> Vec<u16> {
    let mut units = Vec::with_capacity(text.len() + 1);
    let mut after_cr = false;
    for unit in text.encode_utf16() {
        let is = |byte: u8| unit == u16::from(byte);
        let skipped = is(b' ') || is(b'\t') || (after_cr && is(b'\n'));
        after_cr = is(b'\r');
        if !skipped {
            units.push(if after_cr { u16::from(b'\n') } else { unit });
        }
    }
    units.push(END_OF_FILE);
    units
}

#[cfg(test)]
#[path = "fingerprint_tests.rs"]
mod tests;
