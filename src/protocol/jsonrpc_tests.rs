//! The envelope: what is taken, what is refused and under which id.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn parse(text: &str) -> Result<Incoming, Rejected> {
    super::parse(text, 64)
}

fn refused(text: &str) -> (Option<String>, i32) {
    let rejected = parse(text).expect_err(text);
    (rejected.id.map(|id| id.as_json().to_owned()), rejected.error.code())
}

#[test]
fn ids_are_echoed_unchanged() {
    for id in ["0", "\"a\"", "-7", "12345678901234567890", "1.50", r#""\u0061""#] {
        let text = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#);
        let Ok(Incoming::Request { id: read, method, .. }) = parse(&text) else { panic!("{text}") };
        assert_eq!((read.as_json(), method.as_str()), (id, "ping"));
        assert_eq!(answer(&read, &json!({})), format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#));
    }
}

#[test]
fn a_message_without_id_is_a_notification() {
    let text = r#"{"jsonrpc":"2.0","method":"notifications/initialized","params":{"a":1}}"#;
    let Ok(Incoming::Notification { params, .. }) = parse(text) else { panic!() };
    assert_eq!(params.expect("given").get(), r#"{"a":1}"#);
}

#[test]
fn a_null_id_is_no_notification() {
    assert_eq!(refused(r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#), (None, -32600));
}

#[test]
fn answers_to_us_are_recognised() {
    for text in [r#"{"jsonrpc":"2.0","id":1,"result":{}}"#, r#"{"jsonrpc":"2.0","id":1,"error":{"code":1}}"#]
    {
        assert!(matches!(parse(text), Ok(Incoming::Response)), "{text}");
    }
}

#[test]
fn what_is_not_json_is_a_parse_error() {
    for text in ["", "{", "nonsense", "{} {}", "{\"a\":}"] {
        assert_eq!(refused(text), (None, -32700), "{text:?}");
    }
}

#[test]
fn what_is_not_json_rpc_is_an_invalid_request() {
    let cases = [
        ("[]", None),
        (r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, None),
        ("7", None),
        (r#"{"id":3,"method":"ping"}"#, Some("3")),
        (r#"{"jsonrpc":"1.0","id":3,"method":"ping"}"#, Some("3")),
        (r#"{"jsonrpc":"2.0","id":3}"#, Some("3")),
        (r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#, None),
        (r#"{"jsonrpc":"2.0","id":3,"method":7}"#, None),
    ];
    for (text, id) in cases {
        assert_eq!(refused(text), (id.map(str::to_owned), -32600), "{text}");
    }
}

#[test]
fn a_key_that_occurs_twice_is_refused_at_any_depth() {
    for text in [
        r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"x","params":{"arguments":{"path":"a","path":"b"}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":1,"\u0061":2}}"#,
        r#"{"a":0,"b":0,"c":0,"d":0,"e":0,"f":0,"g":0,"h":0,"i":0,"j":0,"i":0}"#,
    ] {
        assert_eq!(refused(text), (None, -32600), "{text}");
    }
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize| {
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"x","params":{open}{close}}}"#)
    };
    assert!(parse(&nested(63)).is_ok());
    assert_eq!(refused(&nested(64)).1, -32600);
    // Beyond serde's own limit as well: no stack is used up.
    assert!(parse(&nested(1_000_000)).is_err());
}

#[test]
fn an_id_is_bounded() {
    let text =
        |length: usize| format!(r#"{{"jsonrpc":"2.0","id":"{}","method":"ping"}}"#, "x".repeat(length));
    assert!(parse(&text(ID_BYTES_MAX - 2)).is_ok());
    assert_eq!(refused(&text(ID_BYTES_MAX - 1)), (None, -32600));
}

proptest! {
    /// Whatever arrives, it is taken or refused with a code of the table; nothing panics.
    #[test]
    fn any_text_is_taken_or_refused(text in "\\PC*") {
        if let Err(rejected) = parse(&text) {
            prop_assert!(matches!(rejected.error.code(), -32700 | -32600));
        }
    }

    /// Any id a client may choose comes back as the value it was.
    #[test]
    fn any_id_comes_back(name in "\\PC{0,40}", number in any::<i64>()) {
        for id in [json!(name), json!(number)] {
            let text = json!({"jsonrpc": "2.0", "id": id, "method": "ping"}).to_string();
            let Ok(Incoming::Request { id: read, .. }) = parse(&text) else { panic!("{text}") };
            let back: Value = serde_json::from_str(&answer(&read, &1)).expect("JSON");
            prop_assert_eq!(&back["id"], &id);
        }
    }
}
