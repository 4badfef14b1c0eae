//! The fluid bound: no network can bring one app to everybody sooner.

/// What the bound depends on. Rates in bits per second, lengths in bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Crowd {
    /// Visitors: N.
    pub visitors: usize,
    /// The app: F, in bytes.
    pub app_bytes: u64,
    /// The origin's uplink: u_s.
    pub origin_up_bps: u64,
    /// The slowest visitor's downlink: d_min.
    pub down_min_bps: u64,
    /// The sum over all visitors' uplinks: sum u.
    pub up_sum_bps: u64,
}

impl Crowd {
    /// T = max{F/u_s, F/d_min, N F/(u_s + sum u)} in seconds, for bytes without any header
    /// (Kumar and Ross, "Peer-Assisted File Distribution: The Minimum Distribution Time", 2006).
    #[must_use]
    pub fn bound_s(&self) -> f64 {
        let bits = self.app_bytes as f64 * 8.0;
        let once = bits / self.origin_up_bps as f64;
        let slowest = bits / self.down_min_bps as f64;
        let all = self.visitors as f64 * bits / (self.origin_up_bps + self.up_sum_bps) as f64;
        once.max(slowest).max(all)
    }

    /// N F/u_s in seconds: when a server alone has sent everybody a copy.
    #[must_use]
    pub fn server_alone_s(&self) -> f64 {
        let bits = self.app_bytes as f64 * 8.0;
        (self.visitors as f64 * bits / self.origin_up_bps as f64).max(bits / self.down_min_bps as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CROWD: Crowd =
        Crowd { visitors: 100, app_bytes: 10_000_000, origin_up_bps: 2_000_000, down_min_bps: 4_000_000, up_sum_bps: 200_000_000 };

    #[test]
    fn a_crowd_of_a_hundred_is_bound_by_the_one_copy_that_the_origin_must_send() {
        assert!((CROWD.bound_s() - 40.0).abs() < 1e-9);
        assert!((CROWD.server_alone_s() - 4000.0).abs() < 1e-9);
    }

    #[test]
    fn leechers_without_uplink_are_bound_by_the_origin() {
        assert!((Crowd { up_sum_bps: 0, ..CROWD }.bound_s() - 4000.0).abs() < 1e-9);
    }

    #[test]
    fn one_visitor_with_a_thin_line_is_bound_by_it() {
        let lone = Crowd { visitors: 1, down_min_bps: 1_000_000, up_sum_bps: 0, ..CROWD };
        assert!((lone.bound_s() - 80.0).abs() < 1e-9);
    }
}
