//! Paths, agents and the layers of the environment.

use serde_json::{Value, json};

use crate::support::{CONFIG, DAY, HOUR, STORE, TestEnv, api_key, finding_codes, oauth, profile, token};

fn env_of(document: &Value, provider: &str) -> Value {
    let providers = document["auth"]["providers"].as_array().unwrap();
    let found = providers.iter().find(|entry| entry["provider"] == provider);
    found.map_or(Value::Null, |entry| entry["env"].clone())
}

#[test]
fn the_state_folder_follows_flags_and_variables() {
    for (vars, args, state, config) in [
        (&[][..], &[][..], ".openclaw", ".openclaw/openclaw.json"),
        (&[], &["--profile", "work"], ".openclaw-work", ".openclaw-work/openclaw.json"),
        (&[], &["--profile", "Default"], ".openclaw", ".openclaw/openclaw.json"),
        (&[], &["--dev"], ".openclaw-dev", ".openclaw-dev/openclaw.json"),
        (&[("OPENCLAW_STATE_DIR", " ~/st ")], &["--profile", "work"], "st", "st/openclaw.json"),
        (&[("OPENCLAW_STATE_DIR", "rel")], &[], "rel", "rel/openclaw.json"),
        (&[("CLAWDBOT_STATE_DIR", "~/old")], &[], "old", "old/openclaw.json"),
        (&[("OPENCLAW_STATE_DIR", "~/a"), ("CLAWDBOT_STATE_DIR", "~/b")], &[], "a", "a/openclaw.json"),
        (&[("OPENCLAW_STATE_DIR", "")], &[], ".openclaw", ".openclaw/openclaw.json"),
        (&[("OPENCLAW_CONFIG_PATH", "~/c.json5")], &[], ".openclaw", "c.json5"),
    ] {
        let mut env = TestEnv::new();
        for (name, value) in vars {
            env = env.var(name, *value);
        }
        for args in [
            ["models", "status", "--json"].into_iter().chain(args.iter().copied()).collect::<Vec<_>>(),
            args.iter().copied().chain(["models", "status", "--json"]).collect(),
        ] {
            let document = env.run(&args).json();
            assert_eq!(
                document["agentDir"],
                format!("[HOME]/{state}/agents/main/agent"),
                "{vars:?} {args:?}"
            );
            assert_eq!(document["configPath"], format!("[HOME]/{config}"), "{vars:?} {args:?}");
        }
    }
}

#[test]
fn folders_of_earlier_releases_are_used_and_told_and_nothing_new_is_created() {
    for (folder, config) in [(".clawdbot", "clawdbot.json"), (".moltbot", "moltbot.json")] {
        let env = TestEnv::new();
        env.file(&format!("{folder}/{config}"), "{agents: {defaults: {model: {primary: 'openai/gpt-5.2'}}}}");
        env.claude(3 * DAY);
        let document = env.status(&["--json"]).json();
        assert_eq!(document["configPath"], format!("[HOME]/{folder}/{config}"));
        assert_eq!(document["defaultModel"], "openai/gpt-5.2");
        assert!(finding_codes(&document).contains(&"legacy-state-dir"));
        assert!(env.exists(&format!("{folder}/agents/main/agent/auth-profiles.json")));
        assert!(!env.exists(".openclaw"));
        fs_err::create_dir(env.path(".openclaw")).unwrap();
        assert_eq!(env.status(&["--json"]).json()["configPath"], "[HOME]/.openclaw/openclaw.json");
    }
}

#[test]
fn without_home_the_user_database_counts_and_without_that_it_is_an_error() {
    let env = TestEnv::new().without_var("HOME").passwd_home();
    assert_eq!(env.status(&["--json"]).json()["agentDir"], "[HOME]/.openclaw/agents/main/agent");
    let env = TestEnv::new().without_var("HOME");
    let outcome = env.status(&["--check"]);
    assert_eq!(outcome.code, 74);
    assert!(outcome.stderr.contains("HOME is unset") && outcome.stderr.contains("hint: set HOME"));
    let env = TestEnv::new().without_var("HOME").var("OPENCLAW_STATE_DIR", "st");
    assert_eq!(env.status(&["--check"]).code, 1, "a state folder is enough");
}

#[test]
fn the_agent_is_the_flag_then_the_folder_of_the_environment_then_the_default() {
    let config = "{agents: {list: [{id: 'Home'}, {id: 'work', default: true, model: 'openai/gpt-5.2'}, \
                  {id: 'own', agentDir: '~/own', model: {primary: 'groq/x', fallbacks: ['a/b']}}]}}";
    let env = TestEnv::new();
    env.file(CONFIG, config);
    env.file(".openclaw/agents/found/agent/auth-profiles.json", "{\"profiles\": {}}");
    for (agent, id, dir, model, source) in [
        (None, "work", ".openclaw/agents/work/agent", "openai/gpt-5.2", "agent"),
        (Some("HOME"), "home", ".openclaw/agents/home/agent", "anthropic/claude-opus-4-5", "defaults"),
        (Some("own"), "own", "own", "groq/x", "agent"),
        (Some("main"), "main", ".openclaw/agents/main/agent", "anthropic/claude-opus-4-5", "defaults"),
        (Some("found"), "found", ".openclaw/agents/found/agent", "anthropic/claude-opus-4-5", "defaults"),
    ] {
        let mut args = vec!["--json"];
        args.extend(agent.map(|agent| ["--agent", agent]).iter().flatten());
        let document = env.status(&args).json();
        assert_eq!(document["agentId"], id);
        assert_eq!(document["agentDir"], format!("[HOME]/{dir}"));
        assert_eq!(document["resolvedDefault"], model);
        assert_eq!(document["modelConfig"]["defaultSource"], source);
    }
    assert_eq!(env.status(&["--json", "--agent", "own"]).json()["fallbacks"], json!(["a/b"]));
    let ghost = env.status(&["--agent", "ghost"]);
    assert_eq!(ghost.code, 64);
    assert!(ghost.stderr.contains("known agents: found, home, main, own, work"), "{}", ghost.stderr);
    assert!(!env.exists(".openclaw/agents/ghost"));

    let env = TestEnv::new().var("PI_CODING_AGENT_DIR", "~/pi").var("OPENCLAW_AGENT_DIR", "~/oc");
    assert_eq!(env.status(&["--json"]).json()["agentDir"], "[HOME]/oc");
    let outcome = env.status(&["--json", "--agent", "main"]).json();
    assert_eq!(outcome["agentDir"], "[HOME]/.openclaw/agents/main/agent");
}

#[test]
fn an_agent_inherits_from_main_as_a_view_and_nothing_is_copied() {
    let env = TestEnv::with_default_key();
    env.profiles(json!({"openai:m": api_key("openai", "main"), "both:x": token("both", json!(5))}));
    env.file(
        ".openclaw/agents/work/agent/auth-profiles.json",
        json!({"profiles": {"both:x": token("both", json!(null))}}).to_string(),
    );
    let before = env.text(".openclaw/agents/work/agent/auth-profiles.json");
    let outcome = env.status(&["--json", "--check", "--agent", "work"]);
    let document = outcome.json();
    assert_eq!(outcome.code, 0, "the agent's own entry wins");
    assert_eq!(profile(&document, "openai:m")["inherited"], true);
    assert_eq!(profile(&document, "both:x")["inherited"], false);
    assert_eq!(env.text(".openclaw/agents/work/agent/auth-profiles.json"), before);

    env.file(STORE, "{ torn");
    assert_eq!(env.status(&["--check", "--agent", "work"]).code, 1, "what is inherited cannot be judged");
}

#[test]
fn layers_have_their_precedence() {
    let key = |name: &str| format!("sk-{name}-0123456789abcdef");
    let config = format!(
        "{{env: {{OPENAI_API_KEY: '{}', vars: {{GROQ_API_KEY: '{}'}}}}}}",
        key("config"),
        key("vars")
    );
    let at_layer = |layers: &[&str]| {
        let mut env = TestEnv::new().cwd("work");
        fs_err::create_dir(env.path("work")).unwrap();
        for layer in layers {
            match *layer {
                "process" => env = env.var("OPENAI_API_KEY", key("process")),
                "empty process" => env = env.var("OPENAI_API_KEY", ""),
                "credentials" => {
                    env.file("creds/OPENAI_API_KEY", key("credentials") + "\n");
                    let folder = env.path("creds");
                    env = env.var("CREDENTIALS_DIRECTORY", folder);
                }
                "cwd" => {
                    env.file("work/.env", format!("OPENAI_API_KEY={}", key("cwd")));
                }
                "empty cwd" => {
                    env.file("work/.env", "OPENAI_API_KEY=");
                }
                "state" => {
                    env.file(".openclaw/.env", format!("export OPENAI_API_KEY='{}'", key("state")));
                }
                _ => {
                    env.file(CONFIG, &config);
                }
            }
        }
        env_of(&env.status(&["--json"]).json(), "openai")
    };
    let all = ["process", "credentials", "cwd", "state", "config"];
    for (at, winner) in all.iter().enumerate() {
        let found = at_layer(&all[at..]);
        assert_eq!(found["source"], "env: OPENAI_API_KEY", "{winner}");
        let mask = format!("{}...cdef", &key(winner)[..4]);
        assert_eq!(found["value"], mask, "{winner}");
        let layer =
            ["process", "~/creds", "~/work/.env", "~/.openclaw/.env", "env in ~/.openclaw/openclaw.json"][at];
        assert_eq!(found["layer"], layer);
    }
    assert_eq!(at_layer(&["empty process", "state"]), Value::Null, "an empty variable shadows .env");
    assert_eq!(at_layer(&["empty cwd", "state"]), Value::Null, "an empty .env entry shadows the next .env");
    assert_eq!(at_layer(&["empty process", "state", "config"])["layer"], "env in ~/.openclaw/openclaw.json");
}

#[test]
fn dotenv_files_cannot_steer_the_program() {
    let env = TestEnv::new();
    env.file(
        ".env",
        "OPENCLAW_STATE_DIR=/tmp/evil\nHOME=/tmp/evil\nHTTPS_PROXY=http://evil\nSSL_CERT_FILE=x\nAPP_SETTING=1\n\
         GROQ_API_KEY=gsk-0123456789abcdefghij\nnonsense\nCODEX_HOME=/tmp/evil\nMY_KEY=abcdefgh12345678ZZZZ\n",
    );
    env.file(CONFIG, "{models: {providers: {p: {baseUrl: 'x', apiKey: '${MY_KEY}', models: []}}}}");
    let document = env.status(&["--json"]).json();
    assert_eq!(document["agentDir"], "[HOME]/.openclaw/agents/main/agent");
    assert_eq!(env_of(&document, "groq")["value"], "gsk-...ghij");
    let providers = document["auth"]["providers"].as_array().unwrap();
    assert!(
        providers.iter().any(|entry| entry["modelsJson"]["value"] == "abcd...ZZZZ"),
        "names that the config uses count"
    );
    let ignored: Vec<_> = document["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["code"] == "dotenv-ignored")
        .map(|finding| finding["subject"].as_str().unwrap())
        .collect();
    assert_eq!(ignored, ["~/.env:1", "~/.env:2", "~/.env:3", "~/.env:4", "~/.env:8"]);
    assert!(finding_codes(&document).contains(&"dotenv-malformed"));
}

#[test]
fn variables_of_each_provider_count_in_their_order() {
    for (vars, provider, source) in [
        (
            &[("ANTHROPIC_OAUTH_TOKEN", "t"), ("ANTHROPIC_API_KEY", "k")][..],
            "anthropic",
            "env: ANTHROPIC_OAUTH_TOKEN",
        ),
        (
            &[("ANTHROPIC_OAUTH_TOKEN", " "), ("ANTHROPIC_API_KEY", "k")],
            "anthropic",
            "env: ANTHROPIC_API_KEY",
        ),
        (&[("GITHUB_TOKEN", "3"), ("GH_TOKEN", "2")], "github-copilot", "env: GH_TOKEN"),
        (&[("Z_AI_API_KEY", "k")], "zai", "env: ZAI_API_KEY"),
        (&[("GROQ_API_KEY", "k")], "groq", "env: GROQ_API_KEY"),
    ] {
        let mut env = TestEnv::new();
        for (name, value) in vars {
            env = env.var(name, *value);
        }
        assert_eq!(env_of(&env.status(&["--json"]).json(), provider)["source"], source);
    }
    let env = TestEnv::new().var("MOONSHOT_API_KEY", "k");
    assert_eq!(env_of(&env.status(&["--json"]).json(), "moonshot"), Value::Null, "counts only when in use");
    env.file(CONFIG, "{agents: {defaults: {model: {primary: 'moonshot/kimi'}}}}");
    assert_eq!(env.status(&["--check"]).code, 0);
}

#[test]
fn cloud_credentials_and_vendor_back_ends_count() {
    let bedrock = "{agents: {defaults: {model: {primary: 'amazon-bedrock/x'}}}}";
    for (vars, code) in [
        (&[("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b")][..], 0),
        (&[("AWS_ACCESS_KEY_ID", "a")], 1),
        (&[("AWS_ACCESS_KEY_ID", "a"), ("AWS_PROFILE", "p")], 0),
        (&[("AWS_BEARER_TOKEN_BEDROCK", "t")], 0),
    ] {
        let mut env = TestEnv::new();
        env.file(CONFIG, bedrock);
        for (name, value) in vars {
            env = env.var(name, *value);
        }
        assert_eq!(env.status(&["--check"]).code, code, "{vars:?}");
    }
    let env = TestEnv::new();
    env.file(CONFIG, "{agents: {defaults: {model: {primary: 'claude-cli/opus'}}}}");
    assert_eq!(env.status(&["--check"]).code, 1);
    env.claude(3 * DAY);
    assert_eq!(env.status(&["--check"]).code, 0);
}

#[test]
fn an_alias_counts_as_the_provider_that_it_resolves_to() {
    let env = TestEnv::new().var("OPENAI_API_KEY", "k");
    env.file(
        CONFIG,
        "{agents: {defaults: {model: {primary: 'G52', fallbacks: ['z-ai/glm']}, models: {'openai/gpt-5.2': {alias: 'g52'}}}}}",
    );
    env.profiles(json!({"x": api_key("Z.AI", "k")}));
    let (code, document) = env.check();
    assert_eq!((code, &document["resolvedDefault"]), (0, &json!("openai/gpt-5.2")));
    assert_eq!(document["aliases"], json!({"g52": "openai/gpt-5.2"}));
}

#[test]
fn the_login_shell_is_asked_only_when_needed_and_gives_only_what_is_expected() {
    let body = "printf '%s ' \"$@\" > \"$HOME/shell-args\"\n\
                printf 'noise\\0OPENAI_API_KEY=sk-from-shell-1234567890\\0GROQ_API_KEY=no\\0GEMINI_API_KEY= \\0'";
    let start = || {
        let env = TestEnv::new().var("OPENCLAW_LOAD_SHELL_ENV", "yes");
        env.script("fakesh", body);
        let shell = env.path("fakesh");
        env.var("SHELL", shell)
    };
    let env = start();
    let document = env.status(&["--json"]).json();
    assert_eq!(
        document["auth"]["shellEnvFallback"],
        json!({"enabled": true, "appliedKeys": ["OPENAI_API_KEY"]})
    );
    assert_eq!(env_of(&document, "openai")["source"], "shell env: OPENAI_API_KEY");
    assert_eq!(env_of(&document, "groq"), Value::Null);
    assert_eq!(env.text("shell-args"), "-l -c env -0 ");

    for env in
        [start().var("TELEGRAM_BOT_TOKEN", "x"), start().var("OPENCLAW_DEFER_SHELL_ENV_FALLBACK", "on")]
    {
        let document = env.status(&["--json"]).json();
        assert_eq!(document["auth"]["shellEnvFallback"], json!({"enabled": true, "appliedKeys": []}));
        assert!(!env.exists("shell-args"));
    }
}

#[test]
fn a_failing_slow_or_chatty_login_shell_costs_a_finding_and_runs_once() {
    for (body, limit_ms, message) in [
        ("exit 3", 9_000, "ended with exit code 3"),
        ("sleep 60", 1_500, "did not end in time"),
        (
            "while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done",
            9_000,
            "printed more than 2 MiB",
        ),
        ("kill -9 $$", 9_000, "was ended by a signal"),
    ] {
        let env = TestEnv::new().var("OPENCLAW_LOAD_SHELL_ENV", "1");
        env.script("fakesh", &format!("echo run >> \"$HOME/runs\"\n{body}"));
        let shell = env.path("fakesh");
        let env = env.var("SHELL", shell);
        env.file(CONFIG, format!("{{env: {{shellEnv: {{timeoutMs: {limit_ms}}}}}}}"));
        env.profiles(json!({"anthropic:a": oauth("anthropic", json!(env.now_ms() + HOUR))}));
        let (code, document) = env.check();
        assert_eq!(code, 2, "{body}");
        let finding =
            document["findings"].as_array().unwrap().iter().find(|f| f["code"] == "shell-env-failed");
        assert_eq!(finding.unwrap()["message"], message, "{body}");
        assert_eq!(env.text("runs"), "run\n", "{body}");
    }
    let env = TestEnv::new().var("OPENCLAW_LOAD_SHELL_ENV", "1").var("SHELL", "/nonexistent/shell");
    assert!(finding_codes(&env.status(&["--json"]).json()).contains(&"shell-env-failed"));
}

#[test]
fn keys_of_the_config_and_of_models_json_count_last() {
    let env = TestEnv::new().var("GROQ_API_KEY", "gsk-0123456789abcdefghij");
    env.file(
        CONFIG,
        "{models: {providers: {lm: {baseUrl: 'x', apiKey: 'lm-key-lm-key-lm-key', models: []}}},
                       agents: {defaults: {model: {primary: 'lm/x', fallbacks: ['gen/x', 'named/x']}}}}",
    );
    env.file(
        ".openclaw/agents/main/agent/models.json",
        r#"{"providers": {"gen": {"apiKey": "gen-key-gen-key-gen-key"}, "lm": {"apiKey": "other-other-other-other"},
            "named": {"apiKey": "GROQ_API_KEY"}, "unset": {"apiKey": "XAI_API_KEY"}}}"#,
    );
    let (code, document) = env.check();
    assert_eq!(code, 0, "{document:#}");
    let found: Vec<_> = document["auth"]["providers"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|entry| Some((entry["provider"].as_str()?, entry["modelsJson"]["value"].as_str()?)))
        .collect();
    assert_eq!(found, [("gen", "gen-...-key"), ("lm", "lm-k...-key"), ("named", "gsk-...ghij")]);
}

#[test]
fn the_claude_code_mode_is_migrated_in_memory_only() {
    let env = TestEnv::new();
    let config =
        "{auth: {profiles: {'anthropic:claude-cli': {provider: 'anthropic', mode: 'token'}}}} // mine";
    env.file(CONFIG, config);
    let document = env.status(&["--json"]).json();
    assert!(finding_codes(&document).contains(&"mode-migrated"));
    assert_eq!(env.text(CONFIG), config);
}

#[test]
fn a_folder_of_an_earlier_release_keeps_its_config_name_when_a_variable_names_it() {
    let env = TestEnv::new().var("CLAWDBOT_STATE_DIR", "~/srv");
    env.file("srv/clawdbot.json", "{agents: {defaults: {model: {primary: 'groq/x'}}}}");
    let document = env.status(&["--json"]).json();
    assert_eq!(
        (&document["configPath"], &document["defaultModel"]),
        (&json!("[HOME]/srv/clawdbot.json"), &json!("groq/x"))
    );
}

#[test]
fn a_state_folder_on_a_disk_that_is_not_mounted_is_not_replaced_by_an_older_one() {
    let env = TestEnv::new();
    std::os::unix::fs::symlink("/nonexistent/disk", env.path(".openclaw")).unwrap();
    env.file(".clawdbot/clawdbot.json", "{}");
    assert_eq!(env.status(&["--json"]).json()["configPath"], "[HOME]/.openclaw/openclaw.json");
}

#[test]
fn paths_need_not_be_utf_8() {
    use std::os::unix::ffi::OsStringExt;
    let env = TestEnv::new();
    let folder = std::ffi::OsString::from_vec(b"caf\xe9".to_vec());
    let state = env.path("").join(&folder);
    fs_err::create_dir_all(state.join("agents/main/agent")).unwrap();
    let store = json!({"profiles": {"openai:a": api_key("openai", "k")}}).to_string();
    fs_err::write(state.join("agents/main/agent/auth-profiles.json"), store).unwrap();
    let env = env.var("OPENCLAW_STATE_DIR", state.into_os_string());
    assert_eq!(profile(&env.status(&["--json"]).json(), "openai:a")["status"], "static");
}

#[test]
fn flags_count_between_the_words_of_the_command_too() {
    let env = TestEnv::new();
    for args in [
        &["models", "--profile", "work", "status", "--json"][..],
        &["models", "--json", "status", "--profile", "work"],
        &["models", "--no-color", "--profile=work", "--json"],
    ] {
        let document = env.run(args).json();
        assert_eq!(document["configPath"], "[HOME]/.openclaw-work/openclaw.json", "{args:?}");
    }
    assert_eq!(env.run(&["models", "--check", "status"]).code, 1);
    for args in [
        &["models", "--json", "status", "--plain"][..],
        &["models", "--status-json", "--plain"],
        &["--dev", "models", "status", "--profile", "work"],
    ] {
        let env = TestEnv::new().var("OPENCLAW_STATE_DIR", "~/st");
        assert_eq!(env.run(args).code, 64, "{args:?}");
    }
}

#[test]
fn an_agent_folder_in_two_spellings_is_one_folder() {
    let env = TestEnv::new();
    env.file(CONFIG, "{agents: {list: [{id: 'a', agentDir: '~/x'}, {id: 'b', agentDir: '~/y/../x'}]}}");
    assert_eq!(env.status(&[]).code, 78);
}

#[test]
fn a_dotenv_of_the_working_directory_is_worth_a_word_and_not_a_verdict() {
    let env = TestEnv::with_default_key().cwd("work");
    fs_err::create_dir_all(env.path("work/.env")).unwrap();
    let (code, document) = env.check();
    assert_eq!(code, 0, "a virtual environment of Python has this name");
    assert!(finding_codes(&document).contains(&"dotenv-ignored"));
    fs_err::remove_dir(env.path("work/.env")).unwrap();
    env.file("work/.env", b"# caf\xe9\nGROQ_API_KEY=gsk-0123456789abcdefghij\n");
    let (code, document) = env.check();
    assert_eq!((code, &env_of(&document, "groq")["value"]), (0, &json!("gsk-...ghij")));

    fs_err::create_dir_all(env.path(".openclaw/.env")).unwrap();
    assert_eq!(env.status(&["--check"]).code, 1, "the one of the state folder is a source");
}

#[test]
fn credential_files_of_systemd_may_have_any_name_that_the_config_uses() {
    let env = TestEnv::new();
    env.file("creds/MY_LITELLM_KEY", "lm-0123456789abcdefgh\n");
    env.file(CONFIG, "{models: {providers: {p: {baseUrl: 'x', apiKey: '${MY_LITELLM_KEY}', models: []}}}}");
    let folder = env.path("creds");
    let env = env.var("CREDENTIALS_DIRECTORY", folder);
    let document = env.status(&["--json"]).json();
    assert_eq!(document["auth"]["providers"][0]["modelsJson"]["value"], "lm-0...efgh");

    let env = TestEnv::with_default_key().var("CREDENTIALS_DIRECTORY", "~/nowhere");
    let (code, document) = env.check();
    assert_eq!(code, 1);
    assert!(document.to_string().contains("systemd credentials"));
}

#[test]
fn vertex_and_bedrock_say_what_they_really_need() {
    let env = TestEnv::new();
    env.file(
        CONFIG,
        "{agents: {defaults: {model: {primary: 'google-vertex/x', fallbacks: ['amazon-bedrock/x']}}}}",
    );
    let text = env.status(&[]).stdout;
    for words in [
        "GOOGLE_CLOUD_PROJECT and GOOGLE_CLOUD_LOCATION",
        "add `AWS_PROFILE=<name of a profile of the AWS CLI>`",
    ] {
        assert!(text.contains(words), "{text}");
    }
    assert!(!text.contains("AWS_PROFILE=<key>"));
    let env = env.var("GOOGLE_CLOUD_PROJECT", "p").var("GOOGLE_CLOUD_LOCATION", "l").var("AWS_PROFILE", "p");
    fs_err::create_dir_all(env.path(".config/gcloud/application_default_credentials.json")).unwrap();
    let (code, document) = env.check();
    assert_eq!(code, 1, "a credentials file that cannot be read is not taken for absent");
    assert!(finding_codes(&document).contains(&"source-unreadable"));
}
