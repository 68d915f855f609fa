//! Hours of work leave nothing in the daemon: jobs of every kind at once, again and again, some of them cancelled. Memory
//! does not climb; descriptors, threads and processes are back where they were.

use std::cell::Cell;
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use super::calls;
use super::figures::{median, slope};
use super::leftovers::Leftovers;
use super::plan::Plan;
use super::proc::{self, Vitals};
use super::rng::Rng;
use super::served::Served;
use super::table::Row;
use super::world::{Tool, World, scan, until};

const TOOLS: &[(&str, &str)] = &[
    ("clean", "report 0"),
    ("finds", "report 5"),
    ("nap", "nap 0.3 1"),
    ("fails", "fail 3"),
    ("dies", "die SEGV"),
    ("half", "half"),
    ("forks", "escape"),
    ("hangs", "hang"),
    ("floods", "flood 8000000"),
];
/// The part of the time that is not judged: caches fill, pools grow to what the load needs.
const WARM_UP: f64 = 0.25;
const LOOK: Duration = Duration::from_millis(500);
const SLOPE_MAX_MIB_PER_H: f64 = 1.0;
/// A window this short says nothing about hours; what it can say is that nothing leaks by the job.
const SLOPE_NEEDS: Duration = Duration::from_secs(600);
const GROWTH_MAX_MIB: f64 = 16.0;
/// Idle threads of the runtime's blocking pool end after 10 s without work. They take turns, so one piece of work a second
/// (the daemon looks at memory and disk) keeps this many alive that a burst has made.
const IDLE_THREADS: u64 = 10;
/// What has ended is gone by then.
const BASELINE_WITHIN: Duration = Duration::from_secs(20);

pub async fn run(plan: Plan) -> Vec<Row> {
    let at_once = plan.scale.count(12, 50);
    let tools: Vec<Tool> = TOOLS.iter().map(|(name, args)| Tool::new(name, args).wall_s(2)).collect();
    let slots = ["running_max", "cpu_slots"].map(|key| format!("jobs.{key}={at_once}"));
    let world = World::new(&tools, &[&slots[0], &slots[1], "process.grace_s=1"]);
    let served = world.serve().await;
    // What a first job takes for good belongs to the baseline.
    round(&world, &served, &mut Rng::new(plan.seed)).await;
    let (before, began) = (rested(&served, None).await, Instant::now());
    let end = began + plan.scale.seconds(30, 1_800);
    let end = plan.until.map_or(end, |until| until.min(end));
    let jobs = Cell::new(0);
    let workers = (0..at_once).map(|worker| {
        let (world, served, jobs) = (&world, &served, &jobs);
        let mut rng = Rng::stream(plan.seed, &format!("soak-{worker}"));
        async move {
            while Instant::now() < end {
                round(world, served, &mut rng).await;
                jobs.set(jobs.get() + 1);
            }
        }
    });
    let (_, samples, seen) = tokio::join!(join_all(workers), watch(&served, end), midway(&world));
    let after = rested(&served, Some(before)).await;
    let done = format!("{} jobs, {at_once} at once, {:.0} s", jobs.get(), began.elapsed().as_secs_f64());
    vec![memory(&done, &samples), baseline(&done, before, after), Leftovers::row(&world, &done, &seen).await]
}

/// One job, to its end; every eighth is cancelled on the way.
async fn round(world: &World, served: &Served, rng: &mut Rng) {
    let (tool, _) = rng.pick(TOOLS);
    let mut client = served.client().await;
    let submitted = calls::call(&mut client, "scan", &scan(&world.target(), &[tool])).await;
    let job = submitted.expect("room in the queue").job;
    if rng.below(8) == 0 {
        tokio::time::sleep(rng.between(Duration::ZERO..Duration::from_millis(300))).await;
        calls::cancel(&mut client, &job, 0).await.expect("a job of ours");
    }
    calls::end_of(&mut client, &job).await.expect("a job of ours");
    client.close().await;
}

/// Memory over time, in hours and MiB.
async fn watch(served: &Served, end: Instant) -> Vec<(f64, f64)> {
    let (began, mut samples) = (Instant::now(), Vec::new());
    while Instant::now() < end {
        let rss = proc::vitals(served.pid()).rss_kib;
        samples.push((began.elapsed().as_secs_f64() / 3_600.0, rss as f64 / 1024.0));
        tokio::time::sleep(LOOK).await;
    }
    let warm = (samples.len() as f64 * WARM_UP) as usize;
    samples.split_off(warm)
}

async fn midway(world: &World) -> Leftovers {
    tokio::time::sleep(Duration::from_secs(2)).await;
    Leftovers::look(world)
}

fn memory(done: &str, samples: &[(f64, f64)]) -> Row {
    let hours = samples.last().map_or(0.0, |last| last.0) - samples.first().map_or(0.0, |first| first.0);
    let of = |part: &[(f64, f64)]| median(&mut part.iter().map(|(_, mib)| *mib).collect::<Vec<_>>());
    let third = samples.len() / 3;
    let (first, last) = (of(&samples[..third]), of(&samples[samples.len() - third..]));
    // A point every few seconds is plenty, and pairs are counted by the square.
    let thinned: Vec<_> = samples.iter().step_by(samples.len() / 600 + 1).copied().collect();
    let slope = slope(&thinned);
    let figures =
        format!("median {first:.1} MiB in the first third, {last:.1} in the last; {slope:+.2} MiB/h");
    match hours * 3_600.0 >= SLOPE_NEEDS.as_secs_f64() {
        true => Row::new(done, figures, "slope ≤ 1 MiB/h after warm-up", slope <= SLOPE_MAX_MIB_PER_H),
        false => {
            let bound = "≤ 16 MiB more from first to last third (too short for a slope)";
            Row::new(done, figures, bound, last - first <= GROWTH_MAX_MIB)
        }
    }
}

fn baseline(done: &str, before: Vitals, after: Vitals) -> Row {
    let shown = |vitals: Vitals| format!("{} descriptors, {} threads", vitals.descriptors, vitals.threads);
    Row::new(
        done,
        format!("{}, before {}", shown(after), shown(before)),
        format!("back to what it was (≤ {IDLE_THREADS} idle threads of the pool more)"),
        is_back(before, after),
    )
}

fn is_back(before: Vitals, after: Vitals) -> bool {
    after.descriptors <= before.descriptors && after.threads <= before.threads + IDLE_THREADS
}

/// The daemon at rest: nothing below it, and not more than `before`, if that comes in time.
async fn rested(served: &Served, before: Option<Vitals>) -> Vitals {
    let pid = served.pid();
    let rests = || {
        let vitals = proc::vitals(pid);
        proc::below(pid).is_empty() && before.is_none_or(|before| is_back(before, vitals))
    };
    if before.is_none() {
        // The blocking pool of the first job, too.
        tokio::time::sleep(Duration::from_secs(11)).await;
    }
    until(BASELINE_WITHIN, rests).await;
    proc::vitals(pid)
}
