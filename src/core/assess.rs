//! Snapshot in, report out. The only place that compares an expiry with the time.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::core::collate;
use crate::core::credential::{CLAUDE_CLI_PROFILE, CODEX_CLI_PROFILE, Credential, EpochMs, Expiry, Material};
use crate::core::finding::{Code, Finding, Severity};
use crate::core::login::Vendor;
use crate::core::model_ref;
use crate::core::notice;
use crate::core::oauth;
use crate::core::provider;
use crate::core::remedy;
use crate::core::report::{
    Cause, KeyReport, MissingProvider, Policy, ProfileReport, ProviderReport, Reason, Report, Status,
    Unusable, Verdict,
};
use crate::core::snapshot::{ProfileRecord, Snapshot};
use crate::core::span;
use crate::core::store::UsageStats;

/// Judges everything that one load of the workspace saw.
pub fn assess(snapshot: &Snapshot, now: DateTime<Utc>, policy: &Policy) -> Report {
    let now = now.timestamp_millis();
    let unusable = unusable_profiles(snapshot, now);
    let resting: HashMap<&str, &Unusable> =
        unusable.iter().map(|entry| (entry.profile_id.as_str(), entry)).collect();
    let stats: HashMap<&str, &UsageStats> =
        snapshot.usage.iter().map(|(id, stats)| (id.as_str(), stats)).collect();
    let judge = |record: &ProfileRecord| {
        let id = record.id.as_str();
        let rest = (resting.get(id).copied(), stats.get(id).copied());
        judge_profile(snapshot, record, rest, now, policy)
    };
    let mut profiles: Vec<_> = snapshot.profiles.iter().map(judge).collect();
    let labels: Vec<_> = profiles.iter().map(overview_label).collect();
    let mut order: Vec<usize> = (0..profiles.len()).collect();
    order.sort_by_cached_key(|&at| (collate::key(&profiles[at].provider), collate::key(&profiles[at].id)));
    let place = places(&order);
    let providers = judge_providers(snapshot, &profiles, &labels, &place, now);
    let mut slots: Vec<_> = profiles.drain(..).map(Some).collect();
    let profiles: Vec<_> = order.iter().filter_map(|&from| slots[from].take()).collect();
    let missing_in_use = missing_in_use(snapshot, &providers);
    let findings = notice::findings(snapshot, now);
    let causes = causes(&profiles, &missing_in_use, &findings);
    let is_blind = findings.iter().any(|finding| finding.code.severity() == Severity::Error);
    let is_needed_now = is_blind || !missing_in_use.is_empty();
    Report {
        generated_at: now,
        policy: *policy,
        verdict: causes.iter().map(|cause| cause.verdict).max().unwrap_or(Verdict::Ok),
        human_needed_by: profiles
            .iter()
            .filter_map(|profile| profile.human_needed_by)
            .chain(is_needed_now.then_some(now))
            .min(),
        causes,
        agent_id: snapshot.agent_id.clone(),
        agent_dir: snapshot.agent_dir.clone(),
        store_path: snapshot.store_path.clone(),
        config_path: snapshot.config_path.clone(),
        models: snapshot.models.clone(),
        configured_providers: snapshot.configured_providers.clone(),
        cli_backends: snapshot.cli_backends.clone(),
        resolved_default: resolved_default(snapshot),
        profiles,
        providers,
        missing_in_use,
        unusable,
        shell_env: snapshot.shell_env.clone(),
        sources: snapshot.sources.clone(),
        findings,
        probes: None,
        usage: None,
    }
}

/// The status of a credential's own clock at an instant.
pub fn status_of(credential: &Credential, now: EpochMs, warn_after_ms: i64) -> (Status, Reason) {
    let material = &credential.material;
    if material.usable_secret().is_none() {
        let blanked = matches!(material, Material::OAuth { .. }) && material.refresh_token().is_none();
        return (Status::Missing, if blanked { Reason::Blanked } else { Reason::NoSecret });
    }
    match (material, material.expiry()) {
        (Material::ApiKey { .. }, _) => (Status::Static, Reason::Static),
        (_, Expiry::At(expires)) => Policy { warn_after_ms, ..Policy::default() }.status_at(expires, now),
        (Material::Token { .. }, Expiry::Unreadable) => (Status::Static, Reason::ExpiryUnreadable),
        (Material::Token { .. }, _) => (Status::Static, Reason::Static),
        (Material::OAuth { .. }, Expiry::Unreadable) => (Status::Missing, Reason::ExpiryUnreadable),
        (Material::OAuth { .. }, _) => (Status::Missing, Reason::NoExpiry),
    }
}

fn judge_profile(
    snapshot: &Snapshot,
    record: &ProfileRecord,
    (unusable, used): (Option<&Unusable>, Option<&UsageStats>),
    now: EpochMs,
    policy: &Policy,
) -> ProfileReport {
    let credential = &record.credential;
    let (status, reason) = status_of(credential, now, policy.warn_after_ms);
    let renews = renews(record, &snapshot.own_clients, policy);
    let deadline = record.login.deadline;
    let refreshable = renews && deadline.is_none_or(|deadline| deadline > now);
    let human_needed_by = human_needed_by(credential, status, renews, deadline, now);
    let verdict = policy.verdict_of(status, human_needed_by, now);
    let email = record.email.clone();
    ProfileReport {
        id: record.id.clone(),
        provider: credential.provider.clone(),
        kind: credential.material.type_name(),
        status,
        reason,
        expires: credential.material.expiry(),
        remaining_ms: credential.material.expiry().at().map(|expires| expires.saturating_sub(now)),
        source: match record.id.as_str() {
            CLAUDE_CLI_PROFILE => "claude-cli",
            CODEX_CLI_PROFILE => "codex-cli",
            _ => "store",
        },
        label: email.as_ref().map_or_else(|| record.id.clone(), |email| format!("{} ({email})", record.id)),
        masked: masked(&credential.material),
        email,
        refreshable,
        login: record.login.clone(),
        refresh: record.refresh.clone(),
        human_needed_by,
        verdict,
        unusable: unusable.cloned(),
        last_used: used.and_then(|used| used.last_used),
        error_count: used.map_or(0, |used| used.error_count),
        store: Arc::clone(&record.store),
        inherited: record.inherited,
        remedies: if status.verdict() == Verdict::Ok && verdict == Verdict::Ok {
            Vec::new()
        } else {
            remedy::mend_profile(record, status, refreshable, snapshot)
        },
    }
}

/// Whether a program can renew the login without a person, its deadline aside.
fn renews(record: &ProfileRecord, own_clients: &[String], policy: &Policy) -> bool {
    let of_a_vendor = Vendor::of_profile(&record.id).is_some();
    record.credential.material.refresh_token().is_some()
        && !record.login.lost
        && !record.refresh.needs_human()
        && oauth::can_renew(&record.credential.provider, own_clients)
        && (policy.renews_vendor_logins || !of_a_vendor)
}

/// Two clocks: a renewable login needs a person when the login itself ends, anything else when its token does.
fn human_needed_by(
    credential: &Credential,
    status: Status,
    renews: bool,
    deadline: Option<EpochMs>,
    now: EpochMs,
) -> Option<EpochMs> {
    let expires = credential.material.expiry().at();
    match (renews, status) {
        (true, _) => deadline.map(|deadline| expires.map_or(deadline, |expires| expires.max(deadline))),
        (false, Status::Missing) => Some(now),
        (false, _) => expires,
    }
}

fn masked(material: &Material) -> String {
    let mask = material.usable_secret().map_or_else(|| "missing".to_owned(), super::secret::Secret::mask);
    match material {
        Material::ApiKey { .. } => mask,
        Material::Token { .. } => format!("token:{mask}"),
        Material::OAuth { .. } => "OAuth".to_owned(),
    }
}

fn overview_label(profile: &ProfileReport) -> String {
    let email = match &profile.email {
        Some(email) if profile.kind == "oauth" => format!(" ({email})"),
        _ => String::new(),
    };
    let rest = profile.unusable.as_ref().map_or_else(String::new, |unusable| {
        let span = span::short(unusable.remaining_ms);
        match (unusable.disabled, &unusable.reason) {
            (true, Some(reason)) => format!(" [disabled:{reason} {span}]"),
            (true, None) => format!(" [disabled {span}]"),
            (false, _) => format!(" [cooldown {span}]"),
        }
    });
    format!("{}={}{email}{rest}", profile.id, profile.masked)
}

fn unusable_profiles(snapshot: &Snapshot, now: EpochMs) -> Vec<Unusable> {
    let providers: HashMap<_, _> =
        snapshot.profiles.iter().map(|record| (record.id.as_str(), &record.credential.provider)).collect();
    let mut unusable: Vec<_> = snapshot
        .usage
        .iter()
        .filter_map(|(id, stats)| unusable_until(stats, now).map(|until| (id, stats, until)))
        .map(|(id, stats, until)| {
            let disabled = stats.disabled_until.is_some_and(|instant| instant > now);
            Unusable {
                profile_id: id.clone(),
                provider: providers.get(id.as_str()).map(|provider| (*provider).clone()),
                disabled,
                reason: stats.disabled_reason.clone().filter(|_| disabled),
                until,
                remaining_ms: until.saturating_sub(now),
            }
        })
        .collect();
    unusable.sort_by_key(|entry| entry.until);
    unusable
}

fn unusable_until(stats: &UsageStats, now: EpochMs) -> Option<EpochMs> {
    stats.cooldown_until.max(stats.disabled_until).filter(|until| *until > now)
}

/// For each position in file order, the position after sorting.
fn places(order: &[usize]) -> Vec<usize> {
    let mut places = vec![0; order.len()];
    for (to, &from) in order.iter().enumerate() {
        places[from] = to;
    }
    places
}

fn judge_providers(
    snapshot: &Snapshot,
    profiles: &[ProfileReport],
    labels: &[String],
    place: &[usize],
    now: EpochMs,
) -> Vec<ProviderReport> {
    let mut members: HashMap<&str, Vec<usize>> = HashMap::new();
    for (position, profile) in profiles.iter().enumerate() {
        members.entry(profile.provider.as_str()).or_default().push(position);
    }
    let mut ids: Vec<String> = members.keys().map(|id| (*id).to_owned()).collect();
    ids.extend(snapshot.configured_providers.iter().cloned());
    ids.extend(snapshot.provider_keys.iter().map(|key| key.provider.clone()));
    ids.extend(models_in_use(snapshot).chain(snapshot.models.allowed.iter()).filter_map(|text| {
        model_ref::resolve(text, &snapshot.models.aliases).model().map(|model| model.provider)
    }));
    if snapshot.models.primary.is_none() {
        ids.extend(model_ref::resolve(model_ref::DEFAULT_MODEL, &[]).model().map(|model| model.provider));
    }
    ids.extend(
        snapshot
            .env_credentials
            .iter()
            .filter(|key| provider::find(key.provider).is_some_and(|provider| provider.always_probed))
            .map(|key| key.provider.to_owned()),
    );
    ids.sort_by_cached_key(|id| collate::key(id));
    ids.dedup();
    ids.iter()
        .map(|id| {
            let members = members.get(id.as_str()).map_or(&[][..], Vec::as_slice);
            judge_provider(snapshot, id, members, profiles, labels, place, now)
        })
        .collect()
}

fn judge_provider(
    snapshot: &Snapshot,
    id: &str,
    members: &[usize],
    profiles: &[ProfileReport],
    labels: &[String],
    place: &[usize],
    now: EpochMs,
) -> ProviderReport {
    let expirable = || members.iter().map(|&at| &profiles[at]).filter(|profile| profile.kind != "api_key");
    let status = if members.is_empty() {
        Status::Missing
    } else if expirable().next().is_none() {
        Status::Static
    } else {
        match expirable().map(|profile| profile.status.verdict()).max() {
            Some(Verdict::Failing) => Status::Expired,
            Some(Verdict::Expiring) => Status::Expiring,
            Some(Verdict::Ok) | None => Status::Ok,
        }
    };
    let expires = expirable().filter_map(|profile| profile.expires.at()).min();
    let normal = provider::normalize(id);
    let mut sorted: Vec<usize> = members.iter().map(|&at| place[at]).collect();
    sorted.sort_unstable();
    ProviderReport {
        id: id.to_owned(),
        status,
        expires,
        remaining_ms: expires.map(|expires| expires.saturating_sub(now)),
        profiles: sorted,
        labels: members.iter().map(|&at| labels[at].clone()).collect(),
        env: snapshot.env_credentials.iter().find(|key| key.provider == normal).map(|key| KeyReport {
            masked: key.mask(),
            source: key.source.clone(),
            layer: key.layer.clone(),
            oauth: key.is_oauth(),
        }),
        key: snapshot.provider_keys.iter().find(|key| key.provider == id).map(|key| KeyReport {
            masked: key.secret.mask(),
            source: key.source.clone(),
            layer: String::new(),
            oauth: false,
        }),
    }
}

/// The configured models that a request may reach, as written.
pub fn models_in_use(snapshot: &Snapshot) -> impl Iterator<Item = &String> {
    let models = &snapshot.models;
    let primaries = models.primary.iter().chain(&models.image_primary);
    primaries.chain(&models.fallbacks).chain(&models.image_fallbacks)
}

fn resolved_default(snapshot: &Snapshot) -> String {
    let primary = snapshot.models.primary.as_deref().unwrap_or(model_ref::DEFAULT_MODEL);
    model_ref::resolve(primary, &snapshot.models.aliases)
        .model()
        .map_or_else(|| model_ref::DEFAULT_MODEL.to_owned(), |model| model.key())
}

fn missing_in_use(snapshot: &Snapshot, providers: &[ProviderReport]) -> Vec<MissingProvider> {
    let default = resolved_default(snapshot);
    let mut ids: Vec<String> = models_in_use(snapshot)
        .chain(std::iter::once(&default))
        .filter_map(|text| model_ref::resolve(text, &snapshot.models.aliases).model())
        .map(|model| model.provider)
        .filter(|id| !snapshot.cli_backends.contains(&id.as_str()))
        .filter(|id| {
            !providers.iter().any(|entry| provider::normalize(&entry.id) == *id && entry.has_credential())
        })
        .collect();
    ids.sort_by_cached_key(|id| collate::key(id));
    ids.dedup();
    ids.into_iter()
        .map(|id| MissingProvider {
            looked_at: looked_at(snapshot, &id),
            remedies: remedy::get_credential(&id, snapshot),
            id,
        })
        .collect()
}

fn looked_at(snapshot: &Snapshot, id: &str) -> Vec<String> {
    let mut places = vec![format!("auth store {}", snapshot.store_path.short)];
    for source in snapshot.sources.iter().filter(|source| source.provider == Some(id)) {
        places.push(format!("{} {}", source.role, source.path.short));
    }
    let known = provider::find(id);
    if id == provider::GOOGLE_VERTEX {
        places.push("GOOGLE_CLOUD_PROJECT and GOOGLE_CLOUD_LOCATION, which must both be set".to_owned());
    }
    if let Some(known) = known.filter(|provider| !provider.env.is_empty()) {
        places.push(format!("{} in the environment and .env files", known.env.join(", ")));
    }
    places.push(format!("models.providers.{id}.apiKey in {}", snapshot.config_path.short));
    places
}

fn causes(profiles: &[ProfileReport], missing: &[MissingProvider], findings: &[Finding]) -> Vec<Cause> {
    let mut causes = Vec::new();
    for finding in findings {
        if matches!(finding.code, Code::ClockImplausible | Code::SourceUnreadable) {
            causes.push(Cause {
                verdict: Verdict::Failing,
                subject: finding.subject.clone(),
                is_of_the_host: true,
                reason: finding.code.name(),
                remedies: finding.remedy.iter().cloned().collect(),
            });
        }
    }
    for profile in profiles.iter().filter(|profile| profile.verdict != Verdict::Ok) {
        causes.push(Cause {
            verdict: profile.verdict,
            subject: profile.id.clone(),
            is_of_the_host: false,
            reason: profile.reason.word(),
            remedies: profile.remedies.clone(),
        });
    }
    for provider in missing {
        causes.push(Cause {
            verdict: Verdict::Failing,
            subject: provider.id.clone(),
            is_of_the_host: true,
            reason: "provider-missing",
            remedies: provider.remedies.clone(),
        });
    }
    causes.sort_by_key(|cause| std::cmp::Reverse(cause.verdict));
    causes
}
