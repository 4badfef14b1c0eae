//! The thread that is the network: reads what each namespace sends from its TUN device and writes it to its receiver's when it is due.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use rustix::event::{Timespec, epoll};
use rustix::thread::ClockId;
use rustix::time::clock_gettime;
use tun_rs::SyncDevice;

use crate::namespace::MTU;
use crate::network::fabric::{Counts, Fabric};
use crate::network::link::Nanos;

/// How often the counters are written down, in nanoseconds.
const SAMPLE_EVERY_NS: Nanos = 200_000_000;

/// After a round the thread sleeps this long, so that one round moves many packets. It is the error of each packet's delay, which is
/// 10 ms and more on every line; only the hop through an office is shorter.
const ROUND: Duration = Duration::from_millis(1);

/// Longest sleep, so that an order to end is seen.
const IDLE_WAIT_NS: Nanos = 20_000_000;

/// The counters at one moment.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sample {
    /// Nanoseconds since the packet loop began.
    pub at_ns: Nanos,
    /// What had been delivered and dropped.
    pub counts: Counts,
    /// What the origin's uplink had taken, in bytes.
    pub origin_up_bytes: u64,
    /// What had come down the shared lines, in bytes.
    pub gateway_down_bytes: u64,
}

/// What the packet loop did.
#[derive(Debug, Clone, Default)]
pub struct Account {
    /// The counters over time; the last sample is the end.
    pub samples: Vec<Sample>,
    /// Bytes that came down each shared line from the beginning to the end.
    pub down_each_line: Vec<u64>,
    /// Processor time of the thread, kernel included.
    pub cpu: Duration,
    /// Packets written later than due by more than 2 ms.
    pub late: u64,
}

/// A running network.
pub struct PacketLoop {
    began: Instant,
    must_end: Arc<AtomicBool>,
    thread: Option<JoinHandle<anyhow::Result<Account>>>,
}

impl PacketLoop {
    /// Connects `devices`, in the order of the network's endpoints.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(fabric: Fabric, devices: Vec<SyncDevice>) -> anyhow::Result<Self> {
        let must_end = Arc::new(AtomicBool::new(false));
        let began = Instant::now();
        let ends = Arc::clone(&must_end);
        let body = move || Router { fabric, devices, began, account: Account::default() }.run(&ends);
        let thread = std::thread::Builder::new().name("vlab-packets".into()).spawn(body).context("cannot start a thread")?;
        Ok(Self { began, must_end, thread: Some(thread) })
    }

    /// Nanoseconds since the network began, the clock of every [`Sample`].
    #[must_use]
    pub fn now_ns(&self) -> Nanos {
        elapsed_ns(self.began)
    }

    /// Ends the network.
    ///
    /// # Errors
    /// When it had ended by itself, with why.
    pub fn end(mut self) -> anyhow::Result<Account> {
        self.must_end.store(true, Relaxed);
        let thread = self.thread.take().context("ended once")?;
        thread.join().map_err(|_| anyhow!("the network's thread panicked"))?
    }
}

impl Drop for PacketLoop {
    fn drop(&mut self) {
        self.must_end.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Router {
    fabric: Fabric,
    devices: Vec<SyncDevice>,
    began: Instant,
    account: Account,
}

impl Router {
    fn run(mut self, must_end: &AtomicBool) -> anyhow::Result<Account> {
        // Ahead of the processes it connects: a network does not wait for its users. Not fatal, the account shows late packets.
        let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), -15);
        let poller = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        for (index, device) in self.devices.iter().enumerate() {
            epoll::add(&poller, device, epoll::EventData::new_u64(index as u64), epoll::EventFlags::IN)?;
        }
        let mut events = Vec::with_capacity(self.devices.len());
        let mut sample_at = 0;
        while !must_end.load(Relaxed) {
            let now = elapsed_ns(self.began);
            if now >= sample_at {
                self.sample(now);
                sample_at = now + SAMPLE_EVERY_NS;
            }
            let wait = self.fabric.poll_timeout().map_or(IDLE_WAIT_NS, |due| due.saturating_sub(now).min(IDLE_WAIT_NS));
            let wait = Timespec { tv_sec: 0, tv_nsec: i64::try_from(wait).unwrap_or(0) };
            wait_for(&poller, &mut events, &wait)?;
            let nothing = Timespec { tv_sec: 0, tv_nsec: 0 };
            while !events.is_empty() {
                self.read_from(&events);
                wait_for(&poller, &mut events, &nothing)?;
            }
            self.deliver();
            std::thread::sleep(ROUND);
        }
        self.sample(elapsed_ns(self.began));
        self.account.down_each_line = self.fabric.bytes_down_each_gateway();
        let cpu = clock_gettime(ClockId::ThreadCPUTime);
        self.account.cpu = Duration::new(u64::try_from(cpu.tv_sec).unwrap_or(0), u32::try_from(cpu.tv_nsec).unwrap_or(0));
        Ok(self.account)
    }

    /// One packet from each device that has one.
    fn read_from(&mut self, events: &[epoll::Event]) {
        let now = elapsed_ns(self.began);
        for event in events {
            let index = event.data.u64() as usize;
            let mut packet = vec![0; usize::from(MTU)];
            // Would block, or the namespace is going away: there is nothing to carry.
            if let Ok(len) = self.devices[index].recv(&mut packet) {
                packet.truncate(len);
                self.fabric.handle_packet(now, index, packet);
            }
        }
    }

    fn deliver(&mut self) {
        let now = elapsed_ns(self.began);
        let due = self.fabric.poll_timeout();
        if due.is_some_and(|due| due + 2_000_000 < now) {
            self.account.late += 1;
        }
        while let Some(delivery) = self.fabric.poll(now) {
            // A receiver that is gone loses the packet, as on any network.
            let _ = self.devices[delivery.to].send(&delivery.packet);
        }
    }

    fn sample(&mut self, now: Nanos) {
        self.account.samples.push(Sample {
            at_ns: now,
            counts: self.fabric.counts(),
            origin_up_bytes: self.fabric.origin_up_bytes(),
            gateway_down_bytes: self.fabric.gateway_down_bytes(),
        });
    }
}

/// Replaces `events` by what is ready within `limit`.
fn wait_for(poller: &OwnedFd, events: &mut Vec<epoll::Event>, limit: &Timespec) -> anyhow::Result<()> {
    events.clear();
    match epoll::wait(poller, rustix::buffer::spare_capacity(events), Some(limit)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error).context("cannot wait for packets"),
    }
}

fn elapsed_ns(since: Instant) -> Nanos {
    u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX)
}
