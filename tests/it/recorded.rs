//! What the tests of recorded outputs share: where they lie, the verdicts beside them, and ways to damage one.

use std::fs;
use std::path::{Path, PathBuf};

use proctor::domain::finding::Finding;
use proctor::domain::outcome::{Coverage, Outcome};
use proctor::domain::verdict::Verdict;
use proctor::tools::manifest::Manifest;
use proptest::prelude::*;
use serde::Serialize;

pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tools")
}

/// The folders of one tool's recorded runs.
pub fn cases(manifest: &Manifest) -> Vec<PathBuf> {
    let folder = fixtures().join(&manifest.name.0);
    let cases = fs::read_dir(&folder).unwrap_or_else(|_| panic!("{} has no recorded outputs", manifest.name));
    cases.map(|case| case.unwrap().path()).filter(|case| case.is_dir()).collect()
}

/// What `expected.json` holds.
#[derive(Serialize)]
struct Expected<'a> {
    outcome: &'a Outcome,
    coverage: &'a Coverage,
    findings: &'a [Finding],
}

/// Fails for each folder whose `expected.json` is not its verdict; writes them when told to.
pub fn assert_expected(verdicts: impl Iterator<Item = (PathBuf, Verdict)>) {
    let root = fixtures().display().to_string();
    let mut wrong = Vec::new();
    for (folder, Verdict { outcome, coverage, findings }) in verdicts {
        let found = Expected { outcome: &outcome, coverage: &coverage, findings: &findings };
        let found = serde_json::to_string_pretty(&found).unwrap().replace(&root, "@FIXTURES@") + "\n";
        let path = folder.join("expected.json");
        if std::env::var_os("PROCTOR_BLESS").is_some() {
            fs::write(&path, &found).unwrap();
        } else if fs::read_to_string(&path).ok().as_deref() != Some(&*found) {
            wrong.push(format!("{}: found {found}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Where to cut: everywhere in a short output, at about 300 places of a long one.
pub fn cuts(length: usize) -> impl Iterator<Item = usize> {
    (0..length).step_by((length / 300).max(1))
}

pub fn noise() -> Vec<u8> {
    (0..4096_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

/// Where, what, and how many bytes it overwrites.
pub type Mutation = (usize, Vec<u8>, usize);

pub fn mutation() -> impl Strategy<Value = Mutation> {
    let bytes = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..6),
        // What readers of JSON and XML mind most.
        "[\\[\\]{}<>\",:0-9\\-\\\\&;]{1,6}".prop_map(String::into_bytes),
    ];
    (any::<usize>(), bytes, 0..6_usize)
}

pub fn mutate(bytes: &[u8], mutations: &[Mutation]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for (at, put, taken) in mutations {
        let start = at % (bytes.len() + 1);
        let end = (start + taken).min(bytes.len());
        bytes.splice(start..end, put.iter().copied());
    }
    bytes
}
