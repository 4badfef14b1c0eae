//! What a proxy adds besides processor time: latency when nothing else happens, memory while much streams by, and our tag in a page.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use viral_journeys::figures::{Target, median, quantile};
use viral_journeys::http::NAVIGATION;
use viral_journeys::server::Server;

use crate::front::Fronts;

/// Requests of one round.
const REQUESTS: usize = 200;

/// Bytes that are streamed each way.
const STREAMED: u64 = 2 << 30;

const MIB: f64 = (1 << 20) as f64;

/// Names of the rows.
pub(crate) const ROWS: [&str; 3] = ["latency", "memory", "rewriting"];

/// Where a head ends in what came, and the length of the body that it tells.
fn head(came: &[u8]) -> Option<(usize, Option<u64>)> {
    let end = came.windows(4).position(|end| end == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&came[..end]).to_ascii_lowercase();
    let told = text.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.trim().parse().ok());
    Some((end, told))
}

/// The next bytes; an error where there are none any more.
fn more(stream: &mut TcpStream, into: &mut [u8]) -> anyhow::Result<usize> {
    let read = stream.read(into)?;
    ensure!(read > 0, "the answer broke off");
    Ok(read)
}

/// One request on a connection, to the end of its answer, and how long its first byte and all of it took.
fn ask(stream: &mut TcpStream, host: SocketAddr, path: &str, headers: &[(&str, &str)]) -> anyhow::Result<[Duration; 2]> {
    let lines: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let began = Instant::now();
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n{lines}\r\n").as_bytes())?;
    let mut answer = vec![0; 64 << 10];
    let mut len = stream.read(&mut answer)?;
    let first = began.elapsed();
    ensure!(len > 0 && answer.starts_with(b"HTTP/1.1 200"), "no answer to {path}: {}", String::from_utf8_lossy(&answer[..len]));
    let (head, told) = loop {
        if let Some(found) = head(&answer[..len]) {
            break found;
        }
        len += more(stream, &mut answer[len..])?;
    };
    match told {
        Some(whole) => {
            let mut got = (len - head) as u64;
            while got < whole {
                got += more(stream, &mut answer)? as u64;
            }
        }
        None => {
            // Chunks: the last one is empty.
            let mut end: Vec<u8> = answer[head..len].to_vec();
            while !end.ends_with(b"0\r\n\r\n") {
                let read = more(stream, &mut answer)?;
                end.extend_from_slice(&answer[read.saturating_sub(8)..read]);
                end.drain(..end.len().saturating_sub(16));
            }
        }
    }
    Ok([first, began.elapsed()])
}

/// How long whole answers of each take, in turns, one at a time: median and 99th percentile, in milliseconds.
pub(crate) fn latency(fronts: &Fronts, rounds: usize) -> anyhow::Result<()> {
    let hosts = [fronts.viral.address(), fronts.nginx.address()];
    let mut took = [Vec::new(), Vec::new()];
    for round in 0..=rounds {
        for (host, took) in hosts.iter().zip(&mut took) {
            let mut stream = TcpStream::connect(host)?;
            stream.set_nodelay(true)?;
            for _ in 0..REQUESTS {
                let [_, whole] = ask(&mut stream, *host, "/passed/16.png", &[])?;
                if round > 0 {
                    took.push(whole.as_secs_f64() * 1e3);
                }
            }
        }
    }
    for (name, at, limit) in [("p50", 0.5, 0.2), ("p99", 0.99, 1.0)] {
        let [ours, theirs] = [0, 1].map(|side| quantile(&took[side], at));
        let added = ours - theirs;
        println!(
            "{:<44} {ours:>9.3} {theirs:>9.3} {added:>7.3}  {}",
            format!("latency {name} of a proxy, ms"),
            Target::AtMost(limit).beside(added)
        );
    }
    Ok(())
}

/// Memory of a proxy beyond its idle state while 2 GiB stream through it, down and then up.
pub(crate) fn memory(fronts: &Fronts) -> anyhow::Result<()> {
    let idle = fronts.viral.memory();
    let host = fronts.viral.address();
    let mut most = idle;
    let mut stream = TcpStream::connect(host)?;
    stream.write_all(format!("GET /passed/large.bin HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").as_bytes())?;
    let mut buffer = vec![0; 1 << 20];
    let mut got = 0;
    loop {
        let read = stream.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        let before = got >> 26;
        got += read as u64;
        if got >> 26 != before {
            most = most.max(fronts.viral.memory());
        }
    }
    ensure!(got >= STREAMED, "only {got} bytes came down");
    say_memory("down", idle, most);
    Ok(())
}

/// The same of an upload to a server that reads all and keeps nothing.
pub(crate) async fn upload() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let sink = listener.local_addr()?;
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || swallow(stream));
        }
    });
    let viral = Server::proxy(sink, &[]).await;
    let idle = viral.memory();
    let mut most = idle;
    let mut stream = TcpStream::connect(viral.address())?;
    let head = format!("POST /up HTTP/1.1\r\nhost: {}\r\ncontent-length: {STREAMED}\r\nconnection: close\r\n\r\n", viral.address());
    stream.write_all(head.as_bytes())?;
    let part = vec![7; 1 << 20];
    for at in 0..STREAMED >> 20 {
        stream.write_all(&part)?;
        if at % 64 == 0 {
            most = most.max(viral.memory());
        }
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    ensure!(answer.starts_with("HTTP/1.1 200"), "the upload ended with {answer}");
    say_memory("up", idle, most);
    Ok(())
}

fn say_memory(way: &str, idle: u64, most: u64) {
    let added = (most - idle) as f64 / MIB;
    println!(
        "{:<44} {:>9.1} {:>9.1} {added:>7.1}  {}",
        format!("memory while 2 GiB go {way}, MiB; idle"),
        most as f64 / MIB,
        idle as f64 / MIB,
        Target::AtMost(24.0).beside(added)
    );
}

/// Answers any request once its body was read; keeps nothing.
fn swallow(mut stream: TcpStream) -> std::io::Result<()> {
    let mut buffer = vec![0; 1 << 18];
    let mut came = Vec::new();
    let (mut left, mut is_body) = (0_u64, false);
    loop {
        let read = stream.read(&mut buffer)?;
        if read == 0 {
            return Ok(());
        }
        let mut part = &buffer[..read];
        if !is_body {
            came.extend_from_slice(part);
            let Some((end, told)) = head(&came) else { continue };
            left = told.unwrap_or(0);
            part = &buffer[read - (came.len() - end).min(read)..read];
            is_body = true;
        }
        left = left.saturating_sub(part.len() as u64);
        if left == 0 {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")?;
            came.clear();
            is_body = false;
        }
    }
}

/// A page of 1 MB that is made for its visitor, with our tag and, for who opted out, without: time to its first byte, and processor time of the proxy.
pub(crate) fn rewriting(fronts: &Fronts, rounds: usize) -> anyhow::Result<()> {
    for coding in ["identity", "gzip"] {
        let mut first = [Vec::new(), Vec::new()];
        let mut cpu = [Vec::new(), Vec::new()];
        let host = fronts.viral.address();
        for round in 0..=rounds {
            for (side, cookie) in ["x=1", "viral=off"].into_iter().enumerate() {
                let headers: Vec<(&str, &str)> =
                    NAVIGATION.iter().copied().chain([("cookie", cookie), ("accept-encoding", coding)]).collect();
                let mut stream = TcpStream::connect(host)?;
                stream.set_nodelay(true)?;
                let before = fronts.viral.cpu_s();
                let mut took = Vec::new();
                for _ in 0..REQUESTS / 4 {
                    took.push(ask(&mut stream, host, "/passed/page.html", &headers)?[0].as_secs_f64() * 1e3);
                }
                if round > 0 {
                    first[side].push(median(&took));
                    cpu[side].push((fronts.viral.cpu_s() - before) / (REQUESTS / 4) as f64 * 1e3);
                }
            }
        }
        for (name, values, limit) in [("first byte", first, 1.0), ("processor", cpu, 15.0)] {
            let [ours, theirs] = [median(&values[0]), median(&values[1])];
            let added = ours - theirs;
            println!(
                "{:<44} {ours:>9.3} {theirs:>9.3} {added:>7.3}  {}",
                format!("rewriting 1 MB, {coding}: {name}, ms"),
                Target::AtMost(limit).beside(added)
            );
        }
    }
    Ok(())
}

/// A page of 1 MB as wikis have it.
pub(crate) fn page() -> anyhow::Result<String> {
    let mut page =
        "<!doctype html><html lang=en><head><meta charset=utf-8><title>Page</title><script src=/kept/16.png></script></head><body>"
            .to_owned();
    while page.len() < 1_000_000 {
        use std::fmt::Write as _;
        writeln!(
            page,
            "<p class=line id=l{0}>Line {0} of a page that is <b>made</b> for one visitor, <a href=/l{0}>with a link</a>.</p>",
            page.len()
        )
        .context("text")?;
    }
    Ok(page)
}
