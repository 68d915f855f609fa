//! Paths at which servers show what was never meant to be seen. A status proves nothing (half of the web answers 200 to
//! anything): what is found must look like itself, and unlike what the server answers to a path that cannot exist.

use super::html;
use super::page::Page;
use super::rule::{self, Remark, Rule};

/// How alike two pages are that are one page, of 100: the rest is room for the path in them, a token, a time.
const ALIKE_PERCENT: usize = 90;
/// Bytes of a page that are looked at.
const LOOKED_AT_BYTES: usize = 64 * 1024;

/// One path, and how to know what is there.
pub struct Exposure {
    pub path: &'static str,
    rule: &'static Rule,
    what: &'static str,
    sign: Sign,
}

/// What a page that is the real thing has.
enum Sign {
    Starts(&'static [u8]),
    /// All of these.
    Has(&'static [&'static str]),
    /// Any of these, at the start of a line.
    Line(&'static [&'static str]),
    /// Lines `NAME=value`, and no HTML.
    Variables,
    /// 40 hexadecimal digits, or a reference.
    GitHead,
    /// The heading of a page for administrators, with no login before it.
    AdminPage,
}

macro_rules! exposures {
    ($($rule:ident { $($path:literal $what:literal $sign:expr;)* })*) => {
        /// All that is looked for.
        pub const ALL: &[Exposure] = &[$($(
            Exposure { path: $path, rule: &rule::$rule, what: $what, sign: $sign },
        )*)*];
    };
}

const DUMP: Sign = Sign::Line(&[
    "CREATE TABLE",
    "INSERT INTO",
    "-- MySQL dump",
    "-- PostgreSQL database dump",
    "DROP TABLE",
]);
const PRIVATE_KEY: Sign = Sign::Has(&["-----BEGIN ", "PRIVATE KEY-----"]);

exposures! {
    REPOSITORY_EXPOSED {
        "/.git/HEAD" "the Git repository" Sign::GitHead;
        "/.git/config" "the Git repository's configuration" Sign::Line(&["[core]"]);
        "/.svn/wc.db" "the Subversion working copy" Sign::Starts(b"SQLite format 3\0");
        "/.hg/requires" "the Mercurial repository" Sign::Line(&["revlogv1", "generaldelta", "dotencode"]);
    }
    SECRETS_EXPOSED {
        "/.env" "the environment with its secrets" Sign::Variables;
        "/.env.local" "the environment with its secrets" Sign::Variables;
        "/.env.production" "the environment with its secrets" Sign::Variables;
        "/.aws/credentials" "AWS credentials" Sign::Has(&["aws_access_key_id"]);
        "/.ssh/id_rsa" "a private key" PRIVATE_KEY;
        "/id_rsa" "a private key" PRIVATE_KEY;
        "/server.key" "a private key" PRIVATE_KEY;
        "/.htpasswd" "password hashes" Sign::Has(&[":$"]);
        "/.npmrc" "a package registry's token" Sign::Has(&["_authToken="]);
        "/actuator/heapdump" "the memory of the application" Sign::Starts(b"JAVA PROFILE");
    }
    BACKUP_EXPOSED {
        "/backup.zip" "a backup" Sign::Starts(b"PK\x03\x04");
        "/www.zip" "a backup" Sign::Starts(b"PK\x03\x04");
        "/site.zip" "a backup" Sign::Starts(b"PK\x03\x04");
        "/backup.tar.gz" "a backup" Sign::Starts(b"\x1f\x8b\x08");
        "/backup.sql" "a database dump" DUMP;
        "/dump.sql" "a database dump" DUMP;
        "/database.sql" "a database dump" DUMP;
        "/db.sqlite3" "a database" Sign::Starts(b"SQLite format 3\0");
        "/database.sqlite" "a database" Sign::Starts(b"SQLite format 3\0");
        "/index.php.bak" "the source of a page" Sign::Starts(b"<?php");
        "/config.php.bak" "the source of the configuration" Sign::Starts(b"<?php");
        "/wp-config.php.bak" "the source of the configuration" Sign::Has(&["DB_PASSWORD"]);
    }
    CONFIGURATION_EXPOSED {
        "/docker-compose.yml" "how the application is deployed" Sign::Line(&["services:"]);
        "/Dockerfile" "how the application is built" Sign::Line(&["FROM "]);
        "/web.config" "the server's configuration" Sign::Has(&["<configuration"]);
        "/.DS_Store" "the names of files" Sign::Starts(b"\0\0\0\x01Bud1");
        "/composer.lock" "the versions of all dependencies" Sign::Has(&["\"packages\"", "\"content-hash\""]);
    }
    STATUS_EXPOSED {
        "/server-status" "Apache's status" Sign::Has(&["Apache Server Status"]);
        "/server-info" "Apache's configuration" Sign::Has(&["Apache Server Information"]);
        "/nginx_status" "nginx's status" Sign::Has(&["Active connections:", "server accepts handled requests"]);
        "/phpinfo.php" "PHP's configuration" Sign::Has(&["phpinfo()", "PHP Version"]);
        "/info.php" "PHP's configuration" Sign::Has(&["phpinfo()", "PHP Version"]);
        "/metrics" "the application's metrics" Sign::Line(&["# HELP "]);
        "/actuator" "the list of management endpoints" Sign::Has(&["\"_links\"", "actuator"]);
    }
    DEBUG_EXPOSED {
        "/actuator/env" "the environment of the application" Sign::Has(&["\"propertySources\""]);
        "/debug/pprof/" "Go's profiler" Sign::Has(&["Types of profiles available"]);
        "/console" "an interactive console" Sign::Has(&["Interactive Console", "Werkzeug"]);
        "/h2-console/" "a database console" Sign::Has(&["H2 Console"]);
        "/debug/vars" "Go's variables" Sign::Has(&["\"cmdline\"", "\"memstats\""]);
    }
    ADMIN_OPEN {
        "/admin" "the administrators' page" Sign::AdminPage;
        "/admin/" "the administrators' page" Sign::AdminPage;
        "/administrator/" "the administrators' page" Sign::AdminPage;
    }
}

impl Exposure {
    /// What is wrong, if `page` is what it looks for and is none of `absent`, the answers for paths that cannot exist.
    pub fn judge(&self, page: &Page, absent: &[Page]) -> Option<Remark> {
        let is_there = page.status == 200 && !page.body.is_empty() && self.sign.is_in(page);
        if !is_there || absent.iter().any(|absent| is_alike(absent, page)) {
            return None;
        }
        let message = format!("{} can be read by anybody: {}", self.what, self.path);
        // Of a secret only that it is there: the finding goes to more people than the page.
        let evidence = match self.rule.id {
            id if id == rule::SECRETS_EXPOSED.id => format!("{} bytes of {}", page.body.len(), self.what),
            _ => page.text().lines().find(|line| !line.trim().is_empty()).unwrap_or_default().to_owned(),
        };
        Some(Remark::new(self.rule, &page.url, message).shown_by(evidence))
    }
}

impl Sign {
    fn is_in(&self, page: &Page) -> bool {
        let text = page.text();
        let lines = || text.lines().map(str::trim);
        match self {
            Self::Starts(bytes) => page.body.starts_with(bytes),
            Self::Has(words) => words.iter().all(|word| text.contains(word)),
            Self::Line(starts) => {
                !looks_like_html(&text)
                    && lines().any(|line| starts.iter().any(|start| line.starts_with(start)))
            }
            Self::Variables => !looks_like_html(&text) && lines().any(is_variable),
            Self::GitHead => {
                let head = text.trim();
                head.starts_with("ref: refs/")
                    || (head.len() == 40 && head.bytes().all(|byte| byte.is_ascii_hexdigit()))
            }
            Self::AdminPage => is_admin_page(page, &text),
        }
    }
}

fn looks_like_html(text: &str) -> bool {
    let start = text.trim_start();
    start.get(..9).is_some_and(|start| start.eq_ignore_ascii_case("<!doctype"))
        || start.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("<html"))
}

fn is_variable(line: &str) -> bool {
    let line = line.strip_prefix("export ").unwrap_or(line);
    line.split_once('=').is_some_and(|(name, _)| {
        name.len() >= 3
            && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
    })
}

fn is_admin_page(page: &Page, text: &str) -> bool {
    if !page.is_html() || html::asks_for_password(text) {
        return false;
    }
    let lower = text.to_ascii_lowercase();
    ["<title", "<h1"].iter().any(|open| {
        let heading = lower.split_once(open).map(|(_, rest)| rest.split("</").next().unwrap_or_default());
        heading.is_some_and(|heading| heading.contains("admin") || heading.contains("dashboard"))
    })
}

/// Whether two answers are the same page, by the words in them. The path that was asked for is none of them: many a server
/// repeats it.
pub fn is_alike(one: &Page, other: &Page) -> bool {
    if one.status != other.status {
        return false;
    }
    if one.body == other.body {
        return true;
    }
    let words = |page: &Page| -> std::collections::BTreeSet<String> {
        let body = &page.body[..page.body.len().min(LOOKED_AT_BYTES)];
        let text = String::from_utf8_lossy(body).replace(page.url.path(), " ");
        text.split_whitespace().map(str::to_owned).collect()
    };
    let (one, other) = (words(one), words(other));
    let shared = one.intersection(&other).count();
    shared > 0 && shared * 100 >= one.len().max(other.len()) * ALIKE_PERCENT
}

/// A page that lists the files of a directory.
pub fn judge_listing(page: &Page) -> Option<Remark> {
    let text = page.text();
    let lists = page.status == 200
        && (text.contains("<title>Index of /") || text.contains("<title>Directory listing for /"));
    let message = "the server lists the files of this directory";
    lists.then(|| Remark::new(&rule::DIRECTORY_LISTING, &page.url, message).shown_by("Index of /"))
}

/// Details of an error that are for developers.
pub fn judge_error(page: &Page) -> Option<Remark> {
    const SIGNS: [(&str, &str); 9] = [
        ("Traceback (most recent call last)", "Python"),
        ("Werkzeug Debugger", "Werkzeug"),
        ("You're seeing this error because you have <code>DEBUG = True</code>", "Django"),
        ("at java.base/", "Java"),
        ("<b>Fatal error</b>:", "PHP"),
        ("You have an error in your SQL syntax", "MySQL"),
        ("SQLITE_ERROR", "SQLite"),
        ("goroutine 1 [running]", "Go"),
        ("    at Object.<anonymous> (/", "Node.js"),
    ];
    let text = page.text();
    let (sign, of) = SIGNS.into_iter().find(|(sign, _)| text.contains(sign))?;
    let message = format!("an error of {of} is shown with its details");
    Some(Remark::new(&rule::ERROR_DETAILS, &page.url, message).by_method(&page.method).shown_by(sign))
}

#[cfg(test)]
#[path = "exposed_tests.rs"]
mod tests;
