//! Images made from a directory. What a build prints is handed on line by line; its end is kept for the error.
//!
//! A build runs the commands of somebody's Dockerfile as root of a container of the engine's own, within the engine's own
//! walls and the limits given here. The engine ends it when the request is dropped.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bollard::query_parameters::{BuildImageOptions, BuildImageOptionsBuilder};
use futures_util::StreamExt as _;
use tokio::time::timeout;

use super::context::{BuildContext, ContextLimits};
use super::engine::Engine;
use super::error::{EngineError, deepest};
use super::image::{Image, Progress};
use crate::domain::app::dockerfile::{Foreign, for_buildkit};
use crate::domain::container::{ContainerLimits, ImageName, Owner};

/// Lines of the end of a build that are kept.
const TAIL_LINES: usize = 40;
/// Bytes of one line that are kept.
const LINE_BYTES_MAX: usize = 500;
/// A Dockerfile that is longer is not looked through for what it failed of.
const DOCKERFILE_BYTES_MAX: u64 = 1 << 20;
/// What the engine divides processor time by, in microseconds: its default.
const CPU_PERIOD_US: i32 = 100_000;

/// All that an image is made from.
#[derive(Debug, Clone)]
pub struct BuildSpec {
    /// Canonical.
    pub directory: PathBuf,
    /// Within the directory.
    pub dockerfile: String,
    /// The stage that is wanted; `None`: the last.
    pub stage: Option<String>,
    pub arguments: BTreeMap<String, String>,
    pub tag: ImageName,
    /// Whether its commands reach a network.
    pub network: bool,
    pub owner: Owner,
    pub context: ContextLimits,
    pub limits: ContainerLimits,
}

impl Engine {
    /// Makes an image, within `patience`.
    pub async fn build(
        &self,
        spec: &BuildSpec,
        patience: Duration,
        progress: Progress<'_>,
    ) -> Result<Image, EngineError> {
        let (directory, dockerfile, limits) = (spec.directory.clone(), spec.dockerfile.clone(), spec.context);
        let reading =
            tokio::task::spawn_blocking(move || BuildContext::read(&directory, &dockerfile, limits)).await;
        let context = reading.map_err(|panic| EngineError::Lost {
            what: "read the directory".to_owned(),
            message: panic.to_string(),
        })??;
        progress(&format!("sending {} bytes", context.bytes));
        let mut tail = Tail::default();
        let built = timeout(patience, self.run_build(spec, context, progress, &mut tail)).await;
        let failed = |why: String| EngineError::BuildFailed { why, tail: tail.text() };
        match built {
            Ok(Ok(())) => {}
            Ok(Err(why)) => return Err(failed(self.explained(spec, why).await)),
            Err(_elapsed) => return Err(failed(format!("it took more than {} s", patience.as_secs()))),
        }
        let image = self.find_image(&spec.tag).await?;
        image.ok_or_else(|| failed("the engine ended the build without an image".to_owned()))
    }

    /// Why a build failed, with what can be done where the Dockerfile is not for the builder that was asked. Podman's takes all of it.
    async fn explained(&self, spec: &BuildSpec, why: String) -> String {
        let path = spec.directory.join(&spec.dockerfile);
        let text = tokio::task::spawn_blocking(move || dockerfile_text(&path)).await.ok().flatten();
        let foreign = text.filter(|_| self.info().product == "Docker").and_then(|text| for_buildkit(&text));
        match foreign {
            Some(Foreign { line, what }) => format!(
                "line {line} of {} has `{what}`, which only BuildKit understands, and the engine's classic builder is asked: \
                 `docker build -t NAME {}` and name that image as the app, or write the line without it (the engine said: {why})",
                spec.dockerfile,
                spec.directory.display(),
            ),
            None => why,
        }
    }

    async fn run_build(
        &self,
        spec: &BuildSpec,
        context: BuildContext,
        progress: Progress<'_>,
        tail: &mut Tail,
    ) -> Result<(), String> {
        let body = bollard::body_try_stream(context.stream());
        let labels = self.identity().labels(spec.owner, "image").into_iter().collect();
        let mut stream = Box::pin(self.client().build_image(options(spec, &labels), None, Some(body)));
        while let Some(step) = stream.next().await {
            let step = step.map_err(|error| deepest(&error))?;
            if let Some(error) = step.error_detail {
                return Err(error.message.unwrap_or_else(|| "the engine does not say why".to_owned()));
            }
            for line in step.stream.iter().chain(&step.status).flat_map(|text| text.lines()) {
                tail.push(line);
                // The rest is the engine's own book-keeping, and what the commands print.
                if line.starts_with("Step ") || line.starts_with("STEP ") {
                    progress(line);
                }
            }
        }
        Ok(())
    }
}

/// Of a file that is one, and no longer than people write them.
fn dockerfile_text(path: &Path) -> Option<String> {
    let metadata = std::fs::symlink_metadata(path).ok()?;
    let is_plain = metadata.is_file() && metadata.len() <= DOCKERFILE_BYTES_MAX;
    is_plain.then(|| std::fs::read_to_string(path).ok()).flatten()
}

fn options(spec: &BuildSpec, labels: &HashMap<String, String>) -> BuildImageOptions {
    // The API of old takes no more than this here.
    let memory = i32::try_from(spec.limits.memory_bytes).unwrap_or(i32::MAX);
    let quota = i64::from(spec.limits.cpu_milli) * i64::from(CPU_PERIOD_US) / 1_000;
    let arguments: HashMap<String, String> = spec.arguments.clone().into_iter().collect();
    let options = BuildImageOptionsBuilder::default()
        .dockerfile(&spec.dockerfile)
        .t(spec.tag.as_str())
        .labels(labels)
        .buildargs(&arguments)
        .networkmode(if spec.network { "default" } else { "none" })
        .memory(memory)
        .memswap(memory)
        .cpuperiod(CPU_PERIOD_US)
        .cpuquota(i32::try_from(quota).unwrap_or(i32::MAX))
        .rm(true)
        .forcerm(true);
    match &spec.stage {
        Some(stage) => options.target(stage).build(),
        None => options.build(),
    }
}

/// The end of what a build printed.
#[derive(Debug, Default)]
struct Tail {
    lines: VecDeque<String>,
}

impl Tail {
    fn push(&mut self, line: &str) {
        if line.trim().is_empty() {
            return;
        }
        if self.lines.len() == TAIL_LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line[..line.floor_char_boundary(LINE_BYTES_MAX)].to_owned());
    }

    fn text(&self) -> String {
        Vec::from_iter(self.lines.iter().map(String::as_str)).join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_build_is_kept_and_no_more() {
        let mut tail = Tail::default();
        for number in 0..100 {
            tail.push(&format!("line {number}"));
            tail.push("  ");
        }
        tail.push(&"ü".repeat(1_000));
        let text = tail.text();
        assert_eq!(text.lines().count(), TAIL_LINES);
        assert!(text.starts_with("line 61\n") && text.len() < TAIL_LINES * LINE_BYTES_MAX);
    }
}
