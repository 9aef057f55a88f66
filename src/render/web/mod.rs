//! The status page. The document is whole without its script, which only keeps it fresh and talks to the gateway.

mod timeline;

use std::collections::BTreeMap;

use askama::Template;
use chrono::{DateTime, SecondsFormat, Utc};

use crate::core::credential::EpochMs;
use crate::core::report::{ProfileReport, Report, Verdict};
use crate::core::usage::Usage;
use crate::render::page::instant_words;
use crate::render::words::{clocks, headline, summary, verdict_word, worst_first};
use crate::render::{name, printable};
use timeline::Timeline;

/// So many profiles are shown unless all are asked for: a page of them stays below 100 kB.
const SHOWN: usize = 100;

/// The style sheet.
pub const STYLE: &str = include_str!("style.css");
/// The script.
pub const SCRIPT: &str = include_str!("page.js");
/// What a browser may do with the page: load what the same server has, and nothing else.
pub const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; \
                          form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// What a page shows beside the report.
#[derive(Clone, Debug, Default)]
pub struct Around {
    /// What the host calls itself.
    pub host: String,
    /// The profile of each provider that the next request would use.
    pub next: Vec<String>,
    /// What people were told of late, newest first.
    pub alerts: Vec<Event>,
    /// When the gateway had to go on to another credential, newest first.
    pub moves: Vec<Event>,
    /// Sessions of the gateway, newest first.
    pub sessions: Vec<Session>,
    /// The proof that a request of the script comes from the page; without one nothing can be sent from it.
    pub csrf: Option<String>,
    /// Whether somebody has logged in, and so can log out.
    pub has_login: bool,
    /// Whether the page has to ask for news instead of being told.
    pub is_polled: bool,
    /// Whether all profiles are to be shown.
    pub all: bool,
}

/// Something that has happened.
#[derive(Clone, Debug)]
pub struct Event {
    /// When.
    pub at: EpochMs,
    /// What, in a line.
    pub what: String,
}

/// A session of the gateway.
#[derive(Clone, Debug)]
pub struct Session {
    /// Its key.
    pub key: String,
    /// The model that was chosen for it, else the one that answered last.
    pub model: Option<String>,
    /// The profile that a person chose.
    pub profile: Option<String>,
    /// When it was last used.
    pub at: EpochMs,
}

#[derive(Template)]
#[template(path = "page.html", config = "src/render/web/askama.toml")]
struct Document<'a> {
    host: String,
    csrf: Option<&'a str>,
    has_login: bool,
    is_polled: bool,
    live: Live<'a>,
}

#[derive(Template)]
#[template(path = "live.html", config = "src/render/web/askama.toml")]
struct Live<'a> {
    verdict: Verdict,
    word: &'static str,
    headline: String,
    agent: String,
    made: Instant,
    timeline: Timeline,
    profiles: Vec<Profile<'a>>,
    left_out: usize,
    missing: Vec<Trouble>,
    keys: Vec<(String, String)>,
    noticed: Vec<Trouble>,
    alerts: Vec<(Instant, String)>,
    moves: Vec<(Instant, String)>,
    sessions: Vec<SessionRow<'a>>,
    model: String,
    fallbacks: String,
    is_gateway: bool,
}

#[derive(Template)]
#[template(path = "login.html", config = "src/render/web/askama.toml")]
struct Login<'a> {
    host: String,
    refused: Option<&'a str>,
}

struct Profile<'a> {
    id: String,
    provider: &'a str,
    word: &'static str,
    verdict: Verdict,
    summary: String,
    clocks: Option<String>,
    is_next: bool,
    usage: Vec<Bar>,
    steps: Vec<Step>,
}

/// A window of a subscription.
struct Bar {
    label: String,
    used: u8,
    resets: Option<Instant>,
}

struct Trouble {
    word: &'static str,
    verdict: Verdict,
    subject: String,
    message: String,
    steps: Vec<Step>,
}

struct SessionRow<'a> {
    key: String,
    model: Option<&'a str>,
    profile: Option<&'a str>,
    at: Instant,
}

/// An instant for programs and for people.
struct Instant {
    iso: String,
    words: String,
}

/// What to do, as text and commands in turn.
struct Step(Vec<Part>);

struct Part {
    is_command: bool,
    text: String,
}

/// The whole page.
pub fn render(report: &Report, around: &Around) -> String {
    let document = Document {
        host: printable(&around.host),
        csrf: around.csrf.as_deref(),
        has_login: around.has_login,
        is_polled: around.is_polled,
        live: live(report, around),
    };
    drawn(&document)
}

/// What changes of it: the script puts it in the place of what it had.
pub fn render_live(report: &Report, around: &Around) -> String {
    drawn(&live(report, around))
}

/// The form in front of it; `refused` says why the last try did not get in.
pub fn render_login(host: &str, refused: Option<&str>) -> String {
    drawn(&Login { host: printable(host), refused })
}

/// A template writes into memory: nothing of it can fail.
fn drawn(template: &impl Template) -> String {
    template.render().unwrap_or_default()
}

fn live<'a>(report: &'a Report, around: &'a Around) -> Live<'a> {
    let now = report.generated_at;
    let usage: BTreeMap<_, _> =
        report.usage.iter().flatten().map(|usage| (usage.profile_id.as_str(), usage)).collect();
    let all = worst_first(report);
    let shown = if around.all { all.len() } else { all.len().min(SHOWN) };
    let profile = |profile: &&'a ProfileReport| Profile {
        id: name(&profile.id),
        provider: &profile.provider,
        word: profile.status.word(),
        verdict: profile.verdict,
        summary: printable(&summary(profile, now)),
        clocks: clocks(profile, now),
        is_next: around.next.contains(&profile.id),
        usage: usage.get(profile.id.as_str()).map_or_else(Vec::new, |usage| bars(usage, now)),
        steps: steps(&profile.remedies),
    };
    let missing = report.missing_in_use.iter().map(|provider| Trouble {
        word: "missing",
        verdict: Verdict::Failing,
        subject: name(&provider.id),
        message: format!("no credential; looked at {}", printable(&provider.looked_at.join(", "))),
        steps: steps(&provider.remedies),
    });
    let noticed = report.findings.iter().map(|finding| Trouble {
        word: finding.code.severity().word(),
        verdict: finding.code.severity().verdict(),
        subject: name(&finding.subject),
        message: printable(&finding.message),
        steps: steps(finding.remedy.as_slice()),
    });
    let keys = report.providers.iter().flat_map(|provider| {
        let keys = provider.env.iter().chain(&provider.key);
        keys.map(|key| (name(&provider.id), printable(&format!("{} {}", key.masked, key.source))))
    });
    let events = |events: &[Event]| {
        events.iter().map(|event| (Instant::of(event.at), printable(&event.what))).collect()
    };
    let sessions = around.sessions.iter().map(|session| SessionRow {
        key: name(&session.key),
        model: session.model.as_deref(),
        profile: session.profile.as_deref(),
        at: Instant::of(session.at),
    });
    Live {
        verdict: report.verdict,
        word: verdict_word(report.verdict),
        headline: headline(report),
        agent: printable(&report.agent_id),
        made: Instant::of(now),
        timeline: Timeline::of(&all, now),
        profiles: all[..shown].iter().map(profile).collect(),
        left_out: all.len() - shown,
        missing: missing.collect(),
        keys: keys.collect(),
        noticed: noticed.collect(),
        alerts: events(&around.alerts),
        moves: events(&around.moves),
        sessions: sessions.collect(),
        model: name(&report.resolved_default),
        fallbacks: match report.models.fallbacks.as_slice() {
            [] => "nothing to fail over to".to_owned(),
            models => printable(&format!("then {}", models.join(", "))),
        },
        is_gateway: around.csrf.is_some(),
    }
}

fn bars(usage: &Usage, now: EpochMs) -> Vec<Bar> {
    let windows = usage.record.windows.iter().filter(|_| !usage.is_stale(now));
    windows
        .map(|window| Bar {
            label: printable(&window.label),
            used: rounded_percent(window.left_percent()),
            resets: window.resets_at.filter(|at| *at > now).map(Instant::of),
        })
        .collect()
}

/// 0 to 100, from what is left to what is used.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is clamped to what fits")]
fn rounded_percent(left: f64) -> u8 {
    (100.0 - left).clamp(0.0, 100.0).round() as u8
}

impl Instant {
    fn of(at: EpochMs) -> Self {
        let iso = DateTime::<Utc>::from_timestamp_millis(at).unwrap_or(DateTime::<Utc>::MAX_UTC);
        Self { iso: iso.to_rfc3339_opts(SecondsFormat::Secs, true), words: instant_words(at) }
    }
}

fn steps(remedies: &[String]) -> Vec<Step> {
    let parts = |remedy: &String| {
        // Commands stand between back quotes.
        let parts = remedy
            .split('`')
            .enumerate()
            .map(|(at, text)| Part { is_command: at % 2 == 1, text: printable(text) });
        Step(parts.filter(|part| !part.text.is_empty()).collect())
    };
    remedies.iter().map(parts).collect()
}
