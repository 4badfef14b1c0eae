//! The way between servers: Redis passes on what they publish, lends each a number, and keeps what they learned of pages.

use std::sync::{Arc, Once};

use futures_util::StreamExt as _;
use rand::Rng as _;
use redis::aio::{ConnectionLike, MultiplexedConnection, PubSubStream};
use redis::{AsyncConnectionConfig, Client, Cmd, ErrorKind, Pipeline, RedisError, RedisFuture, RedisResult, Script, Value, cmd, pipe};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use viral_swarm::cluster::{Message, ServerNumber};
use viral_swarm::join::{JOIN_KEY_LEN, JoinKey};
use viral_swarm::pageset::PageState;

use super::others::{Cluster, Post};
use super::rolling::RollingSite;
use crate::config::{ClusterUrl, Config};
use crate::error::OpenError;
use crate::hub::Hub;
use crate::joins::Joins;
use crate::limits::{
    CLUSTER_BATCH_MAX, CLUSTER_CONNECT_WAIT, CLUSTER_HELLO, CLUSTER_LIVED, CLUSTER_NUMBER_LEASE_MS, CLUSTER_NUMBER_TRIES,
    CLUSTER_PAGE_LEN_MAX, CLUSTER_PAGES_AT_ONCE, CLUSTER_PAUSE, CLUSTER_PAUSE_MAX, CLUSTER_REPLY_WAIT, CLUSTER_SEEN_AT_ONCE, CLUSTER_TELL,
    PAGES_MAX,
};
use crate::shutdown::Shutdown;
use crate::stats::Stats;

/// Changes the state of a page if nobody did so before: `KEYS` the pages, `ARGV` path, known generation, state, most pages, seconds to keep them. Returns 1, or 0 with the newer one, or 2 where there is no
/// room.
const CHANGE_PAGE: &str = r"
local known = redis.call('HGET', KEYS[1], ARGV[1])
local generation = known and tonumber(string.match(known, '^(%d+) ')) or 0
if known and generation ~= tonumber(ARGV[2]) then return {0, known} end
if not known and redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[4]) then return {2, ''} end
generation = tonumber(ARGV[2])
redis.call('HSET', KEYS[1], ARGV[1], string.format('%d ', generation + 1) .. ARGV[3])
redis.call('EXPIRE', KEYS[1], ARGV[5])
return {1, ''}";

/// For how long Redis keeps what was learned of pages after it last changed, in seconds: a month.
const PAGES_AGE_MAX_S: u64 = 30 * 86_400;

/// Joins the cluster of these settings; none if there is none. Returns what sees to it until it is aborted, or the server ends.
///
/// # Errors
/// When Redis can be reached and refuses who comes.
pub(crate) async fn join(
    config: &Config,
    (hub, site): (&Arc<Hub>, Option<Arc<RollingSite>>),
    (stats, joins): (&Arc<Stats>, &Arc<Joins>),
    shutdown: &Shutdown,
) -> Result<Option<(Arc<Cluster>, impl Future<Output = ()> + Send + use<>)>, OpenError> {
    let Some((url, site)) = config.cluster.as_ref().zip(site) else { return Ok(None) };
    let failed = |reason: String| OpenError::Cluster { url: url.to_string(), reason };
    let client = Client::open(url.as_str()).map_err(|error| failed(error.to_string()))?;
    let mut bus = Bus {
        client,
        url: url.clone(),
        names: Names::of(&config.cluster_name.to_string()),
        number: ServerNumber(rand::rng().random()),
        token: rand::rng().random(),
        joins: Arc::clone(joins),
        refused: Once::new(),
    };
    let link = match bus.connect().await {
        Ok(link) => Some(link),
        Err(error) if is_refusal(&error) => return Err(failed(reason_of(&error))),
        Err(error) => {
            tracing::warn!(cluster = %url, %error, "the cluster cannot be reached; this server goes on alone and tries again");
            None
        }
    };
    hub.set_server(bus.number);
    let (cluster, posts) = Cluster::new(bus.number, (Arc::clone(hub), site), Arc::clone(stats));
    if link.is_some() {
        tracing::info!(cluster = %url, server = bus.number.0, "joined the cluster");
    }
    let shutdown = shutdown.clone();
    let run = {
        let cluster = Arc::clone(&cluster);
        async move { bus.run(&cluster, posts, link, &shutdown).await }
    };
    Ok(Some((cluster, run)))
}

/// Whether the answer will be the same next time: the password is wrong, or the user may not do this.
fn is_refusal(error: &RedisError) -> bool {
    error.kind() == ErrorKind::AuthenticationFailed || error.code().is_some_and(|code| matches!(code, "NOAUTH" | "WRONGPASS" | "NOPERM"))
}

fn reason_of(error: &RedisError) -> String {
    let advice = if error.code() == Some("NOPERM") {
        "the user needs INFO, SUBSCRIBE, PUBLISH, SET, GET, DEL, PEXPIRE, HSCAN, HGET, HSET, HLEN, EXPIRE, EVALSHA and SCRIPT LOAD, and keys and channels `viral:*`"
    } else {
        "give user and password as redis://USER:PASSWORD@HOST:PORT"
    };
    format!("Redis refuses this server ({error}); {advice}")
}

/// What everything is called in Redis. The braces keep all of a cluster's keys on one node of a Redis cluster.
struct Names(String);

impl Names {
    fn of(name: &str) -> Self {
        Self(format!("viral:{{{name}}}"))
    }

    fn all(&self) -> String {
        format!("{}:all", self.0)
    }

    fn to(&self, number: ServerNumber) -> String {
        format!("{}:to:{}", self.0, number.0)
    }

    fn server(&self, number: ServerNumber) -> String {
        format!("{}:server:{}", self.0, number.0)
    }

    fn pages(&self) -> String {
        format!("{}:pages", self.0)
    }

    fn join_key(&self) -> String {
        format!("{}:join-key", self.0)
    }
}

struct Bus {
    client: Client,
    url: ClusterUrl,
    names: Names,
    number: ServerNumber,
    /// Tells our hold on the number from another's.
    token: u64,
    /// Whose key all servers have.
    joins: Arc<Joins>,
    /// Said once: what Redis refuses now it refuses twice a second.
    refused: Once,
}

/// Both connections to Redis.
struct Link {
    commands: Commands,
    messages: PubSubStream,
}

/// What takes commands: one server, or the nodes of a Redis cluster.
#[derive(Clone)]
enum Commands {
    One(MultiplexedConnection),
    Nodes(redis::cluster_async::ClusterConnection),
}

impl ConnectionLike for Commands {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::One(connection) => connection.req_packed_command(command),
            Self::Nodes(connection) => connection.req_packed_command(command),
        }
    }

    fn req_packed_commands<'a>(&'a mut self, pipeline: &'a Pipeline, offset: usize, count: usize) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::One(connection) => connection.req_packed_commands(pipeline, offset, count),
            Self::Nodes(connection) => connection.req_packed_commands(pipeline, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::One(connection) => connection.get_db(),
            Self::Nodes(connection) => connection.get_db(),
        }
    }
}

impl Bus {
    /// Connects, subscribes, and holds the number.
    async fn connect(&mut self) -> RedisResult<Link> {
        let late = || RedisError::from((ErrorKind::Io, "no answer in time"));
        timeout(CLUSTER_CONNECT_WAIT, self.connect_at_leisure()).await.unwrap_or_else(|_| Err(late()))
    }

    async fn connect_at_leisure(&mut self) -> RedisResult<Link> {
        let settings = AsyncConnectionConfig::new().set_response_timeout(Some(CLUSTER_REPLY_WAIT));
        let mut one = self.client.get_multiplexed_async_connection_with_config(&settings).await?;
        let info: String = cmd("INFO").arg("cluster").query_async(&mut one).await.unwrap_or_default();
        let mut commands = if info.contains("cluster_enabled:1") {
            let nodes = redis::cluster::ClusterClient::new(vec![self.url.as_str()])?;
            Commands::Nodes(nodes.get_async_connection().await?)
        } else {
            Commands::One(one)
        };
        match self.take_number(&mut commands).await {
            Err(error) if is_refusal(&error) => return Err(error),
            taken => self.tolerate(taken)?,
        }
        let agreed = self.agree_on_key(&mut commands).await;
        self.tolerate(agreed)?;
        let mut messages = self.client.get_async_pubsub().await?;
        messages.subscribe(&[self.names.all(), self.names.to(self.number)]).await?;
        Ok(Link { commands, messages: messages.into_on_message() })
    }

    /// Has Redis lend a number to nobody else: the one that we have, or another one if that is taken, as long as nobody knows it.
    async fn take_number(&mut self, commands: &mut Commands) -> RedisResult<()> {
        for _ in 0..CLUSTER_NUMBER_TRIES {
            let key = self.names.server(self.number);
            let token = self.token.to_string();
            let taken: Option<String> =
                cmd("SET").arg(&key).arg(&token).arg("NX").arg("PX").arg(CLUSTER_NUMBER_LEASE_MS).query_async(commands).await?;
            if taken.is_some() {
                return Ok(());
            }
            // A key that is no text is a foreign one.
            let holder: RedisResult<Option<String>> = cmd("GET").arg(&key).query_async(commands).await;
            let holder = holder.or_else(|error| if error.code() == Some("WRONGTYPE") { Ok(None) } else { Err(error) })?;
            if holder == Some(token) {
                return cmd("PEXPIRE").arg(&key).arg(CLUSTER_NUMBER_LEASE_MS).query_async(commands).await;
            }
            self.number = ServerNumber(rand::rng().random());
        }
        Err(RedisError::from((
            ErrorKind::Client,
            "every number that was tried is taken: other keys have the names of this cluster (--cluster-name)",
        )))
    }

    /// Takes over the key of the cluster's join tickets, or gives it ours. While it does not keep one, each server goes on with its own.
    async fn agree_on_key(&self, commands: &mut Commands) -> RedisResult<()> {
        let (key, own) = (self.names.join_key(), self.joins.key());
        let _: Option<String> = cmd("SET").arg(&key).arg(&own.as_bytes()[..]).arg("NX").query_async(commands).await?;
        let agreed: Option<Vec<u8>> = cmd("GET").arg(&key).query_async(commands).await?;
        match agreed.map(<[u8; JOIN_KEY_LEN]>::try_from) {
            Some(Ok(secret)) => self.joins.agree(JoinKey::new(secret)),
            Some(Err(_)) => tracing::warn!(%key, "the cluster's key of join tickets is none, so each server has its own; delete it"),
            None => {}
        }
        Ok(())
    }

    /// Goes on where Redis answers, but not as we want: it is full, or a key is somebody else's. Messages are passed on all the same.
    fn tolerate(&self, result: RedisResult<()>) -> RedisResult<()> {
        let Err(error) = result else { return Ok(()) };
        if error.code().is_none() {
            return Err(error);
        }
        self.refused.call_once(|| {
            tracing::warn!(cluster = %self.url, %error, "the cluster does not keep what is learned of pages; give it room, or another name with --cluster-name");
        });
        Ok(())
    }

    async fn run(mut self, cluster: &Cluster, mut posts: mpsc::Receiver<Post>, mut link: Option<Link>, shutdown: &Shutdown) {
        let mut pause = CLUSTER_PAUSE;
        loop {
            if let Some(Link { mut commands, messages }) = link.take() {
                // What was to be said before is old now.
                while posts.try_recv().is_ok() {}
                drop(cluster.hub.visits().take_told());
                cluster.set_up(true);
                let began = Instant::now();
                let lives = async {
                    tokio::select! {
                        error = read(cluster, messages) => error,
                        result = self.write(cluster, &mut commands, &mut posts) => match result { Ok(never) => match never {}, Err(error) => error },
                    }
                };
                let error = tokio::select! {
                    error = lives => error,
                    () = shutdown.begun() => return self.end(cluster, &mut commands).await,
                };
                cluster.set_up(false);
                if began.elapsed() >= CLUSTER_LIVED {
                    pause = CLUSTER_PAUSE;
                }
                tracing::warn!(cluster = %self.url, %error, "the cluster cannot be reached any more; this server goes on alone and tries again");
            }
            tokio::select! {
                () = sleep(pause) => {}
                () = shutdown.begun() => return,
            }
            // Also where nobody else is asked: a new version is shown.
            cluster.roll();
            let before = self.number;
            match self.connect().await {
                Ok(found) if self.number == before => {
                    tracing::info!(cluster = %self.url, server = self.number.0, "joined the cluster again");
                    link = Some(found);
                }
                Ok(_) => {
                    // Its peers have the old number: better alone than taken for another.
                    self.number = before;
                    tracing::debug!("the number of this server is held by another one");
                }
                Err(error) => {
                    self.number = before;
                    tracing::debug!(%error, "the cluster cannot be reached");
                }
            }
            pause = (pause * 2).min(CLUSTER_PAUSE_MAX);
        }
    }

    /// Says what is to be said.
    async fn write(
        &self,
        cluster: &Cluster,
        commands: &mut Commands,
        posts: &mut mpsc::Receiver<Post>,
    ) -> RedisResult<std::convert::Infallible> {
        cluster.pages.clear();
        let read = self.read_pages(cluster, commands).await;
        self.tolerate(read)?;
        let mut hello = interval(CLUSTER_HELLO);
        hello.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut tell = interval(CLUSTER_TELL);
        tell.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut versions = cluster.site.read();
        let mut batch = Vec::with_capacity(CLUSTER_BATCH_MAX);
        loop {
            tokio::select! {
                count = posts.recv_many(&mut batch, CLUSTER_BATCH_MAX) => {
                    if count == 0 {
                        std::future::pending::<()>().await;
                    }
                    self.publish(commands, batch.drain(..)).await?;
                }
                () = cluster.hub.visits().begun() => self.tell_seen(cluster),
                _ = tell.tick() => {
                    self.tell_seen(cluster);
                    cluster.tell_holdings();
                }
                // Others wait for it, perhaps.
                Ok(()) = versions.changed() => {
                    cluster.roll();
                    cluster.say_hello();
                }
                _ = hello.tick() => {
                    if cluster.is_deaf() {
                        return Err(RedisError::from((ErrorKind::Io, "what is said to all does not come back")));
                    }
                    cluster.look();
                    cluster.say_hello();
                    let taken = self.take_number_again(commands).await;
                    self.tolerate(taken)?;
                    self.tell_news(cluster, commands).await?;
                }
            }
        }
    }

    fn tell_seen(&self, cluster: &Cluster) {
        for seen in cluster.hub.visits().take_told().chunks(CLUSTER_SEEN_AT_ONCE) {
            cluster.post(None, &Message::Seen { from: self.number, seen: seen.to_vec() });
        }
    }

    async fn publish(&self, commands: &mut Commands, posts: impl Iterator<Item = Post>) -> RedisResult<()> {
        let mut pipeline = pipe();
        for Post { to, text } in posts {
            let channel = to.map_or_else(|| self.names.all(), |number| self.names.to(number));
            pipeline.cmd("PUBLISH").arg(channel).arg(text).ignore();
        }
        // A cluster of Redis passes messages on between its nodes, so that any of them will do; its client sends a pipeline to one.
        pipeline.query_async(commands).await
    }

    async fn take_number_again(&self, commands: &mut Commands) -> RedisResult<()> {
        cmd("SET")
            .arg(self.names.server(self.number))
            .arg(self.token.to_string())
            .arg("PX")
            .arg(CLUSTER_NUMBER_LEASE_MS)
            .query_async(commands)
            .await
    }

    async fn tell_news(&self, cluster: &Cluster, commands: &mut Commands) -> RedisResult<()> {
        let news = cluster.hub.take_news(CLUSTER_PAGES_AT_ONCE);
        news.flagged.into_iter().for_each(|address| cluster.flag(address));
        for page in news.pages {
            let told = self.tell_page(cluster, commands, page).await;
            self.tolerate(told)?;
        }
        Ok(())
    }

    /// Says what was learned of a page, unless another server was quicker: then its word holds.
    async fn tell_page(&self, cluster: &Cluster, commands: &mut Commands, page: String) -> RedisResult<()> {
        let Some(state) = cluster.hub.page_state(&page) else { return Ok(()) };
        let Some(text) = serde_json::to_string(&state).ok().filter(|text| text.len() <= CLUSTER_PAGE_LEN_MAX) else { return Ok(()) };
        let known = cluster.pages.generation(&page);
        let script = Script::new(CHANGE_PAGE);
        let mut invocation = script.prepare_invoke();
        invocation.key(self.names.pages()).arg(&page).arg(known).arg(text).arg(PAGES_MAX).arg(PAGES_AGE_MAX_S);
        let (result, newer): (u8, String) = invocation.invoke_async(commands).await?;
        match result {
            1 => {
                let generation = known + 1;
                cluster.pages.set(&page, generation);
                cluster.post(None, &Message::Page { from: self.number, page, generation, state: Box::new(state) });
            }
            0 => adopt(cluster, &page, &newer),
            _ => tracing::debug!(page, "the cluster has no room for one more page"),
        }
        Ok(())
    }

    /// Takes over what the others know of pages.
    async fn read_pages(&self, cluster: &Cluster, commands: &mut Commands) -> RedisResult<()> {
        let (mut cursor, mut left) = (0_u64, PAGES_MAX);
        loop {
            let (next, pages): (u64, Vec<(String, String)>) =
                cmd("HSCAN").arg(self.names.pages()).arg(cursor).arg("COUNT").arg(100).query_async(commands).await?;
            for (page, text) in pages.iter().take(left) {
                adopt(cluster, page, text);
            }
            left = left.saturating_sub(pages.len());
            if next == 0 || left == 0 {
                return Ok(());
            }
            cursor = next;
        }
    }

    /// Says goodbye, as far as that takes no time.
    async fn end(&self, cluster: &Cluster, commands: &mut Commands) {
        cluster.set_up(false);
        let Ok(text) = serde_json::to_vec(&Message::Bye { from: self.number }) else { return };
        let goodbye = async {
            self.publish(commands, std::iter::once(Post { to: None, text })).await?;
            cmd("DEL").arg(self.names.server(self.number)).query_async::<()>(commands).await
        };
        let _ = timeout(CLUSTER_REPLY_WAIT, goodbye).await;
    }
}

/// Hears what others say, until Redis ends.
async fn read(cluster: &Cluster, mut messages: PubSubStream) -> RedisError {
    while let Some(message) = messages.next().await {
        cluster.handle(message.get_payload_bytes());
    }
    RedisError::from((ErrorKind::Io, "the connection ended"))
}

/// Takes over what Redis knows of a page, written as its generation, a space and JSON.
fn adopt(cluster: &Cluster, page: &str, text: &str) {
    let state =
        text.split_once(' ').and_then(|(generation, json)| Some((generation.parse().ok()?, serde_json::from_str::<PageState>(json).ok()?)));
    match state {
        Some((generation, state)) => cluster.pages.take_over(&cluster.hub, page, generation, state),
        None => tracing::debug!(page, "what the cluster says of a page cannot be read"),
    }
}
