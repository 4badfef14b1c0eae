//! The tiers of locality, and what the operator lets visitors do on each.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// One tier of locality; the smaller, the nearer. Two visitors meet on the nearest tier that they have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// The same public IPv4 address, or the same IPv6 /64: one home, one office, one machine.
    SameAddress,
    /// The same site of the operator's; see [`sites`](super::sites).
    SameSite,
    /// The same IPv4 /24 or IPv6 /48: one site or one street.
    SamePrefix,
    /// The same network of the Internet (autonomous system): mostly one provider.
    SameNetwork,
    /// The same country.
    SameCountry,
    /// The same continent.
    SameContinent,
    /// Anybody else.
    Anyone,
}

impl Tier {
    /// All of them, nearest first.
    pub const ALL: [Self; 7] =
        [Self::SameAddress, Self::SameSite, Self::SamePrefix, Self::SameNetwork, Self::SameCountry, Self::SameContinent, Self::Anyone];

    /// Its name in settings and statistics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SameAddress => "address",
            Self::SameSite => "site",
            Self::SamePrefix => "prefix",
            Self::SameNetwork => "network",
            Self::SameCountry => "country",
            Self::SameContinent => "continent",
            Self::Anyone => "anyone",
        }
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// No tier or policy has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Of a tier.
    #[error("`{0}` is no tier; write address, site, prefix, network, country, continent or anyone")]
    Tier(String),
    /// Of a policy.
    #[error("`{0}` is no policy; write on, leech or off")]
    Policy(String),
}

impl FromStr for Tier {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::ALL.into_iter().find(|tier| tier.name() == text).ok_or_else(|| NameError::Tier(text.to_owned()))
    }
}

/// What may be given and taken: on a tier, by the visitors of a site, or by one visitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub enum SharePolicy {
    /// Everybody takes and gives.
    #[default]
    On,
    /// A visitor takes and never gives. On a tier: browsers take, and only native peers (`viral seed`) give.
    Leech,
    /// Nobody takes or gives.
    Off,
}

impl SharePolicy {
    /// Its name in settings.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Leech => "leech",
            Self::Off => "off",
        }
    }
}

impl FromStr for SharePolicy {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        [Self::On, Self::Leech, Self::Off]
            .into_iter()
            .find(|policy| policy.name() == text)
            .ok_or_else(|| NameError::Policy(text.to_owned()))
    }
}

/// How far the operator lets visitors be introduced to each other, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum PeerScope {
    /// The same address only.
    Near,
    /// The same site and the same prefix too.
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

/// The operator's policy for each tier. By default everything is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ladder {
    policies: [SharePolicy; Tier::ALL.len()],
}

impl From<PeerScope> for Ladder {
    fn from(scope: PeerScope) -> Self {
        Self::default().up_to(scope.farthest())
    }
}

impl Ladder {
    /// The same with another policy for one tier.
    #[must_use]
    pub fn with(mut self, tier: Tier, policy: SharePolicy) -> Self {
        self.policies[tier as usize] = policy;
        self
    }

    /// The same without the tiers that are farther than this one.
    #[must_use]
    pub fn up_to(mut self, farthest: Tier) -> Self {
        for tier in Tier::ALL.into_iter().filter(|tier| *tier > farthest) {
            self.policies[tier as usize] = SharePolicy::Off;
        }
        self
    }

    /// The policy for a tier.
    #[must_use]
    pub const fn policy(&self, tier: Tier) -> SharePolicy {
        self.policies[tier as usize]
    }

    /// Whether visitors give and take on every tier.
    pub(crate) fn is_on_everywhere(&self) -> bool {
        self.policies.iter().all(|policy| *policy == SharePolicy::On)
    }

    /// Tiers on which somebody may be introduced, nearest first.
    pub fn tiers(&self) -> impl DoubleEndedIterator<Item = Tier> + use<> {
        let policies = self.policies;
        Tier::ALL.into_iter().filter(move |tier| policies[*tier as usize] != SharePolicy::Off)
    }

    /// Whether only neighbours of one address meet: then nobody is told an address but those who know it.
    #[must_use]
    pub fn is_for_neighbours_alone(&self) -> bool {
        self.tiers().all(|tier| tier == Tier::SameAddress)
    }

    /// Whether there is a tier on which only native peers give.
    #[must_use]
    pub fn has_leech_tiers(&self) -> bool {
        self.policies.contains(&SharePolicy::Leech)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_to_what_they_name() {
        assert!(Tier::ALL.iter().all(|tier| tier.name().parse() == Ok(*tier)));
        assert!(["on", "leech", "off"].iter().all(|name| name.parse::<SharePolicy>().is_ok_and(|policy| policy.name() == *name)));
        let (tier, policy) = ("street".parse::<Tier>().unwrap_err(), "maybe".parse::<SharePolicy>().unwrap_err());
        assert!(tier.to_string().contains("continent") && policy.to_string().contains("leech"));
        assert!(Tier::ALL.is_sorted() && Tier::ALL.iter().enumerate().all(|(index, tier)| *tier as usize == index));
    }

    #[test]
    fn peer_scope_bounds_the_tiers() {
        let tiers = |scope: PeerScope| Ladder::from(scope).tiers().map(Tier::name).collect::<Vec<_>>();
        assert_eq!(tiers(PeerScope::Near), ["address"]);
        assert_eq!(tiers(PeerScope::Prefix), ["address", "site", "prefix"]);
        assert_eq!(tiers(PeerScope::Any).len(), Tier::ALL.len());
    }

    #[test]
    fn each_tier_has_a_policy_of_its_own() {
        let ladder = Ladder::default().with(Tier::SameCountry, SharePolicy::Leech).with(Tier::SamePrefix, SharePolicy::Off);
        assert_eq!(ladder.policy(Tier::SameCountry), SharePolicy::Leech);
        assert!(ladder.has_leech_tiers() && ladder.tiers().all(|tier| tier != Tier::SamePrefix));
        assert!(!ladder.up_to(Tier::SameNetwork).has_leech_tiers(), "what is farther is off");
    }
}
