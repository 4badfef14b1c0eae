//! The only seeder is of no use: what it costs a visitor beside nginx alone.

use std::time::Duration;

use viral_journeys::browser::Engine::Chromium;
use viral_journeys::browser::Setting;
use viral_journeys::figures::Target;
use viral_journeys::hostile::{FORGES_ONE_BYTE, NOTES_SIGNALS, STAYS_SILENT};
use viral_journeys::server::Server;
use viral_journeys::visitor::Visitor;
use viral_journeys::wait;

use crate::Bench;
use crate::round::{LIMIT, plain};
use crate::table::Table;
use crate::visit::{VisitFigures, until_seeders, visit};

/// How the only seeder is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// Its browser is killed without a farewell as the visitor comes.
    Killed,
    /// Its machine sleeps: its socket stays open and nothing answers.
    Asleep,
    /// It opens its channels and sends nothing.
    Silent,
    /// One byte of what it sends is another.
    Forging,
}

const FAULTS: [Fault; 4] = [Fault::Killed, Fault::Asleep, Fault::Silent, Fault::Forging];

/// Until a seeder's offers are with the tracker; without them it is not introduced.
const OFFERS: Duration = Duration::from_secs(10);

pub(crate) async fn measure(bench: &Bench, table: &mut Table) -> anyhow::Result<()> {
    let mut theirs = Vec::new();
    let mut ours: [Vec<VisitFigures>; FAULTS.len()] = Default::default();
    for run in 1..=bench.runs {
        eprintln!("bad seeders, run {run} of {}", bench.runs);
        let plain = plain(bench).await?;
        theirs.push(plain.cold_ms);
        for (fault, visits) in FAULTS.into_iter().zip(&mut ours) {
            eprintln!("  {fault:?}");
            visits.push(visit_beside(bench, fault, &plain.result).await?);
        }
    }
    table.add("nginx beside the bad seeders: time to result", &theirs, "ms", Target::None);
    for (fault, visits) in FAULTS.into_iter().zip(&ours) {
        let times: Vec<f64> = visits.iter().map(|visit| visit.ms).collect();
        let name = format!("the only seeder is {}: time to result / nginx", format!("{fault:?}").to_lowercase());
        table.add_ratio(name, &times, &theirs, Target::AtMost(1.25));
        table.note_answers(visits.iter().map(|visit| visit.answer.as_str()));
    }
    Ok(())
}

/// A fresh server, its only seeder with this fault, and a visitor. Only Chromium's driver runs scripts before a page's own, so the seeder is one.
async fn visit_beside(bench: &Bench, fault: Fault, expected: &serde_json::Value) -> anyhow::Result<VisitFigures> {
    let server = Server::serve(bench.site.folder(), &[]).await;
    let url = server.url("/");
    let script = match fault {
        Fault::Killed | Fault::Asleep => NOTES_SIGNALS.to_owned(),
        Fault::Silent => format!("{NOTES_SIGNALS}{STAYS_SILENT}"),
        Fault::Forging => format!("{NOTES_SIGNALS}{FORGES_ONE_BYTE}"),
    };
    let setting = Setting { script_before_load: Some(script), ..Setting::default() };
    let mut seeder = Visitor::start(Chromium, &setting).await?;
    visit(&server, &seeder, &url, expected, LIMIT).await;
    until_seeders(&server, 1).await;
    let has_offered = "return Boolean(window.journeySaid && window.journeySaid.includes('offers'))";
    let offered = async || if seeder.try_run(has_offered).await == Ok(true.into()) { Ok(()) } else { Err(()) };
    if wait::try_until(OFFERS, offered).await.is_err() {
        eprintln!("  its offers are not with the tracker");
    }
    let visitor = Visitor::start(bench.engine, &Setting::default()).await?;
    match fault {
        Fault::Killed => seeder.crash(),
        Fault::Asleep => seeder.freeze(),
        Fault::Silent | Fault::Forging => {}
    }
    Ok(visit(&server, &visitor, &url, expected, LIMIT).await)
}
