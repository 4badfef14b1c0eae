//! Visitors of another network, as a server behind a proxy sees them: a forwarder that says for whom it connects (PROXY protocol, version 1).

use std::net::{Ipv4Addr, SocketAddr};

use tokio::io::{AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What a server must be told so that it believes such networks.
pub const BELIEVED: &[&str] = &["--trust-proxy", "127.0.0.1", "--proxy-protocol"];

/// A way to a server on which everybody comes from one address. Cut when dropped.
#[derive(Debug)]
pub struct Network {
    near: SocketAddr,
    forwarding: JoinHandle<()>,
}

impl Network {
    /// A way to `far` for visitors from `address`.
    ///
    /// # Panics
    /// When there is no port.
    pub async fn of(address: Ipv4Addr, far: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let near = listener.local_addr().expect("a bound port has an address");
        let forwarding = tokio::spawn(async move {
            while let Ok((mut stream, from)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut onward = TcpStream::connect(far).await?;
                    onward.write_all(format!("PROXY TCP4 {address} 127.0.0.1 {} {}\r\n", from.port(), far.port()).as_bytes()).await?;
                    copy_bidirectional(&mut stream, &mut onward).await
                });
            }
        });
        Self { near, forwarding }
    }

    /// A URL of the server for them.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.near)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.forwarding.abort();
    }
}
