//! `OpenAI`'s responses: requests to them and answers of them.
//!
//! Source: the API reference of `OpenAI`, "Responses" and "Streaming events". Codex speaks the same with fewer parameters.

use serde_json::{Value, json};

use super::chat_reply::trouble;
use super::fields::{At, Refused, count_of, set, text_of};
use super::neutral::{
    Depth, Document, Event, Format, Image, Part, Reply, Request, Role, Stop, Tool, ToolCall, ToolChoice,
    Trouble, Turn, Usage,
};
use super::{Malformed, Target, sse};
use crate::core::upstream::ApiKind;

/// Writes a request.
pub(super) fn write(request: &Request, target: &Target<'_>) -> Result<Value, Refused> {
    let is_codex = target.kind == ApiKind::OpenaiCodexResponses;
    if !request.stop.is_empty() {
        return Err(At::Top.member("stop").refused("is not known to this provider's API: leave it out"));
    }
    let input: Vec<_> = request.turns.iter().flat_map(items).collect();
    // By itself this API keeps what it is asked; the client's does not.
    let mut body = json!({"model": target.model, "input": input, "store": false});
    let system = request.system.join("\n\n");
    set(&mut body, "instructions", Some(system).filter(|system| is_codex || !system.is_empty()));
    if !request.tools.is_empty() {
        let tools: Vec<_> = request.tools.iter().map(tool).collect();
        set(&mut body, "tools", Some(tools));
    }
    let choice = request.tool_choice.as_ref().map(|choice| match choice {
        ToolChoice::Auto => json!("auto"),
        ToolChoice::Named(name) => json!({"type": "function", "name": name}),
        ToolChoice::Never => json!("none"),
        ToolChoice::Required => json!("required"),
    });
    set(&mut body, "tool_choice", choice);
    set(&mut body, "parallel_tool_calls", request.parallel_tools);
    if !is_codex {
        set(&mut body, "max_output_tokens", request.max_tokens);
        set(&mut body, "temperature", request.temperature.clone());
        set(&mut body, "top_p", request.top_p.clone());
        set(&mut body, "user", request.user.clone());
    }
    if let Some(reasoning) = request.reasoning.as_ref().filter(|reasoning| reasoning.depth != Depth::Off) {
        let mut written = json!({"effort": reasoning.depth.effort()});
        set(&mut written, "summary", Some("auto").filter(|_| reasoning.is_shown));
        set(&mut body, "reasoning", Some(written));
    }
    let mut text = json!({});
    set(&mut text, "format", request.format.as_ref().map(format));
    set(&mut text, "verbosity", request.verbosity.clone());
    set(&mut body, "text", Some(text).filter(|text| *text != json!({})));
    // Codex answers in pieces only.
    if request.is_streamed || is_codex {
        set(&mut body, "stream", Some(true));
    }
    Ok(body)
}

fn tool(tool: &Tool) -> Value {
    let schema = tool.parameters.clone().unwrap_or_else(|| json!({"type": "object", "properties": {}}));
    // By itself this API is strict; the client's is not.
    let strict = tool.strict.unwrap_or_default();
    let mut written = json!({"type": "function", "name": tool.name, "parameters": schema, "strict": strict});
    set(&mut written, "description", tool.description.clone());
    written
}

fn format(format: &Format) -> Value {
    match format {
        Format::Json => json!({"type": "json_object"}),
        Format::Schema { name, description, schema, strict } => {
            let mut written = json!({"type": "json_schema", "name": name, "schema": schema});
            set(&mut written, "description", description.clone());
            set(&mut written, "strict", *strict);
            written
        }
    }
}

/// The items of a turn: neighbouring words are one message, calls and results items of their own.
fn items(turn: &Turn) -> Vec<Value> {
    let mut items = Vec::new();
    let mut content = Vec::new();
    let role = if turn.role == Role::User { "user" } else { "assistant" };
    let flush = |content: &mut Vec<Value>, items: &mut Vec<Value>| {
        if !content.is_empty() {
            items.push(json!({"type": "message", "role": role, "content": std::mem::take(content)}));
        }
    };
    for part in &turn.parts {
        match part {
            Part::ToolCall(ToolCall { id, name, arguments }) => {
                flush(&mut content, &mut items);
                items.push(
                    json!({"type": "function_call", "call_id": id, "name": name, "arguments": arguments}),
                );
            }
            Part::ToolResult { id, parts, .. } => {
                flush(&mut content, &mut items);
                let output = match parts.as_slice() {
                    [] => json!(""),
                    [Part::Text(text)] => json!(text),
                    several => several.iter().filter_map(|part| shown(part, Role::User)).collect(),
                };
                items.push(json!({"type": "function_call_output", "call_id": id, "output": output}));
            }
            part => content.extend(shown(part, turn.role)),
        }
    }
    flush(&mut content, &mut items);
    items
}

fn shown(part: &Part, role: Role) -> Option<Value> {
    match part {
        Part::Text(text) if role == Role::Assistant => {
            Some(json!({"type": "output_text", "text": text, "annotations": []}))
        }
        Part::Text(text) => Some(json!({"type": "input_text", "text": text})),
        Part::Image(Image { source, detail }) => {
            let detail = detail.as_deref().unwrap_or("auto");
            Some(json!({"type": "input_image", "image_url": source.to_url(), "detail": detail}))
        }
        Part::Document(Document { source, name }) => {
            let name = name.as_deref().unwrap_or("document.pdf");
            Some(match source {
                super::neutral::Source::Url(url) => json!({"type": "input_file", "file_url": url}),
                inline @ super::neutral::Source::Inline { .. } => {
                    json!({"type": "input_file", "filename": name, "file_data": inline.to_url()})
                }
            })
        }
        Part::Thinking { .. } | Part::ToolCall(_) | Part::ToolResult { .. } => None,
    }
}

/// Reads an answer.
pub(super) fn read(answer: &Value) -> Result<Reply, Malformed> {
    let output = answer.get("output").and_then(Value::as_array).ok_or(Malformed("it has no output"))?;
    let mut parts = Vec::new();
    let mut is_refused = false;
    for item in output {
        match text_of(item, "type") {
            "message" => {
                for content in item["content"].as_array().map(Vec::as_slice).unwrap_or_default() {
                    is_refused |= text_of(content, "type") == "refusal";
                    let name = if text_of(content, "type") == "refusal" { "refusal" } else { "text" };
                    parts.push(Part::Text(text_of(content, name).to_owned()));
                }
            }
            "function_call" => parts.push(Part::ToolCall(ToolCall {
                id: text_of(item, "call_id").to_owned(),
                name: text_of(item, "name").to_owned(),
                arguments: text_of(item, "arguments").to_owned(),
            })),
            "reasoning" => {
                let summary = item["summary"].as_array().map(Vec::as_slice).unwrap_or_default();
                let text: Vec<_> = summary.iter().map(|piece| text_of(piece, "text")).collect();
                if !text.is_empty() {
                    parts.push(Part::Thinking { text: text.join("\n\n"), signature: None });
                }
            }
            _ => return Err(Malformed("it holds what has no place in the client's API")),
        }
    }
    let has_calls = parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
    Ok(Reply {
        id: text_of(answer, "id").to_owned(),
        model: text_of(answer, "model").to_owned(),
        stop: if is_refused { Stop::Refusal } else { stop_of(answer, has_calls) },
        usage: usage_of(answer),
        parts,
    })
}

fn stop_of(response: &Value, has_calls: bool) -> Stop {
    match response.pointer("/incomplete_details/reason").and_then(Value::as_str) {
        Some("content_filter") => Stop::Refusal,
        Some(_) => Stop::Length,
        None if has_calls => Stop::ToolUse,
        None => Stop::End,
    }
}

fn usage_of(response: &Value) -> Usage {
    let usage = response.get("usage").unwrap_or(&Value::Null);
    Usage {
        input: count_of(usage, "/input_tokens"),
        cached: count_of(usage, "/input_tokens_details/cached_tokens"),
        cache_written: 0,
        output: count_of(usage, "/output_tokens"),
        reasoning: usage.pointer("/output_tokens_details/reasoning_tokens").and_then(Value::as_u64),
    }
}

/// Reads a stream.
#[derive(Clone, Debug, Default)]
pub(super) struct Incoming {
    /// The place of each call in the output, and whether arguments of it have come.
    calls: Vec<(u64, bool)>,
    is_refused: bool,
}

impl Incoming {
    pub(super) fn read(&mut self, data: &[u8], events: &mut Vec<Event>) -> Result<(), Malformed> {
        // What the reference ends its own streams with.
        if data == b"[DONE]" {
            return Ok(());
        }
        let event: Value = serde_json::from_slice(data).map_err(|_| Malformed("an event is no JSON"))?;
        let place = count_of(&event, "/output_index");
        let response = event.get("response").unwrap_or(&Value::Null);
        match text_of(&event, "type") {
            "response.created" => {
                let (id, model) = (text_of(response, "id").to_owned(), text_of(response, "model").to_owned());
                events.push(Event::Start { id, model });
            }
            "response.output_text.delta" => events.push(Event::Text(text_of(&event, "delta").to_owned())),
            "response.refusal.delta" => {
                self.is_refused = true;
                events.push(Event::Text(text_of(&event, "delta").to_owned()));
            }
            "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" => {
                events.push(Event::Thinking(text_of(&event, "delta").to_owned()));
            }
            "response.reasoning_summary_part.added" if count_of(&event, "/summary_index") > 0 => {
                events.push(Event::Thinking("\n\n".to_owned()));
            }
            "response.output_item.added" => {
                let item = event.get("item").unwrap_or(&Value::Null);
                match text_of(item, "type") {
                    "function_call" => {
                        let (id, name) =
                            (text_of(item, "call_id").to_owned(), text_of(item, "name").to_owned());
                        events.push(Event::ToolStart { at: self.calls.len(), id, name });
                        self.calls.push((place, false));
                    }
                    "message" | "reasoning" => {}
                    _ => return Err(Malformed("it holds what has no place in the client's API")),
                }
            }
            "response.function_call_arguments.delta" => {
                let piece = text_of(&event, "delta").to_owned();
                self.arguments(place, piece, events).ok_or(Malformed("arguments came without a call"))?;
            }
            "response.output_item.done" => {
                let item = event.get("item").unwrap_or(&Value::Null);
                let is_silent = self.calls.iter().any(|(known, told)| *known == place && !told);
                if is_silent {
                    self.arguments(place, text_of(item, "arguments").to_owned(), events);
                }
            }
            "response.completed" | "response.incomplete" | "response.done" => {
                let stop = stop_of(response, !self.calls.is_empty());
                events.push(Event::Usage(usage_of(response)));
                events.push(Event::Stop(if self.is_refused { Stop::Refusal } else { stop }));
                events.push(Event::End);
            }
            "response.failed" => events.push(Event::Failed(trouble(&response["error"]))),
            "error" => {
                let inner = event.get("error").filter(|error| error.is_object());
                events.push(Event::Failed(trouble(inner.unwrap_or(&event))));
            }
            _ => {}
        }
        Ok(())
    }

    fn arguments(&mut self, place: u64, piece: String, events: &mut Vec<Event>) -> Option<()> {
        let at = self.calls.iter().position(|(known, _)| *known == place)?;
        if !piece.is_empty() {
            self.calls[at].1 = true;
            events.push(Event::ToolArguments { at, piece });
        }
        Some(())
    }
}

/// The whole answer of a stream, as this API would have given it. Codex ends with an answer whose output may be empty.
pub(super) fn gather(stream: &[u8]) -> Result<Value, Trouble> {
    let mut parser = sse::Parser::default();
    let mut items = Vec::new();
    let mut ended: Option<Result<Value, Trouble>> = None;
    let mut each = |data: &[u8]| {
        let mut event: Value = serde_json::from_slice(data).unwrap_or_default();
        match text_of(&event, "type") {
            "response.output_item.done" => {
                items.push(event.get_mut("item").map(Value::take).unwrap_or_default());
            }
            "response.completed" | "response.done" | "response.incomplete" => {
                ended = Some(Ok(event.get_mut("response").map(Value::take).unwrap_or_default()));
            }
            "response.failed" => ended = Some(Err(trouble(&event["response"]["error"]))),
            "error" => {
                let inner = event.get("error").filter(|error| error.is_object());
                ended = Some(Err(trouble(inner.unwrap_or(&event))));
            }
            _ => {}
        }
    };
    let is_parsed = parser.push(stream, &mut each).is_ok();
    parser.end(&mut each);
    let broken = || Trouble {
        kind: "api_error".to_owned(),
        message: "the provider's stream failed: it broke off".to_owned(),
    };
    let mut answer = ended.filter(|_| is_parsed).ok_or_else(broken)??;
    let has_output = answer.get("output").and_then(Value::as_array).is_some_and(|output| !output.is_empty());
    if !has_output {
        set(&mut answer, "output", Some(items));
    }
    Ok(answer)
}
