//! The shapes of `auth.probes` and `auth.usage`.

use serde::Serialize;

use crate::core::credential::EpochMs;
use crate::core::probe::{How, ProbeResult, Probes};
use crate::core::usage::Usage;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ProbesView<'r> {
    started_at: EpochMs,
    finished_at: EpochMs,
    duration_ms: i64,
    total_targets: usize,
    options: OptionsView<'r>,
    results: Vec<ResultView<'r>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OptionsView<'r> {
    how: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<&'r str>,
    profile_ids: &'r [String],
    timeout_ms: u64,
    concurrency: usize,
    max_tokens: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResultView<'r> {
    provider: &'r str,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    profile_id: Option<&'r str>,
    label: &'r str,
    source: &'static str,
    mode: &'static str,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason_code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    latency_ms: Option<i64>,
}

impl<'r> From<&'r Probes> for ProbesView<'r> {
    fn from(probes: &'r Probes) -> Self {
        let options = &probes.options;
        Self {
            started_at: probes.started_at,
            finished_at: probes.finished_at,
            duration_ms: probes.finished_at.saturating_sub(probes.started_at),
            total_targets: probes.total,
            options: OptionsView {
                how: match options.how {
                    How::Cheap => "cheap",
                    How::Model => "model",
                },
                provider: options.provider.as_deref(),
                profile_ids: &options.profile_ids,
                timeout_ms: options.timeout_ms,
                concurrency: options.concurrency,
                max_tokens: options.max_tokens,
            },
            results: probes.results.iter().map(ResultView::from).collect(),
        }
    }
}

impl<'r> From<&'r ProbeResult> for ResultView<'r> {
    fn from(result: &'r ProbeResult) -> Self {
        Self {
            provider: &result.provider,
            model: result.model.as_deref(),
            profile_id: result.profile_id.as_deref(),
            label: &result.label,
            source: result.source,
            mode: result.mode,
            status: result.status.word(),
            reason_code: result.reason,
            error: result.error.as_deref(),
            latency_ms: result.latency_ms,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UsageView<'r> {
    profile_id: &'r str,
    provider: &'r str,
    windows: Vec<WindowView<'r>>,
    fetched_at: Option<EpochMs>,
    age_ms: Option<i64>,
    stale: bool,
    low: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'r str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WindowView<'r> {
    label: &'r str,
    used_percent: f64,
    left_percent: f64,
    resets_at: Option<EpochMs>,
}

impl<'r> UsageView<'r> {
    pub(super) fn of(usage: &'r Usage, now: EpochMs) -> Self {
        let windows = usage.record.windows.iter().map(|window| WindowView {
            label: &window.label,
            used_percent: window.used_percent,
            left_percent: window.left_percent(),
            resets_at: window.resets_at,
        });
        Self {
            profile_id: &usage.profile_id,
            provider: &usage.provider,
            windows: windows.collect(),
            fetched_at: usage.record.fetched_at,
            age_ms: usage.age_ms(now),
            stale: usage.is_stale(now),
            low: usage.is_low(),
            error: usage.record.error.as_deref(),
        }
    }
}
