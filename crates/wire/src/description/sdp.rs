//! The compact form from SDP text as a browser gives it: the loader sends its answers so, and is spared the code that does this.

use std::fmt::Write as _;

use super::{Description, DescriptionError, Parts};
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
