//! The file in which doctor remembers what it has changed.

use std::path::{Path, PathBuf};

use crate::clock::Clock;
use crate::format::doctor_journal::{Change, Journal, Run};
use crate::sys::files::{self, ReadFailure};
use crate::sys::random;
use crate::workspace::own_file;

/// Random bytes of the salt.
const SALT_BYTES: usize = 16;

/// The journal of an installation.
#[derive(Clone, Debug)]
pub struct JournalFile {
    path: PathBuf,
}

impl JournalFile {
    /// The one in a state folder.
    pub fn in_dir(state_dir: &Path) -> Self {
        Self { path: state_dir.join("doctor-journal.json") }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it says; empty when there is none.
    pub fn read(&self) -> Result<Journal, String> {
        match files::read(&self.path) {
            Ok(content) => Journal::parse(&content.bytes).map_err(|failure| failure.message),
            Err(ReadFailure::Absent) => Ok(Journal::default()),
            Err(ReadFailure::Failed(reason)) => Err(reason),
        }
    }

    /// Changes it. One that cannot be read is left alone, and nothing is changed that could not be undone.
    pub fn update<T>(
        &self,
        clock: &Clock,
        edit: impl FnOnce(&mut Journal) -> Result<T, String>,
    ) -> Result<T, String> {
        own_file::update(&self.path, clock, |_, bytes| {
            let read = bytes.map(Journal::parse).transpose().map_err(|failure| failure.message)?;
            let mut journal = read.unwrap_or_default();
            if journal.salt.is_empty() {
                let salt = random::hex(SALT_BYTES).map_err(|error| files::reason(&error))?;
                salt.expose().clone_into(&mut journal.salt);
            }
            let result = edit(&mut journal)?;
            Ok((result, Some(journal.write()?)))
        })
    }

    /// Notes changes before they are made: one that never happened is recognised by its value and left alone.
    pub fn note(
        &self,
        clock: &Clock,
        run: i64,
        changes: impl FnOnce(&str) -> Result<Vec<Change>, String>,
    ) -> Result<(), String> {
        self.update(clock, |journal| {
            let changes = changes(&journal.salt)?;
            match journal.runs.last_mut().filter(|last| last.at == run) {
                Some(last) => last.changes.extend(changes),
                None => journal.runs.push(Run { at: run, changes }),
            }
            Ok(())
        })
    }
}
