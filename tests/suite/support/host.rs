//! A host on which everything is as it should be, down to its service; tests break one thing of it.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::{CLAUDE, CONFIG, DAY, Outcome, STORE, TestEnv, api_key};

/// The unit of the gateway, below the home folder.
pub(crate) const UNIT: &str = ".config/systemd/user/openclaw-gateway.service";
/// The key of the host's default model, in its `.env`.
pub(crate) const KEY: &str = "sk-live-0123456789abcdefghij";

/// A healthy host. `systemctl` and `loginctl` are programs that answer from files in the home folder: the real ones are
/// asked in the lab.
pub(crate) fn healthy() -> TestEnv {
    let env = TestEnv::new().var("TZ", "UTC");
    let bin = env.path("bin").display().to_string();
    let env = env.var("PATH", format!("{bin}:/usr/bin:/bin"));
    env.script(
        "bin/systemctl",
        "says=${0%/bin/systemctl}/systemctl.says\n\
         for word; do [ -e \"$says.$word\" ] && exec cat \"$says.$word\"; done\ncat \"$says\"",
    );
    env.script(
        "bin/loginctl",
        "home=${0%/bin/loginctl}\n[ \"$1\" = --no-ask-password ] && shift\ncase $1 in\n\
         show-user) cat \"$home/linger\" ;;\nenable-linger) echo yes >\"$home/linger\" ;;\n\
         disable-linger) echo no >\"$home/linger\" ;;\nesac",
    );
    systemctl_says(&env, "active", "enabled");
    env.file("linger", "yes\n");
    env.file(UNIT, format!("[Service]\nExecStart=/bin/true\nEnvironment=PATH={bin}:/usr/bin:/bin\n"));
    // Nobody can listen on port 1 without being asked first.
    env.file(
        CONFIG,
        "{gateway: {mode: 'local', port: 1, auth: {token: '0123456789abcdef0123456789abcdef'}},\n\
         agents: {defaults: {model: {primary: 'openai/gpt-5.2'}}}}\n",
    );
    env.file(".openclaw/.env", format!("OPENAI_API_KEY={KEY}\n"));
    let expires = env.now_ms() + 20 * DAY;
    let login = json!({"accessToken": "at-0123456789abcdefghij", "refreshToken": "rt-0123456789abcdefghij",
        "expiresAt": expires, "refreshTokenExpiresAt": expires});
    env.file(CLAUDE, json!({"claudeAiOauth": login}).to_string());
    env.profiles(json!({
        "anthropic:claude-cli": {"type": "oauth", "provider": "anthropic", "access": "at-0123456789abcdefghij",
            "refresh": "rt-0123456789abcdefghij", "expires": expires},
        "openai:spare": api_key("openai", "sk-spare-0123456789abcdefghij"),
    }));
    env.private();
    env
}

/// What the service manager is going to say of a unit.
pub(crate) fn systemctl_says(env: &TestEnv, active: &str, file: &str) {
    says_of(env, "", active, file);
}

/// The same of one unit alone.
pub(crate) fn says_of(env: &TestEnv, unit: &str, active: &str, file: &str) {
    let dot = if unit.is_empty() { "" } else { "." };
    env.file(
        &format!("systemctl.says{dot}{unit}"),
        format!("LoadState=loaded\nActiveState={active}\nSubState=x\nResult=success\nUnitFileState={file}\nMainPID=0\n"),
    );
}

impl TestEnv {
    /// Gives everything that may hold secrets the mode that it should have.
    pub(crate) fn private(&self) -> &Self {
        for folder in [".openclaw", ".claude", ".codex", ".qwen", ".clawdbot"] {
            tighten(self, folder);
        }
        self
    }

    /// Runs `doctor --json` with more arguments.
    pub(crate) fn doctor(&self, args: &[&str]) -> Outcome {
        let args: Vec<_> = ["doctor", "--json"].into_iter().chain(args.iter().copied()).collect();
        self.run(&args)
    }

    /// Changes the profiles of the main agent.
    pub(crate) fn change_profiles(&self, change: impl FnOnce(&mut Value)) -> &Self {
        let mut store = self.read_json(STORE);
        change(&mut store["profiles"]);
        self.file(STORE, store.to_string())
    }

    /// Replaces a part of a file.
    pub(crate) fn replace_in(&self, relative: &str, old: &str, new: &str) -> &Self {
        let text = self.text(relative);
        assert!(text.contains(old), "{relative} has no {old}");
        self.file(relative, text.replace(old, new))
    }
}

fn tighten(env: &TestEnv, relative: &str) {
    let path = env.path(relative);
    let Ok(metadata) = fs_err::symlink_metadata(&path) else { return };
    if metadata.is_file() {
        env.mode(relative, 0o600);
    } else if metadata.is_dir() {
        env.mode(relative, 0o700);
        for entry in fs_err::read_dir(&path).unwrap().flatten() {
            tighten(env, &Path::new(relative).join(entry.file_name()).to_string_lossy());
        }
    }
}

/// The codes of a document of doctor, sorted, each once.
pub(crate) fn codes(document: &Value) -> Vec<String> {
    let findings = document["findings"].as_array().unwrap().iter();
    let mut codes: Vec<_> = findings.map(|finding| finding["code"].as_str().unwrap().to_owned()).collect();
    codes.sort();
    codes.dedup();
    codes
}

/// The first finding of a code.
pub(crate) fn found<'d>(document: &'d Value, code: &str) -> &'d Value {
    let findings = document["findings"].as_array().unwrap();
    findings.iter().find(|finding| finding["code"] == code).unwrap_or(&Value::Null)
}
