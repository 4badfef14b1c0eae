//! A network that exists: one namespace per endpoint, and the packet loop between them.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;

use crate::namespace::Namespace;
use crate::network::fabric::Fabric;
use crate::network::plan::{Network, ORIGIN};
use crate::packet_loop::PacketLoop;
use crate::scenario::ORIGIN_ADDRESS;

/// Port of the origin inside its namespace, for viral and nginx alike.
pub const ORIGIN_PORT: u16 = 80;

/// The origin as visitors know it.
#[must_use]
pub fn origin_address() -> SocketAddr {
    SocketAddr::from((ORIGIN_ADDRESS, ORIGIN_PORT))
}

/// Everything that a run needs; dropped, it is gone from the kernel.
pub struct Topology {
    /// The network's thread.
    pub packet_loop: PacketLoop,
    /// In the order of the network's endpoints.
    pub namespaces: Vec<Namespace>,
    /// Where the processes of this run may write.
    pub folder: PathBuf,
}

impl Topology {
    /// Makes every namespace and starts the packet loop. `folder` is emptied by whoever made it.
    ///
    /// # Errors
    /// When the kernel refuses, mostly for want of root.
    pub fn build(network: &Network, folder: PathBuf) -> anyhow::Result<Self> {
        std::fs::create_dir_all(&folder).context("cannot make a folder for the run")?;
        let mut namespaces = Vec::with_capacity(network.endpoints.len());
        let mut devices = Vec::with_capacity(network.endpoints.len());
        for (index, endpoint) in network.endpoints.iter().enumerate() {
            let (namespace, device) = Namespace::create(&index.to_string(), endpoint.address)?;
            namespaces.push(namespace);
            devices.push(device);
        }
        let packet_loop = PacketLoop::start(Fabric::new(network.clone()), devices)?;
        Ok(Self { packet_loop, namespaces, folder })
    }

    /// The origin's namespace.
    #[must_use]
    pub fn origin(&self) -> &Namespace {
        &self.namespaces[ORIGIN]
    }
}
