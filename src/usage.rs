//! Asking providers how much of a subscription is left, seldom enough never to be what spends it.

use std::thread;
use std::time::Duration;

use crate::clock::Clock;
use crate::core::credential::{Credential, EpochMs, Material};
use crate::core::endpoint;
use crate::core::failure::{self, Endpoint, FailureClass, Response};
use crate::core::provider;
use crate::core::secret::Secret;
use crate::core::snapshot::{ProfileRecord, Snapshot};
use crate::core::usage::{MIN_INTERVAL, Usage, UsageRecord};
use crate::format::usage as answers;
use crate::sys::http_client::{self, Request};
use crate::workspace::Workspace;
use crate::workspace::memory::Memory;

/// How long a provider gets (reference: 3.5 s).
const TIME_LIMIT: Duration = Duration::from_millis(3_500);
/// The longest wait that a provider may ask for.
const LONGEST_WAIT: i64 = 6 * 60 * 60 * 1000;

/// Where each provider tells it. Source: the usage code of the reference.
const ENDPOINTS: &[(&str, &str)] = &[
    ("anthropic", "https://api.anthropic.com/api/oauth/usage"),
    ("github-copilot", "https://api.github.com/copilot_internal/user"),
    ("google-gemini-cli", "https://cloudcode-pa.googleapis.com/v1internal:retrieveUserQuota"),
    ("minimax", "https://api.minimaxi.com/v1/api/openplatform/coding_plan/remains"),
    ("openai-codex", "https://chatgpt.com/backend-api/wham/usage"),
    ("zai", "https://api.z.ai/api/monitor/usage/quota/limit"),
];

/// Whether a provider tells it at all.
pub fn is_told_by(provider_id: &str) -> bool {
    let id = provider::normalize(provider_id);
    ENDPOINTS.iter().any(|(known, _)| *known == id)
}

/// A login to ask for.
struct Target<'s> {
    profile_id: &'s str,
    provider: &'s str,
    /// The secret that its memory is filed under.
    named_by: &'s Secret,
    request: Result<Request, String>,
    /// An access token that is over is not sent: some providers answer it with a limit, and renewing it is another
    /// command's business.
    is_over: bool,
    remembered: UsageRecord,
}

/// What is left of every subscription that tells it: asked for where that is due, else as it was remembered.
pub fn run(workspace: &Workspace, snapshot: &Snapshot, clock: &Clock, tell: &dyn Fn(&str)) -> Vec<Usage> {
    let now = clock.now().timestamp_millis();
    let targets: Vec<_> = snapshot
        .profiles
        .iter()
        .filter_map(|record| target(workspace, &record.id, &record.credential, now))
        .collect();
    let asked: Vec<Option<UsageRecord>> = thread::scope(|scope| {
        let asking: Vec<_> = targets
            .iter()
            .map(|target| {
                let may_ask = !target.is_over && target.remembered.is_due(now);
                may_ask.then(|| scope.spawn(|| ask(target, clock)))
            })
            .collect();
        asking.into_iter().map(|asking| asking.and_then(|asking| asking.join().ok())).collect()
    });
    let fresh: Vec<_> =
        targets.iter().zip(&asked).filter_map(|(target, asked)| Some((target, asked.as_ref()?))).collect();
    if !fresh.is_empty() {
        let remembered = Memory::of(&workspace.paths).update(clock, |state, salt| {
            for (target, record) in &fresh {
                state.set_usage(&target.named_by.fingerprint(salt), (*record).clone(), now);
            }
        });
        if let Err(reason) = remembered {
            tell(&format!("note: failed to remember the usage: {reason}"));
        }
    }
    let usage = |(target, asked): (&Target<'_>, Option<UsageRecord>)| Usage {
        profile_id: target.profile_id.to_owned(),
        provider: target.provider.to_owned(),
        record: match asked {
            Some(record) => record,
            None if target.is_over => UsageRecord {
                error: Some(FailureClass::Expired.word().to_owned()),
                ..target.remembered.clone()
            },
            None => target.remembered.clone(),
        },
    };
    targets.iter().zip(asked).map(usage).collect()
}

/// What is remembered of every subscription. Nobody is asked.
pub fn remembered(workspace: &Workspace, snapshot: &Snapshot) -> Vec<Usage> {
    let of = |record: &ProfileRecord| {
        let (named_by, _) = memory_of(&record.credential)?;
        let remembered = workspace.usage_record(named_by);
        remembered.fetched_at.map(|_| Usage {
            profile_id: record.id.clone(),
            provider: record.credential.provider.clone(),
            record: remembered,
        })
    };
    let has_memory = workspace.memory.salt.is_some();
    snapshot.profiles.iter().filter(|_| has_memory).filter_map(of).collect()
}

/// The secret that the memory of a login is filed under, and the endpoint that tells it.
fn memory_of(credential: &Credential) -> Option<(&Secret, &'static str)> {
    let id = provider::normalize(&credential.provider);
    let (_, address) = ENDPOINTS.iter().find(|(known, _)| *known == id)?;
    // An API key of Anthropic is paid by use: it has no window.
    if matches!(credential.material, Material::ApiKey { .. }) && !["minimax", "zai"].contains(&id.as_str()) {
        return None;
    }
    let secret = credential.material.usable_secret()?;
    Some((credential.material.refresh_token().unwrap_or(secret), address))
}

fn target<'s>(
    workspace: &Workspace,
    profile_id: &'s str,
    credential: &'s Credential,
    now: EpochMs,
) -> Option<Target<'s>> {
    let id = provider::normalize(&credential.provider);
    let (named_by, address) = memory_of(credential)?;
    let secret = credential.material.usable_secret()?;
    let url = workspace.ops.provider(&id).usage_url;
    let url = url.map_or_else(|| endpoint::parse(address).map_err(str::to_owned), Ok);
    let remembered = workspace.usage_record(named_by);
    let request = url.map(|url| request(&id, url, secret, credential));
    let is_over = credential.material.expiry().at().is_some_and(|expires| expires <= now);
    Some(Target { profile_id, provider: &credential.provider, named_by, request, is_over, remembered })
}

fn request(provider_id: &str, url: url::Url, secret: &Secret, credential: &Credential) -> Request {
    let bearer = |secret: &Secret| Secret::new(format!("Bearer {}", secret.expose().trim()));
    match (provider_id, &credential.material) {
        ("anthropic", _) => Request::get(url)
            .header("authorization", bearer(secret))
            .header("anthropic-version", Secret::new("2023-06-01"))
            .header("anthropic-beta", Secret::new("oauth-2025-04-20")),
        ("github-copilot", material) => {
            let token = material.refresh_token().unwrap_or(secret);
            Request::get(url).header("authorization", Secret::new(format!("token {}", token.expose().trim())))
        }
        ("google-gemini-cli", _) => {
            Request::post(url, "application/json", Secret::new("{}")).header("authorization", bearer(secret))
        }
        ("openai-codex", Material::OAuth { account_id: Some(account), .. }) => Request::get(url)
            .header("authorization", bearer(secret))
            .header("chatgpt-account-id", Secret::new(account.as_str())),
        _ => Request::get(url).header("authorization", bearer(secret)),
    }
}

fn ask(target: &Target<'_>, clock: &Clock) -> UsageRecord {
    let id = provider::normalize(target.provider);
    let answer = match &target.request {
        Ok(request) => http_client::send(request, TIME_LIMIT),
        Err(_) => return failed(target, FailureClass::Unknown, None, clock.now().timestamp_millis()),
    };
    let now = clock.now().timestamp_millis();
    match answer {
        Ok(answer) => {
            let response = Response {
                endpoint: Endpoint::Api,
                provider: &id,
                status: answer.status,
                headers: &answer.headers,
                body: answer.body.expose(),
            };
            if let Some(failure) = failure::classify(&response, now) {
                return failed(target, failure.class, failure.retry_after_ms, now);
            }
            match answers::windows(&id, answer.body.expose()) {
                Some(windows) => UsageRecord {
                    windows,
                    fetched_at: Some(now),
                    not_before: Some(now.saturating_add(MIN_INTERVAL)),
                    error: None,
                },
                None => failed(target, FailureClass::Malformed, None, now),
            }
        }
        Err(failure) => failed(target, failure.class(), None, now),
    }
}

/// The figures stay, their age grows, and the provider is left alone for as long as it wants.
fn failed(target: &Target<'_>, class: FailureClass, wait: Option<i64>, now: EpochMs) -> UsageRecord {
    let wait = wait.unwrap_or_default().clamp(MIN_INTERVAL, LONGEST_WAIT);
    UsageRecord {
        not_before: Some(now.saturating_add(wait)),
        error: Some(class.word().to_owned()),
        ..target.remembered.clone()
    }
}
