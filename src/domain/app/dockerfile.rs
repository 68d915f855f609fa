//! Dockerfiles, as far as must be known to explain why one could not be built.

/// A line that only BuildKit understands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreign {
    /// From 1.
    pub line: usize,
    /// Such as `RUN --mount`.
    pub what: String,
}

/// Flags of instructions that the classic builder does not know.
const FLAGS: &[(&str, &[&str])] = &[
    ("RUN", &["--mount", "--network", "--security", "--device"]),
    ("COPY", &["--link", "--chmod", "--parents", "--exclude"]),
    ("ADD", &["--link", "--chmod", "--checksum", "--keep-git-dir", "--exclude"]),
];

/// The first line of a Dockerfile that only BuildKit understands. A guess, to be made where a build has failed: what is found is there,
/// and need not be what the build failed of.
pub fn for_buildkit(text: &str) -> Option<Foreign> {
    instructions(text).find_map(|(line, instruction)| Some(Foreign { line, what: foreign(&instruction)? }))
}

/// Each instruction in one line, with the number of its first. What is in a heredoc is taken for instructions: its beginning comes first.
fn instructions(text: &str) -> impl Iterator<Item = (usize, String)> {
    let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with('#'));
    std::iter::from_fn(move || {
        let (number, first) = lines.next()?;
        let mut whole = first.trim().to_owned();
        while whole.ends_with('\\') {
            whole.pop();
            match lines.next() {
                Some((_, more)) => whole.push_str(more.trim()),
                None => break,
            }
        }
        Some((number + 1, whole))
    })
}

fn foreign(instruction: &str) -> Option<String> {
    let mut words = instruction.split_whitespace();
    let verb = words.next()?.to_ascii_uppercase();
    let (_, flags) = FLAGS.iter().find(|(known, _)| *known == verb)?;
    let mut given = words.take_while(|word| word.starts_with("--"));
    let flag = given.find_map(|word| {
        let name = word.split('=').next().unwrap_or_default();
        flags.iter().find(|flag| **flag == name)
    });
    match flag {
        Some(flag) => Some(format!("{verb} {flag}")),
        None => has_heredoc(instruction).then(|| format!("{verb} <<")),
    }
}

/// `<<EOF`, `<<-EOF`, `<<"EOF"`; not `<<<`, nor a shift of numbers.
fn has_heredoc(text: &str) -> bool {
    let begins = |(at, _): (usize, &str)| {
        let before = text[..at].chars().next_back();
        let after = text[at + 2..].trim_start_matches('-').trim_start_matches(['"', '\'']).chars().next();
        before.is_none_or(char::is_whitespace)
            && after.is_some_and(|letter| letter.is_alphabetic() || letter == '_')
    };
    text.match_indices("<<").any(begins)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_for_buildkit_is_named() {
        for (text, line, what) in [
            ("FROM x\nRUN --mount=type=cache,target=/c make\n", 2, "RUN --mount"),
            (
                "FROM x\n# RUN --mount=x\nrun --network=none \\\n  --mount=type=secret,id=a make\n",
                3,
                "RUN --network",
            ),
            ("FROM x\nRUN \\\n  --mount=type=secret,id=a make\n", 2, "RUN --mount"),
            ("FROM x\nCOPY --link a b\n", 2, "COPY --link"),
            ("FROM x\nCOPY --from=a --chmod=755 a b\n", 2, "COPY --chmod"),
            ("FROM x\n\nRUN <<EOF\napt-get update\nEOF\n", 3, "RUN <<"),
            ("FROM x\nCOPY <<-'E' /a\nE\n", 2, "COPY <<"),
        ] {
            assert_eq!(for_buildkit(text), Some(Foreign { line, what: what.to_owned() }), "{text}");
        }
    }

    #[test]
    fn what_the_classic_builder_knows_is_not_named() {
        for text in [
            "",
            "FROM x\nCOPY --from=a --chown=1:1 a b\nRUN make --mount=x\n",
            "FROM x\nRUN cat <<< word && echo $((1<<2)) $((1 << 2))\n",
            "FROM x\nRUN a \\",
        ] {
            assert_eq!(for_buildkit(text), None, "{text}");
        }
    }
}
