//! Certificates and keys: read, looked at, made.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::time::{Duration, SystemTime};

#[cfg(test)]
use base64::Engine as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest as _, Sha256};
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use super::error::TlsError;
use super::validity::Validity;

/// The certificates in a file, that of the host first.
///
/// # Errors
/// When it cannot be read or there is none.
pub(super) fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let unreadable = |error: String| TlsError::Unreadable { path: path.to_owned(), error };
    let found = CertificateDer::pem_file_iter(path).map_err(|error| unreadable(error.to_string()))?;
    let chain: Vec<_> = found.collect::<Result<_, _>>().map_err(|error| unreadable(error.to_string()))?;
    if chain.is_empty() { Err(TlsError::NoCertificate { path: path.to_owned() }) } else { Ok(chain) }
}

/// The private key in a file.
///
/// # Errors
/// When it cannot be read or there is none.
pub(super) fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_file(path).map_err(|error| TlsError::Unreadable { path: path.to_owned(), error: error.to_string() })
}

/// From when to when the first certificate counts. What cannot be read counts always: the handshake will tell.
pub(super) fn validity(chain: &[CertificateDer<'_>]) -> Validity {
    let der = chain.first().map_or(&[][..], |first| first.as_ref());
    let fingerprint = Sha256::digest(der).iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":");
    let at = |seconds: i64| SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    let parsed = X509Certificate::from_der(der).ok().map(|(_, parsed)| {
        let validity = parsed.validity();
        (at(validity.not_before.timestamp()), at(validity.not_after.timestamp()))
    });
    // Far enough, and still a date that can be written.
    let (from, until) = parsed.unwrap_or((SystemTime::UNIX_EPOCH, at(253_402_300_799)));
    Validity { from, until, fingerprint }
}

/// Whether a certificate says that it may sign no others. Old ones say nothing of that.
pub(super) fn is_of_no_authority(der: &CertificateDer<'_>) -> bool {
    let Ok((_, parsed)) = X509Certificate::from_der(der) else { return false };
    matches!(parsed.basic_constraints(), Ok(Some(constraints)) if !constraints.value.ca)
}

/// The names of the first certificate, in lower case, and its addresses as a URL has them.
pub(super) fn names(chain: &[CertificateDer<'_>]) -> Vec<String> {
    let der = chain.first().map_or(&[][..], |first| first.as_ref());
    let Ok((_, parsed)) = X509Certificate::from_der(der) else { return Vec::new() };
    let Ok(Some(extension)) = parsed.subject_alternative_name() else { return Vec::new() };
    extension.value.general_names.iter().filter_map(named).collect()
}

fn named(name: &GeneralName<'_>) -> Option<String> {
    if let GeneralName::DNSName(name) = name {
        return Some(name.to_ascii_lowercase());
    }
    let GeneralName::IPAddress(bytes) = name else { return None };
    let v4 = <[u8; 4]>::try_from(*bytes).map(|bytes| Ipv4Addr::from(bytes).to_string());
    v4.or_else(|_| <[u8; 16]>::try_from(*bytes).map(|bytes| format!("[{}]", Ipv6Addr::from(bytes)))).ok()
}

/// A certificate for these names and addresses, signed by itself.
///
/// # Errors
/// When a name is none.
pub(super) fn make(names: Vec<String>) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsError> {
    let fault = |error: rcgen::Error| TlsError::Make(error.to_string());
    let mut params = rcgen::CertificateParams::new(names).map_err(fault)?;
    params.distinguished_name.push(rcgen::DnType::CommonName, "viral, signed by itself");
    let now = SystemTime::now();
    // An hour of clocks that are late; browsers take none that counts for more than 398 days.
    params.not_before = (now - Duration::from_secs(3_600)).into();
    params.not_after = (now + Duration::from_secs(397 * 86_400)).into();
    let key = rcgen::KeyPair::generate().map_err(fault)?;
    let certificate = params.self_signed(&key).map_err(fault)?;
    let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(|error| TlsError::Make(error.to_owned()))?;
    Ok((vec![certificate.der().clone()], key))
}

/// The PEM form of something.
#[cfg(test)]
pub(super) fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", base64::prelude::BASE64_STANDARD.encode(der))
}
