//! What providers speak, where requests go at them, and in which headers a credential goes there.
//!
//! Source: the API references of the providers and the catalogue of the reference.

use std::fmt::Write;

use crate::core::credential::Material;
use crate::core::probe::{self, Carrier, Dialect};
use crate::core::provider;
use crate::core::secret::Secret;
use crate::core::token;

/// A way of asking that clients of the gateway use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Surface {
    /// `OpenAI`'s chat completions.
    ChatCompletions,
    /// Anthropic's counting of tokens.
    CountTokens,
    /// Anthropic's messages.
    Messages,
    /// `OpenAI`'s responses.
    Responses,
}

impl Surface {
    /// Every surface.
    pub const ALL: &'static [Self] =
        &[Self::ChatCompletions, Self::CountTokens, Self::Messages, Self::Responses];

    /// The path at the gateway.
    pub fn path(self) -> &'static str {
        match self {
            Self::ChatCompletions => "/v1/chat/completions",
            Self::CountTokens => "/v1/messages/count_tokens",
            Self::Messages => "/v1/messages",
            Self::Responses => "/v1/responses",
        }
    }

    /// Whether errors have Anthropic's shape.
    pub fn is_anthropic(self) -> bool {
        matches!(self, Self::CountTokens | Self::Messages)
    }

    /// Whether requests of it can be said in the words of another API.
    pub fn is_translated(self) -> bool {
        matches!(self, Self::ChatCompletions | Self::Messages)
    }
}

/// What a provider speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ApiKind {
    /// Anthropic's messages.
    AnthropicMessages,
    /// Google's `generateContent`.
    GoogleGenerativeAi,
    /// `OpenAI`'s responses as Codex takes them.
    OpenaiCodexResponses,
    /// `OpenAI`'s chat completions.
    OpenaiCompletions,
    /// `OpenAI`'s responses.
    OpenaiResponses,
}

impl ApiKind {
    /// Every kind.
    pub const ALL: &'static [Self] = &[
        Self::AnthropicMessages,
        Self::GoogleGenerativeAi,
        Self::OpenaiCodexResponses,
        Self::OpenaiCompletions,
        Self::OpenaiResponses,
    ];

    /// The word of the config's `api`.
    pub fn name(self) -> &'static str {
        match self {
            Self::AnthropicMessages => "anthropic-messages",
            Self::GoogleGenerativeAi => "google-generative-ai",
            Self::OpenaiCodexResponses => "openai-codex-responses",
            Self::OpenaiCompletions => "openai-completions",
            Self::OpenaiResponses => "openai-responses",
        }
    }

    /// The kind of a word of the config.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }

    /// Whether it speaks what clients of a surface speak: bytes are passed on.
    pub fn speaks(self, surface: Surface) -> bool {
        match self {
            Self::AnthropicMessages => surface.is_anthropic(),
            Self::GoogleGenerativeAi => false,
            Self::OpenaiCompletions => surface == Surface::ChatCompletions,
            Self::OpenaiCodexResponses | Self::OpenaiResponses => surface == Surface::Responses,
        }
    }

    /// Where requests of a surface go at a base.
    pub fn url(self, base: &str, surface: Surface, model: &str, is_streamed: bool) -> String {
        let base = base.trim_end_matches('/');
        match self {
            Self::AnthropicMessages if surface == Surface::CountTokens => {
                format!("{base}/v1/messages/count_tokens")
            }
            Self::AnthropicMessages => format!("{base}/v1/messages"),
            Self::OpenaiCodexResponses => format!("{base}/codex/responses"),
            Self::OpenaiCompletions => format!("{base}/chat/completions"),
            Self::OpenaiResponses => format!("{base}/responses"),
            Self::GoogleGenerativeAi => {
                let model = segment(model.strip_prefix("models/").unwrap_or(model));
                let method = if is_streamed { "streamGenerateContent?alt=sse" } else { "generateContent" };
                format!("{base}/models/{model}:{method}")
            }
        }
    }
}

/// A text as one segment of a path, whatever stands in it.
fn segment(text: &str) -> String {
    let mut segment = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_~.".contains(&byte) {
            segment.push(char::from(byte));
        } else {
            // A String takes whatever is written to it.
            let _ = write!(segment, "%{byte:02X}");
        }
    }
    segment
}

/// Where models of a provider are asked, and what is spoken there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// What is spoken.
    pub kind: ApiKind,
    /// The base of the address.
    pub base: String,
}

/// Providers whose API is none of ours, and what it is.
const FOREIGN: &[(&str, &str)] = &[
    ("amazon-bedrock", "bedrock-converse-stream"),
    ("claude-cli", "a program of this host"),
    ("codex-cli", "a program of this host"),
    ("github-copilot", "github-copilot"),
    ("google-antigravity", "google-gemini-cli"),
    ("google-gemini-cli", "google-gemini-cli"),
    ("google-vertex", "google-vertex"),
];

/// What a provider speaks when the config says nothing else: the base, and the kinds with the one first that is asked
/// when none of them is the client's. The error is what it speaks instead.
fn shipped(id: &str, model: &str) -> Result<(&'static str, &'static [ApiKind]), &'static str> {
    use ApiKind::{
        AnthropicMessages, GoogleGenerativeAi, OpenaiCodexResponses, OpenaiCompletions, OpenaiResponses,
    };
    match id {
        "openai" => return Ok(("https://api.openai.com/v1", &[OpenaiResponses, OpenaiCompletions])),
        "openai-codex" => return Ok(("https://chatgpt.com/backend-api", &[OpenaiCodexResponses])),
        // Each model in the words of its maker.
        "opencode" => {
            let makers: &[(&str, &'static str, &'static [ApiKind])] = &[
                ("claude-", "https://opencode.ai/zen", &[AnthropicMessages]),
                ("gemini-", "https://opencode.ai/zen/v1", &[GoogleGenerativeAi]),
                ("gpt-", "https://opencode.ai/zen/v1", &[OpenaiResponses]),
                ("", "https://opencode.ai/zen/v1", &[OpenaiCompletions]),
            ];
            let maker = makers.iter().find(|(prefix, ..)| model.starts_with(prefix));
            return maker.map(|(_, base, kinds)| (*base, *kinds)).ok_or("");
        }
        _ => {}
    }
    let foreign = FOREIGN.iter().find(|(known, _)| *known == id).map(|(_, speaks)| *speaks);
    let (base, dialect) = probe::model_api(id).ok_or(foreign.unwrap_or("an API that is not known here"))?;
    Ok((
        base,
        match dialect {
            Dialect::Anthropic => &[AnthropicMessages],
            Dialect::Google => &[GoogleGenerativeAi],
            Dialect::OpenAi => &[OpenaiCompletions],
        },
    ))
}

/// Where a request of a surface for a model goes; the error says why it cannot. `base` and `api` are those of the config.
pub fn route(
    provider_id: &str,
    base: Option<&str>,
    api: Option<&str>,
    model: &str,
    surface: Surface,
) -> Result<Route, String> {
    let id = provider::normalize(provider_id);
    let known = shipped(&id, model);
    let speaks = |what: &str| Err(format!("{id} speaks {what}"));
    let kinds = match (api, &known) {
        (Some(api), _) => match ApiKind::of_name(api) {
            Some(kind) => vec![kind],
            None => return speaks(api),
        },
        (None, Ok((_, kinds))) => kinds.to_vec(),
        // A provider of the config that says nothing else is one of the many that copy this API.
        (None, Err(_)) if base.is_some() && FOREIGN.iter().all(|(foreign, _)| *foreign != id) => {
            vec![ApiKind::OpenaiCompletions]
        }
        (None, Err(what)) => return speaks(what),
    };
    let spoken = kinds.iter().copied().find(|kind| kind.speaks(surface));
    let Some(kind) = spoken.or(kinds.first().copied().filter(|_| surface.is_translated())) else {
        return speaks(&kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(" and "));
    };
    let base =
        base.or(known.ok().map(|(base, _)| base)).ok_or_else(|| format!("{id} has no address here"))?;
    Ok(Route { kind, base: base.to_owned() })
}

/// The flag with which Anthropic takes tokens of subscriptions.
pub const OAUTH_BETA: &str = "oauth-2025-04-20";

/// The header that carries a credential, and whether Anthropic wants [`OAUTH_BETA`] with it.
pub fn carried(kind: ApiKind, material: &Material, secret: &Secret) -> (Carrier, bool) {
    let is_key = matches!(material, Material::ApiKey { .. });
    match kind {
        // A setup token that somebody has stored as a key is a token all the same.
        ApiKind::AnthropicMessages if is_key && !token::is_setup_token(secret.expose().trim()) => {
            (Carrier::Header("x-api-key"), false)
        }
        ApiKind::AnthropicMessages => (Carrier::Bearer, true),
        ApiKind::GoogleGenerativeAi if is_key => (Carrier::Header("x-goog-api-key"), false),
        _ => (Carrier::Bearer, false),
    }
}

/// Headers that belong to one connection or to the message's own form: no config may set them.
/// Source: RFC 9110, sections 7.2, 7.6.1 and 8.6; RFC 9112, section 6.
const NOT_FOR_CONFIG: &[&str] = &[
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    // Who asks is told as it is.
    "user-agent",
];

/// Whether the config may set a header of requests to a provider.
pub fn may_configure(header: &str) -> bool {
    !NOT_FOR_CONFIG.contains(&header.trim().to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::{ApiKind, Surface, carried, may_configure, route};
    use crate::core::credential::{Expiry, Material};
    use crate::core::probe::Carrier;
    use crate::core::secret::Secret;

    #[test]
    fn each_surface_goes_to_who_speaks_it() {
        let to = |id, base, api, surface| {
            let model = "claude/../x";
            let route = route(id, base, api, model, surface)?;
            Ok::<_, String>(route.kind.url(&route.base, surface, model, true))
        };
        for (id, base, api, surface, url) in [
            ("anthropic", None, None, Surface::Messages, "https://api.anthropic.com/v1/messages"),
            ("anthropic", None, None, Surface::ChatCompletions, "https://api.anthropic.com/v1/messages"),
            ("OpenAI", None, None, Surface::Responses, "https://api.openai.com/v1/responses"),
            ("OpenAI", None, None, Surface::Messages, "https://api.openai.com/v1/responses"),
            ("OpenAI", None, None, Surface::ChatCompletions, "https://api.openai.com/v1/chat/completions"),
            (
                "openai-codex",
                None,
                None,
                Surface::Messages,
                "https://chatgpt.com/backend-api/codex/responses",
            ),
            (
                "groq",
                Some("http://127.0.0.1:1/x/"),
                None,
                Surface::Messages,
                "http://127.0.0.1:1/x/chat/completions",
            ),
            (
                "mine",
                Some("http://h"),
                Some("anthropic-messages"),
                Surface::CountTokens,
                "http://h/v1/messages/count_tokens",
            ),
            ("mine", Some("http://h"), None, Surface::ChatCompletions, "http://h/chat/completions"),
            (
                "google",
                Some("http://h"),
                None,
                Surface::Messages,
                "http://h/models/claude%2F..%2Fx:streamGenerateContent?alt=sse",
            ),
        ] {
            assert_eq!(to(id, base, api, surface).unwrap(), url);
        }
        for (id, base, api, surface, speaks) in [
            ("groq", None, None, Surface::Responses, "groq speaks openai-completions"),
            ("google", None, None, Surface::CountTokens, "google speaks google-generative-ai"),
            ("nobody", None, None, Surface::ChatCompletions, "nobody speaks an API that is not known here"),
            (
                "x",
                Some("http://h"),
                Some("bedrock-converse-stream"),
                Surface::Messages,
                "x speaks bedrock-converse-stream",
            ),
            (
                "github-copilot",
                Some("http://h"),
                None,
                Surface::Messages,
                "github-copilot speaks github-copilot",
            ),
        ] {
            assert_eq!(to(id, base, api, surface).unwrap_err(), speaks);
        }
        let zen = |model| route("opencode", None, None, model, Surface::Messages).unwrap().kind.name();
        assert_eq!(
            ["claude-x", "gpt-x", "gemini-x", "kimi"].map(zen),
            ["anthropic-messages", "openai-responses", "google-generative-ai", "openai-completions"]
        );
        assert!(ApiKind::ALL.iter().all(|kind| ApiKind::of_name(kind.name()) == Some(*kind)));
    }

    #[test]
    fn the_header_follows_the_credential() {
        let key = |text: &str| (Material::ApiKey { key: None }, Secret::new(text));
        let (material, secret) = key("sk-ant-api03-x");
        let anthropic = ApiKind::AnthropicMessages;
        assert_eq!(carried(anthropic, &material, &secret), (Carrier::Header("x-api-key"), false));
        assert_eq!(carried(ApiKind::OpenaiResponses, &material, &secret), (Carrier::Bearer, false));
        let google = ApiKind::GoogleGenerativeAi;
        assert_eq!(carried(google, &material, &secret), (Carrier::Header("x-goog-api-key"), false));
        let (material, secret) = key("sk-ant-oat01-x");
        assert_eq!(carried(anthropic, &material, &secret), (Carrier::Bearer, true));
        let token = Material::Token { token: None, expires: Expiry::Absent };
        assert_eq!(carried(anthropic, &token, &Secret::new("t")), (Carrier::Bearer, true));
        assert_eq!(carried(google, &token, &Secret::new("t")), (Carrier::Bearer, false));
    }

    #[test]
    fn what_belongs_to_the_connection_is_not_for_the_config() {
        assert!(may_configure("X-Title") && may_configure("authorization"));
        assert!(
            !may_configure("Host") && !may_configure(" transfer-encoding") && !may_configure("User-Agent")
        );
    }
}
