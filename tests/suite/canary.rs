//! Secrets are planted in every supported file and variable; not one of them, nor any eight characters of one, may come out anywhere.

use std::collections::HashSet;

use serde_json::json;

use crate::support::{CLAUDE, CONFIG, HOUR, Outcome, STORE, TestEnv};

const MODELS: &str = ".openclaw/agents/main/agent/models.json";
const AUTH_JSON: &str = ".openclaw/agents/old/agent/auth.json";
const OAUTH_JSON: &str = ".openclaw/credentials/oauth.json";

/// How many secrets are planted, one in every place that can hold one.
const PLANTED: u32 = 30;

/// A secret that looks like nothing else and has no eight characters in common with another one.
pub(crate) fn canary(number: u32) -> String {
    let mut state = u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut secret = String::from("Q");
    while secret.len() < 40 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let digit = u32::try_from((state >> 33) % 36).unwrap();
        secret.push(char::from_digit(digit, 36).unwrap());
    }
    secret
}

pub(crate) fn assert_silent(outcome: &Outcome, secrets: &[String], what: &str) {
    let output = format!("{}{}", outcome.stdout, outcome.stderr);
    let pieces: HashSet<&[u8]> = output.as_bytes().windows(8).collect();
    for piece in secrets.iter().flat_map(|secret| secret.as_bytes().windows(8)) {
        assert!(!pieces.contains(piece), "{what}: {} in {output}", String::from_utf8_lossy(piece));
    }
}

fn planted() -> (TestEnv, Vec<String>) {
    let secrets: Vec<String> = (0..PLANTED).map(canary).collect();
    let s = |at: usize| secrets[at].clone();
    let mut env = TestEnv::new()
        .var("ANTHROPIC_OAUTH_TOKEN", s(0))
        .var("OPENAI_API_KEY", s(1))
        .var("AWS_SECRET_ACCESS_KEY", s(2))
        .var("OPENCLAW_GATEWAY_TOKEN", s(3))
        .keychain("security");
    let now = env.now_ms();
    env.file(".env", format!("GROQ_API_KEY={}\n", s(4)));
    env.file(".openclaw/.env", format!("XAI_API_KEY=\"{}\"\nMY_KEY={}\n", s(5), s(6)));
    env.file("creds/MISTRAL_API_KEY", s(7));
    env.file(
        CONFIG,
        format!(
            "{{$include: './more.json5', env: {{CEREBRAS_API_KEY: '{}'}}, models: {{providers: {{a: {{baseUrl: 'x', apiKey: '{}', models: []}}, \
             b: {{baseUrl: 'x', apiKey: '${{MY_KEY}}', models: []}}}}}}, gateway: {{auth: {{token: '{}'}}}}}}",
            s(8),
            s(9),
            s(10)
        ),
    );
    env.file(
        STORE,
        json!({"profiles": {
            "anthropic:o": {"type": "oauth", "provider": "anthropic", "access": s(11), "refresh": s(12), "expires": now + HOUR},
            "anthropic:t": {"type": "token", "provider": "anthropic", "token": s(13)},
            "openai:k": {"type": "api_key", "provider": "openai", "key": s(14)},
            "odd": {"type": "weird", "key": s(15)},
        }})
        .to_string(),
    );
    env.file(
        CLAUDE,
        json!({"claudeAiOauth": {"accessToken": s(16), "refreshToken": s(17), "expiresAt": now + HOUR}})
            .to_string(),
    );
    env.file(
        ".codex/auth.json",
        json!({"tokens": {"access_token": s(18), "refresh_token": s(19)}}).to_string(),
    );
    env.file(
        ".qwen/oauth_creds.json",
        json!({"access_token": s(20), "refresh_token": s(21), "expiry_date": now + HOUR}).to_string(),
    );
    env.file(MODELS, json!({"providers": {"gen": {"apiKey": s(22)}}}).to_string());
    env.file(
        ".openclaw/more.json5",
        format!("{{models: {{providers: {{c: {{baseUrl: 'x', apiKey: '{}', models: []}}}}}}}}", s(23)),
    );
    // An agent without a store: files of earlier releases count for it.
    env.file(AUTH_JSON, json!({"anthropic": {"type": "api_key", "key": s(24)}}).to_string());
    env.file(OAUTH_JSON, json!({"chutes": {"access": s(25), "refresh": s(26), "expires": now}}).to_string());
    env.script(
        "security",
        &format!(
            "[ \"$3\" = 'Codex Auth' ] || exit 44\necho '{}'",
            json!({"tokens": {"access_token": s(27), "refresh_token": s(28)}})
        ),
    );
    env.script("shell", &format!("printf 'GEMINI_API_KEY={}\\0'", s(29)));
    let shell = env.path("shell");
    env = env.var("SHELL", shell).var("OPENCLAW_LOAD_SHELL_ENV", "1");
    let folder = env.path("creds");
    env = env.var("CREDENTIALS_DIRECTORY", folder);
    (env, secrets)
}

#[test]
fn no_mode_of_status_lets_a_secret_out() {
    let (env, secrets) = planted();
    for args in [
        &["models", "status"][..],
        &["models", "status", "--check"],
        &["models", "status", "--json"],
        &["models", "status", "--json", "--no-sync"],
        &["models", "status", "--plain"],
        &["models", "status", "--json", "--refreshable", "lenient", "--warn-after", "2d"],
        &["models", "--status-json"],
        &["models", "status", "--nope"],
        &["models", "status", "--agent", "ghost"],
        &["--profile", "other", "models"],
        &["models", "status", "--agent", "old", "--json"],
        &["where"],
        &["where", "anthropic", "--json"],
        &["doctor"],
        &["doctor", "--json", "--yes", "--force"],
        &["doctor", "--undo"],
        &["models", "auth", "list"],
        &["models", "auth", "list", "--json"],
        &["models", "auth", "order", "get", "--provider", "anthropic", "--json"],
        &["models", "auth", "order", "set", "--provider", "anthropic", "anthropic:o"],
        &["models", "auth", "unblock", "openai:k"],
        &["models", "auth", "remove", "openai:k", "--yes"],
        &["models", "auth", "remove", "nobody", "--yes"],
        &["models", "list", "--json"],
        &["onboard", "--non-interactive", "--accept-risk", "--auth-choice", "apiKey"],
        &["onboard", "--non-interactive", "--accept-risk", "--auth-choice", "openai-api-key", "--json"],
        &["models", "set", "openai/gpt-5.2"],
        &["models", "fallbacks", "add", "a/b"],
        &["models", "aliases", "add", "x", "a/b"],
    ] {
        assert_silent(&env.run(args), &secrets, &args.join(" "));
    }
    let seen = env.status(&["--json"]).json();
    assert!(
        seen["auth"]["providers"].as_array().unwrap().len() >= 9,
        "the planted secrets were really read: {seen:#}"
    );
}

#[test]
fn no_damage_to_a_file_lets_a_secret_out() {
    let (_, secrets) = planted();
    let files = [
        STORE,
        CLAUDE,
        ".codex/auth.json",
        ".qwen/oauth_creds.json",
        CONFIG,
        ".openclaw/more.json5",
        ".openclaw/.env",
        ".env",
        MODELS,
        AUTH_JSON,
        OAUTH_JSON,
    ];
    for file in files {
        for damage in 0..6 {
            let (env, _) = planted();
            let text = env.text(file);
            let torn = match damage {
                0 => text[..text.len() / 2].to_owned(),
                1 => format!("{text}{text}"),
                2 => text.replacen(['{', '='], "", 1),
                3 => format!("\"{text}"),
                4 => text.replace(['"', '\''], ""),
                _ => format!("[{text}]"),
            };
            env.file(file, torn);
            for args in [&[][..], &["--json"], &["--check"], &["--agent", "old", "--json"]] {
                assert_silent(&env.status(args), &secrets, &format!("{file}, damage {damage}"));
            }
        }
    }
}

#[test]
fn a_secret_that_is_pasted_comes_out_of_no_error() {
    let secret = canary(79);
    let whole = format!("sk-ant-oat01-{}", canary(80).repeat(3));
    for input in [
        format!("{secret} x\n"),
        format!("{secret}\n{secret}\n"),
        format!("sk-ant-oat01-{secret}\n"),
        format!("{whole}\n"),
        secret.clone(),
    ] {
        let env = TestEnv::new().stdin(&input);
        let outcome = env.run(&["models", "auth", "paste-token", "--provider", "anthropic"]);
        assert_silent(&outcome, &[secret.clone(), canary(80)], &input);
        assert_silent(&env.status(&["--json"]), &[secret.clone(), canary(80)], "the status behind it");
    }
    let env = TestEnv::new();
    env.file(".openclaw/ops.json", format!("{{check: {{warnAfter: '{secret}', refreshable: '{secret}'}}}}"));
    assert_silent(&env.status(&[]), &[secret], "ops.json");
}

#[test]
fn secrets_in_the_wrong_place_stay_inside_too() {
    let secret = canary(77);
    for config in [
        format!("{{auth: {{profiles: {{'a:b': {{provider: 'a', mode: '{secret}'}}}}}}}}"),
        format!("{{gateway: {{auth: {{mode: '{secret}'}}}}}}"),
        format!("{{models: {{mode: '{secret}'}}}}"),
        format!("{{env: {{shellEnv: '{secret}'}}}}"),
        format!("{{a: '{secret}' b: 1}}"),
        format!("{{a: {secret}}}"),
        format!("'{secret}"),
    ] {
        let env = TestEnv::new();
        env.file(CONFIG, &config);
        let outcome = env.status(&[]);
        assert_eq!(outcome.code, 78, "{config}");
        assert_silent(&outcome, std::slice::from_ref(&secret), &config);
    }
}

#[test]
fn debug_of_every_value_that_holds_a_secret_is_silent() {
    use openclaw::core::credential::{Credential, Expiry, Material};
    use openclaw::core::secret::Secret;
    let secret = canary(78);
    let hidden = || Some(Secret::new(secret.clone()));
    let material =
        Material::OAuth { access: hidden(), refresh: hidden(), expires: Expiry::Absent, account_id: None };
    let credential = Credential { provider: "p".to_owned(), email: None, material };
    let shown = format!("{credential:?} {:?}", Secret::new(secret.clone()));
    assert!(!shown.contains(&secret[..8]), "{shown}");
}
