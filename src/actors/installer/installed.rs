//! Where a tool's program is, for whoever runs it. Some looks at the directory, no process.

use std::path::{Path, PathBuf};

use super::lock::Locks;
use super::package::Package;
use super::receipt::Receipt;
use crate::tools::manifest::{Manifest, Origin};

/// A tool that is installed as its manifest and lock say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    pub path: PathBuf,
    pub version: String,
    /// The installation, for `{install}`.
    pub root: PathBuf,
    /// For `PATH`, before the system's: the tool's own programs and its runtime.
    pub bin_dirs: Vec<PathBuf>,
}

/// Why a tool cannot be run. The text ends with what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotInstalled {
    #[error("{tool} has no recipe in its manifest, or no lock: proctor cannot install it")]
    NoRecipe { tool: String },
    #[error("{tool} {wanted} is not installed; run `proctor tools install {tool}`")]
    Missing { tool: String, wanted: String },
    #[error(
        "{tool} {found} is installed, but not as this proctor pins it ({wanted}); run `proctor tools install {tool}`"
    )]
    Outdated { tool: String, found: String, wanted: String },
    #[error("{tool} is broken: {missing} is gone; run `proctor tools install {tool}`")]
    Broken { tool: String, missing: PathBuf },
    #[error("{tool}: there is no program {program}; put it there, or mend `run.program` in its manifest")]
    NotBrought { tool: String, program: PathBuf },
}

/// Lookup of installed tools.
#[derive(Debug)]
pub struct Installed;

impl Installed {
    /// The program of a tool whose lock is inside the binary.
    ///
    /// # Errors
    /// It is not there, not complete, or not the pinned one.
    pub fn locate(manifest: &Manifest, tools_dir: &Path) -> Result<Program, NotInstalled> {
        Self::locate_with(manifest, tools_dir, &Locks::builtin())
    }

    /// The same with a user's own locks.
    ///
    /// # Errors
    /// See [`Self::locate`].
    pub fn locate_with(
        manifest: &Manifest,
        tools_dir: &Path,
        locks: &Locks,
    ) -> Result<Program, NotInstalled> {
        match manifest.program().map(|program| &program.origin) {
            Some(Origin::Brought(program)) => return brought(manifest, program),
            Some(Origin::Image { image, program }) => return Ok(contained(image, program)),
            _ => {}
        }
        let package = Package::of(manifest, locks)
            .map_err(|_| NotInstalled::NoRecipe { tool: manifest.name.0.clone() })?;
        find(&package, tools_dir).map(|receipt| receipt.program(tools_dir))
    }

    /// The version that is there, as its receipt says; where there is no receipt, the one that ought to be.
    pub fn version(manifest: &Manifest, tools_dir: &Path) -> String {
        match Self::locate(manifest, tools_dir) {
            Ok(program) if manifest.image().is_none() => program.version,
            _ => manifest.version.pinned.clone(),
        }
    }

    /// Whether nothing has to be installed before a run. An image is the engine's business, and not looked for here.
    pub fn is_ready(manifest: &Manifest, tools_dir: &Path) -> bool {
        let nothing_to_install = manifest.native().is_some() || manifest.image().is_some();
        nothing_to_install || Self::locate(manifest, tools_dir).is_ok()
    }
}

/// A program in an image is looked for by the engine.
fn contained(image: &str, program: &Path) -> Program {
    let root = PathBuf::from("/");
    Program { path: program.to_owned(), version: image.to_owned(), root, bin_dirs: Vec::new() }
}

/// A program that the user brings is taken as it is.
fn brought(manifest: &Manifest, program: &Path) -> Result<Program, NotInstalled> {
    if !program.is_file() {
        return Err(NotInstalled::NotBrought { tool: manifest.name.0.clone(), program: program.to_owned() });
    }
    let root = program.parent().unwrap_or(program).to_owned();
    let version = manifest.version.pinned.clone();
    Ok(Program { path: program.to_owned(), version, bin_dirs: vec![root.clone()], root })
}

/// The receipt of a package that is there, complete, and the pinned one.
pub(super) fn find(package: &Package, tools_dir: &Path) -> Result<Receipt, NotInstalled> {
    let tool = package.name.clone();
    let wanted = package.version.pinned.clone();
    let Some(receipt) = Receipt::read(tools_dir, &package.folder) else {
        return Err(NotInstalled::Missing { tool, wanted });
    };
    if receipt.digest != package.digest {
        let found = receipt.version;
        return Err(NotInstalled::Outdated { tool, found, wanted });
    }
    match receipt.missing(tools_dir) {
        Some(missing) => Err(NotInstalled::Broken { tool, missing }),
        None => Ok(receipt),
    }
}

impl Receipt {
    pub(super) fn program(&self, tools_dir: &Path) -> Program {
        Program {
            path: tools_dir.join(&self.program),
            version: self.version.clone(),
            root: tools_dir.join(&self.root),
            bin_dirs: self.bin_dirs.iter().map(|path| tools_dir.join(path)).collect(),
        }
    }
}
