//! Servers that are none of ours, that vanish, and disks that are full.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout};

use super::world::World;
use crate::get::{Answer, GetError, GetEvent, GetOptions, OutputError, get};
use crate::origin::OriginError;
use crate::rate::Rate;

/// A server that does this with each connection.
async fn server<F: Future<Output = ()> + Send + 'static>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> url::Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    url
}

/// A server that answers everything with this.
async fn plain_server(answer: &'static str) -> url::Url {
    server(move |mut stream| async move {
        let mut head = [0; 4096];
        let _ = stream.read(&mut head).await;
        let _ = stream.write_all(answer.as_bytes()).await;
    })
    .await
}

#[tokio::test]
async fn a_site_that_is_not_viral_is_named_so_and_nothing_is_written() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n<!doctype html><p>not found, politely",
    ] {
        let out = tempfile::tempdir().unwrap();
        let url = plain_server(answer).await;
        let options = GetOptions { output: Some(out.path().join("out")), ..GetOptions::new(url) };
        let error = get(options, |_| ()).await.unwrap_err();
        assert!(matches!(error, GetError::NotViral { .. }), "{error}");
        assert!(error.to_string().contains("not served by viral"), "{error}");
        assert!(!out.path().join("out").exists());
    }
}

#[tokio::test]
async fn refusals_redirect_loops_and_silence_end_with_one_clear_line() {
    let lines = [
        ("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", "404"),
        ("HTTP/1.1 302 Found\r\nlocation: /\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", "redirects without end"),
        ("HTTP/1.1 302 Found\r\nlocation: file:///etc/passwd\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", "not an http"),
        ("", "cannot be reached"),
        ("HTTP/1.1 200 OK\r\nviral-answer: thin; reason=peer-near\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi", "boot block"),
    ];
    for (answer, expected) in lines {
        let error = get(GetOptions::new(plain_server(answer).await), |_| ()).await.unwrap_err().to_string();
        assert!(error.contains(expected) && !error.contains('\n'), "{expected}: {error}");
    }
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = get(GetOptions::new(format!("http://{nobody}/").parse().unwrap()), |_| ()).await.unwrap_err();
    assert!(matches!(error, GetError::Origin(OriginError::Silent { .. })), "{error}");
    let error = get(GetOptions::new("ftp://a.example/".parse().unwrap()), |_| ()).await.unwrap_err();
    assert!(matches!(error, GetError::Origin(OriginError::Url(_))), "{error}");
}

#[tokio::test]
async fn a_server_that_vanishes_in_the_middle_does_not_matter_where_a_peer_has_the_rest() {
    let world = World::new().await;
    let _stayer = world.stayer(|options| options.up_limit = Some(Rate(1 << 20))).await;
    let mut gone = false;
    let options = GetOptions { up_limit: Some(Rate(0)), ..world.options("/") };
    let report = get(options, |event| {
        let GetEvent::Progress(progress) = event else { return };
        if !gone && progress.bytes_held > 300 * 1024 {
            gone = true;
            world.shut_down();
        }
    })
    .await
    .unwrap();
    assert!(gone && report.bytes_from_peers > world.app_len() / 2, "{report:?}");
}

#[tokio::test]
async fn a_server_that_vanishes_from_a_lone_visitor_leaves_what_the_next_try_goes_on_from() {
    let world = World::new().await;
    let out = tempfile::tempdir().unwrap();
    let options = GetOptions {
        output: Some(out.path().to_owned()),
        down_limit: Some(Rate(2 << 20)),
        stall: Duration::from_secs(2),
        ..world.options("/")
    };
    let mut gone = false;
    let error = get(options.clone(), |event| {
        let GetEvent::Progress(progress) = event else { return };
        if !gone && progress.bytes_held > 800 * 1024 {
            gone = true;
            world.shut_down();
        }
    })
    .await
    .unwrap_err();
    let GetError::Stalled { held, total, .. } = &error else { panic!("{error}") };
    assert!(gone && held < total, "{error}");
    assert!(error.to_string().contains("run the same command again"), "{error}");
    let (dir, address) = world.stop().await;
    let world = World::serve(dir, address).await;
    let report = get(GetOptions { down_limit: None, ..options }, |_| ()).await.unwrap();
    assert!(report.bytes_from_store > 700 * 1024, "{report:?}");
    world.assert_identical(out.path());
    assert!(!out.path().join(".viral-partial").exists());
}

/// Less than a crowd that gives nothing is waited for.
const LEASE_WAIT_NONE: Duration = Duration::from_millis(viral_swarm::fetch::config::LEASE_STALL_MS / 2);

/// How often it may take longer: other programs have this machine now and then, and what waits in vain does so each time.
const SLOW_MAX: usize = 3;

/// What a first visitor of `world` finds at `url`, which leads there: everything, and all of it from the origin.
async fn assert_first_visitor_is_fed(world: &World, url: url::Url) {
    let mut slow = 0;
    let report = loop {
        let began = Instant::now();
        World::new().await.get().await.unwrap();
        // As long as it takes where nothing is missing, on this machine and beside these tests.
        let usual = began.elapsed();
        let options = GetOptions { url: url.clone(), ..world.options("/") };
        match timeout(usual + LEASE_WAIT_NONE, get(options, |_| ())).await {
            Ok(report) => break report.unwrap(),
            Err(_) => slow += 1,
        }
        assert!(slow < SLOW_MAX, "it waits for nothing that does not come");
    };
    assert_eq!((report.answer, report.ok), (Answer::Full, true));
    assert!(report.bytes_from_origin >= world.app_len());
}

#[tokio::test]
async fn a_manifest_that_is_outdated_when_it_is_asked_for_is_not_clung_to() {
    let world = World::new().await;
    let address = world.address;
    // The manifest that the first answer names is gone.
    let url = server(move |mut ours| async move {
        let mut theirs = TcpStream::connect(address).await.unwrap();
        let request = read_head(&mut ours).await;
        theirs.write_all(&request).await.unwrap();
        if request.starts_with(b"GET / ") {
            let mut answer = read_head(&mut theirs).await;
            let name = b"viral-manifest: ";
            let at = answer.windows(name.len()).position(|window| window == name).expect("the first visitor is told") + name.len();
            answer[at..at + 64].fill(b'0');
            ours.write_all(&answer).await.unwrap();
        }
        let _ = copy_bidirectional(&mut ours, &mut theirs).await;
    });
    assert_first_visitor_is_fed(&world, url.await).await;
}

/// What comes up to the end of the first head, and perhaps more.
async fn read_head(stream: &mut TcpStream) -> Vec<u8> {
    let mut read = Vec::new();
    while !read.windows(4).any(|window| window == b"\r\n\r\n") && stream.read_buf(&mut read).await.unwrap() > 0 {}
    read
}

#[tokio::test]
async fn a_first_visitor_without_a_tracker_takes_everything_from_the_origin() {
    let world = World::new().await;
    let address = world.address;
    let url = server(move |mut ours| async move {
        let request = read_head(&mut ours).await;
        if !request.starts_with(b"GET /.viral/ws") {
            let mut theirs = TcpStream::connect(address).await.unwrap();
            theirs.write_all(&request).await.unwrap();
            let _ = copy_bidirectional(&mut ours, &mut theirs).await;
        }
    });
    assert_first_visitor_is_fed(&world, url.await).await;
}

#[tokio::test]
async fn a_directory_that_cannot_be_written_to_is_an_error_before_anything_is_asked() {
    let world = World::new().await;
    let file = tempfile::NamedTempFile::new().unwrap();
    let options = GetOptions { output: Some(file.path().to_owned()), ..world.options("/") };
    let error = get(options, |_| ()).await.unwrap_err();
    assert!(matches!(error, GetError::Output(OutputError::Io { .. })), "{error}");
}

#[tokio::test]
async fn a_file_of_somebody_elses_is_not_overwritten() {
    let world = World::new().await;
    let out = tempfile::tempdir().unwrap();
    std::fs::write(out.path().join("app.js"), b"mine").unwrap();
    let options = GetOptions { output: Some(out.path().to_owned()), ..world.options("/") };
    let error = get(options.clone(), |_| ()).await.unwrap_err();
    assert!(matches!(error, GetError::Output(OutputError::Exists(_))), "{error}");
    assert_eq!(std::fs::read(out.path().join("app.js")).unwrap(), b"mine");
    get(GetOptions { force: true, ..options }, |_| ()).await.unwrap();
    world.assert_identical(out.path());
}
