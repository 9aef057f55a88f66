//! The environment that the user's login shell would give.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::process::Command;

use crate::clock::Deadline;
use crate::sys::child::{self, Failure};

/// The most that `env -0` may print (reference limit).
const OUTPUT_LIMIT: usize = 2 * 1024 * 1024;

/// Runs `$SHELL -l -c "env -0"` in the given environment and gives name and value of what it printed.
pub fn import(
    shell: &OsStr,
    environment: &BTreeMap<OsString, OsString>,
    deadline: Deadline,
) -> Result<Vec<(String, String)>, String> {
    let mut command = Command::new(shell);
    command.args(["-l", "-c", "env -0"]).env_clear().envs(environment);
    let bytes = child::output(&mut command, deadline, OUTPUT_LIMIT).map_err(|failure| match failure {
        Failure::NotStarted(reason) => format!("did not start: {reason}"),
        Failure::TimedOut => "did not end in time".to_owned(),
        Failure::TooMuchOutput => "printed more than 2 MiB".to_owned(),
        Failure::Ended(Some(code)) => format!("ended with exit code {code}"),
        Failure::Ended(None) => "was ended by a signal".to_owned(),
    })?;
    Ok(String::from_utf8_lossy(&bytes)
        .split('\0')
        .filter_map(|entry| entry.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect())
}
