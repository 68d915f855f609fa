//! The schema: `config/proctor.toml` read once. A key's type, range, unit and default stand in that file and nowhere
//! else; the `#:` line nearest above a key speaks for it.

use std::net::SocketAddr;
use std::sync::LazyLock;

use toml::Value;

/// The manual, the defaults and the schema in one.
pub const MANUAL: &str = include_str!("../../config/proctor.toml");

/// What a key accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    Boolean,
    /// `unit` is for people: it is part of the message, not of the value.
    Integer {
        min: i64,
        max: i64,
        unit: &'static str,
    },
    Text,
    Texts,
    OneOf(Vec<&'static str>),
    /// `IP:port`.
    Address,
    /// An absolute path; empty stands for a default that `rules` fills in.
    Directory,
    /// Absolute paths.
    Directories,
}

/// One key of the manual.
#[derive(Debug, Clone)]
pub struct KeySpec {
    /// `section.name`.
    pub key: String,
    pub kind: Kind,
    /// The `#:` line as written: what an error message quotes under "allowed".
    pub allowed: &'static str,
    pub default: Value,
}

/// Why a value is not of its key's kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    #[error("{found} is not of the right type")]
    Type { found: String },
    #[error("{found} is out of range")]
    Range { found: i64 },
    #[error("{found:?} is none of the words")]
    Word { found: String },
    #[error("{found:?} is not an address: IP:port is needed, such as 127.0.0.1:7878 or [::1]:7878")]
    Address { found: String },
    #[error("{found:?} is not an absolute path")]
    Relative { found: String },
}

/// Every key, in the manual's order.
pub fn keys() -> &'static [KeySpec] {
    static KEYS: LazyLock<Vec<KeySpec>> = LazyLock::new(|| read(MANUAL));
    &KEYS
}

pub fn find(key: &str) -> Option<&'static KeySpec> {
    keys().iter().find(|spec| spec.key == key)
}

/// Every section, in the manual's order.
pub fn sections() -> Vec<&'static str> {
    let mut sections: Vec<_> = keys().iter().filter_map(|spec| spec.key.split('.').next()).collect();
    sections.dedup();
    sections
}

fn read(manual: &'static str) -> Vec<KeySpec> {
    let defaults: toml::Table =
        manual.parse().expect("the manual is TOML: `the_manual_is_its_own_schema` parses it");
    let mut keys = Vec::new();
    let (mut section, mut allowed) = ("", "");
    for line in manual.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name;
        } else if let Some(annotation) = line.strip_prefix("#: ") {
            allowed = annotation;
        } else if !line.starts_with('#')
            && let Some((name, _)) = line.split_once(" = ")
        {
            keys.push(KeySpec {
                key: format!("{section}.{name}"),
                kind: Kind::read(allowed),
                allowed,
                default: defaults[section][name].clone(),
            });
        }
    }
    keys
}

impl Kind {
    /// Reads a `#:` line. A line that says nothing known is a mistake in the manual, which every test run meets.
    fn read(allowed: &'static str) -> Self {
        let mut parts = allowed.splitn(3, ", ");
        match (parts.next().unwrap_or_default(), parts.next(), parts.next()) {
            ("boolean", ..) => Self::Boolean,
            ("text", ..) => Self::Text,
            ("list of texts", ..) => Self::Texts,
            ("address", ..) => Self::Address,
            ("directory", ..) => Self::Directory,
            ("list of directories", ..) => Self::Directories,
            ("integer", Some(range), unit) => {
                let (min, max) = range.split_once(" to ").expect("a range is `MIN to MAX`");
                let bound = |text: &str| text.parse().expect("a bound is an integer");
                Self::Integer { min: bound(min), max: bound(max), unit: unit.unwrap_or_default() }
            }
            _ => {
                let words =
                    allowed.strip_prefix("one of ").expect("the manual uses the types listed in `Kind`");
                Self::OneOf(words.split(", ").collect())
            }
        }
    }

    /// Whether `value` is of this kind.
    pub fn check(&self, value: &Value) -> Result<(), Mismatch> {
        match (self, value) {
            (Self::Boolean, Value::Boolean(_)) | (Self::Text, Value::String(_)) => Ok(()),
            (Self::Integer { min, max, .. }, Value::Integer(number)) => {
                let inside = (*min..=*max).contains(number);
                inside.then_some(()).ok_or(Mismatch::Range { found: *number })
            }
            (Self::OneOf(words), Value::String(word)) => {
                let known = words.contains(&word.as_str());
                known.then_some(()).ok_or_else(|| Mismatch::Word { found: word.clone() })
            }
            (Self::Address, Value::String(text)) => match text.parse::<SocketAddr>() {
                Ok(_) => Ok(()),
                Err(_) => Err(Mismatch::Address { found: text.clone() }),
            },
            (Self::Directory, Value::String(path)) if path.is_empty() => Ok(()),
            (Self::Directory, Value::String(path)) => absolute(path),
            (Self::Texts, Value::Array(items)) => items.iter().try_for_each(|item| Self::Text.check(item)),
            (Self::Directories, Value::Array(items)) => items.iter().try_for_each(|item| match item {
                Value::String(path) => absolute(path),
                other => Err(wrong_type(other)),
            }),
            (_, other) => Err(wrong_type(other)),
        }
    }

    /// The value that a text of the environment or the command line stands for. Lists are separated by commas, or
    /// written as in TOML where an item has a comma.
    pub fn parse(&self, text: &str) -> Result<Value, Mismatch> {
        let wrong = || Mismatch::Type { found: format!("{text:?}") };
        match self {
            Self::Boolean => text.parse().map(Value::Boolean).map_err(|_| wrong()),
            Self::Integer { .. } => text.replace('_', "").parse().map(Value::Integer).map_err(|_| wrong()),
            Self::Text | Self::OneOf(_) | Self::Address | Self::Directory => {
                Ok(Value::String(text.to_owned()))
            }
            Self::Texts | Self::Directories if text.starts_with('[') => text.parse().map_err(|_| wrong()),
            Self::Texts | Self::Directories => {
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                Ok(Value::Array(items.map(|item| Value::String(item.to_owned())).collect()))
            }
        }
    }
}

fn absolute(path: &str) -> Result<(), Mismatch> {
    let good = path.starts_with('/') || path == "~" || path.starts_with("~/");
    good.then_some(()).ok_or_else(|| Mismatch::Relative { found: path.to_owned() })
}

fn wrong_type(value: &Value) -> Mismatch {
    Mismatch::Type { found: format!("{} {value}", value.type_str()) }
}
