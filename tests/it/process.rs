//! The promise: a tool, whatever it does, ends in bounded time, is told apart from every other end, and leaves nothing.

use std::path::{Path, PathBuf};
use std::time::Duration;

use proctor::actors::process::{Command, Ended, How, run};
use tokio_util::sync::CancellationToken;

/// A world for one run: its scratch directory, and the token that finds its processes.
pub struct World {
    pub folder: tempfile::TempDir,
}

impl World {
    pub fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a temporary directory"),
        }
    }

    /// `fake-tool` with these words: the mode and its arguments.
    pub fn tool(&self, words: &[&str]) -> Command {
        let mut command = Command::new(fake_tool(), self.folder.path());
        command.args = words.iter().map(Into::into).collect();
        command.shim = env!("CARGO_BIN_EXE_proctor").into();
        command.limits.wall = Duration::from_secs(60);
        command.limits.grace = Duration::from_millis(200);
        command
    }
}

pub fn fake_tool() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/bin/fake-tool")
}

async fn ended(command: Command) -> Ended {
    run(command, CancellationToken::new()).await
}

#[tokio::test]
async fn a_tool_that_succeeds() {
    let world = World::new();
    let ended = ended(world.tool(&["succeed"])).await;
    assert_eq!(
        ended.how,
        How::Exited(0),
        "{}",
        String::from_utf8_lossy(&ended.stderr.head)
    );
    assert_eq!(ended.stdout.head, b"{\"findings\":[]}\n");
}
