use console::measure_text_width;

use super::*;
use crate::cli::samples;

fn found(number: u64, total: u64) -> Findings {
    let finding = |line| samples::finding(SeverityWord::High, "shop/app.py", u32::try_from(line).unwrap());
    Findings { findings: (1..=number).map(finding).collect(), total }
}

fn shown(job: &JobAnswer, found: Findings) -> String {
    people(job, found, Style { width: 80, color: false })
}

#[test]
fn an_incomplete_job_never_reads_like_a_clean_one() {
    let text = shown(&JobAnswer { counts: Counts::default(), ..samples::job() }, Findings::default());
    assert!(text.contains("nothing found\nincomplete: what is not reported may still be there"), "{text}");
    assert!(!text.contains("clean"), "{text}");
    assert!(text.contains("timed_out") && text.contains(samples::JOB), "{text}");
}

#[test]
fn a_failed_job_gives_its_reason() {
    let job = JobAnswer {
        state: "failed".into(),
        error: Some("the target holds more than 200000 files".into()),
        runs: vec![],
        ..samples::job()
    };
    assert!(
        shown(&job, Findings::default()).starts_with("failed: the target holds more than 200000 files\njob ")
    );
}

#[test]
fn findings_that_are_not_shown_are_counted() {
    let text = shown(&samples::job(), found(2, 7));
    assert!(text.contains("5 findings not shown; --limit 0 shows all"), "{text}");
    assert!(text.contains("1 high, 1 medium, 1 low\nincomplete"), "{text}");
    assert!(!shown(&samples::job(), found(2, 2)).contains("not shown"));
}

#[test]
fn the_whole_fits_the_terminal() {
    for width in [60, 80, 200] {
        let text = people(&samples::job(), found(30, 90), Style { width, color: false });
        for line in text.lines() {
            assert!(measure_text_width(line) <= usize::from(width), "{width}: {line}");
        }
    }
}

#[test]
fn json_has_the_job_and_every_finding_once() {
    let job = JobAnswer { findings: found(1, 1).findings, ..samples::job() };
    let document: serde_json::Value = serde_json::from_str(&json(&job, &found(3, 3)).unwrap()).unwrap();
    assert_eq!(document["findings"].as_array().unwrap().len(), 3);
    assert_eq!((&document["job"]["findings"], &document["total"]), (&serde_json::Value::Null, &3.into()));
    assert_eq!(document["job"]["job"], samples::JOB);
}

#[test]
fn a_file_is_replaced_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("result.txt");
    std::fs::write(&path, "old and longer than the new one").unwrap();
    write_file(&path, "new").unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "new\n");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "a draft is left");
    assert!(write_file(&folder.path().join("absent/result"), "x").is_err());
}
