//! STUN Binding messages (RFC 8489): a request, its success, and the refusal of what a request demands and nobody here knows.
//!
//! Nothing else of STUN is read or written: no indications, no credentials, no `SOFTWARE`. What answers can therefore only answer what this module calls a request.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::limits::{STUN_LEN_MAX, STUN_UNKNOWN_MAX};

/// What every message begins with after type and length (RFC 8489 section 5).
const COOKIE: u32 = 0x2112_a442;
/// Bytes of type, length, cookie and transaction.
const HEAD_LEN: usize = 20;
const REQUEST: u16 = 0x0001;
const SUCCESS: u16 = 0x0101;
const REFUSAL: u16 = 0x0111;
const ERROR_CODE: u16 = 0x0009;
const UNKNOWN_ATTRIBUTES: u16 = 0x000a;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
const FINGERPRINT: u16 = 0x8028;
const FINGERPRINT_LEN: usize = 8;
const FINGERPRINT_XOR: u32 = 0x5354_554e;
/// From here on who does not know an attribute passes over it (RFC 8489 section 14).
const OPTIONAL: u16 = 0x8000;
/// Attributes of RFC 8489 that mean nothing to who asks for no credentials: `USERNAME`, the integrity ones, `REALM`, `NONCE`, `PASSWORD-ALGORITHM`, `USERHASH`.
const KNOWN: [u16; 7] = [0x0006, 0x0008, 0x0014, 0x0015, 0x001c, 0x001d, 0x001e];

/// Ties an answer to its request: 96 random bits.
pub type Transaction = [u8; 12];

/// A well-formed Binding request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    transaction: Transaction,
    len: usize,
    is_fingerprinted: bool,
    /// Attributes that must be understood and are not, each once.
    unknown: Vec<u16>,
}

/// Why bytes are not the message expected. Always the sender's fault: say nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StunError {
    /// No STUN message: too short or long, no cookie, or a length that is not that of the datagram.
    #[error("not a STUN message")]
    NotStun,
    /// Something else than a Binding message of the kind expected.
    #[error("message type {0:#06x} is not the one expected")]
    Type(u16),
    /// An attribute that is longer than the rest, or not as long as its kind is.
    #[error("malformed attribute")]
    Attribute,
    /// `FINGERPRINT` is not that of the message, or not its end.
    #[error("wrong fingerprint")]
    Fingerprint,
    /// An answer to another request.
    #[error("answer to another request")]
    Transaction,
    /// A success that names no address.
    #[error("no mapped address")]
    NoAddress,
}

/// Reads a datagram as a Binding request.
///
/// # Errors
/// For everything else; nothing may be answered then.
pub fn decode_request(datagram: &[u8]) -> Result<Request, StunError> {
    let message = Message::read(datagram, REQUEST)?;
    let (mut unknown, mut is_fingerprinted) = (Vec::new(), false);
    for attribute in message.attributes() {
        let (kind, _) = attribute?;
        is_fingerprinted |= kind == FINGERPRINT;
        if kind < OPTIONAL && !KNOWN.contains(&kind) && !unknown.contains(&kind) && unknown.len() <= STUN_UNKNOWN_MAX {
            unknown.push(kind);
        }
    }
    Ok(Request { transaction: message.transaction, len: datagram.len(), is_fingerprinted, unknown })
}

impl Request {
    /// What to send back to `source`, from where the request came; `None` if that would be longer than is safe.
    ///
    /// A success is at most 24 bytes longer than the shortest request. The refusal (420) of what the request demands and is not known here is never longer than the request.
    #[must_use]
    pub fn answer(&self, source: SocketAddr) -> Option<Vec<u8>> {
        if self.unknown.is_empty() {
            let mut message = begin(SUCCESS, &self.transaction);
            put(&mut message, XOR_MAPPED_ADDRESS, &xored(source, &self.transaction));
            return Some(self.end(message));
        }
        let mut message = begin(REFUSAL, &self.transaction);
        put(&mut message, ERROR_CODE, &[0, 0, 4, 20]);
        let unknown: Vec<u8> = self.unknown.iter().flat_map(|kind| kind.to_be_bytes()).collect();
        put(&mut message, UNKNOWN_ATTRIBUTES, &unknown);
        let message = self.end(message);
        (self.unknown.len() <= STUN_UNKNOWN_MAX && message.len() <= self.len).then_some(message)
    }

    /// With a fingerprint if the request had one: who sends one tells STUN from other things by it.
    fn end(&self, mut message: Vec<u8>) -> Vec<u8> {
        if self.is_fingerprinted {
            set_len(&mut message, FINGERPRINT_LEN);
            let sum = fingerprint(&message);
            put(&mut message, FINGERPRINT, &sum.to_be_bytes());
        }
        message
    }
}

/// A Binding request without attributes.
#[must_use]
pub fn encode_request(transaction: &Transaction) -> Vec<u8> {
    begin(REQUEST, transaction)
}

/// Reads a datagram as the success of the request with this transaction: the address from which that request came, as the server saw it.
///
/// # Errors
/// For everything else.
pub fn decode_success(datagram: &[u8], transaction: &Transaction) -> Result<SocketAddr, StunError> {
    let message = Message::read(datagram, SUCCESS)?;
    if message.transaction != *transaction {
        return Err(StunError::Transaction);
    }
    let mut mapped = None;
    for attribute in message.attributes() {
        let (kind, value) = attribute?;
        if kind == XOR_MAPPED_ADDRESS && mapped.is_none() {
            mapped = Some(read_xored(value, transaction).ok_or(StunError::Attribute)?);
        }
    }
    mapped.ok_or(StunError::NoAddress)
}

/// Whether a datagram is a STUN message of the kind that answers a Binding request, so that a socket that carries other things, too, can tell.
#[must_use]
pub fn is_success(datagram: &[u8]) -> bool {
    datagram.get(..2) == Some(&SUCCESS.to_be_bytes()) && datagram.get(4..8) == Some(&COOKIE.to_be_bytes())
}

/// A message whose head was looked at.
struct Message<'a> {
    transaction: Transaction,
    whole: &'a [u8],
}

impl<'a> Message<'a> {
    fn read(datagram: &'a [u8], expected: u16) -> Result<Self, StunError> {
        let head: &[u8; HEAD_LEN] = datagram.first_chunk().ok_or(StunError::NotStun)?;
        let [t0, t1, l0, l1, c0, c1, c2, c3, transaction @ ..] = *head;
        let len = usize::from(u16::from_be_bytes([l0, l1]));
        let is_whole = len.is_multiple_of(4) && HEAD_LEN + len == datagram.len() && datagram.len() <= STUN_LEN_MAX;
        if !is_whole || u32::from_be_bytes([c0, c1, c2, c3]) != COOKIE {
            return Err(StunError::NotStun);
        }
        let kind = u16::from_be_bytes([t0, t1]);
        if kind == expected { Ok(Self { transaction, whole: datagram }) } else { Err(StunError::Type(kind)) }
    }

    /// Kind and value of each attribute, up to the first fault.
    fn attributes(&self) -> impl Iterator<Item = Result<(u16, &'a [u8]), StunError>> {
        let whole = self.whole;
        let mut at = HEAD_LEN;
        std::iter::from_fn(move || {
            if at >= whole.len() {
                return None;
            }
            let found = attribute(whole, at);
            at = found.map_or(whole.len(), |(_, value)| at + 4 + value.len().next_multiple_of(4));
            Some(found)
        })
    }
}

fn attribute(whole: &[u8], at: usize) -> Result<(u16, &[u8]), StunError> {
    let rest = whole.get(at..).unwrap_or_default();
    let [k0, k1, l0, l1] = *rest.first_chunk::<4>().ok_or(StunError::Attribute)?;
    let (kind, len) = (u16::from_be_bytes([k0, k1]), usize::from(u16::from_be_bytes([l0, l1])));
    if rest.len() < 4 + len.next_multiple_of(4) {
        return Err(StunError::Attribute);
    }
    let value = &rest[4..4 + len];
    // It stands over everything before it, and nothing comes after it (RFC 8489 section 14.7).
    let is_sound = || rest.len() == FINGERPRINT_LEN && value == fingerprint(&whole[..at]).to_be_bytes();
    if kind == FINGERPRINT && !is_sound() { Err(StunError::Fingerprint) } else { Ok((kind, value)) }
}

fn begin(kind: u16, transaction: &Transaction) -> Vec<u8> {
    let mut message = Vec::with_capacity(HEAD_LEN + 32);
    message.extend_from_slice(&kind.to_be_bytes());
    message.extend_from_slice(&[0, 0]);
    message.extend_from_slice(&COOKIE.to_be_bytes());
    message.extend_from_slice(transaction);
    message
}

fn put(message: &mut Vec<u8>, kind: u16, value: &[u8]) {
    message.extend_from_slice(&kind.to_be_bytes());
    message.extend_from_slice(&u16::try_from(value.len()).unwrap_or_default().to_be_bytes());
    message.extend_from_slice(value);
    message.resize(message.len().next_multiple_of(4), 0);
    set_len(message, 0);
}

/// Says in the head how long the message is, with `more` bytes to come.
fn set_len(message: &mut [u8], more: usize) {
    let len = u16::try_from(message.len() - HEAD_LEN + more).unwrap_or_default();
    message[2..4].copy_from_slice(&len.to_be_bytes());
}

fn fingerprint(message: &[u8]) -> u32 {
    crc32fast::hash(message) ^ FINGERPRINT_XOR
}

/// The value of `XOR-MAPPED-ADDRESS` (RFC 8489 section 14.2). An IPv4 address mapped into IPv6 is an IPv4 one.
fn xored(address: SocketAddr, transaction: &Transaction) -> Vec<u8> {
    let (family, octets) = match address.ip().to_canonical() {
        IpAddr::V4(v4) => (1, v4.octets().to_vec()),
        IpAddr::V6(v6) => (2, v6.octets().to_vec()),
    };
    let [p0, p1] = (address.port() ^ 0x2112).to_be_bytes();
    let mut value = vec![0, family, p0, p1];
    value.extend(octets.iter().zip(mask(transaction)).map(|(octet, mask)| octet ^ mask));
    value
}

fn read_xored(value: &[u8], transaction: &Transaction) -> Option<SocketAddr> {
    let [_, family, p0, p1] = *value.first_chunk::<4>()?;
    let octets: Vec<u8> = value[4..].iter().zip(mask(transaction)).map(|(octet, mask)| octet ^ mask).collect();
    let ip = match (family, value.len()) {
        (1, 8) => IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(octets).ok()?)),
        (2, 20) => IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(octets).ok()?)),
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_be_bytes([p0, p1]) ^ 0x2112))
}

fn mask(transaction: &Transaction) -> impl Iterator<Item = u8> {
    COOKIE.to_be_bytes().into_iter().chain(*transaction)
}

#[cfg(test)]
mod tests;
