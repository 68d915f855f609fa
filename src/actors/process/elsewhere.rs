//! The output of what runs elsewhere (in a container), kept as a process's own is: the first and the last of each stream in
//! memory, the whole in a file up to a quota.

use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::io::{DuplexStream, duplex};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::capture::{Valve, read_all};
use super::ended::Captured;
use super::scratch;

/// Bytes that wait for the disk: what a pipe holds.
const PIPE_BYTES: usize = 64 << 10;

/// Both streams, being read. Dropped, the reading ends.
#[derive(Debug)]
pub struct Streams {
    reading: JoinSet<(Captured, Captured)>,
    valve: Valve,
}

/// Where what it says is written to. Dropped, a stream has ended.
#[derive(Debug)]
pub struct Sinks {
    pub stdout: DuplexStream,
    pub stderr: DuplexStream,
}

impl Streams {
    /// Makes the files `stdout` and `stderr` in `scratch`; `quota` bytes of a stream are no flood.
    pub async fn open(scratch: &Path, quota: u64) -> io::Result<(Self, Sinks)> {
        let folder = scratch.to_owned();
        let files = tokio::task::spawn_blocking(move || scratch::spill_files(&folder)).await;
        let (out_file, err_file) = files.unwrap_or_else(|panic| Err(io::Error::other(panic)))?;
        let valve = Valve { quota, flooded: CancellationToken::new(), abandon: CancellationToken::new() };
        let (stdout, out) = duplex(PIPE_BYTES);
        let (stderr, err) = duplex(PIPE_BYTES);
        let (out, err) = (read_all(out, out_file, valve.clone()), read_all(err, err_file, valve.clone()));
        let mut reading = JoinSet::new();
        reading.spawn(async { tokio::join!(out, err) });
        Ok((Self { reading, valve }, Sinks { stdout, stderr }))
    }

    /// Resolves when a stream has more than its quota.
    pub async fn flooded(&self) {
        self.valve.flooded.cancelled().await;
    }

    pub fn is_flooded(&self) -> bool {
        self.valve.flooded.is_cancelled()
    }

    /// All that was said, once both sinks are dropped; what is not there within `patience` is given up.
    pub async fn finish(mut self, patience: Duration) -> (Captured, Captured) {
        if let Ok(Some(Ok(both))) = timeout(patience, self.reading.join_next()).await {
            return both;
        }
        self.valve.abandon.cancel();
        match self.reading.join_next().await {
            Some(Ok(both)) => both,
            // It panicked.
            _ => [(); 2].map(|()| lost()).into(),
        }
    }
}

fn lost() -> Captured {
    let mut nothing = Captured::default();
    nothing.breaks_off("it could not be kept");
    nothing
}
