//! The sessions of one agent: kept in memory, written behind, merged with what other programs write.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::Clock;
use crate::core::credential::EpochMs;
use crate::core::model_ref::ModelRef;
use crate::core::session::Session;
use crate::core::span;
use crate::format::sessions::{self, Changed};
use crate::sys::files::Identity;
use crate::sys::random;
use crate::workspace::sessions::SessionStore;

/// How long a write behind may wait for the file: what is not written then is written with the next. The last one may take
/// longer.
const PATIENCE: Duration = Duration::from_millis(250);
const LAST_PATIENCE: Duration = Duration::from_secs(2);
/// How many sessions are kept in memory. Those in which nobody chose anything go first, the oldest before others.
const MOST: usize = 10_000;
/// How long the mere use of a session may wait for its write, in ms: the card of a phone lasts longer.
const USE_WAITS: i64 = span::MINUTE;

/// The sessions of an agent.
#[derive(Debug)]
pub(super) struct Sessions {
    store: SessionStore,
    known: Mutex<Known>,
    /// Held while the file is written or read.
    at_the_file: Mutex<()>,
}

#[derive(Debug, Default)]
struct Known {
    sessions: HashMap<String, Held>,
    /// The file that they are from.
    seen: Option<Identity>,
    /// Why the file could not be read or written.
    problem: Option<String>,
    /// The problem that was told last.
    told: Option<String>,
    /// When the file was written last.
    written: EpochMs,
}

#[derive(Clone, Debug, Default)]
struct Held {
    session: Session,
    /// What the file does not have yet.
    waiting: Option<Changed>,
    /// Counts its changes: what has changed while it was written is written again.
    changes: u64,
}

impl Sessions {
    /// Those of a file. Nothing is created.
    pub(super) fn of(store: SessionStore) -> Self {
        let sessions = Self { store, known: Mutex::default(), at_the_file: Mutex::default() };
        sessions.read_if_changed();
        sessions
    }

    /// Whether they are remembered there.
    pub(super) fn are_in(&self, store: &SessionStore) -> bool {
        self.store.path() == store.path()
    }

    /// What is known of a session; a new one when nothing is.
    pub(super) fn get(&self, key: &str) -> Session {
        self.known().sessions.get(key).map(|held| held.session.clone()).unwrap_or_default()
    }

    /// Changes a session and gives what it is then.
    pub(super) fn change(&self, key: &str, changed: Changed, edit: impl FnOnce(&mut Session)) -> Session {
        let mut known = self.known();
        if known.sessions.len() >= MOST && !known.sessions.contains_key(key) {
            known.make_room();
        }
        let held = known.sessions.entry(key.to_owned()).or_default();
        edit(&mut held.session);
        let before = held.waiting.unwrap_or_default();
        held.waiting = Some(Changed {
            choice: before.choice || changed.choice,
            is_new: before.is_new || changed.is_new,
        });
        held.changes += 1;
        held.session.clone()
    }

    /// Remembers who answered.
    pub(super) fn served(&self, key: &str, model: &ModelRef, profile: Option<&str>, now: EpochMs) {
        self.change(key, Changed::default(), |session| session.served(model, profile, now));
    }

    /// Every session that there is something to tell of, the last used first.
    pub(super) fn all(&self) -> Vec<(String, Session)> {
        let known = self.known();
        let mut all: Vec<_> =
            known.sessions.iter().map(|(key, held)| (key.clone(), held.session.clone())).collect();
        drop(known);
        all.sort_by(|one, other| (other.1.updated, &one.0).cmp(&(one.1.updated, &other.0)));
        all
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.known().sessions.len()
    }

    /// Why the file is left alone, when it is.
    pub(super) fn problem(&self) -> Option<String> {
        self.known().problem.clone()
    }

    /// Takes over what others wrote and writes what is waiting. `is_last` leaves nothing for later. Gives a problem once.
    pub(super) fn sync(&self, clock: &Clock, is_last: bool) -> Option<String> {
        self.read_if_changed();
        self.write(clock, is_last);
        let mut known = self.known();
        if known.told == known.problem {
            return None;
        }
        let problem = known.problem.clone();
        known.told.clone_from(&problem);
        let problem = problem?;
        Some(format!("{}: {problem}; sessions are kept in memory alone", self.store.path().display()))
    }

    fn read_if_changed(&self) {
        let _turn = locked(&self.at_the_file);
        let identity = self.store.identity();
        if self.known().seen.as_ref() == Some(&identity) {
            return;
        }
        let read = self.store.read();
        let mut known = self.known();
        // A file that cannot be read is tried again with every change of it.
        known.seen = Some(identity);
        match read {
            Ok(file) => {
                known.problem = None;
                known.adopt(file.sessions());
            }
            Err(problem) => known.problem = Some(problem),
        }
    }

    fn write(&self, clock: &Clock, is_last: bool) {
        let _turn = locked(&self.at_the_file);
        let now = clock.now().timestamp_millis();
        let known = self.known();
        let mut changes = known.sessions.values().filter_map(|held| held.waiting);
        let is_urgent = is_last || changes.any(|changed| changed.choice);
        if !is_urgent && now.saturating_sub(known.written) < USE_WAITS {
            return;
        }
        let mut waiting: Vec<_> = known
            .sessions
            .iter()
            .filter_map(|(key, held)| Some((key.clone(), held.session.clone(), held.waiting?, held.changes)))
            .collect();
        // What the file has no room for need not be written: the newest count, and choices before all.
        waiting.sort_by_key(|(_, session, changed, _)| (!changed.choice, std::cmp::Reverse(session.updated)));
        drop(known);
        if waiting.is_empty() {
            return;
        }
        let patience = if is_last { LAST_PATIENCE } else { PATIENCE };
        let written = self.store.update(clock, patience, |file| {
            for (key, session, changed, _) in waiting.iter().take(sessions::MOST) {
                // What has never held anything need not be in the file.
                if changed.choice || !session.is_blank() {
                    file.put(key, session, *changed, &new_id());
                }
            }
            file.prune(now);
        });
        let mut known = self.known();
        match written {
            Ok(identity) => {
                known.problem = None;
                known.written = now;
                known.seen = Some(identity);
                for (key, .., changes) in waiting {
                    if let Some(held) = known.sessions.get_mut(&key).filter(|held| held.changes == changes) {
                        held.waiting = None;
                    }
                }
            }
            Err(problem) => known.problem = Some(problem),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        locked(&self.known)
    }
}

impl Known {
    /// Takes what is in the file; what is still waiting to be written counts more.
    fn adopt(&mut self, from_file: Vec<(String, Session)>) {
        let mut adopted: HashMap<_, _> =
            from_file.into_iter().map(|(key, session)| (key, Held { session, ..Held::default() })).collect();
        for (key, held) in std::mem::take(&mut self.sessions) {
            let Some(waiting) = held.waiting else {
                // The file has one profile a session, and only for the model that answered last.
                if let Some(other) =
                    adopted.get_mut(&key).filter(|other| other.session.updated == held.session.updated)
                {
                    let kept = held.session.kept.into_iter();
                    let missing =
                        kept.filter(|(id, _)| other.session.kept.iter().all(|(known, _)| known != id));
                    let missing: Vec<_> = missing.collect();
                    other.session.kept.extend(missing);
                }
                continue;
            };
            let mut session = held.session;
            if let Some(other) = adopted.get(&key).filter(|_| !waiting.choice) {
                session.chosen.clone_from(&other.session.chosen);
                session.pinned.clone_from(&other.session.pinned);
            }
            adopted.insert(key, Held { session, waiting: Some(waiting), changes: held.changes });
        }
        self.sessions = adopted;
        if self.sessions.len() >= MOST {
            self.make_room();
        }
    }

    /// Lets a quarter go at once, so that it is not looked for with every request.
    fn make_room(&mut self) {
        let mut all: Vec<_> = self
            .sessions
            .iter()
            .map(|(key, held)| (held.session.has_choice(), held.session.updated, key.clone()))
            .collect();
        all.sort_unstable();
        let too_many = all.len().saturating_sub(MOST / 4 * 3);
        for (.., key) in all.into_iter().take(too_many) {
            self.sessions.remove(&key);
        }
    }
}

/// A session as one request sees it.
#[derive(Clone, Debug)]
pub(super) struct Visit {
    /// Where it is kept.
    pub(super) sessions: Arc<Sessions>,
    /// Its key.
    pub(super) key: String,
    /// What it was when the request came.
    pub(super) session: Session,
}

impl Visit {
    /// Remembers who answered.
    pub(super) fn served(&self, model: &ModelRef, profile: Option<&str>, now: EpochMs) {
        self.sessions.served(&self.key, model, profile, now);
    }
}

/// A random UUID (RFC 9562, version 4), as the reference names conversations.
fn new_id() -> String {
    let hex = random::hex(16).map_or_else(|_| "0".repeat(32), |hex| hex.expose().to_owned());
    format!("{}-{}-4{}-a{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..32])
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::{DateTime, Utc};

    use super::{MOST, Sessions, new_id};
    use crate::clock::Clock;
    use crate::core::model_ref::ModelRef;
    use crate::format::config_sections::Config;
    use crate::format::sessions::Changed;
    use crate::sys::files;
    use crate::workspace::Request;
    use crate::workspace::sessions::SessionStore;

    const CHOICE: Changed = Changed { choice: true, is_new: false };

    fn store(home: &std::path::Path) -> SessionStore {
        let variables = [("HOME".into(), home.into())].into_iter().collect();
        let process = crate::process::Process::imagined(variables, home.to_owned(), None);
        let reader = crate::sys::reader::Reader::new(crate::clock::Deadline::after(Duration::from_secs(5)));
        let installation = Request::default().installation;
        let paths = crate::workspace::paths::Paths::resolve(&process, &reader, &installation).unwrap();
        SessionStore::of(&paths, &Config::default(), "main")
    }

    fn clock() -> Clock {
        Clock::fixed(DateTime::<Utc>::from_timestamp_millis(1_000_000).unwrap())
    }

    fn model() -> ModelRef {
        ModelRef { provider: "a".to_owned(), model: "m".to_owned() }
    }

    #[test]
    fn a_choice_is_written_at_once_and_a_use_once_a_minute() {
        let home = tempfile::tempdir().unwrap();
        let (clock, store) = (clock(), store(home.path()));
        let sessions = Sessions::of(store.clone());
        assert!(sessions.sync(&clock, false).is_none() && !store.path().parent().unwrap().exists());
        sessions.change("k", CHOICE, |session| session.pinned = Some("a:1".to_owned()));
        assert_eq!(sessions.sync(&clock, false), None);
        assert_eq!(store.read().unwrap().sessions()[0].1.pinned.as_deref(), Some("a:1"));
        sessions.served("k", &model(), Some("a:1"), 5);
        sessions.sync(&clock, false);
        assert_eq!(store.read().unwrap().sessions()[0].1.last, None);
        clock.sleep(Duration::from_mins(1));
        sessions.sync(&clock, false);
        assert_eq!(store.read().unwrap().sessions()[0].1.last, Some(model()));
        sessions.served("l", &model(), Some("a:1"), 6);
        sessions.sync(&clock, true);
        assert_eq!(store.read().unwrap().sessions().len(), 2);
        assert_eq!(Sessions::of(store).get("l").kept("a", 7), Some("a:1"));
    }

    #[test]
    fn what_another_program_chose_counts_unless_something_newer_waits() {
        let home = tempfile::tempdir().unwrap();
        let (clock, store) = (clock(), store(home.path()));
        let sessions = Sessions::of(store.clone());
        sessions.served("k", &model(), Some("a:1"), 5);
        sessions.change("l", CHOICE, |session| session.pinned = Some("a:ours".to_owned()));
        files::create_private_dir(store.path().parent().unwrap()).unwrap();
        let theirs = r#"{"K":{"authProfileOverride":"a:2","authProfileOverrideSource":"user","x":1.0},"l":{"authProfileOverride":"a:theirs"}}"#;
        fs_err::write(store.path(), theirs).unwrap();
        sessions.sync(&clock, false);
        assert_eq!(
            (sessions.get("k").pinned.as_deref(), sessions.get("k").last),
            (Some("a:2"), Some(model()))
        );
        assert_eq!(sessions.get("l").pinned.as_deref(), Some("a:ours"));
        let text = fs_err::read_to_string(store.path()).unwrap();
        assert!(text.contains("\"x\": 1.0") || text.contains("\"x\":1.0"), "{text}");
        assert!(text.contains("a:ours") && text.contains("a:2") && !text.contains("a:theirs"), "{text}");
    }

    #[test]
    fn an_unreadable_file_is_told_once_and_left_as_it_is() {
        let home = tempfile::tempdir().unwrap();
        let (clock, store) = (clock(), store(home.path()));
        files::create_private_dir(store.path().parent().unwrap()).unwrap();
        fs_err::write(store.path(), "{ torn").unwrap();
        let sessions = Sessions::of(store.clone());
        sessions.change("k", CHOICE, |session| session.pinned = Some("a:1".to_owned()));
        assert!(sessions.problem().is_some());
        assert!(sessions.sync(&clock, true).unwrap().contains("in memory alone"));
        assert_eq!(sessions.sync(&clock, true), None);
        assert_eq!(fs_err::read_to_string(store.path()).unwrap(), "{ torn");
        assert_eq!(sessions.get("k").pinned.as_deref(), Some("a:1"));
        fs_err::write(store.path(), "{}").unwrap();
        assert_eq!(sessions.sync(&clock, false), None);
        assert_eq!(store.read().unwrap().sessions()[0].1.pinned.as_deref(), Some("a:1"));
        fs_err::write(store.path(), "[]").unwrap();
        assert!(sessions.sync(&clock, false).unwrap().contains("in memory alone"));
        assert_eq!(sessions.sync(&clock, false), None);
    }

    #[test]
    fn memory_is_bounded_and_choices_stay_longest() {
        let home = tempfile::tempdir().unwrap();
        let sessions = Sessions::of(store(home.path()));
        sessions.change("mine", CHOICE, |session| session.pinned = Some("a:1".to_owned()));
        for number in 0..MOST + 10 {
            sessions.served(&format!("k{number}"), &model(), Some("a:1"), i64::try_from(number).unwrap());
        }
        assert!(sessions.all().len() <= MOST);
        assert_eq!(sessions.get("mine").pinned.as_deref(), Some("a:1"));
        assert_eq!(sessions.get(&format!("k{}", MOST + 9)).last, Some(model()));
    }

    #[test]
    fn ids_are_uuids() {
        let id = new_id();
        let lengths: Vec<_> = id.split('-').map(str::len).collect();
        assert_eq!((lengths, &id[14..15]), (vec![8, 4, 4, 4, 12], "4"));
        assert_ne!(id, new_id());
    }
}
