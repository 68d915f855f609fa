//! All of an installation: one installer per tools directory at a time, a few tools at once, each runtime once.
//!
//! Its tasks live in a `JoinSet`: whoever drops the future of [`Installer::run`] ends them, and with them the processes.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{OnceCell, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::environment::Variables;
use super::failure::InstallError;
use super::installed::{self, Program};
use super::layout::Layout;
use super::lock::Locks;
use super::one::{self, Site};
use super::package::{Package, Recipe, Runtime};
use super::python::{self, Python};
use super::receipt::Receipt;

/// Tools installed at once: downloads overlap with unpacking; more would fight for the two cores of a small machine.
const AT_ONCE: usize = 2;
/// Time to wait for another installer: the slowest first installation observed takes a few minutes.
const BUSY_WAIT: Duration = Duration::from_secs(15 * 60);
/// Between two looks at the other installer's lock.
const BUSY_LOOK: Duration = Duration::from_millis(200);
/// Events nobody has read yet. A screen that does not keep up loses steps, never results: those are returned.
const EVENTS_MAX: usize = 64;

/// What happens, for a screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Another installer holds the directory.
    Waiting,
    Step {
        /// The tool for whose sake it happens.
        tool: String,
        number: usize,
        total: usize,
        title: String,
    },
    Ended(Done),
}

/// How the installation of one tool ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    pub tool: String,
    pub version: String,
    pub outcome: Result<Outcome, InstallError>,
    pub elapsed: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Installed {
        bytes: u64,
    },
    /// It was there: nothing was done.
    Already {
        bytes: u64,
    },
}

/// What is built takes longest, and the end of the whole waits for the longest.
fn longest_first(mut packages: Vec<Package>) -> Vec<Package> {
    packages.sort_by_key(|package| !matches!(package.recipe, Recipe::Go { .. }));
    packages
}

/// Where and how to install.
#[derive(Debug, Clone)]
pub struct Setup {
    pub layout: Layout,
    pub locks: Locks,
    /// What package managers inherit: [`super::inherited`], except in tests.
    pub inherited: Variables,
    /// Install what is installed, too.
    pub force: bool,
}

/// Installs tools into one tools directory.
#[derive(Debug)]
pub struct Installer {
    setup: Setup,
    cancel: CancellationToken,
    events: mpsc::Sender<Event>,
    python: OnceCell<Result<Python, InstallError>>,
    runtimes: [OnceCell<Result<Program, InstallError>>; Runtime::ALL.len()],
}

impl Installer {
    /// An installer and its events.
    pub fn new(setup: Setup, cancel: CancellationToken) -> (Arc<Self>, mpsc::Receiver<Event>) {
        let (events, receiver) = mpsc::channel(EVENTS_MAX);
        let installer = Self { setup, cancel, events, python: OnceCell::new(), runtimes: Default::default() };
        (Arc::new(installer), receiver)
    }

    /// Installs `packages`, each on its own: one that fails does not stop the others. In the order of `packages`.
    ///
    /// # Errors
    /// The tools directory cannot be written, or another installer does not let go of it.
    pub async fn run(self: Arc<Self>, packages: Vec<Package>) -> Result<Vec<Done>, InstallError> {
        if !self.setup.force && packages.iter().all(|package| self.receipt(package).is_some()) {
            let done = packages.iter().filter_map(|package| self.already(package));
            return Ok(done.collect());
        }
        let lock = self.lock().await?;
        let permits = Arc::new(Semaphore::new(AT_ONCE));
        let mut tasks = JoinSet::new();
        let names: Vec<String> = packages.iter().map(|package| package.name.clone()).collect();
        for package in longest_first(packages) {
            let permit = Arc::clone(&permits).acquire_owned().await;
            let permit = permit.expect("nobody closes the semaphore");
            let installer = Arc::clone(&self);
            tasks.spawn(async move {
                let done = installer.one(package).await;
                drop(permit);
                done
            });
        }
        let mut done = tasks.join_all().await;
        done.sort_by_key(|done| names.iter().position(|name| *name == done.tool));
        drop(lock);
        Ok(done)
    }

    async fn one(&self, package: Package) -> Done {
        let started = Instant::now();
        let done = match self.already(&package).filter(|_| !self.setup.force) {
            Some(done) => done,
            None => Done {
                outcome: self
                    .install(&package, &package.name)
                    .await
                    .map(|receipt| Outcome::Installed { bytes: receipt.bytes }),
                tool: package.name,
                version: package.version.pinned,
                elapsed: started.elapsed(),
            },
        };
        self.tell(Event::Ended(done.clone()));
        done
    }

    fn receipt(&self, package: &Package) -> Option<Receipt> {
        installed::find(package, &self.setup.layout.tools_dir).ok()
    }

    fn already(&self, package: &Package) -> Option<Done> {
        let bytes = self.receipt(package)?.bytes;
        Some(Done {
            tool: package.name.clone(),
            version: package.version.pinned.clone(),
            outcome: Ok(Outcome::Already { bytes }),
            elapsed: Duration::ZERO,
        })
    }

    async fn install(&self, package: &Package, tool: &str) -> Result<Receipt, InstallError> {
        let python = match &package.recipe {
            Recipe::System { .. } => None,
            Recipe::Bootstrap | Recipe::Pip | Recipe::Npm | Recipe::Go { .. } => {
                Some(self.python(package.python).await?)
            }
        };
        let runtime = match package.recipe.needs() {
            None => None,
            // The way from pip to Node and back to here is a finite one, but a future cannot hold itself.
            Some(runtime) => Some(Box::pin(self.runtime(runtime, tool)).await?),
        };
        let site = Site {
            layout: &self.setup.layout,
            inherited: &self.setup.inherited,
            python: python.as_ref().map(|python| python.program.as_path()),
            runtime: runtime.as_ref(),
            cancel: &self.cancel,
        };
        let prefix = if package.name == tool {
            String::new()
        } else {
            format!("{} {}: ", package.name, package.version.pinned)
        };
        let progress = |number, total, title: String| {
            self.tell(Event::Step {
                tool: tool.to_owned(),
                number,
                total,
                title: format!("{prefix}{title}"),
            });
        };
        one::install(package, site, &progress).await
    }

    /// A runtime, made once per installer however many tools ask for it.
    async fn runtime(&self, runtime: Runtime, tool: &str) -> Result<Program, InstallError> {
        let made = self.runtimes[runtime as usize].get_or_init(|| self.make_runtime(runtime, tool));
        made.await.clone().map_err(|error| match error {
            InstallError::Cancelled => InstallError::Cancelled,
            error => InstallError::Runtime { name: runtime.name(), error: Box::new(error) },
        })
    }

    async fn make_runtime(&self, runtime: Runtime, tool: &str) -> Result<Program, InstallError> {
        let package = runtime.package(&self.setup.locks)?;
        let receipt = match self.receipt(&package).filter(|_| !self.setup.force) {
            Some(receipt) => receipt,
            None => self.install(&package, tool).await?,
        };
        Ok(receipt.program(&self.setup.layout.tools_dir))
    }

    /// Found once; a tool that needs a newer one than others looks for itself.
    async fn python(&self, oldest: (u32, u32)) -> Result<Python, InstallError> {
        let logs = self.setup.layout.logs("python".as_ref());
        let find =
            |logs| async move { python::find(oldest, &self.setup.inherited, logs, &self.cancel).await };
        if oldest > python::OLDEST {
            return find(&logs.join(format!("{}.{}", oldest.0, oldest.1))).await;
        }
        self.python.get_or_init(|| find(&logs)).await.clone()
    }

    /// Makes the tools directory and takes its lock, which goes with the returned file.
    async fn lock(&self) -> Result<std::fs::File, InstallError> {
        let tools_dir = &self.setup.layout.tools_dir;
        let failed = |error: std::io::Error| InstallError::files("making", tools_dir, error);
        std::fs::create_dir_all(tools_dir).map_err(failed)?;
        let file = std::fs::File::create(self.setup.layout.lock_file()).map_err(failed)?;
        let deadline = tokio::time::Instant::now() + BUSY_WAIT;
        let mut told = false;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(std::fs::TryLockError::Error(error)) => return Err(failed(error)),
                Err(std::fs::TryLockError::WouldBlock) => {}
            }
            if self.cancel.is_cancelled() {
                return Err(InstallError::Cancelled);
            }
            if tokio::time::Instant::now() >= deadline {
                let tools_dir: PathBuf = tools_dir.clone();
                return Err(InstallError::Busy { tools_dir });
            }
            if !std::mem::replace(&mut told, true) {
                self.tell(Event::Waiting);
            }
            tokio::time::sleep(BUSY_LOOK).await;
        }
    }

    fn tell(&self, event: Event) {
        // A screen that is gone or behind misses a step; the results are returned all the same.
        self.events.try_send(event).ok();
    }
}
