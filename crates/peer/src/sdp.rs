//! The SDP that str0m reads, made from a compact description; the other way is [`Description::from_sdp`].

use std::fmt::Write as _;

use viral_wire::Description;
use viral_wire::description::{Address, Candidate, CandidateKind, Setup, Transport};

/// SDP text with one data-channel section named `mid`. Candidates whose address is a `.local` name are left out: only multicast DNS could
/// resolve them, and the other side's own checks find us anyway.
///
/// An offer that leaves the DTLS role open is written as one that takes the server's part, so that we are the client: we may begin the handshake as soon as
/// we have a path, half a round trip before the other side has our answer.
pub(crate) fn sdp_of(description: &Description, mid: &str) -> String {
    let setup = match description.setup() {
        Setup::Actpass | Setup::Passive => "passive",
        Setup::Active => "active",
    };
    let mut sdp = format!(
        "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE {mid}\r\n\
         m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:{mid}\r\n\
         a=ice-ufrag:{}\r\na=ice-pwd:{}\r\na=fingerprint:sha-256 {}\r\na=setup:{setup}\r\na=sctp-port:5000\r\na=max-message-size:{}\r\n",
        description.ufrag(),
        description.pwd(),
        colons(description.fingerprint().as_bytes()),
        description.max_message_size(),
    );
    for line in candidate_lines(description.candidates()) {
        write!(sdp, "a={line}\r\n").expect("writing to a string cannot fail");
    }
    for line in description.extra() {
        write!(sdp, "a={line}\r\n").expect("writing to a string cannot fail");
    }
    sdp
}

/// The candidates as SDP has them, without `a=`. `.local` names are left out, as said above.
pub(crate) fn candidate_lines(candidates: &[Candidate]) -> impl Iterator<Item = String> {
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
pub(crate) fn mid_of(sdp: &str) -> Option<&str> {
    sdp.lines().find_map(|line| line.strip_prefix("a=mid:")).map(str::trim)
}

fn colons(bytes: &[u8; 32]) -> String {
    let pairs: Vec<String> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    pairs.join(":")
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
        let sdp = sdp_of(&before, "abc");
        let after = Description::from_sdp(&sdp).unwrap();
        assert_eq!((after.ufrag(), after.pwd(), after.fingerprint()), (before.ufrag(), before.pwd(), before.fingerprint()));
        assert_eq!((after.candidates().len(), after.extra()), (2, before.extra()));
        assert_eq!(mid_of(&sdp), Some("abc"));
        assert!(sdp.contains("a=setup:passive\r\n"), "we are the client");
    }

    #[test]
    fn names_that_only_multicast_resolves_are_left_out() {
        let local = "u|0b5ffc19-5a34-4b1a-b0ea-6d5bcd2a54e1.local|50001|7vh3c|h";
        assert!(!sdp_of(&description(&format!("\"{local}\"")), "0").contains("candidate"));
    }
}
