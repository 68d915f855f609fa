//! Promise: `docs/tools.md` says what the manifests say.
//!
//! `PROCTOR_BLESS=1 cargo test --test it tools_table` writes it anew.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use proctor::tools::catalogue::Catalogue;
use proctor::tools::manifest::{InstallKind, Manifest, Origin};

const HEAD: &str = "# Tools

One row per manifest of `src/tools/catalogue/`; `tests/it/tools_table.rs` keeps it so. A user's own manifests look the same.
Every run sees an immutable snapshot, our configuration (`config/tools/`) and a home of its own; comments in the target
silence nothing where the tool has a flag against it.

| tool | what for | looks at | version | network | wall limit | cores, memory | proof of work |
|---|---|---|---|---|---|---|---|
";

const TAIL: &str = "
**Proof of work**: how the tool shows which files it read. A file that it does not show is counted as missed and named,
and a run that shows none has failed, whatever its exit code.
";

fn version(manifest: &Manifest) -> String {
    let from = match manifest.program().map(|program| &program.origin) {
        Some(Origin::Installed(install)) => match install.kind {
            InstallKind::Pip => "pip",
            InstallKind::Npm => "npm",
            InstallKind::Go => "Go",
        },
        Some(Origin::System(system)) => {
            return format!("{} or newer (apt: {})", manifest.version.pinned, system.package);
        }
        Some(Origin::Brought(_)) => "yours",
        Some(Origin::Image { image, .. }) => return format!("image {image}"),
        None => return "proctor's own".to_owned(),
    };
    format!("{} ({from})", manifest.version.pinned)
}

fn looks_at(manifest: &Manifest) -> String {
    if let Some(intrusion) = manifest.intrusion() {
        return format!("running web apps, {}", intrusion.word());
    }
    let globs = manifest.files().into_iter().flat_map(|files| &files.files);
    let globs = globs.map(|glob| format!("`{}`", glob.trim_start_matches("**/")));
    globs.collect::<Vec<_>>().join(" ")
}

fn row(manifest: &Manifest) -> String {
    let limits = manifest.limits;
    let weights = manifest.weights;
    format!(
        "| {} | {} | {} | {} | {} | {} s | {}, {} MB | {} |",
        manifest.name,
        manifest.summary,
        looks_at(manifest),
        version(manifest),
        if manifest.network { "needed" } else { "no" },
        limits.wall.as_secs(),
        weights.cpu,
        weights.memory_mb,
        manifest.program().map_or("it says itself what it asked", |program| program.report.format.proof()),
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
