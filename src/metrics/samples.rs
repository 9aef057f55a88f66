//! The samples of every metric, family by family.

use std::collections::BTreeSet;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use prometheus::proto::MetricFamily;

use crate::core::credential::EpochMs;
use crate::core::delivery::Deliveries;
use crate::core::finding::Severity;
use crate::core::report::{ProfileReport, Refreshable, Report, Status, Verdict};
use crate::metrics::catalogue::{self as all, Metric};
use crate::metrics::collector::{AgentView, Counts, Labels, MOST_PROFILES, Observed};
use crate::metrics::family::Family;
use crate::metrics::label::{bounded, word};
use crate::metrics::sources;
use crate::sys::procfs::Footprint;

const STATUSES: &[Status] = &[Status::Expired, Status::Expiring, Status::Missing, Status::Ok, Status::Static];

/// Where families go.
pub(crate) type Sink<'s> = &'s mut dyn FnMut(MetricFamily);

/// What one scrape tells, ready to be handed on family by family.
pub(super) struct Samples<'o> {
    observed: &'o Observed,
    agents: Vec<Agent<'o>>,
}

impl<'o> Samples<'o> {
    pub(super) fn of(observed: &'o Observed) -> Self {
        let mut room = MOST_PROFILES;
        Self { observed, agents: observed.agents.iter().map(|agent| Agent::of(agent, &mut room)).collect() }
    }

    /// How many profiles are shown.
    pub(super) fn profiles(&self) -> usize {
        self.agents.iter().map(|agent| agent.profiles.len()).sum()
    }

    /// What the samples of the profiles are made of, as one number: as long as it is the same, they are.
    pub(super) fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for profile in self.agents.iter().flat_map(|agent| &agent.profiles) {
            let report = profile.report;
            let failure = report.refresh.failure;
            profile.labels.hash(&mut hasher);
            (report.status.word(), report.refreshable, report.expires.at()).hash(&mut hasher);
            (report.human_needed_by, report.login.deadline, report.refresh.last_success).hash(&mut hasher);
            failure.map(|failure| (failure.class.word(), failure.at, failure.count)).hash(&mut hasher);
            (report.last_used, report.error_count, &report.email, &report.store.short).hash(&mut hasher);
            let rest = report.unusable.as_ref();
            rest.map(|rest| (rest.disabled, &rest.reason, rest.until)).hash(&mut hasher);
        }
        hasher.finish()
    }

    /// Hands on what is told of the profiles but their status.
    pub(super) fn credentials(&self, sink: Sink<'_>) {
        credentials(&self.agents, self.observed.labels, sink);
    }

    /// Hands on the status of the profiles: five samples each, about as many as all the others.
    pub(super) fn statuses(&self, sink: Sink<'_>) {
        statuses(&self.agents, sink);
    }

    /// Hands on what is not told of single profiles, and their usage.
    pub(super) fn others(&self, sink: Sink<'_>) {
        checks(&self.agents, sink);
        if let Some((counts, footprint)) = &self.observed.exporter {
            exporter(counts, *footprint, sink);
        }
        deliveries(&self.observed.deliveries, sink);
        providers(&self.agents, sink);
        sources::sources(&self.agents, self.observed.labels, sink);
        sources::usage(&self.agents, sink);
    }
}

/// One agent with the labels of what is shown of it.
pub(super) struct Agent<'o> {
    pub(super) view: &'o AgentView,
    pub(super) id: String,
    pub(super) profiles: Vec<Profile<'o>>,
}

pub(super) struct Profile<'o> {
    pub(super) report: &'o ProfileReport,
    labels: [String; 4],
}

impl<'o> Agent<'o> {
    fn of(view: &'o AgentView, room: &mut usize) -> Self {
        let id = bounded(&view.id).into_owned();
        let shown = view.report.iter().flat_map(|report| &report.profiles).take(*room);
        let profiles: Vec<_> = shown
            .map(|report| {
                let values = [id.as_str(), &report.provider, &report.id, report.kind];
                Profile { report, labels: values.map(|value| bounded(value).into_owned()) }
            })
            .collect();
        *room -= profiles.len();
        Self { view, id, profiles }
    }

    pub(super) fn report(&self) -> Option<&'o Report> {
        self.view.report.as_ref()
    }
}

impl Profile<'_> {
    pub(super) fn labels(&self) -> impl Iterator<Item = &str> {
        self.labels.iter().map(String::as_str)
    }

    pub(super) fn with<'l>(&'l self, more: &'l str) -> impl Iterator<Item = &'l str> {
        self.labels().chain([more])
    }
}

#[expect(clippy::cast_precision_loss, reason = "ms of this millennium fit into the 53 bits of a double")]
pub(crate) fn seconds(instant: EpochMs) -> f64 {
    instant as f64 / 1000.0
}

#[expect(clippy::cast_precision_loss, reason = "no count gets that far")]
pub(crate) fn count(number: impl TryInto<u64>) -> f64 {
    number.try_into().unwrap_or(u64::MAX) as f64
}

pub(crate) fn flag(is_so: bool) -> f64 {
    f64::from(u8::from(is_so))
}

/// A family, filled and handed on.
pub(crate) fn family(metric: &'static Metric, sink: Sink<'_>, fill: impl FnOnce(&mut Family)) {
    let mut family = Family::new(metric);
    fill(&mut family);
    if let Some(family) = family.done() {
        sink(family);
    }
}

fn checks(agents: &[Agent<'_>], sink: Sink<'_>) {
    let gauge = |metric, sink: Sink<'_>, value: &dyn Fn(&Agent<'_>) -> Option<f64>| {
        family(metric, sink, |family| {
            for agent in agents {
                if let Some(value) = value(agent) {
                    family.add([agent.id.as_str()], value);
                }
            }
        });
    };
    gauge(&all::CHECK_DURATION, sink, &|agent| {
        agent.view.history.last_success.map(|_| agent.view.history.duration)
    });
    gauge(&all::CHECK_ERRORS, sink, &|agent| Some(count(agent.view.history.errors)));
    family(&all::CHECK_FINDINGS, sink, |family| {
        for (agent, report) in agents.iter().filter_map(|agent| Some((agent, agent.report()?))) {
            for severity in [Severity::Advice, Severity::Warning, Severity::Error] {
                let found =
                    report.findings.iter().filter(|finding| finding.code.severity() == severity).count();
                family.add([agent.id.as_str(), severity.word()], count(found));
            }
        }
    });
    gauge(&all::CHECK_HUMAN_NEEDED, sink, &|agent| agent.report()?.human_needed_by.map(seconds));
    gauge(&all::CHECK_LAST_SUCCESS, sink, &|agent| agent.view.history.last_success.map(seconds));
    family(&all::CHECK_STATUS, sink, |family| {
        for agent in agents {
            for policy in [Refreshable::Lenient, Refreshable::Strict] {
                family.add([agent.id.as_str(), policy.word()], exit_code(agent.report(), policy));
            }
        }
    });
}

/// The exit code of a check. What is no report, or rests on something that is broken, is never ok.
fn exit_code(report: Option<&Report>, policy: Refreshable) -> f64 {
    let verdict = report.map_or(Verdict::Failing, |report| {
        let is_blind = report.findings.iter().any(|finding| finding.code.severity() == Severity::Error);
        if is_blind { Verdict::Failing } else { report.verdict_under(policy) }
    });
    match verdict {
        Verdict::Ok => 0.0,
        Verdict::Failing => 1.0,
        Verdict::Expiring => 2.0,
    }
}

fn credentials(agents: &[Agent<'_>], labels: Labels, sink: Sink<'_>) {
    let profiles = || agents.iter().flat_map(|agent| &agent.profiles);
    let gauge = |metric, sink: Sink<'_>, value: &dyn Fn(&ProfileReport) -> Option<f64>| {
        family(metric, sink, |family| {
            for profile in profiles() {
                if let Some(value) = value(profile.report) {
                    family.add(profile.labels(), value);
                }
            }
        });
    };
    gauge(&all::CREDENTIAL_ERRORS, sink, &|profile| Some(count(profile.error_count)));
    gauge(&all::CREDENTIAL_EXPIRES, sink, &|profile| profile.expires.at().map(seconds));
    gauge(&all::CREDENTIAL_HUMAN_NEEDED, sink, &|profile| profile.human_needed_by.map(seconds));
    if labels == Labels::Full {
        family(&all::CREDENTIAL_INFO, sink, |family| {
            for profile in profiles() {
                let email = bounded(profile.report.email.as_deref().unwrap_or_default());
                let store = bounded(&profile.report.store.short);
                family.add(profile.labels().chain([&*email, &*store]), 1.0);
            }
        });
    }
    gauge(&all::CREDENTIAL_LAST_USED, sink, &|profile| profile.last_used.map(seconds));
    gauge(&all::CREDENTIAL_LOGIN_DEADLINE, sink, &|profile| profile.login.deadline.map(seconds));
    family(&all::CREDENTIAL_REFRESH_FAILURE, sink, |family| {
        for profile in profiles() {
            if let Some(failure) = profile.report.refresh.failure {
                family.add(profile.with(failure.class.word()), seconds(failure.at));
            }
        }
    });
    gauge(&all::CREDENTIAL_REFRESH_FAILURES, sink, &|profile| {
        let failures = profile.refresh.failure.map_or(0, |failure| failure.count);
        (profile.kind == "oauth").then(|| f64::from(failures))
    });
    gauge(&all::CREDENTIAL_REFRESH_SUCCESS, sink, &|profile| profile.refresh.last_success.map(seconds));
    gauge(&all::CREDENTIAL_REFRESHABLE, sink, &|profile| Some(flag(profile.refreshable)));
    family(&all::CREDENTIAL_UNUSABLE, sink, |family| {
        for profile in profiles() {
            if let Some(unusable) = &profile.report.unusable {
                let reason = match (unusable.disabled, &unusable.reason) {
                    (false, _) => "cooldown".to_owned(),
                    (true, Some(reason)) => word(reason),
                    (true, None) => "disabled".to_owned(),
                };
                family.add(profile.with(&reason), seconds(unusable.until));
            }
        }
    });
}

fn statuses(agents: &[Agent<'_>], sink: Sink<'_>) {
    family(&all::CREDENTIAL_STATUS, sink, |family| {
        for profile in agents.iter().flat_map(|agent| &agent.profiles) {
            for status in STATUSES {
                family.add(profile.with(status.word()), flag(profile.report.status == *status));
            }
        }
    });
}

fn exporter(counts: &Counts, footprint: Option<Footprint>, sink: Sink<'_>) {
    let mut one = |metric, value| family(metric, sink, |family| family.add([], value));
    one(&all::DROPPED, count(counts.dropped));
    one(&all::CONNECTIONS_CUT, count(counts.cut));
    one(&all::SCRAPES, count(counts.scrapes));
    one(&all::SELF_SCRAPE_FAILURES, count(counts.self_scrape_failures));
    one(&all::SERVER_REBUILDS, count(counts.rebuilds));
    one(&all::SOURCE_READS, count(counts.reads));
    family(&all::BUILD_INFO, sink, |family| family.add([env!("CARGO_PKG_VERSION")], 1.0));
    process(footprint, sink);
}

/// What the process takes of the machine.
pub(crate) fn process(footprint: Option<Footprint>, sink: Sink<'_>) {
    let mut one = |metric, value| family(metric, sink, |family| family.add([], value));
    if let Some(footprint) = footprint {
        one(&all::PROCESS_CPU, seconds(footprint.cpu_ms));
        one(&all::PROCESS_HANDLES, count(footprint.handles));
        one(&all::PROCESS_RESIDENT, count(footprint.resident));
        one(&all::PROCESS_STARTED, seconds(footprint.started_ms));
        one(&all::PROCESS_THREADS, count(footprint.threads));
    }
}

fn deliveries(deliveries: &[Deliveries], sink: Sink<'_>) {
    family(&all::DELIVERIES, sink, |family| {
        for entry in deliveries {
            let channel = bounded(&entry.channel);
            family.add([&*channel, "delivered"], count(entry.delivered));
            family.add([&*channel, "failed"], count(entry.failed));
        }
    });
    family(&all::DELIVERED, sink, |family| {
        for entry in deliveries {
            if let Some(at) = entry.last_delivered {
                family.add([&*bounded(&entry.channel)], seconds(at));
            }
        }
    });
}

fn providers(agents: &[Agent<'_>], sink: Sink<'_>) {
    let reports = || agents.iter().filter_map(|agent| Some((agent.id.as_str(), agent.report()?)));
    family(&all::PROVIDER_EXPIRES, sink, |family| {
        for (agent, report) in reports() {
            for provider in &report.providers {
                if let Some(expires) = provider.expires {
                    family.add([agent, &*bounded(&provider.id)], seconds(expires));
                }
            }
        }
    });
    family(&all::PROVIDER_MISSING, sink, |family| {
        for (agent, report) in reports() {
            let missing: BTreeSet<&str> =
                report.missing_in_use.iter().map(|provider| provider.id.as_str()).collect();
            let known = report.providers.iter().map(|provider| provider.id.as_str());
            let ids: BTreeSet<&str> = known.chain(missing.iter().copied()).collect();
            for id in ids {
                family.add([agent, &*bounded(id)], flag(missing.contains(id)));
            }
        }
    });
    family(&all::PROVIDER_PROFILES, sink, |family| {
        for (agent, report) in reports() {
            for provider in &report.providers {
                family.add([agent, &*bounded(&provider.id)], count(provider.profiles.len()));
            }
        }
    });
    family(&all::PROVIDER_STATUS, sink, |family| {
        for (agent, report) in reports() {
            for provider in &report.providers {
                let id = bounded(&provider.id);
                for status in STATUSES {
                    family.add([agent, &*id, status.word()], flag(provider.status == *status));
                }
            }
        }
    });
    family(&all::PROVIDER_USABLE, sink, |family| {
        for (agent, report) in reports() {
            let is_usable = |place: &&usize| {
                let profile = report.profiles.get(**place);
                profile.is_some_and(|profile| {
                    let is_over = profile.human_needed_by.is_some_and(|by| by <= report.generated_at);
                    profile.unusable.is_none()
                        && !is_over
                        && (profile.refreshable || profile.status.verdict() != Verdict::Failing)
                })
            };
            for provider in &report.providers {
                let usable = provider.profiles.iter().filter(is_usable).count();
                family.add([agent, &*bounded(&provider.id)], count(usable));
            }
        }
    });
}
