//! One command of a recipe, run to its end with its output kept for whoever has to find out why it failed.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::environment::{Variables, overlaid};
use super::failure::{InstallError, tail_of};
use crate::actors::process::{self, Captured, Command, Containment, Ended, How, Limits};

/// Time one step may take: the largest tool (75 packages, 100 MB) over a line of 1 Mbit/s.
const WALL: Duration = Duration::from_secs(30 * 60);
/// Time to answer a question such as `--version`: the slowest observed took 15 s on a loaded machine.
pub const ANSWER_WALL: Duration = Duration::from_secs(90);

/// A command line and what it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What people see: "installing 75 packages".
    pub title: String,
    pub program: PathBuf,
    pub args: Vec<OsString>,
    /// Over the inherited environment.
    pub env: Variables,
    /// `None`: an empty directory of its own.
    pub cwd: Option<PathBuf>,
    /// The exit code of success.
    pub exit: i32,
}

/// What a command printed: the end of each stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Printed {
    pub stdout: String,
    pub stderr: String,
}

impl Step {
    pub fn new(title: impl Into<String>, program: impl Into<PathBuf>) -> Self {
        Self {
            title: title.into(),
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
            cwd: None,
            exit: 0,
        }
    }

    pub fn args(mut self, args: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    pub fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    pub const fn ends_with(mut self, exit: i32) -> Self {
        self.exit = exit;
        self
    }

    pub fn cwd(mut self, directory: &Path) -> Self {
        self.cwd = Some(directory.to_owned());
        self
    }

    /// Runs it with `inherited` below its own environment; its output stays in `logs`.
    ///
    /// # Errors
    /// It did not exit with the code of success.
    pub async fn run(
        self,
        inherited: &Variables,
        logs: &Path,
        cancel: &CancellationToken,
    ) -> Result<Printed, InstallError> {
        let env = overlaid(inherited, &self.env);
        let ended = self.start(env, WALL, logs, cancel).await?;
        self.judge(&ended, logs)
    }

    /// Runs it with its own environment only: how a tool itself is asked.
    ///
    /// # Errors
    /// It did not exit with the code of success.
    pub async fn ask(self, logs: &Path, cancel: &CancellationToken) -> Result<Printed, InstallError> {
        let ended = self.start(self.env.clone(), ANSWER_WALL, logs, cancel).await?;
        self.judge(&ended, logs)
    }

    async fn start(
        &self,
        env: Variables,
        wall: Duration,
        logs: &Path,
        cancel: &CancellationToken,
    ) -> Result<Ended, InstallError> {
        renew(logs)?;
        let command = Command {
            program: self.program.clone(),
            args: self.args.clone(),
            env,
            cwd: self.cwd.clone(),
            scratch: logs.to_owned(),
            limits: Limits { wall, ..Limits::default() },
            // Installing is fetching and writing: there is nothing of a stranger's to run yet.
            sandbox: None,
            containment: Containment::detected().clone(),
            shim: process::shim::program(),
        };
        Ok(process::run(command, cancel.child_token()).await)
    }

    fn judge(&self, ended: &Ended, logs: &Path) -> Result<Printed, InstallError> {
        let printed = Printed { stdout: text(&ended.stdout), stderr: text(&ended.stderr) };
        let program = self.program.display();
        let how = match &ended.how {
            How::Exited(code) if *code == self.exit => return Ok(printed),
            How::Cancelled => return Err(InstallError::Cancelled),
            How::Exited(code) => format!("{program} ended with exit code {code}"),
            How::Signalled(signal) => format!("{program} was killed by signal {signal}"),
            How::TimedOut => format!("{program} was still at work after {} s", ended.elapsed.as_secs()),
            How::Flooded => format!("{program} printed without end"),
            How::Filled => format!("{program} wrote more to the disk than it may"),
            How::NotStarted { detail, .. } => format!("{program} could not be started: {detail}"),
        };
        Err(InstallError::Step {
            doing: self.title.clone(),
            how,
            tail: tail_of(&format!("{}\n{}", printed.stdout, printed.stderr)),
            log: logs.to_owned(),
        })
    }
}

/// An empty directory: nothing of an earlier attempt is taken for this one's.
fn renew(logs: &Path) -> Result<(), InstallError> {
    match std::fs::remove_dir_all(logs) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(InstallError::files("clearing", logs, error));
        }
        _ => {}
    }
    std::fs::create_dir_all(logs).map_err(|error| InstallError::files("making", logs, error))
}

fn text(captured: &Captured) -> String {
    String::from_utf8_lossy(&captured.tail).into_owned()
}
