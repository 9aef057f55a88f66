//! The incident of one profile: of everything that is wrong with it, what matters most.

use crate::core::alerting::incident::{Facts, Incident, Kind};
use crate::core::alerting::{AlertPolicy, Level};
use crate::core::credential::{EpochMs, Expiry};
use crate::core::provider;
use crate::core::remedy;
use crate::core::report::{ProfileReport, Reason, Refreshable, Report, Status};
use crate::core::snapshot::{ProfileRecord, Snapshot};
use crate::core::span;
use crate::core::usage::STALE_AFTER;

/// A login that ends is told from a week ahead on (7, 3 and 1 days: what people who lost one asked for).
const LOGIN_WARNING: i64 = 7 * span::DAY;
/// How long a token lives that says nothing: Anthropic's setup tokens are good for a year.
const DECLARED_LIFE: i64 = 365 * span::DAY;
/// How long before that it is told.
const DECLARED_WARNING: i64 = 30 * span::DAY;

/// One thing that is wrong with a profile.
struct Trouble {
    kind: Kind,
    level: Level,
    what: String,
    since: Option<EpochMs>,
    until: Option<EpochMs>,
}

/// What a person must do about a profile; `None` when nothing.
pub(super) fn of_profile(
    snapshot: &Snapshot,
    report: &Report,
    profile: &ProfileReport,
    facts: &Facts,
    policy: &AlertPolicy,
) -> Option<Incident> {
    let now = report.generated_at;
    let record = snapshot.profiles.iter().find(|record| record.id == profile.id)?;
    let troubles = [
        hollow(profile, record),
        renewing(profile, record, now, policy),
        login(profile, record, now),
        ending(profile, now, policy),
        declared(profile, facts, now),
        disabled(report, profile),
        quota(profile, facts, now, policy),
    ];
    // Of two that matter as much the one above is nearer to the cause.
    let worst = troubles.into_iter().flatten().reduce(|a, b| if b.level > a.level { b } else { a })?;
    let is_alone = is_alone(report, profile);
    let mut what = worst.what;
    if worst.level == Level::Critical && is_alone {
        what.push_str("; nothing else serves ");
        what.push_str(&provider::normalize(&profile.provider));
    }
    Some(Incident {
        id: profile.id.clone(),
        kind: worst.kind,
        level: worst.level,
        subject: profile.id.clone(),
        provider: Some(provider::normalize(&profile.provider)),
        what,
        since: worst.since,
        until: worst.until,
        remedies: remedies(worst.kind, snapshot, profile, record),
    })
}

fn remedies(kind: Kind, snapshot: &Snapshot, profile: &ProfileReport, record: &ProfileRecord) -> Vec<String> {
    match kind {
        Kind::Disabled => {
            let program = if record.inherited { &snapshot.main_program } else { &snapshot.program };
            let id = remedy::shell_word(&record.id);
            vec![format!("mend the account, then `{program} models auth unblock {id}`")]
        }
        Kind::Quota => vec!["wait until the window begins anew, or use another provider".to_owned()],
        Kind::RefreshFailing => {
            let mut ways = remedy::mend_profile(record, Status::Expired, true, snapshot);
            ways.extend(remedy::mend_profile(record, Status::Expired, false, snapshot));
            ways.dedup();
            ways
        }
        Kind::Ending | Kind::Ended if profile.refreshable => profile.remedies.clone(),
        // What must be made anew, whatever the state of the tokens is today.
        _ => remedy::mend_profile(
            record,
            if profile.status == Status::Missing { Status::Missing } else { Status::Expired },
            false,
            snapshot,
        ),
    }
}

/// There is nothing to use, whatever the clock says.
fn hollow(profile: &ProfileReport, record: &ProfileRecord) -> Option<Trouble> {
    let (kind, what) = match (profile.status, profile.reason) {
        (_, _) if record.login.lost => (Kind::Blanked, "lost its login: the vendor's file has empty tokens"),
        (Status::Missing, Reason::Blanked) => (Kind::Blanked, "lost its login: every token is empty"),
        // Who can renew it will.
        (Status::Missing, _) if profile.refreshable => return None,
        (Status::Missing, Reason::NoSecret) => (Kind::Unusable, "holds no key or token"),
        (Status::Missing, _) => (Kind::Unusable, "does not say until when it is good, and cannot be renewed"),
        _ => return None,
    };
    Some(Trouble { kind, level: Level::Critical, what: what.to_owned(), since: None, until: None })
}

/// Renewing fails.
fn renewing(
    profile: &ProfileReport,
    record: &ProfileRecord,
    now: EpochMs,
    policy: &AlertPolicy,
) -> Option<Trouble> {
    record.credential.material.refresh_token()?;
    let failure = profile.refresh.failure?;
    let (word, _, meaning) = failure.class.entry();
    let expires = profile.expires.at();
    let trouble =
        |kind, level, what| Trouble { kind, level, what, since: Some(failure.since), until: expires };
    if failure.class.needs_human() {
        let what = format!("cannot be renewed any more: {meaning} ({word})");
        return Some(trouble(Kind::RefreshFailed, Level::Critical, what));
    }
    let is_over = expires.is_none_or(|expires| expires <= now);
    // One try that failed long ago, and none since, says nothing as long as the token is good.
    let span = if is_over { now } else { failure.at }.saturating_sub(failure.since);
    if span < policy.refresh_failing_after_ms {
        return None;
    }
    let level = if is_over { Level::Critical } else { Level::Warning };
    let ended = if is_over { ", and its token has ended" } else { "" };
    let (span, count) = (span::two_units(span), failure.count);
    let what = format!("could not be renewed for {span}: {meaning} ({word}), tries: {count}{ended}");
    Some(trouble(Kind::RefreshFailing, level, what))
}

/// The login behind the tokens ends, and no refresh extends it.
fn login(profile: &ProfileReport, record: &ProfileRecord, now: EpochMs) -> Option<Trouble> {
    record.credential.material.refresh_token()?;
    let deadline = profile.login.deadline?;
    let remaining = deadline.saturating_sub(now);
    if remaining > LOGIN_WARNING {
        return None;
    }
    let what = if remaining <= 0 {
        "has reached the end of its login".to_owned()
    } else {
        format!("needs a new login within {}", span::two_units(remaining))
    };
    let level = Level::of_remaining(remaining);
    Some(Trouble { kind: Kind::LoginEnding, level, what, since: None, until: Some(deadline) })
}

/// A token ends that nobody renews, or, under the strict policy, whoever may renew it.
fn ending(profile: &ProfileReport, now: EpochMs, policy: &AlertPolicy) -> Option<Trouble> {
    let expires = profile.expires.at()?;
    if policy.refreshable == Refreshable::Lenient {
        if profile.refreshable {
            return None;
        }
        // A login that has reached its end tells that itself.
        profile.human_needed_by?;
    }
    let remaining = expires.saturating_sub(now);
    if remaining > policy.warn_after_ms {
        return None;
    }
    let (kind, what) = if remaining <= 0 {
        (Kind::Ended, "has ended".to_owned())
    } else {
        (Kind::Ending, format!("ends within {}", span::two_units(remaining)))
    };
    let level = Level::of_remaining(remaining);
    Some(Trouble { kind, level, what, since: (remaining <= 0).then_some(expires), until: Some(expires) })
}

/// A token says nothing of its end, and is almost as old as such tokens get.
fn declared(profile: &ProfileReport, facts: &Facts, now: EpochMs) -> Option<Trouble> {
    let says_nothing = !matches!(profile.expires, Expiry::At(_));
    if profile.kind != "token" || !says_nothing || profile.status != Status::Static {
        return None;
    }
    let seen = facts.seen.iter().find(|seen| seen.id == profile.id)?;
    let end = seen.first_seen.saturating_add(DECLARED_LIFE);
    let remaining = end.saturating_sub(now);
    if remaining > DECLARED_WARNING {
        return None;
    }
    let what = if remaining <= 0 {
        "was first seen a year ago and says no expiry; such tokens live for a year (declared, not verified)"
            .to_owned()
    } else {
        format!(
            "says no expiry; a year after it was first seen ends in {} (declared, not verified)",
            span::two_units(remaining)
        )
    };
    // It may be younger than it looks to us, or live longer: nothing here is known to be broken.
    let level = Level::of_remaining(remaining).min(Level::Urgent);
    Some(Trouble { kind: Kind::Declared, level, what, since: Some(seen.first_seen), until: Some(end) })
}

/// The account must be mended.
fn disabled(report: &Report, profile: &ProfileReport) -> Option<Trouble> {
    let unusable = profile.unusable.as_ref().filter(|unusable| unusable.disabled)?;
    let reason = unusable.reason.as_deref().map_or_else(String::new, |reason| format!(" ({reason})"));
    Some(Trouble {
        kind: Kind::Disabled,
        level: if is_alone(report, profile) { Level::Critical } else { Level::Warning },
        what: format!("is disabled{reason}"),
        since: None,
        until: Some(unusable.until),
    })
}

/// A subscription is almost used up, as far as was asked lately.
fn quota(profile: &ProfileReport, facts: &Facts, now: EpochMs, policy: &AlertPolicy) -> Option<Trouble> {
    let limit = policy.quota_percent?;
    let (_, record) = facts.usages.iter().find(|(id, _)| *id == profile.id)?;
    let fetched = record.fetched_at.filter(|at| *at <= now && now - at <= STALE_AFTER)?;
    let is_full = |used: f64, resets: Option<EpochMs>| used >= limit && resets.is_none_or(|at| at > now);
    let windows = record.windows.iter().filter(|window| is_full(window.used_percent, window.resets_at));
    let fullest = windows.max_by(|a, b| a.used_percent.total_cmp(&b.used_percent))?;
    Some(Trouble {
        kind: Kind::Quota,
        level: Level::Warning,
        what: format!("has used {:.0} % of its window {}", fullest.used_percent, fullest.label),
        since: Some(fetched),
        until: fullest.resets_at,
    })
}

/// Whether requests to its provider have nothing else to go with.
fn is_alone(report: &Report, profile: &ProfileReport) -> bool {
    let now = report.generated_at;
    let provider = provider::normalize(&profile.provider);
    let is_usable = |other: &ProfileReport| {
        other.human_needed_by.is_none_or(|by| by > now)
            && other.unusable.as_ref().is_none_or(|unusable| !unusable.disabled)
    };
    let has_other = report.profiles.iter().any(|other| {
        other.id != profile.id && provider::normalize(&other.provider) == provider && is_usable(other)
    });
    let has_key = report.providers.iter().any(|entry| {
        provider::normalize(&entry.id) == provider && (entry.env.is_some() || entry.key.is_some())
    });
    !has_other && !has_key
}
