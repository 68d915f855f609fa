use std::sync::{Arc, Mutex};

use futures_util::{FutureExt as _, StreamExt as _, stream};
use serde_json::Value;
use tokio::sync::Notify;

use super::*;
use crate::cli::fake_daemon::{connected, play, result, structured, with_handshake};
use crate::cli::samples;
use crate::cli::terminal::Color;

fn in_state(state: &str) -> JobAnswer {
    JobAnswer { state: state.into(), ..samples::job() }
}

fn tool(request: &Value) -> String {
    request["params"]["name"].as_str().unwrap().to_owned()
}

/// Follows a queued job at a daemon that answers with `answer`.
async fn followed(answer: impl FnMut(&Value) -> Vec<Value>, mut shutdown: Shutdown) -> JobAnswer {
    play(with_handshake(answer), async move |address| {
        let mut link = Link::to_own(connected(address).await);
        let terminal = Terminal::new(Color::Never, true);
        let job = follow(&mut link, in_state("queued"), &mut shutdown, terminal).await.unwrap();
        link.client.close().await;
        job
    })
    .await
}

#[tokio::test]
async fn a_job_is_followed_to_its_end() {
    let mut states = ["queued", "running", "done"].into_iter();
    let answer = move |request: &Value| vec![result(request, &structured(&in_state(states.next().unwrap())))];
    assert_eq!(followed(answer, Shutdown::of(stream::pending())).await.state, "done");
}

#[tokio::test]
async fn the_first_signal_cancels_and_the_end_is_awaited() {
    let calls = Arc::new(Mutex::new(Vec::new()));
    let (log, looked) = (Arc::clone(&calls), Arc::new(Notify::new()));
    let signal = Arc::clone(&looked);
    let answer = move |request: &Value| {
        let name = tool(request);
        log.lock().unwrap().push(name.clone());
        let cancelled = log.lock().unwrap().iter().any(|call| call == "job_cancel");
        looked.notify_one();
        match (name.as_str(), cancelled) {
            // The daemon keeps the first look open; its answer would come after the cancel.
            ("job_status", false) => vec![],
            ("job_cancel", _) => vec![result(request, &structured(&in_state("running")))],
            _ => vec![result(request, &structured(&in_state("cancelled")))],
        }
    };
    let asks = async move { signal.notified().await }.into_stream().map(|()| Ask::Drain);
    assert_eq!(followed(answer, Shutdown::of(asks)).await.state, "cancelled");
    assert_eq!(*calls.lock().unwrap(), ["job_status", "job_cancel", "job_status"]);
}

#[tokio::test]
async fn the_second_signal_leaves_with_the_job_as_last_seen() {
    let answer = |request: &Value| match tool(request).as_str() {
        "job_cancel" => vec![result(request, &structured(&in_state("running")))],
        _ => vec![],
    };
    let asks = stream::iter([Ask::Drain, Ask::Hurry]);
    assert_eq!(followed(answer, Shutdown::of(asks)).await.state, "running");
}
