//! Whether the numbers of one sample are greater than those of another, or only happen to look so.
//!
//! No distribution is assumed: times to an app have long tails and several humps.

/// Of a difference that is there by chance alone, one look in about 2,000 is as far off (one-sided, normal). Trials are looked at again and again, and a false alarm
/// costs an hour.
const Z_MIN: f64 = 3.3;

/// The bounds of a quantile hold the true one with 97.5 % on each side.
const QUANTILE_Z: f64 = 1.96;

/// Whether `a` is greater than `b` all in all: the rank-sum test of Mann and Whitney (Annals of Mathematical Statistics 18, 1947), with the correction for ties. Both are sorted.
pub(super) fn is_greater(a: &[u64], b: &[u64]) -> bool {
    let (n, m) = (a.len() as f64, b.len() as f64);
    if a.is_empty() || b.is_empty() {
        return false;
    }
    // For each of `a` those of `b` below it, and half of its equals.
    let below = |value: u64| b.partition_point(|other| *other < value) as f64;
    let up_to = |value: u64| b.partition_point(|other| *other <= value) as f64;
    let u: f64 = a.iter().map(|value| f64::midpoint(below(*value), up_to(*value))).sum();
    let all = n + m;
    let ties: f64 = tie_lengths(a, b).map(|len| len * len * len - len).sum();
    let variance = n * m / 12.0 * (all + 1.0 - ties / (all * (all - 1.0)));
    variance > 0.0 && (u - n * m / 2.0) / variance.sqrt() > Z_MIN
}

/// How many there are of each value, in both together.
fn tie_lengths(a: &[u64], b: &[u64]) -> impl Iterator<Item = f64> {
    let mut all = [a, b].concat();
    all.sort_unstable();
    let lengths: Vec<f64> = all.chunk_by(|one, next| one == next).map(|equal| equal.len() as f64).collect();
    lengths.into_iter()
}

/// Whether a quantile of `a` is greater than that of `b`: the least that it may be is more than the most that the other may be. Both are sorted. The bounds are order
/// statistics (Conover, "Practical Nonparametric Statistics", section 3.2), so a sample too small to have them says nothing.
pub(super) fn has_greater_quantile(a: &[u64], b: &[u64], quantile: f64) -> bool {
    match (bounds(a, quantile), bounds(b, quantile)) {
        (Some((least, _)), Some((_, most))) => least > most,
        _ => false,
    }
}

/// Between which values the quantile lies of what a sorted sample was drawn from; none where the sample does not tell.
pub(super) fn bounds(sample: &[u64], quantile: f64) -> Option<(u64, u64)> {
    let n = sample.len() as f64;
    let reach = QUANTILE_Z * (n * quantile * (1.0 - quantile)).sqrt();
    let (least, most) = ((n * quantile - reach).floor(), (n * quantile + reach).ceil());
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "both are places in the sample or beyond its ends, which is looked at"
    )]
    let place = |rank: f64| if rank >= 1.0 { sample.get(rank as usize - 1).copied() } else { None };
    Some((place(least)?, place(most + 1.0)?))
}

/// The value that so large a share of a sorted sample does not exceed; none of an empty one.
pub(super) fn quantile(sample: &[u64], quantile: f64) -> Option<u64> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place in the sample")]
    let place = (sample.len() as f64 * quantile).ceil().max(1.0) as usize;
    sample.get(place - 1).copied()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::random::Random;

    fn drawn(random: &mut Random, count: usize, center: u64) -> Vec<u64> {
        // The product of uniform ones: a long tail.
        let mut sample: Vec<u64> =
            (0..count).map(|_| (1..=3).fold(center, |value, _| value * (60 + random.next_u64() % 80) / 100)).collect();
        sample.sort_unstable();
        sample
    }

    #[test]
    fn the_textbook_example_of_the_rank_test_comes_out() {
        // 10 above 10 others, no ties: U = 100, variance 175, z = 3.78.
        let (low, high): (Vec<u64>, Vec<u64>) = ((0..10).collect(), (10..20).collect());
        assert!(is_greater(&high, &low) && !is_greater(&low, &high));
        // 8 above 8 others: z = 3.36. 7 above 7: z = 3.13.
        assert!(is_greater(&high[..8], &low[..8]) && !is_greater(&high[..7], &low[..7]));
        assert!(!is_greater(&[5; 50], &[5; 50]) && !is_greater(&[], &low) && !is_greater(&high, &[]));
    }

    #[test]
    fn chance_alone_is_hardly_ever_taken_for_a_difference() {
        let mut random = Random::new(1);
        let mut alarms = 0;
        for _ in 0..4_000 {
            let (a, b) = (drawn(&mut random, 40, 1_000), drawn(&mut random, 200, 1_000));
            alarms += usize::from(is_greater(&a, &b)) + usize::from(has_greater_quantile(&a, &b, 0.5));
        }
        assert!(alarms <= 8, "{alarms} of 4,000");
    }

    #[test]
    fn a_quarter_more_is_seen_with_two_hundred_visits_each() {
        let mut random = Random::new(2);
        let seen = (0..100).filter(|_| is_greater(&drawn(&mut random, 200, 1_250), &drawn(&mut random, 200, 1_000))).count();
        assert!(seen >= 90, "{seen} of 100");
    }

    #[test]
    fn a_long_tail_is_seen_where_the_middle_is_the_same() {
        let whole: Vec<u64> = (0..200).collect();
        let mut thin = whole.clone();
        for slow in thin.iter_mut().skip(170) {
            *slow += 5_000;
        }
        assert!(!is_greater(&thin, &whole) && has_greater_quantile(&thin, &whole, 0.95) && !has_greater_quantile(&whole, &thin, 0.95));
        assert!(!has_greater_quantile(&thin, &whole[..60], 0.95), "so few do not tell where their end is");
    }

    #[test]
    fn a_quantile_is_a_value_of_the_sample() {
        assert_eq!((quantile(&[], 0.5), quantile(&[7], 0.95)), (None, Some(7)));
        assert_eq!((quantile(&[1, 2, 3, 4], 0.5), quantile(&[1, 2, 3, 4], 0.95)), (Some(2), Some(4)));
    }

    proptest! {
        #[test]
        fn two_samples_are_never_each_greater_than_the_other(mut a in prop::collection::vec(0..50_u64, 0..80), mut b in prop::collection::vec(0..50_u64, 0..80)) {
            a.sort_unstable();
            b.sort_unstable();
            prop_assert!(!(is_greater(&a, &b) && is_greater(&b, &a)));
            for quantile in [0.0, 0.5, 0.95, 1.0] {
                prop_assert!(!(has_greater_quantile(&a, &b, quantile) && has_greater_quantile(&b, &a, quantile)));
            }
        }
    }
}
