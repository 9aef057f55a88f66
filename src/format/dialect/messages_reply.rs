//! Answers in the words of Anthropic's messages, whole and in pieces.
//!
//! Source: the API reference of Anthropic, "Messages" and "Streaming messages".

use serde_json::{Value, json};

use super::fields::{count_of, set, text_of};
use super::neutral::{Event, Part, Reply, Stop, ToolCall, Trouble, Usage};
use super::{Malformed, arguments, sse};

/// Reads an answer.
pub(super) fn read(answer: &Value) -> Result<Reply, Malformed> {
    let content = answer.get("content").and_then(Value::as_array).ok_or(Malformed("it has no content"))?;
    let mut parts = Vec::new();
    for block in content {
        match text_of(block, "type") {
            "text" => parts.push(Part::Text(text_of(block, "text").to_owned())),
            "thinking" => parts.push(Part::Thinking {
                text: text_of(block, "thinking").to_owned(),
                signature: block.get("signature").and_then(Value::as_str).map(str::to_owned),
            }),
            "redacted_thinking" => {}
            "tool_use" => parts.push(Part::ToolCall(ToolCall {
                id: text_of(block, "id").to_owned(),
                name: text_of(block, "name").to_owned(),
                arguments: block.get("input").map_or_else(|| "{}".to_owned(), Value::to_string),
            })),
            _ => return Err(Malformed("it holds what has no place in the client's API")),
        }
    }
    Ok(Reply {
        id: text_of(answer, "id").to_owned(),
        model: text_of(answer, "model").to_owned(),
        parts,
        stop: stop_of(answer),
        usage: answer.get("usage").map(|usage| usage_of(usage, Usage::default())).unwrap_or_default(),
    })
}

fn stop_of(holder: &Value) -> Stop {
    match text_of(holder, "stop_reason") {
        "max_tokens" | "model_context_window_exceeded" => Stop::Length,
        "tool_use" => Stop::ToolUse,
        "stop_sequence" => {
            Stop::Sequence(holder.get("stop_sequence").and_then(Value::as_str).map(str::to_owned))
        }
        "refusal" => Stop::Refusal,
        _ => Stop::End,
    }
}

fn reason_of(stop: &Stop) -> (&'static str, Value) {
    match stop {
        Stop::End | Stop::Sequence(None) => ("end_turn", Value::Null),
        Stop::Length => ("max_tokens", Value::Null),
        Stop::Refusal => ("refusal", Value::Null),
        Stop::Sequence(Some(text)) => ("stop_sequence", json!(text)),
        Stop::ToolUse => ("tool_use", Value::Null),
    }
}

/// Counts that the stream has told before stay where the new one says nothing.
fn usage_of(usage: &Value, before: Usage) -> Usage {
    let uncached = before.input - before.cached - before.cache_written;
    let told = |name: &str, before: u64| usage.get(name).and_then(Value::as_u64).unwrap_or(before);
    let cached = told("cache_read_input_tokens", before.cached);
    let cache_written = told("cache_creation_input_tokens", before.cache_written);
    Usage {
        input: told("input_tokens", uncached).saturating_add(cached).saturating_add(cache_written),
        cached,
        cache_written,
        output: told("output_tokens", before.output),
        reasoning: before.reasoning,
    }
}

fn written_usage(usage: Usage) -> Value {
    json!({
        "input_tokens": usage.input.saturating_sub(usage.cached).saturating_sub(usage.cache_written),
        "cache_creation_input_tokens": usage.cache_written,
        "cache_read_input_tokens": usage.cached,
        "output_tokens": usage.output,
    })
}

/// Writes an answer.
pub(super) fn write(reply: &Reply) -> Value {
    let content: Vec<_> = reply
        .parts
        .iter()
        .filter_map(|part| match part {
            Part::Text(text) => Some(json!({"type": "text", "text": text})),
            Part::Thinking { text, signature } => {
                let signature = signature.as_deref().unwrap_or_default();
                Some(json!({"type": "thinking", "thinking": text, "signature": signature}))
            }
            Part::ToolCall(ToolCall { id, name, arguments: text }) => {
                Some(json!({"type": "tool_use", "id": id, "name": name, "input": arguments(text)}))
            }
            Part::Document(_) | Part::Image(_) | Part::ToolResult { .. } => None,
        })
        .collect();
    let (reason, sequence) = reason_of(&reply.stop);
    json!({
        "id": reply.id,
        "type": "message",
        "role": "assistant",
        "model": reply.model,
        "content": content,
        "stop_reason": reason,
        "stop_sequence": sequence,
        "usage": written_usage(reply.usage),
    })
}

/// Reads a stream.
#[derive(Clone, Debug, Default)]
pub(super) struct Incoming {
    usage: Usage,
    /// The index of each call's block, in the order of coming.
    calls: Vec<u64>,
}

impl Incoming {
    pub(super) fn read(&mut self, data: &[u8], events: &mut Vec<Event>) -> Result<(), Malformed> {
        let event: Value = serde_json::from_slice(data).map_err(|_| Malformed("an event is no JSON"))?;
        let index = count_of(&event, "/index");
        match text_of(&event, "type") {
            "message_start" => {
                let message = event.get("message").unwrap_or(&Value::Null);
                let (id, model) = (text_of(message, "id").to_owned(), text_of(message, "model").to_owned());
                events.push(Event::Start { id, model });
                self.count(message, events);
            }
            "content_block_start" => {
                let block = event.get("content_block").unwrap_or(&Value::Null);
                match text_of(block, "type") {
                    "text" if !text_of(block, "text").is_empty() => {
                        events.push(Event::Text(text_of(block, "text").to_owned()));
                    }
                    "text" | "thinking" | "redacted_thinking" => {}
                    "tool_use" => {
                        let (id, name) = (text_of(block, "id").to_owned(), text_of(block, "name").to_owned());
                        events.push(Event::ToolStart { at: self.calls.len(), id, name });
                        self.calls.push(index);
                    }
                    _ => return Err(Malformed("it holds what has no place in the client's API")),
                }
            }
            "content_block_delta" => {
                let delta = event.get("delta").unwrap_or(&Value::Null);
                match text_of(delta, "type") {
                    "text_delta" => events.push(Event::Text(text_of(delta, "text").to_owned())),
                    "thinking_delta" => events.push(Event::Thinking(text_of(delta, "thinking").to_owned())),
                    "signature_delta" => {
                        events.push(Event::Signature(text_of(delta, "signature").to_owned()));
                    }
                    "input_json_delta" => {
                        let at = self.calls.iter().position(|known| *known == index);
                        let at = at.ok_or(Malformed("arguments came without a call"))?;
                        let piece = text_of(delta, "partial_json").to_owned();
                        if !piece.is_empty() {
                            events.push(Event::ToolArguments { at, piece });
                        }
                    }
                    _ => {}
                }
            }
            "message_delta" => {
                self.count(&event, events);
                if let Some(delta) =
                    event.get("delta").filter(|delta| !text_of(delta, "stop_reason").is_empty())
                {
                    events.push(Event::Stop(stop_of(delta)));
                }
            }
            "message_stop" => events.push(Event::End),
            "error" => events.push(Event::Failed(trouble(&event["error"]))),
            _ => {}
        }
        Ok(())
    }

    fn count(&mut self, holder: &Value, events: &mut Vec<Event>) {
        if let Some(usage) = holder.get("usage") {
            self.usage = usage_of(usage, self.usage);
            events.push(Event::Usage(self.usage));
        }
    }
}

/// What an error says.
pub(super) fn trouble(error: &Value) -> Trouble {
    Trouble { kind: text_of(error, "type").to_owned(), message: text_of(error, "message").to_owned() }
}

/// Words for programs that clients of this API know.
const KINDS: &[&str] = &[
    "api_error",
    "authentication_error",
    "billing_error",
    "invalid_request_error",
    "not_found_error",
    "overloaded_error",
    "permission_error",
    "rate_limit_error",
    "request_too_large",
    "timeout_error",
];

/// The block that is being written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    Text,
    Thinking,
    Tool(usize),
}

/// Writes a stream.
#[derive(Clone, Debug, Default)]
pub(super) struct Outgoing {
    begun: Option<(String, String)>,
    is_started: bool,
    open: Option<Open>,
    /// How many blocks have been begun.
    blocks: usize,
    usage: Usage,
    stop: Stop,
    has_failed: bool,
}

impl Outgoing {
    pub(super) fn write(&mut self, event: Event, out: &mut Vec<u8>) {
        if self.has_failed {
            return;
        }
        match event {
            Event::Start { id, model } => self.begun = Some((id, model)),
            Event::Usage(usage) => self.usage = usage,
            Event::Stop(stop) => self.stop = stop,
            Event::Text(text) => {
                self.open(out, Open::Text, &json!({"type": "text", "text": ""}));
                self.delta(out, &json!({"type": "text_delta", "text": text}));
            }
            Event::Thinking(text) => {
                self.think(out);
                self.delta(out, &json!({"type": "thinking_delta", "thinking": text}));
            }
            Event::Signature(seal) => {
                self.think(out);
                self.delta(out, &json!({"type": "signature_delta", "signature": seal}));
            }
            Event::ToolStart { at, id, name } => {
                let block = json!({"type": "tool_use", "id": id, "name": name, "input": {}});
                self.open(out, Open::Tool(at), &block);
            }
            Event::ToolArguments { at, piece } if self.open == Some(Open::Tool(at)) => {
                self.delta(out, &json!({"type": "input_json_delta", "partial_json": piece}));
            }
            // Blocks of this API come one after the other.
            Event::ToolArguments { .. } => {
                let message = "the provider went back to a call that another had followed".to_owned();
                self.write(Event::Failed(Trouble { kind: String::new(), message }), out);
            }
            Event::End => {
                self.start(out);
                self.close(out);
                let (reason, sequence) = reason_of(&self.stop);
                let delta = json!({"stop_reason": reason, "stop_sequence": sequence});
                let usage = written_usage(self.usage);
                send(out, "message_delta", &json!({"type": "message_delta", "delta": delta, "usage": usage}));
                send(out, "message_stop", &json!({"type": "message_stop"}));
            }
            Event::Failed(Trouble { kind, message }) => {
                self.has_failed = true;
                let kind = if KINDS.contains(&kind.as_str()) { kind } else { "api_error".to_owned() };
                send(out, "error", &json!({"type": "error", "error": {"type": kind, "message": message}}));
            }
        }
    }

    /// The first event, unless it has been sent: what the prompt has cost may be told before it.
    pub(super) fn start(&mut self, out: &mut Vec<u8>) {
        if self.is_started || self.has_failed {
            return;
        }
        self.is_started = true;
        let (id, model) = self.begun.take().unwrap_or_default();
        let mut message = json!({
            "id": id, "type": "message", "role": "assistant", "model": model, "content": [],
            "stop_reason": null, "stop_sequence": null,
        });
        set(&mut message, "usage", Some(written_usage(self.usage)));
        send(out, "message_start", &json!({"type": "message_start", "message": message}));
    }

    fn think(&mut self, out: &mut Vec<u8>) {
        self.open(out, Open::Thinking, &json!({"type": "thinking", "thinking": "", "signature": ""}));
    }

    fn open(&mut self, out: &mut Vec<u8>, block: Open, content: &Value) {
        if self.open == Some(block) {
            return;
        }
        self.start(out);
        self.close(out);
        let start = json!({"type": "content_block_start", "index": self.blocks, "content_block": content});
        send(out, "content_block_start", &start);
        self.open = Some(block);
        self.blocks += 1;
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        if self.open.take().is_some() {
            let stop = json!({"type": "content_block_stop", "index": self.blocks - 1});
            send(out, "content_block_stop", &stop);
        }
    }

    fn delta(&self, out: &mut Vec<u8>, delta: &Value) {
        let index = self.blocks.saturating_sub(1);
        let data = format!("{{\"type\":\"content_block_delta\",\"index\":{index},\"delta\":{delta}}}");
        sse::write_named(out, "content_block_delta", &data);
    }
}

fn send(out: &mut Vec<u8>, name: &str, data: &Value) {
    sse::write_named(out, name, &data.to_string());
}
