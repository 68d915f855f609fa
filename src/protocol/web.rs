//! Arguments of `scan` for what runs: a web application by its URL, or an app under test that is started for the scan.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Entries of one list in a request: seeds, exclusions, expectations. A list that is longer belongs in an OpenAPI document.
pub const ENTRIES_MAX: usize = 200;
/// Bytes of one URL, pattern or header value.
pub const TEXT_BYTES_MAX: usize = 4096;

/// An app under test: exactly one of `image`, `dockerfile` and `compose`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AppArguments {
    /// A container image that is present or can be pulled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// A directory with a Dockerfile: an absolute path under one of the daemon's allowed roots.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dockerfile: Option<String>,
    /// A compose file: an absolute path under one of the daemon's allowed roots.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compose: Option<String>,
    /// The service of the compose file to look at; leave out when only one has a port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Port inside the container; leave out when the image exposes only one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub port: Option<u16>,
    /// Path whose answer says that the app is up, such as `/health`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^/"))]
    pub health: Option<String>,
}

/// What is done to a running target. All may be left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WebArguments {
    /// How far to go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<PhaseWord>,
    /// URLs or paths to begin from, besides the target's own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 200))]
    pub seeds: Vec<String>,
    /// URL or path of the target's OpenAPI document.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub openapi: Option<String>,
    /// True: begin from the target's sitemap.xml, too.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub sitemap: bool,
    /// Regular expressions: a URL in which one is found is not asked for (`/logout`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 200))]
    pub exclude: Vec<String>,
    /// How to be logged in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub login: Option<LoginArguments>,
    /// Requests whose answers are known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 200))]
    pub expect: Vec<ExpectationArguments>,
    /// What load tools do; they run only when named in `tools`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load: Option<LoadArguments>,
}

/// How far a scan of a running target goes: `baseline` looks at what a visitor gets and attacks nothing; `full` attacks
/// everything that is found; `api` attacks the operations of an OpenAPI document. The last two may change or break the
/// target, and need its address in `targets.active`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PhaseWord {
    Baseline,
    Full,
    Api,
}

/// Either a header of each request, or a form that is sent once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum LoginArguments {
    Header {
        name: String,
        value: String,
    },
    Form {
        /// URL or path that the form is sent to.
        url: String,
        fields: BTreeMap<String, String>,
        /// Regular expression that is in a page of somebody who is logged in, and in no other.
        logged_in: String,
    },
}

/// A request, and what is expected of its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpectationArguments {
    /// GET where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^[A-Z]{1,16}$"))]
    pub method: Option<String>,
    /// Path on the target, with its query.
    #[schemars(regex(pattern = "^/"))]
    pub path: String,
    /// Any of these; leave out for any below 400.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub status: Vec<u16>,
    /// Headers the answer has, with a text that is in each.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// A text that is in the answer's body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}

/// What load tools do, and what must hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LoadArguments {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 3600))]
    pub duration_s: Option<u32>,
    /// Requests at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub concurrency: Option<u32>,
    /// A finding when the slowest twentieth of the answers takes longer, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p95_ms_max: Option<u32>,
    /// A finding when more of the requests fail, in hundredths of a percent (100 is 1 %).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 10000))]
    pub errors_max: Option<u32>,
    /// A finding when fewer answers come, per second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_min: Option<u32>,
}
