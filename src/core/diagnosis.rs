//! What `openclaw doctor` says: findings with what mends them, causes before consequences.

use std::cmp::Reverse;

use crate::core::credential::EpochMs;
use crate::core::finding::{Code, Finding, Severity};
use crate::core::login::Vendor;
use crate::core::remedy;
use crate::core::report::{ProfileReport, Report, Status, Verdict};
use crate::core::span;

/// A login that ends within this many ms is worth a warning: only a person can renew it.
/// Source: Claude Code itself warns three days ahead; a week leaves a weekend.
const LOGIN_ENDS_SOON: i64 = 7 * span::DAY;

/// What became of the fix of a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FixState {
    /// It was done.
    Done,
    /// It was tried, and this is why it failed.
    Failed(String),
    /// It was offered and not wanted, or not asked for.
    Possible,
}

/// What doctor can do about a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mending {
    /// What it does: `sets the mode 0600`.
    pub does: String,
    /// The flags with which it is done unasked.
    pub flags: &'static str,
    /// What became of it.
    pub state: FixState,
}

/// A finding and what mends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosed {
    /// What was found.
    pub finding: Finding,
    /// What doctor can do about it itself.
    pub fix: Option<Mending>,
    /// The found cause of which it is a consequence.
    pub shadowed_by: Option<Code>,
}

impl Diagnosed {
    /// Whether it still has to be told.
    pub fn is_open(&self) -> bool {
        self.shadowed_by.is_none() && !self.is_done()
    }

    /// Whether doctor has mended it.
    pub fn is_done(&self) -> bool {
        self.fix.as_ref().is_some_and(|fix| fix.state == FixState::Done)
    }
}

/// Everything that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    /// When, ms since the epoch.
    pub generated_at: EpochMs,
    /// The agent in question.
    pub agent_id: String,
    /// How to call this program for the same installation.
    pub program: String,
    /// What was found, worst first.
    pub findings: Vec<Diagnosed>,
    /// Whether only a part was looked at.
    pub is_partial: bool,
}

impl Diagnosis {
    /// Sorts what was found and marks consequences of what was found too.
    pub fn new(
        generated_at: EpochMs,
        agent_id: String,
        program: String,
        mut findings: Vec<Diagnosed>,
    ) -> Self {
        let found: Vec<Code> =
            findings.iter().filter(|known| !known.is_done()).map(|known| known.finding.code).collect();
        for diagnosed in &mut findings {
            let remedy = &mut diagnosed.finding.remedy;
            // Typed as it stands, it must work on the same installation.
            *remedy = remedy.take().map(|text| text.replace("`openclaw ", &format!("`{program} ")));
            let causes = diagnosed.finding.code.entry().shadowed_by;
            diagnosed.shadowed_by = causes.iter().copied().find(|cause| found.contains(cause));
        }
        findings.sort_by_cached_key(|diagnosed| {
            let Finding { code, subject, message, .. } = &diagnosed.finding;
            (Reverse(code.severity()), *code, subject.clone(), message.clone())
        });
        Self { generated_at, agent_id, program, findings, is_partial: false }
    }

    /// The worst of what is still open.
    pub fn verdict(&self) -> Verdict {
        self.open().map(|diagnosed| diagnosed.finding.code.severity().verdict()).max().unwrap_or(Verdict::Ok)
    }

    /// What is still open.
    pub fn open(&self) -> impl Iterator<Item = &Diagnosed> {
        self.findings.iter().filter(|diagnosed| diagnosed.is_open())
    }

    /// What doctor has mended.
    pub fn done(&self) -> impl Iterator<Item = (&Finding, &Mending)> {
        self.findings
            .iter()
            .filter(|diagnosed| diagnosed.is_done())
            .filter_map(|diagnosed| Some((&diagnosed.finding, diagnosed.fix.as_ref()?)))
    }

    /// How many of what is open have this severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.open().filter(|diagnosed| diagnosed.finding.code.severity() == severity).count()
    }
}

/// The state of every credential as findings.
pub fn of_report(report: &Report) -> Vec<Finding> {
    let mut findings = report.findings.clone();
    for profile in &report.profiles {
        findings.extend(ended(profile));
        findings.extend(login_ends(profile, report.generated_at));
    }
    for missing in &report.missing_in_use {
        let message = format!("no profile, variable or key; looked at {}", missing.looked_at.join(", "));
        findings.push(with_remedies(
            Finding::new(Code::ProviderMissing, &missing.id, message),
            &missing.remedies,
        ));
    }
    for unusable in &report.unusable {
        let span = span::two_units(unusable.remaining_ms);
        let why = unusable.reason.as_ref().map_or_else(String::new, |reason| format!(" ({reason})"));
        let finding = if unusable.disabled {
            let message = format!("is not used for {span}{why}");
            Finding::new(Code::CredentialDisabled, &unusable.profile_id, message).remedy(format!(
                "mend the account at the provider, then `openclaw models auth unblock {}`",
                remedy::shell_word(&unusable.profile_id)
            ))
        } else {
            let message = format!("rests for {span}{why}");
            Finding::new(Code::CredentialCooldown, &unusable.profile_id, message)
                .remedy("wait; the next profile of the provider is used")
        };
        findings.push(finding);
    }
    findings
}

fn ended(profile: &ProfileReport) -> Option<Finding> {
    let code = match (profile.verdict, profile.status) {
        (Verdict::Ok, _) => return None,
        (Verdict::Expiring, _) => Code::CredentialExpiring,
        (Verdict::Failing, Status::Missing) => Code::CredentialUnusable,
        (Verdict::Failing, _) => Code::CredentialExpired,
    };
    let message = match (code, profile.remaining_ms) {
        (Code::CredentialUnusable, _) | (_, None) => format!("{}: {}", profile.kind, profile.reason.word()),
        (_, Some(ms)) if ms <= 0 => format!("{} ended {} ago", profile.kind, span::two_units(ms)),
        (_, Some(ms)) => format!("{} ends in {}", profile.kind, span::two_units(ms)),
    };
    let renews = if profile.refreshable { "; it renews itself on use" } else { "" };
    Some(with_remedies(Finding::new(code, &profile.id, message + renews), &profile.remedies))
}

fn login_ends(profile: &ProfileReport, now: EpochMs) -> Option<Finding> {
    let left = profile.login.deadline?.saturating_sub(now);
    if left <= 0 || left > LOGIN_ENDS_SOON {
        return None;
    }
    let message = format!("the login ends in {}, and no refresh extends it", span::two_units(left));
    let login = Vendor::of_profile(&profile.id).map(Vendor::login_command);
    let finding = Finding::new(Code::LoginEndsSoon, &profile.id, message);
    Some(match login {
        Some(login) => finding.remedy(format!("`{login}`; the next status run takes it over")),
        None => finding,
    })
}

/// The first remedy is the way to go, the others are alternatives.
fn with_remedies(finding: Finding, remedies: &[String]) -> Finding {
    if remedies.is_empty() { finding } else { finding.remedy(remedies.join("; or ")) }
}

#[cfg(test)]
mod tests {
    use super::{Diagnosed, Diagnosis, FixState, Mending};
    use crate::core::finding::{Code, Finding, Severity};
    use crate::core::report::Verdict;

    fn diagnosis(found: Vec<(Code, Option<FixState>)>) -> Diagnosis {
        let findings = found.into_iter().map(|(code, state)| Diagnosed {
            finding: Finding::new(code, "s", "m"),
            fix: state.map(|state| Mending { does: "mends it".to_owned(), flags: "--fix", state }),
            shadowed_by: None,
        });
        Diagnosis::new(0, "main".to_owned(), "openclaw".to_owned(), findings.collect())
    }

    #[test]
    fn the_worst_that_is_open_decides() {
        for (found, verdict) in [
            (vec![], Verdict::Ok),
            (vec![(Code::SyncPerformed, None)], Verdict::Ok),
            (vec![(Code::LingerOff, None), (Code::SyncPerformed, None)], Verdict::Expiring),
            (vec![(Code::LingerOff, Some(FixState::Done))], Verdict::Ok),
            (vec![(Code::LingerOff, Some(FixState::Failed("no".to_owned())))], Verdict::Expiring),
            (vec![(Code::LingerOff, None), (Code::ConfigInvalid, None)], Verdict::Failing),
        ] {
            assert_eq!(diagnosis(found.clone()).verdict(), verdict, "{found:?}");
        }
    }

    #[test]
    fn consequences_of_a_found_cause_are_not_told() {
        let both = diagnosis(vec![(Code::ProviderMissing, None), (Code::ConfigInvalid, None)]);
        let told: Vec<_> = both.open().map(|diagnosed| diagnosed.finding.code).collect();
        assert_eq!(told, [Code::ConfigInvalid]);
        assert_eq!((both.findings.len(), both.count(Severity::Error)), (2, 1));
        assert_eq!(both.findings[1].shadowed_by, Some(Code::ConfigInvalid));
        let mended =
            diagnosis(vec![(Code::ProviderMissing, None), (Code::ConfigInvalid, Some(FixState::Done))]);
        assert_eq!(mended.open().map(|open| open.finding.code).collect::<Vec<_>>(), [Code::ProviderMissing]);
    }

    #[test]
    fn commands_are_for_the_same_installation() {
        let finding = Finding::new(Code::LingerOff, "s", "m").remedy("`openclaw doctor --fix`");
        let found = Diagnosed { finding, fix: None, shadowed_by: None };
        let diagnosis =
            Diagnosis::new(0, "main".to_owned(), "openclaw --profile work".to_owned(), vec![found]);
        let remedy = diagnosis.findings[0].finding.remedy.as_deref();
        assert_eq!(remedy, Some("`openclaw --profile work doctor --fix`"));
    }
}
