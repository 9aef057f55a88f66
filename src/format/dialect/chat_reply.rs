//! Answers in the words of `OpenAI`'s chat completions, whole and in pieces.
//!
//! Source: the API reference of `OpenAI`, "Chat Completions" and "Streaming"; `reasoning_content` is what other providers
//! of this API call what their models think.

use serde_json::{Value, json};

use super::fields::{count_of, set, text_of};
use super::neutral::{Event, Part, Reply, Stop, ToolCall, Trouble, Usage, words};
use super::{GOOGLE_SEAL, Malformed, sse};

/// Reads an answer.
pub(super) fn read(answer: &Value) -> Result<Reply, Malformed> {
    let choice = answer.pointer("/choices/0").ok_or(Malformed("it has no choice"))?;
    let message = choice.get("message").ok_or(Malformed("its choice has no message"))?;
    let mut parts = Vec::new();
    let thinking = thought(message);
    if !thinking.is_empty() {
        parts.push(Part::Thinking { text: thinking.to_owned(), signature: None });
    }
    for name in ["content", "refusal"] {
        let text = text_of(message, name);
        if !text.is_empty() {
            parts.push(Part::Text(text.to_owned()));
        }
    }
    let calls = message.get("tool_calls").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for call in calls {
        let function = call.get("function").ok_or(Malformed("it calls what is no function"))?;
        parts.push(Part::ToolCall(ToolCall {
            id: text_of(call, "id").to_owned(),
            name: text_of(function, "name").to_owned(),
            arguments: text_of(function, "arguments").to_owned(),
        }));
    }
    let is_refused = !text_of(message, "refusal").is_empty();
    Ok(Reply {
        id: text_of(answer, "id").to_owned(),
        model: text_of(answer, "model").to_owned(),
        stop: if is_refused { Stop::Refusal } else { stop_of(text_of(choice, "finish_reason")) },
        usage: answer.get("usage").map(usage_of).unwrap_or_default(),
        parts,
    })
}

fn thought(message: &Value) -> &str {
    let own = text_of(message, "reasoning_content");
    if own.is_empty() { text_of(message, "reasoning") } else { own }
}

fn stop_of(reason: &str) -> Stop {
    match reason {
        "length" => Stop::Length,
        "tool_calls" | "function_call" => Stop::ToolUse,
        "content_filter" => Stop::Refusal,
        _ => Stop::End,
    }
}

fn reason_of(stop: &Stop) -> &'static str {
    match stop {
        Stop::End | Stop::Sequence(_) => "stop",
        Stop::Length => "length",
        Stop::Refusal => "content_filter",
        Stop::ToolUse => "tool_calls",
    }
}

fn usage_of(usage: &Value) -> Usage {
    Usage {
        input: count_of(usage, "/prompt_tokens"),
        cached: count_of(usage, "/prompt_tokens_details/cached_tokens"),
        cache_written: 0,
        output: count_of(usage, "/completion_tokens"),
        reasoning: usage.pointer("/completion_tokens_details/reasoning_tokens").and_then(Value::as_u64),
    }
}

fn written_usage(usage: Usage) -> Value {
    let mut written = json!({
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.input + usage.output,
        "prompt_tokens_details": {"cached_tokens": usage.cached},
    });
    let details = usage.reasoning.map(|tokens| json!({"reasoning_tokens": tokens}));
    set(&mut written, "completion_tokens_details", details);
    written
}

/// Writes an answer made at an instant, in s.
pub(super) fn write(reply: &Reply, created: i64) -> Value {
    let text = words(&reply.parts, "");
    let mut message = json!({"role": "assistant", "content": null, "refusal": null});
    set(&mut message, "content", Some(text).filter(|text| !text.is_empty()));
    let mut thinking = String::new();
    let mut seal = None;
    let mut calls = Vec::new();
    for part in &reply.parts {
        match part {
            Part::Thinking { text, signature } => {
                thinking.push_str(text);
                seal.clone_from(signature);
            }
            Part::ToolCall(call) => calls.push(written_call(call, seal.take())),
            _ => {}
        }
    }
    set(&mut message, "reasoning_content", Some(thinking).filter(|text| !text.is_empty()));
    set(&mut message, "tool_calls", Some(calls).filter(|calls| !calls.is_empty()));
    json!({
        "id": reply.id,
        "object": "chat.completion",
        "created": created,
        "model": reply.model,
        "choices": [{"index": 0, "message": message, "logprobs": null, "finish_reason": reason_of(&reply.stop)}],
        "usage": written_usage(reply.usage),
    })
}

fn written_call(call: &ToolCall, seal: Option<String>) -> Value {
    let function = json!({"name": call.name, "arguments": call.arguments});
    let mut written = json!({"id": call.id, "type": "function", "function": function});
    set(&mut written, "extra_content", seal.and_then(|seal| extra(&seal)));
    written
}

fn extra(seal: &str) -> Option<Value> {
    let seal = seal.strip_prefix(GOOGLE_SEAL)?;
    Some(json!({"google": {"thought_signature": seal}}))
}

/// Reads a stream.
#[derive(Clone, Debug, Default)]
pub(super) struct Incoming {
    is_begun: bool,
    has_stopped: bool,
    /// The index of each call at the provider, in the order of coming.
    calls: Vec<u64>,
}

impl Incoming {
    pub(super) fn read(&mut self, data: &[u8], events: &mut Vec<Event>) -> Result<(), Malformed> {
        if data == b"[DONE]" {
            events.push(Event::End);
            return Ok(());
        }
        let chunk: Value = serde_json::from_slice(data).map_err(|_| Malformed("an event is no JSON"))?;
        if let Some(error) = chunk.get("error").filter(|error| !error.is_null()) {
            events.push(Event::Failed(trouble(error)));
            return Ok(());
        }
        if !self.is_begun {
            self.is_begun = true;
            let (id, model) = (text_of(&chunk, "id").to_owned(), text_of(&chunk, "model").to_owned());
            events.push(Event::Start { id, model });
        }
        if let Some(choice) = chunk.pointer("/choices/0") {
            if let Some(delta) = choice.get("delta") {
                self.read_delta(delta, events)?;
            }
            let reason = text_of(choice, "finish_reason");
            if !reason.is_empty() && !self.has_stopped {
                self.has_stopped = true;
                events.push(Event::Stop(stop_of(reason)));
            }
        }
        // One provider puts it into the choice.
        let usage = chunk.get("usage").or_else(|| chunk.pointer("/choices/0/usage"));
        events.extend(usage.filter(|usage| usage.is_object()).map(|usage| Event::Usage(usage_of(usage))));
        Ok(())
    }

    /// Whether a stream that ends here is whole: not every provider says `[DONE]`.
    pub(super) fn is_whole(&self) -> bool {
        self.has_stopped
    }

    fn read_delta(&mut self, delta: &Value, events: &mut Vec<Event>) -> Result<(), Malformed> {
        let thinking = thought(delta);
        if !thinking.is_empty() {
            events.push(Event::Thinking(thinking.to_owned()));
        }
        for name in ["content", "refusal"] {
            let text = text_of(delta, name);
            if !text.is_empty() {
                events.push(Event::Text(text.to_owned()));
            }
        }
        if !text_of(delta, "refusal").is_empty() && !self.has_stopped {
            self.has_stopped = true;
            events.push(Event::Stop(Stop::Refusal));
        }
        let calls = delta.get("tool_calls").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        for call in calls {
            let (id, name) = (text_of(call, "id"), call.pointer("/function/name").and_then(Value::as_str));
            // Some providers leave the index out and send each call whole.
            let index = call.get("index").and_then(Value::as_u64);
            let index = index.unwrap_or_else(|| {
                let begun = self.calls.len() as u64;
                if id.is_empty() { begun.saturating_sub(1) } else { begun }
            });
            let known = self.calls.iter().position(|known| *known == index);
            let at = match (known, name) {
                (Some(at), _) => at,
                (None, Some(name)) => {
                    self.calls.push(index);
                    let at = self.calls.len() - 1;
                    let id = if id.is_empty() { format!("call_{at}") } else { id.to_owned() };
                    events.push(Event::ToolStart { at, id, name: name.to_owned() });
                    at
                }
                (None, None) => return Err(Malformed("a call has no name")),
            };
            let piece = call.pointer("/function/arguments").and_then(Value::as_str).unwrap_or_default();
            if !piece.is_empty() {
                events.push(Event::ToolArguments { at, piece: piece.to_owned() });
            }
        }
        Ok(())
    }
}

/// Codes and types, and the words that both client APIs know for them.
const KINDS: &[(&str, &str)] = &[
    ("insufficient_quota", "billing_error"),
    ("invalid_api_key", "authentication_error"),
    ("rate_limit_exceeded", "rate_limit_error"),
    ("requests", "rate_limit_error"),
    ("server_error", "api_error"),
    ("tokens", "rate_limit_error"),
];

/// What an error says.
pub(super) fn trouble(error: &Value) -> Trouble {
    let words = ["code", "type"].map(|name| text_of(error, name));
    let known = words.iter().find_map(|word| KINDS.iter().find(|(theirs, _)| theirs == word));
    let kind = known.map_or_else(|| words[1], |(_, kind)| kind);
    let message = error.as_str().unwrap_or_else(|| text_of(error, "message"));
    Trouble { kind: kind.to_owned(), message: message.to_owned() }
}

/// Writes a stream.
#[derive(Clone, Debug, Default)]
pub(super) struct Outgoing {
    /// `{"id":…,…,"choices":[{"index":0,` of every chunk.
    head: String,
    tail: &'static str,
    wants_usage: bool,
    created: i64,
    usage: Usage,
    stop: Stop,
    seal: Option<String>,
}

impl Outgoing {
    /// A stream that is made at an instant, in s.
    pub(super) fn new(created: i64, wants_usage: bool) -> Self {
        let tail = if wants_usage { "}],\"usage\":null}" } else { "}]}" };
        Self { tail, wants_usage, created, ..Self::default() }
    }

    pub(super) fn write(&mut self, event: Event, out: &mut Vec<u8>) {
        match event {
            Event::Start { id, model } => {
                let (id, model) = (json!(id), json!(model));
                let created = self.created;
                self.head = format!(
                    "{{\"id\":{id},\"object\":\"chat.completion.chunk\",\"created\":{created},\"model\":{model},\"choices\":["
                );
                self.delta(out, &json!({"role": "assistant", "content": ""}), None);
            }
            Event::Text(text) => self.delta(out, &json!({"content": text}), None),
            Event::Thinking(text) => self.delta(out, &json!({"reasoning_content": text}), None),
            Event::Signature(seal) => self.seal = Some(seal),
            Event::ToolStart { at, id, name } => {
                let function = json!({"name": name, "arguments": ""});
                let mut call = json!({"index": at, "id": id, "type": "function", "function": function});
                set(&mut call, "extra_content", self.seal.take().and_then(|seal| extra(&seal)));
                self.delta(out, &json!({"tool_calls": [call]}), None);
            }
            Event::ToolArguments { at, piece } => {
                let call = json!({"index": at, "function": {"arguments": piece}});
                self.delta(out, &json!({"tool_calls": [call]}), None);
            }
            Event::Stop(stop) => self.stop = stop,
            Event::Usage(usage) => self.usage = usage,
            Event::End => {
                let reason = reason_of(&self.stop);
                self.delta(out, &json!({}), Some(reason));
                if self.wants_usage {
                    let usage = written_usage(self.usage);
                    sse::write(out, &format!("{}],\"usage\":{usage}}}", self.head));
                }
                sse::write(out, "[DONE]");
            }
            Event::Failed(Trouble { kind, message }) => {
                let kind = if kind.is_empty() { "api_error".to_owned() } else { kind };
                let error = json!({"message": message, "type": kind, "code": null, "param": null});
                sse::write(out, &json!({"error": error}).to_string());
            }
        }
    }

    fn delta(&self, out: &mut Vec<u8>, delta: &Value, reason: Option<&str>) {
        let reason = reason.map_or_else(|| "null".to_owned(), |reason| format!("\"{reason}\""));
        let (head, tail) = (&self.head, self.tail);
        sse::write(
            out,
            &format!(
                "{head}{{\"index\":0,\"delta\":{delta},\"logprobs\":null,\"finish_reason\":{reason}{tail}"
            ),
        );
    }
}
