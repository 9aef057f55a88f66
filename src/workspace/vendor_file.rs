//! The file in which a vendor's program keeps its login: read again, guarded, and given new tokens after a refresh.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::clock::Clock;
use crate::core::login::{Vendor, VendorLogin};
use crate::core::oauth::Parked;
use crate::format::{ParseFailure, claude_code, codex, qwen};
use crate::sys::files::{self, Content, ReadFailure, ReplaceError};
use crate::sys::lock::{self, Lock, LockError, Protocol};
use crate::workspace::logins::{self, Login};

/// How often a file that changes under our hands is looked at again.
const ATTEMPTS: usize = 5;

/// A vendor's file.
#[derive(Clone, Debug)]
pub struct VendorFile {
    /// Whose it is.
    pub vendor: Vendor,
    path: PathBuf,
}

/// What became of new tokens at the vendor's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WrittenBack {
    /// They are in it.
    Done,
    /// It holds another login by now, or none: it is not ours to change.
    NotOurs,
}

/// Why they are not in it.
#[derive(Debug, thiserror::Error)]
pub enum WriteBackError {
    /// What is there cannot be read.
    #[error("{0}")]
    Unreadable(String),
    /// It cannot be written.
    #[error("{}", files::reason(.0))]
    Io(std::io::Error),
    /// It never stood still.
    #[error("another program keeps writing it")]
    Restless,
}

impl VendorFile {
    /// The file of a login; `None` when it stands in a keychain.
    pub fn of(login: &Login) -> Option<Self> {
        Some(Self { vendor: login.vendor, path: login.file.clone()? })
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes the locks under which the vendor's own program renews the login; where none is known, one of ours, so that
    /// at least two of us never renew it at once.
    pub fn lock(
        &self,
        clock: &Clock,
        patience: Duration,
        interrupted: &dyn Fn() -> bool,
    ) -> Result<Lock, LockError> {
        let mut lock = lock::acquire(&self.protocol(), clock, patience, interrupted)?;
        lock.keep_alive();
        Ok(lock)
    }

    /// The locks under which its login is renewed.
    pub fn protocol(&self) -> Protocol {
        match self.vendor {
            Vendor::ClaudeCode => Protocol::of_claude_code(&self.path),
            Vendor::Codex => Protocol::of_ours(&self.path),
            Vendor::QwenCode => Protocol::of_qwen_code(&self.path),
        }
    }

    /// What it says now.
    pub fn read(&self) -> Result<VendorLogin, String> {
        match self.content()? {
            None => Ok(VendorLogin::None),
            Some(content) => logins::parse(self.vendor, &content).map_err(|failure| failure.message),
        }
    }

    /// Puts new tokens in the place of those of the refresh token that was spent for them. Everything else in the file
    /// stays; what another program has put there meanwhile stays too.
    pub fn write_back(&self, parked: &Parked, clock: &Clock) -> Result<WrittenBack, WriteBackError> {
        let tokens = &parked.tokens;
        for _ in 0..ATTEMPTS {
            let Some(content) = self.content().map_err(WriteBackError::Unreadable)? else {
                return Ok(WrittenBack::NotOurs);
            };
            let unreadable = |failure: ParseFailure| WriteBackError::Unreadable(failure.message);
            let VendorLogin::Present { material, .. } =
                logins::parse(self.vendor, &content).map_err(unreadable)?
            else {
                return Ok(WrittenBack::NotOurs);
            };
            if material.usable_secret() == Some(&tokens.access) {
                return Ok(WrittenBack::Done);
            }
            if !parked.is_for(&material) {
                return Ok(WrittenBack::NotOurs);
            }
            let new = match self.vendor {
                Vendor::ClaudeCode => claude_code::renewed(&content.bytes, tokens),
                Vendor::Codex => codex::renewed(&content.bytes, tokens, clock.now()),
                Vendor::QwenCode => qwen::renewed(&content.bytes, tokens),
            };
            let new = new.map_err(unreadable)?;
            let target = files::target(&self.path).map_err(WriteBackError::Io)?;
            let stands_still = self
                .content()
                .map_err(WriteBackError::Unreadable)?
                .is_some_and(|now| now.bytes == content.bytes);
            if !stands_still {
                continue;
            }
            return match files::replace(&target, &new) {
                Ok(_) => Ok(WrittenBack::Done),
                Err(ReplaceError::Unchanged(error) | ReplaceError::Torn(error, _)) => {
                    Err(WriteBackError::Io(error))
                }
            };
        }
        Err(WriteBackError::Restless)
    }

    fn content(&self) -> Result<Option<Content>, String> {
        match files::read(&self.path) {
            Ok(content) => Ok(Some(content)),
            Err(ReadFailure::Absent) => Ok(None),
            Err(ReadFailure::Failed(reason)) => Err(reason),
        }
    }
}
