use futures_util::StreamExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

use super::*;

fn config() -> WebSocketConfig {
    WebSocketConfig::default().read_buffer_size(SOCKET_READ_LEN).write_buffer_size(0)
}

/// Both ends: ours, and a client's bare stream.
fn pair() -> (WebSocket<DuplexStream>, DuplexStream) {
    let (ours, theirs) = duplex(1 << 20);
    (WebSocket::new(ours, config), theirs)
}

/// A text frame with a mask that changes nothing.
fn frame(text: &str) -> Vec<u8> {
    let len = u16::try_from(text.len()).unwrap().to_be_bytes();
    [&[0x81, 0x80 | 126], &len[..], &[0; 4], text.as_bytes()].concat()
}

/// Whether it has nothing to say just now.
fn is_quiet(socket: &mut WebSocket<DuplexStream>) -> bool {
    socket.recv().now_or_never().is_none()
}

async fn text(socket: &mut WebSocket<DuplexStream>) -> String {
    socket.recv().await.unwrap().unwrap().into_text().unwrap().to_string()
}

#[tokio::test]
async fn it_sleeps_between_messages_and_hears_the_next_one_whole() {
    let (mut socket, mut client) = pair();
    let long = "x".repeat(3 * SOCKET_READ_LEN);
    for said in ["a", &long, "b"] {
        assert!(!socket.is_awake());
        client.write_all(&frame(said)).await.unwrap();
        assert_eq!(text(&mut socket).await, said);
        assert!(socket.is_awake() && is_quiet(&mut socket));
        socket.sleep();
    }
    assert!(!socket.is_awake());
}

#[tokio::test]
async fn several_messages_that_wake_it_together_are_all_heard() {
    let (mut socket, mut client) = pair();
    client.write_all(&[frame("a"), frame("b"), frame("c")].concat()).await.unwrap();
    for said in ["a", "b", "c"] {
        assert_eq!(text(&mut socket).await, said);
    }
    assert!(is_quiet(&mut socket));
    socket.sleep();
    assert!(!socket.is_awake());
}

#[tokio::test]
async fn it_stays_awake_in_the_middle_of_a_message_wherever_that_is() {
    let whole = [&[0x01, 0x82, 0, 0, 0, 0][..], b"ab", &[0x80, 0x81, 0, 0, 0, 0], b"c"].concat();
    for cut in 1..whole.len() {
        let (mut socket, mut client) = pair();
        client.write_all(&whole[..cut]).await.unwrap();
        assert!(is_quiet(&mut socket));
        socket.sleep();
        assert!(socket.is_awake(), "{cut} bytes came");
        client.write_all(&whole[cut..]).await.unwrap();
        assert_eq!(text(&mut socket).await, "abc");
    }
}

#[tokio::test]
async fn what_a_client_does_not_read_keeps_it_awake() {
    let (ours, mut client) = duplex(16);
    let mut socket = WebSocket::new(ours, config);
    assert!(socket.feed(Message::text("y".repeat(100))).now_or_never().is_some());
    assert!(socket.flush().now_or_never().is_none());
    socket.sleep();
    assert!(socket.is_awake());
    let reading = tokio::spawn(async move {
        let mut read = vec![0; 102];
        client.read_exact(&mut read).await.unwrap();
        client
    });
    socket.flush().await.unwrap();
    socket.sleep();
    assert!(!socket.is_awake());
    reading.await.unwrap();
}

#[tokio::test]
async fn what_is_said_wakes_it_and_arrives() {
    let (mut socket, client) = pair();
    socket.feed(Message::text("hello")).await.unwrap();
    socket.flush().await.unwrap();
    socket.sleep();
    let mut client = WebSocketStream::from_raw_socket(client, Role::Client, None).await;
    assert_eq!(client.next().await.unwrap().unwrap().into_text().unwrap(), "hello");
    client.close(None).await.unwrap();
    assert!(matches!(socket.recv().await, Some(Ok(Message::Close(_)))));
}

#[tokio::test]
async fn one_that_sleeps_hears_that_its_client_is_gone() {
    let (mut socket, client) = pair();
    drop(client);
    assert!(matches!(socket.recv().await, Some(Err(Error::Protocol(_)))));
    assert!(socket.recv().await.is_none());
}
