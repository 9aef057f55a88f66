//! The file in which programs on this host remember the conversations of one agent.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::clock::Clock;
use crate::format::ParseFailure;
use crate::format::config_sections::Config;
use crate::format::sessions::SessionFile;
use crate::sys::files::{self, Identity, ReadFailure, ReplaceError};
use crate::sys::lock::{self, Protocol};
use crate::sys::signals;
use crate::workspace::paths::Paths;

/// The sessions of an agent on disk.
#[derive(Clone, Debug)]
pub struct SessionStore {
    path: PathBuf,
}

impl SessionStore {
    /// Those of an agent: where `session.store` of the config says, else in the reference's place.
    pub fn of(paths: &Paths, config: &Config, agent: &str) -> Self {
        let path = match &config.session_store {
            Some(written) => paths.expand(written.replace("{agentId}", agent)),
            None => paths.state_dir.join("agents").join(agent).join("sessions").join("sessions.json"),
        };
        Self { path }
    }

    /// Its file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Which file it is now.
    pub fn identity(&self) -> Identity {
        files::identity(&self.path)
    }

    /// What is in it; nothing when there is no file. The error says why nothing can be concluded from it.
    pub fn read(&self) -> Result<SessionFile, String> {
        match files::read(&self.path) {
            Ok(content) => SessionFile::parse(&content.bytes).map_err(told),
            Err(ReadFailure::Absent) => Ok(SessionFile::default()),
            Err(ReadFailure::Failed(reason)) => Err(reason),
        }
    }

    /// Changes the file under its lock, on what is in it then, and tells which file it is after that. One that cannot be
    /// read is left byte for byte.
    pub fn update(
        &self,
        clock: &Clock,
        patience: Duration,
        edit: impl FnOnce(&mut SessionFile),
    ) -> Result<Identity, String> {
        let io = |error: std::io::Error| files::reason(&error);
        let signals = signals::defer();
        files::create_private_dir(self.path.parent().unwrap_or(&self.path)).map_err(io)?;
        let target = files::target(&self.path).map_err(io)?;
        let protocol = Protocol::of_sessions(&target);
        let lock = lock::acquire(&protocol, clock, patience, &|| signals.is_pending())
            .map_err(|error| error.to_string())?;
        let mut file = match files::read(&target) {
            Ok(content) => SessionFile::parse(&content.bytes).map_err(told)?,
            Err(ReadFailure::Absent) => SessionFile::default(),
            Err(ReadFailure::Failed(reason)) => return Err(reason),
        };
        files::remove_orphans(&target);
        edit(&mut file);
        if !lock.is_held() {
            return Err("another program took the lock for dead".to_owned());
        }
        match files::replace(&target, &file.write()) {
            Ok(_) => Ok(files::identity(&target)),
            Err(ReplaceError::Unchanged(error)) => Err(io(error)),
            Err(ReplaceError::Torn(error, backup)) => {
                Err(format!("{}; its old content is in {}", files::reason(&error), backup.display()))
            }
        }
    }
}

fn told(failure: ParseFailure) -> String {
    match failure.position {
        Some((line, column)) => format!("line {line}, column {column}: {}", failure.message),
        None => failure.message,
    }
}
