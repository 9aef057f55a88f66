//! How refreshes of a login ended: what a failure means, and when to try again.

use crate::core::credential::EpochMs;
use crate::core::failure::FailureClass;
use crate::core::span;

/// The first wait after a failure that passes, the longest, and the longest that a provider may ask for.
const FIRST_WAIT: i64 = 30 * span::SECOND;
const LONGEST_WAIT: i64 = 15 * span::MINUTE;
const LONGEST_ASKED_WAIT: i64 = span::HOUR;

/// Whether the refresh token itself is of no more use. A client can be corrected behind our back.
fn is_final(class: FailureClass) -> bool {
    matches!(
        class,
        FailureClass::InvalidGrant
            | FailureClass::Reused
            | FailureClass::Revoked
            | FailureClass::SubscriptionOnly
    )
}

/// What is remembered of the refreshes of one login.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RefreshRecord {
    /// The last success.
    pub last_success: Option<EpochMs>,
    /// The last failure since then.
    pub failure: Option<RefreshFailure>,
}

/// A failure, and the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefreshFailure {
    /// What it was.
    pub class: FailureClass,
    /// When it was.
    pub at: EpochMs,
    /// When the first of the failures in a row was.
    pub since: EpochMs,
    /// How many there were in a row.
    pub count: u32,
    /// Not to be tried before this instant; `None` when trying is useless.
    pub next_try: Option<EpochMs>,
}

impl RefreshRecord {
    /// The record after one more failure. `asked_ms` is the wait that the provider asked for.
    #[must_use]
    pub fn failed(&self, class: FailureClass, asked_ms: Option<i64>, now: EpochMs) -> Self {
        let count = self.failure.map_or(0, |failure| failure.count).saturating_add(1);
        let doubled = FIRST_WAIT.saturating_mul(1 << (count - 1).min(10));
        let wait =
            asked_ms.map_or(doubled.min(LONGEST_WAIT), |asked| asked.clamp(span::SECOND, LONGEST_ASKED_WAIT));
        let failure = RefreshFailure {
            class,
            at: now,
            since: self.failure.map_or(now, |failure| failure.since),
            count,
            next_try: (!is_final(class)).then(|| now.saturating_add(wait)),
        };
        Self { last_success: self.last_success, failure: Some(failure) }
    }

    /// The failure because of which the provider is not asked now. One of a future that has not come was remembered by a
    /// clock that was wrong.
    pub fn resting(&self, now: EpochMs) -> Option<RefreshFailure> {
        self.failure.filter(|failure| match failure.next_try {
            Some(next) => next > now && next.saturating_sub(now) <= LONGEST_ASKED_WAIT,
            None => true,
        })
    }

    /// Whether only a person can mend it.
    pub fn needs_human(&self) -> bool {
        self.failure.is_some_and(|failure| failure.class.needs_human())
    }
}

#[cfg(test)]
mod tests {
    use super::RefreshRecord;
    use crate::core::failure::FailureClass;

    #[test]
    fn waits_double_and_a_provider_may_ask_for_at_most_an_hour() {
        let mut record = RefreshRecord::default();
        let mut waits = Vec::new();
        for _ in 0..8 {
            record = record.failed(FailureClass::ServerError, None, 0);
            waits.push(record.failure.unwrap().next_try.unwrap() / 1000);
        }
        assert_eq!(waits, [30, 60, 120, 240, 480, 900, 900, 900]);
        let asked =
            |ms| record.failed(FailureClass::RateLimited, Some(ms), 0).failure.unwrap().next_try.unwrap();
        assert_eq!((asked(7_000), asked(i64::MAX), asked(-1)), (7_000, 3_600_000, 1_000));
        assert_eq!(record.failed(FailureClass::Revoked, None, 0).failure.unwrap().next_try, None);
        let failed = record.failed(FailureClass::Timeout, None, 1_000_000_000);
        assert!(failed.resting(1_000_000_001).is_some());
        assert!(failed.resting(2_000_000_000).is_none(), "the wait is over");
        assert!(failed.resting(0).is_none(), "the clock was wrong then");
        assert!(record.failed(FailureClass::Reused, None, 9).resting(0).is_some());
    }
}
