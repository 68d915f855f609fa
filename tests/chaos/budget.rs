//! A budget is kept although one tool would not: the answer comes in time, with what the other tools found.

use std::time::{Duration, Instant};

use super::calls;
use super::leftovers::Leftovers;
use super::plan::Plan;
use super::table::Row;
use super::world::{Tool, World, scan};

const BUDGET_S: u32 = 10;
/// The budget and a second.
const ANSWER_MAX: Duration = Duration::from_secs(11);

pub async fn run(_: Plan) -> Vec<Row> {
    let tools = [
        Tool::new("clean", "report 0"),
        Tool::new("finds", "report 3"),
        Tool::new("sleeps", "nap 60"),
        Tool::new("deaf", "ignore-term"),
    ];
    let world = World::new(&tools, &["jobs.cpu_slots=4"]);
    let served = world.serve().await;
    let mut rows = Vec::new();
    for stubborn in ["sleeps", "deaf"] {
        let mut client = served.client().await;
        let mut arguments = scan(&world.target(), &["clean", "finds", stubborn]);
        arguments["deadline_s"] = BUDGET_S.into();
        arguments["wait_s"] = 45.into();
        let began = Instant::now();
        let midway = async {
            tokio::time::sleep(ANSWER_MAX / 4).await;
            Leftovers::look(&world)
        };
        let (job, seen) = tokio::join!(calls::call(&mut client, "scan", &arguments), midway);
        let (job, took) = (job.expect("an empty queue has room"), began.elapsed());
        let others = job.run("clean") == "clean" && job.run("finds") == "findings";
        rows.push(Row::new(
            format!("budget {BUDGET_S} s, with a tool that {stubborn} for 60 s"),
            format!("{:.2} s; {}, the tools {:?}", took.as_secs_f64(), job.conclusion, states(&job)),
            "≤ 11 s, with the others' results",
            took <= ANSWER_MAX && others && job.run(stubborn) == "failed",
        ));
        rows.push(Leftovers::row(&world, "then", &seen).await);
    }
    rows
}

fn states(job: &calls::Job) -> Vec<&str> {
    job.runs.iter().map(|run| run.state.as_str()).collect()
}
