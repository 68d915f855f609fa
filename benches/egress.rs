//! HTTP through a gate against the same requests without it, in one run: requests per second and bytes per second.
//!
//! `cargo bench --bench egress`; a number after `--` sets the seconds per cell. The target is a bare loop that answers from
//! memory, so that what is measured is the way, not the goal; every number of connections is measured both ways in turn.

#![expect(clippy::print_stdout, reason = "its output is its purpose")]

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use proctor::actors::egress::Gate;
use proctor::domain::scope::{Authority, Scope};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

const CONNECTIONS: [usize; 3] = [1, 10, 100];
const SMALL: usize = 512;
const LARGE: usize = 4 * 1024 * 1024;

fn main() {
    // `cargo bench` passes `--bench`; the seconds are the first number.
    let seconds = std::env::args().find_map(|word| word.parse().ok()).unwrap_or(2.0);
    let span = Duration::from_secs_f64(seconds);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(measure(span));
}

async fn measure(span: Duration) {
    println!("{:>9} {:>11} {:>14} {:>14} {:>7}", "body", "connections", "direct", "gate", "ratio");
    for (body, connections) in CONNECTIONS.map(|count| (SMALL, count)).into_iter().chain([(LARGE, 2)]) {
        let mut tasks = JoinSet::new();
        let target = serve(&mut tasks, body).await;
        let authority = Authority::new("target.invalid", target.port()).expect("a name");
        let scope = Scope::default().with(authority, vec![target]);
        let gate = Gate::open(Arc::new(scope), IpAddr::from([127, 0, 0, 1])).await.expect("a port");
        let direct = load(target, "/".to_owned(), (body, connections), span).await;
        let url = format!("http://target.invalid:{}/", target.port());
        let through = load(gate.address(), url, (body, connections), span).await;
        assert_eq!(gate.traffic().failed, 0);
        let unit = |rate: f64| match body {
            SMALL => format!("{rate:.0}/s"),
            _ => format!("{:.0} MB/s", rate * body as f64 / 1e6),
        };
        println!(
            "{body:>9} {connections:>11} {:>14} {:>14} {:>7.2}",
            unit(direct),
            unit(through),
            through / direct
        );
    }
}

/// A target that answers every request with `body` bytes.
async fn serve(tasks: &mut JoinSet<()>, body: usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("a bound port");
    let mut answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {body}\r\n\r\n").into_bytes();
    answer.resize(answer.len() + body, b'x');
    let answer = Arc::new(answer);
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((mut socket, _)) = listener.accept().await {
            let answer = Arc::clone(&answer);
            connections.spawn(async move {
                let mut buffer = [0; 4096];
                socket.set_nodelay(true).ok();
                // Requests are small and come one at a time.
                while socket.read(&mut buffer).await.is_ok_and(|count| count > 0) {
                    if socket.write_all(&answer).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

/// Answers per second of `connections` clients that ask in a row.
async fn load(to: SocketAddr, target: String, (body, connections): (usize, usize), span: Duration) -> f64 {
    let done = Arc::new(AtomicU64::new(0));
    let mut clients = JoinSet::new();
    for _ in 0..connections {
        let (done, request) =
            (Arc::clone(&done), format!("GET {target} HTTP/1.1\r\nHost: target.invalid\r\n\r\n"));
        clients.spawn(async move {
            let mut socket = TcpStream::connect(to).await.expect("a server");
            socket.set_nodelay(true).expect("a socket");
            let mut buffer = vec![0; 256 * 1024];
            loop {
                socket.write_all(request.as_bytes()).await.expect("a server that reads");
                let (mut count, mut header) = (0, None);
                while header.is_none_or(|header| count < header + body) {
                    let at = if header.is_none() { count } else { 0 };
                    let read = socket.read(&mut buffer[at..]).await.expect("an answer");
                    assert!(read > 0, "the server hung up");
                    count += read;
                    let end = |bytes: &[u8]| bytes.windows(4).position(|four| four == b"\r\n\r\n");
                    header = header.or_else(|| end(&buffer[..count]).map(|end| end + 4));
                }
                done.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    tokio::time::sleep(span / 4).await;
    let (before, began) = (done.load(Ordering::Relaxed), std::time::Instant::now());
    tokio::time::sleep(span).await;
    (done.load(Ordering::Relaxed) - before) as f64 / began.elapsed().as_secs_f64()
}
