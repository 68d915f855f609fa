//! The campaign: faults and load of every kind on the real daemon, each against a bound, with a table at the end. It exits
//! non-zero when a bound is broken.
//!
//! `./scripts/chaos` runs it. A plain `cargo test` only says so: the whole takes an hour, the short form minutes.

#![expect(clippy::print_stdout, reason = "a test whose output is its purpose")]

mod arguments;
mod plan;
mod rng;
mod figures;
mod table;
mod world;
mod served;
mod calls;
mod proc;
mod leftovers;
mod oracle;
mod engine;
mod page;

mod cancel;
mod overload;
mod fair;
mod flood;
mod soak;
mod kill;
mod dedup;
mod drain;
mod budget;
mod zap;
mod zap_faults;

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use futures_util::FutureExt;

use arguments::Arguments;
use plan::Plan;
use table::Row;

/// A scenario that takes longer hangs: the longest is the soak of half an hour.
const SCENARIO_MAX: Duration = Duration::from_secs(5_400);

type Running = Pin<Box<dyn Future<Output = Vec<Row>>>>;
/// A name, and what it does.
type Scenario = (&'static str, fn(Plan) -> Running);

const SCENARIOS: &[Scenario] = &[
    ("cancel", |plan| Box::pin(cancel::run(plan))),
    ("overload", |plan| Box::pin(overload::run(plan))),
    ("fair", |plan| Box::pin(fair::run(plan))),
    ("flood", |plan| Box::pin(flood::run(plan))),
    ("soak", |plan| Box::pin(soak::run(plan))),
    ("kill", |plan| Box::pin(kill::run(plan))),
    ("dedup", |plan| Box::pin(dedup::run(plan))),
    ("drain", |plan| Box::pin(drain::run(plan))),
    ("budget", |plan| Box::pin(budget::run(plan))),
    ("zap", |plan| Box::pin(zap::run(plan))),
];

fn main() -> ExitCode {
    match Arguments::read(std::env::args().skip(1)) {
        Ok(Some(arguments)) => campaign(&arguments),
        Ok(None) => {
            println!("chaos: not asked for; run ./scripts/chaos ({})", arguments::USAGE);
            ExitCode::SUCCESS
        }
        Err(why) => {
            println!("chaos: {why}; usage: {}", arguments::USAGE);
            ExitCode::from(3)
        }
    }
}

fn campaign(arguments: &Arguments) -> ExitCode {
    let wanted =
        |(name, _): &&Scenario| arguments.only.is_empty() || arguments.only.iter().any(|only| only == name);
    let chosen: Vec<&Scenario> = SCENARIOS.iter().filter(wanted).collect();
    if chosen.is_empty() || chosen.len() < arguments.only.len() {
        let known: Vec<&str> = SCENARIOS.iter().map(|(name, _)| *name).collect();
        println!("chaos: --only {}: there are {}", arguments.only.join(","), known.join(", "));
        return ExitCode::from(3);
    }
    println!("seed {}, scale {:?}, load {}", arguments.seed, arguments.scale, load());
    // One thread: the client must not take more of the cores than it needs.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    println!("{}", table::HEAD);
    let began = Instant::now();
    let mut broken = 0;
    for (index, (name, scenario)) in chosen.iter().enumerate() {
        let until = arguments.time.map(|time| share_of(began + time, chosen.len() - index));
        let plan = Plan { seed: arguments.seed, scale: arguments.scale, until };
        let rows = runtime.block_on(outcome(scenario(plan)));
        broken += rows.iter().filter(|row| !row.held).count();
        rows.iter().for_each(|row| println!("{}", table::line(name, row)));
    }
    println!("\n{broken} bounds broken, {:.0} s, load {}", began.elapsed().as_secs_f64(), load());
    if broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The end of this one's part of the time that is left for so many.
fn share_of(end: Instant, scenarios: usize) -> Instant {
    let now = Instant::now();
    let parts = u32::try_from(scenarios).expect("a few");
    now + end.saturating_duration_since(now) / parts
}

/// A scenario that panics or hangs is a broken bound, and the others still run.
async fn outcome(scenario: Running) -> Vec<Row> {
    match tokio::time::timeout(SCENARIO_MAX, AssertUnwindSafe(scenario).catch_unwind()).await {
        Ok(Ok(rows)) => rows,
        Ok(Err(panic)) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            vec![Row::broken(text.unwrap_or_default().replace('\n', " "))]
        }
        Err(_) => vec![Row::broken(format!("took longer than {SCENARIO_MAX:?}"))],
    }
}

/// The machine's load over a minute: figures without it say little.
fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}
