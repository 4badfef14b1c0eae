//! What an operator sees of it all, and what nobody else does.

use serde_json::json;
use viral_journeys::browser::Engine::{Chromium, Firefox};
use viral_journeys::server::Server;
use viral_journeys::site::App;
use viral_journeys::visitor::Visitor;
use viral_journeys::wait::journey;

use crate::common::first_seeder;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// The text of something on the page.
fn text_of(selector: &str) -> String {
    format!("document.querySelector('{selector}')?.textContent ?? ''")
}

#[tokio::test]
async fn an_operator_sees_what_visitors_carry_while_it_happens() {
    journey(async {
        let site = App::default().site();
        let server = Server::serve(site.folder(), &[]).await;
        for engine in [Chromium, Firefox] {
            let operator = Visitor::fresh(engine).await;
            if engine == Chromium {
                let noting = "addEventListener('securitypolicyviolation', event => (window.violations ??= []).push(event.blockedURI))";
                operator.run_before_load(noting).await;
            }
            operator.open(&server.admin_url("/")).await;
            operator.until("it is live", &format!("{}.startsWith('live')", text_of("#status"))).await;
            let seeder = first_seeder(&server, &site, Chromium).await;
            let visitor = Visitor::visiting(Chromium, &server.url("/")).await;
            visitor.until_status("the app came from the other one", |status| status.bytes_from_peers > 0).await;
            operator.until("both are connected", &format!("Number({}) >= 2", text_of("#connected"))).await;
            operator.until("what was saved is told", &format!("/[1-9].* [kM]B/.test({})", text_of("#saved"))).await;
            operator.until("the page is named", &format!("{}.includes('/')", text_of("#pages tbody th"))).await;
            operator
                .until("why it was thin is told", &format!("{}.includes('somebody near has the page')", text_of("#reasons tbody")))
                .await;
            operator.until("plots are drawn", "document.querySelectorAll('.plot canvas').length === 4").await;
            operator.until("the swarm is told in words", &format!("/of them give to others/.test({})", text_of("#swarm .summary"))).await;
            // Each plot says its numbers to whoever does not see it, and all of it can be reached by keys.
            let silent = operator
                .run("return [...document.querySelectorAll('[role=img]')].filter(plot => !plot.getAttribute('aria-label')).length")
                .await;
            let broken = operator.run("return window.violations ?? []").await;
            assert_eq!((silent, broken), (json!(0), json!([])), "{engine:?}");
            seeder.leave().await;
            visitor.leave().await;
            operator.until("they are gone", &format!("{} === '0'", text_of("#connected"))).await;
        }
    })
    .await;
}

#[tokio::test]
async fn with_a_token_a_stranger_sees_nothing_and_an_operator_types_it_once() {
    journey(async {
        let site = App::default().site();
        let server = Server::serve(site.folder(), &["--admin-token", TOKEN]).await;
        for engine in [Chromium, Firefox] {
            let operator = Visitor::fresh(engine).await;
            operator.open(&server.admin_url("/")).await;
            let say = |token: &str| format!("document.querySelector('#token').value = '{token}'; document.forms[0].submit()");
            operator.until("the token is asked for", "Boolean(document.querySelector('#token'))").await;
            operator.run(&say("wrong")).await;
            operator.until("it is told so", &format!("{}.includes('not the token')", text_of("[role=alert]"))).await;
            operator.until("it may be said again", "Boolean(document.querySelector('#token'))").await;
            operator.run(&say(TOKEN)).await;
            operator.until("it is live", &format!("{}.startsWith('live')", text_of("#status"))).await;
            operator.reload().await;
            operator.until("it is live again", &format!("{}.startsWith('live')", text_of("#status"))).await;
        }
    })
    .await;
}
