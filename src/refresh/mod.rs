//! Renewing logins: look, lock, look again, ask the provider once, store, write back.
//!
//! A refresh token is single-use at most providers. Everything here serves one rule: it is spent at most once, however
//! many processes, agents and threads want it, and what comes for it is not lost.

mod attempt;
pub mod exchange;
mod flight;

use std::path::Path;
use std::time::Duration;

use crate::clock::{Clock, Deadline};
use crate::core::credential::{Credential, EpochMs};
use crate::core::login::{Vendor, VendorLogin};
use crate::core::oauth::{self, Due, Parked};
use crate::core::provider;
use crate::core::refresh::{RefreshFailure, RefreshRecord};
use crate::core::secret::Secret;
use crate::core::snapshot::SourceState;
use crate::core::store::AuthStore;
use crate::process::Process;
use crate::sys::lock::LockError;
use crate::sys::reader::Reader;
use crate::workspace::Workspace;
use crate::workspace::logins::Login;
use crate::workspace::memory::Memory;
use crate::workspace::recovery::Recovery;
use crate::workspace::store::{CredentialStore, LockedStore, UpdateError, Updated};
use crate::workspace::vendor_file::{VendorFile, WrittenBack};
use attempt::Attempt;

/// How long a store, or a login that somebody else renews, is waited for: as long as the Node program waits.
const LOCK_PATIENCE: Duration = Duration::from_secs(50);
/// How long a provider gets for its answer when nothing says otherwise.
pub const TIME_LIMIT: Duration = Duration::from_secs(30);
/// How often a login whose tokens changed under our hands is looked at again.
const LOOKS: usize = 3;
/// How often storing is tried again, and how long apart, before the tokens stay parked.
const STORE_TRIES: u32 = 5;
/// How long our own memory may take to read.
const MEMORY_LIMIT: Duration = Duration::from_secs(5);
const STORE_PAUSE: Duration = Duration::from_millis(500);

/// What came of wanting a login renewed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Another program had renewed it; its tokens are in the store now.
    Adopted {
        /// Who renewed it.
        by: &'static str,
        /// Until when they are good.
        expires: Option<EpochMs>,
    },
    /// The provider gave nothing.
    Failed {
        /// Why it was asked.
        why: Due,
        /// What is remembered of it.
        failure: RefreshFailure,
        /// What happened, without any secret.
        message: String,
    },
    /// It is not due.
    Fresh {
        /// Until when it is good.
        expires: Option<EpochMs>,
    },
    /// Somebody wanted the command to end; nothing was sent.
    Interrupted,
    /// The program that it belongs to renews it, not we; says why.
    LeftToVendor(Vendor, String),
    /// The provider gave new tokens, and no disk took them; says what failed.
    Lost(String),
    /// The provider gave new tokens, and they are not everywhere where they belong. The recovery file has them.
    Parked {
        /// That file, for people.
        file: String,
        /// What stands in the way.
        message: String,
    },
    /// It was renewed.
    Renewed {
        /// Why.
        why: Due,
        /// Until when it is good.
        expires: EpochMs,
        /// The program that has the same tokens now.
        written_back: Option<Vendor>,
    },
    /// The provider was not asked: it failed before, and it is not yet time again.
    Resting(RefreshFailure),
    /// Something on this host stands in the way; nothing was sent.
    Unready(String),
    /// There is nothing to renew it with; says what is missing.
    Unsupported(String),
}

impl Outcome {
    /// Whether the login can be used now, as far as its expiry tells.
    pub fn is_good(&self) -> bool {
        matches!(self, Self::Adopted { .. } | Self::Fresh { .. } | Self::Renewed { .. })
    }
}

/// Renews the logins that one workspace sees.
pub struct Refresher<'r> {
    /// The process around us.
    pub process: &'r Process,
    /// What was loaded.
    pub workspace: &'r Workspace,
    /// The time.
    pub clock: &'r Clock,
    /// How long a provider gets for its answer.
    pub limit: Duration,
    /// Tells a person what takes long or goes wrong on the way.
    pub tell: &'r dyn Fn(&str),
}

/// Tokens that are still parked after an attempt to settle them.
pub struct Left {
    /// They.
    pub parked: Parked,
    /// What stands in the way.
    pub reason: String,
    /// Whether something failed; else nothing could be done here.
    pub is_failure: bool,
}

/// A login as it was loaded, before any lock.
struct Seen<'w> {
    id: &'w str,
    credential: &'w Credential,
    /// Its provider in normal form.
    provider: String,
    token: &'w Secret,
    store: CredentialStore,
    /// The vendor's login that it mirrors, or that has the same refresh token.
    vendor: Option<&'w Login>,
}

impl Refresher<'_> {
    /// The logins that the agent sees and that have a refresh token: inherited ones, then its own.
    pub fn logins(&self) -> Vec<(String, Credential)> {
        let own = self.workspace.own_store();
        let inherited = self.workspace.main_store().into_iter().flat_map(|main| &main.profiles);
        let inherited = inherited.filter(|(id, _)| !own.has_entry(id));
        let is_login = |entry: &&(String, Credential)| entry.1.material.refresh_token().is_some();
        inherited.chain(&own.profiles).filter(is_login).cloned().collect()
    }

    /// Renews a login when that is due, or wanted.
    ///
    /// Unless it is forced, a login whose last try failed is left alone until the next one is due, and one that only a
    /// person can mend is not tried at all.
    pub fn refresh(&self, id: &str, is_forced: bool) -> Outcome {
        let own = self.workspace.own_store();
        let Some(seen) = self.seen(&own, id) else {
            return Outcome::Unsupported("there is no such login with a refresh token".to_owned());
        };
        if let Some(unread) = self.unread_vendor(&seen) {
            return unread;
        }
        let now = self.clock.now().timestamp_millis();
        let why = oauth::due(&seen.credential.material, now, is_forced);
        let is_young = !is_forced && why == Some(Due::Expiring) && self.is_young(seen.credential, now);
        if why.is_none() || is_young {
            return Outcome::Fresh { expires: seen.credential.material.expiry().at() };
        }
        // One thread of this process at a time: the next one finds what the first one stored.
        let place = flight::place(seen.store.path(), id);
        let _turn = flight::turn(&place);
        let mut digest = seen.token.digest();
        for _ in 0..LOOKS {
            let locked = match self.lock_holders(&seen.provider, &digest, Some(&seen.store)) {
                Ok(locked) => locked,
                Err(error) => return self.unready(&error),
            };
            let attempt = Attempt { refresher: self, seen: &seen, stores: &locked, is_forced };
            let stored = match attempt.stored() {
                Ok(stored) => stored,
                Err(outcome) => return outcome,
            };
            let token = stored.material.refresh_token().map(Secret::digest);
            if token.as_ref() == Some(&digest) || attempt.is_renewed(&stored) {
                return attempt.run(&stored).unwrap_or_else(|outcome| outcome);
            }
            // The token has changed while the lock was waited for: other stores may hold the new one.
            match token {
                Some(token) => digest = token,
                None => return Outcome::Unsupported("it has no refresh token any more".to_owned()),
            }
        }
        Outcome::Unready("its tokens keep changing".to_owned())
    }

    /// Whether a token that lives for minutes has more than a quarter of its life before it.
    fn is_young(&self, credential: &Credential, now: EpochMs) -> bool {
        let renewed = self.workspace.refresh_record(credential).last_success;
        let expires = credential.material.expiry().at();
        renewed.zip(expires).is_some_and(|(renewed, expires)| expires - now > (expires - renewed) / 4)
    }

    /// Brings tokens of interrupted refreshes to where they belong. Tells what could not be done.
    pub fn settle(&self) -> Vec<Left> {
        let mut left = Vec::new();
        for parked in &self.workspace.parked {
            let holders = match self.lock_holders(&parked.provider, &parked.spent, None) {
                Ok(holders) => holders,
                Err(error) => {
                    left.push(Left { parked: parked.clone(), reason: error.to_string(), is_failure: true });
                    continue;
                }
            };
            // Whoever renews right now holds its store; what it has parked may be settled by now.
            let Some(parked) = Recovery::of(&self.workspace.paths).find(&parked.spent) else { continue };
            let vendor = self.workspace.logins.iter().find_map(|login| match &login.login {
                VendorLogin::Present { material, .. }
                    if material.refresh_token().is_some_and(|token| token.digest() == parked.spent) =>
                {
                    VendorFile::of(login)
                }
                _ => None,
            });
            let lock = vendor.as_ref().map(|vendor| vendor.lock(self.clock, LOCK_PATIENCE, &|| false));
            match lock.transpose() {
                Ok(_held) => {
                    let is_settled = |recovery: &Recovery| recovery.find(&parked.spent).is_none();
                    match self.distribute(&parked, &holders, vendor.as_ref()) {
                        Err(message) => left.push(Left { parked, reason: message, is_failure: true }),
                        Ok(_) if is_settled(&Recovery::of(&self.workspace.paths)) => {}
                        Ok(_) => left.push(Left {
                            parked,
                            reason: "not every place that may wait for them can be seen from here".to_owned(),
                            is_failure: false,
                        }),
                    }
                }
                Err(error) => left.push(Left { parked, reason: error.to_string(), is_failure: true }),
            }
        }
        left
    }

    /// Refuses a login of a vendor's program whose file cannot be read: it may hold newer tokens, and would be left with
    /// a spent one.
    fn unread_vendor(&self, seen: &Seen<'_>) -> Option<Outcome> {
        let mirrors = |login: &&Login| {
            let own = self.workspace.own_store();
            let main = self.workspace.main_store();
            let mirror = login.vendor.profile_id();
            let mut twins = own.profile(mirror).into_iter().chain(main.and_then(|main| main.profile(mirror)));
            login.vendor.provider() == seen.provider
                && (mirror == seen.id || twins.any(|twin| twin.material.refresh_token() == Some(seen.token)))
        };
        let login = self.workspace.logins.iter().find(mirrors)?;
        match &login.source.state {
            SourceState::Unreadable(problem) => Some(Outcome::Unready(format!(
                "{} cannot be read ({}), and may hold newer tokens",
                login.source.path.short, problem.message
            ))),
            SourceState::Absent | SourceState::Read => None,
        }
    }

    fn seen<'s>(&'s self, own: &'s AuthStore, id: &'s str) -> Option<Seen<'s>> {
        let inherited = || {
            let dir = self.workspace.agent.inherits_from.as_ref()?;
            Some((self.workspace.main_store()?.profile(id)?, CredentialStore::in_dir(dir)))
        };
        let (credential, store) =
            if own.has_entry(id) { (own.profile(id)?, self.workspace.store.clone()) } else { inherited()? };
        let token = credential.material.refresh_token()?;
        let provider = provider::normalize(&credential.provider);
        let vendor = self.workspace.logins.iter().find(|login| match &login.login {
            VendorLogin::Present { material, .. } => {
                login.vendor.provider() == provider
                    && material.refresh_token().is_some()
                    && (login.vendor.profile_id() == id || material.refresh_token() == Some(token))
            }
            VendorLogin::None | VendorLogin::Incomplete(_) => false,
        });
        Some(Seen { id, credential, provider, token, store, vendor })
    }

    /// Locks every store of this installation that holds a refresh token, `wanted` in any case; always in one order, so
    /// that two of us never wait for each other.
    fn lock_holders(
        &self,
        provider: &str,
        digest: &str,
        wanted: Option<&CredentialStore>,
    ) -> Result<Vec<LockedStore>, UpdateError> {
        let mut stores = self.workspace.stores();
        stores.retain(|store| {
            wanted.is_some_and(|wanted| wanted.is_same(store)) || store.holds(provider, digest) == Some(true)
        });
        stores.sort_by(|a, b| a.path().cmp(b.path()));
        let lock = |store: &CredentialStore| {
            let mut locked = store.lock(self.clock, LOCK_PATIENCE)?;
            // The first one must not go stale while the last one is waited for.
            locked.keep_alive();
            Ok(locked)
        };
        stores.iter().map(lock).collect()
    }

    /// Whether every place that may hold a refresh token of a provider can be read: else nobody can say that new tokens
    /// are everywhere where they belong.
    fn sees_everything(&self, provider: &str, digest: &str) -> bool {
        let mut logins = self.workspace.logins.iter().filter(|login| login.vendor.provider() == provider);
        logins.all(|login| !matches!(login.source.state, SourceState::Unreadable(_)))
            && self.workspace.stores().iter().all(|store| store.holds(provider, digest).is_some())
    }

    fn unready(&self, error: &UpdateError) -> Outcome {
        match error {
            UpdateError::Lock(LockError::Interrupted) => Outcome::Interrupted,
            UpdateError::Lock(LockError::Busy(lock)) => Outcome::Unready(format!(
                "the lock {} stays busy; if no gateway or other openclaw is running, remove it",
                self.shown(lock)
            )),
            error => Outcome::Unready(error.to_string()),
        }
    }

    fn shown(&self, path: &Path) -> String {
        self.workspace.paths.shown(path).short
    }

    /// Puts new tokens into every store that holds the spent one, and into the vendor's file; then the recovery file
    /// has done its service. Every lock is held.
    ///
    /// It stays where nobody was found to wait for these tokens, and nobody has them: then whoever waits cannot be seen
    /// from here, another agent folder or a file that cannot be read.
    fn distribute(
        &self,
        parked: &Parked,
        stores: &[LockedStore],
        vendor: Option<&VendorFile>,
    ) -> Result<Option<Vendor>, String> {
        let mut is_placed = false;
        for store in stores {
            is_placed |= self.store_tokens(store, parked)?;
        }
        let written = match vendor.map(|file| (file, file.write_back(parked, self.clock))) {
            Some((file, Ok(WrittenBack::Done))) => Some(file.vendor),
            Some((_, Ok(WrittenBack::NotOurs))) | None => None,
            Some((file, Err(error))) => {
                return Err(format!("failed to write {}: {error}", self.shown(file.path())));
            }
        };
        is_placed = is_placed || written.is_some() || self.is_held_somewhere(parked);
        if is_placed && self.sees_everything(&parked.provider, &parked.spent) {
            Recovery::of(&self.workspace.paths).settle(&parked.spent);
        }
        Ok(written)
    }

    /// Whether the new tokens are in a store already.
    fn is_held_somewhere(&self, parked: &Parked) -> bool {
        let next = parked.tokens.refresh.as_ref().map(Secret::digest);
        next.is_some_and(|next| {
            self.workspace.stores().iter().any(|store| store.holds(&parked.provider, &next) == Some(true))
        })
    }

    /// Stores new tokens where the spent one is; tells whether it was.
    fn store_tokens(&self, store: &LockedStore, parked: &Parked) -> Result<bool, String> {
        let shown = self.shown(store.path());
        let mut tries = 0;
        loop {
            let mut content = store.read().map_err(|error| error.to_string())?;
            let logins = content.logins_of(&parked.provider, |material| parked.is_for(material));
            if logins.is_empty() {
                return Ok(false);
            }
            for id in &logins {
                content.renew(id, &parked.tokens);
            }
            let error = match store.write(&content) {
                Ok(Updated::Unchanged | Updated::Written | Updated::WrittenInPlace) => return Ok(true),
                Err(error) => error,
            };
            tries += 1;
            if tries == STORE_TRIES {
                return Err(error.to_string());
            }
            (self.tell)(&format!("failed to store new tokens in {shown}, trying again: {error}"));
            self.clock.sleep(STORE_PAUSE);
        }
    }

    /// Remembers how a refresh ended, under the refresh token that counts from now on. That this fails costs nothing but
    /// the memory.
    fn remember(
        &self,
        spent: &Secret,
        next: &Secret,
        edit: impl Fn(RefreshRecord, EpochMs) -> RefreshRecord,
    ) -> RefreshRecord {
        let now = self.clock.now().timestamp_millis();
        let mut remembered = None;
        let updated = Memory::of(&self.workspace.paths).update(self.clock, |state, salt| {
            let (spent, next) = (spent.fingerprint(salt), next.fingerprint(salt));
            let record = edit(state.refresh(&spent), now);
            state.forget_refresh(&spent);
            state.set_refresh(&next, record.clone(), now);
            remembered = Some(record);
        });
        if let Err(reason) = updated {
            (self.tell)(&format!("note: failed to remember this refresh: {reason}"));
        }
        remembered.unwrap_or_else(|| edit(RefreshRecord::default(), now))
    }

    /// What is remembered of a login by now: whoever held the lock before us may have failed.
    fn remembered(&self, token: &Secret) -> RefreshRecord {
        let reader = Reader::new(Deadline::after(MEMORY_LIMIT));
        let state = Memory::of(&self.workspace.paths).read(&reader, self.clock).unwrap_or_default();
        let salt = state.salt.clone();
        salt.map(|salt| state.refresh(&token.fingerprint(&salt))).unwrap_or_default()
    }
}
