//! What this program remembers for itself beside the shared files.

use std::path::PathBuf;

use crate::clock::Clock;
use crate::core::snapshot::SourceProblem;
use crate::format::ops_state::OpsState;
use crate::sys::files::{self, ReadFailure, ReplaceError};
use crate::sys::reader::Reader;
use crate::sys::{lock, random, signals};
use crate::workspace::paths::Paths;
use crate::workspace::source;

/// Random bytes of the salt.
const SALT_BYTES: usize = 16;

/// The file in the state folder.
#[derive(Clone, Debug)]
pub struct Memory {
    path: PathBuf,
}

impl Memory {
    /// The memory of an installation.
    pub fn of(paths: &Paths) -> Self {
        Self { path: paths.state_dir.join("ops-state.json") }
    }

    /// What is remembered; nothing when there is no file.
    pub fn read(&self, reader: &Reader, clock: &Clock) -> Result<OpsState, SourceProblem> {
        let read = source::read(reader, clock, &self.path, |content| OpsState::parse(&content.bytes))?;
        Ok(read.unwrap_or_default())
    }

    /// Changes what is remembered; `edit` gets the salt of the fingerprints. A file that cannot be read is left alone.
    pub fn update(&self, clock: &Clock, edit: impl FnOnce(&mut OpsState, &str)) -> Result<(), String> {
        let told = |error: std::io::Error| files::reason(&error);
        let _signals = signals::defer();
        files::create_private_dir(self.path.parent().unwrap_or(&self.path)).map_err(told)?;
        let target = files::target(&self.path).map_err(told)?;
        let _turn = lock::between_us(&target, clock).ok_or("another openclaw is writing it")?;
        let mut state = match files::read(&target) {
            Ok(content) => OpsState::parse(&content.bytes).map_err(|failure| failure.message)?,
            Err(ReadFailure::Absent) => OpsState::default(),
            Err(ReadFailure::Failed(reason)) => return Err(reason),
        };
        let salt = match state.salt.clone() {
            Some(salt) => salt,
            None => random::hex(SALT_BYTES).map_err(told)?.expose().to_owned(),
        };
        state.salt = Some(salt.clone());
        edit(&mut state, &salt);
        match files::replace(&target, &state.write()) {
            Ok(_) => Ok(()),
            Err(ReplaceError::Unchanged(error) | ReplaceError::Torn(error, _)) => Err(told(error)),
        }
    }

    /// Its file.
    pub fn path(&self) -> &std::path::Path {
        &self.path
    }
}
