//! Whose piece goes next on a line that carries those of all connections.

use crate::fetch::PeerKey;

/// A connection with a piece that waits and that its own path has room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// Whose.
    pub peer: PeerKey,
    /// How urgent the piece is; more is sooner.
    pub urgency: u64,
    /// The turn in which it was served last; 0 = never.
    pub served: u64,
    /// Nothing moves on this connection until one more piece follows.
    pub stalled: bool,
}

/// One turn in so many is for whoever was served longest ago, however urgent others are: nobody is taken for silent.
const FAIR_TURN: u64 = 4;

/// Chooses the connection whose piece is sent next.
#[derive(Debug, Default)]
pub struct FairScheduler {
    count: u64,
}

impl FairScheduler {
    /// Who sends a piece now, and the number of its turn: the most urgent piece, among equals that of whoever was served longest ago. Without room on the line only a
    /// stalled connection is served: one packet more costs it less than a timeout.
    pub fn next(&mut self, waiting: &[Waiting], has_room: bool) -> Option<(PeerKey, u64)> {
        let is_fair = (self.count + 1).is_multiple_of(FAIR_TURN);
        let may_go = waiting.iter().filter(|one| has_room || one.stalled);
        let next = may_go.min_by_key(|one| (if is_fair { 0 } else { u64::MAX - one.urgency }, one.served, one.peer))?;
        self.count += 1;
        Some((next.peer, self.count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Peers with this urgency each, served `count` times; in which order.
    fn order(urgencies: &[(PeerKey, u64)], count: usize) -> Vec<PeerKey> {
        let mut scheduler = FairScheduler::default();
        let mut waiting: Vec<Waiting> =
            urgencies.iter().map(|&(peer, urgency)| Waiting { peer, urgency, served: 0, stalled: false }).collect();
        let mut serve = |_| {
            let (peer, turn) = scheduler.next(&waiting, true).unwrap();
            waiting.iter_mut().filter(|one| one.peer == peer).for_each(|one| one.served = turn);
            peer
        };
        (0..count).map(&mut serve).collect()
    }

    #[test]
    fn equals_take_turns() {
        assert_eq!(order(&[(4, 0), (9, 0), (2, 0)], 5), [2, 4, 9, 2, 4]);
    }

    #[test]
    fn what_is_urgent_goes_before_but_nobody_waits_for_ever() {
        assert_eq!(order(&[(1, 3), (4, 0), (9, 3)], 8), [1, 9, 1, 4, 9, 1, 9, 4]);
        assert_eq!(order(&[(1, u64::MAX), (2, 0)], 4), [1, 1, 1, 2]);
    }

    #[test]
    fn on_a_full_line_only_a_stalled_connection_is_served() {
        let mut scheduler = FairScheduler::default();
        let busy = Waiting { peer: 1, urgency: 9, served: 0, stalled: false };
        let stalled = Waiting { peer: 4, urgency: 0, served: 7, stalled: true };
        assert_eq!(scheduler.next(&[busy, stalled], false), Some((4, 1)));
        assert_eq!(scheduler.next(&[busy], false), None);
        assert_eq!(scheduler.next(&[], true), None);
        assert_eq!(scheduler.next(&[busy, stalled], true), Some((1, 2)));
    }
}
