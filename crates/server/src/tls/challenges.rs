//! What proves to a certificate authority that a name is ours: certificates by TLS-ALPN-01 (RFC 8737) and answers by HTTP-01 (RFC 8555 section 8.3).

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::server::ClientHello;
use rustls::sign::CertifiedKey;

/// The protocol by which a certificate authority asks.
pub(super) const ALPN: &[u8] = b"acme-tls/1";

/// Whether a client asks as a certificate authority does that looks at a name: for this protocol and no other (RFC 8737 section 3).
pub(super) fn is_looking(hello: &ClientHello<'_>) -> bool {
    hello.alpn().is_some_and(|mut offered| offered.next() == Some(ALPN) && offered.next().is_none())
}

/// Below it lie the answers of HTTP-01.
pub(crate) const HTTP_PATH: &str = "/.well-known/acme-challenge/";

/// What is to be proven now. Clones share it.
#[derive(Clone, Default)]
pub struct Challenges(Arc<Mutex<Open>>);

#[derive(Default)]
struct Open {
    /// By name, in lower case.
    certificates: BTreeMap<String, Arc<CertifiedKey>>,
    /// By token.
    answers: BTreeMap<String, String>,
}

impl Challenges {
    /// What is shown to the certificate authority that asks for a name.
    pub(super) fn certificate(&self, name: &str) -> Option<Arc<CertifiedKey>> {
        self.lock().certificates.get(&name.to_ascii_lowercase()).cloned()
    }

    /// What is answered at a path below [`HTTP_PATH`].
    pub(crate) fn answer(&self, path: &str) -> Option<String> {
        self.lock().answers.get(path.strip_prefix(HTTP_PATH)?).cloned()
    }

    pub(super) fn show(&self, name: &str, certificate: Arc<CertifiedKey>) {
        self.lock().certificates.insert(name.to_ascii_lowercase(), certificate);
    }

    pub(super) fn say(&self, token: &str, answer: &str) {
        self.lock().answers.insert(token.to_owned(), answer.to_owned());
    }

    /// Nothing is to be proven any more.
    pub(super) fn clear(&self) {
        *self.lock() = Open::default();
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        // Nothing in here panics.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Challenges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open = self.lock();
        f.debug_struct("Challenges").field("names", &open.certificates.keys()).field("answers", &open.answers.len()).finish()
    }
}
