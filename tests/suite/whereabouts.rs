//! `where`: which key is in force, and whether the service has the same.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::{CONFIG, TestEnv, api_key, oauth, outcome};

const KEY: &str = "OPENAI_API_KEY";
const UNIT: &str = ".config/systemd/user/openclaw-gateway.service";

fn eyes<'d>(document: &'d Value, who: &str) -> &'d Value {
    let all = document["seenBy"].as_array().unwrap();
    all.iter().find(|eyes| eyes["who"] == who).unwrap_or_else(|| panic!("no {who} in {document:#}"))
}

fn winner<'d>(document: &'d Value, who: &str) -> &'d Value {
    let sources = eyes(document, who)["names"][0]["sources"].as_array().unwrap();
    sources.iter().find(|source| source["wins"] == true).unwrap_or(&Value::Null)
}

/// Every subset of six layers, the one that must win, and the same winner in the status.
#[test]
fn of_six_layers_the_highest_that_has_the_key_wins() {
    let layers = ["process", "credentials-directory", "dotenv", "dotenv", "config-env", "login-shell"];
    for set in 0..64_u32 {
        let has = |layer: usize| set & (1 << layer) != 0;
        let value = |layer: usize| format!("key-of-layer-{layer}-0123456789");
        let mut env = TestEnv::new().cwd("work").var("OPENCLAW_LOAD_SHELL_ENV", "1");
        env.file("work/readme", "").file("creds/readme", "");
        if has(0) {
            env = env.var(KEY, value(0));
        }
        if has(1) {
            let folder = env.path("creds");
            env.file("creds/OPENAI_API_KEY", value(1));
            env = env.var("CREDENTIALS_DIRECTORY", folder);
        }
        if has(2) {
            env.file("work/.env", format!("# mine\n{KEY}={}\n", value(2)));
        }
        if has(3) {
            env.file(".openclaw/.env", format!("{KEY}={}\n", value(3)));
        }
        if has(4) {
            env.file(CONFIG, format!("{{\n  env: {{{KEY}: '{}'}}\n}}\n", value(4)));
        }
        if has(5) {
            env.script("sh", &format!("{KEY}={} exec env -0", value(5)));
            let shell = env.path("sh");
            env = env.var("SHELL", shell);
        } else {
            env.script("sh", "exec env -0");
            let shell = env.path("sh");
            env = env.var("SHELL", shell);
        }
        let ran = env.run(&["where", KEY, "--json"]);
        assert_eq!(ran.code, 0, "{ran:?}");
        let document = ran.json();
        let expected = (0..6).find(|layer| has(*layer));
        let won = winner(&document, "shell");
        // The login shell is asked only when nobody else has a key.
        assert_eq!(won["layer"].as_str(), expected.map(|layer| layers[layer]), "{set:06b} {document:#}");
        let place = won["place"].as_str().unwrap_or_default();
        match expected {
            Some(2) => assert_eq!(place, "[HOME]/work/.env:2".replace("[HOME]", "~")),
            Some(3) => assert_eq!(place, "~/.openclaw/.env:1"),
            Some(4) => assert_eq!(place, "~/.openclaw/openclaw.json:2:25"),
            _ => {}
        }
        let shown = env.status(&["--json"]).json();
        let providers = shown["auth"]["providers"].as_array().unwrap();
        let openai = providers.iter().find(|entry| entry["provider"] == "openai");
        assert_eq!(openai.is_some(), expected.is_some(), "{set:06b}");
        let count = eyes(&document, "shell")["names"][0]["sources"].as_array().unwrap().len();
        let others = (0..5).filter(|layer| has(*layer)).count();
        assert_eq!(count, if others == 0 { usize::from(has(5)) } else { others }, "{set:06b}");
        for layer in 0..6 {
            assert!(!ran.stdout.contains(&value(layer)), "{set:06b}");
        }
    }
}

/// Every subset of the places that make up the environment of a service.
#[test]
fn of_six_places_of_a_service_the_one_that_systemd_takes_wins() {
    let layers = ["environment-file", "unit-drop-in", "unit", "manager", "dotenv", "config-env"];
    for set in 0..64_u32 {
        let has = |layer: usize| set & (1 << layer) != 0;
        let value = |layer: usize| format!("key-of-place-{layer}-0123456789");
        let env = TestEnv::new();
        let file = env.path("gateway.env").display().to_string();
        let line = |wanted: bool, layer: usize| {
            if wanted { format!("Environment=A=b \"{KEY}={}\"\n", value(layer)) } else { String::new() }
        };
        let with_file = if has(0) { format!("EnvironmentFile={file}\n") } else { String::new() };
        env.file(UNIT, format!("[Service]\n{}{with_file}ExecStart=/bin/true\n", line(has(2), 2)));
        if has(0) {
            env.file("gateway.env", format!("# c\n{KEY}={}\n", value(0)));
        }
        if has(1) {
            env.file(format!("{UNIT}.d/20-key.conf").as_str(), format!("[Service]\n{}", line(true, 1)));
        }
        if has(3) {
            env.file(".config/environment.d/10.conf", format!("{KEY}={}\n", value(3)));
        }
        if has(4) {
            env.file(".openclaw/.env", format!("{KEY}={}\n", value(4)));
        }
        if has(5) {
            env.file(CONFIG, format!("{{env: {{{KEY}: '{}'}}}}", value(5)));
        }
        let ran = env.run(&["where", KEY, "--json", "--service"]);
        let document = ran.json();
        let expected = (0..6).find(|layer| has(*layer));
        let won = winner(&document, "service");
        assert_eq!(won["layer"].as_str(), expected.map(|layer| layers[layer]), "{set:06b} {document:#}");
        // This shell sees the last two only.
        let here = (4..6).find(|layer| has(*layer));
        assert_eq!(ran.code, u8::from(here != expected), "{set:06b} {document:#}");
        assert_eq!(document["differs"], here != expected);
        if expected.is_some_and(|layer| layer < 4) {
            let remedy = document["differences"][0]["remedy"].as_str().unwrap();
            assert!(remedy.contains("systemctl --user restart openclaw-gateway.service"), "{remedy}");
        }
    }
}

#[test]
fn an_empty_assignment_takes_earlier_ones_back() {
    let env = TestEnv::new();
    let unit = format!("[Service]\nEnvironment={KEY}=old-0123456789abcdef\n");
    env.file(UNIT, unit).file(format!("{UNIT}.d/a.conf").as_str(), "[Service]\nEnvironment=\n");
    let ran = env.run(&["where", KEY, "--json"]);
    assert_eq!((ran.code, winner(&ran.json(), "service")), (0, &Value::Null));
    env.file(
        format!("{UNIT}.d/b.conf").as_str(),
        format!("[Service]\nEnvironment={KEY}=x1\nUnsetEnvironment={KEY}\n"),
    );
    assert_eq!(winner(&env.run(&["where", KEY, "--json"]).json(), "service"), &Value::Null);
}

#[test]
fn a_running_process_is_compared_by_its_own_environment() {
    let env = TestEnv::real_time();
    env.file(".openclaw/.env", format!("{KEY}=new-0123456789abcdef\n"));
    let start = |key: &str| {
        let mut command = std::process::Command::new("sleep");
        command.arg("600").env_clear().env("HOME", env.path("")).env("PATH", "/usr/bin:/bin");
        if !key.is_empty() {
            command.env(KEY, key);
        }
        command.stdout(Stdio::null()).spawn().unwrap()
    };
    let mut old = start("old-0123456789abcdef");
    let mut same = start("");
    let run = |pid: u32| outcome(&mut env.command(&["where", KEY, "--json", "--pid", &pid.to_string()]));
    let (differs, equal) = (run(old.id()), run(same.id()));
    for child in [&mut old, &mut same] {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert_eq!((differs.code, equal.code), (1, 0), "{differs:?} {equal:?}");
    assert_eq!(winner(&differs.json(), "process")["layer"], "process");
    assert_eq!(winner(&equal.json(), "process")["layer"], "dotenv");
    assert!(!differs.stdout.contains("0123456789abcdef"));
    let gone = run(old.id());
    assert_eq!((gone.code, gone.stdout.as_str()), (1, ""), "{gone:?}");
}

#[test]
fn a_provider_is_answered_in_the_order_of_use_and_a_profile_by_its_store() {
    let env = TestEnv::new().var("OPENAI_API_KEY", "from-process-0123456789");
    env.profiles(json!({
        "openai:a": api_key("openai", "key-a-0123456789abcdef"),
        "openai:b": api_key("openai", "key-b-0123456789abcdef"),
        "anthropic:claude-cli": oauth("anthropic", json!(env.now_ms() + 5_000_000)),
    }));
    env.claude(6_000_000);
    env.file(CONFIG, "{auth: {order: {openai: ['openai:b']}}}");
    let places = |ran: &Value| -> Vec<(String, bool)> {
        let sources = ran["seenBy"][0]["names"][0]["sources"].as_array().unwrap();
        sources.iter().map(|s| (s["place"].as_str().unwrap().to_owned(), s["wins"] == true)).collect()
    };
    let openai = places(&env.run(&["where", "OpenAI", "--json"]).json());
    let store = "in ~/.openclaw/agents/main/agent/auth-profiles.json";
    let expected = [
        (format!("openai:b {store}"), true),
        (format!("openai:a {store}"), false),
        ("OPENAI_API_KEY in environment of this shell".to_owned(), false),
    ];
    assert_eq!(openai, expected);
    let profile = places(&env.run(&["where", "anthropic:claude-cli", "--json"]).json());
    assert_eq!(profile.len(), 2, "{profile:?}");
    assert!(profile[0].1 && profile[1].0.contains(".claude/.credentials.json"));
    let all = env.run(&["where"]);
    assert!(all.stdout.contains("\nanthropic\n") && all.stdout.contains("\nopenai\n"), "{}", all.stdout);
    assert!(!all.stdout.contains("0123456789"), "{}", all.stdout);
    // Nothing but the salt of the fingerprints was written.
    assert!(
        env.text(".openclaw/ops-state.json").contains("salt")
            && !env.exists(".openclaw/agents/main/agent/auth-profiles.json.lock")
    );
}

#[test]
fn wrong_questions_are_told() {
    let env = TestEnv::new();
    for (args, code, word) in [
        (&["where", "nope"][..], 64, "no provider, variable or profile"),
        (&["where", "--service"], 1, "no gateway service"),
        (&["where", "--pid", "0"], 64, "--pid"),
        (&["where", "--pid", "999999999"], 1, "there is no process"),
        (&["where", "--pid", "1", "--service"], 64, "cannot be used with"),
    ] {
        let ran = env.run(args);
        assert_eq!((ran.code, ran.stdout.as_str()), (code, ""), "{ran:?}");
        assert!(ran.stderr.contains(word), "{ran:?}");
    }
    let nobody = env.run(&["where"]);
    assert_eq!(nobody.code, 0);
    assert!(nobody.stdout.contains("openclaw onboard"), "{}", nobody.stdout);
}
