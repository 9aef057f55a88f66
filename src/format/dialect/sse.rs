//! Server-sent events: a parser that takes bytes as they come, and a writer.
//!
//! Source: the WHATWG HTML standard, "Server-sent events".

use std::mem;

/// The longest event. Providers send a few KiB; some send a whole answer in the last one.
pub const LONGEST: usize = 16 * 1024 * 1024;

/// An event that does not end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

/// Takes the bytes of a stream and gives its events.
#[derive(Clone, Debug, Default)]
pub struct Parser {
    /// The beginning of a line whose end has not come.
    line: Vec<u8>,
    /// The data of the event so far; `None` before its first line.
    data: Option<Vec<u8>>,
    /// Whether the last byte was a carriage return: a line feed behind it ends no line of its own.
    after_return: bool,
    /// Whether the first line has ended.
    is_begun: bool,
}

impl Parser {
    /// Takes bytes; `each` gets the data of every event that ends in them.
    pub fn push(&mut self, mut bytes: &[u8], each: &mut impl FnMut(&[u8])) -> Result<(), TooLong> {
        while !bytes.is_empty() {
            if mem::take(&mut self.after_return) && bytes[0] == b'\n' {
                bytes = &bytes[1..];
                continue;
            }
            let Some(end) = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r')) else {
                self.line.extend_from_slice(bytes);
                break;
            };
            self.after_return = bytes[end] == b'\r';
            if self.line.is_empty() {
                self.ended(&bytes[..end], each);
            } else {
                let mut line = mem::take(&mut self.line);
                line.extend_from_slice(&bytes[..end]);
                self.ended(&line, each);
                line.clear();
                self.line = line;
            }
            self.check()?;
            bytes = &bytes[end + 1..];
        }
        self.check()
    }

    /// The stream has ended; an event whose blank line is missing counts.
    pub fn end(&mut self, each: &mut impl FnMut(&[u8])) {
        let line = mem::take(&mut self.line);
        if !line.is_empty() {
            self.ended(&line, each);
        }
        self.ended(b"", each);
    }

    fn check(&self) -> Result<(), TooLong> {
        let held = self.line.len() + self.data.as_ref().map_or(0, Vec::len);
        if held > LONGEST { Err(TooLong) } else { Ok(()) }
    }

    fn ended(&mut self, line: &[u8], each: &mut impl FnMut(&[u8])) {
        let is_first = !mem::replace(&mut self.is_begun, true);
        let line = if is_first { line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line) } else { line };
        if line.is_empty() {
            if let Some(data) = self.data.take() {
                each(&data);
            }
            return;
        }
        // Every dialect repeats the event's name in its data or needs none.
        if let Some(rest) = line.strip_prefix(b"data") {
            let value = match rest {
                [] => rest,
                [b':', b' ', value @ ..] | [b':', value @ ..] => value,
                _ => return,
            };
            match &mut self.data {
                Some(data) => {
                    data.push(b'\n');
                    data.extend_from_slice(value);
                }
                None => self.data = Some(value.to_vec()),
            }
        }
    }
}

/// Adds an event with a name.
pub(super) fn write_named(out: &mut Vec<u8>, name: &str, data: &str) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    out.push(b'\n');
    write(out, data);
}

/// Adds an event. The data is JSON, which has no line ends.
pub(super) fn write(out: &mut Vec<u8>, data: &str) {
    out.extend_from_slice(b"data: ");
    out.extend_from_slice(data.as_bytes());
    out.extend_from_slice(b"\n\n");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{LONGEST, Parser, TooLong};

    fn events(pieces: &[&[u8]]) -> Vec<String> {
        let mut parser = Parser::default();
        let mut events = Vec::new();
        let mut each = |data: &[u8]| events.push(String::from_utf8_lossy(data).into_owned());
        for piece in pieces {
            parser.push(piece, &mut each).unwrap();
        }
        parser.end(&mut each);
        events
    }

    #[test]
    fn lines_fields_and_ends_are_those_of_the_standard() {
        let text = "\u{feff}data: a\ndata:b\ndata\n\n: comment\nevent: x\nid: 1\ndata:  c\r\n\r\ndata: d\r\rdatum: no\n\n\ndata: e";
        assert_eq!(events(&[text.as_bytes()]), ["a\nb\n", " c", "d", "e"]);
    }

    #[test]
    fn an_event_without_end_is_an_error() {
        let mut parser = Parser::default();
        let piece = vec![b'x'; 1024 * 1024];
        let mut taken = 0;
        let ended = loop {
            if let Err(error) = parser.push(&piece, &mut |_| {}) {
                break error;
            }
            taken += piece.len();
            assert!(taken <= LONGEST);
        };
        assert_eq!(ended, TooLong);
        let mut parser = Parser::default();
        let line = [b"data: ".as_slice(), &piece, b"\n"].concat();
        assert!((0..17).any(|_| parser.push(&line, &mut |_| {}).is_err()));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: if cfg!(debug_assertions) { 256 } else { 20_000 }, ..ProptestConfig::default() })]
        #[test]
        fn it_does_not_matter_where_pieces_end(
            text in "(data: ?|event: |:|id|\r\n|\n|\r|[a-c]|é|\u{feff}){0,40}",
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        ) {
            let bytes = text.as_bytes();
            let mut places: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            places.extend([0, bytes.len()]);
            places.sort_unstable();
            let pieces: Vec<_> = places.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            prop_assert_eq!(events(&pieces), events(&[bytes]));
        }
    }
}
