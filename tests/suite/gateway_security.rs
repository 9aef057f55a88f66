//! Who must not get in, and what must not get out.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::json;

use crate::gateway::{Answer, Running, TOKEN};
use crate::support::upstream::Upstream;
use crate::support::{CONFIG, TestEnv, api_key};

const CANARY: &str = "sk-ant-canary-0123456789abcdef";

fn host(base: &str, has_token: bool) -> TestEnv {
    let env = TestEnv::real_time();
    let auth = if has_token { json!({"token": TOKEN}) } else { json!({}) };
    let config = json!({
        "gateway": {"auth": auth},
        "agents": {"defaults": {"model": {"primary": "anthropic/claude-opus-4-5"}}},
        "models": {"providers": {"anthropic": {"baseUrl": base, "models": []}}},
    });
    env.file(CONFIG, config.to_string());
    env.profiles(json!({"anthropic:a": api_key("anthropic", CANARY)}));
    env.private();
    env
}

fn fine() -> Upstream {
    Upstream::doing(|visit| {
        visit.answer(200, "", r#"{"ok":true}"#);
        true
    })
}

/// Sends bytes as they are and gives everything that comes back until the gateway ends the connection.
fn raw(gateway: &Running, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", gateway.port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn without_the_token_every_way_in_is_shut() {
    let upstream = fine();
    let env = host(&upstream.url(), true);
    let gateway = Running::start(&env);
    let wrong = format!("Bearer {TOKEN}x");
    let paths = [
        "/",
        "/metrics",
        "/api/status",
        "/api/gateway",
        "/v1/models",
        "/v1/messages",
        "/v1/chat/completions",
        "/v1/responses",
        "/v1/messages/count_tokens",
        "//v1/models",
        "/v1//models",
        "/v1/../api/status",
        "/v1/%2e%2e/metrics",
        "/%6detrics",
        "/metrics/",
        "/METRICS",
        "/healthz/../metrics",
        "/readyz/../v1/models",
        "/metrics?x=/healthz",
        "/healthz%2f..%2fmetrics",
        "http://127.0.0.1/metrics",
    ];
    for path in paths {
        for method in ["GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS"] {
            for headers in [&[][..], &[("authorization", wrong.as_str())], &[("x-api-key", "")]] {
                let answer = gateway.send(method, path, headers, "");
                assert!(matches!(answer.status, 400 | 401 | 404 | 405), "{method} {path}: {answer:?}");
                assert!(
                    !answer.body.contains("anthropic") && !answer.body.contains("openclaw_"),
                    "{answer:?}"
                );
            }
        }
    }
    assert!(upstream.came().is_empty());
    assert_eq!(gateway.get("/metrics").status, 200);
    let (_, said) = gateway.stop();
    assert!(!said.contains("outcome=cancelled"), "{said}");
    assert!(said.contains("outcome=denied") && !said.contains(TOKEN), "{said}");
}

#[test]
fn without_a_token_no_page_and_no_borrowed_name_gets_in() {
    let upstream = fine();
    let env = host(&upstream.url(), false);
    let gateway = Running::start(&env);
    let ask = |head: &str| {
        let text =
            format!("POST /v1/messages HTTP/1.1\r\n{head}content-length: 2\r\nconnection: close\r\n\r\n{{}}");
        Answer::of(raw(&gateway, text.as_bytes()).as_bytes()).status
    };
    for head in [
        "host: evil.example\r\n",
        "host: 127.0.0.1.evil.example\r\n",
        "host: evil.example:18789\r\n",
        "host: 127.0.0.1@evil.example\r\n",
        "host: localhost.\r\n",
        "",
        "host: 127.0.0.1\r\norigin: https://evil.example\r\n",
        "host: 127.0.0.1\r\norigin: null\r\n",
        "host: 127.0.0.1\r\norigin: http://localhost.evil.example\r\n",
        "host: 127.0.0.1\r\nhost: evil.example\r\n",
        "host: 127.0.0.1\r\norigin: http://localhost\r\norigin: https://evil.example\r\n",
    ] {
        assert!(matches!(ask(head), 400 | 403), "{head}");
    }
    assert!(upstream.came().is_empty());
    assert_eq!(ask("host: 127.0.0.1\r\norigin: http://localhost:5173\r\n"), 200);
}

#[test]
fn requests_that_two_readers_would_read_differently_are_refused() {
    let upstream = fine();
    let env = host(&upstream.url(), true);
    let gateway = Running::start(&env);
    let start = format!("POST /v1/messages HTTP/1.1\r\nhost: h\r\nauthorization: Bearer {TOKEN}\r\n");
    let hidden = "POST /v1/messages HTTP/1.1\r\nhost: h\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}";
    for (what, rest) in [
        (
            "both lengths",
            format!("content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n{hidden}"),
        ),
        (
            "both lengths, the other way round",
            format!("transfer-encoding: chunked\r\ncontent-length: 2\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n{hidden}"),
        ),
        ("two lengths", format!("content-length: 2\r\ncontent-length: 30\r\n\r\n{{}}{hidden}")),
        ("a list of lengths", format!("content-length: 2, 30\r\n\r\n{{}}{hidden}")),
        ("a folded header", format!("x-a: b\r\n content-length: 0\r\ncontent-length: 2\r\n\r\n{{}}{hidden}")),
        ("a blank before the colon", format!("content-length : 2\r\n\r\n{{}}{hidden}")),
        ("a length with a sign", format!("content-length: +2\r\n\r\n{{}}{hidden}")),
        (
            "an encoding nobody knows",
            format!("transfer-encoding: xchunked\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n{hidden}"),
        ),
        ("an encoding behind another", format!("transfer-encoding: chunked, identity\r\n\r\n{hidden}")),
        (
            "a bare line feed in a value",
            format!("x-a: b\ncontent-length: 0\r\ncontent-length: 2\r\n\r\n{{}}{hidden}"),
        ),
        ("a NUL in a value", format!("x-a: b\0c\r\ncontent-length: 2\r\n\r\n{{}}{hidden}")),
        (
            "a chunk size that is none",
            format!("transfer-encoding: chunked\r\n\r\n-2\r\n{{}}\r\n0\r\n\r\n{hidden}"),
        ),
        (
            "a chunk size without an end",
            format!("transfer-encoding: chunked\r\n\r\n{}\r\n{hidden}", "0".repeat(100_000)),
        ),
    ] {
        let answer = raw(&gateway, format!("{start}{rest}").as_bytes());
        // What follows is never answered as a request of its own that got in; it has no token.
        assert!(answer.matches("HTTP/1.1 200").count() <= 1, "{what}: {answer}");
        // What gets through is the one request, whole and alone.
        for came in upstream.came() {
            assert_eq!(came.body, r#"{"model":"claude-opus-4-5"}"#, "{what}");
        }
        if !answer.starts_with("HTTP/1.1 200") {
            assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{what}: {answer}");
        }
    }
    // Lengths that contradict each other get nothing through at all.
    let before = upstream.came().len();
    let answer =
        raw(&gateway, format!("{start}content-length: 2\r\ncontent-length: 30\r\n\r\n{{}}").as_bytes());
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert_eq!(upstream.came().len(), before);
    assert_eq!(gateway.post("/v1/messages", &json!({})).status, 200);
}

#[test]
fn a_hundred_megabytes_are_refused_before_they_are_taken() {
    let upstream = fine();
    let env = host(&upstream.url(), true);
    let gateway = Running::start(&env);
    let start = format!("POST /v1/messages HTTP/1.1\r\nhost: h\r\nauthorization: Bearer {TOKEN}\r\n");
    // One that says how large it is gets its answer although not a byte of it was sent.
    let answer = raw(&gateway, format!("{start}content-length: 104857600\r\n\r\n").as_bytes());
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    // One that does not say is cut off on the way.
    let mut stream = TcpStream::connect(("127.0.0.1", gateway.port)).unwrap();
    stream.write_all(format!("{start}transfer-encoding: chunked\r\n\r\n").as_bytes()).unwrap();
    let chunk = format!("100000\r\n{}\r\n", "x".repeat(1 << 20));
    let taken = (0..100).take_while(|_| stream.write_all(chunk.as_bytes()).is_ok()).count();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(taken < 100 || String::from_utf8_lossy(&answer).starts_with("HTTP/1.1 413"), "{taken}");
    assert!(upstream.came().is_empty());
    let text = fs_err::read_to_string(format!("/proc/{}/status", gateway.child.id())).unwrap();
    let peak: u64 = text
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap()
        .trim()
        .split(' ')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    assert!(peak < 150 * 1024, "{peak} KiB were needed");
    assert_eq!(gateway.post("/v1/messages", &json!({})).status, 200);
}

#[test]
fn nothing_that_a_provider_repeats_of_the_credential_gets_out() {
    let upstream = Upstream::doing(|visit| {
        let key = visit.came.headers["x-api-key"].clone();
        let head = format!(
            "x-request-id: {key}\r\nrequest-id: r-{key}-1\r\nopenai-organization: {key}\r\nset-cookie: k={key}\r\nx-ratelimit-left: 3\r\n"
        );
        let status = if visit.came.body.contains("fine") {
            200
        } else {
            visit.came.body.find("status").map_or(400, |at| visit.came.body[at + 8..at + 11].parse().unwrap())
        };
        let body = if status == 200 {
            "{}".to_owned()
        } else {
            json!({"error": {"type": "invalid_request_error", "message": format!("your key {key} is no good")}}).to_string()
        };
        visit.answer(status, &head, &body);
        true
    });
    let env = host(&upstream.url(), true);
    let gateway = Running::start(&env);
    let mut out = String::new();
    for body in [
        json!({"fine": 1}),
        json!({"status": 400}),
        json!({"status": 422}),
        json!({"status": 500}),
        json!({"status": 401}),
        json!({"fine": 2}),
    ] {
        let answer = gateway.post("/v1/messages", &body);
        assert!(answer.header("x-request-id").is_some_and(|id| !id.contains("canary")), "{answer:?}");
        writeln!(out, "{answer:?}").unwrap();
    }
    for path in ["/metrics", "/api/status", "/api/gateway", "/v1/models", "/readyz"] {
        writeln!(out, "{:?}", gateway.get(path)).unwrap();
    }
    let (_, said) = gateway.stop();
    out.push_str(&said);
    assert!(out.contains("x-ratelimit-left: 3"), "{out}");
    for secret in [CANARY, TOKEN, "canary"] {
        assert!(!out.contains(secret), "{secret} got out: {out}");
    }
}

#[test]
fn no_half_of_a_credential_gets_out_either_and_no_header_of_the_config() {
    const OWN: &str = "own-header-0123456789";
    let upstream = Upstream::doing(|visit| {
        let (key, own) = (visit.came.headers["x-api-key"].clone(), visit.came.headers["x-own"].clone());
        // The quote of a failure is cut at 300 characters: within the key.
        let told = format!("{}{key}", "x".repeat(285));
        let body = json!({"error": {"type": "authentication_error", "message": told}}).to_string();
        let is_fine = visit.came.body.contains("fine");
        let head = format!("x-ratelimit-key: {own}\r\n");
        if is_fine {
            visit.answer(200, &head, "{}");
        } else {
            visit.answer(401, &head, &body);
        }
        true
    });
    let env = host(&upstream.url(), true);
    env.replace_in(CONFIG, "\"models\":[]", &format!("\"headers\":{{\"x-own\":\"{OWN}\"}},\"models\":[]"));
    let gateway = Running::start(&env);
    let token = format!("Bearer {TOKEN}");
    let headers = [("authorization", token.as_str()), ("content-type", "text/plain")];
    let fine = gateway.send("POST", "/v1/messages", &headers, r#"{"fine":1}"#);
    assert_eq!((fine.status, fine.header("x-ratelimit-key")), (200, None), "{fine:?}");
    assert_eq!(upstream.came()[0].headers["content-type"], "application/json");
    let failed = gateway.post("/v1/messages", &json!({}));
    assert!(failed.status == 401 && failed.body.contains("xxxx****"), "{failed:?}");
    assert!(!failed.body.contains(&CANARY[..8]) && !failed.head.contains(OWN), "{failed:?}");
}
