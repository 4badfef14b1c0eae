//! The lab.
#![allow(missing_docs, dead_code, clippy::print_stdout)]
mod bound;
mod client;
mod cloud;
mod namespace;
mod network;
mod process;
mod processor;
mod run;
mod scenario;
mod server;
mod site;
mod visit;
mod world;
use scenario::*;
use clap::ValueEnum as _;
fn main() -> anyhow::Result<()> {
    let name = std::env::args().nth(1).unwrap_or_default();
    let scenario = Scenario::from_str(&name, true).map_err(anyhow::Error::msg)?;
    let peers = std::env::args().nth(2).and_then(|p| p.parse().ok());
    let mb = std::env::args().nth(3).and_then(|p| p.parse::<u64>().ok());
    let settings = Settings { peers, app_bytes: mb.map(|m| m * 1000), is_mixed: false, loss: 0.0, scale: 1.0, seed: 1 };
    let plan = Plan::new(scenario, &settings);
    let folder = tempfile::tempdir()?;
    let site = site::Site::make(folder.path(), plan.app_bytes)?;
    for c in if std::env::args().nth(4).is_some() {[run::Contestant::Viral, run::Contestant::Viral]} else {[run::Contestant::Nginx, run::Contestant::ViralPlain]} {
        let r = run::run(&plan, &site, c, &folder.path().join("run"))?;
        let last = r.visits.iter().filter_map(|v| v.done_s).fold(0.0, f64::max);
        for v in &r.visits { eprintln!("{}", serde_json::to_string(v)?); }
        println!("{c:?} bound {:.2} alone {:.2} last {last:.2} done {} idle {:.0} took {:.2} line {} origin {:?} cpu {:?} counts {:?} late {}",
            plan.bound.bound_s(), plan.bound.server_alone_s(), r.visits.iter().filter(|v| v.done_s.is_some()).count(), r.cpu_idle_pct, r.took_s, r.line_bytes, r.origin, r.account.cpu, r.account.samples.last().map(|s| s.counts), r.account.late);
    }
    Ok(())
}
