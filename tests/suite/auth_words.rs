//! `models auth claude-status`, `models auth reauth` and `models status --line`.

use serde_json::{Value, json};

use crate::support::{
    CLAUDE, CONFIG, DAY, HOUR, MINUTE, OPS, Outcome, STORE, TestEnv, api_key, oauth, outcome, real_now_ms,
    token,
};

const WORDS: &[&str] = &["models", "auth", "claude-status"];

fn words(env: &TestEnv, more: &[&str]) -> Outcome {
    env.run(&[WORDS, more].concat())
}

/// A host on which nothing but Claude Code is logged in, for so long.
fn logged_in(left: i64) -> TestEnv {
    let env = TestEnv::new();
    env.claude(left);
    env
}

/// The word and its exit code, both states, whether somebody is needed, and how the host comes to that.
type Case = (&'static str, u8, &'static str, &'static str, bool, Box<dyn Fn(&TestEnv)>);

#[test]
fn every_word_comes_with_its_exit_code_and_its_document() {
    let claude = |env: &TestEnv, left: i64| {
        env.claude(left);
    };
    let ours = |env: &TestEnv, profiles: Value| {
        env.profiles(profiles);
    };
    // What waits for a torn file moves the clock of a test.
    let fine = 7 * HOUR + 12 * MINUTE + 30_000;
    let cases: Vec<Case> = vec![
        ("OK", 0, "OK:7h12m", "OK:7h12m", false, Box::new(move |env| claude(env, fine))),
        ("OK", 0, "OK:1h0m", "OK:1h0m", false, Box::new(move |env| claude(env, HOUR))),
        (
            "CLAUDE_EXPIRING",
            2,
            "EXPIRING:59m",
            "EXPIRING:59m",
            true,
            Box::new(move |env| claude(env, HOUR - 1)),
        ),
        ("CLAUDE_EXPIRED", 1, "EXPIRED", "EXPIRED", true, Box::new(move |env| claude(env, 0))),
        ("CLAUDE_EXPIRED", 1, "MISSING", "MISSING", true, Box::new(|_| {})),
        // A key of the store alone.
        (
            "CLAUDE_EXPIRED",
            1,
            "MISSING",
            "OK:static",
            true,
            Box::new(move |env| ours(env, json!({"anthropic:k": api_key("anthropic", "sk-ant-0123456789")}))),
        ),
        // The best profile counts, and a hollow one is none.
        (
            "CLAUDE_EXPIRED",
            1,
            "MISSING",
            "OK:5h0m",
            true,
            Box::new(move |env| {
                let now = env.now_ms();
                ours(
                    env,
                    json!({
                        "anthropic:a": token("anthropic", json!(now + 5 * HOUR)),
                        "anthropic:b": oauth("anthropic", json!(now + 2 * HOUR)),
                        "anthropic:hollow": {"type": "oauth", "provider": "anthropic", "access": "", "refresh": "",
                            "expires": now + 9 * DAY},
                        "openai:x": oauth("openai-codex", json!(now + 90 * DAY)),
                    }),
                );
            }),
        ),
        // Claude Code is fine, and the store cannot be read: nothing is concluded from the one about the other.
        (
            "OPENCLAW_EXPIRED",
            1,
            "OK:7h12m",
            "MISSING",
            true,
            Box::new(move |env| {
                claude(env, fine);
                env.file(STORE, "{ torn");
            }),
        ),
        (
            "CLAUDE_EXPIRED",
            1,
            "MISSING",
            "OK:9h0m",
            true,
            Box::new(move |env| {
                env.file(CLAUDE, "{ torn");
                ours(
                    env,
                    json!({"anthropic:a": token("anthropic", json!(env.now_ms() + 9 * HOUR + 30_000))}),
                );
            }),
        ),
    ];
    for (number, (word, code, claude, openclaw, needs, prepare)) in cases.into_iter().enumerate() {
        let env = TestEnv::new();
        prepare(&env);
        let simple = words(&env, &["simple"]);
        assert_eq!(
            (simple.code, simple.stdout.as_str()),
            (code, format!("{word}\n").as_str()),
            "case {number}"
        );
        let document = words(&env, &["json"]);
        assert_eq!(document.code, 0, "case {number}: {document:?}");
        let document = document.json();
        assert_eq!(document["claude_code"]["status"], claude, "case {number}: {document}");
        assert_eq!(document["openclaw"]["status"], openclaw, "case {number}: {document}");
        assert_eq!(document["needs_reauth"], needs, "case {number}: {document}");
        let members: Vec<_> = document.as_object().unwrap().keys().collect();
        assert_eq!(members, ["claude_code", "openclaw", "needs_reauth"]);
        assert_eq!(words(&env, &[]).code, 0);
    }
}

#[test]
fn instants_are_numbers_and_nothing_is_told_of_what_cannot_be_read() {
    let env = logged_in(HOUR * 8);
    let document = words(&env, &["json"]).json();
    assert_eq!(document["claude_code"]["expires_at_ms"], env.now_ms() + 8 * HOUR);
    assert_eq!(document["openclaw"]["expires_at_ms"], env.now_ms() + 8 * HOUR);
    env.file(STORE, "{ torn sk-ant-secret");
    let torn = words(&env, &["json"]);
    assert_eq!(torn.json()["openclaw"]["expires_at_ms"], 0);
    assert!(
        torn.stderr.contains("note: cannot be read: ~/.openclaw/agents/main/agent/auth-profiles.json"),
        "{torn:?}"
    );
    assert!(!format!("{torn:?}").contains("sk-ant-secret"));
}

#[test]
fn a_login_that_renews_itself_is_fine_for_those_who_ask_when_a_person_is_needed() {
    let env = logged_in(-HOUR);
    assert_eq!(words(&env, &["simple"]).stdout, "CLAUDE_EXPIRED\n");
    let lenient = words(&env, &["simple", "--refreshable", "lenient"]);
    assert_eq!((lenient.code, lenient.stdout.as_str()), (0, "OK\n"));
    assert_eq!(
        words(&env, &["json", "--refreshable", "lenient"]).json()["claude_code"]["status"],
        "OK:renewed"
    );
    env.file(OPS, "{check: {refreshable: 'lenient'}}");
    assert_eq!(words(&env, &["simple"]).code, 0, "as ops.json says");
    let full = words(&env, &[]);
    assert!(full.stdout.contains("  It renews itself when it is used\n"), "{full:?}");
}

#[test]
fn the_blocks_are_for_people() {
    let env = TestEnv::new();
    let login = json!({"accessToken": "a", "refreshToken": "r", "expiresAt": env.now_ms() + 30 * MINUTE,
        "subscriptionType": "max", "rateLimitTier": "default_claude_max_20x"});
    env.file(CLAUDE, json!({"claudeAiOauth": login}).to_string());
    insta::assert_snapshot!(words(&env, &["full"]).shown(), @r"
    exit 0
    --- stdout
    === Claude Code Auth Status ===

    Claude Code (~/.claude/.credentials.json):
      Subscription: max
      Rate tier: default_claude_max_20x
      Status: EXPIRING SOON (30m remaining)
      Expires: in 30m (2026-11-22 09:30 UTC)
      It renews itself when it is used

    OpenClaw Auth (~/.openclaw/agents/main/agent/auth-profiles.json):
      Profile: anthropic:claude-cli
      Status: EXPIRING SOON (30m remaining)
      Expires: in 30m (2026-11-22 09:30 UTC)
      It renews itself when it is used

    === Service Status ===
    OpenClaw service: NOT installed
    --- stderr
    ");
}

#[test]
fn one_line_says_the_worst_or_what_ends_next() {
    let line = |env: &TestEnv, more: &[&str]| {
        let outcome = env.status(&[&["--line", "--check"], more].concat());
        assert_eq!(outcome.stderr, "");
        (outcome.code, outcome.stdout)
    };
    let said = |code: u8, text: &str| (code, format!("{text}\n"));
    let env = TestEnv::with_default_key();
    assert_eq!(line(&env, &[]), said(0, "OK: no credential has ended or is missing"));
    env.claude(7 * HOUR + 12 * MINUTE);
    assert_eq!(
        line(&env, &["--refreshable", "lenient"]),
        said(0, "OK: 1 profile; anthropic:claude-cli renews itself in 7h 12m")
    );
    assert_eq!(line(&env, &[]), said(2, "EXPIRING: anthropic:claude-cli ends in 7h 12m"));
    let env = TestEnv::with_default_key();
    env.claude(-HOUR);
    assert_eq!(line(&env, &[]), said(1, "FAILING: anthropic:claude-cli ended 1h ago"));
    assert_eq!(
        line(&env, &["--refreshable", "lenient"]),
        said(0, "OK: 1 profile; anthropic:claude-cli renews itself when it is used")
    );
    let env = TestEnv::with_default_key();
    env.profiles(json!({
        "anthropic:manual": token("anthropic", json!(env.now_ms() - HOUR)),
        "zai:manual": token("zai", json!(env.now_ms() + 5 * HOUR)),
    }));
    assert_eq!(line(&env, &[]), said(1, "FAILING: anthropic:manual ended 1h ago; 1 more"));
    env.profiles(json!({"zai:manual": token("zai", json!(env.now_ms() + 50 * DAY))}));
    assert_eq!(line(&env, &[]), said(0, "OK: 1 profile; zai:manual needs a person in 50d"));
    env.file(STORE, "{ torn");
    let torn = line(&env, &[]);
    assert_eq!(torn, said(1, "FAILING: ~/.openclaw/agents/main/agent/auth-profiles.json cannot be read"));
    let nothing = line(&TestEnv::new(), &[]);
    assert_eq!(nothing, said(1, "FAILING: anthropic has no credential"));
    let env = TestEnv::with_default_key();
    env.profiles(
        json!({"anthropic:o": {"type": "oauth", "provider": "anthropic", "access": "", "refresh": ""}}),
    );
    assert_eq!(line(&env, &[]), said(1, "FAILING: anthropic:o holds nothing usable"));
}

#[test]
fn a_login_whose_deadline_has_passed_wants_a_new_one() {
    let env = TestEnv::with_default_key();
    let login = json!({"accessToken": "a", "refreshToken": "r", "expiresAt": env.now_ms() + 3 * HOUR,
        "refreshTokenExpiresAt": env.now_ms() + 10 * HOUR});
    env.file(CLAUDE, json!({"claudeAiOauth": login}).to_string());
    let soon = env.status(&["--line", "--check", "--refreshable", "lenient"]);
    assert_eq!(
        (soon.code, soon.stdout.as_str()),
        (2, "EXPIRING: anthropic:claude-cli needs a new login in 10h\n")
    );
}

/// A host whose `claude` does this, and whose `systemctl` is silent.
fn with_claude(body: &str) -> TestEnv {
    let env = TestEnv::real_time();
    env.script("bin/claude", body);
    env.script("bin/systemctl", "exit 1");
    env.file(CONFIG, "{agents: {defaults: {model: {primary: 'anthropic/claude-opus-4-5'}}}}");
    let path = format!("{}:/usr/bin:/bin", env.path("bin").display());
    env.var("PATH", path).var("NO_COLOR", "1")
}

const REAUTH: &[&str] = &["models", "auth", "reauth"];

#[test]
fn nobody_is_led_anywhere_when_nobody_is_needed() {
    let env = with_claude("exit 9");
    env.profiles(json!({"anthropic:x": token("anthropic", json!(real_now_ms() + 90 * DAY))}));
    let fine = outcome(&mut env.command(REAUTH));
    assert_eq!(fine.code, 0, "{fine:?}");
    assert!(fine.stdout.ends_with("\nNobody is needed.\n"), "{fine:?}");
    // An access token that renews itself is no reason.
    let env = with_claude("exit 9");
    let login = json!({"accessToken": "a", "refreshToken": "r", "expiresAt": real_now_ms() - HOUR});
    env.file(CLAUDE, json!({"claudeAiOauth": login}).to_string());
    assert_eq!(outcome(&mut env.command(REAUTH)).code, 0);
    let forced = outcome(&mut env.command(&[REAUTH, &["--force"]].concat()));
    assert_eq!(forced.code, 64, "it goes on to the login, which wants a terminal: {forced:?}");
    let url = outcome(&mut env.command(&[REAUTH, &["--url"]].concat()));
    assert_eq!((url.code, url.stdout.as_str()), (0, "https://claude.ai/login\n"));
}

#[test]
fn a_new_login_is_made_step_by_step() {
    let whole = format!("sk-ant-oat01-{}", "s".repeat(80));
    let expires = real_now_ms() + 300 * DAY;
    let login = json!({"claudeAiOauth": {"accessToken": whole, "expiresAt": expires}});
    let env = with_claude(&format!("mkdir -p ~/.claude\necho '{login}' > ~/.claude/.credentials.json"));
    env.profiles(json!({"anthropic:claude-cli": token("anthropic", json!(real_now_ms() - HOUR))}));
    // A user service that runs is restarted.
    env.file(".config/systemd/user/openclaw-gateway.service", "[Service]\nExecStart=/bin/true\n");
    env.script(
        "bin/systemctl",
        "echo \"$@\" >> ~/systemctl.log\ncase $2 in show) echo LoadState=loaded; echo ActiveState=active;; esac",
    );
    let (shown, code) = env.on_a_terminal(REAUTH, &[("Run `claude setup-token` now? [Y/n]", b"\r")]);
    assert_eq!(code, Some(0), "{shown}");
    for part in
        ["Status: EXPIRED", "https://claude.ai/login", "restarted openclaw-gateway.service", "Status: OK"]
    {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(!shown.contains("sk-ant"), "{shown}");
    assert!(env.text("systemctl.log").contains("--user restart openclaw-gateway.service"));
    assert_eq!(env.read_json(STORE)["profiles"]["anthropic:claude-cli"]["token"], whole);
}

#[test]
fn a_login_that_fails_is_no_success_and_neither_is_one_of_somebody_else() {
    let env = with_claude("exit 3");
    let (shown, code) = env.on_a_terminal(REAUTH, &[("Run `claude setup-token` now? [Y/n]", b"\r")]);
    assert_eq!(code, Some(1), "{shown}");
    let (shown, code) = env.on_a_terminal(REAUTH, &[("Run `claude setup-token` now? [Y/n]", b"n\r")]);
    assert_eq!(code, Some(1), "{shown}");
    let blind = outcome(&mut env.command(REAUTH));
    assert_eq!(blind.code, 64);
    assert!(blind.stderr.contains("ssh -t HOST openclaw models auth reauth"), "{blind:?}");
    env.profiles(json!({
        "anthropic:x": token("anthropic", json!(real_now_ms() + 90 * DAY)),
        "zai:manual": token("zai", json!(real_now_ms() - HOUR)),
    }));
    let other = outcome(&mut env.command(REAUTH));
    assert_eq!(other.code, 1, "{other:?}");
    assert!(other.stderr.contains("note: zai:manual needs a person too"), "{other:?}");
    assert!(
        other.stderr.contains("models auth paste-token --provider zai --profile-id zai:manual"),
        "{other:?}"
    );
}
