//! The promise: what a tool writes goes to the disk, not into the daemon's memory. What is no report costs nothing, however
//! much it is; a report costs a small multiple of its size, once.

use std::fs;
use std::io::{BufWriter, Write as _};

use serde_json::{Value, json};

use crate::cli::Home;
use crate::cli_scan::{Served, world};

/// More than any report, under the quota that the tests set.
const CHATTER_BYTES: u64 = 300_000_000;
/// What the daemon may grow by while it reads all of that: pipes, buffers, a thread or two.
const FLAT_KIB: u64 = 32 * 1024;
/// A large report: 24,000 results of 2.5 kB.
const RESULTS: u32 = 24_000;
const REPORT_BYTES: u64 = 60_000_000;
/// What reading and storing it may cost: the text, its values, the findings, and what the allocator keeps of each.
const REPORT_COST: u64 = 6;

/// A tool that a shell script is.
fn tool(home: &Home, name: &str, script: &str, output_mib: u32) {
    tool_of(home, name, script, output_mib, "sarif");
}

fn tool_of(home: &Home, name: &str, script: &str, output_mib: u32, format: &str) {
    let manifest = format!(
        r#"
name = "{name}"
summary = "writes a lot"
network = false
[version]
pinned = "1"
args = ["-c", "true"]
[applies]
files = ["**/*.py"]
[run]
program = "/bin/sh"
args = ["-c", {script}]
cwd = "neutral"
[report]
from = "stdout"
format = "{format}"
[exit]
0 = "either"
[limits]
wall_s = 300
output_mib = {output_mib}
[weights]
cpu = 1
memory_mb = 16
[severity]
default = "medium"
"#,
        script = json!(script),
    );
    home.write(&format!("manifests/{name}.toml"), &manifest);
}

fn memory(served: &Served, field: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", served.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

/// By how many KiB the daemon's memory rises over what it was, at most, during `work`.
fn growth<T>(served: &Served, work: impl FnOnce() -> T) -> (T, u64) {
    fs::write(format!("/proc/{}/clear_refs", served.pid()), "5").unwrap();
    let before = memory(served, "VmRSS:");
    let done = work();
    (done, memory(served, "VmHWM:").saturating_sub(before))
}

fn scan(home: &Home, tool: &str, code: i32) -> Value {
    let scan = ["scan", "target", "--tools", tool, "-q", "--format", "json"];
    serde_json::from_str(&home.run(&scan).expect(code).stdout).unwrap()
}

#[test]
fn what_is_no_report_costs_no_memory_however_much_it_is() {
    let home = world();
    let finds = home.path().join("finds.sarif");
    let flood = format!("head -c {CHATTER_BYTES} /dev/zero");
    tool(&home, "talks", &format!("cat {}; {flood} >&2", finds.display()), 512);
    tool(&home, "floods", &flood, 256);
    tool(&home, "floods-stderr", &format!("{flood} >&2"), 256);
    let settings = home.path().join(".config/proctor/proctor.toml");
    let text = fs::read_to_string(&settings).unwrap();
    fs::write(&settings, text.replace("[process]\n", "[process]\noutput_bytes_max = 536870912\n")).unwrap();
    let served = Served::start(&home);
    scan(&home, "finds", 1);

    // Within its quota, beside a report: the report counts.
    let (found, grown) = growth(&served, || scan(&home, "talks", 1));
    assert_eq!((&found["total"], &found["job"]["conclusion"]), (&json!(1), &json!("findings")));
    println!("300 MB of stderr beside a report: {grown} KiB");
    assert!(grown < FLAT_KIB, "{grown} KiB");
    // Over its quota: it is ended, and nobody looks at it.
    for tool in ["floods", "floods-stderr"] {
        let (found, grown) = growth(&served, || scan(&home, tool, 2));
        assert_eq!(found["job"]["runs"][0]["failure"]["reason"], "output_flood", "{found:#}");
        println!("{tool}, 300 MB: {grown} KiB");
        assert!(grown < FLAT_KIB, "{tool}: {grown} KiB");
    }
    assert_eq!(served.stop(), Some(0));
}

/// A log of this format names the files that were not read. Its end alone would make the others look clean.
#[test]
fn a_log_that_is_evidence_is_read_whole_or_the_report_is_not_believed() {
    let home = world();
    let log = |bytes: u64| format!("echo '[]'; head -c {bytes} /dev/zero | tr '\\0' '\\n' >&2");
    tool_of(&home, "logs", &log(20_000_000), 64, "ruff");
    let served = Served::start(&home);
    let found = scan(&home, "logs", 2);
    let failure = &found["job"]["runs"][0]["failure"];
    assert_eq!(failure["reason"], "unreadable_report", "{found:#}");
    assert!(failure["detail"].as_str().unwrap().contains("standard error"), "{failure}");
    assert_eq!(served.stop(), Some(0));
}

fn write_large_report(home: &Home) -> String {
    let path = home.path().join("large.sarif");
    let mut file = BufWriter::new(fs::File::create(&path).unwrap());
    let head = r#"{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"prepared"}},
        "artifacts":[{"location":{"uri":"app.py"},"roles":["analysisTarget"]}],"results":["#;
    file.write_all(head.as_bytes()).unwrap();
    for number in 0..RESULTS {
        let text = format!("{number} {}", "lorem ipsum ".repeat(200));
        let result = json!({
            "ruleId": format!("R{number}"),
            "level": "error",
            "message": { "text": text },
            "locations": [{ "physicalLocation": {
                "artifactLocation": { "uri": "app.py" }, "region": { "startLine": 1 + number % 3 } } }],
        });
        let comma = if number > 0 { "," } else { "" };
        write!(file, "{comma}{result}").unwrap();
    }
    file.write_all(b"]}]}").unwrap();
    file.into_inner().unwrap().sync_all().unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_report_of_60_mb_is_read_stored_and_exported_within_a_multiple_of_its_size() {
    let home = world();
    let large = write_large_report(&home);
    let bytes = fs::metadata(&large).unwrap().len();
    assert!(bytes >= REPORT_BYTES, "{bytes}");
    tool(&home, "large", &format!("cat {large}"), 128);
    let settings = home.path().join(".config/proctor/proctor.toml");
    let text = fs::read_to_string(&settings).unwrap();
    fs::write(&settings, text.replace("sandbox_readable = [", &format!("sandbox_readable = [{large:?}, ")))
        .unwrap();
    let served = Served::start(&home);
    scan(&home, "finds", 1);
    let (job, grown) = growth(&served, || {
        let ended = home.run(&["scan", "target", "--tools", "large"]).expect(1);
        crate::cli_scan::job_of_line(ended.stderr.lines().find(|line| line.starts_with("scanning ")).unwrap())
    });
    println!("a report of {bytes} bytes: {grown} KiB at its peak");
    assert!(grown * 1024 < bytes * REPORT_COST, "{grown} KiB");
    let out = home.path().join("out.sarif").to_str().unwrap().to_owned();
    let (_, grown) =
        growth(&served, || home.run(&["results", &job, "--format", "sarif", "-o", &out]).expect(1));
    let exported: Value = serde_json::from_slice(&fs::read(&out).unwrap()).unwrap();
    assert_eq!(exported["runs"][0]["results"].as_array().unwrap().len(), RESULTS as usize);
    println!("its export of {} bytes: {grown} KiB at its peak", fs::metadata(&out).unwrap().len());
    assert!(grown * 1024 < bytes * REPORT_COST, "{grown} KiB");
    assert_eq!(served.stop(), Some(0));
}
