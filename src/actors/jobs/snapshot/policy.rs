//! What a name alone decides. The lists are data: version control is fixed here, configuration names come from the
//! catalogue.

use globset::{Glob, GlobSet, GlobSetBuilder};

use crate::domain::finding::clean_text;

/// Directories (or, for a linked worktree, files) that hold history and hooks, not source. A tool that finds one may
/// start the version control program, which runs commands from the configuration inside.
const VERSION_CONTROL: &[&str] = &[".git", ".hg", ".svn", ".bzr", ".jj", ".pijul", "_darcs", "CVS"];

/// Directory names that crash a tool which takes them for a file and dies without a report (seen with `*.py`). Such a
/// directory is left out, file by file: renaming it would make every path a lie. `three.js/` and the like are kept,
/// every tool survives them.
const FILE_LIKE_DIRECTORIES: &[&str] = &["*.py"];

/// Which names are kept out of a snapshot.
#[derive(Debug, Clone)]
pub struct Policy {
    configuration: GlobSet,
    file_like: GlobSet,
}

/// A configuration pattern of the catalogue is no glob.
#[derive(Debug, thiserror::Error)]
#[error("bad pattern {pattern:?} for configuration files: {why}")]
pub struct BadPattern {
    pattern: String,
    why: String,
}

impl Policy {
    /// `configuration`: globs of files that steer a tool. A pattern without `/` matches a file name at any depth, one
    /// with `/` matches the end of a path.
    pub fn new<Pattern: AsRef<str>>(
        configuration: impl IntoIterator<Item = Pattern>,
    ) -> Result<Self, BadPattern> {
        Ok(Self { configuration: set(configuration)?, file_like: set(FILE_LIKE_DIRECTORIES)? })
    }

    /// Why a file is no source, if its name says so.
    pub(super) fn excludes(&self, name: &str, path: &str, siblings: Siblings) -> Option<&'static str> {
        if siblings.bare_repository && name == "HEAD" {
            return Some("makes its directory a git repository");
        }
        self.excludes_directory(name).or_else(|| {
            let steers = self.configuration.is_match(path);
            steers.then_some("steers a tool: every tool runs with our configuration")
        })
    }

    /// Why a directory is no source, if its name says so.
    pub(super) fn excludes_directory(&self, name: &str) -> Option<&'static str> {
        VERSION_CONTROL.contains(&name).then_some("version control data")
    }

    /// Why a directory and all below it are left out, if its name says so.
    pub(super) fn bars_directory(&self, name: &str, path: &str) -> Option<&'static str> {
        if self.file_like.is_match(name) {
            return Some("in a directory that is named like a source file and crashes tools");
        }
        // Not `excluded`: a directory may be named so to keep code out of sight.
        let steers = self.configuration.is_match(path);
        steers.then_some("in a directory that is named like a tool's configuration file")
    }
}

/// What the neighbours of an entry say about it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Siblings {
    /// `HEAD`, `objects` and `refs` together are a git repository without a `.git`: git finds it from the directories
    /// below and runs what its `config` says.
    pub bare_repository: bool,
}

impl Siblings {
    pub(super) fn of<'a>(names: impl Iterator<Item = &'a [u8]>) -> Self {
        let marks: [&[u8]; 3] = [b"HEAD", b"objects", b"refs"];
        let seen = names.filter(|name| marks.contains(name)).count();
        Self { bare_repository: seen == marks.len() }
    }
}

/// Whether a path can be printed, matched and put into a report as it is.
pub(super) fn is_showable(path: &str) -> bool {
    clean_text(path, usize::MAX) == path
}

fn set<Pattern: AsRef<str>>(patterns: impl IntoIterator<Item = Pattern>) -> Result<GlobSet, BadPattern> {
    let mut builder = GlobSetBuilder::new();
    let bad = |pattern: &str, error: globset::Error| BadPattern {
        pattern: pattern.to_owned(),
        why: error.to_string(),
    };
    for pattern in patterns {
        let pattern = pattern.as_ref();
        let anywhere = format!("**/{pattern}");
        builder.add(Glob::new(&anywhere).map_err(|error| bad(pattern, error))?);
    }
    builder.build().map_err(|error| bad("all", error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excludes(policy: &Policy, path: &str) -> bool {
        let name = path.rsplit('/').next().unwrap();
        policy.excludes(name, path, Siblings::default()).is_some()
    }

    #[test]
    fn a_pattern_matches_at_any_depth_and_nothing_else() {
        let policy = Policy::new([".linter", "lint.config.*", "ci/tool.yml"]).unwrap();
        for path in [".linter", "a/b/.linter", "x/lint.config.mjs", "ci/tool.yml", "a/ci/tool.yml", ".git"] {
            assert!(excludes(&policy, path), "{path}");
        }
        for path in ["a.linter", "linter", "lint.js", "tool.yml", ".gitignore", "notci/tool.yml", "HEAD"] {
            assert!(!excludes(&policy, path), "{path}");
        }
    }

    #[test]
    fn a_pattern_that_is_no_glob_is_named() {
        let error = Policy::new(["[a"]).unwrap_err();
        assert!(error.to_string().contains("[a"), "{error}");
    }

    #[test]
    fn head_is_source_unless_its_neighbours_make_it_a_repository() {
        let names: [&[u8]; 4] = [b"HEAD", b"objects", b"refs", b"x.py"];
        assert!(Siblings::of(names.into_iter()).bare_repository);
        assert!(!Siblings::of(names[1..].iter().copied()).bare_repository);
    }

    #[test]
    fn names_that_would_lie_on_a_screen_are_not_showable() {
        for path in ["a\nb.py", "\u{1b}[2J.py", "a\u{202e}yp.b", "tab\there"] {
            assert!(!is_showable(path), "{path:?}");
        }
        for path in ["a b.py", "ä/日本.js", "it's \"quoted\".py", "-rf"] {
            assert!(is_showable(path), "{path:?}");
        }
    }
}
