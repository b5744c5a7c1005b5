//! Tables for people: columns as wide as their widest cell, and no cell that could play tricks on a terminal.

/// A table without rules.
pub(crate) struct Table {
    widths: Vec<usize>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn with_header(header: &[&str]) -> Self {
        let mut table = Self { widths: vec![0; header.len()], rows: Vec::new() };
        table.push(header);
        table
    }

    pub(crate) fn push(&mut self, cells: &[&str]) {
        let cells: Vec<String> = cells.iter().map(|cell| printable(cell)).collect();
        for (width, cell) in self.widths.iter_mut().zip(&cells) {
            *width = (*width).max(cell.chars().count());
        }
        self.rows.push(cells);
    }

    /// The rows, each with its line end and without blanks before it.
    pub(crate) fn to_text(&self) -> String {
        let mut text = String::new();
        for row in &self.rows {
            let line_begin = text.len();
            for (cell, width) in row.iter().zip(&self.widths) {
                text.push_str(cell);
                let padding = width + 2 - cell.chars().count();
                text.extend(std::iter::repeat_n(' ', padding));
            }
            text.truncate(line_begin + text[line_begin..].trim_end().len());
            text.push('\n');
        }
        text
    }
}

/// Names may come from anybody (threat model OPS-03).
pub(crate) fn printable(text: &str) -> String {
    let is_harmless = |character: char| !character.is_control() && !is_direction_mark(character);
    if text.chars().all(is_harmless) {
        return text.to_owned();
    }
    let escape = |character: char| {
        if is_harmless(character) { character.to_string() } else { character.escape_unicode().to_string() }
    };
    text.chars().map(escape).collect()
}

fn is_direction_mark(character: char) -> bool {
    matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::with_header(&["A", "LONG"]);
        table.push(&["jürgen", "x"]);
        assert_eq!(table.to_text(), "A       LONG\njürgen  x\n");
    }

    #[test]
    fn ops_03_a_cell_cannot_steer_the_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\u{202e}"), "a\\u{1b}[2Jb\\u{202e}");
    }
}
