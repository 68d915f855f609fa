//! The promise: the real tools find the same with every wall (`scan.rs` holds that against the oracle), without bubblewrap, and
//! without any.

use std::path::Path;

use serde_json::Value;

use crate::cli::Home;
use crate::whole::tools_dir;

/// What the tools say of the shop: how each run ended, and every finding without what is new in each scan.
fn scan(walls: &[&str], path: &str) -> (Vec<Value>, Vec<String>) {
    let home = Home::new();
    let shop = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/shop");
    let tools = format!("daemon.tools_dir={}", tools_dir().display());
    let mut command = home.command(&["scan", shop.to_str().unwrap(), "--format", "json", "--set", &tools]);
    // Where the daemon looks for bwrap; tools get a PATH of their own.
    let output = command.args(walls).env("PATH", path).output().unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    let runs = answer["job"]["runs"].as_array().unwrap().iter();
    let mut runs: Vec<Value> = runs
        .map(|run| serde_json::json!([run["tool"], run["state"], run["findings"], run["coverage"]]))
        .collect();
    runs.sort_by_key(ToString::to_string);
    let findings = answer["findings"].as_array().unwrap().iter();
    let mut findings: Vec<String> = findings
        .map(|finding| {
            let mut finding = finding.clone();
            for new in ["id", "job"] {
                finding.as_object_mut().unwrap().remove(new);
            }
            finding.to_string()
        })
        .collect();
    findings.sort();
    (runs, findings)
}

#[test]
fn the_tools_find_the_same_with_landlock_alone_as_without_walls() {
    let bare = scan(&["--set", "process.sandbox=off"], "/usr/bin:/bin");
    assert!(bare.1.len() > 100, "the shop is full of defects: {}", bare.1.len());
    // `require` proves that there was a wall, and the path that it was not bubblewrap.
    let walled = scan(&["--set", "process.sandbox=require"], "/nowhere");
    assert_eq!(walled, bare);
}
