//! The locks inside the binary, and those of a user's directory: which bytes are installed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use include_dir::{Dir, include_dir};
use sha2::{Digest as _, Sha256};

static BUILTIN: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/config/locks");

/// Largest file of a user's lock folder that is read, in bytes: the largest of ours has 100 KiB.
const FILE_BYTES_MAX: u64 = 4 << 20;
/// The names a lock may have; anything else in its folder is for people.
const FILES: &[&str] = &["requirements.txt", "package.json", "package-lock.json", "go.mod", "go.sum"];

/// Where locks are looked up.
#[derive(Debug, Clone, Default)]
pub struct Locks {
    /// Searched first: locks of a user's own manifests.
    directory: Option<PathBuf>,
}

/// The files of one lock, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock {
    pub files: BTreeMap<&'static str, Vec<u8>>,
}

impl Locks {
    /// Only the locks inside the binary.
    pub const fn builtin() -> Self {
        Self { directory: None }
    }

    /// The locks of `directory`, and those inside the binary for the rest.
    pub fn with_dir(directory: &Path) -> Self {
        Self { directory: Some(directory.to_owned()) }
    }

    /// The lock in the folder `name`; `None` when there is no such folder or no lock in it.
    pub fn get(&self, name: &str) -> Option<Lock> {
        let own = self
            .directory
            .as_ref()
            .map(|directory| Lock::from(|file| read(&directory.join(name).join(file))));
        own.filter(|lock| !lock.files.is_empty()).or_else(|| Self::embedded(name))
    }

    fn embedded(name: &str) -> Option<Lock> {
        let lock = Lock::from(|file| Some(BUILTIN.get_file(format!("{name}/{file}"))?.contents().to_owned()));
        (!lock.files.is_empty()).then_some(lock)
    }
}

impl Lock {
    fn from(contents: impl Fn(&str) -> Option<Vec<u8>>) -> Self {
        let files = FILES.iter().filter_map(|file| Some((*file, contents(file)?)));
        Self { files: files.collect() }
    }

    /// SHA-256 over names and contents, with `salt` for what else makes one installation differ from another.
    pub fn digest(&self, salt: &[&str]) -> String {
        let mut hash = Sha256::new();
        // Lengths keep neighbours apart: `ab` + `c` is not `a` + `bc`.
        let mut part = |bytes: &[u8]| {
            hash.update((bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        };
        for (name, contents) in &self.files {
            part(name.as_bytes());
            part(contents);
        }
        salt.iter().for_each(|word| part(word.as_bytes()));
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// How many packages it pins; 0 where the files do not say it plainly.
    pub fn packages(&self) -> usize {
        let lines = |file: &str, is_package: fn(&str) -> bool| {
            let text = self.files.get(file).map(|bytes| String::from_utf8_lossy(bytes));
            text.map_or(0, |text| text.lines().filter(|line| is_package(line)).count())
        };
        lines("requirements.txt", |line| !line.starts_with([' ', '#']) && line.contains("=="))
            + lines("package-lock.json", |line| line.contains("\"integrity\""))
            + lines("go.mod", |line| line.starts_with('\t'))
    }
}

fn read(path: &Path) -> Option<Vec<u8>> {
    let metadata = std::fs::metadata(path).ok()?;
    let fits = metadata.is_file() && metadata.len() <= FILE_BYTES_MAX;
    fits.then(|| std::fs::read(path).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock(files: &[(&'static str, &str)]) -> Lock {
        let files = files.iter().map(|(name, text)| (*name, text.as_bytes().to_owned()));
        Lock { files: files.collect() }
    }

    #[test]
    fn a_digest_changes_with_every_byte_and_every_salt() {
        let one = lock(&[("go.mod", "a"), ("go.sum", "b")]);
        let digests = [
            one.digest(&[]),
            one.digest(&["x"]),
            one.digest(&["x", "y"]),
            one.digest(&["xy"]),
            lock(&[("go.mod", "ab"), ("go.sum", "")]).digest(&[]),
            lock(&[("go.mod", "a")]).digest(&[]),
        ];
        let different: std::collections::BTreeSet<_> = digests.iter().collect();
        assert_eq!(different.len(), digests.len());
        assert_eq!(one.digest(&["x"]), digests[1]);
    }

    #[test]
    fn a_users_lock_goes_before_ours_and_ours_fill_the_rest() {
        let home = tempfile::tempdir().unwrap();
        let own = home.path().join("runtimes/pip");
        std::fs::create_dir_all(&own).unwrap();
        std::fs::write(own.join("requirements.txt"), "pip==1 \\\n").unwrap();
        let locks = Locks::with_dir(home.path());
        assert_eq!(locks.get("runtimes/pip").unwrap().packages(), 1);
        assert_eq!(locks.get("runtimes/node"), Locks::builtin().get("runtimes/node"));
        assert_eq!(locks.get("no-such-lock"), None);
    }

    #[test]
    fn no_lock_names_a_host() {
        let mut pending = vec![&BUILTIN];
        let mut files = 0;
        while let Some(directory) = pending.pop() {
            pending.extend(directory.dirs());
            for file in directory.files() {
                let text = file.contents_utf8().unwrap();
                assert!(!text.contains("://"), "{}", file.path().display());
                files += 1;
            }
        }
        assert!(files >= 20, "only {files} files are embedded");
    }
}
