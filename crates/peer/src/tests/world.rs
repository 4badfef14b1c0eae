//! A served site, and visits to it.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use url::Url;
use viral_server::config::Config;
use viral_server::{Source, Viral};
use viral_wire::Digest;

use crate::get::{GetError, GetEvent, GetOptions, Report, get};

/// A directory with an app of about 3 MiB: a document, a script that compresses, three assets that do not, and one that no page needs.
pub(super) struct World {
    pub(super) dir: tempfile::TempDir,
    pub(super) address: SocketAddr,
    admin: SocketAddr,
    viral: Viral,
    running: JoinHandle<()>,
}

/// Bytes that do not compress.
pub(super) fn noise(seed: u32, len: usize) -> Vec<u8> {
    let blocks = (0..len.div_ceil(32) as u32).flat_map(|n| *Digest::of(&[seed.to_be_bytes(), n.to_be_bytes()].concat()).as_bytes());
    let mut bytes: Vec<u8> = blocks.collect();
    bytes.truncate(len);
    bytes
}

/// Writes a version of the app.
pub(super) fn write_app(dir: &Path, version: u32) {
    let document = format!(
        "<!doctype html><title>v{version}</title><script src=\"app.js\"></script>{}</body>\n",
        (0..3).map(|n| format!("<img src=\"part%20{n}.bin\">")).collect::<String>()
    );
    std::fs::write(dir.join("app.js"), format!("console.log({version})\n").repeat(20_000)).unwrap();
    for n in 0..3 {
        // One part changes from version to version.
        let seed = if n == 0 { version } else { 1_000 + n };
        std::fs::write(dir.join(format!("part {n}.bin")), noise(seed, 900 * 1024)).unwrap();
    }
    std::fs::create_dir_all(dir.join("later")).unwrap();
    std::fs::write(dir.join("later/level.bin"), noise(7, 500 * 1024)).unwrap();
    std::fs::write(dir.join("index.html"), document).unwrap();
}

impl World {
    pub(super) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        write_app(dir.path(), 1);
        Self::serve(dir, "127.0.0.1:0".parse().unwrap()).await
    }

    /// With another configuration.
    pub(super) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        write_app(dir.path(), 1);
        let mut config = Config { min_app_bytes: 0, ..Config::default() };
        change(&mut config);
        Self::configured(dir, "127.0.0.1:0".parse().unwrap(), config).await
    }

    pub(super) async fn serve(dir: tempfile::TempDir, address: SocketAddr) -> Self {
        Self::configured(dir, address, Config { min_app_bytes: 0, ..Config::default() }).await
    }

    async fn configured(dir: tempfile::TempDir, address: SocketAddr, config: Config) -> Self {
        let viral = Viral::open(Source::Directory(dir.path().to_owned()), &config).await.unwrap();
        let listener = listen(address).await;
        let admin_listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, admin) = (listener.local_addr().unwrap(), admin_listener.local_addr().unwrap());
        let serving = viral.clone();
        let running = tokio::spawn(async move { serving.serve(vec![listener.into()], vec![admin_listener.into()]).await });
        Self { dir, address, admin, viral, running }
    }

    /// Ends the server; its directory and its address are left.
    pub(super) async fn stop(self) -> (tempfile::TempDir, SocketAddr) {
        self.viral.shut_down();
        self.running.await.unwrap();
        (self.dir, self.address)
    }

    /// Ends the server without a farewell to anybody: its tasks are gone and its socket closed.
    pub(super) fn shut_down(&self) {
        self.viral.shut_down();
    }

    pub(super) fn url(&self, path: &str) -> Url {
        format!("http://{}{path}", self.address).parse().unwrap()
    }

    pub(super) fn options(&self, path: &str) -> GetOptions {
        GetOptions { bind: Some([127, 0, 0, 1].into()), ..GetOptions::new(self.url(path)) }
    }

    pub(super) async fn get(&self) -> Result<Report, GetError> {
        get(self.options("/"), |_| ()).await
    }

    pub(super) async fn get_path(&self, path: &str) -> Report {
        get(self.options(path), |_| ()).await.unwrap()
    }

    /// A visitor that got everything and stays. Aborted when dropped.
    pub(super) async fn stayer(&self, change: impl FnOnce(&mut GetOptions)) -> Stayer {
        let mut options = GetOptions { stay: Duration::from_secs(600), ..self.options("/") };
        change(&mut options);
        let (tell, mut here) = tokio::sync::watch::channel(false);
        let heard = move |event: GetEvent<'_>| {
            if matches!(event, GetEvent::Here(_)) {
                tell.send_replace(true);
            }
        };
        let stayer = Stayer(tokio::spawn(async move { drop(get(options, heard).await) }));
        here.wait_for(|here| *here).await.expect("it gets everything");
        self.until_seeders(1).await;
        stayer
    }

    /// Waits until the server's own count of ready seeders is this.
    pub(super) async fn until_seeders(&self, count: u64) {
        self.until(|stats| stats["seeders"] == count).await;
    }

    /// Waits until the origin has sent as much as the three large parts, whoever asked; the bytes of pieces it sent.
    pub(super) async fn until_sent(&self) -> u64 {
        let sent = |stats: &serde_json::Value| stats["origin_bytes"]["pieces"].as_u64().unwrap();
        sent(&self.until(|stats| sent(stats) >= 3 * 900 * 1024).await)
    }

    /// Waits until this is so of the server's numbers.
    pub(super) async fn until(&self, holds: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
        for _ in 0..600 {
            let stats = self.stats().await;
            if holds(&stats) {
                return stats;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("never so: {}", self.stats().await);
    }

    pub(super) async fn stats(&self) -> serde_json::Value {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let mut stream = tokio::net::TcpStream::connect(self.admin).await.unwrap();
        stream.write_all(b"GET /stats HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap()
    }

    /// Bytes of the app's page set as it lies on disk.
    pub(super) fn app_len(&self) -> u64 {
        ["index.html", "app.js", "part 0.bin", "part 1.bin", "part 2.bin"]
            .iter()
            .map(|name| self.dir.path().join(name).metadata().unwrap().len())
            .sum()
    }

    /// The files below `out` are those of the site, byte for byte.
    pub(super) fn assert_identical(&self, out: &Path) {
        for name in ["index.html", "app.js", "part 0.bin", "part 1.bin", "part 2.bin"] {
            assert!(std::fs::read(out.join(name)).unwrap() == std::fs::read(self.dir.path().join(name)).unwrap(), "{name} differs");
        }
    }
}

/// A task that ends with this value.
pub(super) struct Stayer(pub(super) JoinHandle<()>);

impl Drop for Stayer {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The address of a server that just ended may be taken for a moment.
async fn listen(address: SocketAddr) -> TcpListener {
    for _ in 0..100 {
        if let Ok(listener) = TcpListener::bind(address).await {
            return listener;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{address} stays taken");
}
