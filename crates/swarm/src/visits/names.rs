//! Paths, each kept once however many visits were sent it.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Every path in use and how often it is used.
#[derive(Debug, Default)]
pub(super) struct Names {
    known: BTreeMap<Arc<str>, usize>,
    uses: usize,
}

impl Names {
    /// One more use of this path.
    pub(super) fn intern(&mut self, path: &str) -> Arc<str> {
        self.uses += 1;
        if let Some((known, _)) = self.known.get_key_value(path) {
            let known = Arc::clone(known);
            *self.known.entry(Arc::clone(&known)).or_default() += 1;
            return known;
        }
        let name: Arc<str> = path.into();
        self.known.insert(Arc::clone(&name), 1);
        name
    }

    /// One use less.
    pub(super) fn release(&mut self, path: &Arc<str>) {
        let Some(count) = self.known.get_mut(path) else { return };
        self.uses -= 1;
        *count -= 1;
        if *count == 0 {
            self.known.remove(path);
        }
    }

    /// The path as it is kept, if anybody uses it.
    pub(super) fn get(&self, path: &str) -> Option<&Arc<str>> {
        self.known.get_key_value(path).map(|(known, _)| known)
    }

    /// Uses of all paths together.
    pub(super) fn uses(&self) -> usize {
        self.uses
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_kept_as_long_as_somebody_uses_it() {
        let mut names = Names::default();
        let (one, two) = (names.intern("/a"), names.intern("/a"));
        assert!(Arc::ptr_eq(&one, &two) && names.uses() == 2);
        names.release(&one);
        assert!(names.get("/a").is_some());
        names.release(&two);
        assert!(names.get("/a").is_none() && names.uses() == 0);
        names.release(&two);
        assert_eq!(names.uses(), 0, "released once too often");
    }
}
