//! `cargo xtask bench path`: the whole path measured in real browsers, both sides of each comparison in turns.
#![expect(clippy::print_stdout, reason = "numbers are what this program is for")]

mod connect;
mod goodput;
mod lone;
mod native;
mod numbers;

use numbers::Table;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let runs = runs()?;
    let only = argument("--only");
    let wants = |part: &str| only.as_deref().is_none_or(|only| only == part);
    if wants("connect") {
        connect::measure(runs, &Table).await?;
    }
    if wants("goodput") {
        goodput::measure(runs, &Table).await?;
    }
    if wants("lone") {
        lone::measure(runs, &Table).await?;
    }
    if wants("native") {
        native::measure(runs, &Table).await?;
    }
    Ok(())
}

/// `--runs N`, 10 without it.
fn runs() -> anyhow::Result<usize> {
    Ok(argument("--runs").map_or(Ok(10), |count| count.parse())?)
}

/// The word after `name`.
fn argument(name: &str) -> Option<String> {
    std::env::args().skip_while(|word| word != name).nth(1)
}
