//! The report as JSON: every key of the reference under its name and shape, and additions of ours.
//!
//! `docs/models-status.schema.json` describes it; a test holds the two together.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use crate::core::credential::Expiry;
use crate::core::report::{KeyReport, ProfileReport, ProviderReport, Report, Unusable};
use crate::core::snapshot::{Source, SourceState};
use crate::exit::ExitStatus;
use crate::render::is_harmful;

/// The document, 2-space JSON and a newline.
pub fn render(report: &Report) -> String {
    let document = serde_json::to_string_pretty(&document(report)).unwrap_or_default();
    escaped(document)
}

/// Characters that a terminal would obey stand only inside of texts, where JSON can spell them another way.
fn escaped(document: String) -> String {
    let mut shown = document;
    if shown.chars().any(|c| is_harmful(c) && c != '\n') {
        let mut safe = String::with_capacity(shown.len());
        for c in shown.chars() {
            if is_harmful(c) && c != '\n' {
                let _ = write!(safe, "\\u{:04x}", u32::from(c));
            } else {
                safe.push(c);
            }
        }
        shown = safe;
    }
    shown.push('\n');
    shown
}

fn document(report: &Report) -> Value {
    let models = &report.models;
    let aliases: Map<String, Value> =
        models.aliases.iter().map(|(alias, key)| (alias.clone(), json!(key))).collect();
    let source_of = |from_agent: bool| if from_agent { "agent" } else { "defaults" };
    json!({
        "configPath": report.config_path.full,
        "agentDir": report.agent_dir.full,
        "agentId": report.agent_id,
        "defaultModel": models.primary.as_ref().unwrap_or(&report.resolved_default),
        "resolvedDefault": report.resolved_default,
        "modelConfig": {
            "defaultSource": source_of(models.primary_from_agent),
            "fallbacksSource": source_of(models.fallbacks_from_agent),
        },
        "fallbacks": models.fallbacks,
        "imageModel": models.image_primary,
        "imageFallbacks": models.image_fallbacks,
        "aliases": aliases,
        "allowed": models.allowed,
        "auth": {
            "storePath": report.store_path.full,
            "shellEnvFallback": {
                "enabled": report.shell_env.enabled,
                "appliedKeys": report.shell_env.applied,
            },
            "providersWithOAuth": providers_with_oauth(report),
            "missingProvidersInUse": report.missing_in_use.iter().map(|missing| &missing.id).collect::<Vec<_>>(),
            "missing": report.missing_in_use.iter().map(|missing| json!({
                "provider": missing.id,
                "lookedAt": missing.looked_at,
                "remedies": missing.remedies,
            })).collect::<Vec<_>>(),
            "providers": report.providers.iter().filter(|provider| provider.has_credential())
                .map(|provider| overview(report, provider)).collect::<Vec<_>>(),
            "unusableProfiles": report.unusable.iter().map(unusable).collect::<Vec<_>>(),
            "oauth": {
                "warnAfterMs": report.policy.warn_after_ms,
                "profiles": report.profiles.iter().map(profile).collect::<Vec<_>>(),
                "providers": report.providers.iter().map(|provider| health(report, provider)).collect::<Vec<_>>(),
            },
        },
        "check": {
            "verdict": report.verdict.word(),
            "exitCode": ExitStatus::from(report.verdict).code(),
            "generatedAt": report.generated_at,
            "refreshable": report.policy.refreshable.word(),
            "humanNeededBy": report.human_needed_by,
            "causes": report.causes.iter().map(|cause| json!({
                "verdict": cause.verdict.word(),
                "subject": cause.subject,
                "reason": cause.reason,
                "remedies": cause.remedies,
            })).collect::<Vec<_>>(),
        },
        "sources": report.sources.iter().map(source).collect::<Vec<_>>(),
        "findings": report.findings.iter().map(|finding| json!({
            "code": finding.code.name(),
            "severity": finding.code.severity().word(),
            "title": finding.code.title(),
            "subject": finding.subject,
            "message": finding.message,
            "remedy": finding.remedy,
        })).collect::<Vec<_>>(),
    })
}

fn providers_with_oauth(report: &Report) -> Vec<String> {
    report
        .providers
        .iter()
        .map(|provider| {
            let from_env = usize::from(provider.env.as_ref().is_some_and(|env| env.oauth));
            (&provider.id, count(report, provider, "oauth") + count(report, provider, "token") + from_env)
        })
        .filter(|(_, count)| *count > 0)
        .map(|(id, count)| format!("{id} ({count})"))
        .collect()
}

fn count(report: &Report, provider: &ProviderReport, kind: &str) -> usize {
    provider.profiles.iter().filter(|&&at| report.profiles[at].kind == kind).count()
}

fn overview(report: &Report, provider: &ProviderReport) -> Value {
    let (kind, detail) = match (provider.profiles.is_empty(), &provider.env, &provider.key) {
        (false, _, _) => ("profiles", report.profiles[provider.profiles[0]].store.short.as_str()),
        (true, Some(env), _) => ("env", env.masked.as_str()),
        (true, None, Some(key)) => ("models.json", key.masked.as_str()),
        (true, None, None) => ("missing", "missing"),
    };
    let mut value = json!({
        "provider": provider.id,
        "effective": { "kind": kind, "detail": detail },
        "profiles": {
            "count": provider.profiles.len(),
            "oauth": count(report, provider, "oauth"),
            "token": count(report, provider, "token"),
            "apiKey": count(report, provider, "api_key"),
            "labels": provider.labels,
        },
    });
    let key = |key: &KeyReport| json!({ "value": key.masked, "source": key.source });
    if let Some(env) = &provider.env {
        value["env"] = json!({ "value": env.masked, "source": env.source, "layer": env.layer });
    }
    if let Some(found) = &provider.key {
        value["modelsJson"] = key(found);
    }
    value
}

fn unusable(entry: &Unusable) -> Value {
    let mut value = json!({
        "profileId": entry.profile_id,
        "kind": if entry.disabled { "disabled" } else { "cooldown" },
        "until": entry.until,
        "remainingMs": entry.remaining_ms,
    });
    if let Some(provider) = &entry.provider {
        value["provider"] = json!(provider);
    }
    if let Some(reason) = &entry.reason {
        value["reason"] = json!(reason);
    }
    value
}

fn profile(profile: &ProfileReport) -> Value {
    let mut value = json!({
        "profileId": profile.id,
        "provider": profile.provider,
        "type": profile.kind,
        "status": profile.status.word(),
    });
    match profile.expires {
        Expiry::At(expires) => value["expiresAt"] = json!(expires),
        Expiry::Null => value["expiresAt"] = Value::Null,
        Expiry::Absent | Expiry::NotPositive | Expiry::Unreadable => {}
    }
    if let Some(remaining_ms) = profile.remaining_ms {
        value["remainingMs"] = json!(remaining_ms);
    }
    value["source"] = json!(profile.source);
    value["label"] = json!(profile.label);
    value["reason"] = json!(profile.reason.word());
    value["verdict"] = json!(profile.verdict.word());
    value["refreshable"] = json!(profile.refreshable);
    value["loginDeadline"] = json!(profile.login.deadline);
    value["humanNeededBy"] = json!(profile.human_needed_by);
    value["subscription"] = json!(profile.login.subscription);
    value["rateLimitTier"] = json!(profile.login.rate_limit_tier);
    value["scopes"] = json!(profile.login.scopes);
    value["store"] = json!(profile.store.full);
    value["inherited"] = json!(profile.inherited);
    value["unusable"] = profile.unusable.as_ref().map_or(Value::Null, unusable);
    value["remedies"] = json!(profile.remedies);
    value
}

fn health(report: &Report, provider: &ProviderReport) -> Value {
    let profiles: Vec<_> = provider.profiles.iter().map(|&at| profile(&report.profiles[at])).collect();
    let mut value =
        json!({ "provider": provider.id, "status": provider.status.word(), "profiles": profiles });
    if let (Some(expires), Some(remaining_ms)) = (provider.expires, provider.remaining_ms) {
        value["expiresAt"] = json!(expires);
        value["remainingMs"] = json!(remaining_ms);
    }
    value
}

fn source(source: &Source) -> Value {
    let (state, problem) = match &source.state {
        SourceState::Read => ("read", None),
        SourceState::Absent => ("absent", None),
        SourceState::Unreadable(problem) => ("unreadable", Some(problem)),
    };
    let mut value = json!({ "role": source.role, "path": source.path.full, "state": state });
    if let Some(problem) = problem {
        value["error"] = json!(problem.message);
        if let Some((line, column)) = problem.position {
            value["line"] = json!(line);
            value["column"] = json!(column);
        }
    }
    value
}
