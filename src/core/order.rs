//! Which profile of a provider is tried first. Rules of the reference: spec of the rotation order.

use crate::core::credential::{EpochMs, Expiry, Material};
use crate::core::provider;
use crate::core::snapshot::ProfileRecord;
use crate::core::store::UsageStats;

/// Why a profile is passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ineligible {
    /// An explicit order does not have it.
    ExcludedByOrder,
    /// Its expiry cannot be read.
    ExpiryUnreadable,
    /// It is over.
    Expired,
    /// The config gives it another provider or mode.
    ModeMismatch,
    /// It holds nothing to use.
    NoSecret,
    /// It holds a `${VAR}` that nobody resolves.
    UnresolvedRef,
}

impl Ineligible {
    /// The stable word (reference: reason codes of the probe).
    pub fn word(self) -> &'static str {
        match self {
            Self::ExcludedByOrder => "excluded_by_auth_order",
            Self::ExpiryUnreadable => "invalid_expires",
            Self::Expired => "expired",
            Self::ModeMismatch => "ineligible_profile",
            Self::NoSecret => "missing_credential",
            Self::UnresolvedRef => "unresolved_ref",
        }
    }
}

/// What decides about the profiles of one provider.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// The explicit order, of the store or else of the config.
    pub explicit: Option<Vec<String>>,
    /// What the config's `auth.profiles` says: id, provider, mode.
    pub declared: Vec<(String, String, &'static str)>,
}

impl Rules {
    /// Why a profile is passed over; `None` when it is usable at this instant.
    pub fn ineligible(&self, record: &ProfileRecord, now: EpochMs) -> Option<Ineligible> {
        let credential = &record.credential;
        let id = provider::normalize(&credential.provider);
        if self.explicit.as_ref().is_some_and(|order| !order.contains(&record.id)) {
            return Some(Ineligible::ExcludedByOrder);
        }
        let kind = credential.material.type_name();
        let agrees = |(_, declared, mode): &(String, String, &'static str)| {
            provider::normalize(declared) == id && (*mode == kind || (*mode == "oauth" && kind == "token"))
        };
        let declared = self.declared.iter().find(|(known, ..)| *known == record.id);
        if !declared.is_none_or(agrees) {
            return Some(Ineligible::ModeMismatch);
        }
        let Some(secret) = credential.material.usable_secret() else { return Some(Ineligible::NoSecret) };
        if secret.expose().trim().starts_with("${") {
            return Some(Ineligible::UnresolvedRef);
        }
        match credential.material.expiry() {
            Expiry::At(expires) if expires <= now => Some(Ineligible::Expired),
            Expiry::Unreadable => Some(Ineligible::ExpiryUnreadable),
            _ => None,
        }
    }

    /// The profiles of a provider in the order in which they are tried, each with the reason why it is passed over. A
    /// login that is over and can be renewed is not passed over: it is renewed on use.
    pub fn arrange<'r>(
        &self,
        records: impl IntoIterator<Item = &'r ProfileRecord>,
        usage: &[(String, UsageStats)],
        now: EpochMs,
    ) -> Vec<(&'r ProfileRecord, Option<Ineligible>)> {
        let stats = |id: &str| usage.iter().find(|(known, _)| known == id).map(|(_, stats)| stats);
        let mut arranged: Vec<_> = records
            .into_iter()
            .map(|record| {
                let renews = record.credential.material.refresh_token().is_some();
                let why = self.ineligible(record, now).filter(|why| !(renews && *why == Ineligible::Expired));
                (record, why)
            })
            .collect();
        arranged.sort_by_key(|(record, why)| {
            let stats = stats(&record.id);
            let rests = stats.and_then(|stats| stats.cooldown_until.max(stats.disabled_until));
            let rests = rests.filter(|until| *until > now);
            let place = match &self.explicit {
                Some(order) => {
                    (order.iter().position(|id| *id == record.id).unwrap_or(usize::MAX), EpochMs::MIN)
                }
                None => {
                    (kind_rank(&record.credential.material), stats.and_then(|s| s.last_used).unwrap_or(0))
                }
            };
            (why.is_some(), rests, place)
        });
        arranged
    }
}

/// Logins come before tokens, tokens before keys.
fn kind_rank(material: &Material) -> usize {
    match material {
        Material::OAuth { .. } => 0,
        Material::Token { .. } => 1,
        Material::ApiKey { .. } => 2,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Ineligible, Rules};
    use crate::core::credential::{Credential, Expiry, Material};
    use crate::core::refresh::RefreshRecord;
    use crate::core::secret::Secret;
    use crate::core::snapshot::{FilePath, LoginFacts, ProfileRecord};
    use crate::core::store::UsageStats;

    fn record(id: &str, material: Material) -> ProfileRecord {
        ProfileRecord {
            id: id.to_owned(),
            credential: Credential { provider: "p".to_owned(), email: None, material },
            email: None,
            store: Arc::new(FilePath::default()),
            inherited: false,
            login: LoginFacts::default(),
            refresh: RefreshRecord::default(),
        }
    }

    fn key(id: &str) -> ProfileRecord {
        record(id, Material::ApiKey { key: Some(Secret::new("k")) })
    }

    fn login(id: &str, expires: i64, refresh: Option<&str>) -> ProfileRecord {
        let (access, refresh) = (Some(Secret::new("a")), refresh.map(Secret::new));
        record(id, Material::OAuth { access, refresh, expires: Expiry::At(expires), account_id: None })
    }

    fn token(id: &str, expires: i64) -> ProfileRecord {
        record(id, Material::Token { token: Some(Secret::new("t")), expires: Expiry::At(expires) })
    }

    fn ids(rules: &Rules, records: &[ProfileRecord], usage: &[(String, UsageStats)]) -> Vec<String> {
        let arranged = rules.arrange(records, usage, 1_000);
        arranged.into_iter().filter(|(_, why)| why.is_none()).map(|(record, _)| record.id.clone()).collect()
    }

    #[test]
    fn logins_come_first_and_the_least_recently_used_of_a_kind() {
        let records =
            [key("k"), token("t", 2_000), login("b", 2_000, None), login("a", 2_000, None), token("over", 5)];
        let used =
            |id: &str, at| (id.to_owned(), UsageStats { last_used: Some(at), ..UsageStats::default() });
        let usage = [used("b", 900), used("a", 100)];
        assert_eq!(ids(&Rules::default(), &records, &usage), ["a", "b", "t", "k"]);
        let resting = UsageStats { cooldown_until: Some(1_500), ..UsageStats::default() };
        assert_eq!(ids(&Rules::default(), &records, &[("a".to_owned(), resting)]), ["b", "t", "k", "a"]);
    }

    #[test]
    fn an_explicit_order_is_kept_and_drops_the_rest() {
        let records = [key("k"), login("over", 5, Some("r")), login("dead", 5, None)];
        let explicit = Some(vec!["k".to_owned(), "over".to_owned()]);
        let rules = Rules { explicit, ..Rules::default() };
        assert_eq!(ids(&rules, &records, &[]), ["k", "over"]);
        assert_eq!(rules.ineligible(&records[2], 1_000), Some(Ineligible::ExcludedByOrder));
        let declared = vec![("k".to_owned(), "p".to_owned(), "oauth")];
        let rules = Rules { declared, explicit: None };
        assert_eq!(rules.ineligible(&records[0], 1_000), Some(Ineligible::ModeMismatch));
        assert_eq!(ids(&rules, &records, &[]), ["over"]);
    }
}
