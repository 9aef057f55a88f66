//! Where every file lives.

use std::path::{Path, PathBuf};

use crate::core::snapshot::FilePath;
use crate::exit::CommandError;
use crate::process::{self, Process};

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
    pub fn resolve(process: &Process, installation: &Installation) -> Result<Self, CommandError> {
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
        let from_env = |variable| process.var(variable).map(|text| paths.expand(&text));
        let state_dir = from_env(&process::STATE_DIR);
        let config = from_env(&process::CONFIG_PATH);
        let ops = from_env(&process::OPS_CONFIG);
        let oauth_dir = from_env(&process::OAUTH_DIR);
        let agent_dir = from_env(&process::AGENT_DIR).or_else(|| from_env(&process::PI_AGENT_DIR));

        let (state_dir, config_name) = match state_dir {
            Some(state_dir) => (state_dir, None),
            None => paths.default_state_dir(installation)?,
        };
        paths.state_dir_is_legacy = config_name.is_some();
        paths.config = config.unwrap_or_else(|| default_config(&state_dir, config_name));
        paths.ops = ops.unwrap_or_else(|| state_dir.join("ops.json"));
        paths.oauth_json = oauth_dir.unwrap_or_else(|| state_dir.join("credentials")).join("oauth.json");
        paths.agent_dir_override = agent_dir;
        paths.state_dir = state_dir;
        Ok(paths)
    }

    /// The default state folder, with the config name of an earlier release when it is one of those.
    fn default_state_dir(
        &self,
        installation: &Installation,
    ) -> Result<(PathBuf, Option<&'static str>), CommandError> {
        let profile = match (&installation.profile, installation.dev) {
            (Some(_), true) => return Err(CommandError::usage("cannot combine --dev with --profile")),
            (None, true) => Some("dev"),
            (Some(name), false) if name.eq_ignore_ascii_case("default") => None,
            (Some(name), false) => Some(name.as_str()),
            (None, false) => None,
        };
        let Some(home) = &self.home else {
            return Err(CommandError::io(
                "there is no home folder: HOME is unset and the user database has none",
            )
            .hint("set HOME, or OPENCLAW_STATE_DIR to an absolute path"));
        };
        if let Some(profile) = profile {
            return Ok((home.join(format!("{STATE_DIR}-{profile}")), None));
        }
        let current = home.join(STATE_DIR);
        if !current.exists()
            && let Some((folder, config)) = LEGACY.iter().find(|(folder, _)| home.join(folder).is_dir())
        {
            return Ok((home.join(folder), Some(config)));
        }
        Ok((current, None))
    }

    /// A path as written in a file or variable: trimmed, `~` expanded, made absolute against the working directory.
    pub fn expand(&self, text: &str) -> PathBuf {
        let text = text.trim();
        let path = match (text.strip_prefix('~'), &self.home) {
            (Some(""), Some(home)) => home.clone(),
            (Some(rest), Some(home)) if rest.starts_with('/') => home.join(rest.trim_start_matches('/')),
            _ => PathBuf::from(text),
        };
        match &self.cwd {
            Some(cwd) => cwd.join(path),
            None => path,
        }
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

fn default_config(state_dir: &Path, legacy_name: Option<&str>) -> PathBuf {
    let current = state_dir.join(CONFIG);
    match legacy_name.map(|name| state_dir.join(name)) {
        Some(legacy) if !current.exists() => legacy,
        _ => current,
    }
}
