//! `/.viral/ws`, `/.viral/answer`, `/.viral/visit` and `/.viral/personal`: what visitors say to the tracker.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::{Request, State};
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use viral_wire::PERSONAL_PATH;
use viral_wire::limits::SIGNAL_LEN_MAX;
use viral_wire::signal::{AnswerPost, PersonalPost, TimePost, VisitPost};

use super::handshake::{self, NoUpgrade, Upgrade};
use crate::app::App;
use crate::client::AskedBy;
use crate::cluster::Guest;
use crate::limits::{SOCKET_READ_LEN, SOCKET_RECEIVED_BURST_MAX, SOCKET_RECEIVED_PER_S, SOCKET_WRITE_LEN_MAX};
use crate::meter::Meter;
use crate::pipeline;
use crate::referer;
use crate::replies::{done, read_post, refusal};
use crate::socket;
use viral_swarm::request::cookies;

/// `GET /.viral/ws`
pub(crate) async fn socket(
    State(app): State<Arc<App>>,
    AskedBy(peer): AskedBy,
    meter: Option<Extension<Meter>>,
    headers: HeaderMap,
    upgrade: Result<Upgrade, NoUpgrade>,
) -> Response<Body> {
    if !app.is_own(peer, &headers) {
        return refusal(StatusCode::FORBIDDEN, "only pages of this site may connect");
    }
    let received = (SOCKET_RECEIVED_BURST_MAX, SOCKET_RECEIVED_PER_S);
    let (upgrade, hosted) = match handshake::begin(&app, upgrade, meter, received) {
        Ok(begun) => begun,
        Err(refused) => return refused,
    };
    app.look_at_proxy(peer, &headers);
    let client = app.client_addr(peer, &headers);
    let guest = app.cluster.as_ref().map(|cluster| Guest::new(cluster, client, pipeline::facts::fresh_ticket()));
    let (hub, pass) = (Arc::clone(&app.hub), app.joins.pass_of(&headers));
    handshake::answer(upgrade, socket_config, move |socket| socket::run(socket, hub, (client, guest, pass), hosted))
}

fn socket_config() -> WebSocketConfig {
    // Anything a little too long is still read, so that its sender can be told.
    let config = WebSocketConfig::default().max_message_size(Some(2 * SIGNAL_LEN_MAX)).max_frame_size(Some(2 * SIGNAL_LEN_MAX));
    config.read_buffer_size(SOCKET_READ_LEN).write_buffer_size(0).max_write_buffer_size(SOCKET_WRITE_LEN_MAX)
}

/// `POST /.viral/answer`
pub(crate) async fn answer(State(app): State<Arc<App>>, AskedBy(peer): AskedBy, headers: HeaderMap, body: Body) -> Response<Body> {
    if !app.is_own(peer, &headers) {
        return refusal(StatusCode::FORBIDDEN, "only pages of this site may answer");
    }
    let post = match read_post::<AnswerPost>(body).await {
        Ok(post) => post,
        Err(refused) => return refused,
    };
    let relayed = match &app.cluster {
        Some(cluster) => cluster.answers(post).await,
        None => app.hub.answers(post),
    };
    match relayed {
        Ok(()) => done(),
        Err(error) => refusal(StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_REQUEST), &error.to_string()),
    }
}

/// `POST /.viral/visit`
pub(crate) async fn visit(State(app): State<Arc<App>>, AskedBy(peer): AskedBy, headers: HeaderMap, body: Body) -> Response<Body> {
    if !app.is_own(peer, &headers) {
        return refusal(StatusCode::FORBIDDEN, "only pages of this site may report");
    }
    match read_post::<VisitPost>(body).await {
        Ok(post) => match app.cluster.as_ref().map_or_else(|| app.hub.visit(&post), |cluster| cluster.visit(post.clone())) {
            Ok(()) => done(),
            Err(error) => refusal(StatusCode::FORBIDDEN, &error.to_string()),
        },
        Err(refused) => refused,
    }
}

/// `POST /.viral/time`: when the app of a visit was there. What cannot be is answered in the same way and counted nowhere.
pub(crate) async fn time(State(app): State<Arc<App>>, AskedBy(peer): AskedBy, headers: HeaderMap, body: Body) -> Response<Body> {
    if !app.is_own(peer, &headers) {
        return refusal(StatusCode::FORBIDDEN, "only pages of this site may report");
    }
    let TimePost(app_ms) = match read_post(body).await {
        Ok(post) => post,
        Err(refused) => return refused,
    };
    if let Some(browser) = cookies::browser(&headers) {
        let page = referer::of(&app.site.current(), &headers).filter(|referer| referer.is_page).map(|referer| referer.path);
        if let Some(kind) = app.worth.app_is_there(browser, page.as_deref(), app_ms) {
            app.stats.note_app(kind, app_ms);
            app.watch.note_app(kind, app_ms);
        }
    }
    done()
}

/// `POST /.viral/personal`: whom a page that is made for its visitor takes from what it loads; 204 where that is nobody.
pub(crate) async fn personal(State(app): State<Arc<App>>, AskedBy(peer): AskedBy, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    if !app.is_own(peer, &parts.headers) {
        return refusal(StatusCode::FORBIDDEN, "only pages of this site may ask");
    }
    // The page itself came with it.
    if let Err(refused) = app.joins.pass_of(&parts.headers).check(PERSONAL_PATH) {
        return refusal(StatusCode::FORBIDDEN, &refused.to_string());
    }
    let held = match read_post::<PersonalPost>(body).await {
        Ok(post) => post.held,
        Err(refused) => return refused,
    };
    let Some(boot) = pipeline::boot(&app, &parts, held).and_then(|boot| serde_json::to_vec(&boot).ok()) else { return done() };
    let mut response = done();
    *response.status_mut() = StatusCode::OK;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.map(|_| Body::from(boot))
}
