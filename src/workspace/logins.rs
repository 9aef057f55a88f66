//! The logins of vendor programs on this host. They are read, never written here.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::clock::Clock;
use crate::core::credential::{CLAUDE_CLI_PROFILE, CODEX_CLI_PROFILE, QWEN_CLI_PROFILE};
use crate::core::finding::{Code, Finding};
use crate::core::login::VendorLogin;
use crate::core::secret::Secret;
use crate::core::snapshot::{FilePath, Source, SourceProblem, SourceState};
use crate::format::codex::IssuedAt;
use crate::format::{ParseFailure, claude_code, codex, qwen};
use crate::process::{self, Process};
use crate::sys::files::Content;
use crate::sys::keychain;
use crate::sys::reader::Reader;
use crate::workspace::paths::Paths;
use crate::workspace::source;

const CLAUDE_FILE: &str = ".claude/.credentials.json";
const QWEN_FILE: &str = ".qwen/oauth_creds.json";

/// What a vendor's program has stored.
pub struct Login {
    /// The profile that mirrors it.
    pub profile_id: &'static str,
    /// The provider of that profile.
    pub provider: &'static str,
    /// The program, for people.
    pub program: &'static str,
    /// The login; `VendorLogin::None` when there is none or it could not be read.
    pub login: VendorLogin,
    /// Where it was looked for.
    pub source: Source,
}

impl Login {
    /// Whether somebody is logged in.
    pub fn is_present(&self) -> bool {
        matches!(self.login, VendorLogin::Present { .. })
    }
}

/// The files that [`read`] will want.
pub fn files(process: &Process, paths: &Paths) -> Vec<PathBuf> {
    let codex = codex_home(process, paths).map(|home| home.join("auth.json"));
    [paths.in_home(CLAUDE_FILE), codex, paths.in_home(QWEN_FILE)].into_iter().flatten().collect()
}

fn codex_home(process: &Process, paths: &Paths) -> Option<PathBuf> {
    match process.path_var(&process::CODEX_HOME) {
        Some(home) => Some(paths.expand(home)),
        None => paths.in_home(".codex"),
    }
}

/// Reads the logins of Claude Code, Codex and Qwen.
pub fn read(process: &Process, paths: &Paths, reader: &Reader, clock: &Clock) -> (Vec<Login>, Vec<Finding>) {
    let scan = Scan { process, paths, reader, clock };
    let logins: Vec<_> = [scan.claude(), scan.codex(), scan.qwen()].into_iter().flatten().collect();
    let findings = logins
        .iter()
        .filter_map(|login| match login.login {
            VendorLogin::Incomplete(reason) => Some(
                Finding::new(Code::LoginIncomplete, login.source.path.short.clone(), reason)
                    .remedy(format!("log in with {} again", login.program)),
            ),
            VendorLogin::None | VendorLogin::Present { .. } => None,
        })
        .collect();
    (logins, findings)
}

struct Scan<'a> {
    process: &'a Process,
    paths: &'a Paths,
    reader: &'a Reader,
    clock: &'a Clock,
}

impl Scan<'_> {
    fn claude(&self) -> Option<Login> {
        let file = self.paths.in_home(CLAUDE_FILE)?;
        let from_keychain = self.keychain("Claude Code-credentials", None, claude_code::parse);
        let (login, path, state) =
            from_keychain.unwrap_or_else(|| self.file(&file, |content| claude_code::parse(&content.bytes)));
        Some(login_of(CLAUDE_CLI_PROFILE, "anthropic", "Claude Code", login, path, state))
    }

    fn codex(&self) -> Option<Login> {
        let home = codex_home(self.process, self.paths)?;
        let now = self.clock.now().timestamp_millis();
        let from_keychain = self.process.keychain_program().and_then(|_| {
            let wanted = home.clone();
            let real = self.reader.call(move || wanted.canonicalize().ok()).flatten();
            let account = format!("cli|{}", hex_prefix(&real.as_ref().unwrap_or(&home).to_string_lossy()));
            self.keychain("Codex Auth", Some(&account), |bytes| {
                codex::parse(bytes, IssuedAt::LastRefreshOr(now))
            })
        });
        let (login, path, state) = from_keychain.unwrap_or_else(|| {
            self.file(&home.join("auth.json"), |content| {
                codex::parse(&content.bytes, IssuedAt::FileWritten(content.modified_ms))
            })
        });
        Some(login_of(CODEX_CLI_PROFILE, "openai-codex", "Codex", login, path, state))
    }

    fn qwen(&self) -> Option<Login> {
        let file = self.paths.in_home(QWEN_FILE)?;
        let (login, path, state) = self.file(&file, |content| qwen::parse(&content.bytes));
        Some(login_of(QWEN_CLI_PROFILE, "qwen-portal", "Qwen Code", login, path, state))
    }

    fn file(
        &self,
        path: &Path,
        parse: impl Fn(&Content) -> Result<VendorLogin, ParseFailure>,
    ) -> (VendorLogin, FilePath, SourceState) {
        let shown = self.paths.shown(path);
        match source::read(self.reader, self.clock, path, parse) {
            Ok(None) => (VendorLogin::None, shown, SourceState::Absent),
            Ok(Some(login)) => (login, shown, SourceState::Read),
            Err(problem) => (VendorLogin::None, shown, SourceState::Unreadable(problem)),
        }
    }

    /// What the keychain says; `None` when there is no keychain or no such item, so that the file counts.
    fn keychain(
        &self,
        service: &str,
        account: Option<&str>,
        parse: impl Fn(&[u8]) -> Result<VendorLogin, ParseFailure>,
    ) -> Option<(VendorLogin, FilePath, SourceState)> {
        let program = self.process.keychain_program()?;
        let name = format!("keychain item \"{service}\"");
        let path = FilePath { full: name.clone(), short: name };
        let item = keychain::read(&program, service, account, self.reader.deadline()).transpose()?;
        let parsed = item
            .map_err(|message| SourceProblem { message, position: None })
            .and_then(|item: Secret| parse(item.expose().as_bytes()).map_err(SourceProblem::from));
        Some(match parsed {
            Ok(login) => (login, path, SourceState::Read),
            Err(problem) => (VendorLogin::None, path, SourceState::Unreadable(problem)),
        })
    }
}

fn login_of(
    profile_id: &'static str,
    provider: &'static str,
    program: &'static str,
    login: VendorLogin,
    path: FilePath,
    state: SourceState,
) -> Login {
    let role = match program {
        "Claude Code" => "Claude Code login",
        "Codex" => "Codex login",
        _ => "Qwen Code login",
    };
    Login {
        profile_id,
        provider,
        program,
        login,
        source: Source { role, provider: Some(provider), path, state },
    }
}

/// The first 16 hex digits of the SHA-256 of a text: how Codex names its keychain account.
fn hex_prefix(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    digest
        .iter()
        .take(8)
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::hex_prefix;

    #[test]
    fn the_account_name_is_a_prefix_of_the_sha_256() {
        // printf abc | sha256sum
        assert_eq!(hex_prefix("abc"), "ba7816bf8f01cfea");
    }
}
