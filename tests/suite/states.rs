//! Every state a credential can be in, in every output, under both policies.

use serde_json::{Value, json};

use crate::support::{DAY, HOUR, MINUTE, TestEnv, api_key, oauth, profile, token};

/// One state: the profile, and what must come of it.
struct State {
    name: &'static str,
    id: &'static str,
    profile: Value,
    /// The login deadline in Claude Code's file, which then has the same refresh token.
    deadline: Option<i64>,
    status: &'static str,
    reason: &'static str,
    strict: u8,
    lenient: u8,
    refreshable: bool,
}

fn state(
    name: &'static str,
    profile: Value,
    status: &'static str,
    reason: &'static str,
    codes: (u8, u8),
) -> State {
    let refreshable = profile["type"] == "oauth"
        && profile["provider"] == "anthropic"
        && profile["refresh"].as_str().is_some_and(|refresh| !refresh.trim().is_empty());
    let (strict, lenient) = codes;
    State { name, id: "a:x", profile, deadline: None, status, reason, strict, lenient, refreshable }
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn states(now: i64) -> Vec<State> {
    let at = |ms: i64| json!(now + ms);
    let login = |ms: i64| oauth("anthropic", at(ms));
    let lone =
        |ms: i64| json!({"type": "oauth", "provider": "anthropic", "access": "a", "expires": now + ms});
    let with = |mut profile: Value, member: &str, value: Value| {
        profile[member] = value;
        profile
    };
    let mut states = vec![
        // a renewable login: the access token's clock, strict; nobody is needed, lenient
        state("oauth, 3 days", login(3 * DAY), "ok", "valid", (0, 0)),
        state("oauth, window + 1 ms", login(DAY + 1), "ok", "valid", (0, 0)),
        state("oauth, exactly the window", login(DAY), "expiring", "expires-soon", (2, 0)),
        state("oauth, 1 ms", login(1), "expiring", "expires-soon", (2, 0)),
        state("oauth, now", login(0), "expired", "expired", (1, 0)),
        state("oauth, 1 ms ago", login(-1), "expired", "expired", (1, 0)),
        state("oauth, a year ago", login(-365 * DAY), "expired", "expired", (1, 0)),
        state("oauth, no expiry", oauth("anthropic", json!("absent")), "missing", "no-expiry", (1, 0)),
        state("oauth, expires null", oauth("anthropic", json!(null)), "missing", "no-expiry", (1, 0)),
        state("oauth, expires 0", oauth("anthropic", json!(0)), "missing", "no-expiry", (1, 0)),
        state("oauth, expires negative", oauth("anthropic", json!(-1)), "missing", "no-expiry", (1, 0)),
        state(
            "oauth, expires text",
            oauth("anthropic", json!("2030")),
            "missing",
            "expiry-unreadable",
            (1, 0),
        ),
        state("oauth, expires object", oauth("anthropic", json!({})), "missing", "expiry-unreadable", (1, 0)),
        state(
            "oauth, expires fraction",
            oauth("anthropic", json!(1_795_938_356_548.009)),
            "ok",
            "valid",
            (0, 0),
        ),
        state(
            "oauth, in seconds",
            oauth("anthropic", json!(now / 1000 + 9_999_999)),
            "expired",
            "expired",
            (1, 0),
        ),
        state("oauth, year 292277026596", oauth("anthropic", json!(9.3e21)), "ok", "valid", (0, 0)),
        state("oauth, i64 max", oauth("anthropic", json!(i64::MAX)), "ok", "valid", (0, 0)),
        state(
            "oauth, blank access",
            with(login(3 * DAY), "access", json!(" ")),
            "missing",
            "no-secret",
            (1, 0),
        ),
        // a login that nobody can renew: both policies look at the access token
        state("no refresh token, 3 days", lone(3 * DAY), "ok", "valid", (0, 0)),
        state("no refresh token, 5 h", lone(5 * HOUR), "expiring", "expires-soon", (2, 2)),
        state("no refresh token, ended", lone(-MINUTE), "expired", "expired", (1, 1)),
        state(
            "no refresh token, no expiry",
            json!({"type": "oauth", "provider": "anthropic", "access": "a"}),
            "missing",
            "no-expiry",
            (1, 1),
        ),
        state(
            "blanked",
            json!({"type": "oauth", "provider": "anthropic", "access": "", "refresh": "", "expires": 0}),
            "missing",
            "blanked",
            (1, 1),
        ),
        state(
            "refresh token of a wrong type",
            with(login(5 * HOUR), "refresh", json!(5)),
            "expiring",
            "expires-soon",
            (2, 2),
        ),
        state("unknown provider", oauth("somebody", at(5 * HOUR)), "expiring", "expires-soon", (2, 2)),
        state("google without a client", oauth("google-gemini-cli", at(-HOUR)), "expired", "expired", (1, 1)),
        // tokens
        state("token, no expiry", token("anthropic", json!("absent")), "static", "static", (0, 0)),
        state("token, expires null", token("anthropic", json!(null)), "static", "static", (0, 0)),
        state("token, expires 0", token("anthropic", json!(0)), "static", "static", (0, 0)),
        state(
            "token, expires text",
            token("anthropic", json!("2020-01-01")),
            "static",
            "expiry-unreadable",
            (0, 0),
        ),
        state("token, 30 days", token("anthropic", at(30 * DAY)), "ok", "valid", (0, 0)),
        state("token, window + 1 ms", token("anthropic", at(DAY + 1)), "ok", "valid", (0, 0)),
        state("token, exactly the window", token("anthropic", at(DAY)), "expiring", "expires-soon", (2, 2)),
        state("token, ended", token("anthropic", at(-1)), "expired", "expired", (1, 1)),
        state(
            "token, blank",
            with(token("anthropic", at(DAY)), "token", json!("")),
            "missing",
            "no-secret",
            (1, 1),
        ),
        state(
            "token, a number",
            with(token("anthropic", at(DAY)), "token", json!(5)),
            "missing",
            "no-secret",
            (1, 1),
        ),
        state(
            "token, absent",
            json!({"type": "token", "provider": "anthropic"}),
            "missing",
            "no-secret",
            (1, 1),
        ),
        // keys
        state("key", api_key("anthropic", "sk-ant-0123456789abcdef"), "static", "static", (0, 0)),
        state(
            "key with a past expires",
            with(api_key("anthropic", "k"), "expires", json!(5)),
            "static",
            "static",
            (0, 0),
        ),
        state("key, blank", api_key("anthropic", "   "), "missing", "no-secret", (1, 1)),
        state(
            "key, absent",
            json!({"type": "api_key", "provider": "anthropic"}),
            "missing",
            "no-secret",
            (1, 1),
        ),
        state(
            "key, null",
            json!({"type": "api_key", "provider": "anthropic", "key": null}),
            "missing",
            "no-secret",
            (1, 1),
        ),
    ];
    // two clocks: the login behind a token that renews itself
    for (name, access, deadline, status, codes, refreshable) in [
        ("login ends in 20 days", 6 * HOUR, 20 * DAY, "expiring", (2, 0), true),
        ("login ends in 20 h", 6 * HOUR, 20 * HOUR, "expiring", (2, 2), true),
        ("login ends in 20 h, token ended", -HOUR, 20 * HOUR, "expired", (1, 2), true),
        ("login has ended, token lives", 6 * HOUR, -HOUR, "expiring", (2, 2), false),
        ("login and token have ended", -HOUR, -MINUTE, "expired", (1, 1), false),
        ("token outlives the login", 3 * DAY, 20 * HOUR, "ok", (0, 0), true),
    ] {
        let reason = match status {
            "ok" => "valid",
            "expiring" => "expires-soon",
            _ => "expired",
        };
        let state = state(name, login(access), status, reason, codes);
        states.push(State {
            id: "anthropic:claude-cli",
            deadline: Some(now + deadline),
            refreshable,
            ..state
        });
    }
    states
}

fn env_for(state: &State) -> TestEnv {
    let env = TestEnv::with_default_key();
    env.profiles(json!({ state.id: state.profile }));
    if let Some(deadline) = state.deadline {
        let login = json!({
            "accessToken": "at-AAAA", "refreshToken": "rt-BBBB",
            "expiresAt": state.profile["expires"], "refreshTokenExpiresAt": deadline,
        });
        env.file(crate::support::CLAUDE, json!({ "claudeAiOauth": login }).to_string());
    }
    env
}

#[test]
fn each_state_has_one_verdict_in_every_output() {
    let now = TestEnv::new().now_ms();
    let states = states(now);
    assert!(states.len() >= 40, "{} states", states.len());
    for state in &states {
        let name = state.name;
        let env = env_for(state);
        for (policy, code) in [("strict", state.strict), ("lenient", state.lenient)] {
            let json = env.status(&["--json", "--check", "--refreshable", policy]);
            assert_eq!(json.code, code, "{name}, {policy}, json: {}", json.stdout);
            let document = json.json();
            let found = profile(&document, state.id);
            assert_eq!(found["status"], state.status, "{name}");
            assert_eq!(found["reason"], state.reason, "{name}");
            assert_eq!(found["refreshable"], state.refreshable, "{name}");
            assert_eq!(document["check"]["exitCode"], code, "{name}");
            assert_eq!(document["check"]["causes"].as_array().unwrap().is_empty(), code == 0, "{name}");

            let text = env.status(&["--check", "--refreshable", policy]);
            assert_eq!(text.code, code, "{name}, {policy}, text");
            let headline = ["OK ", "FAILING ", "EXPIRING "][usize::from(code)];
            assert!(text.stdout.starts_with(headline), "{name}: {}", text.stdout);
            let row = text.stdout.lines().find(|line| line.contains(state.id)).unwrap_or_default();
            assert!(row.trim_start().starts_with(state.status), "{name}: {row}");

            let plain = env.status(&["--plain", "--check", "--refreshable", policy]);
            assert_eq!(
                (plain.code, plain.stdout.as_str()),
                (code, "openai/gpt-5.2\n"),
                "{name}, {policy}, plain"
            );
        }
        for output in [&["--json"][..], &["--plain"], &[]] {
            assert_eq!(env.status(output).code, 0, "{name}: without --check the code is 0");
        }
    }
}

#[test]
fn a_failing_or_expiring_profile_comes_with_a_remedy_in_text_and_json() {
    let now = TestEnv::new().now_ms();
    for state in states(now).iter().filter(|state| state.strict != 0) {
        let env = env_for(state);
        let document = env.status(&["--json"]).json();
        let remedies = profile(&document, state.id)["remedies"].as_array().unwrap().clone();
        assert!(!remedies.is_empty(), "{}", state.name);
        let text = env.status(&[]).stdout;
        assert!(text.contains(&format!("-> {}", remedies[0].as_str().unwrap())), "{}: {text}", state.name);
    }
}

#[test]
fn the_window_can_be_set_by_flag_and_by_ops_json() {
    let env = TestEnv::with_default_key();
    env.profiles(json!({"a:x": token("anthropic", json!(env.now_ms() + 3 * DAY))}));
    assert_eq!(env.status(&["--check"]).code, 0);
    assert_eq!(env.status(&["--check", "--warn-after", "4d"]).code, 2);
    env.file(".openclaw/ops.json", "{check: {warnAfter: '5d'}} // ours");
    assert_eq!(env.status(&["--check"]).code, 2);
    assert_eq!(env.status(&["--check", "--warn-after", "1h"]).code, 0);
    let document = env.status(&["--json"]).json();
    assert_eq!(document["auth"]["oauth"]["warnAfterMs"], 5 * DAY);
}

#[test]
fn ops_json_sets_the_policy_and_who_renews_vendor_logins() {
    let env = TestEnv::with_default_key();
    env.claude(HOUR);
    assert_eq!(env.status(&["--check"]).code, 2);
    env.file(".openclaw/ops.json", "{check: {refreshable: 'lenient'}}");
    assert_eq!(env.status(&["--check"]).code, 0);
    assert_eq!(env.status(&["--check", "--refreshable", "strict"]).code, 2);
    env.file(".openclaw/ops.json", "{check: {refreshable: 'lenient'}, refresh: {external: 'never'}}");
    assert_eq!(env.status(&["--check"]).code, 2, "nobody renews it here");
}

#[test]
fn cooldowns_are_shown_and_do_not_change_the_verdict() {
    let env = TestEnv::with_default_key();
    let now = env.now_ms();
    let store = json!({
        "version": 1,
        "profiles": {"openai:a": api_key("openai", "sk-aaaaaaaaaaaaaaaaaaaa"), "openai:b": api_key("openai", "b")},
        "usageStats": {
            "openai:a": {"disabledUntil": now + 2 * HOUR, "disabledReason": "billing", "cooldownUntil": now + 1},
            "openai:b": {"cooldownUntil": now + 5 * MINUTE, "errorCount": 2},
            "ghost:x": {"cooldownUntil": now + HOUR},
            "over:x": {"cooldownUntil": now},
        },
    });
    env.file(crate::support::STORE, store.to_string());
    let (code, document) = env.check();
    assert_eq!(code, 0);
    let resting = document["auth"]["unusableProfiles"].as_array().unwrap();
    let ids: Vec<_> = resting.iter().map(|entry| entry["profileId"].as_str().unwrap()).collect();
    assert_eq!(ids, ["openai:b", "ghost:x", "openai:a"]);
    assert_eq!(resting[2]["reason"], "billing");
    assert_eq!(resting[1].get("provider"), None);
    assert_eq!(
        document["auth"]["providers"][0]["profiles"]["labels"],
        json!(["openai:a=sk-a...aaaa [disabled:billing 2h]", "openai:b=**** [cooldown 5m]"])
    );
}

#[test]
fn a_clock_that_is_years_behind_or_ahead_never_says_ok() {
    for (now, code) in [("1969-12-31T23:59:59Z", 1), ("1970-01-01T00:00:00Z", 1), ("2150-01-01T00:00:00Z", 1)]
    {
        let env = TestEnv::at(now).var("OPENAI_API_KEY", "k");
        env.file(crate::support::CONFIG, "{agents: {defaults: {model: {primary: 'openai/x'}}}}");
        env.profiles(json!({"a:x": oauth("anthropic", json!(1_795_338_356_548_i64))}));
        assert_eq!(env.status(&["--check"]).code, code, "{now}");
    }
}

#[test]
fn a_login_whose_vendor_file_was_blanked_does_not_count_as_renewing_itself() {
    let env = TestEnv::with_default_key();
    env.profiles(json!({"anthropic:claude-cli": oauth("anthropic", json!(env.now_ms() - HOUR))}));
    assert_eq!(
        env.status(&["--check", "--refreshable", "lenient"]).code,
        0,
        "its refresh token is all there is"
    );
    env.file(
        crate::support::CLAUDE,
        r#"{"claudeAiOauth": {"accessToken": "", "refreshToken": "", "expiresAt": 0}}"#,
    );
    let outcome = env.status(&["--check", "--refreshable", "lenient"]);
    assert_eq!(outcome.code, 1);
    assert!(outcome.stdout.contains("a person must log in") && !outcome.stdout.contains("renews itself"));
}

#[test]
fn the_headline_counts_what_rests_and_a_wrong_clock() {
    let env = TestEnv::with_default_key();
    let until = json!({"disabledUntil": env.now_ms() + 2 * HOUR, "disabledReason": "billing"});
    let store = json!({"profiles": {"openai:a": api_key("openai", "k")}, "usageStats": {"openai:a": until}});
    env.file(crate::support::STORE, store.to_string());
    let text = env.status(&["--check"]);
    assert_eq!(text.code, 0);
    assert!(
        text.stdout
            .starts_with("OK        no credential has ended or is missing, but all 1 profiles are resting")
    );
    assert!(text.stdout.contains("disabled (billing) for 2h"));

    let env = TestEnv::at("1970-01-01T00:00:00Z").var("OPENAI_API_KEY", "k");
    env.file(crate::support::CONFIG, "{agents: {defaults: {model: {primary: 'openai/x'}}}}");
    assert!(env.status(&[]).stdout.starts_with("FAILING   the clock is wrong; a person is needed now"));
}

#[test]
fn commands_to_type_are_for_the_installation_and_the_agent_that_were_looked_at() {
    let env = TestEnv::new();
    let store = json!({"profiles": {"a:x": token("a", json!(5))}}).to_string();
    env.file(".openclaw-work/agents/main/agent/auth-profiles.json", &store);
    env.file(".openclaw-work/agents/home/agent/auth-profiles.json", "{\"profiles\": {}}");
    let typed = |args: &[&str]| env.run(args).stdout;
    let paste = "models auth paste-token --provider a --profile-id a:x`";
    let main = typed(&["--profile", "work", "models"]);
    assert!(main.contains(&format!("`openclaw --profile work {paste}")), "{main}");
    let home = typed(&["--profile", "work", "models", "--agent", "home"]);
    assert!(home.contains(&format!("`openclaw --profile work --agent main {paste}")), "{home}");
    env.file(".openclaw-work/agents/home/agent/auth-profiles.json", &store);
    let home = typed(&["--profile", "work", "models", "--agent", "home"]);
    assert!(home.contains(&format!("`openclaw --profile work --agent home {paste}")), "{home}");
}

#[test]
fn advice_for_a_mirrored_login_is_something_that_works() {
    let first_remedy = |env: &TestEnv| {
        let document = env.status(&["--json"]).json();
        profile(&document, "anthropic:claude-cli")["remedies"][0].as_str().unwrap().to_owned()
    };
    // An entry without expiry counts as fresh: no sync replaces it, so it has to go first.
    let env = TestEnv::with_default_key();
    env.profiles(json!({"anthropic:claude-cli": oauth("anthropic", json!(null))}));
    env.claude(3 * DAY);
    assert!(first_remedy(&env).starts_with("`openclaw models auth remove anthropic:claude-cli`"));
    assert_eq!(env.run(&["models", "auth", "remove", "anthropic:claude-cli", "--yes"]).code, 0);
    assert_eq!(env.status(&["--check"]).code, 0, "the next status has taken the login");

    // Claude Code can only renew what it has.
    let remedies = |env: &TestEnv| {
        let document = env.status(&["--json"]).json();
        profile(&document, "anthropic:claude-cli")["remedies"].clone()
    };
    let env = TestEnv::with_default_key();
    env.profiles(json!({"anthropic:claude-cli": oauth("anthropic", json!(env.now_ms() - HOUR))}));
    let refresh = "`openclaw models auth refresh anthropic:claude-cli`";
    assert_eq!(remedies(&env), json!([refresh, "`claude auth login`; the next status run takes it over"]));
    env.claude(-MINUTE);
    assert_eq!(remedies(&env), json!([refresh, "use `claude` once: it renews its own login"]));
}

#[test]
fn the_name_of_an_unset_variable_is_no_key() {
    let env = TestEnv::new();
    env.file(
        crate::support::CONFIG,
        "{models: {providers: {minimax: {baseUrl: 'x', apiKey: 'MINIMAX_API_KEY', models: []}}},
          agents: {defaults: {model: {primary: 'minimax/x'}}}}",
    );
    assert_eq!(env.status(&["--check"]).code, 1);
    assert_eq!(env.var("MINIMAX_API_KEY", "k").status(&["--check"]).code, 0);
}
