//! The gateway's systemd service as it is installed: its unit, drop-ins and environment files.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::core::secret::Secret;
use crate::format::systemd_unit::{self, Assignment, Entry};
use crate::process::{self, Process};
use crate::sys::files::ReadFailure;
use crate::sys::reader::Reader;
use crate::workspace::paths::{Installation, Paths};

/// Names of the service, the current one first. Source: the reference's `gateway install`, by release.
const NAMES: &[&str] = &["openclaw-gateway", "clawdbot-gateway", "moltbot-gateway"];
/// Folders of user units below the home folder, the first one wins (systemd.unit(5)).
const USER_DIRS: &[&str] = &[".config/systemd/user", ".local/share/systemd/user"];
/// Folders of user units of every user.
const SHARED_USER_DIRS: &[&str] =
    &["/etc/systemd/user", "/usr/local/lib/systemd/user", "/usr/lib/systemd/user"];
/// Folders of system units.
const SYSTEM_DIRS: &[&str] =
    &["/etc/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system"];
/// The search path of a service that sets none (systemd's default).
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin";

/// A variable that the unit sets, and where.
pub struct UnitVariable {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: Secret,
    /// A stable word for the kind of place: `environment-file`, `unit`, `unit-drop-in`, `manager`.
    pub layer: &'static str,
    /// The file.
    pub file: PathBuf,
    /// The line in it, 1-based.
    pub line: usize,
}

/// An installed service.
pub struct Unit {
    /// `openclaw-gateway.service`.
    pub name: String,
    /// The unit file.
    pub file: PathBuf,
    /// Whether the user's own service manager runs it.
    pub is_of_user: bool,
    /// Every variable, in the order of precedence, the highest first.
    pub variables: Vec<UnitVariable>,
    /// Files of `EnvironmentFile=` that must be there and are not.
    pub missing_files: Vec<(PathBuf, String)>,
    /// The user that it runs as, when the unit says so.
    pub user: Option<String>,
    /// The program that it starts.
    pub program: Option<PathBuf>,
    home: Option<PathBuf>,
    folder: Option<PathBuf>,
    credentials: Option<PathBuf>,
    /// Everything that the unit and its drop-ins say, which may hold secrets.
    says: Vec<Secret>,
}

impl Unit {
    /// The service of an installation, when there is one.
    pub fn find(
        process: &Process,
        paths: &Paths,
        reader: &Reader,
        installation: &Installation,
    ) -> Option<Self> {
        let chosen = process.var(&process::SYSTEMD_UNIT).map(|name| match name.strip_suffix(".service") {
            Some(_) => name.clone(),
            None => format!("{name}.service"),
        });
        let suffix = installation.suffix();
        let names: Vec<_> =
            chosen.into_iter().chain(NAMES.iter().map(|name| format!("{name}{suffix}.service"))).collect();
        Self::locate(process, paths, reader, &names)
    }

    /// The first of these that is installed, those of the user first.
    pub fn locate(process: &Process, paths: &Paths, reader: &Reader, names: &[String]) -> Option<Self> {
        let home = paths.in_home("")?;
        let own =
            process.path_var(&process::XDG_CONFIG_HOME).map(|dir| PathBuf::from(dir).join("systemd/user"));
        let in_home = USER_DIRS.iter().map(|dir| home.join(dir));
        let user_dirs: Vec<_> =
            own.into_iter().chain(in_home).chain(SHARED_USER_DIRS.iter().map(PathBuf::from)).collect();
        let system_dirs: Vec<_> = SYSTEM_DIRS.iter().map(PathBuf::from).collect();
        for name in names {
            for (dirs, is_of_user) in [(&user_dirs, true), (&system_dirs, false)] {
                let found = dirs.iter().find_map(|dir| {
                    let file = dir.join(name);
                    reader.read(&file).ok().map(|content| (file, content.bytes))
                });
                if let Some((file, bytes)) = found {
                    let place = Place { reader, home: &home, dirs, is_of_user };
                    return Some(place.unit(name, file, &bytes));
                }
            }
        }
        None
    }

    /// Whether the unit or a drop-in names something.
    pub fn names(&self, text: &str) -> bool {
        self.says.iter().any(|said| said.expose().contains(text))
    }

    /// The environment that systemd gives to the service.
    pub fn environment(&self) -> BTreeMap<OsString, OsString> {
        let mut environment: BTreeMap<OsString, OsString> = BTreeMap::new();
        if let Some(home) = &self.home {
            environment.insert("HOME".into(), home.into());
        }
        environment.insert("PATH".into(), DEFAULT_PATH.into());
        if let Some(folder) = &self.credentials {
            environment.insert(process::CREDENTIALS_DIRECTORY.name.into(), folder.into());
        }
        for variable in self.variables.iter().rev() {
            environment.insert((&variable.name).into(), variable.value.expose().into());
        }
        environment
    }

    /// The service as a process that has just been started.
    pub fn process(&self) -> Process {
        let root = PathBuf::from("/");
        let fallback = if self.is_of_user { self.home.clone() } else { None };
        let cwd = self.folder.clone().or(fallback).unwrap_or(root);
        Process::imagined(self.environment(), cwd, self.home.clone())
    }

    /// How to talk to its service manager.
    pub fn systemctl(&self) -> &'static str {
        if self.is_of_user { "systemctl --user" } else { "sudo systemctl" }
    }
}

struct Place<'p> {
    reader: &'p Reader,
    home: &'p Path,
    dirs: &'p [PathBuf],
    is_of_user: bool,
}

impl Place<'_> {
    fn unit(&self, name: &str, file: PathBuf, bytes: &[u8]) -> Unit {
        let mut sources = vec![(file.clone(), "unit", parsed(bytes))];
        sources
            .extend(self.drop_ins(name).into_iter().map(|(file, entries)| (file, "unit-drop-in", entries)));
        let last = |key: &str| {
            let mut entries = sources.iter().flat_map(|(_, _, entries)| entries);
            let found = entries.rfind(|entry| entry.section == "Service" && entry.key == key);
            found.map(|entry| entry.value.clone()).filter(|value| !value.is_empty())
        };
        let user = last("User").filter(|_| !self.is_of_user);
        let home = if self.is_of_user { Some(self.home.to_owned()) } else { home_of(user.as_deref()) };
        let specifiers = self.specifiers(name, home.as_deref(), user.as_deref());
        let folder = last("WorkingDirectory").map(|folder| {
            let folder = systemd_unit::expand(folder.trim_start_matches('-'), &specifiers);
            if folder == "~" { home.clone().unwrap_or_default() } else { PathBuf::from(folder) }
        });
        // Prefixes of the program say how it is started (systemd.service(5)).
        let program = last("ExecStart").and_then(|line| {
            let words = systemd_unit::words(line.trim_start_matches(['-', '@', ':', '+', '!']));
            words.first().map(|word| PathBuf::from(systemd_unit::expand(word, &specifiers)))
        });
        let hands_credentials = ["LoadCredential", "LoadCredentialEncrypted", "SetCredential"];
        let has_credentials = hands_credentials.iter().any(|key| last(key).is_some());
        let uid = nix::unistd::geteuid();
        let run = if self.is_of_user { format!("/run/user/{uid}") } else { "/run".to_owned() };
        let mut unit = Unit {
            name: name.to_owned(),
            file,
            is_of_user: self.is_of_user,
            variables: Vec::new(),
            missing_files: Vec::new(),
            user,
            program,
            home,
            folder,
            says: sources
                .iter()
                .flat_map(|(_, _, entries)| entries)
                .map(|entry| Secret::new(systemd_unit::expand(&entry.value, &specifiers)))
                .collect(),
            credentials: has_credentials.then(|| PathBuf::from(run).join("credentials").join(name)),
        };
        self.read_environment(&mut unit, &sources, &specifiers);
        unit
    }

    /// Variables of the manager, then those of the unit, then those of its files: each beats the ones before.
    fn read_environment(
        &self,
        unit: &mut Unit,
        sources: &[(PathBuf, &'static str, Vec<Entry>)],
        specifiers: &BTreeMap<char, String>,
    ) {
        let mut own: Vec<UnitVariable> = Vec::new();
        let mut files: Vec<(PathBuf, bool, String)> = Vec::new();
        let mut unset: Vec<String> = Vec::new();
        for (file, layer, entries) in sources {
            for entry in entries.iter().filter(|entry| entry.section == "Service") {
                match entry.key.as_str() {
                    // An empty value takes back what was said before.
                    "Environment" if entry.value.is_empty() => own.clear(),
                    "Environment" => {
                        let found = systemd_unit::environment(&entry.value, entry.line, specifiers);
                        own.extend(found.into_iter().map(|found| variable(found, layer, file)));
                    }
                    "EnvironmentFile" if entry.value.is_empty() => files.clear(),
                    "EnvironmentFile" => {
                        let is_optional = entry.value.starts_with('-');
                        let path = systemd_unit::expand(entry.value.trim_start_matches('-'), specifiers);
                        files.push((
                            PathBuf::from(path),
                            is_optional,
                            format!("{}:{}", file.display(), entry.line),
                        ));
                    }
                    "UnsetEnvironment" => unset.extend(entry.value.split_whitespace().map(str::to_owned)),
                    _ => {}
                }
            }
        }
        let mut all = if self.is_of_user { self.manager_variables() } else { Vec::new() };
        all.extend(own);
        for (path, is_optional, said_at) in files {
            match self.reader.read(&path) {
                Ok(content) => {
                    let text = String::from_utf8_lossy(&content.bytes).into_owned();
                    let found = systemd_unit::environment_file(&text);
                    all.extend(found.into_iter().map(|found| variable(found, "environment-file", &path)));
                }
                // What systemd may read and this user may not is not missing, and a pattern names no file.
                Err(ReadFailure::Absent) if !is_optional && !is_pattern(&path) => {
                    unit.missing_files.push((path, said_at));
                }
                Err(ReadFailure::Absent | ReadFailure::Failed(_)) => {}
            }
        }
        all.retain(|variable| !unset.contains(&variable.name));
        all.reverse();
        unit.variables = all;
    }

    /// `environment.d` of the user, which the user's service manager hands to every service.
    fn manager_variables(&self) -> Vec<UnitVariable> {
        let folder = self.home.join(".config/environment.d");
        let mut found = Vec::new();
        for (file, bytes) in self.conf_files(&folder) {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            for assigned in systemd_unit::environment_file(&text) {
                let before = |name: &str| {
                    let set = found.iter().rfind(|known: &&UnitVariable| known.name == name);
                    let home = (name == "HOME").then(|| self.home.display().to_string());
                    set.map(|set| set.value.expose().to_owned()).or(home)
                };
                let value = systemd_unit::with_variables(&assigned.value, &before);
                found.push(variable(Assignment { value, ..assigned }, "manager", &file));
            }
        }
        found
    }

    fn drop_ins(&self, name: &str) -> Vec<(PathBuf, Vec<Entry>)> {
        let mut files: Vec<(PathBuf, Vec<u8>)> = Vec::new();
        for dir in self.dirs {
            for (file, bytes) in self.conf_files(&dir.join(format!("{name}.d"))) {
                // A drop-in of a folder with less weight is hidden by one of the same name.
                if files.iter().all(|(known, _)| known.file_name() != file.file_name()) {
                    files.push((file, bytes));
                }
            }
        }
        files.sort_by(|(a, _), (b, _)| a.file_name().cmp(&b.file_name()));
        files.into_iter().map(|(file, bytes)| (file, parsed(&bytes))).collect()
    }

    /// Every `*.conf` of a folder, sorted.
    fn conf_files(&self, folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
        let listed = folder.to_owned();
        let names = self.reader.call(move || {
            let entries = fs_err::read_dir(listed).into_iter().flatten().flatten();
            let mut files: Vec<_> = entries
                .map(|entry| entry.path())
                .filter(|path| path.extension().is_some_and(|extension| extension == "conf"))
                .collect();
            files.sort();
            files
        });
        let files = names.unwrap_or_default().into_iter();
        files.filter_map(|file| self.reader.read(&file).ok().map(|content| (file, content.bytes))).collect()
    }

    fn specifiers(&self, name: &str, home: Option<&Path>, user: Option<&str>) -> BTreeMap<char, String> {
        let uid = nix::unistd::geteuid();
        let me = nix::unistd::User::from_uid(uid).ok().flatten().map(|user| user.name);
        let stem = name.trim_end_matches(".service");
        let home = home.map(|home| home.display().to_string()).unwrap_or_default();
        let run = if self.is_of_user { format!("/run/user/{uid}") } else { "/run".to_owned() };
        BTreeMap::from([
            ('h', home.clone()),
            ('E', if self.is_of_user { format!("{home}/.config") } else { "/etc".to_owned() }),
            ('S', if self.is_of_user { format!("{home}/.local/state") } else { "/var/lib".to_owned() }),
            ('t', run),
            ('u', user.map(str::to_owned).or(me).unwrap_or_default()),
            ('U', uid.to_string()),
            ('n', name.to_owned()),
            ('N', stem.to_owned()),
            ('p', stem.to_owned()),
        ])
    }
}

fn is_pattern(path: &Path) -> bool {
    path.to_string_lossy().contains(['*', '?', '['])
}

fn parsed(bytes: &[u8]) -> Vec<Entry> {
    systemd_unit::parse(&String::from_utf8_lossy(bytes))
}

fn variable(found: Assignment, layer: &'static str, file: &Path) -> UnitVariable {
    let Assignment { name, value, line } = found;
    UnitVariable { name, value: Secret::new(value), layer, file: file.to_owned(), line }
}

fn home_of(user: Option<&str>) -> Option<PathBuf> {
    let user = nix::unistd::User::from_name(user.unwrap_or("root")).ok().flatten();
    user.map(|user| user.dir)
}
