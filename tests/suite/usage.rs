//! `models status --usage` against providers on loopback.

use std::time::Duration;

use serde_json::{Value, json};

use crate::canary::{assert_silent, canary};
use crate::support::provider::{Provider, Reply};
use crate::support::{CONFIG, DAY, HOUR, MINUTE, OPS, TestEnv, api_key, oauth, token};

fn ops(provider: &Provider, ids: &[&str]) -> String {
    let entries: serde_json::Map<_, _> =
        ids.iter().map(|id| ((*id).to_owned(), json!({"usageUrl": provider.url("/usage")}))).collect();
    json!({ "providers": entries }).to_string()
}

fn anthropic(used: f64, resets_at: &str) -> Reply {
    Reply::json(
        200,
        json!({"five_hour": {"utilization": used, "resets_at": resets_at}, "seven_day": {"utilization": 80, "resets_at": null}}),
    )
}

fn host(provider: &Provider) -> TestEnv {
    let env = TestEnv::new();
    env.profiles(json!({"anthropic:a": oauth("anthropic", json!(env.now_ms() + DAY))}));
    env.file(OPS, ops(provider, &["anthropic"])).file(CONFIG, "{}");
    env
}

fn usage(env: &TestEnv) -> Value {
    let ran = env.status(&["--usage", "--json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.json()["auth"]["usage"].clone()
}

#[test]
fn what_is_left_is_asked_for_seldom_and_only_when_it_is_wanted() {
    let provider = Provider::knowing(&[]).scripted(|seen| {
        assert_eq!(seen.headers["authorization"], "Bearer at-AAAA");
        assert_eq!(seen.headers["anthropic-beta"], "oauth-2025-04-20");
        Some(anthropic(12.0, "2026-11-22T11:29:00Z"))
    });
    let env = host(&provider);
    env.status(&[]);
    assert!(env.status(&["--json"]).json()["auth"].get("usage").is_none());
    assert_eq!(provider.seen().len(), 0);
    let first = usage(&env);
    let window = &first[0]["windows"][0];
    assert_eq!((&window["label"], &window["leftPercent"]), (&json!("5h"), &json!(88.0)));
    assert_eq!(window["resetsAt"], json!(env.now_ms() + 2 * HOUR + 29 * MINUTE));
    assert_eq!(
        (&first[0]["stale"], &first[0]["low"], &first[0]["ageMs"]),
        (&json!(false), &json!(false), &json!(0))
    );
    let text = env.status(&["--usage"]);
    assert!(text.stdout.contains("anthropic:a  5h 88% left (anew in 2h 29m), Week 20% left"), "{text:?}");
    assert_eq!(provider.seen().len(), 1, "the second look was at what is remembered");
    env.pass(Duration::from_mins(4));
    assert_eq!((usage(&env)[0]["ageMs"].as_i64(), provider.seen().len()), (Some(4 * MINUTE), 1));
    env.pass(Duration::from_mins(1));
    assert_eq!((usage(&env)[0]["ageMs"].as_i64(), provider.seen().len()), (Some(0), 2));
}

#[test]
fn a_figure_that_cannot_be_had_now_is_stale_and_not_gone() {
    let mut answers = vec![
        Reply::json(429, json!({"error": {"type": "rate_limit_error"}})).header("retry-after", "1022"),
        anthropic(95.0, "2026-11-23T00:00:00Z"),
    ];
    let provider = Provider::knowing(&[])
        .scripted(move |_| Some(answers.pop().unwrap_or_else(|| Reply::text(200, "<html>"))));
    let env = host(&provider);
    assert_eq!((&usage(&env)[0]["low"], &usage(&env)[0]["stale"]), (&json!(true), &json!(false)));
    env.pass(Duration::from_mins(6));
    let limited = usage(&env);
    assert_eq!((&limited[0]["stale"], &limited[0]["error"]), (&json!(true), &json!("rate_limited")));
    assert_eq!(
        (&limited[0]["windows"][0]["leftPercent"], limited[0]["ageMs"].as_i64()),
        (&json!(5.0), Some(6 * MINUTE))
    );
    // The provider is left alone for as long as it wants.
    env.pass(Duration::from_mins(16));
    usage(&env);
    assert_eq!(provider.seen().len(), 2);
    env.pass(Duration::from_mins(2));
    assert_eq!((usage(&env)[0]["error"].clone(), provider.seen().len()), (json!("malformed"), 3));
}

#[test]
fn who_is_asked_and_how() {
    let provider = Provider::knowing(&[]).scripted(|seen| {
        let answer = match seen.headers["authorization"].as_str() {
            "Bearer codex" => {
                assert_eq!(seen.headers["chatgpt-account-id"], "acc");
                json!({"rate_limit": {"primary_window": {"used_percent": 40, "limit_window_seconds": 18000, "reset_at": 1_795_400_000}}})
            }
            "token github" => json!({"quota_snapshots": {"chat": {"percent_remaining": 70}}}),
            "Bearer zai" => json!({"code": 200, "data": {"limits": [{"type": "TOKENS_LIMIT", "percentage": 25}]}}),
            other => panic!("{other}"),
        };
        Some(Reply::json(200, answer))
    });
    let env = TestEnv::new();
    let mut codex = oauth("openai-codex", json!(env.now_ms() + DAY));
    codex["access"] = json!("codex");
    codex["accountId"] = json!("acc");
    let mut github = token("github-copilot", json!("absent"));
    github["token"] = json!("github");
    env.profiles(json!({
        "openai-codex:me": codex, "github-copilot:github": github, "zai:k": api_key("zai", "zai"),
        "anthropic:key": api_key("anthropic", "paid"), "groq:k": api_key("groq", "k"),
        "anthropic:over": oauth("anthropic", json!(env.now_ms() - 1)),
    }));
    env.file(OPS, ops(&provider, &["openai-codex", "github-copilot", "zai", "anthropic"]));
    let all = usage(&env);
    let left = |id: &str| {
        let found = all.as_array().unwrap().iter().find(|usage| usage["profileId"] == id);
        found.map(|usage| usage["windows"][0]["leftPercent"].clone())
    };
    assert_eq!(left("openai-codex:me"), Some(json!(60.0)));
    assert_eq!(left("github-copilot:github"), Some(json!(70.0)));
    assert_eq!(left("zai:k"), Some(json!(75.0)));
    assert_eq!((left("anthropic:key"), left("groq:k")), (None, None));
    let over = all.as_array().unwrap().iter().find(|usage| usage["profileId"] == "anthropic:over").unwrap();
    assert_eq!((&over["error"], &over["stale"]), (&json!("expired"), &json!(true)));
    assert_eq!(provider.seen().len(), 3, "a token that is over is not sent");
}

#[test]
fn usage_shows_no_token() {
    let secret = canary(170);
    let echo = secret.clone();
    let provider =
        Provider::knowing(&[]).scripted(move |_| Some(Reply::json(403, json!({"error": {"message": echo}}))));
    let env = host(&provider);
    let mut login = oauth("anthropic", json!(env.now_ms() + DAY));
    login["access"] = json!(secret);
    login["refresh"] = json!(format!("r-{secret}"));
    env.profiles(json!({ "anthropic:a": login }));
    for args in [&["--usage"][..], &["--usage", "--json"]] {
        assert_silent(&env.status(args), std::slice::from_ref(&secret), "usage");
    }
    assert!(!env.text(".openclaw/ops-state.json").contains(&secret[..8]));
    assert_eq!(provider.seen().len(), 1);
}
