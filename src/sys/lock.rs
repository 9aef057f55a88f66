//! The lock that the Node program uses on the same files: a directory beside the store (proper-lockfile 4.1.2).
//!
//! Between our own processes an advisory lock on the folder comes first, so that two of us never break the same stale
//! lock: the protocol itself leaves a window there.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::clock::Clock;
use crate::sys::files;

/// A lock directory that nobody has touched for this long belongs to a dead process (proper-lockfile: `stale`).
const STALE_MS: i64 = 30_000;
/// The first and the longest wait between two tries.
const FIRST_WAIT: Duration = Duration::from_millis(4);
const LONGEST_WAIT: Duration = Duration::from_millis(100);
/// How often a turn is asked for, [`LONGEST_WAIT`] apart: ten seconds in all.
const TURN_TRIES: usize = 100;

/// A held lock; dropping it releases it.
#[derive(Debug)]
pub struct StoreLock {
    directory: PathBuf,
    identity: (u64, u64),
    _between_us: Option<std::fs::File>,
}

/// Why there is no lock.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody else held it all the time.
    #[error("the lock {} is busy", .0.display())]
    Busy(PathBuf),
    /// A signal came while waiting.
    #[error("interrupted")]
    Interrupted,
    /// The lock directory cannot be made.
    #[error("the lock {} cannot be taken: {}", .0.display(), files::reason(.1))]
    Io(PathBuf, io::Error),
}

/// Takes the lock of a store, waiting up to `patience`. `target` has no links in it.
pub fn acquire(
    target: &Path,
    clock: &Clock,
    patience: Duration,
    interrupted: &dyn Fn() -> bool,
) -> Result<StoreLock, LockError> {
    let directory = lock_path(target);
    let between_us = target.parent().and_then(|folder| fs_err::File::open(folder).ok());
    let mut ours = between_us.is_none();
    let (mut waited, mut wait) = (Duration::ZERO, FIRST_WAIT);
    loop {
        if let Some(folder) = between_us.as_ref().filter(|_| !ours) {
            ours = has_turn(folder.file());
        }
        if ours {
            match try_make(&directory, clock) {
                Ok(Some(identity)) => {
                    let between_us = between_us.map(fs_err::File::into_file);
                    return Ok(StoreLock { directory, identity, _between_us: between_us });
                }
                Ok(None) => {}
                Err(error) => return Err(LockError::Io(directory, error)),
            }
        }
        if interrupted() {
            return Err(LockError::Interrupted);
        }
        if waited >= patience {
            return Err(LockError::Busy(directory));
        }
        clock.sleep(wait);
        waited += wait;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

/// A turn among our own processes for a file that the Node program writes without any lock; `None` when another one
/// of us does not finish.
pub fn between_us(target: &Path, clock: &Clock) -> Option<std::fs::File> {
    let folder = fs_err::File::open(target.parent()?).ok()?.into_file();
    for _ in 0..TURN_TRIES {
        if has_turn(&folder) {
            return Some(folder);
        }
        clock.sleep(LONGEST_WAIT);
    }
    None
}

/// One try for the turn among our own processes. A file system that knows no such lock gives it to everybody.
fn has_turn(folder: &std::fs::File) -> bool {
    !matches!(folder.try_lock(), Err(std::fs::TryLockError::WouldBlock))
}

/// The lock directory of a store.
pub fn lock_path(target: &Path) -> PathBuf {
    let mut name = target.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}

/// One try: the identity of the directory when it is ours, `None` when somebody else holds it.
fn try_make(directory: &Path, clock: &Clock) -> io::Result<Option<(u64, u64)>> {
    for _ in 0..2 {
        match fs_err::create_dir(directory) {
            Ok(()) => return Ok(identity(directory)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        let Ok(metadata) = fs_err::symlink_metadata(directory) else { continue };
        let age = clock.now().timestamp_millis() - files::modified_ms(&metadata);
        // A holder sets its clock's time, at most a second ahead: much later means that the clock was once wrong.
        if age.abs() <= STALE_MS {
            return Ok(None);
        }
        break_stale(directory)?;
    }
    Ok(None)
}

/// Removes a stale lock. One with something in it, which the Node program can never remove, is moved aside.
fn break_stale(directory: &Path) -> io::Result<()> {
    match fs_err::remove_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {
            let mut aside = directory.as_os_str().to_owned();
            aside.push(format!(".stale-{}", std::process::id()));
            fs_err::rename(directory, PathBuf::from(aside))
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn identity(directory: &Path) -> Option<(u64, u64)> {
    fs_err::symlink_metadata(directory).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

impl StoreLock {
    /// Whether the lock directory is still the one that we made; else somebody took us for dead.
    pub fn is_held(&self) -> bool {
        identity(&self.directory) == Some(self.identity)
    }
}

impl Drop for StoreLock {
    fn drop(&mut self) {
        if self.is_held() {
            drop(fs_err::remove_dir(&self.directory));
        }
    }
}
