//! Session descriptions as native peers make them. They carry what lets the other end find its connection: nothing else in a simulation does.

use viral_wire::{Description, Digest};

use crate::carrier::ConnId;

/// A description of a visitor's; `conn` = the connection that an answer is for.
#[must_use]
pub fn description(visitor: usize, conn: Option<ConnId>) -> Option<Description> {
    let (slot, turn) = conn.map_or((0, 0), |conn| (conn.slot, conn.turn));
    let fingerprint = Digest::of(&visitor.to_be_bytes());
    let setup = if conn.is_some() { "active" } else { "actpass" };
    let [.., b, c, d] = visitor.to_be_bytes();
    let text =
        format!(r#"["v{visitor:07}","{slot:010}x{turn:013}","{fingerprint}","{setup}",262144,["u|10.{b}.{c}.{d}|50001|zzzzz|h"],[]]"#);
    Description::parse(&text).ok()
}

/// Whose it is.
#[must_use]
pub fn visitor(description: &Description) -> Option<usize> {
    description.ufrag().strip_prefix('v')?.parse().ok()
}

/// Which connection an answer is for.
#[must_use]
pub fn conn(description: &Description) -> Option<ConnId> {
    let (slot, turn) = description.pwd().split_once('x')?;
    Some(ConnId { slot: slot.parse().ok()?, turn: turn.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_made_it_and_which_connection_it_is_for_come_back() {
        let id = ConnId { slot: 12, turn: 3 };
        let answer = description(345, Some(id)).unwrap();
        assert_eq!((visitor(&answer), conn(&answer)), (Some(345), Some(id)));
        assert!(description(999_999, None).is_some());
    }
}
