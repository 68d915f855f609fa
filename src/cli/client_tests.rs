use tokio::net::TcpListener;
use tokio_tungstenite::accept_hdr_async;

use super::*;
use crate::cli::fake_daemon::{
    TOKEN, admit, connected, introduction, play, result, structured, with_handshake,
};
use crate::cli::follow::arguments;
use crate::cli::pages::{self, Wanted};
use crate::cli::samples;
use crate::protocol::api::{FindingsAnswer, JobAnswer, SeverityWord};

#[tokio::test]
async fn a_call_gets_its_answer_and_the_progress_before_it() {
    let answer = with_handshake(|request| {
        assert_eq!(request["params"]["arguments"], json!({ "job": samples::JOB, "wait_s": 3 }));
        let token = &request["params"]["_meta"]["progressToken"];
        let progress = |token: &Value, text| {
            json!({ "jsonrpc": "2.0", "method": "notifications/progress",
                "params": { "progressToken": token, "progress": 1, "message": text } })
        };
        let stranger = json!({ "jsonrpc": "2.0", "id": 999, "result": {} });
        let of_stranger = progress(&json!("x"), "not ours");
        vec![progress(token, "half"), of_stranger, stranger, result(request, &structured(&samples::job()))]
    });
    let (job, seen) = play(answer, async |address| {
        let mut client = connected(address).await;
        let mut seen = Vec::new();
        let call = arguments(samples::JOB, Some(3));
        let job: JobAnswer =
            client.call("job_status", &call, |text| seen.push(text.to_owned())).await.unwrap();
        client.close().await;
        (job, seen)
    })
    .await;
    assert_eq!((job, seen), (samples::job(), vec!["half".to_owned()]));
}

#[tokio::test]
async fn refusals_keep_the_daemons_words() {
    let answer = with_handshake(|request| match request["params"]["name"].as_str() {
        Some("scan") => {
            let text = json!([{ "type": "text", "text": "\"/x\" is outside the allowed roots" }]);
            vec![result(request, &json!({ "isError": true, "content": text }))]
        }
        Some("findings") => vec![result(request, &json!({ "content": [] }))],
        _ => vec![json!({ "jsonrpc": "2.0", "id": request["id"],
            "error": { "code": -31001, "message": "busy", "data": { "retryAfterMs": 20 } } })],
    });
    let texts = play(answer, async |address| {
        let mut client = connected(address).await;
        let mut texts = Vec::new();
        for tool in ["scan", "job_status", "findings"] {
            let refused = client.call::<JobAnswer>(tool, &json!({}), |_| {}).await.unwrap_err();
            texts.push(refused.to_string());
        }
        client.close().await;
        texts
    })
    .await;
    assert_eq!(texts[0], "scan: \"/x\" is outside the allowed roots");
    assert_eq!(texts[1], "job_status: busy (it may work again in 20 ms)");
    assert!(texts[2].contains("no structured content"), "{}", texts[2]);
}

#[tokio::test]
async fn a_daemon_that_asks_for_patience_is_asked_again() {
    let mut refusals = 2;
    let answer = with_handshake(move |request| {
        if refusals > 0 {
            refusals -= 1;
            return vec![json!({ "jsonrpc": "2.0", "id": request["id"],
                "error": { "code": -31002, "message": "too fast", "data": { "retryAfterMs": 1 } } })];
        }
        vec![result(request, &structured(&samples::job()))]
    });
    let job: JobAnswer = play(answer, async |address| {
        let mut client = connected(address).await;
        let job = client.call_patiently("job_status", &arguments(samples::JOB, None)).await;
        client.close().await;
        job.unwrap()
    })
    .await;
    assert_eq!(job, samples::job());
}

#[tokio::test]
async fn whoever_is_not_our_daemon_is_named() {
    let introductions = [("other", OUR_VERSION), ("proctor", "9.9.9")];
    for (name, version) in introductions {
        let answer = |request: &Value| vec![result(request, &introduction(name, version))];
        let error = play(answer, async |address| Client::connect(address, TOKEN).await.err()).await;
        let text = error.unwrap().to_string();
        let expected = match name {
            "proctor" => "the daemon is proctor 9.9.9",
            _ => "it calls itself \"other\"",
        };
        assert!(text.contains(expected), "{text}");
    }
}

#[tokio::test]
async fn what_goes_wrong_at_the_door_says_what_to_do() {
    let refused = play(|_| vec![], async |address| Client::connect(address, "wrong").await.err()).await;
    let refused = refused.unwrap();
    assert!(matches!(refused, ClientError::TokenRefused { .. }), "{refused}");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let nobody = Client::connect(address, TOKEN).await.err().unwrap().to_string();
    assert!(nobody.contains("start one with `proctor serve`"), "{nobody}");
}

#[tokio::test]
async fn a_lost_connection_is_an_error_and_not_an_end() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let daemon = async {
        let (stream, _) = listener.accept().await.unwrap();
        let mut socket = accept_hdr_async(stream, admit).await.unwrap();
        let request: Value = serde_json::from_str(&next_text(&mut socket).await.unwrap().unwrap()).unwrap();
        let answer = result(&request, &introduction("proctor", OUR_VERSION));
        socket.send(Message::text(answer.to_string())).await.unwrap();
        // Falls silent in the middle of what follows.
        next_text(&mut socket).await.unwrap();
        drop(socket);
    };
    let client = async {
        let mut client = Client::connect(address, TOKEN).await.unwrap();
        client.read("proctor://tree").await.unwrap_err().to_string()
    };
    let ((), error) = tokio::join!(daemon, client);
    assert!(error.contains("jobs go on without it"), "{error}");
}

#[tokio::test]
async fn pages_are_read_to_the_end_or_to_the_limit() {
    let page = |request: &Value| {
        let number: u32 =
            request["params"]["arguments"]["cursor"].as_str().map_or(0, |cursor| cursor.parse().unwrap());
        let findings = [1, 2].map(|at| samples::finding(SeverityWord::Low, "a.py", number * 2 + at)).to_vec();
        let next_cursor = (number < 2).then(|| (number + 1).to_string());
        let page = FindingsAnswer { total: 6, findings, next_cursor, complete: true };
        vec![result(request, &structured(&page))]
    };
    let found = play(with_handshake(page), async |address| {
        let mut client = connected(address).await;
        let wanted = |limit| Wanted { job: samples::JOB.into(), limit, ..Wanted::default() };
        let all = pages::read(&mut client, &wanted(None)).await.unwrap();
        let some = pages::read(&mut client, &wanted(Some(3))).await.unwrap();
        client.close().await;
        [all, some]
    })
    .await;
    let lines = found
        .each_ref()
        .map(|found| found.findings.iter().filter_map(|finding| finding.line).collect::<Vec<_>>());
    assert_eq!(lines, [vec![1, 2, 3, 4, 5, 6], vec![1, 2, 3]]);
    assert_eq!(found.map(|found| found.total), [6, 6]);
}
