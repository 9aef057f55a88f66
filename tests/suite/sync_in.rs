//! Taking vendor logins and files of earlier releases into the store.

use serde_json::{Value, json};
use std::os::unix::fs::MetadataExt;

use crate::support::{
    CLAUDE, DAY, HOUR, MINUTE, STORE, TestEnv, api_key, finding_codes, oauth, profile, token,
};

const ID: &str = "anthropic:claude-cli";
/// {"exp": 1900000000}
const JWT: &str = "e30.eyJleHAiOjE5MDAwMDAwMDB9.s";

fn stored(env: &TestEnv, id: &str) -> Value {
    if env.exists(STORE) { env.read_json(STORE)["profiles"][id].clone() } else { Value::Null }
}

fn claude_token(env: &TestEnv, expires_in: i64) {
    let login = json!({"accessToken": "cli-at", "expiresAt": env.now_ms() + expires_in});
    env.file(CLAUDE, json!({"claudeAiOauth": login}).to_string());
}

fn at(env: &TestEnv, ms: i64) -> Value {
    json!(env.now_ms() + ms)
}

#[test]
fn the_claude_login_follows_the_update_rules() {
    let fresh = 10 * MINUTE;
    for (name, has_refresh, cli, old, taken) in [
        ("nothing stored", true, HOUR, None, true),
        ("nothing stored, login over", true, -HOUR, None, true),
        ("stored is fresh", true, 5 * HOUR, Some(("oauth", fresh + 1)), false),
        ("stored is no longer fresh", true, 5 * HOUR, Some(("oauth", fresh)), true),
        ("stored ends later", true, 4 * MINUTE, Some(("oauth", 9 * MINUTE)), false),
        ("both over", true, -4 * MINUTE, Some(("oauth", -9 * MINUTE)), true),
        ("stored over, login older", true, -9 * MINUTE, Some(("oauth", -4 * MINUTE)), false),
        ("stored is a token", true, HOUR, Some(("token", 3 * DAY)), true),
        ("stored is a key", true, HOUR, Some(("api_key", 0)), true),
        ("token, nothing stored", false, HOUR, None, true),
        ("token, ends later", false, 30 * DAY, Some(("token", 3 * DAY)), true),
        ("token, ends sooner", false, 3 * DAY, Some(("token", 30 * DAY)), false),
        ("token, stored over", false, -HOUR, Some(("token", -DAY)), true),
        ("token never over a login", false, 30 * DAY, Some(("oauth", -DAY)), false),
    ] {
        let env = TestEnv::with_default_key();
        if has_refresh {
            env.claude(cli);
        } else {
            claude_token(&env, cli);
        }
        if let Some((kind, expires)) = old {
            let old = match kind {
                "oauth" => oauth("anthropic", at(&env, expires)),
                "token" => token("anthropic", at(&env, expires)),
                _ => api_key("anthropic", "k"),
            };
            env.profiles(json!({ ID: old }));
        }
        let before = env.exists(STORE).then(|| env.text(STORE));
        env.status(&[]);
        let now = stored(&env, ID);
        let secret = if has_refresh { &now["access"] } else { &now["token"] };
        assert_eq!(*secret == json!("cli-at"), taken, "{name}: {now}");
        assert_eq!(env.exists(STORE).then(|| env.text(STORE)) != before, taken, "{name}");
    }
}

#[test]
fn a_stored_profile_of_another_provider_is_always_replaced() {
    let env = TestEnv::with_default_key();
    env.claude(HOUR);
    env.profiles(json!({ ID: oauth("openai", at(&env, 3 * DAY)) }));
    env.status(&[]);
    assert_eq!(stored(&env, ID)["provider"], "anthropic");
}

#[test]
fn what_was_synced_is_exact_and_the_second_run_writes_nothing() {
    let env = TestEnv::with_default_key();
    env.claude(HOUR);
    assert!(finding_codes(&env.status(&["--json"]).json()).contains(&"sync-performed"));
    assert_eq!(
        stored(&env, ID),
        json!({"type": "oauth", "provider": "anthropic", "access": "cli-at", "refresh": "cli-rt", "expires": at(&env, HOUR)})
    );
    let identity =
        || fs_err::metadata(env.path(STORE)).map(|m| (m.ino(), m.mtime_nsec(), m.mode() & 0o777)).unwrap();
    let before = identity();
    assert_eq!(before.2, 0o600);
    let folder = fs_err::metadata(env.path(".openclaw/agents")).unwrap().mode() & 0o777;
    assert_eq!(folder, 0o700);
    assert!(!finding_codes(&env.status(&["--json"]).json()).contains(&"sync-performed"));
    assert_eq!(identity(), before);
}

#[test]
fn no_sync_reports_the_same_and_writes_nothing_at_all() {
    let env = TestEnv::with_default_key();
    env.claude(HOUR);
    env.file(
        ".openclaw/credentials/oauth.json",
        json!({"groq": {"access": "a", "refresh": "r", "expires": 5}}).to_string(),
    );
    let before = crate::support::tree(&env.path(""));
    let dry = env.status(&["--json", "--no-sync"]).json();
    assert_eq!(crate::support::tree(&env.path("")), before);
    let wet = env.status(&["--json"]).json();
    assert_eq!(dry["auth"]["oauth"], wet["auth"]["oauth"]);
    assert_eq!(profile(&dry, "groq:default")["status"], "expired");
}

#[test]
fn members_that_we_do_not_know_survive_and_those_of_the_old_login_go() {
    let env = TestEnv::with_default_key();
    env.claude(HOUR);
    let mut old = oauth("anthropic", at(&env, -HOUR));
    old["email"] = json!("old@example.com");
    old["note"] = json!({"mine": [1, 2.50]});
    let store = json!({"version": 9, "future": {"x": 1}, "profiles": {"z": {"type": "weird"}, ID: old, "n": null}, "order": {"a": ["b"]}});
    env.file(STORE, store.to_string());
    env.status(&[]);
    let now = env.read_json(STORE);
    assert_eq!(now["profiles"][ID]["note"], json!({"mine": [1, 2.50]}));
    assert_eq!(now["profiles"][ID].get("email"), None);
    assert_eq!(
        (&now["version"], &now["future"], &now["order"]),
        (&json!(9), &json!({"x": 1}), &json!({"a": ["b"]}))
    );
    assert_eq!((&now["profiles"]["z"], &now["profiles"]["n"]), (&json!({"type": "weird"}), &Value::Null));
    let ids: Vec<_> = now["profiles"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(ids, ["z", ID, "n"]);
}

#[test]
fn the_codex_login_and_its_duplicates() {
    let auth = |access: &str| json!({"tokens": {"access_token": access, "refresh_token": "cx-rt", "account_id": "acc"}});
    let codex = "openai-codex:codex-cli";
    let env = TestEnv::with_default_key().var("CODEX_HOME", "~/cx");
    env.file("cx/auth.json", auth(JWT).to_string());
    let (_, document) = env.check();
    assert_eq!(profile(&document, codex)["expiresAt"], 1_900_000_000_000_i64);
    assert_eq!(profile(&document, codex)["source"], "codex-cli");
    assert_eq!(stored(&env, codex)["accountId"], "acc");

    let same = json!({"type": "oauth", "provider": "openai-codex", "access": "cx-at", "refresh": "cx-rt", "expires": at(&env, DAY)});
    let env = TestEnv::with_default_key();
    env.file(".codex/auth.json", auth("cx-at").to_string());
    env.profiles(json!({"openai-codex:default": same.clone()}));
    env.status(&[]);
    assert_eq!(stored(&env, codex), Value::Null, "not added beside its twin");

    let env = TestEnv::with_default_key();
    env.profiles(json!({"openai-codex:default": same.clone(), codex: same}));
    let document = env.status(&["--json", "--no-sync"]).json();
    assert_eq!(profile(&document, codex), &Value::Null);
    env.status(&[]);
    assert_eq!(stored(&env, codex), Value::Null, "an existing twin goes");
    assert_ne!(stored(&env, "openai-codex:default"), Value::Null);
}

#[test]
fn the_qwen_login_is_a_plain_store_source() {
    let env = TestEnv::with_default_key();
    let login = json!({"access_token": "q", "refresh_token": "r", "expiry_date": env.now_ms() + 3 * HOUR});
    env.file(".qwen/oauth_creds.json", login.to_string());
    let (code, document) = env.check();
    assert_eq!(code, 2);
    assert_eq!(profile(&document, "qwen-portal:qwen-cli")["source"], "store");
}

#[test]
fn the_keychain_comes_before_the_file() {
    let item =
        r#"{"claudeAiOauth":{"accessToken":"kc-at","refreshToken":"kc-rt","expiresAt":1900000000000}}"#;
    let env = TestEnv::with_default_key().keychain("security");
    env.claude(HOUR);
    env.script("security", &format!("[ \"$3\" = 'Claude Code-credentials' ] || exit 44\necho '{item}'"));
    env.status(&[]);
    assert_eq!(stored(&env, ID)["access"], "kc-at");

    let env = TestEnv::with_default_key().keychain("security");
    env.claude(HOUR);
    env.script("security", "exit 44");
    env.status(&[]);
    assert_eq!(stored(&env, ID)["access"], "cli-at", "no item: the file counts");

    let env = TestEnv::with_default_key().keychain("security");
    env.script("security", "exit 36");
    let (code, document) = env.check();
    assert_eq!(code, 1, "a locked keychain is unreadable, not empty");
    assert!(document.to_string().contains("the keychain refused to give it"));
}

#[test]
fn files_of_earlier_releases_fill_a_store_that_is_not_there() {
    let auth_json = ".openclaw/agents/main/agent/auth.json";
    let oauth_json = ".openclaw/credentials/oauth.json";
    let env = TestEnv::with_default_key();
    env.file(auth_json, json!({"anthropic": {"type": "api_key", "key": "kk", "own": 1}}).to_string());
    env.file(oauth_json, json!({"anthropic": {"access": "a", "refresh": "r", "expires": 5}, "chutes": {"access": "c", "refresh": "d", "expires": 5}}).to_string());
    env.status(&[]);
    let store = env.read_json(STORE);
    assert_eq!(store["version"], 1);
    assert_eq!(
        store["profiles"]["anthropic:default"],
        json!({"type": "api_key", "provider": "anthropic", "key": "kk", "own": 1})
    );
    assert_eq!(store["profiles"]["chutes:default"]["access"], "c");
    assert!(!env.exists(auth_json), "spent");
    assert!(env.exists(oauth_json));

    let env = TestEnv::with_default_key();
    env.file(auth_json, json!({"anthropic": {"type": "api_key", "key": "kk"}, "junk": 5}).to_string());
    env.status(&[]);
    assert!(env.exists(auth_json), "something in it was not imported");

    let env = TestEnv::with_default_key();
    env.file(auth_json, json!({"anthropic": {"type": "api_key", "key": "kk"}}).to_string());
    env.profiles(json!({}));
    assert_eq!(
        env.status(&["--json"]).json()["auth"]["oauth"]["profiles"],
        json!([]),
        "an empty store stops the import"
    );
    assert!(env.exists(auth_json));
}

#[test]
fn another_agent_sees_the_login_and_copies_nothing_that_it_inherits() {
    let env = TestEnv::with_default_key();
    env.file(".openclaw/agents/work/agent/auth-profiles.json", "{\"profiles\": {}}");
    env.profiles(json!({ ID: oauth("anthropic", at(&env, -HOUR)) }));
    env.claude(3 * DAY);
    let main_before = env.text(STORE);
    let outcome = env.status(&["--json", "--check", "--agent", "work"]);
    assert_eq!(outcome.code, 0, "main will hold the new login as soon as it is synced");
    assert_eq!(env.text(STORE), main_before);
    assert_eq!(env.text(".openclaw/agents/work/agent/auth-profiles.json"), "{\"profiles\": {}}");
}

#[test]
fn a_new_codex_login_replaces_a_stored_twin_instead_of_vanishing_with_it() {
    let codex = "openai-codex:codex-cli";
    let env = TestEnv::with_default_key();
    let old =
        json!({"type": "oauth", "provider": "openai-codex", "access": "old", "refresh": "old", "expires": 5});
    env.profiles(json!({"openai-codex:me": old.clone(), codex: old}));
    env.file(
        ".codex/auth.json",
        json!({"tokens": {"access_token": JWT, "refresh_token": "new"}}).to_string(),
    );
    let document = env.status(&["--json"]).json();
    assert_eq!(profile(&document, codex)["status"], "ok");
    assert_eq!(stored(&env, codex)["refresh"], "new");
}

#[test]
fn a_login_without_a_usable_expiry_does_not_block_the_next_one() {
    let env = TestEnv::with_default_key();
    let login = |access: &str, expires: i64| {
        json!({"access_token": access, "refresh_token": "r", "expiry_date": expires}).to_string()
    };
    env.file(".qwen/oauth_creds.json", login("q1", 0));
    assert_eq!(env.status(&["--check"]).code, 1);
    assert_eq!(stored(&env, "qwen-portal:qwen-cli")["expires"], 0);
    env.file(".qwen/oauth_creds.json", login("q2", env.now_ms() + 3 * DAY));
    assert_eq!(env.status(&["--check"]).code, 0);
    assert_eq!(stored(&env, "qwen-portal:qwen-cli")["access"], "q2");
}

#[test]
fn what_another_agent_inherits_is_shown_as_mains_and_told_to_be_unsaved() {
    let env = TestEnv::with_default_key();
    env.file(
        ".openclaw/agents/work/agent/auth-profiles.json",
        json!({"profiles": {"openai-codex:me": {"type": "oauth", "provider": "openai-codex", "access": "a", "refresh": "r",
            "expires": at(&env, 3 * DAY)}}}).to_string(),
    );
    let twin = json!({"type": "oauth", "provider": "openai-codex", "access": "a", "refresh": "r", "expires": at(&env, 3 * DAY)});
    env.profiles(json!({ ID: oauth("anthropic", at(&env, -HOUR)), "openai-codex:codex-cli": twin, "odd": {"type": "weird"} }));
    env.claude(3 * DAY);
    let document = env.status(&["--json", "--agent", "work"]).json();
    assert_eq!(profile(&document, ID)["inherited"], true);
    assert_eq!(profile(&document, ID)["store"], "[HOME]/.openclaw/agents/main/agent/auth-profiles.json");
    assert_eq!(profile(&document, "openai-codex:codex-cli"), &Value::Null, "a twin is removed from the view");
    let codes = finding_codes(&document);
    assert!(codes.contains(&"sync-performed") && codes.contains(&"credential-type-unknown"), "{codes:?}");
    assert!(document["findings"].to_string().contains("the main agent's next status saves it"));
}

#[test]
fn other_profiles_with_the_login_that_a_newer_one_replaces_get_it_too() {
    let env = TestEnv::with_default_key();
    let (old, other) = (
        oauth("anthropic", at(&env, -HOUR)),
        json!({"type": "oauth", "provider": "anthropic", "access": "x",
        "refresh": "another", "expires": at(&env, -HOUR)}),
    );
    env.profiles(json!({ ID: old, "anthropic:default": old, "anthropic:other": other, "chutes:x": oauth("chutes", at(&env, 0)) }));
    env.claude(3 * DAY);
    env.status(&[]);
    for id in [ID, "anthropic:default"] {
        assert_eq!(stored(&env, id)["refresh"], "cli-rt", "{id}");
    }
    assert_eq!(stored(&env, "anthropic:other"), other);
    assert_eq!(stored(&env, "chutes:x")["refresh"], "rt-BBBB");
}
