//! `models auth setup-token` and the guided `models auth add`, with a program `claude` that does what a test wants.

use serde_json::{Value, json};

use crate::support::{CLAUDE, CONFIG, DAY, HOUR, STORE, TestEnv, outcome, real_now_ms};

const SETUP: &[&str] = &["models", "auth", "setup-token"];

fn whole_token() -> String {
    format!("sk-ant-oat01-{}", "s".repeat(80))
}

/// A host whose `claude` runs this script.
fn with_claude(body: &str) -> TestEnv {
    let env = TestEnv::new();
    env.script("bin/claude", body);
    let path = format!("{}:/usr/bin:/bin", env.path("bin").display());
    env.var("PATH", path)
}

fn typed(token: &str) -> Vec<u8> {
    format!("{token}\r").into_bytes()
}

fn stored(env: &TestEnv, id: &str) -> Value {
    if env.exists(STORE) { env.read_json(STORE)["profiles"][id].clone() } else { Value::Null }
}

#[test]
fn a_token_that_the_program_stores_is_taken_from_its_file() {
    let expires = real_now_ms() + 300 * DAY;
    let login = json!({"claudeAiOauth": {"accessToken": whole_token(), "expiresAt": expires}});
    let env = with_claude(&format!(
        "[ \"$1\" = setup-token ] || exit 9\nmkdir -p ~/.claude\necho '{login}' > ~/.claude/.credentials.json"
    ));
    let (shown, code) = env.on_a_terminal(SETUP, &[("Run `claude setup-token` now? [Y/n]", b"\r")]);
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("Auth profile: anthropic:claude-cli (anthropic/token)"), "{shown}");
    assert_eq!(
        stored(&env, "anthropic:claude-cli"),
        json!({"type": "token", "provider": "anthropic", "token": whole_token(), "expires": expires})
    );
    assert_eq!(env.read_json(CONFIG)["auth"]["profiles"]["anthropic:claude-cli"]["mode"], "oauth");
}

#[test]
fn a_token_that_is_only_shown_is_asked_for_and_survives_every_later_sync() {
    let env = with_claude("echo your token: shown-on-the-screen");
    let token = whole_token();
    let (shown, code) = env.on_a_terminal(
        &["models", "auth", "setup-token", "--provider", "anthropic", "--yes"],
        &[("Paste the token that was shown", &typed(&format!("  {token} ")))],
    );
    assert_eq!(code, Some(0), "{shown}");
    assert!(!shown.contains("sk-ant"), "{shown}");
    let mine = json!({"type": "token", "provider": "anthropic", "token": token});
    assert_eq!(stored(&env, "anthropic:claude-cli"), mine);
    for login in [
        json!({"accessToken": "a", "refreshToken": "r", "expiresAt": real_now_ms() + 8 * HOUR}),
        json!({"accessToken": "a", "expiresAt": real_now_ms() + 300 * DAY}),
    ] {
        env.file(CLAUDE, json!({ "claudeAiOauth": login }).to_string());
        outcome(&mut env.command(&["models", "status"]));
        assert_eq!(stored(&env, "anthropic:claude-cli"), mine);
    }
}

#[test]
fn beside_a_login_of_claude_code_the_token_has_a_profile_of_its_own() {
    let env = with_claude("true");
    let login = json!({"accessToken": "a", "refreshToken": "r", "expiresAt": real_now_ms() + 8 * HOUR});
    env.file(CLAUDE, json!({ "claudeAiOauth": login }).to_string());
    let token = whole_token();
    let (shown, code) = env.on_a_terminal(SETUP, &[("[Y/n]", b"y\r"), ("Paste the token", &typed(&token))]);
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("the token is stored as anthropic:manual"), "{shown}");
    outcome(&mut env.command(&["models", "status"]));
    assert_eq!(stored(&env, "anthropic:manual")["token"], token);
    assert_eq!(stored(&env, "anthropic:claude-cli")["access"], "a", "the login is synced beside it");
}

#[test]
fn failures_of_the_program_and_of_the_person_store_nothing() {
    let token = whole_token();
    for (body, steps, code, words) in [
        ("exit 3", vec![("[Y/n]", b"\r".to_vec())], 1, "claude setup-token failed (exit 3)"),
        ("kill -9 $$", vec![("[Y/n]", b"\r".to_vec())], 1, "was ended by a signal"),
        ("true", vec![("[Y/n]", b"n\r".to_vec())], 1, "nothing was changed"),
        ("true", vec![("[Y/n]", b"\r".to_vec()), ("Paste", b"\x03".to_vec())], 130, "nothing was changed"),
        (
            "true",
            vec![("[Y/n]", b"\r".to_vec()), ("Paste", typed("sk-other-token"))],
            64,
            "Expected token starting with sk-ant-oat01-",
        ),
        (
            "true",
            vec![("[Y/n]", b"\r".to_vec()), ("Paste", typed(&token[..60]))],
            64,
            "Token looks too short",
        ),
    ] {
        let env = with_claude(body);
        let steps: Vec<(&str, &[u8])> =
            steps.iter().map(|(wanted, typed)| (*wanted, typed.as_slice())).collect();
        let (shown, found) = env.on_a_terminal(SETUP, &steps);
        assert_eq!(found, Some(code), "{body}: {shown}");
        assert!(shown.contains(words), "{words}: {shown}");
        assert!(!env.exists(STORE) && !env.exists(CONFIG), "{body}");
    }
}

#[test]
fn ctrl_c_while_the_program_runs_stores_nothing() {
    let env = with_claude("echo running\nexec sleep 60");
    let (shown, code) = env.on_a_terminal(SETUP, &[("[Y/n]", b"\r"), ("running", b"\x03")]);
    assert_ne!(code, Some(0), "{shown}");
    assert!(!env.exists(STORE));
}

#[test]
fn what_is_missing_is_named() {
    let env = TestEnv::new().var("PATH", "/usr/bin:/bin");
    let (shown, code) = env.on_a_terminal(SETUP, &[("[Y/n]", b"\r")]);
    assert_eq!(code, Some(1), "{shown}");
    assert!(shown.contains("the program `claude` is not on the PATH"), "{shown}");

    let no_terminal = env.run(SETUP);
    assert_eq!(no_terminal.code, 64);
    assert!(no_terminal.stderr.contains("setup-token requires an interactive TTY."));
    let other = env.run(&["models", "auth", "setup-token", "--provider", "openai"]);
    assert_eq!(other.code, 64);
    assert!(other.stderr.contains("Only --provider anthropic is supported for setup-token"));
}

#[test]
fn a_token_is_added_step_by_step() {
    let env = TestEnv::new();
    let steps: Vec<(&str, &[u8])> = vec![
        ("Token provider?", b"5\r"),
        ("Provider id?", b"Z.AI\r"),
        ("Profile id? [zai:manual]", b"\r"),
        ("Does this token expire? [y/N]", b"y\r"),
        ("Expires in? [365d]", b"2d\r"),
        ("Paste token for zai", b"tok\r"),
    ];
    let before = real_now_ms();
    let (shown, code) = env.on_a_terminal(&["models", "auth", "add"], &steps);
    assert_eq!(code, Some(0), "{shown}");
    let profile = stored(&env, "zai:manual");
    assert_eq!((&profile["type"], &profile["token"]), (&json!("token"), &json!("tok")));
    assert!((profile["expires"].as_i64().unwrap() - before - 2 * DAY).abs() < HOUR);

    let env = with_claude("true");
    let token = whole_token();
    let steps: Vec<(&str, &[u8])> = vec![("Token provider?", b"anthropic\r"), ("Token method?", b"1\r")];
    let typed = typed(&token);
    let steps = [steps, vec![("Paste the token", typed.as_slice())]].concat();
    let (shown, code) = env.on_a_terminal(&["models", "auth", "add"], &steps);
    assert_eq!(code, Some(0), "{shown}");
    assert_eq!(stored(&env, "anthropic:claude-cli")["token"], token);
}

#[test]
fn adding_step_by_step_can_be_left_at_every_step() {
    for steps in [
        vec![("Token provider?", &b"9\r"[..])],
        vec![("Token provider?", b"\x04")],
        vec![("Token provider?", b"5\r"), ("Provider id?", b"antropic\r")],
        vec![
            ("Token provider?", b"1\r"),
            ("Token method?", b"2\r"),
            ("Profile id?", b"\r"),
            ("expire?", b"y\r"),
            ("Expires in?", b"soon\r"),
        ],
        vec![
            ("Token provider?", b"1\r"),
            ("Token method?", b"2\r"),
            ("Profile id?", b"\r"),
            ("expire?", b"n\r"),
            ("Paste token", b"\x03"),
        ],
    ] {
        let env = TestEnv::new();
        let (shown, code) = env.on_a_terminal(&["models", "auth", "add"], &steps);
        assert!(matches!(code, Some(64 | 130)), "{code:?}: {shown}");
        assert!(!env.exists(STORE) && !env.exists(CONFIG), "{shown}");
    }
    let outcome = TestEnv::new().run(&["models", "auth", "add"]);
    assert_eq!(outcome.code, 64);
    assert!(outcome.stderr.contains("models auth add requires an interactive TTY."));
}
