//! nginx as Debian configures it, with compression on as any site would have it: what viral is measured beside.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;

use anyhow::Context as _;
use tempfile::TempDir;

use crate::process::Process;
use crate::{certificate, deadlines, http, wait};

/// A running nginx that serves one folder, ended when dropped.
#[derive(Debug)]
pub struct Nginx {
    process: Process,
    folder: TempDir,
    address: SocketAddr,
    secure: SocketAddr,
}

/// How nginx is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setup {
    /// As Debian has it, with compression on.
    Usual,
    /// The same for measuring the processor: one worker, no access log, and the `.gz` beside a file where there is one.
    OneWorker,
    /// [`OneWorker`](Self::OneWorker) that also listens with TLS, at [`Nginx::secure_url`].
    Secure,
    /// One worker that says of what is below `/kept/` that caches may keep it, and of what is below `/passed/` that they may not.
    Behind,
    /// One worker in front of such a server, with connections that are used again: it keeps what is below `/kept/` and passes the rest on.
    Front(SocketAddr),
    /// A load balancer in front of two servers, which sends each request to the other one in turn, and to the one that is left if one does not answer.
    Balancer([SocketAddr; 2]),
}

/// One answer of its access log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// Its status.
    pub status: u16,
    /// Bytes on the wire, head included.
    pub bytes: u64,
    /// The path it was for, decoded, with `index.html` added where nginx did.
    pub path: String,
}

impl Nginx {
    /// Serves `root` on a free loopback port.
    ///
    /// # Errors
    /// When nginx is missing or refuses its configuration.
    ///
    /// # Panics
    /// When it does not answer within [`deadlines::SERVER_READY`].
    pub async fn serve(root: &Path) -> anyhow::Result<Self> {
        Self::serve_as(root, Setup::Usual).await
    }

    /// [`serve`](Self::serve) with a setup.
    ///
    /// # Errors
    /// As [`serve`](Self::serve).
    ///
    /// # Panics
    /// As [`serve`](Self::serve).
    pub async fn serve_as(root: &Path, setup: Setup) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        // Both at once, so that they differ; neither is held any more when nginx starts.
        let free = [TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.1:0")?];
        let [address, secure] = [free[0].local_addr()?, free[1].local_addr()?];
        drop(free);
        if setup == Setup::Secure {
            certificate::make(folder.path())?;
        }
        let path = folder.path().join("nginx.conf");
        std::fs::write(&path, config(root, folder.path(), ([address, secure].map(|address| address.port()), setup)))?;
        let mut command = Command::new("/usr/sbin/nginx");
        command.arg("-c").arg(&path).arg("-p").arg(folder.path());
        let process = Process::start(&mut command, folder.path())?;
        wait::until("nginx answers", deadlines::SERVER_READY, async || {
            let reply = http::get(address, "/", &[]).await.map_err(|error| format!("{error:#}"))?;
            if reply.status == 200 { Ok(()) } else { Err(reply.text()) }
        })
        .await;
        Ok(Self { process, folder, address, secure })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whole URL of a path.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Whole URL of a path with TLS.
    #[must_use]
    pub fn secure_url(&self, path: &str) -> String {
        format!("https://{}{path}", self.secure)
    }

    /// Its certificate and the key to it, in PEM form.
    #[must_use]
    pub fn certificate(&self) -> [std::path::PathBuf; 2] {
        certificate::files(self.folder.path())
    }

    /// Seconds of a processor that it used until now.
    #[must_use]
    pub fn cpu_s(&self) -> f64 {
        self.process.cpu_s()
    }

    /// All it has answered so far.
    ///
    /// # Errors
    /// When its log cannot be read.
    pub fn answered(&self) -> anyhow::Result<Vec<Answered>> {
        let log = std::fs::read_to_string(self.folder.path().join("access.log"))?;
        log.lines().map(|line| answered(line).with_context(|| line.to_owned())).collect()
    }
}

fn answered(line: &str) -> Option<Answered> {
    let mut words = line.splitn(3, ' ');
    Some(Answered { status: words.next()?.parse().ok()?, bytes: words.next()?.parse().ok()?, path: words.next()?.to_owned() })
}

fn config(root: &Path, folder: &Path, ([port, secure], setup): ([u16; 2], Setup)) -> String {
    let (root, at) = (root.display(), folder.display());
    let (workers, log, more) = match setup {
        Setup::Usual => ("auto", format!("{at}/access.log sent"), String::new()),
        Setup::OneWorker | Setup::Secure => ("1", "off".to_owned(), "gzip_static on; keepalive_requests 1000000;".to_owned()),
        Setup::Behind => ("1", "off".to_owned(), "keepalive_requests 1000000;".to_owned()),
        Setup::Front(behind) => (
            "1",
            "off".to_owned(),
            format!(
                "proxy_cache_path {at}/kept keys_zone=kept:1m; upstream behind {{ server {behind}; keepalive 64; keepalive_requests 1000000; }}"
            ),
        ),
        Setup::Balancer([one, other]) => (
            "1",
            format!("{at}/access.log sent"),
            format!(
                "upstream both {{ server {one} max_fails=1 fail_timeout=2s; server {other} max_fails=1 fail_timeout=2s; }}
                map $http_upgrade $connection_upgrade {{ default upgrade; '' close; }}"
            ),
        ),
    };
    let places = match setup {
        Setup::Usual | Setup::OneWorker => String::new(),
        Setup::Secure => format!("listen 127.0.0.1:{secure} ssl; ssl_certificate {at}/cert.pem; ssl_certificate_key {at}/key.pem;"),
        Setup::Behind => {
            "location /kept/ { add_header cache-control 'public, max-age=300'; } location /passed/ { add_header cache-control no-store; }"
                .to_owned()
        }
        Setup::Front(_) => "proxy_http_version 1.1; proxy_set_header connection ''; proxy_set_header host $http_host;
            proxy_set_header x-forwarded-for $proxy_add_x_forwarded_for; proxy_set_header x-forwarded-proto $scheme;
            location / { proxy_pass http://behind; }
            location /kept/ { proxy_pass http://behind; proxy_cache kept; add_header x-cache $upstream_cache_status; }"
            .to_owned(),
        Setup::Balancer(_) => {
            "location / { proxy_pass http://both; proxy_http_version 1.1; proxy_connect_timeout 1s; proxy_read_timeout 1h;
            proxy_next_upstream error timeout non_idempotent; proxy_buffering off; proxy_set_header host $http_host;
            proxy_set_header x-forwarded-for $proxy_add_x_forwarded_for; proxy_set_header x-forwarded-proto $scheme;
            proxy_set_header upgrade $http_upgrade; proxy_set_header connection $connection_upgrade; }"
                .to_owned()
        }
    };
    format!(
        "user root; daemon off; worker_processes {workers}; pid {at}/nginx.pid; error_log {at}/error.log;
        events {{ worker_connections 768; }}
        http {{
            include /etc/nginx/mime.types; types {{ application/javascript mjs; }} default_type application/octet-stream;
            log_format sent '$status $bytes_sent $uri'; access_log {log};
            sendfile on; tcp_nopush on; keepalive_timeout 65; gzip on; gzip_vary on; {more}
            gzip_types text/css application/javascript text/javascript application/json image/svg+xml;
            client_body_temp_path {at}/body; proxy_temp_path {at}/proxy; fastcgi_temp_path {at}/fastcgi; uwsgi_temp_path {at}/uwsgi; scgi_temp_path {at}/scgi;
            server {{ listen 127.0.0.1:{port}; root {root}; {places} }}
        }}"
    )
}
