//! A forwarder of TCP connections: what a visitor's browser calls localhost is the origin.

use std::io;
use std::net::SocketAddr;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

/// Listens on `near` in the calling thread's namespace and carries each connection to `far`, on the current runtime, until that ends.
///
/// # Errors
/// When `near` is taken.
pub async fn start(near: SocketAddr, far: SocketAddr) -> io::Result<()> {
    let listener = TcpListener::bind(near).await?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(carry(stream, far));
        }
    });
    Ok(())
}

/// Carries one connection. Either end may break it; the other one then sees it closed, as it would without us.
async fn carry(mut near: TcpStream, far: SocketAddr) {
    let Ok(mut far) = TcpStream::connect(far).await else { return };
    // What is written leaves at once, as from the browser itself.
    let _ = (near.set_nodelay(true), far.set_nodelay(true));
    let _ = copy_bidirectional(&mut near, &mut far).await;
}
