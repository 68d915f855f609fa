//! Arguments and answer of `apps`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::web::AppArguments;

/// Arguments of `apps`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AppsArguments {
    pub action: AppsAction,
    /// Which app; needed to start or stop one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app: Option<AppArguments>,
    /// Seconds to wait for an app to come up before its state is returned as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 45))]
    pub wait_s: Option<u32>,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AppsAction {
    #[default]
    List,
    Start,
    Stop,
}

/// Apps, as they stand.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AppsAnswer {
    pub apps: Vec<AppAnswer>,
}

/// One app.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AppAnswer {
    /// What it is made from.
    pub app: String,
    /// preparing, up or ended.
    pub state: String,
    /// What is being done to bring it up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doing: Option<String>,
    /// Where it answers, from the daemon's machine, until it is started anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Who needs it now: jobs, and whoever started it by hand.
    pub leases: u32,
    /// Why it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The last it said.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub log_tail: String,
}
