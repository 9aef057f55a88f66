//! Translation between the APIs of models: examples of their references, and what must hold for any bytes.

use openclaw::core::upstream::{ApiKind, Surface};
use openclaw::format::dialect::neutral::{
    Event, Part, Reply, Request, Role, Stop, Tool, ToolCall, ToolChoice, Turn, Usage,
};
use openclaw::format::dialect::{self, Collector, Reader, Stream, Target};
use proptest::prelude::*;
use serde_json::{Value, json};

fn target(kind: ApiKind) -> Target<'static> {
    Target { kind, provider: "somebody", model: "m", max_tokens: None }
}

/// A request in the words of a kind.
fn said(surface: Surface, kind: ApiKind, body: &Value) -> Value {
    let translated = dialect::request(surface, body.to_string().as_bytes(), &target(kind)).unwrap();
    serde_json::from_slice(&translated.body).unwrap()
}

fn refused(surface: Surface, kind: ApiKind, body: &Value) -> String {
    let body = body.to_string();
    dialect::request(surface, body.as_bytes(), &target(kind)).unwrap_err().to_string()
}

/// Everything that a request of chat completions may hold.
fn chat() -> Value {
    json!({
        "model": "openclaw",
        "messages": [
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "name": "me", "content": [
                {"type": "text", "text": "What is in this picture, and how is the weather in Paris and Rome?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk=", "detail": "low"}},
                {"type": "image_url", "image_url": {"url": "https://example.com/a.jpg?x=1"}},
                {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,cGRm"}},
            ]},
            {"role": "assistant", "content": null, "refusal": null, "annotations": [], "tool_calls": [
                {"id": "call:1", "type": "function", "function": {"name": "weather", "arguments": "{\"city\":\"Paris\"}"}},
                {"id": "call_2", "type": "function", "function": {"name": "weather", "arguments": "{\"city\":\"Rome\"}"}},
            ]},
            {"role": "tool", "tool_call_id": "call:1", "content": "18 C"},
            {"role": "tool", "tool_call_id": "call_2", "content": [{"type": "text", "text": "25 C"}]},
        ],
        "tools": [{"type": "function", "function": {"name": "weather", "description": "Looks.",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}],
        "tool_choice": "auto",
        "parallel_tool_calls": true,
        "max_completion_tokens": 500,
        "top_p": 0.9,
        "n": 1,
        "user": "u-1",
        "seed": 7,
        "stream": true,
        "stream_options": {"include_usage": true},
    })
}

#[test]
fn chat_completions_are_said_to_anthropic() {
    assert_eq!(
        said(Surface::ChatCompletions, ApiKind::AnthropicMessages, &chat()),
        json!({
            "model": "m", "max_tokens": 500, "system": "Be brief.",
            "messages": [
                {"role": "user", "content": [
                    {"type": "text", "text": "What is in this picture, and how is the weather in Paris and Rome?"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}},
                    {"type": "image", "source": {"type": "url", "url": "https://example.com/a.jpg?x=1"}},
                    {"type": "document", "title": "a.pdf",
                        "source": {"type": "base64", "media_type": "application/pdf", "data": "cGRm"}},
                ]},
                {"role": "assistant", "content": [
                    {"type": "tool_use", "id": "call_1", "name": "weather", "input": {"city": "Paris"}},
                    {"type": "tool_use", "id": "call_2", "name": "weather", "input": {"city": "Rome"}},
                ]},
                {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "call_1", "content": [{"type": "text", "text": "18 C"}]},
                    {"type": "tool_result", "tool_use_id": "call_2", "content": [{"type": "text", "text": "25 C"}]},
                ]},
            ],
            "tools": [{"name": "weather", "description": "Looks.", "input_schema":
                {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}],
            "tool_choice": {"type": "auto", "disable_parallel_tool_use": false},
            "top_p": 0.9, "metadata": {"user_id": "u-1"}, "stream": true,
        })
    );
}

#[test]
fn chat_completions_are_said_to_google() {
    let body = said(Surface::ChatCompletions, ApiKind::GoogleGenerativeAi, &chat());
    assert_eq!(body["systemInstruction"], json!({"parts": [{"text": "Be brief."}]}));
    assert_eq!(
        body["contents"],
        json!([
            {"role": "user", "parts": [
                {"text": "What is in this picture, and how is the weather in Paris and Rome?"},
                {"inlineData": {"mimeType": "image/png", "data": "aGk="}},
                {"fileData": {"mimeType": "image/jpeg", "fileUri": "https://example.com/a.jpg?x=1"}},
                {"inlineData": {"mimeType": "application/pdf", "data": "cGRm"}},
            ]},
            {"role": "model", "parts": [
                {"functionCall": {"name": "weather", "args": {"city": "Paris"}}},
                {"functionCall": {"name": "weather", "args": {"city": "Rome"}}},
            ]},
            {"role": "user", "parts": [
                {"functionResponse": {"name": "weather", "response": {"output": "18 C"}}},
                {"functionResponse": {"name": "weather", "response": {"output": "25 C"}}},
            ]},
        ])
    );
    assert_eq!(body["tools"][0]["functionDeclarations"][0]["parametersJsonSchema"]["type"], "object");
    assert_eq!(body["toolConfig"], json!({"functionCallingConfig": {"mode": "AUTO"}}));
    assert_eq!(body["generationConfig"], json!({"maxOutputTokens": 500, "topP": 0.9, "seed": 7}));
    assert!(body.get("model").is_none() && body.get("stream").is_none());
}

#[test]
fn chat_completions_are_said_to_responses_and_codex() {
    let body = said(Surface::ChatCompletions, ApiKind::OpenaiResponses, &chat());
    assert_eq!(
        body["input"],
        json!([
            {"type": "message", "role": "user", "content": [
                {"type": "input_text", "text": "What is in this picture, and how is the weather in Paris and Rome?"},
                {"type": "input_image", "image_url": "data:image/png;base64,aGk=", "detail": "low"},
                {"type": "input_image", "image_url": "https://example.com/a.jpg?x=1", "detail": "auto"},
                {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,cGRm"},
            ]},
            {"type": "function_call", "call_id": "call:1", "name": "weather", "arguments": "{\"city\":\"Paris\"}"},
            {"type": "function_call", "call_id": "call_2", "name": "weather", "arguments": "{\"city\":\"Rome\"}"},
            {"type": "function_call_output", "call_id": "call:1", "output": "18 C"},
            {"type": "function_call_output", "call_id": "call_2", "output": "25 C"},
        ])
    );
    assert_eq!((body["instructions"].as_str(), body["store"].as_bool()), (Some("Be brief."), Some(false)));
    assert_eq!((body["max_output_tokens"].as_u64(), body["user"].as_str()), (Some(500), Some("u-1")));
    assert_eq!((body["tools"][0]["strict"].as_bool(), body["stream"].as_bool()), (Some(false), Some(true)));
    let mut request = chat();
    request
        .as_object_mut()
        .unwrap()
        .retain(|name, _| !["top_p", "stream", "messages"].contains(&name.as_str()));
    request["messages"] = json!([{"role": "user", "content": "x"}]);
    let body = said(Surface::ChatCompletions, ApiKind::OpenaiCodexResponses, &request);
    assert_eq!((body["instructions"].as_str(), body["stream"].as_bool()), (Some(""), Some(true)));
    assert!(body.get("max_output_tokens").is_none() && body.get("user").is_none());
}

#[test]
fn messages_are_said_to_chat_completions() {
    let request = json!({
        "model": "openclaw", "max_tokens": 300, "temperature": 0.5, "stop_sequences": ["END"], "stream": true,
        "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        "thinking": {"type": "enabled", "budget_tokens": 4000},
        "metadata": {"user_id": "u"},
        "tools": [{"name": "look", "description": "d", "input_schema": {"type": "object"}, "cache_control": {"type": "ephemeral"}}],
        "tool_choice": {"type": "any", "disable_parallel_tool_use": true},
        "messages": [
            {"role": "user", "content": "look"},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "hm", "signature": "sig"},
                {"type": "redacted_thinking", "data": "x"},
                {"type": "text", "text": "I look."},
                {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"a": 1}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "is_error": true, "content": [
                    {"type": "text", "text": "seen"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}},
                ]},
                {"type": "text", "text": "And?", "cache_control": {"type": "ephemeral"}},
            ]},
        ],
    });
    assert_eq!(
        said(Surface::Messages, ApiKind::OpenaiCompletions, &request),
        json!({
            "model": "m",
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "look"},
                {"role": "assistant", "content": "I look.", "tool_calls": [
                    {"id": "toolu_1", "type": "function", "function": {"name": "look", "arguments": "{\"a\":1}"}}]},
                {"role": "tool", "tool_call_id": "toolu_1", "content": "seen"},
                {"role": "user", "content": [
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}},
                    {"type": "text", "text": "And?"},
                ]},
            ],
            "tools": [{"type": "function", "function": {"name": "look", "description": "d", "parameters": {"type": "object"}}}],
            "tool_choice": "required", "parallel_tool_calls": false, "max_completion_tokens": 300,
            "temperature": 0.5, "stop": ["END"], "reasoning_effort": "medium", "user": "u",
            "stream": true, "stream_options": {"include_usage": true},
        })
    );
    let google = said(Surface::Messages, ApiKind::GoogleGenerativeAi, &request);
    assert_eq!(google["contents"][2]["parts"][0]["functionResponse"]["response"], json!({"error": "seen"}));
    assert_eq!(
        google["generationConfig"]["thinkingConfig"],
        json!({"thinkingBudget": 4000, "includeThoughts": true})
    );
    let mistral = Target { provider: "mistral", ..target(ApiKind::OpenaiCompletions) };
    let body = dialect::request(Surface::Messages, request.to_string().as_bytes(), &mistral).unwrap().body;
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((body["max_tokens"].as_u64(), body.get("max_completion_tokens")), (Some(300), None));
}

#[test]
fn limits_thinking_and_forms_are_translated() {
    let chat = |more: Value| {
        let mut body = json!({"messages": [{"role": "user", "content": "x"}]});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let to = |kind, more: Value| said(Surface::ChatCompletions, kind, &chat(more));
    let anthropic = |more: Value| to(ApiKind::AnthropicMessages, more);
    assert_eq!(anthropic(json!({}))["max_tokens"], 32_000);
    assert_eq!(anthropic(json!({"max_tokens": 9}))["max_tokens"], 9);
    assert_eq!(
        anthropic(json!({"reasoning_effort": "high"}))["thinking"],
        json!({"type": "enabled", "budget_tokens": 16_384})
    );
    assert_eq!(
        anthropic(json!({"reasoning_effort": "high", "max_tokens": 2000}))["thinking"]["budget_tokens"],
        1999
    );
    // There is no room for thoughts, or none are wanted.
    for more in [json!({"reasoning_effort": "high", "max_tokens": 500}), json!({"reasoning_effort": "none"})]
    {
        assert_eq!(anthropic(more).get("thinking"), None);
    }
    let schema = json!({"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}, "strict": true}});
    let form = json!({"response_format": schema});
    assert_eq!(
        anthropic(form.clone())["output_config"],
        json!({"format": {"type": "json_schema", "schema": {"type": "object"}}})
    );
    assert_eq!(
        to(ApiKind::GoogleGenerativeAi, form.clone())["generationConfig"]["responseJsonSchema"],
        json!({"type": "object"})
    );
    assert_eq!(
        to(ApiKind::OpenaiResponses, form)["text"]["format"],
        json!({"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": true})
    );
    let haiku = Target { model: "claude-3-haiku-20240307", ..target(ApiKind::AnthropicMessages) };
    let most = |target: &Target<'_>| {
        let body = chat(json!({})).to_string();
        let body = dialect::request(Surface::ChatCompletions, body.as_bytes(), target).unwrap().body;
        serde_json::from_slice::<Value>(&body).unwrap()["max_tokens"].as_u64()
    };
    assert_eq!(most(&haiku), Some(4096));
    assert_eq!(most(&Target { max_tokens: Some(77), ..haiku }), Some(77));
}

#[test]
fn what_cannot_be_said_is_refused_by_name() {
    let messages = json!([{"role": "user", "content": "x"}]);
    let anthropic = ApiKind::AnthropicMessages;
    for (kind, field, value, told) in [
        (anthropic, "n", json!(2), "`n` must be 1 for a model that speaks anthropic-messages"),
        (anthropic, "logprobs", json!(true), "`logprobs` must be false"),
        (anthropic, "temperature", json!(1.5), "`temperature` must be at most 1 for this provider"),
        (anthropic, "temperature", json!("hot"), "`temperature` must be a number from 0 to 2"),
        (
            anthropic,
            "response_format",
            json!({"type": "json_object"}),
            "`response_format` must be text or json_schema",
        ),
        (anthropic, "frequency_penalty", json!(0.5), "`frequency_penalty` must be 0"),
        (anthropic, "top_secret", json!(1), "`top_secret` is not known here"),
        (
            anthropic,
            "functions",
            json!([]),
            "`functions` cannot be asked of a model that speaks anthropic-messages",
        ),
        (anthropic, "tools", json!([{"type": "custom"}]), "`tools[0].type` must be function"),
        (anthropic, "tool_choice", json!("maybe"), "`tool_choice` must be auto"),
        (anthropic, "messages", json!([{"role": "robot"}]), "`messages[0].role` must be"),
        (
            anthropic,
            "messages",
            json!([{"role": "user", "content": [{"type": "input_audio"}]}]),
            "`messages[0].content[0].type` must be",
        ),
        (
            anthropic,
            "messages",
            json!([{"role": "user", "content": "x", "x": 1}]),
            "`messages[0].x` cannot be translated",
        ),
        (anthropic, "messages", json!("x"), "`messages` must be a list"),
        (anthropic, "messages", Value::Null, "`messages` is required"),
        (ApiKind::OpenaiResponses, "stop", json!(["a"]), "`stop` must be []"),
        (ApiKind::OpenaiCodexResponses, "temperature", json!(0.2), "`temperature` must be 1"),
        (
            ApiKind::GoogleGenerativeAi,
            "messages",
            json!([{"role": "tool", "tool_call_id": "t", "content": "x"}]),
            "`messages` hold the result",
        ),
        (ApiKind::GoogleGenerativeAi, "stop", json!(["1", "2", "3", "4", "5", "6"]), "`stop` has more than"),
    ] {
        let mut body = json!({"messages": messages});
        body[field] = value;
        let message = refused(Surface::ChatCompletions, kind, &body);
        assert!(message.starts_with(told), "{message}");
    }
    for (field, value, told) in [
        ("top_k", json!(4), "`top_k` cannot be asked of a model that speaks openai-completions"),
        ("tools", json!([{"type": "web_search_20250305", "name": "w"}]), "`tools[0].type` must be custom"),
        ("container", json!("c"), "`container` cannot be asked"),
        ("stop_sequences", json!(["1", "2", "3", "4", "5"]), "`stop_sequences` has more than"),
    ] {
        let mut body = json!({"messages": messages, "max_tokens": 4});
        body[field] = value;
        let message = refused(Surface::Messages, ApiKind::OpenaiCompletions, &body);
        assert!(message.starts_with(told), "{message}");
    }
    // What changes nothing may be said, and what is left out is told.
    let body = json!({"messages": messages, "n": 1, "logprobs": false, "presence_penalty": 0.0, "top_logprobs": null,
        "store": true, "seed": 3, "prompt_cache_key": "k"});
    let translated =
        dialect::request(Surface::ChatCompletions, body.to_string().as_bytes(), &target(anthropic)).unwrap();
    assert_eq!(translated.dropped, ["store", "seed", "prompt_cache_key"]);
}

fn sse(events: &[Value]) -> String {
    events.iter().flat_map(|event| ["data: ".to_owned(), event.to_string(), "\n\n".to_owned()]).collect()
}

/// The same answer as each kind streams it: a thought, words, two calls, and what it has cost.
fn streamed(kind: ApiKind) -> String {
    match kind {
        ApiKind::AnthropicMessages => sse(&[
            json!({"type": "message_start", "message": {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude",
                "content": [], "stop_reason": null, "usage": {"input_tokens": 10, "cache_read_input_tokens": 4, "output_tokens": 1}}}),
            json!({"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": "", "signature": ""}}),
            json!({"type": "ping"}),
            json!({"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "Hm."}}),
            json!({"type": "content_block_stop", "index": 0}),
            json!({"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}}),
            json!({"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "Grüße"}}),
            json!({"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": " 👋"}}),
            json!({"type": "content_block_stop", "index": 1}),
            json!({"type": "content_block_start", "index": 2, "content_block": {"type": "tool_use", "id": "c1", "name": "look", "input": {}}}),
            json!({"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": ""}}),
            json!({"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": "{\"a\":"}}),
            json!({"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": "1}"}}),
            json!({"type": "content_block_stop", "index": 2}),
            json!({"type": "content_block_start", "index": 3, "content_block": {"type": "tool_use", "id": "c2", "name": "hear", "input": {}}}),
            json!({"type": "content_block_delta", "index": 3, "delta": {"type": "input_json_delta", "partial_json": "{}"}}),
            json!({"type": "content_block_stop", "index": 3}),
            json!({"type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": null}, "usage": {"output_tokens": 9}}),
            json!({"type": "message_stop"}),
        ]),
        ApiKind::OpenaiCompletions => {
            let chunk = |delta: Value, reason: Value| {
                json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt",
                    "choices": [{"index": 0, "delta": delta, "finish_reason": reason}], "usage": null})
            };
            let call = |call: Value| chunk(json!({"tool_calls": [call]}), Value::Null);
            sse(&[
                chunk(json!({"role": "assistant", "content": ""}), Value::Null),
                chunk(json!({"reasoning_content": "Hm."}), Value::Null),
                chunk(json!({"content": "Grüße"}), Value::Null),
                chunk(json!({"content": " 👋"}), Value::Null),
                call(
                    json!({"index": 0, "id": "c1", "type": "function", "function": {"name": "look", "arguments": ""}}),
                ),
                call(json!({"index": 0, "function": {"arguments": "{\"a\":"}})),
                call(json!({"index": 0, "function": {"arguments": "1}"}})),
                call(
                    json!({"index": 1, "id": "c2", "type": "function", "function": {"name": "hear", "arguments": "{}"}}),
                ),
                chunk(json!({}), json!("tool_calls")),
                json!({"id": "chatcmpl-1", "choices": [], "usage": {"prompt_tokens": 14, "completion_tokens": 9, "total_tokens": 23,
                    "prompt_tokens_details": {"cached_tokens": 4}}}),
            ]) + "data: [DONE]\n\n"
        }
        ApiKind::OpenaiCodexResponses | ApiKind::OpenaiResponses => sse(&[
            json!({"type": "response.created", "response": {"id": "resp_1", "model": "gpt", "status": "in_progress", "output": []}}),
            json!({"type": "response.in_progress", "response": {}}),
            json!({"type": "response.output_item.added", "output_index": 0, "item": {"type": "reasoning", "id": "rs_1", "summary": []}}),
            json!({"type": "response.reasoning_summary_part.added", "output_index": 0, "summary_index": 0}),
            json!({"type": "response.reasoning_summary_text.delta", "output_index": 0, "summary_index": 0, "delta": "Hm."}),
            json!({"type": "response.output_item.done", "output_index": 0, "item": {"type": "reasoning", "id": "rs_1",
                "summary": [{"type": "summary_text", "text": "Hm."}]}}),
            json!({"type": "response.output_item.added", "output_index": 1, "item": {"type": "message", "id": "msg_1", "role": "assistant", "content": []}}),
            json!({"type": "response.content_part.added", "output_index": 1, "part": {"type": "output_text", "text": ""}}),
            json!({"type": "response.output_text.delta", "output_index": 1, "delta": "Grüße"}),
            json!({"type": "response.output_text.delta", "output_index": 1, "delta": " 👋"}),
            json!({"type": "response.output_text.done", "output_index": 1, "text": "Grüße 👋"}),
            json!({"type": "response.output_item.done", "output_index": 1, "item": {"type": "message", "role": "assistant",
                "content": [{"type": "output_text", "text": "Grüße 👋", "annotations": []}]}}),
            json!({"type": "response.output_item.added", "output_index": 2, "item": {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "look", "arguments": ""}}),
            json!({"type": "response.function_call_arguments.delta", "output_index": 2, "item_id": "fc_1", "delta": "{\"a\":"}),
            json!({"type": "response.function_call_arguments.delta", "output_index": 2, "item_id": "fc_1", "delta": "1}"}),
            json!({"type": "response.function_call_arguments.done", "output_index": 2, "arguments": "{\"a\":1}"}),
            json!({"type": "response.output_item.done", "output_index": 2, "item": {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{\"a\":1}"}}),
            json!({"type": "response.output_item.added", "output_index": 3, "item": {"type": "function_call", "id": "fc_2", "call_id": "c2", "name": "hear", "arguments": ""}}),
            json!({"type": "response.output_item.done", "output_index": 3, "item": {"type": "function_call", "call_id": "c2", "name": "hear", "arguments": "{}"}}),
            json!({"type": "response.completed", "response": {"id": "resp_1", "model": "gpt", "status": "completed", "output": [],
                "usage": {"input_tokens": 14, "input_tokens_details": {"cached_tokens": 4}, "output_tokens": 9, "total_tokens": 23}}}),
        ]),
        ApiKind::GoogleGenerativeAi => {
            let piece = |parts: Value, reason: Value| {
                json!({"responseId": "g1", "modelVersion": "gemini", "candidates": [{"index": 0, "content": {"role": "model", "parts": parts}, "finishReason": reason}],
                    "usageMetadata": {"promptTokenCount": 14, "cachedContentTokenCount": 4, "candidatesTokenCount": 9, "totalTokenCount": 23}})
            };
            sse(&[
                piece(json!([{"text": "Hm.", "thought": true}]), Value::Null),
                piece(json!([{"text": "Grüße"}]), Value::Null),
                piece(json!([{"text": " 👋"}]), Value::Null),
                piece(
                    json!([{"functionCall": {"id": "c1", "name": "look", "args": {"a": 1}}}, {"functionCall": {"id": "c2", "name": "hear"}}]),
                    Value::Null,
                ),
                piece(json!([{"text": ""}]), json!("STOP")),
            ])
        }
    }
}

fn events(kind: ApiKind, pieces: &[&[u8]]) -> Vec<Event> {
    let mut reader = Reader::new(kind);
    let mut events = Vec::new();
    for piece in pieces {
        reader.push(piece, &mut events);
    }
    reader.end(&mut events);
    events
}

fn collected(events: Vec<Event>) -> Reply {
    let mut collector = Collector::default();
    for event in events {
        collector.take(event);
    }
    collector.reply()
}

#[test]
fn every_kind_of_stream_is_understood_alike() {
    for kind in ApiKind::ALL {
        let events = events(*kind, &[streamed(*kind).as_bytes()]);
        assert_eq!(events.last(), Some(&Event::End), "{kind:?}");
        let reply = collected(events);
        let call = |id: &str, name: &str, arguments: &str| {
            let (id, name, arguments) = (id.to_owned(), name.to_owned(), arguments.to_owned());
            Part::ToolCall(ToolCall { id, name, arguments })
        };
        assert_eq!(
            reply.parts,
            [
                Part::Thinking { text: "Hm.".to_owned(), signature: None },
                Part::Text("Grüße 👋".to_owned()),
                call("c1", "look", "{\"a\":1}"),
                call("c2", "hear", "{}"),
            ],
            "{kind:?}"
        );
        assert_eq!(
            (reply.stop, reply.usage.input, reply.usage.cached, reply.usage.output),
            (Stop::ToolUse, 14, 4, 9)
        );
        assert!(!reply.id.is_empty() && !reply.model.is_empty());
    }
}

/// A stream of a kind as a client of a surface gets it.
fn translated(kind: ApiKind, surface: Surface, stream: &[u8]) -> String {
    let mut translation = Stream::new(kind, surface, 1, true);
    let mut out = Vec::new();
    translation.push(stream, &mut out);
    translation.end(&mut out);
    assert!(translation.is_over());
    String::from_utf8(out).unwrap()
}

#[test]
fn a_translated_stream_says_the_same_to_the_client() {
    for (surface, own) in [
        (Surface::ChatCompletions, ApiKind::OpenaiCompletions),
        (Surface::Messages, ApiKind::AnthropicMessages),
    ] {
        for kind in ApiKind::ALL {
            let there = events(*kind, &[streamed(*kind).as_bytes()]);
            let text = translated(*kind, surface, streamed(*kind).as_bytes());
            let back = events(own, &[text.as_bytes()]);
            assert_eq!(back.last(), Some(&Event::End), "{text}");
            assert_eq!(collected(back), collected(there), "{kind:?} for {surface:?}: {text}");
        }
    }
    let chat = translated(
        ApiKind::AnthropicMessages,
        Surface::ChatCompletions,
        streamed(ApiKind::AnthropicMessages).as_bytes(),
    );
    assert!(
        chat.starts_with(
            "data: {\"id\":\"msg_1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"claude\""
        ),
        "{chat}"
    );
    assert!(chat.ends_with("data: [DONE]\n\n") && chat.contains("\"finish_reason\":\"tool_calls\""));
    let messages = translated(
        ApiKind::OpenaiCompletions,
        Surface::Messages,
        streamed(ApiKind::OpenaiCompletions).as_bytes(),
    );
    let names: Vec<_> = messages.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    assert_eq!(names[..3], ["message_start", "content_block_start", "content_block_delta"]);
    assert_eq!(names[names.len() - 3..], ["content_block_stop", "message_delta", "message_stop"]);
    let starts = names.iter().filter(|name| **name == "content_block_start").count();
    assert_eq!((starts, names.iter().filter(|name| **name == "content_block_stop").count()), (4, 4));
}

#[test]
fn a_stream_that_breaks_off_or_fails_ends_with_an_error() {
    for kind in ApiKind::ALL {
        let whole = streamed(*kind);
        let half = &whole.as_bytes()[..whole.len() / 2];
        for surface in [Surface::ChatCompletions, Surface::Messages] {
            let text = translated(*kind, surface, half);
            let last = text.trim_end().rsplit("\n\n").next().unwrap();
            assert!(last.contains("\"error\"") && last.contains("broke off"), "{kind:?}: {text}");
            assert!(!text.contains("[DONE]") && !text.contains("message_stop"), "{text}");
        }
    }
    let overloaded =
        sse(&[json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}})]);
    assert_eq!(
        translated(ApiKind::AnthropicMessages, Surface::ChatCompletions, overloaded.as_bytes()),
        "data: {\"error\":{\"message\":\"Overloaded\",\"type\":\"overloaded_error\",\"code\":null,\"param\":null}}\n\n"
    );
    for (kind, error) in [
        (ApiKind::OpenaiCompletions, json!({"error": {"message": "Slow", "type": "rate_limit_error"}})),
        (
            ApiKind::OpenaiResponses,
            json!({"type": "response.failed", "response": {"error": {"code": "rate_limit_exceeded", "message": "Slow"}}}),
        ),
        (
            ApiKind::OpenaiResponses,
            json!({"type": "error", "code": "rate_limit_exceeded", "message": "Slow"}),
        ),
        (
            ApiKind::GoogleGenerativeAi,
            json!({"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "Slow"}}),
        ),
    ] {
        assert_eq!(
            translated(kind, Surface::Messages, sse(&[error]).as_bytes()),
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"Slow\"}}\n\n"
        );
    }
    let endless = format!("data: {}", "x".repeat(17 * 1024 * 1024));
    assert!(
        translated(ApiKind::OpenaiCompletions, Surface::Messages, endless.as_bytes()).contains("has no end")
    );
}

#[test]
fn whole_answers_are_translated() {
    let anthropic = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "stop_reason": "stop_sequence", "stop_sequence": "END",
        "content": [{"type": "text", "text": "Hi"}],
        "usage": {"input_tokens": 3, "cache_creation_input_tokens": 2, "cache_read_input_tokens": 5, "output_tokens": 4}});
    let reply = dialect::read_reply(ApiKind::AnthropicMessages, anthropic.to_string().as_bytes()).unwrap();
    assert_eq!(
        dialect::write_reply(Surface::ChatCompletions, &reply, 7),
        json!({"id": "msg_1", "object": "chat.completion", "created": 7, "model": "claude",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi", "refusal": null}, "logprobs": null, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 14, "prompt_tokens_details": {"cached_tokens": 5}}})
    );
    // What this dialect has read it writes as it was.
    assert_eq!(dialect::write_reply(Surface::Messages, &reply, 0), anthropic);
    let google = json!({"responseId": "r-1", "modelVersion": "gemini-3-pro", "candidates": [{"finishReason": "STOP", "content": {"parts": [
        {"functionCall": {"name": "look", "args": {}}, "thoughtSignature": "c2ln"}]}}],
        "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 2, "thoughtsTokenCount": 6}});
    let reply = dialect::read_reply(ApiKind::GoogleGenerativeAi, google.to_string().as_bytes()).unwrap();
    assert_eq!((reply.stop.clone(), reply.usage.output, reply.usage.reasoning), (Stop::ToolUse, 8, Some(6)));
    // The seal on the call comes back with it, through either API.
    for surface in [Surface::ChatCompletions, Surface::Messages] {
        let answer = dialect::write_reply(surface, &reply, 0);
        let said_before = if surface == Surface::Messages {
            json!({"role": "assistant", "content": answer["content"]})
        } else {
            answer["choices"][0]["message"].clone()
        };
        let id = if surface == Surface::Messages {
            &answer["content"][1]["id"]
        } else {
            &said_before["tool_calls"][0]["id"]
        };
        let found = if surface == Surface::Messages {
            json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": id, "content": "x"}]})
        } else {
            json!({"role": "tool", "tool_call_id": id, "content": "x"})
        };
        let next =
            json!({"max_tokens": 5, "messages": [{"role": "user", "content": "x"}, said_before, found]});
        let sent = said(surface, ApiKind::GoogleGenerativeAi, &next);
        assert_eq!(sent["contents"][1]["parts"][0]["thoughtSignature"], "c2ln", "{sent}");
    }
    // A call of another model has none; the models that want one are told so.
    let gemini = Target { model: "gemini-3-pro-preview", ..target(ApiKind::GoogleGenerativeAi) };
    let body =
        dialect::request(Surface::ChatCompletions, chat().to_string().as_bytes(), &gemini).unwrap().body;
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["contents"][1]["parts"][0]["thoughtSignature"], "skip_thought_signature_validator");
    for (kind, wrong) in [
        (ApiKind::AnthropicMessages, "{}"),
        (ApiKind::OpenaiCompletions, r#"{"choices": []}"#),
        (ApiKind::OpenaiCompletions, r#"{"error": {"message": "x"}}"#),
        (ApiKind::OpenaiResponses, "[]"),
        (ApiKind::GoogleGenerativeAi, r#"{"candidates": [{"content": {"parts": [{"inlineData": {}}]}}]}"#),
        (ApiKind::GoogleGenerativeAi, "<html>"),
    ] {
        assert!(dialect::read_reply(kind, wrong.as_bytes()).is_err(), "{wrong}");
    }
}

#[test]
fn a_stream_of_codex_is_one_answer_too() {
    let whole = dialect::gather(streamed(ApiKind::OpenaiCodexResponses).as_bytes()).unwrap();
    let reply = dialect::read_document(ApiKind::OpenaiCodexResponses, &whole).unwrap();
    let streamed_reply = collected(events(
        ApiKind::OpenaiCodexResponses,
        &[streamed(ApiKind::OpenaiCodexResponses).as_bytes()],
    ));
    assert_eq!(reply, streamed_reply);
    assert!(
        dialect::gather(b"data: {\"type\":\"response.created\"}\n\n")
            .unwrap_err()
            .message
            .contains("broke off")
    );
    let failed = sse(&[
        json!({"type": "response.failed", "response": {"error": {"code": "server_error", "message": "Oops"}}}),
    ]);
    assert_eq!(dialect::gather(failed.as_bytes()).unwrap_err().message, "Oops");
}

#[test]
fn the_message_of_a_refusal_is_found_in_every_shape() {
    for (kind, body, message) in [
        (
            ApiKind::AnthropicMessages,
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"a"}}"#,
            "a",
        ),
        (ApiKind::OpenaiCompletions, r#"{"error":{"message":"b","type":"x","code":null}}"#, "b"),
        (ApiKind::OpenaiCompletions, r#"{"error":"c"}"#, "c"),
        (ApiKind::OpenaiCodexResponses, r#"{"detail":"d"}"#, "d"),
        (
            ApiKind::GoogleGenerativeAi,
            r#"[{"error":{"code":400,"message":"e","status":"INVALID_ARGUMENT"}}]"#,
            "e",
        ),
        (ApiKind::GoogleGenerativeAi, "<html>", ""),
    ] {
        assert_eq!(dialect::trouble(kind, body).message, message);
    }
}

fn any_turn(role: Role) -> impl Strategy<Value = Turn> {
    let text = "[a-zé]{1,8}".prop_map(Part::Text);
    let call = ("[a-z0-9_-]{1,8}", "[a-z]{1,6}", 0..9_u8)
        .prop_map(|(id, name, n)| Part::ToolCall(ToolCall { id, name, arguments: format!("{{\"n\":{n}}}") }));
    let result = ("[a-z0-9_-]{1,8}", "[a-z]{1,8}").prop_map(|(id, text)| Part::ToolResult {
        id,
        parts: vec![Part::Text(text)],
        is_error: false,
    });
    let parts = match role {
        // A client's results come before its words, and the model's words before its calls: that is their order in chat.
        Role::User => (prop::collection::vec(result, 0..3), prop::collection::vec(text, 1..2))
            .prop_map(|(first, second)| [first, second].concat())
            .boxed(),
        Role::Assistant => (prop::collection::vec(text, 0..2), prop::collection::vec(call, 1..3))
            .prop_map(|(first, second)| [first, second].concat())
            .boxed(),
    };
    parts.prop_map(move |parts| Turn { role, parts })
}

fn any_request() -> impl Strategy<Value = Request> {
    let turns = prop::collection::vec((any_turn(Role::User), any_turn(Role::Assistant)), 1..4);
    let tool = ("[a-z]{1,6}", prop::option::of("[a-z]{1,6}")).prop_map(|(name, description)| Tool {
        name,
        description,
        parameters: Some(json!({"type": "object"})),
        strict: None,
    });
    let choice = prop::option::of(prop_oneof![
        Just(ToolChoice::Auto),
        Just(ToolChoice::Never),
        Just(ToolChoice::Required),
        "[a-z]{1,5}".prop_map(ToolChoice::Named),
    ]);
    (
        turns,
        prop::collection::vec(tool, 1..3),
        choice,
        1..9000_u64,
        prop::collection::vec("[a-z]{1,3}", 0..4),
        any::<bool>(),
    )
        .prop_map(|(turns, tools, tool_choice, most, stop, is_streamed)| Request {
            model: "m".to_owned(),
            system: vec!["s".to_owned()],
            turns: turns.into_iter().flat_map(|(user, assistant)| [user, assistant]).collect(),
            tools,
            tool_choice,
            max_tokens: Some(most),
            stop,
            is_streamed,
            wants_usage: is_streamed,
            ..Request::default()
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(debug_assertions) { 128 } else { 5_000 }, ..ProptestConfig::default() })]

    #[test]
    fn a_request_survives_the_way_there_and_back(request in any_request()) {
        let chat = dialect::write_request(&request, &target(ApiKind::OpenaiCompletions)).unwrap();
        let read = dialect::read_request(Surface::ChatCompletions, &chat).unwrap();
        prop_assert_eq!(&read, &request);
        let anthropic = dialect::write_request(&read, &target(ApiKind::AnthropicMessages)).unwrap();
        let mut back = dialect::read_request(Surface::Messages, &anthropic).unwrap();
        back.wants_usage = request.wants_usage;
        prop_assert_eq!(&back, &request);
        for kind in [ApiKind::GoogleGenerativeAi, ApiKind::OpenaiResponses] {
            drop(dialect::write_request(&back, &target(kind)));
        }
    }

    #[test]
    fn it_does_not_matter_where_a_stream_is_cut(
        kind in prop::sample::select(ApiKind::ALL),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        is_windows in any::<bool>(),
    ) {
        let mut text = streamed(kind);
        if is_windows {
            text = text.replace('\n', "\r\n");
        }
        let bytes = text.as_bytes();
        let mut places: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        places.extend([0, bytes.len()]);
        places.sort_unstable();
        let pieces: Vec<_> = places.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
        prop_assert_eq!(events(kind, &pieces), events(kind, &[streamed(kind).as_bytes()]));
    }

    #[test]
    fn usage_survives_the_way_through_either_api(input in 0..1_000_000_u64, cached in 0..1000_u64, output in 0..100_000_u64) {
        let usage = Usage { input: input + cached, cached, output, ..Usage::default() };
        let reply = Reply { usage, ..Reply::default() };
        for (surface, kind) in [
            (Surface::ChatCompletions, ApiKind::OpenaiCompletions),
            (Surface::Messages, ApiKind::AnthropicMessages),
        ] {
            let answer = dialect::write_reply(surface, &reply, 0).to_string();
            prop_assert_eq!(dialect::read_reply(kind, answer.as_bytes()).unwrap().usage, usage);
        }
    }

    #[test]
    fn no_bytes_are_too_odd(
        kind in prop::sample::select(ApiKind::ALL),
        noise in prop::collection::vec(any::<u8>(), 0..60),
        at in any::<prop::sample::Index>(),
        gone in 0..40_usize,
    ) {
        let mut stream = streamed(kind).into_bytes();
        let at = at.index(stream.len());
        let end = (at + gone).min(stream.len());
        stream.splice(at..end, noise.iter().copied());
        for surface in [Surface::ChatCompletions, Surface::Messages] {
            let mut translation = Stream::new(kind, surface, 1, true);
            let mut out = Vec::new();
            translation.push(&stream, &mut out);
            translation.end(&mut out);
            prop_assert!(translation.is_over());
            drop(dialect::request(surface, &noise, &target(kind)));
        }
        drop(dialect::read_reply(kind, &stream));
        drop(dialect::gather(&stream));
        dialect::trouble(kind, &String::from_utf8_lossy(&noise));
    }

    #[test]
    fn no_json_is_too_odd(kind in prop::sample::select(ApiKind::ALL), at in any::<prop::sample::Index>(), odd in prop::sample::select(vec!["null", "1", "\"x\"", "[]", "{}", "[null]", "-1e99"])) {
        // Each value of a good request replaced by a bad one.
        let mut body = chat();
        let mut places = Vec::new();
        pointers(&body, "", &mut places);
        let place = &places[at.index(places.len())];
        *body.pointer_mut(place).unwrap() = serde_json::from_str(odd).unwrap();
        drop(dialect::request(Surface::ChatCompletions, body.to_string().as_bytes(), &target(kind)));
        drop(dialect::request(Surface::Messages, body.to_string().as_bytes(), &target(kind)));
        drop(dialect::read_document(kind, &body));
    }
}

fn pointers(value: &Value, at: &str, places: &mut Vec<String>) {
    places.push(at.to_owned());
    match value {
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(n, item)| pointers(item, &format!("{at}/{n}"), places));
        }
        Value::Object(members) => {
            members.iter().for_each(|(name, member)| pointers(member, &format!("{at}/{name}"), places));
        }
        _ => {}
    }
}
