//! Which of several sites is asked for: by the host.

use std::sync::Arc;

use arc_swap::ArcSwap;
use http::{HeaderMap, header};

use crate::config::HostPattern;

/// Sites by host, exchanged while they are served.
pub(crate) struct HostTable<T> {
    entries: ArcSwap<Vec<Entry<T>>>,
}

/// One site of the table.
pub(crate) struct Entry<T> {
    pub(crate) host: HostPattern,
    /// Whether it also has the hosts that no site has.
    pub(crate) is_default: bool,
    pub(crate) site: Arc<T>,
}

impl<T> HostTable<T> {
    pub(crate) fn new(entries: Vec<Entry<T>>) -> Self {
        Self { entries: ArcSwap::from_pointee(entries) }
    }

    /// From now on these.
    pub(crate) fn replace(&self, entries: Vec<Entry<T>>) {
        self.entries.store(Arc::new(entries));
    }

    /// The site that is asked for by the `Host` of a request. What else is said of hosts may be the visitor's own word, which proxies pass on.
    pub(crate) fn find(&self, headers: &HeaderMap) -> Option<Arc<T>> {
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).map(name_of).unwrap_or_default();
        let entries = self.entries.load();
        let named = entries.iter().filter(|entry| entry.host.is_of(&host)).max_by_key(|entry| entry.host.closeness());
        named.or_else(|| entries.iter().find(|entry| entry.is_default)).map(|entry| Arc::clone(&entry.site))
    }
}

/// A host in lower case, without its port and the dot of the root.
fn name_of(host: &str) -> String {
    let name = if host.starts_with('[') { host.split_inclusive(']').next() } else { host.split(':').next() };
    name.unwrap_or_default().trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(hosts: &[(&str, bool)], headers: &[(&'static str, &str)]) -> Option<String> {
        let entries = hosts
            .iter()
            .map(|(host, is_default)| Entry { host: host.parse().unwrap(), is_default: *is_default, site: Arc::new((*host).to_owned()) })
            .collect();
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        HostTable::new(entries).find(&headers).map(|site| site.to_string())
    }

    #[test]
    fn the_closest_host_is_meant_and_else_the_default() {
        let sites = [("*.example", false), ("*.app.example", false), ("a.app.example", false), ("[::1]", false)];
        for (host, site) in [
            ("a.app.example", Some("a.app.example")),
            ("A.App.Example.:8080", Some("a.app.example")),
            ("b.app.example", Some("*.app.example")),
            ("app.example:80", Some("*.example")),
            ("[::1]:8080", Some("[::1]")),
            ("example", None),
            ("other.test", None),
        ] {
            assert_eq!(found(&sites, &[("host", host)]).as_deref(), site, "{host}");
            let with_default = [&sites[..], &[("last.test", true)]].concat();
            assert_eq!(found(&with_default, &[("host", host)]).as_deref(), Some(site.unwrap_or("last.test")), "{host}");
        }
        assert_eq!(found(&sites, &[]), None);
    }

    #[test]
    fn nobody_chooses_a_site_by_another_header() {
        let sites = [("a.test", false), ("b.test", false)];
        let headers = [("host", "a.test"), ("x-forwarded-host", "b.test"), ("forwarded", "host=b.test"), ("x-forwarded-for", "192.0.2.7")];
        assert_eq!(found(&sites, &headers).as_deref(), Some("a.test"));
    }
}
