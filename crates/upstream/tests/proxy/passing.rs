//! What is passed on, and how.

use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::{any, get};
use http_body_util::BodyExt as _;
use tokio::sync::mpsc;

use super::*;

/// Answers with what it was asked.
async fn echo(request: Request) -> String {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let mut text = format!("asked {} {}\n", parts.method, parts.uri);
    for (name, value) in &parts.headers {
        text.push_str(&format!("asked {name}: {}\n", value.to_str().unwrap()));
    }
    text + &format!("asked body {}\n", String::from_utf8_lossy(&body))
}

#[tokio::test]
async fn a_request_arrives_as_it_was_made_but_for_what_is_between_two_neighbours() {
    let front = front(Router::new().fallback(any(echo))).await;
    let lines = "x-app: 1\r\nx-hop: 2\r\nproxy-authorization: Basic x\r\nte: trailers\r\ncookie: a=1; viral-visit=0\r\nx-forwarded-for: 10.9.9.9\r\n\
                 authorization: Bearer t\r\naccept-encoding: br\r\n";
    let answer = front
        .send(&format!(
            "PUT /a/b%20c?x=1&y HTTP/1.1\r\nhost: a.example\r\nconnection: close, x-hop\r\ncontent-length: 5\r\n{lines}\r\nhello"
        ))
        .await;
    for held in [
        "HTTP/1.1 200 OK",
        "asked PUT /a/b%20c?x=1&y\n",
        "asked x-app: 1\n",
        "asked cookie: a=1\n",
        "asked authorization: Bearer t\n",
        "asked accept-encoding: br\n",
        "asked host: a.example\n",
        "asked x-forwarded-for: 127.0.0.1\n",
        "asked x-forwarded-host: a.example\n",
        "asked x-forwarded-proto: http\n",
        "asked forwarded: for=127.0.0.1;host=\"a.example\";proto=http\n",
        "asked via: 1.1 viral\n",
        "asked te: trailers\n",
        "asked body hello\n",
        "via: 1.1 viral\r\n",
    ] {
        assert!(answer.contains(held), "{held} in {answer}");
    }
    for missing in ["x-hop", "proxy-authorization", "10.9.9.9", "viral-visit"] {
        assert!(!answer.contains(missing), "{missing} in {answer}");
    }
}

#[tokio::test]
async fn an_answer_arrives_piece_by_piece_as_it_is_made() {
    let (sender, receiver) = mpsc::channel::<String>(1);
    let receiver = Arc::new(Mutex::new(Some(receiver)));
    let app = Router::new().route(
        "/events",
        get(move || async move {
            let receiver = receiver.lock().unwrap().take().unwrap();
            let pieces = futures_util::stream::unfold(receiver, |mut receiver| async move {
                receiver.recv().await.map(|piece| (Ok::<_, std::io::Error>(piece), receiver))
            });
            Response::builder().header("content-type", "text/event-stream").body(Body::from_stream(pieces)).unwrap()
        }),
    );
    let front = front(app).await;
    let mut stream = TcpStream::connect(front.at).await.unwrap();
    stream.write_all(b"GET /events HTTP/1.1\r\nhost: a.example\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    for number in 0..3 {
        sender.send(format!("data: {number}\n\n")).await.unwrap();
        // The next one is not made before this one came.
        while !answer.contains(&format!("data: {number}\n")) {
            let mut buffer = [0; 4096];
            let len = timeout(Duration::from_secs(10), stream.read(&mut buffer)).await.expect("it comes at once").unwrap();
            assert!(len > 0, "{answer}");
            answer.push_str(&String::from_utf8_lossy(&buffer[..len]));
        }
    }
}

#[tokio::test]
async fn another_protocol_goes_to_and_fro() {
    use axum::extract::ws::WebSocketUpgrade;
    let app = Router::new().route(
        "/chat",
        any(|upgrade: WebSocketUpgrade| async {
            upgrade.protocols(["chat"]).on_upgrade(|mut socket| async move {
                while let Some(Ok(message)) = socket.recv().await {
                    if socket.send(message).await.is_err() {
                        return;
                    }
                }
            })
        }),
    );
    let front = front(app).await;
    let mut request =
        tokio_tungstenite::tungstenite::client::IntoClientRequest::into_client_request(format!("ws://{}/chat", front.at)).unwrap();
    request.headers_mut().insert("sec-websocket-protocol", "chat".parse().unwrap());
    let (mut socket, response) = tokio_tungstenite::connect_async(request).await.unwrap();
    assert_eq!(response.headers()["sec-websocket-protocol"], "chat");
    use futures_util::{SinkExt as _, StreamExt as _};
    for text in ["one", &"x".repeat(300_000)] {
        socket.send(text.into()).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap().into_text().unwrap().as_str(), text);
    }
}

#[tokio::test]
async fn a_server_that_is_away_or_slow_is_said_to_be_with_when_to_come_back() {
    let slow = || async { sleep(Duration::from_secs(60)).await };
    let front = front_with(Router::new().route("/slow", get(slow)), |settings| settings.answer_wait = Duration::from_millis(300)).await;
    let late = front.visit("/slow").await;
    assert!(late.starts_with("HTTP/1.1 504") && late.contains("retry-after: 5\r\n") && late.contains("took too long"), "{late}");
    front.behind.abort();
    sleep(Duration::from_millis(100)).await;
    let away = front.visit("/").await;
    assert!(away.starts_with("HTTP/1.1 502") && away.contains("retry-after: 5\r\n") && away.contains("try again"), "{away}");
}

#[tokio::test]
async fn a_long_upload_is_no_slow_answer() {
    let front = front_with(Router::new().fallback(any(echo)), |settings| settings.answer_wait = Duration::from_millis(400)).await;
    let mut stream = TcpStream::connect(front.at).await.unwrap();
    stream.write_all(b"POST /up HTTP/1.1\r\nhost: a.example\r\nconnection: close\r\ncontent-length: 8\r\n\r\n").await.unwrap();
    for _ in 0..8 {
        stream.write_all(b"x").await.unwrap();
        sleep(Duration::from_millis(150)).await;
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("asked body xxxxxxxx"), "{answer}");
}

#[tokio::test]
async fn no_protocol_but_that_of_web_sockets_is_changed_to() {
    let front = front(Router::new().fallback(any(echo))).await;
    let answer = front.send("GET / HTTP/1.1\r\nhost: a.example\r\nconnection: upgrade, close\r\nupgrade: h2c\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200") && !answer.contains("asked upgrade"), "{answer}");
}
