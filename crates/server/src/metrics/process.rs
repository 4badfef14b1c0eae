//! What is told of the program and its listeners.

use std::fmt;
use std::sync::LazyLock;
use std::time::SystemTime;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::registry::Unit;

use super::encode::{Family, Labels};
use crate::stun::StunNumbers;

/// When the first site was opened.
static START: LazyLock<SystemTime> = LazyLock::new(SystemTime::now);

/// The program serves from now on, unless it did before.
pub(crate) fn note_start() {
    LazyLock::force(&START);
}

/// What all sites share.
#[derive(Debug)]
pub(super) struct ServerCollector {
    pub(super) stun: Option<StunNumbers>,
    pub(super) connections: Option<usize>,
}

impl Collector for ServerCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let encoder = &mut encoder;
        let build: Labels = vec![("version", env!("CARGO_PKG_VERSION").into())];
        Family::of("build", "Which program this is.").info(encoder, &build)?;
        let open = self.connections.map(|connections| (Labels::new(), connections as u64));
        Family::of("connections", "Connections open on the visitors' addresses.").gauges(encoder, open)?;
        let stun = self.stun.iter().flat_map(StunNumbers::by_result).map(|(result, count)| (vec![("result", result.into())], count));
        Family::of("stun_requests", "What came to the STUN ports, by what became of it.").counters(encoder, stun)
    }
}

/// The usual names for the program itself.
#[derive(Debug)]
pub(super) struct ProcessCollector;

impl Collector for ProcessCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let encoder = &mut encoder;
        let start_s = START.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        Family::of("start_time", "When the program began, in seconds since 1970.")
            .in_units(&Unit::Seconds)
            .gauges(encoder, [(Labels::new(), start_s)])?;
        let memory = resident_bytes().map(|bytes| (Labels::new(), bytes));
        Family::of("resident_memory", "Memory of the program that is not swapped out.").in_units(&Unit::Bytes).gauges(encoder, memory)
    }
}

/// proc_pid_statm(5): pages in memory are the second number.
#[cfg(target_os = "linux")]
fn resident_bytes() -> Option<u64> {
    let said = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = said.split(' ').nth(1)?.parse().ok()?;
    Some(pages.saturating_mul(rustix::param::page_size() as u64))
}

#[cfg(not(target_os = "linux"))]
fn resident_bytes() -> Option<u64> {
    None
}
