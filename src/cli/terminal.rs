//! Standard output and standard error, and what they can show. Results go to the one, everything else to the other.

use std::io::{self, IsTerminal as _, Write as _};

use clap::ValueEnum;

/// Width taken when standard output is no terminal: what fits a log viewer.
const WIDTH_ELSEWHERE: u16 = 120;
/// Narrower terminals get lines of this width all the same; a table needs that much to say anything.
pub const WIDTH_MIN: u16 = 40;

/// When to colour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    Always,
    Never,
}

impl Color {
    /// NO_COLOR (no-color.org) counts when it is not empty; a direct order on the command line is stronger.
    pub fn decide(self, terminal: bool, no_color: Option<&str>) -> bool {
        match self {
            Self::Auto => terminal && no_color.is_none_or(str::is_empty),
            Self::Always => true,
            Self::Never => false,
        }
    }
}

/// Where a command writes.
#[derive(Debug, Clone, Copy)]
pub struct Terminal {
    pub quiet: bool,
    /// Whether results may be coloured.
    pub color: bool,
    /// Columns of standard output.
    pub width: u16,
    /// Whether standard error is a terminal that can redraw lines.
    pub live: bool,
}

impl Terminal {
    pub fn new(color: Color, quiet: bool) -> Self {
        let no_color = std::env::var("NO_COLOR").ok();
        let terminal = io::stdout().is_terminal();
        let columns = console::Term::stdout().size_checked().map(|(_, columns)| columns);
        let width = columns.filter(|_| terminal).unwrap_or(WIDTH_ELSEWHERE);
        Self {
            quiet,
            color: color.decide(terminal, no_color.as_deref()),
            width: width.max(WIDTH_MIN),
            live: io::stderr().is_terminal() && !quiet,
        }
    }

    /// Writes a result. A reader that has gone away (`| head`) has seen what it wanted: that is no error.
    pub fn result(&self, text: &str) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        let written = stdout
            .write_all(text.as_bytes())
            .and_then(|()| if text.ends_with('\n') { Ok(()) } else { stdout.write_all(b"\n") });
        match written.and_then(|()| stdout.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => other,
        }
    }

    /// Says something on the side; `--quiet` silences it.
    pub fn note(&self, text: &str) {
        if !self.quiet {
            self.complain(text);
        }
    }

    /// Says what went wrong. There is nobody left to tell when standard error is gone too.
    pub fn complain(&self, text: &str) {
        writeln!(io::stderr().lock(), "{text}").unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn color_follows_the_order_then_no_color_then_the_terminal() {
        assert!(Color::Auto.decide(true, None) && Color::Auto.decide(true, Some("")));
        assert!(!Color::Auto.decide(true, Some("1")) && !Color::Auto.decide(false, None));
        assert!(Color::Always.decide(false, Some("1")) && !Color::Never.decide(true, None));
    }
}
