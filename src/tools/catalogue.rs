//! All tools: the manifests inside the binary, and those of a user's directory.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::Path;

use include_dir::{Dir, include_dir};

use super::manifest::Manifest;
use super::read;
use crate::domain::ids::ToolName;

/// Manifests, relative to this crate; one per tool.
static BUILTIN: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/src/tools/catalogue");
/// Our configuration of each tool, `<tool>/<file>`: the daemon writes it to its data directory and hands the tool the
/// path as `{config}`.
pub static TOOL_CONFIG: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/config/tools");

/// Largest manifest read, in bytes: the largest of ours has 4 KiB.
const MANIFEST_BYTES_MAX: u64 = 256 * 1024;
/// Most manifests of a user's directory: every one costs a run per job.
const USER_MANIFESTS_MAX: usize = 100;

/// One thing wrong with one manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {key}: {reason}")]
pub struct ManifestError {
    pub file: String,
    /// Dotted path of the key; `-` for the file as a whole.
    pub key: String,
    pub reason: String,
}

impl ManifestError {
    fn of_file(file: &Path, reason: impl Into<String>) -> Self {
        Self { file: file.display().to_string(), key: "-".to_owned(), reason: reason.into() }
    }
}

/// The tools that there are.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    tools: BTreeMap<ToolName, Manifest>,
}

impl Catalogue {
    /// The tools that come with proctor.
    ///
    /// # Errors
    /// Everything that is wrong with our own manifests: a defect that the tests find.
    pub fn builtin() -> Result<Self, Vec<ManifestError>> {
        let files = BUILTIN.files().filter(|file| has_toml_name(file.path()));
        let texts = files.map(|file| {
            let text = file.contents_utf8();
            let text = text.ok_or_else(|| ManifestError::of_file(file.path(), "not UTF-8"));
            (file.path().display().to_string(), text.map(str::to_owned))
        });
        let mut catalogue = Self { tools: BTreeMap::new() };
        catalogue.add(texts)?;
        Ok(catalogue)
    }

    /// The tools that come with proctor, and the user's own if `directory` is there.
    ///
    /// # Errors
    /// Everything that is wrong with any manifest.
    pub fn with_own(directory: &Path) -> Result<Self, Vec<ManifestError>> {
        if directory.is_dir() { Self::with_user_dir(directory) } else { Self::builtin() }
    }

    /// The tools that come with proctor and those of `directory`, whose `*.toml` files are read in the order of their
    /// names. A name may be given once only: a user's manifest does not replace one of ours.
    ///
    /// # Errors
    /// Everything that is wrong with any manifest.
    pub fn with_user_dir(directory: &Path) -> Result<Self, Vec<ManifestError>> {
        let mut catalogue = Self::builtin()?;
        let paths = user_manifests(directory).map_err(|error| vec![error])?;
        let texts = paths.into_iter().map(|path| (path.display().to_string(), read_bounded(&path)));
        catalogue.add(texts)?;
        Ok(catalogue)
    }

    /// The tool of that name.
    pub fn get(&self, name: &ToolName) -> Option<&Manifest> {
        self.tools.get(name)
    }

    /// All tools, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Manifest> {
        self.tools.values()
    }

    /// The tools asked for (every one, when none is named) with their versions, as one text: equal for equal work.
    pub fn versions(&self, asked: &[ToolName]) -> String {
        let chosen = self.iter().filter(|manifest| asked.is_empty() || asked.contains(&manifest.name));
        chosen.map(|manifest| format!("{}={}\n", manifest.name, manifest.version.pinned)).collect()
    }

    /// File names that no snapshot holds, because they steer a tool from inside the target: `(glob, tool)`.
    pub fn left_out(&self) -> impl Iterator<Item = (&str, &ToolName)> {
        self.iter().flat_map(|tool| {
            let names = tool.files().into_iter().flat_map(|files| &files.leave_out);
            names.map(|name| (name.as_str(), &tool.name))
        })
    }

    fn add(
        &mut self,
        texts: impl Iterator<Item = (String, Result<String, ManifestError>)>,
    ) -> Result<(), Vec<ManifestError>> {
        let mut errors = Vec::new();
        for (file, text) in texts {
            let manifest = text.map_err(|error| vec![error]).and_then(|text| read::manifest(&file, &text));
            match manifest {
                Ok(manifest) => errors.extend(self.add_one(&file, manifest).err()),
                Err(found) => errors.extend(found),
            }
        }
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    fn add_one(&mut self, file: &str, manifest: Manifest) -> Result<(), ManifestError> {
        match self.tools.entry(manifest.name.clone()) {
            Entry::Vacant(free) => {
                free.insert(manifest);
                Ok(())
            }
            Entry::Occupied(taken) => Err(ManifestError {
                file: file.to_owned(),
                key: "name".to_owned(),
                reason: format!("a tool named {:?} is there already", taken.key().0),
            }),
        }
    }
}

fn has_toml_name(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "toml")
}

fn user_manifests(directory: &Path) -> Result<Vec<std::path::PathBuf>, ManifestError> {
    let unreadable =
        |error: std::io::Error| ManifestError::of_file(directory, format!("cannot be read: {error}"));
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if has_toml_name(&path) {
            paths.push(path);
        }
        if paths.len() > USER_MANIFESTS_MAX {
            let reason = format!("holds more than {USER_MANIFESTS_MAX} manifests");
            return Err(ManifestError::of_file(directory, reason));
        }
    }
    paths.sort();
    Ok(paths)
}

fn read_bounded(path: &Path) -> Result<String, ManifestError> {
    let unreadable = |error: std::io::Error| ManifestError::of_file(path, format!("cannot be read: {error}"));
    let metadata = std::fs::metadata(path).map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(ManifestError::of_file(path, "not a file"));
    }
    if metadata.len() > MANIFEST_BYTES_MAX {
        let reason = format!("larger than {MANIFEST_BYTES_MAX} bytes");
        return Err(ManifestError::of_file(path, reason));
    }
    std::fs::read_to_string(path).map_err(unreadable)
}
