//! SIGTERM at the worst moment: fifty sessions that wait for answers, jobs that run and jobs that wait. The daemon ends
//! in good order within its budget, tells everybody, and the next one does all that was left.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use futures_util::{SinkExt, StreamExt};
use nix::sys::signal::Signal;
use proctor::cli::client::{PROTOCOL_VERSION, open};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use super::calls;
use super::leftovers::Leftovers;
use super::oracle::Ledger;
use super::plan::Plan;
use super::served::Served;
use super::table::Row;
use super::world::{Tool, World, scan, until};

const SESSIONS: usize = 50;
const RUNNING: usize = 20;
const QUEUED: usize = 50;
/// What each job finds.
const FINDINGS: u64 = 2;
/// The id of the request that is under way when the signal comes.
const WAITING_ID: u64 = 9;
/// How long the jobs of the drained daemon may take in the next one.
const END_MAX: Duration = Duration::from_secs(180);

/// How a session ended: whether its request was answered, and the close code.
struct Farewell {
    answered: bool,
    code: Option<u16>,
}

pub async fn run(plan: Plan) -> Vec<Row> {
    // Longer than the daemon waits for running jobs, so that it must hand them back.
    let (budget, nap) = if plan.scale.count(0, 1) == 0 { (13, 8) } else { (25, 40) };
    let tools = [Tool::new("quick", "report 2"), Tool::new("slow", &format!("nap {nap} 2"))];
    let settings = [
        format!("daemon.drain_s={budget}"),
        format!("jobs.running_max={RUNNING}"),
        format!("jobs.cpu_slots={RUNNING}"),
    ];
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    let world = World::new(&tools, &settings);
    let (mut served, ledger) = (world.serve().await, Ledger::default());
    submit(&world, &served, &ledger).await;
    let sessions = join_all(ledger.jobs().iter().take(SESSIONS).map(|job| session(&served, job))).await;
    let seen = Leftovers::look(&world);
    let began = Instant::now();
    served.signal(Signal::SIGTERM);
    let farewells = join_all(sessions.into_iter().map(farewell));
    let (status, farewells) = tokio::join!(served.wait(), farewells);
    let took = began.elapsed();
    let done = format!("SIGTERM with {SESSIONS} sessions, {RUNNING} jobs running, {QUEUED} queued");
    let mut rows = vec![
        Row::new(
            &done,
            format!("exit {:?} after {:.1} s", status.code(), took.as_secs_f64()),
            format!("exit 0 in ≤ {budget} s"),
            status.code() == Some(0) && took <= Duration::from_secs(budget),
        ),
        told(&farewells),
        Leftovers::row(&world, &done, &seen).await,
    ];
    rows.extend(next_life(&world, &ledger).await);
    rows
}

fn told(farewells: &[Farewell]) -> Row {
    let closed = farewells.iter().filter(|farewell| farewell.code == Some(1001)).count();
    let answered = farewells.iter().filter(|farewell| farewell.answered).count();
    Row::new(
        format!("{} sessions, each with a request under way", farewells.len()),
        format!("{closed} closed with 1001, {answered} requests answered"),
        "all of both",
        closed == SESSIONS && answered == SESSIONS,
    )
}

/// Jobs that fill every place, and as many as wait behind them.
async fn submit(world: &World, served: &Served, ledger: &Ledger) {
    let mut client = served.client().await;
    for number in 0..RUNNING + QUEUED {
        let target = world.target();
        ledger.asked(&target);
        let tool = if number < RUNNING { "slow" } else { "quick" };
        let job = calls::call(&mut client, "scan", &scan(&target, &[tool])).await.expect("room in the queue");
        ledger.acknowledged(&target, &job.job);
    }
    while served.metric("proctor_runs_running").await < RUNNING as f64 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

type Socket = WebSocketStream<TcpStream>;

/// A session that waits for the end of a job.
async fn session(served: &Served, job: &str) -> Socket {
    let mut socket = open(served.address, &served.token).await.expect("a daemon that serves");
    let params = json!({ "protocolVersion": PROTOCOL_VERSION, "capabilities": {}, "clientInfo": { "name": "chaos", "version": "0" } });
    send(&mut socket, &json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params })).await;
    socket.next().await.expect("an answer").expect("a message");
    send(&mut socket, &json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).await;
    let params = json!({ "name": "job_status", "arguments": { "job": job, "wait_s": 45 } });
    send(
        &mut socket,
        &json!({ "jsonrpc": "2.0", "id": WAITING_ID, "method": "tools/call", "params": params }),
    )
    .await;
    socket
}

async fn send(socket: &mut Socket, message: &Value) {
    socket.send(Message::text(message.to_string())).await.expect("sent");
}

async fn farewell(mut socket: Socket) -> Farewell {
    let mut farewell = Farewell { answered: false, code: None };
    while let Some(Ok(message)) = socket.next().await {
        match message {
            Message::Text(text) => {
                let answer: Value = serde_json::from_str(&text).expect("JSON");
                farewell.answered |= answer["id"] == WAITING_ID;
            }
            Message::Close(frame) => farewell.code = frame.map(|frame| frame.code.into()),
            _ => {}
        }
    }
    farewell
}

async fn next_life(world: &World, ledger: &Ledger) -> Vec<Row> {
    let served = world.serve().await;
    let mut client = served.client().await;
    let began = Instant::now();
    let all = async {
        for job in ledger.jobs() {
            drop(calls::end_of(&mut client, &job).await);
        }
    };
    let ended = tokio::time::timeout(END_MAX, all).await.is_ok();
    let done = format!("the next daemon, {:.0} s", began.elapsed().as_secs_f64());
    let idle = until(Duration::from_secs(5), || super::proc::below(served.pid()).is_empty()).await;
    let code = served.stop().await;
    let verdict = ledger.check(world, FINDINGS);
    let mut rows = verdict.rows(&done);
    rows.push(Row::new(
        format!("{RUNNING} jobs that ran"),
        format!("{} were handed back and started again", verdict.again),
        "all of them",
        verdict.again == RUNNING,
    ));
    let figures = format!("all over {ended}, idle {idle}, exit {code:?}");
    rows.push(Row::new(done, figures, "all over, idle, exit 0", ended && idle && code == Some(0)));
    rows
}
