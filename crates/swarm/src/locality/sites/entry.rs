//! One range of a site, checked, and why it is none.

use std::{collections::BTreeMap, net::IpAddr};

use ipnet::{IpNet, Ipv4Net};

use crate::{
    limits::{SITE_NAME_LEN_MAX, SITE_RANGES_MAX, SITES_FILE_LEN_MAX},
    locality::{ladder::NameError, ladder::SharePolicy},
};

/// A range of addresses of a site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) line: usize,
    pub(super) name: String,
    /// Without host bits, and IPv4 where it is mapped into IPv6.
    pub(super) range: IpNet,
    pub(super) policy: SharePolicy,
}

/// Why a file of sites cannot be used. Written for the operator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SitesError {
    /// It is too long to be one.
    #[error("the file is {len} bytes, limit {SITES_FILE_LEN_MAX}; give ranges instead of single addresses")]
    TooLong {
        /// Its bytes.
        len: usize,
    },
    /// A line is wrong.
    #[error("line {line}: {fault}")]
    At {
        /// 1-based line.
        line: usize,
        /// What is wrong, and what to write.
        fault: SiteFault,
    },
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SiteFault {
    /// Not a line of such a file.
    #[error("{0}")]
    Syntax(String),
    /// Not three fields.
    #[error("a line is `name, CIDR, policy` (the policy may be left out), and this one has {0} fields")]
    Fields(usize),
    /// No name, or a strange one.
    #[error("a site needs a name of 1 to {SITE_NAME_LEN_MAX} bytes without control characters")]
    Name,
    /// No such policy.
    #[error(transparent)]
    Policy(#[from] NameError),
    /// Not a range of addresses.
    #[error("`{0}` is no range of addresses; write 10.1.0.0/16 or 2001:db8:1::/48")]
    Range(String),
    /// Bits are set behind the prefix.
    #[error("{given} has bits behind its prefix; write {meant}, or the single address without a length")]
    HostBits {
        /// What is written.
        given: IpNet,
        /// The range in which that is.
        meant: IpNet,
    },
    /// Everybody's address, or nobody's.
    #[error("{0} is no site: nobody's addresses, or everybody's; write the ranges that the site has")]
    Nonsense(IpNet),
    /// Two lines contradict each other.
    #[error("{range} is {other} in line {line} already; leave one of them out")]
    Twice {
        /// The range.
        range: IpNet,
        /// What the other line says: name and policy.
        other: String,
        /// The other line.
        line: usize,
    },
    /// More than are kept.
    #[error("more than {SITE_RANGES_MAX} ranges; join neighbouring ones")]
    TooMany,
}

impl SiteFault {
    pub(super) fn at(self, line: usize) -> SitesError {
        SitesError::At { line, fault: self }
    }
}

impl Entry {
    /// Checks what a line says; an empty policy is `on`.
    pub(super) fn new(line: usize, name: &str, range: &str, policy: &str) -> Result<Self, SitesError> {
        let checked = || {
            if name.is_empty() || name.len() > SITE_NAME_LEN_MAX || name.chars().any(char::is_control) {
                return Err(SiteFault::Name);
            }
            let policy = if policy.is_empty() { SharePolicy::On } else { policy.parse()? };
            Ok(Self { line, name: name.to_owned(), range: range_of(range)?, policy })
        };
        checked().map_err(|fault| fault.at(line))
    }
}

/// A range of addresses, or a single one.
fn range_of(text: &str) -> Result<IpNet, SiteFault> {
    let single = || text.parse::<IpAddr>().ok().map(IpNet::from);
    let given = text.parse().ok().or_else(single).ok_or_else(|| SiteFault::Range(text.to_owned()))?;
    if given.trunc() != given {
        return Err(SiteFault::HostBits { given, meant: given.trunc() });
    }
    let range = canonical(given);
    let is_nobodys = range.network().is_multicast() || range.network().is_unspecified();
    if range.prefix_len() == 0 || is_nobodys { Err(SiteFault::Nonsense(range)) } else { Ok(range) }
}

/// Addresses that are mapped into IPv6 are IPv4 ones (RFC 4291 section 2.5.5.2).
fn canonical(range: IpNet) -> IpNet {
    let IpNet::V6(mapped) = range else { return range };
    let inner = mapped.prefix_len().checked_sub(96).zip(mapped.network().to_ipv4_mapped());
    inner.and_then(|(len, network)| Ipv4Net::new(network, len).ok()).map_or(range, IpNet::V4)
}

/// Each range once. Lines may repeat each other, but not contradict.
pub(super) fn distinct(entries: Vec<Entry>) -> Result<Vec<Entry>, SitesError> {
    let mut by_range = BTreeMap::<IpNet, Entry>::new();
    for entry in entries {
        if let Some(other) = by_range.get(&entry.range) {
            if (&other.name, other.policy) != (&entry.name, entry.policy) {
                let Entry { range, line, .. } = entry;
                let said = format!("`{}, {}`", other.name, other.policy.name());
                return Err(SiteFault::Twice { range, other: said, line: other.line }.at(line));
            }
            continue;
        }
        if by_range.len() >= SITE_RANGES_MAX {
            return Err(SiteFault::TooMany.at(entry.line));
        }
        by_range.insert(entry.range, entry);
    }
    Ok(by_range.into_values().collect())
}
