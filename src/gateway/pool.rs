//! What using the profiles has come to: kept in memory, written behind, merged with what others write.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;

use crate::clock::Clock;
use crate::core::cooldown::{self, Gate, Rests, Used};
use crate::core::credential::EpochMs;
use crate::core::store::UsageStats;
use crate::workspace::store::CredentialStore;

/// How long a write behind may wait for a store. What is not written then is written with the next.
const PATIENCE: Duration = Duration::from_secs(2);

/// A profile in a store.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Holder {
    /// The folder of the agent whose store it is.
    pub(super) dir: PathBuf,
    /// The profile.
    pub(super) id: String,
}

/// One use of a profile.
#[derive(Clone, Debug)]
struct Outcome {
    holder: Holder,
    provider: String,
    used: Used,
    at: EpochMs,
    /// Whether it is in the store, so that it can be forgotten once the store has been read again.
    is_written: bool,
}

/// The uses of all profiles since their stores were read.
#[derive(Debug, Default)]
pub(super) struct Pool {
    outcomes: Mutex<Vec<Outcome>>,
    trials: Arc<Mutex<HashSet<Holder>>>,
    /// Held while uses are written: two at once would write one use twice.
    writing: Mutex<()>,
    rests: ArcSwap<Rests>,
}

/// The right to try a profile that has failed; the next one may when it is dropped.
#[derive(Debug)]
pub(super) struct Trial {
    holder: Holder,
    trials: Arc<Mutex<HashSet<Holder>>>,
}

impl Drop for Trial {
    fn drop(&mut self) {
        locked(&self.trials).remove(&self.holder);
    }
}

/// Whether a profile may be used now.
#[derive(Debug)]
pub(super) enum Permit {
    /// It may.
    Open,
    /// Another request is trying whether it works again.
    Tried,
    /// Not before this instant.
    Resting(EpochMs),
    /// It may, to see whether it works again.
    Trial(Trial),
}

impl Pool {
    /// From now on failures make profiles rest for that long.
    pub(super) fn set_rests(&self, rests: &Rests) {
        if **self.rests.load() != *rests {
            self.rests.store(Arc::new(rests.clone()));
        }
    }

    /// What is known of a profile: what its store said, and what has happened since.
    pub(super) fn stats(&self, holder: &Holder, stored: &UsageStats) -> UsageStats {
        let outcomes = locked(&self.outcomes);
        let own = outcomes.iter().filter(|outcome| outcome.holder == *holder);
        own.fold(stored.clone(), |stats, outcome| {
            cooldown::after(&stats, outcome.used, outcome.at, &self.rests.load().of(&outcome.provider))
        })
    }

    /// Whether a profile must not be used at an instant.
    pub(super) fn rests(&self, holder: &Holder, stored: &UsageStats, now: EpochMs) -> bool {
        matches!(cooldown::gate(&self.stats(holder, stored), now), Gate::Resting(_))
    }

    /// Whether a profile may be used at an instant.
    pub(super) fn permit(&self, holder: &Holder, stored: &UsageStats, now: EpochMs) -> Permit {
        match cooldown::gate(&self.stats(holder, stored), now) {
            Gate::Open => Permit::Open,
            Gate::Resting(until) => Permit::Resting(until),
            Gate::Trial if locked(&self.trials).insert(holder.clone()) => {
                Permit::Trial(Trial { holder: holder.clone(), trials: Arc::clone(&self.trials) })
            }
            Gate::Trial => Permit::Tried,
        }
    }

    /// Remembers a use.
    pub(super) fn record(&self, holder: Holder, provider: &str, used: Used, at: EpochMs) {
        let mut outcomes = locked(&self.outcomes);
        let last = outcomes.iter_mut().rfind(|outcome| outcome.holder == holder);
        let repeated =
            last.filter(|last| last.used == Used::Worked && used == Used::Worked && !last.is_written);
        // Only the last of many successes is worth a write.
        if let Some(last) = repeated {
            last.at = at;
        } else {
            let provider = provider.to_owned();
            outcomes.push(Outcome { holder, provider, used, at, is_written: false });
        }
    }

    /// How many uses are in the stores by now. What was written before a store was read is in what was read.
    pub(super) fn written(&self) -> usize {
        locked(&self.outcomes).iter().take_while(|outcome| outcome.is_written).count()
    }

    /// Forgets the oldest uses: the stores that were read since have them.
    pub(super) fn forget(&self, count: usize) {
        locked(&self.outcomes).drain(..count);
    }

    /// Writes what has happened into the stores, on what is in them then. `is_known` tells which profiles are in use
    /// though their store may not have them: logins of other programs. Gives what could not be written.
    pub(super) fn flush(&self, clock: &Clock, is_known: impl Fn(&Holder) -> bool) -> Vec<String> {
        let _turn = locked(&self.writing);
        let mut waiting: BTreeMap<PathBuf, Vec<Outcome>> = BTreeMap::new();
        for outcome in locked(&self.outcomes).iter().filter(|outcome| !outcome.is_written) {
            waiting.entry(outcome.holder.dir.clone()).or_default().push(outcome.clone());
        }
        let mut failures = Vec::new();
        for (dir, outcomes) in waiting {
            if let Err(reason) = self.write(&dir, &outcomes, clock, &is_known) {
                failures.push(format!("{}: {reason}", dir.display()));
                continue;
            }
            let mut all = locked(&self.outcomes);
            for outcome in all.iter_mut().filter(|outcome| outcome.holder.dir == dir) {
                outcome.is_written |= outcomes.iter().any(|done| {
                    done.holder == outcome.holder && done.at == outcome.at && done.used == outcome.used
                });
            }
        }
        failures
    }

    fn write(
        &self,
        dir: &Path,
        outcomes: &[Outcome],
        clock: &Clock,
        is_known: &dyn Fn(&Holder) -> bool,
    ) -> Result<(), String> {
        let updated = CredentialStore::in_dir(dir).update(clock, PATIENCE, |store| {
            let mut has_changed = false;
            // A profile that is gone takes its statistics with it.
            let is_there =
                |outcome: &&Outcome| store.has_entry(&outcome.holder.id) || is_known(&outcome.holder);
            for outcome in outcomes.iter().filter(is_there).collect::<Vec<_>>() {
                let id = &outcome.holder.id;
                let known = store.usage.iter().find(|(known, _)| known == id).map(|(_, stats)| stats.clone());
                let ladders = self.rests.load().of(&outcome.provider);
                let stats = cooldown::after(&known.unwrap_or_default(), outcome.used, outcome.at, &ladders);
                store.set_usage(id, stats);
                if outcome.used == Used::Worked {
                    store.set_last_good(&outcome.provider, id);
                }
                has_changed = true;
            }
            has_changed
        });
        updated.map(drop).map_err(|error| error.to_string())
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};

    use super::{Holder, Permit, Pool};
    use crate::clock::Clock;
    use crate::core::cooldown::Used;
    use crate::core::failure::FailureClass;
    use crate::core::store::{AuthStore, UsageStats};
    use crate::sys::files;

    const AUTH: Used = Used::Failed(FailureClass::Auth, None);

    fn holder(dir: &std::path::Path) -> Holder {
        Holder { dir: dir.to_owned(), id: "a:x".to_owned() }
    }

    #[test]
    fn one_request_at_a_time_tries_what_has_failed() {
        let (pool, nothing) = (Pool::default(), UsageStats::default());
        let holder = holder("/nowhere".as_ref());
        assert!(matches!(pool.permit(&holder, &nothing, 0), Permit::Open));
        pool.record(holder.clone(), "a", AUTH, 0);
        assert!(matches!(pool.permit(&holder, &nothing, 59_999), Permit::Resting(60_000)));
        let trial = pool.permit(&holder, &nothing, 60_000);
        assert!(matches!(trial, Permit::Trial(_)));
        assert!(matches!(pool.permit(&holder, &nothing, 60_000), Permit::Tried));
        drop(trial);
        assert!(matches!(pool.permit(&holder, &nothing, 60_000), Permit::Trial(_)));
        pool.record(holder.clone(), "a", Used::Worked, 60_001);
        assert!(matches!(pool.permit(&holder, &nothing, 60_002), Permit::Open));
    }

    #[test]
    fn what_was_written_is_merged_with_what_others_wrote_and_forgotten_once_it_was_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("auth-profiles.json");
        let text = r#"{"version":1,"profiles":{"a:x":{"type":"api_key","provider":"a","key":"k"}},
            "usageStats":{"a:x":{"errorCount":1,"lastFailureAt":5,"other":true}}}"#;
        files::replace(&path, text.as_bytes()).unwrap();
        let clock = Clock::fixed(DateTime::<Utc>::from_timestamp_millis(1_000).unwrap());
        let (pool, holder) = (Pool::default(), holder(dir.path()));
        pool.record(holder.clone(), "a", AUTH, 10);
        pool.record(Holder { id: "gone".to_owned(), ..holder.clone() }, "a", AUTH, 11);
        pool.record(Holder { id: "lent".to_owned(), ..holder.clone() }, "a", AUTH, 11);
        assert_eq!(pool.flush(&clock, |holder| holder.id == "lent"), Vec::<String>::new());
        assert_eq!(pool.written(), 3);
        let read = || {
            let text = fs_err::read_to_string(&path).unwrap();
            let store = AuthStore::from_document(serde_json::from_str(&text).unwrap());
            (text, store)
        };
        let (text, store) = read();
        let stats = &store.usage[0].1;
        assert_eq!((stats.error_count, stats.cooldown_until, store.usage.len()), (2, Some(300_010), 2));
        assert_eq!((store.usage[1].0.as_str(), store.usage[1].1.error_count), ("lent", 1));
        assert!(text.contains("\"other\": true") || text.contains("\"other\":true"), "{text}");
        pool.forget(pool.written());
        assert_eq!(pool.stats(&holder, stats), *stats);
        // Many successes are one write, and the last one counts.
        for at in [20, 21, 22] {
            pool.record(holder.clone(), "a", Used::Worked, at);
        }
        assert!(pool.flush(&clock, |_| false).is_empty());
        let (_, store) = read();
        assert_eq!((store.usage[0].1.last_used, store.last_good("a").as_deref()), (Some(22), Some("a:x")));
        // What cannot be written is told and stays.
        fs_err::write(&path, "{ torn").unwrap();
        pool.record(holder.clone(), "a", AUTH, 30);
        assert_eq!(
            (pool.flush(&clock, |_| false).len(), fs_err::read_to_string(&path).unwrap().as_str()),
            (1, "{ torn")
        );
        assert!(matches!(pool.permit(&holder, &UsageStats::default(), 31), Permit::Resting(_)));
    }
}
