//! Crossing from a subscription, which is paid anyway, to a key that is paid by use.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use crate::core::credential::Material;
use crate::core::token;
use crate::gateway::view::Candidate;

/// Which crossings have been told.
#[derive(Debug, Default)]
pub(super) struct Crossings {
    told: Mutex<BTreeSet<(String, String)>>,
}

impl Crossings {
    /// Whether a crossing is news: it was not told since the subscription last served.
    pub(super) fn is_news(&self, from: &str, to: &str) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.insert((from.to_owned(), to.to_owned()))
    }

    /// A subscription has served: the next crossing from it is news again.
    pub(super) fn served(&self, from: &str) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if !told.is_empty() {
            told.retain(|(known, _)| known != from);
        }
    }
}

/// Whether a credential is of a subscription. A setup token that somebody has stored as a key is one all the same.
pub(super) fn is_subscription(candidate: &Candidate) -> bool {
    !matches!(candidate.material, Material::ApiKey { .. })
        || token::is_setup_token(candidate.secret.expose().trim())
}

#[cfg(test)]
mod tests {
    use super::Crossings;

    #[test]
    fn a_crossing_is_told_once_until_the_subscription_has_served() {
        let crossings = Crossings::default();
        assert!(crossings.is_news("a:me", "a:key") && !crossings.is_news("a:me", "a:key"));
        assert!(crossings.is_news("a:me", "a:other"));
        crossings.served("b:me");
        assert!(!crossings.is_news("a:me", "a:key"));
        crossings.served("a:me");
        assert!(crossings.is_news("a:me", "a:key"));
    }
}
