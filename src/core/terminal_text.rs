//! Text from a model as a terminal may show it: lines and letters, and nothing that moves, colours, turns or asks.

use crate::core::printable::is_harmful;

/// Takes out control sequences, also those that come in pieces.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stripper(State);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Behind ESC.
    Escape,
    /// In a sequence that a letter ends (CSI).
    Sequence,
    /// In a string that BEL or ST ends (OSC, DCS and their like).
    Words,
    /// Behind ESC in a string.
    WordsEscape,
    #[default]
    Text,
}

impl Stripper {
    /// What of the next piece may be shown.
    pub fn push(&mut self, piece: &str) -> String {
        piece.chars().filter(|c| self.is_shown(*c)).collect()
    }

    fn is_shown(&mut self, c: char) -> bool {
        // A line break ends whatever was begun: no sequence may swallow the rest of an answer.
        if c == '\n' {
            self.0 = State::Text;
            return true;
        }
        self.0 = match self.0 {
            State::Escape => match c {
                '[' => State::Sequence,
                ']' | 'P' | 'X' | '^' | '_' => State::Words,
                '\u{1b}' | ' '..='/' => State::Escape,
                _ => State::Text,
            },
            State::Sequence => match c {
                '\u{1b}' => State::Escape,
                ' '..='?' => State::Sequence,
                _ => State::Text,
            },
            State::Text => match c {
                '\u{1b}' => State::Escape,
                '\u{9b}' => State::Sequence,
                '\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}' => State::Words,
                c => return c == '\t' || is_joiner(c) || !is_harmful(c),
            },
            State::Words | State::WordsEscape => match c {
                '\u{7}' | '\u{9c}' => State::Text,
                '\\' if self.0 == State::WordsEscape => State::Text,
                '\u{1b}' => State::WordsEscape,
                _ => State::Words,
            },
        };
        false
    }
}

/// What makes one sign of several, in some scripts and in pictures.
fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Stripper;
    use crate::core::printable::is_harmful;

    #[test]
    fn only_the_words_are_left() {
        for (text, shown) in [
            ("a\u{1b}[31mred\u{1b}[0m b", "ared b"),
            ("\u{1b}]0;title\u{7}x\u{1b}]8;;http://h\u{1b}\\link", "xlink"),
            ("\u{1b}]52;c;c2VjcmV0\u{9c}x", "x"),
            ("\u{1b}Pdcs\u{1b}\\x\u{9b}2Jy", "xy"),
            ("a\r\nb\tc\u{7}\u{8}d\u{202e}e\u{0}", "a\nb\tcde"),
            ("\u{1b}(Bx\u{1b}cy", "xy"),
            ("\u{1b}]never ends\nnext", "\nnext"),
            ("söme 👩\u{200d}💻", "söme 👩\u{200d}💻"),
        ] {
            assert_eq!(Stripper::default().push(text), shown, "{text:?}");
            let mut stripper = Stripper::default();
            let pieces: String = text.chars().map(|c| stripper.push(&c.to_string())).collect();
            assert_eq!(pieces, shown);
        }
    }

    proptest! {
        #[test]
        fn nothing_steers_a_terminal(text in "[\u{0}-\u{ff}a-z\u{202a}-\u{202e}]{0,60}") {
            let shown = Stripper::default().push(&text);
            prop_assert!(shown.chars().all(|c| c == '\n' || c == '\t' || !is_harmful(c)), "{:?}", shown);
        }
    }
}
