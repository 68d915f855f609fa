use super::*;
use crate::cli::samples;
use crate::protocol::api::ExchangeAnswer;

const WIDTHS: [u16; 4] = [40, 60, 80, 200];

fn style(width: u16) -> Style {
    Style { width, color: false }
}

fn sample() -> Vec<FindingAnswer> {
    use SeverityWord::{Critical, High, Info, Low, Medium};
    vec![
        samples::finding(Low, "shop/app.py", 9),
        samples::finding(
            Critical,
            "a/very/long/path/that/does/not/fit/into/any/column/of/a/table/app.py",
            12_345,
        ),
        samples::finding(High, "shop/app.py", 7),
        samples::finding(Medium, "店/漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字.py", 3),
        samples::finding(High, "shop/app.py", 2),
        samples::finding(Info, "README", 1),
    ]
}

fn assert_fits(text: &str, width: u16) {
    for line in text.lines() {
        assert!(measure_text_width(line) <= usize::from(width), "{width} columns:\n{line}");
        assert_eq!(line, line.trim_end(), "a line ends in spaces");
    }
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    for width in WIDTHS {
        assert_fits(&findings(&sample(), style(width)), width);
        assert_fits(&remarks(&samples::job().runs, None, style(width)), width);
    }
    for width in [60, 80, 200] {
        assert_fits(&runs(&samples::job().runs, style(width)), width);
    }
}

#[test]
fn a_finding_is_one_line_with_its_place_and_the_worst_come_first() {
    let mut sample = sample();
    sort(&mut sample);
    let table = findings(&sample, style(80));
    let lines: Vec<_> = table.lines().collect();
    assert_eq!(lines.len(), 1 + sample.len(), "{table}");
    let words: Vec<_> = lines[1..].iter().map(|line| line.split_whitespace().next().unwrap()).collect();
    assert_eq!(words, ["critical", "high", "high", "medium", "low", "info"], "{table}");
    // The end of a path is what survives, and lines of one file are in order.
    assert!(lines[1].contains("/app.py:12345"), "{table}");
    assert!(lines[2].contains("shop/app.py:2 ") && lines[3].contains("shop/app.py:7 "), "{table}");
}

#[test]
fn a_wide_terminal_shows_everything() {
    let table = findings(&sample()[..1], style(200));
    assert!(table.contains("python.injection.sql-string-concatenation"), "{table}");
    assert!(table.contains("which lets a caller write SQL"), "{table}");
}

#[test]
fn color_is_only_where_it_was_asked_for() {
    assert!(!findings(&sample(), style(80)).contains('\u{1b}'));
    let colored = Style { width: 80, color: true };
    let table = findings(&sample(), colored);
    assert!(table.contains('\u{1b}'), "{table}");
    assert_eq!(
        console::strip_ansi_codes(&table).replace(' ', ""),
        findings(&sample(), style(80)).replace(' ', "")
    );
}

#[test]
fn a_tools_escapes_do_not_reach_the_terminal() {
    let mut finding = samples::finding(SeverityWord::High, "a\u{1b}[2J.py", 1);
    finding.message = "red\u{1b}[31m and \u{202e}reversed\nsecond line".into();
    let table = findings(&[finding], style(200));
    assert!(!table.contains('\u{1b}') && !table.contains('\u{202e}'), "{table}");
    assert_eq!(table.lines().count(), 2);
}

#[test]
fn every_tool_says_how_it_ended_and_what_is_missing() {
    let job = samples::job();
    let table = runs(&job.runs, style(80));
    for wanted in ["findings, in part", "11 of 12", "failed", "not applicable", "1 min 00 s"] {
        assert!(table.contains(wanted), "{wanted}\nin\n{table}");
    }
    let remarks = remarks(&job.runs, None, style(200));
    for wanted in [
        "timed_out: still running after 60 s",
        "it said: last words of the tool",
        "give it more time with --deadline",
        "1 file not read: broken.py (syntax error while parsing AST from file)",
        "no file it reads is in the target",
    ] {
        assert!(remarks.contains(wanted), "{wanted}\nin\n{remarks}");
    }
}

#[test]
fn unread_files_are_named_and_counted() {
    let left_out = CoverageAnswer {
        expected: 10,
        examined: 5,
        missed: 5,
        gaps: ["a", "b", "c", "d"]
            .map(|path| crate::protocol::api::GapAnswer { path: path.into(), why: "too large".into() })
            .to_vec(),
        ..CoverageAnswer::default()
    };
    let table = remarks(&[], Some(&left_out), style(200));
    assert!(
        table.contains("5 files shown to no tool: a (too large), b (too large), c (too large) and 2 more"),
        "{table}"
    );
    assert_eq!(remarks(&[samples::run("alpha", "clean")], None, style(80)), "");
}

#[test]
fn a_finding_on_what_runs_is_shown_by_its_request() {
    let web = ExchangeAnswer { method: "GET".into(), param: Some("q".into()), ..ExchangeAnswer::default() };
    let url = "http://shop.app.internal:5000/search?q=%3Cscript%3E";
    let finding =
        FindingAnswer { line: None, web: Some(web), ..samples::finding(SeverityWord::High, url, 1) };
    let text = findings(&[finding], style(100));
    assert!(text.contains("GET /search [q]") && !text.contains("script"), "{text}");
}

#[test]
fn what_is_the_same_on_many_pages_is_one_line() {
    let on = |rule: &str, page: &str, param: &str| {
        let web =
            ExchangeAnswer { method: "GET".into(), param: Some(param.into()), ..ExchangeAnswer::default() };
        let url = format!("http://shop/{page}");
        let finding = samples::finding(SeverityWord::Low, &url, 1);
        FindingAnswer { line: None, rule: rule.into(), web: Some(web), ..finding }
    };
    let pages = ["", "a", "b", "c"].map(|page| on("nosniff", page, "header"));
    let mut others = ["a", "b", "c"].map(|page| on("xss", page, "q"));
    for attacked in &mut others {
        attacked.web.as_mut().unwrap().attack = Some("<b>".into());
    }
    let text = findings(&[pages.as_slice(), &others].concat(), style(120));
    assert_eq!(text.lines().count(), 1 + 1 + 3, "{text}");
    assert!(text.contains("GET / [header] and 3 more"), "{text}");
}
