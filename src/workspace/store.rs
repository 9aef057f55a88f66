//! The one type through which credential stores are read and written.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::clock::Clock;
use crate::core::credential::Material;
use crate::core::snapshot::SourceProblem;
use crate::core::store::AuthStore;
use crate::format::auth_profiles;
use crate::sys::files::{self, Content, ReadFailure, ReplaceError, Replaced};
use crate::sys::lock::{self, Lock, LockError, Protocol};
use crate::sys::reader::Reader;
use crate::sys::signals::{self, Deferred};
use crate::workspace::source;

/// The name of a store in its agent's folder.
pub const STORE_FILE: &str = "auth-profiles.json";
/// The name that earlier releases used.
pub const LEGACY_FILE: &str = "auth.json";
/// The model registry that the Node program generates beside it.
pub const MODELS_FILE: &str = "models.json";
/// How often a write starts again after its lock was taken for dead.
const ATTEMPTS: usize = 3;

/// The store of one agent.
#[derive(Clone, Debug)]
pub struct CredentialStore {
    path: PathBuf,
}

/// What reading a store gave.
#[derive(Clone)]
pub enum StoreState {
    /// There is none.
    Absent,
    /// It was understood.
    Read(AuthStore),
    /// It is there and nothing may be concluded from it; it must not be written.
    Unreadable(SourceProblem),
}

/// How an update ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Updated {
    /// The edit had nothing to change.
    Unchanged,
    /// The new content is durable.
    Written,
    /// The same, but not by a rename: the file is a mount point.
    WrittenInPlace,
}

/// Why a store was left as it was.
#[derive(Debug, thiserror::Error)]
pub enum UpdateError {
    /// Another process held the lock all the time, or broke ours.
    #[error("{0}")]
    Lock(#[from] LockError),
    /// The lock was taken from us again and again.
    #[error("another process keeps breaking the lock of {}", .0.display())]
    LockLost(PathBuf),
    /// What is there cannot be parsed, so it must not be replaced.
    #[error("{} is unreadable and was left as it is: {}", .0.display(), .1.message)]
    Unreadable(PathBuf, SourceProblem),
    /// Reading or writing failed; the store is as it was.
    #[error("failed to write {}: {}", .0.display(), files::reason(.1))]
    Io(PathBuf, std::io::Error),
    /// Writing failed half way, and the old content could not be put back.
    #[error("{} was damaged by a failed write ({}); its old content is in {}", .0.display(), files::reason(.1), .2.display())]
    Torn(PathBuf, std::io::Error, PathBuf),
}

impl CredentialStore {
    /// The store in an agent's folder.
    pub fn in_dir(agent_dir: &Path) -> Self {
        Self { path: agent_dir.join(STORE_FILE) }
    }

    /// Its file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether two names lead to one file.
    pub fn is_same(&self, other: &Self) -> bool {
        let target = |store: &Self| files::target(&store.path).unwrap_or_else(|_| store.path.clone());
        self.path == other.path || target(self) == target(other)
    }

    /// Reads it without a lock: writers replace the file whole.
    pub fn read(&self, reader: &Reader, clock: &Clock) -> StoreState {
        match source::read(reader, clock, &self.path, |content: &Content| {
            auth_profiles::parse(&content.bytes)
        }) {
            Ok(None) => StoreState::Absent,
            Ok(Some(store)) => StoreState::Read(store),
            Err(mut problem) => {
                let path = self.path.clone();
                if let Some(Some(backup)) = reader.call(move || files::left_backup(&path)) {
                    let left = backup.display();
                    let _ = write!(problem.message, "; an interrupted write left its old content in {left}");
                }
                StoreState::Unreadable(problem)
            }
        }
    }

    /// Whether it holds a login of a provider with this refresh token; `None` when it cannot be read.
    pub fn holds(&self, provider: &str, refresh_digest: &str) -> Option<bool> {
        let content = match files::read(&self.path) {
            Ok(content) => content,
            Err(ReadFailure::Absent) => return Some(false),
            Err(ReadFailure::Failed(_)) => return None,
        };
        let store = auth_profiles::parse(&content.bytes).ok()?;
        let has_token = |material: &Material| {
            material.refresh_token().is_some_and(|token| token.digest() == refresh_digest)
        };
        Some(!store.logins_of(provider, has_token).is_empty())
    }

    /// Changes the store under its lock: takes the lock, reads again, edits, replaces the file if the edit says so.
    ///
    /// `edit` may run more than once, each time on what is in the file then.
    pub fn update(
        &self,
        clock: &Clock,
        patience: Duration,
        mut edit: impl FnMut(&mut AuthStore) -> bool,
    ) -> Result<Updated, UpdateError> {
        for _ in 0..ATTEMPTS {
            let locked = self.lock(clock, patience)?;
            let mut store = locked.read()?;
            files::remove_orphans(&locked.target);
            if !edit(&mut store) {
                return Ok(Updated::Unchanged);
            }
            match locked.write(&store) {
                Err(UpdateError::LockLost(_)) => {}
                done => return done,
            }
        }
        Err(UpdateError::LockLost(self.path.clone()))
    }

    /// Takes the lock for more than one read or write. Signals wait until it is released.
    pub fn lock(&self, clock: &Clock, patience: Duration) -> Result<LockedStore, UpdateError> {
        let io = |error| UpdateError::Io(self.path.clone(), error);
        let signals = signals::defer();
        if let Some(folder) = self.path.parent() {
            files::create_private_dir(folder).map_err(io)?;
        }
        let target = files::target(&self.path).map_err(io)?;
        let lock = lock::acquire(&Protocol::of_store(&target), clock, patience, &|| signals.is_pending())?;
        Ok(LockedStore { path: self.path.clone(), target, lock, signals })
    }
}

/// A store that nobody else writes.
pub struct LockedStore {
    path: PathBuf,
    target: PathBuf,
    lock: Lock,
    signals: Deferred,
}

impl LockedStore {
    /// Its file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is that store.
    pub fn is_of(&self, store: &CredentialStore) -> bool {
        CredentialStore { path: self.path.clone() }.is_same(store)
    }

    /// Whether somebody wants the command to end.
    pub fn is_interrupted(&self) -> bool {
        self.signals.is_pending()
    }

    /// Keeps the lock for longer than a file takes to write.
    pub fn keep_alive(&mut self) {
        self.lock.keep_alive();
    }

    /// Whether nobody has taken us for dead.
    pub fn is_held(&self) -> bool {
        self.lock.is_held()
    }

    /// What is in the file.
    pub fn read(&self) -> Result<AuthStore, UpdateError> {
        let unreadable = |problem| UpdateError::Unreadable(self.path.clone(), problem);
        match files::read(&self.target) {
            Ok(content) => auth_profiles::parse(&content.bytes).map_err(|failure| unreadable(failure.into())),
            Err(ReadFailure::Absent) => Ok(AuthStore::default()),
            Err(ReadFailure::Failed(message)) => Err(unreadable(SourceProblem { message, position: None })),
        }
    }

    /// Replaces the file, unless the lock was taken from us.
    pub fn write(&self, store: &AuthStore) -> Result<Updated, UpdateError> {
        if !self.lock.is_held() {
            return Err(UpdateError::LockLost(self.path.clone()));
        }
        match files::replace(&self.target, &auth_profiles::write(store)) {
            Ok(Replaced::Atomically) => Ok(Updated::Written),
            Ok(Replaced::InPlace) => Ok(Updated::WrittenInPlace),
            Err(ReplaceError::Unchanged(error)) => Err(UpdateError::Io(self.path.clone(), error)),
            Err(ReplaceError::Torn(error, backup)) => {
                Err(UpdateError::Torn(self.target.clone(), error, backup))
            }
        }
    }
}
