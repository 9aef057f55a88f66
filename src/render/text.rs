//! The report for a person at 3 a.m.: the verdict, then the worst first, each with the command that mends it.

use unicode_width::UnicodeWidthStr;

use crate::core::credential::EpochMs;
use crate::core::finding::Code;
use crate::core::probe::{ProbeStatus, Probes};
use crate::core::report::{ProfileReport, Reason, Report, Status, Verdict};
use crate::core::snapshot::SourceState;
use crate::core::span;
use crate::core::usage::Usage;
use crate::render::page::{Look, MARGIN, Page, instant_words, steps, until};
use crate::render::{name, printable};

/// The whole page.
pub fn render(report: &Report, look: Look) -> String {
    let mut page = Page::new(look);
    headline(&mut page, report);
    profiles(&mut page, report);
    missing(&mut page, report);
    keys(&mut page, report);
    resting(&mut page, report);
    findings(&mut page, report);
    if let Some(usage) = &report.usage {
        self::usage(&mut page, usage, report.generated_at);
    }
    if let Some(probes) = &report.probes {
        self::probes(&mut page, probes);
    }
    footer(&mut page, report);
    page.into_text()
}

/// The profiles of the page alone.
pub fn render_profiles(report: &Report, look: Look) -> String {
    let mut page = Page::new(look);
    profiles(&mut page, report);
    if report.profiles.is_empty() {
        page.row(0, None, &format!("no profiles in {}", printable(&report.store_path.short)));
    }
    page.into_text().trim_start_matches('\n').to_owned()
}

fn headline(page: &mut Page, report: &Report) {
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
    let word = match report.verdict {
        Verdict::Ok => "OK",
        Verdict::Expiring => "EXPIRING",
        Verdict::Failing => "FAILING",
    };
    let human = match report.human_needed_by {
        Some(instant) if instant <= report.generated_at => "; a person is needed now".to_owned(),
        Some(instant) => format!("; a person is needed {}", until(instant, report.generated_at)),
        None => String::new(),
    };
    page.row(0, Some((word, report.verdict)), &format!("{}{human}", parts.join(", ")));
    page.row(
        0,
        None,
        &format!("agent {}, {}", printable(&report.agent_id), instant_words(report.generated_at)),
    );
}

fn profiles(page: &mut Page, report: &Report) {
    if report.profiles.is_empty() {
        return;
    }
    page.heading("Profiles");
    let mut worst_first: Vec<_> = report.profiles.iter().collect();
    worst_first.sort_by_key(|profile| {
        let worst = profile.verdict.max(profile.status.verdict());
        (std::cmp::Reverse(worst), profile.human_needed_by.unwrap_or(EpochMs::MAX))
    });
    let widest = report.profiles.iter().map(|profile| name(&profile.id).width()).max().unwrap_or_default();
    for profile in worst_first {
        let id = name(&profile.id);
        let gap = " ".repeat(widest - id.width() + 2);
        let summary = format!("{id}{gap}{}", printable(&summary(profile, report.generated_at)));
        page.row(MARGIN, Some((profile.status.word(), profile.verdict)), &summary);
        if profile.status.verdict() != Verdict::Ok || profile.verdict != Verdict::Ok {
            page.details(&details(profile, report.generated_at));
        }
    }
}

fn summary(profile: &ProfileReport, now: EpochMs) -> String {
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

fn details(profile: &ProfileReport, now: EpochMs) -> Vec<String> {
    let clocks = match (profile.refreshable, profile.human_needed_by) {
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
    };
    clocks.into_iter().chain(steps(&profile.remedies)).collect()
}

fn usage(page: &mut Page, usage: &[Usage], now: EpochMs) {
    page.heading("Left of subscriptions");
    if usage.is_empty() {
        page.row(MARGIN, None, "no profile here has a subscription that tells it");
    }
    for usage in usage {
        let (word, verdict) = match (usage.is_stale(now), usage.is_low()) {
            (true, _) => ("stale", Verdict::Expiring),
            (false, true) => ("low", Verdict::Expiring),
            (false, false) => ("ok", Verdict::Ok),
        };
        let windows = usage.record.windows.iter().map(|window| {
            let resets = window.resets_at.filter(|at| *at > now);
            let resets =
                resets.map_or_else(String::new, |at| format!(" (anew in {})", span::two_units(at - now)));
            format!("{} {:.0}% left{resets}", printable(&window.label), window.left_percent())
        });
        let mut parts: Vec<_> = windows.collect();
        parts.extend(
            usage.age_ms(now).filter(|age| *age > 0).map(|age| format!("{} old", span::two_units(age))),
        );
        parts.extend(usage.record.error.as_ref().map(|error| format!("not told now: {error}")));
        page.row(
            MARGIN,
            Some((word, verdict)),
            &format!("{}  {}", name(&usage.profile_id), parts.join(", ")),
        );
    }
}

fn probes(page: &mut Page, probes: &Probes) {
    page.heading("Tried");
    for result in &probes.results {
        let verdict = match result.status {
            ProbeStatus::Ok => Verdict::Ok,
            ProbeStatus::Auth | ProbeStatus::Billing => Verdict::Failing,
            _ => Verdict::Expiring,
        };
        let model = result.model.as_ref().map_or_else(|| result.provider.clone(), Clone::clone);
        let latency = result.latency_ms.map_or_else(String::new, |ms| format!(", {ms} ms"));
        let line = format!("{}  {} ({}){latency}", name(&model), name(&result.label), result.mode);
        page.row(MARGIN, Some((result.status.word(), verdict)), &line);
        let why = result.error.as_deref().or(result.reason);
        page.details(&why.iter().map(|why| printable(why)).collect::<Vec<_>>());
    }
    let missing = probes.total - probes.results.len();
    let rest = if missing == 0 { String::new() } else { format!(", {missing} not any more") };
    let took = probes.finished_at.saturating_sub(probes.started_at);
    if probes.total == 0 {
        page.row(MARGIN, None, "there is no credential to try");
    } else {
        page.row(MARGIN, None, &format!("{} in {took} ms{rest}", probes.results.len()));
    }
}

fn missing(page: &mut Page, report: &Report) {
    if report.missing_in_use.is_empty() {
        return;
    }
    page.heading("No credentials found for");
    for provider in &report.missing_in_use {
        page.row(MARGIN, Some(("missing", Verdict::Failing)), &name(&provider.id));
        let looked_at = provider.looked_at.iter().map(|place| format!("looked at {}", printable(place)));
        page.details(&looked_at.chain(steps(&provider.remedies)).collect::<Vec<_>>());
    }
}

fn keys(page: &mut Page, report: &Report) {
    let keys: Vec<_> = report
        .providers
        .iter()
        .flat_map(|provider| provider.env.iter().chain(&provider.key).map(move |key| (provider, key)))
        .collect();
    if keys.is_empty() {
        return;
    }
    page.heading("Keys outside of the store");
    for (provider, key) in keys {
        let layer = if key.layer.is_empty() { String::new() } else { format!(" ({})", key.layer) };
        let text = format!("{}  {}  {}{layer}", name(&provider.id), key.masked, key.source);
        page.row(MARGIN, Some(("static", Verdict::Ok)), &printable(&text));
    }
}

fn resting(page: &mut Page, report: &Report) {
    let gone = report.unusable.iter().filter(|entry| entry.provider.is_none());
    for (at, entry) in gone.enumerate() {
        if at == 0 {
            page.heading("Resting, but not in the store any more");
        }
        let span = span::two_units(entry.remaining_ms);
        page.row(MARGIN, None, &format!("{} for {span}", name(&entry.profile_id)));
    }
}

fn findings(page: &mut Page, report: &Report) {
    if report.findings.is_empty() {
        return;
    }
    page.heading("Noticed");
    for finding in &report.findings {
        let severity = finding.code.severity();
        let text = format!("{}: {}", name(&finding.subject), printable(&finding.message));
        page.row(MARGIN, Some((severity.word(), severity.verdict())), &text);
        page.details(&steps(finding.remedy.as_slice()).collect::<Vec<_>>());
    }
}

fn footer(page: &mut Page, report: &Report) {
    page.heading("Models");
    let list =
        |models: &[String]| if models.is_empty() { "-".to_owned() } else { printable(&models.join(", ")) };
    let configured = match &report.models.primary {
        Some(primary) if *primary != report.resolved_default => format!(" (from {})", name(primary)),
        _ => String::new(),
    };
    page.row(
        MARGIN,
        Some(("default", Verdict::Ok)),
        &format!("{}{configured}", name(&report.resolved_default)),
    );
    page.row(MARGIN, Some(("fallback", Verdict::Ok)), &list(&report.models.fallbacks));
    if let Some(image) = &report.models.image_primary {
        page.row(MARGIN, Some(("image", Verdict::Ok)), &name(image));
    }
    page.row(MARGIN, Some(("config", Verdict::Ok)), &printable(&report.config_path.short));
    page.row(MARGIN, Some(("store", Verdict::Ok)), &printable(&report.store_path.short));
}
