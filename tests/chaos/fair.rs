//! A greedy principal takes nothing from polite ones: it keeps its queue full, while nine others ask for half of their
//! share each, a job at a time. What they get done is what they get done without it.

use std::cell::Cell;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use proctor::actors::gateway::token_list::TokenList;
use proctor::cli::client::Client;

use super::calls;
use super::figures::Times;
use super::overload::{DONE, peak};
use super::plan::Plan;
use super::served::Served;
use super::table::Row;
use super::world::{Tool, World, scan};

const POLITE: usize = 9;
/// What a polite one asks for, of its tenth of the daemon.
const OF_SHARE: f64 = 0.5;
/// A debug build runs on whatever machine the tests run on, ten jobs each: noise alone costs some of them a tenth. A daemon
/// that is not fair leaves the polite ones a tenth of their rate.
const KEPT_MIN: f64 = if cfg!(debug_assertions) { 0.6 } else { 0.95 };
/// Pause of the greedy one after a refusal.
const GREEDY_PAUSE: Duration = Duration::from_millis(20);

/// Jobs of each polite one in a phase, at least: fewer would make a rate of chance.
const JOBS_MIN: f64 = 8.0;

/// What became of a phase.
struct Got {
    /// Jobs per second of each polite one.
    rates: Vec<f64>,
    times: Times,
    /// Jobs per second of the greedy one.
    greedy: f64,
}

pub async fn run(plan: Plan) -> Vec<Row> {
    let world = World::new(&[Tool::new("clean", "report 0")], &["jobs.running_max=8"]);
    let list = TokenList::of(&world.data_dir());
    let names = (0..POLITE).map(|number| format!("polite-{number}"));
    let tokens: Vec<String> =
        names.map(|name| list.add(&name).expect("a new name").reveal().to_owned()).collect();
    let served = world.serve().await;
    let capacity = peak(&world, &served, plan.scale.seconds(4, 20)).await;
    settle(&served).await;
    let span = plan.scale.seconds(8, 60);
    let pace = Duration::from_secs_f64((POLITE + 1) as f64 / (capacity * OF_SHARE));
    let jobs = (span.as_secs_f64() / pace.as_secs_f64()).max(JOBS_MIN) as usize;
    let alone = phase(&world, &served, &tokens, (pace, jobs), false).await;
    let beside = phase(&world, &served, &tokens, (pace, jobs), true).await;
    let each = beside.rates.iter().zip(&alone.rates).map(|(with, without)| with / without);
    let worst = each.fold(f64::INFINITY, f64::min);
    let kept = beside.rates.iter().sum::<f64>() / alone.rates.iter().sum::<f64>();
    vec![Row::new(
        format!("{POLITE} polite, {jobs} jobs each, one every {pace:.2?}; a greedy one beside them"),
        format!(
            "{:.0} % of their rate alone, the worst off {:.0} %; a job took {} alone, {} beside; greedy {:.1} of {capacity:.1} jobs/s",
            100.0 * kept,
            100.0 * worst,
            alone.times.summary(),
            beside.times.summary(),
            beside.greedy,
        ),
        format!("polite ≥ {:.0} % of what they do without it", 100.0 * KEPT_MIN),
        kept >= KEPT_MIN && beside.greedy > 0.0,
    )]
}

/// Waits until the queue is empty.
async fn settle(served: &Served) {
    while served.metric("proctor_jobs_waiting").await + served.metric("proctor_jobs_running").await > 0.0 {
        tokio::time::sleep(GREEDY_PAUSE).await;
    }
}

async fn phase(
    world: &World,
    served: &Served,
    tokens: &[String],
    (pace, jobs): (Duration, usize),
    with_greedy: bool,
) -> Got {
    let over = Cell::new(false);
    let (before, began) = (served.metric(DONE).await, Instant::now());
    let polite = async {
        let each = join_all(tokens.iter().map(|token| polite(world, served, token, pace, jobs))).await;
        over.set(true);
        each
    };
    let greedy = async {
        if with_greedy {
            greedy(world, served, &over).await;
        }
    };
    let (each, ()) = tokio::join!(polite, greedy);
    let (done, took) = (served.metric(DONE).await - before, began.elapsed().as_secs_f64());
    settle(served).await;
    let greedy = (done - (jobs * POLITE) as f64) / took;
    let mut got = Got { rates: Vec::new(), times: Times::default(), greedy };
    for (rate, times) in each {
        got.rates.push(rate);
        got.times.extend(times);
    }
    got
}

/// So many jobs, one every `pace` and one at a time: who is late with one begins the next at once. Jobs per second.
async fn polite(world: &World, served: &Served, token: &str, pace: Duration, jobs: usize) -> (f64, Times) {
    let mut client = Client::connect(served.address, token).await.expect("a token of the list");
    let (mut times, start) = (Times::default(), Instant::now());
    let mut next = start;
    for _ in 0..jobs {
        tokio::time::sleep_until(next.into()).await;
        let began = Instant::now();
        let mut arguments = scan(&world.target(), &["clean"]);
        arguments["wait_s"] = 45.into();
        let job = calls::call(&mut client, "scan", &arguments).await.expect("room in its own queue");
        assert_eq!(job.conclusion, "clean", "{job:?}");
        times.add(began.elapsed());
        next = (next + pace).max(Instant::now());
    }
    (jobs as f64 / start.elapsed().as_secs_f64(), times)
}

async fn greedy(world: &World, served: &Served, over: &Cell<bool>) {
    let mut client = served.client().await;
    while !over.get() {
        if calls::call(&mut client, "scan", &scan(&world.target(), &["clean"])).await.is_err() {
            tokio::time::sleep(GREEDY_PAUSE).await;
        }
    }
}
