//! The same request is one job: a hundred clients submit it at once, by content alone or under one idempotency key, and in
//! some rounds the daemon is killed in their midst and all of them ask again.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use nix::sys::signal::Signal;
use proctor::cli::client::Client;
use serde_json::Value;

use super::calls;
use super::figures::Times;
use super::oracle::Ledger;
use super::plan::Plan;
use super::rng::Rng;
use super::served::Served;
use super::table::Row;
use super::world::{Tool, World};

const CLIENTS: usize = 100;
/// Every how many rounds the daemon is killed.
const KILL_EVERY: usize = 8;
/// Latest moment of the kill after the first submit.
const KILL_WITHIN: Duration = Duration::from_millis(120);
/// What each job finds.
const FINDINGS: u64 = 2;
/// How long the jobs of the last rounds may take.
const END_MAX: Duration = Duration::from_secs(600);

struct Rounds {
    done: usize,
    kills: usize,
    times: Times,
    /// Answers that were no job.
    wrong: Vec<String>,
}

pub async fn run(plan: Plan) -> Vec<Row> {
    let rounds = plan.scale.count(24, 1_000);
    // Long enough that the last of the hundred meets the job of the first; a job that is over is nobody's twin.
    let settings = [
        "jobs.running_max=16",
        "jobs.cpu_slots=16",
        "jobs.daemon_deaths_max=100000",
        // A thousand rounds are over long before their jobs are; and each of the hundred takes a place until it is known
        // to be the same.
        "jobs.queue_max=2000",
        "jobs.queue_per_principal_max=2000",
    ];
    let world = World::new(&[Tool::new("nap", "nap 1.5 2")], &settings);
    let ledger = Ledger::default();
    let mut served = world.serve().await;
    let mut clients = connect(&served).await;
    let mut rng = Rng::stream(plan.seed, "dedup");
    let mut seen = Rounds { done: 0, kills: 0, times: Times::default(), wrong: Vec::new() };
    for round in 0..rounds {
        if plan.time_is_up() {
            break;
        }
        let arguments = request(&world, &ledger, round);
        if round % KILL_EVERY == KILL_EVERY - 1 {
            tokio::join!(
                kill(&mut served, rng.between(Duration::ZERO..KILL_WITHIN)),
                interrupted(&mut clients, &arguments, &ledger)
            );
            served = world.serve().await;
            clients = connect(&served).await;
            seen.kills += 1;
        }
        all_at_once(&mut clients, &arguments, &ledger, &mut seen).await;
        seen.done += 1;
    }
    finish(&world, served, &ledger, &seen).await
}

async fn finish(world: &World, served: Served, ledger: &Ledger, seen: &Rounds) -> Vec<Row> {
    let mut client = served.client().await;
    let all = async {
        for job in ledger.jobs() {
            drop(calls::end_of(&mut client, &job).await);
        }
    };
    let ended = tokio::time::timeout(END_MAX, all).await.is_ok();
    let code = served.stop().await;
    let done = format!(
        "{} × {CLIENTS} identical submits at once, {} with a kill -9 in their midst",
        seen.done, seen.kills
    );
    let mut rows = ledger.check(world, FINDINGS).rows(&done);
    let figures = format!(
        "{} refused or lost {:?}; a round took {}; all over {ended}, exit {code:?}",
        seen.wrong.len(),
        seen.wrong.first(),
        seen.times.summary()
    );
    rows.push(Row::new(
        done,
        figures,
        "all answered with a job",
        seen.wrong.is_empty() && ended && code == Some(0),
    ));
    rows
}

async fn connect(served: &Served) -> Vec<Client> {
    join_all((0..CLIENTS).map(|_| served.client())).await
}

/// One request; every other one has a key, and is a job of its own but for that.
fn request(world: &World, ledger: &Ledger, round: usize) -> (PathBuf, Value) {
    let target = world.target();
    ledger.asked(&target);
    let mut arguments = serde_json::json!({ "path": target, "tools": ["nap"], "wait_s": 0 });
    if round.is_multiple_of(2) {
        arguments["idempotency_key"] = format!("round-{round}").into();
        arguments["fresh"] = true.into();
    }
    (target, arguments)
}

async fn all_at_once(clients: &mut [Client], request: &(PathBuf, Value), ledger: &Ledger, seen: &mut Rounds) {
    let (target, arguments) = request;
    let began = Instant::now();
    let answers = join_all(clients.iter_mut().map(|client| calls::call(client, "scan", arguments))).await;
    seen.times.add(began.elapsed());
    for answer in answers {
        match answer {
            Ok(job) => ledger.acknowledged(Path::new(target), &job.job),
            Err(error) => seen.wrong.push(error.to_string()),
        }
    }
}

/// The same, while the daemon dies: who gets no answer knows nothing, and who gets one may rely on it.
async fn interrupted(clients: &mut [Client], (target, arguments): &(PathBuf, Value), ledger: &Ledger) {
    let answers = join_all(clients.iter_mut().map(|client| calls::call(client, "scan", arguments))).await;
    answers.into_iter().flatten().for_each(|job| ledger.acknowledged(Path::new(target), &job.job));
}

async fn kill(served: &mut Served, after: Duration) {
    tokio::time::sleep(after).await;
    served.signal(Signal::SIGKILL);
    served.wait().await;
}
