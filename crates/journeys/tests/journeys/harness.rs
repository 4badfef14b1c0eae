//! The harness itself: a plain page looks the same to every engine.

use viral_journeys::browser::Engine;
use viral_journeys::hostile;
use viral_journeys::server::Server;
use viral_journeys::site::App;
use viral_journeys::visitor::Visitor;
use viral_journeys::wait::journey;

#[tokio::test]
async fn a_single_visitor_of_each_engine_runs_the_app_whole() {
    journey(async {
        let site = App::default().site();
        let server = Server::serve(site.folder(), &[]).await;
        for engine in [Engine::Chromium, Engine::Firefox, Engine::WebKit] {
            let visitor = Visitor::fresh(engine).await;
            visitor.open(&server.url("/")).await;
            let app = visitor.until_app_runs().await;
            let digests = serde_json::to_value(site.digests()).expect("a map of text is JSON");
            assert_eq!(app["digests"], digests, "{engine:?}");
            visitor.leave().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_script_runs_in_chromium_before_the_scripts_of_the_page() {
    journey(async {
        let site = App::default().site();
        let server = Server::serve(site.folder(), &[]).await;
        let visitor = Visitor::fresh(Engine::Chromium).await;
        visitor.run_before_load(hostile::COUNTS_SENT).await;
        visitor.open(&server.url("/")).await;
        visitor.until_app_runs().await;
        assert_eq!(visitor.run("return window.journey.sent").await, 0);
    })
    .await;
}
