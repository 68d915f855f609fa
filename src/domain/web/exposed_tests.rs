use super::*;
use crate::domain::web::page::tests::page;

/// What the real thing looks like.
fn real(exposure: &Exposure) -> Vec<u8> {
    let text = |text: &str| text.as_bytes().to_vec();
    match &exposure.sign {
        Sign::Starts(bytes) => [bytes, &b"rest"[..]].concat(),
        Sign::Has(words) => text(&words.join(" x ")),
        Sign::Line(starts) => text(&format!("# first\n  {} x\n", starts[0])),
        Sign::Variables => text("# secrets\nDB_PASSWORD=wonderland\n"),
        Sign::GitHead => text("ref: refs/heads/main\n"),
        Sign::AdminPage => text("<html><title>Shop admin</title><body>users</body>"),
    }
}

fn binary(status: u16, body: &[u8]) -> Page {
    Page { body: body.to_vec(), ..page(status, &[], "") }
}

#[test]
fn each_path_is_known_by_its_content_and_by_nothing_less() {
    let spa = page(200, &[], "<!doctype html><title>Shop</title><div id=app></div>");
    let missing = page(404, &[], "not found");
    for exposure in ALL {
        let content = real(exposure);
        let remark = exposure.judge(&binary(200, &content), std::slice::from_ref(&missing));
        assert!(remark.is_some(), "{}", exposure.path);
        let shown = remark.unwrap().evidence.unwrap();
        assert!(!shown.contains("wonderland"), "{}: {shown}", exposure.path);
        // The same bytes as an error, an app that answers everything, and nothing at all.
        assert!(exposure.judge(&binary(403, &content), &[]).is_none(), "{}", exposure.path);
        assert!(exposure.judge(&spa, &[]).is_none(), "{}", exposure.path);
        assert!(exposure.judge(&binary(200, b""), &[]).is_none(), "{}", exposure.path);
        // A server that answers so to every path.
        assert!(
            exposure.judge(&binary(200, &content), &[binary(200, &content)]).is_none(),
            "{}",
            exposure.path
        );
    }
}

#[test]
fn paths_are_asked_for_once() {
    let paths: std::collections::BTreeSet<&str> = ALL.iter().map(|exposure| exposure.path).collect();
    assert_eq!(paths.len(), ALL.len());
}

#[test]
fn a_login_before_the_administrators_page_is_no_finding() {
    let admin = ALL.iter().find(|exposure| exposure.path == "/admin").unwrap();
    let open = "<html><title>Admin</title><h1>Users</h1>";
    assert!(admin.judge(&page(200, &[], open), &[]).is_some());
    assert!(admin.judge(&page(200, &[], &format!("{open}<input type=password>")), &[]).is_none());
    assert!(admin.judge(&page(200, &[("content-type", "application/json")], open), &[]).is_none());
}

#[test]
fn two_answers_that_differ_by_the_path_in_them_are_one_page() {
    let about = |path: &str| {
        page(200, &[], &format!("{} {path}", "many words of one page that is always the same ".repeat(3)))
    };
    assert!(is_alike(&about("/a"), &about("/b")));
    assert!(!is_alike(&page(200, &[], "one thing"), &page(200, &[], "quite another")));
    assert!(!is_alike(&page(200, &[], "same"), &page(404, &[], "same")));
}

#[test]
fn html_is_no_list_of_variables() {
    let env = ALL.iter().find(|exposure| exposure.path == "/.env").unwrap();
    assert!(env.judge(&page(200, &[], "<!DOCTYPE html>\nDEBUG=1\n"), &[]).is_none());
    assert!(env.judge(&page(200, &[], "name=value\n"), &[]).is_none());
    assert!(env.judge(&page(200, &[], "export API_KEY=1\n"), &[]).is_some());
}

#[test]
fn listings_and_stack_traces_are_told() {
    assert!(judge_listing(&page(200, &[], "<html><title>Index of /files</title>")).is_some());
    assert!(judge_listing(&page(404, &[], "<html><title>Index of /files</title>")).is_none());
    assert!(judge_error(&page(500, &[], "<pre>Traceback (most recent call last):\n</pre>")).is_some());
    assert!(judge_error(&page(500, &[], "Internal Server Error")).is_none());
}
