//! The thin answer: a page of a few kilobytes that holds the loader and all it needs to begin.

use axum::body::Body;
use http::{HeaderMap, HeaderName, HeaderValue, Response, header, request::Parts};
use viral_wire::AssetRecord;
use viral_wire::signal::{BOOT_HEAD, ThinBoot, encode_for_html};

use crate::coding;
use crate::limits::TITLE_LEN_MAX;
use crate::scripts::Scripts;
use crate::stats::Cause;
use viral_site::{Document, FirstSight, Looks, csp, first_sight};
use viral_swarm::request::evidence::PLAIN_QUERY;

/// Headers of a document that describe its body and so do not hold for the thin one.
const BODY_HEADERS: [HeaderName; 6] =
    [header::CONTENT_TYPE, header::CONTENT_LENGTH, header::CONTENT_ENCODING, header::ETAG, header::LAST_MODIFIED, header::CACHE_CONTROL];

/// The answer to a request whose document is `record`, with the document's own headers and the loader allowed by its policy.
pub(super) fn respond(
    request: &Parts,
    scripts: &Scripts,
    record: &AssetRecord,
    (document, looks): (Option<&Document>, &Looks),
    boot: &ThinBoot,
) -> Response<Body> {
    let policies = record.headers.iter().filter(|(name, _)| csp::is_policy(name)).map(|(_, value)| value.as_str());
    let first_sight = first_sight(looks, csp::allows_inline_styles(policies));
    let html = html((document, &first_sight), request.uri.query(), &encode_for_html(boot));
    let coding = coding::choose(&request.headers);
    let mut response = Response::new(Body::from(coding::encode_quick_before(coding, html.as_bytes(), &scripts.thin_ending)));
    *response.headers_mut() = own_headers(&record.headers, |policy| csp::with_script_hash(policy, &scripts.loader_hash));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    // A script that reads the page gets the page, not the loader, also out of the browser's cache. A full answer does not say so: its addition looks for it there, as a script.
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding, sec-fetch-dest"));
    if let Some(coding) = coding {
        headers.insert(header::CONTENT_ENCODING, coding::header(coding));
    }
    response.extensions_mut().insert(Cause::Loader);
    response
}

/// The headers of the document that do not describe its body, its policies changed.
pub(super) fn own_headers(record_headers: &[(String, String)], policy: impl Fn(&str) -> String) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in record_headers {
        let Ok(name) = HeaderName::try_from(name) else { continue };
        if BODY_HEADERS.contains(&name) {
            continue;
        }
        let value = if csp::is_policy(name.as_str()) { policy(value) } else { value.clone() };
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.append(name, value);
        }
    }
    headers
}

/// For people who look at the source or saved it.
const ABOUT: &str = "The page comes from other visitors; to see its source add ?viral=plain to the address";

/// The page shows the document's title and has its viewport, which outlives it: a browser lays the app out as the last `<meta name=viewport>` it saw says.
///
/// It goes on with [`Scripts::thin_ending`].
fn html((document, first_sight): (Option<&Document>, &FirstSight), query: Option<&str>, boot: &str) -> String {
    let title = document.and_then(|document| document.title.as_deref()).unwrap_or_default();
    let title: String = title.chars().take(TITLE_LEN_MAX).collect();
    let viewport = document.and_then(|document| document.viewport.as_deref());
    let viewport = viewport.map(|content| format!("<meta name=\"viewport\" content=\"{}\">", escaped(content))).unwrap_or_default();
    let query = plain_query(query);
    format!(
        "<!doctype html><!-- {ABOUT} --><html><head><meta charset=\"utf-8\">{viewport}{head}<title>{title}</title>\
         <noscript><meta http-equiv=\"refresh\" content=\"0;url=?{query}\"></noscript></head><body{body}>\
         {BOOT_HEAD}{boot}",
        title = escaped(&title),
        head = first_sight.head,
        body = first_sight.body,
        query = escaped(&query),
    )
}

/// The query of a request with the pair that asks for the plain answer.
pub(super) fn plain_query(query: Option<&str>) -> String {
    query.map(|query| format!("{query}&")).unwrap_or_default() + PLAIN_QUERY
}

/// Text for an element or a quoted attribute.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use http_body_util::BodyExt as _;
    use sha2::{Digest as _, Sha256};
    use viral_site::Look;
    use viral_wire::signal::{Deploy, PeerNumber};
    use viral_wire::{Digest, Ticket};

    fn boot() -> ThinBoot {
        let description = |seed: u64| {
            let hex = Digest::of(&seed.to_be_bytes()).to_string();
            let text = format!(
                "[\"{}\",\"{}\",\"{hex}\",\"actpass\",262144,[\"u|192.168.1.{seed}|5{seed}001|7vh3c|h\",\"u|fd00::{hex4}|5{seed}002|7vh2c|h\",\"u|198.51.100.7|6{seed}001|1t4p|s\"],[]]",
                &hex[..4],
                &hex[4..28],
                hex4 = &hex[..4],
            );
            viral_wire::Description::parse(&text).unwrap()
        };
        let offers = (1..=4_u64).map(|n| viral_wire::signal::Offer {
            peer: PeerNumber::from_bits(n.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
            offer: 1,
            description: description(n),
            push: Some(viral_wire::signal::Push { manifest: Digest::of(b"m"), stripe: n as u8 - 1, stripes: 4, budget: 1 << 20 }),
            far: true,
            beyond: None,
        });
        ThinBoot {
            version: 1,
            page: "/".into(),
            manifest: Digest::of(b"m"),
            bytes: 7,
            critical: 2,
            ticket: Ticket([7; 16]),
            offers: offers.collect(),
            deploy: Deploy::Write,
            crowd: true,
            first: true,
            script: Some(scripts().crowd_tag()),
            stun: vec![8443, 8444],
        }
    }

    fn scripts() -> std::sync::Arc<Scripts> {
        Scripts::of(&crate::config::Base::default())
    }

    /// A look that takes as much room as one may.
    fn dark() -> Looks {
        let look = |hue: u32| Look {
            background: Some(format!("oklch(62.35% 0.1234 {hue}.45deg / 98.7%)")),
            color: Some(format!("oklch(98.35% 0.0234 {hue}.45deg / 98.7%)")),
            color_scheme: Some("only dark".to_owned()),
            theme_color: Some(format!("oklch(32.35% 0.2234 {hue}.45deg / 98.7%)")),
        };
        Looks { light: look(123), dark: look(217), meta_color_scheme: Some("light dark".to_owned()) }
    }

    fn document(title: &str) -> Document {
        let title = Some(title.to_owned());
        Document { title, viewport: None, utf8: true, meta_csp: Vec::new(), import_map: false, meta_refresh: false }
    }

    fn record(headers: &[(&str, &str)]) -> AssetRecord {
        AssetRecord {
            path: "/".into(),
            media_type: "text/html; charset=utf-8".into(),
            headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            len: 0,
            digest: Digest::of(b""),
            pieces: Vec::new(),
        }
    }

    fn get(uri: &str) -> Parts {
        http::Request::get(uri).header("accept-encoding", "br").body(()).unwrap().into_parts().0
    }

    #[tokio::test]
    async fn four_offers_and_the_loader_fit_the_first_round_trip() {
        let response = respond(&get("/"), &scripts(), &record(&[]), (Some(&document("An app")), &dark()), &boot());
        assert_eq!(response.headers()["content-encoding"], "br");
        let len = response.into_body().collect().await.unwrap().to_bytes().len();
        assert!(len <= 14_600, "{len} bytes");
    }

    #[test]
    fn the_documents_headers_are_kept_and_its_policy_lets_the_loader_in() {
        let response = respond(
            &get("/"),
            &scripts(),
            &record(&[("content-security-policy", "script-src 'self'"), ("x-frame-options", "DENY"), ("etag", "\"x\"")]),
            (None, &Looks::default()),
            &boot(),
        );
        let policy = response.headers()["content-security-policy"].to_str().unwrap();
        assert_eq!(policy, format!("script-src 'self' '{}'", scripts().loader_hash));
        assert_eq!(response.headers()["x-frame-options"], "DENY");
        assert!(!response.headers().contains_key("etag"));
    }

    #[test]
    fn title_query_and_boot_cannot_break_out_of_the_page() {
        let mut document = document("</title><script>alert(1)</script>");
        document.viewport = Some("\"><script>".to_owned());
        let page = html((Some(&document), &FirstSight::default()), Some("a=\"><script>"), "{}");
        assert!(page.contains("<meta name=\"viewport\" content=\"&quot;&gt;&lt;script&gt;\">"));
        assert!(page.contains("<title>&lt;/title&gt;&lt;script&gt;alert(1)&lt;/script&gt;</title>"));
        assert!(page.contains("url=?a=&quot;&gt;&lt;script&gt;&amp;viral=plain\""));
    }

    #[test]
    fn the_loader_is_exactly_what_the_hash_says() {
        let page = html((None, &FirstSight::default()), None, "{}");
        assert!(!page.contains("viewport"), "a page without one is laid out as wide as without us");
        let scripts = scripts();
        let page = page + std::str::from_utf8(scripts.thin_ending.plain()).unwrap();
        let start = page.rfind("<script>").unwrap() + "<script>".len();
        let end = page.rfind("</script>").unwrap();
        let hash = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(&page[start..end]));
        assert_eq!(format!("sha256-{hash}"), scripts.loader_hash);
    }
}
