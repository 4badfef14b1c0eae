//! What other servers of the site are told of this one.

use std::net::IpAddr;

use crate::limits::CLUSTER_NEWS_MAX;

/// What happened that other servers are to be told.
#[derive(Debug, Default)]
pub struct ForOthers {
    /// Addresses from which forgers came.
    pub flagged: Vec<IpAddr>,
    /// Paths of pages of which visits taught something.
    pub pages: Vec<String>,
}

impl ForOthers {
    /// Remembers an address, while somebody may come for it.
    pub fn flag(&mut self, address: IpAddr) {
        if self.flagged.len() < CLUSTER_NEWS_MAX {
            self.flagged.push(address);
        }
    }

    /// The same of a page.
    pub fn learn(&mut self, page: &str) {
        if self.pages.len() < CLUSTER_NEWS_MAX && !self.pages.iter().any(|known| known == page) {
            self.pages.push(page.to_owned());
        }
    }

    /// What is to be told now, of pages at most so many.
    #[must_use]
    pub fn take(&mut self, pages_max: usize) -> Self {
        let pages = self.pages.drain(..self.pages.len().min(pages_max)).collect();
        Self { flagged: std::mem::take(&mut self.flagged), pages }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_told_once_and_what_waits_has_a_limit() {
        let mut for_others = ForOthers::default();
        for n in 0..=CLUSTER_NEWS_MAX {
            for_others.learn(&format!("/{n}"));
            for_others.learn("/0");
            for_others.flag(IpAddr::from([192, 0, 2, 7]));
        }
        assert_eq!((for_others.pages.len(), for_others.flagged.len()), (CLUSTER_NEWS_MAX, CLUSTER_NEWS_MAX));
        let first = for_others.take(2);
        assert_eq!((first.pages, first.flagged.len()), (vec!["/0".to_owned(), "/1".to_owned()], CLUSTER_NEWS_MAX));
        let rest = for_others.take(usize::MAX);
        assert_eq!((rest.pages.len(), rest.flagged.len()), (CLUSTER_NEWS_MAX - 2, 0));
    }
}
