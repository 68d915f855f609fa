//! `proctor tools install`: shows the installer at work, then what came of it.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::ToolsError;
use super::progress::Progress;
use crate::actors::installer::{Done, InstallError, Installer, Locks, Outcome, Package, Setup, human_bytes};
use crate::cli::exit::Exit;
use crate::cli::terminal::Terminal;
use crate::tools::manifest::Manifest;

/// `asked`: whether these tools were asked for by name, so that a program of the distribution that is not there is a
/// failure, not a note.
pub async fn run(
    tools: &[&Manifest],
    asked: bool,
    setup: Setup,
    terminal: Terminal,
    cancel: CancellationToken,
) -> Result<Exit, ToolsError> {
    let started = Instant::now();
    let tools_dir = setup.layout.tools_dir.display().to_string();
    let (packages, refused) = plan(tools, &setup.locks);
    let done = watch(setup, packages, terminal, cancel).await;
    let done = match done {
        Ok(done) => [done, refused].concat(),
        Err(error) => {
            terminal.complain(&failure("nothing was installed", &error));
            return Ok(Exit::Failed);
        }
    };
    for (tool, error) in failures(&done) {
        terminal.complain(&failure(tool, error));
    }
    terminal.result(&summary(&done, &tools_dir, started.elapsed()))?;
    let counts = |done: &Done| done.outcome.as_ref().is_err_and(|error| asked || !is_of_system(error));
    let failed = done.iter().any(counts);
    Ok(if failed { Exit::Failed } else { Exit::Clean })
}

/// What can be tried, and what cannot.
fn plan(tools: &[&Manifest], locks: &Locks) -> (Vec<Package>, Vec<Done>) {
    let (mut packages, mut refused) = (Vec::new(), Vec::new());
    for tool in tools {
        match Package::of(tool, locks) {
            Ok(package) => packages.push(package),
            Err(error) => refused.push(Done {
                tool: tool.name.0.clone(),
                version: tool.version.pinned.clone(),
                outcome: Err(error),
                elapsed: Duration::ZERO,
            }),
        }
    }
    (packages, refused)
}

/// Runs the installer and shows what it tells.
async fn watch(
    setup: Setup,
    packages: Vec<Package>,
    terminal: Terminal,
    cancel: CancellationToken,
) -> Result<Vec<Done>, InstallError> {
    let (installer, mut events) = Installer::new(setup, cancel);
    let mut progress = Progress::new(terminal, &packages);
    let work = installer.run(packages);
    tokio::pin!(work);
    let done = loop {
        tokio::select! {
            biased;
            Some(event) = events.recv() => progress.show(event),
            done = &mut work => break done,
        }
    };
    while let Ok(event) = events.try_recv() {
        progress.show(event);
    }
    progress.finish();
    done
}

/// Nothing that an installation can do: a person who installs everything may do without.
const fn is_of_system(error: &InstallError) -> bool {
    matches!(error, InstallError::NotOnMachine { .. })
}

fn failures(done: &[Done]) -> impl Iterator<Item = (&str, &InstallError)> {
    let failed = |done: &'_ Done| done.outcome.is_err();
    done.iter()
        .filter(move |done| failed(done))
        .filter_map(|done| Some((done.tool.as_str(), done.outcome.as_ref().err()?)))
}

/// What failed, the end of what was printed, what to do.
fn failure(subject: &str, error: &InstallError) -> String {
    let mut text = format!("\n{subject}: {error}\n");
    for line in error.tail().into_iter().flat_map(str::lines) {
        text.push_str(&format!("  | {line}\n"));
    }
    text.push_str(&format!("  what to do: {}", error.advice()));
    text
}

/// `6 installed, 2 already there, 1 failed, 1 left to the distribution; 1.1 GB in DIR, 31 s`
fn summary(done: &[Done], tools_dir: &str, elapsed: Duration) -> String {
    let (mut new, mut old, mut left, mut failed, mut total) = (0, 0, 0, 0, 0);
    for done in done {
        match &done.outcome {
            Ok(Outcome::Installed { bytes }) => {
                new += 1;
                total += bytes;
            }
            Ok(Outcome::Already { bytes }) => {
                old += 1;
                total += bytes;
            }
            Err(error) if is_of_system(error) => left += 1,
            Err(_) => failed += 1,
        }
    }
    let some = |count: u32, what: &str| if count == 0 { String::new() } else { format!(", {count} {what}") };
    let (failed, left) = (some(failed, "failed"), some(left, "left to the distribution"));
    let size = human_bytes(total);
    let time = elapsed.as_secs_f64();
    format!("{new} installed, {old} already there{failed}{left}; {size} in {tools_dir}, {time:.1} s")
}
