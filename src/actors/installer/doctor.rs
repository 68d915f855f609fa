//! Does it all work? Every tool is asked, not only looked at; everything wrong comes with what to do.

use std::path::{Path, PathBuf};

use futures_util::{StreamExt as _, stream};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::environment;
use super::installed::{self, Installed};
use super::layout::Layout;
use super::lock::Locks;
use super::package::{Package, Runtime};
use super::size::human_bytes;
use super::{one, python};
use crate::actors::process::sandbox::Wall;
use crate::actors::process::{self, Survey};
use crate::tools::catalogue::TOOL_CONFIG;
use crate::tools::manifest::{Manifest, Origin, Part, Place, ProgramRun, Template};

/// Programs asked at once, for the two cores of a small machine.
const AT_ONCE: usize = 2;
/// Bytes that all tools, their runtimes and their downloads need together, with some room.
const ROOM_BYTES: u64 = 2 << 30;

/// One thing looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    pub kind: Kind,
    pub subject: String,
    pub state: State,
    /// What was found, in a line.
    pub detail: String,
    /// What to do, when something is to be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Machine,
    /// A wall around every tool.
    Sandbox,
    /// The Docker engine, and what it has.
    Engine,
    Runtime,
    Tool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Ok,
    /// Nothing is wrong, but something is worth knowing.
    Note,
    Failed,
}

impl Check {
    pub(in crate::actors) fn new(kind: Kind, subject: &str, state: State, detail: impl Into<String>) -> Self {
        Self { kind, subject: subject.to_owned(), state, detail: detail.into(), advice: None }
    }

    pub(in crate::actors) fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }
}

/// Looks at the machine, its sandbox, the runtimes and `tools`, in this order.
///
/// # Errors
/// There is nowhere to keep what programs print: no temporary directory can be made.
pub async fn examine(
    tools: &[&Manifest],
    layout: &Layout,
    locks: &Locks,
    cancel: &CancellationToken,
) -> std::io::Result<Vec<Check>> {
    let logs = tempfile::tempdir()?;
    let mut checks = vec![machine_python(logs.path(), cancel).await, directory(&layout.tools_dir)];
    let complete =
        tools.iter().filter(|tool| tool.is_installable()).all(|tool| is_there(tool, layout, locks));
    checks.push(room(&layout.tools_dir, complete));
    checks.extend(sandbox().await);
    let examiner = Examiner { layout, locks, logs: logs.path(), cancel };
    let runtimes = stream::iter(Runtime::ALL).map(|runtime| examiner.runtime(runtime));
    checks.extend(runtimes.buffered(AT_ONCE).collect::<Vec<_>>().await);
    let tools = stream::iter(tools).map(|tool| examiner.tool(tool));
    checks.extend(tools.buffered(AT_ONCE).collect::<Vec<_>>().await);
    Ok(checks)
}

fn is_there(tool: &Manifest, layout: &Layout, locks: &Locks) -> bool {
    let is_installed = |package| installed::find(&package, &layout.tools_dir).is_ok();
    Package::of(tool, locks).is_ok_and(is_installed)
}

async fn machine_python(logs: &Path, cancel: &CancellationToken) -> Check {
    match python::find(python::OLDEST, &environment::inherited(), &logs.join("python"), cancel).await {
        Ok(python) => {
            let detail = format!("{} is {}", python.program.display(), python.version);
            Check::new(Kind::Machine, "python", State::Ok, detail)
        }
        Err(error) => {
            let advice = error.advice();
            Check::new(Kind::Machine, "python", State::Failed, error.to_string()).advise(advice)
        }
    }
}

fn directory(tools_dir: &Path) -> Check {
    let check = |state, detail: String| Check::new(Kind::Machine, "tools directory", state, detail);
    let shown = tools_dir.display();
    if !tools_dir.exists() {
        let check = check(State::Note, format!("{shown} is not there yet"));
        return check.advise("`proctor tools install` makes it");
    }
    match tempfile::NamedTempFile::new_in(tools_dir) {
        Ok(_) => check(State::Ok, format!("{shown} can be written")),
        Err(error) => check(State::Note, format!("{shown} cannot be written: {error}"))
            .advise("installed tools run all the same; to install, become the directory's owner"),
    }
}

fn room(tools_dir: &Path, complete: bool) -> Check {
    let there = tools_dir.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
    match nix::sys::statvfs::statvfs(there) {
        Ok(disk) => {
            let free = disk.blocks_available().saturating_mul(disk.fragment_size());
            let detail = format!("{} free for {}", human_bytes(free), there.display());
            if complete || free >= ROOM_BYTES {
                return Check::new(Kind::Machine, "disk", State::Ok, detail);
            }
            let advice = format!("all tools and their downloads need {}", human_bytes(ROOM_BYTES));
            Check::new(Kind::Machine, "disk", State::Failed, detail).advise(advice)
        }
        Err(error) => {
            Check::new(Kind::Machine, "disk", State::Note, format!("free space is unknown: {error}"))
        }
    }
}

/// A wall that does not stand is no failure: runs have the others, unless `process.sandbox` requires more.
async fn sandbox() -> Vec<Check> {
    let survey = process::survey(process::shim::program()).await;
    let guarded = survey.walls().guards_files();
    let check = |(name, wall): (&'static str, &Wall)| match wall {
        Wall::Works(detail) => Check::new(Kind::Sandbox, name, State::Ok, format!("active: {detail}")),
        Wall::Fails(reason) => {
            let check = Check::new(Kind::Sandbox, name, State::Note, format!("not active: {reason}"));
            if guarded { check } else { check.advise(Survey::advice()) }
        }
    };
    survey.named().map(check).into()
}

/// What every question needs.
struct Examiner<'a> {
    layout: &'a Layout,
    locks: &'a Locks,
    logs: &'a Path,
    cancel: &'a CancellationToken,
}

impl Examiner<'_> {
    /// A runtime that is missing is no fault of its own: what cannot run without it says so.
    async fn runtime(&self, runtime: Runtime) -> Check {
        let check = |state, detail: String| Check::new(Kind::Runtime, runtime.name(), state, detail);
        let package = match runtime.package(self.locks) {
            Ok(package) => package,
            Err(error) => return check(State::Failed, error.to_string()).advise(error.advice()),
        };
        let Ok(receipt) = installed::find(&package, &self.layout.tools_dir) else {
            let detail = format!("{} is not installed", package.version.pinned);
            return check(State::Note, detail)
                .advise("`proctor tools install` brings it when a tool needs it");
        };
        let program = receipt.program(&self.layout.tools_dir);
        let logs = self.logs.join(runtime.name());
        match one::check(&package, &program, &logs, self.cancel).await {
            Ok(version) => check(State::Ok, format!("{version} answers")),
            Err(error) => check(State::Failed, error.to_string())
                .advise("run `proctor tools install --force`; it makes the runtimes anew, too"),
        }
    }

    async fn tool(&self, manifest: &Manifest) -> Check {
        let name = manifest.name.0.as_str();
        let check = |state, detail: String| Check::new(Kind::Tool, name, state, detail);
        match manifest.program().map(|program| &program.origin) {
            Some(Origin::Installed(_) | Origin::System(_)) => self.installed(manifest).await,
            Some(Origin::Brought(_)) => match Installed::locate(manifest, &self.layout.tools_dir) {
                Ok(program) => check(
                    State::Note,
                    format!("{} is yours; its version is not asked", program.path.display()),
                ),
                Err(error) => missing(check(State::Failed, error.to_string()), name),
            },
            Some(Origin::Image { image, .. }) => {
                check(State::Note, format!("runs in the image {image}, which the container engine brings"))
            }
            None => check(State::Ok, "is a part of proctor".to_owned()),
        }
    }

    async fn installed(&self, manifest: &Manifest) -> Check {
        let name = manifest.name.0.as_str();
        let check = |state, detail: String| Check::new(Kind::Tool, name, state, detail);
        let package = match Package::of(manifest, self.locks) {
            Ok(package) => package,
            Err(error) => return check(State::Failed, error.to_string()).advise(error.advice()),
        };
        let receipt = match installed::find(&package, &self.layout.tools_dir) {
            Ok(receipt) => receipt,
            Err(error) => return missing(check(State::Failed, error.to_string()), name),
        };
        if let Some(file) = missing_configuration(manifest) {
            return check(
                State::Failed,
                format!("its configuration {} is not in this proctor", file.display()),
            )
            .advise("this is a defect of proctor: its manifest and config/tools do not fit each other");
        }
        let program = receipt.program(&self.layout.tools_dir);
        match one::check(&package, &program, &self.logs.join(name), self.cancel).await {
            Ok(version) if manifest.network && !manifest.is_for_web() => {
                check(State::Note, format!("{version} answers; a run of it needs the network"))
            }
            Ok(version) => check(State::Ok, format!("{version} answers")),
            Err(error) => {
                let detail = match error.tail().and_then(|tail| tail.lines().last()) {
                    Some(last) => format!("{error}: {last}"),
                    None => error.to_string(),
                };
                check(State::Failed, detail).advise(format!("run `proctor tools install --force {name}`"))
            }
        }
    }
}

/// The text of the error ends with the advice: here they are two columns.
fn missing(mut check: Check, tool: &str) -> Check {
    if let Some((detail, advice)) = check.detail.clone().rsplit_once("; ") {
        check.detail = detail.to_owned();
        return check.advise(advice);
    }
    check.advise(format!("run `proctor tools install {tool}`"))
}

/// The first file or directory below `config/tools` that the manifest's templates name and the binary does not hold.
fn missing_configuration(manifest: &Manifest) -> Option<PathBuf> {
    let templates = manifest.program().into_iter().flat_map(ProgramRun::templates);
    let named = templates.filter_map(configuration_named);
    let of_tool = Path::new(&manifest.name.0);
    let mut files = named.map(|rest| of_tool.join(rest.trim_start_matches('/')));
    files.find(|file| TOOL_CONFIG.get_entry(file.components().as_path()).is_none())
}

/// What follows `{config}` in a template that names it: `/empty.ini`.
fn configuration_named(template: &Template) -> Option<&str> {
    let place = template.0.iter().position(|part| *part == Part::Place(Place::Config))?;
    match template.0.get(place + 1) {
        Some(Part::Text(rest)) => Some(rest.split([',', ':', '=']).next().unwrap_or_default()),
        Some(Part::Place(_) | Part::WallShare(_)) | None => Some(""),
    }
}
