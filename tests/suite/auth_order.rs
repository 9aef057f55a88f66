//! `models auth order`.

use serde_json::json;

use crate::support::{CONFIG, STORE, TestEnv, api_key};

const WORK: &str = ".openclaw/agents/work/agent/auth-profiles.json";

fn env() -> TestEnv {
    let env = TestEnv::new();
    env.profiles(json!({
        "anthropic:a": api_key("anthropic", "ka"), "anthropic:b": api_key("anthropic", "kb"), "openai:x": api_key("openai", "ko"),
    }));
    env
}

fn order(env: &TestEnv, args: &[&str]) -> crate::support::Outcome {
    env.run(&[&["models", "auth", "order"], args].concat())
}

#[test]
fn an_order_is_set_shown_and_cleared() {
    let env = env();
    let head = "Agent: main\nProvider: anthropic\n";
    let file = "Auth file: ~/.openclaw/agents/main/agent/auth-profiles.json\n";
    assert_eq!(
        order(&env, &["get", "--provider", "anthropic"]).stdout,
        format!("{head}{file}Order override: (none)\n")
    );
    let set = order(&env, &["set", "--provider", "Anthropic", " anthropic:b ", "anthropic:a", "anthropic:b"]);
    assert_eq!(set.stdout, format!("{head}{file}Order override: anthropic:b, anthropic:a\n"));
    let document = order(&env, &["get", "--provider", "anthropic", "--json"]).json();
    assert_eq!(document["order"], json!(["anthropic:b", "anthropic:a"]));
    assert_eq!(document["agentDir"], "[HOME]/.openclaw/agents/main/agent");
    assert_eq!(document["authStorePath"], "~/.openclaw/agents/main/agent/auth-profiles.json");
    assert_eq!(
        order(&env, &["clear", "--provider", "anthropic"]).stdout,
        format!("{head}Cleared per-agent order override.\n")
    );
    assert_eq!(env.read_json(STORE).get("order"), None);
}

#[test]
fn what_an_order_may_not_name_is_refused_with_what_exists() {
    let env = env();
    let before = env.text(STORE);
    let unknown = order(&env, &["set", "--provider", "anthropic", "anthropic:zzz"]);
    assert_eq!(unknown.code, 1);
    assert!(
        unknown
            .stderr
            .contains("Auth profile \"anthropic:zzz\" not found in [HOME]/.openclaw/agents/main/agent.")
    );
    assert!(unknown.stderr.contains("profiles of anthropic: anthropic:a, anthropic:b"));
    let other = order(&env, &["set", "--provider", "anthropic", "openai:x"]);
    assert_eq!(other.code, 1);
    assert!(other.stderr.starts_with("error: Auth profile \"openai:x\" is for openai, not anthropic.\n"));
    assert!(other.stderr.contains("profiles of anthropic: anthropic:a, anthropic:b"));
    let hostile = order(&env, &["set", "--provider", "anthropic", "a\u{1b}[31m\nb"]);
    assert!(!hostile.stderr.contains('\u{1b}') && hostile.stderr.lines().count() == 2, "{}", hostile.stderr);
    assert_eq!(order(&env, &["set", "--provider", "anthropic"]).code, 64);
    assert_eq!(order(&env, &["set", "--provider", "anthropic", " "]).code, 64);
    assert_eq!(env.text(STORE), before);
}

#[test]
fn clearing_nothing_writes_nothing() {
    let env = env();
    let before = env.text(STORE);
    assert_eq!(order(&env, &["clear", "--provider", "anthropic"]).code, 0);
    assert_eq!(env.text(STORE), before);
    let empty = TestEnv::new();
    assert_eq!(order(&empty, &["clear", "--provider", "anthropic"]).code, 0);
    assert!(!empty.exists(".openclaw"));
}

#[test]
fn an_agent_sets_its_own_order_and_copies_nothing() {
    let env = env();
    env.file(WORK, json!({"profiles": {"anthropic:w": api_key("anthropic", "kw")}}).to_string());
    let main = env.text(STORE);
    assert_eq!(order(&env, &["set", "--provider", "anthropic", "--agent", "Work", "anthropic:b"]).code, 0);
    let work = env.read_json(WORK);
    assert_eq!(work["order"], json!({"anthropic": ["anthropic:b"]}));
    assert_eq!(work["profiles"], json!({"anthropic:w": api_key("anthropic", "kw")}));
    assert_eq!(env.text(STORE), main);
}

#[test]
fn an_inherited_order_is_shown_as_such_and_cannot_be_cleared_here() {
    let env = env();
    order(&env, &["set", "--provider", "anthropic", "anthropic:a"]);
    env.file(WORK, "{\"profiles\": {}}");
    let document = order(&env, &["get", "--provider", "anthropic", "--agent", "work", "--json"]).json();
    assert_eq!((&document["order"], &document["inherited"]), (&json!(["anthropic:a"]), &json!(true)));
    let cleared = order(&env, &["clear", "--provider", "anthropic", "--agent", "work"]);
    assert!(cleared.stderr.contains("inherited and still in force"));
}

#[test]
fn every_spelling_of_a_provider_is_one_provider() {
    let env = TestEnv::new();
    let store = json!({"profiles": {"zai:1": api_key("zai", "a"), "zai:2": api_key("Z.AI", "b")}, "order": {"z-ai": ["zai:2"], "x": ["y"]}});
    env.file(STORE, store.to_string());
    assert_eq!(order(&env, &["get", "--provider", "z.ai", "--json"]).json()["order"], json!(["zai:2"]));
    order(&env, &["set", "--provider", "Z.AI", "zai:1", "zai:2"]);
    assert_eq!(env.read_json(STORE)["order"], json!({"x": ["y"], "zai": ["zai:1", "zai:2"]}));
}

#[test]
fn an_unreadable_store_or_a_busy_one_is_refused() {
    let env = env();
    env.file(STORE, "{ torn");
    for args in
        [&["clear", "--provider", "anthropic"][..], &["set", "--provider", "anthropic", "anthropic:a"]]
    {
        assert_eq!(order(&env, args).code, 1, "{args:?}");
    }
    assert_eq!(env.text(STORE), "{ torn");
}

#[test]
fn the_default_agent_and_its_folder_come_from_the_config() {
    let env = TestEnv::new();
    env.file(CONFIG, "{agents: {list: [{id: 'main'}, {id: 'Work', default: true, agentDir: '~/wdir'}]}}");
    env.file(
        "wdir/auth-profiles.json",
        json!({"profiles": {}, "order": {"anthropic": ["anthropic:w"]}}).to_string(),
    );
    let document = order(&env, &["get", "--provider", "anthropic", "--json"]).json();
    assert_eq!(document["agentId"], "work");
    assert_eq!(document["authStorePath"], "~/wdir/auth-profiles.json");
    assert_eq!(document["order"], json!(["anthropic:w"]));
}
