//! The job engine of the real daemon, as a process: submit to durable answer, jobs and events per second, restart to ready;
//! each beside a bare measure of the same run.
//!
//! `cargo bench --bench jobs`; numbers after `--` set the seconds per cell and the jobs of the large store.

#![expect(clippy::print_stdout, reason = "its output is its purpose")]

#[path = "jobs/fill.rs"]
mod fill;
#[path = "../tests/chaos/calls.rs"]
#[expect(dead_code, reason = "the campaign asks for more")]
mod calls;
#[path = "../tests/chaos/figures.rs"]
#[expect(dead_code, reason = "the campaign asks for more")]
mod figures;
#[path = "../tests/chaos/served.rs"]
#[expect(dead_code, reason = "the campaign asks for more")]
mod served;
#[path = "../tests/chaos/world.rs"]
#[expect(dead_code, reason = "the campaign asks for more")]
mod world;

use std::cell::Cell;
use std::path::Path;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use nix::sys::signal::Signal;
use proctor::actors::server::spawn;
use proctor::actors::store::{Store, StoreArguments, StoreServer};
use proctor::domain::ids::BootId;
use proctor::domain::job::{JobEvent, RunState};
use proctor::domain::lease::Fence;
use proctor::store::record::Submission;
use rusqlite::Connection;

use figures::{Times, ms};
use served::Served;
use world::{Tool, World, scan};

/// Jobs of the large store, unless the command line says otherwise.
const STORED: usize = 100_000;
/// Clients and writers where throughput is asked for.
const AT_ONCE: usize = 32;
/// Starts of each store.
const STARTS: usize = 5;
/// Bytes of a bare row: about what a new job has.
const ROW_BYTES: usize = 400;

fn main() {
    // `cargo bench` passes `--bench`; what is ours are numbers.
    let mut numbers = std::env::args().filter_map(|word| word.parse::<f64>().ok());
    let span = Duration::from_secs_f64(numbers.next().unwrap_or(5.0));
    let stored = numbers.next().map_or(STORED, |number| number as usize);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        submits(span, stored).await;
        throughput(span).await;
        events(span).await;
        restarts(stored).await;
    });
}

/// Submit to durable answer, at an empty and at a large store.
async fn submits(span: Duration, stored: usize) {
    println!("| submit to durable answer | one at a time | {AT_ONCE} at once |\n|---|---|---|");
    let bare = bare_rows(span);
    println!("| bare SQLite, a row and its fsync | {} | |", bare.summary());
    for jobs in [0, stored] {
        // One job holds the only place, so that what is submitted is stored and waits.
        let settings = ["jobs.running_max=1", "jobs.queue_max=100000", "jobs.queue_per_principal_max=100000"];
        let world = World::new(&[Tool::new("hang", "hang")], &settings);
        fill::fill(&world.data_dir(), jobs);
        let served = world.serve().await;
        submit_for(&world, &served, Duration::from_millis(200)).await;
        let (one, began) = (submit_for(&world, &served, span).await, Instant::now());
        let all = join_all((0..AT_ONCE).map(|_| submit_for(&world, &served, span))).await;
        let count: usize = all.iter().map(Times::len).sum();
        println!(
            "| proctor over WebSocket, {jobs} jobs stored | {} (p50 {:.1} × bare) | {:.0}/s |",
            one.summary(),
            one.at(0.5).as_secs_f64() / bare.at(0.5).as_secs_f64(),
            count as f64 / began.elapsed().as_secs_f64(),
        );
    }
}

async fn submit_for(world: &World, served: &Served, span: Duration) -> Times {
    let (mut client, target) = (served.client().await, world.target());
    let (arguments, mut times, end) = (scan(&target, &["hang"]), Times::default(), Instant::now() + span);
    while Instant::now() < end {
        let began = Instant::now();
        calls::call(&mut client, "scan", &arguments).await.expect("room in the queue");
        times.add(began.elapsed());
    }
    times
}

/// Commits of one row each, with the daemon's settings and nothing else.
fn bare_rows(span: Duration) -> Times {
    let folder = tempfile::tempdir().expect("a folder");
    let connection = Connection::open(folder.path().join("bare.db")).expect("a database");
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())).expect("WAL");
    connection.pragma_update(None, "synchronous", "FULL").expect("FULL");
    connection.execute_batch("CREATE TABLE rows (id INTEGER PRIMARY KEY, body TEXT)").expect("a table");
    let (body, mut times, end) = ("x".repeat(ROW_BYTES), Times::default(), Instant::now() + span);
    while Instant::now() < end {
        let began = Instant::now();
        connection.execute("INSERT INTO rows (body) VALUES (?1)", [&body]).expect("a row");
        times.add(began.elapsed());
    }
    times
}

/// Jobs of a tool that does next to nothing, against bare starts of that tool.
async fn throughput(span: Duration) {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let bare = bare_starts(span, cores);
    let world = World::new(&[Tool::new("clean", "report 0")], &["jobs.running_max=16"]);
    let served = world.serve().await;
    let (done, end) = (Cell::new(0_usize), Instant::now() + span);
    let times = join_all((0..AT_ONCE / 2).map(|_| async {
        let (mut client, mut times) = (served.client().await, Times::default());
        let mut arguments = scan(&world.target(), &["clean"]);
        arguments["wait_s"] = 45.into();
        while Instant::now() < end {
            let began = Instant::now();
            let job = calls::call(&mut client, "scan", &arguments).await.expect("room in the queue");
            assert_eq!(job.conclusion, "clean", "{job:?}");
            times.add(began.elapsed());
            done.set(done.get() + 1);
        }
        times
    }));
    let mut all = Times::default();
    times.await.into_iter().for_each(|times| all.extend(times));
    let per_second = done.get() as f64 / span.as_secs_f64();
    println!("\n| no-op tool, {cores} cores | per second | a job |\n|---|---|---|");
    println!("| bare start to end, {cores} at once | {bare:.0} | |");
    println!(
        "| job over WebSocket: copied, stored, contained, judged, answered; {} clients | {per_second:.0} ({:.2} × bare) | {} |",
        AT_ONCE / 2,
        per_second / bare,
        all.summary()
    );
}

#[expect(clippy::disallowed_methods, reason = "the measure the daemon is held against")]
fn bare_starts(span: Duration, threads: usize) -> f64 {
    let tool = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/bin/fake-tool");
    let end = Instant::now() + span;
    let one = || {
        let mut count = 0_usize;
        while Instant::now() < end {
            let output = std::process::Command::new(&tool).args(["report", "0"]).output().expect("it starts");
            assert!(output.status.success());
            count += 1;
        }
        count
    };
    let count: usize = std::thread::scope(|scope| {
        let started: Vec<_> = (0..threads).map(|_| scope.spawn(one)).collect();
        started.into_iter().map(|thread| thread.join().expect("it counts")).sum()
    });
    count as f64 / span.as_secs_f64()
}

/// Events of jobs, each durable before its writer goes on.
async fn events(span: Duration) {
    let folder = tempfile::tempdir().expect("a folder");
    let arguments = StoreArguments::new(folder.path().to_owned(), BootId::from_random(fill::random()));
    let store = Store::bound_to(spawn::<StoreServer>(arguments).await.expect("a store").address);
    println!("\n| durable events | per second | one |\n|---|---|---|");
    for writers in [1, AT_ONCE] {
        let end = Instant::now() + span;
        let mut all = Times::default();
        for times in join_all((0..writers).map(|_| write_events(&store, end))).await {
            all.extend(times);
        }
        println!("| {writers} writers | {:.0} | {} |", all.len() as f64 / span.as_secs_f64(), all.summary());
    }
}

async fn write_events(store: &Store, end: Instant) -> Times {
    let (job, run) = (fill::job(), fill::run());
    let (id, run_id, fence) = (job.id, run.id, Fence::Attempt(1));
    store.submit(Submission::alone(job)).await.expect("a new job");
    for event in [JobEvent::Started, JobEvent::Planned { runs: vec![run] }] {
        store.record(id, Fence::Any, event, Vec::new()).await.expect("written");
    }
    let mut times = Times::default();
    while Instant::now() < end {
        let to = if times.len().is_multiple_of(2) { RunState::Running } else { RunState::Parsing };
        let event = JobEvent::RunMoved { run: run_id, to, tool_version: None };
        let began = Instant::now();
        assert!(store.record(id, fence, event, Vec::new()).await.expect("written"), "it changed something");
        times.add(began.elapsed());
    }
    times
}

/// From exec to `/readyz`, after a kill -9, by what is stored.
async fn restarts(stored: usize) {
    println!("\n| jobs stored | database | exec to ready, {STARTS} starts after kill -9 |\n|---|---|---|");
    for jobs in [0, stored / 10, stored] {
        let world = World::new(&[Tool::new("clean", "report 0")], &[]);
        fill::fill(&world.data_dir(), jobs);
        let mut times = Times::default();
        for _ in 0..STARTS {
            let mut served = world.serve().await;
            times.add(served.took);
            served.signal(Signal::SIGKILL);
            served.wait().await;
        }
        let bytes =
            std::fs::metadata(world.data_dir().join("proctor.db")).map_or(0, |metadata| metadata.len());
        println!(
            "| {jobs} | {:.1} MB | median {}, max {} |",
            bytes as f64 / 1e6,
            ms(times.at(0.5)),
            ms(times.max())
        );
    }
}
