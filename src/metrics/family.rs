//! Samples of one metric, in the words of the `prometheus` crate.

use prometheus::proto::{
    Bucket, Counter, Gauge, Histogram, LabelPair, Metric as Sample, MetricFamily, MetricType,
};

use crate::metrics::catalogue::{Kind, Metric};

/// A family that is being filled.
pub(crate) struct Family {
    metric: &'static Metric,
    samples: Vec<Sample>,
}

impl Family {
    pub(crate) fn new(metric: &'static Metric) -> Self {
        Self { metric, samples: Vec::new() }
    }

    /// Adds a sample; the values stand in the order of the metric's labels.
    pub(crate) fn add<'v>(&mut self, values: impl IntoIterator<Item = &'v str>, number: f64) {
        let mut sample = self.sample(values);
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
            // It takes more than a number.
            Kind::Histogram => {}
        }
        self.samples.push(sample);
    }

    /// Adds a sample of a histogram: upper bounds with what stayed below each, the sum of everything, and the count.
    pub(crate) fn add_histogram<'v>(
        &mut self,
        values: impl IntoIterator<Item = &'v str>,
        below: impl IntoIterator<Item = (f64, u64)>,
        sum: f64,
        count: u64,
    ) {
        debug_assert_eq!(self.metric.kind, Kind::Histogram, "{}", self.metric.name);
        let bucket = |(bound, below): (f64, u64)| {
            let mut bucket = Bucket::default();
            bucket.set_upper_bound(bound);
            bucket.set_cumulative_count(below);
            bucket
        };
        let mut histogram = Histogram::default();
        histogram.set_bucket(below.into_iter().map(bucket).collect());
        histogram.set_sample_sum(sum);
        histogram.set_sample_count(count);
        let mut sample = self.sample(values);
        sample.set_histogram(histogram);
        self.samples.push(sample);
    }

    fn sample<'v>(&self, values: impl IntoIterator<Item = &'v str>) -> Sample {
        let pair = |(name, value): (&&str, &str)| {
            let mut pair = LabelPair::default();
            pair.set_name((*name).to_owned());
            pair.set_value(value.to_owned());
            pair
        };
        let sample = Sample::from_label(self.metric.labels.iter().zip(values).map(pair).collect());
        debug_assert_eq!(sample.get_label().len(), self.metric.labels.len(), "{}", self.metric.name);
        sample
    }

    /// The family, unless it is empty: the format knows none without samples.
    pub(crate) fn done(self) -> Option<MetricFamily> {
        if self.samples.is_empty() {
            return None;
        }
        let mut family = MetricFamily::default();
        family.set_name(self.metric.name.to_owned());
        family.set_help(self.metric.help.to_owned());
        family.set_field_type(match self.metric.kind {
            Kind::Counter => MetricType::COUNTER,
            Kind::Gauge => MetricType::GAUGE,
            Kind::Histogram => MetricType::HISTOGRAM,
        });
        family.set_metric(self.samples);
        Some(family)
    }
}
