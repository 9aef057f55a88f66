//! What failures and successes do to a profile: how long it rests, when it is tried again, and that a success always
//! clears.
//!
//! Source of the ladders and of the words in `failureCounts`: the reference, release 2026.1.24.

use crate::core::credential::EpochMs;
use crate::core::failure::FailureClass;
use crate::core::span;
use crate::core::store::UsageStats;

/// The rest after the first failure; each further one takes five times as long.
const FIRST_REST: i64 = span::MINUTE;
/// The longest rest, also when a provider asks for more.
const LONGEST_REST: i64 = span::HOUR;
/// The last step of the ladder 1, 5, 25, 60 minutes.
const LAST_STEP: u32 = 3;

/// `auth.cooldowns` of the config: how long failures make profiles rest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rests {
    /// What counts for everybody.
    pub general: Ladders,
    /// The first rest of an account without credit, in ms, where a provider has its own.
    pub billing_first_ms: Vec<(String, i64)>,
}

impl Rests {
    /// What counts for a provider.
    pub fn of(&self, provider: &str) -> Ladders {
        let own = self.billing_first_ms.iter().find(|(known, _)| known == provider);
        let first = own.map_or(self.general.billing_first_ms, |(_, first)| *first);
        Ladders { billing_first_ms: first, ..self.general }
    }
}

/// How long failures make a profile rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ladders {
    /// How long an account without credit is left alone the first time, in ms; doubled each time.
    pub billing_first_ms: i64,
    /// The longest that it is left alone, in ms.
    pub billing_longest_ms: i64,
    /// Failures longer ago than this, in ms, are forgotten.
    pub window_ms: i64,
}

impl Default for Ladders {
    fn default() -> Self {
        Self { billing_first_ms: 5 * span::HOUR, billing_longest_ms: span::DAY, window_ms: span::DAY }
    }
}

/// Whose fault a failure is, and so who is not to be asked again for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The credential: it rests, counted under this word.
    Credential(&'static str),
    /// The account behind it: it is disabled, counted under this word.
    Account(&'static str),
    /// The provider or the way to it: no credential of it is to blame.
    Provider,
    /// The request: another credential would fail alike.
    Request,
}

/// Whose fault a class of failure is.
pub fn blame(class: FailureClass) -> Blame {
    match class {
        FailureClass::Auth
        | FailureClass::ClientRejected
        | FailureClass::Expired
        | FailureClass::InvalidGrant
        | FailureClass::Reused
        | FailureClass::Revoked
        | FailureClass::SubscriptionOnly => Blame::Credential("auth"),
        FailureClass::Overloaded | FailureClass::RateLimited => Blame::Credential("rate_limit"),
        FailureClass::Timeout => Blame::Credential("timeout"),
        FailureClass::Billing => Blame::Account("billing"),
        FailureClass::Format => Blame::Request,
        FailureClass::Malformed
        | FailureClass::Network
        | FailureClass::NoModel
        | FailureClass::Redirected
        | FailureClass::ServerError
        | FailureClass::Tls
        | FailureClass::TooLarge
        | FailureClass::Unknown => Blame::Provider,
    }
}

/// What came of using a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Used {
    /// It failed, and the provider asked to wait that long, in ms.
    Failed(FailureClass, Option<i64>),
    /// It worked.
    Worked,
}

/// What is remembered of a profile after it was used at an instant.
pub fn after(stats: &UsageStats, used: Used, now: EpochMs, ladders: &Ladders) -> UsageStats {
    match used {
        Used::Worked => {
            UsageStats { last_used: Some(now), last_failure: stats.last_failure, ..UsageStats::default() }
        }
        Used::Failed(class, retry_after) => match blame(class) {
            Blame::Credential(word) => failed(stats, word, now, ladders, |known, stats| {
                let step = u32::try_from(stats.error_count - 1).unwrap_or(u32::MAX).min(LAST_STEP);
                let rest = (FIRST_REST * 5_i64.pow(step)).min(LONGEST_REST);
                let rest = retry_after.map_or(rest, |asked| asked.clamp(0, LONGEST_REST));
                // A shorter rest never ends a longer one that somebody else has ordered.
                stats.cooldown_until = Some(now.saturating_add(rest)).max(known);
            }),
            Blame::Account(word) => failed(stats, word, now, ladders, |_, stats| {
                let doublings = u32::try_from(stats.failures(word) - 1).unwrap_or(u32::MAX).min(16);
                let rest = ladders.billing_first_ms.max(FIRST_REST).saturating_mul(1 << doublings);
                let rest = rest.min(ladders.billing_longest_ms.max(FIRST_REST));
                stats.disabled_until = Some(now.saturating_add(rest)).max(stats.disabled_until);
                stats.disabled_reason = Some(word.to_owned());
            }),
            Blame::Provider | Blame::Request => stats.clone(),
        },
    }
}

fn failed(
    stats: &UsageStats,
    word: &str,
    now: EpochMs,
    ladders: &Ladders,
    rest: impl FnOnce(Option<EpochMs>, &mut UsageStats),
) -> UsageStats {
    let mut stats = stats.clone();
    let is_forgotten = stats.last_failure.is_some_and(|last| now.saturating_sub(last) > ladders.window_ms);
    if is_forgotten {
        stats.error_count = 0;
        stats.failure_counts.clear();
    }
    stats.error_count = stats.error_count.saturating_add(1);
    match stats.failure_counts.iter_mut().find(|(known, _)| known == word) {
        Some((_, count)) => *count = count.saturating_add(1),
        None => stats.failure_counts.push((word.to_owned(), 1)),
    }
    stats.last_failure = Some(now);
    let known = stats.cooldown_until;
    rest(known, &mut stats);
    stats
}

/// Whether a profile may be used at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// Freely.
    Open,
    /// Not before this instant.
    Resting(EpochMs),
    /// Once, to see whether it works again.
    Trial,
}

/// Whether a profile may be used at an instant. One that has failed is tried by one request at a time until it works.
pub fn gate(stats: &UsageStats, now: EpochMs) -> Gate {
    match stats.cooldown_until.max(stats.disabled_until).filter(|until| *until > now) {
        Some(until) => Gate::Resting(until),
        None if stats.error_count > 0 => Gate::Trial,
        None => Gate::Open,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Blame, Gate, Ladders, Used, after, blame, gate};
    use crate::core::failure::FailureClass;
    use crate::core::span::{DAY, HOUR, MINUTE};
    use crate::core::store::UsageStats;

    fn run(outcomes: &[(i64, Used)]) -> UsageStats {
        let ladders = Ladders::default();
        outcomes.iter().fold(UsageStats::default(), |stats, (at, used)| after(&stats, *used, *at, &ladders))
    }

    const AUTH: Used = Used::Failed(FailureClass::Auth, None);
    const BILLING: Used = Used::Failed(FailureClass::Billing, None);

    #[test]
    fn rests_grow_by_the_ladder_and_end_with_the_first_success() {
        let mut at = 1_000;
        let mut stats = UsageStats::default();
        for (count, rest) in [(1, MINUTE), (2, 5 * MINUTE), (3, 25 * MINUTE), (4, HOUR), (5, HOUR)] {
            stats = after(&stats, AUTH, at, &Ladders::default());
            assert_eq!((stats.error_count, stats.cooldown_until), (count, Some(at + rest)));
            assert_eq!(gate(&stats, at + rest - 1), Gate::Resting(at + rest));
            assert_eq!(gate(&stats, at + rest), Gate::Trial);
            at += rest;
        }
        assert_eq!(stats.failure_counts, [("auth".to_owned(), 5)]);
        let healed = after(&stats, Used::Worked, at, &Ladders::default());
        assert_eq!((gate(&healed, at), healed.last_used, healed.error_count), (Gate::Open, Some(at), 0));
        assert_eq!(healed.last_failure, stats.last_failure);
    }

    #[test]
    fn an_empty_account_is_left_alone_for_hours() {
        let stats = run(&[(0, BILLING)]);
        assert_eq!(
            (stats.disabled_until, stats.disabled_reason.as_deref()),
            (Some(5 * HOUR), Some("billing"))
        );
        assert_eq!(stats.cooldown_until, None);
        let hours = |count: usize| run(&vec![(0, BILLING); count]).disabled_until.unwrap() / HOUR;
        assert_eq!([hours(1), hours(2), hours(3), hours(4), hours(40)], [5, 10, 20, 24, 24]);
    }

    #[test]
    fn failures_of_yesterday_are_forgotten() {
        let stats = run(&[(0, BILLING), (0, BILLING), (DAY + 1, BILLING)]);
        assert_eq!((stats.error_count, stats.disabled_until), (1, Some(DAY + 1 + 5 * HOUR)));
        let stats = run(&[(0, AUTH), (DAY, AUTH)]);
        assert_eq!(stats.error_count, 2, "the window's end is inside");
    }

    #[test]
    fn what_a_provider_asks_for_is_believed_within_reason() {
        let until = |asked| run(&[(0, Used::Failed(FailureClass::RateLimited, Some(asked)))]).cooldown_until;
        assert_eq!([until(3_000), until(DAY), until(-5)], [Some(3_000), Some(HOUR), Some(0)]);
        let shorter = run(&[(0, AUTH), (0, AUTH), (1, Used::Failed(FailureClass::RateLimited, Some(10)))]);
        assert_eq!(shorter.cooldown_until, Some(5 * MINUTE));
    }

    #[test]
    fn what_is_nobodys_credentials_fault_costs_none_its_rest() {
        for class in FailureClass::ALL {
            let stats = run(&[(5, Used::Failed(*class, None))]);
            let rests = !matches!(blame(*class), Blame::Provider | Blame::Request);
            assert_eq!(gate(&stats, 6) != Gate::Open, rests, "{class:?}");
        }
    }

    fn outcome() -> impl Strategy<Value = Used> {
        let class = prop::sample::select(FailureClass::ALL);
        prop_oneof![
            1 => Just(Used::Worked),
            3 => (class, prop::option::of(any::<i64>())).prop_map(|(class, asked)| Used::Failed(class, asked)),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: if cfg!(debug_assertions) { 256 } else { 20_000 }, ..ProptestConfig::default() })]
        #[test]
        fn no_sequence_of_outcomes_refuses_a_healthy_profile_for_ever(
            outcomes in prop::collection::vec((0..90 * DAY, outcome()), 0..60)
        ) {
            let mut now = 0;
            let mut stats = UsageStats::default();
            for (pause, used) in outcomes {
                now += pause;
                stats = after(&stats, used, now, &Ladders::default());
                prop_assert!(stats.cooldown_until.is_none_or(|until| until <= now + HOUR));
                prop_assert!(stats.disabled_until.is_none_or(|until| until <= now + DAY));
            }
            // It is tried within a day without anybody's help, and one success clears everything.
            let tried = gate(&stats, now + DAY);
            prop_assert!(!matches!(tried, Gate::Resting(_)));
            let healed = after(&stats, Used::Worked, now + DAY, &Ladders::default());
            prop_assert_eq!(gate(&healed, now + DAY), Gate::Open);
        }
    }
}
