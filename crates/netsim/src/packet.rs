//! What the network needs to know of a packet.

use std::net::Ipv4Addr;

/// Where a packet goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination {
    /// The endpoint of this index.
    Endpoint(usize),
    /// Whoever has this address.
    Address(Ipv4Addr),
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

/// A whole IP packet as a kernel sends it. Everything here is IPv4; what a kernel sends by itself over IPv6 goes nowhere.
impl Packet for Vec<u8> {
    fn wire_len(&self) -> usize {
        self.len()
    }

    /// RFC 791 section 3.1: bytes 16 to 19.
    fn destination(&self) -> Destination {
        let octets = self.get(16..20).filter(|_| self[0] >> 4 == 4).and_then(|octets| <[u8; 4]>::try_from(octets).ok());
        octets.map_or(Destination::Nowhere, |octets| Destination::Address(octets.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ipv4_has_a_destination() {
        let mut packet = vec![0; 40];
        packet[0] = 0x45;
        packet[16..20].copy_from_slice(&[10, 0, 0, 7]);
        assert_eq!(packet.destination(), Destination::Address(Ipv4Addr::new(10, 0, 0, 7)));
        packet[0] = 0x60;
        assert_eq!(packet.destination(), Destination::Nowhere);
        assert_eq!(vec![0x45, 0].destination(), Destination::Nowhere);
        assert_eq!(Vec::new().destination(), Destination::Nowhere);
    }
}
