//! The shape of `auth.probes`.

use serde::Serialize;

use crate::core::credential::EpochMs;
use crate::core::probe::{How, ProbeResult, Probes};

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
