//! The samples of the sources, and of what providers tell of usage.

use std::collections::{BTreeMap, BTreeSet};

use crate::core::read_error::ReadError;
use crate::core::snapshot::SourceState;
use crate::core::usage::Window;
use crate::metrics::catalogue as all;
use crate::metrics::collector::Labels;
use crate::metrics::label::{bounded, word};
use crate::metrics::samples::{Agent, Profile, Sink, count, family, flag, seconds};

/// A role as a label: `auth store` is `auth_store`.
fn source_label(role: &str) -> String {
    word(role)
}

pub(super) fn sources(agents: &[Agent<'_>], labels: Labels, sink: Sink<'_>) {
    // Several files of one role are one source: it is there when one is, and readable when all are.
    let roles = |agent: &Agent<'_>| {
        let mut roles: BTreeMap<&'static str, (bool, bool)> = BTreeMap::new();
        for source in agent.report().map(|report| report.sources.as_slice()).unwrap_or_default() {
            let (present, readable) = roles.entry(source.role).or_insert((false, true));
            *present |= source.state != SourceState::Absent;
            *readable &= !matches!(source.state, SourceState::Unreadable(_));
        }
        roles
    };
    if labels == Labels::Full {
        family(&all::SOURCE_INFO, sink, |family| {
            for agent in agents {
                let mut known = BTreeSet::new();
                for source in agent.report().map(|report| report.sources.as_slice()).unwrap_or_default() {
                    if known.insert((source.role, &source.path.short)) {
                        let path = bounded(&source.path.short);
                        family.add([agent.id.as_str(), &source_label(source.role), &*path], 1.0);
                    }
                }
            }
        });
    }
    family(&all::SOURCE_LAST_READ, sink, |family| {
        for agent in agents {
            for (role, at) in &agent.view.history.last_read {
                family.add([agent.id.as_str(), &source_label(role)], seconds(*at));
            }
        }
    });
    for (metric, is_presence) in [(&all::SOURCE_PRESENT, true), (&all::SOURCE_READABLE, false)] {
        family(metric, sink, |family| {
            for agent in agents {
                for (role, (present, readable)) in roles(agent) {
                    let value = flag(if is_presence { present } else { readable });
                    family.add([agent.id.as_str(), &source_label(role)], value);
                }
            }
        });
    }
    family(&all::SOURCE_READ_ERRORS, sink, |family| {
        for agent in agents {
            let known = agent.view.history.read_errors.keys().map(|(role, _)| *role);
            let all_roles: BTreeSet<&'static str> = roles(agent).into_keys().chain(known).collect();
            for role in all_roles {
                for reason in ReadError::ALL {
                    let errors = agent
                        .view
                        .history
                        .read_errors
                        .get(&(role, reason.word()))
                        .copied()
                        .unwrap_or_default();
                    family.add([agent.id.as_str(), &source_label(role), reason.word()], count(errors));
                }
            }
        }
    });
}

pub(super) fn usage(agents: &[Agent<'_>], sink: Sink<'_>) {
    let known = |agent: &Agent<'_>| {
        agent.report().is_some_and(|report| report.usage.as_ref().is_some_and(|u| !u.is_empty()))
    };
    if !agents.iter().any(known) {
        return;
    }
    let all_usage: Vec<_> = agents
        .iter()
        .filter_map(|agent| Some((agent, agent.report()?)))
        .flat_map(|(agent, report)| {
            let by_id: BTreeMap<&str, &Profile<'_>> =
                agent.profiles.iter().map(|profile| (profile.report.id.as_str(), profile)).collect();
            let usage = report.usage.iter().flatten();
            usage
                .filter_map(|usage| {
                    Some((*by_id.get(usage.profile_id.as_str())?, usage, report.generated_at))
                })
                .collect::<Vec<_>>()
        })
        .collect();
    family(&all::USAGE_FETCHED, sink, |family| {
        for (profile, usage, _) in &all_usage {
            if let Some(at) = usage.record.fetched_at {
                family.add(profile.labels(), seconds(at));
            }
        }
    });
    family(&all::USAGE_RESET, sink, |family| {
        for (profile, usage, _) in &all_usage {
            for window in distinct(&usage.record.windows) {
                if let Some(at) = window.resets_at {
                    family.add(profile.with(&bounded(&window.label)), seconds(at));
                }
            }
        }
    });
    family(&all::USAGE_STALE, sink, |family| {
        for (profile, usage, now) in &all_usage {
            family.add(profile.labels(), flag(usage.is_stale(*now)));
        }
    });
    family(&all::USAGE_USED, sink, |family| {
        for (profile, usage, _) in &all_usage {
            for window in distinct(&usage.record.windows) {
                family.add(profile.with(&bounded(&window.label)), window.used_percent / 100.0);
            }
        }
    });
}

/// Two windows of one name would be two samples of one series, which voids the whole scrape; and a provider cannot make
/// us show any number of them.
fn distinct(windows: &[Window]) -> impl Iterator<Item = &Window> {
    let mut known = BTreeSet::new();
    windows.iter().filter(move |window| known.insert(window.label.as_str())).take(MOST_WINDOWS)
}

/// More windows than any provider has.
const MOST_WINDOWS: usize = 16;
