//! Goodput over loopback of two native peers, beside that of two bare str0m connections, and the memory of a peer.
//!
//! `cargo run --release --package viral-peer --example goodput`
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a bench fails by panicking and prints its figures")]

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use str0m::channel::{ChannelConfig, ChannelId};
use str0m::net::{Protocol, Receive};
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig};
use viral_peer::{GetEvent, GetOptions, get};
use viral_server::config::Config;
use viral_server::{EmbeddedFile, Source, Viral};
use viral_wire::Digest;

const LEN: usize = 100 << 20;
const RUNS: usize = 5;

/// Longest datagram of both, in bytes.
const DATAGRAM_LEN: usize = 1_232;

/// What the bare connection may buffer, in bytes.
const BUFFERED: [usize; 5] = [1 << 16, 1 << 17, 1 << 18, 1 << 19, 1 << 20];

fn main() {
    // SCTP fills what it may buffer; too much of it overruns the other socket. The rival is str0m at its best.
    let mut tried: Vec<(f64, usize)> = BUFFERED.iter().map(|len| (raw_str0m(*len), *len)).collect();
    tried.sort_by(|left, right| left.0.total_cmp(&right.0));
    println!("raw str0m by bytes it may buffer: {tried:.1?}");
    let buffered = tried[tried.len() - 1].1;
    let (mut raw, mut viral) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        raw.push(raw_str0m(buffered));
        viral.push(two_peers());
    }
    raw.sort_by(f64::total_cmp);
    viral.sort_by(f64::total_cmp);
    println!("raw str0m     {:6.1} MB/s (median of {RUNS}: {raw:.1?})", raw[RUNS / 2]);
    println!("native peers  {:6.1} MB/s (median of {RUNS}: {viral:.1?})", viral[RUNS / 2]);
    println!("ratio         {:6.2}", viral[RUNS / 2] / raw[RUNS / 2]);
    memory();
}

/// One way, 32 KiB messages, two threads.
fn raw_str0m(buffered: usize) -> f64 {
    let (left_socket, right_socket) = (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
    for socket in [&left_socket, &right_socket] {
        let socket = socket2::SockRef::from(socket);
        let _ = (socket.set_recv_buffer_size(4 << 20), socket.set_send_buffer_size(4 << 20));
    }
    let now = Instant::now();
    let rtc = |own: SocketAddr| {
        let config = RtcConfig::new().clear_codecs().set_mtu(DATAGRAM_LEN..=DATAGRAM_LEN);
        let mut rtc = config.set_sctp_max_buffered_amount(buffered).build(now);
        rtc.add_local_candidate(Candidate::host(own, "udp").unwrap());
        rtc
    };
    let (mut left, mut right) = (rtc(left_socket.local_addr().unwrap()), rtc(right_socket.local_addr().unwrap()));
    let mut changes = left.sdp_api();
    let channel = changes.add_channel_with_config(ChannelConfig { negotiated: Some(0), ..ChannelConfig::default() });
    let (offer, pending) = changes.apply().unwrap();
    let answer = right.sdp_api().accept_offer(offer).unwrap();
    left.sdp_api().accept_answer(pending, answer).unwrap();
    right.direct_api().create_data_channel(ChannelConfig { negotiated: Some(0), ..ChannelConfig::default() });
    let receiver = std::thread::spawn(move || drive(right, &right_socket, None));
    std::thread::spawn(move || drive(left, &left_socket, Some(channel)));
    let took = receiver.join().unwrap();
    LEN as f64 / took.as_secs_f64() / 1e6
}

/// Sends for ever or receives until everything is there; how long that took from the first message.
fn drive(mut rtc: Rtc, socket: &UdpSocket, sends: Option<ChannelId>) -> Duration {
    let own = socket.local_addr().unwrap();
    let message = vec![7; 32 * 1024];
    let mut buffer = vec![0; 2_000];
    let (mut open, mut got, mut began) = (false, 0, Instant::now());
    loop {
        if let (Some(id), true) = (sends, open) {
            while rtc.channel(id).is_some_and(|mut channel| channel.write(true, &message).unwrap_or(false)) {}
        }
        let due = loop {
            match rtc.poll_output().unwrap() {
                Output::Transmit(transmit) => drop(socket.send_to(&transmit.contents, transmit.destination)),
                Output::Event(Event::ChannelOpen(..)) => open = true,
                Output::Event(Event::ChannelData(data)) => {
                    if got == 0 {
                        began = Instant::now();
                    }
                    got += data.data.len();
                }
                Output::Event(_) => {}
                Output::Timeout(due) => break due,
            }
        };
        if got >= LEN || (sends.is_some() && !rtc.is_alive()) {
            return began.elapsed();
        }
        let wait = due.saturating_duration_since(Instant::now()).clamp(Duration::from_millis(1), Duration::from_millis(100));
        socket.set_read_timeout(Some(wait)).unwrap();
        let input = match socket.recv_from(&mut buffer) {
            Ok((len, source)) => match Receive::new(Protocol::Udp, source, own, &buffer[..len]) {
                Ok(receive) => Input::Receive(Instant::now(), receive),
                Err(_) => continue,
            },
            // The other side is done.
            Err(_) if sends.is_some() && began.elapsed() > Duration::from_secs(20) => return began.elapsed(),
            Err(_) => Input::Timeout(Instant::now()),
        };
        rtc.handle_input(input).unwrap();
    }
}

/// One visitor takes an app of noise from another one, each with a thread of its own.
fn two_peers() -> f64 {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let url = serve(LEN).await;
        let stays = GetOptions { stay: Duration::from_secs(600), bind: Some([127, 0, 0, 1].into()), ..GetOptions::new(url) };
        let takes = GetOptions { stay: Duration::ZERO, up_limit: Some(viral_peer::Rate(0)), ..stays.clone() };
        let (sender, mut whole) = tokio::sync::mpsc::channel(1);
        let stayer = tokio::spawn(get(stays, move |event| {
            if matches!(event, GetEvent::Here(_)) {
                let _ = sender.try_send(());
            }
        }));
        whole.recv().await;
        // A full answer says that the other one's offers are still on their way, but not for long.
        let mut report = None;
        for _ in 0..10 {
            tokio::time::sleep(Duration::from_millis(300)).await;
            report = Some(get(takes.clone(), |_| ()).await.unwrap());
            if report.as_ref().is_some_and(|report| report.answer == viral_peer::Answer::Thin) {
                break;
            }
        }
        let report = report.unwrap();
        stayer.abort();
        assert!(report.bytes_from_peers > LEN as u64 * 9 / 10, "{report:?}");
        let ms = report.ms_total - report.ms_first_piece.unwrap_or(0);
        (report.bytes_from_peers + report.bytes_from_origin) as f64 / ms as f64 / 1e3
    })
}

/// A server of a page with one script of noise.
async fn serve(len: usize) -> url::Url {
    let noise: Vec<u8> = (0..(len / 32) as u64).flat_map(|n| *Digest::of(&n.to_be_bytes()).as_bytes()).collect();
    let page = "<!doctype html><title>t</title><img src=\"/noise.bin\">";
    let files = vec![
        EmbeddedFile { path: "index.html".to_owned(), body: page.into() },
        EmbeddedFile { path: "noise.bin".to_owned(), body: noise.into() },
    ];
    let viral = Viral::open(Source::Embedded(files), &Config::default()).await.unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move { viral.serve(vec![listener.into()], Vec::new()).await });
    url
}

/// Resident memory of 200 peers that idle after a small app, each.
fn memory() {
    const PEERS: u32 = 200;
    // Two ends of everything are in this process.
    let all = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let wished = rustix::process::Rlimit { current: all.maximum, maximum: all.maximum };
    let _ = rustix::process::setrlimit(rustix::process::Resource::Nofile, wished);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let url = serve(1 << 20).await;
        let options = GetOptions { stay: Duration::from_secs(600), bind: Some([127, 0, 0, 1].into()), ..GetOptions::new(url) };
        let before = resident();
        let (sender, mut whole) = tokio::sync::mpsc::unbounded_channel();
        let mut peers = Vec::new();
        for peer in 0..PEERS {
            let sender = sender.clone();
            peers.push(tokio::spawn(get(options.clone(), move |event| {
                if matches!(event, GetEvent::Here(_)) {
                    let _ = sender.send(peer);
                }
            })));
        }
        let mut done = std::collections::BTreeSet::new();
        let began = Instant::now();
        let mut peak = 0;
        while done.len() < PEERS as usize && began.elapsed() < Duration::from_secs(60) {
            if let Some(peer) = whole.recv().await {
                done.insert(peer);
            }
            peak = peak.max(resident());
        }
        println!("{} of {PEERS} peers in one process got 1 MiB each in {:.1} s", done.len(), began.elapsed().as_secs_f64());
        println!("memory per transferring peer {} KiB, its 1 MiB of app included", (peak - before) / u64::from(PEERS));
        tokio::time::sleep(Duration::from_secs(3)).await;
        println!("memory per idle peer         {} KiB, its 1 MiB of app included", (resident() - before) / u64::from(PEERS));
        peers.iter().for_each(tokio::task::JoinHandle::abort);
    });
}

/// In KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|rest| rest.split_ascii_whitespace().next()?.parse().ok()).unwrap_or(0)
}
