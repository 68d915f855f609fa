//! `proctor tree`: the living actors as `htop` shows processes: who runs under whom, how often it was restarted, what
//! waits in its mailbox.

use std::time::Duration;

use clap::Args;
use comfy_table::{Attribute, Cell, CellAlignment, Color};
use console::measure_text_width;

use super::client::Client;
use super::exit::Exit;
use super::run::CommandError;
use super::table::{GAP, Style, finish};
use super::terminal::Terminal;
use super::text::{cut_end, duration};
use crate::domain::finding::clean_text;
use crate::domain::tree::{MailboxView, TreeNode};
use crate::shutdown::Shutdown;

const RESOURCE: &str = "proctor://tree";
/// How often `--watch` looks: as `htop` does.
const WATCH_EVERY: Duration = Duration::from_millis(1_500);
/// Clears the screen and what it scrolled, and goes to its top left.
const CLEAR: &str = "\u{1b}[2J\u{1b}[3J\u{1b}[H";
/// The longest word for a state.
const STATE_WIDTH: usize = "unavailable".len();
/// A remark with less room says nothing.
const REMARK_WIDTH_MIN: usize = 12;
/// Bytes of a failure shown.
const FAILURE_BYTES_MAX: usize = 512;

/// Show every living actor: its state, restarts and mailbox
#[derive(Debug, Args)]
pub struct TreeCommand {
    /// Look again and again until Ctrl-C
    #[arg(long, short, conflicts_with = "json")]
    pub watch: bool,
    /// Print the tree as JSON
    #[arg(long)]
    pub json: bool,
}

pub async fn run(
    command: &TreeCommand,
    client: &mut Client,
    terminal: Terminal,
) -> Result<Exit, CommandError> {
    if !command.watch {
        let text = client.read(RESOURCE).await?;
        match command.json {
            true => terminal.result(&text)?,
            false => terminal.result(&render(&parse(&text)?, Style::of(terminal)))?,
        }
        return Ok(Exit::Clean);
    }
    let mut shutdown = Shutdown::listen().map_err(CommandError::Signals)?;
    loop {
        let text = client.read(RESOURCE).await?;
        let tree = render(&parse(&text)?, Style::of(terminal));
        terminal.result(&format!("{CLEAR}{tree}"))?;
        tokio::select! {
            () = tokio::time::sleep(WATCH_EVERY) => {}
            _ = shutdown.next() => return Ok(Exit::Clean),
        }
    }
}

fn parse(text: &str) -> Result<TreeNode, CommandError> {
    serde_json::from_str(text).map_err(|error| CommandError::Tree(error.to_string()))
}

fn render(root: &TreeNode, style: Style) -> String {
    let mut rows = Vec::new();
    collect(root, "", "", &mut rows);
    let figures: Vec<[String; 3]> = rows.iter().map(|(_, node)| figures(node)).collect();
    let [name_width, remark_width] = share(&rows, &figures, style.width);
    let headers = ["ACTOR", "STATE", "RESTARTS", "MAILBOX", "AGE", "REMARK"];
    let columns = if remark_width == 0 { headers.len() - 1 } else { headers.len() };
    let mut table = style.table(&headers[..columns]);
    for ((name, node), [restarts, mailbox, age]) in rows.iter().zip(figures) {
        let number = |text: String| Cell::new(text).set_alignment(CellAlignment::Right);
        let cells = [
            Cell::new(cut_end(name, name_width)),
            state(node),
            number(restarts),
            number(mailbox),
            number(age),
            Cell::new(cut_end(&remark(node), remark_width)),
        ];
        table.add_row(cells.into_iter().take(columns));
    }
    finish(table)
}

/// Columns for the name and the remark: what the figures leave. Without room for both there are no remarks.
fn share(rows: &[(String, &TreeNode)], figures: &[[String; 3]], width: u16) -> [usize; 2] {
    let longest = |column: usize, header: &str| {
        let cells = figures.iter().map(|row| measure_text_width(&row[column]));
        cells.max().unwrap_or(0).max(header.len())
    };
    let gaps = usize::from(4 * GAP);
    let fixed = STATE_WIDTH + longest(0, "RESTARTS") + longest(1, "MAILBOX") + longest(2, "AGE") + gaps;
    let room = usize::from(width).saturating_sub(fixed).max("ACTOR".len());
    let names = rows.iter().map(|(name, _)| measure_text_width(name)).max().unwrap_or(0);
    let left = room.saturating_sub(names + usize::from(GAP));
    match left >= REMARK_WIDTH_MIN {
        true => [names, left],
        false => [room, 0],
    }
}

/// Restarts, mailbox, age.
fn figures(node: &TreeNode) -> [String; 3] {
    let none = || "-".to_owned();
    let mailbox = node.actor.as_ref().map(|actor| match actor.mailbox {
        MailboxView { depth, limit, refused: 0 } => format!("{depth}/{limit}"),
        MailboxView { depth, limit, refused } => format!("{depth}/{limit}, {refused} refused"),
    });
    let age = node.actor.as_ref().map(|actor| duration(Duration::from_millis(actor.age_ms)));
    [node.restarts.to_string(), mailbox.unwrap_or_else(none), age.unwrap_or_else(none)]
}

/// Parents before children, each with the lines that lead to it.
fn collect<'a>(node: &'a TreeNode, lead: &str, below: &str, rows: &mut Vec<(String, &'a TreeNode)>) {
    rows.push((format!("{lead}{}", clean_text(&node.id, FAILURE_BYTES_MAX)), node));
    let last = node.children.len().saturating_sub(1);
    for (at, child) in node.children.iter().enumerate() {
        let (branch, trunk) = if at == last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        collect(child, &format!("{below}{branch}"), &format!("{below}{trunk}"), rows);
    }
}

fn state(node: &TreeNode) -> Cell {
    let cell = Cell::new(&node.state);
    match node.state.as_str() {
        "running" => cell.fg(Color::Green),
        "restarting" | "starting" | "stopping" | "pending" => cell.fg(Color::Yellow),
        "unavailable" | "stopped" => cell.fg(Color::Red),
        _ => cell.add_attribute(Attribute::Dim),
    }
}

/// What an operator should look at: a handler that takes long, and the last failure.
fn remark(node: &TreeNode) -> String {
    let handling = node.actor.as_ref().and_then(|actor| Some((actor.handling_ms?, actor.stalled)));
    let handling = handling.map(|(ms, stalled)| {
        let stalled = if stalled { "stalled, " } else { "" };
        format!("{stalled}in a handler for {}", duration(Duration::from_millis(ms)))
    });
    let failure = node.last_failure.as_ref().map(|failure| clean_text(failure, FAILURE_BYTES_MAX));
    handling.into_iter().chain(failure).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::supervision::Kind;
    use crate::domain::tree::ActorView;

    fn node(id: &str, kind: Kind, children: Vec<TreeNode>) -> TreeNode {
        TreeNode {
            id: id.into(),
            kind,
            state: "running".into(),
            restarts: 0,
            last_failure: None,
            actor: Some(ActorView {
                name: id.into(),
                age_ms: 61_000,
                handling_ms: None,
                stalled: false,
                mailbox: MailboxView { depth: 1, limit: 64, refused: 0 },
            }),
            children,
        }
    }

    fn sample() -> TreeNode {
        let mut store = node("store", Kind::Worker, vec![]);
        store.restarts = 2;
        store.last_failure = Some("panicked: index out of bounds: the length is 3 but the index is 7".into());
        let mut broken = node("gateway", Kind::Worker, vec![]);
        broken.state = "unavailable".into();
        broken.actor = None;
        let sessions = node(
            "sessions",
            Kind::Supervisor,
            vec![node("session-0123456789abcdef0123456789abcdef", Kind::Worker, vec![])],
        );
        node("root", Kind::Supervisor, vec![store, sessions, broken])
    }

    #[test]
    fn the_tree_is_drawn_with_figures_and_fits() {
        let text = render(&sample(), Style { width: 200, color: false });
        let lines: Vec<_> = text.lines().collect();
        assert!(lines[1].starts_with("root "), "{text}");
        assert!(
            lines[2].starts_with("├─ store ") && lines[2].contains("panicked: index out of bounds"),
            "{text}"
        );
        assert!(lines[4].starts_with("│  └─ session-0123456789abcdef0123456789abcdef"), "{text}");
        assert!(lines[5].starts_with("└─ gateway") && lines[5].contains("unavailable"), "{text}");
        assert!(lines[2].contains("1/64") && lines[2].contains("1 min 01 s"), "{text}");
        for width in [60, 80, 120] {
            for line in render(&sample(), Style { width, color: false }).lines() {
                assert!(measure_text_width(line) <= usize::from(width), "{width}: {line}");
            }
        }
    }

    #[test]
    fn refusals_and_slow_handlers_are_said() {
        let mut busy = node("store", Kind::Worker, vec![]);
        if let Some(actor) = &mut busy.actor {
            actor.handling_ms = Some(2_000);
            actor.stalled = true;
            actor.mailbox.refused = 3;
        }
        let text = render(&busy, Style { width: 120, color: false });
        assert!(
            text.contains("1/64, 3 refused") && text.contains("stalled, in a handler for 2.0 s"),
            "{text}"
        );
    }
}
