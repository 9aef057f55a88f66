//! How pages for people are laid out.

use chrono::{DateTime, Utc};
use unicode_width::UnicodeWidthStr;

use crate::core::credential::EpochMs;
use crate::core::report::Verdict;
use crate::core::span;
use crate::render::printable;

/// How the text may look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// Whether colours are wanted.
    pub colour: bool,
    /// The width of the terminal; `None` for no limit.
    pub width: Option<usize>,
}

/// Columns of the status word and its gap; details stand below what follows it.
const WORD_COLUMNS: usize = 10;
/// Columns in front of what stands below a heading.
pub(super) const MARGIN: usize = 2;
/// Narrower than this nothing is broken into lines any more.
const NARROWEST: usize = 30;

/// A page for people in the making: words in a column, text beside them.
pub(super) struct Page {
    look: Look,
    text: String,
}

impl Page {
    /// An empty page.
    pub(super) fn new(look: Look) -> Self {
        Self { look, text: String::new() }
    }

    /// The text of it.
    pub(super) fn into_text(self) -> String {
        self.text
    }

    /// A title above what follows.
    pub(super) fn heading(&mut self, words: &str) {
        self.text.push('\n');
        self.styled(words, "1");
        self.text.push('\n');
    }

    /// An empty line.
    pub(super) fn gap(&mut self) {
        self.text.push('\n');
    }

    /// A status word in its column and text beside it, broken at the width of the terminal.
    pub(super) fn row(&mut self, margin: usize, word: Option<(&str, Verdict)>, text: &str) {
        self.text.push_str(&" ".repeat(margin));
        if let Some((word, verdict)) = word {
            self.styled(word, colour(verdict));
            self.text.push_str(&" ".repeat(WORD_COLUMNS.saturating_sub(word.width())));
        } else {
            self.text.push_str(&" ".repeat(WORD_COLUMNS));
        }
        self.broken(margin + WORD_COLUMNS, text);
    }

    /// Lines below the text of a row.
    pub(super) fn details(&mut self, lines: &[String]) {
        for line in lines {
            self.text.push_str(&" ".repeat(MARGIN + WORD_COLUMNS));
            self.broken(MARGIN + WORD_COLUMNS, line);
        }
    }

    /// Text from the current column on, broken between words, with every line indented alike.
    fn broken(&mut self, indent: usize, text: &str) {
        let room = match self.look.width {
            Some(width) if width >= NARROWEST => width.saturating_sub(indent).max(1),
            _ => usize::MAX,
        };
        let mut column = 0;
        for (at, word) in text.split(' ').enumerate() {
            if at > 0 && column + 1 + word.width() > room {
                self.text.push('\n');
                self.text.push_str(&" ".repeat(indent));
                column = 0;
            } else if at > 0 {
                self.text.push(' ');
                column += 1;
            }
            self.text.push_str(word);
            column += word.width();
        }
        while self.text.ends_with(' ') {
            self.text.pop();
        }
        self.text.push('\n');
    }

    fn styled(&mut self, words: &str, code: &str) {
        self.text.push_str(&escaped(words, code, self.look));
    }
}

/// A word in the colour of what it means.
pub(super) fn styled(word: &str, verdict: Verdict, look: Look) -> String {
    escaped(word, colour(verdict), look)
}

fn colour(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Ok => "32",
        Verdict::Expiring => "33",
        Verdict::Failing => "1;31",
    }
}

fn escaped(words: &str, code: &str, look: Look) -> String {
    if look.colour { format!("\u{1b}[{code}m{words}\u{1b}[0m") } else { words.to_owned() }
}

/// The first remedy as the way to go, the others as alternatives.
pub(super) fn steps(remedies: &[String]) -> impl Iterator<Item = String> + '_ {
    remedies
        .iter()
        .enumerate()
        .map(|(at, remedy)| format!("{} {}", if at == 0 { "->" } else { "or" }, printable(remedy)))
}

/// `in 3d 4h (2026-11-25 13:40 UTC)` or `3h 12m ago (…)`.
pub(super) fn until(instant: EpochMs, now: EpochMs) -> String {
    let span = span::two_units(instant.saturating_sub(now));
    let when = instant_words(instant);
    if instant <= now { format!("{span} ago ({when})") } else { format!("in {span} ({when})") }
}

/// An instant to the minute.
pub(super) fn instant_words(instant: EpochMs) -> String {
    DateTime::<Utc>::from_timestamp_millis(instant)
        .map_or_else(|| "at the end of time".to_owned(), |at| at.format("%Y-%m-%d %H:%M UTC").to_string())
}
