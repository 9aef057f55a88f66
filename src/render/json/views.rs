//! The shapes of the JSON document, borrowed from the report.

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::probes::{ProbesView, UsageView};
use crate::core::credential::{EpochMs, Expiry};
use crate::core::finding::Finding;
use crate::core::refresh::RefreshRecord;
use crate::core::report::{Cause, KeyReport, MissingProvider, ProfileReport, Unusable};
use crate::core::snapshot::{ShellEnv, Source, SourceState};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Document<'r> {
    pub(super) config_path: &'r str,
    pub(super) agent_dir: &'r str,
    pub(super) agent_id: &'r str,
    pub(super) default_model: &'r str,
    pub(super) resolved_default: &'r str,
    pub(super) model_config: ModelConfig,
    pub(super) fallbacks: &'r [String],
    pub(super) image_model: Option<&'r str>,
    pub(super) image_fallbacks: &'r [String],
    pub(super) aliases: Aliases<'r>,
    pub(super) allowed: &'r [String],
    pub(super) auth: Auth<'r>,
    pub(super) check: Check<'r>,
    pub(super) sources: Vec<SourceView<'r>>,
    pub(super) findings: Vec<FindingView<'r>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ModelConfig {
    pub(super) default_source: &'static str,
    pub(super) fallbacks_source: &'static str,
}

/// Alias to model key, in config order.
pub(super) struct Aliases<'r>(pub(super) &'r [(String, String)]);

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Auth<'r> {
    pub(super) store_path: &'r str,
    pub(super) shell_env_fallback: ShellEnvView<'r>,
    #[serde(rename = "providersWithOAuth")]
    pub(super) providers_with_oauth: Vec<String>,
    pub(super) missing_providers_in_use: Vec<&'r str>,
    pub(super) missing: Vec<MissingView<'r>>,
    pub(super) providers: Vec<Overview<'r>>,
    pub(super) unusable_profiles: Vec<UnusableView<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) probes: Option<ProbesView<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) usage: Option<Vec<UsageView<'r>>>,
    pub(super) oauth: Health<'r>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ShellEnvView<'r> {
    pub(super) enabled: bool,
    pub(super) applied_keys: &'r [String],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MissingView<'r> {
    pub(super) provider: &'r str,
    pub(super) looked_at: &'r [String],
    pub(super) remedies: &'r [String],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Overview<'r> {
    pub(super) provider: &'r str,
    pub(super) effective: Effective<'r>,
    pub(super) profiles: Counts<'r>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) env: Option<KeyView<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) models_json: Option<KeyView<'r>>,
}

#[derive(Serialize)]
pub(super) struct Effective<'r> {
    pub(super) kind: &'static str,
    pub(super) detail: &'r str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Counts<'r> {
    pub(super) count: usize,
    pub(super) oauth: usize,
    pub(super) token: usize,
    pub(super) api_key: usize,
    pub(super) labels: &'r [String],
}

#[derive(Serialize)]
pub(super) struct KeyView<'r> {
    pub(super) value: &'r str,
    pub(super) source: &'r str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) layer: &'r str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UnusableView<'r> {
    pub(super) profile_id: &'r str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) provider: Option<&'r str>,
    pub(super) kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<&'r str>,
    pub(super) until: EpochMs,
    pub(super) remaining_ms: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Health<'r> {
    pub(super) warn_after_ms: i64,
    pub(super) profiles: Vec<FullProfile<'r>>,
    pub(super) providers: Vec<ProviderHealth<'r>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ProviderHealth<'r> {
    pub(super) provider: &'r str,
    pub(super) status: &'static str,
    pub(super) profiles: Vec<ProfileView<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) expires_at: Option<EpochMs>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) remaining_ms: Option<i64>,
}

/// The profiles alone.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ProfilesDocument<'r> {
    pub(super) agent_id: &'r str,
    pub(super) store_path: &'r str,
    pub(super) profiles: Vec<FullProfile<'r>>,
}

/// What the reference tells about a profile.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ProfileView<'r> {
    pub(super) profile_id: &'r str,
    pub(super) provider: &'r str,
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) status: &'static str,
    /// Absent, `null` or an instant.
    #[serde(skip_serializing_if = "ExpiresAt::is_absent")]
    pub(super) expires_at: ExpiresAt,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) remaining_ms: Option<i64>,
    pub(super) source: &'static str,
    pub(super) label: &'r str,
}

/// An instant, or `null` where the store says `null`; nothing else is shown.
pub(super) struct ExpiresAt(pub(super) Expiry);

impl ExpiresAt {
    fn is_absent(&self) -> bool {
        self.0.at().is_none() && self.0 != Expiry::Null
    }
}

impl Serialize for ExpiresAt {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.at().serialize(serializer)
    }
}

/// The same, and what we add.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FullProfile<'r> {
    #[serde(flatten)]
    pub(super) reference: ProfileView<'r>,
    pub(super) reason: &'static str,
    pub(super) verdict: &'static str,
    pub(super) refreshable: bool,
    pub(super) refresh: RefreshView,
    pub(super) login_deadline: Option<EpochMs>,
    pub(super) human_needed_by: Option<EpochMs>,
    pub(super) subscription: Option<&'r str>,
    pub(super) rate_limit_tier: Option<&'r str>,
    pub(super) scopes: &'r [String],
    pub(super) store: &'r str,
    pub(super) inherited: bool,
    pub(super) unusable: Option<UnusableView<'r>>,
    pub(super) remedies: &'r [String],
}

/// What is remembered of the refreshes of a login.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RefreshView {
    last_success: Option<EpochMs>,
    failure: Option<RefreshFailureView>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RefreshFailureView {
    class: &'static str,
    at: EpochMs,
    since: EpochMs,
    count: u32,
    next_try: Option<EpochMs>,
    human_needed: bool,
}

impl RefreshView {
    fn of(record: &RefreshRecord) -> Self {
        let failure = record.failure.map(|failure| RefreshFailureView {
            class: failure.class.word(),
            at: failure.at,
            since: failure.since,
            count: failure.count,
            next_try: failure.next_try,
            human_needed: failure.class.needs_human(),
        });
        Self { last_success: record.last_success, failure }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Check<'r> {
    pub(super) verdict: &'static str,
    pub(super) exit_code: u8,
    pub(super) generated_at: EpochMs,
    pub(super) refreshable: &'static str,
    pub(super) human_needed_by: Option<EpochMs>,
    pub(super) causes: Vec<CauseView<'r>>,
}

#[derive(Serialize)]
pub(super) struct CauseView<'r> {
    pub(super) verdict: &'static str,
    pub(super) subject: &'r str,
    pub(super) reason: &'static str,
    pub(super) remedies: &'r [String],
}

#[derive(Serialize)]
pub(super) struct SourceView<'r> {
    pub(super) role: &'static str,
    pub(super) path: &'r str,
    pub(super) state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) column: Option<usize>,
}

#[derive(Serialize)]
pub(super) struct FindingView<'r> {
    pub(super) code: &'static str,
    pub(super) severity: &'static str,
    pub(super) title: &'static str,
    pub(super) subject: &'r str,
    pub(super) message: &'r str,
    pub(super) remedy: Option<&'r str>,
}

impl Serialize for Aliases<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (alias, key) in self.0 {
            map.serialize_entry(alias, key)?;
        }
        map.end()
    }
}

impl<'r> From<&'r ProfileReport> for ProfileView<'r> {
    fn from(profile: &'r ProfileReport) -> Self {
        Self {
            profile_id: &profile.id,
            provider: &profile.provider,
            kind: profile.kind,
            status: profile.status.word(),
            expires_at: ExpiresAt(profile.expires),
            remaining_ms: profile.remaining_ms,
            source: profile.source,
            label: &profile.label,
        }
    }
}

impl<'r> From<&'r ProfileReport> for FullProfile<'r> {
    fn from(profile: &'r ProfileReport) -> Self {
        Self {
            reference: ProfileView::from(profile),
            reason: profile.reason.word(),
            verdict: profile.verdict.word(),
            refreshable: profile.refreshable,
            refresh: RefreshView::of(&profile.refresh),
            login_deadline: profile.login.deadline,
            human_needed_by: profile.human_needed_by,
            subscription: profile.login.subscription.as_deref(),
            rate_limit_tier: profile.login.rate_limit_tier.as_deref(),
            scopes: &profile.login.scopes,
            store: &profile.store.full,
            inherited: profile.inherited,
            unusable: profile.unusable.as_ref().map(UnusableView::from),
            remedies: &profile.remedies,
        }
    }
}

impl<'r> From<&'r KeyReport> for KeyView<'r> {
    fn from(key: &'r KeyReport) -> Self {
        Self { value: &key.masked, source: &key.source, layer: &key.layer }
    }
}

impl<'r> From<&'r ShellEnv> for ShellEnvView<'r> {
    fn from(shell: &'r ShellEnv) -> Self {
        Self { enabled: shell.enabled, applied_keys: &shell.applied }
    }
}

impl<'r> From<&'r MissingProvider> for MissingView<'r> {
    fn from(missing: &'r MissingProvider) -> Self {
        Self { provider: &missing.id, looked_at: &missing.looked_at, remedies: &missing.remedies }
    }
}

impl<'r> From<&'r Unusable> for UnusableView<'r> {
    fn from(entry: &'r Unusable) -> Self {
        Self {
            profile_id: &entry.profile_id,
            provider: entry.provider.as_deref(),
            kind: if entry.disabled { "disabled" } else { "cooldown" },
            reason: entry.reason.as_deref(),
            until: entry.until,
            remaining_ms: entry.remaining_ms,
        }
    }
}

impl<'r> From<&'r Cause> for CauseView<'r> {
    fn from(cause: &'r Cause) -> Self {
        Self {
            verdict: cause.verdict.word(),
            subject: &cause.subject,
            reason: cause.reason,
            remedies: &cause.remedies,
        }
    }
}

impl<'r> From<&'r Source> for SourceView<'r> {
    fn from(source: &'r Source) -> Self {
        let (state, problem) = match &source.state {
            SourceState::Read => ("read", None),
            SourceState::Absent => ("absent", None),
            SourceState::Unreadable(problem) => ("unreadable", Some(problem)),
        };
        let position = problem.and_then(|problem| problem.position);
        Self {
            role: source.role,
            path: &source.path.full,
            state,
            error: problem.map(|problem| problem.message.as_str()),
            line: position.map(|(line, _)| line),
            column: position.map(|(_, column)| column),
        }
    }
}

impl<'r> From<&'r Finding> for FindingView<'r> {
    fn from(finding: &'r Finding) -> Self {
        Self {
            code: finding.code.name(),
            severity: finding.code.severity().word(),
            title: finding.code.title(),
            subject: &finding.subject,
            message: &finding.message,
            remedy: finding.remedy.as_deref(),
        }
    }
}
