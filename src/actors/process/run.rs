//! One run from start to end: the ladder.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tokio::net::unix::pipe::Receiver;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::capture::{Valve, read_all};
use super::cgroup::Cgroups;
use super::command::{Command, Limits};
use super::ended::{Captured, Ended, How};
use super::group::{Group, Holdings};
use super::keeper::{self, Launch};
use super::orders::{Orders, Task};
use super::resolve;
use super::sandbox::{self, Enclosure, Sandbox, Surroundings};
use super::scratch::{self, Private, Scratch, SpillFile};
use super::shim;
use super::token::{Token, VARIABLE};
use super::told::Listener;

/// Time the pipes have to end after the leader has: long enough for a child that finishes its sentence, short enough that
/// one that lingers holds up nobody.
pub(super) const PIPES_AFTER_EXIT: Duration = Duration::from_millis(500);

/// Time the pipes have to end once every process of the run is dead: then only a slow disk is left to wait for.
const PIPES_AFTER_KILL: Duration = Duration::from_secs(5);

/// Time a run has to be gone after SIGKILL. Longer means that it hangs in the kernel.
const KILLED_WITHIN: Duration = Duration::from_secs(10);

const NO_SHIM: &str =
    "this program has no exec shim: call `shim::main_if_asked` first in its main, or `shim::set_program`";

/// Runs `command` to its end: by itself, by a limit, or by `cancel`. When it returns no process of the run is alive, its
/// cgroups and private directories are gone, and `scratch/stdout` and `scratch/stderr` hold what it wrote. Dropping the
/// future kills the run.
///
/// Takes at most `wall + grace` and the seconds of the constants above, whatever the tool does.
pub async fn run(command: Command, cancel: CancellationToken) -> Ended {
    let began = Instant::now();
    if cancel.is_cancelled() {
        return Ended::without_a_start(How::Cancelled, began);
    }
    match sandbox::settle(command).await {
        Err(how) => Ended::without_a_start(how, began),
        Ok(command) => run_settled(command, cancel).await,
    }
}

/// Like [`run`], for a command that names the walls of its sandbox.
pub(super) async fn run_settled(command: Command, cancel: CancellationToken) -> Ended {
    let began = Instant::now();
    let limits = command.limits.clone();
    match Running::start(command, Token::next()).await {
        Err(how) => Ended::without_a_start(how, began),
        Ok(running) => running.see_through(&limits, began, &cancel).await,
    }
}

/// A started run: its processes, and the task that reads its pipes.
struct Running {
    group: Group,
    /// One task, which ends when both pipes do. Aborted when the run is dropped.
    reading: JoinSet<(Captured, Captured)>,
    valve: Valve,
    program: PathBuf,
    /// Whether the first process of the run is bwrap.
    led_by_bubblewrap: bool,
    listener: Listener,
}

impl Running {
    async fn start(command: Command, token: Token) -> Result<Self, How> {
        let quota = command.limits.output_bytes;
        let program = command.program.clone();
        let led_by_bubblewrap = command.sandbox.as_ref().is_some_and(Sandbox::has_bubblewrap);
        let prepared = tokio::task::spawn_blocking(move || prepare(command, token)).await;
        let (launch, stdout, stderr) = prepared.map_err(|panic| resolve::blocked(panic.to_string()))??;
        let shim = launch.shim.clone();
        let failed =
            |error| resolve::blocked(format!("failed to start the shim {}: {error}", shim.display()));
        let launched = keeper::spawn(launch).await.map_err(failed)?;
        let group = Group::watch(launched.guard, launched.pidfd).map_err(failed)?;
        let listener = Listener::new(launched.told).map_err(failed)?;
        let valve = Valve { quota, flooded: CancellationToken::new(), abandon: CancellationToken::new() };
        let out = read_all(Receiver::from_owned_fd(launched.stdout).map_err(failed)?, stdout, valve.clone());
        let err = read_all(Receiver::from_owned_fd(launched.stderr).map_err(failed)?, stderr, valve.clone());
        let mut reading = JoinSet::new();
        reading.spawn(async { tokio::join!(out, err) });
        Ok(Self { group, reading, valve, program, led_by_bubblewrap, listener })
    }

    async fn see_through(mut self, limits: &Limits, began: Instant, cancel: &CancellationToken) -> Ended {
        let how = self.watch(began + limits.wall, cancel).await;
        let early = self.leave_time(&how, limits.grace).await;
        let dead = self.group.put_down(Instant::now() + KILLED_WITHIN).await;
        let (stdout, stderr) = match early {
            Some(output) => output,
            None => self.last_words().await,
        };
        let memory_limit = self.group.memory_limit();
        // What does not die goes to the undertaker, by the drop of the group.
        let usage = if dead { self.group.bury().await } else { None };
        let told = self.listener.told();
        let how = if how.is_by_itself() && self.valve.flooded.is_cancelled() { How::Flooded } else { how };
        let how = told.truth(how, self.led_by_bubblewrap, &self.program, &stderr.tail);
        let (elapsed, walls) = (began.elapsed(), told.built);
        Ended { how, stdout, stderr, elapsed, usage, memory_limit, walls, stuck: !dead }
    }

    /// Waits for whatever comes first: the leader's end, or a reason to end the run.
    async fn watch(&self, deadline: Instant, cancel: &CancellationToken) -> How {
        tokio::select! {
            biased;
            how = self.group.exited() => how,
            () = cancel.cancelled() => How::Cancelled,
            () = self.valve.flooded.cancelled() => How::Flooded,
            () = tokio::time::sleep_until(deadline) => How::TimedOut,
        }
    }

    /// Before the kill: a run that ended may have something in its pipes, one that must end may obey SIGTERM.
    async fn leave_time(&mut self, how: &How, grace: Duration) -> Option<(Captured, Captured)> {
        if how.is_by_itself() {
            let pipes = timeout(PIPES_AFTER_EXIT, self.reading.join_next()).await;
            return pipes.ok().map(output);
        }
        if !self.listener.told().has_started() {
            // Nobody is there to have last words, and bwrap, still at work, would not pass SIGTERM on.
            return None;
        }
        self.group.terminate();
        // Obeyed or not: what comes next is the same.
        timeout(grace, self.group.exited()).await.ok();
        None
    }

    /// What was read, once nobody of the run can write any more.
    async fn last_words(&mut self) -> (Captured, Captured) {
        if let Ok(read) = timeout(PIPES_AFTER_KILL, self.reading.join_next()).await {
            return output(read);
        }
        self.valve.abandon.cancel();
        output(self.reading.join_next().await)
    }
}

/// The reading task neither panics nor is aborted while its run lives; were it so, its output would be missing, which
/// parses as a failure.
fn output(read: Option<Result<(Captured, Captured), JoinError>>) -> (Captured, Captured) {
    read.and_then(Result::ok).unwrap_or_default()
}

/// Everything that is needed before the spawn. Blocks on the disk.
fn prepare(command: Command, token: Token) -> Result<(Launch, SpillFile, SpillFile), How> {
    let program = resolve::program(&command)?;
    let shim = command.shim.ok_or_else(|| resolve::blocked(NO_SHIM.to_owned()))?;
    let failed = |what: &str, error: io::Error| resolve::blocked(format!("failed to make {what}: {error}"));
    let Scratch { private, stdout, stderr } = scratch::prepare(&command.scratch)
        .map_err(|error| failed(&format!("files in {}", command.scratch.display()), error))?;
    let cwd = command.cwd.clone().unwrap_or_else(|| private.home());
    if !cwd.is_dir() {
        return Err(resolve::blocked(format!("the working directory {} does not exist", cwd.display())));
    }
    let cgroups = Cgroups::create(&command.containment, token, &command.limits)
        .map_err(|error| failed("the cgroups", error))?;
    let env = environment(command.env, &private, token);
    let (home, tmp) = (private.home(), private.tmp());
    let surroundings = Surroundings { program: &program, home: &home, tmp: &tmp };
    let enclosure = command.sandbox.and_then(|sandbox| Enclosure::new(&sandbox, &surroundings));
    let wants_bubblewrap = enclosure.as_ref().is_some_and(|enclosure| enclosure.walls.bubblewrap);
    let bubblewrap = wants_bubblewrap.then(sandbox::locate).flatten();
    if wants_bubblewrap && bubblewrap.is_none() {
        return Err(resolve::blocked("bwrap is in no folder of the daemon's PATH".to_owned()));
    }
    let orders = Orders {
        parent: nix::unistd::getpid().as_raw(),
        file_bytes: command.limits.file_bytes,
        open_files: command.limits.open_files,
        cgroups: cgroups.doors(),
        bubblewrap,
        task: Task { cwd: cwd.clone(), tmp, enclosure, program, args: command.args },
    };
    let holdings = Holdings { token, cgroups, _private: private };
    Ok((Launch { shim, arguments: shim::arguments(orders), env, cwd, holdings }, stdout, stderr))
}

/// The given variables over a private HOME and TMPDIR, and the token over all.
fn environment(
    given: Vec<(OsString, OsString)>,
    private: &Private,
    token: Token,
) -> Vec<(OsString, OsString)> {
    let mut env = vec![("HOME".into(), private.home().into()), ("TMPDIR".into(), private.tmp().into())];
    env.extend(given);
    env.push((VARIABLE.into(), token.to_string().into()));
    env
}
