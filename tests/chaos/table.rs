//! What the campaign prints: a row per bound.

/// One bound and what became of it.
#[derive(Debug, Clone)]
pub struct Row {
    /// What was done, with how often.
    pub done: String,
    pub figures: String,
    pub bound: String,
    pub held: bool,
}

impl Row {
    pub fn new(
        done: impl Into<String>,
        figures: impl Into<String>,
        bound: impl Into<String>,
        held: bool,
    ) -> Self {
        Self { done: done.into(), figures: figures.into(), bound: bound.into(), held }
    }

    /// A scenario that could not say anything: that is no pass.
    pub fn broken(what: impl Into<String>) -> Self {
        Self::new("the scenario itself", what, "comes to its end", false)
    }
}

pub const HEAD: &str = "| scenario | what was done | figures | bound | verdict |\n|---|---|---|---|---|";

pub fn line(scenario: &str, row: &Row) -> String {
    let verdict = if row.held { "held" } else { "BROKEN" };
    format!("| {scenario} | {} | {} | {} | {verdict} |", row.done, row.figures, row.bound)
}
