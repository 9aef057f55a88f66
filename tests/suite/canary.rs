//! Twenty secrets are planted; not one of them, nor any eight characters of one, may come out anywhere.

use serde_json::json;

use crate::support::{CLAUDE, CONFIG, HOUR, Outcome, STORE, TestEnv};

/// A secret that looks like nothing else and has no eight characters in common with another one.
fn canary(number: u32) -> String {
    let mut state = u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut secret = String::from("Q");
    while secret.len() < 40 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let digit = u32::try_from((state >> 33) % 36).unwrap();
        secret.push(char::from_digit(digit, 36).unwrap());
    }
    secret
}

fn assert_silent(outcome: &Outcome, secrets: &[String], what: &str) {
    let output = format!("{}{}", outcome.stdout, outcome.stderr);
    for secret in secrets {
        for piece in secret.as_bytes().windows(8) {
            let piece = std::str::from_utf8(piece).unwrap();
            assert!(!output.contains(piece), "{what}: {piece} in {output}");
        }
    }
}

fn planted() -> (TestEnv, Vec<String>) {
    let secrets: Vec<String> = (0..20).map(canary).collect();
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
            "{{env: {{CEREBRAS_API_KEY: '{}'}}, models: {{providers: {{a: {{baseUrl: 'x', apiKey: '{}', models: []}}, \
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
    env.script("security", "exit 44");
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
    for file in [STORE, CLAUDE, ".codex/auth.json", CONFIG, ".openclaw/.env", ".env"] {
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
            for args in [&[][..], &["--json"], &["--check"]] {
                assert_silent(&env.status(args), &secrets, &format!("{file}, damage {damage}"));
            }
        }
    }
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
