//! Who else can read what must be private, and whether we can write what must be written.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, User, access, geteuid};

use crate::core::finding::{Code, Finding};
use crate::core::provider;
use crate::core::remedy;
use crate::core::snapshot::SourceState;
use crate::doctor::fix::{Consent, Fix, Step};
use crate::doctor::{Check, Found, Host};
use crate::sys::files;
use crate::workspace::agents;
use crate::workspace::config_store::ConfigStore;
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
    found.extend(host.folders().iter().filter_map(|folder| unwritable(host, folder)));
    found
}

/// Everything of ours that holds secrets, or a folder of such.
fn own_places(host: &Host) -> Vec<PathBuf> {
    let paths = &host.workspace.paths;
    let state = &paths.state_dir;
    let mut places = vec![state.clone(), paths.config.clone(), paths.ops.clone(), paths.state_dotenv()];
    places.push(paths.oauth_json.clone());
    places.extend(["ops-state.json", "doctor-journal.json", "recovery"].map(|name| state.join(name)));
    // What the config includes, and the backups beside it, have its secrets too.
    places.extend(ConfigStore::new(paths, &host.workspace.environment).files(&host.reader()));
    let name = paths.config.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let siblings = paths.config.parent().and_then(|folder| fs_err::read_dir(folder).ok());
    let beside = siblings.into_iter().flatten().flatten();
    let backups =
        beside.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file())).map(|entry| entry.path());
    places.extend(backups.filter(|path| {
        path.file_name().is_some_and(|other| other.to_string_lossy().starts_with(&format!("{name}.")))
    }));
    let own = std::iter::once(host.workspace.agent.dir.clone());
    for dir in own.chain(agents::folders(&host.workspace.config, paths, &host.reader())) {
        places.extend([STORE_FILE, LEGACY_FILE, MODELS_FILE].map(|name| dir.join(name)));
        // A folder that lies elsewhere has no closed one above it.
        places.extend((!dir.starts_with(state)).then_some(dir));
    }
    if let Some(unit) = &host.unit {
        let with_secrets = unit.variables.iter().filter(|variable| {
            variable.layer == "environment-file" && provider::is_credential_variable(&variable.name)
        });
        places.extend(with_secrets.map(|variable| variable.file.clone()));
    }
    places.sort();
    places.dedup();
    places
}

fn look(host: &Host, path: &Path, code: Code, consent: Consent) -> Vec<Found> {
    // A link is looked at where it leads, and what lies outside of the home is somebody else's to arrange: a store of
    // read-only configs, a mount.
    let Ok(real) = path.canonicalize() else { return Vec::new() };
    let is_link = fs_err::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink());
    let home = host.workspace.paths.in_home("").and_then(|home| home.canonicalize().ok());
    let is_at_home = home.is_some_and(|home| real.starts_with(home));
    if is_link && !is_at_home {
        return Vec::new();
    }
    let Ok(metadata) = fs_err::symlink_metadata(&real) else { return Vec::new() };
    if !metadata.is_file() && !metadata.is_dir() {
        return Vec::new();
    }
    let shown = host.shown(&real);
    let typed = remedy::shell_path(&shown);
    let mode = metadata.permissions().mode() & 0o7777;
    let owner = expected_owner(host).unwrap_or_else(|| geteuid().as_raw());
    let is_owned = metadata.uid() == owner;
    let mut found = Vec::new();
    if !is_owned && is_at_home {
        let message = format!("belongs to {}", user_name(metadata.uid()));
        let finding = Finding::new(Code::OwnerForeign, shown.short.clone(), message);
        found.push(finding.remedy(format!("`sudo chown -h {} {typed}`", user_name(owner))).into());
    }
    if mode & OTHERS != 0 {
        let wanted = mode & !OTHERS;
        let message = format!("has the mode {mode:04o}");
        let finding =
            Finding::new(code, shown.short.clone(), message).remedy(format!("`chmod {wanted:o} {typed}`"));
        // What could not be parsed is left alone, and so is what is not wholly ours.
        found.push(if is_owned && !is_unreadable(host, &host.shown(path).full) {
            // A folder elsewhere may be shared on purpose.
            let consent = if is_at_home { consent } else { Consent::Asked };
            let steps = vec![Step::Mode { path: real, mode: wanted }];
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

/// Whether something could be saved in a folder, or where it would be made.
fn unwritable(host: &Host, wanted: &Path) -> Option<Found> {
    let (folder, verb) = if wanted.exists() {
        (wanted, "written")
    } else {
        (wanted.ancestors().find(|folder| folder.exists())?, "made")
    };
    let refused = access(folder, AccessFlags::W_OK | AccessFlags::X_OK).err()?;
    let reason = files::reason(&refused.into());
    let message = format!("cannot be {verb}: {reason}");
    let finding = Finding::new(Code::StateDirUnwritable, host.shown(wanted).short, message);
    let typed = remedy::shell_path(&host.shown(folder));
    Some(finding.remedy(format!("`ls -ld {typed}; findmnt -T {typed}` shows its owner and its mount")).into())
}
