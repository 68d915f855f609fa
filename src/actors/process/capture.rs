//! Reads one stream to its end in constant memory: the first and the last of it kept, the whole in a file up to a quota.
//!
//! Bytes, never lines: a line without end would be held whole.

use std::collections::VecDeque;
use std::io;

use tokio::fs::File;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, BufWriter};
use tokio_util::sync::CancellationToken;

use super::ended::{Captured, Spill};
use super::scratch::SpillFile;

/// Bytes kept from the start of a stream: banners, the first errors.
const HEAD_BYTES: usize = 64 << 10;

/// Bytes kept from the end: what a tool says last says why it died.
const TAIL_BYTES: usize = 256 << 10;

/// Bytes read at once: what a pipe holds.
const READ_BYTES: usize = 64 << 10;

/// Bytes gathered before the file is written, on the blocking pool: fewer trips, and no worker waits for a disk.
const SPILL_BYTES: usize = 256 << 10;

/// When to stop reading, and how to say that it was too much.
#[derive(Clone, Debug)]
pub(super) struct Valve {
    /// Bytes of one stream that are no flood.
    pub quota: u64,
    /// Cancelled by us at the first byte over the quota.
    pub flooded: CancellationToken,
    /// Cancelled by the owner when a pipe outlives every process of the run.
    pub abandon: CancellationToken,
}

/// Reads `pipe` to its end, which is when the last process that holds its other side is gone. A flood is read on and thrown
/// away: its writer must be able to handle our SIGTERM instead of sitting in `write`.
pub(super) async fn read_all(mut pipe: impl AsyncRead + Unpin, spill: SpillFile, valve: Valve) -> Captured {
    let mut capture = Capture::new(spill, &valve);
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let read = tokio::select! {
            biased;
            read = pipe.read(&mut buffer) => read,
            () = valve.abandon.cancelled() => Err(io::Error::other("a process that is not ours holds the pipe")),
        };
        match read {
            Ok(0) => break,
            Ok(length) => capture.take(&buffer[..length]).await,
            Err(error) => {
                capture.broken(&error);
                break;
            }
        }
        if capture.total > valve.quota {
            valve.flooded.cancel();
        }
    }
    capture.finish().await
}

struct Capture {
    file: BufWriter<File>,
    quota: u64,
    head: Vec<u8>,
    tail: VecDeque<u8>,
    total: u64,
    spill: Spill,
    path: std::path::PathBuf,
}

impl Capture {
    fn new(SpillFile { path, file }: SpillFile, valve: &Valve) -> Self {
        Self {
            file: BufWriter::with_capacity(SPILL_BYTES, File::from_std(file)),
            quota: valve.quota,
            head: Vec::new(),
            tail: VecDeque::new(),
            total: 0,
            spill: Spill::Whole,
            path,
        }
    }

    async fn take(&mut self, bytes: &[u8]) {
        self.spill(bytes).await;
        let missing = HEAD_BYTES - self.head.len();
        self.head.extend_from_slice(&bytes[..bytes.len().min(missing)]);
        let excess = (self.tail.len() + bytes.len()).saturating_sub(TAIL_BYTES);
        self.tail.drain(..excess.min(self.tail.len()));
        self.tail.extend(bytes);
        self.total += bytes.len() as u64;
    }

    async fn spill(&mut self, bytes: &[u8]) {
        if self.spill != Spill::Whole {
            return;
        }
        let room = usize::try_from(self.quota.saturating_sub(self.total)).unwrap_or(usize::MAX);
        let written = self.file.write_all(&bytes[..bytes.len().min(room)]).await;
        if bytes.len() > room {
            self.spill = Spill::OverQuota;
        }
        if let Err(error) = written {
            self.broken(&error);
        }
    }

    fn broken(&mut self, error: &io::Error) {
        self.spill = Spill::Broken(format!("{}: {error}", self.path.display()));
    }

    async fn finish(mut self) -> Captured {
        if let Err(error) = self.file.flush().await {
            self.broken(&error);
        }
        Captured {
            path: self.path,
            head: self.head,
            tail: self.tail.into(),
            total_bytes: self.total,
            spill: self.spill,
        }
    }
}

#[cfg(test)]
#[path = "capture_tests.rs"]
mod tests;
