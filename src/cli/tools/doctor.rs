//! `proctor tools doctor`: what was looked at, what was found, what to do.

use std::path::PathBuf;

use comfy_table::{Cell, Color};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{Format, ToolsError, table};
use crate::actors::installer::doctor::{self, Check, State};
use crate::actors::installer::{Layout, Locks};
use crate::cli::exit::Exit;
use crate::cli::terminal::Terminal;
use crate::tools::manifest::Manifest;

pub async fn run(
    tools: &[&Manifest],
    layout: &Layout,
    format: Format,
    terminal: Terminal,
    cancel: &CancellationToken,
) -> Result<Exit, ToolsError> {
    let checks = doctor::examine(tools, layout, &Locks::builtin(), cancel).await?;
    show(Answer { checks, tools_dir: layout.tools_dir.clone() }, format, terminal)
}

/// What was found.
pub(in crate::cli) struct Answer {
    pub checks: Vec<Check>,
    pub tools_dir: PathBuf,
}

/// Prints it; anything that failed makes the exit code [`Exit::Failed`].
pub(in crate::cli) fn show(answer: Answer, format: Format, terminal: Terminal) -> Result<Exit, ToolsError> {
    let Answer { checks, tools_dir } = answer;
    let failed = checks.iter().filter(|check| check.state == State::Failed).count();
    let text = match format {
        Format::Json => {
            let answer = json!({ "ok": failed == 0, "tools_dir": tools_dir, "checks": checks });
            serde_json::to_string_pretty(&answer).map_err(std::io::Error::from)?
        }
        Format::Table => shown(&checks, failed, terminal),
    };
    terminal.result(&text)?;
    Ok(if failed == 0 { Exit::Clean } else { Exit::Failed })
}

fn shown(checks: &[Check], failed: usize, terminal: Terminal) -> String {
    let mut table = table::new(terminal, &["", "what", "found"]);
    for check in checks {
        let (word, color) = match check.state {
            State::Ok => ("ok", Color::Green),
            State::Note => ("note", Color::Yellow),
            State::Failed => ("failed", Color::Red),
        };
        table.add_row([table::word(word, color), Cell::new(&check.subject), Cell::new(&check.detail)]);
    }
    let mut text = table::finish(table);
    let advised = checks.iter().filter(|check| check.state != State::Ok);
    let lines = advised.filter_map(|check| Some(format!("  {}: {}", check.subject, check.advice.as_ref()?)));
    let lines: Vec<String> = lines.collect();
    if !lines.is_empty() {
        text.push_str(&format!("\n\nwhat to do:\n{}", lines.join("\n")));
    }
    text.push_str(&match failed {
        0 => "\n\neverything works".to_owned(),
        1 => "\n\n1 of them failed".to_owned(),
        many => format!("\n\n{many} of them failed"),
    });
    text
}
