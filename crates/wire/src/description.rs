//! The compact form of an SDP offer or answer, strict enough that no SDP line can be smuggled in it.

use std::{fmt, net::IpAddr, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeTuple as _};
use ts_rs::TS;

pub use candidate::{Address, Candidate, CandidateKind, Transport};

use crate::{
    digest::Digest,
    limits::{CANDIDATES_MAX, DESCRIPTION_LEN_MAX, EXTRA_LINE_LEN_MAX, EXTRA_LINES_MAX, ICE_TEXT_LEN_MAX, PWD_LEN_MIN, UFRAG_LEN_MIN},
    text::is_ice_text,
};

mod candidate;
mod sdp;

/// The DTLS role offered or taken (RFC 8842).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setup {
    /// Either; only in offers.
    Actpass,
    /// DTLS client.
    Active,
    /// DTLS server.
    Passive,
}

/// What one peer must know to connect to another. Fields are private so that every value is a valid one. Read from the compact array or, in an answer, from
/// the SDP text itself; written as the compact array.
#[derive(Debug, Clone, PartialEq, Eq, TS)]
#[ts(
    type = "readonly [ufrag: string, pwd: string, fingerprint: string, setup: 'actpass' | 'active' | 'passive', maxMessageSize: number, candidates: readonly string[], extra: readonly string[]]"
)]
pub struct Description {
    /// User fragment and password, one after the other: trackers keep many descriptions for minutes.
    ice: Box<str>,
    ufrag_len: u16,
    setup: Setup,
    max_message_size: u32,
    fingerprint: Digest,
    candidates: Box<[Candidate]>,
    extra: Box<[String]>,
}

/// Why something is not a description. Always the sender's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DescriptionError {
    /// Over [`DESCRIPTION_LEN_MAX`].
    #[error("description is {len} bytes, limit {max}", max = DESCRIPTION_LEN_MAX)]
    TooLong {
        /// Bytes of the text.
        len: usize,
    },
    /// Not a JSON array of the seven parts.
    #[error("description is not an array of seven parts")]
    Shape,
    /// The user fragment has a wrong length or character.
    #[error("malformed ice user fragment")]
    Ufrag,
    /// The password has a wrong length or character.
    #[error("malformed ice password")]
    Pwd,
    /// Not 64 lower-case hex digits.
    #[error("malformed fingerprint")]
    Fingerprint,
    /// None of the three roles.
    #[error("unknown dtls role")]
    Setup,
    /// Too many candidates, or this one is malformed.
    #[error("candidate {index} is malformed or one too many")]
    Candidate {
        /// Which.
        index: usize,
    },
    /// Too many session lines, or one of a kind that is not passed through.
    #[error("session line {index} is not passed through")]
    Extra {
        /// Which.
        index: usize,
    },
}

/// The JSON array, not yet judged.
type Parts = (String, String, String, String, u32, Vec<String>, Vec<String>);

impl Description {
    /// Reads the JSON array.
    pub fn parse(text: &str) -> Result<Self, DescriptionError> {
        if text.len() > DESCRIPTION_LEN_MAX {
            return Err(DescriptionError::TooLong { len: text.len() });
        }
        serde_json::from_str::<Parts>(text).map_err(|_| DescriptionError::Shape)?.try_into()
    }

    /// Writes the JSON array, in the one form this crate gives it.
    pub fn serialise(&self) -> String {
        serde_json::to_string(self).expect("strings and numbers always have a json form")
    }

    /// ICE user fragment.
    pub fn ufrag(&self) -> &str {
        self.ice.split_at(usize::from(self.ufrag_len)).0
    }

    /// ICE password.
    pub fn pwd(&self) -> &str {
        self.ice.split_at(usize::from(self.ufrag_len)).1
    }

    /// SHA-256 of the DTLS certificate.
    pub fn fingerprint(&self) -> &Digest {
        &self.fingerprint
    }

    /// DTLS role.
    pub fn setup(&self) -> Setup {
        self.setup
    }

    /// Largest message the sender takes, in bytes; 0 means any (RFC 8841 section 6).
    pub fn max_message_size(&self) -> u32 {
        self.max_message_size
    }

    /// Where the sender can be reached, at most [`CANDIDATES_MAX`].
    pub fn candidates(&self) -> &[Candidate] {
        &self.candidates
    }

    /// Session lines passed through, without `a=`.
    pub fn extra(&self) -> &[String] {
        &self.extra
    }

    /// Whether a candidate hides its address behind an mDNS name.
    pub fn has_local_names(&self) -> bool {
        self.candidates.iter().any(|candidate| matches!(candidate.address, Address::Local(_)))
    }

    /// The same with other candidates; at most [`CANDIDATES_MAX`] are taken.
    #[must_use]
    pub fn with_candidates(&self, mut candidates: Vec<Candidate>) -> Self {
        candidates.truncate(CANDIDATES_MAX);
        Self {
            ice: self.ice.clone(),
            ufrag_len: self.ufrag_len,
            setup: self.setup,
            max_message_size: self.max_message_size,
            fingerprint: self.fingerprint,
            candidates: candidates.into(),
            extra: self.extra.clone(),
        }
    }

    /// Replaces the candidates; at most [`CANDIDATES_MAX`] are taken.
    pub fn set_candidates(&mut self, mut candidates: Vec<Candidate>) {
        candidates.truncate(CANDIDATES_MAX);
        self.candidates = candidates.into();
    }

    /// Replaces every `<uuid>.local` by `address`; candidates that thereby become equal are kept once.
    pub fn rewrite_local(&mut self, address: IpAddr) {
        let mut kept: Vec<Candidate> = Vec::new();
        for mut candidate in std::mem::take(&mut self.candidates) {
            if matches!(candidate.address, Address::Local(_)) {
                candidate.address = Address::Ip(address);
            }
            let is_new = |other: &Candidate| other.port != candidate.port || other.address != candidate.address;
            if kept.iter().all(is_new) {
                kept.push(candidate);
            }
        }
        self.candidates = kept.into();
    }
}

impl DescriptionError {
    /// The name of the error in the vectors.
    pub fn token(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "too-long",
            Self::Shape => "shape",
            Self::Ufrag => "ufrag",
            Self::Pwd => "pwd",
            Self::Fingerprint => "fingerprint",
            Self::Setup => "setup",
            Self::Candidate { .. } => "candidate",
            Self::Extra { .. } => "extra",
        }
    }
}

impl Setup {
    fn as_str(self) -> &'static str {
        match self {
            Self::Actpass => "actpass",
            Self::Active => "active",
            Self::Passive => "passive",
        }
    }
}

impl FromStr for Setup {
    type Err = DescriptionError;

    fn from_str(text: &str) -> Result<Self, DescriptionError> {
        let roles = [Self::Actpass, Self::Active, Self::Passive];
        roles.into_iter().find(|role| role.as_str() == text).ok_or(DescriptionError::Setup)
    }
}

impl TryFrom<Parts> for Description {
    type Error = DescriptionError;

    fn try_from((ufrag, pwd, fingerprint, setup, max_message_size, candidates, extra): Parts) -> Result<Self, DescriptionError> {
        if !is_ice_text(&ufrag, UFRAG_LEN_MIN, ICE_TEXT_LEN_MAX) {
            return Err(DescriptionError::Ufrag);
        }
        if !is_ice_text(&pwd, PWD_LEN_MIN, ICE_TEXT_LEN_MAX) {
            return Err(DescriptionError::Pwd);
        }
        let fingerprint = fingerprint.parse().map_err(|_| DescriptionError::Fingerprint)?;
        let setup = setup.parse()?;
        if candidates.len() > CANDIDATES_MAX {
            return Err(DescriptionError::Candidate { index: CANDIDATES_MAX });
        }
        let candidates = candidates.iter().enumerate();
        let candidates = candidates.map(|(index, text)| text.parse().map_err(|_| DescriptionError::Candidate { index }));
        let candidates = candidates.collect::<Result<_, _>>()?;
        let refused = extra.iter().position(|line| !is_extra_line(line));
        match refused.or((extra.len() > EXTRA_LINES_MAX).then_some(EXTRA_LINES_MAX)) {
            Some(index) => Err(DescriptionError::Extra { index }),
            None => {
                let ufrag_len = u16::try_from(ufrag.len()).map_err(|_| DescriptionError::Ufrag)?;
                let ice = (ufrag + &pwd).into_boxed_str();
                Ok(Self { ice, ufrag_len, setup, max_message_size, fingerprint, candidates, extra: extra.into() })
            }
        }
    }
}

impl Serialize for Description {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut array = serializer.serialize_tuple(7)?;
        array.serialize_element(self.ufrag())?;
        array.serialize_element(self.pwd())?;
        array.serialize_element(&self.fingerprint)?;
        array.serialize_element(self.setup.as_str())?;
        array.serialize_element(&self.max_message_size)?;
        array.serialize_element(&self.candidates.iter().map(ToString::to_string).collect::<Vec<_>>())?;
        array.serialize_element(self.extra())?;
        array.end()
    }
}

impl<'de> Deserialize<'de> for Description {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// The two forms in which a description may come.
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Sdp(String),
            Compact(Parts),
        }
        match Form::deserialize(deserializer)? {
            Form::Sdp(sdp) => Self::from_sdp(&sdp),
            Form::Compact(parts) => parts.try_into(),
        }
        .map_err(de::Error::custom)
    }
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.serialise())
    }
}

/// `sctp-init:` and base64: the one session line that matters and the only characters it is made of.
fn is_extra_line(line: &str) -> bool {
    line.len() <= EXTRA_LINE_LEN_MAX
        && line
            .strip_prefix("sctp-init:")
            .is_some_and(|value| !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte)))
}
