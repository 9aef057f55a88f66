//! What is worth telling about a snapshot beside the state of its credentials.

use crate::core::credential::{EpochMs, Expiry};
use crate::core::finding::{Code, Finding};
use crate::core::model_ref::{self, Resolved};
use crate::core::oauth;
use crate::core::provider;
use crate::core::snapshot::{ProfileRecord, Snapshot, SourceState};
use crate::core::span;
use crate::core::store::Rejection;

/// No build of this program ran before 2026: an earlier clock is wrong, and with it every expiry looks far away.
const EARLIEST_PLAUSIBLE_NOW: EpochMs = 1_767_225_600_000;
/// Below this an expiry in ms would lie in 1973; it is most likely in seconds.
const LOOKS_LIKE_SECONDS_BELOW: EpochMs = 100_000_000_000;
/// More than a century ahead is most likely microseconds, or damage.
const IMPLAUSIBLE_AHEAD: i64 = 100 * 365 * span::DAY;

/// The findings of the load and those that only the whole shows, worst first.
pub fn findings(snapshot: &Snapshot, now: EpochMs) -> Vec<Finding> {
    let mut findings = snapshot.findings.clone();
    if now < EARLIEST_PLAUSIBLE_NOW {
        findings.push(
            Finding::new(
                Code::ClockImplausible,
                "clock",
                "the clock is years behind: no expiry can be judged",
            )
            .remedy("`timedatectl set-ntp true`, or set the time with `date`"),
        );
    }
    for source in &snapshot.sources {
        if let SourceState::Unreadable(problem) = &source.state {
            let place = problem
                .position
                .map_or_else(String::new, |(line, column)| format!(" at line {line}, column {column}"));
            findings.push(
                Finding::new(
                    Code::SourceUnreadable,
                    source.path.short.clone(),
                    format!("{}: {}{place}", source.role, problem.message),
                )
                .remedy(if problem.message.contains("permission denied") {
                    format!(
                        "run as the user who may read {}, or `ls -l` it and mend its mode",
                        source.path.short
                    )
                } else {
                    format!("mend or restore {}; it was left as it is", source.path.short)
                }),
            );
        }
    }
    for record in &snapshot.profiles {
        findings.extend(expiry_finding(record, now));
        findings.extend(refresh_finding(record, snapshot, now));
    }
    for (id, rejection) in &snapshot.rejected {
        let (code, message) = match rejection {
            Rejection::UnknownType => (Code::CredentialTypeUnknown, "unknown type; kept, and not used"),
            Rejection::NoProvider => (Code::CredentialDamaged, "names no provider; kept, and not used"),
            Rejection::NotAnObject => (Code::CredentialDamaged, "is no object; kept, and not used"),
        };
        findings.push(Finding::new(code, id.clone(), message));
    }
    if let Some(primary) = &snapshot.models.primary
        && let Resolved::Assumed(model) = model_ref::resolve(primary, &snapshot.models.aliases)
    {
        findings.push(
            Finding::new(
                Code::ModelWithoutProvider,
                primary.clone(),
                format!("names no provider and is no alias; taken for {}", model.key()),
            )
            .remedy(format!("write `{}` in {}", model.key(), snapshot.config_path.short)),
        );
    }
    findings.sort_by(|a, b| b.code.severity().cmp(&a.code.severity()).then(a.code.cmp(&b.code)));
    findings
}

fn expiry_finding(record: &ProfileRecord, now: EpochMs) -> Option<Finding> {
    let (code, message) = match record.credential.material.expiry() {
        Expiry::Unreadable => (Code::ExpiresUnreadable, "`expires` is not a number of milliseconds"),
        Expiry::At(expires) if expires < LOOKS_LIKE_SECONDS_BELOW => {
            (Code::LooksLikeSeconds, "`expires` looks like seconds; it is read as milliseconds")
        }
        Expiry::At(expires) if expires.saturating_sub(now) > IMPLAUSIBLE_AHEAD => {
            (Code::ExpiresImplausible, "`expires` lies more than a century ahead; is it in milliseconds?")
        }
        _ => return None,
    };
    Some(Finding::new(code, record.id.clone(), message))
}

/// What is known of the refreshes of a login, where it is not as it should be.
fn refresh_finding(record: &ProfileRecord, snapshot: &Snapshot, now: EpochMs) -> Option<Finding> {
    record.credential.material.refresh_token()?;
    if let Some(failure) = record.refresh.failure {
        let (word, _, meaning) = failure.class.entry();
        let since = span::two_units(now.saturating_sub(failure.since));
        let message = format!("{meaning} ({word}); {} since {since} ago", times(failure.count));
        let finding = Finding::new(Code::RefreshFailed, record.id.clone(), message);
        let next = failure.next_try.filter(|next| *next > now);
        return Some(match next {
            Some(next) => finding.remedy(format!("the next try may come in {}", span::two_units(next - now))),
            None => finding,
        });
    }
    let provider = provider::normalize(&record.credential.provider);
    if oauth::can_renew(&provider, &snapshot.own_clients) {
        return None;
    }
    let finding = Finding::new(
        Code::RefreshUnsupported,
        record.id.clone(),
        "has a refresh token, and no OAuth client is known to use it with",
    );
    let has_endpoint = oauth::find(&provider).is_some();
    let own = format!("set providers.{provider}.clientId and clientSecretFile in ops.json");
    Some(if has_endpoint { finding.remedy(own) } else { finding })
}

fn times(count: u32) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}
