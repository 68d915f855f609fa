//! A service as a compose file writes it. Most keys have a short and a long form.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Service {
    pub image: Option<String>,
    pub build: Option<Build>,
    pub command: Option<Words>,
    pub entrypoint: Option<Words>,
    #[serde(default)]
    pub environment: Pairs,
    #[serde(default)]
    pub env_file: OneOrMany<EnvFile>,
    #[serde(default)]
    pub ports: Vec<Port>,
    #[serde(default)]
    pub expose: Vec<Value>,
    #[serde(default)]
    pub depends_on: Depends,
    pub healthcheck: Option<Health>,
    #[serde(default)]
    pub volumes: Vec<Volume>,
    #[serde(default)]
    pub tmpfs: OneOrMany<String>,
    pub user: Option<Value>,
    pub working_dir: Option<String>,
    #[serde(default)]
    pub read_only: bool,
    /// A list of names, or a map of attachments.
    pub networks: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Build {
    Directory(String),
    Long(BuildLong),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BuildLong {
    pub context: Option<String>,
    pub dockerfile: Option<String>,
    pub target: Option<String>,
    #[serde(default)]
    pub args: Pairs,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Words {
    Line(String),
    List(Vec<Value>),
}

#[derive(Debug, Default, Deserialize)]
#[serde(untagged)]
pub(super) enum Pairs {
    #[default]
    None,
    Map(BTreeMap<String, Value>),
    List(Vec<String>),
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

impl<T> Default for OneOrMany<T> {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl<T> OneOrMany<T> {
    pub fn into_vec(self) -> Vec<T> {
        match self {
            Self::One(one) => vec![one],
            Self::Many(many) => many,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum EnvFile {
    Path(String),
    Long { path: String },
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Port {
    Number(u16),
    Text(String),
    Long { target: Value, protocol: Option<String> },
}

#[derive(Debug, Default, Deserialize)]
#[serde(untagged)]
pub(super) enum Depends {
    #[default]
    None,
    List(Vec<String>),
    Map(BTreeMap<String, Dependency>),
}

#[derive(Debug, Deserialize)]
pub(super) struct Dependency {
    pub condition: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Health {
    pub test: Option<Words>,
    pub interval: Option<String>,
    pub timeout: Option<String>,
    pub start_period: Option<String>,
    /// Newer engines only; the interval does as well.
    #[serde(rename = "start_interval")]
    pub _start_interval: Option<String>,
    pub retries: Option<u32>,
    #[serde(default)]
    pub disable: bool,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Volume {
    Text(String),
    Long(VolumeLong),
}

#[derive(Debug, Deserialize)]
pub(super) struct VolumeLong {
    #[serde(rename = "type")]
    pub kind: String,
    pub source: Option<String>,
    pub target: String,
    #[serde(default)]
    pub read_only: bool,
}

/// How a service is on one network.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Attachment {
    #[serde(default)]
    pub aliases: Vec<String>,
}
