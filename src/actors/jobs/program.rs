//! Where a tool's program is: installed by us, or brought by the user.

use std::path::{Path, PathBuf};

use crate::actors::installer::{Installed, Program};
use crate::domain::outcome::FailureReason;
use crate::tools::manifest::Manifest;

/// A program that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    pub path: PathBuf,
    /// For `{install}`.
    pub root: PathBuf,
    /// For `PATH`, before the system's.
    pub bin_dirs: Vec<PathBuf>,
}

/// Why a tool cannot be run, in the words of a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    pub reason: FailureReason,
    pub detail: String,
    pub advice: String,
}

/// Looks the program up. Some looks at directories, no process.
pub fn locate(manifest: &Manifest, tools_dir: &Path) -> Result<Located, Missing> {
    match &manifest.run.program {
        Some(path) if path.is_file() => {
            let root = path.parent().unwrap_or(path).to_owned();
            Ok(Located { path: path.clone(), root: root.clone(), bin_dirs: vec![root] })
        }
        Some(path) => Err(Missing {
            reason: FailureReason::ToolMissing,
            detail: format!("{}: there is no program {}", manifest.name, path.display()),
            advice: "install it there, or mend `run.program` in its manifest".to_owned(),
        }),
        None => match Installed::locate(manifest, tools_dir) {
            Ok(Program { path, root, bin_dirs, .. }) => Ok(Located { path, root, bin_dirs }),
            Err(missing) => Err(Missing {
                reason: FailureReason::ToolMissing,
                detail: missing.to_string(),
                advice: format!("run `proctor tools install {}`", manifest.name),
            }),
        },
    }
}
