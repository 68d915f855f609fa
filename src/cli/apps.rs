//! `proctor apps`: the apps under test of the running daemon.

use clap::{Args, Subcommand};
use comfy_table::Cell;

use super::exit::Exit;
use super::link::Link;
use super::run::CommandError;
use super::table::{Style, finish};
use super::target::{AppOptions, app_arguments};
use super::terminal::Terminal;
use crate::protocol::api::WAIT_S_MAX;
use crate::protocol::apps::{AppAnswer, AppsAction, AppsAnswer, AppsArguments};

const EXAMPLES: &str = "\
Examples:
  proctor apps                              what is up, and where it answers
  proctor apps start examples/shop          build and start it, and keep it up for several scans
  proctor apps stop examples/shop           remove it

A scan with --app starts and removes its own; to start one first only saves time.";

/// List, start and stop apps under test
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub struct AppsCommand {
    #[command(subcommand)]
    pub action: Option<Action>,
    /// Print the answer as JSON
    #[arg(long, global = true)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub enum Action {
    /// Show the apps that are up or being started
    List,
    /// Start an app and keep it up
    Start(App),
    /// End an app, whoever uses it
    Stop(App),
}

#[derive(Debug, Args)]
pub struct App {
    /// A directory with a Dockerfile, a compose file, or an image
    #[arg(value_name = "APP")]
    pub name: String,
    #[command(flatten)]
    pub options: AppOptions,
}

pub async fn run(command: &AppsCommand, link: &mut Link, terminal: Terminal) -> Result<Exit, CommandError> {
    let (action, app) = match &command.action {
        None | Some(Action::List) => (AppsAction::List, None),
        Some(Action::Start(app)) => (AppsAction::Start, Some(app)),
        Some(Action::Stop(app)) => (AppsAction::Stop, Some(app)),
    };
    let app = app.map(|app| app_arguments(&app.name, &app.options)).transpose()?;
    let wanted = AppsArguments { action, app, wait_s: Some(WAIT_S_MAX) };
    let mut lost = |error: &_| terminal.note(&format!("{error}; trying again"));
    let mut answer: AppsAnswer = link.call("apps", &wanted, &mut lost).await?;
    let mut said = None;
    // It is kept by now: what is left is to watch it come up.
    let look = AppsArguments { action: AppsAction::Start, ..wanted };
    while action == AppsAction::Start && answer.apps.iter().any(|app| app.state == "preparing") {
        let doing = answer.apps.iter().find_map(|app| app.doing.clone());
        if doing != said {
            terminal.note(doing.as_deref().unwrap_or("starting"));
            said = doing;
        }
        answer = link.call("apps", &look, &mut lost).await?;
    }
    match command.json {
        true => terminal.result(&serde_json::to_string(&answer).map_err(std::io::Error::from)?)?,
        false if answer.apps.is_empty() && action == AppsAction::Stop => terminal.note("stopped"),
        false if answer.apps.is_empty() => terminal.note("no apps"),
        false => terminal.result(&table(&answer.apps, Style::of(terminal)))?,
    }
    Ok(Exit::Clean)
}

fn table(apps: &[AppAnswer], style: Style) -> String {
    let mut table = style.table(&["app", "state", "used by", "address"]);
    for app in apps {
        let place = app.url.as_ref().or(app.doing.as_ref()).or(app.error.as_ref());
        table.add_row([
            Cell::new(&app.app),
            Cell::new(&app.state),
            Cell::new(app.leases),
            Cell::new(place.map_or("", String::as_str)),
        ]);
    }
    finish(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_is_one_line_with_its_address_or_what_is_being_done() {
        let up = AppAnswer { app: "app:shop".into(), state: "up".into(), leases: 2, ..AppAnswer::default() };
        let apps = [
            AppAnswer { url: Some("http://127.0.0.1:40001/".into()), ..up.clone() },
            AppAnswer { state: "preparing".into(), doing: Some("step 3 of 7".into()), ..up },
        ];
        let text = table(&apps, Style { width: 80, color: false });
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert!(lines[1].contains("up") && lines[1].contains("http://127.0.0.1:40001/"), "{text}");
        assert!(lines[2].contains("step 3 of 7"), "{text}");
    }
}
