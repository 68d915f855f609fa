//! A finding: one rule of one tool, at one place.

use serde::{Deserialize, Serialize};

use super::ids::ToolName;
use super::severity::Severity;

/// Longest message kept of a finding, in bytes. A tool may copy a 5 MB source line into its message.
pub const MESSAGE_BYTES_MAX: usize = 4 * 1024;
/// Findings kept of one run, the worst: consumers of SARIF take no more (GitHub code scanning). What is over is counted.
pub const FINDINGS_PER_RUN_MAX: usize = 25_000;

/// What a tool reports. All text in it comes from the tool or its target and is untrusted until [`clean_text`] has
/// been over it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    pub tool: ToolName,
    /// The tool's own rule id, bare (`B301`, `python.injection.sql`).
    pub rule: String,
    pub severity: Severity,
    pub message: String,
    pub location: Location,
    /// CWE numbers, ascending, without repeats.
    pub cwe: Vec<u32>,
    /// Where the rule is explained, if the tool says.
    pub help: Option<String>,
    /// Stable identity of the finding across line shifts; see [`fingerprint`](super::fingerprint).
    pub fingerprint: String,
    /// How a running target showed it; `None` in a source tree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub web: Option<Exchange>,
}

/// The request that showed a finding, and what was seen. Untrusted text, as all of a finding.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Exchange {
    /// HTTP method.
    pub method: String,
    /// The parameter, header or cookie that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub param: Option<String>,
    /// What was sent in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attack: Option<String>,
    /// The part of the answer that shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
    /// How sure the tool is, in its own word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<String>,
}

/// A place in the target.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Location {
    /// Path relative to the target's root, `/` between parts; of a running target, the absolute URL.
    pub path: String,
    /// Lines and columns count from 1; absent where the tool names a whole file.
    pub region: Option<Region>,
}

/// Lines and columns from 1, ends inclusive of the line, exclusive of the column (SARIF §3.30).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Region {
    pub start_line: u32,
    pub start_column: Option<u32>,
    pub end_line: Option<u32>,
    pub end_column: Option<u32>,
}

/// Makes untrusted text safe to show to a terminal and to a model: C0 and C1 controls (which take ANSI escapes with
/// them), bidirectional overrides and zero-width characters are dropped, line breaks become spaces, and the text is
/// cut at `bytes_max` on a character boundary.
pub fn clean_text(text: &str, bytes_max: usize) -> String {
    let mut clean = String::with_capacity(text.len().min(bytes_max));
    for character in text.chars() {
        let shown = match character {
            '\n' | '\r' | '\t' => ' ',
            other if is_unprintable(other) => continue,
            other => other,
        };
        if clean.len() + shown.len_utf8() > bytes_max {
            break;
        }
        clean.push(shown);
    }
    clean
}

const fn is_unprintable(character: char) -> bool {
    matches!(character,
        '\u{00}'..='\u{1f}' | '\u{7f}'..='\u{9f}'      // C0, DEL, C1
        | '\u{061c}' | '\u{200b}'..='\u{200f}'          // Arabic letter mark, zero widths, LRM, RLM
        | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' // bidi embeddings, word joiner, isolates
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}') // BOM, annotations, tags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_and_bidi_overrides_do_not_pass() {
        assert_eq!(clean_text("a\u{1b}[31mred\u{202e}x\u{200b}y\nz", 100), "a[31mredxy z");
    }

    #[test]
    fn text_is_cut_on_a_character_boundary() {
        assert_eq!(clean_text("ääää", 5), "ää");
    }
}
