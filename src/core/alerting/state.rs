//! What people were told, and one more look at the host.

use serde::{Deserialize, Serialize};

use crate::core::alerting::decide::{FLAP_WINDOW, Why, decide};
use crate::core::alerting::incident::{Incident, Kind};
use crate::core::alerting::{AlertPolicy, Level};
use crate::core::credential::EpochMs;

/// What is remembered of an incident.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Known {
    /// The incident as it was last seen.
    pub incident: Incident,
    /// Since when it is there.
    pub since: EpochMs,
    /// The level that people know of; `None` when they know nothing, or that it is over.
    #[serde(default)]
    pub told: Option<Level>,
    /// When they were last told.
    #[serde(default)]
    pub last_told: Option<EpochMs>,
    /// What they were told within the last hour.
    #[serde(default)]
    pub messages: Vec<(EpochMs, Level)>,
    /// Until when nobody wants to hear of it, and the level that was put off by that.
    #[serde(default)]
    pub snoozed: Option<(EpochMs, Level)>,
    /// Whether it is there.
    pub is_open: bool,
}

impl Known {
    fn new(incident: Incident, now: EpochMs) -> Self {
        Self {
            since: incident.since.map_or(now, |since| since.min(now)),
            incident,
            told: None,
            last_told: None,
            messages: Vec::new(),
            snoozed: None,
            is_open: true,
        }
    }

    /// Whether it is put off at this level. What gets worse is not what was put off.
    pub fn is_snoozed(&self, level: Level, now: EpochMs) -> bool {
        self.snoozed.is_some_and(|(until, put_off)| now < until && level <= put_off)
    }

    /// What people were told within the last hour. An instant of the future was written by a clock that was wrong.
    pub fn recent(&self, now: EpochMs) -> impl Iterator<Item = &(EpochMs, Level)> {
        self.messages.iter().filter(move |(at, _)| *at <= now && now - at < FLAP_WINDOW)
    }
}

/// Everything that is remembered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AlertState {
    /// By incident.
    pub known: Vec<Known>,
}

/// What was decided of an incident.
#[derive(Clone, Debug, PartialEq)]
pub struct Decided {
    /// Whether it is told, and why.
    pub why: Why,
    /// The incident; as it was last seen when it is over.
    pub incident: Incident,
    /// Since when it is there.
    pub since: EpochMs,
}

impl AlertState {
    /// One look: decides of every incident that is seen or known, and remembers what is told. What is decided to be told
    /// must be kept by the caller together with this state: it counts as told. `judged` are the profiles that could be
    /// judged: what was wrong with them is over when it is not seen any more, whatever else cannot be read.
    pub fn step(
        &mut self,
        seen: &[Incident],
        judged: &[String],
        now: EpochMs,
        policy: &AlertPolicy,
        is_quiet: bool,
    ) -> Vec<Decided> {
        let mut decided = Vec::new();
        for incident in seen {
            let known = self.known.iter().find(|known| known.incident.id == incident.id);
            let why = decide(known, Some(incident), now, policy, is_quiet);
            let place = self.known.iter().position(|known| known.incident.id == incident.id);
            let place = place.unwrap_or_else(|| {
                self.known.push(Known::new(incident.clone(), now));
                self.known.len() - 1
            });
            let known = &mut self.known[place];
            if !known.is_open {
                known.since = incident.since.map_or(now, |since| since.min(now));
                known.is_open = true;
            }
            known.incident = incident.clone();
            remember(known, why, incident.level, now);
            decided.push(Decided { why, incident: incident.clone(), since: known.since });
        }
        for known in &mut self.known {
            if seen.iter().any(|incident| incident.id == known.incident.id) {
                continue;
            }
            let is_judged = judged.contains(&known.incident.id);
            if known.is_open && !is_judged && is_hidden(&known.incident, seen) {
                let (why, since) = (Why::Unjudged, known.since);
                decided.push(Decided { why, incident: known.incident.clone(), since });
                continue;
            }
            known.is_open = false;
            if known.told.is_none() {
                continue;
            }
            let is_forgotten = known.incident.kind == Kind::Vanished
                && known.incident.until.is_some_and(|until| until <= now);
            let why =
                if is_forgotten { Why::Forgotten } else { decide(Some(known), None, now, policy, is_quiet) };
            let level = known.incident.level;
            remember(known, why, level, now);
            decided.push(Decided { why, incident: known.incident.clone(), since: known.since });
        }
        // What is over is remembered for as long as it may come and go.
        self.known
            .retain(|known| known.is_open || known.told.is_some() || known.recent(now).next().is_some());
        decided
    }

    /// Puts an incident off; `false` when there is none of that id.
    pub fn snooze(&mut self, id: &str, until: Option<EpochMs>) -> bool {
        let known = self.known.iter_mut().find(|known| known.incident.id == id && known.is_open);
        known.is_some_and(|known| {
            known.snoozed = until.map(|until| (until, known.incident.level));
            true
        })
    }
}

/// Whether something stands in the way of judging an incident that is not seen any more: it is not over for that.
fn is_hidden(known: &Incident, seen: &[Incident]) -> bool {
    let of_the_host =
        matches!(known.kind, Kind::ClockWrong | Kind::ConfigInvalid | Kind::Finding | Kind::SourceUnreadable);
    seen.iter().any(|incident| match incident.kind {
        Kind::ClockWrong | Kind::SourceUnreadable => !of_the_host,
        Kind::ConfigInvalid => known.kind == Kind::ProviderMissing,
        _ => false,
    })
}

fn remember(known: &mut Known, why: Why, level: Level, now: EpochMs) {
    match why {
        Why::Better | Why::First | Why::Repeat | Why::Worse => known.told = Some(level),
        Why::Recovered | Why::Forgotten => {
            known.told = None;
            known.snoozed = None;
        }
        _ => {}
    }
    known.messages = known.recent(now).copied().collect();
    if why.is_told() {
        known.last_told = Some(now);
        known.messages.push((now, level));
    }
}
