//! The network as the kernel's own sockets see it. Needs root; says so and passes without.
#![expect(clippy::print_stdout, reason = "the measured figures are the point")]

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use tokio::io::AsyncReadExt as _;
use viral_lab::forward;
use viral_lab::namespace::Namespace;
use viral_lab::network::fabric::Fabric;
use viral_lab::network::link::LinkShape;
use viral_lab::network::plan::{Endpoint, Network};
use viral_lab::packet_loop::PacketLoop;

const SERVER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), 7);

/// A server and a client with `mbit` each, 20 ms apart in each direction; `None` without root.
fn pair(mbit: f64) -> Option<(PacketLoop, Namespace, Namespace)> {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: namespaces need root");
        return None;
    }
    let shape = LinkShape::mbit(mbit, 100);
    let endpoint = |last| Endpoint { address: Ipv4Addr::new(10, 0, 0, last), up: shape, down: shape, delay_ns: 10_000_000, gateway: None };
    let network = Network {
        endpoints: vec![endpoint(1), endpoint(2)],
        gateways: Vec::new(),
        loss: 0.0,
        unreachable: 0.0,
        apart: Default::default(),
        seed: 1,
    };
    let (server, server_device) = Namespace::create("server", Ipv4Addr::new(10, 0, 0, 1)).expect("a network of two, as root");
    let (client, client_device) = Namespace::create("client", Ipv4Addr::new(10, 0, 0, 2)).expect("a network of two, as root");
    let packet_loop = PacketLoop::start(Fabric::new(network), vec![server_device, client_device]).expect("a network of two, as root");
    Some((packet_loop, server, client))
}

#[test]
fn a_round_trip_takes_the_distance_and_a_little() {
    let Some((packet_loop, server, client)) = pair(100.0) else { return };
    let socket = server.run(|| UdpSocket::bind(SERVER).unwrap()).wait().unwrap();
    std::thread::spawn(move || {
        let mut buffer = [0; 64];
        while let Ok((len, from)) = socket.recv_from(&mut buffer) {
            let _ = socket.send_to(&buffer[..len], from);
        }
    });
    let mut trips = client
        .run(|| {
            let socket = UdpSocket::bind("10.0.0.2:0").unwrap();
            socket.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
            let one = || {
                let began = Instant::now();
                socket.send_to(b"here", SERVER).unwrap();
                socket.recv(&mut [0; 64]).unwrap();
                std::thread::sleep(Duration::from_millis(3));
                began.elapsed() - Duration::from_millis(3)
            };
            (0..50).map(|_| one()).collect::<Vec<_>>()
        })
        .wait()
        .unwrap();
    trips.sort();
    println!("round trip of 40 ms: shortest {:?}, median {:?}, longest {:?}", trips[0], trips[25], trips[49]);
    // Never sooner than physics; how much later is what else this machine does, so only the figure printed above tells it.
    assert!(trips[0] >= Duration::from_millis(40), "{trips:?}");
    packet_loop.end().unwrap();
}

#[test]
fn localhost_of_a_visitor_is_the_origin_which_sees_the_visitors_address() {
    let Some((packet_loop, server, client)) = pair(100.0) else { return };
    let listener = server.run(|| TcpListener::bind(SERVER).unwrap()).wait().unwrap();
    let seen = std::thread::spawn(move || {
        let (mut stream, from) = listener.accept().unwrap();
        stream.write_all(b"here").unwrap();
        from.ip()
    });
    let visit = async || {
        let near = SocketAddr::from((Ipv4Addr::LOCALHOST, 80));
        forward::start(near, SERVER).await.unwrap();
        let mut said = String::new();
        tokio::net::TcpStream::connect(near).await.unwrap().read_to_string(&mut said).await.unwrap();
        said
    };
    let said = client.run(move || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(visit()));
    assert_eq!(said.wait().unwrap(), "here");
    assert_eq!(seen.join().unwrap(), Ipv4Addr::new(10, 0, 0, 2));
    packet_loop.end().unwrap();
}

#[test]
fn tcp_fills_the_line_and_no_more() {
    let Some((packet_loop, server, client)) = pair(10.0) else { return };
    const BYTES: usize = 5_000_000;
    let listener = server.run(|| TcpListener::bind(SERVER).unwrap()).wait().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.write_all(&vec![7; BYTES]);
    });
    let took = client
        .run(|| {
            let mut stream = TcpStream::connect(SERVER).unwrap();
            let began = Instant::now();
            assert_eq!(stream.read_to_end(&mut Vec::new()).unwrap(), BYTES);
            began.elapsed()
        })
        .wait()
        .unwrap();
    let mbit = BYTES as f64 * 8.0 / 1e6 / took.as_secs_f64();
    let account = packet_loop.end().unwrap();
    let delivered = account.samples.last().unwrap().counts.delivered;
    println!("TCP over 10 Mbit/s: {mbit:.2} Mbit/s; {:.1} us of processor per packet", account.cpu.as_secs_f64() * 1e6 / delivered as f64);
    // Headers of 52 in 1,500 bytes leave 9.65, and never more, whatever else this machine does.
    assert!((1.0..9.66).contains(&mbit), "{mbit}");
}
