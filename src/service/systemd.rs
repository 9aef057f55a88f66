//! systemd: units of the user or of the machine, made from the ones in `systemd/`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use crate::exit::CommandError;
use crate::format::systemd_unit::{argument, word};
use crate::process::{self, Process};
use crate::service::{
    Control, Definition, File, Flavour, Found, Kind, MARK, Manager, Place, State, look, patience,
};
use crate::sys::systemd::{self, Silent, UnitState};

/// What the units of `systemd/` start; the path of this program takes its place.
const PROGRAM: &str = "%h/.cargo/bin/openclaw";
/// Units of the machine (systemd.unit(5)).
const SYSTEM_DIR: &str = "/etc/systemd/system";
/// What services of the machine get beside.
const HARDENING: &str = include_str!("../../systemd/hardening.conf");
/// Bare names of units, where a suffix goes behind.
const STEMS: &[&str] =
    &["openclaw-auth-monitor", "openclaw-exporter", "openclaw-gateway", "openclaw-onfailure"];

/// A unit as it is shipped.
struct Unit {
    /// Its name without suffix.
    name: &'static str,
    /// Its text.
    text: &'static str,
    /// Whether the manager starts it by itself.
    is_started: bool,
}

/// The socket of the gateway, for those who want it.
const SOCKET: &str = "openclaw-gateway.socket";

const FAILED: Unit = Unit {
    name: "openclaw-onfailure@.service",
    text: include_str!("../../systemd/openclaw-onfailure@.service"),
    is_started: false,
};

/// The units of a service, the one that tells its state first.
fn units(kind: Kind) -> &'static [Unit] {
    match kind {
        Kind::Exporter => &[
            Unit {
                name: "openclaw-exporter.service",
                text: include_str!("../../systemd/openclaw-exporter.service"),
                is_started: true,
            },
            Unit {
                name: "openclaw-exporter.socket",
                text: include_str!("../../systemd/openclaw-exporter.socket"),
                is_started: true,
            },
        ],
        Kind::Gateway => &[
            Unit {
                name: "openclaw-gateway.service",
                text: include_str!("../../systemd/openclaw-gateway.service"),
                is_started: true,
            },
            Unit {
                name: SOCKET,
                text: include_str!("../../systemd/openclaw-gateway.socket"),
                is_started: true,
            },
            FAILED,
        ],
        Kind::Monitor => &[
            Unit {
                name: "openclaw-auth-monitor.timer",
                text: include_str!("../../systemd/openclaw-auth-monitor.timer"),
                is_started: true,
            },
            Unit {
                name: "openclaw-auth-monitor.service",
                text: include_str!("../../systemd/openclaw-auth-monitor.service"),
                is_started: false,
            },
            FAILED,
        ],
    }
}

/// systemd of this host.
pub(super) struct Systemd {
    variables: BTreeMap<OsString, OsString>,
    config_home: Option<PathBuf>,
}

impl Systemd {
    pub(super) fn new(process: &Process) -> Self {
        Self {
            variables: process.variables().clone(),
            config_home: process.path_var(&process::XDG_CONFIG_HOME).map(PathBuf::from),
        }
    }

    fn folder(&self, place: &Place) -> PathBuf {
        match place.flavour {
            Flavour::System => PathBuf::from(SYSTEM_DIR),
            Flavour::User => {
                let config = self.config_home.clone().unwrap_or_else(|| place.account.home.join(".config"));
                config.join("systemd/user")
            }
        }
    }

    fn path(&self, place: &Place, unit: &Unit) -> PathBuf {
        self.folder(place).join(named(unit.name, &place.suffix))
    }

    fn tell(&self, place: &Place, args: &[&str]) -> Result<String, CommandError> {
        let is_of_user = place.flavour == Flavour::User;
        systemd::systemctl(&self.variables, is_of_user, args, patience()).map_err(|why| {
            let command = format!("{} {}", systemctl(place), args.join(" "));
            CommandError::io(format!("`{command}` failed: {why}"))
        })
    }

    fn show(&self, place: &Place, unit: &str) -> Result<UnitState, Silent> {
        systemd::show(&self.variables, place.flavour == Flavour::User, unit, patience())
    }

    /// Whether another service of the same installation tells its failures through the shared unit.
    fn is_shared(&self, place: &Place) -> bool {
        let others = Kind::ALL.iter().filter(|kind| **kind != place.kind);
        others
            .filter(|kind| units(**kind).iter().any(|unit| unit.name == FAILED.name))
            .any(|kind| matches!(look(&self.path(place, &units(*kind)[0])), Ok(Found::Ours(_))))
    }

    fn started(&self, place: &Place) -> impl Iterator<Item = String> {
        let is_there = |unit: &Unit| unit.name != SOCKET || self.path(place, unit).exists();
        let started: Vec<_> =
            units(place.kind).iter().filter(|unit| unit.is_started && is_there(unit)).collect();
        // What hands a socket over comes before what takes it.
        started.into_iter().rev().map(|unit| named(unit.name, &place.suffix))
    }
}

impl Manager for Systemd {
    fn name(&self) -> &'static str {
        "systemd"
    }

    fn label(&self, place: &Place) -> String {
        named(units(place.kind)[0].name, &place.suffix)
    }

    fn reach(&self, place: &Place) -> Result<(), CommandError> {
        let asked = self.tell(place, &["show", "--property=Version"]);
        asked.map(drop).map_err(|error| {
            error.hint(match place.flavour {
                Flavour::System => {
                    "systemd has to run this machine; elsewhere let cron run \
                                    `openclaw monitor --once` (docs/monitor.md)"
                }
                Flavour::User => {
                    "type it in a login of this user (ssh, or `machinectl shell USER@`, not su or sudo), \
                                  or install for the machine with --system"
                }
            })
        })
    }

    fn files(&self, definition: &Definition) -> Result<Vec<File>, CommandError> {
        let place = &definition.place;
        let has_socket = !definition.listen.is_empty();
        let wanted = units(place.kind).iter().filter(|unit| unit.name != SOCKET || has_socket);
        let files = wanted.map(|unit| {
            let text = match &definition.teller {
                Some(teller) if unit.name == FAILED.name => render(unit, teller)?,
                _ => render(unit, definition)?,
            };
            Ok(File { path: self.path(place, unit), text, is_program: false })
        });
        files.collect()
    }

    fn paths(&self, place: &Place) -> Vec<PathBuf> {
        let is_shared = self.is_shared(place);
        let own = units(place.kind).iter().filter(|unit| unit.name != FAILED.name || !is_shared);
        own.map(|unit| self.path(place, unit)).collect()
    }

    fn activate(&self, place: &Place, has_changed: bool) -> Result<Vec<String>, CommandError> {
        let mut changes = Vec::new();
        if has_changed {
            self.tell(place, &["daemon-reload"])?;
        }
        for unit in self.started(place) {
            let state = self.show(place, &unit).map_err(|silent| CommandError::io(silent.to_string()))?;
            if state.file == "masked" {
                return Err(CommandError::refused(format!("{unit} is masked"))
                    .hint(format!("{} unmask {unit}", systemctl(place))));
            }
            if state.file != "enabled" {
                self.tell(place, &["enable", &unit])?;
                changes.push(format!("enabled {unit}"));
            }
            let is_running = state.active == "active";
            if !is_running || has_changed {
                // A unit that has failed too often is not started before that is forgotten.
                drop(self.tell(place, &["reset-failed", &unit]));
                let verb = if is_running { "restart" } else { "start" };
                let journal = journal(place, &unit);
                self.tell(place, &[verb, &unit])
                    .map_err(|error| error.hint(format!("`{journal}` tells why")))?;
                changes.push(format!("{verb}ed {unit}"));
            }
        }
        if place.kind == Kind::Monitor && !changes.is_empty() {
            // Nobody wants to wait for half an hour to see that it works.
            let look = named(units(place.kind)[1].name, &place.suffix);
            drop(self.tell(place, &["reset-failed", &look]));
            self.tell(place, &["start", "--no-block", &look])?;
            changes.push(format!("let {look} look for the first time"));
        }
        Ok(changes)
    }

    fn deactivate(&self, place: &Place) -> Result<Vec<String>, CommandError> {
        let mut changes = Vec::new();
        let mut names: Vec<_> =
            units(place.kind).iter().map(|unit| named(unit.name, &place.suffix)).collect();
        names.retain(|name| !name.contains('@'));
        for name in &names {
            match self.show(place, name) {
                Ok(state) if state.file == "enabled" || state.active != "inactive" => {
                    self.tell(place, &["disable", "--now", name])?;
                    changes.push(format!("stopped and disabled {name}"));
                }
                Ok(_) => {}
                // It was never loaded: links may be there all the same.
                Err(_) => drop(self.tell(place, &["disable", name])),
            }
            drop(self.tell(place, &["reset-failed", name]));
            if Path::new(name).extension().is_some_and(|kind| kind == "timer") {
                // When it last fired is remembered in a file of systemd's.
                drop(self.tell(place, &["clean", "--what=state", name]));
            }
        }
        Ok(changes)
    }

    fn forget(&self, place: &Place) -> Result<(), CommandError> {
        if place.flavour == Flavour::User {
            // Folders that were made for the units; one that holds something else stays.
            let folder = self.folder(place);
            for folder in folder.ancestors().take(2) {
                drop(fs_err::remove_dir(folder));
            }
        }
        self.tell(place, &["daemon-reload"]).map(drop)
    }

    fn control(&self, place: &Place, label: &str, verb: Control) -> Result<(), CommandError> {
        if verb != Control::Stop {
            // A unit that has failed too often is not started before that is forgotten.
            drop(self.tell(place, &["reset-failed", label]));
        }
        let socket = label.replace(".service", ".socket");
        let mut words = vec![verb.word()];
        // A socket that stays would start it again at the next request.
        words.extend(self.started(place).any(|unit| unit == socket).then_some(socket.as_str()));
        words.push(label);
        let told = self.tell(place, &words);
        told.map(drop).map_err(|error| error.hint(format!("`{}` tells why", journal(place, label))))
    }

    fn state(&self, place: &Place) -> State {
        let unit = &units(place.kind)[0];
        let path = self.path(place, unit);
        let label = self.label(place);
        let (file, is_ours) = match look(&path) {
            Ok(Found::Ours(_)) => (Some(path), true),
            Ok(Found::Foreign) | Err(_) => (Some(path), false),
            Ok(Found::Nothing) => (None, false),
        };
        let mut state = State { label: label.clone(), file, is_ours, ..State::default() };
        match self.show(place, &label) {
            Ok(shown) => {
                state.is_enabled = shown.file == "enabled";
                state.is_active = ["active", "activating", "reloading"].contains(&shown.active.as_str());
                state.says = format!("{} ({}), {}", shown.active, shown.sub, shown.file);
                if !["", "success"].contains(&shown.result.as_str()) {
                    let _ = write!(state.says, ", {}", shown.result);
                }
            }
            Err(silent) => state.says = silent.to_string(),
        }
        // A timer goes on whatever becomes of what it starts.
        let look = units(place.kind).iter().find(|unit| !unit.is_started && unit.name != FAILED.name);
        let look = look.and_then(|unit| self.show(place, &named(unit.name, &place.suffix)).ok());
        if let Some(look) = look.filter(|look| look.active == "failed") {
            state.is_active = false;
            let _ = write!(state.says, "; the last look failed ({})", look.result);
        }
        state
    }
}

/// How to talk to the manager of a place.
fn systemctl(place: &Place) -> &'static str {
    match place.flavour {
        Flavour::System => "sudo systemctl",
        Flavour::User => "systemctl --user",
    }
}

fn journal(place: &Place, unit: &str) -> String {
    match place.flavour {
        Flavour::System => format!("sudo journalctl -u {unit} -e"),
        Flavour::User => format!("journalctl --user -u {unit} -e"),
    }
}

/// A unit's name for an installation: `openclaw-gateway.service` is `openclaw-gateway-work.service` for `-work`.
fn named(text: &str, suffix: &str) -> String {
    let mut text = text.to_owned();
    for stem in STEMS {
        for end in ['.', '@'] {
            text = text.replace(&format!("{stem}{end}"), &format!("{stem}{suffix}{end}"));
        }
    }
    text
}

/// A shipped unit with what this host needs in it.
fn render(unit: &Unit, definition: &Definition) -> Result<String, CommandError> {
    let place = &definition.place;
    let is_system = place.flavour == Flavour::System;
    let program: Vec<_> = std::iter::once(word(&definition.program))
        .chain(definition.flags.iter().map(|flag| argument(flag)))
        .collect();
    let mut text = format!(
        "# Written by `{MARK} {}`, which writes it anew; changes of your own belong into a drop-in.\n",
        place.kind.word()
    );
    let mut listens = definition.listen.clone();
    let mut body = named(unit.text, &place.suffix).replace(PROGRAM, &program.join(" "));
    if is_system {
        // Whose journal tells why.
        body = body.replace("monitor failed %i", "monitor failed --system %i");
    }
    for option in definition.options.iter().rev() {
        body = body.replace("gateway run", &format!("gateway run {}", argument(option)));
    }
    for line in body.lines().skip_while(|line| line.starts_with('#')) {
        match line {
            "OnCalendar=*:0/30" => text.push_str(&calendar(definition.every_s)),
            // Those that are wanted stand where the first one is.
            line if line.starts_with("ListenStream=") && !definition.listen.is_empty() => {
                for listen in std::mem::take(&mut listens) {
                    let _ = writeln!(text, "ListenStream={listen}");
                }
            }
            "WantedBy=default.target" if is_system => text.push_str("WantedBy=multi-user.target\n"),
            line => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    if !unit.name.ends_with(".service") {
        return Ok(text);
    }
    text.push_str("\n[Service]\n");
    for (name, value) in &definition.environment {
        let _ = writeln!(text, "Environment={}", word(&format!("{name}={value}")));
    }
    if !is_system {
        return Ok(text);
    }
    let _ = writeln!(text, "User={}", place.account.name);
    for folder in &definition.writable {
        let _ = writeln!(text, "ReadWritePaths={}", path(folder)?);
    }
    match place.kind {
        // Its socket is on loopback unless the settings say otherwise, and it calls nobody.
        Kind::Exporter if definition.listen.iter().all(|listen| listen.ip().is_loopback()) => {
            text.push_str("IPAddressDeny=any\nIPAddressAllow=localhost\n");
        }
        Kind::Exporter | Kind::Gateway => {}
        // Without a path systemd looks in its credential stores, and goes without what is not there.
        Kind::Monitor => {
            for name in &definition.credentials {
                let _ = writeln!(text, "LoadCredential={name}:{name}");
            }
        }
    }
    for line in HARDENING.lines().skip_while(|line| *line != "[Service]").skip(1) {
        let _ = writeln!(text, "{line}");
    }
    Ok(text)
}

/// How often a timer fires. What divides an hour or a day is told by the clock on the wall, so that a look that was missed
/// is made up for. What does not is counted from the last look, and from the start of the machine.
fn calendar(every_s: u64) -> String {
    let minutes = every_s / 60;
    let is_even = every_s.is_multiple_of(60);
    match minutes {
        60 if is_even => "OnCalendar=hourly\n".to_owned(),
        1440 if is_even => "OnCalendar=daily\n".to_owned(),
        1..60 if is_even && 60 % minutes == 0 => format!("OnCalendar=*:0/{minutes}\n"),
        60.. if is_even && minutes.is_multiple_of(60) && 24 % (minutes / 60).max(1) == 0 => {
            format!("OnCalendar=0/{}:00\n", minutes / 60)
        }
        _ => format!("OnActiveSec=2min\nOnUnitActiveSec={every_s}s\n"),
    }
}

/// A path of a list of paths, whose quotes know no escapes. One that is not there stops nothing (systemd.exec(5): `-`).
fn path(path: &Path) -> Result<String, CommandError> {
    let text = path.to_string_lossy();
    if text.contains(['"', '\\']) || path.to_str().is_none() {
        return Err(CommandError::refused(format!("{text} holds what no unit can name")).hint("rename it"));
    }
    Ok(word(&format!("-{text}")))
}
