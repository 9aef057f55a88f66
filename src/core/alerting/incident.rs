//! What is wrong, for people: one incident for each cause, however many signs it has.

use serde::{Deserialize, Serialize};

use crate::core::alerting::inventory::{MISSED_FOR, SeenProfile};
use crate::core::alerting::profiles;
use crate::core::alerting::{AlertPolicy, Level};
use crate::core::credential::{CODEX_CLI_PROFILE, EpochMs};
use crate::core::finding::{Code, Finding, Severity};
use crate::core::provider;
use crate::core::remedy;
use crate::core::report::Report;
use crate::core::snapshot::Snapshot;
use crate::core::usage::UsageRecord;

/// What kind of trouble it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Every token of a login is empty, as a lost race of two refreshers leaves it.
    Blanked,
    /// The clock of this host is wrong.
    ClockWrong,
    /// The config is invalid.
    ConfigInvalid,
    /// A token that says no expiry is almost a year old.
    Declared,
    /// The account of a profile must be mended.
    Disabled,
    /// What nobody renews has ended.
    Ended,
    /// What nobody renews is about to end.
    Ending,
    /// Something else that is broken: a finding of severity error.
    Finding,
    /// The login behind renewable tokens ends, or has.
    LoginEnding,
    /// A provider in use has no credential.
    ProviderMissing,
    /// A subscription is almost used up.
    Quota,
    /// Renewing failed, and trying again is of no use.
    RefreshFailed,
    /// Renewing has failed for a while.
    RefreshFailing,
    /// A source of credentials cannot be read.
    SourceUnreadable,
    /// A profile holds nothing that could be used.
    Unusable,
    /// A profile is gone.
    Vanished,
}

impl Kind {
    /// The stable word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Blanked => "blanked",
            Self::ClockWrong => "clock-wrong",
            Self::ConfigInvalid => "config-invalid",
            Self::Declared => "declared",
            Self::Disabled => "disabled",
            Self::Ended => "ended",
            Self::Ending => "ending",
            Self::Finding => "finding",
            Self::LoginEnding => "login-ending",
            Self::ProviderMissing => "provider-missing",
            Self::Quota => "quota",
            Self::RefreshFailed => "refresh-failed",
            Self::RefreshFailing => "refresh-failing",
            Self::SourceUnreadable => "source-unreadable",
            Self::Unusable => "unusable",
            Self::Vanished => "vanished",
        }
    }
}

/// Something that a person must do something about. It holds no secret.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Incident {
    /// What it is called, on this host: a profile id, or a kind and a name such as `provider/openai`.
    pub id: String,
    /// What kind of trouble.
    pub kind: Kind,
    /// How much it matters.
    pub level: Level,
    /// The profile, provider, file or part of the host.
    pub subject: String,
    /// The provider, when it is about one.
    #[serde(default)]
    pub provider: Option<String>,
    /// What is wrong, in a few words that follow the subject.
    pub what: String,
    /// Since when, as far as the host itself tells.
    #[serde(default)]
    pub since: Option<EpochMs>,
    /// When something ends, has ended, or is forgotten.
    #[serde(default)]
    pub until: Option<EpochMs>,
    /// What to type or do, the shortest way first.
    #[serde(default)]
    pub remedies: Vec<String>,
}

/// What is remembered of this host beside the report.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The inventory, updated with what the report is about.
    pub seen: Vec<SeenProfile>,
    /// What is remembered of the usage of profiles, by id.
    pub usages: Vec<(String, UsageRecord)>,
}

/// Every incident of a report, in the order of their ids.
pub fn observe(snapshot: &Snapshot, report: &Report, facts: &Facts, policy: &AlertPolicy) -> Vec<Incident> {
    let mut incidents: Vec<_> = report.findings.iter().filter_map(of_finding).collect();
    // By a wrong clock nothing else can be judged, and everything would look as if it had ended or lived for ever.
    if !incidents.iter().any(|incident| incident.kind == Kind::ClockWrong) {
        incidents.extend(
            report
                .profiles
                .iter()
                .filter_map(|profile| profiles::of_profile(snapshot, report, profile, facts, policy)),
        );
    }
    // What seems to be missing may be in the store that cannot be read, and a broken config names no models.
    let is_whole = snapshot.unreadable_store().is_none();
    let is_configured = !incidents.iter().any(|incident| incident.kind == Kind::ConfigInvalid);
    // What was missed before is still missed: nothing has shown that it is back.
    incidents.extend(vanished(report, facts, snapshot));
    if is_whole && is_configured {
        incidents.extend(report.missing_in_use.iter().map(|missing| Incident {
            id: format!("provider/{}", missing.id),
            kind: Kind::ProviderMissing,
            level: Level::Critical,
            subject: missing.id.clone(),
            provider: Some(missing.id.clone()),
            what: "is in use and has no credential".to_owned(),
            since: None,
            until: None,
            remedies: missing.remedies.clone(),
        }));
    }
    // A provider that lost its only profile is one cause, not two.
    let lost: Vec<_> = incidents
        .iter()
        .filter(|incident| incident.kind == Kind::Vanished)
        .filter_map(|incident| incident.provider.clone())
        .collect();
    incidents.retain(|incident| {
        incident.kind != Kind::ProviderMissing
            || !lost.iter().any(|id| Some(id) == incident.provider.as_ref())
    });
    incidents.sort_by(|a, b| a.id.cmp(&b.id));
    incidents.dedup_by(|a, b| a.id == b.id);
    incidents
}

fn of_finding(finding: &Finding) -> Option<Incident> {
    let (kind, id) = match finding.code {
        Code::ClockImplausible => (Kind::ClockWrong, "host/clock".to_owned()),
        Code::ConfigInvalid => (Kind::ConfigInvalid, "host/config".to_owned()),
        Code::SourceUnreadable => (Kind::SourceUnreadable, format!("source/{}", finding.subject)),
        // These are what the profiles and providers of the report tell themselves.
        Code::CredentialExpired | Code::CredentialUnusable | Code::ProviderMissing => return None,
        code if code.severity() == Severity::Error => {
            (Kind::Finding, format!("{}/{}", code.name(), finding.subject))
        }
        _ => return None,
    };
    Some(Incident {
        id,
        kind,
        level: Level::Critical,
        subject: finding.subject.clone(),
        provider: None,
        what: finding.message.clone(),
        since: None,
        until: None,
        remedies: finding.remedy.iter().cloned().collect(),
    })
}

fn vanished(report: &Report, facts: &Facts, snapshot: &Snapshot) -> Vec<Incident> {
    let is_there = |id: &str| report.profiles.iter().any(|profile| profile.id == id);
    // The mirror of the Codex login goes by itself when another profile holds the same tokens.
    let is_mirrored = |seen: &SeenProfile| {
        let same = |id: &str| provider::normalize(id) == provider::normalize(&seen.provider);
        seen.id == CODEX_CLI_PROFILE && report.profiles.iter().any(|profile| same(&profile.provider))
    };
    let gone = facts.seen.iter().filter(|seen| !is_there(&seen.id) && !is_mirrored(seen));
    gone.filter_map(|seen| {
        let since = seen.gone_since?;
        let mut remedies = vec![format!(
            "restore {} from a backup, if it was not removed on purpose",
            report.store_path.short
        )];
        remedies.extend(remedy::get_credential(&seen.provider, snapshot));
        Some(Incident {
            id: seen.id.clone(),
            kind: Kind::Vanished,
            level: Level::Critical,
            subject: seen.id.clone(),
            provider: Some(seen.provider.clone()),
            what: "is gone from the auth store".to_owned(),
            since: Some(since),
            until: Some(since.saturating_add(MISSED_FOR)),
            remedies,
        })
    })
    .collect()
}
