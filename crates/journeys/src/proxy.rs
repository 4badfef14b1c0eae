//! Proxies as operators put them in front of the server: each configured with the lines of docs/guide/behind-a-proxy.md.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::process::Process;
use crate::{deadlines, http, wait};

/// Which proxy, and how it is configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// nginx with the lines of that page.
    Nginx,
    /// nginx with nothing but `proxy_pass` and the lines that a WebSocket needs: the server sees the upstream's name as the host.
    NginxBare,
    /// nginx that shows the server below `/app/` and keeps that in what it asks for.
    NginxKeeps,
    /// nginx that shows the server below `/app/` and leaves that out.
    NginxStrips,
    /// Caddy.
    Caddy,
    /// Apache httpd.
    Apache,
    /// HAProxy.
    HaProxy,
}

/// What the README has nginx say of a visitor.
const NGINX_LINES: &str = "proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto $scheme;";

/// A running proxy, ended when dropped.
#[derive(Debug)]
pub struct Proxy {
    _process: Process,
    _folder: TempDir,
    address: SocketAddr,
}

impl Proxy {
    /// Passes everything on to `upstream`.
    ///
    /// # Panics
    /// When the program is missing or does not answer within [`deadlines::SERVER_READY`].
    pub async fn start(kind: Kind, upstream: SocketAddr) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let address = free.expect("a free port");
        let config = folder.path().join("proxy.conf");
        std::fs::write(&config, configuration(kind, folder.path(), address.port(), upstream)).expect("a file");
        let process = Process::start(&mut command(kind, folder.path(), &config), folder.path()).expect("the proxy starts");
        let page = if matches!(kind, Kind::NginxKeeps | Kind::NginxStrips) { "/app/" } else { "/" };
        wait::until(&format!("{kind:?} answers"), deadlines::SERVER_READY, async || {
            let reply = http::get(address, page, &[]).await.map_err(|error| format!("{error:#}"))?;
            if reply.status == 200 { Ok(()) } else { Err(format!("{}: {}", reply.status, reply.text())) }
        })
        .await;
        Self { _process: process, _folder: folder, address }
    }

    /// Whole URL of a path, as visitors see it.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

fn command(kind: Kind, folder: &Path, config: &Path) -> Command {
    let (program, arguments): (&str, &[&str]) = match kind {
        Kind::Nginx | Kind::NginxBare | Kind::NginxKeeps | Kind::NginxStrips => ("/usr/sbin/nginx", &["-p", ".", "-c"]),
        Kind::Caddy => ("/usr/bin/caddy", &["run", "--adapter", "caddyfile", "--config"]),
        Kind::Apache => ("/usr/sbin/apache2", &["-D", "FOREGROUND", "-f"]),
        Kind::HaProxy => ("/usr/sbin/haproxy", &["-db", "-f"]),
    };
    let mut command = Command::new(program);
    // Caddy keeps its state below these.
    command.current_dir(folder).env("HOME", folder).env("XDG_DATA_HOME", folder).env("XDG_CONFIG_HOME", folder);
    command.args(arguments).arg(config);
    command
}

fn configuration(kind: Kind, folder: &Path, port: u16, upstream: SocketAddr) -> String {
    let at = folder.display();
    let nginx = |(place, target): (&str, &str), lines: &str| {
        format!(
            "user root; daemon off; pid {at}/nginx.pid; error_log {at}/error.log; events {{ }}
            http {{
                access_log off; client_body_temp_path {at}/body; proxy_temp_path {at}/proxy; fastcgi_temp_path {at}/fastcgi; uwsgi_temp_path {at}/uwsgi; scgi_temp_path {at}/scgi;
                server {{
                    listen 127.0.0.1:{port};
                    location {place} {{
                        proxy_pass http://{upstream}{target};
                        proxy_http_version 1.1;
                        proxy_set_header Upgrade $http_upgrade;
                        proxy_set_header Connection upgrade;
                        {lines}
                    }}
                }}
            }}"
        )
    };
    match kind {
        Kind::Nginx => nginx(("/", ""), NGINX_LINES),
        Kind::NginxBare => nginx(("/", ""), ""),
        Kind::NginxKeeps => nginx(("/app/", ""), NGINX_LINES),
        Kind::NginxStrips => nginx(("/app/", "/"), NGINX_LINES),
        Kind::Caddy => format!("{{\n\tadmin off\n\tauto_https off\n}}\nhttp://127.0.0.1:{port} {{\n\treverse_proxy {upstream}\n}}\n"),
        Kind::Apache => format!(
            "ServerRoot {at}\nServerName 127.0.0.1\nListen 127.0.0.1:{port}\nPidFile {at}/apache.pid\nErrorLog {at}/error.log\nUser nobody\nGroup nogroup\n{}
            ProxyPreserveHost On\nProxyPass / http://{upstream}/ upgrade=websocket\n",
            ["mpm_event", "authz_core", "proxy", "proxy_http", "proxy_wstunnel"]
                .map(|name| format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"))
                .concat(),
        ),
        Kind::HaProxy => format!(
            "defaults\n mode http\n timeout connect 5s\n timeout client 60s\n timeout server 60s\n timeout tunnel 1h\n option forwardfor
            frontend visitors\n bind 127.0.0.1:{port}\n default_backend viral\nbackend viral\n server viral {upstream}\n"
        ),
    }
}
