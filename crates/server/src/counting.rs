//! Counts the bytes of an answer where no stream of ours sends it, as under another program's server: the head as hyper will write it, the body
//! frame by frame. On our own streams [`Meter`](crate::meter::Meter) counts what really leaves.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use http::{Method, Response, StatusCode, header};
use http_body::{Body as _, Frame, SizeHint};

use crate::stats::{Cause, Stats};

/// `date: Sun, 06 Nov 1994 08:49:37 GMT\r\n`, which hyper adds.
const DATE_LINE_LEN: u64 = 37;

/// `transfer-encoding: chunked\r\n`, which hyper adds where no length is known.
const CHUNKED_LINE_LEN: u64 = 28;

/// `0\r\n\r\n` after the last chunk.
const LAST_CHUNK_LEN: u64 = 5;

/// Counts `response` under `cause` while it is sent.
pub(crate) fn counted(response: Response<Body>, method: &Method, cause: Cause, stats: &Arc<Stats>) -> Response<Body> {
    let has_body = *method != Method::HEAD
        && !matches!(response.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED | StatusCode::SWITCHING_PROTOCOLS);
    let chunked = has_body && response.body().size_hint().exact().is_none() && !response.headers().contains_key(header::CONTENT_LENGTH);
    stats.add_sent(cause, head_len(&response, has_body, chunked));
    response.map(|body| Body::new(Counted { body, stats: Arc::clone(stats), cause, chunked }))
}

/// Bytes of the head as hyper writes it over HTTP/1.1.
fn head_len(response: &Response<Body>, has_body: bool, chunked: bool) -> u64 {
    let status = response.status();
    let status_line = "HTTP/1.1 200 ".len() + status.canonical_reason().unwrap_or("<none>").len() + 2;
    let lines: usize = response.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    let mut len = (status_line + lines + 2) as u64;
    if !response.headers().contains_key(header::DATE) {
        len += DATE_LINE_LEN;
    }
    if chunked {
        len += CHUNKED_LINE_LEN + LAST_CHUNK_LEN;
    } else if has_body && !response.headers().contains_key(header::CONTENT_LENGTH) {
        let exact = response.body().size_hint().exact().unwrap_or_default();
        len += ("content-length: \r\n".len() + exact.to_string().len()) as u64;
    }
    len
}

/// A body that counts what passes through it.
struct Counted {
    body: Body,
    stats: Arc<Stats>,
    cause: Cause,
    chunked: bool,
}

impl http_body::Body for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref()
            && !data.is_empty()
        {
            let framing = if self.chunked { format!("{:x}\r\n\r\n", data.len()).len() } else { 0 };
            self.stats.add_sent(self.cause, (data.len() + framing) as u64);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;

    #[tokio::test]
    async fn head_and_body_are_counted_for_their_cause() {
        let stats = Arc::new(Stats::default());
        let mut response = Response::new(Body::from("hello"));
        response.headers_mut().insert("x-a", "b".parse().unwrap());
        let response = counted(response, &Method::GET, Cause::Pieces, &stats);
        let head = "HTTP/1.1 200 OK\r\nx-a: b\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\ncontent-length: 5\r\n\r\n".len() as u64;
        assert_eq!(stats.sent(Cause::Pieces), head);
        response.into_body().collect().await.unwrap();
        assert_eq!(stats.sent(Cause::Pieces), head + 5);
    }

    #[tokio::test]
    async fn a_body_that_is_not_read_is_not_counted() {
        let stats = Arc::new(Stats::default());
        let response = counted(Response::new(Body::from(vec![0; 1000])), &Method::GET, Cause::Assets, &stats);
        drop(response);
        assert!(stats.sent(Cause::Assets) < 200);
    }
}
