//! What a job examines: a source tree, a running web application, or an app under test that is started for it.
//!
//! A tree is read from a copy. The other two are looked at while they run, by the same tools and under one [`WebPlan`];
//! what differs is who keeps them up.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// What a job examines. Stored as it is: a released shape is only added to, and the first released one was a bare path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Target {
    /// The canonical path of a source tree.
    Tree(String),
    Web(WebTarget),
    App(AppTarget),
}

/// A running web application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebTarget {
    /// Absolute, http or https, in its canonical spelling.
    pub url: String,
    pub plan: WebPlan,
}

/// An app under test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppTarget {
    pub app: AppSpec,
    pub plan: WebPlan,
}

/// An app as it is started: two jobs with equal ones share it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AppSpec {
    #[serde(flatten)]
    pub source: AppSource,
    /// Where it listens inside its container; `None`: the only port that its image exposes.
    pub port: Option<u16>,
    /// Path whose answer says that it is up; `None`: any answer of `/`.
    pub health: Option<String>,
}

/// What an app is made from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "snake_case")]
pub enum AppSource {
    /// An image that is present or can be pulled.
    Image { image: String },
    /// A directory with a Dockerfile: its canonical path.
    Dockerfile { directory: String },
    /// A compose file: its canonical path, and the service that is looked at (`None`: the only one that has a port).
    Compose { file: String, service: Option<String> },
}

/// What is done to a running target.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct WebPlan {
    pub phase: Phase,
    pub seeds: Seeds,
    /// Regular expressions: a URL in which one is found is not asked for by any tool (`/logout`).
    pub exclude: Vec<String>,
    pub login: Option<Login>,
    /// Requests whose answers are known.
    pub expect: Vec<Expectation>,
    pub load: Load,
}

/// How far a scan goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Looks at what a visitor gets: follows links, sends no attack.
    #[default]
    Baseline,
    /// The same, then attacks everything that was found.
    Full,
    /// Attacks the operations of an OpenAPI document; follows no links.
    Api,
}

impl Phase {
    pub const ALL: [Self; 3] = [Self::Baseline, Self::Full, Self::Api];

    pub const fn word(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::Full => "full",
            Self::Api => "api",
        }
    }

    /// Whether it sends what may change or break the target.
    pub const fn attacks(self) -> bool {
        !matches!(self, Self::Baseline)
    }
}

/// Where a crawl begins, besides the target's own URL.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Seeds {
    /// Absolute, or paths on the target.
    pub urls: Vec<String>,
    /// The target's OpenAPI document, or where it has it: see [`Seeds::document`].
    pub openapi: Option<String>,
    /// Whether to read the target's `/sitemap.xml`.
    pub sitemap: bool,
}

/// An OpenAPI document as a plan gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GivenDocument<'a> {
    /// The text, in JSON.
    Itself(&'a str),
    /// Where the target has it: absolute, or a path.
    At(&'a str),
}

impl Seeds {
    pub fn document(&self) -> Option<GivenDocument<'_>> {
        let text = self.openapi.as_deref()?;
        Some(match text.trim_start().starts_with('{') {
            true => GivenDocument::Itself(text),
            false => GivenDocument::At(text),
        })
    }
}

/// How to be somebody to the target. Its words are secrets: they are shown nowhere.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Login {
    /// A header of each request.
    Header { name: String, value: String },
    /// A form that is sent once.
    Form {
        /// Absolute, or a path on the target.
        url: String,
        fields: BTreeMap<String, String>,
        /// Regular expression that is in a page of somebody who is logged in, and in no other.
        logged_in: String,
    },
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header { name, .. } => write!(f, "Header {{ name: {name:?} }}"),
            Self::Form { url, .. } => write!(f, "Form {{ url: {url:?} }}"),
        }
    }
}

/// A request, and what is expected of its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expectation {
    pub method: String,
    /// On the target, with its query.
    pub path: String,
    /// Any of these; none: any below 400.
    #[serde(default)]
    pub status: Vec<u16>,
    /// Headers that the answer has, with a text that is in each.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// A text that is in the answer's body.
    #[serde(default)]
    pub body: Option<String>,
}

/// How much a load test asks for, and what it must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Load {
    pub duration_s: u32,
    /// Requests at once.
    pub concurrency: u32,
    /// The slowest twentieth takes longer: a finding.
    pub p95_ms_max: Option<u32>,
    /// More of the requests fail, in hundredths of a percent: a finding.
    pub errors_max: Option<u32>,
    /// Fewer answers a second: a finding.
    pub rate_min: Option<u32>,
}

impl Default for Load {
    fn default() -> Self {
        Self { duration_s: 10, concurrency: 10, p95_ms_max: None, errors_max: None, rate_min: None }
    }
}

impl Target {
    /// The source tree, if it is one.
    pub fn tree(&self) -> Option<&str> {
        match self {
            Self::Tree(path) => Some(path),
            Self::Web(_) | Self::App(_) => None,
        }
    }

    /// What is done to it while it runs; `None` for a tree.
    pub const fn plan(&self) -> Option<&WebPlan> {
        match self {
            Self::Tree(_) => None,
            Self::Web(web) => Some(&web.plan),
            Self::App(app) => Some(&app.plan),
        }
    }

    /// Whether what is sent to it is hidden from whoever carries it.
    pub fn is_https(&self) -> bool {
        matches!(self, Self::Web(web) if web.url.starts_with("https:"))
    }

    pub const fn kind(&self) -> TargetKind {
        match self {
            Self::Tree(_) => TargetKind::Tree,
            Self::Web(_) | Self::App(_) => TargetKind::Web,
        }
    }
}

/// What a tool can look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TargetKind {
    /// Files.
    Tree,
    /// What answers HTTP, whoever keeps it up.
    Web,
}

/// Its name: what people read in lists, and what findings of the same target have in common.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tree(path) => f.write_str(path),
            Self::Web(web) => f.write_str(&web.url),
            Self::App(app) => app.app.fmt(f),
        }
    }
}

impl fmt::Display for AppSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            AppSource::Image { image } => write!(f, "app:{image}"),
            AppSource::Dockerfile { directory } => write!(f, "app:{directory}"),
            AppSource::Compose { file, service: None } => write!(f, "app:{file}"),
            AppSource::Compose { file, service: Some(service) } => write!(f, "app:{file}#{service}"),
        }
    }
}

impl From<&str> for Target {
    /// A source tree.
    fn from(path: &str) -> Self {
        Self::Tree(path.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app() -> Target {
        let source = AppSource::Dockerfile { directory: "/srv/shop".into() };
        Target::App(AppTarget {
            app: AppSpec { source, port: Some(80), health: None },
            plan: WebPlan::default(),
        })
    }

    #[test]
    fn each_kind_survives_its_json_and_a_tree_is_a_bare_path() {
        let web = WebTarget { url: "http://a/".into(), plan: WebPlan::default() };
        for target in [Target::Tree("/t".into()), Target::Web(web), app()] {
            let json = serde_json::to_string(&target).unwrap();
            assert_eq!(serde_json::from_str::<Target>(&json).unwrap(), target, "{json}");
        }
        assert_eq!(serde_json::to_string(&Target::Tree("/t".into())).unwrap(), "\"/t\"");
    }

    #[test]
    fn a_password_is_not_shown() {
        let fields = BTreeMap::from([("password".to_owned(), "wonderland".to_owned())]);
        let form = Login::Form { url: "/login".into(), fields, logged_in: "Log out".into() };
        let header = Login::Header { name: "Authorization".into(), value: "Bearer wonderland".into() };
        for login in [form, header] {
            assert!(!format!("{login:?}").contains("wonderland"));
        }
    }

    #[test]
    fn an_app_is_named_by_what_it_is_made_from() {
        assert_eq!(app().to_string(), "app:/srv/shop");
    }
}
