//! The logins of vendor programs on this host. They are read, never written here.

use std::path::{Path, PathBuf};

use crate::clock::Clock;
use crate::core::finding::{Code, Finding};
use crate::core::login::{Vendor, VendorLogin};
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
/// Below the home of Codex.
const CODEX_FILE: &str = "auth.json";
const QWEN_FILE: &str = ".qwen/oauth_creds.json";

/// What a vendor's program has stored.
pub struct Login {
    /// Whose it is.
    pub vendor: Vendor,
    /// The login; `VendorLogin::None` when there is none or it could not be read.
    pub login: VendorLogin,
    /// Where it was looked for.
    pub source: Source,
    /// The file that it stands in; `None` when that is a keychain.
    pub file: Option<PathBuf>,
}

impl Login {
    /// Whether somebody is logged in.
    pub fn is_present(&self) -> bool {
        matches!(self.login, VendorLogin::Present { .. })
    }
}

/// The files that [`read`] will want.
pub fn files(process: &Process, paths: &Paths) -> Vec<PathBuf> {
    let codex = codex_home(process, paths).map(|home| home.join(CODEX_FILE));
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
                    .remedy(format!("log in with {} again", login.vendor.program())),
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
        let from_keychain =
            self.keychain(Vendor::ClaudeCode, "Claude Code-credentials", None, claude_code::parse);
        Some(from_keychain.unwrap_or_else(|| self.file(Vendor::ClaudeCode, file)))
    }

    fn codex(&self) -> Option<Login> {
        let home = codex_home(self.process, self.paths)?;
        let now = self.clock.now().timestamp_millis();
        let from_keychain = self.process.keychain_program().and_then(|_| {
            let wanted = home.clone();
            let real = self.reader.call(move || wanted.canonicalize().ok()).flatten();
            let account = format!("cli|{}", account_suffix(&real.unwrap_or_else(|| home.clone())));
            self.keychain(Vendor::Codex, "Codex Auth", Some(&account), |bytes| {
                codex::parse(bytes, IssuedAt::LastRefreshOr(now))
            })
        });
        Some(from_keychain.unwrap_or_else(|| self.file(Vendor::Codex, home.join(CODEX_FILE))))
    }

    fn qwen(&self) -> Option<Login> {
        Some(self.file(Vendor::QwenCode, self.paths.in_home(QWEN_FILE)?))
    }

    fn file(&self, vendor: Vendor, file: PathBuf) -> Login {
        let read = source::read(self.reader, self.clock, &file, |content| parse(vendor, content));
        let (login, state) = match read {
            Ok(None) => (VendorLogin::None, SourceState::Absent),
            Ok(Some(login)) => (login, SourceState::Read),
            Err(problem) => (VendorLogin::None, SourceState::Unreadable(problem)),
        };
        let path = self.paths.shown(&file);
        Login { file: Some(file), ..login_of(vendor, login, path, state) }
    }

    /// What the keychain says; `None` when there is no keychain or no such item, so that the file counts.
    fn keychain(
        &self,
        vendor: Vendor,
        service: &str,
        account: Option<&str>,
        parse: impl Fn(&[u8]) -> Result<VendorLogin, ParseFailure>,
    ) -> Option<Login> {
        let program = self.process.keychain_program()?;
        let name = format!("keychain item \"{service}\"");
        let path = FilePath { full: name.clone(), short: name };
        let item = keychain::read(&program, service, account, self.reader.deadline()).transpose()?;
        let parsed = item
            .map_err(|message| SourceProblem { message, position: None })
            .and_then(|item: Secret| parse(item.expose().as_bytes()).map_err(SourceProblem::from));
        Some(match parsed {
            Ok(login) => login_of(vendor, login, path, SourceState::Read),
            Err(problem) => login_of(vendor, VendorLogin::None, path, SourceState::Unreadable(problem)),
        })
    }
}

fn login_of(vendor: Vendor, login: VendorLogin, path: FilePath, state: SourceState) -> Login {
    let source = Source { role: vendor.role(), provider: Some(vendor.provider()), path, state };
    Login { vendor, login, source, file: None }
}

/// What a vendor's file says.
pub fn parse(vendor: Vendor, content: &Content) -> Result<VendorLogin, ParseFailure> {
    match vendor {
        Vendor::ClaudeCode => claude_code::parse(&content.bytes),
        Vendor::Codex => codex::parse(&content.bytes, IssuedAt::FileWritten(content.modified_ms)),
        Vendor::QwenCode => qwen::parse(&content.bytes),
    }
}

/// How Codex names its keychain account: by the first 16 hex digits of the SHA-256 of its home folder.
fn account_suffix(home: &Path) -> String {
    Secret::new(home.to_string_lossy()).digest().chars().take(16).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::account_suffix;

    #[test]
    fn the_account_name_is_a_prefix_of_the_sha_256() {
        // printf abc | sha256sum
        assert_eq!(account_suffix(Path::new("abc")), "ba7816bf8f01cfea");
    }
}
