//! The proof that an installation is complete: a small file, written last and atomically, read before every run.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::failure::InstallError;

const FILE: &str = "receipt.json";
/// Largest receipt read, in bytes: ours have less than 1 KiB.
const BYTES_MAX: u64 = 64 * 1024;

/// What was installed. Paths are relative to the tools directory, except where they lead out of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    pub version: String,
    /// Of lock and recipe: see [`super::Package::digest`].
    pub digest: String,
    pub installed_at: Timestamp,
    pub root: PathBuf,
    pub program: PathBuf,
    /// For `PATH`, before the system's.
    pub bin_dirs: Vec<PathBuf>,
    /// What the program cannot start without, besides itself.
    pub needs: Vec<PathBuf>,
    pub bytes: u64,
}

impl Receipt {
    /// The receipt in `folder`; `None` when there is none that can be read: then nothing is installed.
    pub fn read(tools_dir: &Path, folder: &Path) -> Option<Self> {
        let path = tools_dir.join(folder).join(FILE);
        if std::fs::metadata(&path).ok()?.len() > BYTES_MAX {
            return None;
        }
        serde_json::from_slice(&std::fs::read(path).ok()?).ok()
    }

    /// Makes the installation count.
    pub fn write(&self, tools_dir: &Path, folder: &Path) -> Result<(), InstallError> {
        let folder = tools_dir.join(folder);
        let failed = |error: std::io::Error| InstallError::files("writing the receipt in", &folder, error);
        let text = serde_json::to_vec_pretty(self).map_err(|error| failed(error.into()))?;
        let mut file = tempfile::NamedTempFile::new_in(&folder).map_err(failed)?;
        file.write_all(&text).map_err(failed)?;
        file.as_file().sync_all().map_err(failed)?;
        file.persist(folder.join(FILE)).map_err(|error| failed(error.error))?;
        Ok(())
    }

    /// Makes the installation not count, before anything of it is touched.
    pub fn remove(tools_dir: &Path, folder: &Path) -> Result<(), InstallError> {
        let path = tools_dir.join(folder).join(FILE);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(InstallError::files("removing", &path, error))
            }
            _ => Ok(()),
        }
    }

    /// The first file that is gone: the program, its interpreter, its runtime. A look at the directory, no process.
    pub fn missing(&self, tools_dir: &Path) -> Option<PathBuf> {
        let files = std::iter::once(&self.program).chain(&self.needs);
        files.map(|file| tools_dir.join(file)).find(|file| !file.is_file())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receipt() -> Receipt {
        Receipt {
            version: "1.2.3".into(),
            digest: "ab".into(),
            installed_at: Timestamp::UNIX_EPOCH,
            root: "tool/1.2.3-ab".into(),
            program: "tool/1.2.3-ab/bin/tool".into(),
            bin_dirs: vec!["tool/1.2.3-ab/bin".into()],
            needs: vec!["/bin/sh".into()],
            bytes: 5,
        }
    }

    #[test]
    fn a_receipt_survives_its_file_and_garbage_is_none() {
        let home = tempfile::tempdir().unwrap();
        let folder = Path::new("tool");
        std::fs::create_dir(home.path().join(folder)).unwrap();
        assert_eq!(Receipt::read(home.path(), folder), None);
        receipt().write(home.path(), folder).unwrap();
        assert_eq!(Receipt::read(home.path(), folder), Some(receipt()));
        std::fs::write(home.path().join("tool/receipt.json"), "{").unwrap();
        assert_eq!(Receipt::read(home.path(), folder), None);
        Receipt::remove(home.path(), folder).unwrap();
        Receipt::remove(home.path(), folder).unwrap();
    }

    #[test]
    fn what_is_gone_is_named() {
        let home = tempfile::tempdir().unwrap();
        let program = home.path().join("tool/1.2.3-ab/bin/tool");
        assert_eq!(receipt().missing(home.path()), Some(program.clone()));
        std::fs::create_dir_all(program.parent().unwrap()).unwrap();
        std::fs::write(&program, "").unwrap();
        assert_eq!(receipt().missing(home.path()), None);
    }
}
