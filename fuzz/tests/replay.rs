//! Every target holds for its seeds and for what is near them. The same bytes each time: `cargo xtask fuzz` is what searches.

use viral_fuzz::{TARGETS, seeds};

/// Times each target is run with a changed seed: some seconds in all.
const CHANGED: u64 = 1_500;

/// Xorshift (Marsaglia, 2003).
fn draw(state: &mut u64) -> usize {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    usize::try_from(*state >> 33).unwrap_or(0)
}

/// A seed with one to four places overwritten, cut out, doubled or filled from another seed.
fn changed(seeds: &[Vec<u8>], state: &mut u64) -> Vec<u8> {
    let mut bytes = seeds[draw(state) % seeds.len()].clone();
    for _ in 0..=draw(state) % 4 {
        let at = draw(state) % (bytes.len() + 1);
        let end = (at + draw(state) % 16).min(bytes.len());
        let other = &seeds[draw(state) % seeds.len()];
        let from = draw(state) % (other.len() + 1);
        let piece = match draw(state) % 4 {
            0 => vec![draw(state) as u8; end - at],
            1 => Vec::new(),
            2 => bytes[at..end].repeat(2),
            _ => other[from..(from + 16).min(other.len())].to_vec(),
        };
        bytes.splice(at..end, piece);
    }
    bytes
}

fn replay(name: &str) {
    let (_, target) = TARGETS.into_iter().find(|(known, _)| *known == name).expect("a target of that name");
    let seeds = seeds::of(name);
    seeds.iter().for_each(|seed| target(seed));
    let mut state = 0x9e37_79b9_7f4a_7c15;
    (0..CHANGED).for_each(|_| target(&changed(&seeds, &mut state)));
}

macro_rules! replayed {
    ($($name:ident)*) => {$(
        #[test]
        fn $name() {
            replay(stringify!($name));
        }
    )*};
}

replayed! { frame manifest description signal boot stun range_header accept_encoding webtorrent tracker_ops download_ops session_ops }
