//! The promise: a disk that is full or fails costs nobody what was acknowledged. Whoever writes is told so and when to come
//! back, reads go on, and once the disk works again so does the daemon, within seconds and without a restart.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use proctor::protocol::api::JobAnswer;

use crate::disk_world::{Disk, Served, cancel, is_retryable, scan, status, submit};
use crate::support::soon;

/// Longest way back into service once the disk works again.
const BACK_WITHIN: Duration = Duration::from_secs(5);
/// Scans of one campaign under a failing fsync.
const SCANS: usize = 12;

/// Waits until the daemon is ready again; how long that took.
async fn until_ready(served: &Served) -> Duration {
    let began = Instant::now();
    let ready = async {
        while served.readiness().await.0 != 200 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    soon("readiness", ready).await;
    began.elapsed()
}

/// What was acknowledged as done is done, with what was found.
async fn assert_kept(served: &Served, acknowledged: &[JobAnswer]) {
    let mut client = served.client().await;
    for job in acknowledged {
        let kept = status(&mut client, &job.job).await.unwrap();
        assert_eq!((&kept.state, &kept.conclusion), (&job.state, &job.conclusion), "{kept:#?}");
        assert_eq!((kept.counts, kept.findings.len()), (job.counts, job.findings.len()), "{kept:#?}");
    }
}

/// Scans after which the failures must be over.
const SCANS_MAX: usize = 200;

/// From its `from`th on, `count` fsyncs of the store's thread fail.
async fn fsync_fails(from: u32, count: u32) -> String {
    let disk = Disk::new(64 << 20);
    // The schema is made before: how many fsyncs that takes is none of this test's business.
    let mut first = disk.serve(&[], &[]).ready().await;
    first.signal(Signal::SIGTERM);
    first.ended();
    let until = from + count - 1;
    let inject = format!("inject=fsync,fdatasync:error=EIO:when={from}..{until}");
    let trace = disk.home.path().join("trace").to_str().unwrap().to_owned();
    let strace = [
        "strace",
        "-D",
        "-f",
        "--seccomp-bpf",
        "-qq",
        "-o",
        &trace,
        "-e",
        "trace=fsync,fdatasync",
        "-e",
        inject.as_str(),
    ];
    let mut served = disk.serve(&[], &strace).ready().await;
    let mut client = served.client().await;
    let (mut acknowledged, mut refused, mut failed) = (Vec::<JobAnswer>::new(), 0, 0);
    let injected = || std::fs::read_to_string(&trace).unwrap_or_default().matches("(INJECTED)").count();
    let mut scans = 0;
    // At least so many, and for as long as the disk fails: recovery is measured from when it works again.
    while scans < SCANS || (injected() < count as usize && scans < SCANS_MAX) {
        scans += 1;
        match scan(&mut client, &disk, "finds").await {
            Ok(job) if job.state == "done" => acknowledged.push(job),
            // Its own writes met the failure for longer than they are tried.
            Ok(job) => {
                assert_eq!(job.conclusion, "incomplete", "{job:#?}");
                failed += 1;
            }
            Err(error) => {
                assert!(is_retryable(&error), "{error}");
                refused += 1;
            }
        }
        if let Some(first) = acknowledged.first() {
            let read = status(&mut client, &first.job).await.expect("reads go on");
            assert_eq!(read.findings, first.findings);
        }
    }
    assert!(served.log().contains("the store cannot write"), "nothing was injected:\n{}", served.log());
    assert!(until_ready(&served).await < BACK_WITHIN);
    acknowledged.push(scan(&mut client, &disk, "finds").await.expect("it works again"));
    let told = format!("{} acknowledged, {refused} refused, {failed} failed", acknowledged.len());
    served.signal(Signal::SIGKILL);
    served.ended();
    let served = disk.serve(&[], &[]).ready().await;
    assert_kept(&served, &acknowledged).await;
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn when_fsync_fails_nothing_acknowledged_is_lost_and_the_daemon_recovers_by_itself() {
    // In the first scan, between scans, and for so long that a scan gives up.
    for (from, count) in [(18, 1), (26, 3), (34, 24)] {
        println!("fsync {from}, {count} times: {}", fsync_fails(from, count).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_full_disk_nothing_acknowledged_is_lost_reads_go_on_and_space_brings_it_back() {
    let disk = Disk::new(16 << 20);
    let mut served = disk.serve(&[], &[]).ready().await;
    let mut client = served.client().await;
    let first = scan(&mut client, &disk, "finds").await.unwrap();
    disk.fill();
    let mut refused = String::new();
    for _ in 0..3 {
        match scan(&mut client, &disk, "finds").await {
            // Let in while the log still had room: its end must be true.
            Ok(job) => assert_eq!(job.conclusion, "incomplete", "{job:#?}"),
            Err(error) => {
                assert!(is_retryable(&error), "{error}");
                refused = error.to_string();
            }
        }
        assert_eq!(status(&mut client, &first.job).await.expect("reads go on").findings, first.findings);
    }
    assert!(refused.contains("full"), "the cause is named: {refused:?}");
    let (code, said) = served.readiness().await;
    assert!(code == 503 && said.contains("disk_full"), "{said}");
    disk.free();
    assert!(until_ready(&served).await < BACK_WITHIN);
    let second = scan(&mut client, &disk, "finds").await.expect("it works again");
    served.signal(Signal::SIGKILL);
    served.ended();
    let served = disk.serve(&[], &[]).ready().await;
    assert_kept(&served, &[first, second]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_its_reserve_a_full_disk_lets_jobs_end_and_new_ones_are_refused_until_there_is_room() {
    let disk = Disk::new(32 << 20);
    let limits = ["storage.free_bytes_min=8388608", "storage.ballast_bytes=4194304"];
    let served = disk.serve(&limits, &[]).ready().await;
    let mut client = served.client().await;
    let ballast = served.data().join("ballast");
    assert_eq!(ballast.metadata().unwrap().len(), 4 << 20);
    let running = submit(&mut client, &disk, "hangs").await.unwrap();
    soon("its start", async { while status(&mut client, &running.job).await.unwrap().state != "running" {} })
        .await;
    disk.fill();
    soon("the reserve to be given up", async {
        while ballast.exists() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let refused = scan(&mut client, &disk, "finds").await.expect_err("there is no room for new jobs");
    let said = refused.to_string();
    assert!(is_retryable(&refused) && said.contains("storage.free_bytes_min"), "{said}");
    assert!(said.contains("disk/data has 0 MiB free"), "the directory is named: {said}");
    let (code, said) = served.readiness().await;
    assert!(code == 503 && said.contains("no_room"), "{said}");
    let ended = cancel(&mut client, &running.job).await.unwrap();
    assert_eq!(ended.state, "cancelled", "a running job can end: {ended:#?}");
    disk.free();
    assert!(until_ready(&served).await < BACK_WITHIN);
    soon("the reserve again", async {
        while !ballast.exists() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    scan(&mut client, &disk, "finds").await.expect("new jobs are taken again");
}
