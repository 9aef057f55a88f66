//! The gateway as a process of its own, in front of providers on loopback.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use openclaw::clock::{Clock, Deadline};
use serde_json::{Value, json};

use crate::support::provider::{Provider, Reply, Seen};
use crate::support::{CONFIG, HOUR, OPS, STORE, TestEnv, api_key, real_now_ms, token};

pub(crate) const TOKEN: &str = "gateway-token-0123456789";

/// A gateway that runs.
pub(crate) struct Running {
    pub(crate) child: Child,
    pub(crate) port: u16,
    /// Everything that it has said so far, and who listens to it.
    pub(crate) said: Arc<Mutex<Vec<String>>>,
    listening: Option<JoinHandle<()>>,
}

impl Running {
    pub(crate) fn start(env: &TestEnv) -> Self {
        Self::of(env.command(&["gateway", "run", "--port", "0"]))
    }

    /// The gateway that a command starts.
    pub(crate) fn of(mut command: Command) -> Self {
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut port = None;
        let mut before = Vec::new();
        for line in lines.by_ref() {
            let line = line.unwrap();
            if let Some(rest) = line.split("listening on http://127.0.0.1:").nth(1) {
                port = rest.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().ok();
                break;
            }
            before.push(line);
        }
        let port = port.unwrap_or_else(|| panic!("did not start: {before:?}"));
        let said = Arc::new(Mutex::new(Vec::new()));
        let saying = Arc::clone(&said);
        let listening = std::thread::spawn(move || {
            lines.map_while(Result::ok).for_each(|line| saying.lock().unwrap().push(line));
        });
        Self { child, port, said, listening: Some(listening) }
    }

    pub(crate) fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let headers: Vec<_> = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let (headers, port, length) = (headers.concat(), self.port, body.len());
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n{body}"
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        Answer::of(&answer)
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        let authorization = format!("Bearer {TOKEN}");
        self.send(
            "POST",
            path,
            &[("authorization", &authorization), ("content-type", "application/json")],
            &body.to_string(),
        )
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[("authorization", &format!("Bearer {TOKEN}"))], "")
    }

    /// Asks until the answer is as it should be: what changes on the host is seen within a second.
    pub(crate) fn until(&self, path: &str, body: &Value, is_good: impl Fn(&Answer) -> bool) -> Answer {
        let limit = Deadline::after(Duration::from_secs(20));
        loop {
            let answer = self.post(path, body);
            if is_good(&answer) || limit.has_passed() {
                return answer;
            }
            Clock::System.sleep(Duration::from_millis(50));
        }
    }

    /// Stops it and gives its exit code and everything that it said.
    pub(crate) fn stop(mut self) -> (Option<i32>, String) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), Signal::SIGTERM).unwrap();
        let code = self.child.wait().unwrap().code();
        self.listening.take().unwrap().join().unwrap();
        (code, self.said.lock().unwrap().join("\n"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
        let head = head.to_lowercase();
        let body =
            if head.contains("transfer-encoding: chunked") { unchunked(body) } else { body.to_owned() };
        Self { status, head, body }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

fn unchunked(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).unwrap_or_default();
        if size == 0 || rest.len() < size {
            break;
        }
        whole.push_str(&rest[..size]);
        body = rest[size..].trim_start_matches("\r\n");
    }
    whole
}

fn config(provider: &Provider) -> String {
    let base = provider.url("");
    json!({
        "gateway": {"mode": "local", "auth": {"token": TOKEN}},
        "agents": {"defaults": {"model": {"primary": "anthropic/claude-opus-4-5"}}},
        "models": {"providers": {
            "anthropic": {"baseUrl": base, "models": []},
            "openai": {"baseUrl": format!("{base}/v1"), "models": []},
        }},
    })
    .to_string()
}

pub(crate) fn host(provider: &Provider, profiles: Value) -> TestEnv {
    let env = TestEnv::real_time();
    env.file(CONFIG, config(provider));
    env.profiles(profiles);
    env.private();
    env
}

pub(crate) fn messages() -> Value {
    json!({"model": "openclaw", "max_tokens": 5, "messages": [{"role": "user", "content": "ping"}]})
}

/// Two keys in the order of their names.
pub(crate) fn two_keys() -> Value {
    json!({"anthropic:a": api_key("anthropic", "sk-ant-a-0123456789"), "anthropic:b": api_key("anthropic", "sk-ant-b-0123456789")})
}

/// Answers by the key that comes.
fn by_key(refusal: impl Fn() -> Reply + Send + 'static) -> Provider {
    Provider::knowing(&[]).scripted(move |seen: &Seen| {
        let key = seen.headers.get("x-api-key").cloned().unwrap_or_default();
        Some(if key.contains("-a-") {
            refusal()
        } else {
            Reply::json(200, json!({"ok": key.contains("-b-")}))
        })
    })
}

pub(crate) fn in_order(env: &TestEnv) {
    let mut store = env.read_json(STORE);
    store["order"] = json!({"anthropic": ["anthropic:a", "anthropic:b"]});
    env.file(STORE, store.to_string()).private();
}

#[test]
fn requests_go_to_the_provider_with_its_credential_and_nothing_else_changed() {
    let provider = Provider::knowing(&[]).scripted(|_| {
        let reply = Reply::json(200, json!({"answer": 42}));
        Some(
            reply
                .header("request-id", "r-1")
                .header("set-cookie", "secret=1")
                .header("x-ratelimit-left", "3"),
        )
    });
    let env = host(
        &provider,
        json!({"anthropic:t": token("anthropic", json!("absent")), "openai:k": api_key("openai", "sk-openai-0123456789")}),
    );
    let gateway = Running::start(&env);
    let answer = gateway.post("/v1/messages", &messages());
    assert_eq!((answer.status, answer.json()["answer"].as_i64()), (200, Some(42)), "{answer:?}");
    assert_eq!(answer.header("x-openclaw-profile"), Some("anthropic:t"));
    assert_eq!(answer.header("x-openclaw-model"), Some("claude-opus-4-5"));
    assert_eq!(
        (answer.header("x-openclaw-provider"), answer.header("x-openclaw-attempts")),
        (Some("anthropic"), Some("1"))
    );
    assert_eq!((answer.header("request-id"), answer.header("x-ratelimit-left")), (Some("r-1"), Some("3")));
    assert_eq!(answer.header("set-cookie"), None);
    let seen = provider.seen();
    let first = &seen[0];
    assert_eq!(first.path, "/v1/messages");
    assert_eq!(first.headers["authorization"], "Bearer sk-ant-oat01-TTTTTTTTTTTTTTTTTTTT");
    assert_eq!(
        (first.headers["anthropic-beta"].as_str(), first.headers["anthropic-version"].as_str()),
        ("oauth-2025-04-20", "2023-06-01")
    );
    assert!(first.headers["user-agent"].starts_with("openclaw/") && !first.headers.contains_key("x-api-key"));
    assert_eq!(first.members["model"], "claude-opus-4-5");
    for (path, model, at_provider) in [
        ("/v1/chat/completions", "openai/gpt-5.2", "/v1/chat/completions"),
        ("/v1/responses", "gpt-5.2", "/v1/responses"),
        ("/v1/messages/count_tokens", "anthropic/claude-sonnet-4-5", "/v1/messages/count_tokens"),
    ] {
        let answer = gateway.post(path, &json!({"model": model, "input": "x"}));
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        let seen = provider.seen();
        let last = seen.last().unwrap();
        assert_eq!(
            (last.path.as_str(), last.members["model"].as_str()),
            (at_provider, model.rsplit('/').next().unwrap())
        );
    }
    let seen = provider.seen();
    assert_eq!(seen[1].headers["authorization"], "Bearer sk-openai-0123456789");
    assert!(!seen[1].headers.contains_key("anthropic-version"));
    let (code, said) = gateway.stop();
    assert_eq!(code, Some(0), "{said}");
    assert!(!said.contains("sk-") && !said.contains(TOKEN), "{said}");
}

#[test]
fn the_next_profile_serves_when_one_fails_and_the_store_remembers_why() {
    for (refusal, counted, disabled) in [
        (
            Reply::json(
                401,
                json!({"error": {"type": "authentication_error", "message": "invalid x-api-key"}}),
            ),
            "auth",
            false,
        ),
        (
            Reply::json(
                402,
                json!({"error": {"type": "billing_error", "message": "credit balance is too low"}}),
            ),
            "billing",
            true,
        ),
        (
            Reply::json(429, json!({"error": {"type": "rate_limit_error", "message": "slow down"}})),
            "rate_limit",
            false,
        ),
        (
            Reply::json(
                400,
                json!({"error": {"type": "invalid_request_error", "message":
                "This credential is only authorized for use with Claude Code and cannot be used for other API requests."}}),
            ),
            "auth",
            false,
        ),
        (
            Reply::json(529, json!({"error": {"type": "overloaded_error", "message": "Overloaded"}})),
            "rate_limit",
            false,
        ),
        (Reply::json(500, json!({"error": {"type": "api_error", "message": "oops"}})), "", false),
        (Reply::text(503, "<html>down</html>"), "", false),
    ] {
        let said = refusal.body.clone();
        let provider = by_key(move || refusal.clone());
        let env = host(&provider, two_keys());
        in_order(&env);
        let gateway = Running::start(&env);
        let answer = gateway.post("/v1/messages", &messages());
        assert_eq!((answer.status, answer.json()["ok"].as_bool()), (200, Some(true)), "{said}: {answer:?}");
        assert_eq!(
            (answer.header("x-openclaw-profile"), answer.header("x-openclaw-attempts")),
            (Some("anthropic:b"), Some("2"))
        );
        let (code, _) = gateway.stop();
        assert_eq!(code, Some(0));
        let store = env.read_json(STORE);
        let stats = &store["usageStats"]["anthropic:a"];
        if counted.is_empty() {
            assert!(stats["errorCount"].as_i64().unwrap_or_default() == 0, "{said}: {store:#}");
        } else {
            assert_eq!(
                (stats["errorCount"].as_i64(), stats["failureCounts"][counted].as_i64()),
                (Some(1), Some(1)),
                "{store:#}"
            );
            let member = if disabled { "disabledUntil" } else { "cooldownUntil" };
            assert!(stats[member].as_i64() > Some(real_now_ms()), "{said}: {store:#}");
        }
        assert_eq!(store["lastGood"]["anthropic"], "anthropic:b");
        assert!(store["usageStats"]["anthropic:b"]["lastUsed"].as_i64() > Some(0));
    }
}

#[test]
fn a_request_that_is_wrong_in_itself_costs_no_profile_its_rest() {
    let provider = by_key(|| {
        let echo = "messages: roles must alternate; you sent sk-ant-a-0123456789";
        Reply::json(400, json!({"error": {"type": "invalid_request_error", "message": echo}}))
    });
    let env = host(&provider, two_keys());
    in_order(&env);
    let gateway = Running::start(&env);
    let answer = gateway.post("/v1/messages", &messages());
    assert_eq!((answer.status, provider.seen().len()), (400, 1), "{answer:?}");
    assert!(answer.body.contains("roles must alternate") && !answer.body.contains("sk-ant-a"), "{answer:?}");
    gateway.stop();
    assert!(env.read_json(STORE)["usageStats"]["anthropic:a"].is_null());
}

#[test]
fn when_everything_rests_the_provider_is_left_alone_until_somebody_says_otherwise() {
    let provider = by_key(|| Reply::json(200, json!({"ok": "a"})));
    let env = host(&provider, json!({"anthropic:a": api_key("anthropic", "sk-ant-a-0123456789")}));
    let mut store = env.read_json(STORE);
    store["usageStats"] = json!({"anthropic:a": {"errorCount": 1, "cooldownUntil": real_now_ms() + HOUR}});
    env.file(STORE, store.to_string()).private();
    let gateway = Running::start(&env);
    let answer = gateway.post("/v1/messages", &messages());
    assert_eq!(
        (answer.status, answer.json()["error"]["type"].as_str()),
        (429, Some("rate_limit_error")),
        "{answer:?}"
    );
    let wait: i64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((3_500..=3_600).contains(&wait), "{wait}");
    assert!(answer.body.contains("anthropic:a") && provider.seen().is_empty());
    assert_eq!(gateway.get("/readyz").status, 503);
    assert_eq!(env.run(&["models", "auth", "unblock", "anthropic:a"]).code, 0);
    let answer = gateway.until("/v1/messages", &messages(), |answer| answer.status == 200);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(gateway.get("/readyz").status, 200);
}

#[test]
fn models_to_fail_over_to_are_tried_and_keys_of_the_environment_count() {
    let provider = Provider::knowing(&[]).scripted(|seen| {
        let is_first = seen.members.get("model").is_some_and(|model| model == "gpt-5.2");
        Some(if is_first {
            Reply::json(
                404,
                json!({"error": {"code": "model_not_found", "message": "The model does not exist"}}),
            )
        } else {
            Reply::json(200, json!({"ok": 1}))
        })
    });
    let env = host(&provider, json!({}));
    env.replace_in(
        CONFIG,
        "\"anthropic/claude-opus-4-5\"",
        "\"openai/gpt-5.2\",\"fallbacks\":[\"anthropic/x\",\"openai/gpt-5-mini\"]",
    );
    env.file(".openclaw/.env", "OPENAI_API_KEY=sk-env-0123456789abcdef\n").private();
    let gateway = Running::start(&env);
    let answer = gateway.post("/v1/chat/completions", &json!({"messages": []}));
    assert_eq!((answer.status, answer.header("x-openclaw-model")), (200, Some("gpt-5-mini")), "{answer:?}");
    assert_eq!(answer.header("x-openclaw-profile"), Some("env: openai_api_key"));
    // A newer key counts within a second, without a restart.
    env.file(".openclaw/.env", "OPENAI_API_KEY=sk-newer-0123456789abcd\n").private();
    let is_new = |_: &Answer| {
        provider.seen().last().unwrap().headers["authorization"] == "Bearer sk-newer-0123456789abcd"
    };
    gateway.until("/v1/chat/completions", &json!({"messages": []}), is_new);
    assert!(is_new(&answer));
    // A config that does not parse leaves everything as it was.
    let good = env.text(CONFIG);
    env.file(CONFIG, "{ torn");
    Clock::System.sleep(Duration::from_millis(1_500));
    assert_eq!(gateway.post("/v1/chat/completions", &json!({"messages": []})).status, 200);
    env.file(CONFIG, good);
    let (code, said) = gateway.stop();
    assert!(code == Some(0) && said.contains("the change was passed over"), "{said}");
}

#[test]
fn wrong_requests_are_answered_in_the_words_of_the_api() {
    let provider = Provider::knowing(&[]);
    let env = host(&provider, two_keys());
    let gateway = Running::start(&env);
    let authorization = format!("Bearer {TOKEN}");
    let right = ("authorization", authorization.as_str());
    let anthropic = |answer: &Answer| answer.json()["error"]["type"].as_str().map(str::to_owned);
    for (method, path, headers, body, status, kind) in [
        ("POST", "/v1/messages", &[][..], "{}", 401, "authentication_error"),
        ("POST", "/v1/messages", &[("authorization", "Bearer wrong")], "{}", 401, "authentication_error"),
        ("POST", "/v1/messages", &[right], "{", 400, "invalid_request_error"),
        ("POST", "/v1/messages", &[right], r#"{"model": "nobodys-model"}"#, 400, "invalid_request_error"),
        ("GET", "/v1/messages", &[right], "", 405, "invalid_request_error"),
        (
            "POST",
            "/v1/chat/completions",
            &[right],
            r#"{"model": "anthropic/x"}"#,
            400,
            "invalid_request_error",
        ),
        (
            "POST",
            "/v1/messages/count_tokens",
            &[right],
            r#"{"model": "openai/x"}"#,
            501,
            "not_supported_error",
        ),
        ("POST", "/v1/responses", &[right], r#"{"model": "groq/x"}"#, 501, "not_supported_error"),
        ("GET", "/v1/nothing", &[right], "", 404, "not_found_error"),
        ("GET", "/v1/nothing", &[], "", 401, "authentication_error"),
        ("GET", "/v1/../api/status", &[], "", 401, "authentication_error"),
        ("GET", "/api/status", &[], "", 401, "authentication_error"),
        ("GET", "/v1/models", &[("x-api-key", "wrong")], "", 401, "authentication_error"),
    ] {
        let answer = gateway.send(method, path, headers, body);
        assert_eq!(
            (answer.status, anthropic(&answer).as_deref()),
            (status, Some(kind)),
            "{method} {path}: {answer:?}"
        );
        assert!(!answer.body.contains("sk-ant") && !answer.body.contains(TOKEN));
    }
    assert!(provider.seen().is_empty());
    assert_eq!(gateway.send("GET", "/healthz", &[], "").status, 200);
    let models = gateway.get("/v1/models").json();
    assert!(
        models["data"].as_array().unwrap().iter().any(|model| model["id"] == "anthropic/claude-opus-4-5"),
        "{models}"
    );
    let status = gateway.get("/api/status");
    assert_eq!((status.status, status.json()["agentId"].as_str()), (200, Some("main")));
    assert!(!status.body.contains("sk-ant-a-0123456789"));
    let large = "x".repeat(33 * 1024 * 1024);
    let mut stream = TcpStream::connect(("127.0.0.1", gateway.port)).unwrap();
    let head = format!(
        "POST /v1/messages HTTP/1.1\r\nhost: h\r\nauthorization: {authorization}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        large.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    let _ = stream.write_all(large.as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert_eq!(Answer::of(&answer).status, 413);
}

#[test]
fn a_login_that_is_due_is_renewed_once_for_everybody() {
    let provider = Provider::knowing(&["rt-first"]);
    let base = provider.url("");
    let env = TestEnv::real_time();
    env.file(OPS, provider.ops(&["chutes"]));
    env.file(
        CONFIG,
        json!({"gateway": {"auth": {"token": TOKEN}}, "agents": {"defaults": {"model": {"primary": "chutes/m"}}},
            "models": {"providers": {"chutes": {"baseUrl": base, "api": "openai-completions", "models": []}}}})
        .to_string(),
    );
    let ended = real_now_ms() - HOUR;
    env.profiles(
        json!({"chutes:me": {"type": "oauth", "provider": "chutes", "access": "at-old", "refresh": "rt-first",
        "expires": ended, "clientId": "c"}}),
    );
    env.private();
    let provider = provider
        .scripted(|seen| (seen.path == "/chat/completions").then(|| Reply::json(200, json!({"ok": 1}))));
    let gateway = Running::start(&env);
    let answers: Vec<_> = std::thread::scope(|scope| {
        let asked: Vec<_> = (0..12)
            .map(|_| scope.spawn(|| gateway.post("/v1/chat/completions", &json!({"messages": []})).status))
            .collect();
        asked.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(answers, [200; 12]);
    assert_eq!((provider.spent(), provider.reused()), (1, 0));
    let used = provider.seen().into_iter().filter(|seen| seen.path == "/chat/completions");
    assert!(used.into_iter().all(|seen| seen.headers["authorization"] != "Bearer at-old"));
}

/// A provider that streams: a piece at once, the others when it is told to go on.
pub(crate) fn streaming(pieces: &'static [&'static str]) -> (String, mpsc::Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (go_on, told) = mpsc::channel();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut line = String::new();
        while reader.read_line(&mut line).unwrap() > 2 {
            line.clear();
        }
        stream
            .write_all(
                b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n",
            )
            .unwrap();
        for (at, piece) in pieces.iter().enumerate() {
            if at > 0 {
                told.recv().unwrap();
            }
            stream.write_all(format!("{:x}\r\n{piece}\r\n", piece.len()).as_bytes()).unwrap();
        }
        stream.write_all(b"0\r\n\r\n").unwrap();
    });
    (address, go_on)
}

#[test]
fn a_stream_comes_piece_by_piece_and_outlives_a_stop() {
    const PIECES: &[&str] = &["data: {\"n\":1}\n\n", "data: {\"n\":2}\n\n", "data: [DONE]\n\n"];
    let (address, go_on) = streaming(PIECES);
    let env = TestEnv::real_time().var("OPENAI_API_KEY", "sk-0123456789abcdef");
    env.file(
        CONFIG,
        json!({"gateway": {"auth": {"token": TOKEN}}, "agents": {"defaults": {"model": {"primary": "openai/gpt-5.2"}}},
            "models": {"providers": {"openai": {"baseUrl": address, "models": []}}}})
        .to_string(),
    );
    let gateway = Running::start(&env);
    let mut stream = TcpStream::connect(("127.0.0.1", gateway.port)).unwrap();
    let body = r#"{"stream":true,"messages":[]}"#;
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: h\r\nauthorization: Bearer {TOKEN}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut read = String::new();
    let mut chunk = [0; 4096];
    while !read.contains("\"n\":1") {
        let count = stream.read(&mut chunk).unwrap();
        assert!(count > 0, "{read}");
        read.push_str(&String::from_utf8_lossy(&chunk[..count]));
    }
    assert!(read.to_lowercase().contains("text/event-stream") && !read.contains("\"n\":2"));
    // The stream is finished although the gateway was told to end.
    kill(Pid::from_raw(i32::try_from(gateway.child.id()).unwrap()), Signal::SIGTERM).unwrap();
    go_on.send(()).unwrap();
    go_on.send(()).unwrap();
    while !read.contains("[DONE]") {
        let count = stream.read(&mut chunk).unwrap();
        assert!(count > 0, "{read}");
        read.push_str(&String::from_utf8_lossy(&chunk[..count]));
    }
    let mut gateway = gateway;
    assert_eq!(gateway.child.wait().unwrap().code(), Some(0));
}

#[test]
fn it_does_not_start_where_it_would_be_open_or_cannot_listen() {
    let env = TestEnv::real_time();
    env.file(CONFIG, "{gateway: {bind: 'lan'}}");
    let ran = crate::support::outcome(&mut env.command(&["gateway"]));
    assert_eq!((ran.code, ran.stderr.contains("doctor --generate-gateway-token")), (1, true), "{ran:?}");
    env.file(CONFIG, "{}");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let ran = crate::support::outcome(&mut env.command(&["gateway", "run", "--port", &port]));
    assert_eq!(ran.code, 74, "{ran:?}");
    assert!(ran.stderr.contains(&format!("process {}", std::process::id())), "{ran:?}");
    for args in [&["gateway", "--bind", "nowhere"][..], &["gateway", "--port", "x"], &["gateway", "dance"]] {
        let ran = crate::support::outcome(&mut env.command(args));
        assert_eq!(ran.code, 64, "{ran:?}");
    }
    env.file(CONFIG, "{ torn");
    assert_eq!(crate::support::outcome(&mut env.command(&["gateway"])).code, 78);
}

#[test]
fn a_login_of_another_program_rests_too() {
    let provider = Provider::knowing(&[]).scripted(|_| {
        let error = json!({"type": "billing_error", "message": "credit balance is too low"});
        Some(Reply::json(402, json!({ "error": error })))
    });
    let env = host(&provider, json!({}));
    env.claude(8 * HOUR).private();
    let gateway = Running::start(&env);
    assert_eq!(gateway.post("/v1/messages", &messages()).status, 402);
    let limit = Deadline::after(Duration::from_secs(20));
    while env.read_json(STORE)["usageStats"]["anthropic:claude-cli"]["disabledUntil"].is_null() {
        assert!(!limit.has_passed(), "{}", env.text(STORE));
        Clock::System.sleep(Duration::from_millis(50));
    }
    // What was written has been read again by the next look.
    gateway.until("/v1/messages", &messages(), |answer| answer.header("retry-after").is_some());
    assert_eq!(provider.seen().len(), 1);
}
