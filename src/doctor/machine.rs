//! The machine under it: room, mounts, time zone, programs, phones.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::sys::statvfs::statvfs;

use crate::core::finding::{Code, Finding};
use crate::core::login::VendorLogin;
use crate::core::remedy;
use crate::doctor::{Check, Found, Host};
use crate::process;
use crate::sys::mounts;

pub(super) const CHECK: Check = Check {
    name: "machine",
    codes: &[
        Code::DiskFull,
        Code::DiskLow,
        Code::MountReplaced,
        Code::ProgramShadowed,
        Code::TermuxBackground,
        Code::TermuxBootMissing,
        Code::TimezoneUnknown,
        Code::VendorLoginReadOnly,
    ],
    mends: &[],
    is_deep: false,
    run,
};

/// A store of a few hundred profiles and its temporary file do not fit into less.
const FULL_BYTES: u64 = 1024 * 1024;
/// Logs fill that much in an afternoon.
const LOW_BYTES: u64 = 100 * 1024 * 1024;
/// Each write needs one inode for a moment, each agent a few.
const FULL_INODES: u64 = 16;
const LOW_INODES: u64 = 1_000;
/// Where the rules of time zones are.
const ZONES: &str = "/usr/share/zoneinfo";

fn run(host: &Host) -> Vec<Found> {
    let mut found = Vec::new();
    found.extend(room(host));
    found.extend(mounted(host));
    found.extend(timezone(host));
    found.extend(shadowed(host));
    found.extend(phone(host));
    found
}

fn room(host: &Host) -> Vec<Found> {
    let mut found = Vec::new();
    let mut disks = Vec::new();
    for wanted in host.folders() {
        let Some(folder) = wanted.ancestors().find(|folder| folder.exists()) else { continue };
        let Ok(device) = fs_err::metadata(folder).map(|metadata| metadata.dev()) else { continue };
        if !disks.contains(&device) {
            disks.push(device);
            found.extend(room_in(host, folder));
        }
    }
    found
}

fn room_in(host: &Host, folder: &Path) -> Option<Found> {
    let disk = statvfs(folder).ok()?;
    let bytes = wide(disk.blocks_available()).saturating_mul(wide(disk.fragment_size()));
    // File systems without a fixed number of inodes say that there are none at all.
    let inodes = Some(wide(disk.files_available())).filter(|_| disk.files() > 0);
    let left = match inodes {
        Some(inodes) if inodes < LOW_INODES => format!("{inodes} inodes are left"),
        _ => format!("{} are left", size(bytes)),
    };
    let is_below =
        |least: u64, least_inodes: u64| bytes < least || inodes.is_some_and(|inodes| inodes < least_inodes);
    let code = match () {
        () if is_below(FULL_BYTES, FULL_INODES) => Code::DiskFull,
        () if is_below(LOW_BYTES, LOW_INODES) => Code::DiskLow,
        () => return None,
    };
    let shown = host.shown(folder);
    let typed = remedy::shell_path(&shown);
    let finding = Finding::new(code, shown.short, left);
    Some(finding.remedy(format!("`df -h {typed}; df -i {typed}` shows the disk; make room on it")).into())
}

/// Counts are 32 bits wide on 32-bit machines.
fn wide(count: impl Into<u64>) -> u64 {
    count.into()
}

fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} bytes"),
        1024..1_048_576 => format!("{} KiB", bytes / 1024),
        _ => format!("{} MiB", bytes / 1_048_576),
    }
}

/// Files that are mounts of their own, and vendors' logins that cannot be written.
fn mounted(host: &Host) -> Vec<Found> {
    let mounts = mounts::all();
    let mut found = Vec::new();
    let paths = &host.workspace.paths;
    let mut files: Vec<PathBuf> =
        vec![paths.config.clone(), paths.state_dotenv(), host.workspace.store.path().to_owned()];
    files.extend(host.workspace.logins.iter().filter_map(|login| login.file.clone()));
    for file in &files {
        let Ok(real) = file.canonicalize() else { continue };
        let Some(mount) = mounts::of(&real, &mounts) else { continue };
        if mount.is_of_something_gone && mount.point == real {
            let finding = Finding::new(
                Code::MountReplaced,
                host.shown(file).short,
                "is a mount of a file that was replaced since: programs there write a new file, this one stays as it was",
            );
            found.push(
                finding.remedy("start the container anew, and mount the folder instead of the file").into(),
            );
        }
    }
    for login in &host.workspace.logins {
        let renews = matches!(
            &login.login,
            VendorLogin::Present { material, .. } if material.refresh_token().is_some()
        );
        let file = login.file.as_ref().filter(|_| renews).and_then(|file| file.canonicalize().ok());
        let mount = file.as_deref().and_then(|file| mounts::of(file, &mounts));
        if mount.is_some_and(|mount| mount.is_read_only) {
            let message = format!("{} renews it, and cannot save what it gets", login.vendor.program());
            let finding = Finding::new(Code::VendorLoginReadOnly, login.source.path.short.clone(), message);
            found.push(
                finding
                    .remedy(
                        "mount its folder writable, or set `refresh.external` to \"never\" in ops.json here",
                    )
                    .into(),
            );
        }
    }
    found
}

fn timezone(host: &Host) -> Option<Found> {
    let named = host.process.var(&process::TZ);
    let is_known = match &named {
        Some(zone) => {
            let zone = zone.trim_start_matches(':');
            // `CET-1CEST` says its rules itself.
            zone == "UTC"
                || zone.contains(|c: char| c.is_ascii_digit())
                || Path::new(ZONES).join(zone).is_file()
        }
        None => Path::new("/etc/localtime").exists(),
    };
    let message = match named {
        Some(zone) => format!("TZ names \"{}\", which this host does not know", zone.escape_debug()),
        None => "there is no /etc/localtime".to_owned(),
    };
    let finding = Finding::new(Code::TimezoneUnknown, "time zone", message);
    (!is_known).then(|| finding.remedy("`sudo timedatectl set-timezone Region/City`, or export TZ").into())
}

/// What a shell starts when somebody types `openclaw`.
fn shadowed(host: &Host) -> Option<Found> {
    let ours = host.process.program()?.canonicalize().ok()?;
    let first = on_path(&host.process.var(&process::PATH)?, "openclaw")?;
    let real = first.canonicalize().ok()?;
    if real == ours {
        return None;
    }
    let message = format!("is what `openclaw` starts; this is {}", host.shown(&ours).short);
    let finding = Finding::new(Code::ProgramShadowed, host.shown(&first).short, message);
    Some(
        finding
            .remedy("remove one of them, or change the order of PATH; `type -a openclaw` lists them")
            .into(),
    )
}

/// The first file of this name on a search path.
pub(super) fn on_path(search: &str, name: &str) -> Option<PathBuf> {
    let folders = search.split(':').filter(|folder| folder.starts_with('/'));
    folders.map(|folder| Path::new(folder).join(name)).find(|file| file.is_file())
}

fn phone(host: &Host) -> Vec<Found> {
    if host.process.var(&process::TERMUX_VERSION).is_none() {
        return Vec::new();
    }
    let mut found = vec![
        Finding::new(Code::TermuxBackground, "Termux", "runs in the background only while Android lets it")
            .remedy("`termux-wake-lock`, and exempt Termux from battery optimisation in Android's settings")
            .into(),
    ];
    let boot = host.workspace.paths.in_home(".termux/boot");
    let has_script =
        boot.and_then(|folder| fs_err::read_dir(folder).ok()).is_some_and(|mut all| all.next().is_some());
    if !has_script {
        found.push(
            Finding::new(Code::TermuxBootMissing, "~/.termux/boot", "holds no script")
                .remedy("install Termux:Boot, and run `sh termux/install`: docs/termux.md")
                .into(),
        );
    }
    found
}
