//! What each visitor comes with.

use crate::run::Contestant;
use crate::scenario::{Role, Visitor};
use crate::visit::{Stage, Visit, hostile, native, plain};

/// A visitor's program.
pub enum Guest {
    /// The native peer, started when its visitor comes.
    Native,
    /// The native peer, which will fail.
    Failing,
    /// A peer that forges.
    Forging,
    /// The plain client.
    Plain,
}

impl Guest {
    /// What `visitor` comes with.
    #[must_use]
    pub fn of(visitor: &Visitor, contestant: Contestant) -> Self {
        match (contestant, visitor.role) {
            (Contestant::Nginx, _) => Self::Plain,
            (Contestant::Viral, Role::Honest | Role::Slow) => Self::Native,
            (Contestant::Viral, Role::Dead | Role::Silent) => Self::Failing,
            (Contestant::Viral, Role::Forging) => Self::Forging,
        }
    }

    /// The whole visit, on the thread of the visitor's namespace; `report` is called once, as soon as the outcome is known. How many bytes it forged.
    ///
    /// # Errors
    /// When a visitor that has to be hostile cannot be.
    pub fn visit(self, stage: &Stage, (index, visitor): (usize, &Visitor), report: impl FnOnce(Visit)) -> anyhow::Result<u64> {
        match self {
            Self::Native => native::visit(stage, index, visitor, report),
            Self::Failing => hostile::fail(stage, index, visitor, report),
            Self::Forging => return hostile::forge(stage, index, visitor, report),
            Self::Plain => plain::visit(stage, index, visitor, report),
        }
        Ok(0)
    }
}
