//! Which tools run on which files of a snapshot. Pure but for the ids it is given.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::domain::ids::{RunId, ToolName};
use crate::domain::job::{Ended, RunState, RunView};
use crate::domain::outcome::{Coverage, Outcome};
use crate::tools::catalogue::Catalogue;
use crate::tools::manifest::Manifest;

/// One tool of a job.
#[derive(Debug)]
pub struct Planned {
    pub run: RunId,
    pub manifest: Arc<Manifest>,
    /// The files that are its business; empty when the tool does not apply.
    pub expected: BTreeSet<String>,
}

impl Planned {
    pub fn applies(&self) -> bool {
        !self.expected.is_empty()
    }

    /// The run as it begins: waiting, or ended because there is nothing for it to do.
    pub fn view(&self) -> RunView {
        let state = if self.applies() {
            RunState::Waiting
        } else {
            let why = match self.manifest.files() {
                Some(files) => format!("no file of the target matches {}", files.files.join(", ")),
                None => "it looks at running web applications, not at files".to_owned(),
            };
            let outcome = Outcome::NotApplicable { why };
            RunState::Ended(Ended { outcome, coverage: Coverage::default(), elapsed_ms: 0 })
        };
        RunView { id: self.run, tool: self.manifest.name.clone(), tool_version: None, state }
    }
}

/// What a job that was handed back has yet to do: its open runs, under the ids they have. Runs whose tool the catalogue no
/// longer has cannot go on; they come second.
pub fn resume<'a>(
    catalogue: &Catalogue,
    runs: &[RunView],
    files: impl Iterator<Item = &'a str> + Clone,
) -> (Vec<Planned>, Vec<RunId>) {
    let open = runs.iter().filter(|run| !matches!(run.state, RunState::Ended(_)));
    let (known, unknown): (Vec<_>, Vec<_>) = open.partition(|run| catalogue.get(&run.tool).is_some());
    let planned = known.into_iter().filter_map(|run| {
        let manifest = catalogue.get(&run.tool)?;
        let expected = manifest.expected(files.clone());
        Some(Planned { run: run.id, manifest: Arc::new(manifest.clone()), expected })
    });
    (planned.collect(), unknown.into_iter().map(|run| run.id).collect())
}

/// The runs of a job: each tool asked for, or every tool of the catalogue, in the catalogue's order.
pub fn plan<'a>(
    catalogue: &Catalogue,
    asked: &[ToolName],
    files: impl Iterator<Item = &'a str> + Clone,
    mut fresh_id: impl FnMut() -> RunId,
) -> Vec<Planned> {
    let chosen = catalogue.iter().filter(|manifest| asked.is_empty() || asked.contains(&manifest.name));
    chosen
        .map(|manifest| Planned {
            run: fresh_id(),
            manifest: Arc::new(manifest.clone()),
            expected: manifest.expected(files.clone()),
        })
        .collect()
}
