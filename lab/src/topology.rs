//! A network that exists: one namespace per endpoint, and the packet loop between them.

use std::net::{Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use anyhow::Context as _;

use crate::home::{Home, IPV6};
use crate::namespace::{DEVICE, Namespace};
use crate::network::fabric::Fabric;
use crate::network::plan::{Network, ORIGIN};
use crate::packet_loop::PacketLoop;
use crate::scenario::ORIGIN_ADDRESS;

/// Port of the origin inside its namespace, for viral and nginx alike.
pub const ORIGIN_PORT: u16 = 80;

/// The origin as visitors without IPv4 know it.
pub const ORIGIN_IPV6: Ipv6Addr = Ipv6Addr::new(0x2a00, 0xffff, 0, 0, 0, 0, 0, 1);

/// The origin as visitors know it.
#[must_use]
pub fn origin_address() -> SocketAddr {
    SocketAddr::from((ORIGIN_ADDRESS, ORIGIN_PORT))
}

/// Everything that a run needs; dropped, it is gone from the kernel.
pub struct Topology {
    /// The network's thread.
    pub packet_loop: PacketLoop,
    /// In the order of the network's endpoints, then machines behind routers, home by home.
    pub namespaces: Vec<Namespace>,
    /// Routers on the way to those that are no endpoints.
    pub inner_routers: Vec<Namespace>,
    /// Where the processes of this run may write.
    pub folder: PathBuf,
}

impl Topology {
    /// Makes every namespace and starts the packet loop; endpoints of which `homes` says so are routers. `folder` is emptied by whoever made it.
    ///
    /// # Errors
    /// When the kernel refuses, mostly for want of root.
    pub fn build(network: &Network, homes: &[Home], folder: PathBuf) -> anyhow::Result<Self> {
        std::fs::create_dir_all(&folder).context("cannot make a folder for the run")?;
        let mut namespaces = Vec::with_capacity(network.endpoints.len());
        let mut devices = Vec::with_capacity(network.endpoints.len());
        for (index, endpoint) in network.endpoints.iter().enumerate() {
            let (namespace, device) = Namespace::create(&index.to_string(), endpoint.address)?;
            namespaces.push(namespace);
            devices.push(device);
        }
        let mut fabric = Fabric::new(network.clone());
        let mut inner_routers = Vec::new();
        if homes.iter().any(|home| home.kind.has_ipv6()) {
            let origin = &namespaces[ORIGIN];
            origin.set(IPV6)?;
            origin.ip(format!("address add {ORIGIN_IPV6}/128 dev {DEVICE} nodad\nroute add ::/0 dev {DEVICE}\n"))?;
            fabric.add_prefix(ORIGIN_IPV6, ORIGIN);
        }
        for home in homes {
            let (machines, inner) = home.build(&namespaces[home.router], network.endpoints[home.router].address)?;
            if home.kind.has_ipv6() {
                fabric.add_prefix(home.prefix(), home.router);
            }
            namespaces.extend(machines);
            inner_routers.extend(inner);
        }
        let packet_loop = PacketLoop::start(fabric, devices)?;
        Ok(Self { packet_loop, namespaces, inner_routers, folder })
    }

    /// The origin's namespace.
    #[must_use]
    pub fn origin(&self) -> &Namespace {
        &self.namespaces[ORIGIN]
    }
}
