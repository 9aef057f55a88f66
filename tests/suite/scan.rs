//! `openclaw models scan`.

use serde_json::{Value, json};

use crate::support::provider::{Provider, Reply};
use crate::support::{CONFIG, TestEnv};

/// A list of models with a free one for each suffix, a paid one and one that calls no tools.
fn listed(suffixes: &[&str]) -> Value {
    let free = json!({"prompt": "0", "completion": "0"});
    let mut models: Vec<_> = suffixes
        .iter()
        .enumerate()
        .map(|(place, suffix)| {
            json!({"id": format!("maker/model-{suffix}"), "name": "M", "context_length": 1_000_000 - place * 1000, "created": 1_795_000_000,
                "pricing": free, "supported_parameters": ["tools"],
                "architecture": {"input_modalities": if *suffix == "70b" { json!(["text", "image"]) } else { json!(["text"]) }}})
        })
        .collect();
    models.push(json!({"id": "maker/paid", "pricing": {"prompt": "1", "completion": "1"}, "supported_parameters": ["tools"]}));
    models.push(json!({"id": "maker/mute", "pricing": free}));
    json!({ "data": models })
}

fn scanning(suffixes: &'static [&'static str]) -> (Provider, TestEnv) {
    let provider = Provider::knowing(&[]).scripted(|seen| {
        assert_eq!(seen.headers["authorization"], "Bearer sk-or-secret-0123456789");
        let model = seen.members.get("model").map(String::as_str);
        Some(match (seen.path.as_str(), model) {
            ("/models", _) => Reply::json(200, listed(suffixes)),
            ("/chat/completions", Some("maker/model-8b")) => {
                Reply::json(429, json!({"error": {"message": "busy"}}))
            }
            ("/chat/completions", _) => {
                Reply::json(200, json!({"choices": [{"message": {"content": "OK"}}]}))
            }
            _ => Reply::text(404, ""),
        })
    });
    let env = TestEnv::new().var("OPENROUTER_API_KEY", "sk-or-secret-0123456789");
    let config = format!(
        "{{\n  // mine\n  models: {{ providers: {{ openrouter: {{ baseUrl: '{}', models: [] }} }} }},\n}}\n",
        provider.url("")
    );
    env.file(CONFIG, config);
    (provider, env)
}

#[test]
fn a_scan_fails_over_to_free_models_that_answer() {
    let (provider, env) = scanning(&["8b", "70b", "32b"]);
    let ran = env.run(&["models", "scan", "--yes", "--set-image"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stdout.contains("- openrouter/maker/model-8b, 976k: does not: answered 429"), "{ran:?}");
    assert!(ran.stdout.ends_with("Image fallbacks: openrouter/maker/model-70b\n"), "{ran:?}");
    let config = env.text(CONFIG);
    assert!(config.contains("// mine"));
    let models = env.run(&["models", "list", "--json"]).json();
    let tags: Vec<_> =
        models["models"].as_array().unwrap().iter().map(|model| model["tags"].to_string()).collect();
    assert!(
        tags.iter().any(|tags| tags.contains("fallback#1")) && tags.iter().any(|tags| tags.contains("image")),
        "{tags:?}"
    );
    assert_eq!(provider.seen().len(), 4);
    let again = env.run(&["models", "fallbacks", "add", "openai/mine"]);
    assert_eq!(again.code, 0);
    let ran = env.run(&["models", "scan", "--yes"]);
    assert!(
        ran.stderr.contains("note: replaced openai/mine; ~/.openclaw/openclaw.json.bak has them"),
        "{ran:?}"
    );

    let before = env.text(CONFIG);
    let ran =
        env.run(&["models", "scan", "--no-probe", "--json", "--min-params", "40", "--max-candidates", "2"]);
    let results = ran.json();
    assert_eq!(results["results"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&results["results"][0]["key"], &results["results"][0]["ok"]),
        (&json!("openrouter/maker/model-70b"), &Value::Null)
    );
    let ran = env.run(&["models", "scan", "--no-probe", "--provider", "other"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "5 models are listed, 0 of them free and wanted:\n"));
    assert_eq!(env.text(CONFIG), before, "a list changes nothing");
    assert_eq!(provider.seen().len(), 10);
}

#[test]
fn a_scan_that_cannot_be_done_changes_nothing() {
    let (provider, env) = scanning(&["8b"]);
    let before = env.text(CONFIG);
    for (args, code, wanted) in [
        (&["--yes"][..], 1, "no free model answers"),
        (&[], 64, "add --yes, --no-input or --json"),
        (&["--yes", "--min-params", "x"], 64, "--min-params"),
        (&["--yes", "--concurrency", "0"], 64, "--concurrency"),
        (&["--yes", "--timeout", "0"], 64, "--timeout"),
    ] {
        let ran = env.run(&[&["models", "scan"], args].concat());
        assert_eq!(ran.code, code, "{ran:?}");
        assert!(ran.stderr.contains(wanted), "{ran:?}");
        assert!(!ran.stderr.contains("secret"), "{ran:?}");
    }
    assert_eq!(provider.seen().len(), 2);
    let refusing = Provider::knowing(&[]).scripted(|_| Some(Reply::text(401, "")));
    env.file(CONFIG, env.text(CONFIG).replace(&provider.url(""), &refusing.url("")));
    let ran = env.run(&["models", "scan", "--yes"]);
    assert!(ran.code == 1 && ran.stderr.contains("refuses the key (401)"), "{ran:?}");
    env.file(CONFIG, before.replace(&provider.url(""), "http://openrouter.example/api/v1"));
    let ran = env.run(&["models", "scan", "--yes"]);
    assert!(ran.code == 1 && ran.stderr.contains("plain http is for loopback"), "{ran:?}");
    env.file(CONFIG, &before);
    let ran = env.run(&["models", "scan", "--json", "--provider", "nobody"]);
    assert_eq!((ran.code, &ran.json()["results"]), (1, &json!([])));
    assert!(ran.stderr.contains("no free model fits") && ran.stderr.contains("--min-params"), "{ran:?}");
    // The list is public: a bad key shows only when a model is asked.
    let public = Provider::knowing(&[]).scripted(|seen| {
        Some(if seen.path == "/models" { Reply::json(200, listed(&["8b"])) } else { Reply::text(401, "") })
    });
    env.file(CONFIG, before.replace(&provider.url(""), &public.url("")));
    let ran = env.run(&["models", "scan", "--yes"]);
    assert!(ran.code == 1 && ran.stderr.contains("openrouter refuses the key"), "{ran:?}");
    let ran = TestEnv::new().run(&["models", "scan", "--yes"]);
    assert!(
        ran.code == 1 && ran.stderr.contains("Missing OpenRouter API key. Set OPENROUTER_API_KEY"),
        "{ran:?}"
    );
}
