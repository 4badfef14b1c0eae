//! HTTP/2 as it is spoken with visitors: its limits, and when a client is given up that lets nothing through.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use hyper::rt::Executor;
use hyper::server::conn::http2;
use hyper_util::rt::TokioTimer;
use tokio::time::{Instant, sleep, timeout};
use tracing::Instrument as _;

use crate::limits::{
    HTTP2_CONNECTION_WINDOW, HTTP2_FRAME_LEN_MAX, HTTP2_HEADERS_LEN_MAX, HTTP2_RESETS_OF_OURS_MAX, HTTP2_RESETS_PENDING_MAX,
    HTTP2_SEND_LEN_MAX, HTTP2_STREAM_WINDOW, HTTP2_STREAMS_MAX, HTTP2_TICK, READ_LEAST_LEN, READ_STALL, SHUTDOWN_UNASKED,
};
use crate::shares::Shares;

/// How connections over HTTP/2 are served. Requests for a WebSocket (RFC 8441) are not offered: browsers open a connection of HTTP/1.1 for each.
pub(crate) fn builder() -> http2::Builder<InSpan> {
    let mut http = http2::Builder::new(InSpan);
    http.timer(TokioTimer::new())
        .max_concurrent_streams(HTTP2_STREAMS_MAX)
        .initial_stream_window_size(HTTP2_STREAM_WINDOW)
        .initial_connection_window_size(HTTP2_CONNECTION_WINDOW)
        .max_frame_size(HTTP2_FRAME_LEN_MAX)
        .max_header_list_size(HTTP2_HEADERS_LEN_MAX)
        .max_send_buf_size(HTTP2_SEND_LEN_MAX)
        .max_pending_accept_reset_streams(HTTP2_RESETS_PENDING_MAX)
        .max_local_error_reset_streams(HTTP2_RESETS_OF_OURS_MAX);
    http
}

/// Resolves when a client neither asked nor read enough for [`READ_STALL`], and we owe it nothing: idle connections end so, heads of which the
/// rest never comes, and answers for which the client gives no room. On the stream below, a client that gives no room looks like an idle one.
pub(crate) async fn given_up(shares: &Arc<Shares>) {
    let (mut mark, mut since) = (shares.moved(), Instant::now());
    loop {
        sleep(HTTP2_TICK).await;
        let now = shares.moved();
        if shares.is_owed() || now.0 != mark.0 || now.1 - mark.1 >= READ_LEAST_LEN {
            (mark, since) = (now, Instant::now());
        } else if since.elapsed() >= READ_STALL {
            return;
        }
    }
}

/// Drives a connection to its end that was given up and told so; `None` when it is not waited for. A request may cross our notice on its way:
/// it is answered, for as long as one would be that came before.
pub(crate) async fn part<C: Future>(mut connection: Pin<&mut C>, shares: &Arc<Shares>) -> Option<C::Output> {
    let begun = shares.moved().0;
    match timeout(SHUTDOWN_UNASKED, connection.as_mut()).await {
        Ok(ended) => Some(ended),
        Err(_) if shares.moved().0 == begun => None,
        Err(_) => tokio::select! {
            ended = connection => Some(ended),
            () = given_up(shares) => None,
        },
    }
}

/// Runs requests as tasks of their own, with their lines of the log under those of the connection.
#[derive(Clone)]
pub(crate) struct InSpan;

impl<F: Future<Output: Send> + Send + 'static> Executor<F> for InSpan {
    fn execute(&self, future: F) {
        tokio::spawn(future.in_current_span());
    }
}

#[cfg(test)]
mod tests;
