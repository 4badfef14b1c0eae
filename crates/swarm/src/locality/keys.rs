//! What visitors of one address, and of one network, have in common.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether two visitors come from one address, as far as the server sees: one home, one office, one machine.
#[must_use]
pub fn are_neighbours(a: IpAddr, b: IpAddr) -> bool {
    address_key(a) == address_key(b)
}

/// The key of the nearest tier: the IPv4 address itself, or the /64 of an IPv6 one.
///
/// Behind NAT an IPv4 address is a site. An IPv6 host has an address of its own, often a new one each day (RFC 8981), and what its
/// link shares is the /64 (RFC 4291 section 2.5.4). Every loopback address is this machine.
#[must_use]
pub fn address_key(address: IpAddr) -> IpAddr {
    masked(address, 32, 64)
}

/// The key of a network: IPv4 /24, or IPv6 /48, which is what one site is given (RFC 6177).
#[must_use]
pub fn network_key(address: IpAddr) -> IpAddr {
    masked(address, 24, 48)
}

/// The first address of the network of this many bits; all loopback addresses are one.
pub(crate) fn masked(address: IpAddr, v4_bits: u32, v6_bits: u32) -> IpAddr {
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

    fn keys(address: &str) -> (IpAddr, IpAddr) {
        let address = address.parse().unwrap();
        (address_key(address), network_key(address))
    }

    fn have_in_common(a: &str, b: &str) -> (bool, bool) {
        let (a, b) = (keys(a), keys(b));
        (a.0 == b.0, a.1 == b.1)
    }

    #[test]
    fn one_ipv4_address_has_one_key() {
        assert_eq!(have_in_common("203.0.113.7", "203.0.113.7"), (true, true));
        assert_eq!(have_in_common("203.0.113.7", "203.0.113.8"), (false, true));
        assert_eq!(have_in_common("203.0.113.7", "203.0.114.7"), (false, false));
    }

    #[test]
    fn one_ipv6_link_has_one_key() {
        assert_eq!(have_in_common("2001:db8:1:2::1", "2001:db8:1:2:ffff::9"), (true, true));
        assert_eq!(have_in_common("2001:db8:1:2::1", "2001:db8:1:3::1"), (false, true));
        assert_eq!(have_in_common("2001:db8:1::1", "2001:db8:2::1"), (false, false));
    }

    #[test]
    fn every_loopback_address_is_this_machine() {
        assert!(are_neighbours("127.0.0.1".parse().unwrap(), "::1".parse().unwrap()));
        assert!(are_neighbours("127.0.0.1".parse().unwrap(), "127.9.9.9".parse().unwrap()));
    }

    #[test]
    fn an_ipv4_address_mapped_into_ipv6_is_itself() {
        assert_eq!(have_in_common("::ffff:203.0.113.7", "203.0.113.7"), (true, true));
    }

    #[test]
    fn families_are_far_from_each_other() {
        assert_eq!(have_in_common("203.0.113.7", "2001:db8::1"), (false, false));
    }
}
