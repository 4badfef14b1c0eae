//! What another server answered, as an asset: with its type and headers, not those that its name and the operator say.

use std::{fs::File, sync::Arc, time::SystemTime};

use bytes::Bytes;
use http::{HeaderName, HeaderValue};

use super::{Asset, Object, SiteError, asset::BuildContext, object::TakeError, path};

/// What another server answered at a path, to be served again as it came.
#[derive(Debug)]
pub struct Answered {
    /// Its relative path: that of its URL without the first slash, not percent-encoded, and with `index.html` where that ends in a slash.
    pub path: String,
    /// The whole `Content-Type`.
    pub media_type: String,
    /// The headers that matter wherever the content comes from. Nothing is added to them but what each answer says of its own body.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// `Last-Modified`.
    pub modified: Option<SystemTime>,
    /// The body, without any content coding.
    pub content: Content,
}

/// Where the body of an answer is.
#[derive(Debug)]
pub enum Content {
    /// In memory.
    Bytes(Bytes),
    /// In a file, from its beginning; so many bytes.
    File(File, u64),
}

impl Content {
    /// Its length in bytes.
    #[expect(clippy::len_without_is_empty, reason = "nobody asks whether it is empty")]
    pub fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File(_, len) => *len,
        }
    }
}

impl Answered {
    /// The asset. Blocks.
    ///
    /// # Errors
    /// When no URL path leads to its path, or its content cannot be read or stored.
    pub(crate) fn asset(self, context: &BuildContext) -> Result<Arc<Asset>, SiteError> {
        let Self { path, media_type, headers, modified, content } = self;
        if path::decode(&path::encode(&path)).as_ref() != Some(&path) || path.is_empty() || path.ends_with('/') {
            return Err(SiteError::EmbeddedPath { path });
        }
        let fault = |error| SiteError::Store { path: context.objects.path().to_owned(), error };
        let raw = match content {
            // Not kept as given: the store decides what stays in memory.
            Content::Bytes(bytes) => Object::from_reader(&context.objects, &bytes[..], bytes.len() as u64).map_err(fault)?,
            Content::File(file, len) => Object::from_file(&context.objects, &file, len).map_err(|error| {
                fault(match error {
                    TakeError::File(error) | TakeError::Store(error) => error,
                })
            })?,
        };
        Asset::of_answer(context, &path, (media_type, headers, modified), raw).map(Arc::new).map_err(fault)
    }
}

#[cfg(test)]
mod tests {
    use http::{Request, header};

    use super::*;
    use crate::{Addition, EmbeddedFile, Resolved, SiteOptions, Version, VersionMaker, Which, respond};

    fn answered(path: &str, media_type: &str, body: &'static str) -> Answered {
        Answered {
            path: path.to_owned(),
            media_type: media_type.to_owned(),
            headers: vec![(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=60"))],
            modified: None,
            content: Content::Bytes(Bytes::from_static(body.as_bytes())),
        }
    }

    fn version(answers: Vec<Answered>) -> Version {
        let script = EmbeddedFile { path: ".viral/addition.js".to_owned(), body: Bytes::from_static(b"1") };
        let addition = Addition { markup: "<script src=/.viral/addition.js></script>".to_owned(), script };
        let options = SiteOptions { html_addition: Some(addition), exact_paths: true, ..SiteOptions::default() };
        let mut maker = VersionMaker::new(options).unwrap();
        let assets: Vec<_> = answers.into_iter().map(|answer| maker.asset(answer).unwrap()).collect();
        maker.version_of(assets)
    }

    fn found(version: &Version, path: &str) -> Option<String> {
        match version.resolve_visit(path) {
            Resolved::Asset(asset) => Some(asset.path().to_owned()),
            Resolved::Redirect(to) => Some(format!("to {}", to.to)),
            Resolved::NotFound(_) => None,
        }
    }

    #[test]
    fn only_the_very_path_that_was_answered_leads_to_an_answer() {
        let html = "text/html; charset=utf-8";
        let version =
            version(vec![answered("index.html", html, "<p>1"), answered("about", html, "<p>2"), answered("docs/index.html", html, "<p>3")]);
        assert_eq!(found(&version, "/").as_deref(), Some("/index.html"));
        assert_eq!(found(&version, "/about").as_deref(), Some("/about"));
        assert_eq!(found(&version, "/docs/").as_deref(), Some("/docs/index.html"));
        for other in ["/index.html", "/docs", "/docs/index.html", "/abou%74", "//about", "/about/", "/none", "/.hidden"] {
            assert_eq!(found(&version, other), None, "{other}");
        }
    }

    #[tokio::test]
    async fn type_and_headers_are_those_of_the_answer() {
        let script = "application/javascript; charset=utf-8";
        let version = version(vec![answered("app", script, "import '/dep.js';"), answered("dep.js", script, "2")]);
        let Resolved::Asset(asset) = version.resolve("/app") else { panic!("it was answered") };
        let request = Request::get("/app").body(()).unwrap().into_parts().0;
        let response = respond(&version, &asset, Which::Raw, &request).await;
        assert_eq!(response.headers()[header::CONTENT_TYPE], script);
        assert_eq!(response.headers()[header::CACHE_CONTROL], "public, max-age=60");
        assert!(!response.headers().contains_key(header::X_CONTENT_TYPE_OPTIONS), "what the other server did not say");
        assert!(asset.record().headers.iter().all(|(name, _)| name == "cache-control" || name == "etag"));
    }

    #[test]
    fn a_document_gets_the_addition_and_tells_what_it_refers_to() {
        let html = "<title>x</title><script src=/app.js></script>";
        let version = version(vec![answered("index.html", "text/html", html), answered("app.js", "application/javascript", "1")]);
        let Resolved::Asset(document) = version.resolve("/") else { panic!("it was answered") };
        assert!(document.is_document() && document.object(Which::Full).len() > document.len());
        let referred: Vec<_> = version.references(&document).iter().map(|found| found.asset.path().to_owned()).collect();
        assert_eq!(referred, ["/app.js"]);
        assert_eq!(document.link_paths().collect::<Vec<_>>(), ["/app.js"]);
    }

    #[test]
    fn a_document_that_its_server_declares_in_another_charset_is_not_taken_for_utf_8() {
        let version = version(vec![answered("index.html", "text/html; charset=ISO-8859-1", "<p>x")]);
        let Resolved::Asset(document) = version.resolve("/") else { panic!("it was answered") };
        assert!(!document.document().unwrap().utf8);
    }
}
