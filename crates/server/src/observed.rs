//! A body that tells at its end how much of it was handed out, and whether that was all.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use http::{Response, header};
use http_body::{Body as _, Frame, SizeHint};

/// What became of a body: the bytes that were handed out, and whether they were all.
pub(crate) type End = Box<dyn FnOnce(u64, bool) + Send>;

/// Calls `end` once: as soon as the whole body of `response` was handed out, or when it is given up.
pub(crate) fn observed(response: Response<Body>, end: impl FnOnce(u64, bool) + Send + 'static) -> Response<Body> {
    let told = response.headers().get(header::CONTENT_LENGTH).and_then(|len| len.to_str().ok()?.parse().ok());
    let len = response.body().size_hint().exact().or(told);
    response.map(|body| {
        let mut observed = Observed { body, len, handed: 0, end: Some(Box::new(end)) };
        observed.look(false);
        Body::new(observed)
    })
}

struct Observed {
    body: Body,
    /// How long it is, where that is known: hyper asks for nothing after the last byte.
    len: Option<u64>,
    handed: u64,
    end: Option<End>,
}

impl Observed {
    fn look(&mut self, ended: bool) {
        if ended || self.len == Some(self.handed) || self.body.is_end_stream() {
            let whole = self.len.is_none_or(|len| len == self.handed);
            self.report(whole);
        }
    }

    fn report(&mut self, whole: bool) {
        if let Some(end) = self.end.take() {
            end(self.handed, whole);
        }
    }
}

impl http_body::Body for Observed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                self.handed += frame.data_ref().map_or(0, |data| data.len() as u64);
                self.look(false);
            }
            Poll::Ready(None) => self.look(true),
            Poll::Ready(Some(Err(_))) => self.report(false),
            Poll::Pending => {}
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

impl Drop for Observed {
    fn drop(&mut self) {
        self.report(false);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use futures_util::stream;
    use http_body_util::BodyExt as _;

    use super::*;

    type Told = Arc<Mutex<Vec<(u64, bool)>>>;

    fn watched(response: Response<Body>) -> (Response<Body>, Told) {
        let told = Told::default();
        let seen = Arc::clone(&told);
        (observed(response, move |handed, whole| seen.lock().unwrap().push((handed, whole))), told)
    }

    fn streamed(parts: &[&'static str], len: &str) -> Response<Body> {
        let parts: Vec<_> = parts.iter().map(|part| Ok::<_, axum::Error>(Bytes::from_static(part.as_bytes()))).collect();
        let mut response = Response::new(Body::from_stream(stream::iter(parts)));
        response.headers_mut().insert(header::CONTENT_LENGTH, len.parse().unwrap());
        response
    }

    #[tokio::test]
    async fn a_body_of_known_length_is_whole_with_its_last_byte() {
        let (response, told) = watched(Response::new(Body::from("hello")));
        assert_eq!(response.body().size_hint().exact(), Some(5), "its length is still known");
        let mut body = response.into_body();
        body.frame().await.unwrap().unwrap();
        assert_eq!(*told.lock().unwrap(), [(5, true)]);
        drop(body);
        assert_eq!(told.lock().unwrap().len(), 1, "told once");
    }

    #[tokio::test]
    async fn a_stream_is_whole_when_the_length_that_was_said_is_reached() {
        let (response, told) = watched(streamed(&["hel", "lo"], "5"));
        let mut body = response.into_body();
        body.frame().await.unwrap().unwrap();
        assert!(told.lock().unwrap().is_empty());
        body.frame().await.unwrap().unwrap();
        assert_eq!(*told.lock().unwrap(), [(5, true)]);
    }

    #[tokio::test]
    async fn a_body_that_is_given_up_or_ends_early_is_not_whole() {
        let (response, told) = watched(streamed(&["hel", "lo"], "5"));
        let mut body = response.into_body();
        body.frame().await.unwrap().unwrap();
        drop(body);
        assert_eq!(*told.lock().unwrap(), [(3, false)]);
        let (response, told) = watched(streamed(&["hel"], "5"));
        response.into_body().collect().await.unwrap();
        assert_eq!(*told.lock().unwrap(), [(3, false)]);
    }

    #[tokio::test]
    async fn an_empty_body_is_whole_at_once() {
        let (_response, told) = watched(Response::new(Body::empty()));
        assert_eq!(*told.lock().unwrap(), [(0, true)]);
    }
}
