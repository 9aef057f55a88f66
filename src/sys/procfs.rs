//! Looking at processes through `/proc`.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use crate::sys::files;

/// Clock ticks a second in `/proc/PID/stat`: `USER_HZ`, 100 on every Linux since 2.6.
const TICKS_PER_SECOND: i64 = 100;
/// The state of a listening socket in `/proc/net/tcp` (`TCP_LISTEN`).
const LISTEN: &str = "0A";

/// A running process of this user.
#[derive(Clone, Debug)]
pub struct Running {
    /// Its id.
    pub pid: i32,
    /// The environment with which it was started.
    pub variables: BTreeMap<OsString, OsString>,
    /// Its working directory.
    pub cwd: PathBuf,
    /// When it was started, ms since the epoch.
    pub started_ms: i64,
}

/// A process of this user; the error says why there is nothing to see.
pub fn running(pid: i32) -> Result<Running, String> {
    let folder = PathBuf::from(format!("/proc/{pid}"));
    let owner = fs_err::metadata(&folder).map_err(|_| format!("there is no process {pid}"))?.uid();
    let me = nix::unistd::geteuid();
    if owner != me.as_raw() && !me.is_root() {
        return Err(format!("process {pid} belongs to another user"));
    }
    let told = |error: std::io::Error| format!("process {pid}: {}", files::reason(&error));
    let environ = fs_err::read(folder.join("environ")).map_err(told)?;
    let variables = environ.split(|byte| *byte == 0).filter_map(|entry| {
        let at = entry.iter().position(|byte| *byte == b'=')?;
        let (name, value) = (OsStr::from_bytes(&entry[..at]), OsStr::from_bytes(&entry[at + 1..]));
        Some((name.to_owned(), value.to_owned()))
    });
    Ok(Running {
        pid,
        variables: variables.collect(),
        cwd: fs_err::read_link(folder.join("cwd")).unwrap_or_else(|_| PathBuf::from("/")),
        started_ms: started_ms(pid).unwrap_or(i64::MAX),
    })
}

/// When a process was started, in clock ticks since the machine was: field 22 of `/proc/PID/stat`.
pub fn start_ticks(pid: i32) -> Option<i64> {
    let stat = fs_err::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold blanks and brackets; the fields behind its last bracket are numbered from 3.
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

fn started_ms(pid: i32) -> Option<i64> {
    Some(booted_ms()? + start_ticks(pid)? * 1000 / TICKS_PER_SECOND)
}

/// When this machine was started, ms since the epoch.
pub fn booted_ms() -> Option<i64> {
    let machine = fs_err::read_to_string("/proc/stat").ok()?;
    let boot: i64 = machine.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
    Some(boot * 1000)
}

/// Bytes of a page of memory on every system that `/proc/self/statm` is read on here.
const PAGE: u64 = 4096;

/// What this process takes of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Footprint {
    /// Resident memory in bytes.
    pub resident: u64,
    /// User and system time in ms.
    pub cpu_ms: i64,
    /// Threads.
    pub threads: u64,
    /// Open files and sockets.
    pub handles: usize,
    /// When it was started, ms since the epoch.
    pub started_ms: i64,
}

/// Resident memory of this process in bytes.
pub fn resident() -> Option<u64> {
    let pages = fs_err::read_to_string("/proc/self/statm").ok()?;
    Some(pages.split_whitespace().nth(1)?.parse::<u64>().ok()? * PAGE)
}

/// What this process takes; `None` where there is no `/proc`.
pub fn footprint() -> Option<Footprint> {
    let stat = fs_err::read_to_string("/proc/self/stat").ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |field: usize| fields.get(field - 3)?.parse::<i64>().ok();
    Some(Footprint {
        resident: resident()?,
        cpu_ms: (number(14)? + number(15)?) * 1000 / TICKS_PER_SECOND,
        threads: u64::try_from(number(20)?).ok()?,
        // The listing itself is one of them.
        handles: fs_err::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1),
        started_ms: started_ms(i32::try_from(std::process::id()).ok()?)?,
    })
}

/// Who listens on a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listener {
    /// A process that can be seen: its id and its name.
    Process(i32, String),
    /// A process of somebody else.
    Hidden,
}

/// Who listens on a TCP port of this host; `None` when nobody does.
pub fn listener(port: u16) -> Option<Listener> {
    let inodes: Vec<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| fs_err::read_to_string(table).ok())
        .flat_map(|table| table.lines().filter_map(|line| listening_inode(line, port)).collect::<Vec<_>>())
        .collect();
    if inodes.is_empty() {
        return None;
    }
    let processes = fs_err::read_dir("/proc").ok()?.flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    for pid in pids {
        let holds = |link: &std::path::Path| {
            let link = link.to_string_lossy();
            inodes.iter().any(|inode| *link == format!("socket:[{inode}]"))
        };
        let handles = fs_err::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        if handles.filter_map(|handle| fs_err::read_link(handle.path()).ok()).any(|link| holds(&link)) {
            return Some(Listener::Process(pid, name(pid)));
        }
    }
    Some(Listener::Hidden)
}

fn listening_inode(line: &str, port: u16) -> Option<String> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let (local, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
    let local_port = local.rsplit_once(':')?.1;
    let is_meant = *state == LISTEN && u16::from_str_radix(local_port, 16).ok()? == port;
    is_meant.then(|| (*inode).to_owned())
}

/// The name of a process; what it was started with may hold secrets.
fn name(pid: i32) -> String {
    fs_err::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim().to_owned()
}

/// Programs that are a gateway of this kind, by release.
const GATEWAYS: &[&str] = &["openclaw", "clawdbot", "moltbot"];

/// Whether a process is a gateway of this kind.
pub fn is_gateway(pid: i32) -> bool {
    runs(pid, GATEWAYS)
}

/// The gateway that listens on a port, when it is one that can be seen.
pub fn gateway_on(port: u16) -> Option<i32> {
    match listener(port)? {
        Listener::Process(pid, _) if is_gateway(pid) => Some(pid),
        _ => None,
    }
}

/// Whether a process runs one of these programs, by itself or as the first argument of an interpreter.
fn runs(pid: i32, programs: &[&str]) -> bool {
    let line = fs_err::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words = line.split(|byte| *byte == 0).filter(|word| !word.is_empty()).take(2);
    words.map(String::from_utf8_lossy).any(|word| is_of(&word, programs))
}

/// Whether a path leads to a program of this name, or into a folder of it: `/usr/lib/openclaw/dist/entry.js`.
fn is_of(word: &str, programs: &[&str]) -> bool {
    let is_named = |part: &str| {
        programs
            .iter()
            .any(|name| part == *name || part.strip_prefix(name).is_some_and(|rest| rest == "-gateway"))
    };
    !word.starts_with('-') && word.split('/').any(is_named)
}

#[cfg(test)]
mod tests {
    use super::{is_of, listening_inode};

    #[test]
    fn programs_are_known_by_their_name_and_their_folder() {
        for (word, is_ours) in [
            ("openclaw", true),
            ("/usr/bin/openclaw-gateway", true),
            ("/usr/lib/node_modules/openclaw/dist/entry.js", true),
            ("/tmp/openclaw-notes.py", false),
            ("--openclaw", false),
            ("python3", false),
        ] {
            assert_eq!(is_of(word, &["openclaw"]), is_ours, "{word}");
        }
    }

    #[test]
    fn listening_sockets_are_found_by_port() {
        let line = "   0: 0100007F:4965 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 77123 1";
        assert_eq!(listening_inode(line, 18789).as_deref(), Some("77123"));
        assert_eq!(listening_inode(line, 18790), None);
        assert_eq!(listening_inode(&line.replace(" 0A ", " 01 "), 18789), None);
        assert_eq!(listening_inode("  sl  local_address rem_address   st", 18789), None);
    }
}
