//! Verified bytes per second from `viral seed` to Chromium, beside those of a bare str0m connection to the same Chromium, in turns.

use std::net::{SocketAddr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use str0m::change::SdpOffer;
use str0m::channel::{ChannelConfig, ChannelId};
use str0m::net::{Protocol, Receive};
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig};
use viral_journeys::browser::Engine::Chromium;
use viral_journeys::native::seed;
use viral_journeys::server::Server;
use viral_journeys::site::{App, noise};
use viral_journeys::visitor::Visitor;

use crate::goodput::{LEN, fresh_visit, rate, rates};
use crate::numbers::{Table, Target, median};

/// Length of one message of the bare connection, as on the raw channel between browsers.
const MESSAGE_LEN: usize = 64 * 1024;

/// What the bare connection may have buffered, in bytes. More keeps the path full, and overruns the other side's socket; the best of them is what viral is compared with.
const BUFFERED: [usize; 2] = [1 << 17, 1 << 18];

/// A bare connection without a datagram for this long is over.
const SILENCE: Duration = Duration::from_secs(20);

pub(crate) async fn measure(runs: usize, table: &Table) -> anyhow::Result<()> {
    let mut site = App::default().site();
    site.write("/big.bin", noise(32, LEN));
    site.write("/rivals.js", include_str!("rivals.js"));
    let server = Server::serve(site.folder(), &["--list-assets"]).await;
    let folder = tempfile::tempdir()?;
    let _seeder = seed(&server.url("/"), folder.path(), &["--all"]);
    server.until_stats("everything is mirrored", |stats| stats.seeders == 1 && stats.origin_bytes.of_app() > LEN as u64).await;

    let leecher = Visitor::fresh(Chromium).await;
    let (mut ours, mut bare) = (Vec::new(), BUFFERED.map(|_| Vec::new()));
    for _ in 0..runs {
        ours.push(fresh_visit(&server, &leecher).await?);
        for (buffered, rates) in BUFFERED.into_iter().zip(&mut bare) {
            let offer = leecher.run_async(&format!("return window.rivals.rawOffer({LEN})")).await;
            let answer = bare_str0m(offer.as_str().unwrap_or_default(), buffered)?;
            let took = leecher.run_async(&format!("return window.rivals.rawRun({})", serde_json::Value::from(answer))).await;
            rates.push(rate(took.as_f64().unwrap_or(f64::NAN)));
        }
    }
    let ours = rates(&ours, table);
    let best = bare.iter().map(|rates| median(rates)).fold(f64::NAN, f64::max);
    table.add_median("32 MiB asset native seeder -> Chromium, viral, verified, from peers", &ours, "MB/s", Target::None);
    for (buffered, rates) in BUFFERED.into_iter().zip(&bare) {
        table.add_median(
            &format!("32 MiB bare str0m -> Chromium, raw data channel, {} KiB buffered", buffered >> 10),
            rates,
            "MB/s",
            Target::None,
        );
    }
    table.add("goodput, native seeder -> Chromium / bare str0m -> Chromium at its best", median(&ours) / best, "x", Target::AtLeast(0.8));
    Ok(())
}

/// The answer to a page's offer, behind it a thread that sends the whole length once it is asked to.
fn bare_str0m(offer: &str, buffered: usize) -> anyhow::Result<String> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    // A route is looked up, nothing is sent.
    let route = UdpSocket::bind("0.0.0.0:0")?;
    route.connect("198.51.100.1:9")?;
    let own = SocketAddr::new(route.local_addr()?.ip(), socket.local_addr()?.port());
    // Chromium hides its own addresses behind names; it finds us by ours.
    let offer: String = offer.lines().filter(|line| !line.contains(".local")).flat_map(|line| [line, "\r\n"]).collect();
    let mut rtc = RtcConfig::new().clear_codecs().set_sctp_max_buffered_amount(buffered).build(Instant::now());
    rtc.add_local_candidate(Candidate::host(own, "udp")?);
    let answer = rtc.sdp_api().accept_offer(SdpOffer::from_sdp_string(&offer)?)?.to_sdp_string();
    let channel = rtc.direct_api().create_data_channel(ChannelConfig { negotiated: Some(0), ..ChannelConfig::default() });
    thread::spawn(move || send(rtc, &socket, own, channel));
    Ok(answer)
}

fn send(mut rtc: Rtc, socket: &UdpSocket, own: SocketAddr, channel: ChannelId) -> anyhow::Result<()> {
    let (message, mut buffer) = (vec![7; MESSAGE_LEN], vec![0; 2_000]);
    let (mut asked, mut left, mut heard_at) = (false, LEN, Instant::now());
    while rtc.is_alive() && heard_at.elapsed() < SILENCE {
        while asked && left > 0 && rtc.channel(channel).is_some_and(|mut channel| channel.write(true, &message).unwrap_or(false)) {
            left -= MESSAGE_LEN;
        }
        let due = loop {
            match rtc.poll_output()? {
                Output::Transmit(transmit) => drop(socket.send_to(&transmit.contents, transmit.destination)),
                Output::Event(event) => asked |= matches!(event, Event::ChannelData(_)),
                Output::Timeout(due) => break due,
            }
        };
        let wait = due.saturating_duration_since(Instant::now()).clamp(Duration::from_millis(1), Duration::from_millis(100));
        socket.set_read_timeout(Some(wait))?;
        let input = match socket.recv_from(&mut buffer) {
            Ok((len, source)) => {
                heard_at = Instant::now();
                Input::Receive(heard_at, Receive::new(Protocol::Udp, source, own, &buffer[..len])?)
            }
            Err(_) => Input::Timeout(Instant::now()),
        };
        rtc.handle_input(input)?;
    }
    Ok(())
}
