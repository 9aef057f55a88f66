//! Which profiles were there, and since when: what is gone can only be seen by who remembers it.

use crate::core::credential::EpochMs;
use crate::core::span;

/// How long a profile that is gone is told about; then it is taken for removed on purpose.
pub const MISSED_FOR: i64 = 7 * span::DAY;

/// A profile as it was last seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenProfile {
    /// The profile id.
    pub id: String,
    /// Its provider.
    pub provider: String,
    /// The fingerprint of what it held.
    pub mark: String,
    /// When that was first seen.
    pub first_seen: EpochMs,
    /// Since when it is gone.
    pub gone_since: Option<EpochMs>,
}

/// A profile as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Present {
    /// The profile id.
    pub id: String,
    /// Its provider.
    pub provider: String,
    /// The fingerprint of what it holds.
    pub mark: String,
}

/// The inventory after one more look. While a store is unreadable nothing counts as gone: it may be in there.
pub fn update(seen: &[SeenProfile], present: &[Present], is_whole: bool, now: EpochMs) -> Vec<SeenProfile> {
    let is_present = |id: &str| present.iter().any(|profile| profile.id == id);
    let kept = seen.iter().filter(|known| !is_present(&known.id)).filter_map(|known| {
        let gone_since = known.gone_since.or(is_whole.then_some(now));
        let is_missed = gone_since.is_none_or(|since| now.saturating_sub(since) < MISSED_FOR);
        is_missed.then(|| SeenProfile { gone_since, ..known.clone() })
    });
    let there = present.iter().map(|profile| {
        let before = seen.iter().find(|known| known.id == profile.id && known.mark == profile.mark);
        SeenProfile {
            id: profile.id.clone(),
            provider: profile.provider.clone(),
            mark: profile.mark.clone(),
            // A clock that was once wrong must not make a token look younger for ever.
            first_seen: before.map_or(now, |known| known.first_seen.min(now)),
            gone_since: None,
        }
    });
    there.chain(kept).collect()
}

#[cfg(test)]
mod tests {
    use super::{MISSED_FOR, Present, update};

    fn present(id: &str, mark: &str) -> Present {
        Present { id: id.to_owned(), provider: "anthropic".to_owned(), mark: mark.to_owned() }
    }

    #[test]
    fn what_is_gone_is_missed_for_a_week_and_only_when_everything_was_read() {
        let first = update(&[], &[present("a", "1"), present("b", "1")], true, 10);
        let torn = update(&first, &[], false, 20);
        assert!(torn.iter().all(|seen| seen.gone_since.is_none()));
        let gone = update(&torn, &[present("b", "2")], true, 30);
        let by_id = |list: &[super::SeenProfile], id: &str| list.iter().find(|seen| seen.id == id).cloned();
        assert_eq!(by_id(&gone, "a").unwrap().gone_since, Some(30));
        assert_eq!(by_id(&gone, "b").unwrap().first_seen, 30, "another token is as new as it looks");
        let back = update(&gone, &[present("a", "1"), present("b", "2")], true, 40);
        assert_eq!(by_id(&back, "a").map(|seen| (seen.first_seen, seen.gone_since)), Some((10, None)));
        let missed = update(&gone, &[present("b", "2")], true, 30 + MISSED_FOR - 1);
        assert_eq!(missed.len(), 2);
        assert_eq!(update(&missed, &[present("b", "2")], true, 30 + MISSED_FOR).len(), 1);
    }
}
