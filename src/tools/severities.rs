//! A tool's words and rules in ours: how much each matters, and which weakness it is.

use std::collections::BTreeMap;

use crate::domain::severity::Severity;

/// The tool's words → ours. A rule's own severity goes before the word of the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeverityMap {
    /// For a word or rule that is in neither map.
    pub default: Severity,
    pub words: BTreeMap<String, Severity>,
    pub rules: ByRule<Severity>,
}

impl SeverityMap {
    /// Our severity of `rule`, which the report calls `word`.
    pub fn of(&self, rule: &str, word: Option<&str>) -> Severity {
        let by_word = || word.and_then(|word| self.words.get(word));
        *self.rules.get(rule).or_else(by_word).unwrap_or(&self.default)
    }
}

/// Facts by rule id, or by its beginning when the key ends in `*`; the longest match wins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ByRule<T>(pub BTreeMap<String, T>);

impl<T> Default for ByRule<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T> ByRule<T> {
    pub fn get(&self, rule: &str) -> Option<&T> {
        if let Some(exact) = self.0.get(rule) {
            return Some(exact);
        }
        let prefixes = self.0.iter().filter_map(|(key, fact)| Some((key.strip_suffix('*')?, fact)));
        let matching = prefixes.filter(|(prefix, _)| rule.starts_with(prefix));
        matching.max_by_key(|(prefix, _)| prefix.len()).map(|(_, fact)| fact)
    }
}
