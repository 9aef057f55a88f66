//! Trying a credential for real, with a request that has no effect.

use std::time::Duration;

use crate::clock::Clock;
use crate::core::credential::Credential;
use crate::core::endpoint;
use crate::core::failure::{self, Endpoint, FailureClass, Response};
use crate::core::probe::{self, Carrier, ProbeStatus};
use crate::core::provider;
use crate::core::secret::Secret;
use crate::sys::http_client::{self, Request};
use crate::workspace::Workspace;

/// How long the provider gets (reference: `--probe-timeout`).
pub const TIME_LIMIT: Duration = Duration::from_secs(8);

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probed {
    /// The verdict.
    pub status: ProbeStatus,
    /// What failed.
    pub class: Option<FailureClass>,
    /// What happened, without any secret; a stable word where nothing was sent.
    pub message: String,
    /// How long the provider took.
    pub latency_ms: Option<i64>,
}

impl Probed {
    fn unsent(word: &str) -> Self {
        Self { status: ProbeStatus::Unknown, class: None, message: word.to_owned(), latency_ms: None }
    }
}

/// Tries a credential at its provider, or where the settings say.
pub fn probe(workspace: &Workspace, clock: &Clock, credential: &Credential, limit: Duration) -> Probed {
    let Some(cheap) = probe::of(&credential.provider, &credential.material) else {
        return Probed::unsent("no_cheap_probe");
    };
    let Some(secret) = credential.material.usable_secret() else {
        return Probed::unsent("missing_credential");
    };
    let id = provider::normalize(&credential.provider);
    let base = workspace.base_url(&id).unwrap_or_else(|| cheap.base.to_owned());
    let address = format!("{}{}", base.trim_end_matches('/'), cheap.path);
    let url = match workspace.ops.provider(&id).probe_url.map_or_else(|| endpoint::parse(&address), Ok) {
        Ok(url) => url,
        Err(why) => return Probed::unsent(&format!("models.providers.{id}.baseUrl: {why}")),
    };
    let mut request = Request::get(url);
    for (name, value) in cheap.headers {
        request = request.header(name, Secret::new(*value));
    }
    let request = match cheap.carrier {
        Carrier::Bearer => {
            request.header("authorization", Secret::new(format!("Bearer {}", secret.expose().trim())))
        }
        Carrier::Header(name) => request.header(name, Secret::new(secret.expose().trim())),
    };
    let started = clock.now().timestamp_millis();
    let answer = http_client::send(&request, limit);
    let latency_ms = Some(clock.now().timestamp_millis().saturating_sub(started));
    let (class, message) = match answer {
        Ok(answer) => {
            let response = Response {
                endpoint: Endpoint::Api,
                provider: &id,
                status: answer.status,
                headers: &answer.headers,
                body: answer.body.expose(),
            };
            let failure = failure::classify(&response, clock.now().timestamp_millis());
            let host = http_client::host_of(&request.url);
            (failure.map(|failure| failure.class), format!("{host} answered {}", answer.status))
        }
        Err(failure) => (Some(failure.class()), failure.to_string()),
    };
    Probed { status: class.map_or(ProbeStatus::Ok, ProbeStatus::of_failure), class, message, latency_ms }
}
