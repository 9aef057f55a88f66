//! Asking systemd, and telling it what to do.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use crate::clock::Deadline;
use crate::sys::child::{self, Failure};

/// The most that `systemctl show` may print.
const OUTPUT_LIMIT: usize = 64 * 1024;

/// What the service manager says of a unit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnitState {
    /// `active`, `inactive`, `failed`, `activating`, …
    pub active: String,
    /// `running`, `dead`, `auto-restart`, …
    pub sub: String,
    /// `success`, `exit-code`, …
    pub result: String,
    /// `enabled`, `disabled`, …
    pub file: String,
    /// The process id, while it runs.
    pub main_pid: Option<i32>,
}

impl UnitState {
    /// Whether it runs, or is about to.
    pub fn is_running(&self) -> bool {
        ["active", "activating", "reloading"].contains(&self.active.as_str())
    }
}

/// Why a service manager said nothing of a unit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Silent {
    /// It cannot be asked, or does not know the unit.
    #[error("{0}")]
    Unknown(String),
    /// It does not answer.
    #[error("systemctl does not answer")]
    TimedOut,
}

/// Asks for the state of a unit.
pub fn show(
    variables: &BTreeMap<OsString, OsString>,
    is_of_user: bool,
    unit: &str,
    deadline: Deadline,
) -> Result<UnitState, Silent> {
    let mut command = Command::new("systemctl");
    command.env_clear().envs(variables);
    if is_of_user {
        command.arg("--user");
    }
    command.args(["show", unit, "--property=LoadState,ActiveState,SubState,Result,UnitFileState,MainPID"]);
    let printed = child::output(&mut command, deadline, OUTPUT_LIMIT).map_err(|failure| match failure {
        Failure::NotStarted(reason) => Silent::Unknown(format!("systemctl cannot be started: {reason}")),
        Failure::TimedOut => Silent::TimedOut,
        Failure::TooMuchOutput => Silent::Unknown("systemctl prints too much".to_owned()),
        Failure::Ended(_) if is_of_user => {
            Silent::Unknown("`systemctl --user` finds no service manager of this user".to_owned())
        }
        Failure::Ended(_) => Silent::Unknown("`systemctl` finds no service manager".to_owned()),
    })?;
    let printed = String::from_utf8_lossy(&printed);
    let properties: HashMap<_, _> = printed.lines().filter_map(|line| line.split_once('=')).collect();
    let text = |name: &str| properties.get(name).map(|value| (*value).to_owned()).unwrap_or_default();
    // Whoever asks is not the user whose service it is, or the manager has not read the unit yet.
    if text("LoadState") == "not-found" {
        return Err(Silent::Unknown(format!("the service manager that answers does not know {unit}")));
    }
    Ok(UnitState {
        active: text("ActiveState"),
        sub: text("SubState"),
        result: text("Result"),
        file: text("UnitFileState"),
        main_pid: text("MainPID").parse().ok().filter(|pid| *pid > 0),
    })
}

/// Runs `systemctl` and gives what it prints; an error is its complaint.
pub fn systemctl(
    variables: &BTreeMap<OsString, OsString>,
    is_of_user: bool,
    args: &[&str],
    deadline: Deadline,
) -> Result<String, String> {
    let mut command = Command::new("systemctl");
    command.env_clear().envs(variables);
    if is_of_user {
        command.arg("--user");
    }
    command.arg("--no-ask-password").args(args);
    let printed = child::explained(&mut command, deadline, OUTPUT_LIMIT);
    printed.map(|printed| String::from_utf8_lossy(&printed).into_owned())
}

/// Whether systemd runs this machine.
pub fn is_booted() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

/// Whether the services of a user outlive its last login; `None` where nobody knows.
pub fn lingers(variables: &BTreeMap<OsString, OsString>, user: &str, deadline: Deadline) -> Option<bool> {
    let mut command = Command::new("loginctl");
    command.env_clear().envs(variables).args(["show-user", user, "--property=Linger", "--value"]);
    match child::output(&mut command, deadline, OUTPUT_LIMIT) {
        Ok(printed) => Some(printed.trim_ascii() == b"yes"),
        // Nobody is known who neither is logged in nor lingers.
        Err(Failure::Ended(Some(1))) if is_booted() => Some(false),
        Err(_) => None,
    }
}

/// Lets the services of a user outlive its last login, or not; tells why that was refused. Tries `sudo` where it asks
/// for no password.
pub fn set_linger(
    variables: &BTreeMap<OsString, OsString>,
    user: &str,
    wanted: bool,
    deadline: Deadline,
) -> Result<(), String> {
    let verb = if wanted { "enable-linger" } else { "disable-linger" };
    for words in [&["loginctl", "--no-ask-password"][..], &["sudo", "-n", "loginctl"]] {
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).args([verb, user]).env_clear().envs(variables);
        if child::output(&mut command, deadline, OUTPUT_LIMIT).is_ok()
            && lingers(variables, user, deadline).unwrap_or_default() == wanted
        {
            return Ok(());
        }
    }
    Err(format!("`loginctl {verb} {user}` was refused"))
}
