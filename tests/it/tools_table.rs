//! Promise: `docs/tools.md` says what the manifests say.
//!
//! `PROCTOR_BLESS=1 cargo test --test it tools_table` writes it anew.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use proctor::tools::catalogue::Catalogue;
use proctor::tools::manifest::{InstallKind, Manifest};

const HEAD: &str = "# Tools

One row per manifest of `src/tools/catalogue/`; `tests/it/tools_table.rs` keeps it so. A user's own manifests look the same.
Every run sees an immutable snapshot, our configuration (`config/tools/`) and a home of its own; comments in the target
silence nothing where the tool has a flag against it.

| tool | what for | reads | version | network | wall limit | cores, memory | proof of work |
|---|---|---|---|---|---|---|---|
";

const TAIL: &str = "
**Proof of work**: how the tool shows which files it read. A file that it does not show is counted as missed and named,
and a run that shows none has failed, whatever its exit code.
";

fn runtime(manifest: &Manifest) -> &'static str {
    match manifest.install.as_ref().map(|install| install.kind) {
        Some(InstallKind::Pip) => "pip",
        Some(InstallKind::Npm) => "npm",
        Some(InstallKind::Go) => "Go",
        None => "yours",
    }
}

fn row(manifest: &Manifest) -> String {
    let globs = manifest.applies.files.iter().map(|glob| format!("`{}`", glob.trim_start_matches("**/")));
    let limits = manifest.limits;
    let weights = manifest.weights;
    format!(
        "| {} | {} | {} | {} ({}) | {} | {} s | {}, {} MB | {} |",
        manifest.name,
        manifest.summary,
        globs.collect::<Vec<_>>().join(" "),
        manifest.version.pinned,
        runtime(manifest),
        if manifest.network { "needed" } else { "no" },
        limits.wall.as_secs(),
        weights.cpu,
        weights.memory_mb,
        manifest.report.format.proof(),
    )
}

#[test]
fn the_table_of_tools_says_what_the_manifests_say() {
    let mut table = HEAD.to_owned();
    for manifest in Catalogue::builtin().unwrap().iter() {
        writeln!(table, "{}", row(manifest)).unwrap();
    }
    table.push_str(TAIL);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/tools.md");
    if std::env::var_os("PROCTOR_BLESS").is_some() {
        fs::write(&path, &table).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(found, table, "docs/tools.md is stale; PROCTOR_BLESS=1 writes it anew");
}
