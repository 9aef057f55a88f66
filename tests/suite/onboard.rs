//! `openclaw onboard`.

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::support::provider::{Provider, Reply};
use crate::support::{CONFIG, DAY, OPS, Outcome, STORE, TestEnv, api_key};

const DOTENV: &str = ".openclaw/.env";

fn onboard(env: &TestEnv, args: &[&str]) -> Outcome {
    env.run(&[&["onboard", "--non-interactive", "--accept-risk"], args].concat())
}

fn mode(env: &TestEnv, file: &str) -> u32 {
    fs_err::metadata(env.path(file)).unwrap().permissions().mode() & 0o777
}

fn setup_token() -> String {
    format!("sk-ant-oat01-{}", "a".repeat(67))
}

#[test]
fn each_key_goes_where_it_belongs_with_its_model() {
    for (choice, provider, model) in [
        ("apiKey", "anthropic", None),
        ("openrouter-api-key", "openrouter", Some("openrouter/auto")),
        ("gemini-api-key", "google", Some("google/gemini-3-pro-preview")),
        ("zai-api-key", "zai", Some("zai/glm-4.7")),
        ("moonshot-api-key", "moonshot", Some("moonshot/kimi-k2-0905-preview")),
        ("kimi-code-api-key", "kimi-code", Some("kimi-code/kimi-for-coding")),
        ("synthetic-api-key", "synthetic", Some("synthetic/hf:MiniMaxAI/MiniMax-M2.1")),
        ("ai-gateway-api-key", "vercel-ai-gateway", Some("vercel-ai-gateway/anthropic/claude-opus-4.5")),
        ("opencode-zen", "opencode", Some("opencode/claude-opus-4-5")),
        ("minimax-api", "minimax", Some("minimax/MiniMax-M2.1")),
        ("minimax", "minimax", Some("minimax/MiniMax-M2.1")),
        ("minimax-api-lightning", "minimax", Some("minimax/MiniMax-M2.1-lightning")),
        ("venice-api-key", "venice", None),
    ] {
        let env = TestEnv::new();
        let flag = match choice {
            "apiKey" => "--anthropic-api-key".to_owned(),
            "opencode-zen" => "--opencode-zen-api-key".to_owned(),
            minimax if minimax.starts_with("minimax") => "--minimax-api-key".to_owned(),
            other => format!("--{other}"),
        };
        let outcome = onboard(&env, &["--auth-choice", choice, &flag, "the-key"]);
        assert_eq!(outcome.code, 0, "{choice}: {outcome:?}");
        let id = format!("{provider}:default");
        assert_eq!(
            env.read_json(STORE)["profiles"],
            json!({ &id: api_key(provider, "the-key") }),
            "{choice}"
        );
        let config = env.read_json(CONFIG);
        assert_eq!(config["auth"]["profiles"], json!({ &id: {"provider": provider, "mode": "api_key"} }));
        assert_eq!(config["agents"]["defaults"]["model"]["primary"].as_str(), model, "{choice}");
        assert_eq!((mode(&env, STORE), mode(&env, CONFIG)), (0o600, 0o600));
        if model.is_some() {
            assert_eq!(env.status(&["--check"]).code, 0, "{choice}: the set-up works");
        }
    }
}

#[test]
fn the_gateway_gets_its_basics_once_and_keeps_what_it_has() {
    let env = TestEnv::new();
    assert_eq!(onboard(&env, &["--auth-choice", "skip"]).code, 0);
    let gateway = env.read_json(CONFIG)["gateway"].clone();
    let token = gateway["auth"]["token"].as_str().unwrap().to_owned();
    assert!(token.len() == 48 && token.bytes().all(|b| b.is_ascii_hexdigit()), "{token}");
    assert_eq!(
        gateway,
        json!({"mode": "local", "port": 18789, "bind": "loopback", "auth": {"mode": "token", "token": token}})
    );
    onboard(&env, &["--auth-choice", "skip"]);
    assert_eq!(env.read_json(CONFIG)["gateway"], gateway, "the second time changes nothing");

    let env = TestEnv::new();
    env.file(
        CONFIG,
        "{ // mine\n  gateway: { mode: 'remote', port: 5, bind: 'lan', auth: { password: '${PW}' } },\n}\n",
    );
    let env = env.var("PW", "x");
    let before = env.text(CONFIG);
    onboard(&env, &["--auth-choice", "skip"]);
    assert_eq!(env.text(CONFIG), before);
    onboard(&env, &["--auth-choice", "skip", "--gateway-port", "7", "--gateway-bind", "auto"]);
    assert_eq!(env.text(CONFIG), before.replace("port: 5", "port: 7").replace("'lan'", "'auto'"));
}

#[test]
fn a_key_comes_from_the_flag_then_the_environment_then_what_is_stored() {
    let env = TestEnv::new().var("ANTHROPIC_API_KEY", "sk-ant-env");
    onboard(&env, &["--auth-choice", "apiKey"]);
    assert_eq!(env.read_json(STORE)["profiles"]["anthropic:default"]["key"], "sk-ant-env");
    let env = env.without_var("ANTHROPIC_API_KEY");
    let before = env.text(STORE);
    assert_eq!(onboard(&env, &["--auth-choice", "apiKey"]).code, 0, "a stored key is enough");
    assert_eq!(env.text(STORE), before);

    let env = TestEnv::new();
    let missing = onboard(&env, &["--auth-choice", "apiKey"]);
    assert_eq!(missing.code, 64);
    let words =
        "Missing --anthropic-api-key (or ANTHROPIC_API_KEY in env, or existing anthropic API-key profile).";
    assert!(missing.stderr.contains(words), "{}", missing.stderr);
    assert!(!env.exists(CONFIG));
}

#[test]
fn secrets_need_not_stand_on_the_command_line() {
    let env = TestEnv::new().stdin("sk-from-stdin\n");
    let outcome = onboard(&env, &["--auth-choice", "apiKey", "--anthropic-api-key", "-"]);
    assert!(!outcome.stderr.contains("process list"), "{}", outcome.stderr);
    assert_eq!(env.read_json(STORE)["profiles"]["anthropic:default"]["key"], "sk-from-stdin");

    let env = TestEnv::new();
    env.file("key", "export ANTHROPIC_API_KEY=\"sk-from-file\";\n");
    let file = format!("@{}", env.path("key").display());
    assert_eq!(onboard(&env, &["--anthropic-api-key", &file]).code, 0, "one key implies its choice");
    assert_eq!(env.read_json(STORE)["profiles"]["anthropic:default"]["key"], "sk-from-file");

    let env = TestEnv::new();
    let outcome = onboard(&env, &["--anthropic-api-key", "sk-on-the-line"]);
    assert!(outcome.stderr.contains("warning: --anthropic-api-key with the secret itself is visible"));
    for wrong in ["@/nonexistent", "-", "two words"] {
        let env = TestEnv::new();
        assert_eq!(onboard(&env, &["--anthropic-api-key", wrong]).code, 64, "{wrong}");
        assert!(!env.exists(STORE) && !env.exists(CONFIG));
    }
}

#[test]
fn the_openai_key_goes_into_the_dotenv_of_the_state_folder() {
    let env = TestEnv::new();
    env.file(DOTENV, "# c\nexport OPENAI_API_KEY=old\nX=1\n").mode(DOTENV, 0o644);
    let outcome = onboard(&env, &["--auth-choice", "openai-api-key", "--openai-api-key", "sk-openai"]);
    assert!(outcome.stdout.contains("Saved OPENAI_API_KEY to ~/.openclaw/.env\n"), "{outcome:?}");
    assert_eq!(
        (env.text(DOTENV).as_str(), mode(&env, DOTENV)),
        ("# c\nexport OPENAI_API_KEY=sk-openai\nX=1\n", 0o600)
    );
    assert!(!env.exists(STORE));
}

#[test]
fn a_setup_token_is_checked_and_stored_under_its_profile() {
    let env = TestEnv::new();
    let token = setup_token();
    let args = [
        "--auth-choice",
        "token",
        "--token-provider",
        "anthropic",
        "--token-expires-in",
        "365d",
        "--token",
        &token,
    ];
    assert_eq!(onboard(&env, &args).code, 0);
    assert_eq!(
        env.read_json(STORE)["profiles"]["anthropic:default"],
        json!({"type": "token", "provider": "anthropic", "token": token, "expires": env.now_ms() + 365 * DAY})
    );
    for (token, why) in [
        ("sk-ant-api03-xx", "Expected token starting with sk-ant-oat01-"),
        ("sk-ant-oat01-short", "Token looks too short; paste the full setup-token"),
    ] {
        let env = TestEnv::new();
        let outcome = onboard(&env, &["--auth-choice", "setup-token", "--token", token]);
        assert_eq!(outcome.code, 64);
        assert!(outcome.stderr.lines().any(|line| line == why), "{}", outcome.stderr);
        assert!(!env.exists(STORE) && !env.exists(CONFIG));
    }
}

#[test]
fn logins_of_vendor_programs_are_taken_or_asked_for() {
    let env = TestEnv::new();
    env.claude(3 * DAY);
    assert_eq!(onboard(&env, &["--auth-choice", "claude-cli"]).code, 0);
    assert_eq!(env.read_json(STORE)["profiles"]["anthropic:claude-cli"]["access"], "cli-at");
    assert_eq!(
        env.read_json(CONFIG)["auth"]["profiles"]["anthropic:claude-cli"],
        json!({"provider": "anthropic", "mode": "oauth"})
    );

    let env = TestEnv::new();
    env.file(".codex/auth.json", json!({"tokens": {"access_token": "a", "refresh_token": "r"}}).to_string());
    onboard(&env, &["--auth-choice", "codex-cli"]);
    assert_eq!(env.read_json(CONFIG)["agents"]["defaults"]["model"]["primary"], "openai-codex/gpt-5.2");
    env.file(CONFIG, "{agents: {defaults: {model: {primary: 'anthropic/x'}}}}\n");
    onboard(&env, &["--auth-choice", "codex-cli"]);
    assert!(env.text(CONFIG).contains("'anthropic/x'"), "a model of another provider stays");

    for (choice, words) in [
        ("claude-cli", "No Claude Code CLI credentials found at ~/.claude/.credentials.json"),
        ("codex-cli", "No Codex CLI credentials found at ~/.codex/auth.json"),
    ] {
        let env = TestEnv::new();
        let outcome = onboard(&env, &["--auth-choice", choice]);
        assert_eq!(outcome.code, 1);
        assert!(outcome.stderr.contains(words), "{}", outcome.stderr);
        assert!(!env.exists(CONFIG));
    }
}

#[test]
fn wrong_answers_are_told_and_change_nothing() {
    for (args, words) in [
        (
            &["onboard", "--non-interactive"][..],
            "Non-interactive onboarding requires explicit risk acknowledgement.",
        ),
        (&["onboard"], "there is no terminal to ask on"),
        (
            &["onboard", "--non-interactive", "--accept-risk", "--auth-choice", "bogus"],
            "choices: token, claude-cli",
        ),
        (
            &["onboard", "--non-interactive", "--accept-risk", "--auth-choice", "openai-codex"],
            "OAuth requires interactive mode.",
        ),
        (
            &["onboard", "--non-interactive", "--accept-risk", "--gateway-auth", "password"],
            "Missing --gateway-password for password auth.",
        ),
        (&["onboard", "--non-interactive", "--accept-risk", "--gateway-port", "0"], "--gateway-port"),
        (
            &["onboard", "--non-interactive", "--accept-risk", "--zai-api-key", "a", "--gemini-api-key", "b"],
            "several credentials",
        ),
    ] {
        let env = TestEnv::new();
        let outcome = env.run(args);
        assert_eq!(outcome.code, 64, "{args:?}");
        assert!(outcome.stderr.contains(words), "{words}: {}", outcome.stderr);
        assert!(!env.exists(CONFIG) && !env.exists(STORE), "{args:?}");
    }
    let env = TestEnv::new();
    env.file(".openclaw/a.json5", "{auth: {profiles: {'anthropic:default': {provider: 'x', mode: 'token', email: 'e'}}}, gateway: {bind: 5}}");
    env.file(CONFIG, "{$include: './a.json5'}");
    assert_eq!(onboard(&env, &["--anthropic-api-key", "k"]).code, 78);
    assert!(!env.exists(STORE), "an invalid config keeps the key out of the store too");
}

#[test]
fn it_ends_with_the_status_as_text_or_json() {
    let env = TestEnv::new();
    let outcome = onboard(&env, &["--anthropic-api-key", "k", "--workspace", "/ws", "--skip-ui"]);
    assert!(
        outcome.stdout.contains("Updated ~/.openclaw/openclaw.json\n\nOK        no credential has ended"),
        "{outcome:?}"
    );
    assert!(outcome.stderr.contains("ignored: --workspace, --skip-ui"));
    let outcome = onboard(&env, &["--auth-choice", "skip", "--json"]);
    assert_eq!(outcome.json()["check"]["verdict"], "ok");
}

#[test]
fn a_person_is_asked_on_a_terminal() {
    let env = TestEnv::new();
    let (shown, code) = env.on_a_terminal(
        &["onboard"],
        &[
            ("Which credential?", b"apiKey\r"),
            ("nothing is shown", b"sk-typed\r"),
            ("Try it at anthropic now?", b"\r"),
        ],
    );
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("Anthropic API key") && !shown.contains("sk-typed"), "{shown}");
    assert_eq!(env.read_json(STORE)["profiles"]["anthropic:default"]["key"], "sk-typed");

    for (steps, code) in [
        (vec![("Which credential?", &b"99\r"[..])], 64),
        (vec![("Which credential?", &b"7\r"[..]), ("nothing is shown", &b"\x03"[..])], 130),
    ] {
        let env = TestEnv::new();
        let (shown, found) = env.on_a_terminal(&["onboard"], &steps);
        assert_eq!(found, Some(code), "{shown}");
        assert!(!env.exists(STORE) && !env.exists(CONFIG));
    }
    let typed: Value = env.read_json(CONFIG)["gateway"]["auth"]["mode"].clone();
    assert_eq!(typed, "token");
}

#[test]
fn a_credential_is_tried_on_request_and_a_clear_no_is_exit_code_1() {
    for (key, status, wanted, code) in [
        ("sk-good", 200, "probe: anthropic ok", 0),
        ("sk-bad", 401, "probe: anthropic auth", 1),
        ("sk-busy", 429, "probe: anthropic rate_limit", 0),
    ] {
        let provider = Provider::knowing(&[]).scripted(move |seen| {
            assert_eq!((seen.path.as_str(), seen.headers["x-api-key"].as_str()), ("/models", key));
            Some(Reply::json(status, json!({"data": []})))
        });
        let env = TestEnv::new();
        env.file(OPS, provider.ops(&["anthropic"])).file("key", key);
        let keyfile = format!("@{}", env.path("key").display());
        let ran = env.run(&[
            "onboard",
            "--non-interactive",
            "--accept-risk",
            "--anthropic-api-key",
            &keyfile,
            "--probe",
            "--json",
        ]);
        assert_eq!(ran.code, code, "{ran:?}");
        assert!(ran.stderr.contains(wanted), "{ran:?}");
        assert!(ran.json()["auth"]["storePath"].is_string());
        assert_eq!(provider.seen().len(), 1);
        assert!(!ran.stderr.contains(key) && !ran.stdout.contains(key));
        // Nothing is sent unless it is asked for.
        let ran =
            env.run(&["onboard", "--non-interactive", "--accept-risk", "--anthropic-api-key", &keyfile]);
        assert_eq!((ran.code, provider.seen().len()), (0, 1), "{ran:?}");
    }
    let env = TestEnv::new();
    let ran = env.run(&["onboard", "--non-interactive", "--accept-risk", "--auth-choice", "skip", "--probe"]);
    assert!(ran.code == 0 && ran.stderr.contains("nothing to try"), "{ran:?}");
    env.file("key", "mm-key");
    let keyfile = format!("@{}", env.path("key").display());
    let ran = env.run(&[
        "onboard",
        "--non-interactive",
        "--accept-risk",
        "--minimax-api-key",
        &keyfile,
        "--auth-choice",
        "minimax-api",
        "--probe",
    ]);
    assert!(ran.code == 0 && ran.stderr.contains("minimax offers no request without an effect"), "{ran:?}");
}

#[test]
fn a_login_can_be_made_on_the_way() {
    let tokens = json!({"access_token": "at-qwen", "refresh_token": "rt-qwen", "expires_in": 21600});
    let provider = Provider::knowing(&[]).scripted(move |seen| {
        Some(if seen.path == "/device" {
            Reply::json(
                200,
                json!({"device_code": "d", "user_code": "AB-12", "interval": 0.02,
                "verification_uri": "https://chat.qwen.ai/authorize"}),
            )
        } else {
            Reply::json(200, tokens.clone())
        })
    });
    let env = TestEnv::real_time();
    env.file(OPS, provider.ops(&["qwen-portal"]));
    let (shown, code) = env.on_a_terminal(&["onboard"], &[("Which credential?", b"qwen-portal\r")]);
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("AB-12") && shown.contains("Auth profile: qwen-portal:default"), "{shown}");
    let config = env.read_json(CONFIG);
    assert_eq!(config["agents"]["defaults"]["model"]["primary"], "qwen-portal/coder-model");
    assert_eq!(
        (config["gateway"]["mode"].as_str(), config["gateway"]["port"].as_u64()),
        (Some("local"), Some(18789))
    );
}

#[test]
fn the_secret_of_the_gateway_is_one_that_a_client_can_send() {
    let env = TestEnv::new();
    env.file("token", "gw-token\n").file("blank", "\n").file("broken", "a\u{7}b");
    let at = |file: &str| format!("@{}", env.path(file).display());
    let (token, blank, broken) = (at("token"), at("blank"), at("broken"));
    for (args, wanted) in [
        (&["--gateway-token", blank.as_str()][..], "--gateway-token is blank"),
        (&["--gateway-token", ""], "--gateway-token is blank"),
        (&["--gateway-token", &broken], "--gateway-token has control characters"),
        (&["--gateway-auth", "password", "--gateway-password", ""], "--gateway-password is blank"),
        (&["--gateway-password", &token, "--gateway-token", &token], "cannot be used together"),
        (&["--gateway-auth", "token", "--gateway-password", &token], "not of the kind"),
        (&["--gateway-auth", "password", "--gateway-token", &token], "Missing --gateway-password"),
        (&["--auth-choice", "skip", "--anthropic-api-key", &token], "--anthropic-api-key does not go with"),
        (
            &["--auth-choice", "apiKey", "--anthropic-api-key", &token, "--zai-api-key", &token],
            "--zai-api-key does not",
        ),
    ] {
        let ran = onboard(&env, args);
        assert_eq!(ran.code, 64, "{ran:?}");
        assert!(ran.stderr.contains(wanted), "{wanted}: {ran:?}");
        assert!(!env.exists(CONFIG) && !env.exists(STORE), "{wanted}");
    }
    let auth = |args: &[&str]| {
        assert_eq!(onboard(&env, args).code, 0);
        env.read_json(CONFIG)["gateway"]["auth"].clone()
    };
    assert_eq!(auth(&["--gateway-token", &token]), json!({"mode": "token", "token": "gw-token"}));
    assert_eq!(auth(&["--gateway-auth", "token"])["token"], "gw-token", "one that is there stays");
    assert_eq!(auth(&["--gateway-password", &token])["mode"], "password");
    let fresh = auth(&["--gateway-auth", "token"]);
    assert_eq!((fresh["mode"].as_str(), fresh["token"].as_str().map(str::len)), (Some("token"), Some(48)));
}
