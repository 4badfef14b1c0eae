//! Listening where the settings say, and saying what to do where that cannot be.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use anyhow::{Context as _, anyhow, bail};
use tokio::net::{TcpListener, TcpSocket};
use viral_server::Listener;
use viral_server::config::ListenAt;

/// Longest path of a socket, in bytes: what Linux holds of one (`sun_path`, unix(7)); macOS holds 103.
const SOCKET_PATH_LEN_MAX: usize = 107;

/// Connections that wait to be accepted; systems have a limit of their own, Linux 4,096 (`somaxconn`). Whoever finds no room tries again after a second, and when a
/// server restarts all its peers come at once.
const WAITING_MAX: u32 = 65_535;

/// How often a free port is looked for that all addresses of a name have free. The second address has it taken about once in a thousand.
const FREE_PORT_ATTEMPTS_MAX: usize = 8;

/// Listens everywhere that `flag` names.
pub(crate) async fn listen(wanted: &[ListenAt], flag: &str) -> anyhow::Result<Vec<Listener>> {
    let mut listeners = Vec::new();
    for at in wanted {
        match at {
            ListenAt::At(address) => {
                let taken = taken(&listeners, *address)?;
                if taken == Some(*address) {
                    continue;
                }
                listeners.push(on_port(*address).map_err(|error| explained(*address, &error, taken, flag))?.into());
            }
            ListenAt::Name(name, port) => listeners.extend(on_name(name, *port, &listeners, flag).await?),
            ListenAt::Unix(path) => listeners.push(on_unix(path, flag).await?),
        }
    }
    if listeners.is_empty() {
        bail!("nothing is listened on; say where with {flag} ADDR:PORT");
    }
    Ok(listeners)
}

/// `localhost` is both 127.0.0.1 and ::1; browsers try the latter first. None where there is no such address, or somebody else has it.
pub(crate) fn also_on_ipv6(address: SocketAddr) -> Option<Listener> {
    if address.ip() != Ipv4Addr::LOCALHOST {
        return None;
    }
    let twin = SocketAddr::new(Ipv6Addr::LOCALHOST.into(), address.port());
    match on_port(twin) {
        Ok(listener) => Some(listener.into()),
        Err(error) => {
            tracing::debug!(%twin, %error, "not on IPv6");
            None
        }
    }
}

fn on_port(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // As tokio itself does: a server that restarts has its port at once. On Windows it would take somebody else's.
    #[cfg(not(windows))]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(WAITING_MAX)
}

/// One that is listened on already and has the port of `address`, so that it may be in the way: the very same one, or all addresses there are.
fn taken(listeners: &[Listener], address: SocketAddr) -> anyhow::Result<Option<SocketAddr>> {
    for listener in listeners {
        if let ListenAt::At(other) = listener.local()?
            && other.port() == address.port()
            && (other == address || other.ip().is_unspecified() || address.ip().is_unspecified())
        {
            return Ok(Some(other));
        }
    }
    Ok(None)
}

/// On all addresses of a name; where the system chooses the port, on one that is free on all of them.
async fn on_name(name: &str, port: u16, others: &[Listener], flag: &str) -> anyhow::Result<Vec<Listener>> {
    let addresses = addresses_of(name, port, flag).await?;
    let mut attempts_left = if port == 0 { FREE_PORT_ATTEMPTS_MAX } else { 1 };
    loop {
        attempts_left -= 1;
        match on_all(&addresses, others, flag).await {
            Err(_) if attempts_left > 0 => {}
            done => return done,
        }
    }
}

/// On all of these, on the port that the first one gets. One that this machine has not, such as ::1 where there is no IPv6, is left out as long as there is another one.
async fn on_all(addresses: &[SocketAddr], others: &[Listener], flag: &str) -> anyhow::Result<Vec<Listener>> {
    let (mut bound, mut port, mut missing) = (Vec::new(), None, None);
    for address in addresses {
        let address = SocketAddr::new(address.ip(), port.unwrap_or(address.port()));
        let taken = taken(others, address)?;
        if taken == Some(address) {
            continue;
        }
        match on_port(address) {
            Ok(listener) => {
                port = Some(listener.local_addr()?.port());
                bound.push(listener.into());
            }
            Err(error) if matches!(error.kind(), ErrorKind::AddrInUse | ErrorKind::PermissionDenied) => {
                return Err(explained(address, &error, taken, flag));
            }
            Err(error) => {
                tracing::debug!(%address, %error, "not on this address of the name");
                missing = Some(explained(address, &error, taken, flag));
            }
        }
    }
    match missing {
        Some(error) if bound.is_empty() => Err(error),
        Some(_) | None => Ok(bound),
    }
}

/// What a name stands for, each address once. `localhost` is this machine whatever its resolver says (RFC 6761 section 6.3).
pub(crate) async fn addresses_of(name: &str, port: u16, flag: &str) -> anyhow::Result<Vec<SocketAddr>> {
    let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    if name.eq_ignore_ascii_case("localhost") {
        return Ok(loopback.map(|address| SocketAddr::new(address, port)).to_vec());
    }
    let unknown = || format!("this machine knows no address of `{name}`; give an address of its own with {flag} ADDR:PORT");
    let mut addresses: Vec<SocketAddr> = tokio::net::lookup_host((name, port)).await.with_context(unknown)?.collect();
    addresses.sort_unstable();
    addresses.dedup();
    if addresses.is_empty() { Err(anyhow!(unknown())) } else { Ok(addresses) }
}

async fn on_unix(path: &Path, flag: &str) -> anyhow::Result<Listener> {
    Listener::bind_unix(path).await.map_err(|error| {
        let (shown, kind, len) = (path.display(), error.kind(), path.as_os_str().len());
        if kind == ErrorKind::AddrInUse {
            anyhow!("another program listens on {shown}; stop it or choose another socket with {flag} unix:PATH")
        } else if kind == ErrorKind::AlreadyExists {
            anyhow!("{shown} is there and is no socket; remove it or choose another path with {flag} unix:PATH")
        } else if kind == ErrorKind::NotFound {
            anyhow!("there is no folder for {shown}; make it first, or choose another with {flag} unix:PATH")
        } else if kind == ErrorKind::PermissionDenied {
            anyhow!("not allowed to make a socket at {shown}; choose a folder that this user may write with {flag} unix:PATH")
        } else if len > SOCKET_PATH_LEN_MAX {
            anyhow!("{shown} is {len} bytes long and the path of a socket has at most {SOCKET_PATH_LEN_MAX}; choose a shorter one with {flag} unix:PATH")
        } else {
            anyhow!("cannot listen on {shown}: {error}; choose another path with {flag} unix:PATH")
        }
    })
}

/// Why an address cannot be listened on, where `taken` of our own may be in its way, and what to do.
fn explained(address: SocketAddr, error: &io::Error, taken: Option<SocketAddr>, flag: &str) -> anyhow::Error {
    let kind = error.kind();
    if let (ErrorKind::AddrInUse, Some(other)) = (kind, taken) {
        anyhow!("{address} cannot be listened on beside {other}: one of them has the port on all addresses; leave out the other {flag}")
    } else if kind == ErrorKind::AddrInUse {
        anyhow!("{address} is in use by another program; stop it or choose another address with {flag} ADDR:PORT")
    } else if kind == ErrorKind::PermissionDenied {
        anyhow!("not allowed to listen on {address}; choose a port above 1023 with {flag} ADDR:PORT")
    } else if kind == ErrorKind::AddrNotAvailable {
        anyhow!("this machine has no address {}; choose another with {flag} ADDR:PORT", address.ip())
    } else {
        anyhow!("cannot listen on {address}: {error}; choose another address with {flag} ADDR:PORT")
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    async fn fault(wanted: &[ListenAt]) -> String {
        listen(wanted, "--listen").await.err().map(|error| format!("{error:#}")).unwrap_or_default()
    }

    fn at(text: &str) -> ListenAt {
        text.parse().expect("something to listen on")
    }

    #[tokio::test]
    async fn localhost_is_both_loopback_addresses_on_one_port() {
        let listeners = listen(&[at("LocalHost:0")], "--listen").await.expect("there is a free port");
        let locals: Vec<_> =
            listeners.iter().filter_map(|listener| if let Ok(ListenAt::At(at)) = listener.local() { Some(at) } else { None }).collect();
        assert_eq!(locals[0].ip(), Ipv4Addr::LOCALHOST);
        if std::net::TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok() {
            assert_eq!((locals.len(), locals[1].ip()), (2, Ipv6Addr::LOCALHOST.into()));
            assert_eq!(locals[0].port(), locals[1].port());
        }
        // What is named twice is listened on once.
        let again = ListenAt::Name("localhost".to_owned(), locals[0].port());
        drop(listeners);
        let both = listen(&[at(&locals[0].to_string()), again], "--listen").await.expect("it is free again");
        assert_eq!(both.len(), locals.len());
    }

    #[tokio::test]
    async fn what_cannot_be_listened_on_is_said_with_what_to_do() {
        let other = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let taken = other.local_addr().expect("its address");
        assert!(fault(&[ListenAt::At(taken)]).await.contains("in use by another program; stop it or choose another address with --listen"));
        let both = fault(&[ListenAt::Name("localhost".to_owned(), taken.port())]).await;
        assert!(both.contains("in use by another program"), "one of two is not enough: {both}");
        assert!(fault(&[at("no-such-name.invalid:0")]).await.contains("knows no address of `no-such-name.invalid`; give an address"));
        assert!(fault(&[at("192.0.2.1:0")]).await.contains("this machine has no address 192.0.2.1"));

        let dir = tempfile::tempdir().expect("a folder");
        let unix = |name: &str| ListenAt::Unix(dir.path().join(name));
        let _listening = UnixListener::bind(dir.path().join("other")).expect("a socket");
        std::fs::write(dir.path().join("file"), "x").expect("a file");
        for (name, said) in [("other", "another program listens"), ("file", "is no socket; remove it"), ("none/s", "there is no folder")] {
            assert!(fault(&[unix(name)]).await.contains(said), "{name}");
        }
        let long = fault(&[unix(&"s".repeat(120))]).await;
        assert!(long.contains("has at most 107; choose a shorter one with --listen unix:PATH"), "{long}");
    }

    #[tokio::test]
    async fn all_addresses_beside_one_of_them_is_said_to_be_one_too_many() {
        let first = listen(&[at("0.0.0.0:0")], "--listen").await.expect("a port");
        let Ok(ListenAt::At(all)) = first[0].local() else { panic!("no port") };
        drop(first);
        let said = fault(&[ListenAt::At(all), at(&format!("127.0.0.1:{}", all.port()))]).await;
        assert!(said.contains("has the port on all addresses; leave out the other --listen"), "{said}");
    }
}
