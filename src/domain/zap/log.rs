//! What ZAP's log says that its API does not: rules that threw, memory that ran out, callers it hung up on. The log also
//! holds the API key, which goes no further than here.

use std::collections::BTreeMap;

use crate::domain::finding::clean_text;

/// Rules named one by one; a rule may throw with each page.
const RULES_MAX: usize = 100;
/// Bytes of a rule's name.
const NAME_BYTES_MAX: usize = 100;
/// Bytes of the log's end that go with a failure.
const TAIL_BYTES_MAX: usize = 2 * 1024;
/// Bytes of one line of it: a stack trace must not push out the line that says what happened.
const LINE_BYTES_MAX: usize = 300;

/// Bytes of a line that are read; the rest says nothing that is looked for.
const LINE_READ_MAX: usize = 16 * 1024;

/// What Java says first, because we set that variable: without it the log's beginning is gone, for the engine keeps its end.
const BEGINNING: &str = "JAVA_TOOL_OPTIONS";
/// An active rule that threw: `… ERROR org.zaproxy.….SqlInjection - Error occurred while scanning a message: …`
const ACTIVE_THREW: &str = " - Error occurred while scanning a message";
/// A passive rule that threw: `… Scan rule 'NAME' failed on record 7 …`
const PASSIVE_THREW: (&str, &str) = ("Scan rule '", "' failed on record ");
const NO_MEMORY: &str = "java.lang.OutOfMemoryError";
/// To a caller that `api.addrs` does not name, or with a `Host` that it does not.
const ADDRESS_REFUSED: (&str, &str) = ("Request to API URL ", " not permitted");
const KEY_REFUSED: &str = "API key incorrect or not supplied";

/// Why ZAP hangs up on a caller without a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    Key,
    Address,
}

/// What a log says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogReading {
    /// Rules that threw, with how often.
    pub threw: BTreeMap<String, u32>,
    pub out_of_memory: bool,
    pub refusal: Option<Refusal>,
    /// Why this is not all that it says.
    pub unread: Option<String>,
}

impl LogReading {
    fn read(&mut self, line: &str) {
        if let Some(rule) = rule_that_threw(line) {
            let rule = clean_text(rule, NAME_BYTES_MAX);
            if self.threw.len() < RULES_MAX || self.threw.contains_key(&rule) {
                let times = self.threw.entry(rule).or_default();
                *times = times.saturating_add(1);
            }
        }
        self.out_of_memory |= line.contains(NO_MEMORY);
        if line.contains(KEY_REFUSED) {
            self.refusal = Some(Refusal::Key);
        } else if line.contains(ADDRESS_REFUSED.0) && line.contains(ADDRESS_REFUSED.1) {
            self.refusal = Some(Refusal::Address);
        }
    }

    /// Reads a log that is there as a whole.
    pub fn of(log: &str) -> Self {
        let mut reading = Self::default();
        log.lines().for_each(|line| reading.read(line));
        reading
    }

    /// Whether memory may have run out within the heap, as far as the log can tell.
    pub const fn permits_no_memory(&self) -> bool {
        self.out_of_memory || self.unread.is_some()
    }
}

/// Reads a log while it comes, in pieces that end anywhere.
#[derive(Debug, Default)]
pub struct LogReader {
    reading: LogReading,
    /// Of the line that has not ended yet.
    line: Vec<u8>,
    has_beginning: bool,
}

impl LogReader {
    pub fn take(&mut self, piece: &[u8]) {
        let mut parts = piece.split(|byte| *byte == b'\n');
        self.extend(parts.next().unwrap_or_default());
        for part in parts {
            self.end_line();
            self.extend(part);
        }
    }

    fn extend(&mut self, part: &[u8]) {
        let room = LINE_READ_MAX.saturating_sub(self.line.len());
        self.line.extend_from_slice(&part[..part.len().min(room)]);
    }

    fn end_line(&mut self) {
        let line = String::from_utf8_lossy(&self.line);
        self.has_beginning |= line.contains(BEGINNING);
        self.reading.read(&line);
        self.line.clear();
    }

    /// What it says, when it came to its end, or could be read no further for this reason.
    pub fn finish(mut self, broken: Option<String>) -> LogReading {
        self.end_line();
        let lost = || "it is so long that the engine has dropped its beginning".to_owned();
        self.reading.unread = broken.or_else(|| (!self.has_beginning).then(lost));
        self.reading
    }
}

fn rule_that_threw(line: &str) -> Option<&str> {
    if let Some((before, _)) = line.split_once(ACTIVE_THREW) {
        let class = before.split_whitespace().next_back()?;
        return class.rsplit('.').next();
    }
    let (_, after) = line.split_once(PASSIVE_THREW.0)?;
    after.split_once(PASSIVE_THREW.1).map(|(rule, _)| rule)
}

/// The end of a log, as it may be shown: cleaned, without the secrets.
pub fn tail(log: &str, secrets: &[String]) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut bytes = 0;
    for line in log.lines().rev().filter(|line| !line.trim().is_empty()) {
        let line = clean_text(&redact(line, secrets), LINE_BYTES_MAX);
        bytes += line.len() + 1;
        if bytes > TAIL_BYTES_MAX {
            break;
        }
        lines.push(line);
    }
    lines.reverse();
    lines.join("\n")
}

fn redact(line: &str, secrets: &[String]) -> String {
    let secrets = secrets.iter().filter(|secret| !secret.is_empty());
    secrets.fold(line.to_owned(), |line, secret| line.replace(secret, "[redacted]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "\
Found Java version 17.0.15\n\
1016 [main] INFO  org.parosproxy.paros.Constant - Copying default configuration to /home/zap/.ZAP/config.xml\n\
11853 [ZAP-ActiveScanner-1] ERROR proctor.zap.ThrowingRule - Error occurred while scanning a message:\n\
java.lang.IllegalStateException: thrown by a test\n\
\tat proctor.zap.ThrowingRule.scan(ThrowingRule.java:20)\n\
11882 [ZAP-ActiveScanner-0] ERROR proctor.zap.ThrowingRule - Error occurred while scanning a message:\n\
11656 [ZAP-PassiveScan-2] ERROR org.zaproxy.zap.extension.pscan.PassiveScanTask - Scan rule 'Throwing (test)' \
failed on record 6 from History table: GET http://page.app.internal:5000/\n";

    #[test]
    fn rules_that_threw_are_counted_by_name() {
        let reading = LogReading::of(LOG);
        let threw = BTreeMap::from([("ThrowingRule".to_owned(), 2), ("Throwing (test)".to_owned(), 1)]);
        assert_eq!(reading, LogReading { threw, ..LogReading::default() });
    }

    #[test]
    fn a_rule_that_throws_with_another_name_each_time_fills_nothing() {
        let mut reading = LogReading::default();
        (0..10_000).for_each(|n| reading.read(&format!("Scan rule '{n}' failed on record 1")));
        assert_eq!(reading.threw.len(), RULES_MAX);
    }

    #[test]
    fn a_log_of_any_length_is_read_to_its_end_whatever_pieces_it_comes_in() {
        let noise = "12000 [ZAP] INFO nothing of importance\n".repeat(200_000);
        let log = format!("Picked up JAVA_TOOL_OPTIONS: -X\n{noise}{LOG}");
        let mut reader = LogReader::default();
        log.as_bytes().chunks(1_021).for_each(|piece| reader.take(piece));
        let reading = reader.finish(None);
        assert!(log.len() > 7 << 20 && reading.unread.is_none());
        assert_eq!(reading, LogReading::of(&log));
        assert_eq!(reading.threw["ThrowingRule"], 2);
    }

    #[test]
    fn a_log_that_was_not_read_whole_says_so_and_may_have_told_of_memory() {
        let read = |log: &str, broken: Option<&str>| {
            let mut reader = LogReader::default();
            reader.take(log.as_bytes());
            reader.finish(broken.map(str::to_owned))
        };
        let whole = format!("Picked up JAVA_TOOL_OPTIONS: -X\n{LOG}");
        assert!(!read(&whole, None).permits_no_memory());
        let broken = read(&whole, Some("the engine gave no answer"));
        assert_eq!(broken.unread.as_deref(), Some("the engine gave no answer"));
        assert!(broken.permits_no_memory());
        assert!(read(LOG, None).unread.is_some_and(|why| why.contains("beginning")));
    }

    #[test]
    fn memory_that_ran_out_is_seen() {
        let line = "Exception in thread \"ZAP-1\" java.lang.OutOfMemoryError: Java heap space";
        assert!(LogReading::of(line).out_of_memory);
    }

    #[test]
    fn a_key_is_told_from_an_address() {
        let key = "WARN  API - API key incorrect or not supplied: aaa in request from 172.18.0.1";
        assert_eq!(LogReading::of(key).refusal, Some(Refusal::Key));
        let address =
            "WARN  API - Request to API URL http://zap/JSON/core/view/version/ from 172.18.0.1 not permitted";
        assert_eq!(LogReading::of(address).refusal, Some(Refusal::Address));
        assert_eq!(LogReading::of(LOG).refusal, None);
    }

    #[test]
    fn the_end_of_a_log_holds_no_secret_and_no_escape() {
        let log = format!("{LOG}Called with [api.key=s3cr3t]\n\u{1b}[31mlast\n\n");
        let tail = tail(&log, &["s3cr3t".to_owned(), String::new()]);
        assert!(tail.ends_with("Called with [api.key=[redacted]]\n[31mlast"), "{tail}");
        assert!(super::tail(&"x\n".repeat(100_000), &[]).len() <= TAIL_BYTES_MAX);
    }
}
