//! How fast a panicked actor is replaced, and what ten thousand sessions cost to start, hold and stop.
//!
//! `cargo bench --bench supervise` prints criterion's figures, then percentiles.

use std::time::{Duration, Instant};

use criterion::Criterion;
use proctor::actors::mailbox::{Lane, Message, Slot};
use proctor::actors::server::{Context, Server, StartError, Stop};
use proctor::actors::supervise::{ChildSpec, Ended, Intensity, Strategy, Supervisor, SupervisorSpec};
use tokio::runtime::Runtime;

const PANICS: usize = 5_000;
const SESSIONS: usize = 10_000;
const NO_GIVING_UP: Intensity = Intensity { restarts: u32::MAX, period: Duration::ZERO };

/// A session-like child: some state, two lanes.
struct Session {
    handled: u64,
    _buffer: Vec<u8>,
}

enum Word {
    Work,
    Panic,
}

impl Message for Word {
    fn lane(&self) -> Lane {
        match self {
            Word::Work => Lane::Data,
            Word::Panic => Lane::Control,
        }
    }
}

impl Server for Session {
    const NAME: &'static str = "session";
    const MAILBOX_LIMIT: usize = 64;
    type Message = Word;
    type Arguments = usize;

    async fn init(bytes: usize, _: &Context<Word>) -> Result<Self, StartError> {
        Ok(Self { handled: 0, _buffer: vec![0; bytes] })
    }

    async fn handle(&mut self, word: Word, _: &Context<Word>) -> Result<(), Stop> {
        match word {
            Word::Work => self.handled += 1,
            Word::Panic => panic!("as asked"),
        }
        Ok(())
    }
}

async fn one_worker() -> (Supervisor, Slot<Word>) {
    let slot = Slot::new();
    let child = ChildSpec::server_in::<Session>("worker", &slot, || 64);
    let spec = SupervisorSpec::new("bench", Strategy::OneForOne).intensity(NO_GIVING_UP).child(child);
    let supervisor = Supervisor::start(spec).await.expect("it starts");
    supervisor.booted().await.expect("it boots");
    (supervisor, slot)
}

/// From the panic's message until the next life has been started and takes work.
async fn replace(slot: &Slot<Word>) -> Duration {
    let first = slot.get().expect("it runs");
    let began = Instant::now();
    first.try_send(Word::Panic).expect("it takes control");
    first.closed().await;
    let next = slot.ready().await;
    next.try_send(Word::Work).expect("it takes work");
    began.elapsed()
}

async fn sessions() -> (Duration, Duration, u64) {
    let spec = SupervisorSpec::new("bench", Strategy::Dynamic { cap: SESSIONS });
    let supervisor = Supervisor::start(spec).await.expect("it starts");
    let before = resident_kib();
    let began = Instant::now();
    for n in 0..SESSIONS {
        let name = format!("session-{n}");
        supervisor.start_server::<Session>(name, 64).await.expect("it starts");
    }
    let started = began.elapsed();
    let held = resident_kib().saturating_sub(before);
    let began = Instant::now();
    assert_eq!(supervisor.shutdown(Duration::from_secs(60)).await, Ended::Stopped);
    (started, began.elapsed(), held)
}

fn resident_kib() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4
}

#[expect(clippy::print_stdout, reason = "the figures are the benchmark's result")]
async fn figures() {
    let (started, stopped, held) = sessions().await;
    println!(
        "\n{SESSIONS} sessions: started in {started:.0?}, stopped in {stopped:.0?}, {:.1} KiB each",
        held as f64 / SESSIONS as f64
    );
    let (_supervisor, slot) = one_worker().await;
    let mut times = Vec::with_capacity(PANICS);
    for _ in 0..PANICS {
        times.push(replace(&slot).await);
    }
    times.sort_unstable();
    let at = |share: f64| times[((PANICS - 1) as f64 * share) as usize];
    println!(
        "panic to replacement ready, {PANICS} times: p50 {:.0?}, p99 {:.0?}, max {:.0?}",
        at(0.5),
        at(0.99),
        at(1.0)
    );
}

fn main() {
    // The panics are the subject here; their reports would be the benchmark.
    std::panic::set_hook(Box::new(|_| {}));
    let runtime = Runtime::new().expect("a runtime");
    runtime.block_on(async { ractor::concurrency::spawn(figures()).await }).expect("the figures are printed");
    let mut criterion = Criterion::default().configure_from_args().sample_size(10);
    let (_supervisor, slot) = runtime.block_on(one_worker());
    criterion.bench_function("panic to replacement", |bencher| {
        bencher.to_async(&runtime).iter(|| replace(&slot));
    });
    criterion.bench_function("start and stop 10,000 sessions", |bencher| {
        bencher.to_async(&runtime).iter(sessions);
    });
    criterion.final_summary();
}
