//! Cancel means dead: jobs are cancelled at random moments, over tools that succeed late, fork, leave their session, are
//! deaf to SIGTERM, bomb and flood. A job may end by itself before its cancel comes; a tool that reports only because it
//! was told to stop must not be believed.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use proctor::actors::process::Containment;
use proctor::cli::client::Client;

use super::calls::{self, Job};
use super::figures::{Times, ms};
use super::leftovers::Leftovers;
use super::plan::{LENIENCE, Plan};
use super::rng::Rng;
use super::served::Served;
use super::table::Row;
use super::world::{Tool, World, scan};

/// How the tool is called; whether it may end well by itself before the cancel.
const MODES: &[(&str, &str, bool)] = &[
    ("late-report", "late-report", false),
    ("nap", "nap 1 1", true),
    ("obey", "obey-below", false),
    ("deaf", "ignore-term", false),
    ("stopped", "stop-itself", false),
    ("forks", "fork-bomb 50", false),
    ("storm", "fork-storm", false),
    ("leaves", "escape-and-hang", false),
    ("leaves-deaf", "escape-and-ignore-term", false),
    ("flood", "flood-and-ignore-term", true),
    ("flood-both", "flood-both 200000000", true),
];
/// Cancels under way at once.
const AT_ONCE: usize = 12;
/// Latest moment of a cancel after its submit.
const CANCEL_WITHIN: Duration = Duration::from_millis(1500);
/// From the cancel to the end of the job: the tools' grace of 5 s, and half a second.
const BOUND: Duration =
    Duration::from_secs(5).saturating_add(Duration::from_millis(500).saturating_mul(LENIENCE));

/// What one worker saw.
#[derive(Default)]
struct Seen {
    times: Times,
    by_itself: usize,
    wrong: Vec<String>,
}

pub async fn run(plan: Plan) -> Vec<Row> {
    let cancels = plan.scale.count(48, 1_000);
    // Without a limit on processes the storm would be everybody's.
    let may_storm = Containment::detected().limits_processes();
    let modes = MODES.iter().filter(|(name, _, _)| may_storm || *name != "storm");
    let modes: Vec<_> = modes.copied().collect();
    let storm = format!("fork-storm {}", plan.scale.count(150, 1_000));
    let args = |name: &str, args: &'static str| if name == "storm" { storm.clone() } else { args.to_owned() };
    let mut tools: Vec<Tool> =
        modes.iter().map(|(name, given, _)| Tool::new(name, &args(name, given))).collect();
    tools.push(Tool::new("clean", "report 0"));
    let world = World::new(&tools, &["jobs.running_max=12", "jobs.cpu_slots=12", "process.grace_s=5"]);
    let served = world.serve().await;
    let workers = (0..AT_ONCE).map(|worker| {
        let share = cancels / AT_ONCE + usize::from(worker < cancels % AT_ONCE);
        worker_of(&plan, &world, &served, &modes, worker, share)
    });
    let (mut seen, meanwhile) = (Seen::default(), midway(&world));
    let (all, meanwhile) = tokio::join!(join_all(workers), meanwhile);
    for one in all {
        seen.times.extend(one.times);
        seen.by_itself += one.by_itself;
        seen.wrong.extend(one.wrong);
    }
    let done = format!("{} cancels over {} kinds of tool", seen.times.len(), modes.len());
    vec![
        Row::new(&done, seen.times.summary(), format!("p99 ≤ {}", ms(BOUND)), seen.times.at(0.99) <= BOUND),
        truthful(&done, &seen),
        Leftovers::row(&world, &done, &meanwhile).await,
        slots_are_free(&world, &served).await,
    ]
}

/// What there is while the first cancels are under way.
async fn midway(world: &World) -> Leftovers {
    tokio::time::sleep(CANCEL_WITHIN / 2).await;
    Leftovers::look(world)
}

fn truthful(done: &str, seen: &Seen) -> Row {
    let mut figures =
        format!("{} untrue, {} had ended before their cancel", seen.wrong.len(), seen.by_itself);
    if let Some(first) = seen.wrong.first() {
        figures.push_str(&format!("; the first: {first}"));
    }
    Row::new(done, figures, "every job ends cancelled, or by itself", seen.wrong.is_empty())
}

async fn worker_of(
    plan: &Plan,
    world: &World,
    served: &Served,
    modes: &[(&'static str, &'static str, bool)],
    worker: usize,
    share: usize,
) -> Seen {
    let mut rng = Rng::stream(plan.seed, &format!("cancel-{worker}"));
    let mut client = served.client().await;
    let mut seen = Seen::default();
    for _ in 0..share {
        if plan.time_is_up() {
            break;
        }
        let (tool, _, may_end) = *rng.pick(modes);
        let after = rng.between(Duration::ZERO..CANCEL_WITHIN);
        let (job, took) = cancel_one(&mut client, world, tool, after).await;
        let ended_by_itself = may_end && job.state == "done";
        seen.by_itself += usize::from(ended_by_itself);
        if !(ended_by_itself || job.state == "cancelled") || (!may_end && job.conclusion != "incomplete") {
            seen.wrong.push(format!("{tool} cancelled after {} ended {}", ms(after), shown(&job)));
        }
        seen.times.add(took);
    }
    seen
}

async fn cancel_one(client: &mut Client, world: &World, tool: &str, after: Duration) -> (Job, Duration) {
    let target = world.target();
    let submitted = calls::call(client, "scan", &scan(&target, &[tool])).await.expect("room in the queue");
    tokio::time::sleep(after).await;
    let began = Instant::now();
    let job = calls::cancel(client, &submitted.job, 45).await.expect("a job of ours");
    (job, began.elapsed())
}

fn shown(job: &Job) -> String {
    format!("{} ({}), {:?} {:?}", job.state, job.conclusion, job.error, job.runs)
}

/// As many jobs as there are slots run at once, and nothing of the cancelled ones is counted any more.
async fn slots_are_free(world: &World, served: &Served) -> Row {
    let began = Instant::now();
    let probes = (0..AT_ONCE).map(|_| async {
        let mut client = served.client().await;
        let submitted = calls::call(&mut client, "scan", &scan(&world.target(), &["clean"])).await;
        calls::end_of(&mut client, &submitted.expect("room in the queue").job).await.expect("a job of ours")
    });
    let ended = join_all(probes).await;
    let clean = ended.iter().filter(|job| job.conclusion == "clean").count();
    let held = served.metric("proctor_runs_running").await + served.metric("proctor_runs_waiting").await;
    Row::new(
        format!("then {AT_ONCE} jobs at once"),
        format!("{clean} clean in {}, {held} runs still hold or want a slot", ms(began.elapsed())),
        "all clean, 0",
        clean == AT_ONCE && held == 0.0,
    )
}
