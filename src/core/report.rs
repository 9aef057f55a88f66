//! The one value that every view shows: status, doctor, metrics, alerts and the gateway.

use std::sync::Arc;

use crate::core::credential::{EpochMs, Expiry};
use crate::core::finding::Finding;
use crate::core::probe::Probes;
use crate::core::refresh::RefreshRecord;
use crate::core::snapshot::{FilePath, LoginFacts, ModelSettings, ShellEnv, Source};
use crate::core::usage::Usage;

/// The answer to `--check`, from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Everything is usable.
    Ok,
    /// Something ends within the warning window.
    Expiring,
    /// Something is expired, missing or unreadable.
    Failing,
}

impl Verdict {
    /// The word used in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Expiring => "expiring",
            Self::Failing => "failing",
        }
    }
}

/// The state of one profile, in the reference's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The access token is valid beyond the warning window.
    Ok,
    /// It ends within the warning window.
    Expiring,
    /// It has ended.
    Expired,
    /// There is nothing to use, or nothing that says until when.
    Missing,
    /// It does not expire by itself.
    Static,
}

impl Status {
    /// The word used in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Expiring => "expiring",
            Self::Expired => "expired",
            Self::Missing => "missing",
            Self::Static => "static",
        }
    }

    /// What the status means for the verdict.
    pub fn verdict(self) -> Verdict {
        match self {
            Self::Ok | Self::Static => Verdict::Ok,
            Self::Expiring => Verdict::Expiring,
            Self::Expired | Self::Missing => Verdict::Failing,
        }
    }
}

/// Why a profile has its status; stable words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Every token of the login is empty, as a lost refresh race leaves it.
    Blanked,
    /// Past its expiry.
    Expired,
    /// An expiry is there and cannot be read.
    ExpiryUnreadable,
    /// Within the warning window.
    ExpiresSoon,
    /// A login that does not say until when.
    NoExpiry,
    /// The key or token is empty or absent.
    NoSecret,
    /// No expiry to watch.
    Static,
    /// Valid beyond the warning window.
    Valid,
}

impl Reason {
    /// The stable kebab-case word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Blanked => "blanked",
            Self::Expired => "expired",
            Self::ExpiryUnreadable => "expiry-unreadable",
            Self::ExpiresSoon => "expires-soon",
            Self::NoExpiry => "no-expiry",
            Self::NoSecret => "no-secret",
            Self::Static => "static",
            Self::Valid => "valid",
        }
    }
}

/// Whether a renewable login counts by its access token or by the next human act.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Refreshable {
    /// The documented contract: the expiry of the stored access token.
    #[default]
    Strict,
    /// The date on which a person is needed.
    Lenient,
}

impl Refreshable {
    /// The word used on the command line, in `ops.json` and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Lenient => "lenient",
        }
    }
}

/// How to judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The warning window in ms; the boundary itself is inside.
    pub warn_after_ms: i64,
    /// Which clock of a login counts for the verdict.
    pub refreshable: Refreshable,
    /// Whether we may renew logins that belong to a vendor's program.
    pub renews_vendor_logins: bool,
}

impl Default for Policy {
    /// 24 hours and strict: the documented contract of `models status --check`.
    fn default() -> Self {
        Self {
            warn_after_ms: 24 * 60 * 60 * 1000,
            refreshable: Refreshable::Strict,
            renews_vendor_logins: true,
        }
    }
}

impl Policy {
    /// What an instant means for a status.
    pub fn status_at(&self, instant: EpochMs, now: EpochMs) -> (Status, Reason) {
        match instant.saturating_sub(now) {
            remaining if remaining <= 0 => (Status::Expired, Reason::Expired),
            remaining if remaining <= self.warn_after_ms => (Status::Expiring, Reason::ExpiresSoon),
            _ => (Status::Ok, Reason::Valid),
        }
    }

    /// What a profile means for the verdict.
    pub fn verdict_of(&self, status: Status, human_needed_by: Option<EpochMs>, now: EpochMs) -> Verdict {
        match self.refreshable {
            Refreshable::Strict => status.verdict(),
            Refreshable::Lenient => {
                human_needed_by.map_or(Verdict::Ok, |instant| self.status_at(instant, now).0.verdict())
            }
        }
    }
}

/// The judgement over one [`crate::core::snapshot::Snapshot`].
#[derive(Clone, Debug)]
pub struct Report {
    /// When it was made, ms since the epoch.
    pub generated_at: EpochMs,
    /// How it was judged.
    pub policy: Policy,
    /// The worst of everything below.
    pub verdict: Verdict,
    /// What the verdict rests on, worst first; empty when all is well.
    pub causes: Vec<Cause>,
    /// The earliest instant at which a person is needed: now when a provider is missing or a source unreadable.
    pub human_needed_by: Option<EpochMs>,
    /// The agent in question.
    pub agent_id: String,
    /// Its folder.
    pub agent_dir: FilePath,
    /// Its auth store.
    pub store_path: FilePath,
    /// The config file.
    pub config_path: FilePath,
    /// The models as configured.
    pub models: ModelSettings,
    /// The default model in normal form, `provider/model`.
    pub resolved_default: String,
    /// Provider ids that the config defines.
    pub configured_providers: Vec<String>,
    /// Back ends (`claude-cli`, `codex-cli`) whose vendor login is there.
    pub cli_backends: Vec<&'static str>,
    /// Profiles, sorted by provider and id.
    pub profiles: Vec<ProfileReport>,
    /// Every provider known here, sorted by id.
    pub providers: Vec<ProviderReport>,
    /// Providers that a configured model needs and that have no credential at all, sorted.
    pub missing_in_use: Vec<MissingProvider>,
    /// Profiles that must rest, soonest first.
    pub unusable: Vec<Unusable>,
    /// The login-shell import.
    pub shell_env: ShellEnv,
    /// Every place that was looked at.
    pub sources: Vec<Source>,
    /// What else was noticed, worst first.
    pub findings: Vec<Finding>,
    /// What came of trying the credentials, when that was asked for.
    pub probes: Option<Probes>,
    /// What is left of the subscriptions, when that was asked for.
    pub usage: Option<Vec<Usage>>,
}

impl Report {
    /// The verdict, had the same report been judged by another clock of the logins.
    pub fn verdict_under(&self, refreshable: Refreshable) -> Verdict {
        let policy = Policy { refreshable, ..self.policy };
        let profiles = self
            .profiles
            .iter()
            .map(|profile| policy.verdict_of(profile.status, profile.human_needed_by, self.generated_at));
        let others = self.causes.iter().filter(|cause| cause.is_of_the_host).map(|cause| cause.verdict);
        profiles.chain(others).max().unwrap_or(Verdict::Ok)
    }
}

/// One thing that makes the verdict worse than ok.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// What it does to the verdict.
    pub verdict: Verdict,
    /// The profile, provider or source.
    pub subject: String,
    /// Whether it is no profile: it counts under every policy.
    pub is_of_the_host: bool,
    /// Stable word: a [`Reason`], `provider-missing`, `source-unreadable` or `clock-implausible`.
    pub reason: &'static str,
    /// What to type or do, the shortest way first.
    pub remedies: Vec<String>,
}

/// The judgement over one profile.
#[derive(Clone, Debug)]
pub struct ProfileReport {
    /// The profile id.
    pub id: String,
    /// The provider as the store spells it.
    pub provider: String,
    /// `api_key`, `oauth` or `token`.
    pub kind: &'static str,
    /// The state of the stored access token, key or token.
    pub status: Status,
    /// Why.
    pub reason: Reason,
    /// The `expires` member as found.
    pub expires: Expiry,
    /// ms until the expiry, negative when past.
    pub remaining_ms: Option<i64>,
    /// `claude-cli`, `codex-cli` or `store`.
    pub source: &'static str,
    /// The id, with the e-mail address when it is known.
    pub label: String,
    /// The e-mail address.
    pub email: Option<String>,
    /// What a person may see of the secret.
    pub masked: String,
    /// Whether it renews itself without a person.
    pub refreshable: bool,
    /// What the vendor's file tells about the login.
    pub login: LoginFacts,
    /// What is remembered of its refreshes.
    pub refresh: RefreshRecord,
    /// When a person is needed: the past when one is needed now, `None` when never as far as is known.
    pub human_needed_by: Option<EpochMs>,
    /// What it means for the verdict under the report's policy.
    pub verdict: Verdict,
    /// Until when it must rest, and why.
    pub unusable: Option<Unusable>,
    /// Its last success, ms since the epoch.
    pub last_used: Option<EpochMs>,
    /// Its errors since then.
    pub error_count: u64,
    /// The store that holds it.
    pub store: Arc<FilePath>,
    /// Whether it is inherited from the main agent.
    pub inherited: bool,
    /// What to type or do, when something is wrong.
    pub remedies: Vec<String>,
}

/// A profile that the runtime leaves alone for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unusable {
    /// The profile id, of an existing profile or of one that is gone.
    pub profile_id: String,
    /// Its provider, when the profile exists.
    pub provider: Option<String>,
    /// `true` when a human must mend it, `false` for a cooldown.
    pub disabled: bool,
    /// Why it is disabled.
    pub reason: Option<String>,
    /// Until when, ms since the epoch.
    pub until: EpochMs,
    /// ms from now.
    pub remaining_ms: i64,
}

/// The judgement over one provider.
#[derive(Clone, Debug)]
pub struct ProviderReport {
    /// The id as found.
    pub id: String,
    /// The worst of its expiring profiles.
    pub status: Status,
    /// The earliest expiry among its profiles.
    pub expires: Option<EpochMs>,
    /// ms until then.
    pub remaining_ms: Option<i64>,
    /// Indexes into [`Report::profiles`].
    pub profiles: Vec<usize>,
    /// One label a profile, in store order, with the masked secret.
    pub labels: Vec<String>,
    /// The credential of the environment: masked value, source, layer, whether it is an OAuth token.
    pub env: Option<KeyReport>,
    /// The key of the config or of `models.json`.
    pub key: Option<KeyReport>,
}

impl ProviderReport {
    /// Whether any credential is there at all.
    pub fn has_credential(&self) -> bool {
        !self.profiles.is_empty() || self.env.is_some() || self.key.is_some()
    }
}

/// A credential outside the auth store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyReport {
    /// What a person may see of it.
    pub masked: String,
    /// Where it comes from, in the reference's words.
    pub source: String,
    /// The environment layer that won; empty for keys in files.
    pub layer: String,
    /// Whether it is an OAuth token.
    pub oauth: bool,
}

/// A provider in use without any credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingProvider {
    /// The normalised id.
    pub id: String,
    /// The places that were looked at, for people.
    pub looked_at: Vec<String>,
    /// The two shortest ways to get one.
    pub remedies: Vec<String>,
}
