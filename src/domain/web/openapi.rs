//! Requests out of an OpenAPI document (3.x, or Swagger 2.0; JSON or YAML): every operation once, its parameters filled with
//! the document's own examples, or with the plainest value of their type.

use serde_json::{Map, Value, json};

use super::endpoints::{Check, Statuses};

/// Operations taken of one document.
pub const OPERATIONS_MAX: usize = 200;
/// Bytes of a document: the largest that are published have a few megabytes.
pub const DOCUMENT_BYTES_MAX: usize = 8 * 1024 * 1024;
/// References followed from one, and levels of a schema that are filled: a schema may hold itself.
const DEPTH_MAX: usize = 8;
/// Properties filled of one object.
const PROPERTIES_MAX: usize = 50;
const METHODS: [&str; 7] = ["get", "head", "options", "post", "put", "patch", "delete"];

/// The text is no OpenAPI document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no OpenAPI document: {0}")]
pub struct NoDocument(String);

/// A document that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Document(Value);

impl Document {
    pub fn read(text: &str) -> Result<Self, NoDocument> {
        if text.len() > DOCUMENT_BYTES_MAX {
            return Err(NoDocument(format!("it has more than {DOCUMENT_BYTES_MAX} bytes")));
        }
        let json = serde_json::from_str::<Value>(text);
        let value = match json {
            Ok(value) => value,
            Err(_) if !text.trim_start().starts_with('{') => {
                serde_saphyr::from_str(text).map_err(|error| NoDocument(error.to_string()))?
            }
            Err(error) => return Err(NoDocument(error.to_string())),
        };
        if !value["paths"].is_object() {
            return Err(NoDocument("it has no \"paths\"".to_owned()));
        }
        if value["openapi"].as_str().or_else(|| value["swagger"].as_str()).is_none() {
            return Err(NoDocument("it has neither \"openapi\" nor \"swagger\"".to_owned()));
        }
        Ok(Self(value))
    }

    /// The checks of all operations, at most [`OPERATIONS_MAX`], and how many there are in all.
    pub fn checks(&self) -> (Vec<Check>, usize) {
        let base = self.base();
        let (mut checks, mut count) = (Vec::new(), 0);
        for (path, item) in self.0["paths"].as_object().into_iter().flatten() {
            let item = self.follow(item);
            for method in METHODS {
                let operation = &item[method];
                if !operation.is_object() {
                    continue;
                }
                count += 1;
                if checks.len() < OPERATIONS_MAX {
                    checks.push(self.check(&base, path, method, item, operation));
                }
            }
        }
        (checks, count)
    }

    /// What stands before every path: never another host, which was not asked about.
    fn base(&self) -> String {
        let server = self.0["servers"][0]["url"].as_str().or_else(|| self.0["basePath"].as_str());
        let server = server.unwrap_or_default();
        let path = match server.split_once("://") {
            Some((_, rest)) => rest.find('/').map_or("", |at| &rest[at..]),
            None => server,
        };
        let path = path.trim_end_matches('/');
        if path.starts_with('/') && !path.contains(['{', '\\']) && !path.starts_with("//") {
            path.to_owned()
        } else {
            String::new()
        }
    }

    fn check(&self, base: &str, path: &str, method: &str, item: &Value, operation: &Value) -> Check {
        let (mut path, mut query, mut headers) = (path.to_owned(), Vec::new(), Vec::new());
        let mut body = self.request_body(operation);
        for parameter in [item, operation].into_iter().flat_map(|of| of["parameters"].as_array()).flatten() {
            let parameter = self.follow(parameter);
            let Some(name) = parameter["name"].as_str() else { continue };
            let is_needed = parameter["required"].as_bool().unwrap_or_default();
            match parameter["in"].as_str().unwrap_or_default() {
                "path" => path = path.replace(&format!("{{{name}}}"), &encoded(&self.parameter(parameter))),
                "query" if is_needed => {
                    query.push(format!("{}={}", encoded(name), encoded(&self.parameter(parameter))))
                }
                "header" if is_needed => headers.push((name.to_owned(), self.parameter(parameter))),
                // Swagger 2.0.
                "body" => {
                    body = Some((
                        "application/json".to_owned(),
                        self.example(&parameter["schema"], 0).to_string(),
                    ))
                }
                _ => {}
            }
        }
        let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
        Check {
            path: format!("{base}/{}{query}", path.trim_start_matches('/')),
            headers,
            body,
            status: statuses(&operation["responses"]),
            needs_login: self.needs_login(operation),
            ..Check::alive(&method.to_ascii_uppercase(), "")
        }
    }

    /// An empty requirement among others means that one may also come without.
    fn needs_login(&self, operation: &Value) -> bool {
        let own = operation.get("security").or_else(|| self.0.get("security"));
        let required = own.and_then(Value::as_array);
        required.is_some_and(|all| {
            !all.is_empty() && all.iter().all(|one| one.as_object().is_some_and(|one| !one.is_empty()))
        })
    }

    fn request_body(&self, operation: &Value) -> Option<(String, String)> {
        let content = self.follow(&operation["requestBody"])["content"].as_object()?;
        let (kind, media) = content.iter().find(|(kind, _)| kind.contains("json"))?;
        let given = media
            .get("example")
            .or_else(|| self.follow(media["examples"].as_object()?.values().next()?).get("value"));
        let example = given.cloned().unwrap_or_else(|| self.example(&media["schema"], 0));
        Some((kind.clone(), example.to_string()))
    }

    fn parameter(&self, parameter: &Value) -> String {
        // Swagger 2.0 has the type beside the name.
        let schema = parameter.get("schema").unwrap_or(parameter);
        match parameter.get("example").cloned().unwrap_or_else(|| self.example(schema, 0)) {
            Value::String(text) => text,
            other => other.to_string(),
        }
    }

    /// The value itself, or what it refers to inside of the document.
    fn follow<'a>(&'a self, value: &'a Value) -> &'a Value {
        let mut value = value;
        for _ in 0..DEPTH_MAX {
            let Some(pointer) = value["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'))
            else {
                return value;
            };
            value = self.0.pointer(pointer).unwrap_or(&Value::Null);
        }
        &Value::Null
    }

    /// A value that the schema allows, as far as it says.
    fn example(&self, schema: &Value, depth: usize) -> Value {
        let schema = self.follow(schema);
        let given = ["example", "default", "const"].into_iter().find_map(|key| schema.get(key));
        if let Some(given) = given.or_else(|| schema["enum"].get(0)).or_else(|| schema["examples"].get(0)) {
            return given.clone();
        }
        if depth >= DEPTH_MAX {
            return Value::Null;
        }
        if let Some(one) = ["oneOf", "anyOf"].into_iter().find_map(|key| schema[key].get(0)) {
            return self.example(one, depth + 1);
        }
        if let Some(all) = schema["allOf"].as_array() {
            let parts = all.iter().map(|part| self.example(part, depth + 1));
            let objects = parts.filter_map(|part| part.as_object().cloned());
            return Value::Object(objects.flatten().collect());
        }
        match kind(schema) {
            "object" => Value::Object(self.object(schema, depth)),
            "array" => json!([self.example(&schema["items"], depth + 1)]),
            "integer" | "number" => schema.get("minimum").cloned().unwrap_or(json!(1)),
            "boolean" => json!(true),
            _ => json!(text(schema)),
        }
    }

    fn object(&self, schema: &Value, depth: usize) -> Map<String, Value> {
        let properties = schema["properties"].as_object().into_iter().flatten().take(PROPERTIES_MAX);
        properties.map(|(name, property)| (name.clone(), self.example(property, depth + 1))).collect()
    }
}

/// The type, of which there may be several since 3.1.
fn kind(schema: &Value) -> &str {
    let kind = schema["type"].as_str().or_else(|| schema["type"][0].as_str());
    kind.unwrap_or(if schema["properties"].is_object() { "object" } else { "string" })
}

fn text(schema: &Value) -> String {
    match schema["format"].as_str().unwrap_or_default() {
        "date" => "2026-01-01".to_owned(),
        "date-time" => "2026-01-01T00:00:00Z".to_owned(),
        "uuid" => "00000000-0000-4000-8000-000000000001".to_owned(),
        "email" => "somebody@example.com".to_owned(),
        "uri" | "url" => "https://example.com/".to_owned(),
        _ => "x".repeat(schema["minLength"].as_u64().unwrap_or(1).clamp(1, 100) as usize),
    }
}

fn statuses(responses: &Value) -> Statuses {
    let words: Vec<String> =
        responses.as_object().into_iter().flatten().map(|(word, _)| word.clone()).collect();
    let has_default = words.iter().any(|word| word == "default");
    let words: Vec<String> = words.into_iter().filter(|word| word != "default").collect();
    if words.is_empty() { Statuses::Below(500) } else { Statuses::Documented { words, has_default } }
}

/// For a segment of a path, or a part of a query.
fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    let one = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(one).collect()
}

#[cfg(test)]
#[path = "openapi_tests.rs"]
mod tests;
