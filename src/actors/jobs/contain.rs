//! A tool that runs in a container of its image: the same call, the same limits and ends, in other walls.
//!
//! Its snapshot, our rules and its own directory are seen under the same paths as here, so that its command line and its report
//! mean the same. It looks at trees only: what runs is reached through a gate on this machine's loopback, which a container
//! does not have.

use std::path::{Path, PathBuf};

use tokio_util::sync::CancellationToken;

use super::execute::{Call, Workplace};
use crate::actors::docker::tool::ToolRun;
use crate::actors::docker::{Docker, EngineError};
use crate::actors::process::{Command, Ended};
use crate::config;
use crate::domain::container::Owner;
use crate::domain::outcome::FailureReason;

/// Thousandths of a core in a CPU slot.
const MILLI_PER_SLOT: u32 = 1_000;

/// Where tools in images run.
#[derive(Debug, Clone)]
pub struct Containers {
    pub docker: Docker,
    pub images: config::Docker,
}

/// Why it never ran.
pub(super) struct Unrun {
    pub reason: FailureReason,
    pub detail: String,
}

impl From<EngineError> for Unrun {
    fn from(error: EngineError) -> Self {
        let reason = match error {
            EngineError::Unavailable(_) => FailureReason::EngineUnavailable,
            EngineError::ImageMissing { .. } => FailureReason::ImageMissing,
            _ => FailureReason::SpawnFailed,
        };
        // The text says what to do.
        Self { reason, detail: error.to_string() }
    }
}

/// Runs `command` in a container of `image` to its end. Dropping the future kills it.
pub(super) async fn run(
    call: &Call<'_>,
    image: &str,
    command: Command,
    workplace: &Workplace,
    owner: Owner,
    cancel: CancellationToken,
) -> Result<Ended, Unrun> {
    let refused = |detail: String| Unrun { reason: FailureReason::SpawnFailed, detail };
    let Some(tree) = call.target.tree() else {
        let detail = "a tool in an image looks at source trees: from its container the gate to what runs is not reached";
        return Err(refused(detail.to_owned()));
    };
    let Containers { docker, images } = &workplace.containers;
    let engine = docker.engine().await.map_err(EngineError::from)?;
    let work = command.scratch.join("work");
    let run = ToolRun {
        image: image.parse().map_err(|error| refused(format!("{error}")))?,
        pull: images.into(),
        readable: readable(tree, workplace),
        writable: vec![work],
        disk_bytes: images.disk_mib << 20,
        network: call.manifest.network,
        cpu_milli: call.manifest.weights.cpu.max(1).saturating_mul(MILLI_PER_SLOT),
        owner,
        command,
    };
    Ok(engine.run_tool(run, cancel).await?)
}

fn readable(tree: &Path, workplace: &Workplace) -> Vec<PathBuf> {
    vec![tree.to_owned(), workplace.tool_config.clone(), workplace.rules.clone()]
}
