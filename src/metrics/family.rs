//! Samples of one metric, in the words of the `prometheus` crate.

use prometheus::proto::{Counter, Gauge, LabelPair, Metric as Sample, MetricFamily, MetricType};

use crate::metrics::catalogue::{Kind, Metric};

/// A family that is being filled.
pub(super) struct Family {
    metric: &'static Metric,
    samples: Vec<Sample>,
}

impl Family {
    pub(super) fn new(metric: &'static Metric) -> Self {
        Self { metric, samples: Vec::new() }
    }

    /// Adds a sample; the values stand in the order of the metric's labels.
    pub(super) fn add<'v>(&mut self, values: impl IntoIterator<Item = &'v str>, number: f64) {
        let pair = |(name, value): (&&str, &str)| {
            let mut pair = LabelPair::default();
            pair.set_name((*name).to_owned());
            pair.set_value(value.to_owned());
            pair
        };
        let mut sample = Sample::from_label(self.metric.labels.iter().zip(values).map(pair).collect());
        debug_assert_eq!(sample.get_label().len(), self.metric.labels.len(), "{}", self.metric.name);
        match self.metric.kind {
            Kind::Counter => {
                let mut counter = Counter::default();
                counter.set_value(number);
                sample.set_counter(counter);
            }
            Kind::Gauge => {
                let mut gauge = Gauge::default();
                gauge.set_value(number);
                sample.set_gauge(gauge);
            }
        }
        self.samples.push(sample);
    }

    /// The family, unless it is empty: the format knows none without samples.
    pub(super) fn done(self) -> Option<MetricFamily> {
        if self.samples.is_empty() {
            return None;
        }
        let mut family = MetricFamily::default();
        family.set_name(self.metric.name.to_owned());
        family.set_help(self.metric.help.to_owned());
        family.set_field_type(match self.metric.kind {
            Kind::Counter => MetricType::COUNTER,
            Kind::Gauge => MetricType::GAUGE,
        });
        family.set_metric(self.samples);
        Some(family)
    }
}
