//! What a run of a tool may see and touch: its snapshot, its program, our rules for it, and its own directory.

use std::path::Path;

use super::execute::Workplace;
use crate::actors::installer::Program;
use crate::actors::process::Sandbox;
use crate::config::SandboxMode;
use crate::tools::invocation::Places;
use crate::tools::manifest::Manifest;

/// `None` where the configuration wants no sandbox.
pub(super) fn sandbox(
    manifest: &Manifest,
    workplace: &Workplace,
    program: &Program,
    places: &Places,
) -> Option<Sandbox> {
    let mut readable = program.reads();
    readable.extend(places.target.tree().map(Path::to_owned));
    readable.extend([places.tool_config.clone(), places.rules.clone()]);
    readable.extend(workplace.readable.iter().cloned());
    let sandbox = Sandbox {
        readable,
        writable: vec![places.work.clone()],
        network: manifest.network,
        required: workplace.sandbox == SandboxMode::Require,
        walls: None,
    };
    (workplace.sandbox != SandboxMode::Off).then_some(sandbox)
}
