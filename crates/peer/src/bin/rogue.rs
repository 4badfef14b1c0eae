//! `viral-rogue URL`: a peer that forges, until it is told to end; then it says how much it sent. For the lab only.

use std::error::Error;
use std::io::Write as _;

use tokio::signal::unix::{SignalKind, signal};
use viral_peer::{Crime, Rogue};

fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).ok_or("usage: viral-rogue URL")?.parse()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let forged_bytes = runtime.block_on(forge(&url))?;
    writeln!(std::io::stdout(), "{}", serde_json::json!({ "forged_bytes": forged_bytes }))?;
    Ok(())
}

/// Forges until SIGTERM; the bytes sent in place of pieces.
async fn forge(url: &url::Url) -> Result<u64, Box<dyn Error>> {
    let mut end = signal(SignalKind::terminate())?;
    let mut rogue = Rogue::join(url, None, Crime::Forges).await?;
    tokio::select! {
        () = rogue.run() => {}
        _ = end.recv() => {}
    }
    Ok(rogue.forged_bytes())
}
