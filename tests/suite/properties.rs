//! What must hold for any input.

use std::sync::Arc;

use chrono::DateTime;
use openclaw::core::assess::{assess, status_of};
use openclaw::core::credential::{Credential, Expiry, Material};
use openclaw::core::report::{Policy, Status};
use openclaw::core::secret::Secret;
use openclaw::core::snapshot::Snapshot;
use openclaw::format::codex::IssuedAt;
use openclaw::format::config_edit::{self, Edit};
use openclaw::format::{
    auth_profiles, claude_code, codex, config, config_sections, dotenv, legacy, models_json, ops, qwen,
};
use openclaw::render::{json, page, text};
use proptest::prelude::*;
use serde_json::{Map, Value};

/// Bytes that are nearly what a parser wants, and bytes that are nothing.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let fragments = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"",
        "'",
        "//",
        "/*",
        "${",
        "$${A}",
        "\\u",
        "\\ud800",
        "null",
        "true",
        "1e999",
        "-",
        "0x",
        "\"profiles\"",
        "\"expires\"",
        "\"claudeAiOauth\"",
        "\"tokens\"",
        "$include",
        "A=",
        "export ",
        "`",
        "\n",
        "\r",
        "\0",
        "\u{feff}",
        "🙂",
        "99999999999999999999",
        "auth",
        "env",
        "models",
        "providers",
    ]);
    let structured =
        prop::collection::vec(fragments, 0..60).prop_map(|fragments| fragments.concat().into_bytes());
    prop_oneof![prop::collection::vec(any::<u8>(), 0..300), structured]
}

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_filter_map("finite", |number| number.is_finite().then(|| Value::from(number))),
        ".{0,12}".prop_map(Value::from),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((".{0,8}", inner), 0..6)
                .prop_map(|members| Value::Object(Map::from_iter(members))),
        ]
    })
}

fn entry() -> impl Strategy<Value = Value> {
    let known = prop::sample::select(vec![
        "type", "provider", "access", "refresh", "expires", "key", "token", "email",
    ]);
    let kinds = prop::sample::select(vec!["oauth", "token", "api_key", "weird"]);
    (
        kinds,
        prop::collection::vec((known, value()), 0..6),
        prop::collection::vec(("x[a-z]{1,6}", value()), 0..4),
    )
        .prop_map(|(kind, known, unknown)| {
            let mut entry = Map::from_iter([("provider".to_owned(), Value::from("anthropic"))]);
            entry.extend(known.into_iter().map(|(key, value)| (key.to_owned(), value)));
            entry.extend(unknown);
            entry.insert("type".to_owned(), Value::from(kind));
            Value::Object(entry)
        })
}

fn store() -> impl Strategy<Value = Value> {
    let profiles = prop::collection::vec((".{1,10}", entry()), 0..6);
    let rest = prop::collection::vec(("[a-z]{1,10}", value()), 0..5);
    (profiles, rest).prop_map(|(profiles, rest)| {
        let mut store = Map::from_iter(rest);
        store.insert("profiles".to_owned(), Value::Object(Map::from_iter(profiles)));
        Value::Object(store)
    })
}

fn material() -> impl Strategy<Value = Material> {
    let expiry = prop_oneof![
        any::<i64>().prop_filter("positive", |ms| *ms > 0).prop_map(Expiry::At),
        (1_700_000_000_000_i64..1_900_000_000_000).prop_map(Expiry::At),
        Just(Expiry::Absent),
        Just(Expiry::Null),
        Just(Expiry::NotPositive),
        Just(Expiry::Unreadable),
    ];
    let secret = || prop::option::of(prop::sample::select(vec!["", " ", "s"]).prop_map(Secret::new));
    prop_oneof![
        secret().prop_map(|key| Material::ApiKey { key }),
        (secret(), expiry.clone()).prop_map(|(token, expires)| Material::Token { token, expires }),
        (secret(), secret(), expiry).prop_map(|(access, refresh, expires)| Material::OAuth {
            access,
            refresh,
            expires,
            account_id: None
        }),
    ]
}

/// Statuses from best to worst; `static` and `missing` do not depend on time at all.
fn rank(status: Status) -> u8 {
    match status {
        Status::Static | Status::Ok => 0,
        Status::Expiring => 1,
        Status::Expired => 2,
        Status::Missing => 3,
    }
}

proptest! {
    #[test]
    fn parsers_never_panic(bytes in bytes()) {
        let _ = auth_profiles::parse(&bytes).map(|store| auth_profiles::write(&store));
        let _ = claude_code::parse(&bytes);
        let _ = codex::parse(&bytes, IssuedAt::LastRefreshOr(i64::MAX));
        let _ = qwen::parse(&bytes);
        let _ = legacy::parse_auth_json(&bytes).map(|found| found.entries.len());
        let _ = legacy::parse_oauth_json(&bytes).map(|found| found.entries.len());
        let _ = models_json::parse(&bytes).map(|keys| keys.len());
        let _ = dotenv::parse(&String::from_utf8_lossy(&bytes)).assignments.len();
        if let Ok(mut tree) = config::parse(&bytes, 0) {
            let mut problems = Vec::new();
            config::substitute(&mut tree, "", &|_| Some("x".to_owned()), &mut problems);
            let _ = config_sections::read(&tree).is_ok();
            let _ = ops::read(&tree).is_ok();
        }
    }

    #[test]
    fn a_rewrite_keeps_every_field(document in store()) {
        let text = document.to_string();
        let read = auth_profiles::parse(text.as_bytes()).unwrap();
        let written: Value = serde_json::from_slice(&auth_profiles::write(&read)).unwrap();
        prop_assert_eq!(&written, &document);

        // A change to one profile keeps every other field of the store, and what is unknown in that profile.
        let mut changed = read.clone();
        let material = Material::ApiKey { key: Some(Secret::new("new")) };
        let id = document["profiles"].as_object().unwrap().keys().next().cloned().unwrap_or_else(|| "new".to_owned());
        changed.upsert(&id, Credential { provider: "anthropic".to_owned(), email: None, material });
        let written: Value = serde_json::from_slice(&auth_profiles::write(&changed)).unwrap();
        for (key, value) in document.as_object().unwrap().iter().filter(|(key, _)| *key != "profiles") {
            prop_assert_eq!(&written[key], value);
        }
        for (other, value) in document["profiles"].as_object().unwrap() {
            if *other != id {
                prop_assert_eq!(&written["profiles"][other], value);
                continue;
            }
            for (member, value) in value.as_object().unwrap().iter().filter(|(member, _)| member.starts_with('x')) {
                prop_assert_eq!(&written["profiles"][other][member], value);
            }
        }
    }

    #[test]
    fn an_edit_gives_a_config_that_parses_or_an_error(bytes in bytes(), document in value()) {
        let edits = [Edit::set(["agents", "defaults", "model", "primary"], "a/b"), Edit::remove(["env"])];
        for text in [String::from_utf8_lossy(&bytes).into_owned(), document.to_string(), format!("{{x: {document}}}")] {
            let Ok(written) = config_edit::apply(&text, &edits) else { continue };
            let again = config_edit::apply(&written, &edits).unwrap();
            prop_assert_eq!(&again, &written, "the second time changes nothing: {}", text);
            prop_assert!(config::parse(written.as_bytes(), 0).is_ok(), "{} became {}", text, written);
        }
    }

    #[test]
    fn a_status_never_improves_as_time_passes(
        material in material(), first in any::<i64>(), later in any::<u32>(), window in 0..i64::MAX,
    ) {
        let credential = Credential { provider: "anthropic".to_owned(), email: None, material };
        let (before, _) = status_of(&credential, first, window);
        let (after, _) = status_of(&credential, first.saturating_add(i64::from(later)), window);
        prop_assert!(rank(after) >= rank(before), "{:?} then {:?}", before, after);
    }

    #[test]
    fn any_store_gives_a_report_in_every_output(document in store(), now in any::<i64>()) {
        let store = auth_profiles::parse(document.to_string().as_bytes()).unwrap();
        let profiles = store.profiles.iter().map(|(id, credential)| openclaw::core::snapshot::ProfileRecord {
            id: id.clone(),
            credential: credential.clone(),
            email: None,
            store: Arc::default(),
            inherited: false,
            login: openclaw::core::snapshot::LoginFacts::default(),
            refresh: openclaw::core::refresh::RefreshRecord::default(),
        });
        let snapshot = Snapshot { profiles: profiles.collect(), usage: store.usage.clone(), ..Snapshot::default() };
        let now = DateTime::from_timestamp_millis(now).unwrap_or_default();
        let report = assess(&snapshot, now, &Policy::default());
        let page = text::render(&report, page::Look { colour: false, width: Some(80) });
        prop_assert!(!page.contains(|c: char| c.is_control() && c != '\n'));
        let parsed: Value = serde_json::from_str(&json::render(&report)).unwrap();
        prop_assert_eq!(parsed["auth"]["oauth"]["profiles"].as_array().unwrap().len(), store.profiles.len());
    }
}
