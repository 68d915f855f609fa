use super::*;
use crate::domain::zap::answer::only;

fn recorded() -> Vec<Alert> {
    only(include_bytes!("../../../tests/fixtures/zap/alerts.json")).unwrap()
}

fn tool() -> ToolName {
    ToolName("zap".to_owned())
}

fn plain() -> Alert {
    Alert { risk: "Low".into(), url: "http://a/".into(), plugin_id: "1".into(), ..Alert::default() }
}

#[test]
fn each_recorded_alert_is_one_finding() {
    let alerts = recorded();
    let findings: Vec<Finding> = alerts.iter().map(|alert| finding(alert, &tool()).unwrap()).collect();
    assert_eq!(findings.len(), 50);
    assert!(findings.iter().all(|finding| finding.location.path.starts_with("http://shop:5000/")));
    assert!(findings.iter().all(|finding| !finding.cwe.is_empty() && finding.web.is_some()));
    let header = findings.iter().find(|finding| finding.rule == "10021").unwrap();
    assert_eq!(header.severity, Severity::Low);
    assert_eq!(header.cwe, [693]);
    assert_eq!(
        header.message,
        "X-Content-Type-Options Header Missing. The answer has no header X-Content-Type-Options. \
         Send the header with every page."
    );
    let web = header.web.as_ref().unwrap();
    assert_eq!((web.method.as_str(), web.param.as_deref()), ("GET", Some("x-content-type-options")));
    assert_eq!((web.attack.as_deref(), web.confidence.as_deref()), (None, Some("Medium")));
}

#[test]
fn the_reference_of_an_alert_is_its_rule() {
    let both = Alert { alert_ref: "10055-4".into(), plugin_id: "10055".into(), ..plain() };
    assert_eq!(finding(&both, &tool()).unwrap().rule, "10055-4");
    assert_eq!(finding(&plain(), &tool()).unwrap().rule, "1");
}

#[test]
fn no_cwe_is_no_cwe_and_several_are_all() {
    for none in ["-1", "0", ""] {
        let alert = Alert { cwe: none.into(), ..plain() };
        assert_eq!(finding(&alert, &tool()).unwrap().cwe, [0; 0]);
    }
    let tags = ["CWE-89", "CWE-20", "OWASP_2021_A03", "CWE-x"];
    let tags = tags.map(|tag| (tag.to_owned(), serde_json::Value::Null));
    let alert = Alert { cwe: "89".into(), tags: tags.into(), ..plain() };
    assert_eq!(finding(&alert, &tool()).unwrap().cwe, [20, 89]);
}

#[test]
fn what_an_attack_holds_does_not_reach_a_terminal() {
    let attack = "\u{1b}[2J\u{202e}<script>".to_owned();
    let alert = Alert { attack: attack.clone(), evidence: attack, ..plain() };
    let web = finding(&alert, &tool()).unwrap().web.unwrap();
    assert_eq!(web.attack.as_deref(), Some("[2J<script>"));
    assert_eq!(web.evidence.as_deref(), Some("[2J<script>"));
}

#[test]
fn long_texts_are_cut() {
    let long = || "x".repeat(100_000);
    let alert = Alert { description: long(), evidence: long(), attack: long(), ..plain() };
    let finding = finding(&alert, &tool()).unwrap();
    assert_eq!(finding.message.len(), MESSAGE_BYTES_MAX);
    assert_eq!(finding.web.unwrap().evidence.unwrap().len(), PART_BYTES_MAX);
}

#[test]
fn an_alert_without_a_risk_we_know_or_a_place_is_said_and_not_dropped() {
    let risk = Alert { id: "7".into(), risk: "Hoch".into(), ..plain() };
    assert_eq!(
        finding(&risk, &tool()).unwrap_err().to_string(),
        "alert 7 of rule 1 has the unknown risk \"Hoch\""
    );
    let place = Alert { url: "/relative".into(), ..plain() };
    assert!(finding(&place, &tool()).unwrap_err().to_string().contains("no absolute URL"));
}

#[test]
fn help_is_the_first_address() {
    let alert = Alert { reference: "see\nhttps://a.example/1\nhttps://b.example/2".into(), ..plain() };
    assert_eq!(finding(&alert, &tool()).unwrap().help.as_deref(), Some("https://a.example/1"));
    assert_eq!(finding(&plain(), &tool()).unwrap().help, None);
}

#[test]
fn texts_of_numbers_and_numbers_are_alike() {
    let odd = r#"{"id": 5, "pluginId": 40012, "risk": "High", "url": "http://a/", "cweid": 79,
                  "sourceMessageId": 7, "param": null, "tags": {}}"#;
    let alert: Alert = serde_json::from_str(odd).unwrap();
    let finding = finding(&alert, &tool()).unwrap();
    assert_eq!((finding.rule.as_str(), finding.cwe.as_slice()), ("40012", &[79][..]));
}
