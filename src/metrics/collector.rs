//! Reports in, metric families out.

use std::collections::BTreeMap;
use std::sync::Arc;

use prometheus::TextEncoder;
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;

use crate::core::credential::EpochMs;
use crate::core::delivery::Deliveries;
use crate::core::report::Report;
use crate::metrics::catalogue::{METRICS, Metric};
use crate::metrics::samples::{Samples, Sink};
use crate::sys::procfs::Footprint;

/// The most profiles that one scrape shows: what is beyond is counted as dropped.
pub const MOST_PROFILES: usize = 10_000;

/// So many profiles are worth a second thread.
const MANY: usize = 500;

/// What labels may tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Labels {
    /// Agent, provider, profile and type.
    #[default]
    Minimal,
    /// E-mail addresses and paths too.
    Full,
}

/// What is remembered of the sources and checks of one agent.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// When each source was last read, ms since the epoch.
    pub last_read: BTreeMap<&'static str, EpochMs>,
    /// Reads that failed, by source and class.
    pub read_errors: BTreeMap<(&'static str, &'static str), u64>,
    /// When a report was last made, ms since the epoch.
    pub last_success: Option<EpochMs>,
    /// How long that took, in s.
    pub duration: f64,
    /// Checks without a report.
    pub errors: u64,
}

/// One agent at one instant.
#[derive(Clone, Debug)]
pub struct AgentView {
    /// Its id.
    pub id: String,
    /// The report; `None` when none can be made.
    pub report: Option<Report>,
    /// What came before.
    pub history: History,
}

/// What the exporter counts of itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Connections that were ended.
    pub cut: u64,
    /// Profiles that were left out.
    pub dropped: u64,
    /// Reads of the sources.
    pub reads: u64,
    /// Servers that had to be built anew.
    pub rebuilds: u64,
    /// Scrapes.
    pub scrapes: u64,
    /// Scrapes of itself that failed.
    pub self_scrape_failures: u64,
}

/// Everything that one scrape tells.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// Every agent.
    pub agents: Vec<AgentView>,
    /// What became of notifications.
    pub deliveries: Vec<Deliveries>,
    /// The exporter itself; `None` where none runs.
    pub exporter: Option<(Counts, Option<Footprint>)>,
    /// What labels may tell.
    pub labels: Labels,
}

impl Observed {
    /// Profiles that are more than a scrape shows.
    pub fn dropped(&self) -> u64 {
        let all: usize =
            self.agents.iter().filter_map(|agent| agent.report.as_ref()).map(|r| r.profiles.len()).sum();
        all.saturating_sub(MOST_PROFILES) as u64
    }
}

/// The collector. It is made for one scrape, or registered anew whenever something else is to be told.
pub struct HostCollector {
    observed: Arc<Observed>,
    descriptions: Vec<Desc>,
}

impl HostCollector {
    /// A collector of what was observed.
    pub fn new(observed: Arc<Observed>) -> Self {
        let describe = |metric: &&Metric| {
            let labels = metric.labels.iter().map(|label| (*label).to_owned()).collect();
            Desc::new(
                metric.name.to_owned(),
                metric.help.to_owned(),
                labels,
                std::collections::HashMap::new(),
            )
            .ok()
        };
        Self { observed, descriptions: METRICS.iter().filter_map(describe).collect() }
    }
}

impl Collector for HostCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let mut families = Vec::new();
        let samples = Samples::of(&self.observed);
        samples.others(&mut |family| families.push(family));
        samples.credentials(&mut |family| families.push(family));
        samples.statuses(&mut |family| families.push(family));
        families
    }
}

/// Writes the text exposition. What is told of the profiles is judged anew at each scrape, and written anew only when the
/// judgement has changed.
#[derive(Default)]
pub struct Writer {
    profiles: Option<(u64, Labels, String)>,
}

impl Writer {
    /// The text. Families are written and let go one by one, so that a large host takes little memory.
    pub fn text(&mut self, observed: &Observed) -> String {
        let samples = Samples::of(observed);
        let key = (samples.fingerprint(), observed.labels);
        let mut text = written(&|sink| samples.others(sink));
        match &self.profiles {
            Some((fingerprint, labels, known)) if (*fingerprint, *labels) == key => text.push_str(known),
            _ => {
                let fresh = profiles(&samples);
                text.push_str(&fresh);
                self.profiles = Some((key.0, key.1, fresh));
            }
        }
        text
    }
}

/// The text exposition, once.
pub fn text(observed: &Observed) -> String {
    Writer::default().text(observed)
}

fn profiles(samples: &Samples<'_>) -> String {
    let credentials = || written(&|sink| samples.credentials(sink));
    let statuses = || written(&|sink| samples.statuses(sink));
    if samples.profiles() < MANY {
        return credentials() + &statuses();
    }
    std::thread::scope(|scope| {
        let other = std::thread::Builder::new().spawn_scoped(scope, statuses);
        let text = credentials();
        // Where no thread is to be had it takes longer.
        text + &other.ok().and_then(|other| other.join().ok()).unwrap_or_else(statuses)
    })
}

pub(crate) fn written(families: &dyn Fn(Sink<'_>)) -> String {
    let mut text = String::with_capacity(16 * 1024);
    families(&mut |family| {
        // It fails on a family without name or samples alone, and there is none.
        drop(TextEncoder::new().encode_utf8(&[family], &mut text));
    });
    text
}
