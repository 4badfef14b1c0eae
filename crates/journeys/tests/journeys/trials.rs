//! Whether it pays, as an operator begins: some visitors to compare with, a part of them, or nobody yet.

use viral_journeys::browser::Engine::{Chromium, Firefox};
use viral_journeys::deadlines;
use viral_journeys::server::Server;
use viral_journeys::site::App;
use viral_journeys::visitor::Visitor;
use viral_journeys::wait::{self, journey};

use crate::common::assert_whole;

#[tokio::test]
async fn whoever_is_only_counted_or_compared_with_gets_the_app_as_it_is() {
    journey(async {
        let site = App::default().site();
        for (flags, kind, reason) in
            [(["--holdout", "100%"], "plain", "holdout"), (["--ramp", "0%"], "full", "ramp"), (["--mode", "shadow"], "plain", "shadow")]
        {
            let server = Server::serve(site.folder(), &flags).await;
            // They stay, so that each could take it from the one before.
            let mut visitors = Vec::new();
            for engine in [Chromium, Firefox] {
                let visitor = Visitor::visiting(engine, &server.url("/")).await;
                assert_whole(&visitor.until_app_runs().await, &site);
                visitors.push(visitor);
                if reason == "ramp" {
                    server.until_seeders(visitors.len() as u64).await;
                }
            }
            let counted = |count| move |stats: &viral_journeys::server::Stats| stats.reason(kind, reason) >= count;
            server.until_stats(&format!("visitors are answered {kind} for {reason}"), counted(1)).await;
            assert_eq!(server.stats().await.answers.thin, 0, "{reason}");
        }
    })
    .await;
}

#[tokio::test]
async fn each_page_says_when_its_app_was_there_and_the_operator_is_told_by_engine() {
    journey(async {
        let site = App::default().site();
        let server = Server::serve(site.folder(), &["--holdout", "100%"]).await;
        for engine in [Chromium, Firefox] {
            for _ in 0..2 {
                let visitor = Visitor::visiting(engine, &server.url("/")).await;
                visitor.until_app_runs().await;
                visitor.leave().await;
            }
            let name = format!("{engine:?}").to_lowercase();
            wait::until(&format!("a page told its time in {name}"), deadlines::CONDITION, async || {
                let pays = server.told("/stats").await["pays"]["trials"].clone();
                let trials = pays.as_array().into_iter().flatten();
                let told = trials
                    .filter(|trial| trial["browser"] == name)
                    .any(|trial| ["full", "holdout"].iter().any(|arm| trial[*arm]["app_ms_p50"].as_u64().is_some_and(|ms| ms > 0)));
                if told { Ok(()) } else { Err(pays.to_string()) }
            })
            .await;
        }
        let times = server.told("/overview").await["times"].clone();
        assert!(
            times["full"]["visits"].as_u64().zip(times["plain"]["visits"].as_u64()).is_some_and(|(full, plain)| full + plain >= 2),
            "{times}"
        );
    })
    .await;
}
