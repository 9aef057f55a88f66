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
use crate::core::oauth::{self, Due, RefreshFailure, RefreshRecord};
use crate::core::provider;
use crate::core::secret::Secret;
use crate::format::recovery::Parked;
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
        let now = self.clock.now().timestamp_millis();
        if oauth::due(&seen.credential.material, now, is_forced).is_none() {
            return Outcome::Fresh { expires: seen.credential.material.expiry().at() };
        }
        // One thread of this process at a time: the next one finds what the first one stored.
        let place = flight::place(seen.store.path(), id);
        let _turn = flight::turn(&place);
        let stores = match self.lock_holders(&seen.provider, &seen.token.digest(), Some(&seen.store)) {
            Ok(stores) => stores,
            Err(error) => return self.unready(&error),
        };
        let _beats: Vec<_> = stores.iter().map(LockedStore::keep_alive).collect();
        let attempt = Attempt { refresher: self, seen: &seen, stores: &stores, is_forced };
        attempt.run().unwrap_or_else(|outcome| outcome)
    }

    /// Brings tokens of interrupted refreshes to where they belong. Tells what could not be done.
    pub fn settle(&self) -> Vec<(Parked, String)> {
        let mut left = Vec::new();
        for parked in &self.workspace.parked {
            let holders = match self.lock_holders(&parked.provider, &parked.spent, None) {
                Ok(holders) => holders,
                Err(error) => {
                    left.push((parked.clone(), error.to_string()));
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
                    if let Err(message) = self.distribute(&parked, &holders, vendor.as_ref()) {
                        left.push((parked, message));
                    }
                }
                Err(error) => left.push((parked, error.to_string())),
            }
        }
        left
    }

    fn seen<'s>(&'s self, own: &'s crate::core::store::AuthStore, id: &'s str) -> Option<Seen<'s>> {
        let inherited = || {
            let dir = self.workspace.agent.inherits_from.as_ref()?;
            Some((self.workspace.main_store()?.profile(id)?, CredentialStore::in_dir(dir)))
        };
        let own = own.profile(id).map(|credential| (credential, self.workspace.store.clone()));
        let (credential, store) = own.or_else(inherited)?;
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
            wanted.is_some_and(|wanted| wanted.path() == store.path()) || store.holds(provider, digest)
        });
        stores.sort_by(|a, b| a.path().cmp(b.path()));
        stores.iter().map(|store| store.lock(self.clock, LOCK_PATIENCE)).collect()
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
    fn distribute(
        &self,
        parked: &Parked,
        stores: &[LockedStore],
        vendor: Option<&VendorFile>,
    ) -> Result<Option<Vendor>, String> {
        for store in stores {
            self.store_tokens(store, parked)?;
        }
        let written =
            match vendor.map(|file| (file, file.write_back(&parked.spent, &parked.tokens, self.clock))) {
                Some((file, Ok(WrittenBack::Done))) => Some(file.vendor),
                Some((_, Ok(WrittenBack::NotOurs))) | None => None,
                Some((file, Err(error))) => {
                    return Err(format!("failed to write {}: {error}", self.shown(file.path())));
                }
            };
        Recovery::of(&self.workspace.paths).settle(&parked.spent);
        Ok(written)
    }

    fn store_tokens(&self, store: &LockedStore, parked: &Parked) -> Result<(), String> {
        let shown = self.shown(store.path());
        let mut tries = 0;
        loop {
            let mut content = store.read().map_err(|error| error.to_string())?;
            let logins = content.logins_of(&parked.provider, &parked.spent);
            if logins.is_empty() {
                return Ok(());
            }
            for id in &logins {
                content.renew(id, &parked.tokens);
            }
            let error = match store.write(&content) {
                Ok(Updated::Unchanged | Updated::Written | Updated::WrittenInPlace) => return Ok(()),
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
