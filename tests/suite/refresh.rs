//! Renewing logins against a provider on loopback.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Barrier};

use serde_json::{Value, json};

use crate::support::provider::{Provider, Reply};
use crate::support::{
    CLAUDE, CONFIG, DAY, HOUR, MINUTE, OPS, STORE, TestEnv, finding_codes, oauth, profile, real_now_ms,
};

const CODEX: &str = ".codex/auth.json";
const QWEN: &str = ".qwen/oauth_creds.json";
const STATE: &str = ".openclaw/ops-state.json";
const RECOVERY: &str = ".openclaw/recovery";

/// A host with one expired login of a provider.
fn host(provider_id: &str, profile_id: &str, provider: &Provider) -> TestEnv {
    let env = TestEnv::new();
    env.profiles(json!({profile_id: oauth(provider_id, json!(env.now_ms() - HOUR))}));
    env.file(OPS, provider.ops(&[provider_id]));
    env
}

fn refresh(env: &TestEnv, args: &[&str]) -> (u8, Value) {
    let args: Vec<_> =
        ["models", "auth", "refresh", "--json"].into_iter().chain(args.iter().copied()).collect();
    let outcome = env.run(&args);
    (outcome.code, outcome.json()["logins"].clone())
}

fn stored(env: &TestEnv, id: &str) -> Value {
    env.read_json(STORE)["profiles"][id].clone()
}

#[test]
fn every_provider_is_asked_in_its_own_way() {
    for (id, content_type, members) in [
        ("anthropic", "application/json", vec![("client_id", "9d1c250a-e61b-44d9-88ed-5944d1962f5e")]),
        (
            "openai-codex",
            "application/x-www-form-urlencoded",
            vec![("client_id", "app_EMoamEEZ73f0CkXaXp7hrann")],
        ),
        (
            "qwen-portal",
            "application/x-www-form-urlencoded",
            vec![("client_id", "f0304373b74a44d2b584a3fb70ca9e56")],
        ),
    ] {
        let provider = Provider::knowing(&["rt-BBBB"]);
        let env = host(id, "x:y", &provider);
        let (code, logins) = refresh(&env, &["x:y"]);
        assert_eq!(
            (code, logins[0]["outcome"].as_str(), logins[0]["why"].as_str()),
            (0, Some("renewed"), Some("expired")),
            "{logins}"
        );
        let seen = &provider.seen()[0];
        assert_eq!((seen.path.as_str(), seen.headers["content-type"].as_str()), ("/token", content_type));
        assert_eq!(seen.headers["user-agent"], concat!("openclaw/", env!("CARGO_PKG_VERSION")));
        assert_eq!(seen.headers["accept"], "application/json");
        assert_eq!(
            (seen.members["grant_type"].as_str(), seen.members["refresh_token"].as_str()),
            ("refresh_token", "rt-BBBB")
        );
        for (member, value) in members {
            assert_eq!(seen.members[member], value, "{id}");
        }
        let margin = if id == "anthropic" { 5 * MINUTE } else { 0 };
        let entry = stored(&env, "x:y");
        assert_eq!(entry["access"], "at-generation-1");
        assert_eq!(entry["refresh"], "rt-generation-1");
        assert_eq!(entry["expires"], json!(env.now_ms() + 8 * HOUR - margin), "{id}");
        assert!(
            !env.path(RECOVERY).join("x").exists()
                && fs_err::read_dir(env.path(RECOVERY)).unwrap().next().is_none()
        );
    }
}

#[test]
fn copilot_and_chutes_have_their_own_ways() {
    let provider = Provider::knowing(&[]).scripted(|seen| {
        assert_eq!(seen.headers["authorization"], "Bearer rt-BBBB");
        Some(Reply::json(200, json!({"token": "tid=1;exp=2", "expires_at": 1_795_339_800})))
    });
    let env = host("github-copilot", "github-copilot:github", &provider);
    assert_eq!(refresh(&env, &[]).0, 0);
    let entry = stored(&env, "github-copilot:github");
    assert_eq!((entry["access"].as_str(), entry["refresh"].as_str()), (Some("tid=1;exp=2"), Some("rt-BBBB")));
    assert_eq!(entry["expires"], json!(1_795_339_500_000_i64));

    let provider = Provider::knowing(&["rt-BBBB"]);
    let env = host("chutes", "chutes:me", &provider)
        .var("CHUTES_CLIENT_ID", "cid_env")
        .var("CHUTES_CLIENT_SECRET", "csc_env");
    assert_eq!(refresh(&env, &[]).0, 0);
    assert_eq!(provider.seen()[0].members["client_id"], "cid_env");
    assert_eq!(provider.seen()[0].members["client_secret"], "csc_env");
    let provider = Provider::knowing(&["rt-BBBB"]);
    let env = host("chutes", "chutes:me", &provider).var("CHUTES_CLIENT_ID", "cid_env");
    let mut login = oauth("chutes", json!(5));
    login["clientId"] = json!("cid_login");
    login["note"] = json!("mine");
    env.profiles(json!({"chutes:me": login}));
    assert_eq!(refresh(&env, &[]).0, 0);
    assert_eq!(provider.seen()[0].members["client_id"], "cid_login");
    let entry = stored(&env, "chutes:me");
    assert_eq!((entry["clientId"].as_str(), entry["note"].as_str()), (Some("cid_login"), Some("mine")));
}

#[test]
fn a_client_of_the_users_own_renews_google_logins() {
    let provider = Provider::knowing(&["rt-BBBB"]);
    let env = host("google-gemini-cli", "g:me", &provider);
    let (code, logins) = refresh(&env, &[]);
    assert_eq!((code, logins[0]["outcome"].as_str()), (1, Some("unsupported")), "{logins}");
    assert!(finding_codes(&env.check().1).contains(&"refresh-unsupported"));
    let mut ops: Value = serde_json::from_str(&provider.ops(&["google-gemini-cli"])).unwrap();
    ops["providers"]["google-gemini-cli"]["clientId"] = json!("mine.apps");
    ops["providers"]["google-gemini-cli"]["clientSecretFile"] = json!("~/client-secret");
    env.file(OPS, ops.to_string());
    let (code, logins) = refresh(&env, &[]);
    assert_eq!(code, 1);
    assert!(
        logins[0]["message"].as_str().unwrap().contains("~/client-secret: there is no such file"),
        "{logins}"
    );
    env.file("client-secret", "hush\n");
    assert!(!finding_codes(&env.check().1).contains(&"refresh-unsupported"));
    assert_eq!(refresh(&env, &[]).0, 0);
    let seen = &provider.seen()[0];
    assert_eq!(
        (seen.members["client_id"].as_str(), seen.members["client_secret"].as_str()),
        ("mine.apps", "hush")
    );
}

#[test]
fn only_what_is_due_is_renewed_unless_it_is_forced() {
    let provider = Provider::knowing(&["rt-BBBB"]);
    let env = host("anthropic", "anthropic:a", &provider);
    let expires = |span: i64| json!({"anthropic:a": oauth("anthropic", json!(env.now_ms() + span))});
    env.profiles(expires(11 * MINUTE));
    assert_eq!(refresh(&env, &[]).1[0]["outcome"], "fresh");
    assert_eq!(provider.spent(), 0);
    env.profiles(expires(9 * MINUTE));
    assert_eq!(refresh(&env, &[]).1[0]["why"], "expiring");
    assert_eq!(refresh(&env, &["anthropic:a", "--force"]).1[0]["why"], "forced");
    assert_eq!((provider.spent(), provider.reused()), (2, 0));
    let words = env.run(&["models", "auth", "refresh"]);
    assert_eq!(words.stdout, "anthropic:a: is not due, good for 7h 55m\n");
}

#[test]
fn what_is_asked_for_must_be_there() {
    let provider = Provider::knowing(&["rt-BBBB"]);
    let env = host("anthropic", "anthropic:a", &provider);
    for (args, code, wanted) in [
        (&["anthropic:b"][..], 1, "anthropic:b is no profile here\nhint: logins: anthropic:a"),
        (&["--provider", "openai"], 1, "no login of openai has a refresh token\nhint: logins: anthropic:a"),
        (&["--provider", "antropic"], 64, "did you mean anthropic?"),
        (&["anthropic:a", "--all"], 64, "cannot be used with"),
        (&["--timeout", "0s"], 64, "must be longer than nothing"),
    ] {
        let args: Vec<_> = ["models", "auth", "refresh"].iter().chain(args).copied().collect();
        let outcome = env.run(&args);
        assert_eq!(outcome.code, code, "{outcome:?}");
        assert!(outcome.stderr.contains(wanted), "{outcome:?}");
    }
    assert_eq!(provider.spent(), 0);
    let empty = TestEnv::new().run(&["models", "auth", "refresh"]);
    assert_eq!((empty.code, empty.stdout.as_str()), (0, "No login has a refresh token.\n"));
}

#[test]
fn bad_answers_change_nothing_but_the_memory() {
    let big = "x".repeat(9 * 1024 * 1024);
    let elsewhere = "http://evil.example/token";
    for (reply, class, human) in [
        (Reply::text(200, "<html>Sign in</html>"), "malformed", false),
        (Reply::json(200, json!({"refresh_token": "r", "expires_in": 5})), "malformed", false),
        (Reply::json(200, json!({"error": "invalid_grant"})), "malformed", false),
        (Reply::text(200, &big), "too_large", false),
        (Reply::text(307, "").header("Location", elsewhere), "redirected", false),
        (Reply::text(302, "").header("Location", "/elsewhere"), "redirected", false),
        (Reply::json(429, json!({})).header("Retry-After", "90"), "rate_limited", false),
        (Reply::text(503, "busy"), "server_error", false),
        (Reply::text(403, "<html>blocked</html>"), "unknown", false),
        (Reply::json(400, json!({"error": "invalid_grant"})), "invalid_grant", true),
        (Reply::json(401, json!({"error": {"code": "refresh_token_reused"}})), "reused", true),
        (
            Reply::json(400, json!({"error": "invalid_grant", "error_description": "revoked"})),
            "revoked",
            true,
        ),
        (Reply::json(401, json!({"error": "invalid_client"})), "client_rejected", true),
    ] {
        let is_limited = class == "rate_limited";
        let provider = Provider::knowing(&["rt-BBBB"]).scripted(move |_| Some(reply.clone()));
        let env = host("anthropic", "anthropic:a", &provider);
        let before = env.text(STORE);
        let (code, logins) = refresh(&env, &[]);
        assert_eq!(
            (code, logins[0]["class"].as_str(), logins[0]["humanNeeded"].as_bool()),
            (1, Some(class), Some(human)),
            "{logins}"
        );
        assert_eq!(env.text(STORE), before, "{class}");
        assert!(fs_err::read_dir(env.path(RECOVERY)).unwrap().next().is_none(), "{class}");
        let (_, report) = env.check();
        let failure = &profile(&report, "anthropic:a")["refresh"]["failure"];
        assert_eq!(failure["class"], class);
        let wait = if is_limited { 90_000 } else { 30_000 };
        // A client can be corrected; a refresh token that is gone stays gone.
        let is_final = human && class != "client_rejected";
        let next_try = if is_final { Value::Null } else { json!(env.now_ms() + wait) };
        assert_eq!(failure["nextTry"], next_try, "{class}");
        assert!(finding_codes(&report).contains(&"refresh-failed"));
        assert_eq!(profile(&report, "anthropic:a")["refreshable"], json!(!human));
        // Neither a rest nor a dead end costs another request.
        assert_eq!(refresh(&env, &[]).1[0]["outcome"], "resting");
        assert_eq!(provider.seen().len(), 1, "{class}");
        refresh(&env, &["anthropic:a", "--force"]);
        assert_eq!(provider.seen().len(), 2, "{class}");
        assert_eq!(
            env.read_json(STATE)["refresh"].as_object().unwrap().values().next().unwrap()["failure"]["count"],
            2
        );
    }
}

#[test]
fn odd_lives_are_believed_within_reason() {
    for (life, wanted) in
        [(json!(-5), HOUR), (json!(null), HOUR), (json!(1e300), 365 * DAY), (json!(60), MINUTE)]
    {
        let answer = json!({"access_token": "new", "expires_in": life});
        let provider = Provider::knowing(&[]).scripted(move |_| Some(Reply::json(200, answer.clone())));
        let env = host("openai-codex", "openai-codex:a", &provider);
        assert_eq!(refresh(&env, &[]).0, 0);
        let entry = stored(&env, "openai-codex:a");
        assert_eq!(entry["expires"], json!(env.now_ms() + wanted));
        assert_eq!(entry["refresh"], "rt-BBBB", "an answer without a refresh token keeps the old one");
    }
}

#[test]
fn a_success_clears_what_was_remembered_of_failures() {
    let mut fails = 2;
    let provider = Provider::knowing(&["rt-BBBB"]).scripted(move |_| {
        fails -= 1;
        (fails >= 0).then(|| Reply::text(500, ""))
    });
    let env = host("anthropic", "anthropic:a", &provider);
    refresh(&env, &[]);
    refresh(&env, &["--force"]);
    assert_eq!(refresh(&env, &["--force"]).0, 0);
    let state = env.read_json(STATE);
    let records: Vec<_> = state["refresh"].as_object().unwrap().values().collect();
    assert_eq!(records, [&json!({"lastSuccess": env.now_ms(), "failure": null})]);
    let (code, report) = env.status(&["--json", "--check", "--warn-after", "1h"]).pair();
    assert_eq!(code, 0);
    assert_eq!(profile(&report, "anthropic:a")["refresh"]["lastSuccess"], json!(env.now_ms()));
    assert!(!env.text(STATE).contains("generation") && !env.text(STATE).contains("BBBB"));
}

#[test]
fn nobody_there_tls_that_fails_and_an_endless_wait_are_told_apart() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let garbage = TcpListener::bind("127.0.0.1:0").unwrap();
    let hanging = TcpListener::bind("127.0.0.1:0").unwrap();
    let (garbage_at, hanging_at) = (garbage.local_addr().unwrap(), hanging.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in garbage.incoming() {
            let mut stream = stream.unwrap();
            drop(stream.read(&mut [0; 512]));
            drop(stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n"));
        }
    });
    for (url, class) in [
        (format!("http://{nobody}/token"), "network"),
        (format!("https://{garbage_at}/token"), "tls"),
        (format!("http://{hanging_at}/token"), "timeout"),
    ] {
        let provider = Provider::knowing(&[]);
        let env = host("anthropic", "anthropic:a", &provider);
        env.file(OPS, json!({"providers": {"anthropic": {"tokenUrl": url}}}).to_string());
        let (code, logins) = refresh(&env, &["--timeout", "300ms"]);
        assert_eq!((code, logins[0]["class"].as_str()), (1, Some(class)), "{logins}");
    }
}

#[test]
fn a_certificate_that_nobody_vouches_for_is_refused() {
    let provider = Provider::knowing(&[]);
    let env = host("anthropic", "anthropic:a", &provider);
    let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let chain = vec![key.cert.der().clone()];
    let secret = rustls::pki_types::PrivateKeyDer::try_from(key.signing_key.serialize_der()).unwrap();
    let algorithms = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(algorithms)
        .with_safe_default_protocol_versions()
        .unwrap();
    let config = Arc::new(config.with_no_client_auth().with_single_cert(chain, secret).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut tls = rustls::ServerConnection::new(config).unwrap();
        let mut received = Vec::new();
        drop(tls.complete_io(&mut stream));
        drop(tls.reader().read_to_end(&mut received));
        received
    });
    env.file(
        OPS,
        json!({"providers": {"anthropic": {"tokenUrl": format!("https://localhost:{port}/token")}}})
            .to_string(),
    );
    let (code, logins) = refresh(&env, &[]);
    assert_eq!((code, logins[0]["class"].as_str()), (1, Some("tls")), "{logins}");
    assert_eq!(server.join().unwrap(), b"", "nothing was sent");
}

#[test]
fn a_vendors_file_gets_the_new_tokens_and_keeps_the_rest() {
    for (id, provider_id, file, content, access, refresh_token) in [
        (
            "anthropic:claude-cli",
            "anthropic",
            CLAUDE,
            json!({"claudeAiOauth": {"accessToken": "at-AAAA", "refreshToken": "rt-BBBB", "expiresAt": 5,
                "refreshTokenExpiresAt": 1_896_000_000_000_i64, "subscriptionType": "max"}, "mcpOAuth": {"x": 1}}),
            "/claudeAiOauth/accessToken",
            "/claudeAiOauth/refreshToken",
        ),
        (
            "openai-codex:codex-cli",
            "openai-codex",
            CODEX,
            json!({"OPENAI_API_KEY": null, "tokens": {"id_token": "i", "access_token": "at-AAAA", "refresh_token": "rt-BBBB",
                "account_id": "acc"}, "last_refresh": "2026-01-01T00:00:00Z"}),
            "/tokens/access_token",
            "/tokens/refresh_token",
        ),
        (
            "qwen-portal:qwen-cli",
            "qwen-portal",
            QWEN,
            json!({"access_token": "at-AAAA", "refresh_token": "rt-BBBB", "expiry_date": 5, "resource_url": "portal.qwen.ai"}),
            "/access_token",
            "/refresh_token",
        ),
    ] {
        let provider = Provider::knowing(&["rt-BBBB"]);
        let env = TestEnv::new();
        env.file(file, content.to_string()).mode(file, 0o600).file(OPS, provider.ops(&[provider_id]));
        env.set_modified(file, env.now_ms() - DAY);
        let (code, logins) = refresh(&env, &[id]);
        assert_eq!((code, logins[0]["outcome"].as_str()), (0, Some("renewed")), "{logins}");
        assert!(logins[0]["writtenBack"].is_string());
        let mut now = env.read_json(file);
        assert_eq!(now.pointer(access), Some(&json!("at-generation-1")), "{id}");
        assert_eq!(now.pointer(refresh_token), Some(&json!("rt-generation-1")), "{id}");
        assert_eq!(stored(&env, id)["access"], "at-generation-1");
        // Apart from tokens and their times the file is what it was.
        let mut before = content.clone();
        for document in [&mut now, &mut before] {
            for pointer in
                [access, refresh_token, "/claudeAiOauth/expiresAt", "/expiry_date", "/last_refresh"]
            {
                if let Some(value) = document.pointer_mut(pointer) {
                    *value = Value::Null;
                }
            }
        }
        assert_eq!(now, before);
        // The next status has nothing to sync, and nothing is renewed twice.
        let (_, report) = env.check();
        assert!(!finding_codes(&report).contains(&"sync-performed"), "{id}");
        assert_eq!(refresh(&env, &[id]).1[0]["outcome"], "fresh");
        assert_eq!((provider.spent(), provider.reused()), (1, 0));
    }
}

#[test]
fn what_a_vendors_program_has_renewed_is_adopted_without_a_request() {
    let provider = Provider::knowing(&["rt-BBBB"]);
    let env = host("anthropic", "anthropic:claude-cli", &provider);
    env.claude(6 * HOUR);
    assert_eq!(refresh(&env, &[]).1[0]["outcome"], "fresh");
    assert_eq!(stored(&env, "anthropic:claude-cli")["access"], "cli-at");
    assert_eq!(provider.spent(), 0);
}

#[test]
fn who_may_renew_a_vendors_login_is_a_setting() {
    let provider = Provider::knowing(&["rt-BBBB"]);
    let setting = |value: &str| {
        let mut ops: Value = serde_json::from_str(&provider.ops(&["anthropic"])).unwrap();
        ops["refresh"] = json!({"external": value});
        ops.to_string()
    };
    let env = TestEnv::real_time();
    let login = |at: &str, rt: &str, expires: i64| {
        json!({"claudeAiOauth": {"accessToken": at, "refreshToken": rt, "expiresAt": expires}}).to_string()
    };
    env.file(CLAUDE, login("at-AAAA", "rt-BBBB", real_now_ms() - HOUR)).file(OPS, setting("never"));
    let (code, logins) = refresh(&env, &[]);
    assert_eq!((code, logins[0]["outcome"].as_str()), (1, Some("left-to-vendor")), "{logins}");

    // The vendor's program on the PATH renews by itself, as a real request makes it do.
    env.file(OPS, setting("delegate"))
        .file("renewed.json", login("at-cli", "rt-cli", real_now_ms() + 8 * HOUR));
    env.script(
        "bin/claude",
        "[ \"$1\" = -p ] && cp \"$HOME/renewed.json\" \"$HOME/.claude/.credentials.json\"",
    );
    let path = format!("{}:/usr/bin:/bin", env.path("bin").display());
    let env = env.var("PATH", path);
    let outcome = crate::support::outcome(&mut env.command(&["models", "auth", "refresh", "--json"]));
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert_eq!(outcome.json()["logins"][0]["by"], "Claude Code");
    assert_eq!(stored(&env, "anthropic:claude-cli")["access"], "at-cli");
    env.file("renewed.json", login("at-cli", "rt-cli", 5))
        .file(CLAUDE, login("at-old", "rt-old", 5))
        .profiles(json!({}));
    let outcome = crate::support::outcome(&mut env.command(&["models", "auth", "refresh"]));
    assert_eq!(outcome.code, 1);
    assert!(outcome.stdout.contains("`claude` ran and renewed nothing"), "{outcome:?}");
    assert_eq!(provider.spent(), 0);
}

#[test]
fn the_loser_of_a_race_with_a_vendors_program_adopts() {
    let env = TestEnv::new();
    let file = env.path(CODEX);
    // Codex has no lock that we know: it spends the token just before us and writes its file just after.
    let provider = Provider::knowing(&["rt-BBBB"]).scripted(move |_| {
        // {"exp":1900000000}
        let tokens = json!({"access_token": "e30.eyJleHAiOjE5MDAwMDAwMDB9.s", "refresh_token": "rt-codex"});
        fs_err::write(&file, json!({"tokens": tokens}).to_string()).unwrap();
        Some(Reply::json(401, json!({"error": {"code": "refresh_token_reused"}})))
    });
    env.file(CODEX, json!({"tokens": {"access_token": "at-AAAA", "refresh_token": "rt-BBBB"}}).to_string());
    env.set_modified(CODEX, env.now_ms() - DAY).file(OPS, provider.ops(&["openai-codex"]));
    let (code, logins) = refresh(&env, &[]);
    assert_eq!(
        (code, logins[0]["outcome"].as_str(), logins[0]["by"].as_str()),
        (0, Some("adopted"), Some("Codex")),
        "{logins}"
    );
    assert_eq!(stored(&env, "openai-codex:codex-cli")["refresh"], "rt-codex");
    assert_eq!(env.read_json(CODEX)["tokens"]["refresh_token"], "rt-codex");
    assert_eq!(
        env.check().1["findings"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|f| f["code"] == "refresh-failed")
            .count(),
        0
    );
}

#[test]
fn every_store_with_the_same_login_gets_the_new_tokens() {
    let provider = Provider::knowing(&["rt-BBBB"]);
    let env = host("openai-codex", "openai-codex:me", &provider);
    let work = ".openclaw/agents/work/agent/auth-profiles.json";
    env.file(work, env.text(STORE))
        .file(CONFIG, "{agents: {list: [{id: 'main', default: true}, {id: 'work'}]}}");
    assert_eq!(refresh(&env, &["--agent", "work"]).0, 0);
    for store in [STORE, work] {
        assert_eq!(
            env.read_json(store)["profiles"]["openai-codex:me"]["refresh"],
            "rt-generation-1",
            "{store}"
        );
    }
    assert_eq!(refresh(&env, &["--force"]).1[0]["why"], "forced");
    assert_eq!((provider.spent(), provider.reused()), (2, 0));
    // A login that an agent inherits is renewed where it stands.
    env.file(work, r#"{"version":1,"profiles":{}}"#);
    assert_eq!(refresh(&env, &["--agent", "work", "--force"]).0, 0);
    assert_eq!(stored(&env, "openai-codex:me")["refresh"], "rt-generation-3");
    assert_eq!(env.read_json(work)["profiles"], json!({}));
}

#[test]
fn eight_processes_and_sixty_four_threads_spend_one_token() {
    let provider = Provider::knowing(&["rt-BBBB"]);
    let env = TestEnv::real_time();
    env.profiles(json!({"openai-codex:me": oauth("openai-codex", json!(real_now_ms() - HOUR))}));
    env.file(OPS, provider.ops(&["openai-codex"]));
    let start = Arc::new(Barrier::new(72));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            let (env, start) = (&env, Arc::clone(&start));
            scope.spawn(move || {
                start.wait();
                let outcome = crate::support::outcome(&mut env.command(&["models", "auth", "refresh"]));
                assert_eq!(outcome.code, 0, "{outcome:?}");
            });
        }
        for _ in 0..64 {
            let (env, start) = (&env, Arc::clone(&start));
            scope.spawn(move || {
                start.wait();
                let (code, logins) = refresh(env, &[]);
                assert_eq!(code, 0, "{logins}");
            });
        }
    });
    assert_eq!((provider.spent(), provider.reused()), (1, 0));
    assert_eq!(stored(&env, "openai-codex:me")["access"], "at-generation-1");
}
