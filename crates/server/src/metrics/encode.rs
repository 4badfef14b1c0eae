//! Families of one kind, written row by row.

use std::borrow::Cow;
use std::fmt;

use prometheus_client::encoding::{DescriptorEncoder, EncodeGaugeValue, EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Unit;

/// Labels of one row.
pub(super) type Labels = Vec<(&'static str, Cow<'static, str>)>;

/// What is told of a family.
#[derive(Clone, Copy)]
pub(super) struct Family<'f> {
    /// Without the prefix, the unit and `_total`, which the encoder adds.
    pub(super) name: &'f str,
    pub(super) unit: Option<&'f Unit>,
    pub(super) help: &'f str,
}

impl<'f> Family<'f> {
    pub(super) const fn of(name: &'f str, help: &'f str) -> Self {
        Self { name, unit: None, help }
    }

    pub(super) const fn in_units(self, unit: &'f Unit) -> Self {
        Self { unit: Some(unit), ..self }
    }

    /// Rows that only grow.
    pub(super) fn counters(
        self,
        encoder: &mut DescriptorEncoder<'_>,
        rows: impl IntoIterator<Item = (Labels, u64)>,
    ) -> Result<(), fmt::Error> {
        self.rows(encoder, MetricType::Counter, rows, |mut row, value| row.encode_counter::<NoLabelSet, u64, u64>(value, None))
    }

    /// Rows that go up and down.
    pub(super) fn gauges<V: EncodeGaugeValue>(
        self,
        encoder: &mut DescriptorEncoder<'_>,
        rows: impl IntoIterator<Item = (Labels, V)>,
    ) -> Result<(), fmt::Error> {
        self.rows(encoder, MetricType::Gauge, rows, |mut row, value| row.encode_gauge(value))
    }

    /// Rows of how often what was measured.
    pub(super) fn histograms<'h>(
        self,
        encoder: &mut DescriptorEncoder<'_>,
        rows: impl IntoIterator<Item = (Labels, &'h Histogram)>,
    ) -> Result<(), fmt::Error> {
        self.rows(encoder, MetricType::Histogram, rows, |row, histogram| histogram.encode(row))
    }

    /// One row that tells what this is.
    pub(super) fn info(self, encoder: &mut DescriptorEncoder<'_>, labels: &Labels) -> Result<(), fmt::Error> {
        encoder.encode_descriptor(self.name, self.help, None, MetricType::Info)?.encode_info(labels)
    }

    fn rows<V>(
        self,
        encoder: &mut DescriptorEncoder<'_>,
        kind: MetricType,
        rows: impl IntoIterator<Item = (Labels, V)>,
        encode: impl Fn(MetricEncoder<'_>, &V) -> Result<(), fmt::Error>,
    ) -> Result<(), fmt::Error> {
        let mut family = encoder.encode_descriptor(self.name, self.help, self.unit, kind)?;
        for (labels, value) in rows {
            encode(family.encode_family(&labels)?, &value)?;
        }
        Ok(())
    }
}
