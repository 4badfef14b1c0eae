//! Settings of who meets whom: tiers with their policies, the operator's files, visitors who ask for privacy.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use viral_swarm::admission;
use viral_swarm::locality::{self, Ladder, SharePolicy, Tier};

use super::values::{self, PeerScope, ValueError, serde_as_text};

/// What becomes of visitors whose browser sends `Sec-GPC: 1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "kebab-case")]
pub enum Gpc {
    /// Plain answers.
    Plain,
    /// They take and never give.
    Leech,
    /// Like all others.
    Ignore,
}

impl From<Gpc> for admission::Gpc {
    fn from(gpc: Gpc) -> Self {
        match gpc {
            Gpc::Plain => Self::Plain,
            Gpc::Leech => Self::Leech,
            Gpc::Ignore => Self::Ignore,
        }
    }
}

/// A tier and its policy: `country=off`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TierRule {
    /// The tier.
    pub tier: Tier,
    /// What may be given and taken on it.
    pub policy: SharePolicy,
}

impl fmt::Display for TierRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.tier, self.policy.name())
    }
}

impl FromStr for TierRule {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let wrong = |why: String| ValueError::Tier(text.to_owned(), why);
        let (tier, policy) = text.split_once('=').ok_or_else(|| wrong("there is no `=`".to_owned()))?;
        let tier = tier.trim().parse().map_err(|error: locality::NameError| wrong(error.to_string()))?;
        let policy = policy.trim().parse().map_err(|error: locality::NameError| wrong(error.to_string()))?;
        Ok(Self { tier, policy })
    }
}

serde_as_text!(TierRule);

/// `[locality]` of `viral.toml`: the same as the settings of these names above it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct LocalityTable {
    /// As `sites` above it.
    pub sites: Option<PathBuf>,
    /// As `geo` above it.
    #[serde(with = "values::one_or_more")]
    pub geo: Vec<PathBuf>,
    /// As `tier` above it.
    #[serde(with = "values::one_or_more")]
    pub tier: Vec<TierRule>,
}

impl LocalityTable {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// On which tiers visitors are introduced: by the rules of single tiers, and no farther than `reach`, or than the address if those are hidden.
pub(crate) fn ladder(rules: &[TierRule], reach: PeerScope, hide_addresses: bool) -> Ladder {
    let scope = match reach {
        PeerScope::Near => locality::PeerScope::Near,
        PeerScope::Prefix => locality::PeerScope::Prefix,
        PeerScope::Any => locality::PeerScope::Any,
    };
    let ladder = rules.iter().fold(Ladder::default(), |ladder, rule| ladder.with(rule.tier, rule.policy));
    let ladder = ladder.up_to(scope.farthest());
    if hide_addresses { ladder.up_to(Tier::SameAddress) } else { ladder }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tier_is_written_with_its_policy() {
        assert_eq!("country=off".parse(), Ok(TierRule { tier: Tier::SameCountry, policy: SharePolicy::Off }));
        assert_eq!(" anyone = leech".parse::<TierRule>().map(|rule| rule.to_string()), Ok("anyone=leech".to_owned()));
        for (wrong, said) in [("country", "there is no `=`"), ("street=on", "continent or anyone"), ("country=maybe", "on, leech or off")] {
            let error = wrong.parse::<TierRule>().unwrap_err().to_string();
            assert!(error.contains(said) && error.contains("write it as country=off"), "{error}");
        }
    }

    #[test]
    fn reach_and_hidden_addresses_leave_out_what_is_farther() {
        let rules: [TierRule; 2] = ["site=off", "country=leech"].map(|rule| rule.parse().unwrap());
        let tiers = |reach, hide_addresses| ladder(&rules, reach, hide_addresses).tiers().map(Tier::name).collect::<Vec<_>>();
        assert_eq!(tiers(PeerScope::Any, false), ["address", "prefix", "network", "country", "continent", "anyone"]);
        assert_eq!(tiers(PeerScope::Prefix, false), ["address", "prefix"]);
        assert_eq!(tiers(PeerScope::Any, true), ["address"]);
    }
}
