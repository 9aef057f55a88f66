//! Files that only this program writes: changed under a lock of ours, and replaced whole.

use std::path::Path;

use crate::clock::Clock;
use crate::sys::files::{self, ReadFailure, ReplaceError};
use crate::sys::{lock, signals};

/// Changes the file at a path. `edit` gets the path behind all links and what is in it, `None` when there is no file; it
/// gives its answer and the new content, `None` to leave everything as it is. The error is a reason that names no path.
pub(super) fn update<T>(
    path: &Path,
    clock: &Clock,
    edit: impl FnOnce(&Path, Option<&[u8]>) -> Result<(T, Option<Vec<u8>>), String>,
) -> Result<T, String> {
    let told = |error: std::io::Error| files::reason(&error);
    let _signals = signals::defer();
    files::create_private_dir(path.parent().unwrap_or(path)).map_err(told)?;
    let target = files::target(path).map_err(told)?;
    let _turn = lock::between_us(&target, clock).ok_or("another openclaw is writing it")?;
    let content = match files::read(&target) {
        Ok(content) => Some(content),
        Err(ReadFailure::Absent) => None,
        Err(ReadFailure::Failed(reason)) => return Err(reason),
    };
    let (answer, new) = edit(&target, content.as_ref().map(|content| content.bytes.as_slice()))?;
    match new.map(|new| files::replace(&target, &new)) {
        None | Some(Ok(_)) => Ok(answer),
        Some(Err(ReplaceError::Unchanged(error) | ReplaceError::Torn(error, _))) => Err(told(error)),
    }
}
