//! The promise: one bad file costs itself only. A tool that dies of it is asked again about the others; it is named, with
//! what it did to the tool, and what is found in all others is what would be found without it.

use std::path::Path;
use std::time::{Duration, Instant};

use proctor::protocol::api::{JobAnswer, RunAnswer, ScanArguments};

use crate::whole::{World, assert_same, fake_manifest, found};

const ANALYSER: &str = "fake-analyser";

/// The manifest of an analyser that takes a directory or files and dies of some.
fn analyser(wall_s: u32) -> String {
    let manifest = fake_manifest("x", wall_s)
        .replace("fake-tool", ANALYSER)
        .replace("\"fake-x\"", "\"fake-analyser\"")
        .replace("args = [\"x\"]", "args = [\"{target}\"]\nargs_for_files = [[\"{file}\"]]");
    assert!(
        manifest.contains("args_for_files") && manifest.contains("name = \"fake-analyser\""),
        "{manifest}"
    );
    manifest
}

/// A target of 40 files with one finding each; those listed say first what the tool is to do.
fn target(world: &World, name: &str, orders: &[(usize, &str)]) -> std::path::PathBuf {
    let order = |number| orders.iter().find(|(at, _)| *at == number).map_or("go on", |(_, order)| order);
    let files: Vec<(String, String)> = (0..40)
        .map(|number| (format!("src/{number:02}.py"), format!("{}\nfind me\n", order(number))))
        .collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    world.target(name, &files)
}

fn run<'a>(job: &'a JobAnswer, tool: &str) -> &'a RunAnswer {
    job.runs.iter().find(|run| run.tool == tool).unwrap()
}

/// Path and reason of each file that a run did not examine.
fn gaps(run: &RunAnswer) -> Vec<(&str, &str)> {
    let coverage = run.coverage.as_ref().unwrap();
    assert_eq!(coverage.examined + coverage.missed, coverage.expected, "{coverage:?}");
    coverage.gaps.iter().map(|gap| (gap.path.as_str(), gap.why.as_str())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_file_that_kills_a_tool_is_named_with_what_it_did() {
    let world = World::with_manifests(&[analyser(8)]).await;
    let orders = [(3, "die SEGV"), (4, "exit 77"), (17, "garbage"), (30, "hang"), (39, "silence")];
    let target = target(&world, "app", &orders);
    let job = world.scan(&target, &[ANALYSER]).await;
    let run = run(&job, ANALYSER);
    assert_eq!((run.state.as_str(), run.findings, run.degraded), ("findings", 35, true), "{run:#?}");
    let said = [
        ("src/03.py", "signalled: "),
        ("src/04.py", "unexpected_exit: "),
        ("src/17.py", "unreadable_report: "),
        ("src/30.py", "timed_out: "),
        ("src/39.py", "empty_report: "),
    ];
    let gaps = gaps(run);
    assert_eq!(gaps.len(), said.len(), "{gaps:?}");
    for ((path, why), (expected, begins)) in gaps.iter().zip(said) {
        assert!(*path == expected && why.starts_with(begins), "{path}: {why}");
    }
    assert!(gaps[1].1.ends_with("(fake-analyser: cannot read src/04.py)"), "{gaps:?}");
    assert_eq!(job.conclusion, "incomplete");
    let paths = world.findings(&job.job).await.into_iter().map(|finding| finding.path);
    let bad: Vec<String> = said.iter().map(|(path, _)| (*path).to_owned()).collect();
    let good: Vec<String> =
        (0..40).map(|number| format!("src/{number:02}.py")).filter(|path| !bad.contains(path)).collect();
    let mut paths: Vec<String> = paths.collect();
    paths.sort();
    assert_eq!(paths, good);
    assert_eq!(world.tool_processes(), 0, "processes of tools are left");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_that_every_file_kills_has_failed_as_it_first_did() {
    let world = World::with_manifests(&[analyser(60)]).await;
    let orders: Vec<(usize, &str)> =
        (0..40).map(|number| (number, if number == 0 { "exit 77" } else { "die SEGV" })).collect();
    let target = target(&world, "app", &orders);
    let job = world.scan(&target, &[ANALYSER]).await;
    let run = run(&job, ANALYSER);
    assert_eq!(run.failure.as_ref().unwrap().reason, "unexpected_exit", "{run:#?}");
    assert_eq!(run.findings, 0);
    world.end().await;
}

/// Far more poison than the search may cost: what is examined is reported, what is not is not called clean.
#[tokio::test(flavor = "multi_thread")]
async fn a_search_that_reaches_its_bound_says_what_was_not_examined() {
    let world = World::with_manifests(&[analyser(60)]).await;
    let files: Vec<(String, String)> = (0..400)
        .map(|number| {
            let order = if number % 4 == 0 { "die SEGV" } else { "go on" };
            (format!("{number:03}.py"), format!("{order}\nfind me\n"))
        })
        .collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    // A first half that is good, so that something is heard.
    let good: Vec<(String, String)> =
        (0..600).map(|number| (format!("a{number:03}.py"), "go on\nfind me\n".to_owned())).collect();
    world.target("app", &files);
    let good: Vec<(&str, &str)> = good.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let target = world.target("app", &good);
    let job = world.scan(&target, &[ANALYSER]).await;
    let run = run(&job, ANALYSER);
    let coverage = run.coverage.as_ref().unwrap();
    assert_eq!((run.state.as_str(), run.degraded, coverage.expected), ("findings", true, 1000), "{run:#?}");
    assert_eq!(run.findings, coverage.examined, "a finding per file that was examined");
    assert!(coverage.examined >= 500 && coverage.missed >= 100, "{} of 1000", coverage.examined);
    let not_examined = coverage.gaps.iter().filter(|gap| gap.why.starts_with("not examined: "));
    assert!(not_examined.count() > 0, "{:#?}", coverage.gaps);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_deadline_of_the_job_ends_the_search() {
    let world = World::with_manifests(&[analyser(2)]).await;
    let orders: Vec<(usize, &str)> = (0..40).map(|number| (number, "hang")).collect();
    let target = target(&world, "app", &orders);
    let mut client = world.client().await;
    let arguments = ScanArguments {
        path: target.to_str().map(str::to_owned),
        tools: vec![ANALYSER.to_owned()],
        wait_s: Some(30),
        deadline_s: Some(4),
        ..ScanArguments::default()
    };
    let began = Instant::now();
    let job: JobAnswer = client.call("scan", &arguments, |_| {}).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(run(&job, ANALYSER).failure.as_ref().unwrap().reason, "timed_out", "{job:#?}");
    world.end().await;
}

/// Bad files for the real tools, small enough for the snapshot: an expression of 9,000 signs, `elif` 3,000 times, and a
/// chain of 20,000 names.
fn add_poison(shop: &Path) {
    let elifs: String = (0..3_000).map(|number| format!("elif x == {number}:\n  pass\n")).collect();
    std::fs::write(shop.join("signs.py"), format!("x = {}1\n", "-".repeat(9_000))).unwrap();
    std::fs::write(shop.join("branches.py"), format!("x = 1\nif x:\n  pass\n{elifs}")).unwrap();
    std::fs::write(shop.join("chain.js"), format!("x = a{}\n", ".b".repeat(20_000))).unwrap();
}

/// All that need no network.
const TOOLS: &[&str] = &["bandit", "detect-secrets", "eslint", "gitleaks", "ruff", "semgrep", "vulture"];

/// Each real tool that some file kills, and the files that do.
const KILLERS: &[(&str, &[&str])] =
    &[("ruff", &["signs.py"]), ("vulture", &["branches.py", "signs.py"]), ("eslint", &["chain.js"])];

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_kills_a_real_tool_is_named_and_the_others_lose_nothing() {
    let world = World::boot().await;
    let shop = world.copy_of("examples/shop", "shop");
    let without = world.scan(&shop, TOOLS).await;
    let expected = found(&world.findings(&without.job).await);
    add_poison(&shop);
    let with = world.scan(&shop, TOOLS).await;
    let bad = |path: &str| ["signs.py", "branches.py", "chain.js"].contains(&path);
    let others: Vec<_> =
        world.findings(&with.job).await.into_iter().filter(|finding| !bad(&finding.path)).collect();
    assert_same(&found(&others), &expected);
    for run in &with.runs {
        assert!(run.failure.is_none(), "{run:#?}");
    }
    for (tool, killers) in KILLERS {
        let run = run(&with, tool);
        let named: Vec<&str> = gaps(run).into_iter().map(|(path, _)| path).collect();
        assert_eq!((named.as_slice(), run.degraded), (*killers, true), "{tool}: {run:#?}");
    }
    world.end().await;
}
