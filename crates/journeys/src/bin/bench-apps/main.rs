//! `cargo xtask bench apps`: real apps from viral with its default flags, beside nginx in the same minutes.
#![expect(clippy::print_stdout, reason = "numbers are what this program is for")]

mod bad_seeder;
mod large;
mod options;
mod round;
mod slow_line;
mod table;
mod visit;

use std::time::Duration;

use options::{Options, Part};
use table::Table;
use viral_journeys::browser::Engine;
use viral_journeys::nginx::Nginx;
use viral_journeys::site::Site;

/// Browsers guess how long an asset of nginx stays fresh from its age, so a site made a second ago would be revalidated as none is.
const DEPLOYED_AGO: Duration = Duration::from_hours(240);

/// What every part of the bench works with.
#[derive(Debug)]
pub(crate) struct Bench {
    /// Whose browsers visit.
    pub(crate) engine: Engine,
    /// The app.
    pub(crate) site: Site,
    /// The same folder, served plainly.
    pub(crate) nginx: Nginx,
    /// How often each side is measured.
    pub(crate) runs: usize,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::from_words(std::env::args().skip(1))?;
    for &engine in &options.engines {
        for app in options.apps.iter().filter(|_| options.wants_apps()) {
            let site = app.site()?;
            site.backdate(DEPLOYED_AGO);
            let nginx = Nginx::serve(site.folder()).await?;
            let bench = Bench { engine, site, nginx, runs: options.runs };
            let mut table = Table::new(app.name(), engine, options.runs);
            if options.wants(Part::Chain) {
                round::measure(&bench, &mut table).await?;
            }
            if options.wants(Part::Slow) {
                slow_line::measure(&bench, &mut table).await?;
            }
            if options.wants(Part::Bad) {
                bad_seeder::measure(&bench, &mut table).await?;
            }
            show(&table, options.is_json)?;
        }
        if options.wants(Part::Large) {
            let mut table = Table::new("large file".to_owned(), engine, options.runs);
            large::measure(engine, options.runs, &mut table).await?;
            show(&table, options.is_json)?;
        }
    }
    Ok(())
}

fn show(table: &Table, is_json: bool) -> anyhow::Result<()> {
    if is_json {
        println!("{}", serde_json::to_string(table)?);
    } else {
        println!("{table}");
    }
    Ok(())
}
