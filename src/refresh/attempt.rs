//! One attempt at one login, with its stores locked.

use std::process::Command;
use std::time::Duration;

use crate::clock::Deadline;
use crate::core::credential::{Credential, EpochMs, Material};
use crate::core::login::{Vendor, VendorLogin};
use crate::core::oauth::{self, Due, Parked, Tokens};
use crate::core::refresh::RefreshRecord;
use crate::core::secret::Secret;
use crate::format::ops::ExternalRefresh;
use crate::refresh::{LOCK_PATIENCE, Outcome, Refresher, Seen, exchange};
use crate::sys::lock::{Lock, LockError};
use crate::sys::reader::Reader;
use crate::sys::{child, files};
use crate::workspace::logins;
use crate::workspace::recovery::Recovery;
use crate::workspace::store::LockedStore;
use crate::workspace::vendor_file::VendorFile;

/// A vendor's program that renewed the login before us writes its file a moment after it was answered.
const VENDOR_WRITES_WITHIN: u32 = 20;
const VENDOR_PAUSE: Duration = Duration::from_millis(100);
/// How long a vendor's program may take to renew its login, and how much it may say.
const DELEGATE_LIMIT: Duration = Duration::from_mins(2);
const DELEGATE_OUTPUT: usize = 1024 * 1024;

/// The locked stores and the login that is wanted from them.
pub(super) struct Attempt<'a> {
    pub(super) refresher: &'a Refresher<'a>,
    pub(super) seen: &'a Seen<'a>,
    pub(super) stores: &'a [LockedStore],
    pub(super) is_forced: bool,
}

impl Attempt<'_> {
    /// Everything behind the lock. Either side is an outcome: an early end is no error.
    pub(super) fn run(&self, stored: &Credential) -> Result<Outcome, Outcome> {
        if self.is_renewed(stored) {
            return Ok(adopted("another openclaw", &stored.material));
        }
        let why = self.due(stored, self.is_forced);
        let why = why.ok_or_else(|| Outcome::Fresh { expires: stored.material.expiry().at() })?;
        let spent = token_of(stored)?.digest();
        let recovery = Recovery::of(&self.refresher.workspace.paths);
        if let Some(parked) = recovery.find(&spent).filter(|parked| parked.is_for(&stored.material)) {
            // Somebody was killed between the answer and the store.
            let vendor = self.seen.vendor.and_then(VendorFile::of);
            let _lock = vendor.as_ref().map(|file| self.lock_vendor(file)).transpose()?;
            let kept = self.keep(&parked, vendor.as_ref(), why);
            self.remember_success(token_of(stored)?, parked.tokens.refresh.as_ref());
            return Ok(kept);
        }
        let Some(login) = self.seen.vendor else { return self.ask(stored, why, None) };
        let vendor = login.vendor;
        match (self.refresher.workspace.ops.external_refresh, VendorFile::of(login)) {
            (ExternalRefresh::Never, _) => {
                Err(Outcome::LeftToVendor(vendor, "refresh.external is \"never\"".to_owned()))
            }
            (ExternalRefresh::Delegate, _) => self.delegate(vendor),
            (ExternalRefresh::Direct, None) => {
                let message = "its login stands in the keychain, which only that program may change";
                Err(Outcome::LeftToVendor(vendor, message.to_owned()))
            }
            (ExternalRefresh::Direct, Some(file)) => {
                // What the program has renewed by itself needs no lock of the program.
                if let Some(newer) = self.adopt(&file, stored)?
                    && self.due(&newer, self.is_forced).is_none()
                {
                    return Ok(adopted(vendor.program(), &newer.material));
                }
                let lock = self.lock_vendor(&file)?;
                let stored = self.stored()?;
                let newer = self.adopt(&file, &stored)?;
                match newer {
                    Some(newer) if self.due(&newer, false).is_none() => {
                        Ok(adopted(vendor.program(), &newer.material))
                    }
                    newer => self.ask(&newer.unwrap_or(stored), why, Some((&file, &lock))),
                }
            }
        }
    }

    /// Whether somebody has renewed it since it was loaded: a token that lives so short that it is due again at once is
    /// not renewed by everybody who waited.
    pub(super) fn is_renewed(&self, stored: &Credential) -> bool {
        stored.material != self.seen.credential.material
            && matches!(self.due(stored, false), None | Some(Due::Expiring))
    }

    fn due(&self, credential: &Credential, is_forced: bool) -> Option<Due> {
        oauth::due(&credential.material, self.refresher.clock.now().timestamp_millis(), is_forced)
    }

    /// The store that the login was seen in.
    fn own(&self) -> Result<&LockedStore, Outcome> {
        let own = self.stores.iter().find(|store| store.is_of(&self.seen.store));
        own.ok_or_else(|| Outcome::Unready("its store is not there any more".to_owned()))
    }

    /// The login as it stands in its store now.
    pub(super) fn stored(&self) -> Result<Credential, Outcome> {
        let store = self.own()?.read().map_err(|error| self.refresher.unready(&error))?;
        let credential = store.profile(self.seen.id).cloned();
        credential.ok_or_else(|| Outcome::Unready("it was removed meanwhile".to_owned()))
    }

    fn lock_vendor(&self, file: &VendorFile) -> Result<Lock, Outcome> {
        let own = self.own()?;
        file.lock(self.refresher.clock, LOCK_PATIENCE, &|| own.is_interrupted()).map_err(
            |error| match error {
                LockError::Interrupted => Outcome::Interrupted,
                LockError::Busy(lock) => Outcome::Unready(format!(
                    "{} holds its lock {}; if it is not running, remove that",
                    file.vendor.program(),
                    self.refresher.shown(&lock)
                )),
                error @ LockError::Io(..) => Outcome::Unready(error.to_string()),
            },
        )
    }

    /// Takes what the vendor's file has over what is stored, when it is newer.
    fn adopt(&self, file: &VendorFile, stored: &Credential) -> Result<Option<Credential>, Outcome> {
        let shown = || self.refresher.shown(file.path());
        let login = file.read().map_err(|reason| Outcome::Unready(format!("{} {reason}", shown())))?;
        let VendorLogin::Present { material, .. } = login else { return Ok(None) };
        self.take_over(&material, stored)
    }

    fn take_over(&self, material: &Material, stored: &Credential) -> Result<Option<Credential>, Outcome> {
        let Material::OAuth { access: Some(access), refresh: Some(refresh), expires, account_id } = material
        else {
            return Ok(None);
        };
        let differs = stored.material.refresh_token() != Some(refresh)
            || stored.material.usable_secret() != Some(access);
        let Some(expires) = expires.at().filter(|at| differs && Some(*at) > stored.material.expiry().at())
        else {
            return Ok(None);
        };
        let tokens = Tokens {
            refresh: Some(refresh.clone()),
            expires,
            account_id: account_id.clone(),
            ..Tokens::of(access.clone())
        };
        let spent = token_of(stored)?.digest();
        let parked = Parked { provider: self.seen.provider.clone(), spent, tokens };
        for store in self.stores {
            self.refresher.store_tokens(store, &parked).map_err(Outcome::Unready)?;
        }
        Ok(Some(Credential { material: material.clone(), ..stored.clone() }))
    }

    /// Lets the vendor's program renew its login, and reads it again.
    fn delegate(&self, vendor: Vendor) -> Result<Outcome, Outcome> {
        let words = vendor.renew_command();
        (self.refresher.tell)(&format!("running `{}`, as refresh.external says", words.join(" ")));
        let mut command = Command::new(words[0]);
        let ended =
            child::output(command.args(&words[1..]), Deadline::after(DELEGATE_LIMIT), DELEGATE_OUTPUT);
        let reader = Reader::new(Deadline::after(DELEGATE_LIMIT));
        let refresher = self.refresher;
        let (logins, _) =
            logins::read(refresher.process, &refresher.workspace.paths, &reader, refresher.clock);
        let stored = self.stored()?;
        let found = logins.iter().find(|login| login.vendor == vendor);
        if let Some(VendorLogin::Present { material, .. }) = found.map(|login| &login.login)
            && let Some(newer) = self.take_over(material, &stored)?
            && self.due(&newer, false).is_none()
        {
            return Ok(adopted(vendor.program(), &newer.material));
        }
        let how = match ended {
            Ok(_) => "ran and renewed nothing".to_owned(),
            Err(child::Failure::Ended(Some(code))) => format!("failed (exit {code})"),
            Err(child::Failure::Ended(None)) => "was ended by a signal".to_owned(),
            Err(child::Failure::NotStarted(reason)) => format!("did not start: {reason}"),
            Err(child::Failure::TimedOut) => "took longer than two minutes".to_owned(),
            Err(child::Failure::TooMuchOutput) => "said too much".to_owned(),
        };
        Err(Outcome::LeftToVendor(vendor, format!("`{}` {how}", words[0])))
    }

    /// Asks the provider, once.
    fn ask(
        &self,
        stored: &Credential,
        why: Due,
        vendor: Option<(&VendorFile, &Lock)>,
    ) -> Result<Outcome, Outcome> {
        let refresher = self.refresher;
        let token = token_of(stored)?;
        let now = refresher.clock.now().timestamp_millis();
        if let Some(failure) = refresher.remembered(token).resting(now).filter(|_| !self.is_forced) {
            return Err(Outcome::Resting(failure));
        }
        let oauth = oauth::find(&self.seen.provider).ok_or_else(|| {
            Outcome::Unsupported(format!("nobody here knows how {} renews logins", self.seen.provider))
        })?;
        let own = self.own()?;
        let store = own.read().map_err(|error| refresher.unready(&error))?;
        let (process, workspace) = (refresher.process, refresher.workspace);
        let request = exchange::request(process, workspace, oauth, &store, self.seen.id, token)
            .map_err(Outcome::Unsupported)?;
        if own.is_interrupted() {
            return Err(Outcome::Interrupted);
        }
        let spent = token.digest();
        let recovery = Recovery::of(&workspace.paths);
        // What is parked for this token and still not newer than it is of no use to anybody.
        recovery.settle(&spent);
        let room = recovery.reserve(&spent).map_err(|error| {
            let shown = refresher.shown(&recovery.path(&spent));
            let reason = files::reason(&error);
            Outcome::Unready(format!("there is no room to keep new tokens in {shown}: {reason}"))
        })?;
        let is_locked =
            self.stores.iter().all(LockedStore::is_held) && vendor.is_none_or(|(_, lock)| lock.is_held());
        let vendor = vendor.map(|(file, _)| file);
        if !is_locked {
            room.release();
            let message = "another process took our lock for a dead one's; nothing was sent, try again";
            return Err(Outcome::Unready(message.to_owned()));
        }
        match exchange::tokens(&request, oauth, refresher.limit, refresher.clock) {
            Ok(tokens) => {
                let parked = Parked { provider: self.seen.provider.clone(), spent, tokens };
                let in_room = room.park(&parked);
                if let Err(error) = recovery.carry_on(&parked) {
                    let reason = files::reason(&error);
                    (refresher.tell)(&format!(
                        "warning: an earlier recovery file could not be brought up to date: {reason}"
                    ));
                }
                let kept = self.keep(&parked, vendor, why);
                self.remember_success(token, parked.tokens.refresh.as_ref());
                match (kept, in_room) {
                    // Every place refused: there is nothing left to try but to say so.
                    (Outcome::Parked { message, .. }, Err(error)) => Err(Outcome::Lost(format!(
                        "{message}, and the recovery file failed: {}",
                        files::reason(&error)
                    ))),
                    (kept, _) => Ok(kept),
                }
            }
            Err(refused) => {
                room.release();
                if refused.class.needs_human()
                    && let Some(newer) = self.wait_for_vendor(stored, vendor)
                {
                    let by = vendor.map_or("another program", |file| file.vendor.program());
                    return Ok(adopted(by, &newer.material));
                }
                let record = refresher.remember(token, token, |record, now| {
                    record.failed(refused.class, refused.retry_after_ms, now)
                });
                let failure = record.failure.ok_or_else(|| Outcome::Unready(refused.message.clone()))?;
                Ok(Outcome::Failed { why, failure, message: refused.message })
            }
        }
    }

    /// A refused token may have been spent by the vendor's program a moment ago: then its file is about to have new ones.
    fn wait_for_vendor(&self, stored: &Credential, vendor: Option<&VendorFile>) -> Option<Credential> {
        let file = vendor?;
        for _ in 0..VENDOR_WRITES_WITHIN {
            // A file that is being written in place cannot be read for a moment.
            if let Ok(Some(newer)) = self.adopt(file, stored)
                && self.due(&newer, false).is_none()
            {
                return Some(newer);
            }
            self.refresher.clock.sleep(VENDOR_PAUSE);
        }
        None
    }

    /// Brings parked tokens to where they belong.
    fn keep(&self, parked: &Parked, vendor: Option<&VendorFile>, why: Due) -> Outcome {
        match self.refresher.distribute(parked, self.stores, vendor) {
            Ok(written_back) => Outcome::Renewed { why, expires: parked.tokens.expires, written_back },
            Err(message) => {
                let file = Recovery::of(&self.refresher.workspace.paths).path(&parked.spent);
                Outcome::Parked { file: self.refresher.shown(&file), message }
            }
        }
    }

    fn remember_success(&self, spent: &Secret, next: Option<&Secret>) {
        let success = |_, now: EpochMs| RefreshRecord { last_success: Some(now), failure: None };
        self.refresher.remember(spent, next.unwrap_or(spent), success);
    }
}

fn adopted(by: &'static str, material: &Material) -> Outcome {
    Outcome::Adopted { by, expires: material.expiry().at() }
}

fn token_of(credential: &Credential) -> Result<&Secret, Outcome> {
    let token = credential.material.refresh_token();
    token.ok_or_else(|| Outcome::Unsupported("it has no refresh token any more".to_owned()))
}
