//! Certificates of single sites, for whoever asks for their hosts.

use super::certificate;
use super::error::TlsError;
use super::pair::{Certificate, TlsFiles};
use crate::config::HostPattern;

/// One of several sites, and where its certificate is if it has one of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteFiles {
    /// For which hosts it is there.
    pub host: HostPattern,
    /// Whether it is there for all other hosts, too.
    pub is_default: bool,
    /// Its certificate; none where it is shown those of all.
    pub files: Option<TlsFiles>,
    /// What names it in a message: `site app.example (viral.toml line 7)`.
    pub place: String,
}

/// What was read of sites, to be shown by [`Tls::show_sites`](super::Tls::show_sites).
#[derive(Debug)]
pub struct SiteCertificates {
    pub(super) sites: Vec<SiteCertificate>,
    /// Those that cannot be shown now since they do not count.
    pub expired: Vec<TlsError>,
}

/// A site, and its certificate as long as there is one that can be shown.
#[derive(Debug, Clone)]
pub(super) struct SiteCertificate {
    pub(super) site: SiteFiles,
    pub(super) certificate: Option<Certificate>,
}

/// A certificate of a site that is not for its hosts. Browsers warn of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForOtherHosts {
    /// What names the site.
    pub place: String,
    /// Its hosts.
    pub host: String,
    /// Those that the certificate names.
    pub names: Vec<String>,
}

impl SiteCertificates {
    /// Reads those of `sites`. One whose files `before` has is taken from there.
    pub(super) fn read(sites: Vec<SiteFiles>, before: &[SiteCertificate]) -> Result<Self, TlsError> {
        let mut read = Self { sites: Vec::new(), expired: Vec::new() };
        for site in sites {
            let certificate = match (having(before, &site), &site.files) {
                (Some(known), _) => known.certificate.clone(),
                (None, None) => None,
                (None, Some(files)) => match Certificate::read(files) {
                    Ok(certificate) => Some(certificate),
                    Err(error @ TlsError::Expired { .. }) => {
                        read.expired.push(error.of_site(&site.place));
                        None
                    }
                    Err(error) => return Err(error.of_site(&site.place)),
                },
            };
            read.sites.push(SiteCertificate { site, certificate });
        }
        Ok(read)
    }

    /// The sites, with what is shown now where it was read meanwhile.
    pub(super) fn with_newer(self, shown: &[SiteCertificate]) -> Vec<SiteCertificate> {
        let newer = |site: &SiteFiles| having(shown, site)?.certificate.clone();
        let with_newer = |SiteCertificate { site, certificate }| SiteCertificate { certificate: newer(&site).or(certificate), site };
        self.sites.into_iter().map(with_newer).collect()
    }

    /// What names the sites that have no certificate of their own.
    pub fn without(&self) -> impl Iterator<Item = &str> {
        self.sites.iter().filter(|site| site.site.files.is_none()).map(|site| site.site.place.as_str())
    }

    /// Whether any site has a certificate of its own that can be shown.
    pub fn are_any(&self) -> bool {
        self.sites.iter().any(|site| site.certificate.is_some())
    }

    /// The certificates that are not for the hosts of their sites.
    pub fn for_other_hosts(&self) -> Vec<ForOtherHosts> {
        let unfit = |SiteCertificate { site, certificate }: &SiteCertificate| {
            let names = certificate::names(&certificate.as_ref()?.certified.cert);
            let host = site.host.to_string();
            (!is_for(&names, &host)).then(|| ForOtherHosts { place: site.place.clone(), host, names })
        };
        self.sites.iter().filter_map(unfit).collect()
    }
}

impl SiteCertificate {
    /// Reads the files anew. Of a fault nothing changes.
    pub(super) fn reload(&mut self) -> Result<(), TlsError> {
        if let Some(files) = &self.site.files {
            self.certificate = Some(Certificate::read(files).map_err(|error| error.of_site(&self.site.place))?);
        }
        Ok(())
    }
}

/// The one with the same files, if the site has any.
fn having<'s>(sites: &'s [SiteCertificate], site: &SiteFiles) -> Option<&'s SiteCertificate> {
    sites.iter().find(|known| site.files.is_some() && known.site.files == site.files)
}

/// Whether a certificate of these names is for a host, or for all below one.
fn is_for(names: &[String], host: &str) -> bool {
    let below = host.split_once('.').filter(|(first, _)| *first != "*").map(|(_, above)| format!("*.{above}"));
    names.iter().any(|name| name == host || Some(name) == below.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_for_a_host_by_its_name_or_by_a_star_in_place_of_the_first_label() {
        let names = ["a.example".to_owned(), "*.b.example".to_owned(), "192.0.2.1".to_owned(), "[::1]".to_owned()];
        for host in ["a.example", "x.b.example", "*.b.example", "192.0.2.1", "[::1]"] {
            assert!(is_for(&names, host), "{host}");
        }
        for host in ["b.example", "x.y.b.example", "x.a.example", "*.a.example", "localhost", "*.x.b.example"] {
            assert!(!is_for(&names, host), "{host}");
        }
    }
}
