//! Homes and offices: machines behind a router that stands on the network.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::namespace::{DEVICE, Namespace};
use crate::nat::{self, Kind};

/// The bridge of a router's own side, on which its machines are.
const HOME: &str = "home0";

/// Address of the router on its own side; the same in every home, as in life.
const ROUTER: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 1);

/// The same of a provider's router (RFC 6598).
const CARRIER: Ipv4Addr = Ipv4Addr::new(100, 64, 0, 1);

/// What a router needs of its kernel. What is bridged is no business of the packet filter: else what passes between two machines of a home is filtered as if it were routed.
const FORWARDING: &[(&str, &str)] =
    &[("ipv4/ip_forward", "1"), ("bridge/bridge-nf-call-iptables", "0"), ("bridge/bridge-nf-call-ip6tables", "0")];

/// IPv6 on all devices, those to come too, whose addresses are good at once.
pub(crate) const IPV6: &[(&str, &str)] = &[
    ("ipv6/conf/default/disable_ipv6", "0"),
    ("ipv6/conf/all/disable_ipv6", "0"),
    ("ipv6/conf/default/accept_dad", "0"),
    ("ipv6/conf/all/accept_dad", "0"),
];

/// Some machines behind one router.
#[derive(Debug, Clone, Copy)]
pub struct Home {
    /// Which endpoint of the network its router is.
    pub router: usize,
    /// What the router does; of [`Kind::Carrier`] it is the provider's, and each machine has one of its own behind it.
    pub kind: Kind,
    /// Machines, at most 200.
    pub machines: u8,
    /// Whether it sends back what its own side sends to its public address.
    pub hairpins: bool,
}

impl Home {
    /// One machine behind a router.
    #[must_use]
    pub const fn single(router: usize, kind: Kind) -> Self {
        Self { router, kind, machines: 1, hairpins: false }
    }

    /// The network of IPv6 behind the router: each has one.
    #[must_use]
    pub fn prefix(&self) -> Ipv6Addr {
        Ipv6Addr::new(0x2a00, u16::try_from(self.router).unwrap_or(u16::MAX), 0, 0, 0, 0, 0, 0)
    }

    /// Makes the machines behind `router`, whose address on the network is `public`; returns them, and other routers on the way.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn build(&self, router: &Namespace, public: Ipv4Addr) -> anyhow::Result<(Vec<Namespace>, Vec<Namespace>)> {
        let is_carrier = self.kind == Kind::Carrier;
        let side = Side { address: if is_carrier { CARRIER } else { ROUTER }, prefix: self.kind.has_ipv6().then(|| self.prefix()) };
        side.open(router, self.kind)?;
        if self.hairpins {
            router.filter(nat::hairpin(public))?;
        }
        let (mut machines, mut inner) = (Vec::new(), Vec::new());
        for number in 0..self.machines {
            let name = format!("{}-{number}", self.router);
            if is_carrier {
                let own = Namespace::bare(&format!("{name}-router"))?;
                side.connect(router, &own, (number, true))?;
                let within = Side { address: ROUTER, prefix: None };
                within.open(&own, self.kind)?;
                let machine = Namespace::bare(&name)?;
                // Two homes of one provider: their machines must not have one address, or each would dial itself.
                within.connect(&own, &machine, (number, true))?;
                machines.push(machine);
                inner.push(own);
            } else {
                let machine = Namespace::bare(&name)?;
                side.connect(router, &machine, (number, self.kind.has_ipv4()))?;
                machines.push(machine);
            }
        }
        Ok((machines, inner))
    }
}

/// A router's own side.
struct Side {
    address: Ipv4Addr,
    prefix: Option<Ipv6Addr>,
}

impl Side {
    /// Makes a namespace a router of a kind.
    fn open(&self, router: &Namespace, kind: Kind) -> anyhow::Result<()> {
        router.set(FORWARDING)?;
        if self.prefix.is_some() {
            router.set(IPV6)?;
            router.set(&[("ipv6/conf/all/forwarding", "1")])?;
        }
        let mut commands = format!("link add {HOME} type bridge\nlink set {HOME} up\naddress add {}/24 dev {HOME}\n", self.address);
        if let Some(prefix) = self.prefix {
            commands += &format!("address add {}/64 dev {HOME} nodad\nroute add ::/0 dev {DEVICE}\n", numbered(prefix, 1));
        }
        router.ip(commands)?;
        router.filter(nat::filter(kind))
    }

    /// Lays a cable from a router to a machine and gives that its addresses.
    fn connect(&self, router: &Namespace, machine: &Namespace, (number, has_ipv4): (u8, bool)) -> anyhow::Result<()> {
        if self.prefix.is_some() {
            machine.set(IPV6)?;
        }
        router.ip(format!(
            "link add port{number} type veth peer name {DEVICE} netns {}\nlink set port{number} master {HOME} up\n",
            machine.thread_id()
        ))?;
        let mut commands = format!("link set {DEVICE} up\n");
        if has_ipv4 {
            let [a, b, c, _] = self.address.octets();
            let own = Ipv4Addr::new(a, b, c, 10 + number);
            commands += &format!("address add {own}/24 dev {DEVICE}\nroute add default via {}\n", self.address);
        }
        if let Some(prefix) = self.prefix {
            let own = numbered(prefix, 0x10 + u16::from(number));
            commands += &format!("address add {own}/64 dev {DEVICE} nodad\nroute add ::/0 via {}\n", numbered(prefix, 1));
        }
        machine.ip(commands)
    }
}

fn numbered(prefix: Ipv6Addr, number: u16) -> Ipv6Addr {
    let [a, b, c, d, ..] = prefix.segments();
    Ipv6Addr::new(a, b, c, d, 0, 0, 0, number)
}
