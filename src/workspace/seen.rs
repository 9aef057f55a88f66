//! Whether a host is still what one load of it saw.

use std::path::PathBuf;

use crate::clock::Deadline;
use crate::core::credential::EpochMs;
use crate::core::span;
use crate::sys::files::{self, Identity};
use crate::sys::reader::Reader;

/// A file that was changed so shortly before it was read may change again without looking different: the time stamps of
/// file systems are coarse.
const COARSE_MS: i64 = 2 * span::SECOND;

/// What every file and folder was that a load looked at, absent ones too.
#[derive(Debug, Default)]
pub struct Seen {
    files: Vec<(PathBuf, Identity)>,
    /// Whether the same files mean the same content.
    is_lasting: bool,
}

impl Seen {
    /// What a reader saw since `started`. `is_complete` says that nothing but files was asked.
    pub(super) fn of(reader: &Reader, started: EpochMs, is_complete: bool) -> Self {
        let seen = reader.seen();
        let all = seen.len();
        let files: Vec<_> = seen.into_iter().filter_map(|(path, identity)| Some((path, identity?))).collect();
        let is_old = |identity: &Identity| match identity {
            Identity::Present { changed, .. } => changed.0.saturating_mul(1000) < started - COARSE_MS,
            Identity::Absent | Identity::Hidden(_) => true,
        };
        let is_lasting = is_complete && files.len() == all && files.iter().all(|(_, file)| is_old(file));
        Self { files, is_lasting }
    }

    /// Whether reading everything again would give the same.
    pub fn is_current(&self, deadline: Deadline) -> bool {
        let files = self.files.clone();
        let is_same = move || files.iter().all(|(path, identity)| files::identity(path) == *identity);
        self.is_lasting && Reader::new(deadline).call(is_same).unwrap_or(false)
    }
}
