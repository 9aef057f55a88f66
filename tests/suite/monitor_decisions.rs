//! The decisions of the monitor: which state of a host is an incident, and when an incident is told.

use std::sync::Arc;

use openclaw::core::alerting::decide::{Why, decide};
use openclaw::core::alerting::incident::{Facts, Incident, Kind, observe};
use openclaw::core::alerting::inventory::SeenProfile;
use openclaw::core::alerting::{AlertPolicy, AlertState, Known, Level, QuietHours};
use openclaw::core::assess::assess;
use openclaw::core::credential::{Credential, EpochMs, Expiry, Material};
use openclaw::core::failure::FailureClass;
use openclaw::core::finding::{Code, Finding};
use openclaw::core::refresh::RefreshRecord;
use openclaw::core::report::{Policy, Refreshable};
use openclaw::core::secret::Secret;
use openclaw::core::snapshot::{
    FilePath, LoginFacts, ModelSettings, ProfileRecord, Snapshot, Source, SourceProblem, SourceState,
};
use openclaw::core::store::UsageStats;
use openclaw::core::usage::{UsageRecord, Window};

use crate::support::{DAY, HOUR, MINUTE};

const NOW: EpochMs = 1_800_000_000_000;
const CLAUDE: &str = "anthropic:claude-cli";

/// A host with one login or token, to be changed.
#[derive(Clone)]
struct Host {
    snapshot: Snapshot,
    facts: Facts,
    policy: AlertPolicy,
    now: EpochMs,
}

impl Host {
    fn with(id: &str, material: Material) -> Self {
        let provider = id.split(':').next().unwrap().to_owned();
        let record = ProfileRecord {
            id: id.to_owned(),
            credential: Credential { provider, email: None, material },
            email: None,
            store: Arc::new(FilePath { full: "/s".into(), short: "~/s".into() }),
            inherited: false,
            login: LoginFacts::default(),
            refresh: RefreshRecord::default(),
        };
        let snapshot = Snapshot {
            program: "openclaw".into(),
            main_program: "openclaw --agent main".into(),
            models: ModelSettings {
                primary: Some("anthropic/claude-opus-4-5".into()),
                ..ModelSettings::default()
            },
            profiles: vec![record],
            ..Snapshot::default()
        };
        Self { snapshot, facts: Facts::default(), policy: AlertPolicy::default(), now: NOW }
    }

    /// A login of Claude Code whose access token ends so far from now.
    fn login(expires_in: i64) -> Self {
        Self::with(CLAUDE, oauth(NOW + expires_in))
    }

    fn token(expires_in: i64) -> Self {
        Self::with("anthropic:manual", token(Expiry::At(NOW + expires_in)))
    }

    fn change(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn deadline(self, ends_in: i64) -> Self {
        self.change(|host| host.snapshot.profiles[0].login.deadline = Some(NOW + ends_in))
    }

    fn failing(self, class: FailureClass, since: i64, last: i64) -> Self {
        self.change(|host| {
            let first = RefreshRecord::default().failed(class, None, NOW - since);
            host.snapshot.profiles[0].refresh = first.failed(class, None, NOW - last);
        })
    }

    fn seen(self, id: &str, first_seen: EpochMs, gone_since: Option<EpochMs>) -> Self {
        self.change(|host| {
            host.facts.seen.push(SeenProfile {
                id: id.into(),
                provider: "anthropic".into(),
                mark: "m".into(),
                first_seen,
                gone_since,
            });
        })
    }

    fn strict(self) -> Self {
        self.change(|host| host.policy.refreshable = Refreshable::Strict)
    }

    fn warn_after(self, ms: i64) -> Self {
        self.change(|host| host.policy.warn_after_ms = ms)
    }

    fn more(self, id: &str, material: Material) -> Self {
        self.change(|host| host.snapshot.profiles.extend(Self::with(id, material).snapshot.profiles))
    }

    fn disabled(self) -> Self {
        self.change(|host| {
            let stats = UsageStats {
                disabled_until: Some(NOW + HOUR),
                disabled_reason: Some("billing".into()),
                ..UsageStats::default()
            };
            let id = host.snapshot.profiles[0].id.clone();
            host.snapshot.usage.push((id, stats));
        })
    }

    fn finding(self, code: Code) -> Self {
        self.change(|host| host.snapshot.findings.push(Finding::new(code, "subject", "message")))
    }

    fn unreadable(self, role: &'static str) -> Self {
        self.change(|host| {
            host.snapshot.sources.push(Source {
                role,
                provider: None,
                path: FilePath { full: "/f".into(), short: "~/f".into() },
                state: SourceState::Unreadable(SourceProblem { message: "torn".into(), position: None }),
            });
        })
    }

    fn empty(self) -> Self {
        self.change(|host| host.snapshot.profiles.clear())
    }

    fn used(self, percent: f64, age: i64) -> Self {
        self.change(|host| {
            host.policy.quota_percent = Some(90.0);
            let record = UsageRecord {
                windows: vec![Window::new("5h", percent, Some(NOW + HOUR))],
                fetched_at: Some(NOW - age),
                not_before: None,
                error: None,
            };
            host.facts.usages.push((host.snapshot.profiles[0].id.clone(), record));
        })
    }

    fn incidents(&self) -> Vec<Incident> {
        let policy = Policy {
            warn_after_ms: self.policy.warn_after_ms,
            refreshable: self.policy.refreshable,
            renews_vendor_logins: true,
        };
        let now = chrono::DateTime::from_timestamp_millis(self.now).unwrap();
        let report = assess(&self.snapshot, now, &policy);
        observe(&self.snapshot, &report, &self.facts, &self.policy)
    }
}

fn oauth(expires: EpochMs) -> Material {
    Material::OAuth {
        access: Some(Secret::new("at")),
        refresh: Some(Secret::new("rt")),
        expires: Expiry::At(expires),
        account_id: None,
    }
}

fn token(expires: Expiry) -> Material {
    Material::Token { token: Some(Secret::new("sk-ant-oat01-x")), expires }
}

fn key(text: &str) -> Material {
    Material::ApiKey { key: Some(Secret::new(text)) }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table is read row by row")]
fn what_is_an_incident_and_how_much_it_matters() {
    use Kind::{
        Blanked, ClockWrong, ConfigInvalid, Declared, Disabled, Ended, Ending, Finding as Found, LoginEnding,
        ProviderMissing, Quota, RefreshFailed, RefreshFailing, SourceUnreadable, Unusable, Vanished,
    };
    use Level::{Critical, Notice, Urgent, Warning};
    const YEAR: i64 = 365 * DAY;
    let nothing = |host: Host| (host, vec![]);
    let one = |host: Host, kind, level| (host, vec![(kind, level)]);
    let silent_token = || Host::with("anthropic:manual", token(Expiry::Absent));
    let network = FailureClass::Network;
    let grant = FailureClass::InvalidGrant;
    let blank = Material::OAuth {
        access: Some(Secret::new("")),
        refresh: None,
        expires: Expiry::NotPositive,
        account_id: None,
    };
    let table: Vec<(Host, Vec<(Kind, Level)>)> = vec![
        // a login that renews itself
        nothing(Host::login(8 * HOUR)),
        nothing(Host::login(4 * HOUR)),
        nothing(Host::login(1)),
        nothing(Host::login(0)),
        nothing(Host::login(-40 * DAY)),
        nothing(Host::login(4 * HOUR).warn_after(30 * DAY)),
        // the strict policy asks for the access token
        nothing(Host::login(24 * HOUR + 1).strict()),
        one(Host::login(24 * HOUR).strict(), Ending, Urgent),
        one(Host::login(-1).strict(), Ended, Critical),
        one(Host::login(2 * DAY).strict().warn_after(7 * DAY), Ending, Warning),
        // the login behind it
        nothing(Host::login(HOUR).deadline(7 * DAY + 1)),
        one(Host::login(HOUR).deadline(7 * DAY), LoginEnding, Notice),
        one(Host::login(HOUR).deadline(3 * DAY + 1), LoginEnding, Notice),
        one(Host::login(HOUR).deadline(3 * DAY), LoginEnding, Warning),
        one(Host::login(-HOUR).deadline(2 * DAY), LoginEnding, Warning),
        one(Host::login(HOUR).deadline(DAY), LoginEnding, Urgent),
        one(Host::login(HOUR).deadline(1), LoginEnding, Urgent),
        one(Host::login(HOUR).deadline(0), LoginEnding, Critical),
        one(Host::login(-HOUR).deadline(-DAY), LoginEnding, Critical),
        one(Host::login(8 * HOUR).deadline(5 * DAY).strict(), Ending, Urgent),
        // what nobody renews
        nothing(Host::token(DAY + 1)),
        one(Host::token(DAY), Ending, Urgent),
        one(Host::token(1), Ending, Urgent),
        one(Host::token(0), Ended, Critical),
        one(Host::token(-90 * DAY), Ended, Critical),
        one(Host::token(5 * DAY).warn_after(7 * DAY), Ending, Notice),
        nothing(Host::token(2 * HOUR).warn_after(HOUR)),
        // a token that says nothing of its end
        nothing(silent_token()),
        nothing(silent_token().seen("anthropic:manual", NOW - YEAR + 30 * DAY + 1, None)),
        one(silent_token().seen("anthropic:manual", NOW - YEAR + 30 * DAY, None), Declared, Notice),
        one(silent_token().seen("anthropic:manual", NOW - YEAR + 3 * DAY, None), Declared, Warning),
        one(silent_token().seen("anthropic:manual", NOW - YEAR + HOUR, None), Declared, Urgent),
        one(silent_token().seen("anthropic:manual", NOW - 2 * YEAR, None), Declared, Urgent),
        nothing(Host::with("anthropic:k", key("sk-ant-api-1234567890")).seen(
            "anthropic:k",
            NOW - 2 * YEAR,
            None,
        )),
        // renewing fails
        nothing(Host::login(HOUR).failing(network, HOUR - 1, 0)),
        one(Host::login(HOUR).failing(network, HOUR, 0), RefreshFailing, Warning),
        nothing(Host::login(HOUR).failing(network, DAY, DAY - MINUTE)),
        one(Host::login(-1).failing(network, HOUR, MINUTE), RefreshFailing, Critical),
        nothing(Host::login(-1).failing(network, HOUR - 1, MINUTE)),
        one(Host::login(HOUR).failing(grant, 0, 0), RefreshFailed, Critical),
        one(Host::login(-HOUR).failing(grant, 0, 0), RefreshFailed, Critical),
        one(Host::login(HOUR).failing(FailureClass::Reused, 0, 0), RefreshFailed, Critical),
        one(
            Host::login(HOUR).failing(FailureClass::Revoked, 0, 0).deadline(5 * DAY),
            RefreshFailed,
            Critical,
        ),
        one(Host::login(-HOUR).failing(grant, 0, 0).strict(), RefreshFailed, Critical),
        nothing(Host::login(HOUR).failing(FailureClass::RateLimited, MINUTE, 0)),
        // lost and hollow
        one(Host::login(HOUR).change(|host| host.snapshot.profiles[0].login.lost = true), Blanked, Critical),
        one(Host::with("anthropic:x", blank), Blanked, Critical),
        one(Host::with("anthropic:x", Material::ApiKey { key: None }), Unusable, Critical),
        one(
            Host::with("anthropic:x", Material::Token { token: None, expires: Expiry::Absent }),
            Unusable,
            Critical,
        ),
        one(Host::with("openai:x", key("sk-1234567890")).more("anthropic:y", key(" ")), Unusable, Critical),
        // the inventory
        one(Host::login(HOUR).seen("anthropic:gone", 0, Some(NOW)), Vanished, Critical),
        nothing(Host::login(HOUR).seen("anthropic:gone", 0, None)),
        nothing(Host::login(HOUR).seen(CLAUDE, 0, Some(NOW))),
        one(Host::login(HOUR).empty().seen(CLAUDE, 0, Some(NOW)), Vanished, Critical),
        // sources
        one(Host::login(HOUR).unreadable("auth store"), SourceUnreadable, Critical),
        // A store that cannot be read shows nothing new to be gone, and nothing that was missed to be back.
        one(
            Host::login(HOUR).empty().seen(CLAUDE, 0, None).unreadable("auth store"),
            SourceUnreadable,
            Critical,
        ),
        (
            Host::login(HOUR).empty().seen(CLAUDE, 0, Some(NOW)).unreadable("auth store"),
            vec![(Vanished, Critical), (SourceUnreadable, Critical)],
        ),
        one(Host::login(HOUR).unreadable("Claude Code login"), SourceUnreadable, Critical),
        // providers
        one(Host::login(HOUR).empty(), ProviderMissing, Critical),
        one(Host::with("openai:k", key("sk-1234567890")), ProviderMissing, Critical),
        one(Host::login(HOUR).empty().finding(Code::ConfigInvalid), ConfigInvalid, Critical),
        // accounts and quotas
        one(Host::login(HOUR).disabled(), Disabled, Critical),
        one(Host::login(HOUR).disabled().more("anthropic:k", key("sk-ant-1234567890")), Disabled, Warning),
        one(Host::login(HOUR).used(90.0, 0), Quota, Warning),
        nothing(Host::login(HOUR).used(89.9, 0)),
        nothing(Host::login(HOUR).used(100.0, 16 * MINUTE)),
        nothing(Host::login(HOUR).used(95.0, 0).change(|host| host.policy.quota_percent = None)),
        one(Host::login(HOUR).used(95.0, 0).deadline(HOUR), LoginEnding, Urgent),
        // the host
        one(Host::token(-1).change(|host| host.now = 1_000_000_000_000), ClockWrong, Critical),
        one(Host::login(HOUR).finding(Code::DiskFull), Found, Critical),
        nothing(Host::login(HOUR).finding(Code::DiskLow)),
        nothing(Host::login(HOUR).finding(Code::SyncPerformed)),
    ];
    assert!(table.len() >= 60, "{}", table.len());
    for (row, (host, wanted)) in table.iter().enumerate() {
        let found: Vec<_> =
            host.incidents().into_iter().map(|incident| (incident.kind, incident.level)).collect();
        assert_eq!(&found, wanted, "row {row}: {:?}", host.incidents());
    }
}

/// What is remembered: the level that was told, and the messages of the last hour by their age.
fn known(told: Option<Level>, messages: &[(i64, Level)]) -> Known {
    let host = Host::token(-1);
    let mut state = AlertState::default();
    state.step(&host.incidents(), &[], NOW - DAY, &host.policy, false);
    let mut known = state.known.remove(0);
    known.told = told;
    known.messages = messages.iter().map(|(age, level)| (NOW - age, *level)).collect();
    known.last_told = told.map(|_| NOW - messages.iter().map(|(age, _)| *age).min().unwrap_or(DAY));
    known
}

fn incident(level: Level) -> Incident {
    Incident { level, ..Host::token(-1).incidents().remove(0) }
}

type Row<'r> = (Option<Known>, Option<Level>, &'r AlertPolicy, bool, Why);

#[test]
fn when_an_incident_is_told() {
    use Level::{Critical, Notice, Urgent, Warning};
    let plain = AlertPolicy::default();
    let repeating = AlertPolicy { repeat_ms: Some(12 * HOUR), ..plain.clone() };
    let night =
        AlertPolicy { quiet_hours: Some(QuietHours { from: 0, to: 60, floor: Critical }), ..plain.clone() };
    let snoozed =
        |until: i64, level| Known { snoozed: Some((NOW + until, level)), ..known(Some(Warning), &[]) };
    let (up, down) = ((10 * MINUTE, Critical), (5 * MINUTE, Critical));
    let table: Vec<Row<'_>> = vec![
        (None, None, &plain, false, Why::Unheard),
        (Some(known(None, &[])), None, &plain, false, Why::Unheard),
        // news
        (None, Some(Notice), &plain, false, Why::First),
        (None, Some(Critical), &plain, false, Why::First),
        (Some(known(None, &[])), Some(Warning), &plain, false, Why::First),
        // what is known
        (Some(known(Some(Warning), &[])), Some(Warning), &plain, false, Why::Known),
        (Some(known(Some(Critical), &[(MINUTE, Critical)])), Some(Critical), &plain, false, Why::Known),
        (Some(known(Some(Critical), &[])), Some(Warning), &plain, false, Why::Better),
        (Some(known(Some(Notice), &[])), Some(Warning), &plain, false, Why::Worse),
        (Some(known(Some(Urgent), &[])), Some(Critical), &plain, false, Why::Worse),
        (Some(known(Some(Notice), &[])), Some(Critical), &plain, false, Why::Worse),
        // over
        (Some(known(Some(Critical), &[])), None, &plain, false, Why::Recovered),
        (Some(known(Some(Notice), &[])), None, &plain, false, Why::Recovered),
        // repeats
        (
            Some(known(Some(Critical), &[(12 * HOUR, Critical)])),
            Some(Critical),
            &repeating,
            false,
            Why::Repeat,
        ),
        (
            Some(known(Some(Critical), &[(12 * HOUR - 1, Critical)])),
            Some(Critical),
            &repeating,
            false,
            Why::Known,
        ),
        (Some(known(Some(Critical), &[(13 * HOUR, Critical)])), Some(Critical), &plain, false, Why::Known),
        (Some(known(Some(Critical), &[(13 * HOUR, Critical)])), Some(Notice), &repeating, false, Why::Better),
        (Some(known(Some(Critical), &[(-DAY, Critical)])), Some(Critical), &repeating, false, Why::Repeat),
        // coming and going
        (Some(known(None, &[up, down])), Some(Critical), &plain, false, Why::Flapping),
        (Some(known(None, &[up, down])), Some(Warning), &plain, false, Why::Flapping),
        (Some(known(Some(Critical), &[up, down])), None, &plain, false, Why::Flapping),
        (Some(known(None, &[(61 * MINUTE, Critical), down])), Some(Critical), &plain, false, Why::First),
        (Some(known(Some(Critical), &[(HOUR, Critical), down])), None, &plain, false, Why::Recovered),
        (Some(known(Some(Warning), &[(9, Notice), (8, Warning)])), Some(Critical), &plain, false, Why::Worse),
        (Some(known(None, &[(-DAY, Critical), (-DAY, Critical)])), Some(Critical), &plain, false, Why::First),
        // quiet hours
        (None, Some(Urgent), &night, true, Why::QuietHours),
        (None, Some(Critical), &night, true, Why::First),
        (None, Some(Urgent), &night, false, Why::First),
        (Some(known(Some(Critical), &[])), None, &night, true, Why::QuietHours),
        (Some(known(Some(Notice), &[])), Some(Critical), &night, true, Why::Worse),
        (Some(known(Some(Notice), &[])), Some(Notice), &night, true, Why::Known),
        // put off
        (Some(snoozed(HOUR, Critical)), Some(Critical), &plain, false, Why::Snoozed),
        (Some(snoozed(HOUR, Urgent)), Some(Critical), &plain, false, Why::Worse),
        (Some(snoozed(0, Critical)), Some(Critical), &plain, false, Why::Worse),
        (Some(snoozed(HOUR, Critical)), None, &plain, false, Why::Recovered),
        (Some(snoozed(HOUR, Critical)), Some(Notice), &plain, false, Why::Better),
        (Some(snoozed(HOUR, Critical)), Some(Critical), &night, true, Why::Snoozed),
    ];
    let mut reasons: Vec<_> = table.iter().map(|row| row.4).collect();
    for (row, (known, level, policy, is_quiet, wanted)) in table.iter().enumerate() {
        let seen = level.map(incident);
        let why = decide(known.as_ref(), seen.as_ref(), NOW, policy, *is_quiet);
        assert_eq!(why, *wanted, "row {row}");
    }
    // These need more than one look.
    reasons.extend([Why::Forgotten, Why::Unjudged]);
    reasons.sort_unstable();
    reasons.dedup();
    assert_eq!(reasons, Why::DECIDED);
}

/// Polls a host for some days, and gives what was told: when, why and how much it matters.
fn polled(every: i64, days: i64, mut at: impl FnMut(i64) -> Host) -> Vec<(i64, Why, Level)> {
    let mut state = AlertState::default();
    let mut told = Vec::new();
    for poll in 0..days * DAY / every {
        let mut host = at(poll * every);
        host.now = NOW + poll * every;
        let decided = state.step(&host.incidents(), &[], host.now, &host.policy, false);
        let heard = decided.iter().filter(|decided| decided.why.is_told());
        told.extend(heard.map(|decided| (poll * every, decided.why, decided.incident.level)));
        // What is remembered comes back from a file.
        let text = serde_json::to_string(&state.known).unwrap();
        state.known = serde_json::from_str(&text).unwrap();
    }
    told
}

/// A login with tokens of eight hours, renewed whenever one has ended.
fn renewing_at(passed: i64) -> Host {
    Host::with(CLAUDE, oauth(NOW + (passed / (8 * HOUR) + 1) * 8 * HOUR))
}

#[test]
fn thirty_days_of_a_login_that_renews_itself_are_silent() {
    assert_eq!(polled(HOUR, 30, |passed| renewing_at(passed).deadline(41 * DAY)), []);
    let short = |passed: i64| Host::with(CLAUDE, oauth(NOW + (passed / (4 * HOUR) + 1) * 4 * HOUR));
    assert_eq!(polled(HOUR, 30, |passed| short(passed).warn_after(24 * HOUR)), []);
}

#[test]
fn a_refused_refresh_is_told_once_and_so_is_its_end() {
    let told = polled(HOUR, 30, |passed| {
        let host = renewing_at(passed).deadline(41 * DAY);
        if !(12 * DAY..13 * DAY).contains(&passed) {
            return host;
        }
        // Nothing is renewed: the token of that hour ends while the refusal goes on.
        host.change(|host| {
            host.snapshot.profiles[0].credential.material = oauth(NOW + 12 * DAY + 8 * HOUR);
            let record = RefreshRecord::default();
            host.snapshot.profiles[0].refresh =
                record.failed(FailureClass::InvalidGrant, None, NOW + 12 * DAY);
        })
    });
    assert_eq!(told, [(12 * DAY, Why::First, Level::Critical), (13 * DAY, Why::Recovered, Level::Critical)]);
}

#[test]
fn a_login_that_ends_on_day_30_is_told_on_its_three_days() {
    let told = polled(HOUR, 30, |passed| renewing_at(passed).deadline(30 * DAY));
    let wanted = [
        (23 * DAY, Why::First, Level::Notice),
        (27 * DAY, Why::Worse, Level::Warning),
        (29 * DAY, Why::Worse, Level::Urgent),
    ];
    assert_eq!(told, wanted);
    // When nobody cared the end itself is told too, once.
    let told = polled(HOUR, 40, |passed| renewing_at(passed.min(30 * DAY)).deadline(30 * DAY));
    assert_eq!(told[3..], [(30 * DAY, Why::Worse, Level::Critical)]);
}

#[test]
fn twenty_flaps_an_hour_are_two_messages() {
    let flap =
        |passed: i64| if (passed / (90 * 1000)) % 2 == 0 { Host::token(-1) } else { Host::token(DAY * 9) };
    let told = polled(90 * 1000, 1, flap);
    for from in 0..24 * 60 {
        let hour = from * MINUTE..from * MINUTE + HOUR;
        assert!(told.iter().filter(|(at, ..)| hour.contains(at)).count() <= 2, "{from}: {told:?}");
    }
    assert!(told.len() >= 24, "the state is still told now and then: {}", told.len());
}

#[test]
fn what_flaps_and_then_stays_is_told_as_it_stays() {
    let flap = |passed: i64| {
        let is_down = passed < 30 * MINUTE && (passed / MINUTE) % 2 == 0;
        if is_down { Host::token(-1) } else { Host::token(DAY * 9) }
    };
    let told = polled(MINUTE, 1, flap);
    assert_eq!(told.last().map(|(_, why, _)| *why), Some(Why::Recovered));
    let stays_down = |passed: i64| if passed < 30 * MINUTE { flap(passed) } else { Host::token(-1) };
    let told = polled(MINUTE, 1, stays_down);
    assert_eq!(told.last().map(|(_, why, level)| (*why, *level)), Some((Why::First, Level::Critical)));
}

#[test]
fn what_was_removed_on_purpose_is_forgotten_without_a_word() {
    let mut told = Vec::new();
    let mut state = AlertState::default();
    for day in 0..10 {
        let host = Host::login(HOUR).more("openai:k", key("sk-1234567890"));
        let gone = (day < 7).then_some(NOW);
        let mut host = match gone {
            Some(_) => host.seen("anthropic:old", 0, gone),
            None => host,
        };
        host.now = NOW + day * DAY;
        let decided = state.step(&host.incidents(), &[], host.now, &host.policy, false);
        told.extend(decided.iter().map(|decided| decided.why));
    }
    assert_eq!(told[0], Why::First);
    assert_eq!(told.last(), Some(&Why::Forgotten));
    assert!(!told.contains(&Why::Recovered));
    assert!(state.known.is_empty());
}

#[test]
fn what_cannot_be_judged_now_is_not_over() {
    let mut state = AlertState::default();
    let mut step = |host: Host| -> Vec<(Kind, Why)> {
        let decided = state.step(&host.incidents(), &[], host.now, &host.policy, false);
        decided.iter().map(|decided| (decided.incident.kind, decided.why)).collect()
    };
    assert_eq!(step(Host::token(-1)), [(Kind::Ended, Why::First)]);
    let wanted = [(Kind::SourceUnreadable, Why::First), (Kind::Ended, Why::Unjudged)];
    assert_eq!(step(Host::token(-1).empty().unreadable("auth store")), wanted);
    assert_eq!(step(Host::token(-1)), [(Kind::Ended, Why::Known), (Kind::SourceUnreadable, Why::Recovered)]);
    let wrong = Host::token(-1).change(|host| host.now = 1_000_000_000_000);
    assert_eq!(step(wrong), [(Kind::ClockWrong, Why::First), (Kind::Ended, Why::Unjudged)]);
    let good = Host::token(90 * DAY);
    let over = step(good.change(|host| host.now = NOW + 2 * HOUR));
    assert_eq!(over, [(Kind::Ended, Why::Recovered), (Kind::ClockWrong, Why::Recovered)]);
}

#[test]
fn the_remedy_is_what_to_type_here() {
    let typed = |host: Host| host.incidents().remove(0).remedies.remove(0);
    assert!(typed(Host::login(HOUR).deadline(DAY)).starts_with("`claude auth login`"));
    let hostile = Host::with("anthropic:it's mine", token(Expiry::At(NOW)));
    assert_eq!(
        typed(hostile),
        "`openclaw models auth paste-token --provider anthropic --profile-id 'anthropic:it'\\''s mine'`, \
         with a token of `claude setup-token`"
    );
    let codex = Host::with("openai-codex:me", oauth(NOW)).failing(FailureClass::Revoked, 0, 0);
    let codex = codex.change(|host| host.snapshot.models.primary = Some("openai-codex/gpt-5.2".into()));
    assert_eq!(
        typed(codex),
        "`openclaw models auth login --provider openai-codex --profile-id openai-codex:me`"
    );
}
