//! Whether an incident is told now. A pure function that answers with its reason.

use serde::{Deserialize, Serialize};

use crate::core::alerting::incident::Incident;
use crate::core::alerting::{AlertPolicy, Known};
use crate::core::credential::EpochMs;
use crate::core::span;

/// One incident is told at most this often within [`FLAP_WINDOW`], unless it is worse than all that was told then.
pub const MOST_IN_WINDOW: usize = 2;
/// The window of that.
pub const FLAP_WINDOW: i64 = span::HOUR;

/// Why an incident is told, or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// Silent: less bad than what was told, and not over.
    Better,
    /// Told: somebody asked for a rehearsal.
    Drill,
    /// Told: it has happened, and nobody watches how it goes on.
    Event,
    /// Told: it is new.
    First,
    /// Silent for now: it comes and goes, and people have heard enough of it this hour.
    Flapping,
    /// Silent: what was missed is now taken for removed on purpose.
    Forgotten,
    /// Silent: it was told, and nothing has changed.
    Known,
    /// Silent for now: people sleep.
    QuietHours,
    /// Told: it is over.
    Recovered,
    /// Told: it goes on, and people want to be reminded.
    Repeat,
    /// Silent: somebody wants to hear nothing of it for a while.
    Snoozed,
    /// Told: somebody asked whether the channel works.
    Test,
    /// Silent: it is over before anybody was told.
    Unheard,
    /// Silent: what stands in the way of judging it is told instead; it may be as it was.
    Unjudged,
    /// Told: it is worse than what was told.
    Worse,
}

impl Why {
    /// Every reason that [`decide`] can give.
    pub const DECIDED: &'static [Self] = &[
        Self::Better,
        Self::First,
        Self::Flapping,
        Self::Forgotten,
        Self::Known,
        Self::QuietHours,
        Self::Recovered,
        Self::Repeat,
        Self::Snoozed,
        Self::Unheard,
        Self::Unjudged,
        Self::Worse,
    ];

    /// Whether people are told.
    pub fn is_told(self) -> bool {
        match self {
            Self::Drill
            | Self::Event
            | Self::First
            | Self::Recovered
            | Self::Repeat
            | Self::Test
            | Self::Worse => true,
            Self::Better
            | Self::Flapping
            | Self::Forgotten
            | Self::Known
            | Self::QuietHours
            | Self::Snoozed
            | Self::Unheard
            | Self::Unjudged => false,
        }
    }

    /// Whether it says that something is over.
    pub fn is_end(self) -> bool {
        self == Self::Recovered
    }

    /// The stable word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Better => "better",
            Self::Drill => "drill",
            Self::Event => "event",
            Self::First => "first",
            Self::Flapping => "flapping",
            Self::Forgotten => "forgotten",
            Self::Known => "known",
            Self::QuietHours => "quiet-hours",
            Self::Recovered => "recovered",
            Self::Repeat => "repeat",
            Self::Snoozed => "snoozed",
            Self::Test => "test",
            Self::Unheard => "unheard",
            Self::Unjudged => "unjudged",
            Self::Worse => "worse",
        }
    }
}

/// What is decided of one incident: `known` is what is remembered of it, `seen` what is seen now, `is_quiet` whether
/// these are quiet hours.
pub fn decide(
    known: Option<&Known>,
    seen: Option<&Incident>,
    now: EpochMs,
    policy: &AlertPolicy,
    is_quiet: bool,
) -> Why {
    let told = known.and_then(|known| known.told);
    let wanted = match (told, seen) {
        (None, None) => return Why::Unheard,
        (Some(_), None) => Why::Recovered,
        (None, Some(_)) => Why::First,
        (Some(told), Some(seen)) if seen.level > told => Why::Worse,
        (Some(told), Some(seen)) if seen.level < told => return Why::Better,
        (Some(_), Some(_)) if is_repeat_due(known, now, policy) => Why::Repeat,
        (Some(_), Some(_)) => return Why::Known,
    };
    let level = seen.map(|seen| seen.level);
    if let (Some(level), Some(known)) = (level, known)
        && known.is_snoozed(level, now)
    {
        return Why::Snoozed;
    }
    let floor = policy.quiet_hours.filter(|_| is_quiet).map(|quiet| quiet.floor);
    if floor.is_some_and(|floor| level.is_none_or(|level| level < floor)) {
        return Why::QuietHours;
    }
    let recent: Vec<_> = known.into_iter().flat_map(|known| known.recent(now)).collect();
    let is_worst = level > recent.iter().map(|(_, level)| *level).max();
    if recent.len() >= MOST_IN_WINDOW && !is_worst {
        return Why::Flapping;
    }
    wanted
}

fn is_repeat_due(known: Option<&Known>, now: EpochMs, policy: &AlertPolicy) -> bool {
    match (policy.repeat_ms, known.and_then(|known| known.last_told)) {
        // An instant of the future was written by a clock that was wrong.
        (Some(repeat), Some(last)) => last > now || now.saturating_sub(last) >= repeat,
        _ => false,
    }
}
