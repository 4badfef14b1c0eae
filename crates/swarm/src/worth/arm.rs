//! What is compared with what.

use crate::admission::{Decision, Reason};

/// What a visit is compared as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arm {
    /// It took the page from others.
    Thin,
    /// It came whole, to be given to others: whoever came when nobody had it, so no fair draw.
    Full,
    /// It was drawn to get the page as it is.
    Holdout,
}

impl Arm {
    /// All of them, in the order of declaration.
    pub const ALL: [Self; 3] = [Self::Thin, Self::Full, Self::Holdout];

    /// What a first visit with this answer is; none where it is of no use to compare.
    #[must_use]
    pub const fn of(decision: Decision) -> Option<Self> {
        match decision {
            Decision::Thin(Reason::PeerNear | Reason::Crowd) => Some(Self::Thin),
            Decision::Full(Reason::NoPeerNear | Reason::Ramp | Reason::NotWorthIt | Reason::Learning) => Some(Self::Full),
            Decision::Plain(Reason::Holdout) => Some(Self::Holdout),
            Decision::Full(_) | Decision::Thin(_) | Decision::Plain(_) | Decision::Asset => None,
        }
    }

    /// Its name in numbers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Thin => "thin",
            Self::Full => "full",
            Self::Holdout => "holdout",
        }
    }
}
