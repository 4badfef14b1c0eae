//! A plain HTTP/1.1 client: the visitor of nginx, and how the lab asks the origin for its counters.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

/// Longest wait for the next byte. On a crowded uplink a connection starves for many seconds.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// Connections that one visitor opens to one server, as browsers do over HTTP/1.1.
const CONNECTIONS: usize = 6;

/// What one visit fetched.
#[derive(Debug, Clone, Copy)]
pub struct Fetched {
    /// Bytes of all bodies.
    pub bytes: u64,
    /// From the first connection attempt to the last byte.
    pub took: Duration,
}

/// Fetches the page, then its assets over up to six connections at once, like a browser. Runs where its thread is.
///
/// # Errors
/// When the server is not there, answers other than 200, or is silent for a minute.
pub fn visit(server: SocketAddr, page: &str, assets: &[String]) -> anyhow::Result<Fetched> {
    let began = Instant::now();
    let mut first = Connection::open(server)?;
    let mut bytes = first.get(page)?.len() as u64;
    // The connection that fetched the page goes on with assets.
    let mut connections = vec![first];
    while connections.len() < CONNECTIONS.min(assets.len()) {
        connections.push(Connection::open(server)?);
    }
    let lanes = connections.len();
    let outcomes: Vec<anyhow::Result<u64>> = std::thread::scope(|scope| {
        let lane = |(lane, mut connection): (usize, Connection)| {
            scope.spawn(move || {
                let own = assets.iter().skip(lane).step_by(lanes);
                own.map(|asset| Ok(connection.get(asset)?.len() as u64)).sum::<anyhow::Result<u64>>()
            })
        };
        let handles: Vec<_> = connections.into_iter().enumerate().map(lane).collect();
        handles.into_iter().map(|handle| handle.join().unwrap_or_else(|_| Err(anyhow::anyhow!("a lane panicked")))).collect()
    });
    for outcome in outcomes {
        bytes += outcome?;
    }
    Ok(Fetched { bytes, took: began.elapsed() })
}

/// The body of one answer.
///
/// # Errors
/// As [`visit`].
pub fn get(server: SocketAddr, path: &str) -> anyhow::Result<Vec<u8>> {
    Connection::open(server)?.get(path)
}

struct Connection {
    stream: BufReader<TcpStream>,
    server: SocketAddr,
}

impl Connection {
    fn open(server: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(server).with_context(|| format!("cannot connect to {server}"))?;
        stream.set_read_timeout(Some(SILENCE_MAX))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream), server })
    }

    /// One body. Both servers of the lab say how long a body is.
    fn get(&mut self, path: &str) -> anyhow::Result<Vec<u8>> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.server);
        self.stream.get_mut().write_all(request.as_bytes())?;
        let mut line = String::new();
        self.stream.read_line(&mut line).with_context(|| format!("no answer for {path}"))?;
        if line.split_whitespace().nth(1) != Some("200") {
            bail!("{path} was answered `{}`", line.trim_end());
        }
        let mut len = None;
        loop {
            line.clear();
            self.stream.read_line(&mut line)?;
            let Some((name, value)) = line.split_once(':') else { break };
            if name.eq_ignore_ascii_case("content-length") {
                len = Some(value.trim().parse::<usize>().with_context(|| format!("length of {path}"))?);
            }
        }
        let mut body = vec![0; len.with_context(|| format!("{path} came without a length"))?];
        self.stream.read_exact(&mut body).with_context(|| format!("{path} ended early"))?;
        Ok(body)
    }
}
