//! What the operator says of paths.

use viral_site::is_of_pattern;
use viral_swarm::admission::SharingRule;

/// Patterns of paths, in which `*` stands for any characters: `/assets/*`. Of a path that is in both lists `never` counts.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// What may travel though nothing says for how long it is fresh.
    pub share: Vec<String>,
    /// What never travels.
    pub never: Vec<String>,
}

impl Rules {
    /// What is said of a path.
    pub(crate) fn of(&self, path: &str) -> SharingRule {
        let names = |patterns: &[String]| patterns.iter().any(|pattern| is_of_pattern(pattern, path));
        if names(&self.never) {
            SharingRule::Never
        } else if names(&self.share) {
            SharingRule::Share
        } else {
            SharingRule::None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_counts_more_than_share() {
        let rules = Rules { share: vec!["/app/*".to_owned()], never: vec!["/app/me*".to_owned()] };
        assert_eq!(rules.of("/app/x.js"), SharingRule::Share);
        assert_eq!(rules.of("/app/me.json"), SharingRule::Never);
        assert_eq!(rules.of("/"), SharingRule::None);
    }
}
