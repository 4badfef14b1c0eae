//! What the network needs to know of a packet.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where a packet goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination {
    /// The endpoint of this index.
    Endpoint(usize),
    /// Whoever has this address.
    Address(IpAddr),
    /// It says nothing that this network understands.
    Nowhere,
}

/// Anything that the network carries.
pub trait Packet {
    /// Bytes of the whole IP packet.
    fn wire_len(&self) -> usize;

    /// Where it goes.
    fn destination(&self) -> Destination;
}

/// A whole IP packet as a kernel sends it.
impl Packet for Vec<u8> {
    fn wire_len(&self) -> usize {
        self.len()
    }

    /// RFC 791 section 3.1: bytes 16 to 19. RFC 8200 section 3: bytes 24 to 39.
    fn destination(&self) -> Destination {
        let address = match self.first().map(|byte| byte >> 4) {
            Some(4) => octets::<4>(self, 16).map(|octets| Ipv4Addr::from(octets).into()),
            Some(6) => octets::<16>(self, 24).map(|octets| Ipv6Addr::from(octets).into()),
            _ => None,
        };
        address.map_or(Destination::Nowhere, Destination::Address)
    }
}

fn octets<const N: usize>(packet: &[u8], from: usize) -> Option<[u8; N]> {
    packet.get(from..from + N)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_families_have_a_destination_and_what_is_cut_off_has_none() {
        let mut packet = vec![0; 40];
        packet[0] = 0x45;
        packet[16..20].copy_from_slice(&[10, 0, 0, 7]);
        assert_eq!(packet.destination(), Destination::Address("10.0.0.7".parse().unwrap()));
        packet[0] = 0x60;
        packet[24..40].copy_from_slice(&"2a00::7".parse::<Ipv6Addr>().unwrap().octets());
        assert_eq!(packet.destination(), Destination::Address("2a00::7".parse().unwrap()));
        packet.truncate(39);
        assert_eq!(packet.destination(), Destination::Nowhere);
        assert_eq!(vec![0x45, 0].destination(), Destination::Nowhere);
        assert_eq!(Vec::new().destination(), Destination::Nowhere);
    }
}
