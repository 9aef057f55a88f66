//! The gateway in front of providers of every kind: with the official SDKs, and where only bytes show it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::gateway::{Running, TOKEN};
use crate::support::provider::{Provider, Reply};
use crate::support::{CONFIG, HOUR, STORE, TestEnv, api_key, real_now_ms, skipped, vendors};

/// A provider of each kind behind one address.
fn providers(base: &str) -> Value {
    let declared = |id: &str| json!([{"id": id, "name": id}]);
    let key = "sk-key-0123456789abcdef";
    json!({
        "anthropic": {"baseUrl": base, "models": []},
        "google": {"baseUrl": format!("{base}/v1beta"), "apiKey": "AIza-key-0123456789abcdef", "models": []},
        "openai-codex": {"baseUrl": format!("{base}/backend-api"), "models": []},
        "comp": {"baseUrl": format!("{base}/v1"), "apiKey": key, "api": "openai-completions", "models": declared("gpt-4o-mini")},
        "resp": {"baseUrl": format!("{base}/v1"), "apiKey": key, "models": [
            {"id": "gpt-5.2", "name": "GPT", "api": "openai-responses"}]},
    })
}

fn host(base: &str) -> TestEnv {
    let env = TestEnv::real_time().var("ANTHROPIC_API_KEY", "sk-ant-key-0123456789");
    let config = json!({
        "gateway": {"mode": "local", "auth": {"token": TOKEN}},
        "agents": {"defaults": {"model": {"primary": "anthropic/claude-sonnet-4-5"}}},
        "models": {"providers": providers(base)},
    });
    env.file(CONFIG, config.to_string());
    env.profiles(json!({"openai-codex:me": {"type": "oauth", "provider": "openai-codex", "access": "codex-access-0123456789",
        "refresh": "rt", "expires": real_now_ms() + 24 * HOUR, "accountId": "acc-1"}}));
    env.private();
    env
}

#[test]
fn the_official_sdks_find_what_they_expect() {
    // Beside the programs that cargo builds; scripts/test puts it there.
    let built = Path::new(env!("CARGO_BIN_EXE_openclaw")).parent().and_then(Path::parent).unwrap();
    let python = built.join("sdks/bin/python");
    if !built.join("sdks/installed.txt").exists() {
        skipped("the SDKs are not installed; scripts/test does it");
        return;
    }
    let provider = Provider::knowing(&[]).scripted(vendors::answer);
    let env = host(&provider.url(""));
    let gateway = Running::start(&env);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sdks/clients.py");
    let base = format!("http://127.0.0.1:{}", gateway.port);
    let ran = Command::new(python).args([script, &base, TOKEN]).env_clear().output().unwrap();
    let (out, told) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    let (_, said) = gateway.stop();
    assert!(ran.status.success(), "{out}\n{told}\n{said}");
    assert_eq!(out.lines().count(), 5 * 11 + 5, "{out}");
    assert!(!said.contains("sk-") && !said.contains("codex-access"), "{said}");
}

fn hello(model: &str) -> Value {
    json!({"model": model, "max_tokens": 9, "messages": [{"role": "user", "content": "hello"}]})
}

const CHAT: &str = "/v1/chat/completions";
const MESSAGES: &str = "/v1/messages";

#[test]
fn each_kind_gets_its_own_headers_and_we_are_nobody_else() {
    let provider = Provider::knowing(&[]).scripted(vendors::answer);
    let env = host(&provider.url(""));
    let gateway = Running::start(&env);
    let mut request = hello("anthropic/claude-sonnet-4-5");
    request["seed"] = json!(1);
    request["store"] = json!(false);
    let answer = gateway.post(CHAT, &request);
    assert_eq!(
        (answer.status, answer.header("x-openclaw-dropped")),
        (200, Some("seed, store")),
        "{answer:?}"
    );
    assert_eq!(answer.header("content-type"), Some("application/json"));
    for model in ["google/gemini-2.5-flash", "openai-codex/gpt-5.2-codex", "resp/gpt-5.2", "comp/gpt-4o-mini"]
    {
        let mut request = hello(model);
        request["stream"] = json!(true);
        let answer = gateway.post(MESSAGES, &request);
        assert_eq!(answer.status, 200, "{model}: {answer:?}");
        assert_eq!(answer.header("content-type"), Some("text/event-stream; charset=utf-8"));
        assert_eq!(answer.header("x-openclaw-model"), model.split('/').nth(1));
        assert!(
            answer.body.starts_with("event: message_start\n") && answer.body.contains("message_stop"),
            "{answer:?}"
        );
    }
    let seen = provider.seen();
    assert_eq!(
        seen.iter().map(|seen| seen.path.as_str()).collect::<Vec<_>>(),
        [
            "/v1/messages",
            "/v1beta/models/gemini-2.5-flash:streamGenerateContent",
            "/backend-api/codex/responses",
            "/v1/responses",
            "/v1/chat/completions",
        ]
    );
    for seen in &seen {
        assert!(seen.headers["user-agent"].starts_with("openclaw/"), "{seen:?}");
        assert_eq!(seen.headers["content-type"], "application/json");
        assert!(!seen.headers.values().any(|value| value.contains(TOKEN)), "{seen:?}");
    }
    assert_eq!(
        (seen[0].headers["anthropic-version"].as_str(), seen[2].headers["originator"].as_str()),
        ("2023-06-01", "openclaw")
    );
    assert!(
        !seen[1].headers.contains_key("authorization") && !seen[3].headers.contains_key("anthropic-version")
    );
}

#[test]
fn the_config_sets_headers_but_not_those_of_the_connection() {
    let provider = Provider::knowing(&[]).scripted(vendors::answer);
    let base = provider.url("/v1");
    let env = TestEnv::real_time();
    let key = "sk-ant-key-0123456789";
    let config = json!({
        "gateway": {"auth": {"token": TOKEN}},
        "models": {"providers": {"mine": {
            "baseUrl": base, "apiKey": key, "api": "anthropic-messages", "authHeader": true,
            "headers": {"X-Title": "mine", "x-tenant": "all", "Host": "evil.example", "content-length": "1", "User-Agent": "claude-cli"},
            "models": [{"id": "m", "name": "M", "api": "openai-completions", "maxTokens": 77, "headers": {"X-Tenant": "one"}}],
        }}},
    });
    env.file(CONFIG, config.to_string()).private();
    let gateway = Running::start(&env);
    // The model speaks another API than its provider.
    gateway.post(MESSAGES, &hello("mine/m"));
    gateway.post(CHAT, &hello("mine/other"));
    let seen = provider.seen();
    assert_eq!((seen[0].path.as_str(), seen[1].path.as_str()), ("/v1/chat/completions", "/v1/v1/messages"));
    for (seen, tenant) in seen.iter().zip(["one", "all"]) {
        assert_eq!((seen.headers["x-title"].as_str(), seen.headers["x-tenant"].as_str()), ("mine", tenant));
        assert!(
            seen.headers["host"].starts_with("127.0.0.1:")
                && seen.headers["user-agent"].starts_with("openclaw/")
        );
        assert_eq!(seen.headers["authorization"], format!("Bearer {key}"));
        assert_eq!(seen.headers["content-length"], seen.body.len().to_string());
    }
    assert_eq!(seen[1].headers["x-api-key"], key);
}

#[test]
fn no_credential_follows_a_redirect() {
    let elsewhere = Provider::knowing(&[]).scripted(|_| Some(Reply::json(200, json!({}))));
    let location = elsewhere.url("/v1/messages");
    let provider = Provider::knowing(&[])
        .scripted(move |_| Some(Reply::text(307, "").header("location", location.clone())));
    let env = host(&provider.url(""));
    let gateway = Running::start(&env);
    for (path, model) in [(MESSAGES, "anthropic/claude-sonnet-4-5"), (CHAT, "google/gemini-2.5-flash")] {
        let answer = gateway.post(path, &hello(model));
        assert_eq!(answer.status, 502, "{answer:?}");
        assert!(answer.body.contains("not followed"), "{answer:?}");
    }
    assert!(elsewhere.seen().is_empty() && provider.seen().len() == 2);
}

#[test]
fn a_translated_stream_that_begins_with_an_error_is_served_by_the_next() {
    let overloaded = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\"}}\n\n\
        event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n";
    let provider = Provider::knowing(&[]).scripted(move |seen| {
        if seen.headers.get("x-api-key").is_some_and(|key| key.contains("-a-")) {
            return Some(Reply::text(200, overloaded));
        }
        vendors::answer(seen)
    });
    let env = host(&provider.url("")).var("ANTHROPIC_API_KEY", "");
    env.profiles(json!({"anthropic:a": api_key("anthropic", "sk-ant-a-0123456789"), "anthropic:b": api_key("anthropic", "sk-ant-key-0123456789")}));
    let mut store = env.read_json(STORE);
    store["order"] = json!({"anthropic": ["anthropic:a", "anthropic:b"]});
    env.file(STORE, store.to_string()).private();
    let gateway = Running::start(&env);
    let mut request = hello("anthropic/claude-sonnet-4-5");
    request["stream"] = json!(true);
    let answer = gateway.post(CHAT, &request);
    assert_eq!(
        (answer.status, answer.header("x-openclaw-profile")),
        (200, Some("anthropic:b")),
        "{answer:?}"
    );
    assert!(answer.body.ends_with("data: [DONE]\n\n") && !answer.body.contains("Overloaded"), "{answer:?}");
    gateway.stop();
    let store = env.read_json(STORE);
    assert_eq!(store["usageStats"]["anthropic:a"]["failureCounts"]["rate_limit"], 1, "{store:#}");
}

/// A provider that begins a stream, says a piece and is gone.
fn dying(piece: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().take(2) {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut line, mut length) = (String::new(), 0);
            while reader.read_line(&mut line).unwrap() > 2 {
                let told = line.to_lowercase();
                if let Some(told) = told.strip_prefix("content-length:") {
                    length = told.trim().parse().unwrap();
                }
                line.clear();
            }
            reader.read_exact(&mut vec![0; length]).unwrap();
            let head =
                "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
            let _ = stream.write_all(format!("{head}{:x}\r\n{piece}\r\n", piece.len()).as_bytes());
        }
    });
    address
}

#[test]
fn a_stream_whose_provider_dies_ends_with_an_error_event() {
    const PIECE: &str = "data: {\"id\":\"c\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hel\"}}]}\n\n";
    let env = TestEnv::real_time();
    let providers =
        json!({"mine": {"baseUrl": dying(PIECE), "apiKey": "sk-key-0123456789abcdef", "models": []}});
    env.file(
        CONFIG,
        json!({"gateway": {"auth": {"token": TOKEN}}, "models": {"providers": providers}}).to_string(),
    );
    env.private();
    let gateway = Running::start(&env);
    let request = json!({"model": "mine/m", "stream": true, "max_tokens": 3, "messages": [{"role": "user", "content": "x"}]});
    for (path, last) in [(CHAT, "data: {\"error\":{"), (MESSAGES, "event: error\ndata: {\"type\":\"error\",")]
    {
        let answer = gateway.post(path, &request);
        assert_eq!(answer.status, 200, "{answer:?}");
        let event = answer.body.trim_end().rsplit("\n\n").next().unwrap();
        assert!(event.starts_with(last) && event.contains("broke off"), "{path}: {answer:?}");
        assert!(answer.body.contains("Hel") && !answer.body.contains("[DONE]"), "{answer:?}");
    }
}

#[test]
fn what_a_provider_refuses_comes_in_the_clients_words_without_secrets() {
    let echo = "bad request from AIza-key-0123456789abcdef";
    let provider = Provider::knowing(&[]).scripted(move |seen| {
        let is_google = seen.path.starts_with("/v1beta");
        let error = json!({"error": {"code": 400, "message": echo, "status": "INVALID_ARGUMENT"}});
        is_google.then(|| Reply::json(400, error))
    });
    let env = host(&provider.url(""));
    let gateway = Running::start(&env);
    let answer = gateway.post(MESSAGES, &hello("google/gemini-2.5-flash"));
    assert_eq!(
        (answer.status, answer.json()),
        (
            400,
            json!({"type": "error", "error": {"type": "invalid_request_error", "message": "bad request from ****"}})
        )
    );
    let answer = gateway.post(CHAT, &hello("google/gemini-2.5-flash"));
    assert_eq!(answer.json()["error"]["message"], "bad request from ****");
    // What is spoken nowhere here is told, and nobody is asked.
    let before = provider.seen().len();
    for (path, model) in [
        (MESSAGES, "amazon-bedrock/x"),
        (CHAT, "github-copilot/gpt-5"),
        ("/v1/responses", "google/x"),
        ("/v1/messages/count_tokens", "resp/gpt-5.2"),
    ] {
        let answer = gateway.post(path, &hello(model));
        assert_eq!(
            (answer.status, answer.json()["error"]["type"].as_str()),
            (501, Some("not_supported_error")),
            "{answer:?}"
        );
        assert!(answer.body.contains("speaks"), "{answer:?}");
    }
    assert_eq!(provider.seen().len(), before);
}

#[test]
fn a_model_that_cannot_be_asked_so_leaves_the_request_to_the_next() {
    let provider = Provider::knowing(&[]).scripted(vendors::answer);
    let env = host(&provider.url(""));
    let mut config = env.read_json(CONFIG);
    config["agents"]["defaults"]["model"] =
        json!({"primary": "resp/gpt-5.2", "fallbacks": ["comp/gpt-4o-mini"]});
    env.file(CONFIG, config.to_string()).private();
    let gateway = Running::start(&env);
    let mut request = hello("openclaw");
    request["stop_sequences"] = json!(["END"]);
    let answer = gateway.post(MESSAGES, &request);
    assert_eq!((answer.status, answer.header("x-openclaw-provider")), (200, Some("comp")), "{answer:?}");
    request["top_k"] = json!(3);
    let answer = gateway.post(MESSAGES, &request);
    assert_eq!(answer.status, 400, "{answer:?}");
    assert!(answer.body.contains("`stop_sequences` must be []"), "{answer:?}");
}
