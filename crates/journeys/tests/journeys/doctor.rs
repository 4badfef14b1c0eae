//! What the doctor finds, in a browser and without one.

use serde_json::{Value, json};
use viral_journeys::browser::Engine::{Chromium, Firefox};
use viral_journeys::server::{Server, binary};
use viral_journeys::site::App;
use viral_journeys::visitor::Visitor;
use viral_journeys::wait::journey;

use crate::common::first_seeder;

/// What is not as it should be: check and verdict.
fn troubles(findings: &Value) -> Vec<(&str, &str)> {
    let all = findings.as_array().expect("a list of findings").iter();
    all.map(|one| (one["check"].as_str().unwrap_or_default(), one["verdict"].as_str().unwrap_or_default()))
        .filter(|(_, verdict)| *verdict != "good")
        .collect()
}

#[tokio::test]
async fn a_browser_that_can_take_part_is_told_so_and_one_that_opted_out_why_it_does_not() {
    journey(async {
        let site = App::default().site();
        let server = Server::serve(site.folder(), &[]).await;
        let _seeder = first_seeder(&server, &site, Chromium).await;
        for engine in [Chromium, Firefox] {
            let visitor = Visitor::fresh(engine).await;
            visitor.open(&server.url("/.viral/doctor")).await;
            let found = visitor.until("it found out", "window.viralDoctor").await;
            let troubles = troubles(&found["findings"]);
            // A browser without a camera hides its address, and on this machine nobody needs to know how the world sees it.
            assert!(troubles.iter().all(|trouble| matches!(trouble, ("candidates" | "stun", "limited"))), "{engine:?} {found}");
            assert_eq!(found["capable"], true);
            let shown = visitor.run("return [...document.querySelectorAll('#findings li')].map(item => item.dataset.check)").await;
            for check in ["secure-context", "webrtc", "websocket", "transfer", "answer"] {
                assert!(shown.as_array().is_some_and(|shown| shown.contains(&json!(check))), "{engine:?} shows no {check}: {shown}");
            }
            visitor.run("document.cookie = 'viral=off; Path=/'").await;
            visitor.open(&server.url("/.viral/doctor?again")).await;
            let found = visitor.until("it found out again", "window.viralDoctor").await;
            let answer = found["findings"].as_array().and_then(|all| all.iter().find(|one| one["check"] == "answer"));
            assert!(answer.is_some_and(|answer| answer["verdict"] == "bad" && answer["found"].to_string().contains("opt-out")), "{found}");
        }
        let stats = server.stats().await;
        assert_eq!((stats.answers.full, stats.answers.thin, stats.answers.plain), (1, 0, 0), "nobody visited a page");
    })
    .await;
}

#[tokio::test]
async fn without_a_browser_the_doctor_looks_at_the_server_and_says_what_it_comes_to() {
    journey(async {
        let site = App::default().site();
        let mut server = Server::serve(site.folder(), &[]).await;
        let url = server.url("/");
        let ask = async || {
            let output = tokio::process::Command::new(binary()).args(["doctor", &url, "--json"]).output().await.expect("the doctor runs");
            let found: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
            (output.status.code(), found)
        };
        let (code, found) = ask().await;
        assert_eq!((code, &found["healthy"]), (Some(0), &json!(true)), "{found}");
        assert!(troubles(&found["findings"]).is_empty(), "{found}");
        server.stop().await;
        let (code, found) = ask().await;
        assert_eq!((code, &found["healthy"]), (Some(1), &json!(false)), "{found}");
        assert_eq!(troubles(&found["findings"]), [("server", "bad")], "{found}");
    })
    .await;
}
