//! Names, addresses and certificate authorities as `--acme` takes them.

use std::fmt;
use std::str::FromStr;

use http::Uri;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::ValueError;
use super::values::serde_as_text;

/// Longest name, in bytes (RFC 1035 section 2.3.4), and longest part of one.
const NAME_LEN_MAX: usize = 253;
const LABEL_LEN_MAX: usize = 63;

/// Longest address of mail, in bytes (RFC 5321 section 4.5.3.1.3).
const MAIL_LEN_MAX: usize = 254;

/// Let's Encrypt, whose certificates all browsers trust.
const DIRECTORY_DEFAULT: &str = "https://acme-v02.api.letsencrypt.org/directory";

/// A name for which a certificate is ordered, in lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AcmeName(String);

/// An address of mail to which a certificate authority may write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcmeContact(String);

/// The address of a certificate authority's directory (RFC 8555 section 7.1.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcmeDirectory(String);

impl FromStr for AcmeName {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let name = text.trim().to_ascii_lowercase();
        let is_label = |label: &str| {
            (1..=LABEL_LEN_MAX).contains(&label.len())
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        // The last part of a name is no number, which that of an address is.
        let is_address = name.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
        if name.len() > NAME_LEN_MAX || !name.contains('.') || is_address || !name.split('.').all(is_label) {
            return Err(ValueError::AcmeName(text.to_owned()));
        }
        Ok(Self(name))
    }
}

impl FromStr for AcmeContact {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let address = text.trim();
        let is_plain = address.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b',' | b'?' | b'<' | b'>' | b':' | b'%'));
        let has_parts = address.split_once('@').is_some_and(|(who, host)| !who.is_empty() && host.contains('.') && !host.contains('@'));
        if address.len() > MAIL_LEN_MAX || !is_plain || !has_parts {
            return Err(ValueError::AcmeContact(text.to_owned()));
        }
        Ok(Self(address.to_owned()))
    }
}

impl FromStr for AcmeDirectory {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let url = text.trim();
        let is_https = url.parse::<Uri>().is_ok_and(|uri| uri.scheme_str() == Some("https") && uri.host().is_some());
        if is_https { Ok(Self(url.to_owned())) } else { Err(ValueError::AcmeDirectory(text.to_owned())) }
    }
}

impl Default for AcmeDirectory {
    fn default() -> Self {
        Self(DIRECTORY_DEFAULT.to_owned())
    }
}

/// Text in the settings.
macro_rules! as_text {
    ($($name:ty),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        serde_as_text!($name);
    )*};
}

as_text!(AcmeName, AcmeContact, AcmeDirectory);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_that_can_be_proven() {
        assert_eq!("App.Example".parse::<AcmeName>().unwrap().to_string(), "app.example");
        assert!("xn--bcher-kva.example".parse::<AcmeName>().is_ok());
        let long = format!("{}.example", "a".repeat(64));
        for wrong in [
            "",
            "localhost",
            "*.app.example",
            "192.0.2.1",
            "[::1]",
            "bücher.example",
            "a..b",
            "-a.b",
            "a_b.c",
            "app.example:443",
            "https://a.b",
            "a.b.",
            &long,
        ] {
            assert_eq!(wrong.parse::<AcmeName>(), Err(ValueError::AcmeName(wrong.to_owned())));
        }
        assert!("a".repeat(63).parse::<AcmeName>().is_err() && format!("{}.example", "a".repeat(63)).parse::<AcmeName>().is_ok());
    }

    #[test]
    fn a_contact_is_one_address_and_a_directory_is_had_over_tls() {
        assert!("ops@app.example".parse::<AcmeContact>().is_ok());
        for wrong in ["", "ops", "@a.b", "a@b", "a@b.c,d@e.f", "mailto:a@b.c", "a b@c.d", "a@b.c?subject=x"] {
            assert!(wrong.parse::<AcmeContact>().is_err(), "{wrong}");
        }
        assert!(AcmeDirectory::default().to_string().parse::<AcmeDirectory>().is_ok());
        for wrong in ["", "acme.example", "http://acme.example/dir", "https://"] {
            assert!(wrong.parse::<AcmeDirectory>().is_err(), "{wrong}");
        }
    }
}
