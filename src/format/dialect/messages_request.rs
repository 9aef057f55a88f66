//! Requests in the words of Anthropic's messages.
//!
//! Source: the API reference of Anthropic, "Messages", version 2023-06-01.

use serde_json::{Value, json};

use super::Target;
use super::fields::{At, Object, Refused, set};
use super::neutral::{
    Depth, Document, Format, Image, Part, Reasoning, Request, Role, Source, Tool, ToolCall, ToolChoice, Turn,
    say,
};

/// Reads a request; its top-level fields have been checked by the rules.
pub(super) fn read(body: &Value) -> Result<Request, Refused> {
    let top = At::Top;
    let body = Object::of(body, &top)?;
    let mut request = Request {
        model: body.text("model")?.unwrap_or_default().to_owned(),
        is_streamed: body.flag("stream")?.unwrap_or_default(),
        max_tokens: body.whole("max_tokens")?,
        temperature: body.number("temperature", 0.0, 1.0)?,
        top_p: body.number("top_p", 0.0, 1.0)?,
        top_k: body.whole("top_k")?,
        stop: body.texts("stop_sequences")?,
        ..Request::default()
    };
    let at = top.member("metadata");
    if let Some(metadata) = body.get("metadata") {
        let metadata = Object::of(metadata, &at)?;
        metadata.closed(&["user_id"], &[])?;
        request.user = metadata.text("user_id")?.map(str::to_owned);
    }
    match body.get("system") {
        None => {}
        Some(Value::String(text)) => request.system.push(text.clone()),
        Some(_) => {
            let at = top.member("system");
            for (place, block) in body.items("system")?.unwrap_or_default().iter().enumerate() {
                let at = at.item(place);
                let block = Object::of(block, &at)?;
                block.closed(&["type", "text"], &["cache_control", "citations"])?;
                request.system.push(block.needed("text")?.to_owned());
            }
        }
    }
    request.system.retain(|text| !text.is_empty());
    request.reasoning = thinking(body)?;
    let at = top.member("output_format");
    if let Some(format) = body.get("output_format") {
        request.format = Some(format_of(Object::of(format, &at)?)?);
    }
    read_output(body, &mut request)?;
    let at = top.member("tools");
    for (place, tool) in body.items("tools")?.unwrap_or_default().iter().enumerate() {
        request.tools.push(tool_of(Object::of(tool, &at.item(place))?)?);
    }
    let at = top.member("tool_choice");
    if let Some(choice) = body.get("tool_choice") {
        let choice = Object::of(choice, &at)?;
        choice.closed(&["type", "name", "disable_parallel_tool_use"], &[])?;
        request.tool_choice = Some(match choice.needed("type")? {
            "auto" => ToolChoice::Auto,
            "any" => ToolChoice::Required,
            "none" => ToolChoice::Never,
            "tool" => ToolChoice::Named(choice.needed("name")?.to_owned()),
            _ => return Err(at.member("type").refused("must be auto, any, tool or none")),
        });
        request.parallel_tools = choice.flag("disable_parallel_tool_use")?.map(|disabled| !disabled);
    }
    let at = top.member("messages");
    let messages = body.items("messages")?.ok_or_else(|| at.refused("is required"))?;
    for (place, message) in messages.iter().enumerate() {
        let at = at.item(place);
        let message = Object::of(message, &at)?;
        message.closed(&["role", "content"], &[])?;
        let role = match message.needed("role")? {
            "user" => Role::User,
            "assistant" => Role::Assistant,
            _ => return Err(at.member("role").refused("must be user or assistant")),
        };
        say(&mut request.turns, role, content(message, "content")?);
    }
    Ok(request)
}

fn thinking(body: Object<'_, '_>) -> Result<Option<Reasoning>, Refused> {
    let at = body.at.member("thinking");
    let Some(thinking) = body.get("thinking") else { return Ok(None) };
    let thinking = Object::of(thinking, &at)?;
    thinking.closed(&["type", "budget_tokens", "display"], &[])?;
    let is_shown = thinking.text("display")? != Some("omitted");
    let depth = match thinking.needed("type")? {
        "disabled" => return Ok(Some(Reasoning { depth: Depth::Off, is_shown: false })),
        "enabled" => {
            let budget = thinking.whole("budget_tokens")?;
            Depth::Budget(budget.ok_or_else(|| at.member("budget_tokens").refused("is required"))?)
        }
        // As long as the model likes: what others do by themselves, at a middle effort.
        "adaptive" => Depth::Effort("medium".to_owned()),
        _ => return Err(at.member("type").refused("must be enabled, adaptive or disabled")),
    };
    Ok(Some(Reasoning { depth, is_shown }))
}

fn read_output(body: Object<'_, '_>, request: &mut Request) -> Result<(), Refused> {
    let at = body.at.member("output_config");
    let Some(output) = body.get("output_config") else { return Ok(()) };
    let output = Object::of(output, &at)?;
    output.closed(&["effort", "format"], &[])?;
    if let Some(effort) = output.text("effort")? {
        let is_off = request.reasoning.as_ref().is_some_and(|known| known.depth == Depth::Off);
        if !is_off {
            let effort = if effort == "max" { "xhigh" } else { effort };
            let is_shown = request.reasoning.as_ref().is_some_and(|known| known.is_shown);
            request.reasoning = Some(Reasoning { depth: Depth::Effort(effort.to_owned()), is_shown });
        }
    }
    let at = at.member("format");
    if let Some(format) = output.get("format") {
        request.format = Some(format_of(Object::of(format, &at)?)?);
    }
    Ok(())
}

fn format_of(format: Object<'_, '_>) -> Result<Format, Refused> {
    format.closed(&["type", "schema"], &[])?;
    if format.needed("type")? != "json_schema" {
        return Err(format.at.member("type").refused("must be json_schema"));
    }
    let schema = format.get("schema").cloned();
    let schema = schema.ok_or_else(|| format.at.member("schema").refused("is required"))?;
    Ok(Format::Schema { name: "answer".to_owned(), description: None, schema, strict: Some(true) })
}

fn tool_of(tool: Object<'_, '_>) -> Result<Tool, Refused> {
    if tool.text("type")?.is_some_and(|kind| kind != "custom") {
        return Err(tool.at.member("type").refused("must be custom: other tools are of one provider only"));
    }
    let hints = &["cache_control", "eager_input_streaming", "input_examples"];
    tool.closed(&["type", "name", "description", "input_schema", "strict"], hints)?;
    Ok(Tool {
        name: tool.needed("name")?.to_owned(),
        description: tool.text("description")?.map(str::to_owned),
        parameters: tool.get("input_schema").cloned(),
        strict: tool.flag("strict")?,
    })
}

/// The members of each block.
const MEMBERS: &[(&str, &[&str])] = &[
    ("document", &["type", "source", "title"]),
    ("image", &["type", "source"]),
    ("text", &["type", "text"]),
    ("tool_result", &["type", "tool_use_id", "content", "is_error"]),
    ("tool_use", &["type", "id", "name", "input"]),
];
/// Members that change nothing of what is said; `citations` of a text are of an earlier answer.
const PASSED_OVER: &[&str] = &["cache_control", "caller", "citations"];

fn content(holder: Object<'_, '_>, name: &str) -> Result<Vec<Part>, Refused> {
    let text = |text: &str| (!text.is_empty()).then(|| Part::Text(text.to_owned()));
    let at = holder.at.member(name);
    match holder.get(name) {
        None => Ok(Vec::new()),
        Some(Value::String(content)) => Ok(text(content).into_iter().collect()),
        Some(_) => {
            let mut parts = Vec::new();
            for (place, block) in holder.items(name)?.unwrap_or_default().iter().enumerate() {
                let at = at.item(place);
                let block = Object::of(block, &at)?;
                let kind = block.needed("type")?;
                if let Some((_, members)) = MEMBERS.iter().find(|(known, _)| *known == kind) {
                    block.closed(members, PASSED_OVER)?;
                }
                match kind {
                    "text" => parts.extend(text(block.needed("text")?)),
                    "image" => parts.push(Part::Image(Image { source: source(block)?, detail: None })),
                    "document" => parts.push(document(block)?),
                    "thinking" => parts.push(Part::Thinking {
                        text: block.text("thinking")?.unwrap_or_default().to_owned(),
                        signature: block.text("signature")?.map(str::to_owned),
                    }),
                    "redacted_thinking" => {}
                    "tool_use" => {
                        let input = block.get("input").map_or_else(|| "{}".to_owned(), Value::to_string);
                        parts.push(Part::ToolCall(ToolCall {
                            id: block.needed("id")?.to_owned(),
                            name: block.needed("name")?.to_owned(),
                            arguments: input,
                        }));
                    }
                    "tool_result" => parts.push(Part::ToolResult {
                        id: block.needed("tool_use_id")?.to_owned(),
                        parts: content(block, "content")?,
                        is_error: block.flag("is_error")?.unwrap_or_default(),
                    }),
                    _ => {
                        return Err(at
                            .member("type")
                            .refused("must be text, image, document, thinking, tool_use or tool_result"));
                    }
                }
            }
            Ok(parts)
        }
    }
}

fn source(block: Object<'_, '_>) -> Result<Source, Refused> {
    let at = block.at.member("source");
    let source = Object::of(block.get("source").unwrap_or(&Value::Null), &at)?;
    match source.needed("type")? {
        "base64" => Ok(Source::Inline {
            media_type: source.needed("media_type")?.to_owned(),
            data: source.needed("data")?.to_owned(),
        }),
        "url" => Ok(Source::Url(source.needed("url")?.to_owned())),
        _ => Err(at.member("type").refused("must be base64 or url")),
    }
}

fn document(block: Object<'_, '_>) -> Result<Part, Refused> {
    let at = block.at.member("source");
    let inner = Object::of(block.get("source").unwrap_or(&Value::Null), &at)?;
    // A document of plain text is text.
    if inner.text("type")? == Some("text") {
        return Ok(Part::Text(inner.needed("data")?.to_owned()));
    }
    if block.get("citations").is_some_and(|citations| citations["enabled"] == true) {
        return Err(block.at.member("citations").refused("cannot be asked of this provider"));
    }
    Ok(Part::Document(Document { source: source(block)?, name: block.text("title")?.map(str::to_owned) }))
}

/// The smallest budget for thinking that Anthropic takes.
const SMALLEST_BUDGET: u64 = 1024;

/// Writes a request.
pub(super) fn write(request: &Request, target: &Target<'_>) -> Result<Value, Refused> {
    let most = request.max_tokens.or(target.max_tokens).unwrap_or_else(|| default_max_tokens(target.model));
    let messages: Vec<_> = request
        .turns
        .iter()
        .map(|turn| {
            let content: Vec<_> = turn.parts.iter().filter_map(block).collect();
            json!({"role": if turn.role == Role::User { "user" } else { "assistant" }, "content": content})
        })
        .collect();
    let mut body = json!({"model": target.model, "max_tokens": most, "messages": messages});
    let system = request.system.join("\n\n");
    set(&mut body, "system", Some(system).filter(|system| !system.is_empty()));
    if !request.tools.is_empty() {
        let tools: Vec<_> = request.tools.iter().map(tool).collect();
        set(&mut body, "tools", Some(tools));
        set(&mut body, "tool_choice", tool_choice(request));
    }
    let hot = request.temperature.as_ref().and_then(serde_json::Number::as_f64);
    if hot.is_some_and(|hot| hot > 1.0) {
        return Err(At::Top.member("temperature").refused("must be at most 1 for this provider"));
    }
    set(&mut body, "temperature", request.temperature.clone());
    set(&mut body, "top_p", request.top_p.clone());
    set(&mut body, "top_k", request.top_k);
    set(&mut body, "stop_sequences", Some(request.stop.clone()).filter(|stop| !stop.is_empty()));
    set(&mut body, "metadata", request.user.as_ref().map(|user| json!({"user_id": user})));
    match request.format.as_ref() {
        None => {}
        Some(Format::Json) => {
            let reason = "must be text or json_schema: this provider has no JSON without a schema";
            return Err(At::Top.member("response_format").refused(reason));
        }
        Some(Format::Schema { schema, .. }) => {
            let format = json!({"type": "json_schema", "schema": schema});
            set(&mut body, "output_config", Some(json!({"format": format})));
        }
    }
    let depth = request.reasoning.as_ref().map(|reasoning| &reasoning.depth);
    if let Some(budget) = depth.filter(|_| !is_amid_tools(&request.turns)).and_then(Depth::budget) {
        let budget = budget.min(most.saturating_sub(1));
        if budget >= SMALLEST_BUDGET {
            set(&mut body, "thinking", Some(json!({"type": "enabled", "budget_tokens": budget})));
        }
    }
    if request.is_streamed {
        set(&mut body, "stream", Some(true));
    }
    Ok(body)
}

/// The longest answer of a model whose client names no limit; this API wants one. Source: the models of Anthropic.
fn default_max_tokens(model: &str) -> u64 {
    let is_of = |families: &[&str]| families.iter().any(|family| model.contains(family));
    if is_of(&["claude-3-haiku", "claude-3-opus", "claude-3-sonnet", "claude-2"]) {
        4096
    } else if is_of(&["claude-3-5", "claude-3.5"]) {
        8192
    } else {
        32_000
    }
}

/// Whether the model waits for tools that it called without a seal on its thoughts: it may not think on then.
fn is_amid_tools(turns: &[Turn]) -> bool {
    let calls = |turn: &&Turn| turn.parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
    let answers = |turn: &Turn| turn.parts.iter().any(|part| matches!(part, Part::ToolResult { .. }));
    turns.last().is_some_and(answers) && turns.iter().rev().nth(1).as_ref().is_some_and(calls)
}

fn tool(tool: &Tool) -> Value {
    let schema = tool.parameters.clone().unwrap_or_else(|| json!({"type": "object", "properties": {}}));
    let mut written = json!({"name": tool.name, "input_schema": schema});
    set(&mut written, "description", tool.description.clone());
    set(&mut written, "strict", tool.strict.filter(|strict| *strict));
    written
}

fn tool_choice(request: &Request) -> Option<Value> {
    let mut choice = match request.tool_choice.as_ref() {
        None if request.parallel_tools == Some(false) => json!({"type": "auto"}),
        None => return None,
        Some(ToolChoice::Auto) => json!({"type": "auto"}),
        Some(ToolChoice::Named(name)) => json!({"type": "tool", "name": name}),
        Some(ToolChoice::Never) => return Some(json!({"type": "none"})),
        Some(ToolChoice::Required) => json!({"type": "any"}),
    };
    set(&mut choice, "disable_parallel_tool_use", request.parallel_tools.map(|parallel| !parallel));
    Some(choice)
}

fn block(part: &Part) -> Option<Value> {
    Some(match part {
        Part::Text(text) => json!({"type": "text", "text": text}),
        Part::Image(Image { source, .. }) => json!({"type": "image", "source": written_source(source)}),
        Part::Document(Document { source, name }) => {
            let mut document = json!({"type": "document", "source": written_source(source)});
            set(&mut document, "title", name.clone());
            document
        }
        Part::ToolCall(ToolCall { id, name, arguments }) => {
            json!({"type": "tool_use", "id": tool_id(id), "name": name, "input": super::arguments(arguments)})
        }
        Part::ToolResult { id, parts, is_error } => {
            let content: Vec<_> = parts.iter().filter_map(block).collect();
            let mut result = json!({"type": "tool_result", "tool_use_id": tool_id(id), "content": content});
            set(&mut result, "is_error", Some(true).filter(|_| *is_error));
            result
        }
        Part::Thinking { .. } => return None,
    })
}

/// Anthropic takes ids of letters, digits, `_` and `-` only.
fn tool_id(id: &str) -> String {
    id.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect()
}

fn written_source(source: &Source) -> Value {
    match source {
        Source::Inline { media_type, data } => {
            json!({"type": "base64", "media_type": media_type, "data": data})
        }
        Source::Url(url) => json!({"type": "url", "url": url}),
    }
}
