//! One network namespace of the kernel, with one TUN device that leads to the packet loop.
//!
//! A namespace has no name in the file system: it lives as long as the thread that made it and the processes started in it, so nothing is
//! left behind however the lab ends. Look into one with `nsenter --net=/proc/PID/task/TID/ns/net`; its thread is named `vlab-...`.

use std::fs;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread::JoinHandle;

use anyhow::{Context as _, anyhow, bail};
use nix::sched::{CloneFlags, unshare};
use tun_rs::{DeviceBuilder, SyncDevice};

/// Name of the TUN device inside each namespace.
const DEVICE: &str = "vlab0";

/// Largest IP packet, in bytes: Ethernet's, as on nearly every access line.
pub const MTU: u16 = 1500;

type Job = Box<dyn FnOnce() + Send>;

/// A namespace and the thread that lives in it. Dropped, the thread ends, and processes started from it are killed.
pub struct Namespace {
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

/// The answer to a job that a [`Namespace`] works on.
pub struct Pending<T>(mpsc::Receiver<T>);

impl Namespace {
    /// Makes a namespace whose only way out is the returned device.
    ///
    /// # Errors
    /// When the kernel refuses, mostly for want of root.
    pub fn create(name: &str, address: Ipv4Addr) -> anyhow::Result<(Self, SyncDevice)> {
        let (jobs, todo) = mpsc::channel::<Job>();
        let (made, is_made) = mpsc::sync_channel(1);
        let body = move || {
            let device = enter(address);
            let is_usable = device.is_ok();
            let _ = made.send(device);
            if is_usable {
                todo.iter().for_each(|job| job());
            }
        };
        let thread = std::thread::Builder::new().name(format!("vlab-{name}")).spawn(body).context("cannot start a thread")?;
        let device = is_made.recv().map_err(|_| anyhow!("the thread of namespace {name} ended"))??;
        Ok((Self { jobs: Some(jobs), thread: Some(thread) }, device))
    }

    /// Runs `job` on the namespace's thread, after the jobs given before: its sockets and child processes are inside.
    pub fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> Pending<T> {
        let (done, answer) = mpsc::sync_channel(1);
        if let Some(jobs) = &self.jobs {
            let _ = jobs.send(Box::new(move || {
                let _ = done.send(job());
            }));
        }
        Pending(answer)
    }
}

impl<T> Pending<T> {
    /// Waits for the job's end.
    ///
    /// # Errors
    /// When the job panicked.
    pub fn wait(self) -> anyhow::Result<T> {
        self.0.recv().map_err(|_| anyhow!("a job in a namespace ended without an answer"))
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Moves this thread into a fresh namespace and gives it an address.
fn enter(address: Ipv4Addr) -> anyhow::Result<SyncDevice> {
    unshare(CloneFlags::CLONE_NEWNET).context("cannot make a network namespace")?;
    // The kernel must not send what nobody asked for on the device to come. Loopback keeps its IPv6 address, on which drivers of browsers insist.
    let _ = fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
    let device = DeviceBuilder::new().name(DEVICE).mtu(MTU).build_sync().context("cannot make a TUN device (is there /dev/net/tun?)")?;
    device.set_nonblocking(true)?;
    let commands = format!(
        "link set lo up\naddress add {address}/32 dev {DEVICE}\nlink set {DEVICE} up\nroute add default dev {DEVICE} src {address}\n"
    );
    let mut ip = Command::new("ip").args(["-batch", "-"]).stdin(Stdio::piped()).spawn().context("cannot start ip (Debian: iproute2)")?;
    ip.stdin.take().context("standard input is piped")?.write_all(commands.as_bytes())?;
    let status = ip.wait()?;
    if !status.success() {
        bail!("ip ended with {status}");
    }
    Ok(device)
}
