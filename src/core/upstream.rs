//! Where requests of each surface of the gateway go at a provider, and in which headers a credential goes there.
//!
//! Source: the API references of the providers and the catalogue of the reference.

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

    /// The path behind the base of a provider that speaks it.
    fn behind_base(self) -> &'static str {
        match self {
            Self::ChatCompletions => "/chat/completions",
            Self::CountTokens => "/v1/messages/count_tokens",
            Self::Messages => "/v1/messages",
            Self::Responses => "/responses",
        }
    }
}

/// Providers whose API has `OpenAI`'s responses beside the completions.
const WITH_RESPONSES: &[&str] = &["openai"];

/// The address of a surface at a provider; the error says what the provider speaks instead. `base` and `api` are those of
/// the config.
pub fn address(
    provider_id: &str,
    base: Option<&str>,
    api: Option<&str>,
    surface: Surface,
) -> Result<String, String> {
    let id = provider::normalize(provider_id);
    let shipped = probe::model_api(&id);
    let speaks = match api {
        Some("anthropic-messages") => surface.is_anthropic(),
        Some("openai-completions") => surface == Surface::ChatCompletions,
        Some("openai-responses") => surface == Surface::Responses,
        Some(_) => false,
        None => match shipped.map(|(_, dialect)| dialect) {
            Some(Dialect::Anthropic) => surface.is_anthropic(),
            Some(Dialect::OpenAi) => {
                surface == Surface::ChatCompletions
                    || (surface == Surface::Responses && WITH_RESPONSES.contains(&id.as_str()))
            }
            // A provider of the config that says nothing else is one of the many that copy this API.
            None => surface == Surface::ChatCompletions && base.is_some(),
            Some(Dialect::Google) => false,
        },
    };
    let spoken = || match (api, shipped) {
        (Some(api), _) => api.to_owned(),
        (None, Some((_, Dialect::Anthropic))) => "anthropic-messages".to_owned(),
        (None, Some((_, Dialect::Google))) => "google-generative-ai".to_owned(),
        (None, Some((_, Dialect::OpenAi))) => "openai-completions".to_owned(),
        (None, None) => "an API that is not known here".to_owned(),
    };
    if !speaks {
        return Err(format!("{id} speaks {}", spoken()));
    }
    let base = base.or(shipped.map(|(base, _)| base)).ok_or_else(|| format!("{id} has no address here"))?;
    Ok(format!("{}{}", base.trim_end_matches('/'), surface.behind_base()))
}

/// The flag with which Anthropic takes tokens of subscriptions.
pub const OAUTH_BETA: &str = "oauth-2025-04-20";

/// The header that carries a credential, and whether Anthropic wants [`OAUTH_BETA`] with it.
pub fn carried(surface: Surface, material: &Material, secret: &Secret) -> (Carrier, bool) {
    if !surface.is_anthropic() {
        return (Carrier::Bearer, false);
    }
    // A setup token that somebody has stored as a key is a token all the same.
    let is_key =
        matches!(material, Material::ApiKey { .. }) && !token::is_setup_token(secret.expose().trim());
    if is_key { (Carrier::Header("x-api-key"), false) } else { (Carrier::Bearer, true) }
}

#[cfg(test)]
mod tests {
    use super::{Surface, address, carried};
    use crate::core::credential::{Expiry, Material};
    use crate::core::probe::Carrier;
    use crate::core::secret::Secret;

    #[test]
    fn each_surface_goes_to_who_speaks_it() {
        let to = |id, base, api, surface| address(id, base, api, surface);
        assert_eq!(
            to("anthropic", None, None, Surface::Messages).unwrap(),
            "https://api.anthropic.com/v1/messages"
        );
        assert_eq!(
            to("OpenAI", None, None, Surface::Responses).unwrap(),
            "https://api.openai.com/v1/responses"
        );
        assert_eq!(
            to("groq", Some("http://127.0.0.1:1/x/"), None, Surface::ChatCompletions).unwrap(),
            "http://127.0.0.1:1/x/chat/completions"
        );
        let own = to("mine", Some("http://127.0.0.1:1"), Some("anthropic-messages"), Surface::CountTokens);
        assert_eq!(own.unwrap(), "http://127.0.0.1:1/v1/messages/count_tokens");
        assert!(to("mine", Some("http://127.0.0.1:1"), None, Surface::ChatCompletions).is_ok());
        for (id, base, api, surface, speaks) in [
            ("anthropic", None, None, Surface::ChatCompletions, "anthropic speaks anthropic-messages"),
            ("groq", None, None, Surface::Responses, "groq speaks openai-completions"),
            ("google", None, None, Surface::ChatCompletions, "google speaks google-generative-ai"),
            ("nobody", None, None, Surface::ChatCompletions, "nobody speaks an API that is not known here"),
            (
                "x",
                Some("http://h"),
                Some("bedrock-converse-stream"),
                Surface::Messages,
                "x speaks bedrock-converse-stream",
            ),
        ] {
            assert_eq!(to(id, base, api, surface).unwrap_err(), speaks);
        }
    }

    #[test]
    fn the_header_follows_the_credential() {
        let key = |text: &str| (Material::ApiKey { key: None }, Secret::new(text));
        let (material, secret) = key("sk-ant-api03-x");
        assert_eq!(carried(Surface::Messages, &material, &secret), (Carrier::Header("x-api-key"), false));
        assert_eq!(carried(Surface::Responses, &material, &secret), (Carrier::Bearer, false));
        let (material, secret) = key("sk-ant-oat01-x");
        assert_eq!(carried(Surface::Messages, &material, &secret), (Carrier::Bearer, true));
        let token = Material::Token { token: None, expires: Expiry::Absent };
        assert_eq!(carried(Surface::CountTokens, &token, &Secret::new("t")), (Carrier::Bearer, true));
    }
}
