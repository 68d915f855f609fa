//! `kill -9` costs nobody anything: the daemon is killed again and again under load, at random moments and at named ones,
//! and started again each time. Clients repeat what was not answered, with the same idempotency key.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use futures_util::future::join_all;
use nix::sys::signal::Signal;
use proctor::cli::client::{Client, ClientError};
use proctor::faults;
use serde_json::Value;

use super::calls;
use super::figures::{Times, ms};
use super::leftovers::Leftovers;
use super::oracle::Ledger;
use super::plan::{LENIENCE, Plan};
use super::rng::Rng;
use super::served::{DieAt, Served};
use super::table::Row;
use super::world::{POLL, Tool, World, scan, until};

const CLIENTS: usize = 4;
/// Pause of a client between two submits.
const PAUSE: std::ops::Range<Duration> = Duration::from_millis(10)..Duration::from_millis(150);
/// How long a life lasts that is ended from outside; one that does not come to its named point ends after the longest.
const LIFE: std::ops::Range<Duration> = Duration::from_millis(10)..Duration::from_millis(900);
/// Latest pass of a named point.
const PASSES: usize = 24;
/// Points that a life under load passes; the others belong to an orderly end.
const POINTS: usize = faults::POINTS.len() - 1;
const READY_MAX: Duration = Duration::from_secs(1).saturating_mul(LENIENCE);
/// How long the last life may take to bring everything to its end.
const END_MAX: Duration = Duration::from_secs(180);
/// What each job finds.
const FINDINGS: u64 = 2;

/// Where the daemon of now listens; `None` while there is none.
type Door = RefCell<Option<(SocketAddr, String)>>;

/// Kills among which one must have met its named point: many of these are passed by few lives.
const AT_POINTS_OF: usize = 20;

#[derive(Default)]
struct Lives {
    ready: Times,
    at_points: usize,
    before_ready: usize,
    /// What there was at the end of a life: proof that work was under way.
    seen: Leftovers,
}

pub async fn run(plan: Plan) -> Vec<Row> {
    let kills = plan.scale.count(25, 500);
    let tools = [
        Tool::new("quick", "report 2"),
        Tool::new("slow", "nap 0.3 2"),
        Tool::new("litter", "litter 4000 2"),
    ];
    let settings = ["jobs.daemon_deaths_max=100000", "jobs.queue_per_principal_max=1000", "jobs.cpu_slots=8"];
    let world = World::new(&tools, &settings);
    let (door, over, ledger) = (Door::default(), Cell::new(false), Ledger::default());
    let clients = (0..CLIENTS).map(|client| submit_all(&plan, &world, &door, &over, &ledger, client));
    let lives = async {
        let lives = kill_all(&plan, &world, &door, kills).await;
        over.set(true);
        let last = Served::start(&world, None).await;
        *door.borrow_mut() = Some((last.address, last.token.clone()));
        (lives, last)
    };
    let ((lives, last), _) = tokio::join!(lives, join_all(clients));
    finish(&world, &ledger, lives, last).await
}

async fn finish(world: &World, ledger: &Ledger, mut lives: Lives, last: Served) -> Vec<Row> {
    lives.ready.add(last.took);
    let ended = all_end(ledger, &last).await;
    let killed = lives.ready.len() - 1 + lives.before_ready;
    let done = format!(
        "{killed} kills, {} at named points, {} before ready; {} jobs acknowledged",
        lives.at_points,
        lives.before_ready,
        ledger.jobs().len()
    );
    let left = Leftovers::row(world, &done, &lives.seen).await;
    let code = last.stop().await;
    let mut rows = ledger.check(world, FINDINGS).rows(&done);
    rows.push(Row::new(
        format!("{} starts after a kill", lives.ready.len()),
        lives.ready.summary(),
        format!("ready p99 ≤ {}", ms(READY_MAX)),
        lives.ready.at(0.99) <= READY_MAX,
    ));
    rows.push(left);
    rows.push(Row::new(
        format!("{killed} kills"),
        format!("{} at named points", lives.at_points),
        format!("at least one of {AT_POINTS_OF}"),
        lives.at_points * AT_POINTS_OF >= killed,
    ));
    let figures = format!("all jobs over: {ended}, exit code {code:?}");
    rows.push(Row::new(
        "then work to the end, SIGTERM",
        figures,
        "all over, exit 0",
        ended && code == Some(0),
    ));
    rows
}

/// Starts and kills, until it was done often enough.
async fn kill_all(plan: &Plan, world: &World, door: &Door, kills: usize) -> Lives {
    let mut rng = Rng::stream(plan.seed, "kill");
    let mut lives = Lives::default();
    for _ in 0..kills {
        if plan.time_is_up() {
            break;
        }
        let die_at = named(&mut rng);
        let Some(mut served) = Served::try_start(world, die_at).await else {
            lives.before_ready += 1;
            lives.at_points += 1;
            continue;
        };
        lives.ready.add(served.took);
        *door.borrow_mut() = Some((served.address, served.token.clone()));
        let life = if die_at.is_some() { LIFE.end } else { rng.between(LIFE) };
        if until(life, || served.ended().is_some()).await {
            lives.at_points += 1;
        } else {
            if !lives.seen.is_something() {
                lives.seen = Leftovers::look(world);
            }
            served.signal(Signal::SIGKILL);
        }
        served.wait().await;
        *door.borrow_mut() = None;
    }
    lives
}

/// Two of three lives end at a named point, if the build knows any.
fn named(rng: &mut Rng) -> Option<DieAt> {
    let (point, pass, is_named) = (rng.below(POINTS), 1 + rng.below(PASSES), rng.below(3) > 0);
    (cfg!(feature = "fault-injection") && is_named).then(|| DieAt { point: faults::POINTS[point], pass })
}

async fn submit_all(
    plan: &Plan,
    world: &World,
    door: &Door,
    over: &Cell<bool>,
    ledger: &Ledger,
    number: usize,
) {
    let mut rng = Rng::stream(plan.seed, &format!("kill-client-{number}"));
    let mut client = None;
    let mut submits = 0;
    while !over.get() {
        let target = world.target();
        let mut arguments = scan(&target, &[*rng.pick(&["quick", "slow", "litter"])]);
        arguments["idempotency_key"] = Value::from(format!("{number}-{submits}"));
        submits += 1;
        ledger.asked(&target);
        let job = acknowledged(door, &mut client, &arguments).await;
        ledger.acknowledged(Path::new(&target), &job);
        tokio::time::sleep(rng.between(PAUSE)).await;
    }
}

/// Submits until it is answered; a refusal is no answer, and a lost connection says nothing.
async fn acknowledged(door: &Door, client: &mut Option<Client>, arguments: &Value) -> String {
    loop {
        if let Some(open) = client {
            match calls::call(open, "scan", arguments).await {
                Ok(job) => return job.job,
                Err(ClientError::Refused { refusal, .. }) => {
                    assert!(refusal.retry_after_ms.is_some(), "refused for good: {refusal}");
                }
                Err(_) => *client = None,
            }
        }
        tokio::time::sleep(POLL * 10).await;
        let there = door.borrow().clone();
        if let (None, Some((address, token))) = (&client, there) {
            *client = Client::connect(address, &token).await.ok();
        }
    }
}

/// Waits for the end of every job; says whether it came.
async fn all_end(ledger: &Ledger, served: &Served) -> bool {
    let all = async {
        let mut client = served.client().await;
        for job in ledger.jobs() {
            // One that is not there is the ledger's to report.
            drop(calls::end_of(&mut client, &job).await);
        }
    };
    tokio::time::timeout(END_MAX, all).await.is_ok()
}
