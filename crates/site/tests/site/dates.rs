//! Dates: honest or absent.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::*;

fn date(dir: &Path, path: &str, modified: SystemTime) {
    fs::OpenOptions::new().write(true).open(dir.join(path)).unwrap().set_modified(modified).unwrap();
}

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

const RELEASED_S: u64 = 1_700_000_000;
const RELEASED: &str = "Tue, 14 Nov 2023 22:13:20 GMT";

#[tokio::test]
async fn files_whose_time_means_nothing_are_sent_without_a_date() {
    let dir = directory(&[
        ("before.txt", b"a"),
        ("zero.txt", b"a"),
        ("one.txt", b"a"),
        ("zip.txt", b"a"),
        ("future.txt", b"a"),
        ("real.txt", b"a"),
    ]);
    date(dir.path(), "before.txt", UNIX_EPOCH - Duration::from_secs(1));
    date(dir.path(), "zero.txt", at(0));
    date(dir.path(), "one.txt", at(1));
    date(dir.path(), "zip.txt", at(315_532_800));
    date(dir.path(), "future.txt", at(9_000_000_000));
    date(dir.path(), "real.txt", at(RELEASED_S));
    let version = open(dir.path(), SiteOptions::default()).await.current();
    for path in ["/before.txt", "/zero.txt", "/one.txt", "/zip.txt", "/future.txt"] {
        let response = answer(&version, &get(path, &[("if-modified-since", RELEASED)])).await;
        assert_eq!((response.status(), header(&response, "last-modified")), (StatusCode::OK, ""), "{path}");
    }
    let response = answer(&version, &get("/real.txt", &[])).await;
    assert_eq!(header(&response, "last-modified"), RELEASED);
    let response = answer(&version, &get("/real.txt", &[("if-modified-since", RELEASED)])).await;
    assert_eq!(response.status(), StatusCode::NOT_MODIFIED);
}

#[tokio::test]
async fn releases_with_equal_dates_are_never_mixed_and_one_taken_back_replaces_what_clients_have() {
    let releases = directory(&[("1/a.txt", b"first release"), ("2/a.txt", b"other release"), ("3/a.txt", b"newer release")]);
    for (path, seconds) in [("1/a.txt", RELEASED_S), ("2/a.txt", RELEASED_S), ("3/a.txt", RELEASED_S + 60)] {
        date(releases.path(), path, at(seconds));
    }
    let live = releases.path().join("live");
    let deploy = |number: &str| {
        let next = releases.path().join("next");
        std::os::unix::fs::symlink(number, &next).unwrap();
        fs::rename(next, &live).unwrap();
    };
    deploy("1");
    let site = open(&live, SiteOptions::default()).await;
    let mut numbers = site.subscribe();
    let mut told = Vec::new();
    for number in ["2", "3", "1"] {
        let before = answer(&site.current(), &get("/a.txt", &[])).await;
        told.push(header(&before, "last-modified").to_owned());
        deploy(number);
        tokio::time::timeout(Duration::from_secs(20), numbers.changed()).await.unwrap().unwrap();
        let now = site.current();
        for date in told.iter().filter(|date| !date.is_empty()) {
            let whole = answer(&now, &get("/a.txt", &[("range", "bytes=5-"), ("if-range", date)])).await;
            assert_eq!((whole.status(), body(whole).await.len()), (StatusCode::OK, 13), "release {number}");
            let changed = answer(&now, &get("/a.txt", &[("if-modified-since", date)])).await;
            assert_eq!(changed.status(), StatusCode::OK, "release {number} for who has that of {date}");
        }
    }
    assert_eq!(told[0], RELEASED);
    assert_eq!(told[1], "", "other content under a date that was told already has none");
}
