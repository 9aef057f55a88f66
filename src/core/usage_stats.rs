//! What the runtime remembers about a profile, as it stands in `usageStats` of a store.

use serde_json::{Map, Value, json};

use crate::core::credential::EpochMs;
use crate::core::json_tree::{JsonNode, JsonObject};
use crate::core::store::expiry_of;

/// What the runtime remembers about a profile.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UsageStats {
    /// Last success, ms since the epoch.
    pub last_used: Option<EpochMs>,
    /// Consecutive errors.
    pub error_count: u64,
    /// Not to be used before this instant, after transient failures.
    pub cooldown_until: Option<EpochMs>,
    /// Not to be used before this instant, after a failure that only a human mends.
    pub disabled_until: Option<EpochMs>,
    /// Why it is disabled; `billing` is the only reason in use.
    pub disabled_reason: Option<String>,
    /// How often it failed since it last worked, by the word for why.
    pub failure_counts: Vec<(String, u64)>,
    /// When it last failed, ms since the epoch.
    pub last_failure: Option<EpochMs>,
}

impl UsageStats {
    /// How often it failed for a reason since it last worked.
    pub fn failures(&self, reason: &str) -> u64 {
        self.failure_counts.iter().find(|(known, _)| known == reason).map_or(0, |(_, count)| *count)
    }

    /// The same without anything that keeps the profile from being used.
    #[must_use]
    pub fn rested(&self) -> Self {
        Self { last_used: self.last_used, last_failure: self.last_failure, ..Self::default() }
    }

    pub(super) fn read(entry: &JsonObject) -> Self {
        let instant = |member: &str| expiry_of(entry, member).at();
        let counts = entry.get("failureCounts").and_then(JsonNode::to_object).unwrap_or_default();
        let counted = |(word, node): (&str, &JsonNode)| Some((word.to_owned(), node.to_value()?.as_u64()?));
        Self {
            last_used: instant("lastUsed"),
            error_count: entry.value("errorCount").and_then(|count| count.as_u64()).unwrap_or_default(),
            cooldown_until: instant("cooldownUntil"),
            disabled_until: instant("disabledUntil"),
            disabled_reason: entry.text("disabledReason"),
            failure_counts: counts.members().filter_map(counted).collect(),
            last_failure: instant("lastFailureAt"),
        }
    }

    /// Writes it over an entry; members that we do not know stay.
    pub(super) fn write(&self, entry: &mut JsonObject) {
        let counts: Map<String, Value> =
            self.failure_counts.iter().map(|(word, count)| (word.clone(), json!(count))).collect();
        let members = [
            ("lastUsed", self.last_used.map(|at| json!(at))),
            ("errorCount", Some(json!(self.error_count))),
            ("failureCounts", (!counts.is_empty()).then(|| counts.into())),
            ("lastFailureAt", self.last_failure.map(|at| json!(at))),
            ("cooldownUntil", self.cooldown_until.map(|at| json!(at))),
            ("disabledUntil", self.disabled_until.map(|at| json!(at))),
            ("disabledReason", self.disabled_reason.as_ref().map(|word| json!(word))),
        ];
        for (member, value) in members {
            match value {
                Some(value) => entry.set(member, JsonNode::Value(value)),
                None => entry.remove(member),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::UsageStats;
    use crate::core::store::AuthStore;

    #[test]
    fn usage_is_written_as_it_is_read_and_foreign_members_stay() {
        let text = r#"{"version": 1, "profiles": {}, "usageStats": {"a:x": {"foreign": 7, "disabledReason": "billing"}}}"#;
        let mut store = AuthStore::from_document(serde_json::from_str(text).unwrap());
        let stats = UsageStats {
            last_used: Some(5),
            error_count: 2,
            cooldown_until: Some(90),
            failure_counts: vec![("auth".to_owned(), 2)],
            last_failure: Some(30),
            ..UsageStats::default()
        };
        store.set_usage("a:x", stats.clone());
        store.set_usage("b:y", UsageStats { last_used: Some(6), ..UsageStats::default() });
        store.set_last_good("a", "a:x");
        let written = serde_json::to_string(store.document()).unwrap();
        let again = AuthStore::from_document(serde_json::from_str(&written).unwrap());
        assert_eq!(again.usage, store.usage);
        assert_eq!((&again.usage[0].1, again.last_good("a").as_deref()), (&stats, Some("a:x")));
        assert!(written.contains(r#""foreign":7"#) && !written.contains("disabledReason"), "{written}");
    }
}
