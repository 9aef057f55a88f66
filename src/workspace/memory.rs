//! What this program remembers for itself beside the shared files.

use std::path::PathBuf;

use crate::clock::Clock;
use crate::core::snapshot::SourceProblem;
use crate::format::ops_state::OpsState;
use crate::sys::files;
use crate::sys::random;
use crate::sys::reader::Reader;
use crate::workspace::paths::Paths;
use crate::workspace::{own_file, source};

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
        own_file::update(&self.path, clock, |_, bytes| {
            let read = bytes.map(OpsState::parse).transpose().map_err(|failure| failure.message)?;
            let mut state = read.unwrap_or_default();
            let salt = match state.salt.clone() {
                Some(salt) => salt,
                None => random::hex(SALT_BYTES).map_err(|error| files::reason(&error))?.expose().to_owned(),
            };
            state.salt = Some(salt.clone());
            edit(&mut state, &salt);
            Ok(((), Some(state.write())))
        })
    }

    /// Its file.
    pub fn path(&self) -> &std::path::Path {
        &self.path
    }
}
