//! Announces of WebTorrent clients that a CPU-second of the server answers: one big swarm, `aquatic_ws` beside viral.
//!
//! Over TLS aquatic's own load test asks. It speaks nothing else, so without TLS clients here say the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_tungstenite::tungstenite::Message;

use crate::aquatic::{self, Aquatic, CONNECTIONS, OFFERS};
use crate::options::Options;
use crate::socket::{Socket, Way};
use crate::subject::{Subject, viral};
use crate::table::Table;
use viral_journeys::figures::Target;

/// Rows of this file. `--scale` changes nothing in them: one socket may say only so much a second.
pub(crate) const ROWS: [&str; 2] = ["announces-tls", "announces-plain"];

/// How much more viral is to answer than aquatic.
const TARGET: f64 = 1.5;

/// Time for which is measured, after as long a time in which everything warms.
const MEASURED: Duration = Duration::from_secs(6);

/// A WebTorrent tracker for anybody.
const OPEN: [&str; 4] = ["--webtorrent", "--webtorrent-open", "--webtorrent-origin", "*"];

pub(crate) async fn over_tls(options: &Options, table: &mut Table) -> anyhow::Result<()> {
    let certificates = crate::subject::certificates()?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        let Subject { server, _site } = viral(&OPEN, Some(certificates.path())).await?;
        ours.push(aquatic::load_test(server.address(), || server.cpu_s())?);
        drop(server);
        let aquatic = Aquatic::start(Some(certificates.path())).await?;
        theirs.push(aquatic::load_test(aquatic.address, || aquatic.process.cpu_s())?);
    }
    table.rates("announces-tls", "announces per CPU-second, aquatic's load test over TLS", Target::AtLeast(TARGET), (&ours, &theirs));
    Ok(())
}

pub(crate) async fn plain(options: &Options, table: &mut Table) -> anyhow::Result<()> {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        let Subject { server, _site } = viral(&OPEN, None).await?;
        ours.push(rate(&Way::new(server.address(), None)?, || server.cpu_s()).await?);
        drop(server);
        let aquatic = Aquatic::start(None).await?;
        theirs.push(rate(&Way::new(aquatic.address, None)?, || aquatic.process.cpu_s()).await?);
    }
    table.rates("announces-plain", "announces per CPU-second, the same load without TLS", Target::AtLeast(TARGET), (&ours, &theirs));
    Ok(())
}

async fn rate(way: &Way, cpu_s: impl Fn() -> f64) -> anyhow::Result<f64> {
    let (asked, mut clients) = (Arc::new(AtomicU64::new(0)), JoinSet::new());
    let mut sockets = Vec::new();
    for number in 0..u32::try_from(CONNECTIONS)? {
        sockets.push((number, way.socket(number, "/").await?));
    }
    for (number, socket) in sockets {
        let asked = Arc::clone(&asked);
        clients.spawn(async move { client(socket, number, &asked).await });
    }
    sleep(MEASURED).await;
    let (before, from) = (cpu_s(), asked.load(Relaxed));
    sleep(MEASURED).await;
    let (used, answered) = (cpu_s() - before, asked.load(Relaxed) - from);
    if let Some(ended) = clients.try_join_next() {
        ended?.context("a client ended early")?;
    }
    ensure!(answered > 0 && used > 0.0, "nothing was answered");
    Ok(answered as f64 / used)
}

/// One client of aquatic's load test: it says one thing for each that it hears, and answers an offer if that was what it heard.
async fn client(mut socket: Socket, number: u32, asked: &AtomicU64) -> anyhow::Result<()> {
    let peer_id = format!("{number:020}");
    let mut offered: Option<(String, String)> = None;
    for turn in 0_u64.. {
        let said = match offered.take() {
            Some((to, offer_id)) => answer(&peer_id, &to, &offer_id, turn),
            None => announce(&peer_id, turn),
        };
        socket.send(Message::text(said)).await?;
        asked.fetch_add(1, Relaxed);
        let heard = loop {
            if let Message::Text(text) = socket.next().await.context("the tracker ended the socket")?? {
                break serde_json::from_str::<Value>(&text)?;
            }
        };
        ensure!(heard.get("failure reason").is_none(), "the tracker said {heard}");
        let text = |name: &str| heard[name].as_str().map(str::to_owned);
        offered = heard.get("offer").and(text("peer_id").zip(text("offer_id")));
    }
    Ok(())
}

const SDP: &str = "abcdefg-abcdefg-abcdefg-abcdefg-abcdefg-abcdefg";

/// A quarter of the peers have everything.
fn left(turn: u64) -> (&'static str, u32) {
    if turn.is_multiple_of(4) { ("completed", 0) } else { ("started", 50) }
}

fn announce(peer_id: &str, turn: u64) -> String {
    let (event, left) = left(turn);
    let offers: Vec<String> = (0..OFFERS)
        .map(|offer| format!(r#"{{"offer_id":"{:020}","offer":{{"type":"offer","sdp":"{SDP}"}}}}"#, turn * OFFERS as u64 + offer as u64))
        .collect();
    format!(
        r#"{{"action":"announce","info_hash":"aaaaaaaaaaaaaaaaaaaa","peer_id":"{peer_id}","left":{left},"event":"{event}","numwant":{OFFERS},"offers":[{}]}}"#,
        offers.join(",")
    )
}

fn answer(peer_id: &str, to: &str, offer_id: &str, turn: u64) -> String {
    let (_, left) = left(turn);
    format!(
        r#"{{"action":"announce","info_hash":"aaaaaaaaaaaaaaaaaaaa","peer_id":"{peer_id}","left":{left},"numwant":0,"to_peer_id":"{to}","offer_id":"{offer_id}","answer":{{"type":"answer","sdp":"{SDP}"}}}}"#
    )
}
