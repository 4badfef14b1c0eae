//! The header of the PROXY protocol (haproxy.org/download/3.0/doc/proxy-protocol.txt): for whom a proxy connects, in the first bytes of a connection.

use std::io;
use std::net::IpAddr;

use ppp::v2::{Command, Protocol, Type};
use ppp::{v1, v2};
use tokio::io::{AsyncRead, AsyncReadExt as _};

use crate::limits::PROXY_HEADER_LEN_MAX;
use viral_swarm::request::Socket;

/// Bytes that each header has: the shortest is `PROXY UNKNOWN` and its line end.
const LEN_MIN: usize = 15;

/// Bytes of the head of version 2, the last two of which tell how many more there are.
const BINARY_HEAD_LEN: usize = 16;

/// What version 1 begins with.
const TEXT_BEGINS: &[u8] = b"PROXY ";

/// Longest header of version 1, in bytes (section 2.1).
const TEXT_LEN_MAX: usize = 107;

/// In what is said of TLS: the visitor came over it (section 2.2.6).
const CLIENT_SSL: u8 = 1;

/// Why what a proxy sent first is no header that can be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HeaderFault {
    /// It is none.
    #[error("the connection does not begin with a header of the PROXY protocol; let the proxy send one, or leave --proxy-protocol out")]
    Missing,
    /// It is longer than it may be.
    #[error("a header has at most {max} bytes")]
    TooLong {
        /// The limit.
        max: usize,
    },
    /// It is of datagrams.
    #[error("the header is of datagrams, this is a stream")]
    Datagram,
    /// It cannot be read.
    #[error("the header cannot be read: {0}")]
    Malformed(String),
}

impl From<HeaderFault> for io::Error {
    fn from(fault: HeaderFault) -> Self {
        Self::new(io::ErrorKind::InvalidData, fault)
    }
}

/// For whom a proxy connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Named {
    address: IpAddr,
    /// Whether the visitor came to the proxy over TLS.
    over_tls: bool,
}

impl Named {
    /// The other end of the connection, as it would be without the proxy.
    pub(super) fn socket(self) -> Socket {
        Socket::Named(self.address, self.over_tls)
    }
}

/// Takes the header off a stream, and not a byte more. For whom the proxy connects; none where it connects for itself or does not know.
///
/// # Errors
/// When the stream ends before it, or what comes is none.
pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Named>> {
    let mut header = vec![0; LEN_MIN];
    stream.read_exact(&mut header).await?;
    if header.starts_with(TEXT_BEGINS) {
        // Of unknown length: what follows belongs to the visitor.
        while !header.ends_with(b"\r\n") {
            if header.len() >= TEXT_LEN_MAX {
                return Err(HeaderFault::TooLong { max: TEXT_LEN_MAX }.into());
            }
            header.push(stream.read_u8().await?);
        }
        return Ok(of_text(&header)?);
    }
    if !header.starts_with(v2::PROTOCOL_PREFIX) {
        return Err(HeaderFault::Missing.into());
    }
    let low = stream.read_u8().await?;
    let high = header.last().copied().unwrap_or_default();
    header.push(low);
    let len = BINARY_HEAD_LEN + usize::from(u16::from_be_bytes([high, low]));
    if len > PROXY_HEADER_LEN_MAX {
        return Err(HeaderFault::TooLong { max: PROXY_HEADER_LEN_MAX }.into());
    }
    header.resize(len, 0);
    stream.read_exact(header.get_mut(BINARY_HEAD_LEN..).unwrap_or_default()).await?;
    Ok(of_binary(&header)?)
}

/// The address in a whole header of version 1.
fn of_text(header: &[u8]) -> Result<Option<Named>, HeaderFault> {
    let header = v1::Header::try_from(header).map_err(|error| HeaderFault::Malformed(error.to_string()))?;
    let address = match header.addresses {
        v1::Addresses::Tcp4(addresses) => addresses.source_address.into(),
        v1::Addresses::Tcp6(addresses) => IpAddr::from(addresses.source_address).to_canonical(),
        v1::Addresses::Unknown => return Ok(None),
    };
    Ok(Some(Named { address, over_tls: false }))
}

/// The address in a whole header of version 2.
fn of_binary(header: &[u8]) -> Result<Option<Named>, HeaderFault> {
    let header = v2::Header::try_from(header).map_err(|error| HeaderFault::Malformed(error.to_string()))?;
    match (header.command, header.protocol) {
        // The proxy looks whether we are there.
        (Command::Local, _) => return Ok(None),
        (Command::Proxy, Protocol::Datagram) => return Err(HeaderFault::Datagram),
        (Command::Proxy, Protocol::Stream | Protocol::Unspecified) => {}
    }
    let address = match header.addresses {
        v2::Addresses::IPv4(addresses) => addresses.source_address.into(),
        v2::Addresses::IPv6(addresses) => IpAddr::from(addresses.source_address).to_canonical(),
        v2::Addresses::Unix(_) | v2::Addresses::Unspecified => return Ok(None),
    };
    // What follows the addresses may be nonsense; what it says of TLS then is not believed.
    let over_tls = header
        .tlvs()
        .map_while(Result::ok)
        .any(|more| more.kind == Type::SSL as u8 && more.value.first().is_some_and(|client| client & CLIENT_SSL != 0));
    Ok(Some(Named { address, over_tls }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A header of version 2 with this command, family and content.
    fn binary(command: u8, family: u8, content: &[u8]) -> Vec<u8> {
        let len = u16::try_from(content.len()).unwrap().to_be_bytes();
        [v2::PROTOCOL_PREFIX, &[0x20 | command, family], &len, content].concat()
    }

    const IPV4: [u8; 12] = [198, 51, 100, 7, 10, 0, 0, 1, 0, 80, 1, 187];

    async fn said(bytes: &[u8]) -> Result<(Option<String>, usize), String> {
        let mut rest = bytes;
        let named = read(&mut rest).await.map_err(|error| error.to_string())?;
        Ok((named.map(|named| named.address.to_string()), rest.len()))
    }

    #[tokio::test]
    async fn the_address_is_taken_and_what_follows_is_left() {
        let ipv6 = [&[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9][..], &[0; 20]].concat();
        let mapped = [&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1][..], &[0; 20]].concat();
        for (header, address) in [
            (b"PROXY TCP4 198.51.100.7 10.0.0.1 80 443\r\n".to_vec(), Some("198.51.100.7")),
            (b"PROXY TCP6 2001:db8::9 ::1 80 443\r\n".to_vec(), Some("2001:db8::9")),
            (b"PROXY UNKNOWN\r\n".to_vec(), None),
            (b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n".to_vec(), None),
            (binary(1, 0x11, &IPV4), Some("198.51.100.7")),
            (binary(1, 0x11, &[&IPV4[..], &[4, 0, 1, 9]].concat()), Some("198.51.100.7")),
            (binary(1, 0x21, &ipv6), Some("2001:db8::9")),
            (binary(1, 0x21, &mapped), Some("192.0.2.1")),
            (binary(0, 0x11, &IPV4), None),
            (binary(0, 0, &[]), None),
            (binary(1, 0, &[]), None),
            (binary(1, 0x31, &[0; 216]), None),
        ] {
            let stream = [&header[..], b"GET"].concat();
            assert_eq!(said(&stream).await, Ok((address.map(str::to_owned), 3)), "{header:?}");
        }
    }

    #[tokio::test]
    async fn what_is_no_header_is_refused() {
        for (bytes, reason) in [
            (b"GET / HTTP/1.1\r\nhost: a\r\n\r\n".to_vec(), "does not begin with a header"),
            (b"PROXY TCP4 198.51.100.7\r\n".to_vec(), "cannot be read"),
            (b"PROXY TCP4 198.51.100.999 10.0.0.1 80 443\r\n".to_vec(), "cannot be read"),
            (b"PROXY TCP4 2001:db8::9 ::1 80 443\r\n".to_vec(), "cannot be read"),
            (b"PROXY UDP4 198.51.100.7 10.0.0.1 80 443\r\n".to_vec(), "cannot be read"),
            ([b"PROXY UNKNOWN ", &[b'x'; 100][..]].concat(), "at most 107 bytes"),
            (binary(1, 0x11, &IPV4[..8]), "cannot be read"),
            (binary(2, 0x11, &IPV4), "cannot be read"),
            (binary(1, 0x41, &IPV4), "cannot be read"),
            (binary(1, 0x12, &IPV4), "of datagrams"),
            (binary(1, 0x11, &vec![0; PROXY_HEADER_LEN_MAX - BINARY_HEAD_LEN + 1]), "at most 2048 bytes"),
            (binary(1, 0x11, &IPV4)[..20].to_vec(), "early eof"),
            (b"PROX".to_vec(), "early eof"),
        ] {
            let fault = said(&bytes).await.unwrap_err();
            assert!(fault.contains(reason), "{bytes:?}: {fault}");
        }
        assert!(said(&binary(1, 0x11, &vec![0; PROXY_HEADER_LEN_MAX - BINARY_HEAD_LEN])).await.is_ok());
    }

    #[tokio::test]
    async fn a_proxy_that_ends_tls_says_so() {
        for (more, over_tls) in [
            (&[0x20, 0, 5, 1, 0, 0, 0, 0][..], true),
            (&[0x20, 0, 5, 0, 0, 0, 0, 0], false),
            (&[0x20, 0, 0], false),
            (&[0x20, 0, 9, 1], false),
            (&[1, 0, 1, 1], false),
        ] {
            let named = read(&mut &binary(1, 0x11, &[&IPV4[..], more].concat())[..]).await.unwrap().unwrap();
            assert_eq!(named.over_tls, over_tls, "{more:?}");
            #[cfg(feature = "tls")]
            assert_eq!(named.socket().is_tls(), over_tls);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_fault(bytes in prop::collection::vec(any::<u8>(), 0..80), begins in 0..4_usize) {
            let begins = [&b""[..], TEXT_BEGINS, v2::PROTOCOL_PREFIX, b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"][begins];
            let _ = futures_util::FutureExt::now_or_never(read(&mut &[begins, &bytes].concat()[..]));
        }
    }
}
