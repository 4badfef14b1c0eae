//! Bindings of STUN on loopback, viral and coturn in turns.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::ensure;
use viral_journeys::coturn::Coturn;
use viral_journeys::server::Server;
use viral_journeys::site::App;
use viral_journeys::stun;

/// The row's name and target.
pub(crate) const ROW: (&str, f64) = ("STUN bindings, beside coturn", 1.5);

pub(crate) async fn measure(rounds: usize) -> anyhow::Result<()> {
    let site = App::default().site();
    let server = Server::serve(site.folder(), &[]).await;
    let coturn = Coturn::start().await?;
    let (ours, theirs) = (server.address(), coturn.address());
    ensure!(stun::is_answered(ours), "viral answers no STUN: {}", server.log());
    super::compare((ROW.0, ROW.1, rounds), || rate(ours, || server.cpu_s()), || rate(theirs, || coturn.cpu_s()))
}

/// Bindings that one CPU-second of a server answers.
fn rate(server: SocketAddr, cpu_s: impl Fn() -> f64) -> anyhow::Result<f64> {
    let before = cpu_s();
    let answers = stun::load(server, Duration::from_secs(1))?;
    let used = cpu_s() - before;
    ensure!(used > 0.0 && answers > 0, "{server} answered {answers} times in {used} s");
    Ok(answers as f64 / used)
}
