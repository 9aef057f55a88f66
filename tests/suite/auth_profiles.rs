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
    for input in ["tok\r\n", "tok\n", "tok\r", "tok", "  tok \n", "tok\n \n"] {
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
        ("sk-broken\nin-two\n", &["--provider", "anthropic"], "there is more than one line"),
        ("tok\n", &["--provider", "anthropic", "--expires-in", "99999999999999d"], "longer than a century"),
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

    // The config cannot take the profile: an included file decides the order that it belongs into.
    for store in [
        None,
        Some(
            r#"{ "profiles": {"chutes:manual": {"type":"oauth","provider":"chutes","access":"a","clientId":"CID"}} }"#,
        ),
    ] {
        let env = TestEnv::new().stdin("tok\n");
        env.file(".openclaw/a.json5", "{auth: {order: {chutes: ['chutes:z']}}}");
        env.file(CONFIG, "{$include: './a.json5'}");
        if let Some(store) = store {
            env.file(STORE, store);
        }
        let outcome = auth(&env, &["paste-token", "--provider", "chutes"]);
        assert_eq!(outcome.code, 1, "{outcome:?}");
        assert_eq!(env.exists(STORE).then(|| env.text(STORE)).as_deref(), store);
        assert_eq!(env.text(CONFIG), "{$include: './a.json5'}");
    }
}

#[test]
fn a_config_that_fails_after_the_store_was_written_puts_the_entry_back() {
    use openclaw::core::credential::{Credential, Material};
    use openclaw::format::auth_profiles;
    let text = r#"{"version":1,"profiles":{"chutes:manual":{"type":"oauth","provider":"chutes","access":"a","clientId":"CID"}}}"#;
    let mut store = auth_profiles::parse(text.as_bytes()).unwrap();
    let entry = store.raw_entry("chutes:manual");
    let material = Material::Token { token: None, expires: openclaw::core::credential::Expiry::Absent };
    store.upsert("chutes:manual", Credential { provider: "chutes".to_owned(), email: None, material });
    store.restore_entry("chutes:manual", entry);
    let written: Value = serde_json::from_slice(&auth_profiles::write(&store)).unwrap();
    assert_eq!(written, serde_json::from_str::<Value>(text).unwrap());
    store.restore_entry("chutes:manual", None);
    assert!(!store.has_entry("chutes:manual"));
}

#[test]
fn a_first_token_does_not_hide_the_credentials_of_an_earlier_release() {
    let env = TestEnv::new().stdin("tok\n");
    env.file(
        ".openclaw/agents/main/agent/auth.json",
        json!({"anthropic": {"type": "api_key", "key": "sk-old-0123456789"}}).to_string(),
    );
    assert_eq!(env.status(&["--check", "--no-sync"]).code, 0);
    assert_eq!(auth(&env, &["paste-token", "--provider", "groq"]).code, 0);
    assert_eq!(env.status(&["--check"]).code, 0);
    let profiles = &env.read_json(STORE)["profiles"];
    assert_eq!(
        (&profiles["anthropic:default"]["key"], &profiles["groq:manual"]["token"]),
        (&json!("sk-old-0123456789"), &json!("tok"))
    );
}

#[test]
fn a_token_is_not_put_where_the_next_sync_would_replace_it() {
    let env = TestEnv::new().stdin("tok\n");
    env.claude(3 * DAY);
    let outcome =
        auth(&env, &["paste-token", "--provider", "anthropic", "--profile-id", "anthropic:claude-cli"]);
    assert_eq!(outcome.code, 64);
    assert!(outcome.stderr.contains("anthropic:manual"), "{}", outcome.stderr);
}

#[test]
fn variables_in_an_order_stay_variables() {
    let env = TestEnv::new().stdin("tok\n").var("U", "bob");
    env.file(CONFIG, "{auth: {order: {openai: ['openai:${U}']}}}\n");
    assert_eq!(auth(&env, &["paste-token", "--provider", "openai"]).code, 0);
    assert!(env.text(CONFIG).contains("[\"openai:manual\", 'openai:${U}']"), "{}", env.text(CONFIG));
}

#[test]
fn removing_reaches_the_orders_of_the_config_and_does_nothing_by_halves() {
    let env = TestEnv::new();
    env.profiles(json!({"a:1": api_key("a", "k"), "a:2": api_key("a", "k")}));
    env.file(CONFIG, "{auth: {order: {a: ['a:1'], b: ['a:1', 'a:2']}}}\n");
    assert_eq!(auth(&env, &["remove", "a:1", "--yes"]).code, 0);
    assert_eq!(env.text(CONFIG), "{auth: {order: { b: [ 'a:2']}}}\n");

    let env = TestEnv::new();
    env.profiles(json!({"a:1": api_key("a", "k")}));
    env.file(".openclaw/a.json5", "{auth: {profiles: {'a:1': {provider: 'a', mode: 'api_key'}}}}");
    env.file(CONFIG, "{$include: './a.json5'}");
    let before = env.text(STORE);
    let outcome = auth(&env, &["remove", "a:1", "--yes"]);
    assert_eq!((outcome.code, env.text(STORE)), (1, before));

    let env = TestEnv::new();
    env.profiles(json!({"anthropic:claude-cli": token("anthropic", json!(5))}));
    env.file(
        CONFIG,
        "{auth: {profiles: {'anthropic:claude-cli': {provider: 'anthropic', mode: 'token'}}}}\n",
    );
    let outcome = auth(&env, &["remove", "anthropic:claude-cli", "--yes"]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert!(!env.text(CONFIG).contains("claude-cli") && !env.text(STORE).contains("claude-cli"));
}

#[test]
fn a_store_that_cannot_be_read_is_no_empty_store() {
    let env = TestEnv::new();
    env.file(STORE, "{ torn");
    for args in [
        &["models", "auth", "list"][..],
        &["models", "auth", "list", "--json"],
        &["models", "auth", "order", "get", "--provider", "anthropic"],
        &["models", "auth", "order", "set", "--provider", "anthropic", "anthropic:a"],
        &["models", "auth", "remove", "x", "--yes"],
        &["models", "auth", "unblock", "x"],
        &["models", "list"],
    ] {
        let outcome = env.run(args);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (1, ""), "{args:?}");
        assert!(
            outcome.stderr.contains("auth-profiles.json:1:3 is unreadable: key must be a string"),
            "{}",
            outcome.stderr
        );
    }
}

#[test]
fn vendor_logins_count_here_as_they_do_for_the_status() {
    let env = TestEnv::new();
    env.claude(3 * DAY);
    assert!(auth(&env, &["list"]).stdout.contains("anthropic:claude-cli"));
    assert!(!env.exists(".openclaw"), "a list writes nothing");
    assert_eq!(auth(&env, &["order", "set", "--provider", "anthropic", "anthropic:claude-cli"]).code, 0);
    assert_eq!(env.read_json(STORE)["order"], json!({"anthropic": ["anthropic:claude-cli"]}));
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
    for (typed, code, is_there) in [(&b"n\r"[..], 1, true), (b"\r", 1, true), (b"y\r", 0, false)] {
        env.profiles(json!({"openai:a": api_key("openai", "k")}));
        let (shown, found) =
            env.on_a_terminal(&["models", "auth", "remove", "openai:a"], &[("[y/N]", typed)]);
        assert_eq!(found, Some(code), "{shown}");
        assert_eq!(env.text(STORE).contains("openai:a"), is_there, "{shown}");
    }
}

#[test]
fn a_credential_of_another_provider_is_not_replaced() {
    let env = TestEnv::new().stdin("tok\n");
    env.profiles(json!({"openai:x": api_key("openai", "sk-precious-0123456789")}));
    env.file(CONFIG, "{auth: {profiles: {'groq:only-named': {provider: 'groq', mode: 'api_key'}}}}");
    let before = (env.text(STORE), env.text(CONFIG));
    let setup = format!("sk-ant-oat01-{}", "x".repeat(80));
    env.file("token", &setup);
    let token = format!("@{}", env.path("token").display());
    let onboard = [
        "onboard",
        "--non-interactive",
        "--accept-risk",
        "--token",
        &token,
        "--token-profile-id",
        "openai:x",
    ];
    for args in [
        &["models", "auth", "paste-token", "--provider", "anthropic", "--profile-id", "openai:x"][..],
        &["models", "auth", "paste-token", "--provider", "anthropic", "--profile-id", "groq:only-named"],
        &onboard,
    ] {
        let ran = env.run(args);
        assert_eq!(ran.code, 64, "{ran:?}");
        assert!(
            ran.stderr.contains("not of anthropic") && ran.stderr.contains("anthropic:manual"),
            "{ran:?}"
        );
        assert_eq!((env.text(STORE), env.text(CONFIG)), before);
    }
}

#[test]
fn a_hint_is_for_the_installation_that_was_meant() {
    let env = TestEnv::new();
    let args = ["models", "auth", "paste-token", "--provider", "anthropic"];
    let plain = env.run(&args);
    assert!(plain.stderr.contains("hint: `openclaw models auth paste-token"), "{plain:?}");
    let work = env.run(&[&["--profile", "work"], &args[..]].concat());
    assert!(work.stderr.contains("hint: `openclaw --profile work models auth paste-token"), "{work:?}");
}
