//! Speed of translation between the APIs of models, beside what passing on costs: finding the model's name and copying.

use std::fmt::Write;
use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use openclaw::core::upstream::{ApiKind, Surface};
use openclaw::format::dialect::{self, Stream, Target};
use openclaw::format::gateway_request::Asked;
use serde_json::json;

/// A request of chat completions with as many turns, three tools and a system text, as coding clients send them.
fn request(turns: usize) -> String {
    let text = "Please look at the file and tell me what it does, line by line. ".repeat(8);
    let mut messages = vec![json!({"role": "system", "content": text.repeat(4)})];
    for at in 0..turns {
        let call = json!({"id": format!("call_{at}"), "type": "function",
            "function": {"name": "read", "arguments": "{\"path\":\"src/main.rs\"}"}});
        messages.push(json!({"role": "user", "content": text}));
        messages.push(json!({"role": "assistant", "content": null, "tool_calls": [call]}));
        messages.push(json!({"role": "tool", "tool_call_id": format!("call_{at}"), "content": text}));
    }
    let schema = json!({"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]});
    let tools: Vec<_> = ["read", "write", "exec"]
        .iter()
        .map(|name| json!({"type": "function", "function": {"name": name, "description": text, "parameters": schema}}))
        .collect();
    json!({"model": "anthropic/claude-opus-4-5", "messages": messages, "tools": tools, "stream": true})
        .to_string()
}

/// A stream of Anthropic's with as many words.
fn stream(words: usize) -> Vec<u8> {
    let mut text = String::new();
    let mut event = |name: &str, data: serde_json::Value| {
        // A String takes whatever is written to it.
        let _ = write!(text, "event: {name}\ndata: {data}\n\n");
    };
    let message = json!({"id": "msg_1", "model": "claude", "usage": {"input_tokens": 9, "output_tokens": 1}});
    event("message_start", json!({"type": "message_start", "message": message}));
    let block = json!({"type": "text", "text": ""});
    event("content_block_start", json!({"type": "content_block_start", "index": 0, "content_block": block}));
    for _ in 0..words {
        let delta = json!({"type": "text_delta", "text": " word"});
        event("content_block_delta", json!({"type": "content_block_delta", "index": 0, "delta": delta}));
    }
    event("content_block_stop", json!({"type": "content_block_stop", "index": 0}));
    let end = json!({"stop_reason": "end_turn", "stop_sequence": null});
    event("message_delta", json!({"type": "message_delta", "delta": end, "usage": {"output_tokens": 100}}));
    event("message_stop", json!({"type": "message_stop"}));
    text.into_bytes()
}

fn requests(criterion: &mut Criterion) {
    for turns in [1, 50] {
        let body = request(turns);
        let mut group = criterion.benchmark_group(format!("request, {} KiB", body.len() / 1024));
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function("passed on", |bench| {
            bench.iter(|| {
                let asked = Asked::parse(black_box(body.as_bytes())).unwrap_or_default();
                asked.with_model(body.as_bytes(), "claude-opus-4-5").len()
            });
        });
        for kind in [ApiKind::AnthropicMessages, ApiKind::GoogleGenerativeAi, ApiKind::OpenaiResponses] {
            let target = Target { kind, provider: "somebody", model: "claude-opus-4-5", max_tokens: None };
            group.bench_with_input(BenchmarkId::new("translated", kind.name()), &target, |bench, target| {
                bench.iter(|| {
                    let body = black_box(body.as_bytes());
                    dialect::request(Surface::ChatCompletions, body, target).map(|said| said.body.len())
                });
            });
        }
        group.finish();
    }
}

fn streams(criterion: &mut Criterion) {
    const WORDS: usize = 1000;
    let stream = stream(WORDS);
    let mut group = criterion.benchmark_group("stream, 1000 words");
    group.throughput(Throughput::Elements(WORDS as u64));
    group.bench_function("copied", |bench| {
        bench.iter(|| stream.chunks(120).map(|piece| black_box(piece).to_vec().len()).sum::<usize>());
    });
    group.bench_function("translated for chat completions", |bench| {
        bench.iter(|| {
            let mut translation = Stream::new(ApiKind::AnthropicMessages, Surface::ChatCompletions, 1, true);
            let (mut out, mut sent) = (Vec::new(), 0);
            for piece in stream.chunks(120) {
                translation.push(black_box(piece), &mut out);
                sent += out.len();
                out.clear();
            }
            sent
        });
    });
    group.finish();
}

criterion_group!(benches, requests, streams);
criterion_main!(benches);
