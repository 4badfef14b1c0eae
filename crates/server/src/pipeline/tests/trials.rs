//! What operators try out: a holdout, a ramp, a shadow, and stepping back where it does not pay.

use viral_swarm::platform::Engine;
use viral_swarm::visits::AnswerKind;
use viral_swarm::worth::{Arm, Timed};

use super::*;
use crate::config::Mode;

const OWN: [(&str, &str); 2] = [("host", "app.example"), ("origin", "http://app.example")];

async fn tell_time(viral: &crate::Viral, cookie: (&str, &str), more: &[(&str, &str)], ms: &'static str) -> StatusCode {
    request(viral, "POST", "/.viral/time", &[&OWN[..], &[cookie], more].concat(), ms).await.status()
}

/// How many times to the app of visits with this answer `/metrics` counts.
async fn times(viral: &crate::Viral, answer: &str) -> u64 {
    let asked = http::Request::get("/metrics").header("host", "localhost").body(Body::empty()).unwrap();
    let told = text(tower::ServiceExt::oneshot(viral.admin(), asked).await.unwrap()).await;
    let row = format!("viral_time_to_app_seconds_count{{answer=\"{answer}\"}} ");
    told.lines().find_map(|line| line.strip_prefix(&row)).unwrap().parse().unwrap()
}

fn pays(viral: &crate::Viral) -> serde_json::Value {
    serde_json::to_value(viral.app.snapshot()).unwrap()["pays"].take()
}

#[tokio::test]
async fn who_is_held_out_gets_the_page_as_it_is_and_tells_when_it_was_there() {
    let viral = viral(&SITE, |config| config.holdout = "100%".parse().unwrap()).await;
    let (_, _outgoing) = seeder(&viral, "/");
    let response = visit(&viral, "/", &[]).await;
    assert_eq!(answer(&response), "plain; reason=holdout");
    assert_eq!(response.headers()["cache-control"], "private, no-cache");
    assert!(!response.headers().contains_key("etag") && !response.headers().contains_key("viral-manifest"));
    let cookies: Vec<_> = response.headers().get_all("set-cookie").iter().map(|value| value.to_str().unwrap().to_owned()).collect();
    let cookie = cookies.iter().find(|cookie| cookie.starts_with("viral-visit=")).unwrap().split(';').next().unwrap().to_owned();
    let html = text(response).await;
    let script = format!("/.viral/time.js?v={}", viral.app.scripts.time.version);
    assert_eq!(html, format!("{}<script async src=\"{script}\"></script>", SITE[0].1), "nothing else is touched");
    let script = get(&viral, &script, &[]).await;
    assert!(script.headers()["cache-control"].to_str().unwrap().contains("immutable"));
    assert!(text(script).await.contains("/.viral/time"));
    assert_eq!(tell_time(&viral, ("cookie", &cookie), &[("referer", "http://app.example/")], "1234").await, StatusCode::NO_CONTENT);
    let [trial] = pays(&viral)["trials"].as_array().unwrap().clone().try_into().unwrap();
    assert_eq!((&trial["page"], &trial["browser"], &trial["thin_answers"]), (&"/".into(), &"other".into(), &"on".into()));
    assert_eq!((&trial["holdout"]["visits"], &trial["holdout"]["app_ms_p50"]), (&1.into(), &1234.into()));
    assert_eq!(trial["holdout"]["origin_bytes_p50"], html.len());
    assert_eq!(times(&viral, "plain").await, 1);
}

#[tokio::test]
async fn a_held_out_page_is_compressed_and_head_gets_its_head() {
    let viral = viral(&SITE, |config| config.holdout = "100%".parse().unwrap()).await;
    let response = visit(&viral, "/", &[("accept-encoding", "gzip")]).await;
    assert_eq!(response.headers()["content-encoding"], "gzip");
    let mut html = String::new();
    flate2::read::GzDecoder::new(&bytes(response).await[..]).read_to_string(&mut html).unwrap();
    assert!(html.starts_with(SITE[0].1) && html.ends_with("</script>"));
    let head = request(&viral, "HEAD", "/", &NAVIGATION, Body::empty()).await;
    assert_eq!((answer(&head), head.headers()["content-type"].to_str().unwrap()), ("plain; reason=holdout", "text/html; charset=utf-8"));
    assert!(bytes(head).await.is_empty());
}

#[tokio::test]
async fn a_visitor_stays_where_it_was_drawn_and_wishes_come_first() {
    let viral = viral(&SITE, |config| config.holdout = "50%".parse().unwrap()).await;
    let mut kinds = std::collections::BTreeSet::new();
    for browser in 0..40 {
        let cookie = format!("viral-visit={browser:016x}");
        let mut answers = Vec::new();
        for _ in 0..3 {
            answers.push(answer(&visit(&viral, "/", &[("cookie", &cookie)]).await).to_owned());
        }
        answers.dedup();
        assert_eq!(answers.len(), 1, "{answers:?}");
        kinds.extend(answers);
        assert_eq!(answer(&visit(&viral, "/?viral=plain", &[("cookie", &cookie)]).await), "plain; reason=requested");
    }
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), ["full; reason=no-peer-near", "plain; reason=holdout"]);
}

#[tokio::test]
async fn who_is_not_on_the_ramp_gets_the_page_whole() {
    let viral = viral(&SITE, |config| config.ramp = "0%".parse().unwrap()).await;
    let (_, _outgoing) = seeder(&viral, "/");
    let response = visit(&viral, "/", &[]).await;
    assert_eq!(answer(&response), "full; reason=ramp");
    assert!(text(response).await.contains(ADDITION));
}

#[tokio::test]
async fn in_shadow_it_is_counted_what_would_be() {
    let viral = viral(&SITE, |config| config.mode = Mode::Shadow).await;
    for _ in 0..3 {
        let response = visit(&viral, "/", &[]).await;
        assert_eq!(answer(&response), "plain; reason=shadow");
        assert_eq!(text(response).await, SITE[0].1);
    }
    drop(request(&viral, "HEAD", "/", &NAVIGATION, Body::empty()).await);
    assert_eq!(pays(&viral)["shadow"], serde_json::json!({ "thin": 2, "full": 1 }));
}

#[tokio::test]
async fn where_thin_visits_are_slower_nobody_is_answered_thin() {
    let viral = viral(&SITE, |_| ()).await;
    let (_, _outgoing) = seeder(&viral, "/");
    for number in 0..80_u8 {
        for (arm, kind, app_ms) in [(Arm::Thin, AnswerKind::Thin, 3_000), (Arm::Full, AnswerKind::Full, 1_000)] {
            let browser = 2 * u64::from(number) + u64::from(arm == Arm::Full);
            let address = [10, 0, number, 1].into();
            let timed = Timed { browser, address, page: "/", engine: Engine::Other, kind, arm: Some(arm), is_timed: true };
            viral.app.worth.begin(&timed, false);
            viral.app.worth.app_is_there(browser, None, app_ms + u32::from(number));
        }
    }
    let response = visit(&viral, "/", &[]).await;
    assert_eq!(answer(&response), "full; reason=not-worth-it");
    let firefox = ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0");
    assert_eq!(answer(&visit(&viral, "/", &[firefox]).await), "thin; reason=peer-near", "another browser is another trial");
    let trial = pays(&viral)["trials"][0].take();
    assert_eq!((&trial["thin_answers"], &trial["against"]), (&"off".into(), &"slower".into()));
    assert!(trial["again_s"].as_u64().unwrap() > 3_500);
}

#[tokio::test]
async fn a_time_counts_once_for_a_visit_that_there_was() {
    let viral = viral(&SITE, |_| ()).await;
    assert_eq!(tell_time(&viral, BROWSER, &[], "12").await, StatusCode::NO_CONTENT);
    drop(visit(&viral, "/", &[BROWSER]).await);
    for (body, status) in [("", 400), ("abc", 400), ("-1", 400), ("4294967296", 400), ("1.5", 400), ("12345678901234567", 413)] {
        assert_eq!(tell_time(&viral, BROWSER, &[], body).await, status, "{body}");
    }
    assert_eq!(tell_time(&viral, ("cookie", "a=b"), &[], "12").await, StatusCode::NO_CONTENT);
    let foreign = [("host", "app.example"), ("origin", "http://evil.example")];
    assert_eq!(request(&viral, "POST", "/.viral/time", &foreign, "12").await.status(), StatusCode::FORBIDDEN);
    assert_eq!(tell_time(&viral, BROWSER, &[], "99999").await, StatusCode::NO_CONTENT, "it came less than 90 s ago");
    assert_eq!(times(&viral, "full").await, 0);
    for _ in 0..2 {
        assert_eq!(tell_time(&viral, BROWSER, &[("referer", "http://app.example/")], "12").await, StatusCode::NO_CONTENT);
    }
    assert_eq!((times(&viral, "full").await, times(&viral, "thin").await, times(&viral, "plain").await), (1, 0, 0));
}

#[tokio::test]
async fn a_loader_that_gives_up_is_a_thin_visit_that_never_came_to_its_app() {
    let viral = viral(&SITE, |_| ()).await;
    let (_, _outgoing) = seeder(&viral, "/");
    let response = visit(&viral, "/", &[]).await;
    assert_eq!(answer(&response), "thin; reason=peer-near");
    let cookies = response.headers().get_all("set-cookie").iter().map(|value| value.to_str().unwrap().to_owned());
    let cookie = cookies.filter(|cookie| cookie.starts_with("viral-visit=")).map(|cookie| cookie.split(';').next().unwrap().to_owned());
    let cookie = cookie.collect::<String>();
    let from_here: Vec<_> =
        NAVIGATION.iter().copied().map(|(name, value)| (name, if name == "sec-fetch-site" { "same-origin" } else { value })).collect();
    let plain = get(&viral, "/?viral=plain", &[&from_here[..], &[("cookie", &cookie)]].concat()).await;
    assert_eq!(answer(&plain), "plain; reason=requested");
    let thin = pays(&viral)["trials"][0]["thin"].take();
    assert_eq!((&thin["visits"], &thin["app_ms_p50"]), (&1.into(), &serde_json::Value::Null));
}
