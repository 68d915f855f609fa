//! Where things are below the tools directory, and where downloads are kept.

use std::path::{Path, PathBuf};

/// Characters of a digest in a folder's name: 32 bits tell the few versions of one tool apart, the receipt holds all.
const DIGEST_IN_NAME: usize = 8;

/// The two directories of an installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    pub tools_dir: PathBuf,
    /// Downloads of the package managers, shared by every tools directory; may be deleted at any time.
    pub cache_dir: PathBuf,
}

impl Layout {
    /// Downloads are kept in `$XDG_CACHE_HOME/proctor` or `~/.cache/proctor`; without a home, below the tools directory.
    pub fn new(tools_dir: &Path, environment: impl Fn(&str) -> Option<std::ffi::OsString>) -> Self {
        let set = |name| environment(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let cache = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")));
        Self {
            tools_dir: tools_dir.to_owned(),
            cache_dir: cache.map_or_else(|| tools_dir.join(".cache"), |cache| cache.join("proctor")),
        }
    }

    /// The file whose lock makes one installer of many.
    pub fn lock_file(&self) -> PathBuf {
        self.tools_dir.join(".lock")
    }

    /// What the package managers printed while `folder` was made.
    pub fn logs(&self, folder: &Path) -> PathBuf {
        self.tools_dir.join(".logs").join(folder)
    }
}

/// The folder of one installation, relative to its tool's.
pub(super) fn root_name(version: &str, digest: &str) -> String {
    format!("{version}-{}", &digest[..DIGEST_IN_NAME.min(digest.len())])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn downloads_are_kept_where_the_user_keeps_caches() {
        let cache = |set: &'static [(&str, &str)]| {
            let find = |name: &str| set.iter().find(|(key, _)| *key == name).map(|(_, it)| it.into());
            Layout::new(Path::new("/t"), find).cache_dir
        };
        assert_eq!(cache(&[("XDG_CACHE_HOME", "/c"), ("HOME", "/h")]), Path::new("/c/proctor"));
        assert_eq!(cache(&[("XDG_CACHE_HOME", "c"), ("HOME", "/h")]), Path::new("/h/.cache/proctor"));
        assert_eq!(cache(&[]), Path::new("/t/.cache"));
    }
}
