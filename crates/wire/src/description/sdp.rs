//! The compact form from SDP text as a browser gives it, and back: the loader sends its answers so, and is spared the code that does this; native peers read and write it.

use std::fmt::Write as _;

use super::{Address, Candidate, CandidateKind, Description, DescriptionError, Parts, Setup, Transport};
use crate::limits::{CANDIDATES_MAX, SDP_LEN_MAX};

impl Description {
    /// Reads SDP text with one data-channel section. TCP candidates are dropped, and host ones before reflexive ones when there are too many;
    /// lines that do not matter are ignored. What is taken is judged like any compact description.
    pub fn from_sdp(sdp: &str) -> Result<Self, DescriptionError> {
        if sdp.len() > SDP_LEN_MAX {
            return Err(DescriptionError::TooLong { len: sdp.len() });
        }
        let mut candidates: Vec<String> = Vec::new();
        for candidate in sdp.lines().filter_map(candidate) {
            if !candidates.contains(&candidate) {
                candidates.push(candidate);
            }
        }
        candidates.sort_by_key(|candidate| candidate.ends_with('h'));
        candidates.truncate(CANDIDATES_MAX);
        let extra = sdp.lines().filter_map(|line| line.strip_prefix("a=").filter(|line| line.starts_with("sctp-init:")));
        let parts: Parts = (
            attribute(sdp, "ice-ufrag:").ok_or(DescriptionError::Ufrag)?.to_owned(),
            attribute(sdp, "ice-pwd:").ok_or(DescriptionError::Pwd)?.to_owned(),
            attribute(sdp, "fingerprint:sha-256 ").ok_or(DescriptionError::Fingerprint)?.replace(':', "").to_ascii_lowercase(),
            attribute(sdp, "setup:").ok_or(DescriptionError::Setup)?.to_owned(),
            attribute(sdp, "max-message-size:").and_then(|size| size.parse().ok()).ok_or(DescriptionError::Shape)?,
            candidates,
            extra.map(str::to_owned).collect(),
        );
        parts.try_into()
    }

    /// SDP text with one data-channel section named `mid`. Candidates whose address is a `.local` name are left out: only multicast DNS could
    /// resolve them, and the other side's own checks find us anyway.
    ///
    /// An offer that leaves the DTLS role open is written as one that takes the server's part, so that we are the client: we may begin the handshake as soon as
    /// we have a path, half a round trip before the other side has our answer.
    #[must_use]
    pub fn to_sdp(&self, mid: &str) -> String {
        let setup = match self.setup() {
            Setup::Actpass | Setup::Passive => "passive",
            Setup::Active => "active",
        };
        let mut sdp = format!(
            "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE {mid}\r\n\
             m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:{mid}\r\n\
             a=ice-ufrag:{}\r\na=ice-pwd:{}\r\na=fingerprint:sha-256 {}\r\na=setup:{setup}\r\na=sctp-port:5000\r\na=max-message-size:{}\r\n",
            self.ufrag(),
            self.pwd(),
            colons(self.fingerprint().as_bytes()),
            self.max_message_size(),
        );
        for line in Self::candidate_lines(self.candidates()) {
            write!(sdp, "a={line}\r\n").expect("writing to a string cannot fail");
        }
        for line in self.extra() {
            write!(sdp, "a={line}\r\n").expect("writing to a string cannot fail");
        }
        sdp
    }

    /// The candidates as SDP has them, without `a=`, and without `.local` names as in [`Self::to_sdp`].
    pub fn candidate_lines(candidates: &[Candidate]) -> impl Iterator<Item = String> {
        candidates.iter().enumerate().filter_map(|(index, candidate)| {
            let (Transport::Udp, Address::Ip(ip)) = (candidate.transport, &candidate.address) else { return None };
            let (kind, related) = match candidate.kind {
                CandidateKind::Host => ("host", ""),
                CandidateKind::ServerReflexive => ("srflx", " raddr 0.0.0.0 rport 0"),
                CandidateKind::PeerReflexive => ("prflx", " raddr 0.0.0.0 rport 0"),
                CandidateKind::Relay => ("relay", " raddr 0.0.0.0 rport 0"),
            };
            Some(format!("candidate:{} 1 udp {} {ip} {} typ {kind}{related}", index + 1, candidate.priority, candidate.port))
        })
    }

    /// The value of `a=mid:` in SDP of our own.
    #[must_use]
    pub fn mid_of(sdp: &str) -> Option<&str> {
        sdp.lines().find_map(|line| line.strip_prefix("a=mid:")).map(str::trim)
    }
}

fn colons(bytes: &[u8; 32]) -> String {
    let pairs: Vec<String> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    pairs.join(":")
}

/// The value of the first attribute line of that name, up to the first space.
fn attribute<'a>(sdp: &'a str, name: &str) -> Option<&'a str> {
    let value = sdp.lines().find_map(|line| line.strip_prefix("a=")?.strip_prefix(name))?;
    value.split_ascii_whitespace().next()
}

/// `a=candidate:FOUNDATION 1 udp PRIORITY ADDRESS PORT typ TYPE ...` in compact form; anything else is no candidate of ours.
fn candidate(line: &str) -> Option<String> {
    let mut words = line.strip_prefix("a=candidate:")?.split(' ').skip(1);
    let (component, transport) = (words.next()?, words.next()?);
    let priority: u32 = words.next()?.parse().ok()?;
    let (address, port, typ, kind) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let letter = match kind {
        "host" => 'h',
        "srflx" => 's',
        "prflx" => 'p',
        "relay" => 'r',
        _ => return None,
    };
    if component != "1" || !transport.eq_ignore_ascii_case("udp") || typ != "typ" {
        return None;
    }
    let mut text = format!("u|{address}|{port}|");
    write_base36(&mut text, priority);
    write!(text, "|{letter}").expect("writing to a string cannot fail");
    Some(text)
}

fn write_base36(text: &mut String, number: u32) {
    if number >= 36 {
        write_base36(text, number / 36);
    }
    text.push(char::from_digit(number % 36, 36).expect("a remainder is below the radix"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn description(candidates: &str) -> Description {
        Description::parse(&format!(
            "[\"ufra\",\"{}\",\"{}\",\"actpass\",262144,[{candidates}],[\"sctp-init:AQ==\"]]",
            "p".repeat(24),
            "0f".repeat(32)
        ))
        .unwrap()
    }

    #[test]
    fn a_description_survives_the_way_through_sdp() {
        let before = description("\"u|192.0.2.7|50001|7vh3c|h\",\"u|2001:db8::1|50002|1t4p|s\"");
        let sdp = before.to_sdp("abc");
        let after = Description::from_sdp(&sdp).unwrap();
        assert_eq!((after.ufrag(), after.pwd(), after.fingerprint()), (before.ufrag(), before.pwd(), before.fingerprint()));
        assert_eq!((after.candidates().len(), after.extra()), (2, before.extra()));
        assert_eq!(Description::mid_of(&sdp), Some("abc"));
        assert!(sdp.contains("a=setup:passive\r\n"), "we are the client");
    }

    #[test]
    fn names_that_only_multicast_resolves_are_left_out() {
        let local = "u|0b5ffc19-5a34-4b1a-b0ea-6d5bcd2a54e1.local|50001|7vh3c|h";
        assert!(!description(&format!("\"{local}\"")).to_sdp("0").contains("candidate"));
    }
}
