//! Compose files: the part of them that describes an app to be examined. What would loosen a wall becomes a [`Demand`](crate::domain::container::Demand), which
//! the policy refuses by name; what only a person at a terminal needs is passed over; anything else is an error, so that
//! nobody examines an app that was started other than it was meant.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::words::interpolate;
use super::{AppPlan, PlanError, ServicePlan};

mod keys;
mod service;
mod wire;

/// Services of one app: more is no app but a data centre.
pub const SERVICES_MAX: usize = 12;
/// Keys of the whole file that say nothing about how an app runs. Networks and volumes are of no consequence by
/// themselves: every app has one network, and each container its own volumes.
const PASSED_OVER: &[&str] = &["version", "name", "networks", "volumes"];

/// Reads a compose file. `variables` are those of the `.env` file beside it; `wanted` is the service that is looked at.
pub fn read(
    text: &str,
    variables: &BTreeMap<String, String>,
    wanted: Option<&str>,
) -> Result<AppPlan, PlanError> {
    // Without these words of old: `y` and `on` are texts to Compose.
    let options = serde_saphyr::options! { strict_booleans: true };
    let document: Value = serde_saphyr::from_str_with_options(text, options)
        .map_err(|error| PlanError::Syntax(first_line(&error.to_string())))?;
    let document = filled(document, variables).map_err(PlanError::Syntax)?;
    let Value::Object(document) = document else {
        return Err(PlanError::Syntax("it is no mapping".to_owned()));
    };
    let is_known = |key: &str| key == "services" || PASSED_OVER.contains(&key) || key.starts_with("x-");
    if let Some(key) = document.keys().find(|key| !is_known(key)) {
        return Err(PlanError::Syntax(format!("the key {key:?} is not supported")));
    }
    let Some(Value::Object(services)) = document.get("services") else {
        return Err(PlanError::NoServices);
    };
    if services.len() > SERVICES_MAX {
        return Err(PlanError::TooMany { limit: SERVICES_MAX });
    }
    AppPlan::of(plans(services)?, wanted)
}

fn plans(services: &Map<String, Value>) -> Result<Vec<ServicePlan>, PlanError> {
    let mut plans = Vec::new();
    for (name, value) in services {
        let failed = |why: String| PlanError::Service { service: name.clone(), why };
        // Started on request only, and nobody requests here.
        if value
            .get("profiles")
            .is_some_and(|profiles| profiles.as_array().is_some_and(|some| !some.is_empty()))
        {
            continue;
        }
        plans.push(service::plan(name, value).map_err(failed)?);
    }
    Ok(plans)
}

/// The first line says what; the rest draws where.
fn first_line(message: &str) -> String {
    message.lines().next().unwrap_or_default().to_owned()
}

/// Every text with its variables put in.
fn filled(value: Value, variables: &BTreeMap<String, String>) -> Result<Value, String> {
    Ok(match value {
        Value::String(text) => Value::String(interpolate(&text, variables)?),
        Value::Array(items) => {
            Value::Array(items.into_iter().map(|item| filled(item, variables)).collect::<Result<_, _>>()?)
        }
        Value::Object(map) => {
            let pairs = map.into_iter().map(|(key, value)| Ok((key, filled(value, variables)?)));
            Value::Object(pairs.collect::<Result<_, String>>()?)
        }
        other => other,
    })
}

#[cfg(test)]
#[path = "compose_tests.rs"]
mod tests;
