//! What a file's bytes decide: shapes that are known to take a tool down, and its whole report with it. Pure.

use super::Limits;

/// Why these bytes are kept from the tools, if they are.
pub(super) fn objection(bytes: &[u8], limits: &Limits) -> Option<String> {
    let mut line = 0_usize;
    let mut open = 0_usize;
    let mut deepest = 0_usize;
    let mut binary = false;
    for byte in bytes {
        line += 1;
        match byte {
            b'\n' | b'\r' => line = 0,
            b'(' | b'[' | b'{' => {
                open += 1;
                deepest = deepest.max(open);
            }
            b')' | b']' | b'}' => open = open.saturating_sub(1),
            0 => binary = true,
            _ => {}
        }
        if line > limits.line_bytes {
            return Some(format!("has a line of more than {} bytes", limits.line_bytes));
        }
    }
    // In binary data brackets are noise that adds up; no tool parses it.
    (deepest > limits.brackets && !binary)
        .then(|| format!("has more than {} brackets open at once", limits.brackets))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objects(text: &str) -> bool {
        objection(text.as_bytes(), &Limits::default()).is_some()
    }

    #[test]
    fn a_long_line_is_objected_to_wherever_it_stands() {
        let limit = Limits::default().line_bytes;
        assert!(!objects(&"x".repeat(limit)));
        assert!(objects(&"x".repeat(limit + 1)));
        assert!(objects(&format!("a = 1\n{}\nb = 2\n", "x".repeat(limit + 1))));
        assert!(!objects(&format!("{}\r{}", "x".repeat(limit), "x".repeat(limit))));
    }

    #[test]
    fn brackets_count_while_they_are_open() {
        let limit = Limits::default().brackets;
        assert!(!objects(&"()".repeat(100_000)));
        assert!(!objects(&"[".repeat(limit)));
        assert!(objects(&"[".repeat(limit + 1)));
        assert!(!objects(&format!("\0{}", "(".repeat(limit + 1))));
    }
}
