//! Report in, text out. Nothing here prints.

pub mod doctor;
pub mod json;
pub mod page;
pub mod plain;
pub mod text;
pub mod whereabouts;

use unicode_width::UnicodeWidthStr;

/// The longest name that is shown whole.
const LONGEST_NAME: usize = 60;

/// Text from files and variables as a terminal may show it: control and direction characters escaped.
pub fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_harmful(c) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    shown
}

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

/// Characters that move the cursor, change colours or turn the reading direction.
fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
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
