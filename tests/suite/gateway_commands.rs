//! Commands that come as a message, through every API that clients speak.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::gateway::{Answer, Running, TOKEN};
use crate::support::provider::{Provider, Reply};
use crate::support::{CONFIG, HOUR, STORE, TestEnv, api_key, real_now_ms, token};

/// A host with two providers, two profiles of one and one of the other, and an alias.
pub(crate) fn host(provider: &Provider) -> TestEnv {
    let base = provider.url("");
    let env = TestEnv::real_time();
    let config = json!({
        "gateway": {"auth": {"token": TOKEN}},
        "agents": {"defaults": {
            "model": {"primary": "anthropic/claude-opus-4-5"},
            "models": {},
        }},
        "models": {"providers": {
            "anthropic": {"baseUrl": base, "models": []},
            "openai": {"baseUrl": format!("{base}/v1"), "models": []},
        }},
    });
    env.file(CONFIG, config.to_string());
    env.profiles(json!({
        "anthropic:a": api_key("anthropic", "sk-ant-a-0123456789-AAAA"),
        "anthropic:b": api_key("anthropic", "sk-ant-b-0123456789-BBBB"),
        "anthropic:me+x@example.com": token("anthropic", json!("absent")),
        "anthropic:has space": api_key("anthropic", "sk-ant-s-0123456789-SSSS"),
        "openai:k": api_key("openai", "sk-openai-0123456789-KKKK"),
    }));
    env.private();
    env
}

/// A provider that answers everything with the model that it was asked for.
pub(crate) fn echoing() -> Provider {
    Provider::knowing(&[])
        .scripted(|seen| Some(Reply::json(200, json!({"model": seen.members.get("model")}))))
}

/// The ways of asking.
const PATHS: &[&str] = &["/v1/chat/completions", "/v1/messages", "/v1/responses"];

fn body(path: &str, message: &str, is_streamed: bool) -> Value {
    let turns = json!([{"role": "user", "content": "earlier"}, {"role": "assistant", "content": "yes"}, {"role": "user", "content": message}]);
    let messages = if path == "/v1/responses" { "input" } else { "messages" };
    json!({"model": "openclaw", "stream": is_streamed, "max_tokens": 9, messages: turns})
}

/// Says something in a session of its own.
fn say(gateway: &Running, path: &str, session: &str, message: &str, is_streamed: bool) -> Answer {
    let authorization = format!("Bearer {TOKEN}");
    let headers = [("authorization", authorization.as_str()), ("x-openclaw-session-key", session)];
    gateway.send("POST", path, &headers, &body(path, message, is_streamed).to_string())
}

/// The text of an answer, or of an error.
fn text(path: &str, answer: &Answer) -> String {
    let document = answer.json();
    let place = match path {
        _ if answer.status != 200 => "/error/message",
        "/v1/chat/completions" => "/choices/0/message/content",
        "/v1/messages" => "/content/0/text",
        _ => "/output/0/content/0/text",
    };
    document.pointer(place).and_then(Value::as_str).unwrap_or_else(|| panic!("{document:#}")).to_owned()
}

/// The text of a stream, put together as a client does.
fn streamed_text(path: &str, answer: &Answer) -> String {
    let data =
        answer.body.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|data| *data != "[DONE]");
    data.map(|data| serde_json::from_str::<Value>(data).unwrap())
        .filter_map(|event| {
            let place = match path {
                "/v1/chat/completions" => "/choices/0/delta/content",
                "/v1/messages" => "/delta/text",
                _ if event["type"] == "response.output_text.delta" => "/delta",
                _ => return None,
            };
            event.pointer(place).and_then(Value::as_str).map(str::to_owned)
        })
        .collect()
}

/// Each line: what is typed, the status, and what the answer has in it.
const TRANSCRIPT: &[(&str, u16, &[&str])] = &[
    (
        "/model",
        200,
        &["Current: anthropic/claude-opus-4-5", "1. anthropic/claude-opus-4-5 - current, default"],
    ),
    (
        "/model list",
        200,
        &["Current: anthropic/claude-opus-4-5", "openai/gpt-5.2", "Switch: /model <number>"],
    ),
    ("/model openai/gpt-5.2", 200, &["Model set to openai/gpt-5.2."]),
    ("/model", 200, &["Current: openai/gpt-5.2", "1. openai/gpt-5.2 - current\n", "- default"]),
    ("/model anthropic/claude-opus-4-5", 200, &["Model reset to default (anthropic/claude-opus-4-5)."]),
    (
        "/model anthropic/claude-sonnet-4-5@anthropic:b",
        200,
        &["Model set to anthropic/claude-sonnet-4-5. Auth profile set to anthropic:b."],
    ),
    ("/model", 200, &["Auth profile: anthropic:b (pinned)"]),
    (
        "/status",
        200,
        &["Model: anthropic/claude-sonnet-4-5 (chosen here", "anthropic:b=sk-a...BBBB (pinned, next"],
    ),
    (
        "/model anthropic/claude-opus-4-5@anthropic:b",
        200,
        &["Model reset to default (anthropic/claude-opus-4-5). Auth profile set to anthropic:b."],
    ),
    (
        "/model sonnet",
        200,
        &["Model set to anthropic/claude-sonnet-4-5.", "No auth profile is pinned any more."],
    ),
    ("/model x@nosuch", 400, &["is not known"]),
    ("/model sonnet@nosuch", 400, &["Auth profile \"nosuch\" not found.", "anthropic:a"]),
    (
        "/model openai/gpt-5.2@anthropic:b",
        400,
        &["Auth profile \"anthropic:b\" is for anthropic, not openai."],
    ),
    ("/model @p", 400, &["Auth profile override requires a model selection"]),
    ("/model status@p", 400, &["Auth profile override requires a model selection"]),
    ("/model foo/bar", 400, &["Model \"foo/bar\" is not known."]),
    ("/model 99", 400, &["There is no model 99 in the list"]),
    ("/model 0", 400, &["There is no model 0 in the list"]),
    ("/model Opus 4.5", 400, &["one name without spaces", "nothing was sent to a model"]),
    ("/model opus @anthropic:b", 400, &["no space before the @"]),
    ("/model opus@", 400, &["the profile behind the @ is missing"]),
    ("/model sonnet@anthropic:me+x@example.com", 200, &["Auth profile set to anthropic:me+x@example.com."]),
    ("/model sonnet@\"anthropic:has space\"", 200, &["Auth profile set to anthropic:has space."]),
    (
        "/model groq/llama-9",
        200,
        &["Model set to groq/llama-9.", "It is in no list here", "There is no credential for groq"],
    ),
    ("/model 2", 200, &["Model reset to default (anthropic/claude-opus-4-5)."]),
    ("/model default", 200, &["Model reset to default"]),
    ("/models", 200, &["Providers:\n- anthropic (2)\n", "- openai (2)"]),
    (
        "/models anthropic",
        200,
        &["Models (anthropic) — showing 1-2 of 2 (page 1/1)", "- anthropic/claude-opus-4-5"],
    ),
    (
        "/models anthropic size=1 page=2",
        200,
        &["showing 2-2 of 2 (page 2/2)\n- anthropic/claude-sonnet-4-5\n", "All: /models anthropic all"],
    ),
    ("/models anthropic size=1", 200, &["(page 1/2)", "More: /models anthropic 2"]),
    ("/models anthropic 9", 400, &["Page out of range: 9; there are 1 to 1."]),
    ("/models nosuch", 400, &["Unknown provider \"nosuch\". There are: anthropic"]),
    ("/new", 200, &["New session. Model anthropic/claude-opus-4-5."]),
    ("/reset gpt-5-mini", 200, &["New session. Model set to openai/gpt-5-mini."]),
    ("/new nonsense", 400, &["is not known"]),
    ("/STATUS", 200, &["Session: agent:main:t", "Agent: main", "Model: openai/gpt-5-mini"]),
];

#[test]
fn a_command_is_answered_in_the_words_of_each_api_and_no_provider_hears_of_it() {
    let provider = echoing();
    let env = host(&provider);
    let gateway = Running::start(&env);
    for path in PATHS {
        let session = format!("t-{}", path.rsplit('/').next().unwrap());
        for (typed, status, parts) in TRANSCRIPT {
            let answer = say(&gateway, path, &session, typed, false);
            let said = text(path, &answer);
            assert_eq!(answer.status, *status, "{path} {typed}: {said}");
            for part in *parts {
                assert!(said.contains(part), "{path} {typed}: {part} is not in {said}");
            }
            assert_eq!(answer.header("x-openclaw-command"), Some("answered"));
            assert!(!answer.body.contains("0123456789"), "{said}");
        }
    }
    assert!(provider.seen().is_empty());
    let (_, said) = gateway.stop();
    assert!(!said.contains("0123456789"), "{said}");
}

#[test]
fn a_streamed_command_has_every_event_that_clients_wait_for() {
    let provider = echoing();
    let env = host(&provider);
    let gateway = Running::start(&env);
    for (path, first, last) in [
        ("/v1/chat/completions", "\"role\":\"assistant\"", "data: [DONE]\n\n"),
        (
            "/v1/messages",
            "event: message_start\n",
            "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
        ),
        ("/v1/responses", "event: response.created\n", "\n\n"),
    ] {
        let answer = say(&gateway, path, "s", "/model sonnet@anthropic:b", true);
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(answer.header("content-type").unwrap().starts_with("text/event-stream"));
        assert!(answer.body.split("\n\n").next().unwrap().contains(first.trim()), "{answer:?}");
        assert!(answer.body.ends_with(last), "{answer:?}");
        assert_eq!(
            streamed_text(path, &answer),
            "Model set to anthropic/claude-sonnet-4-5. Auth profile set to anthropic:b."
        );
        // What cannot be done is an error before any stream begins.
        let refused = say(&gateway, path, "s", "/model nope", true);
        assert_eq!((refused.status, refused.header("content-type")), (400, Some("application/json")));
    }
    let usage = json!({"stream": true, "stream_options": {"include_usage": true}, "messages": [{"role": "user", "content": "/status"}]});
    assert!(gateway.post("/v1/chat/completions", &usage).body.contains("\"total_tokens\":0"));
    assert!(provider.seen().is_empty());
}

#[test]
fn what_is_no_command_goes_to_the_model_as_it_came() {
    let provider = echoing();
    let env = host(&provider);
    let gateway = Running::start(&env);
    let authorization = format!("Bearer {TOKEN}");
    let off = [("authorization", authorization.as_str()), ("x-openclaw-commands", "OFF")];
    let on = [("authorization", authorization.as_str())];
    for (headers, message) in [
        (&off[..], "/model"),
        (&off[..], "/status"),
        (&on[..], "/usr/bin/env is what?"),
        (&on[..], "please say /model"),
        (&on[..], "/model\nis the first line"),
        (&on[..], "/modelling"),
        (&on[..], "hello"),
    ] {
        let before = provider.seen().len();
        let body = body("/v1/messages", message, false);
        let answer = gateway.send("POST", "/v1/messages", headers, &body.to_string());
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(
            (provider.seen().len(), answer.header("x-openclaw-command")),
            (before + 1, None),
            "{message}"
        );
    }
    // Counting is no conversation.
    let counted = gateway.post("/v1/messages/count_tokens", &body("/v1/messages", "/model", false));
    assert_eq!(
        (counted.status, provider.seen().last().unwrap().path.as_str()),
        (200, "/v1/messages/count_tokens")
    );
}

#[test]
fn the_status_of_models_tells_what_is_next_and_why_and_shows_no_key() {
    let provider = echoing();
    let env = host(&provider);
    let mut store = env.read_json(STORE);
    store["order"] = json!({"anthropic": ["anthropic:a", "anthropic:b"]});
    store["lastGood"] = json!({"anthropic": "anthropic:b"});
    store["usageStats"] = json!({"anthropic:a": {"errorCount": 1, "cooldownUntil": real_now_ms() + HOUR}});
    env.file(STORE, store.to_string()).private();
    let gateway = Running::start(&env);
    let said = text("/v1/messages", &say(&gateway, "/v1/messages", "s", "/model status", false));
    for part in [
        "Current: anthropic/claude-opus-4-5\nDefault: anthropic/claude-opus-4-5\nAgent: main\nAuth file: ~/.openclaw/agents/main/agent/auth-profiles.json",
        &format!(
            "[anthropic] endpoint: {} auth: anthropic:b=sk-a...BBBB (next, lastGood), anthropic:a=sk-a...AAAA (cooldown 1h)",
            provider.url("")
        ),
        "excluded_by_auth_order",
        "  • anthropic/claude-opus-4-5",
        "[openai] endpoint:",
        "auth: openai:k=sk-o...KKKK (next)",
        "[zai] endpoint: default auth: missing",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!said.contains("0123456789"), "{said}");
    // What an order leaves out cannot be pinned: it would never be used.
    let refused =
        text("/v1/messages", &say(&gateway, "/v1/messages", "s", "/model opus@anthropic:has", false));
    assert!(refused.contains("not found"), "{refused}");
    let refused = say(&gateway, "/v1/messages", "s", "/model opus@\"anthropic:has space\"", false);
    assert!(text("/v1/messages", &refused).contains("cannot be used: excluded_by_auth_order"), "{refused:?}");
}

#[test]
fn what_several_providers_have_is_asked_about_with_the_candidates() {
    let provider = echoing();
    let env = host(&provider);
    env.replace_in(
        CONFIG,
        "\"providers\":{",
        r#""providers":{"mine":{"baseUrl":"http://127.0.0.1:1","apiKey":"sk-mine-0123456789","models":[{"id":"gpt-5.2","name":"x"}]},"#,
    );
    let gateway = Running::start(&env);
    let path = "/v1/chat/completions";
    for (model, message) in [("gpt-5.2", "hi"), ("openclaw", "/model gpt-5.2")] {
        let mut asked = body(path, message, false);
        asked["model"] = json!(model);
        let answer = gateway.post(path, &asked);
        assert_eq!(answer.status, 400, "{answer:?}");
        assert!(answer.body.contains("mine/gpt-5.2") && answer.body.contains("openai/gpt-5.2"), "{answer:?}");
    }
    let close = say(&gateway, "/v1/messages", "s", "/model claude", false);
    assert!(
        text("/v1/messages", &close).contains("anthropic/claude-opus-4-5 or anthropic/claude-sonnet-4-5"),
        "{close:?}"
    );
    assert!(provider.seen().is_empty());
}

#[test]
fn a_list_of_the_config_is_all_that_can_be_chosen() {
    let provider = echoing();
    let env = host(&provider);
    env.replace_in(
        CONFIG,
        "\"models\":{}",
        r#""models":{"anthropic/claude-sonnet-4-5":{"alias":"Sonny"},"openai/gpt-5.2":{}}"#,
    );
    let gateway = Running::start(&env);
    let path = "/v1/chat/completions";
    let transcript: BTreeMap<_, _> = [
        ("/model sonny", (200, "Model set to sonny (anthropic/claude-sonnet-4-5).")),
        ("/Sonny@anthropic:a", (200, "Auth profile set to anthropic:a.")),
        ("/model openai/gpt-5-mini", (400, "is not allowed")),
        ("/model gpt-5", (200, "Model set to openai/gpt-5.2.")),
        ("/model zai/glm-4.7", (400, "is not allowed")),
        ("/model claude-haiku-4-5", (400, "is not allowed")),
    ]
    .into();
    for (typed, (status, part)) in transcript {
        let answer = say(&gateway, path, "s", typed, false);
        assert!(answer.status == status && text(path, &answer).contains(part), "{typed}: {answer:?}");
    }
}
