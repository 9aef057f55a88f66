//! The JSON document and its schema.

use serde_json::{Value, json};

use crate::support::{CONFIG, DAY, HOUR, STORE, TestEnv, api_key, oauth, token};

fn schema() -> Value {
    let text = fs_err::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/models-status.schema.json"))
        .unwrap();
    serde_json::from_str(&text).unwrap()
}

/// A host with everything that can appear in the document.
fn full() -> TestEnv {
    let env = TestEnv::new().var("GROQ_API_KEY", "gsk-0123456789abcdefghij").var("GH_TOKEN", "gh");
    let now = env.now_ms();
    env.file(
        CONFIG,
        "{agents: {defaults: {model: {primary: 'gpt', fallbacks: ['missing/x']}, imageModel: {primary: 'google/x'},
          models: {'openai/gpt-5.2': {}}}}, models: {providers: {lm: {baseUrl: 'x', apiKey: 'k', models: []}}},
          auth: {profiles: {'anthropic:manual': {provider: 'anthropic', mode: 'token', email: 'me@example.com'}}, oops: 1}}",
    );
    env.claude(5 * HOUR);
    env.file(".qwen/oauth_creds.json", "{ torn");
    env.file(
        STORE,
        json!({"profiles": {
            "anthropic:manual": token("anthropic", json!(now + 30 * DAY)),
            "anthropic:null": oauth("anthropic", json!(null)),
            "openai:k": api_key("openai", "sk-0123456789abcdefgh"),
            "odd": {"type": "weird"},
        }, "usageStats": {"openai:k": {"disabledUntil": now + HOUR, "disabledReason": "billing"}}})
        .to_string(),
    );
    env
}

#[test]
fn every_document_fits_its_schema_and_the_schema_knows_every_key() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    for env in [TestEnv::new(), TestEnv::with_default_key(), full()] {
        let document = env.status(&["--json"]).json();
        let errors: Vec<_> = validator
            .iter_errors(&document)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{errors:#?}");
    }
    let mut document = full().status(&["--json"]).json();
    document["auth"]["surprise"] = json!(1);
    assert!(!validator.is_valid(&document), "the schema is closed: a new key must be documented");
}

#[test]
fn the_keys_of_the_reference_are_there_in_their_shape() {
    let document = full().status(&["--json"]).json();
    assert_eq!(document["defaultModel"], "gpt");
    assert_eq!(document["resolvedDefault"], "openai/gpt-5.2");
    assert_eq!(document["fallbacks"], json!(["missing/x"]));
    assert_eq!(document["imageModel"], "google/x");
    assert_eq!(document["imageFallbacks"], json!([]));
    assert_eq!(document["aliases"], json!({"gpt": "openai/gpt-5.2"}));
    assert_eq!(document["allowed"], json!(["openai/gpt-5.2"]));
    let auth = &document["auth"];
    assert_eq!(auth["missingProvidersInUse"], json!(["google", "missing"]));
    assert_eq!(auth["providersWithOAuth"], json!(["anthropic (3)"]));
    let providers: Vec<_> = auth["providers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["provider"].as_str().unwrap())
        .collect();
    assert_eq!(providers, ["anthropic", "github-copilot", "groq", "lm", "openai"]);
    assert_eq!(
        auth["providers"][0]["profiles"],
        json!({"count": 3, "oauth": 2, "token": 1, "apiKey": 0, "labels": [
            "anthropic:manual=token:sk-a...TTTT", "anthropic:null=OAuth", "anthropic:claude-cli=OAuth"]})
    );
    assert_eq!(auth["providers"][3]["effective"], json!({"kind": "models.json", "detail": "****"}));
    assert_eq!(auth["oauth"]["warnAfterMs"], DAY);
    let profiles = auth["oauth"]["profiles"].as_array().unwrap();
    let ids: Vec<_> = profiles.iter().map(|profile| profile["profileId"].as_str().unwrap()).collect();
    assert_eq!(ids, ["anthropic:claude-cli", "anthropic:manual", "anthropic:null", "openai:k"]);
    assert_eq!(profiles[1]["label"], "anthropic:manual (me@example.com)");
    assert_eq!(profiles[2]["expiresAt"], Value::Null);
    assert_eq!(profiles[2].get("remainingMs"), None);
    assert_eq!(profiles[3].get("expiresAt"), None);
    let health = auth["oauth"]["providers"].as_array().unwrap();
    let statuses: Vec<_> = health
        .iter()
        .map(|entry| (entry["provider"].as_str().unwrap(), entry["status"].as_str().unwrap()))
        .collect();
    assert_eq!(
        statuses,
        [
            ("anthropic", "expired"),
            ("github-copilot", "missing"),
            ("google", "missing"),
            ("groq", "missing"),
            ("lm", "missing"),
            ("missing", "missing"),
            ("openai", "static")
        ]
    );
}

#[test]
fn the_aliases_of_the_bare_command_give_the_same() {
    let env = TestEnv::with_default_key();
    env.profiles(json!({"a:x": token("a", json!(5))}));
    let json = env.status(&["--json"]).stdout;
    assert_eq!(env.run(&["models", "--status-json"]).stdout, json);
    assert_eq!(env.run(&["models", "--json"]).stdout, json);
    assert_eq!(env.run(&["models", "--status-plain"]).stdout, "openai/gpt-5.2\n");
    assert_eq!(env.run(&["models"]).stdout, env.status(&[]).stdout);
    assert_eq!(env.run(&["models", "--check"]).code, 1);
}

#[test]
fn json_is_alone_on_stdout_and_nothing_is_on_stderr() {
    let outcome = full().status(&["--json"]);
    assert!(outcome.stdout.starts_with('{') && outcome.stdout.ends_with("}\n"));
    assert_eq!(outcome.stderr, "");
}
