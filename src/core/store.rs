//! The auth store of one agent: profiles, order, last good profile, usage statistics.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use crate::core::credential::{Credential, EpochMs, Expiry, Material};
use crate::core::json_tree::{JsonNode, JsonObject};
use crate::core::secret::Secret;

/// Members of a profile that belong to the credential itself and go when it is replaced.
const CREDENTIAL_MEMBERS: &[&str] = &[
    "type",
    "provider",
    "key",
    "token",
    "access",
    "refresh",
    "expires",
    "email",
    "accountId",
    "projectId",
    "enterpriseUrl",
    "clientId",
];

/// The content of an `auth-profiles.json`. What we do not understand stays in the document and is written back.
#[derive(Clone, Default)]
pub struct AuthStore {
    document: JsonObject,
    /// Profiles that we understand, in file order.
    pub profiles: Vec<(String, Credential)>,
    /// Entries that we keep but cannot use.
    pub rejected: Vec<(String, Rejection)>,
    /// Ids that stand more than once; the last one counts.
    pub duplicates: Vec<String>,
    /// Usage statistics by profile id, in file order.
    pub usage: Vec<(String, UsageStats)>,
}

/// Why an entry of `profiles` is no credential for us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// Its `type` is none of the three.
    UnknownType,
    /// It has no `provider`.
    NoProvider,
    /// It is no object, or cannot be taken apart.
    NotAnObject,
}

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
}

impl AuthStore {
    /// Takes a document apart. Total: whatever is not understood stays in the document.
    pub fn from_document(document: JsonObject) -> Self {
        let mut store = Self { document, ..Self::default() };
        store.read_profiles();
        store.read_usage();
        store
    }

    /// The document to write: `version` first, 2-space JSON is the writer's business.
    pub fn document(&self) -> &JsonObject {
        &self.document
    }

    /// The profile of this id.
    pub fn profile(&self, id: &str) -> Option<&Credential> {
        self.profiles.iter().find(|(profile, _)| profile == id).map(|(_, credential)| credential)
    }

    /// Whether the document has an entry of this id, understood or not.
    pub fn has_entry(&self, id: &str) -> bool {
        self.profile(id).is_some() || self.rejected.iter().any(|(rejected, _)| rejected == id)
    }

    /// Whether the document has a `profiles` object (or an array, which counts as an empty one).
    pub fn has_profiles_member(&self) -> bool {
        self.document.get("profiles").is_some_and(|node| node.is_object() || node.is_array())
    }

    /// Puts a credential under an id. Members of the old credential go, members that we do not know stay.
    pub fn upsert(&mut self, id: &str, credential: Credential) {
        let profiles = self.profiles_mut();
        let mut entry = JsonObject::default();
        for (member, value) in members_of(&credential) {
            entry.push(member, JsonNode::Value(value));
        }
        if let Some(old) = profiles.get(id).and_then(JsonNode::to_object) {
            for (member, node) in old.members().filter(|(member, _)| !CREDENTIAL_MEMBERS.contains(member)) {
                entry.push(member, node.clone());
            }
        }
        profiles.set(id, JsonNode::Object(entry));
        self.rejected.retain(|(rejected, _)| rejected != id);
        match self.profiles.iter_mut().find(|(profile, _)| profile == id) {
            Some((_, old)) => *old = credential,
            None => self.profiles.push((id.to_owned(), credential)),
        }
    }

    /// Adds an entry exactly as an older file spelled it; does nothing when the id is taken.
    pub fn import(&mut self, id: &str, entry: JsonObject) {
        if self.has_entry(id) {
            return;
        }
        self.profiles_mut().set(id, JsonNode::Object(entry));
        *self = Self::from_document(std::mem::take(&mut self.document));
    }

    /// Removes a profile.
    pub fn remove(&mut self, id: &str) {
        self.profiles_mut().remove(id);
        self.profiles.retain(|(profile, _)| profile != id);
        self.rejected.retain(|(rejected, _)| rejected != id);
    }

    fn profiles_mut(&mut self) -> &mut JsonObject {
        if self.document.get("version").is_none() {
            self.document.set_first("version", JsonNode::Value(json!(1)));
        }
        self.document.object_mut("profiles")
    }

    fn read_profiles(&mut self) {
        let Some(entries) = self.document.get("profiles").and_then(JsonNode::to_object) else { return };
        let mut last = HashMap::new();
        for (position, (id, _)) in entries.members().enumerate() {
            if last.insert(id, position).is_some() && !self.duplicates.iter().any(|known| known == id) {
                self.duplicates.push(id.to_owned());
            }
        }
        for (position, (id, node)) in entries.members().enumerate() {
            if last.get(id) != Some(&position) {
                continue;
            }
            match credential_of(node) {
                Ok(credential) => self.profiles.push((id.to_owned(), credential)),
                Err(rejection) => self.rejected.push((id.to_owned(), rejection)),
            }
        }
    }

    fn read_usage(&mut self) {
        let Some(entries) = self.document.get("usageStats").and_then(JsonNode::to_object) else { return };
        let mut places = HashMap::new();
        for (id, node) in entries.members() {
            let Some(Value::Object(stats)) = node.to_value() else { continue };
            let place = *places.entry(id).or_insert(self.usage.len());
            if place == self.usage.len() {
                self.usage.push((id.to_owned(), UsageStats::default()));
            }
            self.usage[place].1 = usage_of(&stats);
        }
    }
}

fn credential_of(node: &JsonNode) -> Result<Credential, Rejection> {
    let Some(Value::Object(entry)) = node.to_value() else { return Err(Rejection::NotAnObject) };
    let secret = |member: &str| entry.get(member).and_then(Value::as_str).map(Secret::new);
    let expires = expiry_of(entry.get("expires"));
    let material = match text(&entry, "type").as_deref() {
        Some("api_key") => Material::ApiKey { key: secret("key") },
        Some("oauth") => Material::OAuth {
            access: secret("access"),
            refresh: secret("refresh"),
            expires,
            account_id: text(&entry, "accountId"),
        },
        Some("token") => Material::Token { token: secret("token"), expires },
        _ => return Err(Rejection::UnknownType),
    };
    match text(&entry, "provider") {
        Some(provider) if !provider.trim().is_empty() => {
            Ok(Credential { provider, email: text(&entry, "email"), material })
        }
        _ => Err(Rejection::NoProvider),
    }
}

/// Reads an `expires` member.
pub fn expiry_of(member: Option<&Value>) -> Expiry {
    match member {
        None => Expiry::Absent,
        Some(Value::Null) => Expiry::Null,
        Some(Value::Number(number)) => match epoch_ms(number) {
            instant if instant > 0 => Expiry::At(instant),
            _ => Expiry::NotPositive,
        },
        Some(_) => Expiry::Unreadable,
    }
}

/// A JSON number as ms since the epoch: fractions cut off, values beyond the type clamped.
fn epoch_ms(number: &serde_json::Number) -> EpochMs {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a float cast saturates, which is the clamping we want"
    )]
    number.as_i64().unwrap_or_else(|| number.as_f64().unwrap_or_default() as EpochMs)
}

fn usage_of(stats: &Map<String, Value>) -> UsageStats {
    let instant = |member: &str| expiry_of(stats.get(member)).at();
    UsageStats {
        last_used: instant("lastUsed"),
        error_count: stats.get("errorCount").and_then(Value::as_u64).unwrap_or_default(),
        cooldown_until: instant("cooldownUntil"),
        disabled_until: instant("disabledUntil"),
        disabled_reason: text(stats, "disabledReason"),
    }
}

fn text(entry: &Map<String, Value>, member: &str) -> Option<String> {
    entry.get(member).and_then(Value::as_str).map(str::to_owned)
}

/// The one door through which secrets leave towards the store writer.
fn members_of(credential: &Credential) -> Vec<(&'static str, Value)> {
    let plain = |secret: &Option<Secret>| secret.as_ref().map(|secret| json!(secret.expose()));
    let instant = |expires: &Expiry| expires.at().map(|at| json!(at));
    let mut members = vec![
        ("type", Some(json!(credential.material.type_name()))),
        ("provider", Some(json!(credential.provider))),
    ];
    match &credential.material {
        Material::ApiKey { key } => members.push(("key", plain(key))),
        Material::OAuth { access, refresh, expires, account_id } => members.extend([
            ("access", plain(access)),
            ("refresh", plain(refresh)),
            ("expires", instant(expires)),
            ("accountId", account_id.as_ref().map(|id| json!(id))),
        ]),
        Material::Token { token, expires } => {
            members.extend([("token", plain(token)), ("expires", instant(expires))]);
        }
    }
    members.push(("email", credential.email.as_ref().map(|email| json!(email))));
    members.into_iter().filter_map(|(member, value)| Some((member, value?))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::expiry_of;
    use crate::core::credential::Expiry;

    #[test]
    fn only_a_positive_number_is_an_instant() {
        let year_292277026596 = json!(9_223_372_017_117_600_000_000_000_f64);
        for (member, expected) in [
            (None, Expiry::Absent),
            (Some(json!(null)), Expiry::Null),
            (Some(json!(0)), Expiry::NotPositive),
            (Some(json!(-5)), Expiry::NotPositive),
            (Some(json!(0.4)), Expiry::NotPositive),
            (Some(json!("2030-01-01")), Expiry::Unreadable),
            (Some(json!([1])), Expiry::Unreadable),
            (Some(json!(1_795_338_356_548.009_3)), Expiry::At(1_795_338_356_548)),
            (Some(year_292277026596), Expiry::At(i64::MAX)),
        ] {
            assert_eq!(expiry_of(member.as_ref()), expected, "{member:?}");
        }
    }
}
