//! Which tools have business with a target. Pure but for the ids it is given.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::domain::ids::{RunId, ToolName};
use crate::domain::job::{Ended, RunState, RunView};
use crate::domain::outcome::{Coverage, Outcome};
use crate::domain::target::Phase;
use crate::tools::catalogue::Catalogue;
use crate::tools::manifest::{Intrusion, Manifest};

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
    /// What runs, and how far one goes.
    Site(Phase),
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
            Self::Site(_) if !manifest.is_for_web() => {
                Business::None("it reads files, and the target is one that runs".to_owned())
            }
            Self::Site(phase) if manifest.intrusion() == Some(Intrusion::Active) && !phase.attacks() => {
                let why = format!("it attacks, and the phase is {}: ask for `full`", Phase::Baseline.word());
                Business::None(why)
            }
            Self::Site(_) => Business::Site,
        }
    }

    /// Whether the tool is run unasked: load tests are not.
    fn is_usual(self, manifest: &Manifest) -> bool {
        match (self, manifest.intrusion()) {
            (Self::Files(_), intrusion) => intrusion.is_none(),
            (Self::Site(_), None | Some(Intrusion::Load)) => false,
            (Self::Site(phase), Some(Intrusion::Active)) => phase.attacks(),
            (Self::Site(_), Some(Intrusion::Passive)) => true,
        }
    }
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
