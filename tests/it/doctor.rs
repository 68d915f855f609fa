//! The promise: `proctor doctor` says what is there and what to do about what is not, with or without an engine, and its exit code
//! says whether all is well.

use serde_json::Value;

use super::cli::Home;

/// Its exit code, and its answer.
pub fn doctor(settings: &[&str]) -> (i32, Value) {
    let settings = settings.iter().flat_map(|setting| ["--set", setting]);
    let arguments: Vec<&str> = ["doctor", "--format", "json"].into_iter().chain(settings).collect();
    let ended = Home::new().run(&arguments);
    let answer = serde_json::from_str(&ended.stdout);
    (ended.code.unwrap(), answer.unwrap_or_else(|error| panic!("{error}: {}", ended.stderr)))
}

pub fn check<'a>(answer: &'a Value, subject: &str) -> &'a Value {
    let checks = answer["checks"].as_array().unwrap();
    checks
        .iter()
        .find(|check| check["subject"] == subject)
        .unwrap_or_else(|| panic!("no {subject}: {answer:#}"))
}

#[test]
fn an_engine_is_asked_for_its_versions_and_images() {
    let (_, answer) = doctor(&["zap.image=proctor-test/zap:2.17.0"]);
    let engine = check(&answer, "engine");
    assert_eq!((&engine["kind"], &engine["state"]), (&"engine".into(), &"ok".into()), "{engine:#}");
    assert!(engine["detail"].as_str().unwrap().contains("API 1."), "{engine:#}");
    for subject in ["engine version", "runc version"] {
        assert_ne!(check(&answer, subject)["state"], "failed");
    }
    assert_eq!(check(&answer, "ZAP's image")["state"], "ok", "run ./tests/images/all");
    let missing = ["zap.image=proctor-test/nowhere:1", "docker.pull=never"];
    let (code, answer) = doctor(&missing);
    let image = check(&answer, "ZAP's image");
    assert_eq!((code, &image["state"]), (2, &"failed".into()), "{image:#}");
    assert!(image["advice"].as_str().unwrap().contains("docker pull"), "{image:#}");
}

#[test]
fn without_an_engine_it_says_what_to_do_and_looks_at_the_rest() {
    let (code, answer) = doctor(&["docker.host=unix:///nonexistent/docker.sock"]);
    let engine = check(&answer, "engine");
    assert_eq!((code, &answer["ok"], &engine["state"]), (2, &false.into(), &"failed".into()));
    assert!(engine["advice"].as_str().unwrap().contains("start Docker"), "{engine:#}");
    let kinds = answer["checks"].as_array().unwrap().iter().map(|check| check["kind"].as_str().unwrap());
    let kinds: std::collections::BTreeSet<&str> = kinds.collect();
    assert!(kinds.is_superset(&["engine", "machine", "sandbox", "tool"].into()), "{kinds:?}");
}
