//! Who else can read what must be private, and whether we can write what must be written.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, User, access, geteuid};

use crate::core::finding::{Code, Finding};
use crate::core::remedy;
use crate::core::snapshot::SourceState;
use crate::doctor::fix::{Consent, Fix, Step};
use crate::doctor::{Check, Found, Host};
use crate::sys::files;
use crate::workspace::agents;
use crate::workspace::store::{LEGACY_FILE, MODELS_FILE, STORE_FILE};

pub(super) const CHECK: Check = Check {
    name: "permissions",
    codes: &[
        Code::OwnerForeign,
        Code::PermissionsOpen,
        Code::StateDirUnwritable,
        Code::VendorPermissionsOpen,
    ],
    mends: &[Code::PermissionsOpen, Code::VendorPermissionsOpen],
    is_deep: false,
    run,
};

/// The bits that let others in.
pub(super) const OTHERS: u32 = 0o077;

fn run(host: &Host) -> Vec<Found> {
    let mut found: Vec<Found> = own_places(host)
        .iter()
        .flat_map(|path| look(host, path, Code::PermissionsOpen, Consent::Safe))
        .collect();
    for login in &host.workspace.logins {
        if let Some(file) = &login.file {
            found.extend(look(host, file, Code::VendorPermissionsOpen, Consent::Forced));
        }
    }
    found.extend(unwritable(host));
    found
}

/// Everything of ours that holds secrets, or a folder of such.
fn own_places(host: &Host) -> Vec<PathBuf> {
    let paths = &host.workspace.paths;
    let state = &paths.state_dir;
    let mut places = vec![state.clone(), paths.config.clone(), paths.ops.clone(), paths.state_dotenv()];
    places.push(paths.oauth_json.clone());
    places.extend(["ops-state.json", "doctor-journal.json", "recovery"].map(|name| state.join(name)));
    for dir in agents::folders(&host.workspace.config, paths, &host.reader()) {
        places.extend([STORE_FILE, LEGACY_FILE, MODELS_FILE].map(|name| dir.join(name)));
    }
    let own = &host.workspace.agent.dir;
    places.extend([STORE_FILE, LEGACY_FILE, MODELS_FILE].map(|name| own.join(name)));
    if let Some(unit) = &host.unit {
        let files = unit.variables.iter().filter(|variable| variable.layer == "environment-file");
        places.extend(files.map(|variable| variable.file.clone()));
    }
    // Backups of the config have its secrets too.
    let name = paths.config.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let siblings = paths.config.parent().and_then(|folder| fs_err::read_dir(folder).ok());
    let backups = siblings.into_iter().flatten().flatten().map(|entry| entry.path());
    places.extend(backups.filter(|path| {
        path.file_name().is_some_and(|other| other.to_string_lossy().starts_with(&format!("{name}.")))
    }));
    places.sort();
    places.dedup();
    places
}

fn look(host: &Host, path: &Path, code: Code, consent: Consent) -> Vec<Found> {
    let Ok(metadata) = fs_err::metadata(path) else { return Vec::new() };
    let shown = host.shown(path);
    let typed = remedy::shell_path(&shown);
    let mode = metadata.permissions().mode() & 0o7777;
    let mut found = Vec::new();
    let is_ours = metadata.uid() == expected_owner(host).unwrap_or_else(|| geteuid().as_raw());
    if !is_ours {
        let me = geteuid().as_raw();
        let message = format!("belongs to {}", user_name(metadata.uid()));
        let finding = Finding::new(Code::OwnerForeign, shown.short.clone(), message);
        let owner = user_name(expected_owner(host).unwrap_or(me));
        found.push(finding.remedy(format!("`sudo chown {owner} {typed}`")).into());
    }
    if mode & OTHERS != 0 {
        let wanted = if metadata.is_dir() { 0o700 } else { 0o600 };
        let message = format!("has the mode {mode:04o}");
        let finding =
            Finding::new(code, shown.short.clone(), message).remedy(format!("`chmod {wanted:o} {typed}`"));
        // What could not be parsed is left alone, and only its owner may change a mode.
        let may_be_touched = !is_unreadable(host, &shown.full)
            && (metadata.uid() == geteuid().as_raw() || geteuid().is_root());
        found.push(if may_be_touched {
            let steps = vec![Step::Mode { path: path.to_owned(), mode: wanted }];
            Found::fixed_by(finding, Fix::new(format!("sets the mode {wanted:04o}"), consent, steps))
        } else {
            finding.into()
        });
    }
    found
}

/// Root looks after the files of somebody else: they belong to whom the home folder belongs to.
fn expected_owner(host: &Host) -> Option<u32> {
    if !geteuid().is_root() {
        return None;
    }
    let home = host.workspace.paths.in_home("")?;
    fs_err::metadata(home).ok().map(|metadata| metadata.uid())
}

fn user_name(uid: u32) -> String {
    User::from_uid(uid.into()).ok().flatten().map_or_else(|| uid.to_string(), |user| user.name)
}

fn is_unreadable(host: &Host, full: &str) -> bool {
    let is_config = host.report.config_path.full == full
        && host.report.findings.iter().any(|finding| finding.code == Code::ConfigInvalid);
    let of_source = host
        .report
        .sources
        .iter()
        .any(|source| source.path.full == full && matches!(source.state, SourceState::Unreadable(_)));
    is_config || of_source
}

/// Whether a renewed login could be saved: the state folder, or where it would be made.
fn unwritable(host: &Host) -> Option<Found> {
    let state = &host.workspace.paths.state_dir;
    let (folder, verb) = if state.exists() {
        (state.as_path(), "written")
    } else {
        (state.ancestors().find(|folder| folder.exists())?, "made")
    };
    let refused = access(folder, AccessFlags::W_OK | AccessFlags::X_OK).err()?;
    let reason = files::reason(&refused.into());
    let finding = Finding::new(
        Code::StateDirUnwritable,
        host.shown(state).short,
        format!("cannot be {verb}: {reason}"),
    );
    let typed = remedy::shell_path(&host.shown(folder));
    Some(finding.remedy(format!("`ls -ld {typed}; findmnt -T {typed}` shows its owner and its mount")).into())
}
