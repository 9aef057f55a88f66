//! Trying credentials for real. Nothing here writes a store.

use std::collections::HashSet;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::json;
use url::Url;

use crate::clock::Clock;
use crate::core::assess;
use crate::core::credential::{Credential, EpochMs, Expiry, Material};
use crate::core::endpoint;
use crate::core::failure::{self, Endpoint, FailureClass, Response};
use crate::core::model_ref;
use crate::core::models::MODELS;
use crate::core::order::Ineligible;
use crate::core::probe::{
    self, Carrier, CheapProbe, Dialect, How, ProbeOptions, ProbeResult, ProbeStatus, Probes,
};
use crate::core::provider;
use crate::core::report::Report;
use crate::core::secret::Secret;
use crate::core::snapshot::{ProfileRecord, Snapshot};
use crate::sys::http_client::{self, Request};
use crate::workspace::Workspace;

/// How long a provider gets when nothing says otherwise (reference: `--probe-timeout`).
pub const TIME_LIMIT: Duration = Duration::from_secs(8);
/// How often an interrupt is looked for while providers are waited for.
const GLANCE: Duration = Duration::from_millis(50);

/// What came of one try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probed {
    /// The verdict.
    pub status: ProbeStatus,
    /// What failed.
    pub class: Option<FailureClass>,
    /// What happened, without any secret.
    pub message: String,
    /// How long the provider took, in ms.
    pub latency_ms: i64,
}

/// Tries a credential with a request that has no effect; `None` where there is none.
pub fn probe(
    workspace: &Workspace,
    clock: &Clock,
    credential: &Credential,
    limit: Duration,
) -> Option<Result<Probed, String>> {
    let request = cheap_request(workspace, &credential.provider, &credential.material)?;
    let id = provider::normalize(&credential.provider);
    Some(request.map(|request| send(&request, &id, clock, limit)))
}

/// Sends a request and judges the answer.
fn send(request: &Request, provider_id: &str, clock: &Clock, limit: Duration) -> Probed {
    let started = clock.now().timestamp_millis();
    let answer = http_client::send(request, limit);
    let now = clock.now().timestamp_millis();
    let (class, message) = match answer {
        Ok(answer) => {
            let response = Response {
                endpoint: Endpoint::Api,
                provider: provider_id,
                status: answer.status,
                headers: &answer.headers,
                body: answer.body.expose(),
            };
            let failure = failure::classify(&response, now);
            let host = http_client::host_of(&request.url);
            (failure.map(|failure| failure.class), format!("{host} answered {}", answer.status))
        }
        Err(failure) => (Some(failure.class()), failure.to_string()),
    };
    let status = class.map_or(ProbeStatus::Ok, ProbeStatus::of_failure);
    Probed { status, class, message, latency_ms: now.saturating_sub(started) }
}

fn cheap_request(
    workspace: &Workspace,
    provider_id: &str,
    material: &Material,
) -> Option<Result<Request, String>> {
    let cheap = probe::of(provider_id, material)?;
    let secret = material.usable_secret()?;
    let id = provider::normalize(provider_id);
    let base = workspace.base_url(&id).unwrap_or_else(|| cheap.base.to_owned());
    let own = workspace.ops.provider(&id).probe_url;
    let url = own.map_or_else(|| address(&id, &base, cheap.path), Ok);
    Some(url.map(|url| authorized(Request::get(url), &cheap, secret)))
}

fn address(provider_id: &str, base: &str, path: &str) -> Result<Url, String> {
    endpoint::parse(&format!("{}{path}", base.trim_end_matches('/')))
        .map_err(|why| format!("models.providers.{provider_id}.baseUrl: {why}"))
}

fn authorized(request: Request, cheap: &CheapProbe, secret: &Secret) -> Request {
    let with_headers = cheap
        .headers
        .iter()
        .fold(request, |request, (name, value)| request.header(name, Secret::new(*value)));
    carried(with_headers, cheap.carrier, secret)
}

fn carried(request: Request, carrier: Carrier, secret: &Secret) -> Request {
    let secret = secret.expose().trim();
    match carrier {
        Carrier::Bearer => request.header("authorization", Secret::new(format!("Bearer {secret}"))),
        Carrier::Header(name) => request.header(name, Secret::new(secret)),
    }
}

/// A credential that is to be tried, and what is known of it before anything is sent.
struct Target {
    result: ProbeResult,
    /// What to send; a target without it is answered already.
    request: Option<Request>,
}

/// Tries every credential that the options name. Whoever interrupts gets what is known by then.
pub fn run(
    workspace: &Workspace,
    snapshot: &Snapshot,
    report: &Report,
    clock: &Clock,
    options: ProbeOptions,
    is_interrupted: &dyn Fn() -> bool,
    progress: &dyn Fn(usize, usize),
) -> Probes {
    let started_at = clock.now().timestamp_millis();
    let scan = Scan { workspace, snapshot, options: &options, now: started_at };
    let targets = scan.targets(report);
    let total = targets.len();
    let mut results: Vec<Option<ProbeResult>> = Vec::with_capacity(total);
    let mut waiting = Vec::new();
    for (place, target) in targets.into_iter().enumerate() {
        match target.request {
            None => results.push(Some(target.result)),
            Some(request) => {
                results.push(None);
                waiting.push((place, request, target.result));
            }
        }
    }
    let (outbox, inbox) = channel();
    let queue = Arc::new(Mutex::new(waiting.into_iter()));
    let limit = Duration::from_millis(options.timeout_ms);
    for _ in 0..options.concurrency {
        let (queue, outbox, clock) = (Arc::clone(&queue), outbox.clone(), clock.clone());
        // Not waited for: who interrupts must not wait for a provider.
        thread::spawn(move || {
            loop {
                let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
                let Some((place, request, mut result)) = next else { break };
                let probed = send(&request, &provider::normalize(&result.provider), &clock, limit);
                result.status = probed.status;
                result.latency_ms = Some(probed.latency_ms);
                result.reason = probed.class.map(FailureClass::word);
                result.error = probed.class.map(|class| {
                    let remedy = class.remedy().map_or_else(String::new, |remedy| format!("; {remedy}"));
                    format!("{}: {}{remedy}", probed.message, class.entry().2)
                });
                if outbox.send((place, result)).is_err() {
                    break;
                }
            }
        });
    }
    drop(outbox);
    while !is_interrupted() {
        match inbox.recv_timeout(GLANCE) {
            Ok((place, result)) => results[place] = Some(result),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        progress(results.iter().flatten().count(), total);
    }
    for (place, result) in inbox.try_iter() {
        results[place] = Some(result);
    }
    let finished_at = clock.now().timestamp_millis();
    Probes { options, started_at, finished_at, total, results: results.into_iter().flatten().collect() }
}

struct Scan<'s> {
    workspace: &'s Workspace,
    snapshot: &'s Snapshot,
    options: &'s ProbeOptions,
    now: EpochMs,
}

impl Scan<'_> {
    /// The profiles of every provider, else its key in the environment, else the one in a file.
    fn targets(&self, report: &Report) -> Vec<Target> {
        let in_use = self.providers_in_use(report);
        let is_meant =
            |id: &str| self.options.provider.as_ref().is_none_or(|wanted| *wanted == provider::normalize(id));
        let mut targets = Vec::new();
        for provider in report.providers.iter().filter(|provider| is_meant(&provider.id)) {
            let is_in_use = in_use.contains(&provider::normalize(&provider.id));
            let profiles: Vec<_> = self
                .snapshot
                .profiles
                .iter()
                .filter(|record| record.credential.provider == provider.id)
                .collect();
            if profiles.is_empty() && self.options.profile_ids.is_empty() {
                targets.extend(self.keys_elsewhere(&provider.id, is_in_use));
            }
            let is_wanted = |record: &&&ProfileRecord| {
                self.options.profile_ids.is_empty() || self.options.profile_ids.contains(&record.id)
            };
            for record in profiles.iter().filter(is_wanted) {
                targets.push(self.profile(record, is_in_use));
            }
        }
        if self.options.profile_ids.is_empty() {
            let more = self.workspace.environment.more_keys();
            let more = more.into_iter().filter(|(id, ..)| is_meant(id));
            targets.extend(more.map(|(id, label, key)| {
                let material = Material::ApiKey { key: Some(key) };
                let result = untried(id, label, "env", &material, in_use.contains(id));
                self.target(result, &material)
            }));
        }
        targets
    }

    fn providers_in_use(&self, report: &Report) -> HashSet<String> {
        let models = assess::models_in_use(self.snapshot).chain([&report.resolved_default]);
        models
            .filter_map(|text| model_ref::resolve(text, &self.snapshot.models.aliases).model())
            .map(|model| model.provider)
            .collect()
    }

    fn profile(&self, record: &ProfileRecord, is_in_use: bool) -> Target {
        let material = &record.credential.material;
        let provider = &record.credential.provider;
        let result = untried(provider, record.id.clone(), "profile", material, is_in_use);
        let result = ProbeResult { profile_id: Some(record.id.clone()), ..result };
        match self.ineligible(record) {
            Some(reason) => Target { result: ProbeResult { reason: Some(reason), ..result }, request: None },
            None => self.target(result, material),
        }
    }

    /// Why a profile is not worth a request.
    fn ineligible(&self, record: &ProfileRecord) -> Option<&'static str> {
        let rules = self.workspace.rules(&record.credential.provider);
        rules.ineligible(record, self.now).map(Ineligible::word)
    }

    /// The key of the environment, else the one in a file.
    fn keys_elsewhere(&self, provider_id: &str, is_in_use: bool) -> Option<Target> {
        let id = provider::normalize(provider_id);
        let env = self.snapshot.env_credentials.iter().find(|key| key.provider == id);
        let env = env.and_then(|key| Some((key.secret.clone()?, "env", key.is_oauth())));
        let file = self.snapshot.provider_keys.iter().find(|key| key.provider == provider_id);
        let (secret, source, is_oauth) =
            env.or_else(|| file.map(|key| (key.secret.clone(), "models.json", false)))?;
        let material = if is_oauth {
            Material::Token { token: Some(secret), expires: Expiry::Absent }
        } else {
            Material::ApiKey { key: Some(secret) }
        };
        let result = untried(provider_id, source.to_owned(), source, &material, is_in_use);
        Some(self.target(result, &material))
    }

    fn target(&self, mut result: ProbeResult, material: &Material) -> Target {
        let asked = match self.options.how {
            How::Cheap => cheap_request(self.workspace, &result.provider, material).ok_or("no_cheap_probe"),
            How::Model => match self.model_of(&result.provider) {
                None => {
                    result.status = ProbeStatus::NoModel;
                    Err("no_model")
                }
                Some(model) => {
                    result.model = Some(format!("{}/{model}", provider::normalize(&result.provider)));
                    self.model_request(&result.provider, &model, material).ok_or("no_model_probe")
                }
            },
        };
        match asked {
            Ok(Ok(request)) => Target { result, request: Some(request) },
            Ok(Err(why)) => {
                result.error = Some(why);
                Target { result, request: None }
            }
            Err(reason) => {
                result.reason = Some(reason);
                Target { result, request: None }
            }
        }
    }

    /// The first configured model of a provider, else the first one that ships with the program.
    fn model_of(&self, provider_id: &str) -> Option<String> {
        let id = provider::normalize(provider_id);
        let models = &self.snapshot.models;
        let configured = assess::models_in_use(self.snapshot).chain(&models.allowed);
        let declared = self.workspace.config.providers.iter();
        let declared = declared.filter(|(known, _)| provider::normalize(known) == id);
        configured
            .filter_map(|text| model_ref::resolve(text, &models.aliases).model())
            .find(|model| model.provider == id)
            .map(|model| model.model)
            .or_else(|| declared.flat_map(|(_, entry)| &entry.models).next().map(|model| model.id.clone()))
            .or_else(|| {
                let mut shipped = MODELS.iter().filter_map(|model| model.key.split_once('/'));
                shipped.find(|(known, _)| *known == id).map(|(_, model)| model.to_owned())
            })
    }

    fn model_request(
        &self,
        provider_id: &str,
        model: &str,
        material: &Material,
    ) -> Option<Result<Request, String>> {
        let secret = material.usable_secret()?;
        let id = provider::normalize(provider_id);
        let entry =
            self.workspace.config.providers.iter().find(|(known, _)| provider::normalize(known) == id);
        let api = entry.and_then(|(_, entry)| entry.api);
        let known = probe::model_api(&id);
        let dialect = match api {
            Some("anthropic-messages") => Dialect::Anthropic,
            Some("google-generative-ai") => Dialect::Google,
            Some("openai-completions") => Dialect::OpenAi,
            Some(_) => return None,
            None => known?.1,
        };
        let base = self.workspace.base_url(&id).or_else(|| Some(known?.0.to_owned()))?;
        let max = self.options.max_tokens;
        let ask = json!([{"role": "user", "content": "Reply with OK. Do not use tools."}]);
        let (path, body) = match dialect {
            Dialect::Anthropic => {
                ("/v1/messages".to_owned(), json!({"model": model, "max_tokens": max, "messages": ask}))
            }
            Dialect::OpenAi => {
                ("/chat/completions".to_owned(), json!({"model": model, "max_tokens": max, "messages": ask}))
            }
            Dialect::Google => (
                format!("/models/{model}:generateContent"),
                json!({"contents": [{"parts": [{"text": "Reply with OK."}]}], "generationConfig": {"maxOutputTokens": max}}),
            ),
        };
        let body = Secret::new(body.to_string());
        let url = address(&id, &base, &path);
        Some(url.map(|url| {
            let request = Request::post(url, "application/json", body);
            match (dialect, material) {
                (Dialect::Anthropic, Material::ApiKey { .. }) => carried(
                    request.header("anthropic-version", Secret::new("2023-06-01")),
                    Carrier::Header("x-api-key"),
                    secret,
                ),
                (Dialect::Anthropic, _) => carried(
                    request
                        .header("anthropic-version", Secret::new("2023-06-01"))
                        .header("anthropic-beta", Secret::new("oauth-2025-04-20")),
                    Carrier::Bearer,
                    secret,
                ),
                (Dialect::Google, _) => carried(request, Carrier::Header("x-goog-api-key"), secret),
                (Dialect::OpenAi, _) => carried(request, Carrier::Bearer, secret),
            }
        }))
    }
}

/// A credential of which nothing is known yet.
fn untried(
    provider_id: &str,
    label: String,
    source: &'static str,
    material: &Material,
    is_in_use: bool,
) -> ProbeResult {
    ProbeResult {
        provider: provider_id.to_owned(),
        model: None,
        profile_id: None,
        label,
        source,
        mode: material.type_name(),
        is_in_use,
        status: ProbeStatus::Unknown,
        reason: None,
        error: None,
        latency_ms: None,
    }
}
