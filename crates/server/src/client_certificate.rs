//! The certificate that a visitor showed, as the service behind hears of it (RFC 9440).

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue, request::Parts};
use viral_swarm::request::CertificateFrom;

use crate::limits::{CLIENT_CERT_CHAIN_LEN_MAX, CLIENT_CERT_LEN_MAX};

/// The visitor's certificate: a structured field (RFC 8941) that is one sequence of bytes, its DER form.
const CLIENT_CERT: HeaderName = HeaderName::from_static("client-cert");

/// Those between it and the authority, a list of the same, the one that signed it first.
const CLIENT_CERT_CHAIN: HeaderName = HeaderName::from_static("client-cert-chain");

/// A certificate that a visitor showed and that an authority of [`Config::tls_client_ca`](crate::config::Config::tls_client_ca) signed, or of which a trusted proxy
/// says the same. What is answered to a request that has one in its extensions is for this visitor alone. Clones share it.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    certificate: HeaderValue,
    chain: Option<HeaderValue>,
}

impl ClientCertificate {
    /// Of this certificate and those above it, in DER form. None where the certificate alone is beyond [`CLIENT_CERT_LEN_MAX`]; certificates above it that are beyond
    /// [`CLIENT_CERT_CHAIN_LEN_MAX`] are left out.
    #[cfg(any(feature = "tls", test))]
    pub(crate) fn of(certificate: &[u8], above: &[&[u8]]) -> Option<Self> {
        let certificate = within(sequence(certificate), CLIENT_CERT_LEN_MAX)?;
        let listed = above.iter().map(|der| sequence(der)).collect::<Vec<_>>().join(", ");
        let chain = if above.is_empty() { None } else { within(listed, CLIENT_CERT_CHAIN_LEN_MAX) };
        Some(Self { certificate, chain })
    }

    /// What a trusted proxy says; none where it names no certificate, or it cannot be told which.
    fn said(headers: &HeaderMap) -> Option<Self> {
        let mut certificates = headers.get_all(CLIENT_CERT).iter();
        let (Some(certificate), None) = (certificates.next(), certificates.next()) else { return None };
        let text = certificate.to_str().ok()?.trim();
        let encoded = text.strip_prefix(':')?.strip_suffix(':')?;
        if text.len() > CLIENT_CERT_LEN_MAX || BASE64_STANDARD.decode(encoded).ok()?.is_empty() {
            return None;
        }
        let lines: Option<Vec<&str>> = headers.get_all(CLIENT_CERT_CHAIN).iter().map(|line| line.to_str().ok()).collect();
        let chain = lines.filter(|lines| !lines.is_empty()).and_then(|lines| within(lines.join(", "), CLIENT_CERT_CHAIN_LEN_MAX));
        Some(Self { certificate: certificate.clone(), chain })
    }

    /// Takes out what a request says of certificates, however it is spelt: some servers take `Client_Cert` for the same.
    pub fn remove_from(headers: &mut HeaderMap) {
        let is_said = |name: &&HeaderName| [CLIENT_CERT, CLIENT_CERT_CHAIN].iter().any(|known| is_spelt(name.as_str(), known.as_str()));
        let said: Vec<HeaderName> = headers.keys().filter(is_said).cloned().collect();
        for name in said {
            headers.remove(name);
        }
    }

    /// Says it in a request, in place of what that says.
    pub fn put_into(&self, headers: &mut HeaderMap) {
        Self::remove_from(headers);
        headers.insert(CLIENT_CERT, self.certificate.clone());
        if let Some(chain) = &self.chain {
            headers.insert(CLIENT_CERT_CHAIN, chain.clone());
        }
    }

    /// Leaves in a request the certificate of the visitor alone: in its extensions, and nowhere else. False where a proxy that is believed says something that is
    /// none: then its visitor counts as one without.
    pub(crate) fn settle(request: &mut Parts, from: CertificateFrom) -> bool {
        match from {
            CertificateFrom::Connection => {}
            CertificateFrom::Headers | CertificateFrom::Nowhere => _ = request.extensions.remove::<Self>(),
        }
        let is_said = from == CertificateFrom::Headers && request.headers.contains_key(CLIENT_CERT);
        let said = if is_said { Self::said(&request.headers) } else { None };
        let is_understood = !is_said || said.is_some();
        if let Some(said) = said {
            request.extensions.insert(said);
        }
        Self::remove_from(&mut request.headers);
        is_understood
    }
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // It names a person.
        f.debug_struct("ClientCertificate").finish_non_exhaustive()
    }
}

/// Whether a name is this one, but for lines below in place of dashes. Every header of every request is asked, so nothing is copied.
fn is_spelt(name: &str, known: &str) -> bool {
    let is_same = |(said, known)| said == known || (said, known) == (b'_', b'-');
    name.len() == known.len() && name.bytes().zip(known.bytes()).all(is_same)
}

#[cfg(any(feature = "tls", test))]
fn sequence(der: &[u8]) -> String {
    format!(":{}:", BASE64_STANDARD.encode(der))
}

fn within(text: String, len_max: usize) -> Option<HeaderValue> {
    HeaderValue::try_from(text).ok().filter(|value| value.len() <= len_max)
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn said(certificate: &ClientCertificate) -> Vec<(String, String)> {
        let mut headers = HeaderMap::new();
        certificate.put_into(&mut headers);
        headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect()
    }

    #[test]
    fn a_certificate_is_a_sequence_of_bytes_and_those_above_it_are_a_list() {
        // As in RFC 9440 section 2.1: base64 between colons.
        let certificate = ClientCertificate::of(&[0x30, 0x82, 1], &[&[0x30], &[0x31]]).unwrap();
        let expected = [("client-cert", ":MIIB:"), ("client-cert-chain", ":MA==:, :MQ==:")];
        assert_eq!(said(&certificate), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(said(&ClientCertificate::of(&[0x30], &[]).unwrap()), [("client-cert".to_owned(), ":MA==:".to_owned())]);
        assert_eq!(format!("{certificate:?}"), "ClientCertificate { .. }");
    }

    #[test]
    fn what_is_too_long_is_refused_and_a_chain_that_is_too_long_left_out() {
        // Two colons, and four characters of base64 for each three bytes.
        let (most, more) = (vec![0; (CLIENT_CERT_LEN_MAX - 2) / 4 * 3], vec![0; CLIENT_CERT_LEN_MAX / 4 * 3]);
        assert!(ClientCertificate::of(&most, &[]).is_some() && ClientCertificate::of(&more, &[]).is_none());
        let of_chain = |len: usize| said(&ClientCertificate::of(&[1], &[&vec![0; len]]).unwrap()).len();
        assert_eq!((of_chain((CLIENT_CERT_CHAIN_LEN_MAX - 2) / 4 * 3), of_chain(CLIENT_CERT_CHAIN_LEN_MAX / 4 * 3)), (2, 1));
    }

    fn settled(from: CertificateFrom, shown: bool, lines: &[(&'static str, &str)]) -> (Option<ClientCertificate>, usize) {
        let mut request = Request::new(()).into_parts().0;
        if shown {
            request.extensions.insert(ClientCertificate::of(b"shown", &[]).unwrap());
        }
        for (name, value) in lines {
            request.headers.append(*name, value.parse().unwrap());
        }
        let is_understood = ClientCertificate::settle(&mut request, from);
        assert_eq!(
            is_understood,
            from != CertificateFrom::Headers
                || !lines.iter().any(|(name, _)| *name == "client-cert")
                || request.extensions.get::<ClientCertificate>().is_some()
        );
        (request.extensions.get().cloned(), request.headers.len())
    }

    #[test]
    fn nobody_says_of_itself_which_certificate_it_has() {
        let lines =
            [("client-cert", ":MA==:"), ("client_cert", ":MA==:"), ("client-cert-chain", ":MQ==:"), ("client_cert-chain", ":MQ==:")];
        assert_eq!(settled(CertificateFrom::Connection, false, &lines), (None, 0));
        assert_eq!(settled(CertificateFrom::Connection, true, &lines), (ClientCertificate::of(b"shown", &[]), 0), "of the handshake alone");
        assert_eq!(settled(CertificateFrom::Nowhere, true, &lines), (None, 0));
        assert_eq!(settled(CertificateFrom::Headers, true, &[]), (None, 0));
    }

    #[test]
    fn a_proxy_that_is_believed_says_which_certificate_the_visitor_has() {
        let lines = [("client-cert", ":MA==:"), ("client-cert-chain", ":MQ==:"), ("client-cert-chain", ":Mg==:"), ("accept", "*/*")];
        let (certificate, left) = settled(CertificateFrom::Headers, true, &lines);
        let said = said(&certificate.unwrap());
        assert_eq!((said[0].1.as_str(), said[1].1.as_str(), left), (":MA==:", ":MQ==:, :Mg==:", 1));
        let long = format!(":{}:", "MA==".repeat(CLIENT_CERT_LEN_MAX / 4));
        for wrong in ["", "::", ":", "MA==", ":no base64:", ":MA==", &long] {
            assert_eq!(settled(CertificateFrom::Headers, false, &[("client-cert", wrong)]).0, None, "{wrong}");
        }
        assert_eq!(settled(CertificateFrom::Headers, false, &[("client-cert", ":MA==:"), ("client-cert", ":MQ==:")]).0, None);
        assert_eq!(settled(CertificateFrom::Headers, false, &[("client-cert-chain", ":MQ==:")]).0, None);
    }
}
