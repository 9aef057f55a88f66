//! One candidate of a request: what is sent to its provider, and what comes of the answer.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, header};

use crate::core::cooldown::{self, Blame, Used};
use crate::core::credential::Material;
use crate::core::endpoint;
use crate::core::failure::{self, Endpoint, FailureClass};
use crate::core::model_ref::ModelRef;
use crate::core::probe::Carrier;
use crate::core::secret::Secret;
use crate::core::upstream::{self, ApiKind, OAUTH_BETA};
use crate::format::dialect::neutral::Trouble;
use crate::format::dialect::{self, Target, Translated};
use crate::format::{gateway_request, oauth};
use crate::gateway::forward::Forward;
use crate::gateway::pool::Trial;
use crate::gateway::reply::{self, Refusal};
use crate::gateway::translated;
use crate::gateway::view::Candidate;
use crate::sys::http_client;

/// How long a provider may think before its answer begins (reference default of `timeoutSeconds`).
const HEAD_LIMIT: Duration = Duration::from_mins(10);
/// How long the body of a refusal may take.
const REFUSAL_LIMIT: Duration = Duration::from_secs(5);
/// Anthropic's API wants a version; this one is asked for when the client names none.
const ANTHROPIC_VERSION: &str = "2023-06-01";
/// Headers of a client that go on to a provider of its own API.
const SENT_ON: &[&str] = &["accept", "anthropic-beta", "anthropic-version"];

/// What came of one candidate.
pub(super) enum Tried {
    Answered(Box<Response<Body>>),
    /// It cannot serve now; the next may.
    Failed(FailureClass, String, Option<i64>),
    /// No other credential would do better: the client has to mend its request.
    TheRequest(Box<Response<Body>>),
    /// This model cannot be asked so; nobody was asked.
    Unfit(Refusal),
}

/// The longest message of a provider that is passed on with a failure, in characters.
const LONGEST_QUOTE: usize = 300;

impl Tried {
    /// Adds what the provider said, for the client and not for the log: nobody knows what it repeats.
    pub(super) fn quoting(self, told: &str, candidate: &Candidate) -> Self {
        match self {
            Self::Failed(class, message, retry_after) if !told.is_empty() => {
                // Cut first, a secret across the end would stay in half.
                let told = translated::redacted(told.to_owned(), secrets(candidate));
                let told: String = told.chars().take(LONGEST_QUOTE).collect();
                Self::Failed(class, format!("{message} ({told})"), retry_after)
            }
            other => other,
        }
    }
}

impl Forward<'_> {
    /// Asks the provider of a candidate.
    pub(super) async fn attempt(&mut self, candidate: Candidate, trial: Option<Trial>) -> Tried {
        let name = candidate.name.clone();
        let sent = match self.said(&candidate) {
            Ok(sent) => sent,
            Err(refused) => return Tried::Unfit(Refusal::bad_request(refused.to_string())),
        };
        let candidate = if candidate.is_due {
            match self.gateway.renewed(candidate, &self.view.workspace.agent.id).await {
                Ok(candidate) => candidate,
                Err(message) => {
                    return Tried::Failed(FailureClass::Expired, format!("{name}: {message}"), None);
                }
            }
        } else {
            candidate
        };
        let url = candidate.way.url(self.surface, &candidate.model.model, self.asked.is_streamed);
        let Ok(url) = endpoint::parse(&url) else {
            let message = format!("models.providers.{}.baseUrl is no address", candidate.model.provider);
            return Tried::Failed(FailureClass::Network, message, None);
        };
        let host = http_client::host_of(&url);
        self.attempts += 1;
        let Ok(headers) = self.upstream_headers(&candidate) else {
            return Tried::Failed(
                FailureClass::Auth,
                format!("{name}: holds what no header can carry"),
                None,
            );
        };
        let answered = self.gateway.upstream.post(url, headers, sent.body.clone(), HEAD_LIMIT).await;
        let answer = match answered {
            Ok(answer) => answer,
            Err(failure) => {
                return self.failed(&candidate, failure.class(), format!("{name}: {failure}"), None);
            }
        };
        if !answer.status().is_success() {
            return self.refused(&candidate, answer, &host).await;
        }
        self.succeeded(&candidate, answer, trial, &host, &sent).await
    }

    /// Remembers a failure and says whether the next candidate may help.
    pub(super) fn failed(
        &self,
        candidate: &Candidate,
        class: FailureClass,
        message: String,
        retry_after: Option<i64>,
    ) -> Tried {
        if let Some((holder, _)) = &candidate.holder {
            let used = Used::Failed(class, retry_after);
            self.gateway.pool.record(holder.clone(), &candidate.model.provider, used, self.now());
        }
        self.gateway.log(&format!("{} for {}: {}", message, candidate.model.key(), class.word()));
        Tried::Failed(class, message, retry_after)
    }

    async fn refused(&self, candidate: &Candidate, answer: reqwest::Response, host: &str) -> Tried {
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = http_client::whole(answer, REFUSAL_LIMIT).await;
        let failure = self.classified(candidate, status.as_u16(), &headers, &body);
        let message = format!("{}: {host} answered {}", candidate.name, status.as_u16());
        if cooldown::blame(failure.class) == Blame::Request {
            // The client knows best what its own request lacks; what the provider repeats of the credential goes.
            let body = translated::redacted(body, secrets(candidate));
            let mut answer = if candidate.way.kind.speaks(self.surface) {
                let mut answer = Response::new(Body::from(body));
                *answer.headers_mut() = reply::passed_on(&headers, secrets(candidate));
                answer
            } else {
                let Trouble { message: told, .. } = dialect::trouble(candidate.way.kind, &body);
                let told = if told.is_empty() { message } else { told };
                let mut answer = Refusal::new(status, reply::kind_of(status), told).answer(self.surface);
                for (name, value) in reply::passed_on(&headers, secrets(candidate)) {
                    answer.headers_mut().entry(name.unwrap_or(header::CONTENT_TYPE)).or_insert(value);
                }
                answer
            };
            *answer.status_mut() = status;
            self.sign(&mut answer, candidate);
            return Tried::TheRequest(Box::new(answer));
        }
        let failed = self.failed(candidate, failure.class, message, failure.retry_after_ms);
        failed.quoting(&dialect::trouble(candidate.way.kind, &body).message, candidate)
    }

    pub(super) fn classified(
        &self,
        candidate: &Candidate,
        status: u16,
        headers: &HeaderMap,
        body: &str,
    ) -> failure::Failure {
        let told: Vec<_> = ["retry-after", "retry-after-ms"]
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), headers.get(*name)?.to_str().ok()?.to_owned())))
            .collect();
        let response = failure::Response {
            endpoint: Endpoint::Api,
            provider: &candidate.model.provider,
            status,
            headers: &told,
            body,
        };
        failure::classify(&response, self.now())
            .unwrap_or(failure::Failure { class: FailureClass::Unknown, retry_after_ms: None })
    }

    pub(super) fn sign(&self, answer: &mut Response<Body>, candidate: &Candidate) {
        let ModelRef { provider, model } = &candidate.model;
        reply::sign(answer.headers_mut(), &candidate.name, provider, model, self.attempts);
    }

    /// The request in the words of its provider.
    fn said(&self, candidate: &Candidate) -> Result<Sent, dialect::Refused> {
        let (kind, model) = (candidate.way.kind, &candidate.model.model);
        if !kind.speaks(self.surface) {
            let target = Target {
                kind,
                provider: &candidate.model.provider,
                model,
                max_tokens: candidate.way.max_tokens,
            };
            let Translated { body, dropped, wants_usage } =
                dialect::request(self.surface, &self.body, &target)?;
            return Ok(Sent { body: body.into(), dropped, wants_usage });
        }
        let mut body = match self.asked.model.as_deref() {
            Some(asked) if asked == model => self.body.clone(),
            _ => self.asked.with_model(&self.body, model).into(),
        };
        if kind == ApiKind::OpenaiCodexResponses {
            body = gateway_request::for_codex(&body).into();
        }
        Ok(Sent { body, ..Sent::default() })
    }

    fn upstream_headers(
        &self,
        candidate: &Candidate,
    ) -> Result<HeaderMap, axum::http::header::InvalidHeaderValue> {
        let way = &candidate.way;
        let mut headers = HeaderMap::new();
        if way.kind.speaks(self.surface) {
            for name in SENT_ON {
                for value in self.headers.get_all(*name) {
                    headers.append(HeaderName::from_static(name), value.clone());
                }
            }
        }
        // Whatever the client calls its body, it was read as JSON.
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let secret = candidate.secret.expose().trim();
        let (carrier, wants_beta) = upstream::carried(way.kind, &candidate.material, &candidate.secret);
        match way.kind {
            ApiKind::AnthropicMessages => {
                let version = HeaderValue::from_static(ANTHROPIC_VERSION);
                headers.entry("anthropic-version").or_insert(version);
                if wants_beta {
                    headers.append("anthropic-beta", HeaderValue::from_static(OAUTH_BETA));
                }
            }
            ApiKind::OpenaiCodexResponses => {
                headers.insert(header::ACCEPT, HeaderValue::from_static("text/event-stream"));
                headers.insert("openai-beta", HeaderValue::from_static("responses=experimental"));
                headers.insert("originator", HeaderValue::from_static("openclaw"));
                if let Some(account) = account_of(candidate) {
                    headers.insert("chatgpt-account-id", HeaderValue::from_str(&account)?);
                }
            }
            ApiKind::GoogleGenerativeAi | ApiKind::OpenaiCompletions | ApiKind::OpenaiResponses => {}
        }
        let sensitive = |text: &str| {
            let mut value = HeaderValue::from_str(text)?;
            value.set_sensitive(true);
            Ok(value)
        };
        if carrier == Carrier::Bearer || way.has_auth_header {
            headers.insert(header::AUTHORIZATION, sensitive(&format!("Bearer {secret}"))?);
        }
        if let Carrier::Header(name) = carrier {
            headers.insert(HeaderName::from_static(name), sensitive(secret)?);
        }
        way.configure(&mut headers);
        Ok(headers)
    }
}

/// What is sent.
#[derive(Default)]
pub(super) struct Sent {
    body: Bytes,
    /// Fields of the client's that are left out.
    pub(super) dropped: Vec<&'static str>,
    pub(super) wants_usage: bool,
}

/// What a provider must not repeat to a client.
pub(super) fn secrets(candidate: &Candidate) -> impl Iterator<Item = &Secret> {
    std::iter::once(&candidate.secret).chain(candidate.way.secrets())
}

/// The account that Codex wants to be named: the login's, or the one in its token.
fn account_of(candidate: &Candidate) -> Option<String> {
    let known = match &candidate.material {
        Material::OAuth { account_id, .. } => account_id.clone(),
        Material::ApiKey { .. } | Material::Token { .. } => None,
    };
    known.or_else(|| oauth::account_of(&candidate.secret))
}
