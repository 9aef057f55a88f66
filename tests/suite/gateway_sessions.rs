//! Sessions of the gateway: what they remember, for whom, and across which ends of the program.

use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicBool, Ordering};

use openclaw::clock::{Clock, Deadline};
use serde_json::{Value, json};

use crate::gateway::{Answer, Running, TOKEN};
use crate::gateway_commands::{echoing, host};
use crate::support::provider::{Provider, Reply};
use crate::support::{CONFIG, HOUR, STORE, TestEnv, api_key, real_now_ms};

const SESSIONS: &str = ".openclaw/agents/main/sessions/sessions.json";
const MESSAGES: &str = "/v1/messages";

fn ask(gateway: &Running, headers: &[(&str, &str)], body: &Value) -> Answer {
    let authorization = format!("Bearer {TOKEN}");
    let all: Vec<_> =
        [("authorization", authorization.as_str())].into_iter().chain(headers.iter().copied()).collect();
    gateway.send("POST", MESSAGES, &all, &body.to_string())
}

fn message(text: &str) -> Value {
    json!({"max_tokens": 9, "messages": [{"role": "user", "content": text}]})
}

/// Says something in a session.
fn say(gateway: &Running, session: &str, text: &str) -> Answer {
    ask(gateway, &[("x-openclaw-session-key", session)], &message(text))
}

fn served(answer: &Answer) -> (&str, &str) {
    assert_eq!(answer.status, 200, "{answer:?}");
    (answer.header("x-openclaw-model").unwrap(), answer.header("x-openclaw-profile").unwrap())
}

/// Waits until the file of the sessions is as it should be.
fn file_until(env: &TestEnv, is_good: impl Fn(&Value) -> bool) -> Value {
    let limit = Deadline::after(std::time::Duration::from_secs(20));
    loop {
        let text = fs_err::read_to_string(env.path(SESSIONS)).unwrap_or_default();
        let document = serde_json::from_str(&text).unwrap_or_default();
        if is_good(&document) || limit.has_passed() {
            return document;
        }
        Clock::System.sleep(std::time::Duration::from_millis(20));
    }
}

fn in_order(env: &TestEnv, ids: &[&str]) {
    let mut store = env.read_json(STORE);
    store["order"] = json!({"anthropic": ids});
    env.file(STORE, store.to_string()).private();
}

#[test]
fn each_session_has_its_own_model_and_profile() {
    let provider = echoing();
    let env = host(&provider);
    in_order(&env, &["anthropic:a", "anthropic:b"]);
    let gateway = Running::start(&env);
    assert_eq!(say(&gateway, "One", "/model sonnet@anthropic:b").status, 200);
    assert_eq!(say(&gateway, "two", "/model claude-haiku-4-5").status, 200);
    assert_eq!(served(&say(&gateway, "one", "hi")), ("claude-sonnet-4-5", "anthropic:b"));
    assert_eq!(served(&say(&gateway, "agent:main:ONE", "hi")), ("claude-sonnet-4-5", "anthropic:b"));
    assert_eq!(served(&say(&gateway, "two", "hi")), ("claude-haiku-4-5", "anthropic:a"));
    assert_eq!(served(&ask(&gateway, &[], &message("hi"))), ("claude-opus-4-5", "anthropic:a"));
    // A model that a request names wins; the pin goes with its provider.
    let mut named = message("hi");
    named["model"] = json!("claude-opus-4-5");
    let answer = ask(&gateway, &[("x-openclaw-session-key", "one")], &named);
    assert_eq!(served(&answer), ("claude-opus-4-5", "anthropic:b"));
    // Who names a user has a session of that user.
    let mut of_ann = message("/model sonnet@anthropic:b");
    of_ann["metadata"] = json!({"user_id": "Ann"});
    assert_eq!(ask(&gateway, &[], &of_ann).status, 200);
    of_ann["messages"][0]["content"] = json!("hi");
    assert_eq!(served(&ask(&gateway, &[], &of_ann)), ("claude-sonnet-4-5", "anthropic:b"));
    assert_eq!(served(&ask(&gateway, &[], &message("hi"))), ("claude-opus-4-5", "anthropic:a"));
    let sessions = gateway.get("/api/sessions");
    assert!(!sessions.body.contains("0123456789"), "{sessions:?}");
    let agents = sessions.json();
    let keys: Vec<_> = agents["agents"][0]["sessions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|session| session["key"].as_str().unwrap())
        .collect();
    for key in ["agent:main:one", "agent:main:two", "agent:main:anthropic-user:ann", "agent:main:api:default"]
    {
        assert!(keys.contains(&key), "{key}: {keys:?}");
    }
    assert_eq!(gateway.send("GET", "/api/sessions", &[], "").status, 401);
}

#[test]
fn a_pinned_profile_is_never_replaced_and_its_rest_is_told() {
    let provider = Provider::knowing(&[]).scripted(|seen| {
        let key = seen.headers.get("x-api-key").cloned().unwrap_or_default();
        Some(if key.contains("-b-") {
            Reply::json(429, json!({"error": {"type": "rate_limit_error", "message": "slow down"}}))
        } else {
            Reply::json(200, json!({"ok": 1}))
        })
    });
    let env = host(&provider);
    in_order(&env, &["anthropic:a", "anthropic:b"]);
    env.replace_in(
        CONFIG,
        "\"anthropic/claude-opus-4-5\"",
        "\"anthropic/claude-opus-4-5\",\"fallbacks\":[\"openai/gpt-5.2\"]",
    );
    let gateway = Running::start(&env);
    assert_eq!(say(&gateway, "s", "/model opus@anthropic:b").status, 200);
    let failed = say(&gateway, "s", "hi");
    assert_eq!((failed.status, provider.seen().len()), (429, 1), "{failed:?}");
    assert!(
        failed.body.contains("no other was asked")
            && failed.body.contains("/model anthropic/claude-opus-4-5")
    );
    // Now it rests: the provider is left alone, and the answer says until when and what lets it go.
    let rests = say(&gateway, "s", "hi");
    assert_eq!((rests.status, provider.seen().len()), (429, 1), "{rests:?}");
    for part in [
        "anthropic:b is pinned",
        " UTC (in ",
        "openclaw models auth unblock anthropic:b",
        "/model anthropic/claude-opus-4-5",
    ] {
        assert!(rests.body.contains(part), "{part}: {rests:?}");
    }
    assert!(rests.header("retry-after").is_some());
    let mut pinned = file_until(&env, |file| file["agent:main:s"]["authProfileOverride"] == "anthropic:b");
    assert_eq!(pinned["agent:main:s"]["authProfileOverrideSource"].take(), "user");
    // A new conversation keeps the pin; choosing the model again lets go of it.
    let renewed = say(&gateway, "s", "/new");
    assert!(renewed.body.contains("anthropic:b (pinned)"), "{renewed:?}");
    assert_eq!(say(&gateway, "s", "hi").status, 429);
    assert_eq!(say(&gateway, "s", "/model anthropic/claude-opus-4-5").status, 200);
    assert_eq!(served(&say(&gateway, "s", "hi")).1, "anthropic:a");
    // One that is gone is told, not replaced.
    assert_eq!(say(&gateway, "s", "/model opus@anthropic:a").status, 200);
    let mut store = env.read_json(STORE);
    store["profiles"].as_object_mut().unwrap().remove("anthropic:a");
    env.file(STORE, store.to_string()).private();
    let gone = gateway.until(MESSAGES, &message("x"), |_| say(&gateway, "s", "hi").status == 401);
    drop(gone);
    let told = say(&gateway, "s", "hi");
    assert!(told.status == 401 && told.body.contains("not found"), "{told:?}");
}

#[test]
fn a_session_keeps_to_the_profile_that_served_until_it_rests() {
    let limited = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
    let refusing = std::sync::Arc::clone(&limited);
    let provider = Provider::knowing(&[]).scripted(move |seen| {
        let key = seen.headers.get("x-api-key").cloned().unwrap_or_default();
        let refused = refusing.lock().unwrap().clone();
        Some(if !refused.is_empty() && key.contains(&refused) {
            Reply::json(429, json!({"error": {"type": "rate_limit_error"}}))
        } else {
            Reply::json(200, json!({"ok": 1}))
        })
    });
    let env = host(&provider);
    env.profiles(json!({
        "anthropic:a": api_key("anthropic", "sk-ant-a-0123456789-AAAA"),
        "anthropic:b": api_key("anthropic", "sk-ant-b-0123456789-BBBB"),
    }));
    env.private();
    let gateway = Running::start(&env);
    // Without an order the one that was used least recently comes first, for each session anew.
    let first = served(&say(&gateway, "one", "hi")).1.to_owned();
    let second = served(&say(&gateway, "two", "hi")).1.to_owned();
    assert_ne!(first, second);
    for _ in 0..3 {
        assert_eq!(served(&say(&gateway, "one", "hi")).1, first);
        assert_eq!(served(&say(&gateway, "two", "hi")).1, second);
    }
    // When it rests another one takes over, and it stays with that one.
    *limited.lock().unwrap() = format!("-{}-", first.rsplit(':').next().unwrap());
    assert_eq!(served(&say(&gateway, "one", "hi")).1, second);
    limited.lock().unwrap().clear();
    assert_eq!(env.run(&["models", "auth", "unblock", &first]).code, 0);
    assert_eq!(served(&say(&gateway, "one", "hi")).1, second);
    let (code, _) = gateway.stop();
    assert_eq!(code, Some(0));
    let file = env.read_json(SESSIONS);
    let entry = &file["agent:main:one"];
    assert_eq!(
        (
            &entry["authProfileOverride"],
            &entry["authProfileOverrideSource"],
            &entry["authProfileOverrideCompactionCount"]
        ),
        (&json!(second), &json!("auto"), &json!(0))
    );
    assert_eq!((&entry["modelProvider"], &entry["model"]), (&json!("anthropic"), &json!("claude-opus-4-5")));
    // It is kept to after a restart, too.
    let gateway = Running::start(&env);
    assert_eq!(served(&say(&gateway, "one", "hi")).1, second);
}

#[test]
fn a_choice_survives_a_kill_and_the_file_is_private() {
    let provider = echoing();
    let env = host(&provider);
    let mut gateway = Running::start(&env);
    assert_eq!(say(&gateway, "s", "/model sonnet@anthropic:b").status, 200);
    let file = file_until(&env, |file| file["agent:main:s"]["modelOverride"] == "claude-sonnet-4-5");
    let entry = &file["agent:main:s"];
    assert_eq!(
        (&entry["providerOverride"], &entry["authProfileOverride"], &entry["authProfileOverrideSource"]),
        (&json!("anthropic"), &json!("anthropic:b"), &json!("user")),
        "{file:#}"
    );
    assert_eq!(entry["sessionId"].as_str().unwrap().len(), 36);
    // A lock that was held at the kill is stale after half a minute, for everybody.
    let lock = format!("{SESSIONS}.lock");
    let limit = Deadline::after(std::time::Duration::from_secs(20));
    while env.exists(&lock) && !limit.has_passed() {
        std::thread::yield_now();
    }
    gateway.child.kill().unwrap();
    gateway.child.wait().unwrap();
    let mode = |path: &str| fs_err::metadata(env.path(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(SESSIONS), mode(".openclaw/agents/main/sessions")), (0o600, 0o700));
    let gateway = Running::start(&env);
    assert_eq!(served(&say(&gateway, "s", "hi")), ("claude-sonnet-4-5", "anthropic:b"));
    assert_eq!(gateway.stop().0, Some(0));
    assert!(!env.exists(&lock));
}

#[test]
fn the_file_is_shared_with_other_programs() {
    let provider = echoing();
    let env = host(&provider);
    let theirs = json!({
        "agent:main:main": {"sessionId": "theirs", "updatedAt": 5, "systemSent": true, "skills": {"deep": [1, 2]}},
        "agent:main:Mixed": {"sessionId": "m", "providerOverride": "openai", "modelOverride": "gpt-5.2"},
        "future": "unknown",
    });
    env.file(SESSIONS, theirs.to_string()).private();
    let gateway = Running::start(&env);
    // A choice of another program counts, whatever the letters of its key.
    let mut named = message("/status");
    named["messages"][0]["content"] = json!("/status");
    let status = ask(&gateway, &[("x-openclaw-session-key", "agent:main:mixed")], &named);
    assert!(status.body.contains("openai/gpt-5.2 (chosen here"), "{status:?}");
    assert_eq!(say(&gateway, "main", "/model sonnet@anthropic:b").status, 200);
    let file = file_until(&env, |file| file["agent:main:main"]["modelOverride"] == "claude-sonnet-4-5");
    let entry = &file["agent:main:main"];
    assert_eq!((&entry["sessionId"], &entry["skills"]), (&json!("theirs"), &json!({"deep": [1, 2]})));
    assert_eq!((&file["future"], &file["agent:main:Mixed"]["sessionId"]), (&json!("unknown"), &json!("m")));
    assert!(entry.get("createdBy").is_none());
    // Another program takes the pin away, under the lock that it would take; we see it within a second.
    let mut changed = env.read_json(SESSIONS);
    changed["agent:main:main"]
        .as_object_mut()
        .unwrap()
        .retain(|member, _| !member.starts_with("authProfile"));
    changed["agent:main:main"]["modelOverride"] = json!("claude-haiku-4-5");
    changed["agent:main:new"] = json!({"providerOverride": "anthropic", "modelOverride": "claude-x"});
    env.file(SESSIONS, changed.to_string());
    let limit = Deadline::after(std::time::Duration::from_secs(20));
    while served(&say(&gateway, "main", "hi")).0 != "claude-haiku-4-5" && !limit.has_passed() {
        Clock::System.sleep(std::time::Duration::from_millis(50));
    }
    assert_eq!(served(&say(&gateway, "main", "hi")).0, "claude-haiku-4-5");
    assert_eq!(served(&say(&gateway, "new", "hi")).0, "claude-x");
    // While somebody holds the lock, requests go on and nothing is written.
    let lock = env.path(&format!("{SESSIONS}.lock"));
    fs_err::write(&lock, "{}").unwrap();
    assert_eq!(say(&gateway, "locked", "/model sonnet").status, 200);
    assert_eq!(served(&say(&gateway, "locked", "hi")).0, "claude-sonnet-4-5");
    assert!(env.read_json(SESSIONS)["agent:main:locked"].is_null());
    fs_err::remove_file(&lock).unwrap();
    let file = file_until(&env, |file| file["agent:main:locked"]["modelOverride"] == "claude-sonnet-4-5");
    assert_eq!(file["agent:main:locked"]["createdBy"], "openclaw-gateway");
}

#[test]
fn two_programs_that_write_at_once_lose_nothing() {
    let provider = echoing();
    let env = host(&provider);
    env.file(SESSIONS, "{}").private();
    let gateway = Running::start(&env);
    let (file, lock) = (env.path(SESSIONS), env.path(&format!("{SESSIONS}.lock")));
    let is_over = AtomicBool::new(false);
    let theirs = std::thread::scope(|scope| {
        // The other program takes the lock as the Node program does, and reads and writes the whole file under it.
        let other = scope.spawn(|| {
            let mut count = 0;
            while !is_over.load(Ordering::SeqCst) {
                if fs_err::OpenOptions::new().write(true).create_new(true).open(&lock).is_err() {
                    Clock::System.sleep(std::time::Duration::from_millis(5));
                    continue;
                }
                let text = fs_err::read_to_string(&file).unwrap();
                let mut document: Value = serde_json::from_str(&text).unwrap();
                document[format!("agent:main:theirs-{count}")] =
                    json!({"sessionId": count, "updatedAt": count});
                let aside = file.with_extension("theirs");
                fs_err::write(&aside, document.to_string()).unwrap();
                fs_err::rename(&aside, &file).unwrap();
                fs_err::remove_file(&lock).unwrap();
                count += 1;
                Clock::System.sleep(std::time::Duration::from_millis(5));
            }
            count
        });
        for round in 0..3 {
            for number in 0..10 {
                assert_eq!(say(&gateway, &format!("ours-{round}-{number}"), "/model sonnet").status, 200);
            }
            file_until(&env, |file| !file[format!("agent:main:ours-{round}-9")].is_null());
        }
        is_over.store(true, Ordering::SeqCst);
        other.join().unwrap()
    });
    gateway.stop();
    let file = env.read_json(SESSIONS);
    assert!(theirs > 10, "{theirs}");
    for number in 0..theirs {
        assert_eq!(file[format!("agent:main:theirs-{number}")]["sessionId"], number);
    }
    for (round, number) in (0..3).flat_map(|round| (0..10).map(move |number| (round, number))) {
        assert_eq!(file[format!("agent:main:ours-{round}-{number}")]["modelOverride"], "claude-sonnet-4-5");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_told_and_left_byte_for_byte() {
    let provider = echoing();
    let env = host(&provider);
    env.file(SESSIONS, "{\"agent:main:s\": {torn").private();
    let gateway = Running::start(&env);
    assert_eq!(say(&gateway, "s", "/model sonnet@anthropic:b").status, 200);
    assert_eq!(served(&say(&gateway, "s", "hi")), ("claude-sonnet-4-5", "anthropic:b"));
    assert!(say(&gateway, "s", "/status").body.contains("kept in memory alone"));
    assert!(gateway.get("/api/sessions").json()["agents"][0]["problem"].as_str().unwrap().contains("line 1"));
    let (code, said) = gateway.stop();
    assert_eq!(code, Some(0));
    assert!(said.contains("sessions.json") && said.contains("in memory alone"), "{said}");
    assert_eq!(env.text(SESSIONS), "{\"agent:main:s\": {torn");
}

#[test]
fn many_clients_at_once_lose_no_choice() {
    let provider = echoing();
    let env = host(&provider);
    let gateway = Running::start(&env);
    std::thread::scope(|scope| {
        for number in 0..24 {
            let gateway = &gateway;
            scope.spawn(move || {
                let session = format!("client-{number}");
                let (model, id) = if number % 2 == 0 {
                    ("sonnet", "claude-sonnet-4-5")
                } else {
                    ("opus", "claude-opus-4-5")
                };
                assert_eq!(say(gateway, &session, &format!("/model {model}@anthropic:b")).status, 200);
                // Asked of the gateway alone: the server that plays the provider keeps few connections.
                for _ in 0..8 {
                    let status = say(gateway, &session, "/status").body;
                    assert!(status.contains(id) && status.contains("(pinned, next"), "{status}");
                }
            });
        }
    });
    gateway.stop();
    let file = env.read_json(SESSIONS);
    for number in 0..24 {
        assert_eq!(
            file[format!("agent:main:client-{number}")]["authProfileOverride"],
            "anthropic:b",
            "{number}"
        );
    }
}

#[test]
fn hostile_keys_are_refused_or_made_harmless() {
    let provider = echoing();
    let env = host(&provider);
    let gateway = Running::start(&env);
    let long = "x".repeat(5_000);
    for key in [long.as_str(), "caf\u{e9}"] {
        let answer = say(&gateway, key, "hi");
        assert_eq!(
            (answer.status, answer.json()["error"]["type"].as_str()),
            (400, Some("invalid_request_error")),
            "{answer:?}"
        );
    }
    assert!(provider.seen().is_empty());
    let key = "../../etc/passwd";
    assert_eq!(served(&say(&gateway, key, "hi")).0, "claude-opus-4-5");
    let mut odd = message("hi");
    for user in
        [json!(long), json!("a\u{1b}[2Jb\n"), json!("__proto__"), json!(5), json!({"a": 1}), Value::Null]
    {
        odd["metadata"] = json!({"user_id": user});
        assert_eq!(served(&ask(&gateway, &[], &odd)).0, "claude-opus-4-5", "{user}");
    }
    gateway.stop();
    let file = env.read_json(SESSIONS);
    let keys: Vec<_> = file.as_object().unwrap().keys().cloned().collect();
    assert!(keys.iter().all(|key| key.len() <= 256 && !key.contains(char::is_control)), "{keys:?}");
    assert!(keys.iter().any(|key| key == "agent:main:../../etc/passwd"), "{keys:?}");
    assert_eq!(keys.iter().filter(|key| key.contains(":sha256-")).count(), 2, "{keys:?}");
}

#[test]
fn old_and_too_many_entries_of_ours_go_and_no_others() {
    let provider = echoing();
    let env = host(&provider);
    let now = real_now_ms();
    let mut before = serde_json::Map::new();
    before.insert("agent:main:theirs".to_owned(), json!({"sessionId": "t", "updatedAt": 1}));
    before.insert(
        "agent:main:old".to_owned(),
        json!({"createdBy": "openclaw-gateway", "updatedAt": now - 31 * 24 * HOUR}),
    );
    for number in 0..1_100 {
        before.insert(
            format!("agent:main:n{number}"),
            json!({"createdBy": "openclaw-gateway", "updatedAt": now - HOUR + number}),
        );
    }
    env.file(SESSIONS, Value::Object(before).to_string()).private();
    let gateway = Running::start(&env);
    assert_eq!(say(&gateway, "s", "/model sonnet").status, 200);
    let file = file_until(&env, |file| !file["agent:main:s"].is_null());
    assert!(file["agent:main:old"].is_null() && file["agent:main:n0"].is_null());
    assert!(!file["agent:main:theirs"].is_null() && !file["agent:main:n1099"].is_null());
    assert_eq!(file.as_object().unwrap().len(), 1_001);
}

#[test]
fn every_agent_has_its_own_credentials_models_and_sessions() {
    let provider = echoing();
    let env = host(&provider);
    env.replace_in(
        CONFIG,
        "\"agents\":{",
        r#""session":{"store":"~/kept/{agentId}.json"},"agents":{"list":[{"id":"main","default":true},{"id":"work","model":"anthropic/claude-sonnet-4-5"}],"#,
    );
    let work = ".openclaw/agents/work/agent/auth-profiles.json";
    env.file(
        work,
        json!({"version": 1, "profiles": {"anthropic:w": api_key("anthropic", "sk-ant-w-0123456789-WWWW")},
        "order": {"anthropic": ["anthropic:w"]}})
        .to_string(),
    );
    in_order(&env, &["anthropic:a"]);
    let gateway = Running::start(&env);
    for headers in [
        &[("x-openclaw-agent-id", "Work")][..],
        &[("x-openclaw-agent", "work")],
        &[("x-openclaw-session-key", "agent:work:x")],
    ] {
        assert_eq!(
            served(&ask(&gateway, headers, &message("hi"))),
            ("claude-sonnet-4-5", "anthropic:w"),
            "{headers:?}"
        );
    }
    for model in ["openclaw:work", "openclaw/work", "agent:work"] {
        let mut named = message("hi");
        named["model"] = json!(model);
        assert_eq!(served(&ask(&gateway, &[], &named)), ("claude-sonnet-4-5", "anthropic:w"), "{model}");
    }
    assert_eq!(served(&ask(&gateway, &[], &message("hi"))), ("claude-opus-4-5", "anthropic:a"));
    // Its commands are its own, and its file.
    let chosen = ask(&gateway, &[("x-openclaw-agent-id", "work")], &message("/model opus@anthropic:w"));
    assert!(chosen.body.contains("Auth profile set to anthropic:w."), "{chosen:?}");
    let refused = ask(&gateway, &[], &message("/model opus@anthropic:w"));
    assert!(refused.status == 400 && refused.body.contains("not found"), "{refused:?}");
    let of_work = [("authorization", format!("Bearer {TOKEN}"))];
    let of_work: Vec<_> = of_work
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .chain([("x-openclaw-agent", "work")])
        .collect();
    let status = gateway.send("GET", "/api/status", &of_work, "");
    assert_eq!(status.json()["agentId"], "work");
    let sessions = gateway.send("GET", "/api/sessions", &of_work, "").json();
    assert_eq!(
        (sessions["agents"].as_array().unwrap().len(), sessions["agents"][0]["agentId"].as_str()),
        (1, Some("work"))
    );
    // A change in its store counts for it as well.
    let mut store = env.read_json(work);
    store["profiles"]["anthropic:w"]["key"] = json!("sk-ant-w-changed-0123456789");
    env.file(work, store.to_string()).private();
    let limit = Deadline::after(std::time::Duration::from_secs(20));
    let is_changed = || provider.seen().last().unwrap().headers["x-api-key"].contains("changed");
    while !limit.has_passed() {
        ask(&gateway, &[("x-openclaw-agent-id", "work")], &message("hi"));
        if is_changed() {
            break;
        }
    }
    assert!(is_changed());
    // Somebody unknown is told so, and nothing is made for them.
    for (headers, model) in [
        (&[("x-openclaw-agent-id", "ghost")][..], "openclaw"),
        (&[("x-openclaw-agent-id", "../work")], "openclaw"),
        (&[("x-openclaw-agent-id", "!!!")], "openclaw"),
        (&[], "openclaw:ghost"),
        (&[("x-openclaw-session-key", "agent:ghost:x")], "openclaw"),
    ] {
        let mut named = message("hi");
        named["model"] = json!(model);
        let answer = ask(&gateway, headers, &named);
        assert_eq!(
            (answer.status, answer.json()["error"]["type"].as_str()),
            (404, Some("not_found_error")),
            "{answer:?}"
        );
    }
    let both = ask(
        &gateway,
        &[("x-openclaw-agent-id", "work"), ("x-openclaw-session-key", "agent:main:x")],
        &message("hi"),
    );
    assert_eq!(both.status, 400, "{both:?}");
    env.replace_in(CONFIG, "~/kept/{agentId}.json", "~/moved/{agentId}.json");
    while !env.exists("moved/main.json") && !limit.has_passed() {
        assert_eq!(ask(&gateway, &[], &message("/model sonnet")).status, 200);
        Clock::System.sleep(std::time::Duration::from_millis(50));
    }
    gateway.stop();
    assert!(!env.exists(".openclaw/agents/ghost"));
    // The config says where sessions are remembered; it may say so anew at any time.
    assert!(env.exists("kept/work.json") && env.exists("kept/main.json") && env.exists("moved/main.json"));
    assert!(!env.exists(".openclaw/agents/work/sessions"));
}
