//! Alerts as they come in, page by page, while the scan runs: each once, the worst kept when there are too many.

use std::collections::HashSet;

use super::alert::{self, Alert};
use crate::domain::finding::{FINDINGS_PER_RUN_MAX, Finding};
use crate::domain::ids::ToolName;
use crate::domain::severity::Severity;

/// Alerts that could not be read are named up to here; the rest is counted.
const BAD_NAMED_MAX: usize = 10;

/// What was harvested so far.
#[derive(Debug, Default)]
pub struct Harvest {
    /// Ids of all alerts that were listed.
    seen: HashSet<String>,
    /// By severity, least first.
    kept: [Vec<Finding>; Severity::ALL.len()],
    bad: u32,
    bad_named: Vec<String>,
    over: u32,
}

impl Harvest {
    /// Where the next page begins. ZAP counts from 1.
    pub fn next_start(&self) -> usize {
        self.seen.len() + 1
    }

    /// Alerts that were listed.
    pub fn listed(&self) -> usize {
        self.seen.len()
    }

    /// What is to be said of a harvest that is over, when ZAP counts this many alerts.
    pub fn unread(&self, counted: usize) -> Option<String> {
        let missing = counted.checked_sub(self.listed()).filter(|missing| *missing > 0)?;
        Some(format!("alerts_unread: {missing} of the {counted} that ZAP counts were not listed by it"))
    }

    /// Takes an alert. One that was there before is known by its id.
    pub fn take(&mut self, alert: &Alert, tool: &ToolName, is_inside: impl Fn(&str) -> bool) {
        if !self.seen.insert(alert.id.clone()) {
            return;
        }
        match alert::finding(alert, tool) {
            Ok(finding) if is_inside(&alert.url) => self.keep(finding),
            // The refusal of the way out itself is a page, too, and has no headers that a rule would like.
            Ok(_) => {}
            Err(bad) => {
                self.bad += 1;
                if self.bad_named.len() < BAD_NAMED_MAX {
                    self.bad_named.push(bad.to_string());
                }
            }
        }
    }

    fn keep(&mut self, finding: Finding) {
        self.kept[finding.severity as usize].push(finding);
        if self.count() > FINDINGS_PER_RUN_MAX {
            self.over += 1;
            let least = self.kept.iter_mut().find(|bucket| !bucket.is_empty());
            drop(least.and_then(Vec::pop));
        }
    }

    pub fn count(&self) -> usize {
        self.kept.iter().map(Vec::len).sum()
    }

    /// Findings by severity, least first: what is said of a scan that failed.
    pub fn counts(&self) -> [usize; Severity::ALL.len()] {
        self.kept.each_ref().map(Vec::len)
    }

    /// All of it, and what is to be said of what is missing.
    pub fn finish(self) -> (Vec<Finding>, Vec<String>) {
        let mut said = Vec::new();
        if self.bad > 0 {
            let named = self.bad_named.join("; ");
            said.push(format!(
                "alerts_unreadable: {} alerts of ZAP are not in the findings: {named}",
                self.bad
            ));
        }
        if self.over > 0 {
            said.push(format!("findings_over: {} of the least severity are not kept", self.over));
        }
        (self.kept.into_iter().rev().flatten().collect(), said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(id: usize, risk: &str) -> Alert {
        let json = serde_json::json!({"id": id, "pluginId": "1", "risk": risk, "url": "http://a/"});
        serde_json::from_value(json).unwrap()
    }

    fn take(harvest: &mut Harvest, alert: &Alert) {
        harvest.take(alert, &ToolName("zap".into()), |url| url.starts_with("http://a/"));
    }

    #[test]
    fn an_alert_counts_once_and_the_next_page_begins_after_it() {
        let mut harvest = Harvest::default();
        assert_eq!(harvest.next_start(), 1);
        for id in [0, 1, 1, 0, 2] {
            take(&mut harvest, &alert(id, "Low"));
        }
        assert_eq!((harvest.next_start(), harvest.count()), (4, 3));
    }

    #[test]
    fn alerts_that_zap_counts_and_does_not_list_are_said() {
        let mut harvest = Harvest::default();
        [0, 1].iter().for_each(|id| take(&mut harvest, &alert(*id, "Low")));
        assert_eq!(harvest.unread(2), None);
        assert!(harvest.unread(5).is_some_and(|said| said.starts_with("alerts_unread: 3 of the 5 ")));
        assert_eq!(harvest.unread(1), None, "one was taken back meanwhile");
    }

    #[test]
    fn of_too_many_the_worst_are_kept_and_the_rest_is_counted() {
        let mut harvest = Harvest::default();
        for id in 0..FINDINGS_PER_RUN_MAX {
            take(&mut harvest, &alert(id, if id % 2 == 0 { "Low" } else { "Informational" }));
        }
        take(&mut harvest, &alert(1_000_000, "High"));
        take(&mut harvest, &alert(1_000_001, "Informational"));
        let (findings, said) = harvest.finish();
        assert_eq!(findings.len(), FINDINGS_PER_RUN_MAX);
        assert_eq!(findings[0].severity, Severity::High);
        assert_eq!(said, ["findings_over: 2 of the least severity are not kept"]);
    }

    #[test]
    fn what_is_not_the_targets_is_no_finding_and_what_cannot_be_read_is_said() {
        let mut harvest = Harvest::default();
        let outside = serde_json::json!({"id": "5", "pluginId": "1", "risk": "Low", "url": "http://b/"});
        take(&mut harvest, &serde_json::from_value(outside).unwrap());
        take(&mut harvest, &alert(6, "Purple"));
        let (findings, said) = harvest.finish();
        assert_eq!(findings, []);
        assert!(said[0].starts_with("alerts_unreadable: 1 ") && said[0].contains("Purple"), "{said:?}");
    }
}
