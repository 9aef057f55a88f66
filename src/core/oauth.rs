//! OAuth as data and rules: where a provider renews a login, when that is due, what a failure means and when to try
//! again.
//!
//! Source of endpoints, client ids and margins: the refresh and login code of the Node program's releases 2026.1.24.

use crate::core::credential::{EpochMs, Expiry, Material};
use crate::core::provider;
use crate::core::secret::Secret;
use crate::core::span;

/// How a token endpoint wants to be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// GitHub's own way: a GET with the long-lived token as bearer.
    Copilot,
    /// A form, as RFC 6749 has it.
    Form,
    /// The same members as JSON.
    Json,
}

/// What is known of a provider's OAuth.
#[derive(Debug)]
pub struct OAuth {
    /// The provider id.
    pub provider: &'static str,
    /// Where a login is renewed.
    pub token_url: &'static str,
    /// The public client that logins are issued to; without one the user needs a client of their own.
    pub client_id: Option<&'static str>,
    /// How to ask.
    pub style: Style,
    /// How long before its real end, in ms, a token counts as ended.
    pub margin_ms: i64,
    /// How a person logs in here; `None` where the vendor's program does that.
    pub login: Option<&'static LoginFlow>,
}

/// How a person logs in.
#[derive(Debug)]
pub enum LoginFlow {
    /// RFC 6749 with PKCE: a page in the browser that ends at an address of this host.
    Browser(BrowserFlow),
    /// RFC 8628: a code that is typed in any browser.
    Device(DeviceFlow),
}

/// A login by a page in the browser.
#[derive(Debug)]
pub struct BrowserFlow {
    /// The page.
    pub authorize_url: &'static str,
    /// The address that the browser ends at; the provider knows it.
    pub redirect: &'static str,
    /// What is asked for.
    pub scope: &'static str,
    /// Parameters that only this provider wants.
    pub extra: &'static [(&'static str, &'static str)],
    /// Where the account's name is asked for when no token tells it, beside the token URL.
    pub userinfo: Option<&'static str>,
}

/// A login by a code.
#[derive(Debug)]
pub struct DeviceFlow {
    /// Where the code comes from.
    pub device_url: &'static str,
    /// What is asked for.
    pub scope: &'static str,
}

const MARGIN: i64 = 5 * span::MINUTE;
const GOOGLE_TOKEN_URL: &str = "https://oauth2.googleapis.com/token";

const fn form(provider: &'static str, token_url: &'static str, margin_ms: i64) -> OAuth {
    OAuth { provider, token_url, client_id: None, style: Style::Form, margin_ms, login: None }
}

/// Every provider whose logins can be renewed, sorted by id.
pub const OAUTH: &[OAuth] = &[
    OAuth {
        client_id: Some("9d1c250a-e61b-44d9-88ed-5944d1962f5e"),
        style: Style::Json,
        ..form("anthropic", "https://console.anthropic.com/v1/oauth/token", MARGIN)
    },
    OAuth {
        login: Some(&LoginFlow::Browser(BrowserFlow {
            authorize_url: "https://api.chutes.ai/idp/authorize",
            redirect: "http://127.0.0.1:1456/oauth-callback",
            scope: "openid profile chutes:invoke",
            extra: &[],
            userinfo: Some("userinfo"),
        })),
        ..form("chutes", "https://api.chutes.ai/idp/token", MARGIN)
    },
    OAuth {
        style: Style::Copilot,
        ..form("github-copilot", "https://api.github.com/copilot_internal/v2/token", MARGIN)
    },
    // The public clients of these two are not ours to use.
    form("google-antigravity", GOOGLE_TOKEN_URL, MARGIN),
    form("google-gemini-cli", GOOGLE_TOKEN_URL, MARGIN),
    OAuth {
        client_id: Some("app_EMoamEEZ73f0CkXaXp7hrann"),
        login: Some(&LoginFlow::Browser(BrowserFlow {
            authorize_url: "https://auth.openai.com/oauth/authorize",
            redirect: "http://localhost:1455/auth/callback",
            scope: "openid profile email offline_access",
            extra: &[
                ("id_token_add_organizations", "true"),
                ("codex_cli_simplified_flow", "true"),
                ("originator", "openclaw"),
            ],
            userinfo: None,
        })),
        ..form("openai-codex", "https://auth.openai.com/oauth/token", 0)
    },
    OAuth {
        client_id: Some("f0304373b74a44d2b584a3fb70ca9e56"),
        login: Some(&LoginFlow::Device(DeviceFlow {
            device_url: "https://chat.qwen.ai/api/v1/oauth2/device/code",
            scope: "openid profile email model.completion",
        })),
        ..form("qwen-portal", "https://chat.qwen.ai/api/v1/oauth2/token", 0)
    },
];

/// Looks a provider up by any of its spellings.
pub fn find(provider_id: &str) -> Option<&'static OAuth> {
    let id = provider::normalize(provider_id);
    OAUTH.iter().find(|oauth| oauth.provider == id)
}

/// Whether there is an endpoint and a client to renew logins of a provider with.
pub fn can_renew(provider_id: &str, own_clients: &[String]) -> bool {
    find(provider_id)
        .is_some_and(|oauth| oauth.renews_by_itself() || own_clients.iter().any(|id| id == oauth.provider))
}

impl OAuth {
    /// Whether its logins are renewed without a client of the user's own. Chutes tells the client with the login, and
    /// Copilot needs none.
    pub fn renews_by_itself(&self) -> bool {
        self.client_id.is_some() || self.style == Style::Copilot || self.provider == "chutes"
    }
}

/// A token that ends within this is renewed ahead of its use: as long as a sync leaves a stored login alone.
pub const RENEWED_AHEAD_MS: i64 = 10 * span::MINUTE;

/// Why a login is renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Its access token has ended, or is gone.
    Expired,
    /// Its access token ends within [`RENEWED_AHEAD_MS`].
    Expiring,
    /// Somebody wants it.
    Forced,
    /// Nothing says until when its access token is good.
    NoExpiry,
}

impl Due {
    /// The word used in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Expiring => "expiring",
            Self::Forced => "forced",
            Self::NoExpiry => "no-expiry",
        }
    }
}

/// Whether a login is to be renewed, and why.
pub fn due(material: &Material, now: EpochMs, is_forced: bool) -> Option<Due> {
    let natural = match material.expiry() {
        _ if material.usable_secret().is_none() => Some(Due::Expired),
        Expiry::At(expires) if expires <= now => Some(Due::Expired),
        Expiry::At(expires) if expires.saturating_sub(now) <= RENEWED_AHEAD_MS => Some(Due::Expiring),
        Expiry::At(_) => None,
        Expiry::Absent | Expiry::Null | Expiry::NotPositive | Expiry::Unreadable => Some(Due::NoExpiry),
    };
    natural.or(is_forced.then_some(Due::Forced))
}

/// What a token endpoint gives.
#[derive(Clone, Debug, PartialEq)]
pub struct Tokens {
    /// The access token.
    pub access: Secret,
    /// The next refresh token; without one the old one stays good.
    pub refresh: Option<Secret>,
    /// When the access token counts as ended, the margin taken off.
    pub expires: EpochMs,
    /// The account id that some providers want in a header.
    pub account_id: Option<String>,
    /// Who is logged in.
    pub email: Option<String>,
    /// The identity token, which Codex keeps in its file.
    pub id_token: Option<Secret>,
    /// Where the API of this account is.
    pub resource_url: Option<String>,
}

impl Tokens {
    /// An access token, and nothing known beside it.
    pub fn of(access: Secret) -> Self {
        Self {
            access,
            refresh: None,
            expires: 0,
            account_id: None,
            email: None,
            id_token: None,
            resource_url: None,
        }
    }
}

/// What a refresh gave, and for what, until it is everywhere where it belongs.
#[derive(Clone, Debug, PartialEq)]
pub struct Parked {
    /// The provider in normal form.
    pub provider: String,
    /// The digest of the refresh token that was spent for it.
    pub spent: String,
    /// What came of it.
    pub tokens: Tokens,
}

impl Parked {
    /// Whether a login is to get these tokens: it has the refresh token that was spent for them, and not these tokens
    /// yet. Where the provider gave no new refresh token, the later expiry tells which access token is the newer one.
    pub fn is_for(&self, material: &Material) -> bool {
        let Some(token) = material.refresh_token().filter(|token| token.digest() == self.spent) else {
            return false;
        };
        let rotates = self.tokens.refresh.as_ref().is_some_and(|next| next != token);
        let is_later = material.expiry().at().is_none_or(|stored| stored < self.tokens.expires);
        material.usable_secret() != Some(&self.tokens.access) && (rotates || is_later)
    }
}

/// The longest life that is believed. Providers give hours; what says more is nonsense or an attack on the judgement.
const LONGEST_LIFE: i64 = 365 * span::DAY;
/// A token that has only the margin left to live is used for this long all the same, or it would be renewed for ever.
const SHORTEST_LIFE: i64 = 30 * span::SECOND;

/// When a token of this life counts as ended.
pub fn ends(now: EpochMs, life_ms: i64, margin_ms: i64) -> EpochMs {
    let life = life_ms.clamp(0, LONGEST_LIFE);
    now.saturating_add((life - margin_ms).max(life.min(SHORTEST_LIFE)))
}

#[cfg(test)]
mod tests {
    use super::{Due, OAUTH, due, ends};
    use crate::core::credential::{Expiry, Material};
    use crate::core::endpoint;
    use crate::core::provider;
    use crate::core::secret::Secret;

    fn login(expires: Expiry) -> Material {
        Material::OAuth {
            access: Some(Secret::new("a")),
            refresh: Some(Secret::new("r")),
            expires,
            account_id: None,
        }
    }

    #[test]
    fn the_catalogue_is_sorted_and_every_address_may_get_a_credential() {
        assert!(OAUTH.is_sorted_by_key(|oauth| oauth.provider));
        for oauth in OAUTH {
            assert!(provider::find(oauth.provider).is_some());
            assert!(endpoint::parse(oauth.token_url).is_ok());
        }
    }

    #[test]
    fn a_login_is_due_for_a_reason() {
        let now = 1_000_000_000;
        for (expires, is_forced, wanted) in [
            (Expiry::At(now), false, Some(Due::Expired)),
            (Expiry::At(now + 1), false, Some(Due::Expiring)),
            (Expiry::At(now + 600_000), false, Some(Due::Expiring)),
            (Expiry::At(now + 600_001), false, None),
            (Expiry::At(now + 600_001), true, Some(Due::Forced)),
            (Expiry::At(now - 1), true, Some(Due::Expired)),
            (Expiry::Null, false, Some(Due::NoExpiry)),
        ] {
            assert_eq!(due(&login(expires), now, is_forced), wanted, "{expires:?}");
        }
    }

    #[test]
    fn a_life_is_believed_within_reason() {
        assert_eq!(ends(0, 28_800_000, 300_000), 28_500_000);
        assert_eq!(ends(0, 60_000, 300_000), 30_000);
        assert_eq!(ends(0, 5_000, 300_000), 5_000);
        assert_eq!(ends(0, -5, 0), 0);
        assert_eq!(ends(0, i64::MAX, 0), 365 * 86_400_000);
        assert_eq!(ends(i64::MAX, i64::MAX, 0), i64::MAX);
    }
}
