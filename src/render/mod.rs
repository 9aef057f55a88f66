//! Report in, text out. Nothing here prints.

pub mod auth_words;
pub mod doctor;
pub mod json;
pub mod line;
pub mod monitor;
pub mod page;
pub mod plain;
pub mod text;
pub mod web;
pub mod whereabouts;
mod words;

use unicode_width::UnicodeWidthStr;

pub use crate::core::printable::printable;

/// The longest name that is shown whole.
const LONGEST_NAME: usize = 60;

/// The same for a message of several lines, which ends with a line break.
pub fn printable_lines(text: &str) -> String {
    text.lines().map(|line| printable(line) + "\n").collect()
}

/// The same, cut to the length that a table can bear. Characters without width count too.
pub fn name(text: &str) -> String {
    let shown = printable(text);
    if shown.width().max(shown.chars().count()) <= LONGEST_NAME {
        return shown;
    }
    let head: String = shown.chars().take(LONGEST_NAME - 1).collect();
    format!("{head}…")
}

#[cfg(test)]
mod tests {
    use super::{name, printable};

    #[test]
    fn nothing_that_steers_a_terminal_gets_through() {
        assert_eq!(printable("a\u{1b}[31mb\nc\u{9b}d\u{202e}e"), "a\\u{1b}[31mb\\u{a}c\\u{9b}d\\u{202e}e");
        assert_eq!(printable("söme 🙂 \"name\""), "söme 🙂 \"name\"");
        assert_eq!(name(&"x".repeat(10_000)).chars().count(), 60);
    }
}
