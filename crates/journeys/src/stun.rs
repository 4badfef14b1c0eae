//! Who asks by STUN, as fast as it is answered.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

/// Requests under way at one time: what a burst of some visitors is.
const WINDOW: usize = 128;

/// A Binding request (RFC 8489 section 5).
const REQUEST: [u8; 20] = [0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, b'v', b'i', b'r', b'a', b'l', b'-', b'b', b'e', b'n', b'c', b'h', b'!'];

/// Whether one request is answered, within 100 ms.
#[must_use]
pub fn is_answered(server: SocketAddr) -> bool {
    load(server, Duration::from_millis(1)).is_ok_and(|answers| answers > 0)
}

/// Successes of about so long, and those of what is under way then.
///
/// # Errors
/// When there is no socket.
pub fn load(server: SocketAddr, time: Duration) -> std::io::Result<usize> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.connect(server)?;
    socket.set_read_timeout(Some(Duration::from_millis(100)))?;
    let (mut answers, mut under_way, mut room) = (0, 0, [0; 128]);
    let until = Instant::now() + time;
    loop {
        while under_way < WINDOW && Instant::now() < until {
            under_way += usize::from(socket.send(&REQUEST).is_ok());
        }
        match socket.recv(&mut room) {
            Ok(len) if len >= 32 && room[..2] == [1, 1] => {
                answers += 1;
                under_way = under_way.saturating_sub(1);
            }
            Ok(_) => {}
            // What was lost is not waited for twice.
            Err(_) if Instant::now() >= until => return Ok(answers),
            Err(_) => under_way = 0,
        }
        if under_way == 0 && Instant::now() >= until {
            return Ok(answers);
        }
    }
}
