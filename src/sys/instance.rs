//! One daemon for one folder: a lock that dies with its process, and the lock file of the Node program beside it.

use std::io::{self, Read, Seek, Write};
use std::net::SocketAddr;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use nix::fcntl::{Flock, FlockArg};
use serde_json::{Value, json};
use sha1::{Digest, Sha1};

use crate::clock::Clock;
use crate::core::secret;
use crate::sys::{files, procfs};

/// How often a lock is tried that somebody may only be looking at, and how long is waited between.
const LOOKS: usize = 5;
const LOOK: Duration = Duration::from_millis(20);

/// A held place; another process can have it once this one has gone.
#[derive(Debug)]
pub struct Claim {
    own: Option<Flock<std::fs::File>>,
    /// The Node program's lock file that we have made.
    theirs: Option<PathBuf>,
}

/// Why a place cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Another process of ours has it; who, where it can be told.
    #[error("a gateway already runs on it{}", of_process(.0.as_ref().map(|holder| holder.pid)))]
    Ours(Option<Holder>),
    /// A gateway of the Node program has it.
    #[error("a gateway of the Node program already runs on it{}", of_process(Some(*.0)))]
    Theirs(i32),
}

fn of_process(pid: Option<i32>) -> String {
    pid.map_or_else(String::new, |pid| format!(" (process {pid})"))
}

/// Who has a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its process id.
    pub pid: i32,
    /// Where it listens, once it does.
    pub address: Option<SocketAddr>,
}

/// Who has the place whose lock file is `own`; `None` when nobody does.
pub fn holder(own: &Path) -> Option<Holder> {
    let file = std::fs::OpenOptions::new().read(true).write(true).open(own).ok()?;
    match Flock::lock(file, FlockArg::LockSharedNonblock) {
        Ok(_free) => None,
        Err((mut file, _)) => written(&mut file),
    }
}

/// Takes a place: our lock file `own`, and `theirs`, the one of [`node_lock`]. Where the disk takes no file the place is
/// had all the same: the second value says what could not be done.
pub fn claim(
    own: &Path,
    theirs: &Path,
    config: &Path,
    clock: &Clock,
) -> Result<(Claim, Option<String>), Refused> {
    let file = own.parent().map_or(Ok(()), files::create_private_dir).and_then(|()| {
        std::fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(own)
    });
    let told = |error: io::Error| format!("{}: {}", own.display(), files::reason(&error));
    let (held, note) = match file {
        Err(error) => (None, Some(told(error))),
        Ok(file) => match exclusively(file, clock) {
            Err(mut file) => return Err(Refused::Ours(written(&mut file))),
            Ok(mut held) => {
                // Who it is is for people; the lock holds without it.
                let note = write_down(&mut held, None).err().map(told);
                (Some(held), note)
            }
        },
    };
    let now = clock.now();
    if let Some(pid) = node_holder(theirs, now) {
        return Err(Refused::Theirs(pid));
    }
    Ok((Claim { own: held, theirs: write_theirs(theirs, config, now) }, note))
}

/// Whoever only looks who it is holds the lock for a moment too.
fn exclusively(mut file: std::fs::File, clock: &Clock) -> Result<Flock<std::fs::File>, std::fs::File> {
    for _ in 0..LOOKS {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(held) => return Ok(held),
            Err((back, _)) => file = back,
        }
        clock.sleep(LOOK);
    }
    Err(file)
}

impl Drop for Claim {
    fn drop(&mut self) {
        if let Some(theirs) = &self.theirs {
            // One that stays is stale at once: its process is gone.
            drop(fs_err::remove_file(theirs));
        }
    }
}

impl Claim {
    /// Writes down where the daemon listens, for [`holder`].
    pub fn tell(&mut self, address: SocketAddr) {
        if let Some(own) = &mut self.own {
            // Who cannot read it there asks at the configured port.
            drop(write_down(own, Some(address)));
        }
    }
}

fn write_down(file: &mut std::fs::File, address: Option<SocketAddr>) -> io::Result<()> {
    let address = address.map_or_else(String::new, |address| format!("{address}\n"));
    file.rewind()?;
    file.set_len(0)?;
    file.write_all(format!("{}\n{address}", std::process::id()).as_bytes())
}

fn written(file: &mut std::fs::File) -> Option<Holder> {
    let mut text = String::new();
    file.rewind().and_then(|()| file.take(128).read_to_string(&mut text)).ok()?;
    let mut lines = text.lines();
    Some(Holder {
        pid: lines.next()?.parse().ok()?,
        address: lines.next().and_then(|line| line.parse().ok()),
    })
}

/// The lock file of the Node program's gateway for a config: `openclaw-UID/gateway.HASH.lock` in the folder for temporary
/// files (reference 2026.1.24).
pub fn node_lock(temporary: &Path, config: &Path) -> PathBuf {
    let digest = Sha1::digest(config.as_os_str().as_encoded_bytes());
    let hash = secret::hex(&digest[..4]);
    let folder = temporary.join(format!("openclaw-{}", nix::unistd::geteuid()));
    folder.join(format!("gateway.{hash}.lock"))
}

/// The live process that holds the Node program's lock, by its own rules: dead, or started at another time, is nobody.
fn node_holder(path: &Path, now: DateTime<Utc>) -> Option<i32> {
    // The folder is open to everybody: what somebody else has put there keeps nobody from starting.
    if !is_ours(path) {
        return None;
    }
    let text = fs_err::read(path).ok()?;
    let document: Value = serde_json::from_slice(&text).ok()?;
    let pid = i32::try_from(document["pid"].as_i64()?).ok()?;
    if pid == i32::try_from(std::process::id()).ok()? {
        return None;
    }
    let ticks = procfs::start_ticks(pid);
    match (document["startTime"].as_i64(), ticks) {
        (Some(written), Some(ticks)) => (written == ticks).then_some(pid),
        (None, Some(_)) => procfs::is_gateway(pid).then_some(pid),
        (_, None) => {
            // Where no process can be seen, half a minute is what the Node program waits.
            let created: Option<DateTime<Utc>> = document["createdAt"].as_str()?.parse().ok();
            let is_fresh = created.is_some_and(|at| now.signed_duration_since(at).num_seconds() < 30);
            (is_fresh && !Path::new("/proc/self").exists()).then_some(pid)
        }
    }
}

/// Whether something belongs to this user, and is no link of somebody else.
fn is_ours(path: &Path) -> bool {
    fs_err::symlink_metadata(path)
        .is_ok_and(|metadata| metadata.uid() == nix::unistd::geteuid().as_raw() && !metadata.is_symlink())
}

/// So that the Node program's gateway finds ours. That it cannot be written is no reason not to serve.
fn write_theirs(path: &Path, config: &Path, now: DateTime<Utc>) -> Option<PathBuf> {
    let pid = std::process::id();
    let document = json!({
        "pid": pid,
        "createdAt": now.to_rfc3339_opts(SecondsFormat::Millis, true),
        "configPath": config.display().to_string(),
        "startTime": procfs::start_ticks(i32::try_from(pid).ok()?),
    });
    let folder = path.parent()?;
    files::create_private_dir(folder).ok()?;
    if !is_ours(folder) {
        return None;
    }
    files::replace(path, document.to_string().as_bytes()).ok()?;
    Some(path.to_owned())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use chrono::DateTime;
    use serde_json::{Value, json};

    use super::{Holder, Refused, claim, holder, node_lock};
    use crate::clock::Clock;
    use crate::sys::{files, procfs};

    #[test]
    fn the_lock_of_the_node_program_is_where_it_looks() {
        let path = node_lock(Path::new("/tmp"), Path::new("/home/u/.openclaw/openclaw.json"));
        // printf %s /home/u/.openclaw/openclaw.json | sha1sum
        assert!(path.ends_with("gateway.2761f18c.lock"), "{}", path.display());
    }

    #[test]
    fn a_place_is_had_once_and_free_again() {
        let dir = tempfile::tempdir().unwrap();
        let (own, theirs) = (dir.path().join("s/gateway.lock"), dir.path().join("t/gateway.x.lock"));
        let clock = Clock::fixed(DateTime::from_timestamp(1_000, 0).unwrap());
        let take = || claim(&own, &theirs, Path::new("/c"), &clock);
        let me = i32::try_from(std::process::id()).unwrap();
        let (mut claimed, note) = take().unwrap();
        let known = |address: Option<&str>| {
            Some(Holder { pid: me, address: address.map(|address| address.parse().unwrap()) })
        };
        assert_eq!((note, holder(&own)), (None, known(None)));
        claimed.tell("127.0.0.1:7".parse().unwrap());
        assert_eq!(holder(&own), known(Some("127.0.0.1:7")));
        assert_eq!(take().unwrap_err(), Refused::Ours(known(Some("127.0.0.1:7"))));
        let written: Value = serde_json::from_slice(&fs_err::read(&theirs).unwrap()).unwrap();
        assert_eq!(
            (written["pid"].as_i64(), written["startTime"].as_i64()),
            (Some(me.into()), procfs::start_ticks(me))
        );
        drop(claimed);
        assert!(!theirs.exists() && holder(&own).is_none());
        // The parent lives; another start time is another process.
        let parent = nix::unistd::getppid().as_raw();
        for (start, is_held) in [(procfs::start_ticks(parent), true), (Some(1), false)] {
            files::replace(&theirs, json!({"pid": parent, "startTime": start}).to_string().as_bytes())
                .unwrap();
            assert_eq!(take().err(), is_held.then_some(Refused::Theirs(parent)));
        }
    }
}
