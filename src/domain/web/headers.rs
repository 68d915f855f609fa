//! What a page's headers say about how it protects its visitors.

use super::page::Page;
use super::rule::{self, Remark};

/// An origin that no target can know: one that is echoed was not chosen.
pub const FOREIGN_ORIGIN: &str = "https://proctor.invalid";
/// Half a year: what lists of sites to be reached by https only ask for at least half of.
const HSTS_SECONDS_MIN: u64 = 15_552_000;

/// What is wrong with the headers of a page that was asked for with [`FOREIGN_ORIGIN`] as its origin.
pub fn judge(page: &Page) -> Vec<Remark> {
    let mut remarks = Vec::new();
    // A redirect shows nothing, and an error page protects nobody's work.
    if page.is_html() && (200..300).contains(&page.status) {
        remarks.extend(policy(page));
        remarks.extend(framing(page));
        remarks.extend(referrer(page));
    }
    if (200..300).contains(&page.status) && !page.header("x-content-type-options").is_some_and(is_nosniff) {
        let message = "X-Content-Type-Options: nosniff is missing: browsers may guess another type than the one that is sent";
        remarks.push(Remark::new(&rule::NOSNIFF_MISSING, &page.url, message).about("X-Content-Type-Options"));
    }
    remarks.extend(hsts(page));
    remarks.extend(cors(page, FOREIGN_ORIGIN, &rule::CORS_CREDENTIALS));
    remarks.extend(versions(page));
    remarks
}

/// What is wrong with an answer to a request whose origin was `null`, which any framed page can have.
pub fn judge_null_origin(page: &Page) -> Option<Remark> {
    cors(page, "null", &rule::CORS_NULL)
}

fn is_nosniff(value: &str) -> bool {
    value.trim().eq_ignore_ascii_case("nosniff")
}

/// The sources of a directive in any of a page's policies.
fn directive(page: &Page, name: &str) -> Option<Vec<String>> {
    let policies = page.all("content-security-policy").flat_map(|policies| policies.split([';', ',']));
    let mut found = policies.map(|directive| directive.split_whitespace().map(str::to_ascii_lowercase));
    found.find_map(|mut words| (words.next()? == name).then(|| words.collect()))
}

fn policy(page: &Page) -> Option<Remark> {
    let name = "Content-Security-Policy";
    let Some(whole) = page.header("content-security-policy") else {
        let message = "there is no Content-Security-Policy: a script that gets into the page may do anything";
        return Some(Remark::new(&rule::CSP_MISSING, &page.url, message).about(name));
    };
    let scripts = directive(page, "script-src").or_else(|| directive(page, "default-src"));
    let why = match scripts {
        None => "it has neither script-src nor default-src: scripts may come from anywhere",
        Some(sources) if is_open(&sources) => "scripts may come from anywhere, or stand in the page itself",
        Some(_) => return None,
    };
    let message = format!("the Content-Security-Policy does not stop foreign scripts: {why}");
    Some(Remark::new(&rule::CSP_UNSAFE, &page.url, message).about(name).shown_by(whole))
}

/// Whether any script would do. With a nonce or a hash browsers pass over `unsafe-inline`; with `strict-dynamic` over hosts.
fn is_open(sources: &[String]) -> bool {
    let has = |word: &str| sources.iter().any(|source| source == word);
    let chosen = sources.iter().any(|source| source.starts_with("'nonce-") || source.starts_with("'sha"));
    let everywhere = ["*", "http:", "https:", "data:"].into_iter().any(has) && !has("'strict-dynamic'");
    everywhere || (has("'unsafe-inline'") && !chosen)
}

fn framing(page: &Page) -> Option<Remark> {
    let by_option = page.header("x-frame-options").is_some_and(|value| {
        ["deny", "sameorigin"].iter().any(|word| value.trim().eq_ignore_ascii_case(word))
    });
    if by_option || directive(page, "frame-ancestors").is_some() {
        return None;
    }
    let message = "neither X-Frame-Options nor frame-ancestors is set: any site can frame this page and have it clicked on";
    let shown = page.header("x-frame-options").map(str::to_owned);
    let remark = Remark::new(&rule::FRAMEABLE, &page.url, message).about("X-Frame-Options");
    Some(Remark { evidence: shown, ..remark })
}

fn referrer(page: &Page) -> Option<Remark> {
    let name = "Referrer-Policy";
    match page.header("referrer-policy") {
        None => {
            let message =
                "there is no Referrer-Policy: what other sites learn of the page's URL is up to each browser";
            Some(Remark::new(&rule::REFERRER_POLICY_MISSING, &page.url, message).about(name))
        }
        // The last that a browser knows counts.
        Some(value)
            if value
                .rsplit(',')
                .next()
                .is_some_and(|last| last.trim().eq_ignore_ascii_case("unsafe-url")) =>
        {
            let message = "the Referrer-Policy tells every site the page's whole URL";
            Some(Remark::new(&rule::REFERRER_POLICY_UNSAFE, &page.url, message).about(name).shown_by(value))
        }
        Some(_) => None,
    }
}

/// Of https only: over http browsers do not listen.
fn hsts(page: &Page) -> Option<Remark> {
    page.tls.as_ref()?;
    let name = "Strict-Transport-Security";
    let value = page.header("strict-transport-security").unwrap_or_default();
    let age = value.split(';').find_map(|part| {
        let (key, age) = part.split_once('=')?;
        let is_age = key.trim().eq_ignore_ascii_case("max-age");
        age.trim().trim_matches('"').parse::<u64>().ok().filter(|_| is_age)
    });
    match age {
        None | Some(0) => {
            let message = "there is no Strict-Transport-Security: a visitor's first request may go over http";
            Some(Remark::new(&rule::HSTS_MISSING, &page.url, message).about(name).shown_by(value))
        }
        Some(age) if age < HSTS_SECONDS_MIN => {
            let message =
                format!("Strict-Transport-Security is forgotten after {age} s, less than half a year");
            Some(Remark::new(&rule::HSTS_SHORT, &page.url, message).about(name).shown_by(value))
        }
        Some(_) => None,
    }
}

fn cors(page: &Page, origin: &str, broken: &'static rule::Rule) -> Option<Remark> {
    let allowed = page.header("access-control-allow-origin")?;
    let with_credentials =
        page.header("access-control-allow-credentials").is_some_and(|value| value.trim() == "true");
    if !with_credentials || allowed.trim() != origin {
        return None;
    }
    let message =
        format!("pages of the origin {origin} may read this one as its visitor: every origin is echoed");
    let remark = Remark::new(broken, &page.url, message).about("Access-Control-Allow-Origin");
    Some(remark.after_sending(format!("Origin: {origin}")).shown_by(allowed))
}

/// A name alone is no news; a number tells which faults to try.
fn versions(page: &Page) -> Vec<Remark> {
    let told = ["server", "x-powered-by", "x-aspnet-version", "x-aspnetmvc-version"].into_iter();
    let told = told.filter_map(|name| Some((name, page.header(name)?)));
    let told = told.filter(|(_, value)| value.contains(|c: char| c.is_ascii_digit()));
    told.map(|(name, value)| {
        let message = format!("the header {name} tells which version is running: {value}");
        Remark::new(&rule::VERSION_TOLD, &page.url, message).about(name).shown_by(value)
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::web::page::tests::{https, page};

    const GOOD: [(&str, &str); 5] = [
        ("content-security-policy", "default-src 'self'; frame-ancestors 'none'"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("strict-transport-security", "max-age=31536000; includeSubDomains"),
        ("server", "nginx"),
    ];

    fn found(page: &Page) -> Vec<&'static str> {
        judge(page).into_iter().map(|remark| remark.rule.id).collect()
    }

    fn with(name: &str, value: &str) -> Vec<&'static str> {
        let kept = GOOD.into_iter().filter(|(own, _)| *own != name);
        let headers: Vec<(&str, &str)> = kept.chain([(name, value)]).collect();
        found(&https(page(200, &headers, "")))
    }

    #[test]
    fn a_page_that_protects_its_visitors_has_no_finding() {
        assert_eq!(found(&https(page(200, &GOOD, ""))), Vec::<&str>::new());
    }

    #[test]
    fn a_bare_page_has_one_finding_per_protection() {
        let bare = ["csp-missing", "frame-protection-missing", "referrer-policy-missing", "nosniff-missing"];
        assert_eq!(found(&page(200, &[], "")), bare);
        assert_eq!(found(&https(page(200, &[], "")))[4..], ["hsts-missing"]);
        // What is no page needs no policy, and an error or a redirect shows nothing.
        assert_eq!(found(&page(200, &[("content-type", "application/json")], "")), ["nosniff-missing"]);
        assert_eq!(found(&page(302, &[], "")), Vec::<&str>::new());
        assert_eq!(found(&page(404, &[], "")), Vec::<&str>::new());
    }

    #[test]
    fn a_policy_that_lets_any_script_pass_is_none() {
        let csp = |value| with("content-security-policy", &format!("{value}; frame-ancestors 'none'"));
        for open in [
            "script-src *",
            "default-src 'self' 'unsafe-inline'",
            "script-src https:",
            "img-src 'self'",
            "SCRIPT-SRC data:",
        ] {
            assert_eq!(csp(open), ["csp-unsafe"], "{open}");
        }
        for shut in [
            "script-src 'nonce-abc' 'unsafe-inline'",
            "script-src 'strict-dynamic' https: 'nonce-a'",
            "default-src 'none'; script-src 'self'",
        ] {
            assert_eq!(csp(shut), Vec::<&str>::new(), "{shut}");
        }
    }

    #[test]
    fn values_are_read_and_not_only_names() {
        assert_eq!(with("x-content-type-options", "sniff"), ["nosniff-missing"]);
        assert_eq!(with("strict-transport-security", "max-age=0"), ["hsts-missing"]);
        assert_eq!(with("strict-transport-security", "max-age=86400"), ["hsts-short"]);
        assert_eq!(with("referrer-policy", "no-referrer, unsafe-url"), ["referrer-policy-unsafe"]);
        assert_eq!(with("server", "nginx/1.2.3"), ["version-told"]);
        assert_eq!(with("content-security-policy", "default-src 'self'"), ["frame-protection-missing"]);
    }

    #[test]
    fn an_origin_is_echoed_with_credentials_or_it_is_no_fault() {
        let cors = |origin, credentials| {
            let more =
                [("access-control-allow-origin", origin), ("access-control-allow-credentials", credentials)];
            found(&https(page(200, &GOOD.into_iter().chain(more).collect::<Vec<_>>(), "")))
        };
        assert_eq!(cors(FOREIGN_ORIGIN, "true"), ["cors-any-origin-with-credentials"]);
        assert_eq!(cors(FOREIGN_ORIGIN, "false"), Vec::<&str>::new());
        assert_eq!(cors("*", "true"), Vec::<&str>::new());
        assert_eq!(cors("https://mine.example", "true"), Vec::<&str>::new());
    }
}
