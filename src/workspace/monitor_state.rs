//! The monitor's memory on disk. Every change is read, made and replaced under a lock of ours.

use std::path::{Path, PathBuf};

use crate::clock::Clock;
use crate::core::delivery::Deliveries;
use crate::format::monitor_state::MonitorState;
use crate::sys::files::{self, ReadFailure};
use crate::workspace::own_file;
use crate::workspace::paths::Paths;

/// The file in the state folder.
#[derive(Clone, Debug)]
pub struct StateFile {
    path: PathBuf,
}

/// The right to look and to tell: one process has it at a time.
pub struct Turn(#[expect(dead_code, reason = "the lock goes when it is dropped")] std::fs::File);

impl StateFile {
    /// That of an installation and, beside its default one, of an agent.
    pub fn of(paths: &Paths, agent: Option<&str>) -> Self {
        let name = match agent {
            Some(agent) => format!("monitor-state-{agent}.json"),
            None => "monitor-state.json".to_owned(),
        };
        Self { path: paths.state_dir.join(name) }
    }

    /// Its file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is remembered; nothing when there is no file.
    pub fn read(&self) -> Result<MonitorState, String> {
        match files::read(&self.path) {
            Ok(content) => MonitorState::parse(&content.bytes),
            Err(ReadFailure::Absent) => Ok(MonitorState::default()),
            Err(ReadFailure::Failed(reason)) => Err(reason),
        }
    }

    /// Changes what is remembered. A file that is not understood is moved aside: an alarm must go on.
    pub fn update<T>(&self, clock: &Clock, edit: impl FnOnce(&mut MonitorState) -> T) -> Result<T, String> {
        own_file::update(&self.path, clock, |target, bytes| {
            let mut state = match bytes.map(MonitorState::parse) {
                Some(Ok(state)) => state,
                Some(Err(_)) => {
                    let aside = target.with_extension("json.unreadable");
                    fs_err::rename(target, aside).map_err(|error| files::reason(&error))?;
                    MonitorState::default()
                }
                None => MonitorState::default(),
            };
            let before = state.clone();
            let answer = edit(&mut state);
            let is_as_before = state == before && target.exists();
            Ok((answer, (!is_as_before).then(|| state.write())))
        })
    }

    /// The turn to look and to tell; `None` while another monitor has it.
    pub fn turn(&self) -> Result<Option<Turn>, String> {
        let told = |error: std::io::Error| files::reason(&error);
        files::create_private_dir(self.path.parent().unwrap_or(&self.path)).map_err(told)?;
        let file = files::reserve(&self.path.with_extension("lock"), 0).map_err(told)?;
        match file.try_lock() {
            Err(std::fs::TryLockError::WouldBlock) => Ok(None),
            // A file system that knows no locks gives a turn to everybody.
            _ => Ok(Some(Turn(file))),
        }
    }
}

/// What became of the deliveries of each channel; nothing when there is no monitor, or its memory cannot be read.
pub fn deliveries(paths: &Paths, agent: Option<&str>) -> Vec<Deliveries> {
    StateFile::of(paths, agent).read().map(|state| state.deliveries()).unwrap_or_default()
}
