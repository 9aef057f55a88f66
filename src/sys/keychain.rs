//! The macOS keychain, read through its own program so that the system's prompts and rules apply.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::clock::Deadline;
use crate::core::secret::Secret;
use crate::sys::child::{self, Failure};

/// The keychain may show a prompt; this long it may wait for an answer (reference limit).
const TIME_LIMIT: Duration = Duration::from_secs(5);
/// An item is a small JSON text.
const OUTPUT_LIMIT: usize = 1024 * 1024;
/// What `security` exits with when there is no such item (errSecItemNotFound, 44).
const NOT_FOUND: i32 = 44;

/// Reads a generic password; `None` when there is no such item.
pub fn read(
    program: &Path,
    service: &str,
    account: Option<&str>,
    deadline: Deadline,
) -> Result<Option<Secret>, String> {
    let mut command = Command::new(program);
    command.args(["find-generic-password", "-s", service]);
    if let Some(account) = account {
        command.args(["-a", account]);
    }
    command.arg("-w");
    let deadline = Deadline::after(TIME_LIMIT.min(deadline.remaining()));
    match child::output(&mut command, deadline, OUTPUT_LIMIT) {
        Ok(bytes) => String::from_utf8(bytes)
            .map(|text| Some(Secret::new(text.trim_end_matches('\n'))))
            .map_err(|_| "is not UTF-8".to_owned()),
        Err(Failure::Ended(Some(NOT_FOUND))) => Ok(None),
        Err(Failure::TimedOut) => Err("the keychain did not answer in time".to_owned()),
        Err(Failure::TooMuchOutput) => Err("is larger than 1 MiB".to_owned()),
        Err(Failure::NotStarted(reason)) => Err(format!("`security` did not start: {reason}")),
        Err(Failure::Ended(_)) => Err("the keychain refused to give it".to_owned()),
    }
}
