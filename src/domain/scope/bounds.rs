//! Which URLs may be asked for on the authorities of a scope: those in the target's folder, and those that the plan names
//! itself, unless one of the plan's patterns is found in them.
//!
//! A URL's folder is what browsers take for one: its path up to the last slash. So `http://host/app/` means that folder, and
//! `http://host/` and `http://host/index.html` the whole host.

use core::fmt;
use std::collections::BTreeSet;

use regex::{RegexSet, RegexSetBuilder};
use url::Url;

use super::{Place, Refused};

/// Bytes that the patterns of a plan may compile to: some thousands of plain ones.
const PATTERNS_BYTES_MAX: usize = 1024 * 1024;
/// Longest URL that is held against patterns, in bytes: what servers take, so that no request costs more than some
/// milliseconds. A longer one is refused where there are patterns: it cannot be said to be none of the excluded.
const JUDGED_BYTES_MAX: usize = 8 * 1024;

/// Why a URL of the scope may not be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outside {
    /// By a pattern of the plan.
    Excluded,
    /// Not in this folder.
    Folder(String),
    /// It cannot be seen what would be asked for.
    Hidden,
}

/// Made once per job.
#[derive(Debug, Clone)]
pub struct Bounds {
    excluded: RegexSet,
    /// Begins and ends with a slash.
    folder: String,
    /// Paths in any folder that the plan names itself.
    named: BTreeSet<String>,
    /// Whether the target is one by https.
    is_https: bool,
}

impl Default for Bounds {
    /// Everything on the scope's authorities.
    fn default() -> Self {
        let excluded = RegexSet::empty();
        Self { excluded, folder: "/".to_owned(), named: BTreeSet::new(), is_https: false }
    }
}

impl Bounds {
    /// The bounds of a target, of which `named` are pages that the plan asks for itself.
    ///
    /// # Errors
    /// The patterns cannot be read, are too large together, or exclude the target itself.
    pub fn new(target: &Place, named: &[Place], exclude: &[String]) -> Result<Self, Refused> {
        let excluded = RegexSetBuilder::new(exclude).size_limit(PATTERNS_BYTES_MAX).build();
        let excluded = excluded.map_err(|error| Refused::Exclusions { why: error.to_string() })?;
        let bounds = Self {
            excluded,
            folder: folder(&target.url).to_owned(),
            named: named.iter().map(|place| place.url.path().to_owned()).collect(),
            is_https: target.url.scheme() == "https",
        };
        match bounds.outside(&target.url, target.url.path()) {
            Some(_) => Err(Refused::Exclusions { why: format!("{} itself is excluded", target.url) }),
            None => Ok(bounds),
        }
    }

    /// Why `url` may not be asked for. `asked`: its path and query as they are sent, which servers may read in another
    /// way than we do.
    pub fn outside(&self, url: &Url, asked: &str) -> Option<Outside> {
        if self.excludes(url.as_str(), asked) {
            return Some(Outside::Excluded);
        }
        let path = url.path();
        let is_inside = path.starts_with(&self.folder) || self.named.contains(path);
        (!is_inside).then(|| Outside::Folder(self.folder.clone()))
    }

    /// Why a tunnel may not be had. One to a target by https can: there it is the tools who leave out what is excluded.
    pub fn outside_of_tunnel(&self) -> Option<Outside> {
        let holds_nothing = self.excluded.is_empty() && self.folder == "/";
        (!holds_nothing && !self.is_https).then_some(Outside::Hidden)
    }

    fn excludes(&self, url: &str, asked: &str) -> bool {
        if self.excluded.is_empty() {
            return false;
        }
        if url.len().max(asked.len()) > JUDGED_BYTES_MAX {
            return true;
        }
        let decoded = percent_encoding::percent_decode_str(url).decode_utf8_lossy();
        [url, asked, &decoded].iter().any(|spelling| self.excluded.is_match(spelling))
    }
}

/// The folder of a URL: a slash, or a path between two.
pub fn folder(url: &Url) -> &str {
    let path = url.path();
    &path[..=path.rfind('/').unwrap_or(0)]
}

impl fmt::Display for Outside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Excluded => f.write_str("is excluded from this job"),
            Self::Folder(folder) => write!(f, "is not in this job's folder {folder}"),
            Self::Hidden => f.write_str("is no https target, and a tunnel would hide what is asked for"),
        }
    }
}

#[cfg(test)]
#[path = "bounds_tests.rs"]
mod tests;
