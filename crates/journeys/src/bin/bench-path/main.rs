//! `cargo xtask bench path`: the whole path measured in real browsers, both sides of each comparison in turns.
#![expect(clippy::print_stdout, reason = "numbers are what this program is for")]

mod connect;
mod goodput;
mod lone;
mod numbers;

use numbers::Table;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let runs = runs()?;
    let mut table = Table::default();
    connect::measure(runs, &mut table).await?;
    goodput::measure(runs, &mut table).await?;
    lone::measure(runs, &mut table).await?;
    println!("{table}");
    Ok(())
}

/// `--runs N`, 10 without it.
fn runs() -> anyhow::Result<usize> {
    let mut words = std::env::args().skip_while(|word| word != "--runs").skip(1);
    Ok(words.next().map_or(Ok(10), |count| count.parse())?)
}
