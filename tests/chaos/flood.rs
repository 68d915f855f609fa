//! Output of any size costs the daemon no memory: tools write 300 MB to either stream, within their quota and over it.

use std::time::Duration;

use super::calls;
use super::plan::Plan;
use super::proc;
use super::served::Served;
use super::table::Row;
use super::world::{Tool, World, scan};

const BYTES: u64 = 300_000_000;
/// Memory the daemon may take beyond what it had before, in MiB: buffers of pipes and parsers, a tenth of the output.
const GROWTH_MIB_MAX: u64 = 32;
/// Between two looks at the memory.
const LOOK: Duration = Duration::from_millis(20);

pub async fn run(_: Plan) -> Vec<Row> {
    let flood = |stream: &str| format!("{stream} {BYTES}");
    let tools = [
        Tool::new("clean", "report 0"),
        Tool::new("stdout-over", &flood("flood")),
        Tool::new("stderr-over", &flood("flood-stderr")),
        Tool::new("both-over", &flood("flood-both")),
        Tool::new("stdout-within", &flood("flood")).output_mib(512),
        Tool::new("stderr-within", &flood("flood-stderr")).output_mib(512),
        Tool::new("chatty", &flood("chatty")).output_mib(512),
    ];
    let world = World::new(&tools, &["process.output_bytes_max=536870912"]);
    let served = world.serve().await;
    // Whatever a first job allocates for good is not the flood's.
    one(&world, &served, "clean", "clean").await;
    let mut rows = Vec::new();
    for tool in &tools[1..] {
        // A log of any length is no harm to a report that is sound.
        let expected = if tool.name == "chatty" { "clean" } else { "incomplete" };
        rows.push(one(&world, &served, &tool.name, expected).await);
    }
    rows
}

async fn one(world: &World, served: &Served, tool: &str, expected: &str) -> Row {
    let pid = served.pid();
    let before = proc::vitals(pid).rss_kib;
    proc::reset_peak(pid);
    let mut client = served.client().await;
    let job =
        calls::call(&mut client, "scan", &scan(&world.target(), &[tool])).await.expect("room in the queue");
    let job = loop {
        tokio::time::sleep(LOOK).await;
        let job = calls::status(&mut client, &job.job, 0).await.expect("a job of ours");
        if job.is_over() {
            break job;
        }
    };
    let grown = proc::vitals(pid).peak_kib.saturating_sub(before) / 1024;
    Row::new(
        format!("{} MB by {tool}", BYTES / 1_000_000),
        format!("{before} KiB before, {grown} MiB more at most; the run {}", job.run(tool)),
        format!("≤ {GROWTH_MIB_MAX} MiB more, {expected}"),
        grown <= GROWTH_MIB_MAX && job.conclusion == expected,
    )
}
