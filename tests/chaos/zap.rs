//! A scan with a real ZAP loses its ZAP, its engine, its network or its daemon at many points of its way. Each ends in a
//! bounded time, whole with the one more ZAP that it may have or with the reason that fits, and leaves nothing.

use std::fmt;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use proctor::cli::client::Client;
use serde::Deserialize;
use serde_json::json;

use super::engine::{Engine, Held, asked};
use super::figures::ms;
use super::oracle;
use super::page::Page;
use super::plan::Plan;
use super::rng::Rng;
use super::served::Served;
use super::table::Row;
use super::world::World;
use super::zap_faults::Fault;

const IMAGE: &str = "proctor-test/zap:2.17.0";
/// What is planted on the page: three headers missing on three paths, one XSS, one SQL injection.
const PLANTED: u32 = 11;
/// Stages that are struck, and how long after their begin at the latest. The attack lasts until its endless rule is skipped;
/// what follows it takes moments and is met by the longest waits.
const STAGES: &[(&str, Duration)] = &[
    ("starting", Duration::from_secs(4)),
    ("scope", Duration::from_millis(300)),
    ("seeds", Duration::from_millis(300)),
    ("spider", Duration::from_secs(1)),
    ("passive", Duration::from_secs(1)),
    ("active", Duration::from_secs(6)),
];
/// Two starts, two scans of a small page, the half minute after which a ZAP that says nothing is given up.
const END_MAX: Duration =
    if cfg!(debug_assertions) { Duration::from_secs(480) } else { Duration::from_secs(240) };
/// Of the job: later than our bound, so that what hangs is seen as late and not as `timed_out`.
const DEADLINE_S: u64 = 600;
/// For the container of a scan that has begun.
const MADE_MAX: Duration = Duration::from_secs(60);
/// For the last removals.
const SETTLE_MAX: Duration = Duration::from_secs(30);
/// Between two looks at how far a scan is.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// What the daemon's log says when it starts another ZAP in place of a lost one.
const REPLACED: &str = "the scan is tried once more";
const SETTINGS: &[&str] = &[
    "zap.image=proctor-test/zap:2.17.0",
    "zap.memory_mib=768",
    // For a ZAP that is frozen while it starts.
    "zap.ready_s=90",
    "zap.stuck_s=4",
    "zap.options=proctor.active=endless",
    "docker.pull=never",
    "targets.hosts=127.0.0.1",
    "targets.active=127.0.0.1",
];

/// As much of a job with one run as is looked at.
#[derive(Debug, Deserialize)]
struct Scan {
    job: String,
    conclusion: String,
    #[serde(default)]
    runs: Vec<Run>,
}

#[derive(Debug, Default, Clone, Deserialize)]
struct Run {
    state: String,
    #[serde(default)]
    doing: Option<String>,
    #[serde(default)]
    findings: u32,
    #[serde(default)]
    failure: Option<Failure>,
}

#[derive(Debug, Clone, Deserialize)]
struct Failure {
    reason: String,
    detail: String,
}

impl Scan {
    fn is_over(&self) -> bool {
        self.conclusion != "pending"
    }

    /// The stage's word; empty before the first and after the last.
    fn stage(&self) -> &str {
        let doing = self.runs.first().and_then(|run| run.doing.as_deref());
        doing.and_then(|doing| doing.split(' ').next()).unwrap_or_default()
    }

    fn is_past(&self, stage: &str) -> bool {
        let place = |word: &str| STAGES.iter().position(|(name, _)| *name == word);
        self.is_over() || place(self.stage()).is_some_and(|now| now >= place(stage).unwrap_or_default())
    }
}

/// One fault at one point, and what came of it.
struct Point {
    fault: Fault,
    /// Whether there was a ZAP to strike, and not the scan over before.
    struck: bool,
    /// Where the scan was then.
    stage: String,
    end: Run,
    /// How often another ZAP was started in place of a lost one.
    replaced: usize,
    took: Duration,
    left: Held,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { fault, stage, end: Run { state, findings, failure, .. }, replaced, .. } = self;
        write!(f, "{fault} at {stage}: {state}, {findings} findings, {replaced} replaced")?;
        failure.as_ref().map_or(Ok(()), |Failure { reason, detail }| write!(f, ", {reason} ({detail})"))
    }
}

impl Point {
    /// All that there is to find, or the reason that fits.
    fn is_right(&self) -> bool {
        let failed = self.end.failure.as_ref().map(|failure| failure.reason.as_str());
        self.is_whole() || (failed.is_some() && failed == self.fault.may_fail_for())
    }

    fn is_whole(&self) -> bool {
        self.end.state == "findings" && self.end.findings == PLANTED
    }
}

/// Everything that a scan needs.
struct Scene {
    engine: Engine,
    world: World,
    page: Page,
    served: Served,
}

pub async fn run(plan: Plan) -> Vec<Row> {
    let engine = Engine::with_image(IMAGE).await;
    let host = format!("docker.host={}", engine.host());
    let settings: Vec<&str> = SETTINGS.iter().copied().chain([host.as_str()]).collect();
    let world = World::new(&[], &settings);
    let served = world.serve().await;
    let mut scene = Scene { engine, world, page: Page::open(), served };
    let (mut points, mut rng) = (Vec::new(), Rng::stream(plan.seed, "zap"));
    for (number, fault) in faults(plan.scale.count(3, 21), &mut rng).into_iter().enumerate() {
        if plan.time_is_up() {
            break;
        }
        // Each round of the faults meets other stages.
        let stage = (number + number / Fault::ALL.len()) % STAGES.len();
        points.push(scene.strike(fault, STAGES[stage], &mut rng).await);
    }
    let mut rows = judged(&points, &scene.world);
    let code = scene.served.stop().await;
    rows.push(Row::new("SIGTERM", format!("exit code {code:?}"), "exit 0", code == Some(0)));
    rows
}

/// The faults that only this scenario has, and then the others, as chance has it; from the start again until there are enough.
fn faults(count: usize, rng: &mut Rng) -> Vec<Fault> {
    let mut all = Fault::ALL;
    for place in (3..all.len()).rev() {
        all.swap(place, 2 + rng.below(place - 1));
    }
    all.iter().copied().cycle().take(count).collect()
}

fn judged(points: &[Point], world: &World) -> Vec<Row> {
    let whole_ones = points.iter().filter(|point| point.is_whole()).count();
    let replaced: usize = points.iter().map(|point| point.replaced).sum();
    let wrong: Vec<String> =
        points.iter().filter(|point| !point.is_right()).map(ToString::to_string).collect();
    let left: Vec<String> =
        points.iter().map(|point| &point.left).filter(|left| !left.is_empty()).map(Held::shown).collect();
    let stored = oracle::stored(world);
    let jobs: Vec<_> = stored.values().flat_map(|jobs| jobs.values()).collect();
    let twice = jobs.iter().filter(|job| job.ends != 1 || job.run_ends != job.runs).count();
    let worst = points.iter().max_by_key(|point| point.took);
    let worst = worst
        .map_or(String::new(), |point| format!("{} ({} at {})", ms(point.took), point.fault, point.stage));
    let struck = points.iter().filter(|point| point.struck).count();
    let done = format!("{struck} faults, each at another point of a scan");
    let late = points.iter().filter(|point| point.took > END_MAX).count();
    let first = |all: &[String]| all.first().map(|first| format!(", the first: {first}")).unwrap_or_default();
    vec![
        Row::new(&done, format!("{late} late, the longest {worst}"), format!("≤ {}", ms(END_MAX)), late == 0),
        Row::new(
            &done,
            format!(
                "{} wrong{}; {whole_ones} whole, {replaced} with a second ZAP",
                wrong.len(),
                first(&wrong)
            ),
            "all findings, or the reason that fits",
            wrong.is_empty() && struck > 0,
        ),
        Row::new(
            &done,
            format!("{twice} of {} jobs ended twice or not", jobs.len()),
            "each job ends once",
            twice == 0 && jobs.len() == points.len(),
        ),
        Row::new(
            &done,
            format!("{} left something{}", left.len(), first(&left)),
            "0 containers, networks, volumes left",
            left.is_empty(),
        ),
    ]
}

impl Scene {
    async fn begin(&self, client: &mut Client) -> String {
        let arguments = json!({
            "url": self.page.url(), "tools": ["zap"], "web": { "phase": "full" },
            "wait_s": 0, "fresh": true, "deadline_s": DEADLINE_S,
        });
        client.call::<Scan>("scan", &arguments, |_| {}).await.expect("room in the queue").job
    }

    async fn strike(&mut self, fault: Fault, (stage, within): (&str, Duration), rng: &mut Rng) -> Point {
        let mut client = self.served.client().await;
        let lost_before = self.lost();
        let job = self.begin(&mut client).await;
        let began = Instant::now();
        while !look(&mut client, &job, 0).await.is_past(stage) {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        tokio::time::sleep(rng.between(Duration::ZERO..within)).await;
        asked(MADE_MAX, || !self.engine.containers().is_empty()).await;
        let zaps = self.engine.containers();
        assert!(zaps.len() <= 1, "a scan has one ZAP: {zaps:?}");
        client = self.served.client().await;
        let stage = look(&mut client, &job, 0).await.stage().to_owned();
        if let Some(zap) = zaps.first() {
            fault.strike(&mut self.engine, zap).await;
        }
        if fault == Fault::DaemonKilled {
            self.served.signal(Signal::SIGKILL);
            self.served.wait().await;
            self.served = Served::start(&self.world, None).await;
        }
        // Whoever does not read for as long as an engine takes to start is hung up on.
        client = self.served.client().await;
        let end = end_of(&mut client, &job).await.unwrap_or_default();
        let took = began.elapsed();
        asked(SETTLE_MAX, || self.engine.held().is_empty()).await;
        let replaced = self.lost() - lost_before;
        Point { fault, struck: !zaps.is_empty(), stage, end, replaced, took, left: self.engine.held() }
    }

    /// How many ZAPs the daemons have replaced so far, by their log.
    fn lost(&self) -> usize {
        let log = std::fs::read_to_string(self.world.log()).unwrap_or_default();
        log.matches(REPLACED).count()
    }
}

async fn look(client: &mut Client, job: &str, wait_s: u64) -> Scan {
    let arguments = json!({ "job": job, "wait_s": wait_s });
    client.call("job_status", &arguments, |_| {}).await.expect("a daemon that serves")
}

/// Its run as it ended; `None` when it did not within [`END_MAX`].
async fn end_of(client: &mut Client, job: &str) -> Option<Run> {
    let ends = async {
        loop {
            let scan = look(client, job, 20).await;
            if scan.is_over() {
                return scan.runs.into_iter().next().unwrap_or_default();
            }
        }
    };
    tokio::time::timeout(END_MAX, ends).await.ok()
}
