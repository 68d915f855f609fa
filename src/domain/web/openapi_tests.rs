use proptest::prelude::*;

use super::*;

const SHOP: &str = r##"{
  "openapi": "3.0.0",
  "servers": [{"url": "https://elsewhere.example/v1/"}],
  "security": [{"token": []}],
  "paths": {
    "/items/{id}": {
      "parameters": [{"$ref": "#/components/parameters/id"}],
      "get": {"parameters": [{"name": "q", "in": "query", "required": true, "schema": {"type": "string", "example": "a b"}},
                             {"name": "page", "in": "query", "schema": {"type": "integer"}},
                             {"name": "X-Tenant", "in": "header", "required": true, "schema": {"enum": ["one", "two"]}}],
              "security": [], "responses": {"200": {}, "4XX": {}}},
      "put": {"requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Item"}}}},
              "responses": {"200": {}, "default": {}}}
    },
    "/optional": {"get": {"security": [{}, {"token": []}], "responses": {}}}
  },
  "components": {
    "parameters": {"id": {"name": "id", "in": "path", "required": true, "schema": {"type": "integer", "minimum": 7}}},
    "schemas": {"Item": {"type": "object", "properties": {
      "name": {"type": "string", "minLength": 3}, "when": {"type": "string", "format": "date"},
      "tags": {"type": "array", "items": {"type": "string"}}, "parent": {"$ref": "#/components/schemas/Item"}}}}
  }
}"##;

fn checks(text: &str) -> Vec<Check> {
    Document::read(text).unwrap().checks().0
}

#[test]
fn every_operation_is_asked_for_once_with_its_parameters_filled() {
    let checks = checks(SHOP);
    let asked: Vec<String> = checks.iter().map(|check| format!("{} {}", check.method, check.path)).collect();
    assert_eq!(asked, ["GET /v1/items/7?q=a%20b", "PUT /v1/items/7", "GET /v1/optional"]);
    assert_eq!(checks[0].headers, [("X-Tenant".to_owned(), "one".to_owned())]);
    assert_eq!(checks.iter().map(|check| check.needs_login).collect::<Vec<_>>(), [false, true, false]);
    assert_eq!(checks[2].status, Statuses::Below(500));
    let Statuses::Documented { words, has_default: true } = &checks[1].status else {
        panic!("{:?}", checks[1].status)
    };
    assert_eq!(words, &["200"]);
}

#[test]
fn a_body_is_made_of_its_schema_and_one_that_holds_itself_ends() {
    let (kind, body) = checks(SHOP)[1].body.clone().unwrap();
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        (kind.as_str(), &body["name"], &body["when"], &body["tags"]),
        ("application/json", &json!("xxx"), &json!("2026-01-01"), &json!(["x"]))
    );
    assert!(body["parent"]["parent"].is_object());
}

#[test]
fn swagger_two_and_yaml_are_read_too() {
    let yaml = "swagger: '2.0'\nbasePath: /api\npaths:\n  /a:\n    post:\n      parameters:\n      - {name: b, in: body, schema: {properties: {n: {type: integer}}}}\n      responses: {'201': {}}\n";
    let checks = checks(yaml);
    assert_eq!(
        (checks[0].path.as_str(), checks[0].body.clone().unwrap().1.as_str()),
        ("/api/a", "{\"n\":1}")
    );
}

#[test]
fn what_is_no_document_says_why() {
    for (text, why) in [
        ("{", "EOF"),
        ("<html>", "no OpenAPI"),
        ("{\"openapi\":\"3\"}", "paths"),
        ("{\"paths\":{}}", "swagger"),
        ("a: [", "no OpenAPI"),
    ] {
        let error = Document::read(text).unwrap_err().to_string();
        assert!(error.contains(why), "{text}: {error}");
    }
}

#[test]
fn a_document_leads_to_no_other_host() {
    for server in ["//evil.example/x", "\\\\evil", "{host}/x", "javascript:x", "http://evil.example"] {
        let text =
            json!({"openapi": "3", "servers": [{"url": server}], "paths": {"//evil.example/a": {"get": {}}}})
                .to_string();
        assert_eq!(checks(&text)[0].path, "/evil.example/a", "{server}");
    }
}

#[test]
fn a_path_with_what_a_parameter_holds_stays_one_segment() {
    let text = json!({"openapi": "3", "paths": {"/a/{b}": {"get": {"parameters": [{"name": "b", "in": "path", "example": "../../x?y"}]}}}});
    assert_eq!(checks(&text.to_string())[0].path, "/a/..%2F..%2Fx%3Fy");
}

#[test]
fn a_large_document_is_cut_and_counted() {
    let paths: Map<String, Value> =
        (0..300).map(|number| (format!("/{number}"), json!({"get": {}}))).collect();
    let document = Document::read(&json!({"openapi": "3", "paths": paths}).to_string()).unwrap();
    let (checks, count) = document.checks();
    assert_eq!((checks.len(), count), (OPERATIONS_MAX, 300));
}

proptest! {
    #[test]
    fn no_document_brings_the_reader_down(text in "[{}\\[\\]:,\"#/a-f$0-9 \\n-]{0,80}") {
        if let Ok(document) = Document::read(&text) {
            document.checks();
        }
    }
}
