//! STUN over UDP (RFC 8489): tells visitors and native peers under which address and port the world sees them, so that nobody else needs to be asked.

use std::io::{self, ErrorKind, IoSliceMut};
use std::net::SocketAddr;
#[cfg(unix)]
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use quinn_udp::{BATCH_SIZE, RecvMeta, Transmit, UdpSocketState};
use serde::Serialize;
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::task::JoinSet;
use tokio::time::Instant;
use viral_swarm::stun::{StunGate, StunPorts, StunVerdict};
use viral_wire::limits::STUN_LEN_MAX;
use viral_wire::stun::decode_request;

use crate::limits::{STUN_BATCHES_PER_TURN, STUN_PAUSE, STUN_RECEIVE_BUFFER_LEN, STUN_ROOM_LEN};

/// Sockets on which STUN is answered: each address at its port and, where it is free, at the next one. Who asks at both from one socket learns what kind of NAT it is behind.
pub struct StunServer {
    sockets: Vec<Bound>,
    announced: StunAnnounced,
}

/// What a site tells its visitors of STUN, and what came of it. Clones share the numbers.
#[derive(Clone)]
pub struct StunAnnounced(Arc<Shared>);

struct Shared {
    ports: StunPorts,
    gate: Mutex<StunGate>,
    began: Instant,
    counters: Counters,
}

#[derive(Default)]
struct Counters {
    requests: AtomicU64,
    answers: AtomicU64,
    limited: AtomicU64,
    malformed: AtomicU64,
}

/// `stun` in `/stats`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct StunNumbers {
    /// Well-formed Binding requests.
    requests: u64,
    /// Those that were answered.
    answers: u64,
    /// Those that were not since their network, or all together, asked too often.
    limited: u64,
    /// Everything else that came.
    malformed: u64,
}

impl StunNumbers {
    /// What came, by what became of it.
    pub(crate) fn by_result(&self) -> [(&'static str, u64); 3] {
        [("answered", self.answers), ("limited", self.limited), ("malformed", self.malformed)]
    }
}

struct Bound {
    address: SocketAddr,
    socket: UdpSocket,
    state: UdpSocketState,
}

impl StunServer {
    /// Binds these addresses, which have one port. The next port is tried, too, and left out where it is not free.
    ///
    /// # Errors
    /// When one of them is not free or not there.
    pub fn bind(addresses: &[SocketAddr]) -> io::Result<Self> {
        let mut sockets = addresses.iter().map(|address| Bound::new(*address)).collect::<io::Result<Vec<_>>>()?;
        let first = sockets.first().ok_or(ErrorKind::InvalidInput)?.address.port();
        let mut ports = vec![first];
        let second = first.checked_add(1).and_then(|port| {
            let seconds = addresses.iter().map(|address| Bound::new(SocketAddr::new(address.ip(), port)));
            seconds.collect::<io::Result<Vec<_>>>().ok()
        });
        if let Some(seconds) = second {
            sockets.extend(seconds);
            ports.push(first + 1);
        }
        Ok(Self::on(sockets, ports))
    }

    /// On sockets that a predecessor bound, in the order of its [`share`](Self::share).
    ///
    /// # Errors
    /// When one of them cannot be used.
    pub fn taken_over(sockets: Vec<std::net::UdpSocket>) -> io::Result<Self> {
        let sockets = sockets.into_iter().map(Bound::of).collect::<io::Result<Vec<_>>>()?;
        let mut ports: Vec<u16> = sockets.iter().map(|bound| bound.address.port()).collect();
        ports.dedup();
        Ok(Self::on(sockets, ports))
    }

    /// Its sockets, to be given to a successor.
    ///
    /// # Errors
    /// When the system has no more descriptors.
    #[cfg(unix)]
    pub fn share(&self) -> io::Result<Vec<OwnedFd>> {
        self.sockets.iter().map(|bound| bound.socket.as_fd().try_clone_to_owned()).collect()
    }

    fn on(sockets: Vec<Bound>, ports: Vec<u16>) -> Self {
        let is_open = sockets.iter().any(|bound| !bound.address.ip().to_canonical().is_loopback());
        let shared = Shared {
            ports: StunPorts { ports, is_open },
            gate: Mutex::new(StunGate::new(rand::random())),
            began: Instant::now(),
            counters: Counters::default(),
        };
        Self { sockets, announced: StunAnnounced(Arc::new(shared)) }
    }

    /// Where it listens.
    pub fn locals(&self) -> Vec<SocketAddr> {
        self.sockets.iter().map(|bound| bound.address).collect()
    }

    /// What to give to [`Viral::announce_stun`](crate::Viral::announce_stun).
    pub fn announced(&self) -> StunAnnounced {
        self.announced.clone()
    }

    /// Answers until it is dropped.
    pub async fn serve(self) {
        let mut serving: JoinSet<()> = self.sockets.into_iter().map(|bound| answer_all(bound, Arc::clone(&self.announced.0))).collect();
        while serving.join_next().await.is_some() {}
    }
}

impl StunAnnounced {
    /// Where it is answered.
    pub(crate) fn ports(&self) -> &StunPorts {
        &self.0.ports
    }

    pub(crate) fn numbers(&self) -> StunNumbers {
        let Counters { requests, answers, limited, malformed } = &self.0.counters;
        let [requests, answers, limited, malformed] = [requests, answers, limited, malformed].map(|counter| counter.load(Relaxed));
        StunNumbers { requests, answers, limited, malformed }
    }
}

impl Bound {
    fn new(address: SocketAddr) -> io::Result<Self> {
        Self::of(std::net::UdpSocket::bind(address)?)
    }

    fn of(socket: std::net::UdpSocket) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let state = UdpSocketState::new((&socket).into())?;
        // A burst of visitors waits here while the web server has the processor. The system may allow less.
        let _ = state.set_recv_buffer_size((&socket).into(), STUN_RECEIVE_BUFFER_LEN);
        Ok(Self { address: socket.local_addr()?, socket: UdpSocket::from_std(socket)?, state })
    }

    fn receive(&self, room: &mut [[u8; STUN_ROOM_LEN]; BATCH_SIZE], meta: &mut [RecvMeta; BATCH_SIZE]) -> io::Result<usize> {
        let mut slices = room.each_mut().map(|room| IoSliceMut::new(room));
        self.socket.try_io(Interest::READABLE, || self.state.recv((&self.socket).into(), &mut slices, meta))
    }
}

/// Answers what comes to one socket, a bounded number of datagrams before others get a turn.
async fn answer_all(bound: Bound, shared: Arc<Shared>) {
    let mut room = Box::new([[0; STUN_ROOM_LEN]; BATCH_SIZE]);
    let mut meta = [RecvMeta::default(); BATCH_SIZE];
    loop {
        if bound.socket.readable().await.is_err() {
            tokio::time::sleep(STUN_PAUSE).await;
        }
        for _ in 0..STUN_BATCHES_PER_TURN {
            match bound.receive(&mut room, &mut meta) {
                Ok(count) => {
                    for (room, meta) in room.iter().zip(&meta).take(count) {
                        answer(&bound, &shared, room, meta);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => {
                    tracing::debug!(%error, "cannot receive");
                    tokio::time::sleep(STUN_PAUSE).await;
                    break;
                }
            }
        }
        tokio::task::yield_now().await;
    }
}

/// Answers the datagrams in one buffer: the system joins those of one sender that are equally long.
fn answer(bound: &Bound, shared: &Shared, room: &[u8], meta: &RecvMeta) {
    let came = room.get(..meta.len).unwrap_or_default();
    let now_ms = u64::try_from(shared.began.elapsed().as_millis()).unwrap_or(u64::MAX);
    for datagram in came.chunks(meta.stride.max(1)) {
        let counters = &shared.counters;
        let Ok(request) = decode_request(datagram) else {
            counters.malformed.fetch_add(1, Relaxed);
            continue;
        };
        counters.requests.fetch_add(1, Relaxed);
        let verdict = shared.gate.lock().unwrap_or_else(PoisonError::into_inner).handle_request(now_ms, meta.addr);
        match verdict {
            StunVerdict::Limited => _ = counters.limited.fetch_add(1, Relaxed),
            StunVerdict::Nowhere => {}
            StunVerdict::Answer => {
                let Some(contents) = request.answer(meta.addr) else { continue };
                // From the address that was asked, which one on all addresses would not be by itself.
                let transmit = Transmit { destination: meta.addr, ecn: None, contents: &contents, segment_size: None, src_ip: meta.dst_ip };
                if bound.state.try_send((&bound.socket).into(), &transmit).is_ok() {
                    counters.answers.fetch_add(1, Relaxed);
                }
            }
        }
    }
}

const _: () = assert!(STUN_ROOM_LEN > STUN_LEN_MAX);

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use viral_wire::stun::{decode_success, encode_request};

    use super::*;

    async fn serving(address: &str) -> (StunAnnounced, Vec<SocketAddr>) {
        let server = StunServer::bind(&[address.parse().unwrap()]).unwrap();
        let (announced, locals) = (server.announced(), server.locals());
        tokio::spawn(server.serve());
        (announced, locals)
    }

    async fn asked(client: &UdpSocket, at: SocketAddr, transaction: [u8; 12]) -> SocketAddr {
        client.send_to(&encode_request(&transaction), at).await.unwrap();
        let mut room = [0; 100];
        let (len, from) = tokio::time::timeout(Duration::from_secs(5), client.recv_from(&mut room)).await.expect("an answer").unwrap();
        assert_eq!(from, at, "answered from where it was asked");
        decode_success(&room[..len], &transaction).unwrap()
    }

    #[tokio::test]
    async fn who_asks_is_told_its_own_address_at_each_port() {
        let (announced, locals) = serving("127.0.0.1:0").await;
        let client = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        for (at, local) in (1u8..).zip(&locals) {
            assert_eq!(asked(&client, *local, [at; 12]).await, client.local_addr().unwrap());
        }
        let count = locals.len() as u64;
        assert_eq!(announced.numbers(), StunNumbers { requests: count, answers: count, limited: 0, malformed: 0 });
    }

    #[tokio::test]
    async fn a_socket_on_all_addresses_answers_from_the_one_that_was_asked() {
        let (_, locals) = serving("0.0.0.0:0").await;
        let client = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let other = SocketAddr::new(Ipv4Addr::new(127, 0, 0, 3).into(), locals[0].port());
        assert_eq!(asked(&client, other, [7; 12]).await, client.local_addr().unwrap());
    }

    #[tokio::test]
    async fn what_is_no_request_is_counted_and_not_answered() {
        let (announced, locals) = serving("127.0.0.1:0").await;
        let client = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let mut indication = encode_request(&[1; 12]);
        indication[1] = 0x11;
        for datagram in [b"hello".as_slice(), &[], &indication, &[0; 1_400]] {
            client.send_to(datagram, locals[0]).await.unwrap();
        }
        // The answer to this one comes behind them, and is the first thing that comes.
        assert_eq!(asked(&client, locals[0], [2; 12]).await, client.local_addr().unwrap());
        let StunNumbers { requests, answers, malformed, .. } = announced.numbers();
        assert_eq!((requests, answers), (1, 1));
        assert!(malformed >= 3, "{malformed}");
    }
}
