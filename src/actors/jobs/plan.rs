//! Which tools have business with a target. Pure but for the ids it is given.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::domain::ids::{RunId, ToolName};
use crate::domain::job::{Ended, RunState, RunView};
use crate::domain::outcome::{Coverage, Outcome};
use crate::domain::target::{Phase, WebPlan};
use crate::tools::catalogue::Catalogue;
use crate::tools::manifest::{Intrusion, Manifest, Place};

/// One tool of a job.
#[derive(Debug)]
pub struct Planned {
    pub run: RunId,
    pub manifest: Arc<Manifest>,
    pub business: Business,
}

/// What a tool has to do with the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Business {
    /// These files; at least one.
    Files(BTreeSet<String>),
    /// The target as it runs.
    Site,
    /// Nothing, for this reason.
    None(String),
}

/// What there is to be looked at.
#[derive(Debug, Clone, Copy)]
pub enum Ground<'a> {
    /// The files of a snapshot.
    Files(&'a [&'a str]),
    /// What runs.
    Site {
        /// What is to be done to it.
        plan: &'a WebPlan,
        /// Nobody can see what is asked of it on the way.
        is_https: bool,
    },
}

impl Ground<'_> {
    fn business(self, manifest: &Manifest) -> Business {
        match self {
            Self::Files(_) if manifest.is_for_web() => {
                Business::None("it looks at what runs, and the target is a source tree".to_owned())
            }
            Self::Files(files) => match manifest.expected(files.iter().copied()) {
                none if none.is_empty() => {
                    let reads = manifest.files().map(|files| files.files.join(", ")).unwrap_or_default();
                    Business::None(format!("no file of the target matches {reads}"))
                }
                files => Business::Files(files),
            },
            Self::Site { .. } if !manifest.is_for_web() => {
                Business::None("it reads files, and the target is one that runs".to_owned())
            }
            Self::Site { plan, .. }
                if manifest.intrusion() == Some(Intrusion::Active) && !plan.phase.attacks() =>
            {
                let why = format!("it attacks, and the phase is {}: ask for `full`", Phase::Baseline.word());
                Business::None(why)
            }
            // It would ask for what nobody may ask for, the very page that logs out or deletes.
            Self::Site { plan, is_https }
                if manifest.intrusion() == Some(Intrusion::Active) && !plan.exclude.is_empty() =>
            {
                held(manifest, is_https).map_or(Business::Site, Business::None)
            }
            Self::Site { .. } => Business::Site,
        }
    }

    /// Whether the tool is run unasked: load tests are not.
    fn is_usual(self, manifest: &Manifest) -> bool {
        match (self, manifest.intrusion()) {
            (Self::Files(_), intrusion) => intrusion.is_none(),
            (Self::Site { .. }, None | Some(Intrusion::Load)) => false,
            (Self::Site { plan, .. }, Some(Intrusion::Active)) => plan.phase.attacks(),
            (Self::Site { .. }, Some(Intrusion::Passive)) => true,
        }
    }
}

/// Why an attacker cannot be held to what is excluded; `None`: its gate holds it.
fn held(manifest: &Manifest, is_https: bool) -> Option<String> {
    let why = match (manifest.names(Place::Proxy), is_https) {
        (true, false) => return None,
        (true, true) => "its requests over https cannot be seen on the way",
        (false, _) => "it knows no proxy that could refuse it",
    };
    Some(format!("the request excludes URLs, to which this tool cannot be held: {why}"))
}

impl Planned {
    pub const fn applies(&self) -> bool {
        !matches!(self.business, Business::None(_))
    }

    /// The run as it begins: waiting, or ended because there is nothing for it to do.
    pub fn view(&self) -> RunView {
        let state = match &self.business {
            Business::Files(_) | Business::Site => RunState::Waiting,
            Business::None(why) => {
                let outcome = Outcome::NotApplicable { why: why.clone() };
                RunState::Ended(Ended { outcome, coverage: Coverage::default(), elapsed_ms: 0 })
            }
        };
        RunView { id: self.run, tool: self.manifest.name.clone(), tool_version: None, state, doing: None }
    }
}

/// What a job that was handed back has yet to do: its open runs, under the ids they have. Runs whose tool the catalogue no
/// longer has cannot go on; they come second.
pub fn resume(catalogue: &Catalogue, runs: &[RunView], ground: Ground<'_>) -> (Vec<Planned>, Vec<RunId>) {
    let open = runs.iter().filter(|run| !matches!(run.state, RunState::Ended(_)));
    let (known, unknown): (Vec<_>, Vec<_>) = open.partition(|run| catalogue.get(&run.tool).is_some());
    let planned = known.into_iter().filter_map(|run| {
        let manifest = catalogue.get(&run.tool)?;
        let business = ground.business(manifest);
        Some(Planned { run: run.id, manifest: Arc::new(manifest.clone()), business })
    });
    (planned.collect(), unknown.into_iter().map(|run| run.id).collect())
}

/// The runs of a job: each tool asked for, or every usual one, in the catalogue's order.
pub fn plan(
    catalogue: &Catalogue,
    asked: &[ToolName],
    ground: Ground<'_>,
    mut fresh_id: impl FnMut() -> RunId,
) -> Vec<Planned> {
    let is_chosen = |manifest: &&Manifest| match asked {
        [] => ground.is_usual(manifest),
        asked => asked.contains(&manifest.name),
    };
    let planned = catalogue.iter().filter(is_chosen).map(|manifest| Planned {
        run: fresh_id(),
        business: ground.business(manifest),
        manifest: Arc::new(manifest.clone()),
    });
    planned.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is planned, and which of it applies.
    fn planned(asked: &[&str], ground: Ground<'_>) -> Vec<(String, bool)> {
        let catalogue = Catalogue::builtin().unwrap();
        let asked: Vec<ToolName> = asked.iter().map(|name| ToolName((*name).to_owned())).collect();
        let planned = plan(&catalogue, &asked, ground, || RunId::from_random([1; 16]));
        planned.into_iter().map(|it| (it.manifest.name.0.clone(), it.applies())).collect()
    }

    fn site(plan: &WebPlan) -> Ground<'_> {
        Ground::Site { plan, is_https: false }
    }

    fn names(asked: &[&str], ground: Ground<'_>) -> Vec<String> {
        planned(asked, ground).into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn files_and_sites_have_tools_of_their_own() {
        let web = WebPlan { phase: Phase::Full, ..WebPlan::default() };
        let (of_files, of_site) = (names(&[], Ground::Files(&["app.py"])), names(&[], site(&web)));
        assert!(of_files.contains(&"bandit".into()) && !of_files.contains(&"zap".into()), "{of_files:?}");
        assert!(of_site.contains(&"zap".into()) && of_site.contains(&"wapiti".into()), "{of_site:?}");
        assert!(of_files.iter().all(|name| !of_site.contains(name)));
        let asked = ["bandit", "zap"];
        assert_eq!(planned(&asked, site(&web)), [("bandit".into(), false), ("zap".into(), true)]);
        assert_eq!(
            planned(&asked, Ground::Files(&["a.py"])),
            [("bandit".into(), true), ("zap".into(), false)]
        );
    }

    #[test]
    fn nothing_attacks_in_a_baseline_and_no_load_test_runs_unasked() {
        let baseline = WebPlan::default();
        let usual = names(&[], site(&baseline));
        for name in ["wapiti", "nmap", "ab", "wrk", "locust", "k6"] {
            assert!(!usual.contains(&name.to_owned()), "{usual:?}");
        }
        assert_eq!(
            planned(&["wapiti", "wrk"], site(&baseline)),
            [("wapiti".into(), false), ("wrk".into(), true)]
        );
    }

    #[test]
    fn an_attacker_is_run_only_where_it_can_be_held_to_what_is_excluded() {
        let plan = WebPlan { phase: Phase::Full, exclude: vec!["/logout".into()], ..WebPlan::default() };
        let asked = ["nmap", "wapiti", "zap"];
        let applies = |is_https| -> Vec<bool> {
            let planned = planned(&asked, Ground::Site { plan: &plan, is_https });
            assert_eq!(planned.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), asked);
            planned.into_iter().map(|(_, applies)| applies).collect()
        };
        assert_eq!(applies(false), [false, true, true]);
        assert_eq!(applies(true), [false, false, true]);
    }
}
