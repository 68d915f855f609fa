//! The house rules that a compiler does not know: layers, sizes, headers, one place for each tool's name.

use std::fs;
use std::path::{Path, PathBuf};

use proctor::tools::catalogue::Catalogue;

/// Lines of one file: past it, a second noun has moved in.
const FILE_LINES_MAX: usize = 500;
/// Lines of one function, signature and braces included.
const FUNCTION_LINES_MAX: usize = 70;
/// `main.rs` is the table of contents.
const MAIN_LINES_MAX: usize = 100;

/// A module and the modules it may name in `crate::…`. What is not in the list may not be imported.
const LAYERS: &[(&str, &[&str])] = &[
    ("domain", &["domain"]),
    ("protocol", &["protocol"]),
    ("tools", &["tools", "domain"]),
    ("report", &["report", "domain"]),
    ("store", &["store", "domain"]),
    ("faults", &[]),
    ("config", &["config", "domain"]),
    ("telemetry", &["telemetry", "config"]),
    ("shutdown", &["shutdown"]),
    (
        "actors",
        &["actors", "config", "faults", "store", "report", "tools", "domain", "protocol", "telemetry"],
    ),
];

/// What `domain` may not touch: it has no clock, no runtime, no I/O.
const IMPURE: &[&str] =
    &["tokio", "ractor", "std::fs", "std::net", "std::process", "std::thread", "Instant::now", "SystemTime"];

/// Files that may name both the wire and the domain.
const JOINS_WIRE_AND_DOMAIN: &[&str] = &["src/actors/session", "src/actors/gateway", "src/actors/handles.rs"];

struct Source {
    path: String,
    text: String,
}

fn sources(folder: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pending: Vec<PathBuf> = vec![root.join(folder)];
    let mut found = Vec::new();
    while let Some(path) = pending.pop() {
        if path.is_dir() {
            pending.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let path = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            found.push(Source { path, text });
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(!found.is_empty(), "no source under {folder}");
    found
}

fn all() -> Vec<Source> {
    ["src", "tests", "benches"].into_iter().flat_map(sources).collect()
}

fn report(breaches: &[String]) {
    assert!(breaches.is_empty(), "{} breach(es):\n  {}", breaches.len(), breaches.join("\n  "));
}

/// Lines of production code: up to an inline test module at the end of the file.
fn production(text: &str) -> &str {
    text.find("\n#[cfg(test)]\nmod tests {").map_or(text, |end| &text[..end])
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with("//")
}

#[test]
fn files_are_small() {
    let long = all().into_iter().filter_map(|source| {
        let lines = source.text.lines().count();
        let limit = if source.path == "src/main.rs" { MAIN_LINES_MAX } else { FILE_LINES_MAX };
        (lines > limit).then(|| format!("{}: {lines} lines, at most {limit}", source.path))
    });
    report(&long.collect::<Vec<_>>());
}

/// Functions over the limit as `line: lines: signature`. By indentation, which rustfmt guarantees: a function ends at the
/// first line that starts with a closing brace in the column of its signature.
fn long_functions(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let indent = |line: &str| line.len() - line.trim_start().len();
    let is_signature = |line: &str| {
        let words = line.trim_start();
        let modifiers = ["pub ", "pub(crate) ", "pub(super) ", "const ", "async ", "unsafe ", "extern "];
        let bare = modifiers.iter().fold(words, |rest, word| rest.strip_prefix(word).unwrap_or(rest));
        bare.starts_with("fn ")
    };
    let mut long = Vec::new();
    for (start, line) in lines.iter().enumerate().filter(|(_, line)| is_signature(line)) {
        let end = lines[start..].iter().position(|other| {
            let at_level = indent(other) == indent(line);
            at_level && (other.trim_start().starts_with('}') || other.trim_end().ends_with([';', '}']))
        });
        let length = end.map_or(0, |end| end + 1);
        if length > FUNCTION_LINES_MAX {
            long.push(format!("{}: {length} lines: {}", start + 1, line.trim()));
        }
    }
    long
}

#[test]
fn functions_are_small() {
    let long = all().into_iter().flat_map(|source| {
        let path = source.path;
        long_functions(&source.text).into_iter().map(move |function| format!("{path}:{function}"))
    });
    report(&long.collect::<Vec<_>>());
}

#[test]
fn the_rule_for_functions_sees_a_long_one() {
    let body = "        work();\n".repeat(FUNCTION_LINES_MAX - 1);
    let text = format!(
        "impl A {{\n    fn short() {{\n    }}\n    pub async fn long(\n        a: u8,\n    ) {{\n{body}    }}\n}}\n"
    );
    assert_eq!(long_functions(&text).len(), 1);
    assert!(long_functions(&text)[0].starts_with("4: "));
}

#[test]
fn every_file_says_what_it_is() {
    let bare = all()
        .into_iter()
        .filter(|source| !source.path.ends_with("_tests.rs") && !source.path.contains("fixtures/"));
    let bare = bare.filter(|source| !source.text.starts_with("//! "));
    report(&bare.map(|source| source.path).collect::<Vec<_>>());
}

#[test]
fn mod_files_hold_no_logic() {
    let logic = sources("src").into_iter().filter(|source| source.path.ends_with("/mod.rs"));
    let logic =
        logic.filter(|source| source.text.lines().any(|line| line.contains("fn ") && !is_comment(line)));
    report(&logic.map(|source| source.path).collect::<Vec<_>>());
}

#[test]
fn layers_point_one_way() {
    let mut breaches = Vec::new();
    for source in sources("src") {
        let module = source.path.trim_start_matches("src/").split(['/', '.']).next().unwrap().to_owned();
        let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| *name == module) else {
            continue;
        };
        for (number, line) in
            production(&source.text).lines().enumerate().filter(|(_, line)| !is_comment(line))
        {
            for part in line.split("crate::").skip(1) {
                let named: String = part.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                if !named.is_empty() && !allowed.contains(&named.as_str()) {
                    breaches.push(format!("{}:{}: {module} may not use {named}", source.path, number + 1));
                }
            }
        }
    }
    report(&breaches);
}

#[test]
fn the_domain_is_pure() {
    let mut breaches = Vec::new();
    for source in sources("src/domain").iter().chain(&sources("src/protocol")) {
        for (number, line) in
            production(&source.text).lines().enumerate().filter(|(_, line)| !is_comment(line))
        {
            for word in IMPURE.iter().filter(|word| line.contains(*word)) {
                breaches.push(format!("{}:{}: {word}", source.path, number + 1));
            }
        }
    }
    report(&breaches);
}

#[test]
fn the_wire_and_the_domain_meet_at_the_edge_only() {
    let mut breaches = Vec::new();
    for source in sources("src/actors") {
        let at_the_edge = JOINS_WIRE_AND_DOMAIN.iter().any(|place| source.path.starts_with(place));
        if !at_the_edge && production(&source.text).contains("crate::protocol") {
            breaches.push(source.path);
        }
    }
    report(&breaches);
}

#[test]
fn a_tools_name_stands_in_its_manifest_only() {
    // Our own tools are modules of the same name.
    let catalogue = Catalogue::builtin().unwrap();
    let programs = catalogue.iter().filter(|manifest| manifest.native().is_none());
    let names: Vec<&str> = programs.map(|manifest| manifest.name.0.as_str()).collect();
    assert!(names.len() >= 8, "the catalogue has {names:?}");
    let mut breaches = Vec::new();
    let elsewhere =
        |source: &Source| !source.path.starts_with("src/tools/") && !source.path.ends_with("_tests.rs");
    for source in sources("src").into_iter().filter(elsewhere) {
        let lines = production(&source.text).lines().enumerate();
        for (number, line) in lines.filter(|(_, line)| !is_comment(line)) {
            for name in names.iter().filter(|name| holds_word(line, name)) {
                breaches.push(format!("{}:{}: {name}", source.path, number + 1));
            }
        }
    }
    report(&breaches);
}

/// Whether `word` stands in `line` by itself: `ab` is in "an ab run" and not in "a table".
fn holds_word(line: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let (before, after) = (&line[..at], &line[at + word.len()..]);
        !before.ends_with(is_part) && !after.starts_with(is_part)
    })
}

#[test]
fn a_word_is_found_by_itself_only() {
    assert!(holds_word("\"ab\" is a tool", "ab") && holds_word("a-ab", "ab"));
    assert!(!holds_word("a table of grabs", "ab"));
}

#[test]
fn processes_have_one_door() {
    let mut breaches = Vec::new();
    for source in sources("src").into_iter().filter(|source| !source.path.starts_with("src/actors/process/"))
    {
        for word in ["std::process::Command", "tokio::process", "unsafe {", "killpg"] {
            if production(&source.text).lines().any(|line| !is_comment(line) && line.contains(word)) {
                breaches.push(format!("{}: {word}", source.path));
            }
        }
    }
    report(&breaches);
}

/// A listener is bound in many places; who connects and who looks up names decides where the daemon goes.
#[test]
fn a_targets_network_has_one_door() {
    let allowed = ["src/actors/egress/", "src/actors/zap/", "src/cli/client.rs"];
    let mut breaches = Vec::new();
    for source in
        sources("src").into_iter().filter(|source| !allowed.iter().any(|door| source.path.starts_with(door)))
    {
        for word in ["TcpStream::connect", "lookup_host", "to_socket_addrs", "ToSocketAddrs", "UdpSocket"] {
            if production(&source.text).lines().any(|line| !is_comment(line) && line.contains(word)) {
                breaches.push(format!("{}: {word}", source.path));
            }
        }
    }
    report(&breaches);
}

#[test]
fn the_engine_has_one_door() {
    let outside = sources("src").into_iter().filter(|source| !source.path.starts_with("src/actors/docker/"));
    let breaches = outside.filter(|source| production(&source.text).contains("bollard"));
    report(&breaches.map(|source| source.path).collect::<Vec<_>>());
}

#[test]
fn the_table_of_reasons_is_the_code() {
    let read = |path: &str| fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
    let quoted = |line: &str, quote: char| line.split(quote).nth(1).unwrap_or_default().to_owned();
    let code = read("src/domain/outcome.rs");
    let words = code.lines().filter(|line| line.trim_start().starts_with("Self::") && line.contains("=> \""));
    let words: std::collections::BTreeSet<String> = words.map(|line| quoted(line, '"')).collect();
    let document = read("docs/errors.md");
    let section = document.lines().skip_while(|line| *line != "## Why a run failed").skip(1);
    let rows = section.take_while(|line| !line.starts_with("## ")).filter(|line| line.starts_with("| `"));
    let rows: std::collections::BTreeSet<String> = rows.map(|line| quoted(line, '`')).collect();
    assert!(words.len() >= 14, "{words:?}");
    assert_eq!(rows, words);
}
