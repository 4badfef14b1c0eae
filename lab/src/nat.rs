//! Kinds of routers between a home and the network: what each does to addresses and ports, and who can connect to whom in theory.

mod rules;

use clap::ValueEnum;
use serde::Serialize;

pub use self::rules::{filter, hairpin};

/// What a home's router does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// One port for all; anybody may send to it
    FullCone,
    /// One port for all; to it may send whose address was sent to
    AddressRestricted,
    /// One port for all; to it may send whose address and port were sent to
    PortRestricted,
    /// As `port-restricted`, with another port than the machine inside has
    OtherPort,
    /// As `port-restricted`, but what comes before its machine sent anything there moves the port of what leaves later
    Plain,
    /// Another port for each destination
    Symmetric,
    /// A router behind one of the provider's, both `port-restricted`
    Carrier,
    /// UDP goes nowhere
    UdpBlocked,
    /// No IPv4; over IPv6 comes in what was asked for
    Ipv6Only,
    /// `symmetric`, and IPv6 beside it as in `ipv6-only`
    SymmetricIpv6,
}

impl Kind {
    /// As the command line has it.
    #[must_use]
    pub fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Whether machines behind it have an address of IPv4.
    #[must_use]
    pub const fn has_ipv4(self) -> bool {
        !matches!(self, Self::Ipv6Only)
    }

    /// Whether machines behind it have a global address of IPv6.
    #[must_use]
    pub const fn has_ipv6(self) -> bool {
        matches!(self, Self::Ipv6Only | Self::SymmetricIpv6)
    }

    /// Whether each destination sees another port.
    #[must_use]
    pub const fn is_symmetric(self) -> bool {
        matches!(self, Self::Symmetric | Self::SymmetricIpv6)
    }

    /// Whether it lets in any port of an address that was sent to.
    const fn lets_any_port_in(self) -> bool {
        matches!(self, Self::FullCone | Self::AddressRestricted)
    }
}

/// Whether visitors of two homes can connect, where the one behind `offerer` seeds and the one behind `answerer` comes (docs/PLATFORM.md section 15).
///
/// A first packet gets in where its receiver's port is known, and the router there lets in any port of the sender's address or was told the sender's. A plain router would move the port
/// of its visitor if the other's packet came before its visitor sent one; both begin when the answer is passed on, so it never does.
#[must_use]
pub fn can_connect(offerer: Kind, answerer: Kind) -> bool {
    let is_told_offerer = !offerer.is_symmetric();
    let is_told_answerer = !answerer.is_symmetric();
    let over_ipv4 = [offerer, answerer].iter().all(|kind| kind.has_ipv4() && *kind != Kind::UdpBlocked);
    let gets_in = |to: Kind, is_told_to: bool, is_told_from: bool| is_told_to && (to.lets_any_port_in() || is_told_from);
    let passes = gets_in(answerer, is_told_answerer, is_told_offerer) || gets_in(offerer, is_told_offerer, is_told_answerer);
    (offerer.has_ipv6() && answerer.has_ipv6()) || (over_ipv4 && passes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn theory_is_what_was_measured_of_browsers() {
        use Kind::{AddressRestricted, Carrier, FullCone, Plain, PortRestricted, Symmetric};
        // docs/PLATFORM.md section 15: row offers, column answers. There an answerer dialled before the answer had left, and `plain` met nobody where it offered; now it is as `port-restricted`.
        let kinds = [Plain, PortRestricted, AddressRestricted, FullCone, Symmetric, Carrier];
        let measured = ["xxxx.x", "xxxx.x", "xxxxxx", "xxxxxx", "..xx..", "xxxx.x"];
        for (offerer, row) in kinds.into_iter().zip(measured) {
            for (answerer, cell) in kinds.into_iter().zip(row.chars()) {
                assert_eq!(can_connect(offerer, answerer), cell == 'x', "{offerer:?} offers to {answerer:?}");
            }
        }
    }

    #[test]
    fn families_must_have_one_in_common_and_udp_must_pass() {
        use Kind::{FullCone, Ipv6Only, SymmetricIpv6, UdpBlocked};
        assert!(can_connect(Ipv6Only, SymmetricIpv6) && can_connect(SymmetricIpv6, SymmetricIpv6) && can_connect(SymmetricIpv6, FullCone));
        assert!(!can_connect(Ipv6Only, FullCone) && !can_connect(FullCone, Ipv6Only) && !can_connect(UdpBlocked, FullCone));
    }
}
