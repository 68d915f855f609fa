//! `proctor mcp-config CLIENT`: what to put into an AI client's configuration to reach the running daemon.
//!
//! Claude Code speaks WebSocket with headers. VS Code and Cursor speak HTTP and stdio only, so they are given
//! `proctor stdio`, which needs no token in a file of theirs.

use std::path::Path;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::daemon::Running;
use super::exit::Exit;
use super::run::CommandError;
use super::terminal::Terminal;

/// Print the configuration that connects an AI client to the running daemon
#[derive(Debug, Args)]
pub struct McpConfigCommand {
    /// The client
    #[arg(value_enum)]
    pub client: McpClient,
    /// Connect through `proctor stdio` (always so for vscode and cursor): no token in the client's file
    #[arg(long)]
    pub stdio: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum McpClient {
    /// Claude Code: .mcp.json
    Claude,
    /// VS Code: .vscode/mcp.json
    Vscode,
    /// Cursor: .cursor/mcp.json
    Cursor,
}

impl McpClient {
    const fn file(self) -> &'static str {
        match self {
            Self::Claude => ".mcp.json in your project",
            Self::Vscode => ".vscode/mcp.json",
            Self::Cursor => ".cursor/mcp.json",
        }
    }

    /// The member of the file that holds the servers.
    const fn member(self) -> &'static str {
        match self {
            Self::Claude | Self::Cursor => "mcpServers",
            Self::Vscode => "servers",
        }
    }
}

/// How a client reaches the daemon.
enum Way<'a> {
    WebSocket { url: String, token: String },
    Stdio { program: &'a Path, data_dir: &'a Path },
}

pub fn run(
    command: &McpConfigCommand,
    running: &Running,
    data_dir: &Path,
    terminal: Terminal,
) -> Result<Exit, CommandError> {
    let program = std::env::current_exe()?;
    let way = match command.client {
        McpClient::Claude if !command.stdio => {
            Way::WebSocket { url: format!("ws://{}/mcp", running.address), token: running.token()? }
        }
        McpClient::Claude | McpClient::Vscode | McpClient::Cursor => {
            Way::Stdio { program: &program, data_dir }
        }
    };
    terminal.note(&remark(command.client, &way));
    terminal.result(&render(command.client, &way))?;
    Ok(Exit::Clean)
}

fn remark(client: McpClient, way: &Way<'_>) -> String {
    let secret = match way {
        Way::WebSocket { .. } => "; it holds the access token: do not commit it",
        Way::Stdio { .. } => "",
    };
    format!("put this into {}{secret}", client.file())
}

fn render(client: McpClient, way: &Way<'_>) -> String {
    let server: Value = match way {
        Way::WebSocket { url, token } => {
            json!({ "type": "ws", "url": url, "headers": { "Authorization": format!("Bearer {token}") } })
        }
        Way::Stdio { program, data_dir } => json!({
            "type": "stdio",
            "command": program,
            "args": ["stdio", "--set", format!("daemon.data_dir={}", data_dir.display())],
        }),
    };
    format!("{:#}", json!({ client.member(): { "proctor": server } }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_client_gets_the_form_it_reads() {
        let socket = Way::WebSocket { url: "ws://127.0.0.1:7878/mcp".into(), token: "T".into() };
        let claude: Value = serde_json::from_str(&render(McpClient::Claude, &socket)).unwrap();
        let server = &claude["mcpServers"]["proctor"];
        assert_eq!((&server["type"], &server["url"]), (&json!("ws"), &json!("ws://127.0.0.1:7878/mcp")));
        assert_eq!(server["headers"]["Authorization"], "Bearer T");
        let stdio = Way::Stdio { program: Path::new("/bin/proctor"), data_dir: Path::new("/data") };
        for (client, member) in [(McpClient::Vscode, "servers"), (McpClient::Cursor, "mcpServers")] {
            let text: Value = serde_json::from_str(&render(client, &stdio)).unwrap();
            let server = &text[member]["proctor"];
            assert_eq!((&server["type"], &server["command"]), (&json!("stdio"), &json!("/bin/proctor")));
            assert_eq!(server["args"], json!(["stdio", "--set", "daemon.data_dir=/data"]));
        }
    }
}
