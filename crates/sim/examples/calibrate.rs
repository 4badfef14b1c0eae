//! The lab's scenarios beside the lab's figures: `cargo run --release -p viral-sim --example calibrate`.
#![allow(clippy::print_stdout, reason = "a bench prints what it measured")]

use viral_sim::builtin::builtin;
use viral_sim::clock::seconds;
use viral_sim::plan::{Plan, Role};
use viral_sim::population::{bound, plan};
use viral_sim::scenario::Scenario;
use viral_sim::visitor::Sabotage;
use viral_sim::world::run;

fn main() {
    let names: Vec<String> = std::env::args().skip(1).collect();
    for name in &names {
        let (name, plain) = name.strip_prefix("plain:").map_or((name.as_str(), false), |name| (name, true));
        let scenario = Scenario::parse(builtin(name).expect("built in").text).expect("as written");
        for seed in 1..=std::env::var("SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(3) {
            let mut plan: Plan = plan(&scenario, seed);
            let b = bound(&plan).bound_s();
            plan.is_plain = plain;
            if plain { plan.limit *= 10; }
            let begun = std::time::Instant::now();
            match run(&plan, Sabotage::None, &mut |_| true) {
                Ok(outcome) => {
                    let honest: Vec<_> = outcome.visitors.iter().filter(|v| v.role == Role::Honest).collect();
                    let mut done: Vec<f64> = honest.iter().filter_map(|v| v.done.map(seconds)).collect();
                    let mut app: Vec<f64> = honest.iter().filter_map(|v| Some(seconds(v.done? - v.arrived))).collect();
                    done.sort_by(f64::total_cmp);
                    app.sort_by(f64::total_cmp);
                    let n = done.len();
                    let mut order: Vec<_> = outcome.visitors.iter().enumerate().map(|(i, v)| (v.done.map_or(999.0, seconds), i, v.to_peers / 100_000, plan.network.endpoints[i + 1].delay_ns / 1_000_000)).collect();
                    order.sort_by(|a, b| a.0.total_cmp(&b.0));
                    if std::env::var("DBG").is_ok() { for v in &outcome.visitors { println!("{:.2} {:?} {:?} peers {} origin {}", seconds(v.arrived), v.done.map(seconds), v.answered, v.from_peers, v.from_origin); } }
                    let fp: u64 = honest.iter().map(|v| v.from_peers).sum();
                    let fo: u64 = honest.iter().map(|v| v.from_origin).sum();
                    println!(
                        "{name} {seed} plain={plain} n {n}/{} last/b {:.2} med/b {:.2} copies {:.3} other {} app p50 {:.2} p95 {:.2} max {:.2} peers {:.3} line {:.2} sent/pieces {:.3} lost {:.3} {:?} {:?} {:.1} s",
                        honest.len(), done[n - 1] / b, done[n / 2] / b, outcome.server.payload_bytes as f64 / plan.app.bytes as f64,
                        outcome.server.other_bytes / honest.len() as u64, app[n / 2], app[(n * 95).div_ceil(100) - 1], app[n - 1],
                        fp as f64 / (fp + fo) as f64, outcome.carried.gateway_down_bytes as f64 / plan.app.bytes as f64,
                        outcome.carried.peer_bytes as f64 / fp as f64, outcome.carried.lost as f64 / outcome.carried.count as f64,
                        outcome.causes, outcome.server, begun.elapsed().as_secs_f64()
                    );
                }
                Err(error) => println!("{name} {seed} {error}"),
            }
        }
    }
}
