//! What is published of a tool, and which field a bad call is told of.

use super::*;
use crate::protocol::api::{JobArguments, ScanArguments};
use serde_json::json;

struct Scan;

impl Call for Scan {
    const NAME: &'static str = "scan";
    const TITLE: &'static str = "Scan";
    const DESCRIPTION: &'static str = "scans";
    const HINTS: Hints = Hints::CHANGE;
    type Arguments = ScanArguments;
    type Answer = Value;

    async fn call(_: ScanArguments, _: CallContext) -> Result<Value, CallError> {
        unreachable!("only its schema is used")
    }
}

fn problems(arguments: Value) -> Vec<(String, String)> {
    let row = Row::of::<Scan>();
    row.problems(&arguments).into_iter().map(|found| (found.field, found.problem)).collect()
}

fn fields(arguments: Value) -> Vec<String> {
    problems(arguments).into_iter().map(|(field, _)| field).collect()
}

#[test]
fn arguments_that_fit_have_no_problems() {
    assert_eq!(problems(json!({"path": "/src"})), []);
    assert_eq!(problems(json!({"path": "/src", "tools": ["a"], "wait_s": 45, "deadline_s": 1})), []);
}

#[test]
fn the_field_that_does_not_fit_is_named() {
    let without_path = json!({"path": "/", "web": {"expect": [{}]}});
    assert_eq!(problems(without_path), [("web/expect/0/path".into(), "is required".into())]);
    assert_eq!(fields(json!({"path": 7})), ["path"]);
    assert_eq!(fields(json!({"path": "/", "wait_s": 46})), ["wait_s"]);
    assert_eq!(fields(json!({"path": "/", "wait_s": -1})), ["wait_s"]);
    assert_eq!(fields(json!({"path": "/", "tools": ["a", 1]})), ["tools/1"]);
    let unknown = problems(json!({"path": "/", "patience": 1}));
    assert_eq!(unknown, [("patience".into(), "is not an argument of this tool".into())]);
}

#[test]
fn problems_are_named_up_to_a_limit() {
    let many: Vec<u32> = (0..1_000).collect();
    assert_eq!(fields(json!({"path": "/", "tools": many})).len(), PROBLEMS_MAX);
}

#[test]
fn schemas_are_objects_that_stand_alone() {
    for schema in [
        schema_of::<ScanArguments>(),
        schema_of::<JobArguments>(),
        schema_of::<super::super::calls::Nothing>(),
    ] {
        assert_eq!(schema["type"], "object");
        assert!(!Value::Object(schema).to_string().contains("$ref"));
    }
}

#[test]
fn the_list_is_what_the_legacy_era_expects() {
    let table = Table::new(vec![Row::of::<Scan>()]);
    let list: Value = serde_json::from_str(table.published().get()).expect("JSON");
    assert_eq!(list["tools"][0]["name"], "scan");
    assert_eq!(list["tools"][0]["annotations"]["readOnlyHint"], false);
    assert_eq!(list.as_object().expect("an object").len(), 1, "nothing of the modern era: {list}");
    let unknown = table.find("scam").err().expect("unknown");
    assert_eq!(unknown.code(), -32602);
    assert!(unknown.to_string().contains("there are scan"));
}
