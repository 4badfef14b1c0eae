//! `/.viral/pieces`, `/.viral/manifest/DIGEST` and `/.viral/record`: what peers could not give.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use viral_swarm::limits::RECORD_LEN_MIN;
use viral_swarm::page_costs::Taken;
use viral_wire::limits::PIECES_PER_REQUEST_MAX;
use viral_wire::signal::RecordPost;
use viral_wire::{Digest, Frame, Manifest, PieceId};

use crate::app::App;
use crate::client::AskedBy;
use crate::pipeline::PartOf;
use crate::replies::{done, read_post, refusal};
use crate::stats::Cause;
use viral_site::{Asset, PieceLocation};
use viral_swarm::request::cookies::pinned_version;
use viral_swarm::request::is_native_peer;

/// `GET /.viral/pieces?ids=ID,ID`: per piece its length as u32 and one `piece` frame.
pub(crate) async fn pieces(State(app): State<Arc<App>>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response<Body> {
    let ids = match parse_ids(query.as_deref().unwrap_or_default()) {
        Ok(ids) => ids,
        Err(message) => return refusal(StatusCode::BAD_REQUEST, &message),
    };
    let mut found = Vec::with_capacity(ids.len());
    for id in ids {
        match app.site.piece(&id) {
            Some(location) => found.push((id, location)),
            None => return refusal(StatusCode::NOT_FOUND, "a piece is unknown: it is of a version no longer kept"),
        }
    }
    // Made one by one as the client reads: all at once they are megabytes for each client that does not.
    let part_of = PartOf::of(&app, &app.site.current(), &headers).map(Arc::new);
    let frames = stream::iter(found).then(move |(id, location)| {
        let (app, part_of) = (Arc::clone(&app), part_of.clone());
        async move {
            let bytes = frame(&app, id, &location).await?;
            if let Some(part_of) = part_of {
                app.hub.costs().add_asset(&part_of.page, location.path(), bytes.len() as u64, Taken::Pieces, part_of.is_thin);
                part_of.note_sent(&app.worth, bytes.len() as u64);
            }
            Ok::<_, io::Error>(bytes)
        }
    });
    let mut response = binary(Body::from_stream(frames));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Its length as u32 and the frame. A fault ends the connection, which the client notices as an answer cut short.
async fn frame(app: &App, id: PieceId, location: &PieceLocation) -> io::Result<Bytes> {
    let raw = location.read().await.inspect_err(|error| tracing::error!(%error, "a piece cannot be read"))?;
    let (encoding, body) = app.deflated.encode(id, raw).await;
    let frame = Frame::Piece { id, encoding, body: body.to_vec() }.encode().map_err(|error| {
        tracing::error!(%error, "a piece does not fit a frame");
        io::Error::other(error)
    })?;
    let len = u32::try_from(frame.len()).map_err(io::Error::other)?;
    Ok([&len.to_be_bytes(), &frame[..]].concat().into())
}

fn parse_ids(query: &str) -> Result<Vec<PieceId>, String> {
    let list = query.split('&').find_map(|pair| pair.strip_prefix("ids=")).ok_or("say which pieces: ?ids=ID,ID")?;
    let list = list.replace("%2C", ",").replace("%2c", ",");
    let count = list.split(',').count();
    if count > PIECES_PER_REQUEST_MAX {
        return Err(format!("{count} pieces asked for, limit {PIECES_PER_REQUEST_MAX}"));
    }
    let ids =
        list.split(',').map(|id| id.parse().map_err(|error| format!("not a piece id: {error}"))).collect::<Result<Vec<PieceId>, _>>()?;
    let distinct: BTreeSet<_> = ids.iter().collect();
    if distinct.len() == ids.len() { Ok(ids) } else { Err("a piece is asked for twice".to_owned()) }
}

/// `GET /.viral/manifest/DIGEST`
pub(crate) async fn manifest(State(app): State<Arc<App>>, Path(digest): Path<String>, headers: HeaderMap) -> Response<Body> {
    let Ok(digest) = digest.parse::<Digest>() else {
        return refusal(StatusCode::BAD_REQUEST, "a manifest is named by 64 lower-case hex digits");
    };
    let Some(blob) = app.hub.manifest(&digest) else {
        return refusal(StatusCode::NOT_FOUND, "no page has or recently had this manifest");
    };
    count_other(&app, &headers, blob.len());
    let mut response = binary(Body::from(blob));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    response
}

/// `POST /.viral/record`: records of assets outside the page set, each once by its canonical path however it was asked for; 204 when none of them is worth fetching from peers.
pub(crate) async fn record(State(app): State<Arc<App>>, AskedBy(peer): AskedBy, headers: HeaderMap, body: Body) -> Response<Body> {
    if !app.is_own(peer, &headers) {
        return refusal(StatusCode::FORBIDDEN, "only a page of this site may ask");
    }
    let post = match read_post::<RecordPost>(body).await {
        Ok(post) => post,
        Err(refused) => return refused,
    };
    let version = pinned_version(&headers).and_then(|tag| app.site.version_tagged(tag)).unwrap_or_else(|| app.site.current());
    let found = post.paths.iter().filter_map(|path| version.asset(path)).filter(|asset| is_worth_peers(asset));
    let distinct: BTreeMap<&str, _> = found.map(|asset| (asset.path(), asset)).collect();
    let manifest = Manifest { assets: distinct.into_values().map(|asset| asset.record()).collect() };
    if manifest.assets.is_empty() {
        return done();
    }
    match manifest.encode() {
        Ok(blob) => {
            count_other(&app, &headers, blob.len());
            let mut response = binary(Body::from(blob));
            response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            if is_native_peer(&headers) {
                // Whoever wants one asset opens no page, and registers for this one.
                let ticket = app.joins.cookie(&headers, &app.hub.named("/".to_owned()), app.cookie_scope(peer, &headers));
                response.headers_mut().append(header::SET_COOKIE, ticket);
            }
            response
        }
        Err(error) => refusal(StatusCode::PAYLOAD_TOO_LARGE, &format!("these records do not fit one answer: {error}")),
    }
}

/// Counts what is no asset for the page that it was sent to.
fn count_other(app: &App, headers: &HeaderMap, len: usize) {
    if let Some(part_of) = PartOf::of(app, &app.site.current(), headers) {
        app.hub.costs().add_other(&part_of.page, len as u64);
        part_of.note_sent(&app.worth, len as u64);
    }
}

/// Whether an asset is worth fetching from peers: no documents, for their body depends on how they are asked for, and nothing short.
pub(super) fn is_worth_peers(asset: &Asset) -> bool {
    !asset.is_document() && asset.len() >= RECORD_LEN_MIN
}

pub(super) fn binary(body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response.extensions_mut().insert(Cause::Pieces);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_counted_and_checked() {
        let id = |n: usize| format!("{n:032x}");
        let list = |count: usize| format!("ids={}", (0..count).map(id).collect::<Vec<_>>().join(","));
        assert_eq!(parse_ids(&list(PIECES_PER_REQUEST_MAX)).unwrap().len(), PIECES_PER_REQUEST_MAX);
        assert!(parse_ids(&list(PIECES_PER_REQUEST_MAX + 1)).unwrap_err().contains("limit"));
        assert!(parse_ids("ids=").is_err());
        assert!(parse_ids("").unwrap_err().contains("say which"));
        assert!(parse_ids(&format!("ids={0},{0}", id(1))).unwrap_err().contains("twice"));
        assert!(parse_ids(&format!("ids={}", id(1).replace('0', "G"))).is_err());
        assert_eq!(parse_ids(&format!("ids={}%2C{}", id(1), id(2))).unwrap().len(), 2);
    }
}
