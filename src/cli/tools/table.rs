//! Tables of the tools: no frame, columns that wrap within the terminal.

use comfy_table::{Attribute, Cell, Color, ContentArrangement, Table, presets};

use crate::cli::terminal::Terminal;

/// An empty table that fits the terminal.
pub fn new(terminal: Terminal, headers: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(terminal.width);
    match terminal.color {
        true => table.enforce_styling(),
        false => table.force_no_tty(),
    };
    let header = |name: &&str| Cell::new(name).add_attribute(Attribute::Dim);
    table.set_header(headers.iter().map(header));
    table
}

/// A word that says how it is.
pub fn word(text: &str, color: Color) -> Cell {
    Cell::new(text).fg(color)
}

/// The lines of the table, without blanks at their ends.
pub fn finish(mut table: Table) -> String {
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.trim_fmt()
}
