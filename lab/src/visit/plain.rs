//! A visit by the plain client, which takes everything from the origin and leaves.

use super::{Got, Stage, VisitResult};
use crate::client;
use crate::scenario::Visitor;
use crate::topology::origin_address;

/// Takes the app. `report` is called once, as soon as the outcome is known.
pub fn visit(stage: &Stage, index: usize, visitor: &Visitor, report: impl FnOnce(VisitResult)) {
    stage.wait_until(stage.arrival(visitor));
    let mut visit = VisitResult { is_honest: true, ..stage.visit(index, visitor) };
    let fetched = client::visit(origin_address(), "/", &stage.site.assets);
    let (bytes, ms_total) = fetched.as_ref().map_or((0, 0), |fetched| (fetched.bytes, fetched.took.as_millis()));
    visit.got = Got {
        ok: fetched.is_ok(),
        answer: Some("plain".to_owned()),
        bytes_from_origin: bytes,
        ms_total: u64::try_from(ms_total).unwrap_or(u64::MAX),
        ..Got::default()
    };
    visit.done_s = fetched.is_ok().then(|| stage.begins.elapsed().as_secs_f64());
    report(visit);
}
