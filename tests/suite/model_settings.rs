//! Changing the models of a config.

use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use crate::support::{CONFIG, TestEnv, api_key};

const LISTED: &str = "// mine\n{\n  agents: { defaults: {\n    model: { primary: 'anthropic/claude-opus-4-5', fallbacks: ['openai/gpt-5.2'] },\n    \
                      models: { 'anthropic/claude-opus-4-5': { alias: 'Op' }, 'openai/gpt-5.2': {} },\n  } },\n}\n";

fn listed() -> TestEnv {
    let env = TestEnv::new();
    env.file(CONFIG, LISTED);
    env
}

fn status_of(env: &TestEnv) -> serde_json::Value {
    env.status(&["--json"]).json()
}

#[test]
fn a_model_is_set_in_a_new_file_and_nothing_else_is_written() {
    let env = TestEnv::new();
    let outcome = env.run(&["models", "set", "openai/gpt-5.2"]);
    assert_eq!(
        (outcome.code, outcome.stdout.as_str()),
        (0, "Updated ~/.openclaw/openclaw.json\nDefault model: openai/gpt-5.2\n")
    );
    assert_eq!(
        env.read_json(CONFIG),
        json!({"agents": {"defaults": {"model": {"primary": "openai/gpt-5.2"}}}})
    );
    assert_eq!(fs_err::metadata(env.path(CONFIG)).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!env.exists(".openclaw/openclaw.json.bak"));
}

#[test]
fn comments_quotes_and_the_rest_of_the_file_stay() {
    let env = listed();
    env.run(&["models", "set", "google/gemini-3-pro"]);
    let text = env.text(CONFIG);
    for kept in [
        "// mine\n{\n  agents: { defaults: {\n",
        "model: { primary: 'google/gemini-3-pro-preview', fallbacks: ['openai/gpt-5.2'] },\n",
        "'anthropic/claude-opus-4-5': { alias: 'Op' },",
        "'openai/gpt-5.2': {},",
        "\"google/gemini-3-pro-preview\": {}",
        "\n  } },\n}\n",
    ] {
        assert!(text.contains(kept), "{kept}: {text}");
    }
    assert_eq!(env.text(".openclaw/openclaw.json.bak"), LISTED);
    assert_eq!(status_of(&env)["fallbacks"], json!(["openai/gpt-5.2"]));
}

#[test]
fn backups_rotate_and_are_private() {
    let env = listed();
    env.mode(CONFIG, 0o644);
    for at in 0..7 {
        let model = ["openai/gpt-5.2", "anthropic/claude-opus-4-5"][at % 2];
        assert_eq!(env.run(&["models", "set", model]).code, 0);
    }
    for name in [".bak", ".bak.1", ".bak.2", ".bak.3", ".bak.4"] {
        let path = env.path(&format!("{CONFIG}{name}"));
        assert_eq!(fs_err::metadata(path).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
    }
    assert!(!env.exists(&format!("{CONFIG}.bak.5")));
}

#[test]
fn variables_escapes_and_includes_are_written_as_they_were() {
    let env = TestEnv::new().var("MY_KEY", "SECRET-abcdefgh12345678");
    env.file(".openclaw/a.json5", "{gateway: {mode: 'local'}}");
    env.file(
        CONFIG,
        "{$include: './a.json5', models: {providers: {p: {baseUrl: 'x', apiKey: '${MY_KEY}', models: []}, \
                      q: {baseUrl: 'x', apiKey: '$${MY_KEY}', models: []}}}}",
    );
    assert_eq!(env.run(&["models", "set", "p/x"]).code, 0);
    let text = env.text(CONFIG);
    for kept in ["$include: './a.json5'", "'${MY_KEY}'", "'$${MY_KEY}'"] {
        assert!(text.contains(kept), "{text}");
    }
    assert!(!text.contains("SECRET"));
    assert_eq!(env.status(&["--check"]).code, 0);
}

#[test]
fn what_an_included_file_decides_is_refused_and_named() {
    let env = TestEnv::new();
    env.file(".openclaw/a.json5", "{agents: {defaults: {model: {primary: 'x/y', fallbacks: ['a/b']}}}}");
    env.file(CONFIG, "{ $include: './a.json5' }\n");
    assert_eq!(env.run(&["models", "set", "openai/gpt-5.2"]).code, 0, "a scalar beside an include wins");
    let before = env.text(CONFIG);
    for args in [&["models", "fallbacks", "clear"][..], &["models", "fallbacks", "remove", "a/b"]] {
        let outcome = env.run(args);
        assert_eq!(outcome.code, 1, "{args:?}");
        assert!(
            outcome.stderr.contains("agents.defaults.model.fallbacks is also set in a file"),
            "{}",
            outcome.stderr
        );
        assert_eq!(env.text(CONFIG), before);
    }
    let added = env.run(&["models", "fallbacks", "add", "c/d"]).stdout;
    assert!(added.ends_with("Fallbacks: a/b, c/d\n"), "lists are joined: {added}");
}

#[test]
fn an_invalid_or_unwritable_config_is_left_alone() {
    for config in [
        "{ torn",
        "{agents: {defaults: {model: 'text'}}}",
        "{models: {providers: {p: {apiKey: '${NOPE}', baseUrl: 'x', models: []}}}}",
    ] {
        let env = TestEnv::new();
        env.file(CONFIG, config);
        let outcome = env.run(&["models", "set", "openai/gpt-5.2"]);
        assert_eq!((outcome.code, env.text(CONFIG).as_str()), (78, config));
    }
    let env = TestEnv::new();
    fs_err::create_dir_all(env.path(CONFIG)).unwrap();
    assert_eq!(env.run(&["models", "set", "openai/gpt-5.2"]).code, 74);
}

#[test]
fn a_reference_that_is_no_model_is_a_usage_error() {
    for reference in ["", "  ", "/x", "x/", "a/b\u{1b}[31mx"] {
        let outcome = TestEnv::new().run(&["models", "set", reference]);
        assert_eq!(outcome.code, 64, "{reference:?}");
        assert!(outcome.stderr.contains("is no model"));
    }
}

#[test]
fn the_migrated_mode_is_written_with_the_next_change() {
    let env = TestEnv::new();
    env.file(
        CONFIG,
        "{auth: {profiles: {'anthropic:claude-cli': {provider: 'anthropic', mode: 'token'}}}}\n",
    );
    env.run(&["models", "set", "openai/gpt-5.2"]);
    assert!(env.text(CONFIG).contains("mode: 'oauth'"), "{}", env.text(CONFIG));
}

#[test]
fn aliases_are_added_listed_and_removed() {
    let env = listed();
    let run = |args: &[&str]| env.run(&[&["models", "aliases"], args].concat());
    assert_eq!(
        run(&["list"]).stdout,
        "Aliases (2):\n- Op -> anthropic/claude-opus-4-5\n- gpt -> openai/gpt-5.2\n"
    );
    assert_eq!(run(&["list", "--plain"]).stdout, "Op anthropic/claude-opus-4-5\ngpt openai/gpt-5.2\n");
    assert_eq!(run(&["list", "--json"]).json()["aliases"]["Op"], "anthropic/claude-opus-4-5");
    let taken = run(&["add", "op", "openai/gpt-5.2"]);
    assert_eq!(taken.code, 1);
    assert!(taken.stderr.contains("Alias Op already points to anthropic/claude-opus-4-5."));
    assert_eq!(run(&["add", "no spaces", "openai/gpt-5.2"]).code, 64);
    assert_eq!(run(&["add", "five", "openai/gpt-5.2"]).code, 0);
    assert_eq!(
        status_of(&env)["aliases"],
        json!({"Op": "anthropic/claude-opus-4-5", "five": "openai/gpt-5.2"})
    );
    let again = run(&["add", "five", "openai/gpt-5.2"]);
    assert_eq!(again.stdout, "Alias five -> openai/gpt-5.2\n", "nothing to update");
    assert_eq!(run(&["remove", "FIVE"]).code, 0);
    assert_eq!(
        status_of(&env)["aliases"],
        json!({"Op": "anthropic/claude-opus-4-5"}),
        "the built-in name stays off"
    );
    let gone = run(&["remove", "five"]);
    assert_eq!(gone.code, 1);
    assert!(gone.stderr.contains("Alias not found: five") && gone.stderr.contains("aliases: Op"));
}

#[test]
fn fallbacks_are_added_once_removed_and_cleared() {
    for (word, title) in [("fallbacks", "Fallbacks"), ("image-fallbacks", "Image fallbacks")] {
        let env = TestEnv::new();
        let run = |args: &[&str]| env.run(&[&["models", word], args].concat());
        assert_eq!(run(&["list"]).stdout, format!("{title} (0):\n- none\n"));
        let added = run(&["add", "google/gemini-3-flash"]).stdout;
        assert!(added.ends_with(&format!("{title}: google/gemini-3-flash-preview\n")), "{added}");
        assert_eq!(
            run(&["add", "google/gemini-3-flash"]).stdout,
            format!("{title}: google/gemini-3-flash-preview\n")
        );
        run(&["add", "openai/gpt-5.2"]);
        assert_eq!(
            run(&["list", "--json"]).json()["fallbacks"],
            json!(["google/gemini-3-flash-preview", "openai/gpt-5.2"])
        );
        assert_eq!(run(&["list", "--plain"]).stdout, "google/gemini-3-flash-preview\nopenai/gpt-5.2\n");
        let unknown = run(&["remove", "a/b"]);
        assert_eq!(unknown.code, 1);
        assert!(unknown.stderr.to_lowercase().contains("fallback not found: a/b"));
        assert!(
            run(&["remove", "google/gemini-3-flash"]).stdout.ends_with(&format!("{title}: openai/gpt-5.2\n"))
        );
        assert_eq!(run(&["clear"]).code, 0);
        assert_eq!(run(&["list"]).stdout, format!("{title} (0):\n- none\n"));
        assert!(status_of(&env)["allowed"].as_array().unwrap().is_empty(), "no allow list is created");
    }
}

#[test]
fn the_list_tells_what_each_model_is_for_and_whether_it_has_a_credential() {
    let env = listed();
    env.profiles(json!({"openai:a": api_key("openai", "k")}));
    env.run(&["models", "set-image", "google/gemini-3-pro"]);
    env.run(&["models", "image-fallbacks", "add", "zz/none"]);
    let document = env.run(&["models", "list", "--json"]).json();
    let rows: Vec<_> = document["models"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["key"].as_str().unwrap(), row["available"].clone(), row["tags"].to_string()))
        .collect();
    assert_eq!(
        rows,
        [
            ("anthropic/claude-opus-4-5", json!(false), r#"["default","configured","alias:Op"]"#.to_owned()),
            ("openai/gpt-5.2", json!(true), r#"["fallback#1","configured","alias:gpt"]"#.to_owned()),
            (
                "google/gemini-3-pro-preview",
                json!(false),
                r#"["image","configured","alias:gemini"]"#.to_owned()
            ),
            ("zz/none", json!(null), r#"["img-fallback#1","configured","missing"]"#.to_owned()),
        ]
    );
    assert_eq!(document["count"], 4);
    assert_eq!(env.run(&["models", "list", "--plain", "--provider", "openai"]).stdout, "openai/gpt-5.2\n");
    assert_eq!(env.run(&["models", "list", "--local"]).stdout, "No models found.\n");
    assert!(env.run(&["models", "list"]).stdout.lines().count() == 5);
    assert!(env.run(&["models", "list", "--all", "--plain"]).stdout.contains("zai/glm-4.7\n"));
    assert_eq!(env.run(&["models", "list", "--json", "--plain"]).code, 64);
    assert_eq!(env.run(&["models", "--json", "list"]).code, 64, "options of the status belong to the status");
}

#[test]
fn a_list_keeps_the_variables_and_escapes_of_its_items() {
    let env = TestEnv::new().var("MOD", "a/b");
    env.file(CONFIG, "{agents: {defaults: {model: {fallbacks: ['${MOD}', 'c/d', 'x/$${MOD}']}}}}\n");
    assert!(
        env.run(&["models", "fallbacks", "add", "e/f"])
            .stdout
            .ends_with("Fallbacks: a/b, c/d, x/${MOD}, e/f\n")
    );
    env.run(&["models", "fallbacks", "remove", "c/d"]);
    assert!(env.text(CONFIG).contains("['${MOD}', 'x/$${MOD}', \"e/f\"]"), "{}", env.text(CONFIG));
}

#[test]
fn an_agent_is_refused_where_all_agents_share_the_setting() {
    let env = listed();
    for args in
        [&["models", "set", "x/y"][..], &["models", "fallbacks", "list"], &["models", "aliases", "list"]]
    {
        let outcome = env.run(&[&["--agent", "main"], args].concat());
        assert_eq!(outcome.code, 64, "{args:?}");
    }
    assert_eq!(env.text(CONFIG), LISTED);
}

#[test]
fn declared_models_and_back_ends_are_listed_as_they_are() {
    let env = TestEnv::new();
    env.file(CONFIG, "{agents: {defaults: {model: {primary: 'ollama/l', fallbacks: ['claude-cli/opus']}}}, models: {providers: {ollama: {
        baseUrl: 'http://127.0.0.1:11434/v1', apiKey: 'k', models: [
          {id: 'l', name: 'Llama L', contextWindow: 32000, input: ['text', 'image']}, {id: 'm', name: 'M'}]}}}}");
    env.claude(3 * crate::support::DAY);
    let document = env.run(&["models", "list", "--json"]).json();
    let first = &document["models"][0];
    assert_eq!(
        (&first["name"], &first["input"], &first["contextWindow"], &first["local"], &first["available"]),
        (&json!("Llama L"), &json!("text+image"), &json!(32_000), &json!(true), &json!(true))
    );
    assert_eq!(document["models"][1]["available"], true, "the login of Claude Code is there");
    assert!(env.run(&["models", "list", "--all", "--plain"]).stdout.contains("ollama/m\n"));
}
