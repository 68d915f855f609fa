//! The store actor: owns the database through two threads, and is the only way to it.
//!
//! ```text
//! init: lock ─▶ check, migrate, boot ─▶ serving ──drain, stop──▶ queue worked off ─▶ gone
//!          └─▶ permanent: another daemon, a damaged file          └──kill, panic──▶ gone, the write under way ends
//! ```
//! Everybody speaks to it through [`super::Store`]. Its death is everybody's: whatever was not acknowledged is unknown,
//! and what was is on the disk. A new life waits for the lock, so two writers never meet.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rusqlite::Connection;
use tokio::time::Instant;

use super::health::Health;
use super::worker::{Intake, Refused, Wait, Worker};
use super::writer::{Committed, Order, Writer};
use crate::actors::mailbox::Message;
use crate::actors::server::{Context, Server, StartError, Stop};
use crate::domain::ids::BootId;
use crate::store::lock::{Lock, LockError};
use crate::store::open::{self, DATABASE, OpenError};
use crate::store::{FaultKind, StoreError, record};

/// Requests that wait in the mailbox; handling one is a push onto a thread's queue.
const MAILBOX_LIMIT: usize = 256;
/// Orders that wait for the writer: four groups. Behind that a caller waits longer than its patience.
const WRITES_WAITING_MAX: usize = 256;
/// Queries that wait for the reader.
const READS_WAITING_MAX: usize = 256;
/// Longest wait for the thread of an earlier life of this actor to let go: its last transaction.
const LOCK_PATIENCE: Duration = Duration::from_secs(10);
const LOCK_RETRY: Duration = Duration::from_millis(20);
/// Held by the writer's thread.
const WRITER_LOCK: &str = "store.lock";

/// What the actor may touch.
#[derive(Debug, Clone)]
pub struct StoreArguments {
    /// The data directory; it exists.
    pub directory: PathBuf,
    /// This life of the daemon.
    pub boot: BootId,
    /// Where it says whether writes reach the disk.
    pub health: Health,
    /// Whether a life of this actor has checked the log as a crash left it. The first does, and no other may.
    log_checked: Arc<AtomicBool>,
}

impl StoreArguments {
    pub fn new(directory: PathBuf, boot: BootId) -> Self {
        Self { directory, boot, health: Health::default(), log_checked: Arc::default() }
    }
}

/// A query: called once with the connection, or with the reason why it will not be. It answers by itself.
pub type Query = Box<dyn FnOnce(Result<&Connection, StoreError>) + Send>;

/// Requests, as work to be done on a connection: what the work is, `store/` says.
pub enum StoreMessage {
    Write(Order),
    Read(Query),
}

impl Message for StoreMessage {}

/// See the module's header.
pub struct StoreServer {
    writer: Worker<Order>,
    reader: Worker<Query>,
}

impl Server for StoreServer {
    const NAME: &'static str = "store";
    const MAILBOX_LIMIT: usize = MAILBOX_LIMIT;
    type Message = StoreMessage;
    type Arguments = StoreArguments;

    async fn init(arguments: StoreArguments, _: &Context<StoreMessage>) -> Result<Self, StartError> {
        let lock = lock(&arguments).await?;
        let path = arguments.directory.join(DATABASE);
        let writer = start_writer(path.clone(), arguments, lock).await.map_err(start_error)?;
        let reader = start_reader(path).await.map_err(start_error)?;
        Ok(Self { writer, reader })
    }

    async fn handle(&mut self, message: StoreMessage, _: &Context<StoreMessage>) -> Result<(), Stop> {
        match message {
            StoreMessage::Write(order) => self.write(order),
            StoreMessage::Read(query) => self.read(query),
        }
    }

    async fn terminate(&mut self, _: &Context<StoreMessage>) {
        // The writer last: whichever connection is the last to close folds the log into the database, if it may write.
        self.reader.finish().await;
        self.writer.finish().await;
    }
}

impl StoreServer {
    fn write(&self, order: Order) -> Result<(), Stop> {
        let refuse = |order: Order| (order(Err(StoreError::Busy)).answer)(Committed::Yes);
        match self.writer.offer(order) {
            Ok(()) => Ok(()),
            Err(Refused::Full(order)) => {
                refuse(order);
                Ok(())
            }
            Err(Refused::Ended(order)) => {
                refuse(order);
                Err(Stop::Abnormal("the writer's thread has ended".to_owned()))
            }
        }
    }

    fn read(&self, query: Query) -> Result<(), Stop> {
        match self.reader.offer(query) {
            Ok(()) => Ok(()),
            Err(Refused::Full(query)) => {
                query(Err(StoreError::Busy));
                Ok(())
            }
            Err(Refused::Ended(query)) => {
                query(Err(StoreError::Busy));
                Err(Stop::Abnormal("the reader's thread has ended".to_owned()))
            }
        }
    }
}

/// An earlier life of this actor, in this process, is waited for. Another process is not.
async fn lock(arguments: &StoreArguments) -> Result<Lock, StartError> {
    let path = arguments.directory.join(WRITER_LOCK);
    let own = std::process::id().to_string();
    let deadline = Instant::now() + LOCK_PATIENCE;
    loop {
        match Lock::acquire(&path) {
            Ok(lock) => return Ok(lock),
            Err(LockError::Held { holder, .. })
                if (holder == own || holder.is_empty()) && Instant::now() < deadline =>
            {
                tokio::time::sleep(LOCK_RETRY).await;
            }
            Err(error @ LockError::Held { .. }) => return Err(StartError::Permanent(error.to_string())),
            Err(error @ LockError::Io { .. }) => return Err(StartError::Transient(error.to_string())),
        }
    }
}

async fn start_writer(
    path: PathBuf,
    arguments: StoreArguments,
    lock: Lock,
) -> Result<Worker<Order>, ThreadError> {
    let open = move || {
        let StoreArguments { boot, health, log_checked, .. } = arguments;
        if !log_checked.load(Ordering::Acquire) {
            open::check_log(&path)?;
            log_checked.store(true, Ordering::Release);
        }
        let connection = open::writer(&path)?;
        record::boot(&connection, boot, env!("CARGO_PKG_VERSION"), &super::client::now())?;
        Ok((Writer::new(path, connection, health), lock))
    };
    let serve = |(writer, lock): (Writer, Lock), intake: &Intake<Order>| {
        writer.serve(intake);
        // Only now may the next life open the database.
        drop(lock);
    };
    Worker::start("store-writer", WRITES_WAITING_MAX, open, serve).await
}

async fn start_reader(path: PathBuf) -> Result<Worker<Query>, ThreadError> {
    let open = move || Ok(open::reader(&path)?);
    let serve = |connection: Connection, intake: &Intake<Query>| {
        while let Wait::Job(query) = intake.wait() {
            query(Ok(&connection));
        }
    };
    Worker::start("store-reader", READS_WAITING_MAX, open, serve).await
}

/// Why a thread did not start.
#[derive(Debug, thiserror::Error)]
enum ThreadError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Boot(#[from] StoreError),
    #[error("cannot start the store's thread: {0}")]
    Thread(#[from] io::Error),
}

/// Another program's lock, a full or failing disk, too many open files: all of them pass.
fn start_error(error: ThreadError) -> StartError {
    let why = error.to_string();
    let passes = match &error {
        ThreadError::Boot(_) | ThreadError::Thread(_) => true,
        ThreadError::Open(error) => match error.fault() {
            Some(fault) => fault.kind != FaultKind::Damaged,
            None => matches!(error, OpenError::Sql { .. }),
        },
    };
    if passes { StartError::Transient(why) } else { StartError::Permanent(why) }
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;
