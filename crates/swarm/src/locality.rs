//! How near two visitors are, judged by the addresses from which they came.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// One tier of locality; the smaller, the nearer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// The same public IPv4 address, or the same IPv6 /64: one home, one office, one machine.
    SameAddress,
    /// The same IPv4 /24 or IPv6 /48: one site or one street.
    SamePrefix,
    /// Anybody else.
    Anyone,
}

/// How far the operator lets visitors be introduced to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum PeerScope {
    /// The same address only.
    Near,
    /// The same prefix too.
    Prefix,
    /// Anyone.
    #[default]
    Any,
}

impl PeerScope {
    /// The farthest tier this allows.
    #[must_use]
    pub const fn farthest(self) -> Tier {
        match self {
            Self::Near => Tier::SameAddress,
            Self::Prefix => Tier::SamePrefix,
            Self::Any => Tier::Anyone,
        }
    }
}

/// How near two visitors are.
#[must_use]
pub fn between(a: IpAddr, b: IpAddr) -> Tier {
    if address_key(a) == address_key(b) {
        Tier::SameAddress
    } else if network_key(a) == network_key(b) {
        Tier::SamePrefix
    } else {
        Tier::Anyone
    }
}

/// The key of the nearest tier: the IPv4 address itself, or the /64 of an IPv6 one.
///
/// Behind NAT an IPv4 address is a site. An IPv6 host has an address of its own, often a new one each day (RFC 8981), and what its
/// link shares is the /64 (RFC 4291 section 2.5.4). Every loopback address is this machine.
#[must_use]
pub fn address_key(address: IpAddr) -> IpAddr {
    masked(address, 32, 64)
}

/// The key of the second tier: IPv4 /24, or IPv6 /48, which is what one site is given (RFC 6177).
#[must_use]
pub fn network_key(address: IpAddr) -> IpAddr {
    masked(address, 24, 48)
}

fn masked(address: IpAddr, v4_bits: u32, v6_bits: u32) -> IpAddr {
    let address = address.to_canonical();
    if address.is_loopback() {
        return IpAddr::V4(Ipv4Addr::LOCALHOST);
    }
    match address {
        IpAddr::V4(v4) => IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & (u32::MAX << (32 - v4_bits)))),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << (128 - v6_bits)))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(a: &str, b: &str) -> Tier {
        between(a.parse().unwrap(), b.parse().unwrap())
    }

    #[test]
    fn one_ipv4_address_has_one_key() {
        assert_eq!(near("203.0.113.7", "203.0.113.7"), Tier::SameAddress);
        assert_eq!(near("203.0.113.7", "203.0.113.8"), Tier::SamePrefix);
        assert_eq!(near("203.0.113.7", "203.0.114.7"), Tier::Anyone);
    }

    #[test]
    fn one_ipv6_link_has_one_key() {
        assert_eq!(near("2001:db8:1:2::1", "2001:db8:1:2:ffff::9"), Tier::SameAddress);
        assert_eq!(near("2001:db8:1:2::1", "2001:db8:1:3::1"), Tier::SamePrefix);
        assert_eq!(near("2001:db8:1::1", "2001:db8:2::1"), Tier::Anyone);
    }

    #[test]
    fn every_loopback_address_is_this_machine() {
        assert_eq!(near("127.0.0.1", "::1"), Tier::SameAddress);
        assert_eq!(near("127.0.0.1", "127.9.9.9"), Tier::SameAddress);
    }

    #[test]
    fn an_ipv4_address_mapped_into_ipv6_is_itself() {
        assert_eq!(near("::ffff:203.0.113.7", "203.0.113.7"), Tier::SameAddress);
    }

    #[test]
    fn families_are_far_from_each_other() {
        assert_eq!(near("203.0.113.7", "2001:db8::1"), Tier::Anyone);
    }

    #[test]
    fn peer_scope_bounds_the_tiers() {
        assert!(Tier::SamePrefix > PeerScope::Near.farthest());
        assert!(Tier::SamePrefix <= PeerScope::Prefix.farthest());
        assert!(Tier::Anyone <= PeerScope::Any.farthest());
    }
}
