//! The randomness of who comes and what they do: splitmix64, the same with every version of every library. Losses are drawn by the network's own generator.

/// A stream of numbers.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The stream of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The stream of this seed for one purpose, so that more draws for one thing change nothing about another.
    #[must_use]
    pub fn of(seed: u64, purpose: u64) -> Self {
        let mut random = Self(seed ^ purpose.wrapping_mul(0xD6E8_FEB8_6659_FD93));
        random.next_u64();
        random
    }

    /// 64 random bits (Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", 2014).
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Uniform from 0 to under 1.
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Uniform below `end`; 0 where that is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        if end == 0 { 0 } else { self.next_u64() % end }
    }

    /// True in this share of the draws.
    pub fn chance(&mut self, share: f64) -> bool {
        self.unit() < share
    }

    /// Exponential with this mean.
    pub fn exponential(&mut self, mean: f64) -> f64 {
        -(1.0 - self.unit()).ln() * mean
    }

    /// Weibull with this mean and shape.
    pub fn weibull(&mut self, mean: f64, shape: f64) -> f64 {
        let scale = mean / gamma(1.0 + 1.0 / shape);
        scale * (-(1.0 - self.unit()).ln()).powf(1.0 / shape)
    }
}

/// The gamma function for arguments over 1/2 (Lanczos' approximation with g = 7, nine terms).
fn gamma(x: f64) -> f64 {
    const TERMS: [f64; 9] = [
        0.999_999_999_999_809_9,
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    let x = x - 1.0;
    let sum = TERMS[0] + (1..9).map(|term| TERMS[term] / (x + term as f64)).sum::<f64>();
    let t = x + 7.5;
    (2.0 * std::f64::consts::PI).sqrt() * t.powf(x + 0.5) * (-t).exp() * sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stays_have_the_mean_that_was_asked_for() {
        let mut random = Random::new(3);
        let mean = (0..200_000).map(|_| random.weibull(54.0, 0.7)).sum::<f64>() / 200_000.0;
        assert!((53.0..55.0).contains(&mean), "{mean}");
        let mean = (0..200_000).map(|_| random.exponential(10.0)).sum::<f64>() / 200_000.0;
        assert!((9.8..10.2).contains(&mean), "{mean}");
    }

    #[test]
    fn one_seed_gives_one_stream() {
        let draws = |seed| {
            (0..8)
                .map({
                    let mut random = Random::new(seed);
                    move |_| random.next_u64()
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(draws(7), draws(7));
        assert_ne!(draws(7), draws(8));
    }
}
