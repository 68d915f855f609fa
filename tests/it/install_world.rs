//! A machine for the installation tests: a Python and a pip that are scripts, a tools directory, and a catalogue with
//! locks of a user's own. Nothing here leaves the temporary directory.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::support::rest_of_manifest;
use proctor::actors::installer::{
    Done, InstallError, Installed, Installer, Layout, Locks, NotInstalled, Package, Program, Runtime, Setup,
};
use proctor::actors::process::shim;
use proctor::domain::ids::ToolName;
use proctor::tools::catalogue::Catalogue;
use proctor::tools::manifest::Manifest;
use tokio_util::sync::CancellationToken;

/// Answers as the first Python that will do, and makes environments that hold nothing but itself.
const PYTHON: &str = r#"#!/bin/sh
case "$2" in
-c) echo 3.11.7 ;;
-m) for root; do :; done
    mkdir -p "$root/bin" && ln -s "$0" "$root/bin/python" ;;
esac
"#;

/// Does what `behaviour/<tool>` says, and leaves a line in `calls`. Called as `-I -m pip --python ROOT/bin/python …`.
const PIP: &str = r#"#!/bin/sh
root=${5%/bin/python}
tool=$(basename "$(dirname "$root")")
echo "$tool" >>"@WORLD@/calls"
make() {
    printf '#!/bin/sh\necho %s %s\n' "$tool" "$1" >"$root/bin/$tool"
    chmod +x "$root/bin/$tool"
}
. "@WORLD@/behaviour/$tool"
"#;

pub struct World {
    folder: tempfile::TempDir,
}

impl World {
    /// With tools of these names, each pinned at 1.0.0, whose installation will work.
    pub fn with(tools: &[&str]) -> Self {
        shim::set_program(env!("CARGO_BIN_EXE_proctor"));
        let world = Self { folder: tempfile::tempdir().unwrap() };
        world.script("path/python3", PYTHON);
        for tool in tools {
            world.write(&format!("manifests/{tool}.toml"), &manifest(tool));
            world.lock(tool, "1.0.0");
            world.behave(tool, "make 1.0.0");
        }
        world.fake_pip();
        world
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn tools_dir(&self) -> PathBuf {
        self.path().join("tools")
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    fn script(&self, name: &str, text: &str) {
        let path = self.write(name, text);
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// What pip does for a tool, in shell; `make VERSION` puts a program there that answers so.
    pub fn behave(&self, tool: &str, shell: &str) {
        self.write(&format!("behaviour/{tool}"), shell);
    }

    /// The lock of a tool; another `text` is another lock.
    pub fn lock(&self, tool: &str, text: &str) {
        let line = format!("{tool}=={text} \\\n    --hash=sha256:{}\n", "0".repeat(64));
        self.write(&format!("locks/{tool}/requirements.txt"), &line);
    }

    /// pip is there already, as far as its receipt tells.
    fn fake_pip(&self) {
        let pip = PIP.replace("@WORLD@", self.path().to_str().unwrap());
        self.script("tools/.runtimes/pip/fake/bin/python", &pip);
        self.script("tools/.runtimes/pip/fake/bin/pip", &pip);
        let package = Runtime::Pip.package(&self.locks()).unwrap();
        let receipt = serde_json::json!({
            "version": package.version.pinned,
            "digest": package.digest,
            "installed_at": "2026-01-01T00:00:00Z",
            "root": ".runtimes/pip/fake",
            "program": ".runtimes/pip/fake/bin/pip",
            "bin_dirs": [],
            "needs": [],
            "bytes": 0,
        });
        self.write("tools/.runtimes/pip/receipt.json", &receipt.to_string());
    }

    pub fn locks(&self) -> Locks {
        Locks::with_dir(&self.path().join("locks"))
    }

    pub fn manifest(&self, tool: &str) -> Manifest {
        let catalogue = Catalogue::with_user_dir(&self.path().join("manifests")).unwrap();
        catalogue.get(&ToolName(tool.to_owned())).unwrap().clone()
    }

    pub fn package(&self, tool: &str) -> Package {
        Package::of(&self.manifest(tool), &self.locks()).unwrap()
    }

    pub fn setup(&self) -> Setup {
        let path = format!("{}:/usr/bin:/bin", self.path().join("path").display());
        Setup {
            layout: Layout { tools_dir: self.tools_dir(), cache_dir: self.path().join("cache") },
            locks: self.locks(),
            inherited: vec![("PATH".into(), path.into())],
            force: false,
        }
    }

    pub async fn install(&self, tools: &[&str]) -> Vec<Done> {
        self.try_install(tools, CancellationToken::new()).await.unwrap()
    }

    pub async fn try_install(
        &self,
        tools: &[&str],
        cancel: CancellationToken,
    ) -> Result<Vec<Done>, InstallError> {
        let packages = tools.iter().map(|tool| self.package(tool)).collect();
        let (installer, _events) = Installer::new(self.setup(), cancel);
        installer.run(packages).await
    }

    pub fn locate(&self, tool: &str) -> Result<Program, NotInstalled> {
        Installed::locate_with(&self.manifest(tool), &self.tools_dir(), &self.locks())
    }

    /// How often pip was called for anything.
    pub fn calls(&self) -> usize {
        let calls = fs::read_to_string(self.path().join("calls")).unwrap_or_default();
        calls.lines().count()
    }

    /// Names of the folders of one tool.
    pub fn folders(&self, tool: &str) -> Vec<String> {
        let entries = fs::read_dir(self.tools_dir().join(tool)).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        let folders = paths.filter(|path| path.is_dir());
        let mut names: Vec<_> =
            folders.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect();
        names.sort();
        names
    }
}

fn manifest(tool: &str) -> String {
    format!(
        r#"
name = "{tool}"
summary = "Finds nothing"
network = false
[version]
pinned = "1.0.0"
args = ["--version"]
after = "{tool} "
[applies]
files = ["**/*.none"]
[run]
args = ["{{target}}"]
cwd = "neutral"
{rest}[install]
kind = "pip"
packages = ["{tool}==1.0.0"]
lock = "{tool}"
program = "bin/{tool}"
"#,
        rest = rest_of_manifest(10)
    )
}
