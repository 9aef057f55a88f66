//! `models auth list`, `remove`, `unblock`, `paste-token`.

use serde_json::{Value, json};

use crate::support::{CONFIG, DAY, HOUR, Outcome, STORE, TestEnv, api_key, profile, token};

const PASTE: &[&str] = &["models", "auth", "paste-token", "--provider", "anthropic"];

fn auth(env: &TestEnv, args: &[&str]) -> Outcome {
    env.run(&[&["models", "auth"], args].concat())
}

fn paste(input: &str, args: &[&str]) -> (TestEnv, Outcome) {
    let env = TestEnv::new().stdin(input);
    let outcome = auth(&env, &[&["paste-token"], args].concat());
    (env, outcome)
}

#[test]
fn the_list_is_that_of_the_status() {
    let env = TestEnv::new();
    env.profiles(json!({"anthropic:a": token("anthropic", json!(env.now_ms() + HOUR)), "openai:b": api_key("openai", "k")}));
    let document = auth(&env, &["list", "--json"]).json();
    assert_eq!(document["profiles"], env.status(&["--json"]).json()["auth"]["oauth"]["profiles"]);
    let text = auth(&env, &["list"]).stdout;
    assert!(
        text.starts_with("Profiles\n  expiring  anthropic:a") && text.contains("static    openai:b"),
        "{text}"
    );
    assert!(
        auth(&TestEnv::new(), &["list"])
            .stdout
            .contains("no profiles in ~/.openclaw/agents/main/agent/auth-profiles.json")
    );
}

#[test]
fn removing_takes_every_trace_out_of_store_and_config() {
    let env = TestEnv::new();
    let store = json!({
        "profiles": {"openai:a": api_key("openai", "k"), "openai:b": api_key("openai", "k")},
        "order": {"openai": ["openai:a", "openai:b"], "x": ["openai:a"]},
        "lastGood": {"openai": "openai:a", "x": "y"}, "usageStats": {"openai:a": {"errorCount": 1}}, "mine": 1,
    });
    env.file(STORE, store.to_string());
    env.file(
        CONFIG,
        "{ // mine\n  auth: { profiles: { 'openai:a': { provider: 'openai', mode: 'api_key' } } },\n}\n",
    );
    let asked = auth(&env, &["remove", "openai:a"]);
    assert_eq!(asked.code, 64, "there is no terminal to ask on");
    let outcome = auth(&env, &["remove", "openai:a", "--yes"]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert!(outcome.stderr.contains("nothing was revoked"));
    assert_eq!(
        env.read_json(STORE),
        json!({"version": 1, "profiles": {"openai:b": api_key("openai", "k")}, "order": {"openai": ["openai:b"]},
               "lastGood": {"x": "y"}, "usageStats": {}, "mine": 1})
    );
    assert!(env.text(CONFIG).contains("// mine") && !env.text(CONFIG).contains("openai:a"));
    let gone = auth(&env, &["remove", "openai:a", "--yes"]);
    assert_eq!(gone.code, 1);
    assert!(gone.stderr.contains("profiles: openai:b"));
}

#[test]
fn removing_a_mirrored_login_says_that_it_comes_back() {
    let env = TestEnv::new();
    env.claude(3 * DAY);
    env.status(&[]);
    let outcome = auth(&env, &["remove", "anthropic:claude-cli", "--yes"]);
    assert!(outcome.stderr.contains("Claude Code is still logged in"), "{outcome:?}");
}

#[test]
fn a_resting_profile_is_unblocked_and_its_history_kept() {
    let env = TestEnv::new();
    let stats = json!({"lastUsed": 5, "errorCount": 3, "cooldownUntil": env.now_ms() + HOUR, "disabledUntil": env.now_ms() + DAY,
        "disabledReason": "billing", "failureCounts": {"billing": 2}, "lastFailureAt": 7, "own": 1});
    env.file(
        STORE,
        json!({"profiles": {"openai:a": api_key("openai", "k")}, "usageStats": {"openai:a": stats}})
            .to_string(),
    );
    assert_eq!(auth(&env, &["unblock", "openai:a"]).stdout, "openai:a may be used again.\n");
    assert_eq!(
        env.read_json(STORE)["usageStats"]["openai:a"],
        json!({"lastUsed": 5, "errorCount": 0, "lastFailureAt": 7, "own": 1})
    );
    let before = env.text(STORE);
    assert_eq!(auth(&env, &["unblock", "openai:a"]).stdout, "openai:a was not resting.\n");
    assert_eq!(env.text(STORE), before);
    assert_eq!(auth(&env, &["unblock", "nobody:x"]).code, 1);
}

#[test]
fn what_belongs_to_main_is_changed_through_main() {
    let env = TestEnv::new();
    env.profiles(json!({"openai:a": api_key("openai", "k")}));
    env.file(".openclaw/agents/work/agent/auth-profiles.json", "{\"profiles\": {}}");
    for command in
        [&["remove", "openai:a", "--yes", "--agent", "work"][..], &["unblock", "openai:a", "--agent", "work"]]
    {
        let outcome = auth(&env, command);
        assert_eq!(outcome.code, 1);
        assert!(
            outcome.stderr.contains("belongs to the main agent") && outcome.stderr.contains("--agent main")
        );
    }
}

#[test]
fn a_pasted_token_is_stored_and_named_in_the_config() {
    for input in ["tok\r\n", "tok\n", "tok\r", "tok", "  tok \n", "tok\nsecond line\n"] {
        let (env, outcome) =
            paste(input, &["--provider", "z.ai", "--profile-id", "zai:x", "--expires-in", "30"]);
        assert_eq!(outcome.code, 0, "{input:?}: {outcome:?}");
        assert_eq!(outcome.stdout, "Updated ~/.openclaw/openclaw.json\nAuth profile: zai:x (zai/token)\n");
        assert!(outcome.stderr.contains("nothing verifies it"));
        assert_eq!(
            env.read_json(STORE)["profiles"]["zai:x"],
            json!({"type": "token", "provider": "zai", "token": "tok", "expires": env.now_ms() + 30 * DAY})
        );
        assert_eq!(
            env.read_json(CONFIG)["auth"]["profiles"]["zai:x"],
            json!({"provider": "zai", "mode": "token"})
        );
        assert_eq!(profile(&env.status(&["--json"]).json(), "zai:x")["status"], "ok");
    }
}

#[test]
fn the_first_place_of_an_order_goes_to_the_new_profile() {
    let env = TestEnv::new().stdin("tok\n");
    env.file(CONFIG, "{\n  auth: { order: { 'anthropic': ['anthropic:a'] } }, // mine\n}\n");
    assert_eq!(auth(&env, &["paste-token", "--provider", "anthropic"]).code, 0);
    assert!(env.text(CONFIG).contains("// mine"));
    let (_, document) = env.check();
    assert_eq!(profile(&document, "anthropic:manual")["status"], "static");
    assert!(env.text(CONFIG).contains("\"anthropic:manual\""), "{}", env.text(CONFIG));
}

#[test]
fn what_cannot_be_a_token_or_an_option_stores_nothing() {
    let short = "sk-ant-oat01-tooshort\n";
    for (input, args, why) in [
        ("", &["--provider", "anthropic"][..], "no token was given"),
        ("\n", &["--provider", "anthropic"], "no token was given"),
        ("two words\n", &["--provider", "anthropic"], "white space inside"),
        (short, &["--provider", "anthropic"], "Token looks too short; paste the full setup-token"),
        ("tok\n", &["--provider", "anthropic", "--expires-in", "1y"], "invalid duration: 1y"),
        ("tok\n", &["--provider", "antropic"], "did you mean anthropic?"),
        ("tok\n", &["--provider", " "], "--provider"),
        ("tok\n", &["--provider", "anthropic", "--profile-id", "a\u{1b}b"], "control characters"),
        ("tok\n", &[], "--provider"),
    ] {
        let (env, outcome) = paste(input, args);
        assert_eq!(outcome.code, 64, "{input:?} {args:?}: {outcome:?}");
        assert!(outcome.stderr.contains(why), "{why}: {}", outcome.stderr);
        assert!(!env.exists(STORE) && !env.exists(CONFIG), "{input:?}");
    }
}

#[test]
fn nothing_is_half_stored() {
    let env = TestEnv::new().stdin("tok\n");
    env.file(STORE, "{ torn");
    let outcome = auth(&env, &["paste-token", "--provider", "anthropic"]);
    assert_eq!(outcome.code, 1);
    assert_eq!(env.text(STORE), "{ torn");
    assert!(!env.exists(CONFIG));

    // The config cannot be written: an included file holds the profile that was to be named.
    let env = TestEnv::new().stdin("tok\n");
    env.file(".openclaw/a.json5", "{auth: {order: {anthropic: ['anthropic:a']}}}");
    env.file(CONFIG, "{$include: './a.json5'}");
    env.profiles(json!({"anthropic:manual": token("anthropic", Value::Null)}));
    let before = env.read_json(STORE)["profiles"].clone();
    let outcome = auth(&env, &["paste-token", "--provider", "anthropic"]);
    assert_eq!(outcome.code, 1, "{outcome:?}");
    assert!(outcome.stderr.contains("the store was left as it was"));
    assert_eq!(
        env.read_json(STORE)["profiles"]["anthropic:manual"]["token"],
        before["anthropic:manual"]["token"]
    );
}

#[test]
fn a_setup_token_without_expiry_comes_with_a_word_about_its_year() {
    let whole = format!("sk-ant-oat01-{}\n", "x".repeat(80));
    let (_, outcome) = paste(&whole, &["--provider", "anthropic"]);
    assert_eq!(outcome.code, 0);
    assert!(outcome.stderr.contains("a setup token ends a year after it was made"));
}

#[test]
fn a_token_typed_on_a_terminal_is_not_shown() {
    let env = TestEnv::new();
    let (shown, code) = env.on_a_terminal(PASTE, &[("Paste token", b"sk-typex\x7f-secret\r")]);
    assert_eq!(code, Some(0), "{shown}");
    assert!(!shown.contains("sk-typ") && shown.contains("Auth profile: anthropic:manual"), "{shown}");
    assert_eq!(env.read_json(STORE)["profiles"]["anthropic:manual"]["token"], "sk-type-secret");
}

#[test]
fn ctrl_c_at_the_prompt_changes_nothing() {
    let env = TestEnv::new();
    for typed in [&b"sk-half\x03"[..], b"\x04"] {
        let (shown, code) = env.on_a_terminal(PASTE, &[("Paste token", typed)]);
        assert_eq!(code, Some(130), "{shown}");
        assert!(!env.exists(STORE) && !env.exists(CONFIG));
    }
}

#[test]
fn removing_asks_on_a_terminal() {
    let env = TestEnv::new();
    for (typed, code, is_there) in [(&b"n\r"[..], 130, true), (b"\r", 130, true), (b"y\r", 0, false)] {
        env.profiles(json!({"openai:a": api_key("openai", "k")}));
        let (shown, found) =
            env.on_a_terminal(&["models", "auth", "remove", "openai:a"], &[("[y/N]", typed)]);
        assert_eq!(found, Some(code), "{shown}");
        assert_eq!(env.text(STORE).contains("openai:a"), is_there, "{shown}");
    }
}
