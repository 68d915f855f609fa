//! A tool's traffic reaches the job's scope through its gate, and nothing else does; what passed is counted; a gate that is
//! gone has left nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use proctor::domain::scope::{Authority, Bounds, Place, Scope};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::egress_world::{Reply, Tool, Web, gate, page, status};
use crate::support::{soon, until};

#[tokio::test]
async fn a_request_comes_out_at_the_pinned_address_as_the_tool_wrote_it() {
    let web = Web::serve(|_| page(201, "X-Odd-Case: y\r\nConnection: X-Hop\r\nX-Hop: 1\r\n", "made")).await;
    // No resolver knows this name: that the request arrives shows that none was asked.
    let gate = gate(web.scope("shop.invalid")).await;
    let mut tool = Tool::connect(&gate).await;
    let url = web.url("SHOP.invalid", "/a/../b?c=%27&d=<x>");
    let request = format!(
        "POST {url} HTTP/1.1\nHost: other.example\nX-MiXed: 1\nProxy-Authorization: Basic eA==\nConnection: X-Mine\nX-Mine: 2\n\
         Keep-Alive: 5\nTE: trailers\nContent-Length: 4\n\nbody"
    );
    let answer = tool.ask(&request.replace("<x>", "x")).await;
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    assert!(answer.contains("X-Odd-Case: y\r\n") && answer.ends_with("\r\n\r\nmade"), "{answer}");
    assert!(!answer.contains("X-Hop"), "{answer}");
    let arrived = web.requests().remove(0);
    let port = web.address.port();
    assert!(arrived.starts_with("POST /a/../b?c=%27&d=x HTTP/1.1\r\n"), "{arrived}");
    assert!(arrived.contains("X-MiXed: 1\r\n") && arrived.ends_with("\r\n\r\nbody"), "{arrived}");
    assert!(arrived.to_lowercase().contains(&format!("host: shop.invalid:{port}\r\n")), "{arrived}");
    for gone in ["other.example", "Proxy-", "X-Mine", "Keep-Alive", "TE:"] {
        assert!(!arrived.contains(gone), "{gone} in {arrived}");
    }
    let traffic = gate.close().await;
    assert_eq!((traffic.requests, traffic.answers, traffic.refused), (1, [0, 1, 0, 0, 0], 0));
    assert_eq!((traffic.bytes_sent, traffic.bytes_received), (4, 4));
}

#[tokio::test]
async fn what_is_not_in_the_scope_is_refused_and_named_and_the_connection_goes_on() {
    let (web, other) =
        (Web::serve(|_| page(200, "", "in")).await, Web::serve(|_| page(200, "", "out")).await);
    let gate = gate(web.scope("shop.invalid")).await;
    let mut tool = Tool::connect(&gate).await;
    let answer = tool.get(&format!("http://{}/", other.address)).await;
    assert_eq!(status(&answer), "403");
    assert!(answer.contains("text/plain") && answer.contains("is not in this job's scope"), "{answer}");
    // The right host at another port, and the right port by its address: neither was judged.
    for url in [other.url("shop.invalid", "/"), format!("http://{}/", web.address)] {
        assert_eq!(status(&tool.get(&url).await), "403", "{url}");
    }
    assert_eq!(status(&tool.get(&web.url("shop.invalid", "/")).await), "200");
    for number in 0..100 {
        assert_eq!(status(&tool.get(&format!("http://h{number}.invalid/")).await), "403");
    }
    assert_eq!(other.connections(), 0);
    let traffic = gate.traffic();
    assert_eq!((traffic.refused, traffic.requests), (103, 1));
    assert_eq!(traffic.refused_to.len(), 32);
    assert!(traffic.refused_to.contains(&other.address.to_string()), "{:?}", traffic.refused_to);
}

#[tokio::test]
async fn what_is_out_of_bounds_is_refused_and_named_and_never_asked_for() {
    let web = Web::serve(|_| page(200, "", "in")).await;
    let target = Place::parse(&web.url("shop.invalid", "/app/")).unwrap();
    let login = target.join("/login").unwrap();
    let bounds = Bounds::new(&target, &[login], &["/logout".into(), "[?&]drop=".into()]).unwrap();
    let gate = gate(web.scope("shop.invalid").within(bounds)).await;
    let mut tool = Tool::connect(&gate).await;
    for (path, why) in [
        ("/app/logout", "is excluded"),
        ("/app/%6c%6Fgout", "is excluded"),
        ("/app/x/../logout", "is excluded"),
        ("/app/?a=1&drop=all", "is excluded"),
        ("/", "is not in this job's folder /app/"),
        ("/app/../admin", "is not in this job's folder /app/"),
    ] {
        let answer = tool.get(&web.url("shop.invalid", path)).await;
        assert!(status(&answer) == "403" && answer.contains(why), "{path}: {answer}");
    }
    // The very target, but in a tunnel nobody would see what it is asked for.
    let mut tunnel = Tool::connect(&gate).await;
    let asked = format!("CONNECT shop.invalid:{} HTTP/1.1\nHost: x\n\n", web.address.port());
    assert_eq!(status(&tunnel.ask(&asked).await), "403");
    for path in ["/app/", "/app/in?q=1", "/login?next=/app/"] {
        assert_eq!(status(&tool.get(&web.url("shop.invalid", path)).await), "200", "{path}");
    }
    let asked: Vec<String> =
        web.requests().iter().map(|request| request.split(' ').nth(1).unwrap().to_owned()).collect();
    assert_eq!(asked, ["/app/", "/app/in?q=1", "/login?next=/app/"]);
    let traffic = gate.traffic();
    assert_eq!((traffic.refused, traffic.requests, traffic.tunnels), (7, 3, 0));
    assert!(traffic.refused_to.contains(&web.url("shop.invalid", "/app/logout")), "{:?}", traffic.refused_to);
}

#[tokio::test]
async fn a_tunnel_carries_both_ways_until_both_sides_are_done() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let authority = Authority::new("secure.invalid", address.port()).unwrap();
    let gate = gate(Scope::default().with(authority, vec![address])).await;
    let mut tool = Tool::connect(&gate).await;
    let port = address.port();
    let answer = tool.ask(&format!("CONNECT secure.invalid:{port} HTTP/1.1\nHost: x\n\nearly ")).await;
    assert_eq!(status(&answer), "200");
    let (mut target, _) = soon("the tunnel", listener.accept()).await.unwrap();
    tool.socket.write_all(b"late").await.unwrap();
    tool.socket.shutdown().await.unwrap();
    let mut heard = String::new();
    soon("the tool's end", target.read_to_string(&mut heard)).await.unwrap();
    assert_eq!(heard, "early late");
    // One direction is over; the other still works.
    target.write_all(b"answer").await.unwrap();
    drop(target);
    let mut answered = String::new();
    soon("the target's end", tool.socket.read_to_string(&mut answered)).await.unwrap();
    assert_eq!(answered, "answer");
    let traffic = gate.close().await;
    assert_eq!((traffic.tunnels, traffic.bytes_sent, traffic.bytes_received), (1, 10, 6));
    assert_eq!(traffic.tunnels_answered, 1);
}

#[tokio::test]
async fn a_tunnel_to_elsewhere_is_refused() {
    let (web, other) = (Web::serve(|_| page(200, "", "")).await, Web::serve(|_| page(200, "", "")).await);
    let gate = gate(web.scope("shop.invalid")).await;
    let port = web.address.port();
    for asked in [
        other.address.to_string(),
        format!("127.0.0.1:{port}"),
        "shop.invalid:22".into(),
        "shop.invalid".into(),
    ] {
        let mut tool = Tool::connect(&gate).await;
        let answer = tool.ask(&format!("CONNECT {asked} HTTP/1.1\nHost: shop.invalid:{port}\n\n")).await;
        assert_eq!(status(&answer), "403", "{asked}");
    }
    assert_eq!((web.connections(), other.connections()), (0, 0));
}

#[tokio::test]
async fn a_dropped_gate_cuts_everything_and_shuts_its_port() {
    let web = Web::serve(|_| Reply::Silence).await;
    let port = web.address.port();
    let gate = gate(web.scope("shop.invalid")).await;
    let address = gate.address();
    let (mut waiting, mut tunnel) = (Tool::connect(&gate).await, Tool::connect(&gate).await);
    waiting
        .socket
        .write_all(format!("GET {} HTTP/1.1\r\n\r\n", web.url("shop.invalid", "/")).as_bytes())
        .await
        .unwrap();
    assert_eq!(
        status(&tunnel.ask(&format!("CONNECT shop.invalid:{port} HTTP/1.1\nHost: x\n\n")).await),
        "200"
    );
    until("the request arrives", || web.requests().len() == 1).await;
    assert_eq!((gate.traffic().tunnels, gate.traffic().tunnels_answered), (1, 0), "nothing came back");
    drop(gate);
    for tool in [&mut waiting, &mut tunnel] {
        let mut rest = Vec::new();
        // Cut: an end, or a reset.
        soon("the cut", tool.socket.read_to_end(&mut rest)).await.ok();
        assert_eq!(rest, b"");
    }
    soon("the port is shut", async {
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_huge_answer_waits_for_its_reader() {
    const PIECE: usize = 64 * 1024;
    const PIECES: usize = 1024;
    let written = Arc::new(AtomicUsize::new(0));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let authority = Authority::new("big.invalid", address.port()).unwrap();
    let gate = gate(Scope::default().with(authority, vec![address])).await;
    let mut tasks = tokio::task::JoinSet::new();
    let counted = Arc::clone(&written);
    tasks.spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        socket.read_buf(&mut Vec::with_capacity(4096)).await.unwrap();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", PIECE * PIECES);
        socket.write_all(head.as_bytes()).await.unwrap();
        for _ in 0..PIECES {
            socket.write_all(&[b'x'; PIECE]).await.unwrap();
            counted.fetch_add(PIECE, Ordering::Relaxed);
        }
    });
    let mut tool = TcpStream::connect(gate.address()).await.unwrap();
    tool.write_all(format!("GET http://big.invalid:{}/ HTTP/1.1\r\n\r\n", address.port()).as_bytes())
        .await
        .unwrap();
    // Until nothing moves any more: what the sockets and the gate hold together.
    let mut held = 0;
    soon("a standstill", async {
        loop {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            let now = written.load(Ordering::Relaxed);
            if now == held && now > 0 {
                break;
            }
            held = now;
        }
    })
    .await;
    // The kernel's buffers of two connections hold up to some 6 MB each way here; the whole is 64 MB.
    assert!(held < PIECE * PIECES / 2, "{held} bytes were taken from the target while nobody read");
    let mut buffer = vec![0; PIECE];
    let mut read = 0;
    while read < PIECE * PIECES {
        read += soon("more", tool.read(&mut buffer)).await.unwrap();
    }
    assert!(gate.traffic().bytes_received == (PIECE * PIECES) as u64);
}

#[tokio::test]
async fn a_target_that_hangs_up_on_quiet_lines_is_asked_again() {
    let web = Web::serve(|_| Reply::Last(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_vec())).await;
    let gate = gate(web.scope("shop.invalid")).await;
    let mut tool = Tool::connect(&gate).await;
    for _ in 0..20 {
        assert_eq!(status(&tool.get(&web.url("shop.invalid", "/")).await), "200");
    }
    assert_eq!((web.requests().len(), gate.traffic().failed), (20, 0));
}

#[tokio::test]
async fn requests_in_a_row_go_over_one_line() {
    let web = Web::serve(|_| page(200, "", "ok")).await;
    let gate = gate(web.scope("shop.invalid")).await;
    let mut tool = Tool::connect(&gate).await;
    for _ in 0..20 {
        assert_eq!(status(&tool.get(&web.url("shop.invalid", "/")).await), "200");
    }
    assert_eq!(web.connections(), 1);
}

#[tokio::test]
async fn a_dead_target_and_a_broken_answer_are_told_and_counted() {
    let broken = Web::serve(|_| Reply::Last(b"SSH-2.0-OpenSSH_9.9\r\n".to_vec())).await;
    let dead = {
        let gone = Web::serve(|_| page(200, "", "")).await;
        gone.address
    };
    let scope = broken.scope("broken.invalid").with(Authority::new("dead.invalid", 80).unwrap(), vec![dead]);
    let gate = gate(scope).await;
    let mut tool = Tool::connect(&gate).await;
    assert_eq!(status(&tool.get("http://dead.invalid/").await), "502");
    assert_eq!(status(&tool.get(&broken.url("broken.invalid", "/")).await), "502");
    let traffic = gate.traffic();
    assert_eq!((traffic.failed, traffic.answered()), (2, 0));
}

#[tokio::test]
async fn what_is_no_request_to_a_proxy_is_told_so() {
    let web = Web::serve(|_| page(200, "", "")).await;
    let gate = gate(web.scope("shop.invalid")).await;
    let port = web.address.port();
    for line in ["GET / HTTP/1.1".to_owned(), format!("GET https://shop.invalid:{port}/ HTTP/1.1")] {
        let mut tool = Tool::connect(&gate).await;
        let answer = tool.ask(&format!("{line}\nHost: shop.invalid:{port}\n\n")).await;
        assert_eq!(status(&answer), "400", "{line}: {answer}");
    }
    assert_eq!(web.connections(), 0);
}

/// Which bytes a gate passes on in a URL, and which it says that it did not: nothing is lost without a word.
#[tokio::test]
async fn an_odd_byte_is_passed_on_or_counted() {
    let web = Web::serve(|_| page(200, "", "")).await;
    let gate = gate(web.scope("shop.invalid")).await;
    let (mut refused, mut expected) = (Vec::new(), 0);
    for (place, before) in [("path", "/a"), ("query", "/?a=")] {
        for byte in (b'!'..=b'~').filter(|byte| !byte.is_ascii_alphanumeric() && *byte != b'#') {
            let mut tool = Tool::connect(&gate).await;
            let url = web.url("shop.invalid", &format!("{before}{}b", char::from(byte)));
            match status(&tool.get(&url).await) {
                "200" => expected += 1,
                "400" => refused.push(format!("{place} {}", char::from(byte))),
                other => panic!("{url}: {other}"),
            }
        }
    }
    assert_eq!(refused, ["path <", "path >", "path `", "query \"", "query <", "query >"]);
    assert_eq!(web.requests().len(), expected);
    until("all are counted", || gate.traffic().unreadable == refused.len() as u64).await;
    assert!(gate.traffic().withheld().unwrap().contains("6 requests"));
}

#[tokio::test]
async fn two_bodies_in_one_request_are_not_two_requests() {
    let web = Web::serve(|_| Reply::Last(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec())).await;
    let gate = gate(web.scope("shop.invalid")).await;
    let mut tool = Tool::connect(&gate).await;
    let smuggled = "GET /smuggled HTTP/1.1\nHost: x\n\n";
    let request = format!(
        "POST {} HTTP/1.1\nHost: x\nContent-Length: 5\nTransfer-Encoding: chunked\n\n0\n\n{smuggled}",
        web.url("shop.invalid", "/")
    );
    tool.ask(&request).await;
    let arrived = web.requests();
    assert!(arrived.len() <= 1 && arrived.iter().all(|request| !request.contains("smuggled")), "{arrived:?}");
}
