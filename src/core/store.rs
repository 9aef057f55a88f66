//! The auth store of one agent: profiles, order, last good profile, usage statistics.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};

use crate::core::credential::{Credential, EpochMs, Expiry, Material};
use crate::core::json_tree::{JsonNode, JsonObject};
use crate::core::oauth::Tokens;
use crate::core::provider;
use crate::core::secret::Secret;
pub use crate::core::usage_stats::UsageStats;

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

    /// Every id that the document says something about: profiles, understood or not, and usage statistics.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        let rejected = self.rejected.iter().map(|(id, _)| id.as_str());
        let usage = self.usage.iter().map(|(id, _)| id.as_str());
        self.profiles.iter().map(|(id, _)| id.as_str()).chain(rejected).chain(usage)
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

    /// Gives a login its new tokens; every other member of its entry stays. Tells whether there is such a login.
    pub fn renew(&mut self, id: &str, tokens: &Tokens) -> bool {
        let Some((_, credential)) = self.profiles.iter_mut().find(|(known, _)| known == id) else {
            return false;
        };
        let Material::OAuth { access, refresh, expires, account_id } = &mut credential.material else {
            return false;
        };
        *access = Some(tokens.access.clone());
        *expires = Expiry::At(tokens.expires);
        *refresh = tokens.refresh.clone().or(refresh.take());
        *account_id = tokens.account_id.clone().or(account_id.take());
        let members = members_of(credential);
        let entry = self.profiles_mut().object_mut(id);
        for (member, value) in members {
            entry.set(member, JsonNode::Value(value));
        }
        true
    }

    /// A member of a profile's entry that only some providers have.
    pub fn text_member(&self, id: &str, member: &str) -> Option<String> {
        let entry = self.raw_entry(id)?.to_object()?;
        entry.text(member).filter(|text| !text.trim().is_empty())
    }

    /// Sets a member that only some providers have.
    pub fn set_text_member(&mut self, id: &str, member: &str, value: &str) {
        self.profiles_mut().object_mut(id).set(member, JsonNode::Value(json!(value)));
    }

    /// The logins of a provider for which something holds.
    pub fn logins_of(&self, provider_id: &str, holds: impl Fn(&Material) -> bool) -> Vec<String> {
        let logins = self.profiles.iter().filter(|(_, credential)| {
            provider::normalize(&credential.provider) == provider_id && holds(&credential.material)
        });
        logins.map(|(id, _)| id.clone()).collect()
    }

    /// Adds entries exactly as an older file spelled them; the first of an id counts, and none replaces what is there.
    pub fn import(&mut self, entries: &[(String, JsonObject)]) {
        let mut taken: HashSet<String> = self.profiles.iter().map(|(id, _)| id.clone()).collect();
        taken.extend(self.rejected.iter().map(|(id, _)| id.clone()));
        let profiles = self.profiles_mut();
        for (id, entry) in entries {
            if taken.insert(id.clone()) {
                profiles.push(id, JsonNode::Object(entry.clone()));
            }
        }
        *self = Self::from_document(std::mem::take(&mut self.document));
    }

    /// The profile of a provider that worked last.
    pub fn last_good(&self, provider_id: &str) -> Option<String> {
        self.document.get("lastGood").and_then(JsonNode::to_object)?.text(provider_id)
    }

    /// The order that the store gives to a provider, under any spelling of it.
    pub fn order(&self, provider_id: &str) -> Option<Vec<String>> {
        let orders = self.document.get("order")?.to_object()?;
        let wanted = provider::normalize(provider_id);
        let found =
            orders.members().filter(|(key, _)| provider::normalize(key) == wanted).last()?.1.to_value()?;
        let ids = found.as_array()?.iter().filter_map(Value::as_str).map(|id| id.trim().to_owned());
        Some(ids.filter(|id| !id.is_empty()).collect::<Vec<_>>()).filter(|ids| !ids.is_empty())
    }

    /// Gives a provider an order, or takes it away; tells whether that changed anything.
    pub fn set_order(&mut self, provider_id: &str, ids: Option<&[String]>) -> bool {
        if self.order(provider_id).as_deref() == ids {
            return false;
        }
        let wanted = provider::normalize(provider_id);
        self.require_version();
        let orders = self.document.object_mut("order");
        let spellings: Vec<_> = orders.members().map(|(key, _)| key.to_owned()).collect();
        for key in spellings.iter().filter(|key| provider::normalize(key) == wanted) {
            orders.remove(key);
        }
        if let Some(ids) = ids {
            orders.push(&wanted, JsonNode::Value(json!(ids)));
        } else if orders.members().next().is_none() {
            self.document.remove("order");
        }
        true
    }

    /// Lets a resting profile be used again: no cooldown, not disabled, no errors counted. Tells whether it rested.
    pub fn unblock(&mut self, id: &str) -> bool {
        let Some((_, stats)) = self.usage.iter().find(|(known, _)| known == id) else { return false };
        if stats.cooldown_until.is_none() && stats.disabled_until.is_none() && stats.error_count == 0 {
            return false;
        }
        let rested = stats.rested();
        self.set_usage(id, rested);
        true
    }

    /// Remembers what using a profile has come to; members that we do not know stay.
    pub fn set_usage(&mut self, id: &str, stats: UsageStats) {
        self.require_version();
        stats.write(self.document.object_mut("usageStats").object_mut(id));
        match self.usage.iter_mut().find(|(known, _)| known == id) {
            Some((_, known)) => *known = stats,
            None => self.usage.push((id.to_owned(), stats)),
        }
    }

    /// Remembers which profile of a provider worked last.
    pub fn set_last_good(&mut self, provider_id: &str, id: &str) {
        self.require_version();
        self.document.object_mut("lastGood").set(provider_id, JsonNode::Value(json!(id)));
    }

    /// The entry of an id exactly as it stands in the document.
    pub fn raw_entry(&self, id: &str) -> Option<JsonNode> {
        self.document.get("profiles")?.to_object()?.get(id).cloned()
    }

    /// Puts an entry back as it stood before, or takes it away when there was none.
    pub fn restore_entry(&mut self, id: &str, entry: Option<JsonNode>) {
        match entry {
            Some(entry) => self.profiles_mut().set(id, entry),
            None => self.profiles_mut().remove(id),
        }
        *self = Self::from_document(std::mem::take(&mut self.document));
    }

    /// Removes a profile and everything that the store says of it.
    pub fn forget(&mut self, id: &str) {
        self.remove(id);
        self.usage.retain(|(known, _)| known != id);
        if self.document.get("usageStats").is_some() {
            self.document.object_mut("usageStats").remove(id);
        }
        let providers: Vec<String> =
            self.document.get("order").and_then(JsonNode::to_object).map_or_else(Vec::new, |orders| {
                orders.members().map(|(provider, _)| provider.to_owned()).collect()
            });
        for provider in providers {
            let ids = self.order(&provider).unwrap_or_default();
            if ids.iter().any(|known| known == id) {
                let kept: Vec<_> = ids.into_iter().filter(|known| known != id).collect();
                self.set_order(&provider, Some(kept.as_slice()).filter(|kept| !kept.is_empty()));
            }
        }
        let last_good = self.document.get("lastGood").and_then(JsonNode::to_object).unwrap_or_default();
        for (provider, _) in last_good.members().filter(|(_, node)| node.to_value() == Some(json!(id))) {
            self.document.object_mut("lastGood").remove(provider);
        }
    }

    /// Removes a profile.
    pub fn remove(&mut self, id: &str) {
        self.profiles_mut().remove(id);
        self.profiles.retain(|(profile, _)| profile != id);
        self.rejected.retain(|(rejected, _)| rejected != id);
    }

    fn profiles_mut(&mut self) -> &mut JsonObject {
        self.require_version();
        self.document.object_mut("profiles")
    }

    /// The reference wants a version and a `profiles` object in every store.
    fn require_version(&mut self) {
        if self.document.get("version").is_none() {
            self.document.set_first("version", JsonNode::Value(json!(1)));
        }
        if self.document.get("profiles").is_none() {
            self.document.object_mut("profiles");
        }
    }

    fn read_profiles(&mut self) {
        let Some(entries) = self.document.get("profiles").and_then(JsonNode::to_object) else { return };
        let (mut last, mut told) = (HashMap::new(), HashSet::new());
        for (position, (id, _)) in entries.members().enumerate() {
            if last.insert(id, position).is_some() && told.insert(id) {
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
            let Some(stats) = node.to_object() else { continue };
            let place = *places.entry(id).or_insert(self.usage.len());
            if place == self.usage.len() {
                self.usage.push((id.to_owned(), UsageStats::default()));
            }
            self.usage[place].1 = UsageStats::read(&stats);
        }
    }
}

/// Looks only at the members of a credential: whatever else stands in the entry cannot make it unreadable.
fn credential_of(node: &JsonNode) -> Result<Credential, Rejection> {
    let Some(entry) = node.to_object() else { return Err(Rejection::NotAnObject) };
    let expires = expiry_of(&entry, "expires");
    let material = match entry.text("type").as_deref() {
        Some("api_key") => Material::ApiKey { key: entry.secret("key") },
        Some("oauth") => Material::OAuth {
            access: entry.secret("access"),
            refresh: entry.secret("refresh"),
            expires,
            account_id: entry.text("accountId"),
        },
        Some("token") => Material::Token { token: entry.secret("token"), expires },
        _ => return Err(Rejection::UnknownType),
    };
    match entry.text("provider") {
        Some(provider) if !provider.trim().is_empty() => {
            Ok(Credential { provider, email: entry.text("email"), material })
        }
        _ => Err(Rejection::NoProvider),
    }
}

/// Reads a member that holds an instant.
pub fn expiry_of(object: &JsonObject, member: &str) -> Expiry {
    let Some(node) = object.get(member) else { return Expiry::Absent };
    match node.to_value() {
        Some(Value::Null) => Expiry::Null,
        Some(Value::Number(number)) => match epoch_ms(&number) {
            instant if instant > 0 => Expiry::At(instant),
            _ => Expiry::NotPositive,
        },
        Some(_) | None => Expiry::Unreadable,
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

/// The one door through which secrets leave towards the store writer.
fn members_of(credential: &Credential) -> Vec<(&'static str, Value)> {
    let plain = |secret: &Option<Secret>| secret.as_ref().map(|secret| json!(secret.expose()));
    let instant = |expires: &Expiry| expires.is_number().then(|| json!(expires.at().unwrap_or_default()));
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
    use super::{AuthStore, expiry_of};
    use crate::core::credential::Expiry;
    use crate::core::json_tree::JsonObject;

    #[test]
    fn only_a_positive_number_is_an_instant() {
        for (member, expected) in [
            ("", Expiry::Absent),
            (r#""expires": null"#, Expiry::Null),
            (r#""expires": 0"#, Expiry::NotPositive),
            (r#""expires": -5"#, Expiry::NotPositive),
            (r#""expires": 0.4"#, Expiry::NotPositive),
            (r#""expires": "2030-01-01""#, Expiry::Unreadable),
            (r#""expires": [1]"#, Expiry::Unreadable),
            (r#""expires": 1e999"#, Expiry::Unreadable),
            (r#""expires": 1795338356548.0093"#, Expiry::At(1_795_338_356_548)),
            (r#""expires": 9223372017117600000000000"#, Expiry::At(i64::MAX)),
        ] {
            let object: JsonObject = serde_json::from_str(&format!("{{{member}}}")).unwrap();
            assert_eq!(expiry_of(&object, "expires"), expected, "{member}");
        }
    }

    #[test]
    fn a_foreign_member_cannot_make_a_profile_vanish() {
        let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
        for foreign in [r#""\ud83d""#, "1e999", deep.as_str()] {
            let text = format!(
                r#"{{"profiles": {{"a:x": {{"type": "token", "provider": "a", "token": "t", "expires": 5, "x": {foreign}}}}},
                    "usageStats": {{"a:x": {{"disabledUntil": 9, "x": {foreign}}}}}}}"#
            );
            let store = AuthStore::from_document(serde_json::from_str(&text).unwrap());
            assert_eq!(
                store.profile("a:x").map(|found| found.material.expiry()),
                Some(Expiry::At(5)),
                "{foreign}"
            );
            assert_eq!(store.usage[0].1.disabled_until, Some(9), "{foreign}");
        }
    }
}
