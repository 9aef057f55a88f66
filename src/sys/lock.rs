//! Locks that programs on this host agree on. The Node program has a directory beside its store (proper-lockfile 4.1.2),
//! Claude Code two directories for a refresh, Qwen Code a file.
//!
//! Between our own processes an advisory lock on the folder comes first, so that two of us never break the same stale
//! lock: the protocol itself leaves a window there.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};

use nix::fcntl::AT_FDCWD;
use nix::sys::stat::{UtimensatFlags, utimensat};
use nix::sys::time::TimeSpec;

use crate::clock::{Clock, Deadline};
use crate::sys::files;

/// The first and the longest wait between two tries.
const FIRST_WAIT: Duration = Duration::from_millis(4);
const LONGEST_WAIT: Duration = Duration::from_millis(100);
/// How long a turn is waited for.
const TURN_LIMIT: Duration = Duration::from_secs(10);
/// How often a lock that is held for long shows that its holder lives (Claude Code's interval, the shortest in use).
const HEARTBEAT: Duration = Duration::from_secs(5);

/// What is made to take a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Made {
    /// Empty directories.
    Directories,
    /// Files with a word in them.
    Files,
}

/// The places of one lock and the rule by which they go stale.
#[derive(Clone, Debug)]
pub struct Protocol {
    /// All of them are taken, or none.
    pub places: Vec<PathBuf>,
    /// What is made there.
    pub made: Made,
    /// One that nobody has touched for this long, in ms, belongs to a dead process.
    pub stale_ms: i64,
}

impl Protocol {
    /// The Node program's lock of a store; `target` has no links in it.
    pub fn of_store(target: &Path) -> Self {
        let mut name = target.as_os_str().to_owned();
        name.push(".lock");
        // proper-lockfile: `stale` as the Node program sets it.
        Self { places: vec![PathBuf::from(name)], made: Made::Directories, stale_ms: 30_000 }
    }

    /// The locks under which Claude Code renews the login in a credentials file of `~/.claude`: the current one and
    /// the one of its earlier releases, both stale after a minute.
    pub fn of_claude_code(credentials: &Path) -> Self {
        let folder = credentials.parent();
        let current = folder.map(|folder| folder.join(".oauth_refresh.lock"));
        let earlier = folder.and_then(Path::parent).map(|home| home.join(".claude.lock"));
        let places = current.into_iter().chain(earlier).collect();
        Self { places, made: Made::Directories, stale_ms: 60_000 }
    }

    /// A lock that only we know, for a file whose own program has none.
    pub fn of_ours(file: &Path) -> Self {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let place = file.with_file_name(format!(".{name}.openclaw-lock"));
        Self { places: vec![place], made: Made::Directories, stale_ms: 60_000 }
    }

    /// The Node program's lock of `sessions.json`: a file, made for itself alone, stale after 30 seconds; `target` has no
    /// links in it.
    pub fn of_sessions(target: &Path) -> Self {
        Self { made: Made::Files, ..Self::of_store(target) }
    }

    /// The lock under which Qwen Code renews the login in a credentials file (its `sharedTokenManager.ts`), stale after
    /// ten seconds.
    pub fn of_qwen_code(credentials: &Path) -> Self {
        let place = credentials.with_file_name("oauth_creds.lock");
        Self { places: vec![place], made: Made::Files, stale_ms: 10_000 }
    }
}

/// A place of a lock that nobody holds any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftBehind {
    /// The place.
    pub place: PathBuf,
    /// Whether it is a folder.
    pub is_folder: bool,
    /// How long nobody has shown a sign of life, in ms.
    pub age_ms: i64,
}

impl Protocol {
    /// What stands where the lock would be and is stale at this instant.
    pub fn left_behind(&self, now_ms: i64) -> Vec<LeftBehind> {
        let found = self.places.iter().filter_map(|place| {
            let metadata = fs_err::symlink_metadata(place).ok()?;
            let age_ms = now_ms.saturating_sub(files::modified_ms(&metadata));
            Some(LeftBehind { place: place.clone(), is_folder: metadata.is_dir(), age_ms })
        });
        found.filter(|left| left.age_ms > self.stale_ms).collect()
    }
}

/// A held lock; dropping it releases it.
#[derive(Debug)]
pub struct Lock {
    held: Vec<Held>,
    /// The sign of life of one that is held for long.
    heartbeat: Option<Heartbeat>,
    /// Held as long as the lock is.
    between_us: Vec<Turn>,
}

/// One place of a lock, as it was when it was made; without an identity when it was gone at once.
#[derive(Clone, Debug)]
struct Held {
    place: PathBuf,
    made: Made,
    identity: Option<Identity>,
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
    /// It cannot be made.
    #[error("the lock {} cannot be taken: {}", .0.display(), files::reason(.1))]
    Io(PathBuf, io::Error),
}

/// Takes a lock, waiting up to `patience`.
pub fn acquire(
    protocol: &Protocol,
    clock: &Clock,
    patience: Duration,
    interrupted: &dyn Fn() -> bool,
) -> Result<Lock, LockError> {
    let folders = protocol.places.iter().filter_map(|place| place.parent());
    let folders = folders.filter_map(|folder| fs_err::File::open(folder).ok());
    let mut folders: VecDeque<_> = folders.map(fs_err::File::into_file).collect();
    let mut turns = Vec::new();
    let (mut waited, mut wait) = (Duration::ZERO, FIRST_WAIT);
    loop {
        while let Some(folder) = folders.pop_front_if(|folder| has_turn(folder)) {
            turns.push(Turn(folder));
        }
        let mut busy = protocol.places.first();
        if folders.is_empty() {
            // What is taken goes again when one is busy, so that nobody waits for us who holds that one.
            let mut lock = Lock { held: Vec::new(), heartbeat: None, between_us: Vec::new() };
            busy = None;
            for place in &protocol.places {
                match try_make(place, protocol, clock) {
                    Ok(Some(held)) => lock.held.push(held),
                    Ok(None) => {
                        busy = Some(place);
                        break;
                    }
                    Err(error) => return Err(LockError::Io(place.clone(), error)),
                }
            }
            if busy.is_none() {
                lock.between_us = turns;
                return Ok(lock);
            }
        }
        if interrupted() {
            return Err(LockError::Interrupted);
        }
        if waited >= patience {
            return Err(LockError::Busy(busy.cloned().unwrap_or_default()));
        }
        clock.sleep(wait);
        waited += wait;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

/// A turn among our own processes for a file that the Node program writes without any lock; `None` when another one
/// of us does not finish. It is waited for in real time.
pub fn between_us(target: &Path, clock: &Clock) -> Option<Turn> {
    let folder = fs_err::File::open(target.parent()?).ok()?.into_file();
    let deadline = Deadline::after(TURN_LIMIT);
    while !has_turn(&folder) {
        if deadline.has_passed() {
            return None;
        }
        match clock {
            // Who holds it lives in real time, whatever stands still here.
            Clock::Fixed(_) => thread::yield_now(),
            Clock::System => clock.sleep(FIRST_WAIT),
        }
    }
    Some(Turn(folder))
}

/// A turn among our own processes; dropping it gives it away. Closing the folder would not: a child that was made at that
/// moment has it open until it becomes another program.
#[derive(Debug)]
pub struct Turn(std::fs::File);

impl Drop for Turn {
    fn drop(&mut self) {
        drop(self.0.unlock());
    }
}

/// One try for the turn among our own processes. A file system that knows no such lock gives it to everybody.
fn has_turn(folder: &std::fs::File) -> bool {
    !matches!(folder.try_lock(), Err(std::fs::TryLockError::WouldBlock))
}

/// One try: the place when it is ours now, `None` when somebody else holds it.
fn try_make(place: &Path, protocol: &Protocol, clock: &Clock) -> io::Result<Option<Held>> {
    for _ in 0..2 {
        match make(place, protocol.made) {
            Ok(()) => {
                let (place, made) = (place.to_owned(), protocol.made);
                return Ok(Some(Held { identity: identity(&place), place, made }));
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        let Ok(metadata) = fs_err::symlink_metadata(place) else { continue };
        let age = clock.now().timestamp_millis() - files::modified_ms(&metadata);
        // A holder sets its clock's time, at most a second ahead: much later means that the clock was once wrong.
        if age.abs() <= protocol.stale_ms {
            return Ok(None);
        }
        break_stale(place, protocol.made)?;
    }
    Ok(None)
}

fn make(place: &Path, made: Made) -> io::Result<()> {
    match made {
        Made::Directories => fs_err::create_dir(place),
        Made::Files => {
            let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(place);
            file?.write_all(b"openclaw")
        }
    }
}

/// Removes a stale lock. A directory with something in it, which the Node program can never remove, is moved aside.
fn break_stale(place: &Path, made: Made) -> io::Result<()> {
    let removed = match made {
        Made::Directories => fs_err::remove_dir(place),
        Made::Files => fs_err::remove_file(place),
    };
    match removed {
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {
            let mut aside = place.as_os_str().to_owned();
            aside.push(format!(".stale-{}", std::process::id()));
            fs_err::rename(place, PathBuf::from(aside))
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Device and inode, and the birth time where the file system knows it: numbers of inodes are used again at once.
type Identity = (u64, u64, Option<SystemTime>);

fn identity(place: &Path) -> Option<Identity> {
    let metadata = fs_err::symlink_metadata(place).ok()?;
    Some((metadata.dev(), metadata.ino(), metadata.created().ok()))
}

impl Held {
    fn is_ours(&self) -> bool {
        self.identity.is_some() && identity(&self.place) == self.identity
    }
}

impl Lock {
    /// Whether every place is still the one that we made; else somebody took us for dead.
    pub fn is_held(&self) -> bool {
        self.held.iter().all(Held::is_ours)
    }

    /// Keeps the lock from going stale for as long as it is held.
    pub fn keep_alive(&mut self) {
        let (stop, stopped) = channel::<()>();
        let held = self.held.clone();
        let thread = thread::spawn(move || {
            while stopped.recv_timeout(HEARTBEAT) == Err(RecvTimeoutError::Timeout) {
                let (now, follow) = (TimeSpec::UTIME_NOW, UtimensatFlags::NoFollowSymlink);
                for held in held.iter().filter(|held| held.is_ours()) {
                    let _ = utimensat(AT_FDCWD, &held.place, &now, &now, follow);
                }
            }
        });
        self.heartbeat = Some(Heartbeat { stop: Some(stop), thread: Some(thread) });
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        drop(self.heartbeat.take());
        for held in self.held.iter().rev().filter(|held| held.is_ours()) {
            drop(match held.made {
                Made::Directories => fs_err::remove_dir(&held.place),
                Made::Files => fs_err::remove_file(&held.place),
            });
        }
    }
}

/// Touches a lock every few seconds while it lives.
#[derive(Debug)]
struct Heartbeat {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}
