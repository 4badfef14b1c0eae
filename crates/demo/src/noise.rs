//! Seeded gradient noise in three dimensions, so that what is made on a sphere has neither seam nor poles.

/// The twelve edge directions of a cube, four of them twice so that a mask chooses one (Perlin, "Improving Noise", 2002).
const GRADIENTS: [[f32; 3]; 16] = [
    [1.0, 1.0, 0.0],
    [-1.0, 1.0, 0.0],
    [1.0, -1.0, 0.0],
    [-1.0, -1.0, 0.0],
    [1.0, 0.0, 1.0],
    [-1.0, 0.0, 1.0],
    [1.0, 0.0, -1.0],
    [-1.0, 0.0, -1.0],
    [0.0, 1.0, 1.0],
    [0.0, -1.0, 1.0],
    [0.0, 1.0, -1.0],
    [0.0, -1.0, -1.0],
    [1.0, 1.0, 0.0],
    [-1.0, 1.0, 0.0],
    [0.0, -1.0, 1.0],
    [0.0, -1.0, -1.0],
];

/// A point or direction in space.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Vec3 {
    pub(crate) x: f32,
    pub(crate) y: f32,
    pub(crate) z: f32,
}

impl Vec3 {
    /// The direction of a place on the sphere; `y` points to the north pole.
    pub(crate) fn from_degrees(latitude: f32, longitude: f32) -> Self {
        let (sin_lat, cos_lat) = latitude.to_radians().sin_cos();
        let (sin_lon, cos_lon) = longitude.to_radians().sin_cos();
        Self { x: cos_lat * cos_lon, y: sin_lat, z: cos_lat * sin_lon }
    }

    pub(crate) fn dot(self, other: Self) -> f32 {
        self.x * other.x + self.y * other.y + self.z * other.z
    }

    pub(crate) fn scaled(self, factor: f32) -> Self {
        Self { x: self.x * factor, y: self.y * factor, z: self.z * factor }
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        Self { x: self.x + other.x, y: self.y + other.y, z: self.z + other.z }
    }

    /// `self` turned about the unit vector `axis` (Rodrigues' formula).
    pub(crate) fn turned(self, axis: Self, angle: f32) -> Self {
        let (sin, cos) = angle.sin_cos();
        let along = axis.dot(self) * (1.0 - cos);
        Self {
            x: self.x * cos + (axis.y * self.z - axis.z * self.y) * sin + axis.x * along,
            y: self.y * cos + (axis.z * self.x - axis.x * self.z) * sin + axis.y * along,
            z: self.z * cos + (axis.x * self.y - axis.y * self.x) * sin + axis.z * along,
        }
    }
}

/// Scrambles one number; the base of everything random here.
pub(crate) fn scramble(value: u32) -> u32 {
    let mut h = value;
    h ^= h >> 16;
    h = h.wrapping_mul(0x7feb_352d);
    h ^= h >> 15;
    h = h.wrapping_mul(0x846c_a68b);
    h ^ (h >> 16)
}

#[inline]
fn corner(ix: u32, iy: u32, iz: u32, x: f32, y: f32, z: f32) -> f32 {
    let mut h = ix ^ iy ^ iz;
    h ^= h >> 15;
    h = h.wrapping_mul(0x2c1b_3c6d);
    let g = &GRADIENTS[(h >> 28) as usize];
    g[0] * x + g[1] * y + g[2] * z
}

#[inline]
fn fade(t: f32) -> f32 {
    t * t * t * (t * (t * 6.0 - 15.0) + 10.0)
}

/// The whole number below; `f32::floor` is a call into the C library on plain x86-64 and was half of the generator's time.
#[inline]
fn below(value: f32) -> i32 {
    value as i32 - i32::from(value < 0.0)
}

/// Gradient noise at `p`: about -1..1, zero at every lattice point, one feature per unit.
#[inline]
pub(crate) fn noise(p: Vec3, seed: u32) -> f32 {
    let (ix, iy, iz) = (below(p.x), below(p.y), below(p.z));
    let (x, y, z) = (p.x - ix as f32, p.y - iy as f32, p.z - iz as f32);
    let x0 = (ix as u32).wrapping_mul(0x8da6_b343) ^ seed;
    let y0 = (iy as u32).wrapping_mul(0xd816_3841);
    let z0 = (iz as u32).wrapping_mul(0xcb1a_b31f);
    let x1 = (ix as u32).wrapping_add(1).wrapping_mul(0x8da6_b343) ^ seed;
    let y1 = y0.wrapping_add(0xd816_3841);
    let z1 = z0.wrapping_add(0xcb1a_b31f);
    let (u, v, w) = (fade(x), fade(y), fade(z));
    let a = corner(x0, y0, z0, x, y, z);
    let b = corner(x1, y0, z0, x - 1.0, y, z);
    let c = corner(x0, y1, z0, x, y - 1.0, z);
    let d = corner(x1, y1, z0, x - 1.0, y - 1.0, z);
    let e = corner(x0, y0, z1, x, y, z - 1.0);
    let f = corner(x1, y0, z1, x - 1.0, y, z - 1.0);
    let g = corner(x0, y1, z1, x, y - 1.0, z - 1.0);
    let h = corner(x1, y1, z1, x - 1.0, y - 1.0, z - 1.0);
    let near = (a + (b - a) * u) + ((c + (d - c) * u) - (a + (b - a) * u)) * v;
    let far = (e + (f - e) * u) + ((g + (h - g) * u) - (e + (f - e) * u)) * v;
    near + (far - near) * w
}

/// Fractal sum of `octaves` of [`noise`], each half as strong and a little over twice as fine as the one before.
pub(crate) fn fbm(p: Vec3, octaves: u32, seed: u32) -> f32 {
    let (mut sum, mut strength, mut at) = (0.0, 0.5, p);
    for octave in 0..octaves {
        sum += strength * noise(at, scramble(seed.wrapping_add(octave)));
        strength *= 0.5;
        at = at.scaled(2.03);
    }
    sum
}

/// Sharp crests: noise folded at zero, each octave weighted by the one before (Musgrave's ridged multifractal). About 0..1.
pub(crate) fn ridged(p: Vec3, octaves: u32, seed: u32) -> f32 {
    let (mut sum, mut strength, mut weight, mut at) = (0.0, 0.5, 1.0_f32, p);
    for octave in 0..octaves {
        let fold = 1.0 - noise(at, scramble(seed.wrapping_add(octave))).abs() * 1.6;
        let crest = fold.max(0.0) * fold.max(0.0) * weight;
        sum += crest * strength;
        weight = (crest * 1.8).min(1.0);
        strength *= 0.55;
        at = at.scaled(2.11);
    }
    sum
}

/// 0 below `from`, 1 above `to`, smooth between; `from` may be above `to`.
pub(crate) fn smoothstep(from: f32, to: f32, value: f32) -> f32 {
    let t = ((value - from) / (to - from)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_the_same_for_the_same_seed_and_differs_for_another() {
        let p = Vec3 { x: 0.3, y: 1.7, z: -2.2 };
        assert_eq!(noise(p, 5), noise(p, 5));
        assert_ne!(noise(p, 5), noise(p, 6));
    }

    #[test]
    fn noise_is_continuous_across_lattice_planes() {
        for step in -20..20 {
            let at = step as f32;
            let before = noise(Vec3 { x: at - 1e-4, y: 0.4, z: 0.6 }, 1);
            let after = noise(Vec3 { x: at + 1e-4, y: 0.4, z: 0.6 }, 1);
            assert!((before - after).abs() < 2e-3, "{before} {after} at {at}");
        }
    }

    #[test]
    fn turning_keeps_length() {
        let turned = Vec3::from_degrees(10.0, 20.0).turned(Vec3::from_degrees(-40.0, 70.0), 1.1);
        assert!((turned.dot(turned) - 1.0).abs() < 1e-5);
    }
}
