//! Where values come from: the manual, one file, the environment, the command line; later ones win. A layer is read
//! whole; what is wrong in it is collected, not returned at the first error.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use toml::Value;
use toml::de::{DeTable, DeValue};

use super::problem::Problem;
use super::schema;

/// A configuration file is written by hand; a longer one is something else.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// `PROCTOR_SECTION__KEY`.
const VARIABLE_PREFIX: &str = "PROCTOR_";

/// Where one value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    Default,
    /// Line from 1; 0 speaks of the file as a whole.
    File {
        path: PathBuf,
        line: usize,
    },
    Environment {
        variable: String,
    },
    /// `--set`, or an option that stands for one.
    CommandLine,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line: 0 } => write!(f, "{}", path.display()),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Environment { variable } => write!(f, "environment {variable}"),
            Self::CommandLine => f.write_str("command line"),
        }
    }
}

/// One value of one layer, not yet checked against the schema.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// `section.name`.
    pub key: String,
    pub value: Given,
    pub origin: Origin,
}

/// A value as it was given.
#[derive(Debug, Clone, PartialEq)]
pub enum Given {
    Toml(Value),
    /// From the environment or the command line: what it means depends on the key's kind.
    Text(String),
}

/// Reads a file. `None` when there is none.
pub fn read_file(path: &Path, problems: &mut Vec<Problem>) -> Option<Vec<Entry>> {
    let mut text = String::new();
    let read =
        std::fs::File::open(path).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text));
    let reason = match read {
        Ok(bytes) if bytes as u64 <= FILE_BYTES_MAX => return Some(from_toml(path, &text, problems)),
        Ok(_) => format!("is longer than {FILE_BYTES_MAX} bytes, so it is no configuration file"),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
        Err(error) => format!("cannot be read: {error}"),
    };
    problems.push(Problem::of_file(path, 0, reason));
    Some(Vec::new())
}

/// Reads TOML text, going on after a syntax error as far as the parser can.
pub fn from_toml(path: &Path, text: &str, problems: &mut Vec<Problem>) -> Vec<Entry> {
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let line = error.span().map_or(0, |span| line_of(text, span.start));
        problems.push(Problem::of_file(path, line, error.message().to_owned()));
    }
    let mut entries = Vec::new();
    for (section, content) in table.get_ref() {
        let line = line_of(text, section.span().start);
        let DeValue::Table(keys) = content.get_ref() else {
            problems.push(Problem::outside_section(path, line, section.get_ref()));
            continue;
        };
        for (name, value) in keys {
            entries.push(Entry {
                key: format!("{}.{}", section.get_ref(), name.get_ref()),
                value: Given::Toml(to_value(value.get_ref())),
                origin: Origin::File { path: path.to_owned(), line: line_of(text, name.span().start) },
            });
        }
    }
    entries.sort_by_key(|entry| match entry.origin {
        Origin::File { line, .. } => line,
        _ => 0,
    });
    entries
}

/// `PROCTOR_SECTION__KEY`. Other variables of ours have no `__`; one that starts like a section is a misspelled key.
pub fn from_environment(environment: &BTreeMap<String, String>) -> Vec<Entry> {
    let sections = schema::sections();
    let mut entries = Vec::new();
    for (variable, text) in environment {
        let Some(rest) = variable.strip_prefix(VARIABLE_PREFIX) else {
            continue;
        };
        let rest = rest.to_lowercase();
        let key = match rest.split_once("__") {
            Some((section, name)) => format!("{section}.{name}"),
            None => match rest.split_once('_') {
                Some((section, name)) if sections.contains(&section) => format!("{section}_{name}"),
                _ => continue,
            },
        };
        entries.push(Entry {
            key,
            value: Given::Text(text.clone()),
            origin: Origin::Environment { variable: variable.clone() },
        });
    }
    entries
}

/// `section.key=value`, as given to `--set`.
pub fn from_arguments(arguments: &[String], problems: &mut Vec<Problem>) -> Vec<Entry> {
    let mut entries = Vec::new();
    for argument in arguments {
        match argument.split_once('=') {
            Some((key, text)) => entries.push(Entry {
                key: key.trim().to_owned(),
                value: Given::Text(text.trim().to_owned()),
                origin: Origin::CommandLine,
            }),
            None => problems.push(Problem::bad_argument(argument)),
        }
    }
    entries
}

fn line_of(text: &str, offset: usize) -> usize {
    let before = &text.as_bytes()[..offset.min(text.len())];
    before.iter().filter(|byte| **byte == b'\n').count() + 1
}

/// The parser keeps numbers as they were spelled. One that does not fit stays a text, and the check names it.
fn to_value(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Boolean(boolean) => Value::Boolean(*boolean),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or_else(|_| Value::String(number.as_str().to_owned()), Value::Integer),
        DeValue::Float(number) => {
            number.as_str().parse().map_or_else(|_| Value::String(number.as_str().to_owned()), Value::Float)
        }
        DeValue::Datetime(datetime) => Value::Datetime(*datetime),
        DeValue::Array(items) => Value::Array(items.iter().map(|item| to_value(item.get_ref())).collect()),
        DeValue::Table(table) => Value::Table(
            table.iter().map(|(name, item)| (name.get_ref().to_string(), to_value(item.get_ref()))).collect(),
        ),
    }
}
