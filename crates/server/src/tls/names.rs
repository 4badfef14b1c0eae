//! Which of several certificates a visitor is shown: that of the site it asks for, else the one for the name.

use std::fmt;
use std::sync::Arc;

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::certificate;
use super::challenges::{self, Challenges};
use crate::config::HostPattern;

/// Certificates by name.
pub(super) struct ByName {
    sites: Vec<OfSite>,
    /// Those for all, then those of sites. The first is for whoever asks for no name, or for one that nobody has.
    certificates: Vec<Named>,
    /// What proves to a certificate authority that a name is ours, where there is one.
    challenges: Option<Challenges>,
}

/// The certificate of a site.
pub(super) struct OfSite {
    pub(super) host: HostPattern,
    /// Whether it has the hosts that no site has, too.
    pub(super) is_default: bool,
    /// None where it has none of its own.
    pub(super) certified: Option<Arc<CertifiedKey>>,
}

struct Named {
    /// In lower case; a star stands for one label.
    names: Vec<String>,
    certified: Arc<CertifiedKey>,
}

impl ByName {
    /// These for all, and those of these sites.
    pub(super) fn new(certificates: Vec<Arc<CertifiedKey>>, sites: Vec<OfSite>, challenges: Option<Challenges>) -> Self {
        let named = |certified: Arc<CertifiedKey>| Named { names: certificate::names(&certified.cert), certified };
        let of_sites = |is_default: bool| {
            let found = sites.iter().filter(move |site| site.is_default == is_default);
            found.filter_map(|site| site.certified.clone())
        };
        let certificates = certificates.into_iter().chain(of_sites(true)).chain(of_sites(false)).map(named).collect();
        Self { certificates, sites, challenges }
    }

    /// The certificates that may be shown, the one that fits best first.
    fn fitting(&self, name: &str) -> impl Iterator<Item = &Arc<CertifiedKey>> {
        let name = name.to_ascii_lowercase();
        let above = name.split_once('.').map(|(_, above)| format!("*.{above}"));
        let site = self.sites.iter().filter(|site| site.host.is_of(&name)).max_by_key(|site| site.host.closeness());
        let of_site = site.and_then(|site| site.certified.as_ref());
        let (exactly, below) = (self.having(name), self.having(above.unwrap_or_default()));
        of_site.into_iter().chain(exactly).chain(below).chain(self.certificates.iter().map(|named| &named.certified))
    }

    fn having(&self, name: String) -> impl Iterator<Item = &Arc<CertifiedKey>> {
        self.certificates.iter().filter(move |named| named.names.contains(&name)).map(|named| &named.certified)
    }
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name().unwrap_or_default();
        if challenges::is_looking(&hello) {
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

    fn of(names: &[&str]) -> Arc<CertifiedKey> {
        let (chain, key) = certificate::make(names.iter().map(|name| (*name).to_owned()).collect()).unwrap();
        certified(chain, key).unwrap()
    }

    #[test]
    fn the_closest_name_decides_and_else_the_first_certificate() {
        let all = [of(&["first.example"]), of(&["*.b.example", "b.example"]), of(&["a.b.example"]), of(&["a.b.example"])];
        let by_name = ByName::new(all.to_vec(), Vec::new(), None);
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

    #[test]
    fn whoever_asks_for_a_site_is_shown_its_certificate_whatever_that_names() {
        let all = of(&["all.example", "b.example"]);
        let [a, b, wild, rest] = [of(&["a.example"]), of(&["other.test"]), of(&["*.wild.example"]), of(&["rest.example"])];
        let site = |host: &str, certified: Option<&Arc<CertifiedKey>>| OfSite {
            host: host.parse().unwrap(),
            is_default: host == "rest.example",
            certified: certified.cloned(),
        };
        let sites = || {
            let own = [site("a.example", Some(&a)), site("b.example", Some(&b)), site("*.wild.example", Some(&wild))];
            own.into_iter()
                .chain([site("bare.wild.example", None), site("none.example", None), site("rest.example", Some(&rest))])
                .collect()
        };
        let with_all = ByName::new(vec![Arc::clone(&all)], sites(), None);
        let without = ByName::new(Vec::new(), sites(), None);
        for (name, expected, else_expected) in [
            ("A.example", &a, &a),
            ("b.example", &b, &b),
            ("x.y.wild.example", &wild, &wild),
            // It has none of its own, and that of another names it.
            ("bare.wild.example", &wild, &wild),
            ("none.example", &all, &rest),
            ("other.test", &b, &b),
            ("unknown.test", &all, &rest),
            ("", &all, &rest),
        ] {
            assert!(Arc::ptr_eq(with_all.fitting(name).next().unwrap(), expected), "{name}");
            assert!(Arc::ptr_eq(without.fitting(name).next().unwrap(), else_expected), "{name} without one for all");
        }
    }
}
