//! Promise: a tool is installed exactly as pinned, or not at all. Whatever interrupts, lies or is tampered with, no half
//! of a tool is ever taken for a tool, and what failed says why and what to do.

use std::fs;
use std::path::{Path, PathBuf};

use proctor::actors::installer::{
    Event, InstallError, Installer, NotInstalled, Outcome, Package, Recipe, Runtime,
};
use tokio_util::sync::CancellationToken;

use crate::install_world::World;
use crate::process_world::processes_of;
use crate::support::{soon, until};

#[tokio::test]
async fn a_tool_is_installed_once_and_found_without_a_process() {
    let world = World::with(&["good"]);
    assert!(matches!(world.locate("good"), Err(NotInstalled::Missing { .. })));
    let done = world.install(&["good"]).await;
    assert!(matches!(done[0].outcome, Ok(Outcome::Installed { bytes }) if bytes > 0), "{done:?}");
    let program = world.locate("good").unwrap();
    assert_eq!(program.version, "1.0.0");
    assert!(program.path.is_file() && program.path.starts_with(&program.root));
    assert_eq!(program.bin_dirs, [program.root.join("bin")]);

    let done = world.install(&["good"]).await;
    assert!(matches!(done[0].outcome, Ok(Outcome::Already { .. })), "{done:?}");
    assert_eq!(world.calls(), 1, "a second run called pip");
}

#[tokio::test]
async fn an_interrupted_installation_is_not_seen_and_its_rests_go() {
    let world = World::with(&["slow"]);
    let half = "make 1.0.0; touch \"$root/half\"; exec sleep 60";
    world.behave("slow", half);
    let folder = world.tools_dir().join("slow");
    let is_half = || {
        folder.exists() && world.folders("slow").iter().any(|root| folder.join(root).join("half").exists())
    };
    {
        // Dropped in the middle, as by a killed process: nobody cleans up.
        let install = world.install(&["slow"]);
        tokio::pin!(install);
        tokio::select! {
            done = &mut install => panic!("ended: {done:?}"),
            () = until("the half installation", is_half) => {}
        }
    }
    assert!(matches!(world.locate("slow"), Err(NotInstalled::Missing { .. })));
    until("the end of its processes", || processes_of(world.path()).is_empty()).await;

    world.behave("slow", "make 1.0.0");
    world.install(&["slow"]).await;
    let root = world.locate("slow").unwrap().root;
    assert!(!root.join("half").exists(), "a rest was taken over");
}

#[tokio::test]
async fn a_cancelled_installation_ends_its_processes_and_says_so() {
    let world = World::with(&["slow"]);
    world.behave(
        "slow",
        "touch \"@WORLD@/started\"; exec sleep 60"
            .replace("@WORLD@", world.path().to_str().unwrap())
            .as_str(),
    );
    let cancel = CancellationToken::new();
    let install = world.try_install(&["slow"], cancel.clone());
    let started = world.path().join("started");
    let cancelling = async {
        until("pip", || started.exists()).await;
        cancel.cancel();
    };
    let (done, ()) = soon("the end", async { tokio::join!(install, cancelling) }).await;
    assert_eq!(done.unwrap()[0].outcome, Err(InstallError::Cancelled));
    assert_eq!(processes_of(world.path()), []);
    assert!(matches!(world.locate("slow"), Err(NotInstalled::Missing { .. })));
}

#[tokio::test]
async fn a_program_that_answers_another_version_is_not_installed() {
    let world = World::with(&["liar"]);
    for (behaviour, answered) in [("make 1.0.1", "liar 1.0.1"), ("make ''", "liar")] {
        world.behave("liar", behaviour);
        let done = world.install(&["liar"]).await;
        let Err(error @ InstallError::WrongVersion { .. }) = &done[0].outcome else { panic!("{done:?}") };
        assert!(error.to_string().contains(&format!("{answered:?}")), "{error}");
        assert!(matches!(world.locate("liar"), Err(NotInstalled::Missing { .. })));
    }
    world.behave("liar", "true");
    let done = world.install(&["liar"]).await;
    assert!(matches!(done[0].outcome, Err(InstallError::NoProgram { .. })), "{done:?}");
}

#[tokio::test]
async fn one_failure_stops_no_other_tool_and_shows_the_end_of_the_log() {
    let world = World::with(&["bad", "good", "odd"]);
    world.behave("bad", "echo line of pip >&2; echo EAI_AGAIN >&2; exit 3");
    world.behave("odd", "kill -9 $$");
    let done = world.install(&["bad", "good", "odd"]).await;
    let names: Vec<_> = done.iter().map(|done| done.tool.as_str()).collect();
    assert_eq!(names, ["bad", "good", "odd"]);
    let error = done[0].outcome.as_ref().unwrap_err();
    assert!(error.to_string().contains("exit code 3"), "{error}");
    assert_eq!(error.tail(), Some("line of pip\nEAI_AGAIN"));
    assert!(error.advice().contains("HTTPS_PROXY"), "{}", error.advice());
    let InstallError::Step { log, .. } = error else { panic!("{error:?}") };
    assert_eq!(fs::read_to_string(log.join("stderr")).unwrap(), "line of pip\nEAI_AGAIN\n");
    assert!(done[2].outcome.as_ref().unwrap_err().to_string().contains("signal 9"));
    assert!(world.locate("good").is_ok() && world.locate("bad").is_err() && world.locate("odd").is_err());
}

#[tokio::test]
async fn another_lock_is_another_installation_and_the_old_one_stays_until_it_is_there() {
    let world = World::with(&["tool"]);
    world.install(&["tool"]).await;
    let old = world.locate("tool").unwrap();
    world.lock("tool", "1.0.0 ; python_version > '3'");
    assert!(matches!(world.locate("tool"), Err(NotInstalled::Outdated { .. })));

    world.behave("tool", "exit 1");
    assert!(world.install(&["tool"]).await[0].outcome.is_err());
    assert!(old.path.is_file(), "a failure took the old program from the runs that use it");

    world.behave("tool", "make 1.0.0");
    world.install(&["tool"]).await;
    let new = world.locate("tool").unwrap();
    assert_ne!(new.root, old.root);
    assert!(old.path.is_file(), "a run that still uses it lost its program");
    assert_eq!(world.folders("tool").len(), 2);
}

#[tokio::test]
async fn what_went_missing_is_seen_named_and_made_anew() {
    let world = World::with(&["tool"]);
    world.install(&["tool"]).await;
    let interpreter = world.locate("tool").unwrap().root.join("bin/python");
    fs::remove_file(&interpreter).unwrap();
    let Err(NotInstalled::Broken { missing, .. }) = world.locate("tool") else {
        panic!("the missing interpreter was not seen")
    };
    assert_eq!(missing, interpreter);
    let done = world.install(&["tool"]).await;
    assert!(matches!(done[0].outcome, Ok(Outcome::Installed { .. })), "{done:?}");
    assert!(world.locate("tool").is_ok());
}

#[tokio::test]
async fn two_installers_take_turns() {
    let world = World::with(&["tool"]);
    let held = fs::File::create(world.tools_dir().join(".lock")).unwrap();
    held.lock().unwrap();
    let (installer, mut events) = Installer::new(world.setup(), CancellationToken::new());
    let install = installer.run(vec![world.package("tool")]);
    let release = async {
        assert_eq!(soon("an event", events.recv()).await, Some(Event::Waiting));
        assert_eq!(world.calls(), 0, "it did not wait");
        held.unlock().unwrap();
    };
    let (done, ()) = soon("its turn", async { tokio::join!(install, release) }).await;
    assert!(done.unwrap()[0].outcome.is_ok());
}

#[tokio::test]
async fn without_python_every_name_that_was_tried_is_told() {
    let world = World::with(&["tool"]);
    fs::remove_file(world.path().join("path/python3")).unwrap();
    let mut setup = world.setup();
    setup.inherited = vec![("PATH".into(), world.path().join("path").into_os_string())];
    let (installer, _events) = Installer::new(setup, CancellationToken::new());
    let done = installer.run(vec![world.package("tool")]).await.unwrap();
    let error = done[0].outcome.as_ref().unwrap_err();
    assert!(error.to_string().contains("python3: ") && error.to_string().contains("python3.12: "), "{error}");
    assert!(error.advice().contains("python3-venv"), "{}", error.advice());
}

/// Makes a wheel of one module and one program, and returns its SHA-256.
async fn wheel(world: &World, answer: &str) -> String {
    const MAKE: &str = r#"
import base64, hashlib, sys, zipfile
path, answer = sys.argv[1:]
files = {
    "hello.py": f"def main(): print('hello {answer}')\n",
    "hello-1.0.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: hello\nVersion: 1.0.0\n",
    "hello-1.0.0.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "hello-1.0.0.dist-info/entry_points.txt": "[console_scripts]\nhello = hello:main\n",
}
record = "".join(
    f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b'=').decode()},{len(text)}\n"
    for name, text in files.items()
)
files["hello-1.0.0.dist-info/RECORD"] = record + "hello-1.0.0.dist-info/RECORD,,\n"
with zipfile.ZipFile(path, "w") as wheel:
    for name, text in files.items():
        wheel.writestr(zipfile.ZipInfo(name), text)
print(hashlib.sha256(open(path, "rb").read()).hexdigest())
"#;
    let wheels = world.path().join("wheels");
    fs::create_dir_all(&wheels).unwrap();
    let mut command = proctor::actors::process::Command::new("python3", scratch(world, "wheel"));
    command.env = vec![("PATH".into(), std::env::var_os("PATH").unwrap())];
    let file = wheels.join("hello-1.0.0-py3-none-any.whl");
    command.args = vec!["-c".into(), MAKE.into(), file.into(), answer.into()];
    let ended = proctor::actors::process::run(command, CancellationToken::new()).await;
    String::from_utf8(ended.stdout.head).unwrap().trim().to_owned()
}

fn scratch(world: &World, name: &str) -> PathBuf {
    let path = world.path().join("scratch").join(name);
    fs::create_dir_all(&path).unwrap();
    path
}

/// Real Python, real pip, a wheel on the disk, no index.
#[tokio::test]
async fn pip_takes_the_pinned_bytes_and_refuses_all_others() {
    let world = World::with(&[]);
    let hash = wheel(&world, "1.0.0").await;
    assert_eq!(hash.len(), 64, "the wheel was not made: {hash:?}");
    world.write("locks/hello/requirements.txt", &format!("hello==1.0.0 \\\n    --hash=sha256:{hash}\n"));
    let package = hello(&world);
    let mut setup = world.setup();
    setup.inherited = vec![
        ("PATH".into(), std::env::var_os("PATH").unwrap()),
        ("PIP_NO_INDEX".into(), "1".into()),
        ("PIP_FIND_LINKS".into(), world.path().join("wheels").into_os_string()),
    ];

    // The same name, version and answer, another byte: only the hash can tell.
    fs::create_dir(world.path().join("kept")).unwrap();
    let (file, kept) = ("wheels/hello-1.0.0-py3-none-any.whl", "kept/wheel");
    fs::rename(world.path().join(file), world.path().join(kept)).unwrap();
    let other = wheel(&world, "1.0.0 tampered").await;
    assert_ne!(other, hash);
    let (installer, _events) = Installer::new(setup.clone(), CancellationToken::new());
    let done = installer.run(vec![package.clone()]).await.unwrap();
    let error = done[0].outcome.as_ref().unwrap_err();
    assert!(error.advice().starts_with("what was served is not what is pinned"), "{error:?}");
    assert!(!world.tools_dir().join("hello/receipt.json").exists());

    fs::rename(world.path().join(kept), world.path().join(file)).unwrap();
    let (installer, _events) = Installer::new(setup, CancellationToken::new());
    let done = installer.run(vec![package]).await.unwrap();
    assert!(matches!(done[0].outcome, Ok(Outcome::Installed { .. })), "{done:?}");
}

/// Installed by the pip that its own Python brings, which every Python has.
fn hello(world: &World) -> Package {
    let lock = world.locks().get("hello").unwrap();
    let mut package = Runtime::Pip.package(&world.locks()).unwrap();
    assert_eq!(package.recipe, Recipe::Bootstrap);
    package.name = "hello".to_owned();
    package.folder = Path::new("hello").to_owned();
    package.version.pinned = "1.0.0".to_owned();
    package.version.after = "hello ".to_owned();
    package.program = "bin/hello".to_owned();
    package.digest = lock.digest(&[]);
    package.lock = lock;
    package
}
