//! Which addresses of a description a peer is told: none to which somebody else could point it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use viral_wire::description::{Address, Candidate, CandidateKind, Transport};

use crate::{address::ClientAddr, limits::CANDIDATE_ADDRESSES_MAX, locality};

/// What may be relayed of the candidates of `from` to a session at `to`, best first, at most [`CANDIDATE_ADDRESSES_MAX`] addresses.
///
/// Its own address as the server sees it (or the one that the server puts in place of its names); one global address of the other family; mDNS names, which
/// resolve on the link of who asks or not at all; and, where both ends are behind one address, private, link-local and loopback ones. Nothing of the other family where
/// addresses are hidden: behind one address of IPv4 strangers may be, and an address of IPv6 is one machine's.
#[must_use]
pub fn relayed(candidates: &[Candidate], from: &ClientAddr, to: IpAddr, hides: bool) -> Vec<Candidate> {
    let are_neighbours = locality::are_neighbours(from.public.to_canonical(), to);
    best(candidates, |candidate| rank_of(candidate, from, are_neighbours, hides))
}

/// Whether somebody of another network is told any of these addresses of `from`.
pub(crate) fn is_told_to_strangers(candidates: &[Candidate], from: &ClientAddr, hides: bool) -> bool {
    candidates.iter().any(|candidate| matches!(rank_of(candidate, from, false, hides), Some(Rank::Own | Rank::OtherFamily)))
}

fn rank_of(candidate: &Candidate, from: &ClientAddr, are_neighbours: bool, hides: bool) -> Option<Rank> {
    let own = from.public.to_canonical();
    let address = match &candidate.address {
        Address::Local(_) => return Some(Rank::Name),
        Address::Ip(address) => address.to_canonical(),
    };
    let is_own = address == own || from.rewrite_to.is_some_and(|rewritten| address == rewritten.to_canonical());
    match scope(address) {
        Scope::Nobody => None,
        Scope::Machine | Scope::Link if !are_neighbours => None,
        _ if is_own => Some(Rank::Own),
        Scope::Global if !hides && address.is_ipv4() != own.is_ipv4() => Some(Rank::OtherFamily),
        Scope::Machine | Scope::Link | Scope::Private if are_neighbours => Some(Rank::Near),
        Scope::Machine | Scope::Link | Scope::Private | Scope::Global => None,
    }
}

/// What a peer whose sockets are at `own` dials of the candidates it was told, at most [`CANDIDATE_ADDRESSES_MAX`] addresses. It cannot know which address the other end
/// came from, but a private address is of use only to who has one, and loopback only to who uses it.
#[must_use]
pub fn dialled(candidates: &[Candidate], own: &[IpAddr]) -> Vec<Candidate> {
    let has = |is: fn(Scope) -> bool| own.iter().any(|address| is(scope(address.to_canonical())));
    let has_loopback = has(|scope| scope == Scope::Machine);
    let has_near = has(|scope| matches!(scope, Scope::Machine | Scope::Link | Scope::Private));
    let rank = |candidate: &Candidate| {
        let Address::Ip(address) = &candidate.address else { return None };
        match scope(address.to_canonical()) {
            Scope::Nobody => None,
            Scope::Machine => has_loopback.then_some(Rank::Near),
            Scope::Link | Scope::Private => has_near.then_some(Rank::Near),
            Scope::Global => Some(Rank::Own),
        }
    };
    best(candidates, rank)
}

/// How far an address reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// Many, or none: multicast, broadcast, unspecified, reserved.
    Nobody,
    /// Loopback.
    Machine,
    /// Link-local.
    Link,
    /// Private (RFC 1918, RFC 4193), or shared behind a provider's NAT (RFC 6598).
    Private,
    /// Anywhere.
    Global,
}

/// Why a candidate is passed on; the order is that of usefulness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Own,
    OtherFamily,
    Near,
    Name,
}

/// Whether peers are told an address in place of the names of this visitor at which they find it: one that no NAT stands in front of. A global one of IPv4 may be a NAT's, with other ports.
pub(crate) fn is_told_of(visitor: &ClientAddr) -> bool {
    visitor.rewrite_to.is_some_and(|address| address.to_canonical().is_ipv6() || !is_global(address))
}

/// Whether an address is one of the whole internet.
pub(crate) fn is_global(address: IpAddr) -> bool {
    scope(address.to_canonical()) == Scope::Global
}

/// Whether an address means nothing outside its own network, so that telling it to a peer tells it nothing about anybody (RFC 6890): private, unique
/// local, link-local, those behind a carrier's NAT, and those set aside for documentation and benchmarks, which laboratories use.
#[must_use]
pub fn is_private(address: IpAddr) -> bool {
    let is_set_aside = match address {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            v4.is_documentation() || (a == 198 && b & 0xfe == 18)
        }
        IpAddr::V6(v6) => v6.segments()[..2] == [0x2001, 0xdb8],
    };
    is_set_aside || matches!(scope(address), Scope::Private | Scope::Link)
}

fn scope(address: IpAddr) -> Scope {
    match address {
        IpAddr::V4(v4) => v4_scope(v4),
        IpAddr::V6(v6) => v6_scope(v6),
    }
}

fn v4_scope(address: Ipv4Addr) -> Scope {
    let [a, b, ..] = address.octets();
    if address.is_loopback() {
        Scope::Machine
    } else if address.is_link_local() {
        Scope::Link
    } else if address.is_private() || (a == 100 && b & 0xc0 == 64) {
        Scope::Private
    } else if a == 0 || a >= 224 {
        Scope::Nobody
    } else {
        Scope::Global
    }
}

fn v6_scope(address: Ipv6Addr) -> Scope {
    if address.is_loopback() {
        Scope::Machine
    } else if address.is_unicast_link_local() {
        Scope::Link
    } else if address.is_unique_local() {
        Scope::Private
    } else if address.is_multicast() || address.is_unspecified() || address.segments()[..6] == [0; 6] {
        Scope::Nobody
    } else {
        Scope::Global
    }
}

/// Those with a rank, in its order and then by priority. Of what is not the sender's own address one port each, and one global address of the other family.
fn best(candidates: &[Candidate], rank: impl Fn(&Candidate) -> Option<Rank>) -> Vec<Candidate> {
    let is_usable = |candidate: &&Candidate| candidate.transport == Transport::Udp && candidate.kind != CandidateKind::Relay;
    let mut ranked: Vec<(Rank, &Candidate)> =
        candidates.iter().filter(is_usable).filter_map(|candidate| Some((rank(candidate)?, candidate))).collect();
    ranked.sort_by_key(|(rank, candidate)| (*rank, std::cmp::Reverse(candidate.priority)));
    let mut kept: Vec<(Rank, &Candidate)> = Vec::new();
    for (rank, candidate) in ranked {
        let is_known = kept.iter().any(|(_, other)| other.address == candidate.address);
        let addresses = distinct(&kept);
        let fits = match rank {
            Rank::Own => is_known || addresses < CANDIDATE_ADDRESSES_MAX,
            Rank::OtherFamily => addresses < CANDIDATE_ADDRESSES_MAX && kept.iter().all(|(other, _)| *other != Rank::OtherFamily),
            Rank::Near | Rank::Name => !is_known && addresses < CANDIDATE_ADDRESSES_MAX,
        };
        if fits {
            kept.push((rank, candidate));
        }
    }
    kept.into_iter().map(|(_, candidate)| candidate.clone()).collect()
}

fn distinct(kept: &[(Rank, &Candidate)]) -> usize {
    let is_first =
        |(at, (_, candidate)): &(usize, &(Rank, &Candidate))| kept[..*at].iter().all(|(_, other)| other.address != candidate.address);
    kept.iter().enumerate().filter(is_first).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "1a2b3c4d-0000-4000-8000-123456789abc.local";

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// Candidates of falling priority: an address, or a whole candidate.
    fn candidates(texts: &[&str]) -> Vec<Candidate> {
        let candidate = |(at, text): (usize, &&str)| {
            let priority = char::from(b'z' - u8::try_from(at).unwrap());
            if text.contains('|') { text.parse().unwrap() } else { format!("u|{text}|5000{at}|{priority}|h").parse().unwrap() }
        };
        texts.iter().enumerate().map(candidate).collect()
    }

    fn told(candidates: &[Candidate]) -> Vec<String> {
        candidates.iter().map(|candidate| candidate.address.to_string()).collect()
    }

    #[test]
    fn only_what_cannot_point_at_somebody_else_is_relayed() {
        type Row = (&'static str, &'static str, &'static [&'static str], &'static [&'static str]);
        let table: &[Row] = &[
            // The sender, the receiver, what the sender names, what the receiver is told.
            ("203.0.114.7", "198.51.100.1", &["203.0.114.7"], &["203.0.114.7"]),
            ("203.0.114.7", "198.51.100.1", &["192.0.43.8"], &[]),
            ("203.0.114.7", "203.0.114.7", &["192.0.43.8"], &[]),
            ("203.0.114.7", "203.0.114.8", &["203.0.114.9"], &[]),
            ("203.0.114.7", "198.51.100.1", &["2a00::1", "2a00::2", "203.0.114.7"], &["203.0.114.7", "2a00::1"]),
            ("2a00::7", "198.51.100.1", &["2a00::8", "2a00::7", "203.0.114.7", "203.0.114.8"], &["2a00::7", "203.0.114.7"]),
            ("203.0.114.7", "198.51.100.1", &["10.0.0.5", "192.168.1.5", "fd00::5", "100.64.0.5"], &[]),
            ("203.0.114.7", "203.0.114.7", &["10.0.0.5", "fd00::5"], &["10.0.0.5", "fd00::5"]),
            ("203.0.114.7", "203.0.114.8", &["10.0.0.5"], &[]),
            ("10.0.0.5", "10.7.0.5", &["10.0.0.5", "10.0.0.6"], &["10.0.0.5"]),
            ("2a00:0:0:1::7", "2a00:0:0:1::8", &["fd00::5", "fe80::5"], &["fd00::5", "fe80::5"]),
            ("203.0.114.7", "198.51.100.1", &["169.254.1.1", "fe80::1", "127.0.0.1", "::1"], &[]),
            ("127.0.0.1", "127.0.0.1", &["127.0.0.1", "::1", "192.168.1.9"], &["127.0.0.1", "::1", "192.168.1.9"]),
            ("127.0.0.1", "192.168.1.9", &["127.0.0.1"], &[]),
            ("203.0.114.7", "203.0.114.7", &["224.0.0.251", "255.255.255.255", "0.0.0.0", "ff02::fb", "::", "240.0.0.1"], &[]),
            ("203.0.114.7", "198.51.100.1", &["t|203.0.114.7|50000|z|h", "u|203.0.114.7|50000|z|r"], &[]),
            ("203.0.114.7", "198.51.100.1", &["u|203.0.114.7|50000|z|s", "u|203.0.114.7|50001|y|p"], &["203.0.114.7", "203.0.114.7"]),
            ("203.0.114.7", "198.51.100.1", &["::ffff:203.0.114.7"], &["::ffff:203.0.114.7"]),
            ("203.0.114.7", "198.51.100.1", &["::ffff:10.0.0.1", "::ffff:192.0.43.8"], &[]),
            ("203.0.114.7", "198.51.100.1", &[NAME], &[NAME]),
            ("203.0.114.7", "203.0.114.7", &["10.0.0.1", "10.0.0.2", "10.0.0.3", "203.0.114.7"], &["203.0.114.7", "10.0.0.1", "10.0.0.2"]),
        ];
        for (from, to, named, expected) in table {
            let from = ClientAddr::at(ip(from));
            assert_eq!(told(&relayed(&candidates(named), &from, ip(to), false)), *expected, "{from:?} to {to}: {named:?}");
        }
    }

    #[test]
    fn what_the_server_put_in_place_of_names_is_relayed() {
        let from = ClientAddr { rewrite_to: Some(ip("192.168.1.9")), ..ClientAddr::at(ip("127.0.0.1")) };
        assert_eq!(told(&relayed(&candidates(&["192.168.1.9"]), &from, ip("192.168.1.20"), false)), ["192.168.1.9"]);
    }

    #[test]
    fn where_addresses_are_hidden_neighbours_behind_one_learn_no_other() {
        let from = ClientAddr::at(ip("203.0.114.7"));
        let named = candidates(&["203.0.114.7", "2a00::1", "10.0.0.5"]);
        assert_eq!(told(&relayed(&named, &from, ip("203.0.114.7"), true)), ["203.0.114.7", "10.0.0.5"]);
    }

    #[test]
    fn names_are_told_one_port_each_and_three_at_most() {
        let name = |n: u8| format!("1a2b3c4d-0000-4000-8000-12345678900{n}.local");
        let names: Vec<String> = (0..5).map(name).collect();
        let named: Vec<&str> = names.iter().map(String::as_str).chain([names[0].as_str()]).collect();
        let from = ClientAddr::at(ip("203.0.114.7"));
        assert_eq!(told(&relayed(&candidates(&named), &from, ip("198.51.100.1"), false)), names[..3]);
    }

    #[test]
    fn a_native_peer_dials_private_addresses_from_private_ones_and_loopback_from_loopback() {
        type Row = (&'static [&'static str], &'static [&'static str], &'static [&'static str]);
        let table: &[Row] = &[
            (&["203.0.114.7"], &["10.0.0.5", "127.0.0.1", "fe80::1", "192.0.43.8"], &["192.0.43.8"]),
            (&["10.0.0.9"], &["10.0.0.5", "127.0.0.1", "192.0.43.8"], &["192.0.43.8", "10.0.0.5"]),
            (&["127.0.0.1"], &["127.0.0.1", "10.0.0.5"], &["127.0.0.1", "10.0.0.5"]),
            (
                &["127.0.0.1", "10.0.0.9"],
                &["224.0.0.1", "255.255.255.255", "0.0.0.0", "ff02::1", "t|10.0.0.5|5000|z|h", "u|10.0.0.5|5000|z|r", NAME],
                &[],
            ),
            (&["10.0.0.9"], &["1.0.0.1", "1.0.0.2", "1.0.0.3", "1.0.0.4"], &["1.0.0.1", "1.0.0.2", "1.0.0.3"]),
        ];
        for (own, named, expected) in table {
            let own: Vec<IpAddr> = own.iter().map(|address| ip(address)).collect();
            assert_eq!(told(&dialled(&candidates(named), &own)), *expected, "{own:?}: {named:?}");
        }
    }
}
