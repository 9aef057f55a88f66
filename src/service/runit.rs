//! runit as Termux has it: the package `termux-services`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::exit::CommandError;
use crate::service::{
    Control, Definition, File, Flavour, Found, Kind, MARK, Manager, Place, State, look, patience,
};
use crate::sys::child;

/// The most that its programs may print.
const OUTPUT_LIMIT: usize = 64 * 1024;

pub(super) struct Runit {
    variables: BTreeMap<OsString, OsString>,
    prefix: PathBuf,
}

impl Runit {
    pub(super) fn new(variables: BTreeMap<OsString, OsString>, prefix: PathBuf) -> Self {
        Self { variables, prefix }
    }

    /// The folder of a service.
    fn folder(&self, place: &Place) -> PathBuf {
        self.prefix.join("var/service").join(self.label(place))
    }

    fn tell(&self, program: &str, args: &[&str]) -> Result<String, CommandError> {
        let mut command = Command::new(program);
        command.env_clear().envs(&self.variables).args(args);
        // Set by the login scripts of termux-services; what runs outside of a login has to be told.
        command.env("SVDIR", self.prefix.join("var/service"));
        let printed = child::explained(&mut command, patience(), OUTPUT_LIMIT)
            .map_err(|why| CommandError::io(format!("`{program} {}` failed: {why}", args.join(" "))))?;
        Ok(String::from_utf8_lossy(&printed).into_owned())
    }

    fn is_down(&self, place: &Place) -> bool {
        self.folder(place).join("down").exists()
    }

    fn is_up(&self, place: &Place) -> bool {
        self.tell("sv", &["status", &self.label(place)]).is_ok_and(|said| said.starts_with("run:"))
    }
}

impl Manager for Runit {
    fn name(&self) -> &'static str {
        "termux-services"
    }

    fn label(&self, place: &Place) -> String {
        format!("openclaw-{}{}", place.kind.word(), place.suffix)
    }

    fn reach(&self, _place: &Place) -> Result<(), CommandError> {
        if self.prefix.join("bin/sv-enable").exists() && self.prefix.join("var/service").is_dir() {
            return Ok(());
        }
        Err(CommandError::refused("termux-services is not installed")
            .hint("pkg install termux-services, then start Termux anew and try again")
            .hint(
                "without it, for the monitor: a script with `openclaw monitor --once` in it, and \
                 termux-job-scheduler --persisted true --period-ms 1800000 --script SCRIPT",
            ))
    }

    fn files(&self, definition: &Definition) -> Result<Vec<File>, CommandError> {
        let place = &definition.place;
        if place.flavour == Flavour::System {
            return Err(
                CommandError::usage("Termux has no services of the machine").hint("leave --system out")
            );
        }
        let shell = self.prefix.join("bin/sh").display().to_string();
        let head = format!("#!{shell}\n# Written by `{MARK} {}`, which writes it anew.\n", place.kind.word());
        let command: &[&str] = match place.kind {
            Kind::Exporter => &["exporter"],
            Kind::Gateway => &["gateway", "run"],
            Kind::Monitor => &["monitor"],
        };
        let mut run = head.clone();
        for (name, value) in &definition.environment {
            let _ = writeln!(run, "export {name}={}", quoted(value));
        }
        let words = std::iter::once(definition.program.as_str()).chain(definition.words(command));
        let words: Vec<_> = words.map(quoted).collect();
        let _ = writeln!(run, "exec {} 2>&1", words.join(" "));
        let logger = self.prefix.join("share/termux-services/svlogger").display().to_string();
        let log = format!("{head}exec {}\n", quoted(&logger));
        let folder = self.folder(place);
        let file = |path: PathBuf, text| File { path, text, is_program: true };
        Ok(vec![file(folder.join("run"), run), file(folder.join("log/run"), log)])
    }

    fn paths(&self, place: &Place) -> Vec<PathBuf> {
        let folder = self.folder(place);
        vec![folder.join("run"), folder.join("log/run")]
    }

    fn activate(&self, place: &Place, has_changed: bool) -> Result<Vec<String>, CommandError> {
        let (label, mut changes) = (self.label(place), Vec::new());
        if self.is_down(place) || !self.is_up(place) {
            self.tell("sv-enable", &[&label])?;
            changes.push(format!("enabled {label}; runsvdir starts it within seconds"));
        } else if has_changed {
            self.tell("sv", &["restart", &label])?;
            changes.push(format!("restarted {label}"));
        }
        Ok(changes)
    }

    fn deactivate(&self, place: &Place) -> Result<Vec<String>, CommandError> {
        let label = self.label(place);
        self.tell("sv-disable", &[&label])?;
        Ok(vec![format!("stopped and disabled {label}")])
    }

    fn forget(&self, place: &Place) -> Result<(), CommandError> {
        // What the supervisor has made beside our files goes with them.
        let folder = self.folder(place);
        let gone = remove_all(&folder);
        gone.map_err(|error| CommandError::io(format!("failed to remove {}: {error}", folder.display())))
    }

    fn control(&self, _place: &Place, label: &str, verb: Control) -> Result<(), CommandError> {
        let word = match verb {
            Control::Restart => "restart",
            Control::Start => "up",
            Control::Stop => "down",
        };
        self.tell("sv", &[word, label]).map(drop)
    }

    fn state(&self, place: &Place) -> State {
        let path = self.folder(place).join("run");
        let (file, is_ours) = match look(&path) {
            Ok(Found::Ours(_)) => (Some(path), true),
            Ok(Found::Foreign) | Err(_) => (Some(path), false),
            Ok(Found::Nothing) => (None, false),
        };
        let is_active = file.is_some() && self.is_up(place);
        let is_enabled = file.is_some() && !self.is_down(place);
        let says = if is_active { "up" } else { "down" }.to_owned();
        State { label: self.label(place), file, is_ours, is_enabled, is_active, says }
    }
}

fn remove_all(folder: &Path) -> std::io::Result<()> {
    match fs_err::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// A word for the shell, however long it is.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}
