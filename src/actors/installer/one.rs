//! One installation, from nothing to a receipt.
//!
//! ```text
//! swept ─► lock's files ─► steps ─► program found ─► answers its version ─► receipt (installed)
//!   └──────────┴────────────┴────────────┴──────────────────┴─► failed: no receipt, the rest is swept next time
//! ```

use std::path::{Path, PathBuf};

use tokio_util::sync::CancellationToken;

use super::environment::{SYSTEM_PATH, Variables, path};
use super::failure::InstallError;
use super::installed::Program;
use super::layout::{Layout, root_name};
use super::package::{Package, Recipe};
use super::receipt::Receipt;
use super::recipe::{Ground, steps};
use super::size;
use super::step::Step;
use super::version;
use crate::tools::manifest::Version;

/// What one installation stands on.
#[derive(Debug, Clone, Copy)]
pub struct Site<'a> {
    pub layout: &'a Layout,
    pub inherited: &'a Variables,
    /// `None` where nothing is made with it.
    pub python: Option<&'a Path>,
    /// What the recipe needs; `None` for pip itself.
    pub runtime: Option<&'a Program>,
    pub cancel: &'a CancellationToken,
}

/// Titles of the steps to come and the number of them, for whoever shows progress.
pub type Progress<'a> = &'a (dyn Fn(usize, usize, String) + Send + Sync);

/// Installs `package`, whatever is there.
///
/// # Errors
/// The first step that failed; nothing counts as installed then, but an installation of another version that was
/// complete before stays.
pub async fn install(
    package: &Package,
    site: Site<'_>,
    progress: Progress<'_>,
) -> Result<Receipt, InstallError> {
    let root = package.folder.join(root_name(&package.version.pinned, &package.digest));
    let absolute = site.layout.tools_dir.join(&root);
    let (tools_dir, of_package) = (site.layout.tools_dir.clone(), package.clone());
    blocking(move || prepare(&tools_dir, &of_package)).await?;
    let ground = Ground {
        root: &absolute,
        cache: &site.layout.cache_dir,
        python: site.python.unwrap_or(Path::new("")),
        runtime: site.runtime.map_or(Path::new(""), |runtime| &runtime.path),
        inherited: site.inherited,
    };
    let steps = steps(package, ground);
    let logs = site.layout.logs(&package.folder);
    let total = steps.len() + 1;
    for (number, step) in steps.into_iter().enumerate() {
        progress(number + 1, total, step.title.clone());
        let log = logs.join(format!("{}", number + 1));
        step.run(site.inherited, &log, site.cancel).await?;
    }
    progress(total, total, "asking for its version".to_owned());
    let mut receipt = complete(package, site, root)?;
    let program = receipt.program(&site.layout.tools_dir);
    receipt.version = check(package, &program, &logs.join("version"), site.cancel).await?;
    let (tools_dir, folder) = (site.layout.tools_dir.clone(), package.folder.clone());
    blocking(move || seal(receipt, &tools_dir, &folder)).await
}

/// Asks a program for its version, which is answered.
///
/// # Errors
/// It does not answer, or with another version than the pinned one; a distribution's program may be newer.
pub async fn check(
    package: &Package,
    program: &Program,
    logs: &Path,
    cancel: &CancellationToken,
) -> Result<String, InstallError> {
    let mut step = Step::new("asking for its version", &program.path)
        .args(&package.version.args)
        .ends_with(package.version.exit);
    let first: Vec<&Path> = program.bin_dirs.iter().map(PathBuf::as_path).collect();
    step.env = package.env.clone();
    step.env.push(path(&[("PATH".into(), SYSTEM_PATH.into())], &first));
    step.env.push(("LC_ALL".into(), "C.UTF-8".into()));
    let printed = step.ask(logs, cancel).await?;
    let both = format!("{}\n{}", printed.stdout, printed.stderr);
    let Version { pinned, .. } = &package.version;
    let will_do = |found: &String| {
        if package.recipe.is_exact() { found == pinned } else { version::is_at_least(found, pinned) }
    };
    if let Some(found) = package.version.find_in(&both).filter(will_do) {
        return Ok(found);
    }
    Err(InstallError::WrongVersion {
        program: program.path.clone(),
        wanted: pinned.clone(),
        answered: super::failure::tail_of(&both),
    })
}

/// Removes rests, and what is to be made anew, then puts the lock's files in place.
fn prepare(tools_dir: &Path, package: &Package) -> Result<(), InstallError> {
    let folder = tools_dir.join(&package.folder);
    let name = root_name(&package.version.pinned, &package.digest);
    let counts = Receipt::read(tools_dir, &package.folder).map(|receipt| tools_dir.join(receipt.root));
    let root = folder.join(&name);
    if counts.as_ref().is_none_or(|counts| *counts == root) {
        Receipt::remove(tools_dir, &package.folder)?;
    }
    let making = |error: std::io::Error| InstallError::files("making", &root, error);
    std::fs::create_dir_all(&folder).map_err(making)?;
    let rests = std::fs::read_dir(&folder).map_err(making)?.flatten().map(|entry| entry.path());
    for rest in rests.filter(|path| path.is_dir() && (Some(path) != counts.as_ref() || *path == root)) {
        std::fs::remove_dir_all(&rest).map_err(|error| InstallError::files("removing", &rest, error))?;
    }
    std::fs::create_dir(&root).map_err(making)?;
    for (name, contents) in &package.lock.files {
        std::fs::write(root.join(name), contents).map_err(making)?;
    }
    Ok(())
}

/// What the receipt will say.
fn complete(package: &Package, site: Site<'_>, root: PathBuf) -> Result<Receipt, InstallError> {
    let tools_dir = &site.layout.tools_dir;
    let program = match &package.recipe {
        Recipe::System { package: of } => of_system(&package.program).ok_or_else(|| {
            InstallError::NotOnMachine { program: package.program.clone(), package: of.clone() }
        })?,
        Recipe::Bootstrap | Recipe::Pip | Recipe::Npm | Recipe::Go { .. } => {
            resolve(&tools_dir.join(&root), &package.program).ok_or_else(|| InstallError::NoProgram {
                program: package.program.clone(),
                root: tools_dir.join(&root),
            })?
        }
    };
    let relative = |path: &Path| path.strip_prefix(tools_dir).unwrap_or(path).to_owned();
    let mut bin_dirs: Vec<PathBuf> = program.parent().map(relative).into_iter().collect();
    let mut needs = Vec::new();
    match (&package.recipe, site.runtime) {
        (Recipe::Bootstrap | Recipe::Pip, _) => needs.push(root.join("bin/python")),
        (Recipe::Npm, Some(runtime)) => {
            needs.push(relative(&runtime.path));
            bin_dirs.extend(runtime.bin_dirs.iter().map(|path| relative(path)));
        }
        (Recipe::Npm, None) | (Recipe::Go { .. } | Recipe::System { .. }, _) => {}
    }
    Ok(Receipt {
        version: package.version.pinned.clone(),
        digest: package.digest.clone(),
        installed_at: jiff::Timestamp::now(),
        program: relative(&program),
        root,
        bin_dirs,
        needs,
        bytes: 0,
    })
}

/// Measures, and makes it count.
fn seal(mut receipt: Receipt, tools_dir: &Path, folder: &Path) -> Result<Receipt, InstallError> {
    receipt.bytes = size::of(&tools_dir.join(&receipt.root));
    receipt.write(tools_dir, folder)?;
    Ok(receipt)
}

/// A program of the distribution: where its packages put programs and where the sandbox shows them, nowhere else.
fn of_system(program: &str) -> Option<PathBuf> {
    let folders = SYSTEM_PATH.split(':').map(Path::new);
    folders.map(|folder| folder.join(program)).find(|path| path.is_file())
}

/// The file that `pattern` names below `root`; its `*` stands for the end of one directory's name.
fn resolve(root: &Path, pattern: &str) -> Option<PathBuf> {
    let found = match pattern.split_once('*') {
        None => root.join(pattern),
        Some((before, after)) => {
            let (parent, start) = before.rsplit_once('/').unwrap_or(("", before));
            let mut names: Vec<_> = std::fs::read_dir(root.join(parent))
                .ok()?
                .flatten()
                .map(|entry| entry.path())
                .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(start)))
                .map(|path| path.join(after.trim_start_matches('/')))
                .filter(|path| path.is_file())
                .collect();
            names.sort();
            names.pop()?
        }
    };
    found.is_file().then_some(found)
}

/// Work on the disk never runs on a runtime worker.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, InstallError> + Send + 'static,
) -> Result<T, InstallError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is shutting down.
            Err(_) => Err(InstallError::Cancelled),
        },
    }
}
