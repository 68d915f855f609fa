//! What happens to a ZAP in the midst of its scan, and which ends of the scan are right then.

use std::fmt;

use nix::sys::signal::Signal;

use super::engine::Engine;

/// What a starved ZAP has beyond what it uses: a few of Java's allocations.
const MORSEL_BYTES: u64 = 512 << 10;
/// A ZAP takes more while it is measured.
const MEASURED_MAX: usize = 20;

/// One fault. The first two come first because no test but this scenario has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// `kill -9` of the daemon, and its successor.
    DaemonKilled,
    /// `kill -9` of the engine, and its successor.
    EngineKilled,
    /// SIGTERM to the engine, and its successor.
    EngineRestarted,
    Killed,
    Frozen,
    Starved,
    CutOff,
}

impl Fault {
    pub const ALL: [Self; 7] = [
        Self::DaemonKilled,
        Self::EngineKilled,
        Self::EngineRestarted,
        Self::Killed,
        Self::Frozen,
        Self::Starved,
        Self::CutOff,
    ];

    /// The reason that a failed scan may give, if it may fail at all: one ZAP more is enough after each fault but this.
    pub const fn may_fail_for(self) -> Option<&'static str> {
        match self {
            Self::Starved => Some("memory_exceeded"),
            _ => None,
        }
    }

    /// Does it to this container, or to its engine. The daemon is the scenario's to kill.
    pub async fn strike(self, engine: &mut Engine, zap: &str) {
        match self {
            Self::DaemonKilled => {}
            Self::EngineKilled => restart(engine, Signal::SIGKILL).await,
            Self::EngineRestarted => restart(engine, Signal::SIGTERM).await,
            // It may have ended by itself in this moment.
            Self::Killed => drop(engine.run(&["kill", zap])),
            Self::Frozen => drop(engine.run(&["pause", zap])),
            Self::Starved => starve(engine, zap),
            Self::CutOff => cut_off(engine, zap),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DaemonKilled => "daemon killed",
            Self::EngineKilled => "engine killed",
            Self::EngineRestarted => "engine restarted",
            Self::Killed => "ZAP killed",
            Self::Frozen => "ZAP frozen",
            Self::Starved => "ZAP starved",
            Self::CutOff => "network cut",
        })
    }
}

async fn restart(engine: &mut Engine, signal: Signal) {
    engine.stop(signal).await;
    engine.start().await;
}

/// Where the kernel takes no limit below what is in use (cgroups v1), the engine says how much that is; where it does (v2), the
/// first limit ends ZAP.
fn starve(engine: &Engine, zap: &str) {
    let mut limit = 8 << 20;
    for _ in 0..MEASURED_MAX {
        let bytes = format!("{limit}b");
        let update = engine.run(&["update", "--memory", &bytes, "--memory-swap", &bytes, zap]);
        let told = String::from_utf8_lossy(&update.stderr);
        let usage =
            told.split("current usage: ").nth(1).and_then(|rest| rest.split(',').next()?.parse::<u64>().ok());
        match usage {
            Some(usage) => limit = usage + MORSEL_BYTES,
            None => return,
        }
    }
}

fn cut_off(engine: &Engine, zap: &str) {
    let networks = "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}}{{end}}";
    let seen = engine.run(&["inspect", "--format", networks, zap]);
    let network = String::from_utf8_lossy(&seen.stdout).trim().to_owned();
    drop(engine.run(&["network", "disconnect", "--force", &network, zap]));
}
