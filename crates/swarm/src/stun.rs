//! Who is told to ask by STUN how the world sees it, and which requests are answered: none whose answer could be made to hit somebody, and of each network only so many.

use std::net::{IpAddr, SocketAddr};

use crate::{
    address::ClientAddr,
    ice_candidates::is_told_of,
    limits::{STUN_BURST_MAX, STUN_NETWORKS_MAX, STUN_PER_S, STUN_TOTAL_BURST_MAX, STUN_TOTAL_PER_S},
    locality::network_key,
    random::Random,
};

/// The UDP ports at which STUN is answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StunPorts {
    /// At most [`STUN_PORTS_MAX`](viral_wire::limits::STUN_PORTS_MAX); none where STUN is off.
    pub ports: Vec<u16>,
    /// Whether others than this machine can reach them.
    pub is_open: bool,
}

impl StunPorts {
    /// Those at which this visitor should ask; none where it would learn nothing by it.
    ///
    /// Of a visitor whose `.local` names are replaced, peers are told the address anyway. A visitor on this machine is no further away than itself.
    #[must_use]
    pub fn of_use_to(&self, visitor: &ClientAddr) -> Vec<u16> {
        let learns = !is_told_of(visitor) && !visitor.public.to_canonical().is_loopback();
        if self.is_open && learns { self.ports.clone() } else { Vec::new() }
    }
}

/// What to do with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StunVerdict {
    /// Answer it.
    Answer,
    /// Its network, or all together, asked too often.
    Limited,
    /// It says that it comes from where nobody is: port 0, many, or no address.
    Nowhere,
}

/// Counts the requests of each network. Sources are easily forged, so it keeps no list that a flood could fill: a network has one of a fixed number of buckets, which a secret seed
/// chooses. Networks that share one share its allowance.
#[derive(Debug)]
pub struct StunGate {
    seed: u64,
    buckets: Box<[Bucket]>,
    total: Bucket,
}

impl StunGate {
    /// `seed` must not be known to those who ask.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { seed, buckets: vec![Bucket::default(); STUN_NETWORKS_MAX].into(), total: Bucket::default() }
    }

    /// Judges a request from `source`. This machine itself is not counted: from elsewhere nobody has such an address.
    pub fn handle_request(&mut self, now_ms: u64, source: SocketAddr) -> StunVerdict {
        let ip = source.ip().to_canonical();
        if source.port() == 0 || is_nowhere(ip) {
            return StunVerdict::Nowhere;
        }
        if ip.is_loopback() {
            return StunVerdict::Answer;
        }
        let at = self.place(ip);
        // The network's first: what is refused to it costs the others nothing.
        let has_room = self.buckets.get_mut(at).is_some_and(|bucket| bucket.take(now_ms, STUN_BURST_MAX, STUN_PER_S));
        if has_room && self.total.take(now_ms, STUN_TOTAL_BURST_MAX, STUN_TOTAL_PER_S) { StunVerdict::Answer } else { StunVerdict::Limited }
    }

    fn place(&self, ip: IpAddr) -> usize {
        let bits = match network_key(ip) {
            IpAddr::V4(v4) => u128::from(v4.to_bits()),
            IpAddr::V6(v6) => v6.to_bits(),
        };
        let low = Random::new(self.seed ^ (bits as u64)).next_u64();
        let mixed = Random::new(low ^ ((bits >> 64) as u64)).next_u64();
        usize::try_from(mixed % STUN_NETWORKS_MAX as u64).unwrap_or_default()
    }
}

/// Multicast, broadcast, or no address of one host.
fn is_nowhere(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4.octets()[0] == 0 || v4.octets()[0] >= 224,
        IpAddr::V6(v6) => v6.is_unspecified() || v6.is_multicast(),
    }
}

/// What was taken and did not come back yet, in thousandths of a request.
#[derive(Debug, Clone, Copy, Default)]
struct Bucket {
    taken: u64,
    at_ms: u64,
}

impl Bucket {
    fn take(&mut self, now_ms: u64, burst_max: u32, per_s: u32) -> bool {
        let back = now_ms.saturating_sub(self.at_ms).saturating_mul(u64::from(per_s));
        self.taken = self.taken.saturating_sub(back);
        self.at_ms = now_ms.max(self.at_ms);
        let fits = self.taken + 1000 <= u64::from(burst_max) * 1000;
        if fits {
            self.taken += 1000;
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stun_is_announced_to_whom_it_helps() {
        let open = StunPorts { ports: vec![443, 444], is_open: true };
        let told = |ports: &StunPorts, public: &str, rewrite_to: Option<&str>| {
            let ip = |text: &str| text.parse().unwrap();
            ports.of_use_to(&ClientAddr { rewrite_to: rewrite_to.map(ip), ..ClientAddr::at(ip(public)) })
        };
        assert_eq!(told(&open, "198.51.100.7", None), [443, 444]);
        assert_eq!(told(&open, "2001:db8::7", None), [443, 444]);
        assert_eq!(told(&open, "10.0.0.7", None), [443, 444], "the operator does not let the server tell the address");
        assert!(told(&open, "10.0.0.7", Some("10.0.0.7")).is_empty(), "peers are told that address anyway");
        assert!(told(&open, "127.0.0.1", None).is_empty() && told(&open, "::ffff:127.0.0.1", None).is_empty());
        assert!(told(&StunPorts { is_open: false, ..open }, "198.51.100.7", None).is_empty(), "nobody else reaches it");
    }

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    /// How many of `count` requests at one time are answered.
    fn answered(gate: &mut StunGate, now_ms: u64, source: SocketAddr, count: u32) -> u32 {
        (0..count).map(|_| u32::from(gate.handle_request(now_ms, source) == StunVerdict::Answer)).sum()
    }

    #[test]
    fn nobody_is_answered_where_nobody_is() {
        let mut gate = StunGate::new(1);
        for source in
            ["192.0.2.1:0", "255.255.255.255:9", "224.0.0.251:5353", "0.0.0.0:9", "0.1.2.3:9", "240.0.0.1:9", "[ff02::1]:9", "[::]:9"]
        {
            assert_eq!(gate.handle_request(0, at(source)), StunVerdict::Nowhere, "{source}");
        }
        assert_eq!(gate.handle_request(0, at("[::ffff:224.0.0.1]:9")), StunVerdict::Nowhere);
        assert_eq!(gate.handle_request(0, at("192.0.2.1:9")), StunVerdict::Answer);
    }

    #[test]
    fn a_network_gets_its_burst_and_then_its_rate_and_others_do_not_feel_it() {
        let mut gate = StunGate::new(1);
        assert_eq!(answered(&mut gate, 0, at("192.0.2.1:9"), STUN_BURST_MAX + 10), STUN_BURST_MAX);
        assert_eq!(answered(&mut gate, 0, at("192.0.2.200:10"), 1), 0, "the same network");
        assert_eq!(answered(&mut gate, 0, at("198.51.100.1:9"), 1), 1, "another one");
        assert_eq!(answered(&mut gate, 1_000, at("192.0.2.1:9"), STUN_BURST_MAX), STUN_PER_S);
        assert_eq!(answered(&mut gate, 1_000_000, at("192.0.2.1:9"), STUN_BURST_MAX + 1), STUN_BURST_MAX);
    }

    #[test]
    fn a_flood_from_everywhere_is_bounded_and_this_machine_is_not_counted() {
        let mut gate = StunGate::new(1);
        let from = |n: u32| SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::from_bits(0x0b00_0000 + (n << 8))), 9);
        let answered = |gate: &mut StunGate, now_ms| {
            (0..STUN_TOTAL_BURST_MAX * 2).filter(|n| gate.handle_request(now_ms, from(*n)) == StunVerdict::Answer).count()
        };
        assert_eq!(answered(&mut gate, 0), STUN_TOTAL_BURST_MAX as usize);
        assert_eq!(answered(&mut gate, 1_000), STUN_TOTAL_PER_S as usize);
        assert_eq!(gate.handle_request(1_000, at("127.0.0.1:9")), StunVerdict::Answer);
        assert_eq!(gate.handle_request(1_000, at("[::1]:9")), StunVerdict::Answer);
    }

    #[test]
    fn networks_are_spread_over_the_buckets_as_the_seed_says() {
        let places = |seed: u64| -> Vec<usize> {
            let gate = StunGate::new(seed);
            (0..STUN_NETWORKS_MAX as u32).map(|n| gate.place(IpAddr::V4(std::net::Ipv4Addr::from_bits(n << 8)))).collect()
        };
        let distinct = places(1).into_iter().collect::<std::collections::BTreeSet<_>>().len();
        assert!(distinct > STUN_NETWORKS_MAX / 2, "{distinct}");
        assert_ne!(places(1), places(2));
    }
}
