//! What is to run, for whom, and with what; the same for every manager.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use nix::unistd::{User, geteuid};

use crate::core::remedy::shell_word;
use crate::exit::CommandError;
use crate::format::ops_monitor::{Address, ChannelKind};
use crate::process::{self, EnvVar, Process};
use crate::sys::reader::Reader;
use crate::workspace::paths::Installation;
use crate::workspace::{Workspace, agents};

/// Variables that say which host and which installation is meant. A service gets those that are set when it is
/// installed; never one that holds a secret.
pub const CARRIED: &[&EnvVar] = &[
    &process::AGENT_DIR,
    &process::CODEX_HOME,
    &process::CONFIG_PATH,
    &process::DEFER_SHELL_ENV,
    &process::LOAD_SHELL_ENV,
    &process::OAUTH_DIR,
    &process::OPS_CONFIG,
    &process::PI_AGENT_DIR,
    &process::SHELL_ENV_TIMEOUT,
    &process::STATE_DIR,
    &process::TZ,
];

/// Which of them hold a path.
const PATHS: &[&str] = &[
    "CODEX_HOME",
    "OPENCLAW_AGENT_DIR",
    "OPENCLAW_CONFIG_PATH",
    "OPENCLAW_OAUTH_DIR",
    "OPENCLAW_OPS_CONFIG",
    "OPENCLAW_STATE_DIR",
    "PI_CODING_AGENT_DIR",
];

/// Where programs are whatever the shell of the installation says.
const PROGRAMS: &[&str] = &["/usr/local/bin", "/usr/bin", "/bin"];

/// What can run unattended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `openclaw exporter`.
    Exporter,
    /// `openclaw gateway`.
    Gateway,
    /// `openclaw monitor`.
    Monitor,
}

impl Kind {
    /// All of them.
    pub const ALL: &'static [Self] = &[Self::Exporter, Self::Gateway, Self::Monitor];

    /// The word of the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Exporter => "exporter",
            Self::Gateway => "gateway",
            Self::Monitor => "monitor",
        }
    }
}

/// Whose manager runs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// That of the machine, as a user of its choice.
    System,
    /// That of the user.
    User,
}

impl Flavour {
    /// The flag that asks for it, with a blank in front of it.
    pub fn flag(self) -> &'static str {
        match self {
            Self::System => " --system",
            Self::User => " --user",
        }
    }
}

/// Who it runs as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The name in the user database.
    pub name: String,
    /// The number.
    pub uid: u32,
    /// The home folder.
    pub home: PathBuf,
}

impl Account {
    /// The user of this process.
    pub fn own(process: &Process) -> Result<Self, CommandError> {
        let uid = geteuid();
        let known = User::from_uid(uid).ok().flatten();
        let home = process.home().or_else(|| known.as_ref().map(|user| user.dir.clone()));
        let home = home.ok_or_else(|| CommandError::io("there is no home folder").hint("set HOME"))?;
        let name = known.map_or_else(|| uid.to_string(), |user| user.name);
        Ok(Self { name, uid: uid.as_raw(), home })
    }

    /// The user of this name.
    pub fn named(name: &str) -> Result<Self, CommandError> {
        match User::from_name(name) {
            Ok(Some(user)) => Ok(Self { name: user.name, uid: user.uid.as_raw(), home: user.dir }),
            Ok(None) => Err(CommandError::usage(format!("there is no user \"{}\"", name.escape_debug()))),
            Err(error) => Err(CommandError::io(format!("failed to ask for the user {name}: {error}"))),
        }
    }

    /// The process that this user would start here: what the environment says of the caller's own place goes, and root
    /// starts no login shell of somebody else.
    pub fn process(&self, process: &Process) -> Process {
        let is_at_home = process.home().as_ref() == Some(&self.home);
        let is_of_other = geteuid().is_root() && self.uid != 0;
        if is_at_home && !is_of_other {
            return process.clone();
        }
        let mut variables = process.variables().clone();
        if is_of_other {
            variables.insert(process::DEFER_SHELL_ENV.name.into(), "1".into());
        }
        if !is_at_home {
            variables.retain(|name, _| !name.to_string_lossy().starts_with("XDG_"));
        }
        variables.insert(process::HOME.name.into(), self.home.clone().into());
        Process::imagined(variables, self.home.clone(), Some(self.home.clone()))
    }
}

/// What can be done to a service that is installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// Stop it and start it.
    Restart,
    /// Start it.
    Start,
    /// Stop it until it is started again, or the machine is.
    Stop,
}

impl Control {
    /// The word of the command line, and of systemd.
    pub fn word(self) -> &'static str {
        match self {
            Self::Restart => "restart",
            Self::Start => "start",
            Self::Stop => "stop",
        }
    }

    /// What is told when it is done.
    pub fn result(self) -> &'static str {
        match self {
            Self::Restart => "restarted",
            Self::Start => "started",
            Self::Stop => "stopped",
        }
    }
}

/// Which service is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// What runs.
    pub kind: Kind,
    /// Whose manager runs it.
    pub flavour: Flavour,
    /// Who it runs as.
    pub account: Account,
    /// What its names end with: empty for the plain installation and the default agent.
    pub suffix: String,
    /// How to call this program for the same installation.
    pub caller: String,
}

impl Place {
    /// The options that ask for this service of the machine, with a blank in front of them.
    pub fn scope(&self) -> String {
        format!(" --system --run-as {}", shell_word(&self.account.name))
    }

    /// Refuses what this user may not change, with the command of the one who may.
    pub fn may_change(&self, command: &str) -> Result<(), CommandError> {
        if self.flavour == Flavour::System && !geteuid().is_root() {
            return Err(CommandError::refused("only root changes services of the machine")
                .hint(format!("sudo {} {command}", self.caller)));
        }
        let owner = fs_err::metadata(&self.account.home).ok().map(|home| {
            use std::os::unix::fs::MetadataExt;
            home.uid()
        });
        if self.flavour == Flavour::User && owner.is_some_and(|owner| owner != geteuid().as_raw()) {
            let home = self.account.home.display();
            return Err(CommandError::refused(format!("{home} belongs to another user"))
                .hint("type it in a login of the user whose service it is to be, or add --system"));
        }
        Ok(())
    }
}

/// What the names of services end with: empty for the plain installation and the default agent.
pub fn suffix(installation: &Installation, agent: Option<&str>) -> String {
    installation.suffix() + &agent.map_or_else(String::new, |agent| format!("-agent.{agent}"))
}

/// Everything that decides what the files of a service say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// Which service.
    pub place: Place,
    /// This program.
    pub program: String,
    /// Flags in front of its command.
    pub flags: Vec<String>,
    /// Options behind its command.
    pub options: Vec<String>,
    /// What it finds in its environment, sorted by name.
    pub environment: BTreeMap<String, String>,
    /// Folders in which it has to write.
    pub writable: Vec<PathBuf>,
    /// Names of secret files of channels that systemd may hand over.
    pub credentials: Vec<String>,
    /// How often the monitor looks, in s.
    pub every_s: u64,
    /// Where systemd listens for it: for the exporter where the settings say so, for the gateway where that is wanted.
    pub listen: Vec<SocketAddr>,
    /// What tells of its failures, where that is not itself: the monitor, with which it shares a unit for that.
    pub teller: Option<Box<Self>>,
}

impl Definition {
    /// Decides, from the process that installs and the installation of the account.
    pub fn new(
        place: Place,
        process: &Process,
        workspace: &Workspace,
        reader: &Reader,
    ) -> Result<Self, CommandError> {
        let installation = &workspace.request.installation;
        let program = process.program().ok_or_else(|| {
            CommandError::io("this program does not know where it is").hint("call it by its whole path")
        })?;
        let program = text(&program)?;
        let mut environment = carried(process, workspace)?;
        environment.insert("PATH".to_owned(), search_path(process, &place.account.home, &program)?);
        if place.flavour == Flavour::System && place.kind == Kind::Monitor {
            // Where the session bus of the user is, for notices on a desktop.
            environment.insert("XDG_RUNTIME_DIR".to_owned(), format!("/run/user/{}", place.account.uid));
        }
        if place.kind == Kind::Gateway
            && let Some(port) = process.var(&process::GATEWAY_PORT)
        {
            environment.insert(process::GATEWAY_PORT.name.to_owned(), port);
        }
        let teller = match place.kind {
            Kind::Exporter | Kind::Monitor => None,
            Kind::Gateway => {
                let place = Place { kind: Kind::Monitor, ..place.clone() };
                let mut teller = Self::new(place, process, workspace, reader)?;
                // Its name is that of every agent.
                teller.flags = flags(installation, None);
                Some(Box::new(teller))
            }
        };
        let ops = &workspace.ops;
        let every = ops.monitor.every_ms.and_then(|ms| u64::try_from(ms / 1000).ok());
        Ok(Self {
            program,
            flags: flags(installation, workspace.request.agent.as_deref()),
            options: Vec::new(),
            environment,
            writable: writable(&place, workspace, reader),
            credentials: credentials(workspace),
            every_s: every.unwrap_or(30 * 60).max(60),
            listen: ops.exporter.listen.filter(|_| place.kind == Kind::Exporter).into_iter().collect(),
            teller,
            place,
        })
    }

    /// The words behind the program.
    pub fn words<'w>(&'w self, command: &'w [&'w str]) -> impl Iterator<Item = &'w str> {
        let flags = self.flags.iter().map(String::as_str);
        flags.chain(command.iter().copied()).chain(self.options.iter().map(String::as_str))
    }
}

fn flags(installation: &Installation, agent: Option<&str>) -> Vec<String> {
    let mut flags = Vec::new();
    if installation.dev {
        flags.push("--dev".to_owned());
    }
    for (flag, value) in [("--profile", installation.profile.as_deref()), ("--agent", agent)] {
        flags.extend(value.into_iter().flat_map(|value| [flag.to_owned(), value.to_owned()]));
    }
    flags
}

fn carried(process: &Process, workspace: &Workspace) -> Result<BTreeMap<String, String>, CommandError> {
    let mut found = BTreeMap::new();
    for variable in CARRIED {
        let Some(value) = process.path_var(variable) else { continue };
        let value = if PATHS.contains(&variable.name) {
            text(&workspace.paths.expand(value))?
        } else {
            text(Path::new(&value))?
        };
        found.insert(variable.name.to_owned(), value);
    }
    Ok(found)
}

/// The folders of programs that the installing shell has, without those that are relative or not there.
fn search_path(process: &Process, home: &Path, program: &str) -> Result<String, CommandError> {
    let of_shell = process.path_var(&process::PATH).unwrap_or_default();
    let of_program = Path::new(program).parent().map(Path::to_owned);
    let usual = [home.join(".local/bin")].into_iter().chain(PROGRAMS.iter().map(PathBuf::from));
    let mut folders: Vec<PathBuf> = Vec::new();
    let of_shell: Vec<_> = of_shell.to_string_lossy().split(':').map(PathBuf::from).collect();
    for folder in of_shell.into_iter().chain(of_program).chain(usual) {
        if folder.is_absolute() && folder.is_dir() && !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    let joined = folders.iter().map(|folder| folder.as_os_str()).collect::<Vec<_>>();
    text(Path::new(&joined.join(&OsString::from(":"))))
}

/// Folders in which something has to be saved. Renewing a login of a vendor's program also locks it in the home folder.
fn writable(place: &Place, workspace: &Workspace, reader: &Reader) -> Vec<PathBuf> {
    let paths = &workspace.paths;
    let renews = place.kind == Kind::Gateway || workspace.ops.monitor.refresh == Some(true);
    let mut folders = vec![paths.state_dir.clone()];
    match place.kind {
        // It reads, and writes nothing.
        Kind::Exporter => return Vec::new(),
        Kind::Gateway | Kind::Monitor if renews => folders.push(place.account.home.clone()),
        Kind::Gateway | Kind::Monitor => {}
    }
    folders.push(workspace.agent.dir.clone());
    folders.extend(agents::folders(&workspace.config, paths, reader));
    folders.sort();
    folders.dedup();
    // What is below another one is written with it.
    let all = folders.clone();
    folders.retain(|folder| !all.iter().any(|other| other != folder && folder.starts_with(other)));
    folders
}

/// Secret files of channels that the settings name by a bare name.
fn credentials(workspace: &Workspace) -> Vec<String> {
    let mut names = Vec::new();
    let mut add = |name: &Option<String>| names.extend(name.clone());
    for channel in &workspace.ops.monitor.channels {
        match &channel.kind {
            ChannelKind::Alertmanager { token_file, .. } | ChannelKind::Ntfy { token_file, .. } => {
                add(token_file);
            }
            ChannelKind::DeadMan { url: Address::File(file) } => add(&Some(file.clone())),
            ChannelKind::Webhook { url, secret_file, .. } => {
                add(secret_file);
                if let Address::File(file) = url {
                    add(&Some(file.clone()));
                }
            }
            ChannelKind::Command { .. }
            | ChannelKind::DeadMan { .. }
            | ChannelKind::Desktop
            | ChannelKind::Email { .. }
            | ChannelKind::Termux => {}
        }
    }
    names.retain(|name| name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)));
    names.sort();
    names.dedup();
    names
}

/// A path as text that every manager can be told.
fn text(path: &Path) -> Result<String, CommandError> {
    let shown = path.display();
    match path.to_str() {
        Some(text) if !text.chars().any(char::is_control) => Ok(text.to_owned()),
        _ => Err(CommandError::refused(format!("{shown} holds bytes that no service file can name"))
            .hint("give it another name")),
    }
}
