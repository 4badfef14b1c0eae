//! Who may ask on the admin address.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::values::ValueError;

/// Shortest token, in characters: of hex digits 64 bits, which nobody guesses over a network.
const TOKEN_LEN_MIN: usize = 16;

/// Longest token, in characters.
const TOKEN_LEN_MAX: usize = 256;

/// What whoever asks on the admin address must say. It is shown nowhere.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AdminToken(String);

impl AdminToken {
    /// The token.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AdminToken {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let is_one = (TOKEN_LEN_MIN..=TOKEN_LEN_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        // The text is a secret, even where it is a bad one.
        if is_one { Ok(Self(text.to_owned())) } else { Err(ValueError::AdminToken) }
    }
}

impl TryFrom<String> for AdminToken {
    type Error = ValueError;

    fn try_from(text: String) -> Result<Self, ValueError> {
        text.parse()
    }
}

impl From<AdminToken> for String {
    fn from(token: AdminToken) -> Self {
        token.0
    }
}

impl fmt::Debug for AdminToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdminToken(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_long_enough_and_never_shown() {
        let token: AdminToken = "0123456789abcdef".parse().unwrap();
        assert_eq!((token.as_str().len(), format!("{token:?}").contains("0123")), (16, false));
        for wrong in ["", "short", "0123456789abcde", "0123456789abcdef ", "schlüssel-schlüssel", &"x".repeat(257)] {
            let error = wrong.parse::<AdminToken>().unwrap_err().to_string();
            assert!(error.contains("16") && error.contains("openssl rand") && (wrong.is_empty() || !error.contains(wrong)), "{error}");
        }
    }
}
