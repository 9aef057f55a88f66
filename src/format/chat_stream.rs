//! What the gateway answers to chat completions, as its own clients read it: pieces of a stream, whole answers, errors.

use serde_json::Value;

/// The longest line of a stream, in bytes; no honest one is nearly that long.
const LONGEST_LINE: usize = 8 * 1024 * 1024;

/// What comes of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// It broke off, for this reason.
    Broken(String),
    /// It is complete.
    End,
    /// More of the answer.
    Text(String),
}

/// A stream on its way.
#[derive(Debug, Default)]
pub struct ChatStream {
    /// The line that has no end yet.
    rest: Vec<u8>,
}

impl ChatStream {
    /// Takes the next bytes, however they were cut.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<Piece> {
        let mut pieces = Vec::new();
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.rest.extend_from_slice(part);
            if part.ends_with(b"\n") {
                pieces.extend(piece(&self.rest));
                self.rest.clear();
            }
        }
        if self.rest.len() > LONGEST_LINE {
            self.rest.clear();
            pieces.push(Piece::Broken("a line of the answer has no end".to_owned()));
        }
        pieces
    }
}

fn piece(line: &[u8]) -> Option<Piece> {
    let line = String::from_utf8_lossy(line);
    let data = line.strip_prefix("data:")?.trim();
    if data == "[DONE]" {
        return Some(Piece::End);
    }
    let event: Value = serde_json::from_str(data).ok()?;
    if let Some(message) = error_of(&event) {
        return Some(Piece::Broken(message));
    }
    let text = event.pointer("/choices/0/delta/content")?.as_str()?;
    (!text.is_empty()).then(|| Piece::Text(text.to_owned()))
}

/// The text of a whole answer.
pub fn text_of(body: &str) -> Option<String> {
    let answer: Value = serde_json::from_str(body).ok()?;
    answer.pointer("/choices/0/message/content")?.as_str().map(str::to_owned)
}

/// The message of an error, in any of the shapes that are in use.
pub fn error_message(body: &str) -> Option<String> {
    error_of(&serde_json::from_str(body).ok()?)
}

fn error_of(document: &Value) -> Option<String> {
    let error = document.get("error").filter(|error| !error.is_null())?;
    let message = error.get("message").unwrap_or(error);
    Some(message.as_str().map_or_else(|| message.to_string(), str::to_owned))
}

/// The ids of a list of models.
pub fn model_ids(body: &str) -> Vec<String> {
    let document: Value = serde_json::from_str(body).unwrap_or_default();
    let models = document["data"].as_array().cloned().unwrap_or_default();
    models.iter().filter_map(|model| model["id"].as_str().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::{ChatStream, Piece, error_message, model_ids, text_of};

    const STREAM: &str = concat!(
        ": comment\n\ndata: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n",
        "data: {\"choices\":[{\"delta\":{\"content\":\"hé\"}}]}\r\n\r\ndata:{\"choices\":[{\"delta\":{\"content\":\"y\"}}]}\n\n",
        "data: {\"choices\":[],\"usage\":{}}\n\ndata: broken\n\ndata: [DONE]\n\n",
    );

    #[test]
    fn pieces_are_the_same_however_the_bytes_are_cut() {
        let whole = ChatStream::default().push(STREAM.as_bytes());
        assert_eq!(whole, [Piece::Text("hé".to_owned()), Piece::Text("y".to_owned()), Piece::End]);
        for size in 1..9 {
            let mut stream = ChatStream::default();
            let pieces: Vec<_> =
                STREAM.as_bytes().chunks(size).flat_map(|bytes| stream.push(bytes)).collect();
            assert_eq!(pieces, whole, "{size}");
        }
    }

    #[test]
    fn errors_are_told_in_every_shape() {
        let broken = ChatStream::default().push(b"data: {\"error\":{\"message\":\"no\"}}\n");
        assert_eq!(broken, [Piece::Broken("no".to_owned())]);
        assert_eq!(error_message(r#"{"error":"plain"}"#).as_deref(), Some("plain"));
        assert_eq!(error_message(r#"{"error":null}"#), None);
        assert_eq!(error_message("<html>"), None);
        let endless = vec![b'x'; 9 * 1024 * 1024];
        assert!(matches!(ChatStream::default().push(&endless)[..], [Piece::Broken(_)]));
    }

    #[test]
    fn whole_answers_and_lists_are_read() {
        assert_eq!(text_of(r#"{"choices":[{"message":{"content":"x"}}]}"#).as_deref(), Some("x"));
        assert_eq!(text_of("{}"), None);
        assert_eq!(model_ids(r#"{"data":[{"id":"a"},{"n":1}]}"#), ["a"]);
        assert!(model_ids("nothing").is_empty());
    }
}
