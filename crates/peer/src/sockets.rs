//! The UDP sockets of one peer, one for each address on which others may reach it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::task::Poll;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use viral_wire::limits::CANDIDATES_MAX;

use crate::limits::SOCKET_BUFFER_LEN;

/// Where the peer can be reached.
#[derive(Debug)]
pub(crate) struct Sockets {
    sockets: Vec<(SocketAddr, UdpSocket)>,
}

impl Sockets {
    /// Binds a free port on each of these addresses. Those that cannot be bound are left out; none left is an error.
    ///
    /// What is sent at once leaves: until tokio has heard of a new socket it says that there is no room.
    pub(crate) async fn bind(addresses: &[IpAddr], receive_buffer_len: usize) -> io::Result<Self> {
        let mut sockets = Vec::new();
        let mut refused = None;
        for address in addresses {
            match bind(*address, receive_buffer_len) {
                Ok(socket) => {
                    socket.writable().await?;
                    sockets.push((socket.local_addr()?, socket));
                }
                Err(error) => refused = Some(error),
            }
        }
        match refused {
            Some(error) if sockets.is_empty() => Err(error),
            Some(_) | None => Ok(Self { sockets }),
        }
    }

    /// The addresses with their ports.
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        self.sockets.iter().map(|(address, _)| *address).collect()
    }

    /// Resolves once one of them has something to read.
    pub(crate) async fn readable(&self) {
        std::future::poll_fn(|context| {
            let ready = self.sockets.iter().any(|(_, socket)| socket.poll_recv_ready(context).is_ready());
            if ready { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Resolves once the one that sends for `source` can send again.
    pub(crate) async fn writable(&self, source: SocketAddr) {
        match self.of(source) {
            // An error shows with the next attempt to send.
            Some(socket) => drop(socket.writable().await),
            None => std::future::pending().await,
        }
    }

    /// Reads datagrams from each socket, at most `max` of each, until `take` says that it is enough. `take` gets the source, the local address and the bytes.
    pub(crate) fn receive(&self, buffer: &mut [u8], max: usize, mut take: impl FnMut(SocketAddr, SocketAddr, &[u8]) -> bool) {
        for (address, socket) in &self.sockets {
            for _ in 0..max {
                match socket.try_recv_from(buffer) {
                    Ok((len, source)) => {
                        if !take(source, *address, &buffer[..len]) {
                            return;
                        }
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    // ICMP errors of earlier sends come up here; they say nothing that ICE does not notice.
                    Err(_) => {}
                }
            }
        }
    }

    /// Sends a datagram from `source`; false if the system has no room for it now. What cannot be sent at all is lost, as on any network.
    pub(crate) fn send(&self, source: SocketAddr, destination: SocketAddr, bytes: &[u8]) -> bool {
        let Some(socket) = self.of(source) else { return true };
        !matches!(socket.try_send_to(bytes, destination), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    fn of(&self, source: SocketAddr) -> Option<&UdpSocket> {
        self.sockets.iter().find(|(address, _)| *address == source).map(|(_, socket)| socket)
    }
}

fn bind(address: IpAddr, receive_buffer_len: usize) -> io::Result<UdpSocket> {
    let address = SocketAddr::new(address, 0);
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    // Larger buffers are a wish that the system may cut short.
    let _ = socket.set_recv_buffer_size(receive_buffer_len);
    let _ = socket.set_send_buffer_size(SOCKET_BUFFER_LEN);
    socket.bind(&address.into())?;
    UdpSocket::from_std(socket.into())
}

/// The addresses of this machine on which a peer of a server may be reached: loopback only if the server is on this machine, too.
pub(crate) fn own_addresses(server: IpAddr) -> io::Result<Vec<IpAddr>> {
    let found = if_addrs::get_if_addrs()?;
    Ok(usable(found.into_iter().map(|interface| interface.ip()), server, routed(server)))
}

/// The address from which this machine reaches the server: the one that others most likely reach. Asks the routing table; no packet leaves.
fn routed(server: IpAddr) -> Option<IpAddr> {
    let any: IpAddr = if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = std::net::UdpSocket::bind((any, 0)).ok()?;
    socket.connect((server, 9)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

/// Those of `found` that are candidates, `first` before the others, of which a peer is told few: no link-local IPv6, which needs a scope that no candidate carries.
fn usable(found: impl Iterator<Item = IpAddr>, server: IpAddr, first: Option<IpAddr>) -> Vec<IpAddr> {
    let is_candidate = |address: &IpAddr| match address {
        IpAddr::V4(v4) => !v4.is_unspecified() && (!v4.is_loopback() || server.is_loopback()),
        IpAddr::V6(v6) => !v6.is_unspecified() && !v6.is_unicast_link_local() && (!v6.is_loopback() || server.is_loopback()),
    };
    let mut addresses: Vec<IpAddr> = found.filter(is_candidate).collect();
    // Loopback last: it only serves where there is nothing else.
    addresses.sort_by_key(|address| (address.is_loopback(), Some(*address) != first, address.is_ipv6(), *address));
    addresses.dedup();
    addresses.truncate(CANDIDATES_MAX);
    addresses
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ips(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn loopback_is_a_candidate_only_where_the_server_is_on_loopback() {
        let found = ips(&["127.0.0.1", "::1", "192.0.2.7", "fe80::1", "2001:db8::7", "192.0.2.7"]);
        assert_eq!(usable(found.clone().into_iter(), ips(&["203.0.113.1"])[0], None), ips(&["192.0.2.7", "2001:db8::7"]));
        assert_eq!(usable(found.into_iter(), ips(&["127.0.0.1"])[0], None), ips(&["192.0.2.7", "2001:db8::7", "127.0.0.1", "::1"]));
    }

    #[tokio::test]
    async fn what_is_sent_right_after_binding_leaves() {
        let sockets = Sockets::bind(&ips(&["127.0.0.1"]), SOCKET_BUFFER_LEN).await.unwrap();
        let own = sockets.addresses()[0];
        assert!(sockets.send(own, own, b"here"));
    }

    #[test]
    fn no_more_addresses_than_a_description_holds() {
        let many = (0..100).map(|n| IpAddr::from([192, 0, 2, n]));
        assert_eq!(usable(many, ips(&["203.0.113.1"])[0], None).len(), CANDIDATES_MAX);
    }

    #[test]
    fn the_address_on_the_way_to_the_server_comes_first() {
        let found = ips(&["172.17.0.1", "192.168.1.5", "127.0.0.1"]);
        let first = Some(ips(&["192.168.1.5"])[0]);
        assert_eq!(usable(found.into_iter(), ips(&["127.0.0.1"])[0], first), ips(&["192.168.1.5", "172.17.0.1", "127.0.0.1"]));
        assert_eq!(routed(ips(&["127.0.0.1"])[0]), Some(ips(&["127.0.0.1"])[0]));
    }
}
