//! How much of a subscription is left.

use crate::core::credential::EpochMs;
use crate::core::span;

/// A provider is not asked again within this: watching must never be what spends the limit.
pub const MIN_INTERVAL: i64 = 5 * span::MINUTE;
/// A figure older than this says little about now.
pub const STALE_AFTER: i64 = 15 * span::MINUTE;
/// Less than this share left is low.
const LOW_BELOW_PERCENT: f64 = 10.0;

/// One window of a limit.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    /// What it is called: `5h`, `Week`.
    pub label: String,
    /// How much is used, 0 to 100.
    pub used_percent: f64,
    /// When it begins anew.
    pub resets_at: Option<EpochMs>,
}

impl Window {
    /// A window; shares outside of 0 to 100 are cut off.
    pub fn new(label: impl Into<String>, used_percent: f64, resets_at: Option<EpochMs>) -> Self {
        let used_percent = if used_percent.is_finite() { used_percent.clamp(0.0, 100.0) } else { 0.0 };
        Self { label: label.into(), used_percent, resets_at }
    }

    /// How much is left, 0 to 100.
    pub fn left_percent(&self) -> f64 {
        100.0 - self.used_percent
    }
}

/// What is remembered of a login's usage.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UsageRecord {
    /// The windows of the last good answer.
    pub windows: Vec<Window>,
    /// When that came.
    pub fetched_at: Option<EpochMs>,
    /// The provider is not asked before this.
    pub not_before: Option<EpochMs>,
    /// What went wrong since then: the word of a failure class.
    pub error: Option<String>,
}

impl UsageRecord {
    /// Whether the provider may be asked now. An instant that lies further ahead than any wait was written by a clock
    /// that was wrong.
    pub fn is_due(&self, now: EpochMs) -> bool {
        self.not_before.is_none_or(|not_before| not_before <= now || not_before - now > span::DAY)
    }
}

/// What is shown of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Usage {
    /// The profile.
    pub profile_id: String,
    /// Its provider as found.
    pub provider: String,
    /// What is known.
    pub record: UsageRecord,
}

impl Usage {
    /// How old the figures are, in ms.
    pub fn age_ms(&self, now: EpochMs) -> Option<i64> {
        self.record.fetched_at.map(|fetched| now.saturating_sub(fetched).max(0))
    }

    /// Whether the figures may be wrong by now: too old, or the last try failed, or a window has begun anew since.
    pub fn is_stale(&self, now: EpochMs) -> bool {
        let is_over = self.record.windows.iter().any(|window| window.resets_at.is_some_and(|at| at <= now));
        self.record.error.is_some() || is_over || self.age_ms(now).is_none_or(|age| age > STALE_AFTER)
    }

    /// Whether little is left in a window.
    pub fn is_low(&self) -> bool {
        self.record.windows.iter().any(|window| window.left_percent() < LOW_BELOW_PERCENT)
    }
}

#[cfg(test)]
mod tests {
    use super::{Usage, UsageRecord, Window};

    fn usage(used: f64, resets_at: i64, fetched_at: i64, error: Option<&str>) -> Usage {
        let windows = vec![Window::new("5h", used, Some(resets_at))];
        let error = error.map(str::to_owned);
        let record = UsageRecord { windows, fetched_at: Some(fetched_at), not_before: None, error };
        Usage { profile_id: "p".to_owned(), provider: "anthropic".to_owned(), record }
    }

    #[test]
    fn stale_and_low_are_two_things() {
        let now = 10_000_000;
        for (used, resets_at, fetched_at, error, stale, low) in [
            (50.0, now + 1, now, None, false, false),
            (95.0, now + 1, now, None, false, true),
            (50.0, now + 1, now - 900_001, None, true, false),
            (50.0, now + 1, now, Some("timeout"), true, false),
            (95.0, now, now, None, true, true),
        ] {
            let usage = usage(used, resets_at, fetched_at, error);
            assert_eq!((usage.is_stale(now), usage.is_low()), (stale, low), "{usage:?}");
        }
    }

    #[test]
    fn shares_are_believed_within_reason() {
        assert!((Window::new("x", -5.0, None).left_percent() - 100.0).abs() < 1e-9);
        assert!(Window::new("x", 1e9, None).left_percent().abs() < 1e-9);
        assert!((Window::new("x", f64::NAN, None).left_percent() - 100.0).abs() < 1e-9);
    }

    #[test]
    fn a_wait_of_a_wrong_clock_is_not_waited_for() {
        let record = |not_before| UsageRecord { not_before: Some(not_before), ..UsageRecord::default() };
        assert!(!record(1_000).is_due(0) && record(1_000).is_due(1_000) && record(i64::MAX).is_due(0));
    }
}
