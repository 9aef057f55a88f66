//! The only place that reads the time.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

/// Where the time comes from.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// A clock for tests: it stands still, and a sleep moves it on without waiting. Holds ms since the epoch.
    Fixed(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that stands still at an instant.
    pub fn fixed(now: DateTime<Utc>) -> Self {
        Self::Fixed(Arc::new(AtomicI64::new(now.timestamp_millis())))
    }

    /// The time of day.
    pub fn now(&self) -> DateTime<Utc> {
        match self {
            #[expect(clippy::disallowed_methods, reason = "this is the place")]
            Self::System => Utc::now(),
            Self::Fixed(now) => {
                DateTime::from_timestamp_millis(now.load(Ordering::SeqCst)).unwrap_or(DateTime::UNIX_EPOCH)
            }
        }
    }

    /// Waits; a fixed clock moves on instead.
    pub fn sleep(&self, span: Duration) {
        match self {
            #[expect(clippy::disallowed_methods, reason = "this is the place")]
            Self::System => std::thread::sleep(span),
            Self::Fixed(now) => {
                now.fetch_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX), Ordering::SeqCst);
            }
        }
    }
}

/// An instant by which something must have ended, on a clock that nobody can set. It is real time even in tests:
/// it guards against things outside of the program that hang.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Instant);

impl Deadline {
    /// The deadline that far from now.
    #[expect(clippy::disallowed_methods, reason = "this is the place")]
    pub fn after(span: Duration) -> Self {
        let now = Instant::now();
        // A span that no clock can hold means "never"; a century is never enough.
        Self(now.checked_add(span).unwrap_or(now + Duration::from_hours(24 * 365 * 100)))
    }

    /// What is left, zero when it has passed.
    #[expect(clippy::disallowed_methods, reason = "this is the place")]
    pub fn remaining(&self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Whether it has passed.
    pub fn has_passed(&self) -> bool {
        self.remaining().is_zero()
    }
}

/// A watch that runs since it was made, on a clock that nobody can set.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// One that begins now.
    #[expect(clippy::disallowed_methods, reason = "this is the place")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// How long it has been running.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}
