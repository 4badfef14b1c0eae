//! The lone visitor: the same directory from viral's full answer and from nginx, in turns in one Chromium.

use viral_journeys::apps;
use viral_journeys::browser::Engine::Chromium;
use viral_journeys::nginx::Nginx;
use viral_journeys::server::Server;
use viral_journeys::visitor::Visitor;

use crate::connect::forget;
use crate::numbers::{Table, Target, median};

pub(crate) async fn measure(runs: usize, table: &Table) -> anyhow::Result<()> {
    let site = apps::monaco();
    let server = Server::serve(site.folder(), &[]).await;
    let nginx = Nginx::serve(site.folder()).await?;
    let nginx_origin = nginx.url("");
    let visitor = Visitor::fresh(Chromium).await;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    // The first turn of each warms caches of the machine and learns the page set; it is not counted.
    for run in 0..=runs {
        for (origin, times) in [(server.url(""), &mut ours), (nginx_origin.clone(), &mut theirs)] {
            forget(&visitor, &origin).await;
            server.until_seeders(0).await;
            let took = load(&visitor, &origin).await;
            if run > 0 {
                times.push(took);
            }
        }
    }
    anyhow::ensure!(server.stats().await.answers.thin == 0, "the visitor was not alone");
    table.add_median("lone visitor, Monaco editor to `load`, viral full answer", &ours, "ms", Target::None);
    table.add_median("lone visitor, Monaco editor to `load`, nginx", &theirs, "ms", Target::None);
    table.add("lone visitor, viral / nginx", median(&ours) / median(&theirs), "x", Target::AtMost(1.05));
    Ok(())
}

async fn load(visitor: &Visitor, origin: &str) -> f64 {
    visitor.open(&format!("{origin}/")).await;
    let expression = "location.href !== 'about:blank' && performance.getEntriesByType('navigation')[0].loadEventEnd";
    visitor.until("the page is loaded", expression).await.as_f64().unwrap_or(f64::NAN)
}
