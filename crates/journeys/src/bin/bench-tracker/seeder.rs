//! What a shipped peer says to the tracker: it registers, says what it holds, leaves offers and replaces those that were answered.

use std::sync::Arc;

use anyhow::{Context as _, bail};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::socket::{Socket, Way};

/// Leechers that it serves: as many as a server lets it.
const SLOTS: u8 = 16;

/// More than any page has.
const MANY: u32 = 1 << 30;

/// Hears of each answer to an offer, as the tracker passes it on.
pub(crate) type Hearing = Arc<dyn Fn(&Value) + Send + Sync>;

/// A session that is registered.
pub(crate) struct Seeder {
    socket: Socket,
    next_offer: u32,
    answered: Hearing,
}

impl Seeder {
    /// Registers the visitor of this number as one that has all of the page, with as many offers as the tracker wants.
    pub(crate) async fn register(way: &Way, number: u32, answered: Hearing) -> anyhow::Result<Self> {
        let socket = way.socket(number, "/.viral/ws").await?;
        let mut seeder = Self { socket, next_offer: 1, answered };
        seeder.say(&json!({ "kind": "register", "page": "/", "manifest": null, "ticket": null, "slots": SLOTS })).await?;
        let mut wanted = None;
        loop {
            let said = seeder.receive().await?;
            match said["kind"].as_str() {
                Some("welcome") => wanted = said["offers_wanted"].as_u64(),
                Some("manifest") => {
                    let held = json!({ "kind": "held", "manifest": said["manifest"], "pieces": 1, "bytes": MANY });
                    seeder.say(&held).await?;
                    seeder.offer(wanted.context("no welcome before the manifest")?).await?;
                    return Ok(seeder);
                }
                _ => {}
            }
        }
    }

    /// Does what the tracker says until it ends the session.
    pub(crate) async fn serve(&mut self) -> anyhow::Result<()> {
        loop {
            let said = self.receive().await?;
            match said["kind"].as_str() {
                Some("answer") => (self.answered)(&said),
                Some("offers_wanted") => self.offer(said["count"].as_u64().unwrap_or(1)).await?,
                Some("error" | "dropped") => bail!("the tracker said {said}"),
                _ => {}
            }
        }
    }

    async fn offer(&mut self, count: u64) -> anyhow::Result<()> {
        let first = self.next_offer;
        self.next_offer += u32::try_from(count)?;
        let offers: Vec<Value> =
            (first..self.next_offer).map(|offer| json!({ "offer": offer, "description": description("actpass", "DOqf") })).collect();
        self.say(&json!({ "kind": "offers", "offers": offers })).await
    }

    async fn say(&mut self, said: &Value) -> anyhow::Result<()> {
        Ok(self.socket.send(Message::text(said.to_string())).await?)
    }

    async fn receive(&mut self) -> anyhow::Result<Value> {
        loop {
            match self.socket.next().await.context("the socket ended")?? {
                Message::Text(text) => return Ok(serde_json::from_str(&text)?),
                Message::Close(frame) => bail!("the tracker closed the socket: {frame:?}"),
                Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
        }
    }
}

/// A description of a browser with an address in its network and a public one. `ufrag` tells one from another.
pub(crate) fn description(setup: &str, ufrag: &str) -> Value {
    let fingerprint = "63ba3e421d4c515af16852ed6798205cb8c476912716018aaf889b977554ab91";
    let candidates = ["u|371cb45a-a3f2-440c-af8e-1a89576b5cb5.local|45914|yyl0cf|h", "u|198.51.100.7|50001|1t4p|s"];
    json!([ufrag, "aS4kdYLzMySftsIXAKxkAqzv", fingerprint, setup, 262_144, candidates, []])
}
