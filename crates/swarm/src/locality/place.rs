//! What is known of where a visitor is, and what it has in common with others there.

use std::{
    fmt,
    net::IpAddr,
    num::{NonZeroU16, NonZeroU32, NonZeroU64},
};

use serde::{Deserialize, Serialize};
use viral_wire::Digest;

use super::{
    keys::{address_key, network_key},
    ladder::Tier,
};

/// Where a visitor is: its address, and what the operator's files say of that. The host looks it up once per visit and session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The address it comes from.
    pub address: IpAddr,
    /// What is known of that.
    pub region: Region,
}

/// What is known of an address beside itself; nothing by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Region {
    /// The operator's site.
    pub site: Option<SiteId>,
    /// Number of the autonomous system (RFC 6793); 0 is nobody's (RFC 7607).
    pub network: Option<NonZeroU32>,
    /// The country (ISO 3166-1).
    pub country: Option<Code>,
    /// The continent: AF, AN, AS, EU, NA, OC, SA.
    pub continent: Option<Code>,
}

/// A site, by its name: the same name is the same site, whenever it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SiteId(NonZeroU64);

impl SiteId {
    /// The site of this name: the first 8 bytes of the name's SHA-256, since a list is short and its names are the operator's own.
    #[must_use]
    pub fn of(name: &str) -> Self {
        let [a, b, c, d, e, f, g, h, ..] = Digest::of(name.as_bytes()).0;
        Self(NonZeroU64::new(u64::from_be_bytes([a, b, c, d, e, f, g, h])).unwrap_or(NonZeroU64::MAX))
    }
}

/// A code of two letters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Code(NonZeroU16);

impl Code {
    /// Two ASCII letters, of either case; none for any other text.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let letters: [u8; 2] = text.as_bytes().try_into().ok()?;
        letters.iter().all(u8::is_ascii_alphabetic).then_some(())?;
        NonZeroU16::new(u16::from_be_bytes(letters.map(|letter| letter.to_ascii_uppercase()))).map(Self)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, second] = self.0.get().to_be_bytes().map(char::from);
        write!(f, "{first}{second}")
    }
}

/// What all visitors of one tier have in common, and nobody else has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    kind: Kind,
    bits: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Kind {
    Address4,
    Address6,
    Site,
    Prefix4,
    Prefix6,
    Network,
    Country,
    Continent,
}

impl Place {
    /// An address of which nothing else is known.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        Self { address, region: Region::default() }
    }

    /// What it has in common with others of a tier. None where that is not known, and for the last tier, where nothing is needed.
    #[must_use]
    pub fn key(&self, tier: Tier) -> Option<Key> {
        let Region { site, network, country, continent } = self.region;
        let (kind, bits) = match tier {
            Tier::SameAddress => of_address(address_key(self.address), [Kind::Address4, Kind::Address6]),
            Tier::SameSite => (Kind::Site, site?.0.get()),
            Tier::SamePrefix => of_address(network_key(self.address), [Kind::Prefix4, Kind::Prefix6]),
            Tier::SameNetwork => (Kind::Network, u64::from(network?.get())),
            Tier::SameCountry => (Kind::Country, u64::from(country?.0.get())),
            Tier::SameContinent => (Kind::Continent, u64::from(continent?.0.get())),
            Tier::Anyone => return None,
        };
        Some(Key { kind, bits })
    }

    /// How near it is to another place: the nearest tier on which both have something in common.
    #[must_use]
    pub fn tier_to(&self, other: &Self) -> Tier {
        let has_it = |tier: &Tier| self.key(*tier).is_some_and(|key| other.key(*tier) == Some(key));
        Tier::ALL.into_iter().find(has_it).unwrap_or(Tier::Anyone)
    }
}

/// Of an IPv6 key the second half is zero.
fn of_address(key: IpAddr, [v4, v6]: [Kind; 2]) -> (Kind, u64) {
    match key {
        IpAddr::V4(key) => (v4, u64::from(key.to_bits())),
        IpAddr::V6(key) => (v6, (key.to_bits() >> 64) as u64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(address: &str, site: &str, network: u32, country: &str, continent: &str) -> Place {
        let region = Region {
            site: (!site.is_empty()).then(|| SiteId::of(site)),
            network: NonZeroU32::new(network),
            country: Code::new(country),
            continent: Code::new(continent),
        };
        Place { address: address.parse().unwrap(), region }
    }

    #[test]
    fn two_visitors_meet_on_the_nearest_tier_that_they_share() {
        let here = place("203.0.113.7", "berlin", 64_500, "DE", "EU");
        for (there, tier) in [
            (place("203.0.113.7", "", 0, "", ""), Tier::SameAddress),
            (place("198.51.100.1", "berlin", 0, "", ""), Tier::SameSite),
            (place("203.0.113.8", "hamburg", 0, "", ""), Tier::SamePrefix),
            (place("198.51.100.1", "hamburg", 64_500, "FR", "EU"), Tier::SameNetwork),
            (place("198.51.100.1", "", 64_501, "de", "EU"), Tier::SameCountry),
            (place("198.51.100.1", "", 64_501, "FR", "EU"), Tier::SameContinent),
            (place("198.51.100.1", "", 64_501, "US", "NA"), Tier::Anyone),
            (place("2001:db8::1", "berlin", 0, "", ""), Tier::SameSite),
        ] {
            assert_eq!((here.tier_to(&there), there.tier_to(&here)), (tier, tier), "{there:?}");
        }
    }

    #[test]
    fn what_is_not_known_is_in_common_with_nobody() {
        let (a, b) = (place("203.0.113.7", "", 0, "", ""), place("198.51.100.1", "", 0, "", ""));
        assert_eq!(a.tier_to(&b), Tier::Anyone);
        let families = [place("1.2.3.0", "", 0, "", ""), place("0:0:102:300::", "", 0, "", "")];
        assert_eq!(families[0].tier_to(&families[1]), Tier::Anyone, "the same bits of another family are another address");
    }

    #[test]
    fn a_code_is_two_letters() {
        assert_eq!(Code::new("de"), Code::new("DE"));
        assert!(Code::new("DE").is_some_and(|code| format!("{code:?}") == "DE"));
        for wrong in ["", "D", "DEU", "D1", "d\u{e9}", "\u{e4}"] {
            assert_eq!(Code::new(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_known_takes_little_room() {
        assert!(size_of::<Region>() <= 16 && size_of::<Key>() <= 16 && size_of::<Option<Code>>() == 2);
    }
}
