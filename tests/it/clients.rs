//! Real clients: the official SDKs of three languages, as they are released, against a gateway of this process.
//!
//! They are installed once, pinned by hash, into a cache outside of the checkout (`$PROCTOR_TEST_CACHE`, else
//! `$XDG_CACHE_HOME/proctor-tests`, else `~/.cache/proctor-tests`). A client that cannot be installed fails its test.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::process::Command;
use tokio::time::timeout;

use crate::support::world::World;

/// An installation fetches some 40 MB; a client's whole run takes seconds.
const INSTALL: Duration = Duration::from_secs(600);
const RUN: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_python_sdk() {
    let world = World::boot().await;
    let folder = source("python");
    let installed = Cache::of(&folder, "requirements.txt");
    let python = installed.path.join("bin/python");
    installed
        .fill(async |place| {
            run(INSTALL, command("python3").args(["-m", "venv"]).arg(place)).await;
            let pip = place.join("bin/pip");
            run(
                INSTALL,
                command(pip)
                    .args(["install", "-q", "--require-hashes", "-r"])
                    .arg(folder.join("requirements.txt")),
            )
            .await;
        })
        .await;
    drive(&world, command(python).arg(folder.join("client.py"))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_typescript_sdk() {
    let world = World::boot().await;
    let folder = source("typescript");
    let installed = Cache::of(&folder, "package-lock.json");
    installed
        .fill(async |place| {
            for file in ["package.json", "package-lock.json"] {
                fs::copy(folder.join(file), place.join(file)).expect("copied");
            }
            let flags = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
            run(INSTALL, command("npm").args(flags).current_dir(place)).await;
        })
        .await;
    // Modules are looked for beside the script that names them. Each run has its own copy.
    let script = tempfile::Builder::new()
        .prefix("client")
        .suffix(".mjs")
        .tempfile_in(&installed.path)
        .expect("a file");
    fs::copy(folder.join("client.mjs"), script.path()).expect("copied");
    drive(&world, command("node").arg(script.path())).await;
}

/// Runs a client to its end and shows what it said when it failed.
async fn drive(world: &World, client: &mut Command) {
    let client =
        client.env("PROCTOR_ADDRESS", world.address.to_string()).env("PROCTOR_TOKEN", world.token.reveal());
    // Proxies of the machine are honoured by some clients even for loopback.
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"] {
        client.env_remove(name);
    }
    let output = run(RUN, client).await;
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.trim_end().ends_with("done"), "it stopped on the way:\n{said}");
}

async fn run(patience: Duration, command: &mut Command) -> Output {
    let shown = format!("{:?}", command.as_std());
    let running = command.stdin(Stdio::null()).kill_on_drop(true).output();
    let output = match timeout(patience, running).await {
        Ok(Ok(output)) => output,
        Ok(Err(error)) => panic!("{shown} could not be started: {error}"),
        Err(_elapsed) => panic!("{shown} was not over within {patience:?}"),
    };
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{shown} ended with {}:\n{out}\n{err}", output.status);
    output
}

#[expect(clippy::disallowed_methods, reason = "clients are programs of their own, not tools of the daemon")]
fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    Command::new(program)
}

fn source(client: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(client)
}

/// A folder filled once per content of a lock file.
struct Cache {
    path: PathBuf,
}

impl Cache {
    fn of(source: &Path, lock: &str) -> Self {
        let pinned = fs::read(source.join(lock)).expect("a lock file");
        let digest: String =
            Sha256::digest(&pinned).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let name = source.file_name().expect("a name").to_string_lossy();
        Self { path: cache_root().join(format!("{name}-{digest}")) }
    }

    /// Fills it unless it is whole. Test processes that come meanwhile wait; a half-filled one is done again.
    async fn fill(&self, fill: impl AsyncFnOnce(&Path)) {
        fs::create_dir_all(&self.path).expect("a cache folder");
        let lock = File::create(self.path.with_extension("lock")).expect("a lock file");
        let lock = tokio::task::spawn_blocking(move || lock.lock().map(|()| lock))
            .await
            .expect("locked")
            .expect("locked");
        let whole = self.path.join(".whole");
        if !whole.exists() {
            fill(&self.path).await;
            File::create(&whole).expect("marked");
        }
        drop(lock);
    }
}

fn cache_root() -> PathBuf {
    let from = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let xdg = || from("XDG_CACHE_HOME").or_else(|| Some(from("HOME")?.join(".cache")));
    from("PROCTOR_TEST_CACHE")
        .or_else(|| Some(xdg()?.join("proctor-tests")))
        .expect("PROCTOR_TEST_CACHE, XDG_CACHE_HOME or HOME says where clients may be installed")
}
