//! The tracker for WebTorrent clients: [`Swarms`] behind locks of their own, away from the hub's, and which torrents and pages it serves.

mod numbers;
mod send_queue;
mod served;
mod session;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use http::{HeaderMap, header};
use tokio::time::{Instant, MissedTickBehavior, interval};
use viral_swarm::limits::WEBTORRENT_INTERVAL_S;
use viral_swarm::webtorrent::{Guest, Seats, Swarms, WebTorrentConfig};
use viral_wire::webtorrent::{Announce, Event, Id, Request, announced, answer, failed, offer, parse, scraped};

use crate::config::{Config, WebTorrentOrigin};
use crate::error::OpenError;
use crate::limits::{ANNOUNCE_SHARDS, ANNOUNCE_TICK, LOCALITY_LOOK};
use crate::web_socket::Utf8Bytes;

use self::numbers::Counters;
use self::send_queue::SendQueue;
use self::served::Served;

pub(crate) use numbers::WebTorrentNumbers;
pub(crate) use session::run;

/// What a client is told of a torrent that is not served.
const NOT_SERVED: &str = "this tracker does not serve this info_hash";

/// What a client is told that announces more than one socket may.
const TOO_MANY: &str = "one connection announces too many torrents, or too many peers of one; stop some of them";

/// The tracker of one site.
#[derive(Debug)]
pub(crate) struct WebTorrent {
    start: Instant,
    shards: Vec<Mutex<Swarms<Arc<SendQueue>>>>,
    served: Served,
    origins: Vec<WebTorrentOrigin>,
    counters: Counters,
}

/// One socket, as the tracker knows it.
#[derive(Debug)]
pub(crate) struct Client {
    guest: Guest,
    send_queue: Arc<SendQueue>,
    seats: Seats,
    /// Room for whom offers go to, used again and again.
    given: Vec<(usize, Arc<SendQueue>)>,
}

impl WebTorrent {
    /// The tracker that the settings ask for, if they ask for one. The site is in `folder`, if in any.
    ///
    /// # Errors
    /// When they do not say which torrents it serves, or its file of them cannot be used.
    pub(crate) fn open(config: &Config, folder: Option<&Path>) -> Result<Option<Arc<Self>>, OpenError> {
        if !config.webtorrent {
            if config.webtorrent_open || !config.webtorrent_info_hash.is_empty() || config.webtorrent_info_hashes.is_some() {
                tracing::warn!("torrents are named and nothing serves them; give --webtorrent, too");
            }
            return Ok(None);
        }
        let served = Served::open(config, folder)?;
        let settings = WebTorrentConfig { ladder: config.ladder(), ..WebTorrentConfig::default() };
        let shard = |_| Mutex::new(Swarms::new(settings, rand::random()));
        let shards = (0..ANNOUNCE_SHARDS).map(shard).collect();
        let origins = config.webtorrent_origin.clone();
        Ok(Some(Arc::new(Self { start: Instant::now(), shards, served, origins, counters: Counters::default() })))
    }

    /// Whether the operator named the page that a request comes from.
    pub(crate) fn is_named(&self, headers: &HeaderMap) -> bool {
        let from = headers.get(header::ORIGIN);
        self.origins.iter().any(|origin| match origin {
            WebTorrentOrigin::Any => true,
            WebTorrentOrigin::Of(origin) => from.is_some_and(|from| from == origin.as_str()),
        })
    }

    /// Its numbers now.
    pub(crate) fn numbers(&self) -> WebTorrentNumbers {
        let sums = self.shards.iter().map(|shard| lock(shard).numbers());
        let sums = sums.fold((0, 0, 0), |sums, (torrents, peers, seeders)| (sums.0 + torrents, sums.1 + peers, sums.2 + seeders));
        self.counters.snapshot(sums)
    }

    fn join(&self, guest: Guest) -> Client {
        self.counters.sockets.add(1);
        Client { guest, send_queue: Arc::default(), seats: Seats::default(), given: Vec::new() }
    }

    fn leave(&self, client: &Client) {
        self.counters.sockets.sub(1);
        for (info_hash, seat) in client.seats.iter() {
            self.shard(info_hash).handle_leave(info_hash, seat);
        }
    }

    /// What a client said: what it is answered, if anything.
    fn handle(&self, client: &mut Client, text: &str) -> Option<Utf8Bytes> {
        let reply = match parse(text) {
            Ok(Request::Announce(announce)) => return self.announce(client, &announce).map(Utf8Bytes::from),
            Ok(Request::Scrape(hashes)) => {
                self.counters.scrapes.add(1);
                scraped(hashes.into_iter().map(|info_hash| (info_hash, self.shard(&info_hash).counts(&info_hash))))
            }
            Err(fault) => {
                tracing::debug!(reason = %fault.reason, "malformed message");
                self.counters.refused.add(1);
                fault.reply()
            }
        };
        Some(reply.into())
    }

    fn announce(&self, client: &mut Client, said: &Announce<'_>) -> Option<String> {
        let refused = |reason: &str| {
            self.counters.refused.add(1);
            Some(failed(&said.info_hash, reason))
        };
        let (info_hash, peer_id, now_ms) = (&said.info_hash, &said.peer_id, self.now_ms());
        if !self.served.contains(info_hash) {
            return refused(NOT_SERVED);
        }
        let seat = client.seats.find(info_hash, peer_id);
        if seat.is_none() && said.event != Event::Stopped && !client.seats.make_room(now_ms, info_hash) {
            return refused(TOO_MANY);
        }
        let mut swarms = self.shard(info_hash);
        let came_of_it = match swarms.handle_announce(now_ms, (&client.guest, &client.send_queue), seat, said, &mut client.given) {
            Ok(came_of_it) => came_of_it,
            Err(full) => return refused(&full.to_string()),
        };
        let answered = said.answer.and_then(|answer| Some((answer, swarms.handle_answer(now_ms, info_hash, came_of_it.seat?, &answer))));
        // What follows is the larger part, and needs nobody's lock.
        drop(swarms);
        client.seats.note(now_ms, (info_hash, peer_id), came_of_it.seat);
        self.counters.announces.add(1);
        for (index, to) in client.given.drain(..) {
            let given = &said.offers[index];
            self.pass_on(&self.counters.offers, &to, offer(info_hash, peer_id, &given.offer_id, given.offer));
        }
        match answered {
            // Nobody waits for a reply to an answer: `bittorrent-tracker` sends none, and clients would begin their interval anew with it.
            Some((given, to)) => {
                match to {
                    Some(to) => self.pass_on(&self.counters.answers, &to, answer(info_hash, peer_id, &given.offer_id, given.answer)),
                    None => self.counters.late_answers.add(1),
                }
                (!said.offers.is_empty()).then(|| announced(info_hash, WEBTORRENT_INTERVAL_S, came_of_it.counts))
            }
            None => Some(announced(info_hash, WEBTORRENT_INTERVAL_S, came_of_it.counts)),
        }
    }

    fn pass_on(&self, counter: &numbers::Counter, to: &SendQueue, message: String) {
        if to.put(message.into()) { counter.add(1) } else { self.counters.dropped.add(1) }
    }

    fn shard(&self, info_hash: &Id) -> MutexGuard<'_, Swarms<Arc<SendQueue>>> {
        // Any byte does for a digest; text has its differences in the lower bits.
        let sum = info_hash.0.iter().fold(0_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(*byte)));
        lock(&self.shards[sum % self.shards.len()])
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// Forgets who said nothing for too long. Runs until it is aborted.
pub(crate) async fn keep_time(tracker: Arc<WebTorrent>) {
    let mut tick = interval(ANNOUNCE_TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let now_ms = tracker.now_ms();
        for shard in &tracker.shards {
            let mut swarms = lock(shard);
            if swarms.poll_timeout().is_some_and(|due_ms| due_ms <= now_ms) {
                swarms.handle_timeout(now_ms);
            }
        }
    }
}

/// Looks at the file of torrents until nobody uses the tracker.
pub(crate) async fn follow(tracker: Weak<WebTorrent>) {
    loop {
        tokio::time::sleep(LOCALITY_LOOK).await;
        let Some(tracker) = tracker.upgrade() else { return };
        // A file of 200,000 takes a while.
        let _ = tokio::task::spawn_blocking(move || tracker.served.look()).await;
    }
}

fn lock<T>(shard: &Mutex<T>) -> MutexGuard<'_, T> {
    // It does not panic; if it ever did, serving on with what it holds is better than failing every client.
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}
