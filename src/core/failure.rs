//! The failure dictionary: what an answer of a provider means. Providers say one thing under many codes, so the words of
//! the body decide before the status, and what nobody has seen before stays unknown.
//!
//! The vectors in `tests/vectors` are its specification, each with its source.

use chrono::DateTime;
use serde_json::Value;

use crate::core::credential::EpochMs;
use crate::core::span;

macro_rules! failure_classes {
    ($($class:ident, $word:literal, $human:literal, $meaning:literal, $remedy:expr;)*) => {
        /// What a failure means.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum FailureClass {
            $(#[doc = $meaning] $class,)*
        }

        impl FailureClass {
            /// Every class.
            pub const ALL: &'static [Self] = &[$(Self::$class),*];

            /// The stable word, whether a person is needed, and the meaning for that person.
            pub fn entry(self) -> (&'static str, bool, &'static str) {
                match self {
                    $(Self::$class => ($word, $human, $meaning),)*
                }
            }

            /// What to do about it, where there is something.
            pub fn remedy(self) -> Option<&'static str> {
                match self {
                    $(Self::$class => $remedy,)*
                }
            }
        }
    };
}

failure_classes! {
    Auth, "auth", true, "the provider refuses the credential", Some("put another key there, or log in again");
    Billing, "billing", true, "the account has no credit left", Some("add credit at the provider, or use another provider");
    ClientRejected, "client_rejected", true, "the provider refuses the OAuth client", Some("check providers.<id>.clientId in ops.json");
    Expired, "expired", false, "the access token has ended", Some("`openclaw models auth refresh` renews it");
    Format, "format", false, "the provider does not understand the request", None;
    InvalidGrant, "invalid_grant", true, "the provider no longer accepts this login", Some("log in again");
    Malformed, "malformed", false, "the answer is not one of this provider", None;
    Network, "network", false, "the provider cannot be reached", None;
    NoModel, "no_model", false, "the provider does not have the model", Some("`openclaw models set` chooses another model");
    Overloaded, "overloaded", false, "the provider has too much to do", None;
    RateLimited, "rate_limited", false, "the provider asks to wait", None;
    Redirected, "redirected", false, "the provider sends us to another host", None;
    Reused, "reused", true, "another program has already spent this login's refresh token", Some("log in again, and let only one program renew the login");
    Revoked, "revoked", true, "the credential was revoked", Some("log in again");
    ServerError, "server_error", false, "the provider has a failure of its own", None;
    SubscriptionOnly, "subscription_only", true, "the credential is for the vendor's own program only", Some("use an API key of the provider");
    Timeout, "timeout", false, "the provider did not answer in time", None;
    Tls, "tls", false, "the provider cannot prove who it is", Some("check the clock of this host and its root certificates");
    TooLarge, "too_large", false, "the answer has no end", None;
    Unknown, "unknown", false, "the provider refused, and does not say why", None;
}

impl FailureClass {
    /// The stable word.
    pub fn word(self) -> &'static str {
        self.entry().0
    }

    /// The class of a word.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|class| class.word() == word)
    }

    /// Whether trying again is useless until a person has acted.
    pub fn needs_human(self) -> bool {
        self.entry().1
    }
}

/// What was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// The API itself.
    Api,
    /// Where logins are made and renewed.
    Token,
}

/// What came back.
#[derive(Clone, Copy, Debug)]
pub struct Response<'a> {
    /// From where.
    pub endpoint: Endpoint,
    /// The provider in normal form.
    pub provider: &'a str,
    /// The status code.
    pub status: u16,
    /// Headers by their names in lower case.
    pub headers: &'a [(String, String)],
    /// The body.
    pub body: &'a str,
}

/// What it means, and how long to wait in ms when the provider says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The class.
    pub class: FailureClass,
    /// The wait that the provider asks for.
    pub retry_after_ms: Option<i64>,
}

/// The failure in an answer; `None` when it is none.
pub fn classify(response: &Response<'_>, now: EpochMs) -> Option<Failure> {
    let said = Said::of(response.body);
    let class = by_words(response, &said).or_else(|| by_status(response, &said))?;
    Some(Failure { class, retry_after_ms: retry_after(response, &said, now) })
}

/// What a body says, as far as it is one of an API.
struct Said {
    document: Value,
    /// Codes, types and messages in lower case.
    words: Vec<String>,
}

impl Said {
    fn of(body: &str) -> Self {
        let document: Value = serde_json::from_str(body).unwrap_or_default();
        // Google wraps its streamed errors into a list.
        let top = document.as_array().and_then(|list| list.first()).unwrap_or(&document);
        let mut words = Vec::new();
        collect(top, 0, &mut words);
        Self { document, words }
    }

    fn says(&self, text: &str) -> bool {
        self.words.iter().any(|word| word.contains(text))
    }

    fn says_any(&self, texts: &[&str]) -> bool {
        texts.iter().any(|text| self.says(text))
    }

    /// A code or type, whole.
    fn names(&self, code: &str) -> bool {
        self.words.iter().any(|word| word == code)
    }

    fn names_any(&self, codes: &[&str]) -> bool {
        codes.iter().any(|code| self.names(code))
    }

    fn is_api(&self) -> bool {
        self.document.is_object() || self.document.is_array()
    }
}

/// The members in which providers say what is wrong; whatever a request has echoed back stands elsewhere.
const TOLD_IN: &[&str] = &[
    "error",
    "errors",
    "error_description",
    "code",
    "type",
    "status",
    "message",
    "msg",
    "detail",
    "details",
    "reason",
    "base_resp",
    "status_code",
    "status_msg",
    "metadata",
];
/// How deep they are looked for.
const DEEPEST: usize = 4;

fn collect(value: &Value, depth: usize, words: &mut Vec<String>) {
    match value {
        Value::Object(members) if depth <= DEEPEST => {
            for (_, told) in members.iter().filter(|(name, _)| TOLD_IN.contains(&name.as_str())) {
                collect(told, depth + 1, words);
            }
        }
        Value::Array(items) if depth <= DEEPEST => {
            for item in items {
                collect(item, depth + 1, words);
            }
        }
        Value::String(text) if depth > 0 => words.push(text.to_lowercase()),
        Value::Number(number) if depth > 0 => words.push(number.to_string()),
        _ => {}
    }
}

fn by_words(response: &Response<'_>, said: &Said) -> Option<FailureClass> {
    use FailureClass::{
        Auth, Billing, ClientRejected, Expired, Format, InvalidGrant, NoModel, Overloaded, RateLimited,
        Reused, Revoked, SubscriptionOnly,
    };
    if said.says("only authorized for use with claude code") {
        return Some(SubscriptionOnly);
    }
    // Two providers fail with status 200 and codes of their own.
    let own = match response.provider {
        "minimax" | "minimax-portal" => minimax(said),
        "zai" => zai(said),
        _ => None,
    };
    if own.is_some() || (200..300).contains(&response.status) {
        return own;
    }
    let is_login = (400..=403).contains(&response.status);
    let is_token = response.endpoint == Endpoint::Token;
    let is_google = response.provider.starts_with("google");
    let rules: &[(bool, FailureClass)] = &[
        (is_login && said.says_any(&["token_reused", "already been used", "already used"]), Reused),
        (
            is_login
                && said.says_any(&[
                    "token has been revoked",
                    "expired or revoked",
                    "token_invalidated",
                    "token_revoked",
                ]),
            Revoked,
        ),
        (is_token && is_login && said.says_any(&["revoked", "invalidated"]), Revoked),
        (is_login && said.says_any(&["invalid_client", "unauthorized_client"]), ClientRejected),
        (
            is_login && said.names_any(&["invalid_grant", "refresh_token_expired", "invalid_refresh_token"]),
            InvalidGrant,
        ),
        // Google says the same of every quota, the one of a minute too.
        (!is_google && said.says_any(BILLING_WORDS), Billing),
        (
            is_google
                && said.says_any(&[
                    "billing_disabled",
                    "billing_not_active",
                    "enable billing",
                    "billing to be enabled",
                ]),
            Billing,
        ),
        (said.says_any(&["api_key_invalid", "api key not valid", "api key expired"]), Auth),
        (
            said.says_any(&[
                "overloaded_error",
                "engine_overloaded",
                "model is overloaded",
                "currently overloaded",
            ]),
            Overloaded,
        ),
        (
            is_login && said.says_any(&["oauth token has expired", "token_expired", "token is expired"]),
            Expired,
        ),
        (said.says_any(RATE_WORDS) && response.status < 500, RateLimited),
        (said.names_any(&["invalid_api_key", "authentication_error", "invalid_authentication_error"]), Auth),
        (
            said.says_any(&[
                "incorrect api key",
                "invalid api key",
                "no auth credentials found",
                "user not found",
            ]) && is_login,
            Auth,
        ),
        (said.names_any(&["permission_error", "permission_denied"]) && response.status == 403, Auth),
        (
            said.names_any(&["model_not_found", "not_found_error"])
                || (said.says("model")
                    && said.says_any(&["does not exist", "not a valid model", "not found"])),
            NoModel,
        ),
        (
            ![401, 403].contains(&response.status)
                && response.endpoint == Endpoint::Api
                && said.names_any(&[
                    "invalid_request_error",
                    "invalid_argument",
                    "validation_error",
                    "bad_request",
                ]),
            Format,
        ),
    ];
    rules.iter().find(|(holds, _)| *holds).map(|(_, class)| *class)
}

const BILLING_WORDS: &[&str] = &[
    "credit balance is too low",
    "insufficient_quota",
    "insufficient credits",
    "insufficient balance",
    "billing_hard_limit_reached",
    "billing_not_active",
    "account is not active, please check your billing",
    "used all available credits",
    "monthly spending limit",
    "exceeded_current_quota_error",
    "requires more credits",
    "payment required",
];

const RATE_WORDS: &[&str] = &[
    "rate_limit",
    "rate limit",
    "ratelimit",
    "too many requests",
    "resource_exhausted",
    "usage_limit_reached",
    "api usage limits",
    "usage limit",
    "quota exceeded",
    "capacity exceeded",
];

/// `MiniMax`: `base_resp.status_code`.
fn minimax(said: &Said) -> Option<FailureClass> {
    let code = said.document.get("base_resp")?.get("status_code")?.as_i64()?;
    Some(match code {
        0 => return None,
        1002 | 1039 => FailureClass::RateLimited,
        1004 | 2049 => FailureClass::Auth,
        1008 => FailureClass::Billing,
        1001 => FailureClass::Timeout,
        1013 | 1000 => FailureClass::ServerError,
        2013 => FailureClass::Format,
        _ => FailureClass::Unknown,
    })
}

/// Z.AI: `error.code`, a number written as a text.
fn zai(said: &Said) -> Option<FailureClass> {
    let code = said.document.get("error")?.get("code")?;
    let code = code.as_i64().or_else(|| code.as_str()?.parse().ok())?;
    Some(match code {
        1000..=1004 => FailureClass::Auth,
        1112 | 1113 => FailureClass::Billing,
        1210 | 1213 | 1214 => FailureClass::Format,
        1211 => FailureClass::NoModel,
        1301 => FailureClass::Unknown,
        1302..=1305 | 1308 | 1309 | 1310 => FailureClass::RateLimited,
        500 | 1230 | 1234 => FailureClass::ServerError,
        _ => return None,
    })
}

/// What is left when the words say nothing. A page of somebody in between is no answer of the provider.
fn by_status(response: &Response<'_>, said: &Said) -> Option<FailureClass> {
    let is_token = response.endpoint == Endpoint::Token;
    Some(match response.status {
        200..=299 => return None,
        // Qwen answers so to any refresh token that it does not know, GitHub to any token.
        400 if is_token && response.provider == "qwen-portal" => FailureClass::InvalidGrant,
        401 if is_token && response.provider == "github-copilot" => FailureClass::InvalidGrant,
        401 if is_token => FailureClass::Unknown,
        401 => FailureClass::Auth,
        402 => FailureClass::Billing,
        408 | 504 => FailureClass::Timeout,
        413 | 422 if said.is_api() => FailureClass::Format,
        // Codex and other services made with the same framework say what is wrong with a request like this.
        400 if !is_token && said.document.get("detail").is_some_and(|detail| !detail.is_null()) => {
            FailureClass::Format
        }
        429 => FailureClass::RateLimited,
        529 => FailureClass::Overloaded,
        500.. => FailureClass::ServerError,
        _ => FailureClass::Unknown,
    })
}

/// The wait that headers or body ask for, in ms.
fn retry_after(response: &Response<'_>, said: &Said, now: EpochMs) -> Option<i64> {
    let header =
        |name: &str| response.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.trim());
    let from_body = || {
        let error = said.document.get("error")?;
        let seconds = |value: &Value| value.as_i64().map(|seconds| seconds.saturating_mul(span::SECOND));
        let details = error.get("details").and_then(Value::as_array);
        let delay = details.and_then(|details| details.iter().find_map(|detail| detail.get("retryDelay")));
        error.get("resets_in_seconds").and_then(seconds).or_else(|| span_of(delay?.as_str()?))
    };
    header("retry-after-ms")
        .and_then(|ms| ms.parse().ok())
        .or_else(|| header("retry-after").and_then(|value| wait_of(value, now)))
        .or_else(from_body)
        .map(|wait: i64| wait.max(0))
}

/// A `Retry-After`: seconds or a date.
pub fn wait_of(value: &str, now: EpochMs) -> Option<i64> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<u32>() {
        return Some(i64::from(seconds) * span::SECOND);
    }
    let date = DateTime::parse_from_rfc2822(value).ok()?;
    Some(date.timestamp_millis().saturating_sub(now).max(0))
}

/// A span as Google writes it: `34.5s`.
fn span_of(text: &str) -> Option<i64> {
    let seconds: f64 = text.strip_suffix('s')?.parse().ok()?;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a float cast saturates, which is the clamping we want"
    )]
    let ms = (seconds * 1000.0) as i64;
    Some(ms)
}

#[cfg(test)]
mod tests {
    use super::{FailureClass, wait_of};

    #[test]
    fn words_are_unique_and_lead_back() {
        for class in FailureClass::ALL {
            assert_eq!(FailureClass::of_word(class.word()), Some(*class));
        }
    }

    #[test]
    fn a_wait_is_seconds_or_a_date() {
        assert_eq!(wait_of("120", 0), Some(120_000));
        assert_eq!(wait_of("Thu, 01 Jan 1970 00:02:00 GMT", 60_000), Some(60_000));
        assert_eq!(wait_of("Thu, 01 Jan 1970 00:00:00 GMT", 60_000), Some(0));
        assert_eq!(wait_of("soon", 0), None);
    }
}
