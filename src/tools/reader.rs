//! Reads a TOML table key by key and remembers everything that is wrong with it, so that a person mends a file once.
//! Keys that nobody asked for are wrong too.

use std::cell::RefCell;
use std::collections::BTreeSet;

use toml::{Table, Value};

use super::catalogue::ManifestError;

/// The errors of one file.
pub(super) struct Errors {
    file: String,
    found: RefCell<Vec<ManifestError>>,
}

impl Errors {
    pub(super) fn new(file: &str) -> Self {
        Self { file: file.to_owned(), found: RefCell::default() }
    }

    pub(super) fn report(&self, key: &str, reason: impl Into<String>) {
        self.found.borrow_mut().push(ManifestError {
            file: self.file.clone(),
            key: key.to_owned(),
            reason: reason.into(),
        });
    }

    pub(super) fn into_found(self) -> Vec<ManifestError> {
        self.found.into_inner()
    }
}

/// One table, at its dotted path.
pub(super) struct Reader<'a> {
    table: Option<&'a Table>,
    path: String,
    errors: &'a Errors,
    asked: RefCell<BTreeSet<String>>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(table: &'a Table, errors: &'a Errors) -> Self {
        Self::at(Some(table), String::new(), errors)
    }

    fn at(table: Option<&'a Table>, path: String, errors: &'a Errors) -> Self {
        Self { table, path, errors, asked: RefCell::default() }
    }

    /// The dotted path of a key of this table.
    pub(super) fn key(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    pub(super) fn report(&self, key: &str, reason: impl Into<String>) {
        self.errors.report(&self.key(key), reason);
    }

    /// The value of a key that may be absent.
    pub(super) fn optional(&self, key: &str) -> Option<&'a Value> {
        self.asked.borrow_mut().insert(key.to_owned());
        self.table.and_then(|table| table.get(key))
    }

    /// The value of a key, read by `convert`. An absent key of an absent table was reported with the table.
    pub(super) fn required<T>(
        &self,
        key: &str,
        convert: impl Fn(&'a Value) -> Result<T, String>,
    ) -> Option<T> {
        match self.optional(key) {
            Some(value) => self.converted(key, value, convert),
            None => {
                if self.table.is_some() {
                    self.report(key, "missing");
                }
                None
            }
        }
    }

    /// The value of a key that may be absent, read by `convert`.
    pub(super) fn maybe<T>(&self, key: &str, convert: impl Fn(&'a Value) -> Result<T, String>) -> Option<T> {
        let value = self.optional(key)?;
        self.converted(key, value, convert)
    }

    fn converted<T>(
        &self,
        key: &str,
        value: &'a Value,
        convert: impl Fn(&'a Value) -> Result<T, String>,
    ) -> Option<T> {
        convert(value).map_err(|reason| self.report(key, reason)).ok()
    }

    /// A table below this one; it is missing where nothing is there.
    pub(super) fn table(&self, key: &str) -> Reader<'a> {
        let table = self.required(key, as_table);
        Self::at(table, self.key(key), self.errors)
    }

    /// A table below this one that may be absent.
    pub(super) fn maybe_table(&self, key: &str) -> Option<Reader<'a>> {
        let table = self.maybe(key, as_table)?;
        Some(Self::at(Some(table), self.key(key), self.errors))
    }

    /// All entries of a table whose keys are the user's own words, each read by `convert`.
    pub(super) fn entries<T>(&self, convert: impl Fn(&'a Value) -> Result<T, String>) -> Vec<(&'a str, T)> {
        let table = self.table.into_iter().flatten();
        let entries = table.filter_map(|(key, value)| {
            self.asked.borrow_mut().insert(key.clone());
            Some((key.as_str(), self.converted(key, value, &convert)?))
        });
        entries.collect()
    }

    /// Reports the keys that nobody asked for.
    pub(super) fn finish(self) {
        let asked = self.asked.borrow();
        for key in self.table.into_iter().flat_map(Table::keys) {
            if !asked.contains(key) {
                let known: Vec<&str> = asked.iter().map(String::as_str).collect();
                self.report(key, format!("unknown key; known here: {}", known.join(", ")));
            }
        }
    }
}

pub(super) fn as_table(value: &Value) -> Result<&Table, String> {
    value.as_table().ok_or_else(|| wrong("a table", value))
}

/// Text that is not empty.
pub(super) fn as_text(value: &Value) -> Result<String, String> {
    match value.as_str() {
        Some("") => Err("empty".to_owned()),
        Some(text) => Ok(text.to_owned()),
        None => Err(wrong("text", value)),
    }
}

pub(super) fn as_bool(value: &Value) -> Result<bool, String> {
    value.as_bool().ok_or_else(|| wrong("true or false", value))
}

/// A whole number from 1 to `max`.
pub(super) fn as_count(max: u32) -> impl Fn(&Value) -> Result<u32, String> {
    move |value| {
        let number = value.as_integer().ok_or_else(|| wrong("a whole number", value))?;
        let number = u32::try_from(number).ok();
        let number = number.filter(|number| (1..=max).contains(number));
        number.ok_or_else(|| format!("must be from 1 to {max}"))
    }
}

pub(super) fn as_list<'a, T>(
    convert: impl Fn(&'a Value) -> Result<T, String>,
) -> impl Fn(&'a Value) -> Result<Vec<T>, String> {
    move |value| {
        let values = value.as_array().ok_or_else(|| wrong("a list", value))?;
        let items = values.iter().enumerate();
        let items = items.map(|(at, value)| convert(value).map_err(|reason| format!("entry {at}: {reason}")));
        items.collect()
    }
}

/// One of a closed list of words.
pub(super) fn as_word<T: Copy>(words: &[(&str, T)]) -> impl Fn(&Value) -> Result<T, String> {
    move |value| {
        let text = as_text(value)?;
        let found = words.iter().find(|(word, _)| *word == text);
        found.map(|(_, meaning)| *meaning).ok_or_else(|| {
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            format!("{text:?} is none of {}", known.join(", "))
        })
    }
}

pub(super) fn wrong(needed: &str, found: &Value) -> String {
    format!("{needed} is needed, found {}", found.type_str())
}
