//! What runs unattended on this host: written, started and taken away again, whoever manages services here.
//!
//! A [`Definition`] says what is to run; a [`Manager`] knows how that is written down and started. Files carry
//! [`MARK`]: what does not is somebody else's and is left alone.

mod definition;
mod launchd;
mod runit;
mod systemd;

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::clock::Deadline;
use crate::exit::CommandError;
use crate::process::{self, Process};
use crate::sys::files;

pub use definition::{Account, CARRIED, Control, Definition, Flavour, Kind, Place, suffix};

/// What tells our files from others; it stands in the first lines of each.
pub const MARK: &str = "openclaw service install";
/// How long a manager may take for one thing. Stopping a gateway takes as long as its answers, up to 45 s.
const PATIENCE: Duration = Duration::from_mins(1);

/// A file of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Where it is.
    pub path: PathBuf,
    /// What is in it; no secret.
    pub text: String,
    /// Whether it is a program.
    pub is_program: bool,
}

/// How a service is, as its manager sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// What the manager calls it.
    pub label: String,
    /// The file that defines it, when there is one.
    pub file: Option<PathBuf>,
    /// Whether that file is ours.
    pub is_ours: bool,
    /// Whether it starts by itself.
    pub is_enabled: bool,
    /// Whether it runs, or waits for its time.
    pub is_active: bool,
    /// What the manager says of it, in its own words.
    pub says: String,
}

/// Who starts what runs unattended.
pub trait Manager {
    /// Its name.
    fn name(&self) -> &'static str;
    /// What it calls a service.
    fn label(&self, place: &Place) -> String;
    /// Whether it can be asked at all; an error says what to type.
    fn reach(&self, place: &Place) -> Result<(), CommandError>;
    /// Every file that defines a service.
    fn files(&self, definition: &Definition) -> Result<Vec<File>, CommandError>;
    /// Where these files are, the one that is started first. Files that other services share stand last, and only when
    /// no other one needs them.
    fn paths(&self, place: &Place) -> Vec<PathBuf>;
    /// Makes it start by itself and starts it; tells what had to be done.
    fn activate(&self, place: &Place, has_changed: bool) -> Result<Vec<String>, CommandError>;
    /// Stops it for good, before its files go; tells what had to be done.
    fn deactivate(&self, place: &Place) -> Result<Vec<String>, CommandError>;
    /// Told when files are gone.
    fn forget(&self, place: &Place) -> Result<(), CommandError>;
    /// Starts or stops one that is installed under this name.
    fn control(&self, place: &Place, label: &str, verb: Control) -> Result<(), CommandError>;
    /// How it is.
    fn state(&self, place: &Place) -> State;
}

/// The manager of this host.
pub fn manager(process: &Process) -> Result<Box<dyn Manager>, CommandError> {
    if process.var(&process::TERMUX_VERSION).is_some() {
        let prefix = process.path_var(&process::PREFIX).ok_or_else(|| {
            CommandError::io("PREFIX is not set, so that nobody knows where Termux keeps its services")
        })?;
        return Ok(Box::new(runit::Runit::new(process.variables().clone(), PathBuf::from(prefix))));
    }
    if process.is_macos() {
        return Ok(Box::new(launchd::Launchd::new(process.variables().clone())));
    }
    Ok(Box::new(systemd::Systemd::new(process)))
}

/// How a service is installed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wishes {
    /// Replace files that are not ours.
    pub force: bool,
    /// Only tell what would be done.
    pub dry_run: bool,
}

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// Line by line; empty when everything was as it should be.
    pub changes: Vec<String>,
    /// The files as they are to be, for a rehearsal.
    pub files: Vec<File>,
}

/// Installs a service; a second time nothing changes.
pub fn install(manager: &dyn Manager, definition: &Definition, wishes: Wishes) -> Result<Done, CommandError> {
    let place = &definition.place;
    if !wishes.dry_run {
        place.may_change(&format!("service install {}{}", place.kind.word(), place.scope()))?;
    }
    let files = manager.files(definition)?;
    let mut stale = Vec::new();
    for file in &files {
        match look(&file.path)? {
            Found::Ours(text) if text == file.text => {}
            Found::Ours(text) => {
                same_user(&text, file, wishes.force)?;
                stale.push((file, None));
            }
            Found::Nothing => stale.push((file, None)),
            Found::Foreign if wishes.force => stale.push((file, Some(aside(&file.path)))),
            Found::Foreign => return Err(foreign(&file.path, place, "install")),
        }
    }
    if wishes.dry_run {
        let changes = stale.iter().map(|(file, _)| format!("would write {}", file.path.display()));
        return Ok(Done { changes: changes.collect(), files });
    }
    manager.reach(place)?;
    for folder in &definition.writable {
        files::create_private_dir(folder).map_err(|error| unwritten(folder, &error))?;
    }
    let mut changes = Vec::new();
    for (file, kept) in &stale {
        if let Some(kept) = kept {
            keep(&file.path, kept)?;
            changes.push(format!("moved what was there to {}", kept.display()));
        }
        write(file)?;
        changes.push(format!("wrote {}", file.path.display()));
    }
    changes.extend(manager.activate(place, !stale.is_empty())?);
    Ok(Done { changes, files: Vec::new() })
}

/// Takes a service away; what is not ours stays unless that is wanted.
pub fn uninstall(manager: &dyn Manager, place: &Place, wishes: Wishes) -> Result<Done, CommandError> {
    if !wishes.dry_run {
        place.may_change(&format!("service uninstall {}{}", place.kind.word(), place.scope()))?;
    }
    let mut there = Vec::new();
    for path in manager.paths(place) {
        match look(&path)? {
            Found::Nothing => {}
            Found::Foreign if !wishes.force => return Err(foreign(&path, place, "uninstall")),
            Found::Foreign => there.push((path.clone(), Some(aside(&path)))),
            Found::Ours(_) => there.push((path, None)),
        }
    }
    if there.is_empty() {
        return Ok(Done::default());
    }
    if wishes.dry_run {
        let changes = there.iter().map(|(path, _)| format!("would remove {}", path.display())).collect();
        return Ok(Done { changes, files: Vec::new() });
    }
    manager.reach(place)?;
    let mut changes = manager.deactivate(place)?;
    for (path, kept) in &there {
        if let Some(kept) = kept {
            keep(path, kept)?;
            changes.push(format!("moved {} to {}", path.display(), kept.display()));
        } else {
            files::remove(path).map_err(|error| unwritten(path, &error))?;
            changes.push(format!("removed {}", path.display()));
        }
    }
    manager.forget(place)?;
    Ok(Done { changes, files: Vec::new() })
}

/// What is at a place where a file of ours is to be.
enum Found {
    Foreign,
    Nothing,
    Ours(String),
}

fn look(path: &Path) -> Result<Found, CommandError> {
    // A link was made by somebody else: a mask, or another tool's store.
    if fs_err::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink()) {
        return Ok(Found::Foreign);
    }
    match files::read(path) {
        Ok(content) => {
            let text = String::from_utf8_lossy(&content.bytes).into_owned();
            let is_ours = text.lines().take(4).any(|line| line.contains(MARK));
            Ok(if is_ours { Found::Ours(text) } else { Found::Foreign })
        }
        Err(files::ReadFailure::Absent) => Ok(Found::Nothing),
        Err(files::ReadFailure::Failed(reason)) => {
            Err(CommandError::io(format!("failed to read {}: {reason}", path.display())))
        }
    }
}

/// Refuses to make a system service of one user into that of another one.
fn same_user(old: &str, file: &File, is_forced: bool) -> Result<(), CommandError> {
    let user = |text: &str| {
        text.lines().rev().find_map(|line| line.strip_prefix("User=")).map(str::to_owned).unwrap_or_default()
    };
    let (old, new) = (user(old), user(&file.text));
    if old == new || is_forced {
        return Ok(());
    }
    Err(CommandError::refused(format!("{} is the service of the user \"{old}\"", file.path.display()))
        .hint(format!("add --force to make it that of \"{new}\", or give this one a name with --profile")))
}

fn foreign(path: &Path, place: &Place, verb: &str) -> CommandError {
    let kind = place.kind.word();
    CommandError::refused(format!("{} was not written by this program", path.display())).hint(format!(
        "`openclaw service {verb} {kind}{} --force` moves it aside, to {}",
        place.flavour.flag(),
        aside(path).display()
    ))
}

/// Where a file goes that is replaced: nobody takes that name for a service, and what went there before stays.
fn aside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let numbered = (2..).map(|number| format!("{name}.replaced-{number}"));
    let mut places = std::iter::once(format!("{name}.replaced")).chain(numbered);
    let is_free = |place: &PathBuf| fs_err::symlink_metadata(place).is_err();
    places.find_map(|name| Some(path.with_file_name(name)).filter(is_free)).unwrap_or_default()
}

/// Keeps what was there. It may hold secrets, as units of other programs do.
fn keep(path: &Path, kept: &Path) -> Result<(), CommandError> {
    fs_err::rename(path, kept).map_err(|error| unwritten(path, &error))?;
    if fs_err::symlink_metadata(kept).is_ok_and(|metadata| metadata.is_file()) {
        files::set_mode(kept, 0o600).map_err(|error| unwritten(kept, &error))?;
    }
    Ok(())
}

fn write(file: &File) -> Result<(), CommandError> {
    let folder = file.path.parent().unwrap_or(&file.path);
    let written = files::create_private_dir(folder)
        .and_then(|()| files::replace_public(&file.path, file.text.as_bytes()))
        .and_then(|()| if file.is_program { files::set_mode(&file.path, 0o755) } else { Ok(()) });
    written.map_err(|error| unwritten(&file.path, &error))
}

fn unwritten(path: &Path, error: &std::io::Error) -> CommandError {
    CommandError::io(format!("failed to write {}: {}", path.display(), files::reason(error)))
}

fn patience() -> Deadline {
    Deadline::after(PATIENCE)
}
