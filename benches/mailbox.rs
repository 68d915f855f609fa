//! The bounded mailbox against plain ractor, in the same run: a flood of messages, and calls.
//!
//! `cargo bench --bench mailbox` prints criterion's throughput, then a table of delays.

use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};
use proctor::actors::mailbox::{Address, Message, Reply};
use proctor::actors::server::{Context, Server, StartError, Stop, spawn};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

/// Messages of one flood.
const FLOOD: u64 = 200_000;
/// Calls one after the other.
const CALLS: usize = 50_000;
const PAYLOAD: [u8; 256] = [7; 256];

type Delays = Vec<Duration>;

/// What both actors are sent.
#[expect(clippy::large_enum_variant, reason = "a payload that travels by value is what is measured")]
enum Work {
    Item { sent: Option<Instant>, payload: [u8; 256] },
    Ask(oneshot::Sender<u64>),
    Call(Reply<u64>),
    Report(oneshot::Sender<Delays>),
}

impl Message for Work {}

/// The work itself, the same for both.
#[derive(Default)]
struct Tally {
    sum: u64,
    delays: Delays,
}

impl Tally {
    fn take(&mut self, work: Work) {
        match work {
            Work::Item { sent, payload } => {
                self.sum += u64::from(payload[0]);
                self.delays.extend(sent.map(|sent| sent.elapsed()));
            }
            Work::Ask(reply) => drop(reply.send(self.sum)),
            Work::Call(reply) => reply.send(self.sum),
            Work::Report(reply) => drop(reply.send(std::mem::take(&mut self.delays))),
        }
    }
}

impl Server for Tally {
    const NAME: &'static str = "tally";
    const MAILBOX_LIMIT: usize = 1_024;
    type Message = Work;
    type Arguments = ();

    async fn init((): (), _: &Context<Work>) -> Result<Self, StartError> {
        Ok(Self::default())
    }

    async fn handle(&mut self, work: Work, _: &Context<Work>) -> Result<(), Stop> {
        self.take(work);
        Ok(())
    }
}

struct Plain;

impl Actor for Plain {
    type Msg = Work;
    type State = Tally;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Work>, (): ()) -> Result<Tally, ActorProcessingErr> {
        Ok(Tally::default())
    }

    async fn handle(
        &self,
        _: ActorRef<Work>,
        work: Work,
        tally: &mut Tally,
    ) -> Result<(), ActorProcessingErr> {
        tally.take(work);
        Ok(())
    }
}

/// One of the two, behind the same verbs.
#[derive(Clone)]
enum Target {
    Plain(ActorRef<Work>),
    Bounded(Address<Work>),
}

impl Target {
    async fn plain() -> Self {
        Target::Plain(Actor::spawn(None, Plain, ()).await.expect("it starts").0)
    }

    async fn bounded() -> Self {
        Target::Bounded(spawn::<Tally>(()).await.expect("it starts").address)
    }

    async fn send(&self, work: Work) {
        match self {
            Target::Plain(actor) => actor.cast(work).expect("it lives"),
            Target::Bounded(address) => address.send(work).await.expect("it lives"),
        }
    }

    async fn call(&self) -> u64 {
        match self {
            Target::Plain(actor) => {
                let (reply, answer) = oneshot::channel();
                actor.cast(Work::Ask(reply)).expect("it lives");
                tokio::time::timeout(Duration::from_secs(5), answer)
                    .await
                    .expect("in time")
                    .expect("it lives")
            }
            Target::Bounded(address) => {
                address.call(Work::Call, Duration::from_secs(5)).await.expect("it lives")
            }
        }
    }

    /// Sends `FLOOD` messages and waits until the last is handled.
    async fn flood(&self, timed: bool) -> (Duration, Delays) {
        let began = Instant::now();
        for _ in 0..FLOOD {
            self.send(Work::Item { sent: timed.then(Instant::now), payload: PAYLOAD }).await;
        }
        let (reply, delays) = oneshot::channel();
        self.send(Work::Report(reply)).await;
        let delays = delays.await.expect("it lives");
        (began.elapsed(), delays)
    }
}

fn throughput(criterion: &mut Criterion, runtime: &Runtime) {
    let mut group = criterion.benchmark_group("mailbox flood, 256 B");
    group.throughput(Throughput::Elements(FLOOD)).sample_size(20);
    for (name, target) in [
        ("plain ractor", runtime.block_on(Target::plain())),
        ("bounded address", runtime.block_on(Target::bounded())),
    ] {
        group.bench_function(name, |bencher| {
            bencher.to_async(runtime).iter(|| {
                let target = target.clone();
                // On a worker, as every sender of the daemon is: `block_on`'s thread is woken at a much higher price.
                async move { ractor::concurrency::spawn(async move { target.flood(false).await.0 }).await }
            });
        });
    }
    group.finish();
}

fn percentile(sorted: &[Duration], share: f64) -> f64 {
    sorted[((sorted.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e6
}

#[expect(clippy::print_stdout, reason = "the table is the benchmark's result")]
async fn table() {
    println!("\n| | flood msg/s | delay p50 | p99 | max | call p50 | p99 |");
    println!("|---|---|---|---|---|---|---|");
    for round in 1..=3 {
        for (name, target) in
            [("plain ractor", Target::plain().await), ("bounded address", Target::bounded().await)]
        {
            let (took, mut delays) = target.flood(true).await;
            delays.sort_unstable();
            let mut calls = Vec::with_capacity(CALLS);
            for _ in 0..CALLS {
                let began = Instant::now();
                target.call().await;
                calls.push(began.elapsed());
            }
            calls.sort_unstable();
            println!(
                "| {name}, round {round} | {:.0} k | {:.0} us | {:.0} us | {:.0} us | {:.2} us | {:.2} us |",
                FLOOD as f64 / took.as_secs_f64() / 1e3,
                percentile(&delays, 0.5),
                percentile(&delays, 0.99),
                percentile(&delays, 1.0),
                percentile(&calls, 0.5),
                percentile(&calls, 0.99),
            );
        }
    }
}

fn main() {
    let runtime = Runtime::new().expect("a runtime");
    let mut criterion = Criterion::default().configure_from_args();
    throughput(&mut criterion, &runtime);
    criterion.final_summary();
    runtime.block_on(async { ractor::concurrency::spawn(table()).await }).expect("the table is printed");
}
