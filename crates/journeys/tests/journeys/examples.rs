//! The examples of `examples/config`, as they are there but for addresses, paths and pages of any size: each is started and asked.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use viral_journeys::deadlines;
use viral_journeys::http::{self, NAVIGATION};
use viral_journeys::process::Process;
use viral_journeys::server::{Server, binary};
use viral_journeys::site::{App, Site};
use viral_journeys::wait::{self, journey};

/// A folder with an example's files, in which everything is started.
struct Example {
    name: &'static str,
    folder: tempfile::TempDir,
    site: Site,
    public: SocketAddr,
    plain: SocketAddr,
    admin: SocketAddr,
    behind: SocketAddr,
}

impl Example {
    fn new(name: &'static str) -> Self {
        let (folder, site) = (tempfile::tempdir().expect("a folder"), App::default().site());
        let [public, plain, admin, behind] = [0; 4].map(|_| free());
        let key = rcgen::generate_simple_self_signed(["app.example".to_owned()]).expect("a certificate");
        for (file, kind, der) in [("pem", "CERTIFICATE", key.cert.der().to_vec()), ("key", "PRIVATE KEY", key.signing_key.serialize_der())]
        {
            let text = format!("-----BEGIN {kind}-----\n{}\n-----END {kind}-----\n", STANDARD.encode(der));
            std::fs::write(folder.path().join(format!("app.example.{file}")), text).expect("a file");
        }
        Self { name, folder, site, public, plain, admin, behind }
    }

    /// The example's file, each of `changes` made in it: all of them are there.
    fn file(&self, file: &str, changes: &[(&str, String)]) -> PathBuf {
        let there = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/config").join(self.name).join(file);
        let mut text = std::fs::read_to_string(there).expect("an example");
        for (from, to) in changes {
            assert!(text.contains(from), "{from} is not in {file} of {}", self.name);
            text = text.replace(from, to);
        }
        let path = self.folder.path().join(file);
        std::fs::write(&path, text).expect("a file");
        path
    }

    fn certificate(&self) -> (&'static str, String) {
        ("/etc/ssl", self.folder.path().display().to_string())
    }

    fn root(&self, there: &'static str) -> (&'static str, String) {
        (there, self.site.folder().display().to_string())
    }

    /// `viral serve` with this file of settings, once it listens.
    fn viral(&self, settings: &Path) -> Process {
        let mut command = Command::new(binary());
        command.arg("serve").arg("--config").arg(settings).args(["--min-app-bytes", "0"]);
        let mut viral = Process::start(&mut command, self.folder.path()).expect("viral starts");
        let listens = viral.expect_line(deadlines::SERVER_READY, |line| line.starts_with("listening on").then_some(()));
        listens.expect("viral listens");
        viral
    }

    /// nginx with this file where Debian's main file includes it.
    fn nginx(&self, file: &Path) -> Process {
        let at = self.folder.path().display();
        let main = format!(
            "user root; daemon off; pid {at}/nginx.pid; error_log {at}/error.log; events {{ }}
            http {{
                include /etc/nginx/mime.types; access_log off;
                client_body_temp_path {at}/body; proxy_temp_path {at}/proxy; fastcgi_temp_path {at}/fastcgi; uwsgi_temp_path {at}/uwsgi; scgi_temp_path {at}/scgi;
                include {};
            }}",
            file.display()
        );
        let path = self.folder.path().join("main.conf");
        std::fs::write(&path, main).expect("a file");
        let mut command = Command::new("/usr/sbin/nginx");
        command.arg("-p").arg(self.folder.path()).arg("-c").arg(&path);
        Process::start(&mut command, self.folder.path()).expect("nginx starts")
    }

    /// The head that a browser gets over TLS.
    fn visited(&self, path: &str) -> Result<String, String> {
        let mut curl = self.curl();
        curl.args(["--head", "--request", "GET", "--max-time", "5"]);
        for (name, value) in NAVIGATION {
            curl.arg("--header").arg(format!("{name}: {value}"));
        }
        said(curl.arg(self.url(path)))
    }

    /// The page over TLS, once it comes with what viral says of it.
    async fn until_answered(&self) -> String {
        wait::until(self.name, deadlines::SERVER_READY, async || {
            let head = self.visited("/")?.to_lowercase();
            if head.contains("viral-answer: full") { Ok(head) } else { Err(head) }
        })
        .await
    }

    /// Status of a WebSocket's handshake over TLS.
    fn web_socket(&self) -> String {
        let mut curl = self.curl();
        curl.args(["--http1.1", "--output", "/dev/null", "--write-out", "%{http_code}", "--max-time", "2"]);
        for header in
            ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="]
        {
            curl.arg("--header").arg(header);
        }
        // It ends by its limit: whoever is connected stays so.
        let output = curl.arg(self.url("/.viral/ws")).output().expect("curl");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn curl(&self) -> Command {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--insecure", "--connect-to"]).arg(format!("app.example::{}", self.public));
        curl
    }

    fn url(&self, path: &str) -> String {
        format!("https://app.example:{}{path}", self.public.port())
    }
}

fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port")
}

fn said(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| error.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

/// viral behind a proxy of this machine.
fn behind(example: &Example) -> Process {
    let settings =
        [("127.0.0.1:8080", example.behind.to_string()), ("127.0.0.1:9090", example.admin.to_string()), example.root("/srv/app")];
    example.viral(&example.file("viral.toml", &settings))
}

/// What the proxy has to pass on: that it is over TLS, and WebSockets.
async fn assert_passed_on(example: &Example) {
    let head = example.until_answered().await;
    assert!(head.contains("; secure"), "cookies are for https: {head}");
    assert_eq!(example.web_socket(), "101");
    let stats = http::get(example.admin, "/healthz", &[]).await.expect("viral answers operators");
    assert_eq!(stats.status, 200);
}

#[tokio::test]
async fn example_behind_nginx() {
    journey(async {
        let example = Example::new("behind-nginx");
        let _viral = behind(&example);
        let changes = [
            ("127.0.0.1:8080", example.behind.to_string()),
            ("listen 80", format!("listen {}", example.plain)),
            ("listen 443", format!("listen {}", example.public)),
            example.certificate(),
        ];
        let _nginx = example.nginx(&example.file("nginx.conf", &changes));
        assert_passed_on(&example).await;
        let moved = http::get(example.plain, "/a", &[("host", "app.example")]).await.expect("nginx redirects");
        assert_eq!((moved.status.as_u16(), moved.header("location")), (301, "https://app.example/a"));
    })
    .await;
}

#[tokio::test]
async fn example_behind_caddy() {
    journey(async {
        let example = Example::new("behind-caddy");
        let _viral = behind(&example);
        // It asks nobody for a certificate here, and makes one.
        let global = "{\n\tadmin off\n\tlocal_certs\n\tskip_install_trust\n\tauto_https disable_redirects\n}\n";
        let site = format!("{global}https://app.example:{} {{", example.public.port());
        let file = example.file("Caddyfile", &[("127.0.0.1:8080", example.behind.to_string()), ("app.example {", site)]);
        let mut caddy = Command::new("/usr/bin/caddy");
        let at = example.folder.path();
        caddy.args(["run", "--adapter", "caddyfile", "--config"]).arg(file);
        caddy.env("HOME", at).env("XDG_DATA_HOME", at).env("XDG_CONFIG_HOME", at);
        let _caddy = Process::start(&mut caddy, at).expect("caddy starts");
        assert_passed_on(&example).await;
    })
    .await;
}

#[tokio::test]
async fn example_in_front_of_nginx() {
    journey(async {
        let example = Example::new("in-front-of-nginx");
        std::fs::create_dir(example.site.folder().join("internal")).expect("a folder");
        std::fs::write(example.site.folder().join("internal/report.js"), "1").expect("a file");
        std::fs::create_dir(example.site.folder().join("assets")).expect("a folder");
        std::fs::write(example.site.folder().join("assets/app.3f2a91bc.js"), "1").expect("a file");
        let changes = [("127.0.0.1:8081", example.behind.to_string()), example.root("/var/www/app")];
        let _nginx = example.nginx(&example.file("nginx.conf", &changes));
        let settings = [("127.0.0.1:8081", example.behind.to_string())];
        let _viral = tls(&example, &settings);
        example.until_answered().await;
        assert_eq!(example.web_socket(), "101");
        let report = example.visited("/internal/report.js").expect("passed on").to_lowercase();
        assert!(report.contains("cache-control: private, no-store"), "{report}");
        let asset = example.visited("/assets/app.3f2a91bc.js").expect("an asset").to_lowercase();
        assert!(asset.contains("max-age=31536000"), "{asset}");
        let moved = http::get(example.plain, "/a", &[("host", "app.example")]).await.expect("viral redirects");
        assert!(moved.header("location").starts_with("https://app.example"), "{}", moved.header("location"));
    })
    .await;
}

/// viral that speaks TLS itself.
fn tls(example: &Example, more: &[(&str, String)]) -> Process {
    let both = |address: SocketAddr| format!("[\"{address}\"]");
    let mut settings = vec![
        ("[\"0.0.0.0:443\", \"[::]:443\"]", both(example.public)),
        ("[\"0.0.0.0:80\", \"[::]:80\"]", both(example.plain)),
        ("127.0.0.1:9090", example.admin.to_string()),
        example.certificate(),
    ];
    settings.extend(more.iter().cloned());
    example.viral(&example.file("viral.toml", &settings))
}

#[tokio::test]
async fn example_office() {
    journey(async {
        let example = Example::new("office");
        let _viral = tls(&example, &[example.root("/srv/app")]);
        example.until_answered().await;
        assert_eq!(example.web_socket(), "101");
        // The seeder's flags, as systemd splits them; it mirrors a server that needs no certificate.
        let environment = std::fs::read_to_string(example.file("seed.env", &[])).expect("an example");
        let value = |name: &str| environment.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).expect("a line");
        assert_eq!(value("SEED_URLS"), "https://app.example/");
        let server = Server::serve(example.site.folder(), &[]).await;
        let mut seed = Command::new(binary());
        seed.arg("seed")
            .args(value("SEED_FLAGS").split(' '))
            .args(["--bind", "127.0.0.1", "--store"])
            .arg(example.folder.path().join("store"));
        let _seeder = Process::start(seed.arg(server.url("/")), example.folder.path()).expect("a seeder starts");
        server.until_seeders(1).await;
    })
    .await;
}
