//! A world of a scenario's own: a folder with targets, fake tools and the data of its daemons. Dropped, it ends the daemon
//! that still runs and removes the folder.

use std::cell::{Cell, RefCell};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::served::Served;

/// Between two looks at something that tells nobody when it changes.
pub const POLL: Duration = Duration::from_millis(2);

/// A fake tool: `tests/fixtures/bin/fake-tool` with these arguments.
#[derive(Debug, Clone)]
pub struct Tool {
    pub name: String,
    args: String,
    wall_s: u32,
    output_mib: u32,
}

impl Tool {
    pub fn new(name: &str, args: &str) -> Self {
        Self { name: name.to_owned(), args: args.to_owned(), wall_s: 600, output_mib: 1 }
    }

    #[must_use]
    pub fn wall_s(self, wall_s: u32) -> Self {
        Self { wall_s, ..self }
    }

    #[must_use]
    pub fn output_mib(self, output_mib: u32) -> Self {
        Self { output_mib, ..self }
    }

    fn manifest(&self) -> String {
        let Self { name, args, wall_s, output_mib } = self;
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/bin/fake-tool");
        let args: Vec<&str> = args.split(' ').collect();
        format!(
            "name = {name:?}\nsummary = \"does as told\"\nnetwork = false\n\
             [version]\npinned = \"1\"\nargs = [\"succeed\"]\n[applies]\nfiles = [\"**/*.py\"]\n\
             [run]\nprogram = {program:?}\nargs = {args:?}\ncwd = \"neutral\"\n\
             [report]\nfrom = \"stdout\"\nformat = \"sarif\"\n[exit]\n0 = \"either\"\n\
             [limits]\nwall_s = {wall_s}\noutput_mib = {output_mib}\n[weights]\ncpu = 1\nmemory_mb = 16\n\
             [severity]\ndefault = \"medium\"\n[severity.words]\nerror = \"high\"\n"
        )
    }
}

pub struct World {
    folder: tempfile::TempDir,
    settings: Vec<String>,
    targets: Cell<u32>,
    /// Pids of all daemons that were started here.
    daemons: RefCell<Vec<i32>>,
}

impl World {
    /// A world with these tools; `settings` go over [`ROOMY`].
    pub fn new(tools: &[Tool], settings: &[&str]) -> Self {
        let folder = tempfile::Builder::new().prefix("proctor-chaos-").tempdir().expect("a folder");
        for name in ["manifests", "targets", "data"] {
            fs::create_dir(folder.path().join(name)).expect("a folder");
        }
        for tool in tools {
            let path = folder.path().join(format!("manifests/{}.toml", tool.name));
            fs::write(path, tool.manifest()).expect("written");
        }
        let settings = ROOMY.iter().chain(settings).map(|&setting| setting.to_owned()).collect();
        Self { folder, settings, targets: Cell::new(0), daemons: RefCell::default() }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn data_dir(&self) -> PathBuf {
        self.folder().join("data")
    }

    pub fn log(&self) -> PathBuf {
        self.folder().join("daemon.log")
    }

    /// The daemons so far.
    pub fn daemons(&self) -> Vec<i32> {
        self.daemons.borrow().clone()
    }

    pub(super) fn started(&self, pid: i32) {
        self.daemons.borrow_mut().push(pid);
    }

    /// A new target of one file, whose content no other target has.
    pub fn target(&self) -> PathBuf {
        let number = self.targets.get();
        self.targets.set(number + 1);
        let target = self.folder().join(format!("targets/{number:06}"));
        fs::create_dir(&target).expect("a folder");
        fs::write(target.join("app.py"), format!("import os\nprint(os.sep, {number})\n")).expect("written");
        target
    }

    /// The arguments of `proctor`.
    pub(super) fn arguments(&self) -> Vec<String> {
        let path = |name: &str| self.folder().join(name).display().to_string();
        let mut arguments = vec!["serve".to_owned(), "--root".to_owned(), path("targets")];
        let own = [
            format!("daemon.data_dir={}", path("data")),
            format!("daemon.manifests_dir={}", path("manifests")),
        ];
        for setting in own.iter().chain(&self.settings) {
            arguments.extend(["--set".to_owned(), setting.clone()]);
        }
        arguments
    }

    pub async fn serve(&self) -> Served {
        Served::start(self, None).await
    }
}

/// What every world is given: a port of its own, and limits of the gateway so wide that what is under test refuses, and
/// not the gateway before it.
const ROOMY: &[&str] = &[
    "gateway.listen=127.0.0.1:0",
    "gateway.requests_per_s=100000",
    "gateway.requests_burst=100000",
    "gateway.connections_per_address_max=1024",
    "gateway.connections_per_principal_max=1024",
    "gateway.in_flight_per_session_max=256",
    "gateway.in_flight_per_principal_max=4096",
    "gateway.in_flight_max=8192",
    "log.filter=warn",
];

/// The arguments of a scan of `target` with these tools, which returns at once with a job of its own.
pub fn scan(target: &Path, tools: &[&str]) -> Value {
    json!({ "path": target, "tools": tools, "wait_s": 0, "fresh": true })
}

/// Waits until `holds`, `patience` at most; says whether it does.
pub async fn until(patience: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + patience;
    loop {
        if holds() {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
        tokio::time::sleep(POLL).await;
    }
}
