//! Where a credential can be tried without any effect: the list of models, or what the account has.
//!
//! Source: the API references of the providers. One whose list is public proves nothing and is not here.

use crate::core::credential::Material;
use crate::core::failure::FailureClass;
use crate::core::provider;

/// In which header a credential goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// `Authorization: Bearer`.
    Bearer,
    /// A header of the provider's own.
    Header(&'static str),
}

/// A request without any effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheapProbe {
    /// The API's base.
    pub base: &'static str,
    /// What is asked for, behind the base.
    pub path: &'static str,
    /// Where the credential goes.
    pub carrier: Carrier,
    /// Headers that the API wants.
    pub headers: &'static [(&'static str, &'static str)],
}

const fn listed(base: &'static str) -> CheapProbe {
    CheapProbe { base, path: "/models", carrier: Carrier::Bearer, headers: &[] }
}

const ANTHROPIC: CheapProbe = CheapProbe {
    base: "https://api.anthropic.com",
    path: "/v1/models",
    carrier: Carrier::Header("x-api-key"),
    headers: &[("anthropic-version", "2023-06-01")],
};

const PROBES: &[(&str, CheapProbe)] = &[
    ("anthropic", ANTHROPIC),
    ("cerebras", listed("https://api.cerebras.ai/v1")),
    (
        "google",
        CheapProbe {
            carrier: Carrier::Header("x-goog-api-key"),
            ..listed("https://generativelanguage.googleapis.com/v1beta")
        },
    ),
    ("groq", listed("https://api.groq.com/openai/v1")),
    ("mistral", listed("https://api.mistral.ai/v1")),
    ("moonshot", listed("https://api.moonshot.ai/v1")),
    ("openai", listed("https://api.openai.com/v1")),
    // Its list is public; this tells about the key.
    ("openrouter", CheapProbe { path: "/key", ..listed("https://openrouter.ai/api/v1") }),
    ("vercel-ai-gateway", CheapProbe { path: "/credits", ..listed("https://ai-gateway.vercel.sh/v1") }),
    ("xai", listed("https://api.x.ai/v1")),
];

/// How to try a credential; `None` where there is no way without an effect.
pub fn of(provider_id: &str, material: &Material) -> Option<CheapProbe> {
    let id = provider::normalize(provider_id);
    let (_, probe) = PROBES.iter().find(|(known, _)| *known == id)?;
    match material {
        Material::ApiKey { .. } => Some(*probe),
        // A subscription proves itself by its own account.
        Material::OAuth { .. } | Material::Token { .. } if id == "anthropic" => Some(CheapProbe {
            path: "/api/oauth/profile",
            carrier: Carrier::Bearer,
            headers: &[("anthropic-version", "2023-06-01"), ("anthropic-beta", "oauth-2025-04-20")],
            ..ANTHROPIC
        }),
        Material::OAuth { .. } | Material::Token { .. } => None,
    }
}

/// What a probe says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeStatus {
    /// The provider refuses the credential.
    Auth,
    /// There is no credit.
    Billing,
    /// The request was not understood.
    Format,
    /// There is no model to ask.
    NoModel,
    /// The provider takes it.
    Ok,
    /// It was asked too often.
    RateLimit,
    /// No answer in time.
    Timeout,
    /// Nothing that says anything about the credential.
    Unknown,
}

impl ProbeStatus {
    /// The word of the reference.
    pub fn word(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Billing => "billing",
            Self::Format => "format",
            Self::NoModel => "no_model",
            Self::Ok => "ok",
            Self::RateLimit => "rate_limit",
            Self::Timeout => "timeout",
            Self::Unknown => "unknown",
        }
    }

    /// What a failure means for the credential that was tried.
    pub fn of_failure(class: FailureClass) -> Self {
        match class {
            FailureClass::Auth
            | FailureClass::ClientRejected
            | FailureClass::Expired
            | FailureClass::InvalidGrant
            | FailureClass::Reused
            | FailureClass::Revoked
            | FailureClass::SubscriptionOnly => Self::Auth,
            FailureClass::Billing => Self::Billing,
            FailureClass::Format => Self::Format,
            FailureClass::NoModel => Self::NoModel,
            FailureClass::RateLimited => Self::RateLimit,
            FailureClass::Timeout => Self::Timeout,
            FailureClass::Malformed
            | FailureClass::Network
            | FailureClass::Overloaded
            | FailureClass::Redirected
            | FailureClass::ServerError
            | FailureClass::Tls
            | FailureClass::TooLarge
            | FailureClass::Unknown => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::PROBES;
    use crate::core::{endpoint, provider};

    #[test]
    fn every_probe_is_of_the_catalogue_and_goes_to_a_safe_place() {
        assert!(PROBES.is_sorted_by_key(|(id, _)| *id));
        for (id, probe) in PROBES {
            assert!(provider::find(id).is_some(), "{id}");
            assert!(endpoint::parse(&format!("{}{}", probe.base, probe.path)).is_ok(), "{id}");
        }
    }
}
