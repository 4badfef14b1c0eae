//! What a scenario may say.

use super::place::Table;
use super::{Arrivals, GroupFile, Scenario};
use crate::net::Fidelity;
use crate::plan::Role;

/// Visitors of one run at most: what a day of flows takes a quarter of an hour for.
pub const VISITORS_MAX: u64 = 1_000_000;

/// Visitors of one run in packets at most: an hour of one core.
pub const PACKET_VISITORS_MAX: u64 = 5_000;

/// Bytes of an app at most: what a manifest may name, less what the pieces' list of a gigabyte leaves.
pub const APP_BYTES_MAX: f64 = 1e9;

/// Days that one run may last.
pub const DAYS_MAX: f64 = 7.0;

/// Seconds of that.
const SECONDS_MAX: f64 = DAYS_MAX * 86_400.0;

/// The fastest line, in Mbit/s: 100 Gbit/s.
const MBIT_MAX: f64 = 100_000.0;

/// Groups, offices and deploys at most.
const TABLES_MAX: usize = 1_000;

/// Something that makes no sense.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) table: Table,
    pub(super) key: &'static str,
    pub(super) what: String,
}

struct Check {
    table: Table,
    fault: Option<Fault>,
}

impl Check {
    fn at(&mut self, table: Table) -> &mut Self {
        self.table = table;
        self
    }

    fn fail(&mut self, key: &'static str, what: String) {
        let table = self.table.clone();
        self.fault.get_or_insert(Fault { table, key, what });
    }

    fn range(&mut self, key: &'static str, value: f64, from: f64, to: f64, unit: &str) -> &mut Self {
        if !(from..=to).contains(&value) {
            self.fail(key, format!("`{key}` is {value}; it must be {from} to {to}{unit}"));
        }
        self
    }

    fn share(&mut self, key: &'static str, value: f64) -> &mut Self {
        self.range(key, value, 0.0, 1.0, ", a share of all")
    }

    fn rate(&mut self, key: &'static str, value: f64) -> &mut Self {
        self.range(key, value, 0.0, MBIT_MAX, " Mbit/s")
    }
}

/// The first thing that makes no sense.
pub(super) fn fault(scenario: &Scenario) -> Option<Fault> {
    let mut check = Check { table: Table::Root, fault: None };
    let longest = SECONDS_MAX;
    if let Some(limit) = scenario.limit_s {
        check.range("limit_s", limit, 1.0, longest, " s");
    }
    for at in &scenario.restarts_s {
        check.range("restarts_s", *at, 0.0, longest, " s");
    }
    let app = &scenario.app;
    check.at(Table::One("app")).range("mb", app.mb, 0.001, APP_BYTES_MAX / 1e6, " MB").range(
        "document_kb",
        app.document_kb,
        0.001,
        250_000.0,
        " KB",
    );
    if app.document_kb * 1e3 > app.mb * 1e6 {
        check.fail("document_kb", "`document_kb` is more than the whole app; `mb` counts the document, too".to_owned());
    }
    if let Some(piece) = app.piece_kb {
        check.range("piece_kb", piece, 1.0, 229.0, " KB");
    }
    let origin = &scenario.origin;
    check.at(Table::One("origin")).rate("up_mbit", origin.up_mbit).rate("down_mbit", origin.down_mbit).range(
        "delay_ms",
        origin.delay_ms,
        0.0,
        10_000.0,
        " ms",
    );
    for rate in origin.shared_line_mbit.as_slice() {
        check.rate("shared_line_mbit", *rate);
    }
    let network = &scenario.network;
    check.at(Table::One("network")).range("queue_ms", network.queue_ms, 1.0, 10_000.0, " ms").share("loss", network.loss);
    check.share("unreachable", network.unreachable);
    let is_island = |name: &String| scenario.group.iter().any(|group| group.island.as_ref() == Some(name));
    if let Some(name) = network.apart.iter().take(TABLES_MAX).flatten().find(|name| !is_island(name)) {
        check.fail("apart", format!("no group has `island = \"{name}\"`; give it to those who cannot connect to the other"));
    }
    for (index, office) in scenario.office.iter().enumerate().take(TABLES_MAX) {
        check.at(Table::Many("office", index)).rate("down_mbit", office.down_mbit).range("delay_ms", office.delay_ms, 0.0, 10_000.0, " ms");
        for rate in office.up_mbit.as_slice() {
            check.rate("up_mbit", *rate);
        }
        if scenario.office[..index].iter().any(|other| other.name == office.name) {
            check.fail("name", format!("there are two offices `{}`; give each a name of its own", office.name));
        }
    }
    for (index, deploy) in scenario.deploy.iter().enumerate().take(TABLES_MAX) {
        check.at(Table::Many("deploy", index)).range("at_s", deploy.at_s, 0.0, longest, " s").share("changed", deploy.changed);
        if index > 0 && scenario.deploy[index - 1].at_s > deploy.at_s {
            check.fail("at_s", "this deploy comes before the one above it; write them by time".to_owned());
        }
    }
    for (index, group) in scenario.group.iter().enumerate().take(TABLES_MAX) {
        self::group(check.at(Table::Many("group", index)), scenario, group);
    }
    whole(&mut check, scenario);
    check.fault
}

fn group(check: &mut Check, scenario: &Scenario, group: &GroupFile) {
    check.rate("down_mbit", group.down_mbit).rate("up_mbit", group.up_mbit);
    check.range("delay_ms", group.delay_ms.0, 0.0, 10_000.0, " ms").range("delay_ms", group.delay_ms.1, group.delay_ms.0, 10_000.0, " ms");
    check.share("save_data", group.save_data).share("leech", group.leech).share("close_early", group.close_early);
    check.range("close_after_s", group.close_after_s, 0.0, SECONDS_MAX, " s").range(
        "fails_after_s",
        group.fails_after_s,
        0.0,
        SECONDS_MAX,
        " s",
    );
    if let Some(stay) = group.stay {
        check.range("stay", stay.mean_s, 0.0, SECONDS_MAX, " s on average").range("stay", stay.shape, 0.1, 10.0, " as its shape");
    }
    if let Some(office) = &group.office
        && !scenario.office.iter().any(|other| other.name == *office)
    {
        check.fail("office", format!("there is no office `{office}`; write it down as [[office]] with that name"));
    }
    if group.island.is_some() && group.office.is_some() {
        check.fail("island", "an office has an address of its own; say `office` or `island`".to_owned());
    }
    match &group.arrive {
        Arrivals::Burst { within_s, from_s } => {
            check.range("arrive", *within_s, 0.0, SECONDS_MAX, " s within").range("arrive", *from_s, 0.0, SECONDS_MAX, " s from");
            if group.visitors.is_none() {
                check.fail("arrive", "say how many come within that time: `visitors = 100`".to_owned());
            }
        }
        Arrivals::Poisson { per_hour, hours, from_s } => {
            check.range("arrive", *per_hour, 0.01, 1e7, " visits per hour").range("arrive", *from_s, 0.0, SECONDS_MAX, " s from");
            for hours in hours.as_slice() {
                check.range("arrive", *hours, 0.0, DAYS_MAX * 24.0, " hours");
            }
            if hours.is_none() && group.visitors.is_none() {
                check.fail("arrive", "say when that ends: `hours = 8`, or how many come: `visitors = 100`".to_owned());
            }
            if hours.is_none() && group.visitors.is_some_and(|visitors| visitors as f64 / per_hour > DAYS_MAX * 24.0) {
                check.fail("arrive", format!("so few an hour take longer than {DAYS_MAX} days to be that many"));
            }
        }
        Arrivals::List { at_s } => {
            for at in at_s {
                check.range("arrive", *at, 0.0, SECONDS_MAX, " s");
            }
            if group.visitors.is_some_and(|visitors| visitors != at_s.len() as u64) {
                check.fail("visitors", format!("`visitors` is not the number of times in `at_s`, which is {}; leave it out", at_s.len()));
            }
        }
    }
}

/// How many of a group come at most, about.
fn expected(group: &GroupFile) -> f64 {
    let all = group.visitors.map_or(f64::INFINITY, |visitors| visitors as f64);
    match &group.arrive {
        Arrivals::Burst { .. } => all,
        Arrivals::Poisson { per_hour, hours, .. } => all.min(hours.map_or(f64::INFINITY, |hours| per_hour * hours)),
        Arrivals::List { at_s } => at_s.len() as f64,
    }
}

fn whole(check: &mut Check, scenario: &Scenario) {
    let tables = [scenario.group.len(), scenario.office.len(), scenario.deploy.len(), scenario.restarts_s.len()];
    check.at(Table::Root);
    if tables.iter().any(|count| *count > TABLES_MAX) {
        check.fail("group", format!("more than {TABLES_MAX} tables of one kind; put visitors who are alike into one group"));
    }
    let visitors: f64 = scenario.group.iter().map(expected).sum();
    if visitors < 1.0 {
        check.fail("group", "nobody comes: write at least one [[group]]".to_owned());
    }
    let is_packets = scenario.fidelity == Some(Fidelity::Packets);
    let most = if is_packets { PACKET_VISITORS_MAX } else { VISITORS_MAX };
    if visitors > most as f64 {
        let instead = if is_packets { "; leave `fidelity` out, or say \"flows\"" } else { "" };
        check.fail("fidelity", format!("{visitors:.0} visitors are more than the {most} that one run takes{instead}"));
    }
    unending(check, scenario);
}

/// What could never end is said before it begins.
fn unending(check: &mut Check, scenario: &Scenario) {
    if scenario.origin.up_mbit == 0.0 {
        check.at(Table::One("origin"));
        check.fail(
            "up_mbit",
            "with an uplink of 0 the origin sends nobody the app, and nobody else has it: nothing would ever end".to_owned(),
        );
    }
    if scenario.origin.down_mbit == 0.0 {
        check.at(Table::One("origin"));
        check.fail("down_mbit", "with a downlink of 0 no request reaches the origin: nothing would ever end".to_owned());
    }
    if scenario.network.loss > 0.5 {
        check.at(Table::One("network"));
        check.fail("loss", "where more than half of all packets are lost nothing comes to an end".to_owned());
    }
    for (index, office) in scenario.office.iter().enumerate() {
        if office.down_mbit == 0.0 || office.up_mbit == Some(0.0) {
            check.at(Table::Many("office", index));
            check.fail("down_mbit", "a line of 0 carries no request and no answer: whoever is behind it never ends".to_owned());
        }
    }
    for (index, group) in scenario.group.iter().enumerate() {
        if group.role == Role::Honest && (group.down_mbit == 0.0 || group.up_mbit == 0.0) {
            check.at(Table::Many("group", index));
            let key = if group.down_mbit == 0.0 { "down_mbit" } else { "up_mbit" };
            check.fail(key, format!("with `{key}` at 0 these visitors can neither ask nor hear: they would never end"));
        }
    }
}
