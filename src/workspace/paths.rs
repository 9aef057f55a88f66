//! Where every file lives.

use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

use crate::core::snapshot::FilePath;
use crate::exit::CommandError;
use crate::process::{self, Process};
use crate::sys::reader::Reader;

/// State folders of earlier releases and the config names in them, in the order of preference.
const LEGACY: &[(&str, &str)] = &[(".clawdbot", "clawdbot.json"), (".moltbot", "moltbot.json")];
const STATE_DIR: &str = ".openclaw";
const CONFIG: &str = "openclaw.json";

/// Which of several set-ups on one host is meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Installation {
    /// `--profile`; `default` in any case is the plain one.
    pub profile: Option<String>,
    /// `--dev`: the profile `dev`.
    pub dev: bool,
}

impl Installation {
    /// How to call this program for the installation.
    pub fn program(&self) -> String {
        match self.name() {
            Ok(Some(name)) => format!("openclaw --profile {name}"),
            Ok(None) | Err(_) => "openclaw".to_owned(),
        }
    }

    /// What the names of its service and folder end with: empty for the plain one.
    pub fn suffix(&self) -> String {
        self.name().ok().flatten().map_or_else(String::new, |name| format!("-{name}"))
    }

    /// The name behind `~/.openclaw-`; `None` for the plain one.
    fn name(&self) -> Result<Option<&str>, CommandError> {
        match (&self.profile, self.dev) {
            (Some(_), true) => Err(CommandError::usage("cannot combine --dev with --profile")),
            (None, true) => Ok(Some("dev")),
            (Some(name), false) if name.eq_ignore_ascii_case("default") => Ok(None),
            (Some(name), false) => Ok(Some(name)),
            (None, false) => Ok(None),
        }
    }
}

/// The resolved places.
#[derive(Clone, Debug)]
pub struct Paths {
    home: Option<PathBuf>,
    cwd: Option<PathBuf>,
    /// The state folder.
    pub state_dir: PathBuf,
    /// Whether the state folder has a name of an earlier release.
    pub state_dir_is_legacy: bool,
    /// The config.
    pub config: PathBuf,
    /// The settings of this program.
    pub ops: PathBuf,
    /// The legacy login file.
    pub oauth_json: PathBuf,
    /// An agent folder given by the environment.
    pub agent_dir_override: Option<PathBuf>,
}

impl Paths {
    /// Resolves everything that flags, environment and folders decide.
    pub fn resolve(
        process: &Process,
        reader: &Reader,
        installation: &Installation,
    ) -> Result<Self, CommandError> {
        let profile = installation.name()?;
        let mut paths = Self {
            home: process.home(),
            cwd: process.cwd(),
            state_dir: PathBuf::new(),
            state_dir_is_legacy: false,
            config: PathBuf::new(),
            ops: PathBuf::new(),
            oauth_json: PathBuf::new(),
            agent_dir_override: None,
        };
        let from_env = |variable| process.path_var(variable).map(|path| paths.expand(path));
        let state_dir = from_env(&process::STATE_DIR);
        let config = from_env(&process::CONFIG_PATH);
        let ops = from_env(&process::OPS_CONFIG);
        let oauth_dir = from_env(&process::OAUTH_DIR);
        let agent_dir = from_env(&process::AGENT_DIR).or_else(|| from_env(&process::PI_AGENT_DIR));

        let state_dir = if let Some(state_dir) = state_dir {
            state_dir
        } else {
            let default = paths.default_state_dir(reader, profile)?;
            paths.state_dir_is_legacy = LEGACY.iter().any(|(folder, _)| default.ends_with(folder));
            default
        };
        paths.config = match config {
            Some(config) => config,
            None => default_config(reader, &state_dir),
        };
        paths.ops = ops.unwrap_or_else(|| state_dir.join("ops.json"));
        paths.oauth_json = oauth_dir.unwrap_or_else(|| state_dir.join("credentials")).join("oauth.json");
        paths.agent_dir_override = agent_dir;
        paths.state_dir = state_dir;
        Ok(paths)
    }

    /// The state folder of an installation; an earlier release's folder when only that exists.
    fn default_state_dir(&self, reader: &Reader, profile: Option<&str>) -> Result<PathBuf, CommandError> {
        let Some(home) = &self.home else {
            return Err(CommandError::io(
                "there is no home folder: HOME is unset and the user database has none",
            )
            .hint("set HOME, or OPENCLAW_STATE_DIR to an absolute path"));
        };
        if let Some(profile) = profile {
            return Ok(home.join(format!("{STATE_DIR}-{profile}")));
        }
        let current = home.join(STATE_DIR);
        let older: Vec<_> = LEGACY.iter().map(|(folder, _)| home.join(folder)).collect();
        let wanted = current.clone();
        let found = reader.call(move || {
            // A link that leads nowhere is a disk that is not mounted, not a host of an earlier release.
            if fs_err::symlink_metadata(&wanted).is_ok() {
                return None;
            }
            older.into_iter().find(|folder| folder.is_dir())
        });
        Ok(found.flatten().unwrap_or(current))
    }

    /// A path as written in a file or variable: trimmed, `~` expanded, made absolute against the working directory,
    /// `.` and `..` resolved by name.
    pub fn expand(&self, written: impl AsRef<OsStr>) -> PathBuf {
        let written = written.as_ref();
        let path = match (written.to_str().map(str::trim), &self.home) {
            (Some("~"), Some(home)) => home.clone(),
            (Some(text), Some(home)) if text.starts_with("~/") => {
                home.join(text[1..].trim_start_matches('/'))
            }
            (Some(text), _) => PathBuf::from(text),
            (None, _) => PathBuf::from(written),
        };
        lexically_normal(&match &self.cwd {
            Some(cwd) => cwd.join(path),
            None => path,
        })
    }

    /// Both spellings of a path.
    pub fn shown(&self, path: &Path) -> FilePath {
        let full = path.display().to_string();
        let short = match self.home.as_deref().map(|home| path.strip_prefix(home)) {
            Some(Ok(rest)) if rest.as_os_str().is_empty() => "~".to_owned(),
            Some(Ok(rest)) => format!("~/{}", rest.display()),
            _ => full.clone(),
        };
        FilePath { full, short }
    }

    /// A file below the home folder.
    pub fn in_home(&self, relative: &str) -> Option<PathBuf> {
        self.home.as_ref().map(|home| home.join(relative))
    }

    /// `.env` of the working directory.
    pub fn cwd_dotenv(&self) -> Option<PathBuf> {
        self.cwd.as_ref().map(|cwd| cwd.join(".env"))
    }

    /// `.env` of the state folder.
    pub fn state_dotenv(&self) -> PathBuf {
        self.state_dir.join(".env")
    }

    /// The folder of an agent that names none.
    pub fn default_agent_dir(&self, id: &str) -> PathBuf {
        self.state_dir.join("agents").join(id).join("agent")
    }
}

/// The first config name that exists in the state folder, the current one when none does.
fn default_config(reader: &Reader, state_dir: &Path) -> PathBuf {
    let current = state_dir.join(CONFIG);
    let names = std::iter::once(CONFIG).chain(LEGACY.iter().map(|(_, config)| *config));
    let candidates: Vec<_> = names.map(|name| state_dir.join(name)).collect();
    let found =
        reader.call(move || candidates.into_iter().find(|config| fs_err::symlink_metadata(config).is_ok()));
    found.flatten().unwrap_or(current)
}

/// `a/../b` is `b`: two spellings of one file are the same file.
pub fn lexically_normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(normal.pop()),
            part => normal.push(part),
        }
    }
    normal
}
