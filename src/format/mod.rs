//! Total parsers and writers: bytes to values and back. They never panic, never see a path, never quote content.

pub mod auth_profiles;
pub mod chat_answer;
pub mod chat_stream;
pub mod claude_code;
pub mod codex;
pub mod config;
pub mod config_edit;
pub mod config_sections;
pub mod dialect;
pub mod doctor_journal;
pub mod dotenv;
pub mod gateway_request;
pub mod jwt;
mod last_message;
pub mod legacy;
pub mod model_list;
pub mod models_json;
pub mod monitor_state;
pub mod oauth;
pub mod ops;
pub mod ops_monitor;
pub mod ops_state;
pub mod qwen;
pub mod recovery;
pub mod scenario;
pub mod section;
pub mod sessions;
pub mod systemd_unit;
pub mod usage;

use crate::core::json_tree::JsonObject;

/// Why a text could not be parsed. The message never quotes the text: it may be a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseFailure {
    /// What is wrong.
    pub message: String,
    /// Line and column, 1-based, when it is a place in the text.
    pub position: Option<(usize, usize)>,
}

impl ParseFailure {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), position: None }
    }

    fn at(message: impl Into<String>, position: (usize, usize)) -> Self {
        Self { message: message.into(), position: Some(position) }
    }
}

/// A byte offset as line and column, 1-based, columns in characters. Offsets beyond the end count as the end.
pub fn position(text: &str, offset: usize) -> (usize, usize) {
    let mut end = offset.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let before = &text[..end];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// The bytes as text.
pub fn utf8(bytes: &[u8]) -> Result<&str, ParseFailure> {
    std::str::from_utf8(bytes).map_err(|error| {
        let valid = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
        ParseFailure::at("is not UTF-8", position(&valid, valid.len()))
    })
}

/// A strict JSON object, as `JSON.parse` reads it: no comments, no byte order mark.
fn json_object(bytes: &[u8]) -> Result<JsonObject, ParseFailure> {
    let text = utf8(bytes)?;
    if text.starts_with('\u{feff}') {
        return Err(ParseFailure::at("starts with a byte order mark, which JSON does not allow", (1, 1)));
    }
    if text.trim().is_empty() {
        return Err(ParseFailure::at("is empty", (1, 1)));
    }
    serde_json::from_str(text).map_err(|error| {
        let position = (error.line().max(1), error.column().max(1));
        if error.is_data() {
            return ParseFailure::at("is not a JSON object", position);
        }
        let message = error.to_string();
        let message = message.split(" at line ").next().unwrap_or("is not JSON");
        ParseFailure::at(message, position)
    })
}

/// An object as 2-space JSON and a newline; untouched members keep their spelling.
fn pretty(object: &JsonObject) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(object).unwrap_or_default();
    text.push(b'\n');
    text
}
