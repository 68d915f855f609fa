//! The promise: a database that the disk damaged is never opened as if it held less. Either everything acknowledged is
//! there, or the start is refused by name and the file is kept as it is.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use proctor::actors::server::StartError;
use proctor::domain::ids::JobId;
use proctor::domain::job::JobState;
use proctor::domain::lease::Fence;
use proctor::store::StoreError;

use crate::disk_world::Disk;
use crate::store_world::{Life, findings, job_done, of_job, principal, run_ended};

/// Damages tried for each file.
const ROUNDS: u64 = 60;
/// Bytes of one damage at most: a sector.
const DAMAGE_MAX: u64 = 512;
const JOBS: usize = 40;
const FINDINGS: u32 = 12;
const FILES: [&str; 3] = ["proctor.db", "proctor.db-wal", "proctor.db-shm"];

/// Numbers from a seed (SplitMix64).
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}

/// A data directory as `kill -9` leaves it: half of the jobs in the database, half in its log.
struct Crashed {
    directory: tempfile::TempDir,
    jobs: Vec<JobId>,
}

impl Crashed {
    fn new() -> Self {
        let live = tempfile::tempdir().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let mut jobs = Vec::new();
        let life = Life::start(live.path());
        life.runtime.block_on(async {
            for number in 0..JOBS {
                if number == JOBS / 2 {
                    checkpoint(&live.path().join(FILES[0]));
                }
                jobs.push(finished_job(&life).await);
            }
        });
        copy(live.path(), directory.path());
        Self { directory, jobs }
    }

    /// What is missed of what was acknowledged, by one who opens this directory.
    async fn missed(&self, life: &Life) -> Result<Vec<String>, StoreError> {
        let mut missed = Vec::new();
        for job in &self.jobs {
            let Some(view) = life.store.job(principal(), *job).await? else {
                missed.push(format!("job {job}"));
                continue;
            };
            if view.state != JobState::Done {
                missed.push(format!("the end of job {job}"));
            }
            let expected: BTreeSet<_> =
                findings("alpha", FINDINGS, 3).into_iter().map(|one| one.finding.fingerprint).collect();
            let found: BTreeSet<_> =
                life.all(&of_job(*job)).await.into_iter().map(|one| one.finding.fingerprint).collect();
            if found != expected {
                missed.push(format!("{} findings of job {job}", expected.difference(&found).count()));
            }
            let events = life.store.events(principal(), *job, 1).await?.unwrap_or_default();
            // Started, planned, the run's end, its own.
            if events.len() != 4 {
                missed.push(format!("events of job {job}: {}", events.len()));
            }
        }
        Ok(missed)
    }
}

async fn finished_job(life: &Life) -> JobId {
    let job = life.running("/t", &["alpha"]).await;
    let found = findings("alpha", FINDINGS, 3);
    life.store.record(job.id, Fence::Any, run_ended(job.runs[0].id, &found), found).await.unwrap();
    assert!(life.store.record(job.id, Fence::Any, job_done(), vec![]).await.unwrap());
    job.id
}

fn checkpoint(path: &Path) {
    let connection = proctor::store::open::writer(path).unwrap();
    proctor::store::open::checkpoint(&connection).unwrap();
}

fn copy(from: &Path, to: &Path) {
    for file in FILES {
        fs::copy(from.join(file), to.join(file)).unwrap();
    }
}

/// How the damaged directory was met.
#[derive(Default, Debug)]
struct Met {
    refused: u32,
    whole: u32,
    /// Opened; a value that makes no sense was refused by name when it was read.
    named: u32,
}

#[test]
fn a_damaged_file_is_refused_by_name_or_holds_all_that_was_acknowledged() {
    let crashed = Crashed::new();
    for file in FILES {
        let mut met = Met::default();
        for seed in 0..ROUNDS {
            meet(&crashed, file, seed, &mut met);
        }
        println!("{file}: {met:?}");
        // The index is made anew from the log.
        assert!(met.refused > 0 || file.ends_with("-shm"), "{file}: no damage was noticed: {met:?}");
    }
}

fn meet(crashed: &Crashed, file: &str, seed: u64, met: &mut Met) {
    let directory = tempfile::tempdir().unwrap();
    copy(crashed.directory.path(), directory.path());
    let path = directory.path().join(file);
    let mut bytes = fs::read(&path).unwrap();
    let mut random = Seeded(seed);
    let start = random.below(bytes.len() as u64) as usize;
    let length = 1 + random.below(DAMAGE_MAX) as usize;
    for byte in bytes.iter_mut().skip(start).take(length) {
        *byte ^= 1 + random.below(255) as u8;
    }
    fs::write(&path, &bytes).unwrap();
    let damage = format!("{file}, seed {seed}, {length} bytes at {start}");
    match Life::try_start(directory.path()) {
        Err(StartError::Permanent(why)) => {
            assert!(why.contains("proctor.db") && why.contains("damaged"), "{damage}: {why}");
            assert!(fs::read(&path).unwrap() == bytes, "{damage}: the file was changed");
            met.refused += 1;
        }
        Err(error) => panic!("{damage}: would try again for ever: {error}"),
        Ok(life) => match life.runtime.block_on(crashed.missed(&life)) {
            Ok(missed) => {
                assert!(missed.is_empty(), "{damage}: silently less: {missed:?}");
                met.whole += 1;
            }
            Err(StoreError::Unreadable { .. } | StoreError::Sql(_) | StoreError::Disk(_)) => met.named += 1,
            Err(error) => panic!("{damage}: {error}"),
        },
    }
}

/// The real daemon: it ends with the error's exit code, says which file, and leaves it alone.
#[tokio::test(flavor = "multi_thread")]
async fn the_daemon_refuses_to_start_on_a_damaged_database_and_keeps_it() {
    let disk = Disk::new(32 << 20);
    let mut served = disk.serve(&[], &[]).ready().await;
    crate::disk_world::scan(&mut served.client().await, &disk, "finds").await.unwrap();
    served.signal(nix::sys::signal::Signal::SIGTERM);
    assert_eq!(served.ended(), Some(0));
    let database = served.data().join(FILES[0]);
    assert!(!served.data().join(FILES[1]).exists(), "an orderly end leaves a log to recover");
    let mut bytes = fs::read(&database).unwrap();
    bytes[4096..8192].fill(0xa5);
    fs::write(&database, &bytes).unwrap();
    let mut served = disk.serve(&[], &[]);
    assert_eq!(served.ended(), Some(2));
    assert!(served.log().contains("proctor.db is damaged"), "{}", served.log());
    assert!(fs::read(&database).unwrap() == bytes, "the damaged file was changed");
}
