//! One servable file of the site, and what is known of it when it is an HTML document.

use std::sync::Arc;

use viral_wire::{AssetRecord, Digest};

use super::Object;

/// Which body of a document is meant. Other assets have one body only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// The file as the operator wrote it.
    Raw,
    /// The file with the viral addition at its end: what a full answer sends and a record describes.
    Full,
}

/// One servable file of the site.
#[derive(Debug)]
pub struct Asset {}

impl Asset {
    /// Percent-encoded URL path, as a browser writes it: `/assets/a%20b.js`. A directory index keeps its `index.html`.
    pub fn path(&self) -> &str {
        todo!()
    }

    /// The whole `Content-Type` value.
    pub fn media_type(&self) -> &str {
        todo!()
    }

    /// Bytes of the raw body.
    pub fn len(&self) -> u64 {
        todo!()
    }

    /// Whether the raw body is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Digest of the raw body.
    pub fn digest(&self) -> Digest {
        todo!()
    }

    /// The stored content of one body.
    pub fn object(&self, which: Which) -> &Arc<Object> {
        todo!()
    }

    /// The record as it stands in a manifest; of a document it describes [`Which::Full`].
    pub fn record(&self) -> AssetRecord {
        todo!()
    }

    /// Whether this is an HTML document.
    pub fn is_document(&self) -> bool {
        self.document().is_some()
    }

    /// What is known of it as an HTML document.
    pub fn document(&self) -> Option<&Document> {
        todo!()
    }
}

/// What the server knows of an HTML document before any browser read it.
#[derive(Debug)]
pub struct Document {
    /// Text of the first `<title>`, trimmed.
    pub title: Option<String>,
    /// Whether it is valid UTF-8 and so is sent as `text/html; charset=utf-8`.
    pub utf8: bool,
    /// Content of every `<meta http-equiv=content-security-policy>`, in order.
    pub meta_csp: Vec<String>,
    /// Whether it has an import map.
    pub import_map: bool,
    /// Whether it has a `<meta http-equiv=refresh>`.
    pub meta_refresh: bool,
}
