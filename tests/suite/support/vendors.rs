//! The APIs of models, played as their references document them: who asks wrongly is refused in the API's words, and what
//! is said decides about the answer.
//!
//! - `weather`, with tools at hand: two calls; with what they found: a sentence about it.
//! - a picture: what it is. `fail 429`: that status. `break off`: a stream without its end.
//! - anything else: what was said, and as whom.

use serde_json::{Value, json};

use super::provider::{Reply, Seen};

/// What a request comes to.
#[derive(Default)]
struct Heard {
    system: String,
    text: String,
    pictures: Vec<String>,
    found: Vec<String>,
    has_tools: bool,
    thinks: bool,
    is_streamed: bool,
}

struct Said {
    thought: Option<&'static str>,
    text: String,
    /// Ids and cities.
    calls: Vec<(&'static str, &'static str)>,
}

impl Heard {
    fn answer(&self) -> Said {
        let thought = self.thinks.then_some("Let me think.");
        let mut said = Said { thought, text: String::new(), calls: Vec::new() };
        if !self.found.is_empty() {
            said.text = format!("It is {}.", self.found.join(" and "));
        } else if self.has_tools && self.text.contains("weather") {
            "I look.".clone_into(&mut said.text);
            said.calls = vec![("call_1", "Paris"), ("call_2", "Rome")];
        } else if !self.pictures.is_empty() {
            said.text = format!("I see {}.", self.pictures.join(" and "));
        } else {
            said.text = format!("You said {} to {}.", self.text, self.system);
        }
        said
    }

    /// The status that is asked for.
    fn failure(&self) -> Option<u16> {
        self.text.strip_prefix("fail ")?.parse().ok()
    }
}

/// Answers as the API at a path does.
pub(crate) fn answer(seen: &Seen) -> Option<Reply> {
    let body: Value = serde_json::from_str(&seen.body).unwrap_or_default();
    let (answered, is_streamed, text) = match seen.path.as_str() {
        "/v1/messages" => anthropic(seen, &body),
        "/v1/messages/count_tokens" => return Some(Reply::json(200, json!({"input_tokens": 11}))),
        "/v1/chat/completions" => completions(seen, &body),
        "/v1/responses" => responses(seen, &body, false),
        "/backend-api/codex/responses" => responses(seen, &body, true),
        path if path.starts_with("/v1beta/models/") => google(seen, &body),
        _ => return None,
    };
    Some(match answered {
        Err(refused) => refused,
        Ok(answer) if !is_streamed => Reply::json(200, answer),
        Ok(events) => {
            let mut events = events.as_array().unwrap().clone();
            if text.contains("break off") {
                events.truncate(events.len() / 2);
            }
            let is_named = !seen.path.starts_with("/v1/chat") && !seen.path.starts_with("/v1beta");
            let mut stream = String::new();
            for event in events {
                if let (true, Some(name)) = (is_named, event["type"].as_str()) {
                    stream.extend(["event: ", name, "\n"]);
                }
                let data = event.as_str().map_or_else(|| event.to_string(), str::to_owned);
                stream.extend(["data: ", &data, "\n\n"]);
            }
            Reply::text(200, &stream).header("content-type", "text/event-stream")
        }
    })
}

type Answered = (Result<Value, Reply>, bool, String);

fn unknown<'b>(body: &'b Value, known: &[&str]) -> Option<&'b str> {
    body.as_object()?.keys().map(String::as_str).find(|name| !known.contains(name))
}

fn pieces(text: &str) -> Vec<String> {
    let letters: Vec<char> = text.chars().collect();
    letters.chunks(5).map(|piece| piece.iter().collect()).collect()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(
        || list(value).iter().filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().join(" "),
        str::to_owned,
    )
}

fn anthropic(seen: &Seen, body: &Value) -> Answered {
    let refuse = |status: u16, kind: &str, message: &str| {
        let error = json!({"type": "error", "error": {"type": kind, "message": message}});
        Err(Reply::json(status, error).header("request-id", "req_1"))
    };
    let wrong = |message: &str| (refuse(400, "invalid_request_error", message), false, String::new());
    let has_key = seen.headers.get("x-api-key").is_some_and(|key| key == "sk-ant-key-0123456789");
    if !has_key || seen.headers.contains_key("authorization") {
        return (refuse(401, "authentication_error", "invalid x-api-key"), false, String::new());
    }
    if !seen.headers.contains_key("anthropic-version") {
        return wrong("anthropic-version: header is required");
    }
    let known = [
        "model",
        "max_tokens",
        "messages",
        "system",
        "tools",
        "tool_choice",
        "temperature",
        "top_p",
        "top_k",
        "stop_sequences",
        "metadata",
        "stream",
        "thinking",
        "output_config",
        "service_tier",
    ];
    if let Some(name) = unknown(body, &known) {
        return wrong(&format!("{name}: Extra inputs are not permitted"));
    }
    if body["max_tokens"].as_u64().is_none() {
        return wrong("max_tokens: Field required");
    }
    let last = &list(&body["messages"]).last().cloned().unwrap_or_default()["content"];
    let mut heard = Heard {
        system: text_of(&body["system"]),
        text: text_of(last),
        has_tools: !list(&body["tools"]).is_empty(),
        thinks: body["thinking"]["type"] == "enabled",
        is_streamed: body["stream"] == true,
        ..Heard::default()
    };
    for block in list(last) {
        match block["type"].as_str().unwrap_or_default() {
            "image" if block["source"]["type"] == "url" => {
                heard.pictures.push(text_of(&block["source"]["url"]));
            }
            "image" => heard.pictures.push(text_of(&block["source"]["media_type"])),
            "tool_result" => heard.found.push(text_of(&block["content"])),
            _ => {}
        }
    }
    if let Some(status) = heard.failure() {
        let kind = match status {
            429 => "rate_limit_error",
            529 => "overloaded_error",
            401 => "authentication_error",
            400 => "invalid_request_error",
            _ => "api_error",
        };
        return (refuse(status, kind, "as you wish"), false, String::new());
    }
    let said = heard.answer();
    let mut blocks = Vec::new();
    blocks
        .extend(said.thought.map(|text| json!({"type": "thinking", "thinking": text, "signature": "c2ln"})));
    blocks.push(json!({"type": "text", "text": said.text}));
    for (id, city) in &said.calls {
        blocks.push(json!({"type": "tool_use", "id": id, "name": "weather", "input": {"city": city}}));
    }
    let reason = if said.calls.is_empty() { "end_turn" } else { "tool_use" };
    let message = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": body["model"], "content": blocks,
        "stop_reason": reason, "stop_sequence": null,
        "usage": {"input_tokens": 8, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 3, "output_tokens": 7}});
    if !heard.is_streamed {
        return (Ok(message), false, heard.text);
    }
    (Ok(anthropic_events(message, &blocks, &said.text)), true, heard.text)
}

fn anthropic_events(mut message: Value, blocks: &[Value], text: &str) -> Value {
    let reason = message["stop_reason"].take();
    message["content"] = json!([]);
    message["usage"]["output_tokens"] = json!(1);
    let mut events = vec![json!({"type": "message_start", "message": message}), json!({"type": "ping"})];
    for (index, block) in blocks.iter().enumerate() {
        let delta = |delta: Value| json!({"type": "content_block_delta", "index": index, "delta": delta});
        let (empty, deltas): (Value, Vec<Value>) = match block["type"].as_str().unwrap() {
            "text" => (
                json!({"type": "text", "text": ""}),
                pieces(text)
                    .iter()
                    .map(|piece| delta(json!({"type": "text_delta", "text": piece})))
                    .collect(),
            ),
            "thinking" => (
                json!({"type": "thinking", "thinking": "", "signature": ""}),
                vec![
                    delta(json!({"type": "thinking_delta", "thinking": block["thinking"]})),
                    delta(json!({"type": "signature_delta", "signature": "c2ln"})),
                ],
            ),
            _ => (
                json!({"type": "tool_use", "id": block["id"], "name": "weather", "input": {}}),
                pieces(&block["input"].to_string())
                    .iter()
                    .map(|piece| delta(json!({"type": "input_json_delta", "partial_json": piece})))
                    .collect(),
            ),
        };
        events.push(json!({"type": "content_block_start", "index": index, "content_block": empty}));
        events.extend(deltas);
        events.push(json!({"type": "content_block_stop", "index": index}));
    }
    events.push(json!({"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": null}, "usage": {"output_tokens": 7}}));
    events.push(json!({"type": "message_stop"}));
    events.into()
}

fn openai_refusal(status: u16, message: &str) -> Reply {
    let (kind, code) = match status {
        401 => ("invalid_request_error", json!("invalid_api_key")),
        429 => ("requests", json!("rate_limit_exceeded")),
        400 => ("invalid_request_error", Value::Null),
        _ => ("server_error", Value::Null),
    };
    Reply::json(status, json!({"error": {"message": message, "type": kind, "param": null, "code": code}}))
}

fn completions(seen: &Seen, body: &Value) -> Answered {
    let refuse = |status: u16, message: &str| (Err(openai_refusal(status, message)), false, String::new());
    if seen.headers.get("authorization").is_none_or(|shown| shown != "Bearer sk-key-0123456789abcdef") {
        return refuse(401, "Incorrect API key provided");
    }
    let known = [
        "model",
        "messages",
        "max_completion_tokens",
        "max_tokens",
        "temperature",
        "top_p",
        "stop",
        "stream",
        "stream_options",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "reasoning_effort",
        "response_format",
        "user",
        "n",
        "seed",
    ];
    if let Some(name) = unknown(body, &known) {
        return refuse(400, &format!("Unrecognized request argument supplied: {name}"));
    }
    let messages = list(&body["messages"]);
    let mut heard = Heard {
        has_tools: !list(&body["tools"]).is_empty(),
        thinks: body.get("reasoning_effort").is_some(),
        is_streamed: body["stream"] == true,
        ..Heard::default()
    };
    for message in messages {
        match message["role"].as_str().unwrap_or_default() {
            "system" | "developer" => heard.system = text_of(&message["content"]),
            "user" => {
                heard.text = text_of(&message["content"]);
                heard.found.clear();
                for part in list(&message["content"]).iter().filter(|part| part["type"] == "image_url") {
                    let url = text_of(&part["image_url"]["url"]);
                    let shown = url.strip_prefix("data:").and_then(|rest| rest.split(';').next());
                    heard.pictures.push(shown.unwrap_or(&url).to_owned());
                }
            }
            "tool" => heard.found.push(text_of(&message["content"])),
            _ => {}
        }
    }
    if let Some(status) = heard.failure() {
        return refuse(status, "as you wish");
    }
    let said = heard.answer();
    let call = |(id, city): &(&str, &str)| json!({"id": id, "type": "function", "function": {"name": "weather", "arguments": json!({"city": city}).to_string()}});
    let reason = if said.calls.is_empty() { "stop" } else { "tool_calls" };
    let usage = json!({"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18, "prompt_tokens_details": {"cached_tokens": 3}});
    if !heard.is_streamed {
        let mut message = json!({"role": "assistant", "content": said.text, "refusal": null});
        if let Some(thought) = said.thought {
            message["reasoning_content"] = json!(thought);
        }
        if !said.calls.is_empty() {
            message["tool_calls"] = said.calls.iter().map(call).collect();
        }
        let answer = json!({"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": body["model"],
            "choices": [{"index": 0, "message": message, "logprobs": null, "finish_reason": reason}], "usage": usage});
        return (Ok(answer), false, heard.text);
    }
    let chunk = |delta: Value, reason: Value| {
        json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": body["model"],
            "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]})
    };
    let mut events = vec![chunk(json!({"role": "assistant", "content": ""}), Value::Null)];
    events.extend(said.thought.map(|thought| chunk(json!({"reasoning_content": thought}), Value::Null)));
    events.extend(pieces(&said.text).iter().map(|piece| chunk(json!({"content": piece}), Value::Null)));
    for (index, (id, city)) in said.calls.iter().enumerate() {
        let start = json!({"index": index, "id": id, "type": "function", "function": {"name": "weather", "arguments": ""}});
        events.push(chunk(json!({"tool_calls": [start]}), Value::Null));
        for piece in pieces(&json!({"city": city}).to_string()) {
            let more = json!({"index": index, "function": {"arguments": piece}});
            events.push(chunk(json!({"tool_calls": [more]}), Value::Null));
        }
    }
    events.push(chunk(json!({}), json!(reason)));
    if body["stream_options"]["include_usage"] == true {
        events.push(json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": body["model"], "choices": [], "usage": usage}));
    }
    events.push(json!("[DONE]"));
    (Ok(events.into()), true, heard.text)
}

fn responses(seen: &Seen, body: &Value, is_codex: bool) -> Answered {
    let refuse = |status: u16, message: &str| {
        let codex = Reply::json(status, json!({"detail": message}));
        (Err(if is_codex { codex } else { openai_refusal(status, message) }), false, String::new())
    };
    let bearer = if is_codex { "Bearer codex-access-0123456789" } else { "Bearer sk-key-0123456789abcdef" };
    if seen.headers.get("authorization").is_none_or(|shown| shown != bearer) {
        return refuse(401, "Incorrect API key provided");
    }
    let mut known = vec![
        "model",
        "input",
        "instructions",
        "stream",
        "store",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "reasoning",
        "text",
        "include",
        "prompt_cache_key",
    ];
    if is_codex {
        let has = |name: &str, value: &str| seen.headers.get(name).is_some_and(|told| told == value);
        if !has("chatgpt-account-id", "acc-1") || !has("openai-beta", "responses=experimental") {
            return refuse(403, "the account is not named");
        }
        if body["stream"] != true || body["store"] != false {
            return refuse(400, "Stream must be set to true, Store must be set to false");
        }
        if !body["instructions"].is_string() {
            return refuse(400, "Instructions are required");
        }
    } else {
        known.extend([
            "max_output_tokens",
            "temperature",
            "top_p",
            "user",
            "metadata",
            "truncation",
            "previous_response_id",
        ]);
    }
    if let Some(name) = unknown(body, &known) {
        return refuse(400, &format!("Unsupported parameter: {name}"));
    }
    let heard = heard_of_responses(body);
    if let Some(status) = heard.failure() {
        return refuse(status, "as you wish");
    }
    let said = heard.answer();
    let mut items = Vec::new();
    items.extend(said.thought.map(|text| json!({"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": text}]})));
    items.push(json!({"type": "message", "id": "msg_1", "status": "completed", "role": "assistant",
        "content": [{"type": "output_text", "text": said.text, "annotations": []}]}));
    for (id, city) in &said.calls {
        items.push(
            json!({"type": "function_call", "id": format!("fc_{id}"), "call_id": id, "name": "weather",
            "arguments": json!({"city": city}).to_string(), "status": "completed"}),
        );
    }
    let response = |status: &str, output: &[Value], usage: Value| {
        json!({"id": "resp_1", "object": "response", "created_at": 1, "status": status, "model": body["model"], "output": output,
            "error": null, "incomplete_details": null, "instructions": null, "metadata": {}, "parallel_tool_calls": true,
            "temperature": 1.0, "top_p": 1.0, "tool_choice": "auto", "tools": [], "usage": usage})
    };
    let usage = json!({"input_tokens": 11, "input_tokens_details": {"cached_tokens": 3}, "output_tokens": 7,
        "output_tokens_details": {"reasoning_tokens": 2}, "total_tokens": 18});
    if !heard.is_streamed {
        return (Ok(response("completed", &items, usage)), false, heard.text);
    }
    let mut events =
        vec![json!({"type": "response.created", "response": response("in_progress", &[], Value::Null)})];
    events.extend(items.iter().enumerate().flat_map(|(place, item)| responses_item(place, item, &said)));
    // Codex does not repeat what it has said.
    let output: &[Value] = if is_codex { &[] } else { &items };
    events.push(json!({"type": "response.completed", "response": response("completed", output, usage)}));
    for (number, event) in events.iter_mut().enumerate() {
        event["sequence_number"] = json!(number);
    }
    (Ok(events.into()), true, heard.text)
}

fn heard_of_responses(body: &Value) -> Heard {
    let mut heard = Heard {
        system: text_of(&body["instructions"]),
        text: body["input"].as_str().unwrap_or_default().to_owned(),
        has_tools: !list(&body["tools"]).is_empty(),
        thinks: body["reasoning"]["summary"] == "auto",
        is_streamed: body["stream"] == true,
        ..Heard::default()
    };
    for item in list(&body["input"]) {
        match item["type"].as_str().unwrap_or("message") {
            "message" if item["role"] == "user" => {
                heard.text = text_of(&item["content"]);
                heard.found.clear();
                for part in list(&item["content"]).iter().filter(|part| part["type"] == "input_image") {
                    let url = text_of(&part["image_url"]);
                    let shown = url.strip_prefix("data:").and_then(|rest| rest.split(';').next());
                    heard.pictures.push(shown.unwrap_or(&url).to_owned());
                }
            }
            "function_call_output" => heard.found.push(text_of(&item["output"])),
            _ => {}
        }
    }
    heard
}

/// The events of one item of the output.
fn responses_item(place: usize, item: &Value, said: &Said) -> Vec<Value> {
    let mut empty = item.clone();
    let mut told = Vec::new();
    match item["type"].as_str().unwrap() {
        "message" => {
            empty["content"] = json!([]);
            let at = |kind: &str| json!({"type": kind, "item_id": "msg_1", "output_index": place, "content_index": 0});
            let mut begun = at("response.content_part.added");
            begun["part"] = json!({"type": "output_text", "text": "", "annotations": []});
            told.push(begun);
            for piece in pieces(&said.text) {
                let mut delta = at("response.output_text.delta");
                delta["delta"] = json!(piece);
                delta["logprobs"] = json!([]);
                told.push(delta);
            }
            let mut done = at("response.output_text.done");
            done["text"] = json!(said.text);
            done["logprobs"] = json!([]);
            told.push(done);
        }
        "reasoning" => {
            empty["summary"] = json!([]);
            told.push(json!({"type": "response.reasoning_summary_text.delta", "item_id": "rs_1", "output_index": place,
                    "summary_index": 0, "delta": said.thought}));
        }
        _ => {
            empty["arguments"] = json!("");
            for piece in pieces(item["arguments"].as_str().unwrap()) {
                told.push(json!({"type": "response.function_call_arguments.delta", "item_id": item["id"], "output_index": place, "delta": piece}));
            }
        }
    }
    let begun = json!({"type": "response.output_item.added", "output_index": place, "item": empty});
    let done = json!({"type": "response.output_item.done", "output_index": place, "item": item});
    std::iter::once(begun).chain(told).chain([done]).collect()
}

fn google(seen: &Seen, body: &Value) -> Answered {
    let refuse = |status: u16, message: &str| {
        let word = match status {
            400 => "INVALID_ARGUMENT",
            403 => "PERMISSION_DENIED",
            429 => "RESOURCE_EXHAUSTED",
            503 => "UNAVAILABLE",
            _ => "INTERNAL",
        };
        let error = json!({"error": {"code": status, "message": message, "status": word}});
        (Err(Reply::json(status, error)), false, String::new())
    };
    if seen.headers.get("x-goog-api-key").is_none_or(|key| key != "AIza-key-0123456789abcdef") {
        return refuse(403, "Method doesn't allow unregistered callers");
    }
    if let Some(name) =
        unknown(body, &["contents", "systemInstruction", "tools", "toolConfig", "generationConfig"])
    {
        return refuse(
            400,
            &format!("Invalid JSON payload received. Unknown name \"{name}\": Cannot find field."),
        );
    }
    let (model, method) = seen.path.trim_start_matches("/v1beta/models/").split_once(':').unwrap();
    let last = list(&body["contents"]).last().cloned().unwrap_or_default();
    let mut heard = Heard {
        system: text_of(&body["systemInstruction"]["parts"]),
        text: text_of(&last["parts"]),
        has_tools: !list(&body["tools"]).is_empty(),
        thinks: body["generationConfig"]["thinkingConfig"]["includeThoughts"] == true,
        is_streamed: method == "streamGenerateContent",
        ..Heard::default()
    };
    for part in list(&last["parts"]) {
        if let Some(inline) = part.get("inlineData") {
            heard.pictures.push(text_of(&inline["mimeType"]));
        }
        if let Some(file) = part.get("fileData") {
            heard.pictures.push(text_of(&file["fileUri"]));
        }
        if let Some(found) = part.get("functionResponse") {
            heard.found.push(text_of(&found["response"]["output"]));
        }
    }
    if let Some(status) = heard.failure() {
        return refuse(status, "as you wish");
    }
    let said = heard.answer();
    let piece = |parts: Value, reason: Value| {
        json!({"responseId": "resp-1", "modelVersion": model,
            "candidates": [{"index": 0, "content": {"role": "model", "parts": parts}, "finishReason": reason}],
            "usageMetadata": {"promptTokenCount": 11, "cachedContentTokenCount": 3, "candidatesTokenCount": 5, "thoughtsTokenCount": 2, "totalTokenCount": 18}})
    };
    let mut calls: Vec<_> = said
        .calls
        .iter()
        .map(|(_, city)| json!({"functionCall": {"name": "weather", "args": {"city": city}}}))
        .collect();
    if let Some(first) = calls.first_mut() {
        first["thoughtSignature"] = json!("c2ln");
    }
    let thought = said.thought.map(|thought| json!({"text": thought, "thought": true}));
    if !heard.is_streamed {
        let parts: Vec<_> = thought.into_iter().chain([json!({"text": said.text})]).chain(calls).collect();
        return (Ok(piece(parts.into(), json!("STOP"))), false, heard.text);
    }
    let mut events: Vec<_> =
        thought.into_iter().map(|thought| piece(json!([thought]), Value::Null)).collect();
    events.extend(pieces(&said.text).iter().map(|text| piece(json!([{"text": text}]), Value::Null)));
    events.push(piece(calls.into(), json!("STOP")));
    (Ok(events.into()), true, heard.text)
}
