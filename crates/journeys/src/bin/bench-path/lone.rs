//! The lone visitor: the same directory from viral's full answer and from nginx, in turns in one Chromium.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;
use viral_journeys::browser::Engine::Chromium;
use viral_journeys::process::Process;
use viral_journeys::server::Server;
use viral_journeys::visitor::Visitor;
use viral_journeys::wait::until;
use viral_journeys::{apps, http};

use crate::connect::forget;
use crate::numbers::{Table, Target, median};

/// Until nginx answers.
const NGINX_READY: Duration = Duration::from_secs(10);

pub(crate) async fn measure(runs: usize, table: &Table) -> anyhow::Result<()> {
    let site = apps::monaco();
    let server = Server::serve(site.folder(), &[]).await;
    let (_nginx, _folder, port) = nginx(site.folder()).await?;
    let nginx_origin = format!("http://127.0.0.1:{port}");
    let visitor = Visitor::fresh(Chromium).await;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    // The first turn of each warms caches of the machine and learns the page set; it is not counted.
    for run in 0..=runs {
        for (origin, times) in [(server.url(""), &mut ours), (nginx_origin.clone(), &mut theirs)] {
            forget(&visitor, &origin).await;
            server.until_seeders(0).await;
            let took = load(&visitor, &origin).await;
            if run > 0 {
                times.push(took);
            }
        }
    }
    anyhow::ensure!(server.stats().await.answers.thin == 0, "the visitor was not alone");
    table.add_median("lone visitor, Monaco editor to `load`, viral full answer", &ours, "ms", Target::None);
    table.add_median("lone visitor, Monaco editor to `load`, nginx", &theirs, "ms", Target::None);
    table.add("lone visitor, viral / nginx", median(&ours) / median(&theirs), "x", Target::AtMost(1.05));
    Ok(())
}

async fn load(visitor: &Visitor, origin: &str) -> f64 {
    visitor.open(&format!("{origin}/")).await;
    let expression = "location.href !== 'about:blank' && performance.getEntriesByType('navigation')[0].loadEventEnd";
    visitor.until("the page is loaded", expression).await.as_f64().unwrap_or(f64::NAN)
}

/// nginx as Debian configures it, with compression on as any site would have it.
async fn nginx(root: &Path) -> anyhow::Result<(Process, TempDir, u16)> {
    let folder = tempfile::tempdir()?;
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let at = folder.path().display();
    let config = format!(
        "user root; daemon off; worker_processes auto; pid {at}/nginx.pid; error_log {at}/error.log;
        events {{ worker_connections 768; }}
        http {{
            include /etc/nginx/mime.types; default_type application/octet-stream;
            sendfile on; tcp_nopush on; keepalive_timeout 65; access_log off; gzip on; gzip_vary on;
            gzip_types text/css application/javascript text/javascript application/json image/svg+xml;
            client_body_temp_path {at}/body; proxy_temp_path {at}/proxy; fastcgi_temp_path {at}/fastcgi; uwsgi_temp_path {at}/uwsgi; scgi_temp_path {at}/scgi;
            server {{ listen 127.0.0.1:{port}; root {}; }}
        }}",
        root.display()
    );
    let path = folder.path().join("nginx.conf");
    std::fs::write(&path, config)?;
    let mut command = Command::new("/usr/sbin/nginx");
    command.arg("-c").arg(&path).arg("-p").arg(folder.path());
    let process = Process::start(&mut command, folder.path())?;
    until("nginx answers", NGINX_READY, async || {
        let reply = http::get(([127, 0, 0, 1], port).into(), "/", &[]).await.map_err(|error| format!("{error:#}"))?;
        if reply.status == 200 { Ok(()) } else { Err(reply.text()) }
    })
    .await;
    Ok((process, folder, port))
}
