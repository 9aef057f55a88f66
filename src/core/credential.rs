//! What one profile of the auth store holds.

use crate::core::secret::Secret;

/// Milliseconds since 1970-01-01T00:00:00Z, the unit of every instant in the shared files.
pub type EpochMs = i64;

/// The profile that mirrors the login of Claude Code.
pub const CLAUDE_CLI_PROFILE: &str = "anthropic:claude-cli";
/// The profile that mirrors the login of the Codex CLI.
pub const CODEX_CLI_PROFILE: &str = "openai-codex:codex-cli";
/// The profile that mirrors the login of the Qwen CLI.
pub const QWEN_CLI_PROFILE: &str = "qwen-portal:qwen-cli";

/// One usable (or once usable) credential.
#[derive(Clone, Debug, PartialEq)]
pub struct Credential {
    /// The provider id as the store spells it; compare with [`crate::core::provider::normalize`].
    pub provider: String,
    /// The account's e-mail address, when the store knows it.
    pub email: Option<String>,
    /// The secret part.
    pub material: Material,
}

/// The three kinds of credential that the store knows.
#[derive(Clone, Debug, PartialEq)]
pub enum Material {
    /// A key that does not expire by itself.
    ApiKey {
        /// The key; blank or absent means the profile is hollow.
        key: Option<Secret>,
    },
    /// A login: a short-lived access token and, mostly, a refresh token.
    OAuth {
        /// The access token.
        access: Option<Secret>,
        /// The refresh token; single-use at most providers.
        refresh: Option<Secret>,
        /// When the access token ends.
        expires: Expiry,
        /// The account id that some providers want in a header.
        account_id: Option<String>,
    },
    /// A bearer token that nobody can renew.
    Token {
        /// The token.
        token: Option<Secret>,
        /// When it ends, as declared.
        expires: Expiry,
    },
}

impl Material {
    /// The `type` word of the store: `api_key`, `oauth` or `token`.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::ApiKey { .. } => "api_key",
            Self::OAuth { .. } => "oauth",
            Self::Token { .. } => "token",
        }
    }

    /// When it ends; API keys never say.
    pub fn expiry(&self) -> Expiry {
        match self {
            Self::ApiKey { .. } => Expiry::Absent,
            Self::OAuth { expires, .. } | Self::Token { expires, .. } => *expires,
        }
    }

    /// The secret that a request would carry, when there is one that is not blank.
    pub fn usable_secret(&self) -> Option<&Secret> {
        match self {
            Self::ApiKey { key } => key.as_ref(),
            Self::OAuth { access, .. } => access.as_ref(),
            Self::Token { token, .. } => token.as_ref(),
        }
        .filter(|secret| !secret.is_blank())
    }

    /// The refresh token, when there is one that is not blank.
    pub fn refresh_token(&self) -> Option<&Secret> {
        match self {
            Self::OAuth { refresh, .. } => refresh.as_ref().filter(|secret| !secret.is_blank()),
            Self::ApiKey { .. } | Self::Token { .. } => None,
        }
    }
}

/// The `expires` member as it was found. Only a number above zero is an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// No such member.
    Absent,
    /// An instant in ms since the epoch; fractions are cut off, values beyond the type are clamped.
    At(EpochMs),
    /// `null`.
    Null,
    /// Zero or below: the store's way of saying "none".
    NotPositive,
    /// Neither a number nor `null`.
    Unreadable,
}

impl Expiry {
    /// The instant, when there is one.
    pub fn at(self) -> Option<EpochMs> {
        match self {
            Self::At(instant) => Some(instant),
            Self::Absent | Self::Null | Self::NotPositive | Self::Unreadable => None,
        }
    }

    /// Whether the member is a number, as the sync rules ask.
    pub fn is_number(self) -> bool {
        matches!(self, Self::At(_) | Self::NotPositive)
    }
}
