//! Overload costs throughput nothing: ten times the peak is offered, the queue refuses the rest at once and says when to
//! come back, and right after it all is as before.
//!
//! The gateway's own limits (rate, requests in flight) are configured away, so that the queue is what refuses. Client and
//! daemon share the machine: what the client costs, goodput loses; the row says how much CPU that was.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use nix::sys::resource::{UsageWho, getrusage};
use proctor::cli::client::ClientError;

use super::calls;
use super::figures::{Times, ms};
use super::plan::{LENIENCE, Plan};
use super::served::Served;
use super::table::Row;
use super::world::{Tool, World, scan};

/// Connections that overload; each has one request under way.
const GREEDY: usize = 32;
/// Connections that keep the queue full while the peak is measured, and their pause after a refusal.
const PATIENT: usize = 4;
const PATIENCE: Duration = Duration::from_millis(50);
/// How much of the peak is offered.
const TIMES: f64 = 10.0;
/// Goodput of a start is not that of a running daemon.
const WARM_UP: Duration = Duration::from_secs(2);
/// Refusals cost a debug build ten times what they should, and that is taken from the same two cores.
const GOODPUT_MIN: f64 = if cfg!(debug_assertions) { 0.25 } else { 0.9 };
const REFUSAL_MAX: Duration = Duration::from_millis(10).saturating_mul(LENIENCE);
const NORMAL_WITHIN: Duration = Duration::from_secs(5).saturating_mul(LENIENCE);
/// Daemon's jobs that ended as jobs should.
pub const DONE: &str = "proctor_jobs_total{state=\"done\"}";

/// What became of submits.
#[derive(Default)]
struct Seen {
    taken: usize,
    refused: Times,
    /// Refusals without `retryAfterMs`, and whatever else is not an answer.
    untyped: Vec<String>,
}

impl Seen {
    fn note(&mut self, answer: Result<calls::Job, ClientError>, took: Duration) {
        match answer {
            Ok(_) => self.taken += 1,
            Err(ClientError::Refused { refusal, .. }) if refusal.retry_after_ms.is_some() => {
                self.refused.add(took)
            }
            Err(other) => self.untyped.push(other.to_string()),
        }
    }

    fn offered(&self) -> usize {
        self.taken + self.refused.len() + self.untyped.len()
    }
}

pub async fn run(plan: Plan) -> Vec<Row> {
    let world = World::new(&[Tool::new("clean", "report 0")], &["jobs.running_max=8"]);
    let served = world.serve().await;
    let quiet = unloaded(&world, &served).await;
    let peak = peak(&world, &served, plan.scale.seconds(6, 30)).await;
    let span = plan.scale.seconds(8, 60);
    let (done_before, cpu_before) = (served.metric(DONE).await, own_cpu());
    let began = Instant::now();
    let seen = overload(&world, &served, peak * TIMES, span).await;
    let (took, cpu) = (began.elapsed().as_secs_f64(), own_cpu() - cpu_before);
    let goodput = (served.metric(DONE).await - done_before) / took;
    let normal = normal_again(&world, &served, quiet.at(0.99)).await;
    let offered = seen.offered() as f64 / took;
    let done = format!("{TIMES} × {peak:.0} jobs/s for {span:?}, {offered:.0}/s reached the daemon");
    let client = cpu.as_secs_f64() / took;
    vec![
        Row::new(
            &done,
            format!(
                "{goodput:.1} of {peak:.1} jobs/s ({:.0} %), client {client:.2} cores",
                100.0 * goodput / peak
            ),
            format!("goodput ≥ {:.0} % of peak", 100.0 * GOODPUT_MIN),
            goodput >= GOODPUT_MIN * peak && offered >= 5.0 * peak,
        ),
        Row::new(
            format!("{} refused of {}", seen.refused.len(), seen.offered()),
            seen.refused.summary(),
            format!("p99 ≤ {}", ms(REFUSAL_MAX)),
            seen.refused.at(0.99) <= REFUSAL_MAX && seen.refused.len() > 0,
        ),
        Row::new(
            "their answers",
            format!("{} without retryAfterMs {:?}", seen.untyped.len(), seen.untyped.first()),
            "every refusal is typed",
            seen.untyped.is_empty(),
        ),
        Row::new(
            format!("then one job, before in {}", quiet.summary()),
            normal.map_or_else(
                || "not as before within 60 s".to_owned(),
                |after| format!("as before after {}", ms(after)),
            ),
            format!("≤ {}", ms(NORMAL_WITHIN)),
            normal.is_some_and(|after| after <= NORMAL_WITHIN),
        ),
    ]
}

/// What a job takes when there is no other.
async fn unloaded(world: &World, served: &Served) -> Times {
    let mut times = Times::default();
    for _ in 0..20 {
        times.add(one_job(world, served).await.expect("an empty queue has room"));
    }
    times
}

async fn one_job(world: &World, served: &Served) -> Result<Duration, ClientError> {
    let mut client = served.client().await;
    let began = Instant::now();
    let job = calls::call(&mut client, "scan", &scan(&world.target(), &["clean"])).await?;
    calls::end_of(&mut client, &job.job).await?;
    Ok(began.elapsed())
}

/// Jobs per second while the queue is never empty.
pub async fn peak(world: &World, served: &Served, span: Duration) -> f64 {
    let end = Instant::now() + WARM_UP + span;
    let feeding = (0..PATIENT).map(|_| async {
        let mut client = served.client().await;
        while Instant::now() < end {
            let target = world.target();
            while calls::call(&mut client, "scan", &scan(&target, &["clean"])).await.is_err()
                && Instant::now() < end
            {
                tokio::time::sleep(PATIENCE).await;
            }
        }
    });
    let counting = async {
        // Not before there is work for every place.
        while served.metric("proctor_jobs_waiting").await == 0.0 && Instant::now() < end {
            tokio::time::sleep(PATIENCE).await;
        }
        tokio::time::sleep(WARM_UP).await;
        let (before, began) = (served.metric(DONE).await, Instant::now());
        tokio::time::sleep_until(end.into()).await;
        (served.metric(DONE).await - before) / began.elapsed().as_secs_f64()
    };
    tokio::join!(join_all(feeding), counting).1
}

/// Submits at this rate from [`GREEDY`] connections, whatever becomes of the submits before.
async fn overload(world: &World, served: &Served, per_second: f64, span: Duration) -> Seen {
    let pause = Duration::from_secs_f64(GREEDY as f64 / per_second);
    let end = Instant::now() + span;
    // Made before, so that the client does not write files while it measures.
    let targets: Vec<_> = (0..GREEDY).map(|_| world.target()).collect();
    let greedy = targets.iter().enumerate().map(|(index, target)| async move {
        let (mut client, mut seen) = (served.client().await, Seen::default());
        let arguments = scan(target, &["clean"]);
        let mut next = Instant::now() + pause.mul_f64(index as f64 / GREEDY as f64);
        while next < end {
            tokio::time::sleep_until(next.into()).await;
            let began = Instant::now();
            let answer = calls::call(&mut client, "scan", &arguments).await;
            seen.note(answer, began.elapsed());
            next += pause;
        }
        seen
    });
    let mut all = Seen::default();
    for one in join_all(greedy).await {
        all.taken += one.taken;
        all.refused.extend(one.refused);
        all.untyped.extend(one.untyped);
    }
    all
}

/// Time until a job is let in and takes no longer than twice the worst before the overload.
async fn normal_again(world: &World, served: &Served, worst: Duration) -> Option<Duration> {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(60) {
        match one_job(world, served).await {
            Ok(took) if took <= 2 * worst => return Some(began.elapsed()),
            Ok(_) | Err(_) => tokio::time::sleep(PATIENCE).await,
        }
    }
    None
}

/// CPU time of this process so far.
fn own_cpu() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_SELF).expect("our own");
    let of = |time: nix::sys::time::TimeVal| {
        Duration::from_secs(u64::try_from(time.tv_sec()).unwrap_or(0))
            + Duration::from_micros(u64::try_from(time.tv_usec()).unwrap_or(0))
    };
    of(usage.user_time()) + of(usage.system_time())
}
