//! What one client may expect of its session: the handshake, errors that say what to do, and that a ping and a cancel
//! are never behind work.

use std::time::{Duration, Instant};

use proctor::actors::gateway::GatewayMessage;
use serde_json::{Value, json};

use crate::support::client::Client;
use crate::support::world::World;

fn sleep(ms: u32) -> Value {
    json!({"kind": "sleep", "ms": ms})
}

fn code(answer: &Value) -> i64 {
    answer["error"]["code"].as_i64().unwrap_or_else(|| panic!("no error: {answer}"))
}

#[tokio::test]
async fn the_handshake_of_the_legacy_era() {
    let world = World::boot().await;
    let mut client = Client::connect(&world).await;
    let result = client.initialize().await;
    assert_eq!(result["protocolVersion"], "2025-11-25");
    assert_eq!(result["serverInfo"]["name"], "proctor");
    assert!(result["capabilities"]["tools"].is_object(), "{result}");
    let again = client.call("initialize", json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}));
    assert_eq!(code(&again.await), -32600);
}

#[tokio::test]
async fn before_the_handshake_only_a_ping_is_answered() {
    let world = World::boot().await;
    let mut client = Client::connect(&world).await;
    assert_eq!(client.call("ping", json!({})).await["result"], json!({}));
    for method in ["tools/list", "resources/list"] {
        let refused = client.call(method, json!({})).await;
        assert_eq!(code(&refused), -32600, "{method}");
        assert!(refused["error"]["message"].as_str().unwrap().contains("initialize"), "{refused}");
    }
    assert_eq!(code(&client.call_tool("tools", json!({})).await), -32600);
}

#[tokio::test]
async fn a_client_of_the_modern_era_is_made_to_fall_back_on_the_same_connection() {
    let world = World::boot().await;
    let mut client = Client::connect(&world).await;
    client.send(&json!({"jsonrpc": "2.0", "id": "server-discover-probe-1", "method": "server/discover", "params": {
        "_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}}})).await;
    let probe = client.answer_to(&json!("server-discover-probe-1")).await;
    assert_eq!(code(&probe), -32601);
    assert_eq!(client.initialize().await["protocolVersion"], "2025-11-25");
}

#[tokio::test]
async fn everything_listed_can_be_used() {
    let world = World::boot().await;
    let mut client = world.client().await;
    let tools = client.call("tools/list", json!({})).await;
    let names: Vec<&str> = tools["result"]["tools"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|tool| tool["name"].as_str())
        .collect();
    assert_eq!(names[0], "tools");
    assert_eq!(client.call("tools/list", json!({})).await["result"], tools["result"], "always the same");
    let answer = client.call_tool("tools", json!({})).await;
    assert_eq!(answer["result"]["isError"], false);
    assert_eq!(answer["result"]["structuredContent"]["tools"][0]["name"], "sample");
    let text = answer["result"]["content"][0]["text"].as_str().unwrap();
    let mirrored: Value = serde_json::from_str(text).unwrap();
    assert_eq!(mirrored, answer["result"]["structuredContent"]);
    assert_eq!(client.call("logging/setLevel", json!({"level": "info"})).await["result"], json!({}));
    assert!(
        client.call("resources/templates/list", json!({})).await["result"]["resourceTemplates"].is_array()
    );
    let listed = client.call("resources/list", json!({})).await;
    for resource in listed["result"]["resources"].as_array().unwrap() {
        let read = client.call("resources/read", json!({"uri": resource["uri"]})).await;
        assert_eq!(read["result"]["contents"][0]["uri"], resource["uri"], "{read}");
    }
}

#[tokio::test]
async fn the_tree_shows_this_very_session() {
    let world = World::boot().await;
    let mut client = world.client().await;
    let read = client.call("resources/read", json!({"uri": "proctor://tree"})).await;
    let text = read["result"]["contents"][0]["text"].as_str().unwrap();
    assert!(text.contains("session-0") && text.contains("listener"), "{text}");
}

#[tokio::test]
async fn what_is_asked_wrongly_is_answered_with_what_to_do() {
    let world = World::boot().await;
    let mut client = world.client().await;
    assert_eq!(code(&client.call("no/such", json!({})).await), -32601);
    assert_eq!(code(&client.call_tool("scam", json!({})).await), -32602);
    assert_eq!(code(&client.call("tools/call", json!({})).await), -32602);
    assert_eq!(code(&client.call("tools/list", json!({"cursor": "7"})).await), -32602);
    assert_eq!(code(&client.call("resources/read", json!({"uri": "proctor://nothing"})).await), -32002);
    let wrong = client.call_tool("fault", json!({"kind": "sleep", "ms": "long", "extra": 1})).await;
    assert_eq!(wrong["result"]["isError"], true, "{wrong}");
    let fields: Vec<&str> = wrong["result"]["structuredContent"]["fields"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|field| field["field"].as_str())
        .collect();
    assert!(fields.contains(&"ms") && fields.contains(&"extra"), "{fields:?}");
    client.send_text("not JSON").await;
    assert_eq!(code(&client.answer_to(&Value::Null).await), -32700);
    client.send_text(r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#).await;
    assert_eq!(code(&client.answer_to(&Value::Null).await), -32600);
    assert_eq!(client.call("ping", json!({})).await["result"], json!({}), "the session goes on");
}

#[tokio::test]
async fn a_ping_is_answered_at_once_while_as_many_calls_run_and_wait_as_may() {
    let world = World::boot().await;
    let mut client = world.client().await;
    for _ in 0..8 + 60 {
        client.ask_tool("fault", sleep(60_000)).await;
    }
    let began = Instant::now();
    for _ in 0..20 {
        assert_eq!(client.call("ping", json!({})).await["result"], json!({}));
    }
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[tokio::test]
async fn parked_requests_are_all_answered_and_no_more_run_than_may() {
    let world = World::boot().await;
    let mut client = world.client().await;
    let began = Instant::now();
    let mut ids = Vec::new();
    for _ in 0..72 {
        ids.push(client.ask_tool("fault", sleep(50)).await);
    }
    for id in ids {
        assert_eq!(client.answer(id).await["result"]["isError"], false);
    }
    // 72 calls of 50 ms, 8 at once: 9 rounds.
    assert!(began.elapsed() >= Duration::from_millis(450), "{:?}", began.elapsed());
}

#[tokio::test]
async fn beyond_the_parking_space_the_socket_is_not_read_until_there_is_room() {
    let world =
        World::with_limits(|limits| (limits.in_flight_per_session, limits.parked_per_session) = (1, 1)).await;
    let mut client = world.client().await;
    let slow = client.ask_tool("fault", sleep(400)).await;
    let parked = client.ask_tool("fault", sleep(0)).await;
    let unread = client.ask_tool("fault", sleep(0)).await;
    let ping = client.ask("ping", json!({})).await;
    let began = Instant::now();
    client.answer(ping).await;
    assert!(began.elapsed() > Duration::from_millis(200), "the ping was behind what was not read");
    for id in [slow, parked, unread] {
        assert_eq!(client.answer(id).await["result"]["isError"], false);
    }
}

#[tokio::test]
async fn a_cancel_frees_its_place_and_is_not_answered() {
    let world = World::with_limits(|limits| limits.in_flight_per_session = 2).await;
    let mut client = world.client().await;
    let hanging =
        [client.ask_tool("fault", sleep(600_000)).await, client.ask_tool("fault", sleep(600_000)).await];
    let parked = client.ask_tool("fault", sleep(600_000)).await;
    let next = client.ask_tool("fault", sleep(0)).await;
    client.notify("notifications/cancelled", json!({"requestId": parked, "reason": "test"})).await;
    client.notify("notifications/cancelled", json!({"requestId": hanging[0]})).await;
    assert_eq!(client.answer(next).await["result"]["isError"], false);
    client.notify("notifications/cancelled", json!({"requestId": 12_345})).await;
    client.notify("notifications/cancelled", json!({})).await;
    client.notify("notifications/cancelled", json!({"requestId": hanging[1]})).await;
    // Whatever was to be answered has been: nothing but the ping's answer is left.
    let ping = client.ask("ping", json!({})).await;
    assert_eq!(client.receive().await["id"], ping);
}

#[tokio::test]
async fn an_id_in_use_is_refused_and_its_request_goes_on() {
    let world = World::boot().await;
    let mut client = world.client().await;
    let call = json!({"jsonrpc": "2.0", "id": "twin", "method": "tools/call", "params": {"name": "fault", "arguments": sleep(200)}});
    client.send(&call).await;
    client.send(&call).await;
    assert_eq!(code(&client.answer_to(&json!("twin")).await), -32600);
    assert_eq!(client.answer_to(&json!("twin")).await["result"]["isError"], false);
}

#[tokio::test]
async fn progress_rises_and_stops_with_the_answer() {
    let world = World::boot().await;
    let mut client = world.client().await;
    let params = json!({"name": "fault", "arguments": sleep(1_500), "_meta": {"progressToken": "p-1"}});
    let answer = client.call("tools/call", params).await;
    assert_eq!(answer["result"]["isError"], false);
    let values: Vec<f64> = client
        .notifications
        .iter()
        .map(|note| {
            assert_eq!(note["params"]["progressToken"], "p-1");
            note["params"]["progress"].as_f64().unwrap()
        })
        .collect();
    assert!(values.len() >= 3, "{values:?}");
    assert!(values.windows(2).all(|pair| pair[0] < pair[1]), "{values:?}");
    client.notifications.clear();
    client.call("ping", json!({})).await;
    assert_eq!(client.notifications, Vec::<Value>::new(), "nothing follows the answer");
}

#[tokio::test]
async fn overload_of_a_principal_is_refused_at_once_and_says_when_to_return() {
    let world = World::with_limits(|limits| limits.in_flight_per_principal = 2).await;
    let (mut first, mut second) = (world.client().await, world.client().await);
    let hanging = first.ask_tool("fault", sleep(600_000)).await;
    first.ask_tool("fault", sleep(600_000)).await;
    first.call("ping", json!({})).await;
    let refused = second.call_tool("tools", json!({})).await;
    assert_eq!(code(&refused), -31001);
    assert!(refused["error"]["data"]["retryAfterMs"].as_u64().unwrap() > 0);
    first.notify("notifications/cancelled", json!({"requestId": hanging})).await;
    first.call("ping", json!({})).await;
    crate::support::soon("a free place", async {
        while second.call_tool("tools", json!({})).await.get("error").is_some() {}
    })
    .await;
}

#[tokio::test]
async fn the_rate_of_a_principal_is_limited_and_pings_are_free() {
    let world = World::with_limits(|limits| (limits.rate_per_second, limits.rate_burst) = (1, 5)).await;
    let mut client = world.client().await;
    let mut refused = Vec::new();
    for _ in 0..10 {
        let answer = client.call("tools/list", json!({})).await;
        refused.extend(answer.get("error").map(|_| code(&answer)));
        assert!(client.call("ping", json!({})).await.get("result").is_some());
    }
    assert!(refused.len() >= 5 && refused.iter().all(|code| *code == -31002), "{refused:?}");
}

#[tokio::test]
async fn an_answer_too_big_for_a_message_is_an_error_and_the_session_goes_on() {
    let world = World::boot().await;
    let mut client = world.client().await;
    let big = client.call_tool("fault", json!({"kind": "sleep", "bytes": 600_000})).await;
    assert_eq!(code(&big), -31005, "its text and its structure together");
    let fits = client.call_tool("fault", json!({"kind": "sleep", "bytes": 400_000})).await;
    assert_eq!(fits["result"]["structuredContent"]["filler"].as_str().unwrap().len(), 400_000);
}

#[tokio::test]
async fn a_call_that_takes_too_long_is_ended() {
    let world = World::with_limits(|limits| limits.call_deadline = Duration::from_millis(100)).await;
    let mut client = world.client().await;
    let late = client.call_tool("fault", sleep(600_000)).await;
    assert_eq!(late["result"]["isError"], true);
    assert!(late["result"]["content"][0]["text"].as_str().unwrap().contains("longest"), "{late}");
}

#[tokio::test]
async fn a_drain_waits_for_what_runs_and_sends_away_what_waits() {
    let world = World::with_limits(|limits| limits.in_flight_per_session = 1).await;
    let mut client = world.client().await;
    let running = client.ask_tool("fault", sleep(300)).await;
    let waiting = client.ask_tool("fault", sleep(0)).await;
    client.call("ping", json!({})).await;
    world.drain();
    let settled = world.gateway.call(|reply| GatewayMessage::Settle { reply }, Duration::from_secs(20));
    settled.await.expect("settled");
    assert_eq!(client.answer(running).await["result"]["isError"], false);
    assert_eq!(code(&client.answer(waiting).await), -31003);
    let (closed, ()) = tokio::join!(client.close_code(), world.close());
    assert_eq!(closed, Some(1001));
}
