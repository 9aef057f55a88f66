//! What the gateway counts. A request touches a handful of atomic numbers: no lock, and nothing is looked up twice.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;

use crate::core::failure::FailureClass;
use crate::core::upstream::Surface;
use crate::metrics::gateway as all;
use crate::metrics::label::bounded;
use crate::metrics::samples::{Sink, count, family};

/// More providers than anybody has; what a config has beyond them is counted as one.
const MOST_PROVIDERS: usize = 100;
/// What counts for requests that never got to a provider.
const NOBODY: &str = "none";
/// What counts for the providers beyond [`MOST_PROVIDERS`].
const OTHERS: &str = "others";

/// How a request has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// A provider has served it.
    Answered,
    /// The provider broke off within its answer.
    Broken,
    /// The client went away.
    Cancelled,
    /// The door stayed shut.
    Denied,
    /// Nothing could serve it.
    Failed,
    /// It was wrong in itself.
    Invalid,
}

impl Ending {
    const ALL: [Self; 6] =
        [Self::Answered, Self::Broken, Self::Cancelled, Self::Denied, Self::Failed, Self::Invalid];

    /// The stable word.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Broken => "broken",
            Self::Cancelled => "cancelled",
            Self::Denied => "denied",
            Self::Failed => "failed",
            Self::Invalid => "invalid",
        }
    }
}

/// What becomes of a request that a subscription could not serve and a paid key could.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Crossing {
    Allowed,
    Told,
    Denied,
}

impl Crossing {
    const ALL: [Self; 3] = [Self::Allowed, Self::Told, Self::Denied];

    fn word(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Told => "told",
            Self::Denied => "denied",
        }
    }
}

/// Where a request came in, as a place in arrays; what is no surface comes last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entrance(usize);

/// The surfaces, and one for everything else.
const ENTRANCES: usize = Surface::ALL.len() + 1;

impl Entrance {
    /// The one of a path.
    pub(super) fn of(path: &str) -> Self {
        let known = Surface::ALL.iter().position(|surface| surface.path() == path);
        Self(known.unwrap_or(Surface::ALL.len()))
    }

    /// The surface, when it is one.
    pub(super) fn surface(self) -> Option<Surface> {
        Surface::ALL.get(self.0).copied()
    }

    /// The word in metrics and logs.
    pub(super) fn word(self) -> &'static str {
        match self.surface() {
            Some(Surface::ChatCompletions) => "chat_completions",
            Some(Surface::CountTokens) => "count_tokens",
            Some(Surface::Messages) => "messages",
            Some(Surface::Responses) => "responses",
            None => "other",
        }
    }

    fn all() -> impl Iterator<Item = Self> {
        (0..ENTRANCES).map(Self)
    }
}

/// A number that only grows.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    pub(super) fn one(&self) {
        self.add(1);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Upper bounds in µs: from what loopback takes to the longest that a provider may think.
const BOUNDS: [u64; 16] = [
    1_000,
    2_500,
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    30_000_000,
    120_000_000,
    600_000_000,
];

/// How long something took, by [`BOUNDS`].
#[derive(Debug, Default)]
pub(super) struct Durations {
    each: [Counter; BOUNDS.len() + 1],
    sum_us: Counter,
}

impl Durations {
    pub(super) fn observe(&self, span: Duration) {
        let us = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        self.each[BOUNDS.partition_point(|bound| *bound < us)].one();
        self.sum_us.add(us);
    }

    /// Bounds in s with what stayed below, the sum in s, and the count.
    fn read(&self) -> (Vec<(f64, u64)>, f64, u64) {
        let mut below = 0;
        let all = BOUNDS.iter().zip(&self.each).map(|(bound, each)| {
            below += each.get();
            (count(*bound) / 1e6, below)
        });
        let all = all.collect();
        (all, count(self.sum_us.get()) / 1e6, below + self.each[BOUNDS.len()].get())
    }
}

const CLASSES: usize = FailureClass::ALL.len();

/// The numbers of one provider.
#[derive(Debug, Default)]
pub(super) struct OfProvider {
    requests: [[Counter; Ending::ALL.len()]; ENTRANCES],
    failures: [Counter; CLASSES],
    pub(super) first_token: Durations,
    pub(super) upstream: Durations,
    pub(super) tokens_in: Counter,
    pub(super) tokens_out: Counter,
}

impl OfProvider {
    pub(super) fn ended(&self, entrance: Entrance, ending: Ending) {
        self.requests[entrance.0][ending as usize].one();
    }

    pub(super) fn failed(&self, class: FailureClass) {
        self.failures[class as usize].one();
    }
}

/// All numbers.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    providers: ArcSwap<BTreeMap<String, Arc<OfProvider>>>,
    failovers: [Counter; CLASSES],
    crossings: [Counter; Crossing::ALL.len()],
    durations: [Durations; ENTRANCES],
    pub(super) begun: Counter,
    pub(super) finished: Counter,
    pub(super) log_dropped: Counter,
    pub(super) refresh_failed: Counter,
    pub(super) refresh_renewed: Counter,
    pub(super) reload_applied: Counter,
    pub(super) reload_refused: Counter,
    pub(super) store_failures: Counter,
}

impl Numbers {
    /// The numbers of a provider; they stay where they are for as long as the gateway lives.
    pub(super) fn provider(&self, id: &str) -> Arc<OfProvider> {
        if let Some(known) = self.providers.load().get(id) {
            return Arc::clone(known);
        }
        self.providers.rcu(|known| {
            let mut known = BTreeMap::clone(known);
            let id = if known.len() < MOST_PROVIDERS { id } else { OTHERS };
            known.entry(id.to_owned()).or_default();
            known
        });
        let known = self.providers.load();
        known.get(id).or_else(|| known.get(OTHERS)).cloned().unwrap_or_default()
    }

    /// Those of requests that never got to one.
    pub(super) fn nobody(&self) -> Arc<OfProvider> {
        self.provider(NOBODY)
    }

    pub(super) fn failed_over(&self, class: FailureClass) {
        self.failovers[class as usize].one();
    }

    pub(super) fn crossed(&self, crossing: Crossing) {
        self.crossings[crossing as usize].one();
    }

    pub(super) fn took(&self, entrance: Entrance, span: Duration) {
        self.durations[entrance.0].observe(span);
    }

    /// Requests whose answer is not finished.
    pub(super) fn in_flight(&self) -> u64 {
        self.begun.get().saturating_sub(self.finished.get())
    }

    /// Everything as samples.
    pub(super) fn samples(&self, sink: Sink<'_>) {
        let providers = self.providers.load();
        let shown = || providers.iter().map(|(id, of)| (bounded(id), of));
        family(&all::CREDENTIAL_FAILURES, sink, |family| {
            for (id, of) in shown().filter(|(id, _)| *id != NOBODY) {
                for class in FailureClass::ALL {
                    family.add([&*id, class.word()], count(of.failures[*class as usize].get()));
                }
            }
        });
        family(&all::FAILOVERS, sink, |family| {
            for class in FailureClass::ALL {
                family.add([class.word()], count(self.failovers[*class as usize].get()));
            }
        });
        for (metric, pick) in [
            (&all::FIRST_TOKEN, (|of| &of.first_token) as fn(&OfProvider) -> &Durations),
            (&all::UPSTREAM_DURATION, |of| &of.upstream),
        ] {
            family(metric, sink, |family| {
                for (id, of) in shown().filter(|(id, _)| *id != NOBODY) {
                    let (below, sum, number) = pick(of).read();
                    family.add_histogram([&*id], below, sum, number);
                }
            });
        }
        family(&all::METERED, sink, |family| {
            for crossing in Crossing::ALL {
                family.add([crossing.word()], count(self.crossings[crossing as usize].get()));
            }
        });
        family(&all::REQUEST_DURATION, sink, |family| {
            for entrance in Entrance::all() {
                let (below, sum, number) = self.durations[entrance.0].read();
                family.add_histogram([entrance.word()], below, sum, number);
            }
        });
        family(&all::REQUESTS, sink, |family| {
            for (id, of) in shown() {
                for entrance in Entrance::all() {
                    for ending in Ending::ALL {
                        let number = of.requests[entrance.0][ending as usize].get();
                        family.add([entrance.word(), &*id, ending.word()], count(number));
                    }
                }
            }
        });
        family(&all::TOKENS, sink, |family| {
            for (id, of) in shown().filter(|(id, _)| *id != NOBODY) {
                family.add([&*id, "in"], count(of.tokens_in.get()));
                family.add([&*id, "out"], count(of.tokens_out.get()));
            }
        });
        let mut pair = |metric, values: [(&str, &Counter); 2]| {
            family(metric, sink, |family| {
                for (word, number) in values {
                    family.add([word], count(number.get()));
                }
            });
        };
        pair(&all::REFRESHES, [("failed", &self.refresh_failed), ("renewed", &self.refresh_renewed)]);
        pair(&all::RELOADS, [("applied", &self.reload_applied), ("refused", &self.reload_refused)]);
        let mut one = |metric, number| family(metric, sink, |family| family.add([], count(number)));
        one(&all::IN_FLIGHT, self.in_flight());
        one(&all::LOG_DROPPED, self.log_dropped.get());
        one(&all::STORE_FAILURES, self.store_failures.get());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::{Ending, Entrance, MOST_PROVIDERS, Numbers};

    fn text(numbers: &Numbers) -> String {
        let mut text = String::new();
        numbers
            .samples(&mut |family| prometheus::TextEncoder::new().encode_utf8(&[family], &mut text).unwrap());
        text
    }

    #[test]
    fn everything_is_there_at_zero_and_counts() {
        let numbers = Numbers::default();
        let zero = text(&numbers);
        assert!(zero.contains("openclaw_gateway_failovers_total{reason=\"billing\"} 0\n"), "{zero}");
        assert!(zero.contains("openclaw_gateway_reloads_total{outcome=\"refused\"} 0\n"), "{zero}");
        let of = numbers.provider("anthropic");
        assert!(Arc::ptr_eq(&of, &numbers.provider("anthropic")));
        let entrance = Entrance::of("/v1/messages");
        of.ended(entrance, Ending::Answered);
        for span in [0, 1_000, 1_001, 10_000_000_000] {
            of.upstream.observe(Duration::from_micros(span));
        }
        let told = text(&numbers);
        for line in [
            "openclaw_gateway_requests_total{surface=\"messages\",provider=\"anthropic\",outcome=\"answered\"} 1",
            "openclaw_gateway_requests_total{surface=\"other\",provider=\"anthropic\",outcome=\"broken\"} 0",
            "openclaw_gateway_upstream_duration_seconds_bucket{provider=\"anthropic\",le=\"0.001\"} 2",
            "openclaw_gateway_upstream_duration_seconds_bucket{provider=\"anthropic\",le=\"600\"} 3",
            "openclaw_gateway_upstream_duration_seconds_bucket{provider=\"anthropic\",le=\"+Inf\"} 4",
            "openclaw_gateway_upstream_duration_seconds_count{provider=\"anthropic\"} 4",
        ] {
            assert!(told.contains(&format!("{line}\n")), "{line}: {told}");
        }
    }

    #[test]
    fn a_config_cannot_make_any_number_of_series() {
        let numbers = Numbers::default();
        for at in 0..MOST_PROVIDERS * 2 {
            numbers.provider(&format!("p{at}")).ended(Entrance::of("/v1/messages"), Ending::Failed);
        }
        assert_eq!(numbers.providers.load().len(), MOST_PROVIDERS + 1);
        let others = "surface=\"messages\",provider=\"others\",outcome=\"failed\"} 100\n";
        assert!(text(&numbers).contains(others));
    }
}
