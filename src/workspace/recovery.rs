//! The recovery folder: tokens that a provider gave, until they are everywhere where they belong.
//!
//! A refresh token is spent the moment the provider reads it. The file is therefore made, at its full length and
//! durably, before the request: a disk that is full stops the refresh while nothing is spent yet, and what comes is
//! written over blanks that are already there.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use crate::core::oauth::Parked;
use crate::format::recovery;
use crate::sys::files::{self, ReplaceError};
use crate::workspace::paths::Paths;

/// Room for the tokens of any provider; longer ones still go in, past the room.
const ROOM: usize = 16 * 1024;

/// The folder of an installation.
#[derive(Clone, Debug)]
pub struct Recovery {
    folder: PathBuf,
}

impl Recovery {
    /// The folder; it exists only while something is, or was, under way.
    pub fn of(paths: &Paths) -> Self {
        Self { folder: paths.state_dir.join("recovery") }
    }

    /// Where they lie.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Everything that is parked, with its file.
    pub fn parked(&self) -> Vec<Parked> {
        let entries = fs_err::read_dir(&self.folder).into_iter().flatten().flatten();
        let mut files: Vec<_> = entries.map(|entry| entry.path()).collect();
        files.sort_unstable();
        files.iter().filter_map(|path| read(path)).collect()
    }

    /// What is parked for a refresh token.
    pub fn find(&self, spent: &str) -> Option<Parked> {
        read(&self.path(spent))
    }

    /// Makes room for what the provider will give for this refresh token. What is parked already is never written over.
    pub fn reserve(&self, spent: &str) -> io::Result<Room> {
        if self.find(spent).is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        files::create_private_dir(&self.folder)?;
        let path = self.path(spent);
        let file = files::reserve(&path, ROOM)?;
        Ok(Room { path, file })
    }

    /// Gives what waits for an earlier token of the same login the newest tokens: the ones that it has are spent.
    pub fn carry_on(&self, newest: &Parked) -> io::Result<()> {
        let leads_here = |parked: &Parked| {
            let next = parked.tokens.refresh.as_ref();
            parked.spent != newest.spent && next.is_some_and(|token| token.digest() == newest.spent)
        };
        for earlier in self.parked().into_iter().filter(leads_here) {
            let mut parked = Parked { spent: earlier.spent, ..newest.clone() };
            // Without a new refresh token the one that was parked is still the good one.
            parked.tokens.refresh = parked.tokens.refresh.or(earlier.tokens.refresh);
            match files::replace(&self.path(&parked.spent), &recovery::write(&parked)) {
                Ok(_) => {}
                Err(ReplaceError::Unchanged(error) | ReplaceError::Torn(error, _)) => return Err(error),
            }
        }
        Ok(())
    }

    /// Removes what was parked once it is where it belongs.
    pub fn settle(&self, spent: &str) {
        drop(files::remove(&self.path(spent)));
    }

    /// The file for a refresh token.
    pub fn path(&self, spent: &str) -> PathBuf {
        self.folder.join(format!("{spent}.json"))
    }
}

fn read(path: &Path) -> Option<Parked> {
    recovery::parse(&files::read(path).ok()?.bytes)
}

/// Durable blanks.
pub struct Room {
    path: PathBuf,
    file: File,
}

impl Room {
    /// Makes the tokens durable: one write, one sync, no new blocks.
    pub fn park(&self, parked: &Parked) -> io::Result<()> {
        files::overwrite(&self.file, &recovery::write(parked))
    }

    /// Gives the room back when nothing came.
    pub fn release(self) {
        drop(files::remove(&self.path));
    }
}
