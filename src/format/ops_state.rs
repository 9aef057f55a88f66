//! `ops-state.json`: what this program remembers for itself, keyed by fingerprints and free of secrets.

use serde_json::{Value, json};

use crate::core::alerting::inventory::SeenProfile;
use crate::core::credential::EpochMs;
use crate::core::failure::FailureClass;
use crate::core::json_tree::{JsonNode, JsonObject};
use crate::core::refresh::{RefreshFailure, RefreshRecord};
use crate::core::span;
use crate::core::usage::{UsageRecord, Window};
use crate::format::{ParseFailure, json_object, pretty};

/// A login that nobody has renewed, or tried to, for this long is forgotten.
const FORGOTTEN_AFTER: i64 = 180 * span::DAY;

/// The whole file.
#[derive(Clone, Default)]
pub struct OpsState {
    document: JsonObject,
    /// The salt of the fingerprints, once there is one.
    pub salt: Option<String>,
    refreshes: Vec<(String, RefreshRecord)>,
    usages: Vec<(String, UsageRecord)>,
    /// The profiles that each agent was seen with.
    inventories: Vec<(String, Vec<SeenProfile>)>,
}

impl OpsState {
    /// Reads the file; records that are not understood are dropped at the next write, other members are kept.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseFailure> {
        let document = json_object(bytes)?;
        let refreshes = document.get("refresh").and_then(JsonNode::to_object).unwrap_or_default();
        let refreshes = refreshes
            .members()
            .filter_map(|(fingerprint, node)| Some((fingerprint.to_owned(), record(&node.to_object()?))))
            .collect();
        let usages = document.get("usage").and_then(JsonNode::to_object).unwrap_or_default();
        let usages = usages
            .members()
            .filter_map(|(fingerprint, node)| Some((fingerprint.to_owned(), usage(&node.to_value()?))))
            .collect();
        let inventories = document.get("inventory").and_then(JsonNode::to_object).unwrap_or_default();
        let inventories = inventories
            .members()
            .filter_map(|(agent, node)| Some((agent.to_owned(), inventory(&node.to_value()?))))
            .collect();
        let salt = document.text("salt").filter(|salt| !salt.is_empty());
        Ok(Self { document, salt, refreshes, usages, inventories })
    }

    /// The file's content: 2-space JSON and a newline.
    pub fn write(&self) -> Vec<u8> {
        let mut document = self.document.clone();
        document.set("version", JsonNode::Value(json!(1)));
        document.set("salt", JsonNode::Value(json!(self.salt)));
        let refreshes = document.object_mut("refresh");
        *refreshes = JsonObject::default();
        for (fingerprint, record) in &self.refreshes {
            refreshes.push(fingerprint, JsonNode::Value(value(record)));
        }
        if !self.usages.is_empty() || document.get("usage").is_some() {
            let usages = document.object_mut("usage");
            *usages = JsonObject::default();
            for (fingerprint, record) in &self.usages {
                usages.push(fingerprint, JsonNode::Value(usage_value(record)));
            }
        }
        if !self.inventories.is_empty() {
            let inventories = document.object_mut("inventory");
            *inventories = JsonObject::default();
            for (agent, seen) in &self.inventories {
                inventories.push(agent, JsonNode::Value(inventory_value(seen)));
            }
        }
        pretty(&document)
    }

    /// The profiles that an agent was last seen with, and those that are missed.
    pub fn inventory(&self, agent: &str) -> &[SeenProfile] {
        let found = self.inventories.iter().find(|(known, _)| known == agent);
        found.map(|(_, seen)| seen.as_slice()).unwrap_or_default()
    }

    /// Remembers what an agent was seen with.
    pub fn set_inventory(&mut self, agent: &str, seen: Vec<SeenProfile>) {
        self.inventories.retain(|(known, _)| known != agent);
        self.inventories.push((agent.to_owned(), seen));
    }

    /// Forgets a profile that was removed on purpose; tells whether there was anything to forget.
    pub fn forget_profile(&mut self, id: &str) -> bool {
        let count = |state: &Self| state.inventories.iter().map(|(_, seen)| seen.len()).sum::<usize>();
        let before = count(self);
        for (_, seen) in &mut self.inventories {
            seen.retain(|profile| profile.id != id);
        }
        count(self) != before
    }

    /// What is remembered of a login.
    pub fn refresh(&self, fingerprint: &str) -> RefreshRecord {
        let found = self.refreshes.iter().find(|(known, _)| known == fingerprint);
        found.map(|(_, record)| record.clone()).unwrap_or_default()
    }

    /// Remembers something of a login and forgets what is long over.
    pub fn set_refresh(&mut self, fingerprint: &str, record: RefreshRecord, now: EpochMs) {
        self.refreshes.retain(|(known, record)| {
            let last = record.last_success.max(record.failure.map(|failure| failure.at));
            known != fingerprint && last.is_some_and(|last| now.saturating_sub(last) < FORGOTTEN_AFTER)
        });
        self.refreshes.push((fingerprint.to_owned(), record));
    }

    /// What is remembered of a login's usage.
    pub fn usage(&self, fingerprint: &str) -> UsageRecord {
        let found = self.usages.iter().find(|(known, _)| known == fingerprint);
        found.map(|(_, record)| record.clone()).unwrap_or_default()
    }

    /// Remembers a login's usage and forgets what is long over.
    pub fn set_usage(&mut self, fingerprint: &str, record: UsageRecord, now: EpochMs) {
        self.usages.retain(|(known, record)| {
            let last = record.fetched_at.max(record.not_before);
            known != fingerprint && last.is_some_and(|last| now.saturating_sub(last) < FORGOTTEN_AFTER)
        });
        self.usages.push((fingerprint.to_owned(), record));
    }

    /// Forgets a login whose refresh token is spent.
    pub fn forget_refresh(&mut self, fingerprint: &str) {
        self.refreshes.retain(|(known, _)| known != fingerprint);
    }
}

fn inventory(entry: &Value) -> Vec<SeenProfile> {
    let profiles = entry.as_object().into_iter().flatten();
    let profiles = profiles.filter_map(|(id, profile)| {
        let text = |member: &str| profile.get(member)?.as_str().map(str::to_owned);
        Some(SeenProfile {
            id: id.clone(),
            provider: text("provider")?,
            mark: text("mark")?,
            first_seen: profile.get("firstSeen")?.as_i64()?,
            gone_since: profile.get("goneSince").and_then(Value::as_i64),
        })
    });
    profiles.collect()
}

fn inventory_value(seen: &[SeenProfile]) -> Value {
    let profile = |seen: &SeenProfile| {
        let profile = json!({
            "provider": seen.provider,
            "mark": seen.mark,
            "firstSeen": seen.first_seen,
            "goneSince": seen.gone_since,
        });
        (seen.id.clone(), profile)
    };
    Value::Object(seen.iter().map(profile).collect())
}

fn usage(entry: &Value) -> UsageRecord {
    let instant = |member: &str| entry.get(member)?.as_i64();
    let windows = entry.get("windows").and_then(Value::as_array).into_iter().flatten();
    UsageRecord {
        windows: windows
            .filter_map(|window| {
                let (label, used) = (window.get("label")?.as_str()?, window.get("usedPercent")?.as_f64()?);
                Some(Window::new(label, used, window.get("resetsAt").and_then(Value::as_i64)))
            })
            .collect(),
        fetched_at: instant("fetchedAt"),
        not_before: instant("notBefore"),
        error: entry.get("error").and_then(Value::as_str).map(str::to_owned),
    }
}

fn usage_value(record: &UsageRecord) -> Value {
    let window = |window: &Window| json!({"label": window.label, "usedPercent": window.used_percent, "resetsAt": window.resets_at});
    json!({
        "windows": record.windows.iter().map(window).collect::<Vec<_>>(),
        "fetchedAt": record.fetched_at,
        "notBefore": record.not_before,
        "error": record.error,
    })
}

fn record(entry: &JsonObject) -> RefreshRecord {
    let failure = entry.get("failure").and_then(JsonNode::to_object);
    let failure = failure.and_then(|failure| {
        let instant = |member: &str| failure.value(member)?.as_i64();
        let at = instant("at")?;
        Some(RefreshFailure {
            class: FailureClass::of_word(&failure.text("class")?)?,
            at,
            since: instant("since").unwrap_or(at),
            count: instant("count").and_then(|count| u32::try_from(count).ok()).unwrap_or(1),
            next_try: instant("nextTry"),
        })
    });
    RefreshRecord { last_success: entry.value("lastSuccess").and_then(|at| at.as_i64()), failure }
}

fn value(record: &RefreshRecord) -> Value {
    let failure = record.failure.map(|failure| {
        json!({
            "class": failure.class.word(),
            "at": failure.at,
            "since": failure.since,
            "count": failure.count,
            "nextTry": failure.next_try,
        })
    });
    json!({"lastSuccess": record.last_success, "failure": failure})
}

#[cfg(test)]
mod tests {
    use super::OpsState;
    use crate::core::alerting::inventory::SeenProfile;
    use crate::core::failure::FailureClass;
    use crate::core::refresh::RefreshRecord;
    use crate::core::usage::{UsageRecord, Window};

    #[test]
    fn what_is_remembered_comes_back_and_unknown_members_stay() {
        let mut state = OpsState::parse(br#"{"future":{"a":1.0e2},"salt":"s","refresh":{"x":5}}"#).unwrap();
        let record = RefreshRecord { last_success: Some(7), failure: None };
        let record = record.failed(FailureClass::Reused, None, 9).failed(FailureClass::Timeout, None, 11);
        state.set_refresh("f", record.clone(), 11);
        let text = String::from_utf8(state.write()).unwrap();
        assert!(text.contains(r#"{"a":1.0e2}"#), "{text}");
        let again = OpsState::parse(text.as_bytes()).unwrap();
        assert_eq!(again.refresh("f"), record);
        assert_eq!(again.salt.as_deref(), Some("s"));
        let usage = UsageRecord {
            windows: vec![Window::new("5h", 12.5, Some(99))],
            fetched_at: Some(7),
            not_before: Some(9),
            error: Some("timeout".to_owned()),
        };
        state.set_usage("f", usage.clone(), 11);
        assert_eq!(OpsState::parse(&state.write()).unwrap().usage("f"), usage);
        assert_eq!(again.refresh("g"), RefreshRecord::default());
        let seen = SeenProfile {
            id: "a:b".to_owned(),
            provider: "a".to_owned(),
            mark: "m".to_owned(),
            first_seen: 3,
            gone_since: Some(4),
        };
        state.set_inventory("main", vec![seen.clone()]);
        let mut again = OpsState::parse(&state.write()).unwrap();
        assert_eq!(again.inventory("main"), [seen]);
        assert!(again.forget_profile("a:b") && !again.forget_profile("a:b"));
        assert!(again.inventory("main").is_empty() && again.inventory("other").is_empty());
    }

    #[test]
    fn the_long_past_is_forgotten() {
        let mut state = OpsState::default();
        let day = 86_400_000;
        let record = |at| RefreshRecord { last_success: Some(at), failure: None };
        state.set_refresh("old", record(1), 1);
        state.set_refresh("new", record(100 * day), 100 * day);
        state.set_refresh("now", record(200 * day), 200 * day);
        assert_eq!(state.refresh("old"), RefreshRecord::default());
        assert_eq!(state.refresh("new"), record(100 * day));
        state.forget_refresh("new");
        assert_eq!(state.refresh("new"), RefreshRecord::default());
    }
}
