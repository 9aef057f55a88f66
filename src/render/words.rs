//! What is said of a report on every page for people.

use crate::core::credential::EpochMs;
use crate::core::finding::Code;
use crate::core::report::{ProfileReport, Reason, Report, Status, Verdict};
use crate::core::snapshot::SourceState;
use crate::core::span;
use crate::render::name;
use crate::render::page::until;

/// The verdict in one word.
pub(super) fn verdict_word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Ok => "OK",
        Verdict::Expiring => "EXPIRING",
        Verdict::Failing => "FAILING",
    }
}

/// What the verdict rests on, and when a person is needed.
pub(super) fn headline(report: &Report) -> String {
    let count = |status: Status| report.profiles.iter().filter(|profile| profile.status == status).count();
    let unreadable =
        report.sources.iter().filter(|source| matches!(source.state, SourceState::Unreadable(_))).count();
    let mut parts = Vec::new();
    for (number, words) in [
        (count(Status::Expired), "expired"),
        (count(Status::Missing), "missing"),
        (report.missing_in_use.len(), "without any credential"),
        (unreadable, "unreadable"),
        (count(Status::Expiring), "expiring"),
    ] {
        if number > 0 {
            parts.push(format!("{number} {words}"));
        }
    }
    if report.findings.iter().any(|finding| finding.code == Code::ClockImplausible) {
        parts.insert(0, "the clock is wrong".to_owned());
    }
    if parts.is_empty() {
        parts.push("no credential has ended or is missing".to_owned());
    }
    match report.profiles.iter().filter(|profile| profile.unusable.is_some()).count() {
        0 => {}
        resting if resting == report.profiles.len() => {
            parts.push(format!("but all {resting} profiles are resting"));
        }
        resting => parts.push(format!("{resting} resting")),
    }
    let human = match report.human_needed_by {
        Some(instant) if instant <= report.generated_at => "; a person is needed now".to_owned(),
        Some(instant) => format!("; a person is needed {}", until(instant, report.generated_at)),
        None => String::new(),
    };
    format!("{}{human}", parts.join(", "))
}

/// The profiles, worst first.
pub(super) fn worst_first(report: &Report) -> Vec<&ProfileReport> {
    let mut worst_first: Vec<_> = report.profiles.iter().collect();
    worst_first.sort_by_key(|profile| {
        let worst = profile.verdict.max(profile.status.verdict());
        (std::cmp::Reverse(worst), profile.human_needed_by.unwrap_or(EpochMs::MAX))
    });
    worst_first
}

/// What it is, until when, and what else there is to know of a profile.
pub(super) fn summary(profile: &ProfileReport, now: EpochMs) -> String {
    let mut parts = vec![match (profile.kind, &profile.email) {
        ("oauth", Some(email)) => format!("OAuth ({})", name(email)),
        ("oauth", None) => "OAuth".to_owned(),
        _ => profile.masked.trim_start_matches("token:").to_owned(),
    }];
    parts.push(match (profile.reason, profile.expires.at()) {
        (Reason::Blanked, _) => "all tokens are blank: the login was lost".to_owned(),
        (Reason::NoSecret, _) => "holds no secret".to_owned(),
        (Reason::NoExpiry, _) => "does not say until when".to_owned(),
        (Reason::ExpiryUnreadable, _) => "its expiry cannot be read".to_owned(),
        (_, None) => "no expiry".to_owned(),
        (_, Some(expires)) if expires <= now => format!("ended {}", until(expires, now)),
        (_, Some(expires)) => format!("ends {}", until(expires, now)),
    });
    parts.extend(profile.login.subscription.iter().map(|plan| format!("plan {plan}")));
    if profile.inherited {
        parts.push("inherited from main".to_owned());
    }
    if let Some(unusable) = &profile.unusable {
        let why = unusable.reason.as_ref().map_or_else(String::new, |reason| format!(" ({reason})"));
        let word = if unusable.disabled { "disabled" } else { "cooling down" };
        parts.push(format!("{word}{why} for {}", span::two_units(unusable.remaining_ms)));
    }
    parts.join(", ")
}

/// The other clock of a login: whether it renews itself, and until when, or why not.
pub(super) fn clocks(profile: &ProfileReport, now: EpochMs) -> Option<String> {
    match (profile.refreshable, profile.human_needed_by) {
        (true, Some(instant)) => Some(format!("renews itself; the login ends {}", until(instant, now))),
        (true, None) => Some("renews itself".to_owned()),
        (false, _) if profile.login.lost => {
            Some("the vendor's file holds blank tokens: a person must log in".to_owned())
        }
        (false, _) if profile.login.deadline.is_some_and(|deadline| deadline <= now) => {
            Some("the login itself has ended: a person must log in".to_owned())
        }
        (false, _) if profile.refresh.needs_human() => {
            Some("the provider refuses to renew it: a person must log in".to_owned())
        }
        (false, _) => None,
    }
}
