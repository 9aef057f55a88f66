//! The time machine: the same decisions on a clock that is wound on, without a file read or a notice sent.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::core::alerting::incident::{Facts, observe};
use crate::core::alerting::inventory::{self, Present};
use crate::core::alerting::{AlertState, Decided};
use crate::core::assess::assess;
use crate::core::credential::{Credential, EpochMs, Expiry, Material};
use crate::core::oauth;
use crate::core::provider;
use crate::core::refresh::RefreshRecord;
use crate::core::secret::Secret;
use crate::core::snapshot::{
    FilePath, LoginFacts, ProfileRecord, Snapshot, Source, SourceProblem, SourceState,
};
use crate::core::span;
use crate::format::scenario::{Event, Scenario, ScenarioProfile, What};
use crate::monitor::is_quiet;
use crate::monitor::settings::Settings;

/// How long an access token lives that nobody says anything of: Claude Code's.
const LIFETIME: i64 = 8 * span::HOUR;
/// More looks than this are not wound through.
const MOST_LOOKS: usize = 1_000_000;

/// What would have been decided at a look.
pub struct Simulated {
    /// When.
    pub at: DateTime<Utc>,
    /// What.
    pub decided: Decided,
}

/// Winds the clock on from `start` over some days, and gives what people would have been told. Renewable logins are
/// renewed when they are due, unless the scenario says that this fails.
pub fn run(
    snapshot: &Snapshot,
    facts: &Facts,
    settings: &Settings,
    scenario: &Scenario,
    start: DateTime<Utc>,
    days: u32,
) -> Vec<Simulated> {
    let mut machine = Machine::new(snapshot, facts, scenario, start.timestamp_millis());
    let end = start + chrono::TimeDelta::days(i64::from(days));
    let (mut state, mut simulated) = (AlertState::default(), Vec::new());
    let mut at = start;
    for _ in 0..MOST_LOOKS {
        if at >= end {
            break;
        }
        let now = at.timestamp_millis();
        let snapshot = machine.at(now);
        let report = assess(&snapshot, at, &settings.policy);
        let facts = machine.facts(&snapshot, now);
        let incidents = observe(&snapshot, &report, &facts, &settings.alerts);
        let is_quiet = is_quiet(settings.alerts.quiet_hours, settings.zone, at);
        let decided = state.step(&incidents, &[], now, &settings.alerts, is_quiet);
        let told = decided.into_iter().filter(|decided| decided.why.is_told());
        simulated.extend(told.map(|decided| Simulated { at, decided }));
        match settings.schedule.next(at) {
            Some(next) => at = next,
            None => break,
        }
    }
    simulated
}

struct Machine<'s> {
    snapshot: Snapshot,
    facts: Facts,
    lifetimes: Vec<i64>,
    events: &'s [Event],
    start: EpochMs,
}

impl<'s> Machine<'s> {
    fn new(snapshot: &Snapshot, facts: &Facts, scenario: &'s Scenario, start: EpochMs) -> Self {
        let mut snapshot = snapshot.clone();
        let mut facts = facts.clone();
        let mut lifetimes = vec![LIFETIME; snapshot.profiles.len()];
        if let Some(profiles) = &scenario.profiles {
            lifetimes = profiles.iter().map(|profile| profile.lifetime_ms.unwrap_or(LIFETIME)).collect();
            snapshot = made_up(&snapshot, profiles, start);
            facts = Facts::default();
        }
        Self { snapshot, facts, lifetimes, events: &scenario.events, start }
    }

    /// The events that go on.
    fn going_on(&self, now: EpochMs) -> impl Iterator<Item = &'s Event> {
        let passed = now - self.start;
        let events = self.events.iter();
        events
            .filter(move |event| event.from_ms <= passed && event.until_ms.is_none_or(|until| passed < until))
    }

    /// The host at an instant, after everything that happens until then.
    fn at(&mut self, now: EpochMs) -> Snapshot {
        let failing: Vec<_> = self
            .going_on(now)
            .filter_map(|event| match event.what {
                What::RefreshFails(class) => Some((event.profile.as_deref(), class)),
                _ => None,
            })
            .collect();
        for (record, lifetime) in self.snapshot.profiles.iter_mut().zip(&self.lifetimes) {
            renew(record, *lifetime, &failing, &self.snapshot.own_clients, now);
        }
        let mut seen = self.snapshot.clone();
        for event in self.going_on(now) {
            let is_meant = |record: &ProfileRecord| Some(&record.id) == event.profile.as_ref();
            match event.what {
                What::Blanked => {
                    for record in seen.profiles.iter_mut().filter(|record| is_meant(record)) {
                        record.credential.material = Material::OAuth {
                            access: None,
                            refresh: None,
                            expires: Expiry::NotPositive,
                            account_id: None,
                        };
                    }
                }
                What::Gone => seen.profiles.retain(|record| !is_meant(record)),
                What::RefreshFails(_) => {}
                What::Unreadable => {
                    let problem = SourceProblem { message: "simulated".to_owned(), position: None };
                    seen.sources.push(Source {
                        role: "auth store",
                        provider: None,
                        path: seen.store_path.clone(),
                        state: SourceState::Unreadable(problem),
                    });
                    seen.profiles.clear();
                }
            }
        }
        seen
    }

    /// The inventory goes on too; nothing is known of usage then.
    fn facts(&mut self, snapshot: &Snapshot, now: EpochMs) -> Facts {
        let marked = |record: &ProfileRecord| {
            let known = self.facts.seen.iter().find(|seen| seen.id == record.id);
            Present {
                id: record.id.clone(),
                provider: record.credential.provider.clone(),
                mark: known.map(|seen| seen.mark.clone()).unwrap_or_default(),
            }
        };
        let present: Vec<_> = snapshot.profiles.iter().map(marked).collect();
        let is_whole = snapshot.unreadable_store().is_none();
        self.facts.seen = inventory::update(&self.facts.seen, &present, is_whole, now);
        Facts { seen: self.facts.seen.clone(), usages: Vec::new() }
    }
}

/// What a refresher does with a login that is due.
fn renew(
    record: &mut ProfileRecord,
    lifetime: i64,
    failing: &[(Option<&str>, crate::core::failure::FailureClass)],
    own_clients: &[String],
    now: EpochMs,
) {
    let is_over = record.login.deadline.is_some_and(|deadline| deadline <= now);
    let can_renew = oauth::can_renew(&provider::normalize(&record.credential.provider), own_clients);
    if record.credential.material.refresh_token().is_none() || record.login.lost || !can_renew || is_over {
        return;
    }
    let failure = failing.iter().find(|(id, _)| *id == Some(record.id.as_str())).map(|(_, class)| *class);
    if let Some(class) = failure {
        if record.refresh.resting(now).is_none() {
            record.refresh = record.refresh.failed(class, None, now);
        }
        return;
    }
    record.refresh.failure = None;
    if oauth::due(&record.credential.material, now, false).is_some()
        && let Material::OAuth { expires, .. } = &mut record.credential.material
    {
        *expires = Expiry::At(now.saturating_add(lifetime));
        record.refresh.last_success = Some(now);
    }
}

/// A host with these credentials and nothing else.
fn made_up(host: &Snapshot, profiles: &[ScenarioProfile], start: EpochMs) -> Snapshot {
    let secret = || Some(Secret::new("simulated"));
    let store = Arc::new(host.store_path.clone());
    let records = profiles.iter().map(|profile| {
        let expires = profile.expires_in_ms.or(profile.lifetime_ms);
        let material = match profile.kind {
            "api_key" => Material::ApiKey { key: secret() },
            "token" => Material::Token {
                token: secret(),
                expires: expires.map_or(Expiry::Absent, |span| Expiry::At(start.saturating_add(span))),
            },
            _ => Material::OAuth {
                access: secret(),
                refresh: secret(),
                expires: Expiry::At(start.saturating_add(expires.unwrap_or(LIFETIME))),
                account_id: None,
            },
        };
        let deadline = profile.login_ends_in_ms.map(|span| start.saturating_add(span));
        ProfileRecord {
            id: profile.id.clone(),
            credential: Credential {
                provider: profile.id.split(':').next().unwrap_or_default().to_owned(),
                email: None,
                material,
            },
            email: None,
            store: Arc::clone(&store),
            inherited: false,
            login: LoginFacts { deadline, ..LoginFacts::default() },
            refresh: RefreshRecord::default(),
        }
    });
    let profiles: Vec<_> = records.collect();
    let model = profiles.first().map(|record| format!("{}/simulated", record.credential.provider));
    Snapshot {
        program: host.program.clone(),
        main_program: host.main_program.clone(),
        agent_id: host.agent_id.clone(),
        store_path: if host.store_path.full.is_empty() {
            FilePath::default()
        } else {
            host.store_path.clone()
        },
        config_path: host.config_path.clone(),
        dotenv_path: host.dotenv_path.clone(),
        models: crate::core::snapshot::ModelSettings { primary: model, ..Default::default() },
        profiles,
        ..Snapshot::default()
    }
}
