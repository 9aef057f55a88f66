//! How many tokens an answer has cost, read from the answer as it passes by. Nothing is copied but a few bytes between two
//! pieces.

use std::sync::OnceLock;

use aho_corasick::{AhoCorasick, packed};

/// The members in which providers tell it: what came in, then what went out. Within a text their quotes are escaped, so
/// that a model cannot say them.
const MEMBERS: [&str; 6] = [
    "\"input_tokens\":",
    "\"prompt_tokens\":",
    "\"promptTokenCount\":",
    "\"output_tokens\":",
    "\"completion_tokens\":",
    "\"candidatesTokenCount\":",
];
/// So many of them are of what came in.
const IN: usize = 3;
/// The longest member with its number.
const SEAM: usize = 48;
/// More than any answer has. What claims more is no count.
const MOST: u64 = 100_000_000;

/// What an answer has said so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tokens {
    /// Tokens of the request.
    pub(super) received: u64,
    /// Tokens of the answer; streams say it again as it grows.
    pub(super) sent: u64,
}

/// Looks at an answer piece by piece.
#[derive(Debug)]
pub(super) struct Counting {
    found: Tokens,
    /// The end of the piece before.
    end: [u8; SEAM],
    kept: usize,
}

impl Default for Counting {
    fn default() -> Self {
        Self { found: Tokens::default(), end: [0; SEAM], kept: 0 }
    }
}

impl Counting {
    /// Looks at the next piece.
    pub(super) fn see(&mut self, piece: &[u8]) {
        if self.kept > 0 {
            let mut seam = [0; SEAM * 2];
            let more = piece.len().min(SEAM);
            seam[..self.kept].copy_from_slice(&self.end[..self.kept]);
            seam[self.kept..self.kept + more].copy_from_slice(&piece[..more]);
            self.scan(&seam[..self.kept + more]);
        }
        self.scan(piece);
        if piece.len() >= SEAM {
            self.end.copy_from_slice(&piece[piece.len() - SEAM..]);
            self.kept = SEAM;
        } else {
            let stay = self.kept.min(SEAM - piece.len());
            self.end.copy_within(self.kept - stay..self.kept, 0);
            self.end[stay..stay + piece.len()].copy_from_slice(piece);
            self.kept = stay + piece.len();
        }
    }

    /// What has been found.
    pub(super) fn found(&self) -> Tokens {
        self.found
    }

    fn scan(&mut self, text: &[u8]) {
        for (member, end) in members(text) {
            let rest = text[end..].trim_ascii_start();
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).take(10);
            let number = digits.fold(0_u64, |number, digit| number * 10 + u64::from(digit - b'0'));
            if number > MOST {
                continue;
            }
            let place = if member < IN { &mut self.found.received } else { &mut self.found.sent };
            *place = number.max(*place);
        }
    }
}

/// Where members end in a text, and which they are.
fn members(text: &[u8]) -> impl Iterator<Item = (usize, usize)> {
    static FAST: OnceLock<Option<packed::Searcher>> = OnceLock::new();
    static ANY: OnceLock<Option<AhoCorasick>> = OnceLock::new();
    // The one that looks at many bytes at once is not to be had on every machine, nor for short texts.
    let fast = FAST.get_or_init(|| packed::Searcher::new(MEMBERS)).as_ref();
    let fast = fast.filter(|searcher| text.len() >= searcher.minimum_len());
    let any = if fast.is_none() { ANY.get_or_init(|| AhoCorasick::new(MEMBERS).ok()).as_ref() } else { None };
    let fast = fast.into_iter().flat_map(move |searcher| searcher.find_iter(text));
    let any = any.into_iter().flat_map(move |searcher| searcher.find_iter(text));
    fast.chain(any).map(|found| (found.pattern().as_usize(), found.end()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Counting, Tokens};

    fn seen<'p>(pieces: impl IntoIterator<Item = &'p [u8]>) -> Tokens {
        let mut counting = Counting::default();
        pieces.into_iter().for_each(|piece| counting.see(piece));
        counting.found()
    }

    const STREAM: &str = "event: message_start\ndata: {\"message\":{\"usage\":{\"input_tokens\":25,\"output_tokens\":1}}}\n\n\
        data: {\"delta\":{\"text\":\"\\\"output_tokens\\\":99\"}}\n\ndata: {\"usage\":{\"output_tokens\": 15}}\n\n";

    #[test]
    fn what_each_dialect_says_is_found() {
        for (text, received, sent) in [
            (STREAM, 25, 15),
            (r#"{"usage":{"prompt_tokens":400,"completion_tokens":120,"total_tokens":520}}"#, 400, 120),
            (r#"{"usageMetadata":{"promptTokenCount": 7,"candidatesTokenCount":3}}"#, 7, 3),
            (r#"{"usage":{"cache_read_input_tokens":9,"input_tokens":4,"output_tokens":null}}"#, 4, 0),
            (r#"{"usage":{"input_tokens":99999999999999999999}}"#, 0, 0),
            ("{}", 0, 0),
        ] {
            assert_eq!(seen([text.as_bytes()]), Tokens { received, sent }, "{text}");
        }
    }

    proptest! {
        #[test]
        fn it_does_not_matter_where_the_pieces_end(mut cuts in prop::collection::vec(0..STREAM.len(), 0..12)) {
            cuts.sort_unstable();
            let mut pieces = Vec::new();
            let mut from = 0;
            for cut in cuts.into_iter().chain([STREAM.len()]) {
                pieces.push(&STREAM.as_bytes()[from..cut]);
                from = cut;
            }
            prop_assert_eq!(seen(pieces), Tokens { received: 25, sent: 15 });
        }
    }
}
