//! One look at the host: load, sync, renew where that is wanted, judge, and see what is an incident.

use std::time::Duration;

use crate::clock::{Clock, Deadline};
use crate::core::alerting::incident::{Facts, Incident, Kind, observe};
use crate::core::alerting::inventory::{self, Present};
use crate::core::assess::assess;
use crate::core::finding::Code;
use crate::core::oauth;
use crate::core::report::{Report, Verdict};
use crate::core::snapshot::Snapshot;
use crate::exit::CommandError;
use crate::monitor::settings::Settings;
use crate::process::Process;
use crate::refresh::{Refresher, TIME_LIMIT as REFRESH_LIMIT};
use crate::sync;
use crate::workspace::memory::Memory;
use crate::workspace::{Request, Workspace};

/// How long a look may take to read the host.
const TIME_LIMIT: Duration = Duration::from_secs(10);
/// How long a look waits for a store that somebody else writes.
const STORE_PATIENCE: Duration = Duration::from_secs(5);

/// What a look saw.
pub struct Look {
    /// The host as values.
    pub snapshot: Snapshot,
    /// The judgement.
    pub report: Report,
    /// What is remembered beside it.
    pub facts: Facts,
    /// What a person must do something about.
    pub incidents: Vec<Incident>,
    /// The profiles that could be judged.
    pub judged: Vec<String>,
}

impl Look {
    /// The verdict of the report, and failing when anything is critical.
    pub fn verdict(&self) -> Verdict {
        let is_critical = |incident: &Incident| {
            // Whoever removed a profile on purpose has a host in order.
            incident.level == crate::core::alerting::Level::Critical && incident.kind != Kind::Vanished
        };
        let worst = if self.incidents.iter().any(is_critical) { Verdict::Failing } else { Verdict::Ok };
        self.report.verdict.max(worst)
    }
}

/// Loads a host; an invalid config is a finding.
pub fn load(process: &Process, clock: &Clock, request: &Request) -> Result<Workspace, CommandError> {
    let request = Request { is_tolerant: true, ..request.clone() };
    Workspace::load(process, clock, &request, Deadline::after(TIME_LIMIT))
}

/// Loads a host as every other command does: an invalid config is an error.
pub fn strictly(process: &Process, clock: &Clock, request: &Request) -> Result<Workspace, CommandError> {
    let request = Request { is_tolerant: false, ..request.clone() };
    Workspace::load(process, clock, &request, Deadline::after(TIME_LIMIT))
}

/// Looks. With `save`, what is synced, renewed and remembered is written.
pub fn look(
    process: &Process,
    clock: &Clock,
    mut workspace: Workspace,
    settings: &Settings,
    save: bool,
    tell: &dyn Fn(&str),
) -> Result<Look, CommandError> {
    if settings.refresh && save {
        renew(process, clock, &workspace, settings, tell);
        workspace = load(process, clock, &workspace.request)?;
    }
    let synced = sync::run(&workspace, clock, save, STORE_PATIENCE);
    let mut snapshot = workspace.snapshot(&synced.own, synced.main.as_deref());
    snapshot.findings.extend(synced.findings);
    let report = assess(&snapshot, clock.now(), &settings.policy);
    // A wrong clock would leave its instants behind in what is remembered.
    let is_clock_right = !report.findings.iter().any(|finding| finding.code == Code::ClockImplausible);
    let facts = facts(&workspace, clock, &snapshot, save && is_clock_right, tell);
    let incidents = observe(&snapshot, &report, &facts, &settings.alerts);
    let judged =
        report.profiles.iter().filter(|_| is_clock_right).map(|profile| profile.id.clone()).collect();
    Ok(Look { snapshot, report, facts, incidents, judged })
}

/// Renews every login that is due, or would be before the next look; what fails is remembered, and so becomes an
/// incident when it lasts.
fn renew(process: &Process, clock: &Clock, workspace: &Workspace, settings: &Settings, tell: &dyn Fn(&str)) {
    let refresher = Refresher { process, workspace, clock, limit: REFRESH_LIMIT, tell };
    drop(refresher.settle());
    let now = clock.now();
    let until_next = settings.schedule.next(now).map_or(0, |next| (next - now).num_milliseconds());
    let now = now.timestamp_millis();
    let horizon = until_next.saturating_add(oauth::RENEWED_AHEAD_MS);
    for (id, credential) in refresher.logins() {
        let record = workspace.refresh_record(&credential);
        let ends = credential.material.expiry().at();
        let ends_before_next = ends.is_some_and(|ends| ends.saturating_sub(now) <= horizon);
        // A token that lives for minutes would be renewed at each look, and one that fails would be tried at each.
        let is_young = record.last_success.is_some_and(|last| now.saturating_sub(last) <= horizon);
        let is_ahead = ends_before_next && !is_young && record.resting(now).is_none();
        refresher.refresh(&id, is_ahead);
    }
}

/// What is remembered of the profiles, the inventory brought up to date.
fn facts(
    workspace: &Workspace,
    clock: &Clock,
    snapshot: &Snapshot,
    save: bool,
    tell: &dyn Fn(&str),
) -> Facts {
    let now = clock.now().timestamp_millis();
    let present = |salt: &str| -> Vec<Present> {
        let profiles = snapshot.profiles.iter().map(|record| Present {
            id: record.id.clone(),
            provider: record.credential.provider.clone(),
            mark: record
                .credential
                .material
                .usable_secret()
                .map(|secret| secret.fingerprint(salt))
                .unwrap_or_default(),
        });
        // What is there and is no credential for us is damaged or new, not gone.
        let rejected = snapshot.rejected.iter().map(|(id, _)| Present {
            id: id.clone(),
            provider: String::new(),
            mark: String::new(),
        });
        profiles.chain(rejected).collect()
    };
    let is_whole = snapshot.unreadable_store().is_none();
    let agent = &workspace.agent.id;
    let updated =
        |seen: &[inventory::SeenProfile], salt: &str| inventory::update(seen, &present(salt), is_whole, now);
    let salt = workspace.memory.salt.clone().unwrap_or_default();
    let mut seen = updated(workspace.memory.inventory(agent), &salt);
    if save && (workspace.memory.salt.is_none() || seen != workspace.memory.inventory(agent)) {
        let written = Memory::of(&workspace.paths).update(clock, |state, salt| {
            seen = updated(state.inventory(agent), salt);
            state.set_inventory(agent, seen.clone());
        });
        if let Err(reason) = written {
            tell(&format!("warning: what was seen could not be remembered: {reason}"));
        }
    }
    let usages = snapshot.profiles.iter().filter_map(|record| {
        let secret =
            record.credential.material.refresh_token().or(record.credential.material.usable_secret())?;
        Some((record.id.clone(), workspace.usage_record(secret)))
    });
    Facts { seen, usages: usages.collect() }
}
