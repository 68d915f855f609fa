//! The values in force and where each comes from: the layers, checked against the schema and laid over one another.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use toml::Value;

use super::layer::{Entry, Given, Origin};
use super::problem::Problem;
use super::schema::{self, KeySpec};

/// One value per key of the manual, each of its key's kind.
#[derive(Debug, Clone, PartialEq)]
pub struct Effective {
    values: BTreeMap<&'static str, (Value, Origin)>,
}

impl Effective {
    /// The manual's defaults.
    pub fn defaults() -> Self {
        let values = schema::keys().iter().map(|spec| {
            let value = (spec.default.clone(), Origin::Default);
            (spec.key.as_str(), value)
        });
        Self { values: values.collect() }
    }

    /// Lays one layer over. A wrong entry is a problem and leaves what was below it.
    pub fn overlay(&mut self, layer: Vec<Entry>, problems: &mut Vec<Problem>) {
        for entry in layer {
            let Some(spec) = schema::find(&entry.key) else {
                problems.push(Problem::unknown(&entry.key, entry.origin));
                continue;
            };
            match checked(spec, entry.value) {
                Ok(value) => {
                    self.values.insert(&spec.key, (value, entry.origin));
                }
                Err(reason) => problems.push(Problem::of_key(spec, entry.origin, reason)),
            }
        }
    }

    /// Puts what a default stands for in its place; the origin stays.
    pub fn replace(&mut self, key: &str, value: Value) {
        if let Some(slot) = self.values.get_mut(key) {
            slot.0 = value;
        }
    }

    pub fn problem(&self, key: &str, reason: String) -> Problem {
        let spec = schema::find(key).expect("rules name keys of the manual");
        Problem::of_key(spec, self.values[key].1.clone(), reason)
    }

    pub fn is_default(&self, key: &str) -> bool {
        self.values[key].1 == Origin::Default
    }

    pub fn text(&self, key: &str) -> &str {
        self.values[key].0.as_str().unwrap_or_default()
    }

    pub fn boolean(&self, key: &str) -> bool {
        self.values[key].0.as_bool().unwrap_or_default()
    }

    pub fn integer(&self, key: &str) -> i64 {
        self.values[key].0.as_integer().unwrap_or_default()
    }

    pub fn texts(&self, key: &str) -> Vec<String> {
        let items = self.values[key].0.as_array();
        let texts = items.into_iter().flatten().filter_map(Value::as_str);
        texts.map(str::to_owned).collect()
    }

    /// As TOML tables, what the typed structs are read from.
    pub fn into_table(self) -> toml::Table {
        let mut table = toml::Table::new();
        for (key, (value, _)) in self.values {
            let (section, name) = key.split_once('.').expect("keys are `section.name`");
            let section = table.entry(section).or_insert_with(|| Value::Table(toml::Table::new()));
            if let Value::Table(section) = section {
                section.insert(name.to_owned(), value);
            }
        }
        table
    }

    /// As a file that could be loaded again, with each value's origin beside it.
    pub fn render(&self) -> String {
        let mut text = String::new();
        let mut current = "";
        for spec in schema::keys() {
            let (section, name) = spec.key.split_once('.').expect("keys are `section.name`");
            if section != current {
                let gap = if current.is_empty() { "" } else { "\n" };
                writeln!(text, "{gap}[{section}]").expect("a String takes every write");
                current = section;
            }
            let (value, origin) = &self.values[spec.key.as_str()];
            let assignment = format!("{name} = {value}");
            writeln!(text, "{assignment:<48}  # {origin}").expect("a String takes every write");
        }
        text
    }
}

fn checked(spec: &KeySpec, given: Given) -> Result<Value, schema::Mismatch> {
    let value = match given {
        Given::Toml(value) => value,
        Given::Text(text) => spec.kind.parse(&text)?,
    };
    spec.kind.check(&value)?;
    Ok(value)
}
