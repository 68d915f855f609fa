//! `proctor tools list`: the catalogue, and which of it is installed.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use comfy_table::{Cell, Color};
use serde::Serialize;

use super::{Format, ToolsError, table};
use crate::actors::installer::{Installed, NotInstalled};
use crate::cli::daemon;
use crate::cli::exit::Exit;
use crate::cli::terminal::Terminal;
use crate::protocol::api::ToolsAnswer;
use crate::tools::catalogue::Catalogue;
use crate::tools::manifest::{Intrusion, Manifest};

/// Globs shown before "and N more".
const GLOBS_SHOWN: usize = 4;
/// How long the daemon may take to say what does not work: the rest is known without it.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Debug, Serialize)]
struct Row<'a> {
    name: &'a str,
    version: &'a str,
    /// `installed`, `missing`, `outdated`, `broken`, `no_recipe`, `built_in` or `image`.
    state: &'static str,
    network: bool,
    summary: &'a str,
    /// `tree` or `web`.
    target: &'static str,
    files: &'a [String],
    /// What it does to a running target: `passive`, `active` or `load`.
    #[serde(skip_serializing_if = "Option::is_none")]
    intrusion: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    program: Option<String>,
    /// It, or a service that it needs, does not work now, says the running daemon: seconds until it is tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_in_s: Option<u64>,
}

/// Tools whose breaker is open, with the seconds until they are tried again.
pub(super) type Down = BTreeMap<String, u64>;

/// What the running daemon says does not work. Without a daemon nothing is known to be broken.
pub(super) async fn down(data_dir: &Path) -> Down {
    let asked = async {
        let mut client = daemon::reach(data_dir).await.ok()?;
        client.call::<ToolsAnswer>("tools", &serde_json::json!({}), |_| {}).await.ok()
    };
    let answer = tokio::time::timeout(PATIENCE, asked).await.ok().flatten();
    let tools = answer.map(|answer| answer.tools).unwrap_or_default();
    tools.into_iter().filter_map(|tool| Some((tool.name, tool.retry_in_s?))).collect()
}

pub fn run(
    catalogue: &Catalogue,
    tools_dir: &Path,
    down: &Down,
    format: Format,
    terminal: Terminal,
) -> Result<Exit, ToolsError> {
    let rows: Vec<Row<'_>> = catalogue.iter().map(|tool| row(tool, tools_dir, down)).collect();
    let text = match format {
        Format::Json => serde_json::to_string_pretty(&rows).map_err(std::io::Error::from)?,
        Format::Table => shown(&rows, terminal),
    };
    terminal.result(&text)?;
    Ok(Exit::Clean)
}

fn row<'a>(tool: &'a Manifest, tools_dir: &Path, down: &Down) -> Row<'a> {
    let found = Installed::locate(tool, tools_dir);
    Row {
        name: &tool.name.0,
        version: &tool.version.pinned,
        state: match &found {
            _ if tool.native().is_some() => "built_in",
            _ if tool.image().is_some() => "image",
            Ok(_) => "installed",
            Err(NotInstalled::Missing { .. } | NotInstalled::NotBrought { .. }) => "missing",
            Err(NotInstalled::Outdated { .. }) => "outdated",
            Err(NotInstalled::Broken { .. }) => "broken",
            Err(NotInstalled::NoRecipe { .. }) => "no_recipe",
        },
        network: tool.network,
        summary: &tool.summary,
        target: if tool.is_for_web() { "web" } else { "tree" },
        intrusion: tool.intrusion().map(Intrusion::word),
        files: tool.files().map(|files| files.files.as_slice()).unwrap_or_default(),
        program: found.ok().map(|program| program.path.display().to_string()),
        retry_in_s: down.get(&tool.name.0).copied(),
    }
}

fn shown(rows: &[Row<'_>], terminal: Terminal) -> String {
    let mut table = table::new(terminal, &["tool", "version", "state", "reads", "what it does"]);
    for row in rows {
        let is_ready = matches!(row.state, "installed" | "built_in") && row.retry_in_s.is_none();
        let retry = row.retry_in_s.map(|wait| format!(", not working: tried again in {wait} s"));
        let state = format!("{}{}", row.state, retry.unwrap_or_default());
        let color = if is_ready { Color::Green } else { Color::Yellow };
        // Every tool for running targets does.
        let network = if row.network && row.intrusion.is_none() { " (needs the network)" } else { "" };
        let reads = row.intrusion.map_or_else(|| globs(row.files), |how| format!("running web apps, {how}"));
        table.add_row([
            Cell::new(row.name),
            Cell::new(row.version),
            table::word(&state, color),
            Cell::new(reads),
            Cell::new(format!("{}{network}", row.summary)),
        ]);
    }
    table::finish(table)
}

/// `**/*.py` reads as `*.py`; a long list is cut.
fn globs(files: &[String]) -> String {
    let plain: Vec<&str> = files.iter().map(|glob| glob.trim_start_matches("**/")).collect();
    match plain.len().saturating_sub(GLOBS_SHOWN) {
        0 => plain.join(" "),
        more => format!("{} and {more} more", plain[..GLOBS_SHOWN].join(" ")),
    }
}
