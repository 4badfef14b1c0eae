//! One direction of one connection: a window model of TCP and of SCTP. Pure: packets and times go in, packets come out.
//!
//! What is modelled: slow start, congestion avoidance, loss told by three packets that left later, a lower window after it, repetition after a timeout that
//! doubles, acknowledgements of every second packet or after a wait, order within a stream. What is not: ECN, pacing, receive windows, acknowledgements that
//! ride on data, CUBIC's curve, HyStart, RACK and tail loss probes. With the last three the model's TCP was 11 % faster than the lab's nginx; without, 7 %.

mod receiver;
mod sender;

pub use receiver::Receiver;
pub use sender::{Half, Outgoing};

use viral_netsim::link::Nanos;

use crate::clock::MS;

/// What differs between the protocols. Lengths in bytes, times in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Protocol {
    /// Most of a message in one packet.
    pub segment_len: u32,
    /// Everything around that, down to IP.
    pub header_len: u32,
    /// A packet that only acknowledges.
    pub ack_len: u32,
    /// The window at the beginning, in segments.
    pub window_start: f64,
    /// What is left of the window after a loss.
    pub decrease: f64,
    /// The shortest wait before what is not acknowledged is sent again.
    pub repeat_min: Nanos,
    /// The wait before a round trip was measured.
    pub repeat_start: Nanos,
    /// How long an acknowledgement of a single packet is held back.
    pub ack_wait: Nanos,
}

/// TCP of Linux over IPv4 with time stamps: 1,448 of 1,500 bytes (4 %, as docs/LAB.md measured), ten segments at first (RFC 6928), CUBIC's decrease
/// (RFC 9438), 200 ms of shortest timeout, 40 ms of delayed acknowledgement.
pub const TCP: Protocol = Protocol {
    segment_len: 1_448,
    header_len: 52,
    ack_len: 52,
    window_start: 10.0,
    decrease: 0.7,
    repeat_min: 200 * MS,
    repeat_start: 1_000 * MS,
    ack_wait: 40 * MS,
};

/// SCTP in DTLS in UDP: datagrams of 1,232 bytes as the native peer makes them, headers of 7 % and acknowledgements of 55 bytes and IP's 28, as docs/LAB.md
/// measured; waits of RFC 9260 section 16 and acknowledgements of section 6.2.
pub const SCTP: Protocol = Protocol {
    segment_len: 1_178,
    header_len: 82,
    ack_len: 83,
    window_start: 4.0,
    decrease: 0.5,
    repeat_min: 1_000 * MS,
    repeat_start: 1_000 * MS,
    ack_wait: 200 * MS,
};
