//! What a provider is asked with, in one line for people. No secret shows: ids, kinds, and masked ends of keys.

use url::Url;

use crate::core::credential::{EpochMs, Expiry, Material};
use crate::core::provider;
use crate::core::snapshot::ProfileRecord;
use crate::core::span;
use crate::core::store::UsageStats;
use crate::gateway::pool::Pool;
use crate::gateway::sessions::Visit;
use crate::gateway::view::View;

impl View {
    /// What is known of the use of each profile by now.
    pub(super) fn usage(&self, pool: &Pool) -> Vec<(String, UsageStats)> {
        let records = self.snapshot.profiles.iter();
        records
            .map(|record| {
                let (holder, stored) = self.held(record);
                (record.id.clone(), pool.stats(&holder, &stored))
            })
            .collect()
    }

    /// The profiles of a provider in the order in which a session tries them; else the environment, else a key of a file.
    pub(super) fn auth_line(&self, id: &str, visit: &Visit, pool: &Pool, now: EpochMs) -> String {
        let is_meant = |record: &&ProfileRecord| provider::normalize(&record.credential.provider) == id;
        let records: Vec<_> = self.snapshot.profiles.iter().filter(is_meant).collect();
        let usage = self.usage(pool);
        let mut arranged = self.workspace.rules(id).arrange(records, &usage, now);
        let pinned = visit.session.pinned.as_deref();
        let first = pinned.or_else(|| visit.session.kept(id, now));
        arranged.sort_by_key(|(record, _)| Some(record.id.as_str()) != first);
        let last_good = self.workspace.own_store().last_good(id);
        let until = |id: &str| {
            let stats = usage.iter().find(|(known, _)| known == id).map(|(_, stats)| stats);
            stats.and_then(|stats| Some((stats.cooldown_until.max(stats.disabled_until)?, stats)))
        };
        let rests = |id: &str| until(id).filter(|(until, _)| *until > now);
        let is_only = |id: &str| pinned.is_some_and(|pinned| self.provider_of(pinned) == id);
        let next = arranged
            .iter()
            .find(|(record, why)| {
                why.is_none()
                    && rests(&record.id).is_none()
                    && (!is_only(id) || pinned == Some(record.id.as_str()))
            })
            .map(|(record, _)| record.id.as_str());
        let lines = arranged.iter().map(|(record, why)| {
            let mut flags: Vec<String> = Vec::new();
            flags.extend((pinned == Some(record.id.as_str())).then(|| "pinned".to_owned()));
            flags.extend((next == Some(record.id.as_str())).then(|| "next".to_owned()));
            flags.extend((last_good.as_deref() == Some(record.id.as_str())).then(|| "lastGood".to_owned()));
            flags.extend(rests(&record.id).map(|(until, stats)| {
                let kind = if stats.disabled_until == Some(until) { "disabled" } else { "cooldown" };
                format!("{kind} {}", span::short(until - now))
            }));
            match record.credential.material.expiry() {
                Expiry::At(at) if at <= now => flags.push("expired".to_owned()),
                Expiry::At(at) => flags.push(format!("exp {}", span::short(at - now))),
                _ => {}
            }
            flags.extend(why.filter(|why| why.word() != "expired").map(|why| why.word().to_owned()));
            let flags = if flags.is_empty() { String::new() } else { format!(" ({})", flags.join(", ")) };
            let id = crate::core::chat_command::short(&record.id);
            format!("{id}={}{flags}", held(record))
        });
        let profiles: Vec<_> = lines.collect();
        if !profiles.is_empty() {
            return profiles.join(", ");
        }
        if let Some(credential) = self.snapshot.env_credentials.iter().find(|known| known.provider == id) {
            return format!("{} ({})", credential.mask(), credential.source);
        }
        let key = self.snapshot.provider_keys.iter().find(|key| provider::normalize(&key.provider) == id);
        key.map_or_else(|| "missing".to_owned(), |key| format!("{} ({})", key.secret.mask(), key.source))
    }

    /// Where a provider is asked, and in which words when the config says so.
    pub(super) fn endpoint_line(&self, id: &str) -> String {
        let entries = self.workspace.config.providers.iter();
        let api =
            entries.filter(|(known, _)| provider::normalize(known) == id).find_map(|(_, entry)| entry.api);
        let api = api.map_or_else(String::new, |api| format!(" api: {api}"));
        // Some put a key into an address: only where it leads is shown.
        let place = self.workspace.base_url(id).map_or_else(
            || "default".to_owned(),
            |base| match Url::parse(&base) {
                Ok(url) => {
                    format!("{}{}", url.origin().ascii_serialization(), url.path().trim_end_matches('/'))
                }
                Err(_) => "no address".to_owned(),
            },
        );
        format!("endpoint: {place}{api}")
    }
}

fn held(record: &ProfileRecord) -> String {
    let material = &record.credential.material;
    let mask =
        || material.usable_secret().map_or_else(|| "missing".to_owned(), crate::core::secret::Secret::mask);
    match material {
        Material::ApiKey { .. } => mask(),
        Material::Token { .. } => format!("token:{}", mask()),
        Material::OAuth { .. } => {
            let email =
                record.email.as_ref().map(|email| format!(" ({})", crate::core::chat_command::short(email)));
            format!("OAuth{}", email.unwrap_or_default())
        }
    }
}
