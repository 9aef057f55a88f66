//! The report as JSON: every key of the reference under its name and shape, and additions of ours.
//!
//! `docs/models-status.schema.json` describes it; a test holds the two together. The types here borrow from the report
//! and are written out directly: a report of 10,000 profiles is a text of several MB.

mod probes;
mod views;

use std::fmt::Write;

use crate::core::printable::is_harmful;
use crate::core::report::{ProviderReport, Report};
use crate::exit::ExitStatus;
use probes::{ProbesView, UsageView};
use views::{
    Aliases, Auth, CauseView, Check, Counts, Document, Effective, FindingView, FullProfile, Health, KeyView,
    MissingView, ModelConfig, Overview, ProfileView, ProfilesDocument, ProviderHealth, ShellEnvView,
    SourceView, UnusableView,
};

/// The document, 2-space JSON and a newline.
pub fn render(report: &Report) -> String {
    escaped(serde_json::to_string_pretty(&Document::of(report)).unwrap_or_default())
}

/// The profiles of the document alone, with the agent and its store.
pub fn render_profiles(report: &Report) -> String {
    escaped(serde_json::to_string_pretty(&ProfilesDocument::of(report)).unwrap_or_default())
}

/// Characters that a terminal would obey stand only inside of texts, where JSON can spell them another way.
fn escaped(mut document: String) -> String {
    let is_suspicious = |byte: u8| byte >= 0x7f;
    if document.bytes().any(is_suspicious) && document.chars().any(|c| is_harmful(c) && c != '\n') {
        let mut safe = String::with_capacity(document.len());
        for c in document.chars() {
            if is_harmful(c) && c != '\n' {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(safe, "\\u{unit:04x}");
                }
            } else {
                safe.push(c);
            }
        }
        document = safe;
    }
    document.push('\n');
    document
}

impl<'r> Document<'r> {
    fn of(report: &'r Report) -> Self {
        let models = &report.models;
        let source_of = |from_agent: bool| if from_agent { "agent" } else { "defaults" };
        Self {
            config_path: &report.config_path.full,
            agent_dir: &report.agent_dir.full,
            agent_id: &report.agent_id,
            default_model: models.primary.as_ref().unwrap_or(&report.resolved_default),
            resolved_default: &report.resolved_default,
            model_config: ModelConfig {
                default_source: source_of(models.primary_from_agent),
                fallbacks_source: source_of(models.fallbacks_from_agent),
            },
            fallbacks: &models.fallbacks,
            image_model: models.image_primary.as_deref(),
            image_fallbacks: &models.image_fallbacks,
            aliases: Aliases(&models.aliases),
            allowed: &models.allowed,
            auth: Auth::of(report),
            check: Check {
                verdict: report.verdict.word(),
                exit_code: ExitStatus::from(report.verdict).code(),
                generated_at: report.generated_at,
                refreshable: report.policy.refreshable.word(),
                human_needed_by: report.human_needed_by,
                causes: report.causes.iter().map(CauseView::from).collect(),
            },
            sources: report.sources.iter().map(SourceView::from).collect(),
            findings: report.findings.iter().map(FindingView::from).collect(),
        }
    }
}

impl<'r> ProfilesDocument<'r> {
    fn of(report: &'r Report) -> Self {
        Self {
            agent_id: &report.agent_id,
            store_path: &report.store_path.full,
            profiles: report.profiles.iter().map(FullProfile::from).collect(),
        }
    }
}

impl<'r> Auth<'r> {
    fn of(report: &'r Report) -> Self {
        let with_credential = report.providers.iter().filter(|provider| provider.has_credential());
        Self {
            store_path: &report.store_path.full,
            shell_env_fallback: ShellEnvView::from(&report.shell_env),
            providers_with_oauth: providers_with_oauth(report),
            missing_providers_in_use: report
                .missing_in_use
                .iter()
                .map(|missing| missing.id.as_str())
                .collect(),
            missing: report.missing_in_use.iter().map(MissingView::from).collect(),
            providers: with_credential.map(|provider| Overview::of(report, provider)).collect(),
            unusable_profiles: report.unusable.iter().map(UnusableView::from).collect(),
            probes: report.probes.as_ref().map(ProbesView::from),
            usage: report
                .usage
                .as_ref()
                .map(|usage| usage.iter().map(|usage| UsageView::of(usage, report.generated_at)).collect()),
            oauth: Health {
                warn_after_ms: report.policy.warn_after_ms,
                profiles: report.profiles.iter().map(FullProfile::from).collect(),
                providers: report
                    .providers
                    .iter()
                    .map(|provider| ProviderHealth::of(report, provider))
                    .collect(),
            },
        }
    }
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

impl<'r> Overview<'r> {
    fn of(report: &'r Report, provider: &'r ProviderReport) -> Self {
        let first = provider.profiles.first().map(|&at| report.profiles[at].store.short.as_str());
        let (kind, detail) = match (first, &provider.env, &provider.key) {
            (Some(store), _, _) => ("profiles", store),
            (None, Some(env), _) => ("env", env.masked.as_str()),
            (None, None, Some(key)) => ("models.json", key.masked.as_str()),
            (None, None, None) => ("missing", "missing"),
        };
        Self {
            provider: &provider.id,
            effective: Effective { kind, detail },
            profiles: Counts {
                count: provider.profiles.len(),
                oauth: count(report, provider, "oauth"),
                token: count(report, provider, "token"),
                api_key: count(report, provider, "api_key"),
                labels: &provider.labels,
            },
            env: provider.env.as_ref().map(KeyView::from),
            models_json: provider.key.as_ref().map(KeyView::from),
        }
    }
}

impl<'r> ProviderHealth<'r> {
    fn of(report: &'r Report, provider: &'r ProviderReport) -> Self {
        Self {
            provider: &provider.id,
            status: provider.status.word(),
            profiles: provider.profiles.iter().map(|&at| ProfileView::from(&report.profiles[at])).collect(),
            expires_at: provider.expires,
            remaining_ms: provider.remaining_ms,
        }
    }
}
