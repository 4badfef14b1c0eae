//! One ICE candidate as text: `proto|address|port|priority|type`.

use std::{fmt, net::IpAddr, str::FromStr};

use crate::limits::ADDRESS_LEN_MAX;

/// Somewhere a peer can be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Transport of the candidate.
    pub transport: Transport,
    /// Address or mDNS name.
    pub address: Address,
    /// Port, never 0.
    pub port: u16,
    /// ICE priority, never 0 (RFC 8445 section 5.1.2).
    pub priority: u32,
    /// How it was found.
    pub kind: CandidateKind,
}

/// Transport of a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// `u`; the only one sent today.
    Udp,
    /// `t`.
    Tcp,
}

/// Where a candidate points.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// An address as such.
    Ip(IpAddr),
    /// `<uuid>.local`, resolvable by multicast DNS only.
    Local(LocalName),
}

/// A name of the form `<uuid>.local`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalName(String);

/// How a candidate was found (RFC 8445 section 5.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CandidateKind {
    /// `h`: an interface of the peer.
    Host,
    /// `s`: seen by a STUN server.
    ServerReflexive,
    /// `p`: seen by the other peer.
    PeerReflexive,
    /// `r`: on a relay.
    Relay,
}

/// Text is not a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed candidate")]
pub struct CandidateError;

impl FromStr for Candidate {
    type Err = CandidateError;

    fn from_str(text: &str) -> Result<Self, CandidateError> {
        let mut parts = text.split('|');
        let mut next = || parts.next().ok_or(CandidateError);
        let transport = match next()? {
            "u" => Transport::Udp,
            "t" => Transport::Tcp,
            _ => return Err(CandidateError),
        };
        let address = next()?.parse()?;
        let port = parse_digits(next()?, 10, 5)?.try_into().map_err(|_| CandidateError)?;
        let priority = parse_digits(next()?, 36, 7)?;
        let kind = match next()? {
            "h" => CandidateKind::Host,
            "s" => CandidateKind::ServerReflexive,
            "p" => CandidateKind::PeerReflexive,
            "r" => CandidateKind::Relay,
            _ => return Err(CandidateError),
        };
        match parts.next() {
            None => Ok(Self { transport, address, port, priority, kind }),
            Some(_) => Err(CandidateError),
        }
    }
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let transport = match self.transport {
            Transport::Udp => 'u',
            Transport::Tcp => 't',
        };
        let kind = match self.kind {
            CandidateKind::Host => 'h',
            CandidateKind::ServerReflexive => 's',
            CandidateKind::PeerReflexive => 'p',
            CandidateKind::Relay => 'r',
        };
        write!(f, "{transport}|{}|{}|{}|{kind}", self.address, self.port, base_36(self.priority))
    }
}

impl FromStr for Address {
    type Err = CandidateError;

    fn from_str(text: &str) -> Result<Self, CandidateError> {
        if text.len() > ADDRESS_LEN_MAX {
            return Err(CandidateError);
        }
        match text.strip_suffix(".local") {
            Some(uuid) if is_uuid(uuid) => Ok(Self::Local(LocalName(text.to_owned()))),
            Some(_) => Err(CandidateError),
            None => text.parse().map(Self::Ip).map_err(|_| CandidateError),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::Local(name) => f.write_str(&name.0),
        }
    }
}

/// A number of 1..=`digits_max` lower-case digits without leading zero; never 0.
fn parse_digits(text: &str, radix: u32, digits_max: usize) -> Result<u32, CandidateError> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase());
    if !plain || text.len() > digits_max || text.starts_with('0') {
        return Err(CandidateError);
    }
    u32::from_str_radix(text, radix).map_err(|_| CandidateError)
}

fn base_36(mut value: u32) -> String {
    let mut digits = Vec::new();
    while value > 0 {
        digits.extend(char::from_digit(value % 36, 36));
        value /= 36;
    }
    digits.iter().rev().collect()
}

/// 8-4-4-4-12 hex digits.
fn is_uuid(text: &str) -> bool {
    let mut groups = text.split('-');
    let fits = |len: usize, group: Option<&str>| {
        group.is_some_and(|group| group.len() == len && group.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    [8, 4, 4, 4, 12].into_iter().all(|len| fits(len, groups.next())) && groups.next().is_none()
}
