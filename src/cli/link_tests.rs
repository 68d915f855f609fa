use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::*;
use crate::cli::fake_daemon::{TOKEN, connected, daemon, play, result, structured, with_handshake};
use crate::cli::follow::arguments;
use crate::cli::samples;
use crate::protocol::api::JobAnswer;

/// Announces a daemon at `address`, as one does in its data directory.
fn announce(folder: &Path, address: SocketAddr) {
    let token_file = folder.join("token");
    std::fs::write(&token_file, TOKEN).unwrap();
    std::fs::set_permissions(&token_file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let text = json!({ "address": address, "pid": std::process::id(), "token_file": token_file });
    std::fs::write(folder.join("daemon.json"), text.to_string()).unwrap();
}

async fn listen(folder: &Path) -> TcpListener {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    announce(folder, listener.local_addr().unwrap());
    listener
}

fn answer(request: &Value) -> Vec<Value> {
    vec![result(request, &structured(&samples::job()))]
}

#[tokio::test]
async fn a_job_is_asked_for_again_where_the_daemon_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let first = listen(folder.path()).await;
    let daemons = async {
        // Answers the handshake and hangs up at the first question; the next one has another port.
        daemon(first, with_handshake(|_| vec![Value::Null])).await;
        daemon(listen(folder.path()).await, with_handshake(answer)).await;
    };
    let client = async {
        let mut link = Link::to_running(folder.path().to_owned()).await.unwrap();
        let mut losses = 0;
        let job: JobAnswer =
            link.call("job_status", &arguments(samples::JOB, None), &mut |_| losses += 1).await.unwrap();
        link.client.close().await;
        (job, losses)
    };
    let ((), (job, losses)) = tokio::join!(daemons, client);
    assert_eq!((job, losses), (samples::job(), 1));
}

#[tokio::test]
async fn a_daemon_of_our_own_is_not_looked_for() {
    let lost = play(with_handshake(|_| vec![Value::Null]), async |address| {
        let mut link = Link::to_own(connected(address).await);
        let look = arguments(samples::JOB, None);
        link.call::<JobAnswer>("job_status", &look, &mut |_| panic!("nobody to wait for")).await.unwrap_err()
    })
    .await;
    assert!(matches!(lost, ClientError::Lost { .. }), "{lost}");
}
