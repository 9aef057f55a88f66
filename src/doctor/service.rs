//! The gateway's service: whether it runs, and whether it sees what this shell sees.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::unistd::{User, geteuid};

use crate::clock::Deadline;
use crate::core::assess;
use crate::core::finding::{Code, Finding};
use crate::core::login::Vendor;
use crate::core::model_ref;
use crate::core::provider;
use crate::core::remedy;
use crate::doctor::fix::{Consent, Fix, Step};
use crate::doctor::machine::on_path;
use crate::doctor::{Check, Found, Host};
use crate::process;
use crate::process::Process;
use crate::sync;
use crate::sys::systemd::{self, Silent, UnitState};
use crate::whereabouts::{self, Name, PROCESS, Viewer};
use crate::workspace::unit::Unit;
use crate::workspace::{Request, Workspace};

pub(super) const CHECK: Check = Check {
    name: "gateway service",
    codes: &[
        Code::LingerOff,
        Code::ServiceAbsent,
        Code::ServiceDisabled,
        Code::ServiceEnvDiffers,
        Code::ServiceEnvFileMissing,
        Code::ServiceHomeDiffers,
        Code::ServiceManagerUnreachable,
        Code::ServicePathLacks,
        Code::ServiceProcessOlder,
        Code::ServiceProcessStale,
        Code::ServiceSecretReadable,
        Code::ServiceStopped,
    ],
    mends: &[Code::LingerOff],
    is_deep: false,
    run,
};

fn run(host: &Host) -> Vec<Found> {
    let deadline = Deadline::after(host.limit.mul_f64(0.8));
    let Some(unit) = &host.unit else {
        return absent(host).into_iter().chain(other_eyes(host, deadline)).collect();
    };
    let mut found = Vec::new();
    let asked = Deadline::after(host.limit.mul_f64(0.3));
    match systemd::show(host.process.variables(), unit.is_of_user, &unit.name, asked) {
        Ok(state) => found.extend(running(unit, &state)),
        Err(Silent::TimedOut) => {
            let finding = Finding::new(Code::CheckTimeout, unit.name.clone(), Silent::TimedOut.to_string());
            found.push(finding.remedy("`systemctl --user list-jobs` shows what it waits for").into());
            return found;
        }
        Err(Silent::Unknown(reason)) => {
            let finding = Finding::new(Code::ServiceManagerUnreachable, unit.name.clone(), reason);
            let command = format!("{} status {}", unit.systemctl(), unit.name);
            found.push(
                finding.remedy(format!("`{command}`, in a login of the user whose service it is")).into(),
            );
        }
    }
    found.extend(missing_files(host, unit));
    found.extend(secrets_in_unit(host, unit));
    found.extend(path_lacks(host, unit));
    found.extend(lingering(host, unit, deadline));
    found.extend(other_eyes(host, deadline));
    found
}

fn absent(host: &Host) -> Option<Found> {
    let is_local = host.workspace.config.gateway.mode.as_deref() == Some("local");
    (is_local && systemd::is_booted()).then(|| {
        Finding::new(Code::ServiceAbsent, "gateway service", "there is no unit for it")
            .remedy("`openclaw gateway install`")
            .into()
    })
}

fn running(unit: &Unit, state: &UnitState) -> Vec<Found> {
    let (name, systemctl) = (&unit.name, unit.systemctl());
    let mut found = Vec::new();
    if ["disabled", "masked"].contains(&state.file.as_str()) {
        let finding = Finding::new(Code::ServiceDisabled, name.clone(), format!("is {}", state.file));
        found.push(finding.remedy(format!("`{systemctl} enable {name}`")).into());
    }
    if !state.is_running() {
        let result = match state.result.as_str() {
            "" | "success" => String::new(),
            result => format!(" ({result})"),
        };
        let finding =
            Finding::new(Code::ServiceStopped, name.clone(), format!("is {}{result}", state.active));
        let journal = if unit.is_of_user { "journalctl --user" } else { "sudo journalctl" };
        found.push(
            finding
                .remedy(format!("`{systemctl} start {name}`; `{journal} -u {name} -e` tells why it ended"))
                .into(),
        );
    }
    found
}

fn missing_files(host: &Host, unit: &Unit) -> Vec<Found> {
    let told = |(file, said_at): &(std::path::PathBuf, String)| {
        let shown = host.shown(file);
        let finding = Finding::new(
            Code::ServiceEnvFileMissing,
            shown.short,
            format!("is named at {said_at} and is not there"),
        );
        finding.remedy("restore it, or put a `-` in front of it there: then it may be missing").into()
    };
    unit.missing_files.iter().map(told).collect()
}

fn secrets_in_unit(host: &Host, unit: &Unit) -> Vec<Found> {
    let is_open = |variable: &&crate::workspace::unit::UnitVariable| {
        ["unit", "unit-drop-in"].contains(&variable.layer)
            && provider::is_credential_variable(&variable.name)
            && !variable.value.is_blank()
    };
    let dotenv = host.shown(&host.workspace.paths.state_dotenv()).short;
    let told = |variable: &crate::workspace::unit::UnitVariable| {
        let place = format!("{}:{}", host.shown(&variable.file).short, variable.line);
        let finding = Finding::new(Code::ServiceSecretReadable, place, format!("sets {}", variable.name));
        let systemctl = unit.systemctl();
        finding
            .remedy(format!(
                "move it to {dotenv}, then `{systemctl} daemon-reload && {systemctl} restart {}`",
                unit.name
            ))
            .into()
    };
    unit.variables.iter().filter(is_open).map(told).collect()
}

/// Programs that this shell finds and the service does not.
fn path_lacks(host: &Host, unit: &Unit) -> Vec<Found> {
    let environment = unit.environment();
    let search =
        environment.get(std::ffi::OsStr::new("PATH")).map(|path| path.to_string_lossy().into_owned());
    let search = search.unwrap_or_default();
    let here = host.process.var(&process::PATH).unwrap_or_default();
    let mut found = Vec::new();
    let uses_claude =
        host.workspace.logins.iter().any(|login| login.vendor == Vendor::ClaudeCode && login.is_present());
    let wanted = [("openclaw", true), ("claude", uses_claude)];
    for (name, _) in wanted.iter().filter(|(_, is_wanted)| *is_wanted) {
        if let (Some(file), None) = (on_path(&here, name), on_path(&search, name)) {
            let folder = file.parent().unwrap_or(Path::new("/")).display().to_string();
            let finding = Finding::new(
                Code::ServicePathLacks,
                unit.name.clone(),
                format!("has no {folder} on its PATH, where {name} is"),
            );
            found.push(
                finding
                    .remedy(format!(
                        "`{} edit {}`: set Environment=PATH={folder}:{search}",
                        unit.systemctl(),
                        unit.name
                    ))
                    .into(),
            );
        }
    }
    if let Some(program) =
        unit.program.as_deref().filter(|program| program.is_absolute() && !program.is_file())
    {
        let message = format!("starts {}, which is not there", host.shown(program).short);
        let finding = Finding::new(Code::ServicePathLacks, unit.name.clone(), message);
        found.push(finding.remedy("`openclaw gateway install --force` writes the unit anew").into());
    }
    found
}

fn lingering(host: &Host, unit: &Unit, deadline: Deadline) -> Option<Found> {
    let user = User::from_uid(geteuid()).ok().flatten()?.name;
    // Root in the home of somebody else would be asked about itself.
    let home = host.workspace.paths.in_home("")?;
    if fs_err::metadata(home).ok()?.uid() != geteuid().as_raw()
        || !unit.is_of_user
        || systemd::lingers(host.process.variables(), &user, deadline) != Some(false)
    {
        return None;
    }
    let finding =
        Finding::new(Code::LingerOff, user.clone(), format!("{} ends with the last login", unit.name))
            .remedy(format!("`loginctl enable-linger {}`", remedy::shell_word(&user)));
    let step = Step::Linger { user: user.clone() };
    Some(Found::fixed_by(
        finding,
        Fix::new(format!("lets services of {user} run on"), Consent::Safe, vec![step]),
    ))
}

/// What the service would load, and what its process has, against what this shell has.
fn other_eyes(host: &Host, deadline: Deadline) -> Vec<Found> {
    let reader = host.reader();
    let workspace = &host.workspace;
    let installation = &workspace.request.installation;
    let unit = Unit::find(&host.process, &workspace.paths, &reader, installation);
    let request = Request { is_tolerant: true, ..workspace.request.clone() };
    let load = |process: &Process| {
        let workspace = Workspace::load(process, &host.clock, &request, deadline)?;
        let snapshot = sync::preview(&workspace, &host.clock);
        Ok((workspace, snapshot))
    };
    let Ok(own) = load(&host.process) else { return Vec::new() };
    let name = unit.as_ref().map_or_else(|| "the gateway".to_owned(), |unit| unit.name.clone());
    let others = match unit {
        Some(unit) => whereabouts::others(&host.process, unit, deadline, &load).0,
        None => whereabouts::bare(host.bare_gateway(), &load),
    };
    let mut found = Vec::new();
    for other in &others {
        let theirs = &other.workspace.paths;
        if (&theirs.state_dir, &theirs.config) != (&workspace.paths.state_dir, &workspace.paths.config) {
            let message = format!(
                "{} uses {} and {}",
                other.label,
                theirs.state_dir.display(),
                theirs.config.display()
            );
            let finding = Finding::new(Code::ServiceHomeDiffers, name.clone(), message);
            found.push(
                finding
                    .remedy("set HOME, OPENCLAW_STATE_DIR and OPENCLAW_CONFIG_PATH of the unit and of this shell alike")
                    .into(),
            );
        }
    }
    let shell = Viewer::shell(own.0, own.1);
    let viewers: Vec<_> = std::iter::once(shell).chain(others).collect();
    let variables: BTreeSet<&str> = viewers
        .iter()
        .flat_map(|viewer| viewer.workspace.environment.names())
        .filter(|name| provider::is_credential_variable(name) && is_in_use(host, name))
        .collect();
    for variable in variables {
        let asked = Name::Variable(variable.to_owned());
        let answer = whereabouts::answer(Some(&asked), &viewers, Vec::new(), &host.salt, host.now());
        for difference in answer.differences {
            let code =
                if difference.who == PROCESS { Code::ServiceProcessStale } else { Code::ServiceEnvDiffers };
            let finding = Finding::new(code, difference.name, difference.message);
            found.push(finding.remedy(difference.remedy).into());
        }
        found.extend(answer.notes.into_iter().map(|note| {
            let remedy = format!("restart it once the value is right: `openclaw where {variable}` compares");
            Finding::new(Code::ServiceProcessOlder, name.clone(), note).remedy(remedy).into()
        }));
    }
    found
}

/// Whether a variable could serve a model that is configured: what a shell has beside that is nobody's business.
fn is_in_use(host: &Host, variable: &str) -> bool {
    let settings = &host.snapshot.models;
    let default = std::iter::once(&host.report.resolved_default);
    let models = assess::models_in_use(&host.snapshot).chain(default);
    let mut providers = models.filter_map(|text| model_ref::resolve(text, &settings.aliases).model());
    let is_of_gateway = variable.starts_with("OPENCLAW_") || variable.starts_with("CLAWDBOT_");
    is_of_gateway
        || providers.any(|model| {
            provider::find(&model.provider).is_some_and(|known| known.env.contains(&variable))
                || provider::of_more_keys(variable).is_some_and(|known| known.id == model.provider)
        })
}
