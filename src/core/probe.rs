//! Where a credential can be tried without any effect: the list of models, or what the account has.
//!
//! Source: the API references of the providers. One whose list is public proves nothing and is not here.

use crate::core::credential::{EpochMs, Material};
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

/// In which words a model is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Anthropic's messages.
    Anthropic,
    /// Google's `generateContent`.
    Google,
    /// `OpenAI`'s chat completions.
    OpenAi,
}

/// Where models of a provider are asked, and in which words. Source: the provider catalogue of the reference.
const MODEL_APIS: &[(&str, &str, Dialect)] = &[
    ("anthropic", "https://api.anthropic.com", Dialect::Anthropic),
    ("cerebras", "https://api.cerebras.ai/v1", Dialect::OpenAi),
    ("google", "https://generativelanguage.googleapis.com/v1beta", Dialect::Google),
    ("groq", "https://api.groq.com/openai/v1", Dialect::OpenAi),
    ("kimi-code", "https://api.kimi.com/coding/v1", Dialect::OpenAi),
    ("minimax", "https://api.minimax.io/anthropic", Dialect::Anthropic),
    ("mistral", "https://api.mistral.ai/v1", Dialect::OpenAi),
    ("moonshot", "https://api.moonshot.ai/v1", Dialect::OpenAi),
    ("openai", "https://api.openai.com/v1", Dialect::OpenAi),
    ("openrouter", "https://openrouter.ai/api/v1", Dialect::OpenAi),
    ("qwen-portal", "https://portal.qwen.ai/v1", Dialect::OpenAi),
    ("synthetic", "https://api.synthetic.new/anthropic", Dialect::Anthropic),
    ("venice", "https://api.venice.ai/api/v1", Dialect::OpenAi),
    ("vercel-ai-gateway", "https://ai-gateway.vercel.sh", Dialect::Anthropic),
    ("xai", "https://api.x.ai/v1", Dialect::OpenAi),
    ("zai", "https://api.z.ai/api/coding/paas/v4", Dialect::OpenAi),
];

/// The base of a provider's models and their dialect; `None` where we speak none.
pub fn model_api(provider_id: &str) -> Option<(&'static str, Dialect)> {
    let id = provider::normalize(provider_id);
    MODEL_APIS.iter().find(|(known, ..)| *known == id).map(|(_, base, dialect)| (*base, *dialect))
}

/// How a credential is tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum How {
    /// With a request that has no effect.
    #[default]
    Cheap,
    /// With one tiny completion.
    Model,
}

/// What was asked for.
#[derive(Clone, Debug, Default)]
pub struct ProbeOptions {
    /// How.
    pub how: How,
    /// Only this provider, in normal form.
    pub provider: Option<String>,
    /// Only these profiles; empty means all.
    pub profile_ids: Vec<String>,
    /// How long each may take, in ms.
    pub timeout_ms: u64,
    /// How many at once.
    pub concurrency: usize,
    /// How long the answer of a model may be, in tokens.
    pub max_tokens: u32,
}

/// One credential and what came of trying it.
#[derive(Clone, Debug)]
pub struct ProbeResult {
    /// The provider as found.
    pub provider: String,
    /// The model that was asked, as `provider/model`.
    pub model: Option<String>,
    /// The profile; `None` for keys elsewhere.
    pub profile_id: Option<String>,
    /// What it is called.
    pub label: String,
    /// `profile`, `env` or `models.json`.
    pub source: &'static str,
    /// `api_key`, `oauth` or `token`.
    pub mode: &'static str,
    /// Whether a configured model needs the provider.
    pub is_in_use: bool,
    /// The verdict.
    pub status: ProbeStatus,
    /// Why nothing was sent, or what failed: a stable word.
    pub reason: Option<&'static str>,
    /// What happened, for people.
    pub error: Option<String>,
    /// How long the provider took, in ms.
    pub latency_ms: Option<i64>,
}

/// Every probe of one run.
#[derive(Clone, Debug)]
pub struct Probes {
    /// What was asked for.
    pub options: ProbeOptions,
    /// When the first one began.
    pub started_at: EpochMs,
    /// When the last one ended.
    pub finished_at: EpochMs,
    /// How many there were to be; fewer results mean that somebody ended them.
    pub total: usize,
    /// What came of them, in the order of the report.
    pub results: Vec<ProbeResult>,
}

impl Probes {
    /// Whether a credential of a provider in use was clearly refused.
    pub fn fail(&self) -> bool {
        let is_clear = |status| matches!(status, ProbeStatus::Auth | ProbeStatus::Billing);
        self.results.iter().any(|result| result.is_in_use && is_clear(result.status))
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
