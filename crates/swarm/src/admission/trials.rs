//! Who is answered otherwise since the operator tries something out, or since it does not pay.

use super::{Evidence, Policy, Reason};
use crate::rollout::Rollout;

/// Why a visitor who could take part gets the page as it is, if it does. Whoever runs a native peer wants to take part.
pub(super) fn left_out(evidence: &Evidence, policy: &Policy) -> Option<Reason> {
    let Rollout { holdout, shadow, .. } = policy.rollout;
    match evidence.lot {
        _ if evidence.is_native_peer => None,
        _ if shadow => Some(Reason::Shadow),
        Some(lot) if lot.is_held_out(holdout) => Some(Reason::Holdout),
        Some(_) | None => None,
    }
}

/// Why a visitor is not answered thin who could be, if it is not.
pub(super) fn held_back(evidence: &Evidence, policy: &Policy) -> Option<Reason> {
    match evidence.lot {
        _ if evidence.is_native_peer => None,
        Some(lot) if !lot.is_on_ramp(policy.rollout.ramp) => Some(Reason::Ramp),
        Some(_) | None => evidence.is_not_worth_it.then_some(Reason::NotWorthIt),
    }
}
