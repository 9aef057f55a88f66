//! Answers that no model gave, in the words of each API: whole, and as the events that its clients expect of a stream.

use serde_json::{Value, json};

use crate::core::upstream::Surface;

/// An answer of our own.
#[derive(Clone, Copy, Debug)]
pub struct ChatAnswer<'a> {
    /// The API that the client speaks.
    pub surface: Surface,
    /// What makes its ids unique.
    pub id: &'a str,
    /// When it was made, s since the epoch.
    pub created: i64,
    /// The model that the client named.
    pub model: &'a str,
    /// What it says.
    pub text: &'a str,
}

impl ChatAnswer<'_> {
    /// The whole answer.
    pub fn whole(&self) -> Value {
        match self.surface {
            Surface::ChatCompletions => json!({
                "id": format!("chatcmpl-{}", self.id),
                "object": "chat.completion",
                "created": self.created,
                "model": self.model,
                "choices": [{
                    "index": 0,
                    "message": {"role": "assistant", "content": self.text, "refusal": null},
                    "logprobs": null,
                    "finish_reason": "stop",
                }],
                "usage": completion_usage(),
            }),
            Surface::CountTokens | Surface::Messages => {
                self.message(&json!([{"type": "text", "text": self.text}]), &json!("end_turn"))
            }
            Surface::Responses => self.response("completed", &json!([self.item("completed")])),
        }
    }

    /// The stream. `wants_usage` is what a client of chat completions asks for with `stream_options`.
    pub fn stream(&self, wants_usage: bool) -> String {
        match self.surface {
            Surface::ChatCompletions => self.chunks(wants_usage),
            Surface::CountTokens | Surface::Messages => self.message_events(),
            Surface::Responses => self.response_events(),
        }
    }

    fn chunks(&self, wants_usage: bool) -> String {
        let chunk = |choices: Value, usage: Option<Value>| {
            let mut chunk = json!({
                "id": format!("chatcmpl-{}", self.id),
                "object": "chat.completion.chunk",
                "created": self.created,
                "model": self.model,
                "choices": choices,
            });
            if wants_usage {
                chunk["usage"] = usage.unwrap_or_default();
            }
            format!("data: {chunk}\n\n")
        };
        let choice =
            |delta: Value, reason: Value| json!([{"index": 0, "delta": delta, "finish_reason": reason}]);
        let mut events = vec![
            chunk(choice(json!({"role": "assistant", "content": ""}), Value::Null), None),
            chunk(choice(json!({"content": self.text}), Value::Null), None),
            chunk(choice(json!({}), json!("stop")), None),
        ];
        if wants_usage {
            events.push(chunk(json!([]), Some(completion_usage())));
        }
        events.push("data: [DONE]\n\n".to_owned());
        events.concat()
    }

    fn message(&self, content: &Value, stop_reason: &Value) -> Value {
        json!({
            "id": format!("msg_{}", self.id),
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": content,
            "stop_reason": stop_reason,
            "stop_sequence": null,
            "usage": {"input_tokens": 0, "output_tokens": 0},
        })
    }

    fn message_events(&self) -> String {
        events(&[
            json!({"type": "message_start", "message": self.message(&json!([]), &Value::Null)}),
            json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
            json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": self.text}}),
            json!({"type": "content_block_stop", "index": 0}),
            json!({
                "type": "message_delta",
                "delta": {"stop_reason": "end_turn", "stop_sequence": null},
                "usage": {"output_tokens": 0},
            }),
            json!({"type": "message_stop"}),
        ])
    }

    fn response(&self, status: &str, output: &Value) -> Value {
        let usage = json!({
            "input_tokens": 0,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": 0,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 0,
        });
        json!({
            "id": format!("resp_{}", self.id),
            "object": "response",
            "created_at": self.created,
            "status": status,
            "error": null,
            "incomplete_details": null,
            "instructions": null,
            "metadata": {},
            "model": self.model,
            "output": output,
            "parallel_tool_calls": true,
            "temperature": null,
            "tool_choice": "auto",
            "tools": [],
            "top_p": null,
            "usage": if status == "completed" { usage } else { Value::Null },
        })
    }

    fn item(&self, status: &str) -> Value {
        let content = if status == "completed" { json!([part(self.text)]) } else { json!([]) };
        json!({
            "type": "message",
            "id": self.item_id(),
            "status": status,
            "role": "assistant",
            "content": content,
        })
    }

    fn item_id(&self) -> String {
        format!("msg_{}", self.id)
    }

    fn response_events(&self) -> String {
        let place = |kind: &str| json!({"type": kind, "item_id": self.item_id(), "output_index": 0, "content_index": 0});
        let with = |kind: &str, member: &str, value: Value| {
            let mut event = place(kind);
            event[member] = value;
            event
        };
        let mut all = [
            json!({"type": "response.created", "response": self.response("in_progress", &json!([]))}),
            json!({"type": "response.in_progress", "response": self.response("in_progress", &json!([]))}),
            json!({"type": "response.output_item.added", "output_index": 0, "item": self.item("in_progress")}),
            with("response.content_part.added", "part", part("")),
            with("response.output_text.delta", "delta", json!(self.text)),
            with("response.output_text.done", "text", json!(self.text)),
            with("response.content_part.done", "part", part(self.text)),
            json!({"type": "response.output_item.done", "output_index": 0, "item": self.item("completed")}),
            json!({"type": "response.completed", "response": self.response("completed", &json!([self.item("completed")]))}),
        ];
        for (number, event) in all.iter_mut().enumerate() {
            event["sequence_number"] = json!(number);
            if event["type"].as_str().is_some_and(|kind| kind.starts_with("response.output_text")) {
                event["logprobs"] = json!([]);
            }
        }
        events(&all)
    }
}

/// No model was asked, so nothing was used.
fn completion_usage() -> Value {
    json!({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0})
}

fn part(text: &str) -> Value {
    json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []})
}

/// Events with their type as the name.
fn events(all: &[Value]) -> String {
    let event =
        |data: &Value| format!("event: {}\ndata: {data}\n\n", data["type"].as_str().unwrap_or_default());
    all.iter().map(event).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::ChatAnswer;
    use crate::core::upstream::Surface;

    fn answer(surface: Surface) -> ChatAnswer<'static> {
        ChatAnswer { surface, id: "1", created: 7, model: "openclaw", text: "a\n\"b\"" }
    }

    fn data(stream: &str) -> Vec<Value> {
        let lines = stream.lines().filter_map(|line| line.strip_prefix("data: "));
        lines.filter(|data| *data != "[DONE]").map(|data| serde_json::from_str(data).unwrap()).collect()
    }

    #[test]
    fn every_api_gets_the_text_whole() {
        for (surface, place) in [
            (Surface::ChatCompletions, "/choices/0/message/content"),
            (Surface::Messages, "/content/0/text"),
            (Surface::Responses, "/output/0/content/0/text"),
        ] {
            let whole = answer(surface).whole();
            assert_eq!(whole.pointer(place).and_then(Value::as_str), Some("a\n\"b\""), "{whole}");
            assert_eq!(whole["model"], "openclaw");
        }
    }

    #[test]
    fn chunks_end_with_a_reason_and_the_usage_that_was_asked_for() {
        let stream = answer(Surface::ChatCompletions).stream(false);
        let chunks = data(&stream);
        assert!(stream.ends_with("data: [DONE]\n\n") && chunks.len() == 3);
        assert_eq!(chunks[0]["choices"][0]["delta"]["role"], "assistant");
        assert_eq!(chunks[1]["choices"][0]["delta"]["content"], "a\n\"b\"");
        assert_eq!(chunks[2]["choices"][0]["finish_reason"], "stop");
        assert!(chunks.iter().all(|chunk| chunk.get("usage").is_none()));
        let chunks = data(&answer(Surface::ChatCompletions).stream(true));
        assert!(chunks[3]["usage"]["total_tokens"] == 0 && chunks[0]["usage"].is_null());
    }

    #[test]
    fn events_come_in_the_order_of_each_api() {
        let kinds = |surface| -> Vec<String> {
            let stream = answer(surface).stream(false);
            let names: Vec<_> = stream.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
            let types: Vec<_> =
                data(&stream).iter().map(|data| data["type"].as_str().unwrap().to_owned()).collect();
            assert_eq!(names, types);
            types
        };
        assert_eq!(
            kinds(Surface::Messages),
            [
                "message_start",
                "content_block_start",
                "content_block_delta",
                "content_block_stop",
                "message_delta",
                "message_stop"
            ]
        );
        assert_eq!(
            kinds(Surface::Responses)
                .iter()
                .map(|kind| kind.trim_start_matches("response."))
                .collect::<Vec<_>>(),
            [
                "created",
                "in_progress",
                "output_item.added",
                "content_part.added",
                "output_text.delta",
                "output_text.done",
                "content_part.done",
                "output_item.done",
                "completed"
            ]
        );
        let numbers: Vec<_> = data(&answer(Surface::Responses).stream(false))
            .iter()
            .map(|event| event["sequence_number"].as_u64())
            .collect();
        assert_eq!(numbers, (0..9).map(Some).collect::<Vec<_>>());
    }
}
