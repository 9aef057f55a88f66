//! Requests in the words of `OpenAI`'s chat completions.
//!
//! Source: the API reference of `OpenAI`, "Chat Completions".

use serde_json::{Map, Value, json};

use super::fields::{At, Object, Refused, set};
use super::neutral::{
    Depth, Document, Format, Image, Part, Reasoning, Request, Role, Source, Tool, ToolCall, ToolChoice, say,
    words,
};
use super::{GOOGLE_SEAL, Target};

/// Reads a request; its top-level fields have been checked by the rules.
pub(super) fn read(body: &Value) -> Result<Request, Refused> {
    let top = At::Top;
    let body = Object::of(body, &top)?;
    let mut request = Request {
        model: body.text("model")?.unwrap_or_default().to_owned(),
        is_streamed: body.flag("stream")?.unwrap_or_default(),
        max_tokens: match body.whole("max_completion_tokens")? {
            Some(most) => Some(most),
            None => body.whole("max_tokens")?,
        },
        temperature: body.number("temperature", 0.0, 2.0)?,
        top_p: body.number("top_p", 0.0, 1.0)?,
        frequency_penalty: body.number("frequency_penalty", -2.0, 2.0)?,
        presence_penalty: body.number("presence_penalty", -2.0, 2.0)?,
        seed: body.get("seed").and_then(Value::as_i64),
        parallel_tools: body.flag("parallel_tool_calls")?,
        verbosity: body.text("verbosity")?.map(str::to_owned),
        user: body.text("user")?.map(str::to_owned),
        stop: match body.get("stop") {
            Some(Value::String(one)) => vec![one.clone()],
            _ => body.texts("stop")?,
        },
        ..Request::default()
    };
    if let Some(effort) = body.text("reasoning_effort")? {
        let depth = if effort == "none" { Depth::Off } else { Depth::Effort(effort.to_owned()) };
        request.reasoning = Some(Reasoning { depth, is_shown: false });
    }
    let at = top.member("stream_options");
    if let Some(options) = body.get("stream_options") {
        let options = Object::of(options, &at)?;
        options.closed(&["include_usage"], &["include_obfuscation"])?;
        request.wants_usage = options.flag("include_usage")?.unwrap_or_default();
    }
    let at = top.member("response_format");
    if let Some(format) = body.get("response_format") {
        request.format = format_of(Object::of(format, &at)?)?;
    }
    let at = top.member("tools");
    for (place, tool) in body.items("tools")?.unwrap_or_default().iter().enumerate() {
        request.tools.push(tool_of(Object::of(tool, &at.item(place))?)?);
    }
    let at = top.member("tool_choice");
    request.tool_choice = body.get("tool_choice").map(|choice| choice_of(choice, &at)).transpose()?;
    let at = top.member("messages");
    let messages = body.items("messages")?.ok_or_else(|| at.refused("is required"))?;
    for (place, message) in messages.iter().enumerate() {
        read_message(Object::of(message, &at.item(place))?, &mut request)?;
    }
    Ok(request)
}

fn format_of(format: Object<'_, '_>) -> Result<Option<Format>, Refused> {
    format.closed(&["type", "json_schema"], &[])?;
    match format.needed("type")? {
        "text" => Ok(None),
        "json_object" => Ok(Some(Format::Json)),
        "json_schema" => {
            let at = format.at.member("json_schema");
            let schema = format.get("json_schema").ok_or_else(|| at.refused("is required"))?;
            let schema = Object::of(schema, &at)?;
            schema.closed(&["name", "description", "schema", "strict"], &[])?;
            Ok(Some(Format::Schema {
                name: schema.needed("name")?.to_owned(),
                description: schema.text("description")?.map(str::to_owned),
                schema: schema.get("schema").cloned().unwrap_or_else(|| json!({})),
                strict: schema.flag("strict")?,
            }))
        }
        _ => Err(format.at.member("type").refused("must be text, json_object or json_schema")),
    }
}

fn tool_of(tool: Object<'_, '_>) -> Result<Tool, Refused> {
    tool.closed(&["type", "function"], &[])?;
    if tool.needed("type")? != "function" {
        return Err(tool.at.member("type").refused("must be function: other tools are of one provider only"));
    }
    let at = tool.at.member("function");
    let function = Object::of(tool.get("function").unwrap_or(&Value::Null), &at)?;
    function.closed(&["name", "description", "parameters", "strict"], &[])?;
    Ok(Tool {
        name: function.needed("name")?.to_owned(),
        description: function.text("description")?.map(str::to_owned),
        parameters: function.get("parameters").cloned(),
        strict: function.flag("strict")?,
    })
}

fn choice_of(choice: &Value, at: &At<'_>) -> Result<ToolChoice, Refused> {
    match choice.as_str() {
        Some("auto") => return Ok(ToolChoice::Auto),
        Some("none") => return Ok(ToolChoice::Never),
        Some("required") => return Ok(ToolChoice::Required),
        _ => {}
    }
    let name = choice.pointer("/function/name").and_then(Value::as_str);
    let name = name.ok_or_else(|| at.refused("must be auto, none, required or one function"))?;
    Ok(ToolChoice::Named(name.to_owned()))
}

/// Members of messages that change nothing of what is said.
const PASSED_OVER: &[&str] =
    &["name", "annotations", "reasoning", "reasoning_content", "reasoning_details", "cache_control"];

fn read_message(message: Object<'_, '_>, request: &mut Request) -> Result<(), Refused> {
    message.closed(&["role", "content", "refusal", "tool_calls", "tool_call_id"], PASSED_OVER)?;
    let parts = content(message)?;
    match message.needed("role")? {
        "system" | "developer" => {
            let text = words(&parts, "\n");
            request.system.extend(Some(text).filter(|text| !text.is_empty()));
        }
        "user" => say(&mut request.turns, Role::User, parts),
        "tool" => {
            let id = message.needed("tool_call_id")?.to_owned();
            let result = Part::ToolResult { id, parts, is_error: false };
            say(&mut request.turns, Role::User, vec![result]);
        }
        "assistant" => {
            let mut parts = parts;
            let refusal = message.text("refusal")?.filter(|refusal| !refusal.is_empty());
            parts.extend(refusal.map(|refusal| Part::Text(refusal.to_owned())));
            let at = message.at.member("tool_calls");
            for (place, call) in message.items("tool_calls")?.unwrap_or_default().iter().enumerate() {
                read_call(Object::of(call, &at.item(place))?, &mut parts)?;
            }
            say(&mut request.turns, Role::Assistant, parts);
        }
        _ => {
            return Err(message
                .at
                .member("role")
                .refused("must be system, developer, user, assistant or tool"));
        }
    }
    Ok(())
}

fn read_call(call: Object<'_, '_>, parts: &mut Vec<Part>) -> Result<(), Refused> {
    call.closed(&["id", "type", "function", "extra_content"], &["index"])?;
    // Where Google's own copy of this API keeps its seals.
    let seal = call.get("extra_content").and_then(|extra| extra.pointer("/google/thought_signature"));
    if let Some(seal) = seal.and_then(Value::as_str) {
        parts.push(Part::Thinking { text: String::new(), signature: Some(format!("{GOOGLE_SEAL}{seal}")) });
    }
    let at = call.at.member("function");
    let function = Object::of(call.get("function").unwrap_or(&Value::Null), &at)?;
    parts.push(Part::ToolCall(ToolCall {
        id: call.needed("id")?.to_owned(),
        name: function.needed("name")?.to_owned(),
        arguments: function.text("arguments")?.unwrap_or_default().to_owned(),
    }));
    Ok(())
}

fn content(message: Object<'_, '_>) -> Result<Vec<Part>, Refused> {
    let text = |text: &str| (!text.is_empty()).then(|| Part::Text(text.to_owned()));
    match message.get("content") {
        None => Ok(Vec::new()),
        Some(Value::String(content)) => Ok(text(content).into_iter().collect()),
        Some(_) => {
            let at = message.at.member("content");
            let mut parts = Vec::new();
            for (place, part) in message.items("content")?.unwrap_or_default().iter().enumerate() {
                let at = at.item(place);
                let part = Object::of(part, &at)?;
                let kind = part.needed("type")?;
                part.closed(&["type", kind], &["cache_control"])?;
                match kind {
                    "text" => parts.extend(text(part.needed("text")?)),
                    "refusal" => parts.extend(text(part.needed("refusal")?)),
                    "image_url" => parts.push(image(part)?),
                    "file" => parts.push(file(part)?),
                    _ => return Err(at.member("type").refused("must be text, image_url or file")),
                }
            }
            Ok(parts)
        }
    }
}

fn image(part: Object<'_, '_>) -> Result<Part, Refused> {
    let at = part.at.member("image_url");
    let image = Object::of(part.get("image_url").unwrap_or(&Value::Null), &at)?;
    image.closed(&["url", "detail"], &[])?;
    let detail = image.text("detail")?.map(str::to_owned);
    Ok(Part::Image(Image { source: Source::of_url(image.needed("url")?), detail }))
}

fn file(part: Object<'_, '_>) -> Result<Part, Refused> {
    let at = part.at.member("file");
    let file = Object::of(part.get("file").unwrap_or(&Value::Null), &at)?;
    file.closed(&["file_data", "filename"], &[])?;
    let source = Source::of_url(file.needed("file_data")?);
    if matches!(source, Source::Url(_)) {
        return Err(at.member("file_data").refused("must be data:TYPE;base64,…"));
    }
    Ok(Part::Document(Document { source, name: file.text("filename")?.map(str::to_owned) }))
}

/// Writes a request.
pub(super) fn write(request: &Request, target: &Target<'_>) -> Result<Value, Refused> {
    let mut messages = Vec::new();
    let system = request.system.join("\n\n");
    if !system.is_empty() {
        messages.push(json!({"role": "system", "content": system}));
    }
    for turn in &request.turns {
        match turn.role {
            Role::Assistant => messages.extend(assistant(&turn.parts)),
            Role::User => user(&turn.parts, &mut messages),
        }
    }
    let mut body = json!({"model": target.model, "messages": messages});
    if !request.tools.is_empty() {
        let tools: Vec<_> = request.tools.iter().map(tool).collect();
        set(&mut body, "tools", Some(tools));
    }
    let choice = request.tool_choice.as_ref().map(|choice| match choice {
        ToolChoice::Auto => json!("auto"),
        ToolChoice::Named(name) => json!({"type": "function", "function": {"name": name}}),
        ToolChoice::Never => json!("none"),
        ToolChoice::Required => json!("required"),
    });
    set(&mut body, "tool_choice", choice);
    set(&mut body, "parallel_tool_calls", request.parallel_tools);
    set(
        &mut body,
        if target.takes_max_tokens() { "max_tokens" } else { "max_completion_tokens" },
        request.max_tokens,
    );
    set(&mut body, "temperature", request.temperature.clone());
    set(&mut body, "top_p", request.top_p.clone());
    if request.stop.len() > 4 {
        let reason = "has more than the four texts that this provider takes";
        return Err(At::Top.member("stop_sequences").refused(reason));
    }
    set(&mut body, "stop", Some(request.stop.clone()).filter(|stop| !stop.is_empty()));
    let depth = request.reasoning.as_ref().map(|reasoning| &reasoning.depth);
    let effort = depth.filter(|depth| **depth != Depth::Off && target.takes_effort());
    set(&mut body, "reasoning_effort", effort.map(Depth::effort));
    set(&mut body, "response_format", request.format.as_ref().map(format));
    set(&mut body, "user", request.user.clone());
    if request.is_streamed {
        set(&mut body, "stream", Some(true));
        set(&mut body, "stream_options", Some(json!({"include_usage": true})));
    }
    Ok(body)
}

fn tool(tool: &Tool) -> Value {
    let mut function = json!({"name": tool.name});
    set(&mut function, "description", tool.description.clone());
    set(&mut function, "parameters", tool.parameters.clone());
    set(&mut function, "strict", tool.strict);
    json!({"type": "function", "function": function})
}

fn format(format: &Format) -> Value {
    match format {
        Format::Json => json!({"type": "json_object"}),
        Format::Schema { name, description, schema, strict } => {
            let mut named = json!({"name": name, "schema": schema});
            set(&mut named, "description", description.clone());
            set(&mut named, "strict", *strict);
            json!({"type": "json_schema", "json_schema": named})
        }
    }
}

/// What the model has said before. What it thought is of no use to another.
fn assistant(parts: &[Part]) -> Option<Value> {
    let mut message = Map::new();
    message.insert("role".to_owned(), json!("assistant"));
    let text = words(parts, "");
    message.insert("content".to_owned(), if text.is_empty() { Value::Null } else { text.into() });
    let calls: Vec<_> = parts
        .iter()
        .filter_map(|part| match part {
            Part::ToolCall(ToolCall { id, name, arguments }) => Some(
                json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}),
            ),
            _ => None,
        })
        .collect();
    if calls.is_empty() && message["content"].is_null() {
        return None;
    }
    if !calls.is_empty() {
        message.insert("tool_calls".to_owned(), calls.into());
    }
    Some(Value::Object(message))
}

/// What tools have found comes first, each in a message of its own; pictures among it come with the user's words.
fn user(parts: &[Part], messages: &mut Vec<Value>) {
    let mut shown = Vec::new();
    for part in parts {
        match part {
            Part::ToolResult { id, parts, .. } => {
                let text = words(parts, "\n");
                messages.push(json!({"role": "tool", "tool_call_id": id, "content": text}));
                shown.extend(parts.iter().filter(|part| !matches!(part, Part::Text(_))));
            }
            part => shown.push(part),
        }
    }
    match shown.as_slice() {
        [] => {}
        [Part::Text(text)] => messages.push(json!({"role": "user", "content": text})),
        several => {
            let content: Vec<_> = several.iter().filter_map(|part| shown_part(part)).collect();
            messages.push(json!({"role": "user", "content": content}));
        }
    }
}

fn shown_part(part: &Part) -> Option<Value> {
    match part {
        Part::Text(text) => Some(json!({"type": "text", "text": text})),
        Part::Image(Image { source, detail }) => {
            let mut image = json!({"url": source.to_url()});
            set(&mut image, "detail", detail.clone());
            Some(json!({"type": "image_url", "image_url": image}))
        }
        Part::Document(Document { source, name }) => {
            let name = name.as_deref().unwrap_or("document.pdf");
            Some(json!({"type": "file", "file": {"filename": name, "file_data": source.to_url()}}))
        }
        Part::Thinking { .. } | Part::ToolCall(_) | Part::ToolResult { .. } => None,
    }
}
