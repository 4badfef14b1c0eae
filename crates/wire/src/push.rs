//! What a seeder sends unasked and a leecher may expect unasked: one computation for both ends.

use crate::{digest::PieceId, record::Piece, signal::Push};

/// The pieces of `push`, in the order they are sent.
///
/// `pieces` are the manifest's distinct pieces in order of first appearance. Of those, every `stripes`th beginning at
/// `stripe` is taken, up to the first that would exceed `budget` raw bytes.
pub fn planned(push: &Push, pieces: &[Piece]) -> Vec<PieceId> {
    let stripes = usize::from(push.stripes).max(1);
    let mut left = push.budget;
    pieces
        .iter()
        .skip(usize::from(push.stripe))
        .step_by(stripes)
        .map_while(|piece| {
            left = left.checked_sub(piece.len)?;
            Some(piece.id())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    fn plan(stripe: u8, stripes: u8, budget: u32, lens: &[u32]) -> Vec<usize> {
        let pieces: Vec<_> = lens.iter().enumerate().map(|(at, len)| Piece { len: *len, digest: Digest([at as u8; 32]) }).collect();
        let push = Push { manifest: Digest([0; 32]), stripe, stripes, budget };
        planned(&push, &pieces).iter().map(|id| usize::from(id.as_bytes()[0])).collect()
    }

    #[test]
    fn stripes_share_the_pieces_without_overlap() {
        assert_eq!(plan(0, 2, 100, &[10; 5]), [0, 2, 4]);
        assert_eq!(plan(1, 2, 100, &[10; 5]), [1, 3]);
        assert_eq!(plan(0, 1, 100, &[10; 3]), [0, 1, 2]);
    }

    #[test]
    fn plan_stops_before_the_first_piece_over_budget() {
        assert_eq!(plan(0, 1, 25, &[10, 10, 10, 1]), [0, 1]);
        assert_eq!(plan(0, 1, 30, &[10, 10, 10, 1]), [0, 1, 2]);
        assert_eq!(plan(0, 1, 0, &[10]), [] as [usize; 0]);
    }
}
