//! The report for a person at 3 a.m.: the verdict, then the worst first, each with the command that mends it.

use unicode_width::UnicodeWidthStr;

use crate::core::credential::EpochMs;
use crate::core::probe::{ProbeStatus, Probes};
use crate::core::report::{ProfileReport, Report, Verdict};
use crate::core::span;
use crate::core::usage::Usage;
use crate::render::page::{Look, MARGIN, Page, instant_words, steps};
use crate::render::words::{self, clocks, summary, verdict_word, worst_first};
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
    page.row(0, Some((verdict_word(report.verdict), report.verdict)), &words::headline(report));
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
    let widest = report.profiles.iter().map(|profile| name(&profile.id).width()).max().unwrap_or_default();
    for profile in worst_first(report) {
        let id = name(&profile.id);
        let gap = " ".repeat(widest - id.width() + 2);
        let summary = format!("{id}{gap}{}", printable(&summary(profile, report.generated_at)));
        page.row(MARGIN, Some((profile.status.word(), profile.verdict)), &summary);
        if profile.status.verdict() != Verdict::Ok || profile.verdict != Verdict::Ok {
            page.details(&details(profile, report.generated_at));
        }
    }
}

fn details(profile: &ProfileReport, now: EpochMs) -> Vec<String> {
    clocks(profile, now).into_iter().chain(steps(&profile.remedies)).collect()
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
