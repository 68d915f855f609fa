//! What the tests of the snapshot share: a target and a place for its snapshots.

use std::fs;
use std::path::PathBuf;

use proctor::actors::jobs::snapshot::{Limits, Policy, Snapshot, SnapshotError, take};
use proctor::domain::outcome::Gap;
use tokio_util::sync::CancellationToken;

/// A target and a place for its snapshots; nothing may be left in the latter.
pub struct World {
    pub target: PathBuf,
    pub snapshots: PathBuf,
    _home: tempfile::TempDir,
}

impl World {
    pub fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        // Canonical, as targets are: the way to a temporary directory may lead through a link.
        let root = home.path().canonicalize().unwrap();
        let (target, snapshots) = (root.join("target"), root.join("snapshots"));
        fs::create_dir(&target).unwrap();
        fs::create_dir(&snapshots).unwrap();
        Self { target, snapshots, _home: home }
    }

    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.target.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub fn source(&self) {
        self.write("app.py", "import ast\n");
        self.write("ast.py", "raise SystemExit('executed')\n");
        self.write("web/three.js/index.js", "eval(x)\n");
        self.write("web/.hidden/a b.js", "eval(y)\n");
        self.write("node_modules/x/index.js", "eval(z)\n");
    }

    pub fn take(&self) -> Result<Snapshot, SnapshotError> {
        self.take_within(&Limits::default())
    }

    pub fn take_within(&self, limits: &Limits) -> Result<Snapshot, SnapshotError> {
        let policy = Policy::new([".bandit", ".gitleaks.toml", "eslint.config.*", ".checkov.yaml"]).unwrap();
        let destination = self.snapshots.join("one");
        take(&self.target, &destination, &policy, limits, &CancellationToken::new())
    }

    pub fn left_behind(&self) -> usize {
        fs::read_dir(&self.snapshots).unwrap().count()
    }
}

pub fn paths(snapshot: &Snapshot) -> Vec<&str> {
    snapshot.files.iter().map(|file| file.path.as_str()).collect()
}

pub fn named(gaps: &[Gap]) -> Vec<&str> {
    gaps.iter().map(|gap| gap.path.as_str()).collect()
}

pub const SOURCE: [&str; 5] =
    ["app.py", "ast.py", "node_modules/x/index.js", "web/.hidden/a b.js", "web/three.js/index.js"];
