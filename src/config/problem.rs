//! What is wrong with a configuration, each with its place, its reason and what is allowed.

use std::fmt;
use std::path::Path;

use super::layer::Origin;
use super::schema::{self, KeySpec};

/// Names closer than this (Jaro-Winkler, 0 to 1) are worth suggesting.
const SIMILAR_MIN: f64 = 0.8;

/// One error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub origin: Origin,
    /// `section.name`; empty when the file as a whole is wrong.
    pub key: String,
    pub reason: String,
    /// What would be right.
    pub allowed: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.origin)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.reason)?;
        if !self.allowed.is_empty() {
            write!(f, " (allowed: {})", self.allowed)?;
        }
        Ok(())
    }
}

/// Every error of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl std::error::Error for Problems {}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let noun = if self.0.len() == 1 { "error" } else { "errors" };
        write!(f, "the configuration has {} {noun}", self.0.len())?;
        for problem in &self.0 {
            write!(f, "\n  {problem}")?;
        }
        f.write_str("\nevery key is explained by `proctor config manual`")
    }
}

impl Problem {
    pub fn of_key(spec: &KeySpec, origin: Origin, reason: impl fmt::Display) -> Self {
        Self { origin, key: spec.key.clone(), reason: reason.to_string(), allowed: spec.allowed.to_owned() }
    }

    pub fn of_file(path: &Path, line: usize, reason: String) -> Self {
        Self {
            origin: Origin::File { path: path.to_owned(), line },
            key: String::new(),
            reason,
            allowed: String::new(),
        }
    }

    pub fn outside_section(path: &Path, line: usize, key: &str) -> Self {
        let sections = schema::sections().join("], [");
        Self {
            key: key.to_owned(),
            allowed: format!("a section: [{sections}]"),
            ..Self::of_file(path, line, "stands outside every section".to_owned())
        }
    }

    pub fn unknown(key: &str, origin: Origin) -> Self {
        let reason = match nearest(key) {
            Some(known) => format!("is not a key; did you mean {known}?"),
            None => "is not a key".to_owned(),
        };
        Self { origin, key: key.to_owned(), reason, allowed: String::new() }
    }

    pub fn bad_argument(argument: &str) -> Self {
        Self {
            origin: Origin::CommandLine,
            key: argument.to_owned(),
            reason: "has no value".to_owned(),
            allowed: "section.key=value".to_owned(),
        }
    }
}

/// The known key nearest to a misspelled one: as a whole, or the same name in another section.
fn nearest(key: &str) -> Option<&'static str> {
    let name = |key: &str| key.rsplit('.').next().unwrap_or_default().to_owned();
    let score = |known: &str| {
        let same_name = if name(known) == name(key) { 1.0 } else { 0.0 };
        strsim::jaro_winkler(known, key).max(same_name)
    };
    schema::keys()
        .iter()
        .map(|spec| (score(&spec.key), spec.key.as_str()))
        .filter(|(score, _)| *score >= SIMILAR_MIN)
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(_, known)| known)
}
