//! `cargo xtask bench tracker`: what the tracker does with a CPU-second and with memory, viral and `aquatic_ws` in turns in the same minutes.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "numbers are what this program is for")]

mod announces;
mod aquatic;
mod cluster;
mod holder;
mod introductions;
mod memory;
mod options;
mod seeder;
mod socket;
mod storm;
mod subject;
mod table;

use options::{HELP, Options, Task};
use table::Table;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match Task::from_words(std::env::args().skip(1))? {
        Task::Help => println!("{HELP}"),
        Task::Hold(hold) => holder::hold(hold).await?,
        Task::Measure(options) => measure(&options).await?,
    }
    Ok(())
}

async fn measure(options: &Options) -> anyhow::Result<()> {
    let sockets_max = subject::sockets_max();
    println!("A process may have {sockets_max} sockets here.");
    let table = &mut Table::new();
    if options.wants(announces::ROWS[0]) {
        announces::over_tls(options, table).await?;
    }
    if options.wants(announces::ROWS[1]) {
        announces::plain(options, table).await?;
    }
    for (name, is_tls) in [(memory::ROWS[0], false), (memory::ROWS[1], true)] {
        if options.wants(name) {
            memory::beside_aquatic(options, (table, sockets_max), is_tls).await?;
        }
    }
    if memory::ROWS[2..].iter().any(|name| options.wants(name)) {
        memory::many(options, (table, sockets_max)).await?;
    }
    if options.wants(introductions::ROW) {
        introductions::measure(options, table).await?;
    }
    if cluster::ROWS.iter().any(|name| options.wants(name)) {
        cluster::measure(options, table).await?;
    }
    if options.wants(storm::ROW) {
        storm::measure(options, (table, sockets_max)).await?;
    }
    Ok(())
}
