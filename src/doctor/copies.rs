//! Live secrets that stand in files where nobody looks after them. Files are searched, never shown.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use aho_corasick::AhoCorasick;

use crate::clock::Deadline;
use crate::core::finding::{Code, Finding};
use crate::core::login::VendorLogin;
use crate::core::remedy;
use crate::core::secret::Secret;
use crate::doctor::permissions::OTHERS;
use crate::doctor::{Check, Found, Host};
use crate::workspace::agents;
use crate::workspace::config_store::ConfigStore;
use crate::workspace::store::{LEGACY_FILE, MODELS_FILE, STORE_FILE};

pub(super) const CHECK: Check = Check {
    name: "copies of secrets",
    codes: &[Code::CredentialBackup, Code::CredentialCopy, Code::SearchIncomplete],
    mends: &[],
    is_deep: false,
    run,
};

/// Shorter ones are no secrets that a provider gave, and would be found everywhere.
const SHORTEST: usize = 16;
/// What is searched at most without `--deep`: transcripts of a year are not read at every run.
const LARGEST_SUM: u64 = 48 * 1024 * 1024;
/// How deep below the state folder is looked.
const DEPTH: usize = 5;
/// Histories of shells, below the home folder.
const HISTORIES: &[&str] =
    &[".bash_history", ".zsh_history", ".local/share/fish/fish_history", ".ash_history", ".python_history"];
/// Settings of vendors' programs, in which they keep keys themselves.
const VENDOR_SETTINGS: &[&str] = &[
    ".claude.json",
    ".claude/settings.json",
    ".claude/settings.local.json",
    ".codex/config.toml",
    ".qwen/settings.json",
    ".qwen/.env",
];
/// What the token of the gateway is called.
const GATEWAY: &str = "the gateway";
/// Folders of vendors' programs, where backups of their logins are left.
const VENDOR_DIRS: &[&str] = &[".claude", ".codex", ".qwen"];

fn run(host: &Host) -> Vec<Found> {
    let secrets = secrets(host);
    if secrets.is_empty() {
        return Vec::new();
    }
    let (patterns, owners): (Vec<_>, Vec<_>) =
        secrets.iter().map(|(secret, who)| (secret.as_str(), who)).unzip();
    let Ok(search) = AhoCorasick::new(patterns.iter().map(|pattern| pattern.as_bytes())) else {
        return Vec::new();
    };
    let deadline = Deadline::after(host.limit / 2);
    let mut left = if host.deep { u64::MAX } else { LARGEST_SUM };
    let mut passed_over = (0, 0);
    let mut found = Vec::new();
    for (length, path) in by_size(candidates(host)) {
        if length > left || deadline.has_passed() {
            passed_over = (passed_over.0 + 1, passed_over.1 + length);
            continue;
        }
        left -= length;
        let Ok(file) = open(&path) else { continue };
        let hits = search.stream_find_iter(&file).map_while(Result::ok);
        let inside: BTreeSet<usize> = hits.map(|hit| hit.pattern().as_usize()).collect();
        // What changing the config leaves always has the gateway's token; that is no news.
        let is_news = |at: &&usize| owners[**at] != GATEWAY || !is_private_backup(host, &path);
        let Some(first) = inside.iter().find(is_news) else { continue };
        let print = Secret::new(patterns[*first]).fingerprint(&host.salt);
        let others = match inside.len() {
            1 => String::new(),
            count => format!(" and {} more", count - 1),
        };
        found.extend(told(host, &path, &format!("holds {} ({print}){others}", owners[*first])));
    }
    if passed_over.0 > 0 {
        let (files, size) = passed_over;
        let message = format!("{files} files, {} MiB, were not searched", size / 1024 / 1024);
        let finding = Finding::new(Code::SearchIncomplete, "copies of secrets", message);
        found.push(finding.remedy("`openclaw doctor --deep` searches them too").into());
    }
    found
}

fn told(host: &Host, path: &Path, what: &str) -> Option<Found> {
    let mode = fs_err::symlink_metadata(path).ok()?.permissions().mode() & 0o7777;
    let shown = host.shown(path);
    let code = if is_private_backup(host, path) { Code::CredentialBackup } else { Code::CredentialCopy };
    let away = if is_named_like_a_copy(path) {
        format!("`rm {}` if nobody needs it", remedy::shell_path(&shown))
    } else {
        "take it out of the file".to_owned()
    };
    let finding = Finding::new(code, shown.short, format!("mode {mode:04o}, {what}"));
    Some(finding.remedy(format!("{away}; a secret that others may have read: rotate it")).into())
}

/// Regular files and their sizes, the small ones first: more of them are searched before the time is over.
fn by_size(paths: Vec<PathBuf>) -> Vec<(u64, PathBuf)> {
    let sized = paths.into_iter().filter_map(|path| {
        let metadata = fs_err::symlink_metadata(&path).ok().filter(std::fs::Metadata::is_file)?;
        Some((metadata.len(), path))
    });
    let mut sized: Vec<_> = sized.collect();
    sized.sort();
    sized
}

fn open(path: &Path) -> std::io::Result<std::fs::File> {
    std::fs::OpenOptions::new().read(true).custom_flags(nix::libc::O_NONBLOCK).open(path)
}

/// Every live secret and whose it is.
fn secrets(host: &Host) -> BTreeMap<String, String> {
    let mut secrets = BTreeMap::new();
    let mut add = |secret: Option<&Secret>, who: &str| {
        let text = secret.map(|secret| secret.expose().trim()).unwrap_or_default();
        if text.len() >= SHORTEST && !text.starts_with("${") {
            secrets.entry(text.to_owned()).or_insert_with(|| who.to_owned());
        }
    };
    for record in &host.snapshot.profiles {
        let material = &record.credential.material;
        add(material.usable_secret(), &record.id);
        add(material.refresh_token(), &record.id);
    }
    for credential in &host.snapshot.env_credentials {
        add(credential.secret.as_ref(), credential.provider);
    }
    add(host.workspace.gateway_secret(), GATEWAY);
    for key in &host.snapshot.provider_keys {
        add(Some(&key.secret), &key.provider);
    }
    for login in &host.workspace.logins {
        if let VendorLogin::Present { material, .. } = &login.login {
            add(material.usable_secret(), login.vendor.program());
            add(material.refresh_token(), login.vendor.program());
        }
    }
    secrets
}

/// Files that may hold a copy: everything below the state folder and beside vendors' logins, histories, logs. Not those
/// where the secrets live.
fn candidates(host: &Host) -> Vec<PathBuf> {
    let paths = &host.workspace.paths;
    let homes = homes_of_secrets(host);
    let mut files = Vec::new();
    list(&paths.state_dir, DEPTH, &mut files);
    for dir in VENDOR_DIRS.iter().filter_map(|name| paths.in_home(name)) {
        list(&dir, 1, &mut files);
    }
    files.extend(HISTORIES.iter().filter_map(|name| paths.in_home(name)));
    if let Some(home) = paths.in_home("") {
        // Copies of a vendor's login or of our files that were made in passing.
        let mut here = Vec::new();
        list(&home, 1, &mut here);
        files.extend(here.into_iter().filter(|path| is_named_like_a_copy(path)));
    }
    // Source: the log folder of the reference.
    list(Path::new("/tmp/openclaw"), 1, &mut files);
    files.retain(|path| !homes.contains(path));
    files.sort();
    files.dedup();
    files
}

/// The files in which secrets have to be.
fn homes_of_secrets(host: &Host) -> Vec<PathBuf> {
    let paths = &host.workspace.paths;
    let mut homes: Vec<PathBuf> =
        host.report.sources.iter().map(|source| PathBuf::from(&source.path.full)).collect();
    homes.extend([paths.config.clone(), paths.ops.clone(), paths.state_dotenv(), paths.oauth_json.clone()]);
    homes.extend(ConfigStore::new(paths, &host.workspace.environment).files(&host.reader()));
    homes.extend(host.workspace.logins.iter().filter_map(|login| login.file.clone()));
    homes.extend(VENDOR_SETTINGS.iter().filter_map(|name| paths.in_home(name)));
    // Also an agent that the config does not name has its store where it belongs.
    let agents = fs_err::read_dir(paths.state_dir.join("agents")).into_iter().flatten().flatten();
    homes.extend(agents.map(|agent| agent.path().join("agent").join(STORE_FILE)));
    for dir in agents::folders(&host.workspace.config, paths, &host.reader()) {
        homes.extend([STORE_FILE, LEGACY_FILE, MODELS_FILE].map(|name| dir.join(name)));
    }
    if let Some(unit) = &host.unit {
        homes.push(unit.file.clone());
        homes.extend(unit.variables.iter().map(|variable| variable.file.clone()));
    }
    // Tokens on their way to where they belong.
    let recovery = paths.state_dir.join("recovery");
    homes.extend(fs_err::read_dir(recovery).into_iter().flatten().flatten().map(|entry| entry.path()));
    homes
}

fn list(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) {
    for entry in fs_err::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_file() => files.push(path),
            Ok(kind) if kind.is_dir() && depth > 1 => list(&path, depth - 1, files),
            _ => {}
        }
    }
}

fn is_named_like_a_copy(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    // `.bak.1` and its like.
    let name = name.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches('.');
    let ends = [".bak", ".old", ".orig", ".save", ".swp", ".tmp", "~", ".txt", ".log"];
    ends.iter().any(|end| name.ends_with(end))
}

/// What changing the config leaves beside it, as private as the config itself.
fn is_private_backup(host: &Host, path: &Path) -> bool {
    let is_private = fs_err::symlink_metadata(path).is_ok_and(|file| file.permissions().mode() & OTHERS == 0);
    let config = host.workspace.paths.config.display().to_string();
    let end = path.display().to_string().strip_prefix(&format!("{config}.bak")).map(str::to_owned);
    is_private && end.is_some_and(|end| end.chars().all(|c| c == '.' || c.is_ascii_digit()))
}
