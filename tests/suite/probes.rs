//! `models status --probe` against providers on loopback.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::support::provider::{Provider, Reply};
use crate::support::{CONFIG, HOUR, OPS, Outcome, STORE, TestEnv, api_key, oauth, outcome, token, tree};

fn probes(outcome: &Outcome) -> Vec<Value> {
    outcome.json()["auth"]["probes"]["results"].as_array().unwrap().clone()
}

fn result<'r>(results: &'r [Value], label: &str) -> &'r Value {
    results
        .iter()
        .find(|result| result["label"] == label)
        .unwrap_or_else(|| panic!("no {label} in {results:#?}"))
}

/// A host whose `groq` is played by a provider, and in use.
fn host(provider: &Provider, keys: &[&str]) -> TestEnv {
    let env = TestEnv::real_time();
    let profiles: serde_json::Map<_, _> =
        keys.iter().map(|key| (format!("groq:{key}"), api_key("groq", key))).collect();
    env.profiles(Value::Object(profiles)).file(OPS, provider.ops(&["groq"]));
    env.file(CONFIG, "{agents: {defaults: {model: {primary: 'groq/llama'}}}}");
    env
}

#[test]
fn what_a_provider_says_of_a_credential_is_told_and_nothing_is_written() {
    let provider = Provider::knowing(&[]).scripted(|seen| {
        assert_eq!(seen.path, "/models");
        Some(match seen.headers["authorization"].as_str() {
            "Bearer good" => Reply::json(200, json!({"data": []})),
            "Bearer bad" => {
                Reply::json(401, json!({"error": {"code": "invalid_api_key", "message": "Invalid API Key"}}))
            }
            "Bearer poor" => Reply::json(402, json!({})),
            "Bearer busy" => Reply::json(429, json!({})),
            _ => Reply::text(403, "<html>"),
        })
    });
    let env = host(&provider, &["good", "bad", "poor", "busy", "odd"]);
    let before = tree(&env.path(""));
    let ran = env.status(&["--probe", "--json", "--check"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    let results = probes(&ran);
    for (key, status, reason) in [
        ("good", "ok", Value::Null),
        ("bad", "auth", json!("auth")),
        ("poor", "billing", json!("billing")),
        ("busy", "rate_limit", json!("rate_limited")),
        ("odd", "unknown", json!("unknown")),
    ] {
        let found = result(&results, &format!("groq:{key}"));
        assert_eq!((&found["status"], &found["reasonCode"]), (&json!(status), &reason), "{found}");
        assert!(found["latencyMs"].is_i64());
    }
    assert_eq!(tree(&env.path("")), before, "a probe writes nothing");
    let text = env.status(&["--probe"]);
    assert!(text.stdout.contains("Tried\n") && text.stdout.contains("groq:bad (api_key), "), "{text:?}");
    // Only providers in use decide, and only clear answers.
    env.file(CONFIG, "{agents: {defaults: {model: {primary: 'openai/gpt-5.2'}}}}");
    let env = env.var("OPENAI_API_KEY", "k");
    assert_eq!(env.status(&["--check", "--probe", "--probe-provider", "groq"]).code, 0);
    assert_eq!(env.status(&["--check"]).code, 0);
}

#[test]
fn what_is_not_worth_a_request_says_why() {
    let provider = Provider::knowing(&[]).scripted(|_| Some(Reply::json(200, json!({}))));
    let env = TestEnv::real_time().var("XAI_API_KEY", "from-the-environment");
    let now = env.now_ms();
    let profiles = json!({
        "anthropic:over": oauth("anthropic", json!(now - HOUR)),
        "anthropic:odd": oauth("anthropic", json!("soon")),
        "anthropic:hollow": {"type": "api_key", "provider": "anthropic", "key": " "},
        "anthropic:ref": api_key("anthropic", "${KEY}"),
        "anthropic:mode": token("anthropic", json!("absent")),
        "anthropic:good": api_key("anthropic", "k"),
        "groq:outside": api_key("groq", "k"),
        "groq:inside": api_key("groq", "k"),
        "zai:k": api_key("zai", "k"),
    });
    env.profiles(profiles).file(OPS, provider.ops(&["anthropic", "groq", "xai"]));
    env.file(CONFIG, "{auth: {order: {groq: ['groq:inside']}, profiles: {'anthropic:mode': {provider: 'anthropic', mode: 'api_key'}}}}");
    let ran = env.status(&["--probe", "--json"]);
    let results = probes(&ran);
    for (label, reason) in [
        ("anthropic:over", "expired"),
        ("anthropic:odd", "invalid_expires"),
        ("anthropic:hollow", "missing_credential"),
        ("anthropic:ref", "unresolved_ref"),
        ("anthropic:mode", "ineligible_profile"),
        ("groq:outside", "excluded_by_auth_order"),
        ("zai:k", "no_cheap_probe"),
    ] {
        let found = result(&results, label);
        assert_eq!((&found["status"], &found["reasonCode"]), (&json!("unknown"), &json!(reason)), "{found}");
        assert!(found.get("latencyMs").is_none(), "{found}");
    }
    for label in ["anthropic:good", "groq:inside", "env"] {
        assert_eq!(result(&results, label)["status"], "ok");
    }
    assert_eq!(provider.seen().len(), 3);
    let some = env.status(&[
        "--probe",
        "--json",
        "--probe-profile",
        "groq:inside,zai:k",
        "--probe-profile",
        "anthropic:good",
    ]);
    assert_eq!((some.json()["auth"]["probes"]["totalTargets"].as_u64(), provider.seen().len()), (Some(3), 5));
}

#[test]
fn a_misspelt_name_is_refused_instead_of_trying_nothing() {
    let env = TestEnv::real_time();
    env.profiles(json!({"zai:k": api_key("zai", "k")}));
    for (flag, value) in [("--probe-profile", "zai:other"), ("--probe-provider", "zia")] {
        let ran = env.status(&["--check", "--probe", flag, value]);
        assert_eq!(ran.code, 64, "{}", ran.stderr);
        assert!(ran.stderr.contains(flag) && ran.stderr.contains(value), "{}", ran.stderr);
    }
    assert_eq!(env.status(&["--probe", "--probe-provider", "z.ai"]).code, 0);
}

#[test]
fn a_model_is_asked_in_its_own_words() {
    let provider = Provider::knowing(&[]).scripted(|seen| {
        let is_right = match seen.path.as_str() {
            "/v1/messages" => {
                seen.headers.contains_key("anthropic-version") && seen.headers.contains_key("x-api-key")
            }
            "/chat/completions" => seen.headers["authorization"] == "Bearer k",
            "/models/gemini-3-flash-preview:generateContent" => seen.headers["x-goog-api-key"] == "k",
            _ => false,
        };
        let model = seen.members.get("model").map(String::as_str);
        assert!(model.is_none_or(|model| ["claude-opus-4-5", "llama"].contains(&model)), "{model:?}");
        Some(Reply::json(if is_right { 200 } else { 500 }, json!({})))
    });
    let env = TestEnv::real_time();
    env.profiles(json!({
        "anthropic:k": api_key("anthropic", "k"), "groq:k": api_key("groq", "k"), "google:k": api_key("google", "k"),
        "deepgram:k": api_key("deepgram", "k"), "xai:k": api_key("xai", "k"),
    }));
    let entry = |id: &str| format!("{id}: {{baseUrl: '{}', models: []}}", provider.url(""));
    env.file(CONFIG, format!(
        "{{agents: {{defaults: {{model: {{primary: 'anthropic/claude-opus-4-5', fallbacks: ['groq/llama']}}}}}}, models: {{providers: {{{}, {}, {}}}}}}}",
        entry("anthropic"), entry("groq"), entry("google")
    ));
    let ran = env.status(&["--probe=model", "--json", "--probe-max-tokens", "5"]);
    let results = probes(&ran);
    for label in ["anthropic:k", "groq:k", "google:k"] {
        assert_eq!(result(&results, label)["status"], "ok", "{results:#?}");
    }
    assert_eq!(result(&results, "google:k")["model"], "google/gemini-3-flash-preview");
    assert_eq!(result(&results, "xai:k")["status"], "no_model");
    assert_eq!(result(&results, "deepgram:k")["reasonCode"], "no_model");
    assert_eq!(provider.seen().len(), 3);
}

/// Plays a provider connection by connection.
fn raw(answer: impl Fn(&mut TcpStream, &HashMap<String, String>) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = Arc::new(answer);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, answer) = (stream.unwrap(), Arc::clone(&answer));
            std::thread::spawn(move || {
                let mut headers = HashMap::new();
                for line in BufReader::new(stream.try_clone().unwrap()).lines() {
                    let Ok(line) = line else { return };
                    match line.split_once(": ") {
                        Some((name, value)) => drop(headers.insert(name.to_lowercase(), value.to_owned())),
                        None if line.is_empty() => break,
                        None => {}
                    }
                }
                answer(&mut stream, &headers);
            });
        }
    });
    url
}

fn ok(stream: &mut TcpStream) {
    drop(stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"));
}

#[test]
fn a_provider_that_misbehaves_costs_its_own_time_and_nothing_else() {
    let elsewhere = Provider::knowing(&[]);
    let target = elsewhere.url("/stolen");
    let url = raw(move |stream, headers| match headers["authorization"].as_str() {
        "Bearer hangs" => drop(stream.read(&mut [0; 1])),
        "Bearer trickles" => {
            drop(stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"));
            // One byte a moment: nothing ever comes to be read.
            stream.set_read_timeout(Some(std::time::Duration::from_millis(20))).unwrap();
            while stream.write_all(b" ").is_ok() {
                drop(stream.read(&mut [0; 1]));
            }
        }
        "Bearer resets" => {}
        "Bearer redirects" => {
            drop(write!(stream, "HTTP/1.1 302 Found\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n"));
        }
        "Bearer floods" => {
            drop(stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n"));
            let block = vec![b' '; 65536];
            while stream.write_all(&block).is_ok() {}
        }
        _ => ok(stream),
    });
    let keys = ["hangs", "trickles", "resets", "redirects", "floods", "answers"];
    let env = host(&elsewhere, &keys);
    env.file(OPS, json!({"providers": {"groq": {"probeUrl": format!("{url}/models")}}}).to_string());
    let ran = env.status(&["--probe", "--json", "--probe-timeout", "400", "--probe-concurrency", "6"]);
    let results = probes(&ran);
    for (key, status, reason) in [
        ("hangs", "timeout", json!("timeout")),
        ("trickles", "timeout", json!("timeout")),
        ("resets", "unknown", json!("network")),
        ("redirects", "unknown", json!("redirected")),
        ("floods", "unknown", json!("too_large")),
        ("answers", "ok", Value::Null),
    ] {
        let found = result(&results, &format!("groq:{key}"));
        assert_eq!((&found["status"], &found["reasonCode"]), (&json!(status), &reason), "{found}");
    }
    assert_eq!(elsewhere.seen().len(), 0, "the credential went nowhere else");
}

#[test]
fn never_more_requests_are_open_than_were_asked_for() {
    let (open, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (now_open, most_open) = (open, Arc::clone(&most));
    let started = AtomicUsize::new(0);
    let url = raw(move |stream, _| {
        most_open.fetch_max(now_open.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        // Each waits until the eight are together, as long as there are eight.
        let is_last = started.fetch_add(1, Ordering::SeqCst) >= 192;
        let limit = openclaw::clock::Deadline::after(std::time::Duration::from_secs(2));
        while !is_last && most_open.load(Ordering::SeqCst) < 8 && !limit.has_passed() {
            std::thread::yield_now();
        }
        now_open.fetch_sub(1, Ordering::SeqCst);
        ok(stream);
    });
    let keys: Vec<String> = (0..200).map(|number| format!("key-{number}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let env = host(&Provider::knowing(&[]), &keys);
    env.file(OPS, json!({"providers": {"groq": {"probeUrl": url}}}).to_string());
    let ran = env.status(&["--probe", "--json", "--probe-concurrency", "8"]);
    let results = probes(&ran);
    assert_eq!(results.iter().filter(|result| result["status"] == "ok").count(), 200);
    assert_eq!(most.load(Ordering::SeqCst), 8);
}

#[test]
fn an_interrupt_prints_what_is_known() {
    let has_hung = Arc::new(AtomicBool::new(false));
    let hung = Arc::clone(&has_hung);
    let url = raw(move |stream, headers| {
        if headers["authorization"] == "Bearer hangs" {
            hung.store(true, Ordering::SeqCst);
            drop(stream.read(&mut [0; 1]));
        } else {
            ok(stream);
        }
    });
    let env = host(&Provider::knowing(&[]), &["answers", "hangs"]);
    env.file(OPS, json!({"providers": {"groq": {"probeUrl": url}}}).to_string());
    // One after the other: when the second one hangs, the first one is known.
    let mut command = env.command(&["models", "status", "--probe", "--json", "--probe-concurrency", "1"]);
    let child =
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    while !has_hung.load(Ordering::SeqCst) {
        std::thread::yield_now();
    }
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    let output = child.wait_with_output().unwrap();
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let found = &document["auth"]["probes"];
    assert_eq!((found["totalTargets"].as_u64(), found["results"].as_array().unwrap().len()), (Some(2), 1));
    assert_eq!(found["results"][0]["label"], "groq:answers");
    assert!(!output.status.success());
}

#[test]
fn no_key_comes_out_of_a_probe_although_the_provider_echoes_it() {
    let key = crate::canary::canary(160);
    for how in ["--probe", "--probe=model"] {
        for status in [400, 401, 500] {
            let echo = key.clone();
            let provider = Provider::knowing(&[]).scripted(move |_| {
                Some(Reply::json(status, json!({"error": {"message": echo, "code": echo, "type": echo}})))
            });
            let env = host(&provider, &[&key]);
            env.profiles(json!({"groq:x": api_key("groq", &key)}));
            env.file(CONFIG, format!("{{models: {{providers: {{groq: {{baseUrl: '{}', models: [{{id: 'm', name: 'm'}}]}}}}}}}}", provider.url("")));
            for args in [&[how][..], &[how, "--json"]] {
                let ran = outcome(&mut env.command(&[&["models", "status"], args].concat()));
                crate::canary::assert_silent(&ran, std::slice::from_ref(&key), how);
            }
            assert_eq!(provider.seen().len(), 2);
        }
    }
}

#[test]
fn wrong_probe_options_are_usage_errors() {
    let env = TestEnv::new();
    for (args, wanted) in [
        (&["--probe", "--plain"][..], "cannot be used with"),
        (&["--probe=dear"], "cheap, model"),
        (&["--probe-timeout", "0"], "--probe-timeout"),
        (&["--probe-timeout", "x"], "--probe-timeout"),
        (&["--probe-concurrency", "0"], "--probe-concurrency"),
        (&["--probe-max-tokens", "-1"], "--probe-max-tokens"),
    ] {
        let ran = env.status(args);
        assert_eq!(ran.code, 64, "{ran:?}");
        assert!(ran.stderr.contains(wanted), "{ran:?}");
    }
    assert!(!env.exists(STORE));
    let empty = env.status(&["--probe", "--json"]);
    assert_eq!(empty.json()["auth"]["probes"]["totalTargets"], 0);
}

#[test]
fn every_key_of_a_variable_is_tried() {
    let provider = Provider::knowing(&[]).scripted(|seen| {
        let is_good = ["Bearer a", "Bearer c", "Bearer d"].contains(&seen.headers["authorization"].as_str());
        Some(Reply::json(if is_good { 200 } else { 401 }, json!({})))
    });
    let env = TestEnv::real_time().var("GROQ_API_KEYS", "a, b;c").var("GROQ_API_KEY", "d");
    env.file(".env", "GROQ_API_KEY_SPARE=e\n").file(OPS, provider.ops(&["groq"]));
    let ran = env.status(&["--probe", "--json"]);
    let results = probes(&ran);
    let shown: Vec<_> = results
        .iter()
        .map(|result| format!("{} {}", result["label"].as_str().unwrap(), result["status"]))
        .collect();
    assert_eq!(
        shown,
        [
            "env \"ok\"",
            "env: GROQ_API_KEYS #1 \"ok\"",
            "env: GROQ_API_KEYS #2 \"auth\"",
            "env: GROQ_API_KEYS #3 \"ok\"",
            "env: GROQ_API_KEY_SPARE #1 \"auth\"",
        ]
    );
}

#[test]
fn a_credential_for_the_vendors_own_program_says_so() {
    let provider = Provider::knowing(&[]).scripted(|seen| {
        assert_eq!(seen.headers["authorization"], "Bearer sk-ant-oat01-TTTTTTTTTTTTTTTTTTTT");
        let message = "This credential is only authorized for use with Claude Code and cannot be used for other API requests.";
        Some(Reply::json(400, json!({"type": "error", "error": {"type": "invalid_request_error", "message": message}})))
    });
    let env = TestEnv::real_time();
    env.profiles(json!({"anthropic:t": token("anthropic", json!("absent"))}))
        .file(OPS, provider.ops(&["anthropic"]));
    let ran = env.status(&["--probe", "--json", "--check"]);
    let found = probes(&ran)[0].clone();
    assert_eq!(
        (ran.code, &found["status"], &found["reasonCode"]),
        (1, &json!("auth"), &json!("subscription_only"))
    );
    assert!(found["error"].as_str().unwrap().ends_with("; use an API key of the provider"), "{found}");
}
