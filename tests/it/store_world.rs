//! What the tests of the store share: a life of a store, jobs and findings to put into it.

use std::path::Path;
use std::time::{Duration, Instant};

use proctor::actors::server::{StartError, spawn};
use proctor::actors::store::{Store, StoreArguments, StoreServer};
use proctor::domain::finding::{Finding, Location, Region};
use proctor::domain::fingerprint::{Stamped, stamp};
use proctor::domain::ids::{BootId, JobId, Principal, RunId, ToolName};
use proctor::domain::job::{Ended, JobEvent, JobRequest, JobState, JobView, RunState, RunView};
use proctor::domain::lease::Fence;
use proctor::domain::outcome::{Coverage, Gap, Outcome};
use proctor::domain::severity::Severity;
use proctor::store::findings::{FindingsQuery, Scope};
use proctor::store::lock::Lock;
use proctor::store::record::Submission;
use tokio::runtime::Runtime;

/// One life of a daemon's store. Dropped, it dies as in a crash: nothing is flushed, nobody is asked.
pub struct Life {
    pub store: Store,
    pub runtime: Runtime,
}

impl Life {
    pub fn start(directory: &Path) -> Self {
        Self::try_start(directory).unwrap()
    }

    pub fn try_start(directory: &Path) -> Result<Self, StartError> {
        let runtime = Runtime::new().unwrap();
        let arguments = StoreArguments::new(directory.to_owned(), BootId::from_random(random()));
        let actor = runtime.block_on(spawn::<StoreServer>(arguments))?;
        Ok(Self { store: Store::bound_to(actor.address), runtime })
    }
}

/// Waits until the last life of this process has let go of the directory: its thread ends with its last transaction.
pub fn wait_until_free(directory: &Path) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while let Err(error) = Lock::acquire(&directory.join("store.lock")) {
        assert!(Instant::now() < deadline, "{error}");
        std::thread::yield_now();
    }
}

pub fn random() -> [u8; 16] {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).unwrap();
    bytes
}

pub fn principal() -> Principal {
    Principal("alice".into())
}

pub fn new_job(target: &str) -> JobView {
    let request = JobRequest { target: target.into(), tools: vec![], deadline_s: 60, attached: false };
    JobView::queued(JobId::from_random(random()), principal(), request, "2026-01-01T00:00:00Z".into())
}

pub fn waiting(tool: &str) -> RunView {
    RunView {
        id: RunId::from_random(random()),
        tool: ToolName(tool.into()),
        tool_version: None,
        state: RunState::Waiting,
        doing: None,
    }
}

/// `count` findings in `files` files, of every severity.
pub fn findings(tool: &str, count: u32, files: u32) -> Vec<Stamped> {
    let one = |n: u32| Finding {
        tool: ToolName(tool.into()),
        rule: format!("R{}", n % 7),
        severity: Severity::ALL[(n % 5) as usize],
        message: format!("finding {n}"),
        location: Location {
            path: format!("src/{:03}.py", n % files),
            region: (!n.is_multiple_of(11)).then_some(Region {
                start_line: n,
                start_column: Some(1),
                end_line: None,
                end_column: Some(2),
            }),
        },
        cwe: vec![89],
        help: None,
        fingerprint: String::new(),
        web: None,
    };
    stamp((0..count).map(one).collect(), |_| None)
}

pub fn run_ended(run: RunId, findings: &[Stamped]) -> JobEvent {
    let mut counts = [0; 5];
    for stamped in findings {
        counts[stamped.finding.severity as usize] += 1;
    }
    let coverage = Coverage {
        expected: 2,
        examined: 1,
        missed: 1,
        gaps: vec![Gap { path: "x.py".into(), why: "syntax error".into() }],
        ..Coverage::default()
    };
    let outcome = match findings.len() as u32 {
        0 => Outcome::Clean,
        count => Outcome::Findings { count },
    };
    let ended = Ended { outcome, coverage, elapsed_ms: 12 };
    JobEvent::RunEnded { run, ended, counts }
}

pub fn job_done() -> JobEvent {
    JobEvent::Ended {
        state: JobState::Done,
        error: None,
        at: "2026-01-01T00:01:00Z".into(),
        open_runs: Outcome::Cancelled,
    }
}

impl Life {
    /// Lets a job in and starts it, with a waiting run per tool.
    pub async fn running(&self, target: &str, tools: &[&str]) -> JobView {
        let mut job = new_job(target);
        self.store.submit(Submission::alone(job.clone())).await.unwrap();
        let runs = tools.iter().map(|tool| waiting(tool)).collect();
        for event in [JobEvent::Started, JobEvent::Planned { runs }] {
            assert!(self.store.record(job.id, Fence::Any, event.clone(), vec![]).await.unwrap());
            job.apply(event);
        }
        job
    }

    pub async fn page(
        &self,
        query: &FindingsQuery,
        cursor: Option<String>,
        limit: u32,
    ) -> (Vec<Stamped>, Option<String>) {
        let page = self.store.findings(query.clone(), cursor, limit).await.unwrap();
        (page.findings, page.next)
    }

    pub async fn all(&self, query: &FindingsQuery) -> Vec<Stamped> {
        let (mut all, mut cursor) = (vec![], None);
        loop {
            let (findings, next) = self.page(query, cursor, 100).await;
            all.extend(findings);
            match next {
                Some(next) => cursor = Some(next),
                None => return all,
            }
        }
    }
}

pub fn of_job(job: JobId) -> FindingsQuery {
    FindingsQuery {
        principal: principal(),
        scope: Scope::Job(job),
        min_severity: None,
        tool: None,
        path_prefix: None,
    }
}

pub fn newest() -> FindingsQuery {
    FindingsQuery { scope: Scope::Newest, ..of_job(JobId::from_random([0; 16])) }
}

/// Runs a test in one life of a store of its own.
pub fn with_store<Test: Future<Output = ()>>(test: impl FnOnce(Store) -> Test) {
    let directory = tempfile::tempdir().unwrap();
    let life = Life::start(directory.path());
    life.runtime.block_on(test(life.store.clone()));
}

/// As [`with_store`], with the helpers of [`Life`].
macro_rules! in_a_life {
    (|$life:ident| $body:block) => {
        let directory = tempfile::tempdir().unwrap();
        let $life = Life::start(directory.path());
        $life.runtime.block_on(async { $body });
    };
}

pub(crate) use in_a_life;
