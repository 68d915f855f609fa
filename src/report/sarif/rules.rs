//! The rules of one run: those that were broken, described as far as a finding knows them.

use std::collections::{BTreeMap, BTreeSet};

use super::model::{Descriptor, Message, RuleProperties};
use super::uri;
use crate::domain::fingerprint::Stamped;
use crate::domain::severity::Severity;

/// Tags of one rule: GitHub takes 20, `security` is one of them.
const CWES_MAX: usize = 19;

/// In the order of their ids.
pub(super) struct Rules<'a>(BTreeMap<&'a str, Rule<'a>>);

struct Rule<'a> {
    index: usize,
    worst: Severity,
    cwe: BTreeSet<u32>,
    help: Option<&'a str>,
}

impl<'a> Rules<'a> {
    pub(super) fn of(findings: &[&'a Stamped]) -> Self {
        let mut rules = BTreeMap::new();
        for finding in findings.iter().map(|stamped| &stamped.finding) {
            let rule = rules.entry(finding.rule.as_str()).or_insert_with(|| Rule {
                index: 0,
                worst: finding.severity,
                cwe: BTreeSet::new(),
                help: None,
            });
            rule.worst = rule.worst.max(finding.severity);
            rule.cwe.extend(&finding.cwe);
            rule.help = rule.help.or(finding.help.as_deref());
        }
        for (index, rule) in rules.values_mut().enumerate() {
            rule.index = index;
        }
        Self(rules)
    }

    pub(super) fn index(&self, rule: &str) -> usize {
        self.0[rule].index
    }

    pub(super) fn into_descriptors(self) -> Vec<Descriptor<'a>> {
        self.0.into_iter().map(|(id, rule)| descriptor(id, &rule)).collect()
    }
}

/// A finding's message is not the rule's description: it would change from scan to scan, and rules must not.
fn descriptor<'a>(id: &'a str, rule: &Rule<'a>) -> Descriptor<'a> {
    let help_uri = rule.help.filter(|help| uri::is_web(help));
    let cwes: Vec<String> = rule.cwe.iter().take(CWES_MAX).map(|cwe| format!("CWE-{cwe}")).collect();
    let full = match cwes.as_slice() {
        [] => format!("Rule {id}."),
        cwes => format!("Rule {id} ({}).", cwes.join(", ")),
    };
    Descriptor {
        id,
        short_description: Message::new(id),
        full_description: Message::new(full),
        help: Message::new(rule.help.unwrap_or("The tool gives no further help for this rule.")),
        help_uri,
        properties: properties(rule),
    }
}

/// `security` makes an alert of it that has a severity; an `info` finding has none.
fn properties(rule: &Rule<'_>) -> RuleProperties {
    let security = rule.worst > Severity::Info;
    let cwes = rule.cwe.iter().take(CWES_MAX).map(|cwe| format!("external/cwe/cwe-{cwe:03}"));
    RuleProperties {
        tags: security.then(|| "security".to_owned()).into_iter().chain(cwes).collect(),
        security_severity: security.then(|| rule.worst.security_severity()),
    }
}
