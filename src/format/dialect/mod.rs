//! Between the APIs of clients and those of providers: requests, answers and streams of one are said in the words of
//! another. Every dialect reads into one neutral model and writes from it, so there is one translator for each dialect
//! and none for each pair.
//!
//! What becomes of each field is in [`rules`]. Reading is total: bytes of any kind give an error, never a panic.

mod chat_reply;
mod chat_request;
mod collect;
mod fields;
mod google;
mod messages_reply;
mod messages_request;
pub mod neutral;
mod responses;
pub mod rules;
pub mod sse;
mod stream;

use serde_json::{Map, Value};

use crate::core::upstream::{ApiKind, Surface};
use neutral::{Reply, Request, Trouble};

pub use collect::Collector;
pub use fields::Refused;
pub use stream::{Reader, Stream};

/// Where a request goes.
#[derive(Clone, Copy, Debug)]
pub struct Target<'t> {
    /// What is spoken there.
    pub kind: ApiKind,
    /// The provider in normal form.
    pub provider: &'t str,
    /// Its name of the model.
    pub model: &'t str,
    /// The longest answer of the model in tokens, where the config says so.
    pub max_tokens: Option<u64>,
}

/// Providers of the completions API that know its earlier name for the longest answer only. Source: the reference's table
/// of quirks; Ollama's documentation of its copy of this API.
const EARLIER_MAX_TOKENS: &[&str] = &["chutes", "mistral", "ollama"];
/// Providers of the completions API without efforts. Source: the reference's table of quirks.
const WITHOUT_EFFORT: &[&str] = &["xai", "zai"];

impl Target<'_> {
    fn takes_max_tokens(&self) -> bool {
        EARLIER_MAX_TOKENS.contains(&self.provider)
    }

    fn takes_effort(&self) -> bool {
        !WITHOUT_EFFORT.contains(&self.provider)
    }
}

/// Before a seal of Google's on a thought: others must not be sent there.
const GOOGLE_SEAL: &str = "google/";

/// An answer that is not one of its API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub &'static str);

/// A request in other words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Translated {
    /// What is sent.
    pub body: Vec<u8>,
    /// Fields of the client's that are left out.
    pub dropped: Vec<&'static str>,
    /// Whether the client wants usage at the end of a stream.
    pub wants_usage: bool,
}

/// Says a request of a surface in the words of its target.
pub fn request(surface: Surface, body: &[u8], target: &Target<'_>) -> Result<Translated, Refused> {
    let refused = |reason: &str| Refused { field: "the body".to_owned(), reason: reason.to_owned() };
    let body: Value = serde_json::from_slice(body).map_err(|_| refused("is no JSON"))?;
    let members = body.as_object().ok_or_else(|| refused("is no object"))?;
    let dropped = rules::check(surface, target.kind, members)?;
    let request = read_request(surface, &body)?;
    let body = write_request(&request, target)?.to_string().into_bytes();
    Ok(Translated { body, dropped, wants_usage: request.wants_usage })
}

/// Reads a request of a surface that is translated.
pub fn read_request(surface: Surface, body: &Value) -> Result<Request, Refused> {
    if surface.is_anthropic() { messages_request::read(body) } else { chat_request::read(body) }
}

/// Writes a request for its target.
pub fn write_request(request: &Request, target: &Target<'_>) -> Result<Value, Refused> {
    match target.kind {
        ApiKind::AnthropicMessages => messages_request::write(request, target),
        ApiKind::GoogleGenerativeAi => google::write(request, target),
        ApiKind::OpenaiCompletions => chat_request::write(request, target),
        ApiKind::OpenaiCodexResponses | ApiKind::OpenaiResponses => responses::write(request, target),
    }
}

/// Reads a whole answer.
pub fn read_reply(kind: ApiKind, answer: &[u8]) -> Result<Reply, Malformed> {
    read_document(kind, &serde_json::from_slice(answer).map_err(|_| Malformed("it is no JSON"))?)
}

/// Reads a whole answer that is JSON.
pub fn read_document(kind: ApiKind, answer: &Value) -> Result<Reply, Malformed> {
    if answer.get("error").is_some_and(|error| !error.is_null()) {
        return Err(Malformed("it is an error"));
    }
    match kind {
        ApiKind::AnthropicMessages => messages_reply::read(answer),
        ApiKind::GoogleGenerativeAi => google::read(answer),
        ApiKind::OpenaiCompletions => chat_reply::read(answer),
        ApiKind::OpenaiCodexResponses | ApiKind::OpenaiResponses => responses::read(answer),
    }
}

/// Writes a whole answer, made at an instant in s, for a surface.
pub fn write_reply(surface: Surface, reply: &Reply, created: i64) -> Value {
    if surface.is_anthropic() { messages_reply::write(reply) } else { chat_reply::write(reply, created) }
}

/// The whole answer of a stream of responses, as JSON of that API.
pub fn gather(stream: &[u8]) -> Result<Value, Trouble> {
    responses::gather(stream)
}

/// What a refusal of a provider says; empty where it says nothing that is for people.
pub fn trouble(kind: ApiKind, body: &str) -> Trouble {
    let document: Value = serde_json::from_str(body).unwrap_or_default();
    // Google wraps the errors of streams into a list.
    let top = document.as_array().and_then(|list| list.first()).unwrap_or(&document);
    let error = top.get("error").unwrap_or(top);
    let mut trouble = match kind {
        ApiKind::AnthropicMessages => messages_reply::trouble(error),
        ApiKind::GoogleGenerativeAi => google::trouble(error),
        ApiKind::OpenaiCodexResponses | ApiKind::OpenaiCompletions | ApiKind::OpenaiResponses => {
            chat_reply::trouble(error)
        }
    };
    if trouble.message.is_empty() {
        fields::text_of(top, "detail").clone_into(&mut trouble.message);
    }
    trouble
}

/// The arguments of a call as an object. Models get them wrong at times: what is none is kept under one name.
fn arguments(text: &str) -> Value {
    match serde_json::from_str(text) {
        Ok(Value::Object(arguments)) => Value::Object(arguments),
        _ if text.trim().is_empty() => Value::Object(Map::new()),
        _ => serde_json::json!({"arguments": text}),
    }
}
