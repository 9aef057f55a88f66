//! A throw-away host: home folder, environment, clock.

pub(crate) mod browser;
pub(crate) mod exporter;
pub(crate) mod host;
pub(crate) mod inbox;
pub(crate) mod provider;
pub(crate) mod runtime;
pub(crate) mod upstream;
pub(crate) mod vendors;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::poll::{PollFd, PollFlags, poll};
use openclaw::cli;
use openclaw::clock::{Clock, Deadline};
use openclaw::process::{FakeProcess, Process};
use serde_json::{Value, json};

/// When every test happens unless it says otherwise.
pub(crate) const NOW: &str = "2026-11-22T09:00:00Z";
pub(crate) const MINUTE: i64 = 60_000;
pub(crate) const HOUR: i64 = 60 * MINUTE;
pub(crate) const DAY: i64 = 24 * HOUR;
/// The store of the main agent, below the home folder.
pub(crate) const STORE: &str = ".openclaw/agents/main/agent/auth-profiles.json";
pub(crate) const CONFIG: &str = ".openclaw/openclaw.json";
pub(crate) const OPS: &str = ".openclaw/ops.json";
pub(crate) const CLAUDE: &str = ".claude/.credentials.json";

pub(crate) struct TestEnv {
    home: tempfile::TempDir,
    vars: BTreeMap<OsString, OsString>,
    clock: Clock,
    width: Option<usize>,
    keychain_program: Option<PathBuf>,
    passwd_home: Option<PathBuf>,
    program: Option<PathBuf>,
    cwd: PathBuf,
    stdin: Vec<u8>,
}

/// What a command did.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: u8,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Outcome {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Exit code and document.
    pub(crate) fn pair(&self) -> (u8, Value) {
        (self.code, self.json())
    }

    /// Exit code and both streams, for a snapshot.
    pub(crate) fn shown(&self) -> String {
        format!("exit {}\n--- stdout\n{}--- stderr\n{}", self.code, self.stdout, self.stderr)
    }
}

impl TestEnv {
    pub(crate) fn new() -> Self {
        Self::at(NOW)
    }

    pub(crate) fn at(now: &str) -> Self {
        let now: DateTime<Utc> = now.parse().unwrap();
        let home = tempfile::Builder::new().prefix("home-").tempdir().unwrap();
        let mut vars = BTreeMap::new();
        vars.insert("HOME".into(), home.path().into());
        vars.insert("PATH".into(), "/usr/local/bin:/usr/bin:/bin".into());
        vars.insert("SHELL".into(), "/bin/sh".into());
        let cwd = home.path().to_owned();
        Self {
            home,
            vars,
            clock: Clock::fixed(now),
            width: None,
            keychain_program: None,
            passwd_home: None,
            program: None,
            cwd,
            stdin: Vec::new(),
        }
    }

    /// An env with the machine's clock, for tests in which others wait.
    pub(crate) fn real_time() -> Self {
        Self { clock: Clock::System, ..Self::new() }
    }

    /// An env whose default model has a key, so that nothing is missing by itself.
    pub(crate) fn with_default_key() -> Self {
        let env = Self::new().var("OPENAI_API_KEY", "sk-openai-0123456789abcdef");
        env.file(CONFIG, "{agents: {defaults: {model: {primary: 'openai/gpt-5.2'}}}}");
        env
    }

    pub(crate) fn var(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.vars.insert(name.into(), value.into());
        self
    }

    pub(crate) fn without_var(mut self, name: &str) -> Self {
        self.vars.remove(&OsString::from(name));
        self
    }

    pub(crate) fn width(mut self, width: usize) -> Self {
        self.width = Some(width);
        self
    }

    pub(crate) fn keychain(mut self, program: &str) -> Self {
        self.keychain_program = Some(self.path(program));
        self
    }

    pub(crate) fn passwd_home(mut self) -> Self {
        self.passwd_home = Some(self.home.path().to_owned());
        self
    }

    pub(crate) fn program(mut self, relative: &str) -> Self {
        self.program = Some(self.path(relative));
        self
    }

    pub(crate) fn stdin(mut self, input: &str) -> Self {
        self.stdin = input.as_bytes().to_vec();
        self
    }

    pub(crate) fn cwd(mut self, relative: &str) -> Self {
        self.cwd = self.path(relative);
        self
    }

    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.home.path().join(relative)
    }

    /// Moves a clock that stands still.
    pub(crate) fn pass(&self, span: Duration) {
        self.clock.sleep(span);
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.clock.now().timestamp_millis()
    }

    pub(crate) fn file(&self, relative: &str, content: impl AsRef<[u8]>) -> &Self {
        let path = self.path(relative);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(&path, content).unwrap();
        self
    }

    pub(crate) fn script(&self, relative: &str, body: &str) -> &Self {
        self.file(relative, format!("#!/bin/sh\n{body}\n"));
        self.mode(relative, 0o755)
    }

    pub(crate) fn mode(&self, relative: &str, mode: u32) -> &Self {
        fs_err::set_permissions(self.path(relative), std::fs::Permissions::from_mode(mode)).unwrap();
        self
    }

    /// Sets when a file was last written, in ms since the epoch.
    pub(crate) fn set_modified(&self, relative: &str, at_ms: i64) -> &Self {
        let at = SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(at_ms).unwrap());
        set_mtime(&self.path(relative), at);
        self
    }

    pub(crate) fn profiles(&self, profiles: Value) -> &Self {
        self.file(STORE, json!({"version": 1, "profiles": profiles}).to_string())
    }

    pub(crate) fn claude(&self, expires_in: i64) -> &Self {
        let login = json!({"accessToken": "cli-at", "refreshToken": "cli-rt", "expiresAt": self.now_ms() + expires_in});
        self.file(CLAUDE, json!({"claudeAiOauth": login}).to_string())
    }

    pub(crate) fn text(&self, relative: &str) -> String {
        fs_err::read_to_string(self.path(relative)).unwrap()
    }

    pub(crate) fn read_json(&self, relative: &str) -> Value {
        serde_json::from_str(&self.text(relative)).unwrap()
    }

    pub(crate) fn exists(&self, relative: &str) -> bool {
        fs_err::symlink_metadata(self.path(relative)).is_ok()
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The process of a command line in here.
    pub(crate) fn process(&self, args: &[&str]) -> Process {
        self.process_writing(args, Arc::default(), Arc::default())
    }

    fn process_writing(
        &self,
        args: &[&str],
        stdout: Arc<Mutex<Vec<u8>>>,
        stderr: Arc<Mutex<Vec<u8>>>,
    ) -> Process {
        Process::Fake(Box::new(FakeProcess {
            args: std::iter::once("openclaw").chain(args.iter().copied()).map(OsString::from).collect(),
            variables: self.vars.clone(),
            cwd: self.cwd.clone(),
            passwd_home: self.passwd_home.clone(),
            terminal_width: self.width,
            keychain_program: self.keychain_program.clone(),
            program: self.program.clone(),
            stdin: self.stdin.clone(),
            stdout,
            stderr,
        }))
    }

    /// Runs a command line in process.
    pub(crate) fn run(&self, args: &[&str]) -> Outcome {
        let (stdout, stderr) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
        let process = self.process_writing(args, Arc::clone(&stdout), Arc::clone(&stderr));
        let code = cli::run(&process, &self.clock).code();
        let text = |bytes: &Mutex<Vec<u8>>| {
            let home = self.home.path().display().to_string();
            String::from_utf8(bytes.lock().unwrap().clone()).unwrap().replace(&home, "[HOME]")
        };
        Outcome { code, stdout: text(&stdout), stderr: text(&stderr) }
    }

    /// Runs the real program with something on stdin.
    pub(crate) fn run_with_stdin(&self, args: &[&str], input: &str) -> Outcome {
        let mut command = self.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        Outcome {
            code: u8::try_from(output.status.code().unwrap_or(255)).unwrap(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    pub(crate) fn status(&self, args: &[&str]) -> Outcome {
        let args: Vec<_> = ["models", "status"].into_iter().chain(args.iter().copied()).collect();
        self.run(&args)
    }

    /// `models status --json --check`: exit code and document.
    pub(crate) fn check(&self) -> (u8, Value) {
        let outcome = self.status(&["--json", "--check"]);
        (outcome.code, outcome.json())
    }

    /// The real program on this home, with the machine's clock.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        self.wrapped(&[], args)
    }

    /// Another program on this home: a shell, or a script.
    pub(crate) fn in_shell(&self, program: impl AsRef<OsStr>, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(args).env_clear().envs(&self.vars).current_dir(self.home.path());
        command
    }

    /// The real program behind another one, such as `strace`.
    pub(crate) fn wrapped(&self, before: &[&str], args: &[&str]) -> Command {
        let words: Vec<_> = before
            .iter()
            .copied()
            .chain([env!("CARGO_BIN_EXE_openclaw")])
            .chain(args.iter().copied())
            .collect();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).env_clear().envs(&self.vars).current_dir(self.home.path());
        command
    }
}

/// What is typed, given everything that was shown.
pub(crate) type Typed<'s> = Box<dyn FnOnce(&str) -> Vec<u8> + 's>;
/// What is waited for, and what is typed then.
pub(crate) type Step<'s> = (&'s str, Typed<'s>);

impl TestEnv {
    /// Runs the real program on a terminal of its own. Each step waits until something is shown and types; gives
    /// everything that was shown and the exit code.
    pub(crate) fn on_a_terminal(&self, args: &[&str], steps: &[(&str, &[u8])]) -> (String, Option<i32>) {
        let steps =
            steps.iter().map(|(wanted, typed)| -> Step<'_> { (wanted, Box::new(|_| typed.to_vec())) });
        self.at_a_terminal(args, steps.collect())
    }

    /// The same; what is typed may depend on everything that was shown.
    pub(crate) fn at_a_terminal(&self, args: &[&str], steps: Vec<Step<'_>>) -> (String, Option<i32>) {
        self.typed_at(self.wrapped(&["setsid", "--ctty", "--wait"], args), steps)
    }

    /// A shell on a terminal of its own.
    pub(crate) fn shell_at_a_terminal(&self, steps: Vec<Step<'_>>) -> (String, Option<i32>) {
        let mut command = Command::new("setsid");
        command
            .args(["--ctty", "--wait", "sh", "-i"])
            .env_clear()
            .envs(&self.vars)
            .current_dir(self.home.path());
        self.typed_at(command, steps)
    }

    #[expect(clippy::unused_self, reason = "the home must outlive what runs in it")]
    fn typed_at(&self, mut command: Command, steps: Vec<Step<'_>>) -> (String, Option<i32>) {
        let pty = nix::pty::openpty(None, None).unwrap();
        for end in [&pty.master, &pty.slave] {
            // A child of another test that inherited one would keep this terminal alive.
            fcntl(end, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).unwrap();
        }
        let side = || Stdio::from(pty.slave.try_clone().unwrap());
        let mut child = command.stdin(side()).stdout(side()).stderr(side()).process_group(0).spawn().unwrap();
        drop(command);
        let mut terminal =
            fs_err::File::from_parts(std::fs::File::from(pty.master.try_clone().unwrap()), "pty");
        let (mut shown, mut chunk, mut seen) = (String::new(), [0; 4096], 0);
        let mut steps = steps.into_iter().peekable();
        // A program that waits for something that never comes loses its terminal, and with it its life.
        let limit = Deadline::after(Duration::from_mins(1));
        loop {
            let ended = child.try_wait().unwrap();
            let mut readable = [PollFd::new(pty.master.as_fd(), PollFlags::POLLIN)];
            if poll(&mut readable, 20_u16).unwrap() > 0 {
                let count = terminal.read(&mut chunk).unwrap();
                shown.push_str(&String::from_utf8_lossy(&chunk[..count]));
            } else if let Some(status) = ended {
                let left: Vec<_> = steps.map(|(wanted, _)| wanted).collect();
                assert!(left.is_empty(), "ended without {left:?}: {shown}");
                return (shown, status.code());
            }
            if let Some((_, typed)) = steps.next_if(|(wanted, _)| shown[seen..].contains(wanted)) {
                seen = shown.len();
                terminal.write_all(&typed(&shown)).unwrap();
            }
            assert!(!limit.has_passed(), "still running: {shown}");
        }
    }
}

/// Runs a spawned command to its end.
pub(crate) fn outcome(command: &mut Command) -> Outcome {
    let output = command.stdin(Stdio::null()).output().unwrap();
    Outcome {
        code: u8::try_from(output.status.code().unwrap_or(255)).unwrap(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Now by the machine's clock, for tests that spawn the real program.
pub(crate) fn real_now_ms() -> i64 {
    Clock::System.now().timestamp_millis()
}

pub(crate) fn oauth(provider: &str, expires: Value) -> Value {
    let mut profile =
        json!({"type": "oauth", "provider": provider, "access": "at-AAAA", "refresh": "rt-BBBB"});
    if expires != json!("absent") {
        profile["expires"] = expires;
    }
    profile
}

pub(crate) fn token(provider: &str, expires: Value) -> Value {
    let mut profile =
        json!({"type": "token", "provider": provider, "token": "sk-ant-oat01-TTTTTTTTTTTTTTTTTTTT"});
    if expires != json!("absent") {
        profile["expires"] = expires;
    }
    profile
}

pub(crate) fn api_key(provider: &str, key: &str) -> Value {
    json!({"type": "api_key", "provider": provider, "key": key})
}

pub(crate) fn profile<'d>(document: &'d Value, id: &str) -> &'d Value {
    let profiles = document["auth"]["oauth"]["profiles"].as_array().unwrap();
    profiles.iter().find(|profile| profile["profileId"] == id).unwrap_or(&Value::Null)
}

pub(crate) fn finding_codes(document: &Value) -> Vec<&str> {
    document["findings"].as_array().unwrap().iter().map(|finding| finding["code"].as_str().unwrap()).collect()
}

/// Everything below a folder: path and content, links not followed.
pub(crate) fn tree(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs_err::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            found.extend(tree(&path));
        }
        let content = if kind.is_file() { fs_err::read(&path).unwrap_or_default() } else { Vec::new() };
        found.insert(path, content);
    }
    found
}

/// Tells a test that cannot run here; `scripts/test` fails on it in CI.
pub(crate) fn skipped(why: &str) {
    // Unlike the print macros, the stream itself is not swallowed by the test harness: this must be seen.
    let line = format!("SKIPPED {}: {why}\n", std::thread::current().name().unwrap_or("test"));
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

pub(crate) fn has(program: &str) -> bool {
    let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    path.split(':').any(|folder| Path::new(folder).join(program).exists())
}

pub(crate) fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// Moves the modification time of a file or folder into the past.
pub(crate) fn set_mtime_back(path: &Path, by: Duration) {
    set_mtime(path, fs_err::metadata(path).unwrap().modified().unwrap() - by);
}

pub(crate) fn set_mtime(path: &Path, to: SystemTime) {
    let file = fs_err::File::open(path).unwrap();
    file.file().set_times(std::fs::FileTimes::new().set_modified(to)).unwrap();
}

pub(crate) fn from_env(name: &str) -> Option<String> {
    Process::os().variables().get(OsStr::new(name)).and_then(|value| value.to_str()).map(str::to_owned)
}

pub(crate) fn number_from_env(name: &str, default: usize) -> usize {
    from_env(name).and_then(|value| value.parse().ok()).unwrap_or(default)
}

/// Runs a shell script as root in mount name space of its own; `$1` is the program, the working directory is the home.
pub(crate) fn in_own_mounts(env: &TestEnv, script: &str) -> Option<Outcome> {
    if !is_root() || !has("unshare") {
        skipped("needs root and unshare for mounts of its own");
        return None;
    }
    let script = format!("program=$0; {script}");
    let mut command = env.command(&[]);
    let program = command.get_program().to_owned();
    let mut wrapped = Command::new("unshare");
    wrapped.args(["-m", "--propagation", "private", "sh", "-c", &script]).arg(program);
    wrapped.current_dir(env.path("")).env_clear();
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            wrapped.env(name, value);
        }
    }
    command.args([""; 0]);
    Some(outcome(&mut wrapped))
}
