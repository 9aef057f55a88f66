//! What doctor changes on a host, how that is written down, and how it is taken back.

use std::cell::Cell;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::clock::{Clock, Deadline};
use crate::core::secret::Secret;
use crate::exit::CommandError;
use crate::format::config::{Node, Tree};
use crate::format::config_edit::Edit;
use crate::format::doctor_journal::{Change, Run};
use crate::process::Process;
use crate::sys::reader::Reader;
use crate::sys::{files, systemd};
use crate::workspace::Workspace;
use crate::workspace::config_store::ConfigStore;
use crate::workspace::journal::JournalFile;

/// How long one step may take: `loginctl` answers at once, or asks somebody for a password.
const STEP_LIMIT: Duration = Duration::from_secs(10);
/// The bits of a mode that `chmod` sets.
const MODE_BITS: u32 = 0o7777;

/// Who has to agree before it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consent {
    /// `--fix` is enough: it only makes things tighter or as they were meant.
    Safe,
    /// `--yes`, or an answer: it changes how the host behaves.
    Asked,
    /// `--force` too: it touches what belongs to another program.
    Forced,
}

/// What mends a finding.
pub struct Fix {
    /// What it does, as a sentence about it: `sets the mode 0600`.
    pub does: String,
    /// Who has to agree.
    pub consent: Consent,
    pub(super) steps: Vec<Step>,
}

impl Consent {
    /// The flags with which it is done unasked.
    pub fn flags(self) -> &'static str {
        match self {
            Self::Safe => "--fix",
            Self::Asked => "--yes",
            Self::Forced => "--fix --force",
        }
    }
}

impl Fix {
    /// Whether it gives a folder another name, so that what is done after it would not find its files.
    pub fn renames(&self, folder: &Path) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Move { from, .. } if from == folder))
    }

    pub(super) fn new(does: impl Into<String>, consent: Consent, steps: Vec<Step>) -> Self {
        Self { does: does.into(), consent, steps }
    }
}

/// One change. There is no `Debug`: a value may be a secret.
pub(super) enum Step {
    /// The mode of a file or folder.
    Mode { path: PathBuf, mode: u32 },
    /// A value of the config.
    ConfigSet { key: Vec<String>, value: Value },
    /// A value of the config under another key.
    ConfigRename { from: Vec<String>, to: Vec<String> },
    /// Another name of a file or folder.
    Move { from: PathBuf, to: PathBuf },
    /// Services that outlive the last login of a user.
    Linger { user: String },
}

/// Makes changes on a host and writes them down.
pub struct Mender<'m> {
    /// The installation.
    pub workspace: &'m Workspace,
    /// The process that asks.
    pub process: &'m Process,
    /// The time.
    pub clock: &'m Clock,
    /// What the changes of this run are filed under, ms since the epoch.
    pub run: i64,
    /// Whether this run has already left a backup of the config.
    pub has_backup: Cell<bool>,
}

impl Mender<'_> {
    /// Does what mends a finding, or tells why it failed. What was done before the failure stays, and can be undone.
    pub fn apply(&self, fix: &Fix) -> Result<(), String> {
        let journal = JournalFile::in_dir(&self.workspace.paths.state_dir);
        for step in &fix.steps {
            let noted = journal.note(self.clock, self.run, |salt| Ok(vec![self.change(step, salt)?]));
            noted.map_err(|reason| {
                format!("it could not be written down for `openclaw doctor --undo`: {reason}")
            })?;
            self.take(step)?;
        }
        Ok(())
    }

    /// What a step is going to change, with what is there now.
    fn change(&self, step: &Step, salt: &str) -> Result<Change, String> {
        Ok(match step {
            Step::Mode { path, mode } => {
                Change::Mode { path: path.clone(), before: octal(mode_of(path)?), after: octal(*mode) }
            }
            Step::ConfigSet { key, value } => Change::Config {
                key: key.clone(),
                before: self.raw()?.at(key).map(Node::to_json),
                after: Some(fingerprint(value, salt)),
            },
            Step::ConfigRename { from, to } => {
                let raw = self.raw()?;
                let value = raw.at(from).ok_or_else(|| format!("{} is gone", from.join(".")))?;
                Change::ConfigRename {
                    from: from.clone(),
                    to: to.clone(),
                    value: fingerprint(&value.to_json(), salt),
                }
            }
            Step::Move { from, to } => Change::Move { from: from.clone(), to: to.clone() },
            Step::Linger { user } => Change::Linger { user: user.clone() },
        })
    }

    fn take(&self, step: &Step) -> Result<(), String> {
        match step {
            Step::Mode { path, mode } => set_mode(path, *mode),
            Step::ConfigSet { key, value } => self.edit(vec![Edit::Set(key.clone(), value.clone())]),
            Step::ConfigRename { from, to } => self.rename(from, to),
            Step::Move { from, to } => move_to(from, to),
            Step::Linger { user } => self.linger(user, true),
        }
    }

    fn linger(&self, user: &str, wanted: bool) -> Result<(), String> {
        systemd::set_linger(self.process.variables(), user, wanted, Deadline::after(STEP_LIMIT))
    }

    fn store(&self) -> ConfigStore<'_> {
        let store = ConfigStore::new(&self.workspace.paths, &self.workspace.environment);
        if self.has_backup.get() { store.without_backup() } else { store }
    }

    fn raw(&self) -> Result<Node, String> {
        self.store().raw(&reader()).map_err(|error| error.message().to_owned())
    }

    fn edit(&self, edits: Vec<Edit>) -> Result<(), String> {
        let updated = self.store().update(self.clock, &reader(), |_| Ok(edits));
        let has_changed = updated.map_err(|error| error.message().to_owned())?;
        self.has_backup.set(self.has_backup.get() || has_changed);
        Ok(())
    }

    fn rename(&self, from: &[String], to: &[String]) -> Result<(), String> {
        let raw = self.raw()?;
        let value = raw.at(from).ok_or_else(|| format!("{} is gone", from.join(".")))?.to_json();
        if raw.at(to).is_some() {
            return Err(format!("{} is there already", to.join(".")));
        }
        self.edit(vec![Edit::Set(to.to_vec(), value), removal(&raw, from, to)])
    }

    /// Takes one change back; tells in words what was done, or why it was left.
    fn take_back(&self, change: &Change, salt: &str) -> Result<String, Left> {
        let shown = |path: &Path| self.workspace.paths.shown(path).short;
        let later = |what: String| Left::Changed(format!("{what} was changed since"));
        match change {
            Change::Mode { path, before, after } => {
                if fs_err::symlink_metadata(path).is_err() {
                    return Err(Left::Changed(format!("{} is gone", shown(path))));
                }
                if octal(mode_of(path)?) != *after {
                    return Err(later(format!("the mode of {}", shown(path))));
                }
                let mode = u32::from_str_radix(before, 8)
                    .map_err(|_| Left::Changed("the journal has no such mode".to_owned()))?;
                set_mode(path, mode)?;
                Ok(format!("{} has the mode {before} again", shown(path)))
            }
            Change::Config { key, before, after } => {
                let name = key.join(".");
                let raw = self.raw()?;
                let now = raw.at(key).map(|node| fingerprint(&node.to_json(), salt));
                if now != *after {
                    return Err(later(name));
                }
                self.edit(vec![match before {
                    Some(value) => Edit::Set(key.clone(), value.clone()),
                    None => removal(&raw, key, &[]),
                }])?;
                Ok(format!("{name} is as it was"))
            }
            Change::ConfigRename { from, to, value } => {
                let now = self.raw()?.at(to).map(|node| fingerprint(&node.to_json(), salt));
                if now.as_ref() != Some(value) {
                    return Err(later(to.join(".")));
                }
                self.rename(to, from)?;
                Ok(format!("{} is {} again", to.join("."), from.join(".")))
            }
            Change::Move { from, to } => {
                move_to(to, from)?;
                Ok(format!("{} is {} again", shown(to), shown(from)))
            }
            Change::Linger { user } => {
                let deadline = Deadline::after(STEP_LIMIT);
                if systemd::lingers(self.process.variables(), user, deadline) != Some(true) {
                    return Err(later(format!("lingering of {user}")));
                }
                self.linger(user, false)?;
                Ok(format!("services of {user} end with the last login again"))
            }
        }
    }
}

/// What became of the changes of the last run.
#[derive(Debug, Default)]
pub struct Undone {
    /// What was taken back, in words.
    pub back: Vec<String>,
    /// What was left for good, and why.
    pub left: Vec<String>,
    /// What could not be taken back now; it can be tried again.
    pub failed: Vec<String>,
}

/// Why a change was not taken back.
enum Left {
    /// It is not ours any more.
    Changed(String),
    /// It failed.
    Failed(String),
}

impl From<String> for Left {
    fn from(reason: String) -> Self {
        Self::Failed(reason)
    }
}

/// Takes the last run back, the latest change first, wherever the value is still the one that doctor wrote.
pub fn undo(mender: &Mender<'_>) -> Result<Undone, CommandError> {
    let mut file = JournalFile::in_dir(&mender.workspace.paths.state_dir);
    let refused = |file: &JournalFile, reason: String| {
        let shown = mender.workspace.paths.shown(file.path()).short;
        CommandError::io(format!("{shown}: {reason}")).hint("nothing was undone")
    };
    let journal = file.read().map_err(|reason| refused(&file, reason))?;
    let mut undone = Undone::default();
    let mut kept = Vec::new();
    let Some(Run { at, changes }) = journal.runs.last() else { return Ok(undone) };
    for change in changes.iter().rev() {
        match mender.take_back(change, &journal.salt) {
            Ok(told) => {
                undone.back.push(told);
                // The journal goes with the folder that holds it.
                if let Change::Move { from, to } = change
                    && let Ok(rest) = file.path().strip_prefix(to)
                    && let Some(folder) = from.join(rest).parent()
                {
                    file = JournalFile::in_dir(folder);
                }
            }
            Err(Left::Changed(reason)) => undone.left.push(reason),
            Err(Left::Failed(reason)) => {
                undone.failed.push(reason);
                kept.insert(0, change.clone());
            }
        }
    }
    let forget = file.update(mender.clock, |journal| {
        journal.runs.retain(|run| run.at != *at);
        if !kept.is_empty() {
            journal.runs.push(Run { at: *at, changes: kept });
        }
        Ok(())
    });
    forget.map_err(|reason| refused(&file, reason))?;
    Ok(undone)
}

/// Takes a key away, and with it every object that would be left empty, unless it is on the way to another key.
fn removal(raw: &Node, key: &[String], other: &[String]) -> Edit {
    let holds_only_this = |length: &usize| {
        !other.starts_with(&key[..*length])
            && raw
                .at(&key[..*length])
                .is_some_and(|node| matches!(&node.value, Tree::Table(all) if all.len() == 1))
    };
    let emptied = (1..key.len()).rev().take_while(holds_only_this).last();
    Edit::Remove(key[..emptied.unwrap_or(key.len())].to_vec())
}

fn reader() -> Reader {
    Reader::new(Deadline::after(STEP_LIMIT))
}

fn fingerprint(value: &Value, salt: &str) -> String {
    Secret::new(value.to_string()).fingerprint(salt)
}

fn octal(mode: u32) -> String {
    format!("{mode:04o}")
}

fn mode_of(path: &Path) -> Result<u32, String> {
    let metadata = fs_err::symlink_metadata(path).map_err(|error| files::reason(&error))?;
    Ok(metadata.permissions().mode() & MODE_BITS)
}

fn set_mode(path: &Path, mode: u32) -> Result<(), String> {
    files::set_mode(path, mode).map_err(|error| files::reason(&error))
}

/// Renames, never over something that is there.
fn move_to(from: &Path, to: &Path) -> Result<(), String> {
    if fs_err::symlink_metadata(to).is_ok() {
        return Err(format!("{} is there already", to.display()));
    }
    if let Some(parent) = to.parent() {
        files::create_private_dir(parent).map_err(|error| files::reason(&error))?;
    }
    fs_err::rename(from, to).map_err(|error| files::reason(&error))
}
