//! When a person must be told: what a report means for people, and whether that is news.
//!
//! [`incident::observe`] turns a report into incidents, one for each cause; [`decide::decide`] says of each whether it is
//! told now, and why; [`AlertState::step`] does both for one look at the host. Nothing here sends anything.

pub mod decide;
pub mod incident;
pub mod inventory;
pub mod message;
mod profiles;
mod quiet;
mod state;

use serde::{Deserialize, Serialize};

use crate::core::report::Refreshable;
use crate::core::span;

pub use quiet::QuietHours;
pub use state::{AlertState, Decided, Known};

/// How much it matters, from least to most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Within a week or a month.
    Notice,
    /// Within days.
    Warning,
    /// Within a day.
    Urgent,
    /// Now: something does not work, or cannot be judged.
    Critical,
}

impl Level {
    /// Every level, least first.
    pub const ALL: &'static [Self] = &[Self::Notice, Self::Warning, Self::Urgent, Self::Critical];

    /// The word used in settings, JSON and text.
    pub fn word(self) -> &'static str {
        match self {
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Urgent => "urgent",
            Self::Critical => "critical",
        }
    }

    /// The level of a word.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|level| level.word() == word)
    }

    /// What an end that lies so far ahead amounts to: the steps of 3 days and of 1 day, and the end itself.
    pub fn of_remaining(ms: i64) -> Self {
        match ms {
            ..=0 => Self::Critical,
            1..=span::DAY => Self::Urgent,
            _ if ms <= 3 * span::DAY => Self::Warning,
            _ => Self::Notice,
        }
    }
}

/// When people are told, and when not.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertPolicy {
    /// `lenient`: when a person is needed. `strict`: when the stored access token ends, whoever may renew it.
    pub refreshable: Refreshable,
    /// The window before the end of what nobody renews, in ms.
    pub warn_after_ms: i64,
    /// How long renewing may fail before it is worth telling, in ms.
    pub refresh_failing_after_ms: i64,
    /// How often an incident that goes on is told again, in ms; `None` for once.
    pub repeat_ms: Option<i64>,
    /// The used share of a subscription's window from which on it is told, 0 to 100; `None` for never.
    pub quota_percent: Option<f64>,
    /// Hours in which only what matters most is told.
    pub quiet_hours: Option<QuietHours>,
}

impl Default for AlertPolicy {
    fn default() -> Self {
        Self {
            refreshable: Refreshable::Lenient,
            warn_after_ms: span::DAY,
            refresh_failing_after_ms: span::HOUR,
            repeat_ms: None,
            quota_percent: None,
            quiet_hours: None,
        }
    }
}
