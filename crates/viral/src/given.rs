//! Sockets that are there when the program starts: systemd's (sd_listen_fds(3)), or those of a predecessor, which gives each a name.

use std::net::{TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixStream};

use anyhow::{Context as _, bail};
use listenfd::ListenFd;
use tokio::net::{TcpListener, UnixListener};
use viral_server::Listener;

/// The variable with the names of the sockets, in order, with `:` between two.
pub(crate) const NAMES: &str = "LISTEN_FDNAMES";

/// What a predecessor calls a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name {
    Public,
    /// For visitors, too, but systemd's: it made the socket and knows its address.
    Systemd,
    Redirect,
    Admin,
    Stun,
    /// On which the predecessor is told that this process serves.
    Predecessor,
}

/// Sockets that somebody gave.
#[derive(Default)]
pub(crate) struct Given {
    pub(crate) public: Vec<Listener>,
    pub(crate) redirect: Vec<Listener>,
    pub(crate) admin: Vec<Listener>,
    pub(crate) stun: Vec<UdpSocket>,
    /// Whether systemd listened first.
    pub(crate) is_of_systemd: bool,
    /// None where nobody serves before.
    predecessor: Option<UnixDatagram>,
}

impl Name {
    const ALL: [Self; 6] = [Self::Public, Self::Systemd, Self::Redirect, Self::Admin, Self::Stun, Self::Predecessor];

    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Public => "viral-public",
            Self::Systemd => "viral-systemd",
            Self::Redirect => "viral-redirect",
            Self::Admin => "viral-admin",
            Self::Stun => "viral-stun",
            Self::Predecessor => "viral-predecessor",
        }
    }
}

impl Given {
    /// The sockets that this process was started with; none in most cases.
    ///
    /// # Errors
    /// When one of them is not what its name says, or nothing to accept connections on.
    pub(crate) fn take() -> anyhow::Result<Self> {
        let names = std::env::var(NAMES).unwrap_or_default();
        let mut names = names.split(':').map(|text| Name::ALL.into_iter().find(|name| name.text() == text));
        let (mut fds, mut given) = (ListenFd::from_env(), Self::default());
        for at in 0..fds.len() {
            match names.next().flatten() {
                Some(Name::Stun) => given.stun.extend(fds.take_udp_socket(at).context("a socket of the predecessor is none for STUN")?),
                Some(Name::Predecessor) => {
                    given.predecessor = fds.take_unix_datagram(at).context("there is no way to tell the predecessor")?
                }
                Some(Name::Redirect) => given.redirect.extend(listener(&mut fds, at, Listener::taken_over)?),
                Some(Name::Admin) => given.admin.extend(listener(&mut fds, at, Listener::taken_over)?),
                Some(Name::Public) => given.public.extend(listener(&mut fds, at, Listener::taken_over)?),
                Some(Name::Systemd) | None => {
                    given.is_of_systemd = true;
                    given.public.extend(listener(&mut fds, at, |listener| Ok(listener.into()))?);
                }
            }
        }
        Ok(given)
    }

    /// Whether a predecessor serves until this process does.
    pub(crate) fn is_of_predecessor(&self) -> bool {
        self.predecessor.is_some()
    }

    /// Who is told that this process serves.
    pub(crate) fn take_predecessor(&mut self) -> Option<UnixDatagram> {
        self.predecessor.take()
    }
}

fn listener(
    fds: &mut ListenFd,
    at: usize,
    of_unix: impl FnOnce(UnixListener) -> std::io::Result<Listener>,
) -> anyhow::Result<Option<Listener>> {
    let number = at + 1;
    let unfit = || format!("socket {number} of those that systemd gives cannot be used; give ListenStream= and Accept=no in its unit");
    if let Ok(listener) = fds.take_tcp_listener(at) {
        let Some(listener) = listener else { return Ok(None) };
        if TcpStream::from(OwnedFd::from(listener.try_clone()?)).peer_addr().is_ok() {
            bail!(unfit());
        }
        listener.set_nonblocking(true).with_context(unfit)?;
        return Ok(Some(TcpListener::from_std(listener).with_context(unfit)?.into()));
    }
    let Some(listener) = fds.take_unix_listener(at).with_context(unfit)? else { return Ok(None) };
    if UnixStream::from(OwnedFd::from(listener.try_clone()?)).peer_addr().is_ok() {
        bail!(unfit());
    }
    listener.set_nonblocking(true).with_context(unfit)?;
    Ok(Some(of_unix(UnixListener::from_std(listener).with_context(unfit)?).with_context(unfit)?))
}
