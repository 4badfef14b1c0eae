//! Which of several certificates a visitor is shown: the one for the name it asks for.

use std::fmt;
use std::sync::Arc;

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::certificate;
use super::challenges::{self, Challenges};

/// Certificates by name. The first is for whoever asks for no name, or for one that none of them has.
pub(super) struct ByName {
    certificates: Vec<Named>,
    /// What proves to a certificate authority that a name is ours, where there is one.
    challenges: Option<Challenges>,
}

struct Named {
    /// In lower case; a star stands for one label.
    names: Vec<String>,
    certified: Arc<CertifiedKey>,
}

impl ByName {
    pub(super) fn new(certificates: Vec<Arc<CertifiedKey>>, challenges: Option<Challenges>) -> Self {
        let named = |certified: Arc<CertifiedKey>| Named { names: certificate::names(&certified.cert), certified };
        Self { certificates: certificates.into_iter().map(named).collect(), challenges }
    }

    /// The certificates that may be shown, the one that fits best first.
    fn fitting(&self, name: &str) -> impl Iterator<Item = &Arc<CertifiedKey>> {
        let name = name.to_ascii_lowercase();
        let above = name.split_once('.').map(|(_, above)| format!("*.{above}"));
        let (exactly, below) = (self.having(name), self.having(above.unwrap_or_default()));
        exactly.chain(below).chain(self.certificates.iter().map(|named| &named.certified))
    }

    fn having(&self, name: String) -> impl Iterator<Item = &Arc<CertifiedKey>> {
        self.certificates.iter().filter(move |named| named.names.contains(&name)).map(|named| &named.certified)
    }
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name().unwrap_or_default();
        if hello.alpn().is_some_and(|mut offered| offered.any(|protocol| protocol == challenges::ALPN)) {
            return self.challenges.as_ref()?.certificate(name);
        }
        // One name may have a certificate for old clients and one for new ones.
        let is_understood = |certified: &&Arc<CertifiedKey>| certified.key.choose_scheme(hello.signature_schemes()).is_some();
        self.fitting(name).find(is_understood).or_else(|| self.fitting(name).next()).cloned()
    }
}

impl fmt::Debug for ByName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.certificates.iter().map(|named| &named.names)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{certificate, certified::certified};
    use super::*;

    #[test]
    fn the_closest_name_decides_and_else_the_first_certificate() {
        let of = |names: &[&str]| {
            let (chain, key) = certificate::make(names.iter().map(|name| (*name).to_owned()).collect()).unwrap();
            certified(chain, key).unwrap()
        };
        let all = [of(&["first.example"]), of(&["*.b.example", "b.example"]), of(&["a.b.example"]), of(&["a.b.example"])];
        let by_name = ByName::new(all.to_vec(), None);
        for (name, expected) in [
            ("first.example", 0),
            ("B.example", 1),
            ("x.b.example", 1),
            ("A.b.example", 2),
            ("x.y.b.example", 0),
            ("other.test", 0),
            ("", 0),
            ("*.b.example", 1),
        ] {
            assert!(Arc::ptr_eq(by_name.fitting(name).next().unwrap(), &all[expected]), "{name}");
        }
    }
}
