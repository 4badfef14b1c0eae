//! Putting markup into an HTML document while it streams by, before anything of it runs.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lol_html::{MemorySettings, element, html_content::ContentType, send};

use super::limits::{INSERTION_MEMORY_MAX, INSERTION_READ_LEN};

/// Elements that may come before it: none of them runs, and a charset must be declared within the first 1,024 bytes (HTML standard, section 4.2.5.5).
const BEFORE: [&str; 5] = ["html", "head", "meta", "title", "link"];

/// A policy in the document, which was not there to be judged when it began.
const POLICY: &str = "content-security-policy";

/// What the rewriter wrote, and whether the markup is in it.
#[derive(Debug, Default)]
struct Written {
    bytes: Vec<u8>,
    is_in: bool,
    /// The document itself says that nothing may be put into it.
    is_refused: bool,
}

/// Where the rewriter writes to.
type Sink = Box<dyn FnMut(&[u8]) + Send>;

/// Puts one piece of markup before the first element of a document that is not of the least that a head has, or at its end where there is none. All other bytes stay as they are,
/// whatever their charset, as long as it contains ASCII.
pub struct HeadInsertion {
    /// None once the markup is in, or cannot be put in.
    rewriter: Option<send::HtmlRewriter<'static, Sink>>,
    written: Arc<Mutex<Written>>,
    /// Something came.
    began: bool,
    /// What came and was not written yet.
    held: Vec<u8>,
    markup: Arc<str>,
}

impl HeadInsertion {
    /// Of markup in ASCII.
    pub fn new(markup: &str) -> Self {
        let markup: Arc<str> = markup.into();
        let written = Arc::<Mutex<Written>>::default();
        let (seen, sink, inserted) = (Arc::clone(&written), Arc::clone(&written), Arc::clone(&markup));
        let put = element!("*", move |found: &mut send::Element<'_, '_>| {
            let mut written = lock(&seen);
            if written.is_in || written.is_refused {
                return Ok(());
            }
            let name = found.tag_name();
            if name == "meta" && found.get_attribute("http-equiv").is_some_and(|name| name.trim().eq_ignore_ascii_case(POLICY)) {
                written.is_refused = true;
            } else if !BEFORE.contains(&name.as_str()) {
                written.is_in = true;
                found.before(&inserted, ContentType::Html);
            }
            Ok(())
        });
        let settings = send::Settings {
            element_content_handlers: vec![put],
            memory_settings: MemorySettings { preallocated_parsing_buffer_size: 0, max_allowed_memory_usage: INSERTION_MEMORY_MAX },
            strict: false,
            ..send::Settings::new_send()
        };
        let sink: Sink = Box::new(move |bytes: &[u8]| lock(&sink).bytes.extend_from_slice(bytes));
        Self { rewriter: Some(send::HtmlRewriter::new(settings, sink)), written, began: false, held: Vec::new(), markup }
    }

    /// The next bytes of the document came; returns what can be sent on.
    pub fn push(&mut self, mut chunk: &[u8]) -> Vec<u8> {
        // UTF-16, as its first bytes say.
        let is_first = !self.began;
        self.began |= !chunk.is_empty();
        if is_first && matches!(chunk, [0xfe, 0xff, ..] | [0xff, 0xfe, ..]) {
            lock(&self.written).is_refused = true;
            self.rewriter = None;
        }
        let mut out = Vec::with_capacity(chunk.len() + self.markup.len());
        // Little by little: what comes behind the markup need not be read.
        while let Some(rewriter) = self.rewriter.as_mut().filter(|_| !chunk.is_empty()) {
            let (part, rest) = chunk.split_at(chunk.len().min(INSERTION_READ_LEN));
            chunk = rest;
            self.held.extend_from_slice(part);
            let went = rewriter.write(part);
            let is_over = went.is_err() || {
                let written = lock(&self.written);
                written.is_in || written.is_refused
            };
            // Of a document that is not understood, nothing more is touched.
            out.append(&mut if is_over { self.finish(went.is_ok()) } else { self.take() });
        }
        out.extend_from_slice(chunk);
        out
    }

    /// The document is over; returns what is left of it.
    pub fn end(&mut self) -> Vec<u8> {
        let mut rest = if self.rewriter.is_some() { self.finish(true) } else { Vec::new() };
        let mut written = lock(&self.written);
        if !written.is_in && !written.is_refused {
            written.is_in = true;
            rest.extend_from_slice(self.markup.as_bytes());
        }
        rest
    }

    /// All that is left of what came.
    fn finish(&mut self, is_understood: bool) -> Vec<u8> {
        if let Some(rewriter) = self.rewriter.take().filter(|_| is_understood) {
            // Where it fails, what it did not write is held.
            let _incomplete = rewriter.end().is_err();
        }
        let mut out = self.take();
        out.append(&mut self.held);
        out
    }

    /// What was written: but for the markup that is the beginning of what came.
    fn take(&mut self) -> Vec<u8> {
        let mut written = lock(&self.written);
        let out = std::mem::take(&mut written.bytes);
        let own = if written.is_in { self.markup.len() } else { 0 };
        self.held.drain(..(out.len() - own.min(out.len())).min(self.held.len()));
        out
    }
}

impl std::fmt::Debug for HeadInsertion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HeadInsertion").field("is_over", &self.rewriter.is_none()).finish_non_exhaustive()
    }
}

fn lock(written: &Mutex<Written>) -> MutexGuard<'_, Written> {
    written.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn inserted(html: &[u8], chunk: usize) -> Vec<u8> {
        let mut insertion = HeadInsertion::new("<!>");
        let mut out: Vec<u8> = html.chunks(chunk.max(1)).flat_map(|chunk| insertion.push(chunk)).collect();
        out.extend(insertion.end());
        out
    }

    #[test]
    fn it_goes_before_whatever_runs_and_behind_what_must_come_first() {
        for (html, expected) in [
            ("<!doctype html><title>x</title><script>1</script>", "<!doctype html><title>x</title><!><script>1</script>"),
            (
                "<html><head><meta charset=utf-8><link rel=x></head><body><p>",
                "<html><head><meta charset=utf-8><link rel=x></head><!><body><p>",
            ),
            ("<!-- <script> --><p>x", "<!-- <script> --><!><p>x"),
            ("<title><script></title><b>", "<title><script></title><!><b>"),
            ("only text", "only text<!>"),
            ("", "<!>"),
            ("<base href=//cdn.example/><p>", "<!><base href=//cdn.example/><p>"),
            ("<meta http-equiv=Content-Security-Policy content=x><p>", "<meta http-equiv=Content-Security-Policy content=x><p>"),
        ] {
            for chunk in [1, 7, 1_000] {
                assert_eq!(String::from_utf8(inserted(html.as_bytes(), chunk)).unwrap(), expected, "in chunks of {chunk}");
            }
        }
    }

    #[test]
    fn bytes_of_an_older_charset_stay_as_they_are() {
        assert_eq!(inserted(b"<title>\xe4\xff</title><p>\xfc", 3), b"<title>\xe4\xff</title><!><p>\xfc");
    }

    #[test]
    fn a_text_of_two_bytes_a_letter_is_left_alone() {
        for chunk in [2, 100] {
            assert_eq!(inserted(b"\xff\xfe<\0p\0>\0", chunk), b"\xff\xfe<\0p\0>\0");
        }
    }

    #[test]
    fn a_tag_without_end_is_passed_on_and_remembered_no_further() {
        let html = [b"<title>x</title><p a=\"".as_slice(), &vec![b'x'; 4 * INSERTION_MEMORY_MAX]].concat();
        let mut insertion = HeadInsertion::new("<!>");
        let mut len = 0;
        for chunk in html.chunks(16 << 10) {
            len += insertion.push(chunk).len();
            assert!(insertion.held.len() <= INSERTION_MEMORY_MAX + (16 << 10));
        }
        let end = insertion.end();
        assert_eq!((len + end.len(), end.as_slice()), (html.len() + 3, b"<!>".as_slice()));
    }

    proptest! {
        #[test]
        fn nothing_else_is_changed(html in proptest::collection::vec(prop_oneof![any::<u8>(), Just(b'<'), Just(b'p'), Just(b'>'), Just(b'!'), Just(b'-')], 0..200), chunk in 1..50_usize) {
            let out = inserted(&html, chunk);
            let at = (0..=html.len()).find(|at| out[..*at] == html[..*at] && out[*at..].starts_with(b"<!>") && out[at + 3..] == html[*at..]);
            prop_assert!(at.is_some() || html.starts_with(&[0xff, 0xfe]) || html.starts_with(&[0xfe, 0xff]), "{:?}", String::from_utf8_lossy(&out));
        }
    }
}
