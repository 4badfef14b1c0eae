//! What a network consists of: endpoints with their links, gateways that several endpoints share, and who cannot reach whom.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use crate::link::{LinkShape, Nanos};

/// One machine on the network.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Its address, the only one it has.
    pub address: Ipv4Addr,
    /// From it towards the network.
    pub up: LinkShape,
    /// From the network towards it.
    pub down: LinkShape,
    /// One-way delay between it and the middle of the network, in nanoseconds.
    pub delay_ns: Nanos,
    /// Which of [`Network::gateways`] it sits behind.
    pub gateway: Option<usize>,
}

/// A line that several endpoints share towards everybody who is not behind it.
#[derive(Debug, Clone)]
pub struct Gateway {
    /// Towards the network.
    pub up: LinkShape,
    /// From the network.
    pub down: LinkShape,
    /// One-way delay between it and the middle of the network, in nanoseconds.
    pub delay_ns: Nanos,
}

/// A whole network. Endpoint 0 is the origin.
#[derive(Debug, Clone)]
pub struct Network {
    /// Every machine.
    pub endpoints: Vec<Endpoint>,
    /// Every shared line.
    pub gateways: Vec<Gateway>,
    /// Share of packets lost at random in the middle, 0 to 1.
    pub loss: f64,
    /// Share of pairs of visitors between which nothing passes, 0 to 1. The origin is reached by everybody.
    pub unreachable: f64,
    /// Pairs of endpoints between which nothing passes, the smaller number first.
    pub apart: BTreeSet<(usize, usize)>,
    /// Makes the same losses and the same unreachable pairs again.
    pub seed: u64,
}

/// Index of the origin in [`Network::endpoints`].
pub const ORIGIN: usize = 0;

impl Network {
    /// The same network with every rate multiplied by `factor`.
    #[must_use]
    pub fn scaled(mut self, factor: f64) -> Self {
        for endpoint in &mut self.endpoints {
            (endpoint.up, endpoint.down) = (endpoint.up.scaled(factor), endpoint.down.scaled(factor));
        }
        for gateway in &mut self.gateways {
            (gateway.up, gateway.down) = (gateway.up.scaled(factor), gateway.down.scaled(factor));
        }
        self
    }

    /// Whether nothing passes between `a` and `b`, the same in both directions.
    #[must_use]
    pub fn is_unreachable(&self, a: usize, b: usize) -> bool {
        if a == ORIGIN || b == ORIGIN {
            return false;
        }
        if self.apart.contains(&(a.min(b), a.max(b))) {
            return true;
        }
        if self.unreachable <= 0.0 {
            return false;
        }
        let pair = ((a.min(b) as u64) << 32) | a.max(b) as u64;
        (mixed(pair ^ self.seed) as f64 / u64::MAX as f64) < self.unreachable
    }
}

/// splitmix64: spreads neighbouring numbers over all of `u64`.
fn mixed(value: u64) -> u64 {
    let mut state = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    state = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    state = (state ^ (state >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    state ^ (state >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn about_the_asked_share_of_pairs_is_unreachable_and_never_the_origin() {
        let network =
            Network { endpoints: Vec::new(), gateways: Vec::new(), loss: 0.0, unreachable: 0.22, apart: BTreeSet::new(), seed: 7 };
        let pairs: Vec<(usize, usize)> = (1..200).flat_map(|a| (a + 1..200).map(move |b| (a, b))).collect();
        let blocked = pairs.iter().filter(|(a, b)| network.is_unreachable(*a, *b)).count();
        let share = blocked as f64 / pairs.len() as f64;
        assert!((0.20..0.24).contains(&share), "{share}");
        assert!(pairs.iter().all(|&(a, b)| network.is_unreachable(a, b) == network.is_unreachable(b, a)));
        assert!((1..200).all(|peer| !network.is_unreachable(ORIGIN, peer)));
    }
}
