//! Reading one source of credentials, with patience for a writer that is not atomic.

use std::path::Path;
use std::time::Duration;

use crate::clock::Clock;
use crate::core::snapshot::SourceProblem;
use crate::format::ParseFailure;
use crate::sys::files::{Content, ReadFailure};
use crate::sys::reader::Reader;

/// A file that was written so recently may be half written: the Node programs truncate and write.
const MAY_BE_HALF_WRITTEN_MS: i64 = 2_000;
/// How long such a file gets to be finished before it is read once more.
const SETTLE: Duration = Duration::from_millis(50);

impl From<ParseFailure> for SourceProblem {
    fn from(failure: ParseFailure) -> Self {
        Self { message: failure.message, position: failure.position }
    }
}

/// Reads and parses a file; `None` when it does not exist.
pub fn read<T>(
    reader: &Reader,
    clock: &Clock,
    path: &Path,
    parse: impl Fn(&Content) -> Result<T, ParseFailure>,
) -> Result<Option<T>, SourceProblem> {
    let attempt = || match reader.read(path) {
        Ok(content) => Ok(Some((parse(&content), content.modified_ms))),
        Err(ReadFailure::Absent) => Ok(None),
        Err(ReadFailure::Failed(message)) => Err(SourceProblem { message, position: None }),
    };
    match attempt()? {
        None => Ok(None),
        Some((Ok(value), _)) => Ok(Some(value)),
        Some((Err(failure), modified_ms)) => {
            if clock.now().timestamp_millis().saturating_sub(modified_ms) > MAY_BE_HALF_WRITTEN_MS {
                return Err(failure.into());
            }
            clock.sleep(SETTLE);
            attempt()?.map(|(parsed, _)| parsed.map_err(SourceProblem::from)).transpose()
        }
    }
}
