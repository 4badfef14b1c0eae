//! One network namespace of the kernel, with one device towards the others: a TUN device that leads to the packet loop, or an end of a cable to a router.
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

/// Name of the device towards the others inside each namespace.
pub const DEVICE: &str = "vlab0";

/// Largest IP packet, in bytes: Ethernet's, as on nearly every access line.
pub const MTU: u16 = 1500;

type Job = Box<dyn FnOnce() + Send>;

/// A namespace and the thread that lives in it. Dropped, the thread ends, and processes started from it are killed.
pub struct Namespace {
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
    thread_id: i32,
}

/// The answer to a job that a [`Namespace`] works on.
pub struct Pending<T>(mpsc::Receiver<T>);

impl Namespace {
    /// Makes a namespace whose only way out is the returned device.
    ///
    /// # Errors
    /// When the kernel refuses, mostly for want of root.
    pub fn create(name: &str, address: Ipv4Addr) -> anyhow::Result<(Self, SyncDevice)> {
        let namespace = Self::bare(name)?;
        let device = namespace.run(move || attach(address)).wait()??;
        Ok((namespace, device))
    }

    /// Makes a namespace without any way out.
    ///
    /// # Errors
    /// When the kernel refuses, mostly for want of root.
    pub fn bare(name: &str) -> anyhow::Result<Self> {
        let (jobs, todo) = mpsc::channel::<Job>();
        let (made, is_made) = mpsc::sync_channel(1);
        let body = move || {
            let entered = enter();
            let is_usable = entered.is_ok();
            let _ = made.send(entered);
            if is_usable {
                todo.iter().for_each(|job| job());
            }
        };
        let thread = std::thread::Builder::new().name(format!("vlab-{name}")).spawn(body).context("cannot start a thread")?;
        let thread_id = is_made.recv().map_err(|_| anyhow!("the thread of namespace {name} ended"))??;
        Ok(Self { jobs: Some(jobs), thread: Some(thread), thread_id })
    }

    /// What `ip` takes for a namespace: the kernel's number of the thread that lives in it.
    #[must_use]
    pub fn thread_id(&self) -> i32 {
        self.thread_id
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

    /// Gives each line of `commands` to `ip`, inside.
    ///
    /// # Errors
    /// When one of them fails, with what `ip` says.
    pub fn ip(&self, commands: String) -> anyhow::Result<()> {
        self.run(move || feed("ip", &["-batch", "-"], &commands)).wait()?
    }

    /// Makes `rules` the packet filter inside.
    ///
    /// # Errors
    /// When nft is not there, or does not take them.
    pub fn filter(&self, rules: String) -> anyhow::Result<()> {
        self.run(move || feed("nft", &["-f", "-"], &rules)).wait()?
    }

    /// Sets what `/proc/sys/net/` holds of this namespace; a setting that this kernel has not is left alone.
    ///
    /// # Errors
    /// When the namespace is gone.
    pub fn set(&self, settings: &'static [(&'static str, &'static str)]) -> anyhow::Result<()> {
        self.run(move || {
            for (name, value) in settings {
                let _ = fs::write(format!("/proc/sys/net/{name}"), value);
            }
        })
        .wait()
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

/// Moves this thread into a fresh namespace; returns its number.
fn enter() -> anyhow::Result<i32> {
    unshare(CloneFlags::CLONE_NEWNET).context("cannot make a network namespace")?;
    // The kernel must not send what nobody asked for on devices to come. Loopback keeps its IPv6 address, on which drivers of browsers insist.
    let _ = fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
    feed("ip", &["-batch", "-"], "link set lo up\n")?;
    Ok(rustix::thread::gettid().as_raw_nonzero().get())
}

/// Gives this thread's namespace its device and its address.
fn attach(address: Ipv4Addr) -> anyhow::Result<SyncDevice> {
    let device = DeviceBuilder::new().name(DEVICE).mtu(MTU).build_sync().context("cannot make a TUN device (is there /dev/net/tun?)")?;
    device.set_nonblocking(true)?;
    let commands = format!("address add {address}/32 dev {DEVICE}\nlink set {DEVICE} up\nroute add default dev {DEVICE} src {address}\n");
    feed("ip", &["-batch", "-"], &commands)?;
    Ok(device)
}

/// Runs a program of this thread's namespace with `text` on its standard input.
fn feed(program: &str, arguments: &[&str], text: &str) -> anyhow::Result<()> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {program} (Debian: iproute2, nftables)"))?;
    child.stdin.take().context("standard input is piped")?.write_all(text.as_bytes())?;
    let output = child.wait_with_output()?;
    if !output.status.success() {
        bail!("{program} ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim_end());
    }
    Ok(())
}
