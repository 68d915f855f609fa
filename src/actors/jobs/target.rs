//! Which directories may be examined: only those under a root the operator allowed.

use std::io;
use std::path::{Path, PathBuf};

/// A directory that exists, in its canonical form, under an allowed root. Made by [`Roots::resolve`] only, so whoever
/// holds one need not check again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target(PathBuf);

impl Target {
    pub fn path(&self) -> &Path {
        &self.0
    }
}

/// Why a path may not be examined.
#[derive(Debug, thiserror::Error)]
pub enum TargetRefused {
    #[error("{path:?} is not absolute: the daemon has no working directory of yours to resolve it against")]
    Relative { path: String },
    #[error("cannot open {path:?}: {source}")]
    Unreadable { path: String, source: io::Error },
    #[error("{path:?} is not a directory: name the directory that holds it")]
    NotADirectory { path: String },
    #[error("{path:?} is not a file")]
    NotAFile { path: String },
    #[error(
        "{path:?} is outside the allowed roots ({roots}): add its root to `targets.roots` and restart the daemon"
    )]
    OutsideRoots { path: String, roots: String },
    #[error("{path:?} contains the daemon's own data directory {data_dir:?}: name a directory below it")]
    HoldsDataDirectory { path: String, data_dir: String },
}

/// The allowed roots, canonical.
#[derive(Debug, Clone)]
pub struct Roots {
    roots: Vec<PathBuf>,
    data_dir: PathBuf,
}

impl Roots {
    /// Roots that do not exist (yet) allow nothing.
    pub fn new(roots: &[PathBuf], data_dir: &Path) -> Self {
        let canonical = |path: &PathBuf| path.canonicalize().ok();
        let data_dir = data_dir.canonicalize().unwrap_or_else(|_| data_dir.to_owned());
        Self { roots: roots.iter().filter_map(canonical).collect(), data_dir }
    }

    /// Resolves what a client wrote. Links are followed before the roots are asked, so that a link inside a root does
    /// not lead out of it. Touches the file system: call it where blocking is allowed.
    pub fn resolve(&self, path: &str) -> Result<Target, TargetRefused> {
        let canonical = self.canonical(path)?;
        if !canonical.is_dir() {
            return Err(TargetRefused::NotADirectory { path: path.to_owned() });
        }
        if self.data_dir.starts_with(&canonical) {
            let data_dir = self.data_dir.display().to_string();
            return Err(TargetRefused::HoldsDataDirectory { path: path.to_owned(), data_dir });
        }
        Ok(Target(canonical))
    }

    /// The same for a file: its canonical path.
    pub fn resolve_file(&self, path: &str) -> Result<PathBuf, TargetRefused> {
        let canonical = self.canonical(path)?;
        if !canonical.is_file() {
            return Err(TargetRefused::NotAFile { path: path.to_owned() });
        }
        Ok(canonical)
    }

    fn canonical(&self, path: &str) -> Result<PathBuf, TargetRefused> {
        if !Path::new(path).is_absolute() {
            return Err(TargetRefused::Relative { path: path.to_owned() });
        }
        let canonical = Path::new(path)
            .canonicalize()
            .map_err(|source| TargetRefused::Unreadable { path: path.to_owned(), source })?;
        if !self.roots.iter().any(|root| canonical.starts_with(root)) {
            return Err(TargetRefused::OutsideRoots { path: path.to_owned(), roots: self.listed() });
        }
        Ok(canonical)
    }

    fn listed(&self) -> String {
        if self.roots.is_empty() {
            return "none is configured".to_owned();
        }
        self.roots.iter().map(|root| root.display().to_string()).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn world() -> (tempfile::TempDir, Roots) {
        let world = tempfile::tempdir().unwrap();
        for folder in ["root/project", "root/data", "elsewhere"] {
            std::fs::create_dir_all(world.path().join(folder)).unwrap();
        }
        let roots = Roots::new(&[world.path().join("root")], &world.path().join("root/data"));
        (world, roots)
    }

    fn resolve(world: &tempfile::TempDir, roots: &Roots, path: &str) -> Result<Target, TargetRefused> {
        roots.resolve(world.path().join(path).to_str().unwrap())
    }

    #[test]
    fn a_directory_under_a_root_is_allowed() {
        let (world, roots) = world();
        assert!(resolve(&world, &roots, "root/project").is_ok());
        assert!(resolve(&world, &roots, "root/project/../project").is_ok());
    }

    #[test]
    fn no_spelling_leads_out_of_the_roots() {
        let (world, roots) = world();
        symlink(world.path().join("elsewhere"), world.path().join("root/link")).unwrap();
        for path in ["elsewhere", "root/../elsewhere", "root/link", "root/project/../../elsewhere"] {
            let refused = resolve(&world, &roots, path);
            assert!(matches!(refused, Err(TargetRefused::OutsideRoots { .. })), "{path}: {refused:?}");
        }
        // A sibling whose name begins like the root's is not under it.
        std::fs::create_dir(world.path().join("root2")).unwrap();
        assert!(matches!(resolve(&world, &roots, "root2"), Err(TargetRefused::OutsideRoots { .. })));
    }

    #[test]
    fn each_other_refusal_says_its_reason() {
        let (world, roots) = world();
        std::fs::write(world.path().join("root/file"), "").unwrap();
        assert!(matches!(roots.resolve("project"), Err(TargetRefused::Relative { .. })));
        assert!(matches!(resolve(&world, &roots, "root/none"), Err(TargetRefused::Unreadable { .. })));
        assert!(matches!(resolve(&world, &roots, "root/file"), Err(TargetRefused::NotADirectory { .. })));
        assert!(matches!(resolve(&world, &roots, "root"), Err(TargetRefused::HoldsDataDirectory { .. })));
        let nothing = Roots::new(&[], Path::new("/nonexistent"));
        assert!(nothing.resolve("/").unwrap_err().to_string().contains("none is configured"));
    }
}
