//! Which two can connect at all, by what each is behind. What peers say of themselves is not checked: who lies only misses others.

use viral_wire::{
    description::{Address, Candidate, CandidateKind},
    signal::NatKind,
};

use crate::{
    address::ClientAddr,
    ice_candidates::{is_global, is_told_of},
    locality,
};

/// What the tracker knows of one end's way to others.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NatFacts<'a> {
    pub(crate) addr: &'a ClientAddr,
    /// What it says that it is behind, if it said so.
    pub(crate) nat: Option<NatKind>,
    /// Whether it named an address of IPv6; see [`names_ipv6`].
    pub(crate) names_ipv6: bool,
    /// Whether others of other networks are told any address of it. Where the server tells visitors how it sees them, who is told of none could not ask: its UDP is blocked.
    pub(crate) is_told: bool,
}

/// Whether one of these candidates is an address of IPv6 of the whole internet, which no NAT changes.
pub(crate) fn names_ipv6(candidates: &[Candidate]) -> bool {
    candidates.iter().any(|candidate| matches!(candidate.address, Address::Ip(ip) if ip.to_canonical().is_ipv6() && is_global(ip)))
}

/// Whether somebody of another network dials this address of an offer only once its maker has the answer: it is a NAT's, and one without a filter moves the port of whom an early packet
/// is for (PLATFORM section 15). No NAT moves the ports of IPv6, and a host's own address has none in front.
pub(crate) fn waits_for_answer(candidate: &Candidate) -> bool {
    candidate.kind == CandidateKind::ServerReflexive && matches!(candidate.address, Address::Ip(ip) if ip.to_canonical().is_ipv4())
}

impl NatFacts<'_> {
    /// Whether it has an address of IPv6, which no NAT changes.
    fn has_ipv6(&self) -> bool {
        self.addr.public.to_canonical().is_ipv6() || self.names_ipv6
    }

    /// Whether no NAT is between two: neighbours, and those with IPv6.
    fn is_open_to(&self, other: &NatFacts<'_>) -> bool {
        let is_near = locality::are_neighbours(self.addr.public, other.addr.public) || (is_told_of(self.addr) && is_told_of(other.addr));
        is_near || (self.has_ipv6() && other.has_ipv6())
    }

    /// Whether two may connect: of whom nothing is known is given a chance.
    pub(crate) fn may_connect(&self, other: &NatFacts<'_>) -> bool {
        // What they are behind is looked at first: addresses are compared only where that is in the way.
        self.nat.zip(other.nat).is_none_or(|(one, other)| can_connect(one, other)) || self.is_open_to(other)
    }

    /// Whether this one likely connects to another one that left an offer. Whoever did not say what it is behind is most likely behind what does not meet a symmetric NAT.
    pub(crate) fn likely_connects(&self, other: &NatFacts<'_>) -> bool {
        let likely = NatFacts { nat: self.nat.or(Some(NatKind::PortRestricted)), ..*self };
        likely.may_connect(other) && (other.is_told || self.is_open_to(other))
    }
}

/// Whether a path exists between two kinds of NAT, whoever offers (PLATFORM section 15, measured): a port that is different for each destination can be told to nobody, so only who lets
/// in any port of an address meets it.
#[must_use]
pub const fn can_connect(one: NatKind, other: NatKind) -> bool {
    use NatKind::{AddressRestricted, FullCone, Open, PortRestricted, Symmetric};
    match (one, other) {
        (Symmetric, Symmetric | PortRestricted) | (PortRestricted, Symmetric) => false,
        (Open | FullCone | AddressRestricted, _) | (_, Open | FullCone | AddressRestricted) | (PortRestricted, PortRestricted) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_nat_connect_as_they_were_measured_to() {
        use NatKind::{AddressRestricted, FullCone, PortRestricted, Symmetric};
        let kinds = [PortRestricted, AddressRestricted, FullCone, Symmetric];
        // PLATFORM section 15, without the plain and the double NAT: row offers, column answers.
        let measured = [[true, true, true, false], [true, true, true, true], [true, true, true, true], [false, true, true, false]];
        for (offerer, row) in kinds.iter().zip(measured) {
            for (answerer, connects) in kinds.iter().zip(row) {
                assert_eq!(can_connect(*offerer, *answerer), connects, "{offerer:?} offers to {answerer:?}");
            }
        }
        assert!(kinds.iter().all(|kind| can_connect(NatKind::Open, *kind) && can_connect(*kind, NatKind::Open)));
    }

    #[test]
    fn what_passes_no_nat_is_not_judged_by_it() {
        let addr = |public: &str, rewrite: bool| {
            let public = public.parse().unwrap();
            ClientAddr { rewrite_to: rewrite.then_some(public), ..ClientAddr::at(public) }
        };
        let v6: [Candidate; 1] = ["u|2a00::7|50000|z|h".parse().unwrap()];
        let local: [Candidate; 1] = ["u|fd00::7|50000|z|h".parse().unwrap()];
        let symmetric = Some(NatKind::Symmetric);
        type End<'a> = (&'a str, bool, Option<NatKind>, &'a [Candidate]);
        let rows: &[(End, End, bool)] = &[
            (("203.0.114.7", false, symmetric, &[]), ("198.51.100.1", false, symmetric, &[]), false),
            (("203.0.114.7", false, symmetric, &[]), ("198.51.100.1", false, None, &[]), true),
            (("203.0.114.7", false, symmetric, &[]), ("203.0.114.7", false, symmetric, &[]), true),
            (("203.0.114.7", false, symmetric, &[]), ("203.0.114.8", false, symmetric, &[]), false),
            (("10.0.0.7", true, symmetric, &[]), ("10.0.1.7", true, symmetric, &[]), true),
            (("203.0.114.7", false, symmetric, &v6), ("2a00::1", false, symmetric, &[]), true),
            (("203.0.114.7", false, symmetric, &v6), ("198.51.100.1", false, symmetric, &[]), false),
            (("203.0.114.7", false, symmetric, &local), ("2a00::1", false, symmetric, &[]), false),
        ];
        for (one, other, expected) in rows {
            let (a, b) = (addr(one.0, one.1), addr(other.0, other.1));
            let facts =
                |addr, (_, _, nat, candidates): &End<'_>| NatFacts { addr, nat: *nat, names_ipv6: names_ipv6(candidates), is_told: true };
            let (a, b) = (facts(&a, one), facts(&b, other));
            assert_eq!((a.may_connect(&b), b.may_connect(&a)), (*expected, *expected), "{one:?} {other:?}");
        }
    }
}
