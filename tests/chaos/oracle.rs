//! What must be true in the end, like Jepsen's total-queue: every acknowledged job is there and ended exactly once, and
//! no job is there that nobody asked for. The truth is read from the database, behind the daemon's back.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use proctor::store::open;

use super::table::Row;
use super::world::World;

/// What was asked for and what was answered. Each request has a target of its own, by which its jobs are known.
#[derive(Default)]
pub struct Ledger(RefCell<BTreeMap<PathBuf, BTreeSet<String>>>);

impl Ledger {
    /// Before the request is sent: from here on its job may exist.
    pub fn asked(&self, target: &Path) {
        self.0.borrow_mut().entry(target.to_owned()).or_default();
    }

    /// The job was acknowledged: from here on it must exist.
    pub fn acknowledged(&self, target: &Path, job: &str) {
        self.0.borrow_mut().entry(target.to_owned()).or_default().insert(job.to_owned());
    }

    pub fn jobs(&self) -> Vec<String> {
        self.0.borrow().values().flatten().cloned().collect()
    }

    /// Compares with what is stored. `findings` is what each job must have found.
    pub fn check(&self, world: &World, findings: u64) -> Verdict {
        let mut verdict = Verdict::default();
        let mut stored = stored(world);
        verdict.jobs = stored.values().map(BTreeMap::len).sum();
        for (target, acknowledged) in self.0.borrow().iter() {
            let of_target = stored.remove(target).unwrap_or_default();
            verdict.lost.extend(acknowledged.iter().filter(|id| !of_target.contains_key(*id)).cloned());
            if of_target.len().max(acknowledged.len()) > 1 {
                verdict.duplicated.push(format!("{} jobs for one request: {of_target:?}", of_target.len()));
            }
            for (id, job) in of_target {
                verdict.take(&id, &job, findings);
                // A submit whose answer was lost is repeated until it is answered; so every job has been.
                if !acknowledged.contains(&id) {
                    verdict.unexpected.push(format!("{id} was never acknowledged"));
                }
            }
        }
        verdict.unexpected.extend(
            stored.into_iter().map(|(target, jobs)| format!("{jobs:?} of {target:?}, never asked for")),
        );
        verdict
    }
}

#[derive(Debug, Default)]
pub struct Verdict {
    pub jobs: usize,
    pub lost: Vec<String>,
    pub duplicated: Vec<String>,
    pub unexpected: Vec<String>,
    /// Not ended, or not as a job that nobody cancelled must.
    pub not_done: Vec<String>,
    /// Started more than once: proof that the faults met work under way.
    pub again: usize,
}

impl Verdict {
    fn take(&mut self, id: &str, job: &Stored, findings: u64) {
        if job.state != "done" {
            self.not_done.push(format!("{id} is {}: {}", job.state, job.error));
        } else if job.ends != 1 || job.run_ends != job.runs || job.findings != findings {
            self.duplicated.push(format!("{id}: {job:?}"));
        }
        self.again += usize::from(job.starts > 1);
    }

    pub fn rows(&self, done: &str) -> Vec<Row> {
        let again = format!("; {} of {} were started again", self.again, self.jobs);
        let row = |what: &str, wrong: &[String], more: &str| {
            let first = wrong.first().map(|first| format!(", the first: {first}")).unwrap_or_default();
            Row::new(
                done,
                format!("{} {what}{first}{more}", wrong.len()),
                format!("0 {what}"),
                wrong.is_empty(),
            )
        };
        vec![
            row("lost", &self.lost, ""),
            row("duplicated", &self.duplicated, ""),
            row("unexpected", &self.unexpected, ""),
            row("not done", &self.not_done, &again),
        ]
    }
}

/// A job as it is in the database.
#[derive(Debug)]
pub struct Stored {
    state: String,
    error: String,
    starts: u64,
    pub ends: u64,
    pub runs: u64,
    pub run_ends: u64,
    findings: u64,
}

/// All jobs, by target and id.
pub fn stored(world: &World) -> BTreeMap<PathBuf, BTreeMap<String, Stored>> {
    let connection = open::reader(&world.data_dir().join(open::DATABASE)).expect("the store is sound");
    let sql = "SELECT id, target, state, ifnull(error, ''),
        (SELECT count(*) FROM events WHERE events.job = jobs.job AND event = '\"started\"'),
        (SELECT count(*) FROM events WHERE events.job = jobs.job AND event LIKE '{\"ended\":%'),
        (SELECT count(*) FROM runs WHERE runs.job = jobs.job),
        (SELECT count(*) FROM events WHERE events.job = jobs.job AND event LIKE '{\"run_ended\":%'),
        (SELECT count(*) FROM findings WHERE findings.job = jobs.job)
        FROM jobs";
    let mut statement = connection.prepare(sql).expect("the schema as it is");
    let rows = statement.query_map([], |row| {
        let job = Stored {
            state: row.get(2)?,
            error: row.get(3)?,
            starts: row.get(4)?,
            ends: row.get(5)?,
            runs: row.get(6)?,
            run_ends: row.get(7)?,
            findings: row.get(8)?,
        };
        Ok((PathBuf::from(row.get::<_, String>(1)?), row.get(0)?, job))
    });
    let mut stored: BTreeMap<PathBuf, BTreeMap<String, Stored>> = BTreeMap::new();
    for row in rows.expect("a query") {
        let (target, id, job) = row.expect("rows that can be read");
        stored.entry(target).or_default().insert(id, job);
    }
    stored
}
