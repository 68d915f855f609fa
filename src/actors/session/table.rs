//! The dispatch table: our tools by name, what is published of them, and how a call gets from JSON to its code.
//! Knows no transport.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use jsonschema::Validator;
use jsonschema::error::ValidationErrorKind;
use rmcp::model::{CallToolResult, JsonObject, ListToolsResult, Tool, ToolAnnotations};
use schemars::generate::SchemaSettings;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use super::call::{Call, CallContext, CallError, Hints, Problem};
use crate::protocol::errors::WireError;

/// Problems named in one answer: enough to mend a call, short enough to be read.
const PROBLEMS_MAX: usize = 5;

/// Every tool we publish.
pub struct Table {
    rows: Vec<Row>,
    published: Box<RawValue>,
}

/// One tool.
pub struct Row {
    tool: Tool,
    validator: Validator,
    run: Run,
}

type Run = fn(Value, CallContext) -> BoxFuture<'static, Result<CallToolResult, CallError>>;

impl Table {
    pub fn new(rows: Vec<Row>) -> Self {
        let mut list = ListToolsResult::with_all_items(rows.iter().map(|row| row.tool.clone()).collect());
        list.result_type = None;
        let published = to_raw_value(&list).expect("a tool's members are strings and schemas");
        Self { rows, published }
    }

    /// The answer to `tools/list`: always the same bytes, in the table's order.
    pub fn published(&self) -> &RawValue {
        &self.published
    }

    /// The row of `name`.
    pub fn find(&self, name: &str) -> Result<&Row, WireError> {
        let found = self.rows.iter().find(|row| row.tool.name == name);
        found.ok_or_else(|| {
            let known: Vec<&str> = self.rows.iter().map(|row| &*row.tool.name).collect();
            let asked: String = name.chars().take(64).collect();
            WireError::InvalidParams(format!("unknown tool {asked:?}; there are {}", known.join(", ")))
        })
    }
}

impl Row {
    /// The row of a tool: schema and code from its type.
    pub fn of<C: Call>() -> Self {
        let schema = schema_of::<C::Arguments>();
        // A schema that schemars derives compiles; the table's test builds every row.
        let validator =
            jsonschema::validator_for(&Value::Object(schema.clone())).expect("a derived schema compiles");
        let tool = Tool::new(C::NAME, C::DESCRIPTION, Arc::new(schema))
            .with_annotations(annotations(C::TITLE, C::HINTS));
        Self { tool, validator, run: |arguments, context| run::<C>(arguments, context).boxed() }
    }

    pub fn name(&self) -> &str {
        &self.tool.name
    }

    /// Calls it, once the arguments fit what was published.
    pub async fn call(
        &self,
        arguments: Option<JsonObject>,
        context: CallContext,
    ) -> Result<CallToolResult, CallError> {
        let arguments = Value::Object(arguments.unwrap_or_default());
        let problems = self.problems(&arguments);
        if problems.is_empty() {
            (self.run)(arguments, context).await
        } else {
            Err(CallError::Arguments(problems))
        }
    }

    fn problems(&self, arguments: &Value) -> Vec<Problem> {
        self.validator.iter_errors(arguments).take(PROBLEMS_MAX).map(|error| problem_of(&error)).collect()
    }
}

async fn run<C: Call>(arguments: Value, context: CallContext) -> Result<CallToolResult, CallError> {
    let arguments: C::Arguments = serde_json::from_value(arguments)
        .map_err(|error| CallError::argument("arguments", error.to_string()))?;
    let answer = C::call(arguments, context).await?;
    let structure = serde_json::to_value(&answer).map_err(|error| {
        tracing::error!(tool = C::NAME, %error, "an answer is not JSON");
        WireError::Internal
    })?;
    let mut result = CallToolResult::structured(structure);
    result.content.extend(C::links(&answer));
    result.result_type = None;
    Ok(result)
}

/// JSON Schema 2020-12, without references: some clients do not follow them.
fn schema_of<A: schemars::JsonSchema>() -> JsonObject {
    let mut settings = SchemaSettings::draft2020_12();
    settings.inline_subschemas = true;
    settings.meta_schema = None;
    let schema = settings.into_generator().into_root_schema_for::<A>();
    let mut schema = schema.as_object().cloned().unwrap_or_default();
    // The type's own name and documentation are about our code; `type` is demanded even of a tool without arguments.
    schema.remove("title");
    schema.remove("description");
    schema.entry("type").or_insert_with(|| "object".into());
    schema
}

fn annotations(title: &str, hints: Hints) -> ToolAnnotations {
    ToolAnnotations::with_title(title)
        .read_only(hints.read_only)
        .destructive(hints.destructive)
        .idempotent(hints.idempotent)
        .open_world(hints.open_world)
}

/// Names the field: for a missing or unknown one that is the property itself, not the object around it.
fn problem_of(error: &jsonschema::ValidationError<'_>) -> Problem {
    let place = error.instance_path().as_str().trim_start_matches('/').to_owned();
    let inside = |name: &str| {
        if place.is_empty() { name.to_owned() } else { format!("{place}/{name}") }
    };
    match error.kind() {
        ValidationErrorKind::Required { property } => Problem {
            field: inside(property.as_str().unwrap_or_default()),
            problem: "is required".to_owned(),
        },
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            let named: String = unexpected.join(", ").chars().take(200).collect();
            Problem { field: inside(&named), problem: "is not an argument of this tool".to_owned() }
        }
        _ => {
            let problem: String = error.to_string().chars().take(300).collect();
            Problem { field: if place.is_empty() { "arguments".to_owned() } else { place }, problem }
        }
    }
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
