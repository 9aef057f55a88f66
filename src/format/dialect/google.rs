//! Google's `generateContent`: requests to it and answers of it.
//!
//! Source: the API reference of Gemini, "Generating content", "Function calling", "Thought signatures".

use serde_json::{Map, Value, json};

use super::fields::{At, Refused, count_of, set, text_of};
use super::neutral::{
    Depth, Document, Event, Format, Image, Part, Reply, Request, Role, Source, Stop, ToolCall, ToolChoice,
    Trouble, Turn, Usage, words,
};
use super::{GOOGLE_SEAL, Malformed, Target, arguments};

/// What stands for the seal on a call that another model has made. Source: "Thought signatures", on migrated histories.
const NO_SEAL: &str = "skip_thought_signature_validator";

/// Writes a request. Model and streaming are in the address.
pub(super) fn write(request: &Request, target: &Target<'_>) -> Result<Value, Refused> {
    let mut contents = Vec::new();
    for turn in &request.turns {
        contents.push(content(turn, request, target)?);
    }
    let mut body = json!({"contents": contents});
    let system = request.system.join("\n\n");
    if !system.is_empty() {
        set(&mut body, "systemInstruction", Some(json!({"parts": [{"text": system}]})));
    }
    if !request.tools.is_empty() {
        let declarations: Vec<_> = request
            .tools
            .iter()
            .map(|tool| {
                let mut written = json!({"name": tool.name});
                set(&mut written, "description", tool.description.clone());
                set(&mut written, "parametersJsonSchema", tool.parameters.clone());
                written
            })
            .collect();
        set(&mut body, "tools", Some(json!([{"functionDeclarations": declarations}])));
    }
    let choice = request.tool_choice.as_ref().map(|choice| match choice {
        ToolChoice::Auto => json!({"mode": "AUTO"}),
        ToolChoice::Named(name) => json!({"mode": "ANY", "allowedFunctionNames": [name]}),
        ToolChoice::Never => json!({"mode": "NONE"}),
        ToolChoice::Required => json!({"mode": "ANY"}),
    });
    let has_tools = !request.tools.is_empty();
    let config = choice.filter(|_| has_tools).map(|choice| json!({"functionCallingConfig": choice}));
    set(&mut body, "toolConfig", config);
    let generation = generation(request)?;
    set(&mut body, "generationConfig", Some(generation).filter(|config| *config != json!({})));
    Ok(body)
}

fn generation(request: &Request) -> Result<Value, Refused> {
    let mut config = json!({});
    set(&mut config, "maxOutputTokens", request.max_tokens);
    set(&mut config, "temperature", request.temperature.clone());
    set(&mut config, "topP", request.top_p.clone());
    set(&mut config, "topK", request.top_k);
    set(&mut config, "seed", request.seed);
    set(&mut config, "frequencyPenalty", request.frequency_penalty.clone());
    set(&mut config, "presencePenalty", request.presence_penalty.clone());
    if request.stop.len() > 5 {
        return Err(At::Top.member("stop").refused("has more than the five texts that this provider takes"));
    }
    set(&mut config, "stopSequences", Some(request.stop.clone()).filter(|stop| !stop.is_empty()));
    match request.format.as_ref() {
        None => {}
        Some(Format::Json) => set(&mut config, "responseMimeType", Some("application/json")),
        Some(Format::Schema { schema, .. }) => {
            set(&mut config, "responseMimeType", Some("application/json"));
            set(&mut config, "responseJsonSchema", Some(schema.clone()));
        }
    }
    if let Some(reasoning) = &request.reasoning {
        let mut thinking = json!({});
        set(&mut thinking, "thinkingBudget", reasoning.depth.budget());
        let is_shown = reasoning.is_shown && reasoning.depth != Depth::Off;
        set(&mut thinking, "includeThoughts", Some(true).filter(|_| is_shown));
        set(&mut config, "thinkingConfig", Some(thinking).filter(|thinking| *thinking != json!({})));
    }
    Ok(config)
}

fn content(turn: &Turn, request: &Request, target: &Target<'_>) -> Result<Value, Refused> {
    let mut parts = Vec::new();
    let mut seal: Option<&str> = None;
    let mut is_first_call = true;
    for part in &turn.parts {
        match part {
            Part::Thinking { signature, .. } => {
                seal = signature.as_deref().and_then(|signature| signature.strip_prefix(GOOGLE_SEAL));
            }
            Part::ToolCall(ToolCall { name, arguments: text, .. }) => {
                let mut written = json!({"functionCall": {"name": name, "args": arguments(text)}});
                // These models refuse a call whose seal is lost; only the first of a turn has one.
                let lost = is_first_call && target.model.contains("gemini-3");
                let seal = seal.take().or(Some(NO_SEAL).filter(|_| lost));
                set(&mut written, "thoughtSignature", seal);
                is_first_call = false;
                parts.push(written);
            }
            Part::ToolResult { id, parts: found, is_error } => {
                let name = function_of(id, request)?;
                let key = if *is_error { "error" } else { "output" };
                let response = json!({key: words(found, "\n")});
                parts.push(json!({"functionResponse": {"name": name, "response": response}}));
                parts.extend(found.iter().filter(|part| !matches!(part, Part::Text(_))).filter_map(shown));
            }
            part => parts.extend(shown(part)),
        }
    }
    Ok(json!({"role": if turn.role == Role::User { "user" } else { "model" }, "parts": parts}))
}

/// The function of a call: this API knows results by it.
fn function_of<'r>(id: &str, request: &'r Request) -> Result<&'r str, Refused> {
    let parts = request.turns.iter().flat_map(|turn| &turn.parts);
    let mut calls = parts.filter_map(|part| match part {
        Part::ToolCall(call) if call.id == id => Some(call.name.as_str()),
        _ => None,
    });
    let refused = || At::Top.member("messages").refused("hold the result of a call that is not among them");
    calls.next().ok_or_else(refused)
}

fn shown(part: &Part) -> Option<Value> {
    let of_source = |source: &Source| match source {
        Source::Inline { media_type, data } => json!({"inlineData": {"mimeType": media_type, "data": data}}),
        Source::Url(url) => {
            let mut file = json!({"fileUri": url});
            set(&mut file, "mimeType", media_type_of(url));
            json!({"fileData": file})
        }
    };
    match part {
        Part::Text(text) => Some(json!({"text": text})),
        Part::Image(Image { source, .. }) | Part::Document(Document { source, .. }) => {
            Some(of_source(source))
        }
        Part::Thinking { .. } | Part::ToolCall(_) | Part::ToolResult { .. } => None,
    }
}

fn media_type_of(url: &str) -> Option<&'static str> {
    let path = url.split(['?', '#']).next().unwrap_or_default().to_ascii_lowercase();
    let (_, extension) = path.rsplit_once('.')?;
    match extension {
        "gif" => Some("image/gif"),
        "jpeg" | "jpg" => Some("image/jpeg"),
        "pdf" => Some("application/pdf"),
        "png" => Some("image/png"),
        "webp" => Some("image/webp"),
        _ => None,
    }
}

/// Reads an answer: a stream of one piece.
pub(super) fn read(answer: &Value) -> Result<Reply, Malformed> {
    let mut incoming = Incoming::default();
    let mut events = Vec::new();
    incoming.take(answer, &mut events)?;
    if !incoming.is_whole() {
        return Err(Malformed("it does not say why it ends"));
    }
    let mut collected = super::collect::Collector::default();
    for event in events {
        collected.take(event);
    }
    Ok(collected.reply())
}

fn usage_of(answer: &Value) -> Option<Usage> {
    let usage = answer.get("usageMetadata")?;
    let thoughts = usage.get("thoughtsTokenCount").and_then(Value::as_u64);
    Some(Usage {
        input: count_of(usage, "/promptTokenCount") + count_of(usage, "/toolUsePromptTokenCount"),
        cached: count_of(usage, "/cachedContentTokenCount"),
        cache_written: 0,
        output: count_of(usage, "/candidatesTokenCount") + thoughts.unwrap_or_default(),
        reasoning: thoughts,
    })
}

/// Reads a stream.
#[derive(Clone, Debug, Default)]
pub(super) struct Incoming {
    id: Option<String>,
    calls: usize,
    has_stopped: bool,
}

impl Incoming {
    pub(super) fn read(&mut self, data: &[u8], events: &mut Vec<Event>) -> Result<(), Malformed> {
        let answer: Value = serde_json::from_slice(data).map_err(|_| Malformed("an event is no JSON"))?;
        self.take(&answer, events)
    }

    /// Whether a stream that ends here is whole: this API has no last event.
    pub(super) fn is_whole(&self) -> bool {
        self.has_stopped
    }

    fn take(&mut self, answer: &Value, events: &mut Vec<Event>) -> Result<(), Malformed> {
        if let Some(error) = answer.get("error") {
            events.push(Event::Failed(trouble(error)));
            return Ok(());
        }
        if self.id.is_none() {
            let id = text_of(answer, "responseId").to_owned();
            events.push(Event::Start { id: id.clone(), model: text_of(answer, "modelVersion").to_owned() });
            self.id = Some(id);
        }
        let candidate = answer.pointer("/candidates/0").unwrap_or(&Value::Null);
        let parts = candidate.pointer("/content/parts").and_then(Value::as_array);
        for part in parts.map(Vec::as_slice).unwrap_or_default() {
            self.part(part, events)?;
        }
        events.extend(usage_of(answer).map(Event::Usage));
        let blocked = answer.pointer("/promptFeedback/blockReason").and_then(Value::as_str);
        let reason = text_of(candidate, "finishReason");
        if (blocked.is_some() || !reason.is_empty()) && !self.has_stopped {
            self.has_stopped = true;
            events.push(Event::Stop(match reason {
                _ if blocked.is_some() => Stop::Refusal,
                "MAX_TOKENS" => Stop::Length,
                "STOP" if self.calls > 0 => Stop::ToolUse,
                "STOP" => Stop::End,
                "MALFORMED_FUNCTION_CALL" | "UNEXPECTED_TOOL_CALL" => {
                    return Err(Malformed("the model made a call that is none"));
                }
                _ => Stop::Refusal,
            }));
        }
        Ok(())
    }

    fn part(&mut self, part: &Value, events: &mut Vec<Event>) -> Result<(), Malformed> {
        if let Some(call) = part.get("functionCall") {
            if let Some(seal) = part.get("thoughtSignature").and_then(Value::as_str) {
                events.push(Event::Signature(format!("{GOOGLE_SEAL}{seal}")));
            }
            let at = self.calls;
            self.calls += 1;
            let arguments = call.get("args").cloned().unwrap_or_else(|| Value::Object(Map::new()));
            events.push(Event::ToolStart {
                at,
                id: self.call_id(call),
                name: text_of(call, "name").to_owned(),
            });
            events.push(Event::ToolArguments { at, piece: arguments.to_string() });
            return Ok(());
        }
        match part.get("text").and_then(Value::as_str) {
            Some("") => {}
            Some(text) if part.get("thought") == Some(&Value::Bool(true)) => {
                events.push(Event::Thinking(text.to_owned()));
            }
            Some(text) => events.push(Event::Text(text.to_owned())),
            // A seal may come alone at the end.
            None if part.get("thoughtSignature").is_some() => {}
            None => return Err(Malformed("it holds what has no place in the client's API")),
        }
        Ok(())
    }

    /// Calls have no id here as a rule; clients want one that does not come twice.
    fn call_id(&self, call: &Value) -> String {
        let own = text_of(call, "id");
        if !own.is_empty() {
            return own.to_owned();
        }
        let answer = self.id.as_deref().unwrap_or_default();
        let answer: String = answer.chars().filter(char::is_ascii_alphanumeric).take(24).collect();
        format!("call_{answer}_{}", self.calls)
    }
}

/// What an error says.
pub(super) fn trouble(error: &Value) -> Trouble {
    let kind = match text_of(error, "status") {
        "INVALID_ARGUMENT" | "FAILED_PRECONDITION" => "invalid_request_error",
        "UNAUTHENTICATED" => "authentication_error",
        "PERMISSION_DENIED" => "permission_error",
        "NOT_FOUND" => "not_found_error",
        "RESOURCE_EXHAUSTED" => "rate_limit_error",
        "UNAVAILABLE" => "overloaded_error",
        "DEADLINE_EXCEEDED" => "timeout_error",
        _ => "api_error",
    };
    Trouble { kind: kind.to_owned(), message: text_of(error, "message").to_owned() }
}
