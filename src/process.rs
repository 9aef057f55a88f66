//! The process around the program: arguments, environment, folders, terminal, output. Tests put a fake one here.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::{self, BufRead, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// A variable that this program reads for itself. Credentials are not here: they are in the provider catalogue.
#[derive(Debug)]
pub struct EnvVar {
    /// Its name.
    pub name: &'static str,
    /// The name of an earlier release, honoured after it.
    pub legacy: Option<&'static str>,
    /// What it does, for the interface reference.
    pub help: &'static str,
}

macro_rules! env_vars {
    ($($constant:ident, $name:literal, $legacy:expr, $help:literal;)*) => {
        $(#[doc = $help] pub const $constant: EnvVar = EnvVar { name: $name, legacy: $legacy, help: $help };)*
        /// Every variable, sorted by name.
        pub const ENV_VARS: &[&EnvVar] = &[$(&$constant),*];
    };
}

env_vars! {
    CHUTES_CLIENT_ID, "CHUTES_CLIENT_ID", None, "The OAuth client of Chutes logins.";
    CHUTES_CLIENT_SECRET, "CHUTES_CLIENT_SECRET", None, "The secret of that client, when it has one.";
    CHUTES_REDIRECT, "CHUTES_OAUTH_REDIRECT_URI", None,
        "Where a Chutes login ends; default `http://127.0.0.1:1456/oauth-callback`.";
    CHUTES_SCOPES, "CHUTES_OAUTH_SCOPES", None, "What a Chutes login asks for; default `openid profile chutes:invoke`.";
    CODEX_HOME, "CODEX_HOME", None, "Folder of the Codex CLI; default `~/.codex`.";
    CREDENTIALS_DIRECTORY, "CREDENTIALS_DIRECTORY", None,
        "Set by systemd for `LoadCredential=`: each file is a variable, just below the process environment.";
    SESSION_BUS, "DBUS_SESSION_BUS_ADDRESS", None,
        "The session bus; a desktop gets notices over it when no channel is set up.";
    HOME, "HOME", None, "Home folder; when unset, the one of the user database.";
    JOURNAL_STREAM, "JOURNAL_STREAM", None,
        "Set by systemd where stderr goes to the journal: the gateway leaves the time to it.";
    MONITOR_EXIT_STATUS, "MONITOR_EXIT_STATUS", None,
        "Set by systemd for units of `OnFailure=`: how the unit ended; `monitor failed` tells it.";
    MONITOR_SERVICE_RESULT, "MONITOR_SERVICE_RESULT", None,
        "The same: why systemd calls it failed, such as `exit-code` or `watchdog`.";
    NO_COLOR, "NO_COLOR", None, "Any value switches colour off.";
    AGENT_DIR, "OPENCLAW_AGENT_DIR", Some("CLAWDBOT_AGENT_DIR"), "Agent folder, unless `--agent` is given.";
    ALLOW_MULTI_GATEWAY, "OPENCLAW_ALLOW_MULTI_GATEWAY", Some("CLAWDBOT_ALLOW_MULTI_GATEWAY"),
        "`1`, `true`, `yes` or `on`: several gateways may run on one state folder.";
    CONFIG_PATH, "OPENCLAW_CONFIG_PATH", Some("CLAWDBOT_CONFIG_PATH"),
        "Config file; default `openclaw.json` in the state folder.";
    DEFER_SHELL_ENV, "OPENCLAW_DEFER_SHELL_ENV_FALLBACK", Some("CLAWDBOT_DEFER_SHELL_ENV_FALLBACK"),
        "`1`, `true`, `yes` or `on`: never run the login shell.";
    GATEWAY_PORT, "OPENCLAW_GATEWAY_PORT", Some("CLAWDBOT_GATEWAY_PORT"),
        "Port of the gateway; default `gateway.port` of the config, else 18789, with `--dev` 19001.";
    LOAD_SHELL_ENV, "OPENCLAW_LOAD_SHELL_ENV", Some("CLAWDBOT_LOAD_SHELL_ENV"),
        "`1`, `true`, `yes` or `on`: import missing keys from the login shell.";
    OAUTH_DIR, "OPENCLAW_OAUTH_DIR", Some("CLAWDBOT_OAUTH_DIR"),
        "Folder of the legacy `oauth.json`; default `credentials` in the state folder.";
    OPS_CONFIG, "OPENCLAW_OPS_CONFIG", None, "Settings of this program; default `ops.json` in the state folder.";
    SHELL_ENV_TIMEOUT, "OPENCLAW_SHELL_ENV_TIMEOUT_MS", Some("CLAWDBOT_SHELL_ENV_TIMEOUT_MS"),
        "Time limit of the login shell in ms; default 15000.";
    STATE_DIR, "OPENCLAW_STATE_DIR", Some("CLAWDBOT_STATE_DIR"), "State folder; default `~/.openclaw`.";
    SYSTEMD_UNIT, "OPENCLAW_SYSTEMD_UNIT", Some("CLAWDBOT_SYSTEMD_UNIT"),
        "Name of the gateway's unit; default `openclaw-gateway.service`, with `-NAME` behind it for `--profile NAME`.";
    PATH, "PATH", None, "Where programs are found; doctor compares it with that of the gateway's service.";
    PI_AGENT_DIR, "PI_CODING_AGENT_DIR", None, "Agent folder when `OPENCLAW_AGENT_DIR` is unset.";
    PREFIX, "PREFIX", None, "Set by Termux: where its services are, below `var/service`.";
    SHELL, "SHELL", None, "The login shell; default `/bin/sh`.";
    SUDO_USER, "SUDO_USER", None, "Set by sudo: for whom `service install --system` installs.";
    TERMUX_VERSION, "TERMUX_VERSION", None, "Set by Termux; doctor looks at what phones need then.";
    TMPDIR, "TMPDIR", None, "Where the Node gateway has its lock, which is looked at and taken too; default `/tmp`.";
    TZ, "TZ", None, "The time zone; doctor says when nobody knows it.";
    XDG_CONFIG_HOME, "XDG_CONFIG_HOME", None, "Where systemd looks for units of this user; default `~/.config`.";
    XDG_RUNTIME_DIR, "XDG_RUNTIME_DIR", None, "Where the session bus of this user is; its socket is `bus`.";
}

/// The process, real or imagined.
#[derive(Clone, Debug)]
pub enum Process {
    /// The real one.
    Os {
        /// The environment, read once.
        variables: BTreeMap<OsString, OsString>,
    },
    /// One made by a test, or to see the host with the eyes of a service.
    Fake(Box<FakeProcess>),
}

/// What is decided about an imagined process.
#[derive(Clone, Debug, Default)]
pub struct FakeProcess {
    /// The command line, program name first.
    pub args: Vec<OsString>,
    /// The environment.
    pub variables: BTreeMap<OsString, OsString>,
    /// The working directory.
    pub cwd: PathBuf,
    /// The home folder of the user database.
    pub passwd_home: Option<PathBuf>,
    /// The width of the terminal; `None` when stdout is none.
    pub terminal_width: Option<usize>,
    /// The program that answers for the macOS keychain.
    pub keychain_program: Option<PathBuf>,
    /// The file of the program itself.
    pub program: Option<PathBuf>,
    /// What stdin holds.
    pub stdin: Vec<u8>,
    /// Everything written to stdout.
    pub stdout: Arc<Mutex<Vec<u8>>>,
    /// Everything written to stderr.
    pub stderr: Arc<Mutex<Vec<u8>>>,
}

impl Process {
    /// The real process.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    pub fn os() -> Self {
        Self::Os { variables: std::env::vars_os().collect() }
    }

    /// A process that somebody else would be, or is.
    pub fn imagined(
        variables: BTreeMap<OsString, OsString>,
        cwd: PathBuf,
        passwd_home: Option<PathBuf>,
    ) -> Self {
        Self::Fake(Box::new(FakeProcess { variables, cwd, passwd_home, ..FakeProcess::default() }))
    }

    /// The file of the program itself.
    pub fn program(&self) -> Option<PathBuf> {
        match self {
            Self::Os { .. } => std::env::current_exe().ok(),
            Self::Fake(fake) => fake.program.clone(),
        }
    }

    /// The command line, program name first.
    pub fn args(&self) -> Vec<OsString> {
        match self {
            Self::Os { .. } => std::env::args_os().collect(),
            Self::Fake(fake) => fake.args.clone(),
        }
    }

    /// The whole environment.
    pub fn variables(&self) -> &BTreeMap<OsString, OsString> {
        match self {
            Self::Os { variables } => variables,
            Self::Fake(fake) => &fake.variables,
        }
    }

    /// One of our own variables as text. Empty and blank count as unset, text that is not UTF-8 too.
    pub fn var(&self, variable: &EnvVar) -> Option<String> {
        self.path_var(variable)?.into_string().ok().map(|text| text.trim().to_owned())
    }

    /// One of our own variables that holds a path, which need not be UTF-8. Empty and blank count as unset.
    pub fn path_var(&self, variable: &EnvVar) -> Option<OsString> {
        let names = std::iter::once(variable.name).chain(variable.legacy);
        names
            .filter_map(|name| self.variables().get(OsStr::new(name)))
            .find(|value| value.to_str().is_none_or(|text| !text.trim().is_empty()))
            .cloned()
    }

    /// One of our own switches: `1`, `true`, `yes` or `on` in any case.
    pub fn flag(&self, variable: &EnvVar) -> bool {
        self.var(variable)
            .is_some_and(|value| ["1", "true", "yes", "on"].contains(&value.to_lowercase().as_str()))
    }

    /// The working directory; `None` when it is gone or unreadable.
    pub fn cwd(&self) -> Option<PathBuf> {
        match self {
            #[expect(clippy::disallowed_methods, reason = "the one place that asks for it")]
            Self::Os { .. } => std::env::current_dir().ok(),
            Self::Fake(fake) => Some(fake.cwd.clone()),
        }
    }

    /// The home folder: `$HOME`, else the one of the user database.
    pub fn home(&self) -> Option<PathBuf> {
        self.path_var(&HOME).map(PathBuf::from).or_else(|| match self {
            Self::Os { .. } => {
                let user = nix::unistd::User::from_uid(nix::unistd::geteuid()).ok()??;
                Some(user.dir)
            }
            Self::Fake(fake) => fake.passwd_home.clone(),
        })
    }

    /// The name of this host; `localhost` when it has none.
    pub fn host_name(&self) -> String {
        let name = match self {
            Self::Os { .. } => nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok()),
            Self::Fake(_) => Some("test-host".to_owned()),
        };
        name.filter(|name| !name.trim().is_empty()).unwrap_or_else(|| "localhost".to_owned())
    }

    /// Whether stdout is a terminal.
    pub fn stdout_is_terminal(&self) -> bool {
        match self {
            Self::Os { .. } => io::stdout().is_terminal(),
            Self::Fake(fake) => fake.terminal_width.is_some(),
        }
    }

    /// The width of the terminal in columns; `None` when stdout is none.
    pub fn terminal_width(&self) -> Option<usize> {
        match self {
            Self::Os { .. } if self.stdout_is_terminal() => {
                terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| usize::from(width.0))
            }
            Self::Os { .. } => None,
            Self::Fake(fake) => fake.terminal_width,
        }
    }

    /// The program that reads the macOS keychain; `None` on other systems.
    pub fn keychain_program(&self) -> Option<PathBuf> {
        match self {
            Self::Os { .. } => cfg!(target_os = "macos").then(|| PathBuf::from("/usr/bin/security")),
            Self::Fake(fake) => fake.keychain_program.clone(),
        }
    }

    /// Whether this is macOS.
    pub fn is_macos(&self) -> bool {
        self.keychain_program().is_some()
    }

    /// Whether a person sits at stdin.
    pub fn stdin_is_terminal(&self) -> bool {
        match self {
            Self::Os { .. } => io::stdin().is_terminal(),
            Self::Fake(_) => false,
        }
    }

    /// Whether a person looks at stderr.
    pub fn stderr_is_terminal(&self) -> bool {
        match self {
            Self::Os { .. } => io::stderr().is_terminal(),
            Self::Fake(_) => false,
        }
    }

    /// Whether a browser that opens here is seen by the person at the terminal (the reference's rule).
    pub fn has_browser(&self) -> bool {
        let is_set =
            |name: &str| self.variables().get(OsStr::new(name)).is_some_and(|value| !value.is_empty());
        let is_remote = ["SSH_CLIENT", "SSH_TTY", "SSH_CONNECTION", "REMOTE_CONTAINERS", "CODESPACES"]
            .into_iter()
            .any(is_set);
        let has_display =
            ["DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME", "TERMUX_VERSION"].into_iter().any(is_set);
        !is_remote && (has_display || cfg!(target_os = "macos"))
    }

    /// All of stdin, to be read piece by piece.
    pub fn input(&self) -> Box<dyn BufRead + '_> {
        match self {
            Self::Os { .. } => Box::new(io::stdin().lock()),
            Self::Fake(fake) => Box::new(fake.stdin.as_slice()),
        }
    }

    /// One line of stdin, ended by LF, CR or the end of input; `None` when there is no input at all.
    pub fn read_line(&self) -> io::Result<Option<String>> {
        match self {
            Self::Os { .. } => first_line(io::stdin().lock()),
            Self::Fake(fake) => first_line(fake.stdin.as_slice()),
        }
    }

    /// Writes to stdout. A reader that went away is no error: it has seen enough.
    pub fn write_stdout(&self, text: &str) -> io::Result<()> {
        match self {
            Self::Os { .. } => {
                let mut stdout = io::stdout().lock();
                match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
                    Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
                    result => result,
                }
            }
            Self::Fake(fake) => {
                fake.stdout.lock().unwrap_or_else(PoisonError::into_inner).extend(text.as_bytes());
                Ok(())
            }
        }
    }

    /// Writes to stderr; there is nobody to tell when that fails.
    pub fn write_stderr(&self, text: &str) {
        match self {
            Self::Os { .. } => drop(io::stderr().lock().write_all(text.as_bytes())),
            Self::Fake(fake) => {
                fake.stderr.lock().unwrap_or_else(PoisonError::into_inner).extend(text.as_bytes());
            }
        }
    }
}

/// The longest line that is read: no key or token is nearly that long.
const LONGEST_LINE: usize = 64 * 1024;

fn first_line(mut input: impl BufRead) -> io::Result<Option<String>> {
    let invalid = |reason: &str| io::Error::new(io::ErrorKind::InvalidData, reason.to_owned());
    let mut line: Option<Vec<u8>> = None;
    loop {
        let chunk = input.fill_buf()?;
        if chunk.is_empty() {
            break;
        }
        let end = chunk.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
        let line = line.get_or_insert_default();
        line.extend(&chunk[..end.unwrap_or(chunk.len())]);
        let follows = end.is_some_and(|end| chunk[end..].iter().any(|byte| !byte.is_ascii_whitespace()));
        let taken = end.map_or(chunk.len(), |end| end + 1);
        input.consume(taken);
        if follows {
            return Err(invalid("there is more than one line"));
        }
        if line.len() > LONGEST_LINE {
            return Err(invalid("the line is longer than 64 KiB"));
        }
        if end.is_some() {
            break;
        }
    }
    line.map(|line| String::from_utf8(line).map_err(|_| invalid("the input is not UTF-8"))).transpose()
}
