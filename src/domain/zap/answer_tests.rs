use super::*;

/// What a real ZAP answered: tests/fixtures/zap.
macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!("../../../tests/fixtures/zap/", $name, ".json")).as_slice()
    };
}

#[test]
fn single_values_are_read_whatever_their_key() {
    assert_eq!(text(fixture!("version")).unwrap(), "2.17.0");
    assert_eq!(number(fixture!("spider_status")).unwrap(), 100);
    assert_eq!(number(fixture!("pscan_records_stuck")).unwrap(), 32);
    assert_eq!(number(fixture!("number_of_messages")).unwrap(), 285);
    assert_eq!(number(b"{\"a\": 7}").unwrap(), 7);
    assert_eq!(scan_id(b"{\"scan\":\"3\"}").unwrap(), ScanId(3));
    for not_started in ["{\"scan\":\"scan_in_progress\"}", "{\"Result\":\"OK\"}"] {
        assert!(scan_id(not_started.as_bytes()).is_err());
    }
}

#[test]
fn an_answer_that_makes_no_sense_is_said_and_shown() {
    for body in ["", "{}", "[]", "{\"a\":1,\"b\":2}", "<html>", "{\"a\":"] {
        let error = text(body.as_bytes()).unwrap_err();
        assert!(error.to_string().contains("cannot be read"), "{error}");
    }
    let long = number(format!("{{\"a\":\"{}\"}}", "x".repeat(10_000)).as_bytes()).unwrap_err();
    assert!(long.to_string().len() < 400);
}

#[test]
fn complaints_are_told_apart() {
    let read = |body: &[u8]| Complaint::read(400, body);
    assert_eq!(read(fixture!("pscan_no_implementor")), Complaint::NoImplementor);
    assert_eq!(read(fixture!("spider_does_not_exist")), Complaint::DoesNotExist);
    assert_eq!(read(fixture!("ascan_does_not_exist")), Complaint::DoesNotExist);
    assert_eq!(read(fixture!("ascan_url_not_found")), Complaint::UrlNotFound);
    assert!(matches!(read(fixture!("bad_view")), Complaint::Other { code, .. } if code == "bad_view"));
    assert!(
        matches!(read(fixture!("missing_parameter")), Complaint::Other { code, .. } if code == "missing_parameter")
    );
    let trace = b"ZAP Error [java.net.SocketException]: Connection refused\n\nStack Trace:\njava.net...";
    assert!(matches!(Complaint::read(502, trace), Complaint::Internal { shown } if shown.contains("502")));
}

#[test]
fn rules_are_listed_with_whether_they_run() {
    let rules: Vec<Rule> = only(fixture!("ascan_scanners")).unwrap();
    let ids: Vec<&str> = rules.iter().filter(|rule| rule.is_enabled()).map(|rule| rule.id.as_str()).collect();
    assert_eq!(ids, ["40012", "40018"]);
    assert_eq!(only::<Vec<Rule>>(fixture!("ascan_scanners_none")).unwrap(), []);
    assert_eq!(only::<Vec<Rule>>(fixture!("pscan_scanners")).unwrap().len(), 3);
    let off: Rule = serde_json::from_str("{\"id\":1,\"name\":\"a\",\"enabled\":\"false\"}").unwrap();
    assert!(!off.is_enabled());
}

#[test]
fn the_progress_of_rules_is_read_in_each_state() {
    let states = |body: &[u8]| {
        let rules = scan_progress(body).unwrap();
        rules.into_iter().map(|rule| (rule.id, rule.state, rule.requests)).collect::<Vec<_>>()
    };
    let row = |id: &str, state, requests| (id.to_owned(), state, requests);
    let complete = RuleState::Complete;
    assert_eq!(
        states(fixture!("ascan_progress_finished")),
        [row("40012", complete, 27), row("40018", complete, 125)]
    );
    assert_eq!(
        states(fixture!("ascan_progress_running")),
        [row("40012", RuleState::Pending, 0), row("40018", RuleState::Pending, 0)]
    );
    let stuck = RuleState::Running { percent: 99 };
    assert_eq!(states(fixture!("ascan_progress_stuck"))[2], row("60001", stuck, 0));
    assert_eq!(states(fixture!("ascan_progress_stopped"))[2], row("60002", stuck, 0));
    assert_eq!(states(fixture!("ascan_progress_skipped"))[2], row("60001", RuleState::Skipped, 0));
    // A rule that threw looks like one that found nothing: only the log knows.
    assert_eq!(states(fixture!("ascan_progress_thrown"))[2], row("60003", complete, 0));
}

#[test]
fn a_scan_that_was_stopped_is_over_at_less_than_100() {
    let rows: Vec<ScanRow> = only(fixture!("ascan_scans_stopped")).unwrap();
    assert!(rows[0].is(ScanId(0)) && rows[0].is_over());
    assert_eq!(rows[0].requests(), 16);
    let rows: Vec<ScanRow> = only(fixture!("ascan_scans")).unwrap();
    assert_eq!(rows[0].requests(), 195);
    let rows: Vec<ScanRow> = only(fixture!("ascan_scans_no_rules")).unwrap();
    assert_eq!(rows[0].requests(), 1, "a scan without rules sends one request");
}

#[test]
fn tasks_name_the_rule_that_holds_the_queue() {
    let tasks: Vec<Task> = only(fixture!("pscan_current_tasks_hanging")).unwrap();
    assert_eq!(tasks.len(), 2);
    assert!(tasks.iter().all(|task| task.name == "Hanging (test of proctor)"));
    assert_eq!(only::<Vec<Task>>(fixture!("pscan_current_tasks_none")).unwrap(), []);
}

#[test]
fn add_ons_are_known_by_their_ids() {
    let add_ons: Vec<AddOn> = only(fixture!("installed_addons")).unwrap();
    let has = |id: &str| add_ons.iter().any(|add_on| add_on.id == id);
    assert!(has("network") && has("spider") && !has("openapi"));
}
