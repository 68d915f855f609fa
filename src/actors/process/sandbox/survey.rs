//! Which walls work on this machine, found out once by running a program inside of each.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

use super::super::command::Command;
use super::super::ended::{Ended, How, Obstacle};
use super::super::run::run_settled;
use super::bubblewrap;
use super::wish::{Sandbox, Walls};

/// What is run inside: the smallest program every system has.
const PROBE: &str = "true";

/// Time a probe has. It takes milliseconds; a machine so busy that this is too little has other worries.
const PROBE_WALL: Duration = Duration::from_secs(30);

/// What to do where no wall around the file system works and one is required.
const ADVICE: &str = "install bubblewrap (Debian: `apt-get install bubblewrap`) or boot a kernel with landlock (5.13, `lsm=landlock`); \
     `proctor tools doctor` says what is wrong with each";

/// One wall on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wall {
    /// It was built, and a program ran inside. With what is to be known about it.
    Works(String),
    /// Why not.
    Fails(String),
}

impl Wall {
    pub const fn works(&self) -> bool {
        matches!(self, Self::Works(_))
    }
}

/// What this machine offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Survey {
    pub bubblewrap: Wall,
    pub landlock: Wall,
    pub seccomp: Wall,
}

impl Survey {
    /// All that work.
    pub const fn walls(&self) -> Walls {
        Walls {
            bubblewrap: self.bubblewrap.works(),
            landlock: self.landlock.works(),
            seccomp: self.seccomp.works(),
        }
    }

    /// What to do when no wall around the file system works.
    pub const fn advice() -> &'static str {
        ADVICE
    }

    /// Each wall with its name, the outer one first.
    pub fn named(&self) -> [(&'static str, &Wall); 3] {
        [("bubblewrap", &self.bubblewrap), ("landlock", &self.landlock), ("seccomp", &self.seccomp)]
    }
}

impl fmt::Display for Survey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, wall)) in self.named().into_iter().enumerate() {
            f.write_str(if index == 0 { "" } else { "; " })?;
            match wall {
                Wall::Works(detail) => write!(f, "{name}: active ({detail})")?,
                Wall::Fails(reason) => write!(f, "{name}: not active ({reason})")?,
            }
        }
        Ok(())
    }
}

/// What this machine offers, with `shim` to become the probes; found out at the first call, which takes some 30 ms.
pub async fn survey(shim: Option<PathBuf>) -> &'static Survey {
    static SURVEY: OnceCell<Survey> = OnceCell::const_new();
    SURVEY.get_or_init(|| look(shim)).await
}

/// Names the walls of a command that wants all there are; why it cannot be started.
pub(in super::super) async fn settle(mut command: Command) -> Result<Command, How> {
    if let Some(sandbox) = &mut command.sandbox {
        let walls = match sandbox.walls {
            Some(walls) => walls,
            None => survey(command.shim.clone()).await.walls(),
        };
        sandbox.walls = Some(walls);
        if sandbox.required && !walls.guards_files() {
            let detail = "the sandbox is required, and neither bubblewrap nor landlock works here".to_owned();
            return Err(How::NotStarted { obstacle: Obstacle::NoSandbox, detail });
        }
    }
    Ok(command)
}

async fn look(shim: Option<PathBuf>) -> Survey {
    let only = |walls| probe(walls, shim.clone());
    let (bubblewrap, landlock, seccomp) = tokio::join!(
        only(Walls { bubblewrap: true, ..Walls::NONE }),
        only(Walls { landlock: true, ..Walls::NONE }),
        only(Walls { seccomp: true, ..Walls::NONE }),
    );
    let at = || bubblewrap::locate().map(|path| path.display().to_string()).unwrap_or_default();
    Survey {
        bubblewrap: bubblewrap.map_or_else(Wall::Fails, |_| Wall::Works(at())),
        landlock: landlock.map_or_else(Wall::Fails, |ended| {
            Wall::Works(format!("version {} of its rules", ended.walls.landlock_abi))
        }),
        seccomp: seccomp.map_or_else(Wall::Fails, |_| Wall::Works("a list of refused calls".to_owned())),
    }
}

/// Runs the probe inside of `walls`; the reason when that fails.
async fn probe(walls: Walls, shim: Option<PathBuf>) -> Result<Ended, String> {
    let scratch = tempfile::tempdir().map_err(|error| format!("no directory for the probe: {error}"))?;
    let mut command = Command::new(PROBE, scratch.path());
    command.env = vec![("PATH".into(), "/usr/bin:/bin".into())];
    command.shim = shim;
    command.limits.wall = PROBE_WALL;
    command.sandbox = Some(Sandbox { walls: Some(walls), ..Sandbox::default() });
    let ended = run_settled(command, CancellationToken::new()).await;
    match &ended.how {
        How::Exited(0) => Ok(ended),
        How::NotStarted { detail, .. } => Err(detail.clone()),
        other => Err(format!("the probe ended with {other:?}")),
    }
}
