//! The services that watch: whether the monitor looks, reaches people, and whether the exporter serves.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use nix::unistd::{User, geteuid};

use crate::clock::Deadline;
use crate::core::finding::{Code, Finding};
use crate::core::remedy::shell_word;
use crate::core::span;
use crate::doctor::{Check, Found, Host};
use crate::format::monitor_state::MonitorState;
use crate::format::ops_monitor::ChannelKind;
use crate::process;
use crate::service::{self, Kind};
use crate::sys::procfs;
use crate::sys::systemd::{self, UnitState};
use crate::workspace::monitor_state::StateFile;
use crate::workspace::unit::Unit;

pub(super) const CHECK: Check = Check {
    name: "monitor and exporter",
    codes: &[
        Code::ChannelFailing,
        Code::ChannelMissing,
        Code::DesktopUnreachable,
        Code::ExporterStopped,
        Code::MonitorFailing,
        Code::MonitorOff,
        Code::MonitorOverdue,
        Code::UnitProgramGone,
    ],
    mends: &[],
    is_deep: false,
    run,
};

/// How often the timer fires when the settings say nothing.
const EVERY: i64 = 30 * span::MINUTE;
/// How much later than that a look may come: a delay by chance, a slow machine.
const GRACE: i64 = 10 * span::MINUTE;

fn run(host: &Host) -> Vec<Found> {
    let deadline = Deadline::after(host.limit.mul_f64(0.8));
    let mut found = Vec::new();
    if let Some(unit) = unit(host, "openclaw-auth-monitor") {
        found.extend(program_gone(host, &unit, Kind::Monitor));
        found.extend(looks(host, &unit, deadline));
        found.extend(reaches(host, &unit));
    }
    if let Some(unit) = unit(host, "openclaw-exporter") {
        found.extend(program_gone(host, &unit, Kind::Exporter));
        found.extend(serves(host, &unit, deadline));
    }
    found.extend(failing(host));
    found
}

/// The unit of this installation and agent, when it is one of this user.
fn unit(host: &Host, stem: &str) -> Option<Unit> {
    let (paths, request) = (&host.workspace.paths, &host.workspace.request);
    let name = format!("{stem}{}.service", service::suffix(&request.installation, request.agent.as_deref()));
    let unit = Unit::locate(&host.process, paths, &host.reader(), &[name])?;
    let me = User::from_uid(geteuid()).ok().flatten().map(|user| user.name);
    let is_mine = unit.is_of_user || unit.user == me || (unit.user.is_none() && geteuid().is_root());
    is_mine.then_some(unit)
}

fn program_gone(host: &Host, unit: &Unit, kind: Kind) -> Option<Found> {
    let program = unit.program.as_deref().filter(|program| program.is_absolute() && !program.is_file())?;
    let message = format!("starts {}, which is not there", host.shown(program).short);
    let finding = Finding::new(Code::UnitProgramGone, unit.name.clone(), message);
    Some(finding.remedy(format!("`{}` writes the unit anew", install(host, unit, kind))).into())
}

/// What installs the service once more.
fn install(host: &Host, unit: &Unit, kind: Kind) -> String {
    let program = host.workspace.request.installation.program();
    let command = format!("{program} service install {}", kind.word());
    match &unit.user {
        _ if unit.is_of_user => command,
        Some(user) => format!("sudo {command} --run-as {}", shell_word(user)),
        None => format!("sudo {command} --system"),
    }
}

fn show(host: &Host, unit: &Unit, name: &str, deadline: Deadline) -> Option<UnitState> {
    // Who cannot be asked is told of with the gateway's service.
    systemd::show(host.process.variables(), unit.is_of_user, name, deadline).ok()
}

fn looks(host: &Host, unit: &Unit, deadline: Deadline) -> Vec<Found> {
    let mut found = Vec::new();
    let timer = unit.name.replace(".service", ".timer");
    let systemctl = unit.systemctl();
    if let Some(state) = show(host, unit, &timer, deadline) {
        let is_off = ["disabled", "masked"].contains(&state.file.as_str());
        if is_off || state.active != "active" {
            let how = if is_off { &state.file } else { &state.active };
            let finding = Finding::new(Code::MonitorOff, timer.clone(), format!("is {how}"));
            let unmask = if state.file == "masked" {
                format!("{systemctl} unmask {timer} && ")
            } else {
                String::new()
            };
            found.push(finding.remedy(format!("`{unmask}{systemctl} enable --now {timer}`")).into());
        }
    }
    if let Some(state) = show(host, unit, &unit.name, deadline).filter(|state| state.active == "failed") {
        let finding =
            Finding::new(Code::MonitorFailing, unit.name.clone(), format!("has failed ({})", state.result));
        let journal = if unit.is_of_user { "journalctl --user" } else { "sudo journalctl" };
        found.push(finding.remedy(format!("`{journal} -u {} -n 20` tells why", unit.name)).into());
    }
    found.extend(overdue(host, unit));
    found
}

fn state(host: &Host) -> Option<MonitorState> {
    StateFile::of(&host.workspace.paths, host.workspace.request.agent.as_deref()).read().ok()
}

/// Whether it has been too long since the last look. A machine that was off, and a unit that is new, get their time:
/// little where it has looked before, since what was missed is made up for at the start.
fn overdue(host: &Host, unit: &Unit) -> Option<Found> {
    let patience = 2 * host.workspace.ops.monitor.every_ms.unwrap_or(EVERY) + GRACE;
    let now = host.now();
    let installed = fs_err::metadata(&unit.file).ok().map(|metadata| metadata.mtime() * 1000)?;
    let last = state(host).and_then(|state| state.last_run);
    let booted = procfs::booted_ms().unwrap_or(0);
    let since = match last {
        Some(last) if now - booted > GRACE => last,
        last => last.unwrap_or(0).max(booted),
    };
    if now - since.max(installed) <= patience {
        return None;
    }
    let message = match last {
        Some(last) => format!("looked last {} ago", span::two_units(now - last)),
        None => "has never looked".to_owned(),
    };
    let systemctl = unit.systemctl();
    let finding = Finding::new(Code::MonitorOverdue, unit.name.clone(), message);
    Some(finding.remedy(format!("`{systemctl} start {}` looks now and says why not", unit.name)).into())
}

/// Whether there is a way to people.
fn reaches(host: &Host, unit: &Unit) -> Vec<Found> {
    let configured = &host.workspace.ops.monitor.channels;
    let mut ways = configured.iter().filter(|channel| !matches!(channel.kind, ChannelKind::DeadMan { .. }));
    let has_bus = bus(host, unit).exists();
    if ways.clone().next().is_none() {
        // Without settings the desktop is the way, where there is one.
        let finding = Finding::new(Code::ChannelMissing, unit.name.clone(), "tells nobody what it sees");
        return if has_bus {
            Vec::new()
        } else {
            let ops = host.shown(&host.workspace.paths.ops).short;
            vec![
                finding
                    .remedy(format!(
                        "set monitor.channels in {ops} (docs/monitor.md), then `openclaw monitor test`"
                    ))
                    .into(),
            ]
        };
    }
    let desktop = ways.find(|channel| matches!(channel.kind, ChannelKind::Desktop)).filter(|_| !has_bus);
    let told = desktop.map(|channel| {
        let message = format!("finds no session bus at {}", bus(host, unit).display());
        let finding = Finding::new(Code::DesktopUnreachable, channel.name.clone(), message);
        let user =
            unit.user.clone().or_else(|| User::from_uid(geteuid()).ok().flatten().map(|user| user.name));
        let user = shell_word(&user.unwrap_or_default());
        finding
            .remedy(format!("install dbus-user-session, and `loginctl enable-linger {user}` keeps the bus"))
            .into()
    });
    told.into_iter().collect()
}

/// Where the session bus is for a unit.
fn bus(host: &Host, unit: &Unit) -> PathBuf {
    let of_unit = unit.environment().get(std::ffi::OsStr::new(process::XDG_RUNTIME_DIR.name)).cloned();
    let of_user = || host.process.path_var(&process::XDG_RUNTIME_DIR).filter(|_| unit.is_of_user);
    let folder = of_unit.or_else(of_user).map(PathBuf::from);
    folder.unwrap_or_else(|| PathBuf::from(format!("/run/user/{}", geteuid()))).join("bus")
}

/// Channels whose last delivery failed.
fn failing(host: &Host) -> Vec<Found> {
    let configured = &host.workspace.ops.monitor.channels;
    let is_used = |name: &str| {
        configured.iter().any(|channel| channel.name == name)
            || (configured.is_empty() && ["desktop", "termux"].contains(&name))
    };
    let records = state(host).map(|state| state.channels).unwrap_or_default();
    let broken = records.into_iter().filter(|record| is_used(&record.name));
    broken
        .filter_map(|record| {
            let error = record.last_error?;
            let finding = Finding::new(Code::ChannelFailing, record.name.clone(), error);
            let program = &host.snapshot.program;
            let test = format!("`{program} monitor test {}` tries it", shell_word(&record.name));
            Some(finding.remedy(test).into())
        })
        .collect()
}

fn serves(host: &Host, unit: &Unit, deadline: Deadline) -> Option<Found> {
    let state = show(host, unit, &unit.name, deadline)?;
    if ["active", "activating", "reloading"].contains(&state.active.as_str()) {
        return None;
    }
    let socket = unit.name.replace(".service", ".socket");
    let message = format!("is {}", state.active);
    let command = format!("{} enable --now {socket} {}", unit.systemctl(), unit.name);
    Some(
        Finding::new(Code::ExporterStopped, unit.name.clone(), message).remedy(format!("`{command}`")).into(),
    )
}
