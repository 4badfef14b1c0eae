//! Packets on their way: up their sender's link, through the middle with its delay and loss, down their receiver's link.

mod flights;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};

use crate::link::{Link, Nanos};
use crate::packet::{Destination, Packet};
use crate::plan::{Network, ORIGIN};
use flights::{Flight, Flights, Stage};

/// Bytes and packets since the beginning. Bytes are those of whole IP packets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Delivered to visitors from the origin.
    pub from_origin_bytes: u64,
    /// Delivered to visitors from other visitors.
    pub from_peers_bytes: u64,
    /// Delivered to the origin.
    pub to_origin_bytes: u64,
    /// Delivered packets.
    pub delivered: u64,
    /// Packets that found a full queue.
    pub dropped_queue: u64,
    /// Those of them that found it at the line of the visitor that sent them.
    pub dropped_own: u64,
    /// Packets lost at random.
    pub dropped_loss: u64,
    /// Packets between two that cannot reach each other, or to nobody.
    pub dropped_unreachable: u64,
}

/// A packet that has arrived.
#[derive(Debug, PartialEq, Eq)]
pub struct Delivery<P = Vec<u8>> {
    /// Index of the endpoint.
    pub to: usize,
    /// The whole packet.
    pub packet: P,
}

/// Drive it: [`handle_packet`](Self::handle_packet) for each packet that an endpoint sends, then [`poll`](Self::poll) until `None`, then
/// sleep until [`poll_timeout`](Self::poll_timeout). Time is an argument and never decreases.
pub struct Fabric<P = Vec<u8>> {
    network: Network,
    by_address: BTreeMap<IpAddr, usize>,
    by_prefix: BTreeMap<u64, usize>,
    ups: Vec<Link>,
    downs: Vec<Link>,
    gateway_ups: Vec<Link>,
    gateway_downs: Vec<Link>,
    flights: Flights<P>,
    random: SmallRng,
    counts: Counts,
}

impl<P: Packet> Fabric<P> {
    /// An idle network.
    #[must_use]
    pub fn new(network: Network) -> Self {
        Self {
            by_address: network.endpoints.iter().enumerate().map(|(index, endpoint)| (endpoint.address.into(), index)).collect(),
            by_prefix: BTreeMap::new(),
            ups: network.endpoints.iter().map(|endpoint| Link::new(endpoint.up)).collect(),
            downs: network.endpoints.iter().map(|endpoint| Link::new(endpoint.down)).collect(),
            gateway_ups: network.gateways.iter().map(|gateway| Link::new(gateway.up)).collect(),
            gateway_downs: network.gateways.iter().map(|gateway| Link::new(gateway.down)).collect(),
            flights: Flights::new(),
            random: SmallRng::seed_from_u64(network.seed),
            counts: Counts::default(),
            network,
        }
    }

    /// Every IPv6 address of the /64 of `within` is behind `endpoint` from now on.
    pub fn add_prefix(&mut self, within: Ipv6Addr, endpoint: usize) {
        self.by_prefix.insert(prefix_of(within), endpoint);
    }

    /// Takes a whole packet that endpoint `from` sends at `now`.
    pub fn handle_packet(&mut self, now: Nanos, from: usize, packet: P) {
        let to = match packet.destination() {
            Destination::Endpoint(to) => Some(to).filter(|to| *to < self.ups.len()),
            Destination::Address(address) => self.by_address.get(&address).copied().or_else(|| match address {
                IpAddr::V6(v6) => self.by_prefix.get(&prefix_of(v6)).copied(),
                IpAddr::V4(_) => None,
            }),
            Destination::Nowhere => None,
        };
        let Some(to) = to else {
            self.counts.dropped_unreachable += 1;
            return;
        };
        let Some(leaves) = self.ups[from].handle_packet(now, packet.wire_len()) else {
            self.counts.dropped_queue += 1;
            self.counts.dropped_own += u64::from(from != ORIGIN);
            return;
        };
        let next = if self.network.endpoints[from].gateway.is_some() && !self.is_local(from, to) {
            Some((leaves, Stage::GatewayUp))
        } else {
            // Nothing waits in the middle, so what becomes of it there is decided now.
            self.next_of(leaves, Stage::Middle, (from, to), packet.wire_len())
        };
        if let Some((at, stage)) = next {
            self.flights.push(at, stage, Flight { from: from as u32, to: to as u32, packet });
        }
    }

    /// The next packet that has arrived by `now`.
    pub fn poll(&mut self, now: Nanos) -> Option<Delivery<P>> {
        while let Some((arrival, flight)) = self.flights.first_due(now) {
            let (ends, len) = ((flight.from as usize, flight.to as usize), flight.packet.wire_len());
            if arrival.stage == Stage::Arrived {
                self.count_delivery(ends, len as u64);
                return self.flights.pop().map(|flight| Delivery { to: ends.1, packet: flight.packet });
            }
            match self.next_of(arrival.at, arrival.stage, ends, len) {
                Some((at, stage)) => self.flights.go_on(at, stage),
                None => drop(self.flights.pop()),
            }
        }
        None
    }

    /// When [`poll`](Self::poll) next has something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Nanos> {
        self.flights.next_at()
    }

    /// Everything counted so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Bytes that the origin's uplink took so far.
    #[must_use]
    pub fn origin_up_bytes(&self) -> u64 {
        self.ups[ORIGIN].carried_bytes()
    }

    /// Bytes that came down the shared lines so far, all gateways together.
    #[must_use]
    pub fn gateway_down_bytes(&self) -> u64 {
        self.gateway_downs.iter().map(Link::carried_bytes).sum()
    }

    /// Bytes that came down each shared line so far.
    #[must_use]
    pub fn bytes_down_each_gateway(&self) -> Vec<u64> {
        self.gateway_downs.iter().map(Link::carried_bytes).collect()
    }

    /// A packet of `len` bytes reached a stage: when it arrives at which next one. None if it is lost, which is counted.
    fn next_of(&mut self, now: Nanos, stage: Stage, (from, to): (usize, usize), len: usize) -> Option<(Nanos, Stage)> {
        let gateway_of = |endpoint: usize| self.network.endpoints[endpoint].gateway;
        let (link, next) = match stage {
            Stage::GatewayUp => (gateway_of(from).and_then(|gateway| self.gateway_ups.get_mut(gateway)), Stage::Middle),
            Stage::Middle => return self.through_the_middle(now, from, to),
            Stage::GatewayDown => (gateway_of(to).and_then(|gateway| self.gateway_downs.get_mut(gateway)), Stage::Down),
            Stage::Down | Stage::Arrived => (self.downs.get_mut(to), Stage::Arrived),
        };
        let leaves = link.and_then(|link| link.handle_packet(now, len));
        self.counts.dropped_queue += u64::from(leaves.is_none());
        leaves.map(|leaves| (leaves, next))
    }

    fn through_the_middle(&mut self, now: Nanos, from: usize, to: usize) -> Option<(Nanos, Stage)> {
        if self.network.is_unreachable(from, to) {
            self.counts.dropped_unreachable += 1;
            return None;
        }
        if self.is_local(from, to) {
            return Some((now + self.network.endpoints[from].delay_ns + self.network.endpoints[to].delay_ns, Stage::Down));
        }
        if self.network.loss > 0.0 && self.random.random_bool(self.network.loss.min(1.0)) {
            self.counts.dropped_loss += 1;
            return None;
        }
        let stage = if self.network.endpoints[to].gateway.is_some() { Stage::GatewayDown } else { Stage::Down };
        Some((now + self.delay_to_middle(from) + self.delay_to_middle(to), stage))
    }

    fn delay_to_middle(&self, endpoint: usize) -> Nanos {
        let own = &self.network.endpoints[endpoint];
        own.delay_ns + own.gateway.and_then(|gateway| self.network.gateways.get(gateway)).map_or(0, |gateway| gateway.delay_ns)
    }

    /// Whether two endpoints are behind the same gateway.
    fn is_local(&self, a: usize, b: usize) -> bool {
        let gateway = self.network.endpoints[a].gateway;
        gateway.is_some() && gateway == self.network.endpoints[b].gateway
    }

    fn count_delivery(&mut self, (from, to): (usize, usize), len: u64) {
        self.counts.delivered += 1;
        if to == ORIGIN {
            self.counts.to_origin_bytes += len;
        } else if from == ORIGIN {
            self.counts.from_origin_bytes += len;
        } else {
            self.counts.from_peers_bytes += len;
        }
    }
}

/// The upper half of an address of IPv6.
fn prefix_of(address: Ipv6Addr) -> u64 {
    (u128::from(address) >> 64) as u64
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::link::{LinkShape, SECOND_NS};
    use crate::plan::{Endpoint, Gateway};

    const MS: Nanos = 1_000_000;

    fn endpoint(last: u8, gateway: Option<usize>) -> Endpoint {
        let shape = LinkShape::mbit(12.0, 100);
        Endpoint { address: Ipv4Addr::new(10, 0, 0, last), up: shape, down: shape, delay_ns: 10 * MS, gateway }
    }

    fn network() -> Network {
        let endpoints = vec![endpoint(1, None), endpoint(2, None), endpoint(3, None)];
        Network { endpoints, gateways: Vec::new(), loss: 0.0, unreachable: 0.0, apart: Default::default(), seed: 1 }
    }

    fn packet(to: u8) -> Vec<u8> {
        let mut packet = vec![0; 1500];
        packet[0] = 0x45;
        packet[16..20].copy_from_slice(&[10, 0, 0, to]);
        packet
    }

    fn arrivals(fabric: &mut Fabric) -> Vec<(Nanos, usize)> {
        let mut seen = Vec::new();
        while let Some(now) = fabric.poll_timeout() {
            while let Some(delivery) = fabric.poll(now) {
                seen.push((now, delivery.to));
            }
        }
        seen
    }

    #[test]
    fn a_packet_takes_both_links_and_both_delays() {
        let mut fabric = Fabric::new(network());
        fabric.handle_packet(0, 0, packet(2));
        fabric.handle_packet(0, 0, packet(2));
        // 1500 B at 12 Mbit/s is 1 ms, up and down; the second packet follows one packet later.
        assert_eq!(arrivals(&mut fabric), vec![(22 * MS, 1), (23 * MS, 1)]);
        assert_eq!(fabric.counts().from_origin_bytes, 3000);
    }

    #[test]
    fn two_senders_share_the_downlink_of_one_receiver() {
        let mut fabric = Fabric::new(network());
        for _ in 0..50 {
            fabric.handle_packet(0, 0, packet(2));
            fabric.handle_packet(0, 2, packet(2));
        }
        let seen = arrivals(&mut fabric);
        assert_eq!(seen.len(), 100);
        assert_eq!(seen.last(), Some(&(121 * MS, 1)), "a hundred packets of 1 ms after the first one's 21 ms");
        let counts = fabric.counts();
        assert_eq!(counts.from_origin_bytes, counts.from_peers_bytes);
    }

    #[test]
    fn a_full_queue_drops_and_says_so() {
        let mut fabric = Fabric::new(network());
        (0..200).for_each(|_| fabric.handle_packet(0, 0, packet(2)));
        assert_eq!(arrivals(&mut fabric).len() as u64 + fabric.counts().dropped_queue, 200);
        assert_eq!(fabric.counts().dropped_queue, 99);
    }

    #[test]
    fn loss_is_about_what_was_asked_for() {
        let mut fabric = Fabric::new(Network { loss: 0.1, ..network() });
        for number in 0..10_000 {
            fabric.handle_packet(number * SECOND_NS, 0, packet(2));
            while fabric.poll(number * SECOND_NS + SECOND_NS / 2).is_some() {}
        }
        let lost = fabric.counts().dropped_loss;
        assert!((900..1100).contains(&lost), "{lost}");
    }

    #[test]
    fn pairs_that_cannot_reach_each_other_reach_the_origin() {
        let mut fabric = Fabric::new(Network { unreachable: 1.0, ..network() });
        fabric.handle_packet(0, 1, packet(3));
        fabric.handle_packet(0, 1, packet(1));
        // A millisecond later than alone: what is lost in the middle has used its sender's uplink.
        assert_eq!(arrivals(&mut fabric), vec![(23 * MS, 0)]);
        assert_eq!(fabric.counts().dropped_unreachable, 1);
    }

    #[test]
    fn packets_between_machines_of_one_office_do_not_use_its_line() {
        let line = LinkShape::mbit(1.2, 1000);
        let endpoints = vec![endpoint(1, None), endpoint(2, Some(0)), endpoint(3, Some(0))];
        let gateways = vec![Gateway { up: line, down: line, delay_ns: 5 * MS }];
        let mut fabric = Fabric::new(Network { endpoints, gateways, ..network() });
        fabric.handle_packet(0, 1, packet(3));
        assert_eq!(arrivals(&mut fabric), vec![(22 * MS, 2)]);
        assert_eq!(fabric.gateway_down_bytes(), 0);
        fabric.handle_packet(SECOND_NS, 0, packet(3));
        // 1 ms up, 25 ms on the way, 10 ms on the shared line, 1 ms down.
        assert_eq!(arrivals(&mut fabric), vec![(SECOND_NS + 37 * MS, 2)]);
        assert_eq!(fabric.gateway_down_bytes(), 1500);
    }

    #[test]
    fn a_prefix_of_ipv6_is_behind_one_endpoint() {
        let mut fabric = Fabric::new(network());
        fabric.add_prefix("2a00:2::1".parse().unwrap(), 2);
        for address in ["2a00:2::77", "2a00:3::77"] {
            let mut packet = vec![0; 1500];
            packet[0] = 0x60;
            packet[24..40].copy_from_slice(&address.parse::<Ipv6Addr>().unwrap().octets());
            fabric.handle_packet(0, 1, packet);
        }
        assert_eq!(arrivals(&mut fabric), vec![(22 * MS, 2)]);
        assert_eq!(fabric.counts().dropped_unreachable, 1);
    }

    #[test]
    fn what_has_no_receiver_goes_nowhere() {
        let mut fabric = Fabric::new(network());
        fabric.handle_packet(0, 0, packet(9));
        fabric.handle_packet(0, 0, vec![0x60; 40]);
        fabric.handle_packet(0, 0, Vec::new());
        assert_eq!((fabric.counts().dropped_unreachable, fabric.poll_timeout()), (3, None));
    }
}
