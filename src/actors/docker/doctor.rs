//! Does the engine do what is needed of it? Asked by the command line itself, so that it can be asked before a daemon runs.

use std::collections::HashMap;

use bollard::models::{SystemInfo, SystemInfoCgroupVersionEnum};
use bollard::query_parameters::ListContainersOptionsBuilder;

use super::door::Docker;
use super::engine::{Engine, House, QUICK, ROOTLESS};
use super::link;
use super::places::Places;
use crate::actors::installer::doctor::{Check, Kind, State};
use crate::actors::installer::human_bytes;
use crate::config;
use crate::domain::container::floor::{self, Standing};
use crate::domain::container::{Identity, ImageName, Policy, labels};
use crate::domain::ids::{BootId, DaemonId};

/// Free bytes under which the engine's disk is said to be short: an image of a scanner, unpacked, and an app.
const DISK_FREE_MIN: u64 = 5 << 30;

/// Looks at the engine, its versions, its disk, and the `images` that it should have, each with what it is for.
pub async fn examine(config: &config::Docker, images: &[(&str, &str)]) -> Vec<Check> {
    let places = Places::of_process(&config.host);
    let engine = match link::connect(&places, nobody()).await {
        Ok(engine) => engine,
        Err(lack) => return vec![check("engine", State::Failed, lack.why).advise(lack.advice)],
    };
    let mut checks = vec![reachable(&engine), version(&engine), runc(&engine)];
    let info = engine.ask("ask for the engine's settings", QUICK, engine.client().info()).await;
    checks.extend(info.as_ref().ok().and_then(|info| disk(&engine, info)));
    checks.extend(info.as_ref().ok().and_then(|info| limits(&engine, info)));
    for (image, purpose) in images {
        checks.push(present(&engine, image, purpose, config.pull).await);
    }
    checks.extend(others(&engine).await);
    checks
}

fn check(subject: &str, state: State, detail: impl Into<String>) -> Check {
    Check::new(Kind::Engine, subject, state, detail)
}

/// Who only looks has nothing in the engine.
fn nobody() -> House {
    let identity = Identity { daemon: DaemonId::from_random([0; 16]), boot: BootId::from_random([0; 16]) };
    let docker = Docker::default();
    House { identity, policy: Policy::default(), held: docker.held().clone(), slot: docker.slot().clone() }
}

fn reachable(engine: &Engine) -> Check {
    let info = engine.info();
    let detail = format!("{} answers at {}, API {}", info.product, info.host, info.api);
    match (info.rootless, info.host.starts_with("unix://")) {
        (_, false) => check("engine", State::Note, detail).advise(
            "it is reached over a network: the addresses of its containers must be reachable from here, and nobody else \
             should reach its port",
        ),
        (true, true) => check("engine", State::Note, format!("{detail}, rootless")).advise(ROOTLESS),
        (false, true) => {
            let note = "whoever may use its socket is root on this machine; a rootless engine limits that";
            check("engine", State::Ok, format!("{detail} ({note})"))
        }
    }
}

fn version(engine: &Engine) -> Check {
    let info = engine.info();
    let standing = if info.product == "Docker" { floor::docker(&info.version) } else { Standing::Good };
    standing_of("engine version", &info.version, standing)
}

fn runc(engine: &Engine) -> Check {
    match engine.info().runc.as_deref() {
        // Podman's default is another program with a history of its own.
        Some(version) if engine.info().product == "Docker" => {
            standing_of("runc version", version, floor::runc(version))
        }
        Some(version) => check("runtime version", State::Ok, version),
        None => check("runc version", State::Note, "the engine does not say it"),
    }
}

fn standing_of(subject: &str, version: &str, standing: Standing) -> Check {
    match standing {
        Standing::Good => check(subject, State::Ok, version),
        Standing::Unknown => check(subject, State::Note, format!("{version:?} cannot be compared")),
        Standing::Below(floor) => check(subject, State::Note, format!("{version} is below {floor}")).advise(
            "ways out of a container are open below it (CVE-2025-31133, CVE-2025-52565, CVE-2025-52881), unless your \
             distribution has corrected its own version: look at its security tracker, or update",
        ),
    }
}

/// Of the engine's data directory, if it lies on this machine and may be looked at.
fn disk(engine: &Engine, info: &SystemInfo) -> Option<Check> {
    let root = info.docker_root_dir.as_deref().filter(|_| engine.info().host.starts_with("unix://"))?;
    let disk = nix::sys::statvfs::statvfs(root).ok()?;
    let free = disk.blocks_available().saturating_mul(disk.fragment_size());
    let detail = format!("{} free for {root}", human_bytes(free));
    if free >= DISK_FREE_MIN {
        return Some(check("engine disk", State::Ok, detail));
    }
    let advice = format!(
        "images and containers need {}: `docker system df` shows what is there",
        human_bytes(DISK_FREE_MIN)
    );
    Some(check("engine disk", State::Note, detail).advise(advice))
}

/// Without version 2 of control groups nobody but root can hold a container to what it may use.
fn limits(engine: &Engine, info: &SystemInfo) -> Option<Check> {
    let is_one = info.cgroup_version == Some(SystemInfoCgroupVersionEnum::_1);
    let detail = "a rootless engine with version 1 of control groups ignores limits of memory, processor and processes";
    (engine.info().rootless && is_one).then(|| {
        check("engine limits", State::Note, detail)
            .advise("boot the machine with version 2 of control groups")
    })
}

async fn present(engine: &Engine, image: &str, purpose: &str, pull: config::Pull) -> Check {
    let name: ImageName = match image.parse() {
        Ok(name) => name,
        Err(error) => {
            return check(purpose, State::Failed, format!("{error}")).advise("correct the configuration");
        }
    };
    match (engine.find_image(&name).await, pull) {
        (Ok(Some(found)), _) => {
            check(purpose, State::Ok, format!("{image} is there ({})", human_bytes(found.bytes)))
        }
        (Ok(None), config::Pull::Missing) => {
            let check = check(purpose, State::Note, format!("{image} is not there; the first scan pulls it"));
            check.advise(format!("`docker pull {image}` does it now"))
        }
        (Ok(None), config::Pull::Never) => {
            let check =
                check(purpose, State::Failed, format!("{image} is not there, and docker.pull is \"never\""));
            check.advise(format!("`docker pull {image}`, or name another image"))
        }
        (Err(error), _) => {
            check(purpose, State::Failed, error.to_string()).advise("look at the engine's own log")
        }
    }
}

/// What proctors have in the engine: those of directories that are gone have nobody who would sweep them.
async fn others(engine: &Engine) -> Option<Check> {
    let filters = HashMap::from([("label".to_owned(), vec![labels::PROCTOR.to_owned()])]);
    let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
    let list = || engine.client().list_containers(Some(options.clone()));
    let listed = engine.look_at("list containers", QUICK, list).await.ok()?;
    if listed.is_empty() {
        return None;
    }
    let detail = format!("{} container(s) of running daemons, or of daemons that are gone", listed.len());
    let advice = format!(
        "a daemon removes its own at its next start; where its data directory is gone: `docker ps -a --filter label={}`",
        labels::PROCTOR
    );
    Some(check("containers", State::Note, detail).advise(advice))
}
