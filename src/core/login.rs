//! What the file of a vendor's program says about its login.

use crate::core::credential::{CLAUDE_CLI_PROFILE, CODEX_CLI_PROFILE, Material, QWEN_CLI_PROFILE};
use crate::core::snapshot::LoginFacts;

/// A login as found in a vendor's file or keychain item.
#[derive(Clone, Debug, PartialEq)]
pub enum VendorLogin {
    /// Nobody is logged in.
    None,
    /// There is a login, and what makes it usable is missing; says what.
    Incomplete(&'static str),
    /// A usable login.
    Present {
        /// The tokens.
        material: Material,
        /// What else the file tells.
        facts: LoginFacts,
    },
}

/// A vendor's program whose login is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vendor {
    /// Claude Code of Anthropic.
    ClaudeCode,
    /// The Codex CLI of `OpenAI`.
    Codex,
    /// Qwen Code of Alibaba.
    QwenCode,
}

impl Vendor {
    /// Every vendor, in the order of their providers.
    pub const ALL: &'static [Self] = &[Self::ClaudeCode, Self::Codex, Self::QwenCode];

    /// The one whose login a profile mirrors.
    pub fn of_profile(id: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|vendor| vendor.profile_id() == id)
    }

    /// The profile that mirrors its login.
    pub fn profile_id(self) -> &'static str {
        match self {
            Self::ClaudeCode => CLAUDE_CLI_PROFILE,
            Self::Codex => CODEX_CLI_PROFILE,
            Self::QwenCode => QWEN_CLI_PROFILE,
        }
    }

    /// The provider of that profile.
    pub fn provider(self) -> &'static str {
        match self {
            Self::ClaudeCode => "anthropic",
            Self::Codex => "openai-codex",
            Self::QwenCode => "qwen-portal",
        }
    }

    /// The program, for people.
    pub fn program(self) -> &'static str {
        match self {
            Self::ClaudeCode => "Claude Code",
            Self::Codex => "Codex",
            Self::QwenCode => "Qwen Code",
        }
    }

    /// What its login is called among the sources.
    pub fn role(self) -> &'static str {
        match self {
            Self::ClaudeCode => "Claude Code login",
            Self::Codex => "Codex login",
            Self::QwenCode => "Qwen Code login",
        }
    }

    /// What to type to log in with it; the first word is the program.
    pub fn login_command(self) -> &'static str {
        match self {
            Self::ClaudeCode => "claude auth login",
            Self::Codex => "codex login",
            Self::QwenCode => "qwen",
        }
    }

    /// The command that makes it renew its login: only a real request does that, however small.
    pub fn renew_command(self) -> &'static [&'static str] {
        match self {
            Self::ClaudeCode => &["claude", "-p", "Reply with OK."],
            Self::Codex => &["codex", "exec", "--skip-git-repo-check", "Reply with OK."],
            Self::QwenCode => &["qwen", "-p", "Reply with OK."],
        }
    }
}
