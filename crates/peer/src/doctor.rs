//! What stands between a page and its visitors, as this machine sees it: the server, how it answers, the way on which visitors are introduced, and WebRTC itself.

mod transfer;

use std::net::IpAddr;
use std::time::Duration;

use serde::Serialize;
use tokio::time::timeout;
use url::{Host, Url};
use viral_wire::signal::{PeerToTracker, TrackerToPeer};

use crate::origin::{DoctorView, Origin};
use crate::throttle::Throttle;
use crate::tracker_client::{TrackerClient, TrackerEvent};

/// Longest wait for the tracker's first word.
const WELCOME_WAIT: Duration = Duration::from_secs(5);

/// Longest goodbye.
const GOODBYE_WAIT: Duration = Duration::from_secs(1);

/// Whom to look at, and how.
#[derive(Debug, Clone)]
pub struct DoctorOptions {
    /// The page.
    pub url: Url,
    /// Address that all sockets leave from.
    pub bind: Option<IpAddr>,
    /// Whether redirects to another origin are followed.
    pub other_origin: bool,
}

/// How well a thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Health {
    /// Nothing can be taken or given.
    Bad,
    /// It works in part.
    Limited,
    /// As it should be.
    Good,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Its name, the same in every version and that of `/.viral/doctor`.
    pub check: &'static str,
    /// How well it is.
    pub verdict: Health,
    /// What was found.
    pub found: String,
    /// What to change; empty if nothing.
    pub change: String,
}

/// All that was found.
#[derive(Debug, Clone, Serialize)]
pub struct Diagnosis {
    /// The page.
    pub url: String,
    /// Whether a visitor could take the page from others and give it to them, as far as can be told from here.
    pub healthy: bool,
    /// The worst first.
    pub findings: Vec<Finding>,
}

impl Finding {
    fn new(check: &'static str, verdict: Health, found: impl Into<String>, change: impl Into<String>) -> Self {
        Self { check, verdict, found: found.into(), change: change.into() }
    }

    fn good(check: &'static str, found: impl Into<String>) -> Self {
        Self::new(check, Health::Good, found, "")
    }
}

/// Looks at everything that can be looked at without a browser. What it tries it takes back: nobody is introduced, nothing is kept.
pub async fn doctor(options: &DoctorOptions) -> Diagnosis {
    let mut findings = vec![secure_context(&options.url)];
    match Origin::new(&options.url, options.bind, Throttle::new(None)) {
        Ok(mut origin) => look_at(&mut origin, options, &mut findings).await,
        Err(error) => findings.push(Finding::new(
            "server",
            Health::Bad,
            format!("{error}."),
            "Give the address of the page, with http:// or https://.",
        )),
    }
    findings.push(transfer_finding(transfer::loop_back().await));
    findings.sort_by_key(|finding| finding.verdict);
    let healthy = findings.iter().all(|finding| finding.verdict != Health::Bad);
    Diagnosis { url: options.url.to_string(), healthy, findings }
}

async fn look_at(origin: &mut Origin, options: &DoctorOptions, findings: &mut Vec<Finding>) {
    let page = match origin.look(&options.url, options.other_origin).await {
        Ok((page, _, true)) => page,
        Ok((_, status, false)) => {
            let found = format!("{} answers {status}, and not as viral does: it has no header viral-answer.", origin.host());
            findings.push(Finding::new(
                "server",
                Health::Bad,
                found,
                "Give the address of a page. Is a proxy in front that answers itself, or strips headers?",
            ));
            return;
        }
        Err(error) => {
            findings.push(Finding::new(
                "server",
                Health::Bad,
                format!("{error}."),
                "Is the server running, and can this machine reach it?",
            ));
            return;
        }
    };
    findings.push(Finding::good("server", format!("{} is a server of viral.", origin.host())));
    match origin.doctor_view(&page).await {
        Ok(view) => findings.extend(judge(&view)),
        Err(error) => findings.push(Finding::new(
            "answer",
            Health::Limited,
            format!("{error}."),
            "The server is older than this program, or a proxy holds /.viral/ back.",
        )),
    }
    findings.push(websocket(origin, &page).await);
}

/// Browsers have service workers and hashing only on secure origins.
fn secure_context(url: &Url) -> Finding {
    let is_local = match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    match (url.scheme(), is_local) {
        ("https", _) => Finding::good("secure-context", "The page comes over TLS."),
        (_, true) => Finding::good(
            "secure-context",
            "The page comes from this machine, which browsers take for secure. Visitors on other machines need https://.",
        ),
        (_, false) => Finding::new(
            "secure-context",
            Health::Bad,
            "The page does not come over TLS, so browsers take no part.",
            "Give the server a certificate: --acme DOMAIN, --tls-cert and --tls-key, or a proxy in front that has one.",
        ),
    }
}

/// How the server would answer a browser that comes from here.
fn judge(view: &DoctorView) -> Vec<Finding> {
    let mut findings = vec![Finding::good("address", format!("The server sees this machine at {}.", view.address))];
    let reason = view.reason.as_deref().unwrap_or_default();
    findings.push(match view.answer.as_deref() {
        Some("thin") => Finding::good("answer", "A browser would get the page from other visitors now."),
        Some("full") => Finding::good(
            "answer",
            format!(
                "A browser would get the page from the server now ({reason}); {}.",
                if view.seeds { "somebody seeds" } else { "nobody seeds yet" }
            ),
        ),
        Some(_) => Finding::new(
            "answer",
            Health::Bad,
            format!("A browser would get the page without us ({reason})."),
            format!("The troubleshooting guide says what to do about \"{reason}\"."),
        ),
        None => {
            Finding::new("answer", Health::Limited, "There is no page of the site's files at this address.", "Give the address of one.")
        }
    });
    findings
}

/// Whether visitors can be introduced: the tracker welcomes whoever registers.
async fn websocket(origin: &Origin, page: &str) -> Finding {
    let register = PeerToTracker::Register { page: page.to_owned(), manifest: None, ticket: None, slots: 0 };
    let mut tracker = TrackerClient::open(origin, vec![register]);
    let heard = timeout(WELCOME_WAIT, tracker.next()).await;
    tracker.close(GOODBYE_WAIT).await;
    let change = "A proxy in front must pass WebSockets on, with Host and Origin as they came: see \"Behind a proxy\" in the guide.";
    match heard {
        Ok(TrackerEvent::Signal(signal)) if matches!(*signal, TrackerToPeer::Welcome { .. }) => {
            Finding::good("websocket", "The connection by which visitors are introduced opens, and the server answers on it.")
        }
        Ok(TrackerEvent::Signal(_)) => Finding::new(
            "websocket",
            Health::Bad,
            "The server answers, but does not introduce this machine to anybody.",
            "The server's log says why.",
        ),
        Ok(TrackerEvent::Lost(why)) => {
            Finding::new("websocket", Health::Bad, format!("The connection by which visitors are introduced does not open: {why}."), change)
        }
        Err(_) => {
            let found = format!("The connection by which visitors are introduced is silent for {} s.", WELCOME_WAIT.as_secs());
            Finding::new("websocket", Health::Bad, found, change)
        }
    }
}

fn transfer_finding(took: Result<Duration, String>) -> Finding {
    match took {
        Ok(took) => Finding::good("transfer", format!("A transfer over WebRTC on this machine took {} ms.", took.as_millis())),
        Err(why) => Finding::new(
            "transfer",
            Health::Bad,
            format!("A transfer over WebRTC on this machine failed: {why}."),
            "A firewall on this machine blocks UDP.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_take_part_over_tls_and_on_this_machine() {
        let of = |url: &str| secure_context(&url.parse().unwrap()).verdict;
        for url in ["https://app.example/", "http://localhost:8080/", "http://a.localhost/", "http://127.9.9.9/", "http://[::1]/"] {
            assert_eq!(of(url), Health::Good, "{url}");
        }
        for url in ["http://app.example/", "http://10.0.0.1/", "http://localhost.example/"] {
            assert_eq!(of(url), Health::Bad, "{url}");
        }
    }

    #[test]
    fn what_a_browser_would_get_is_said_with_its_reason() {
        let view = |answer: Option<&str>, reason: Option<&str>| DoctorView {
            address: "203.0.113.7".parse().unwrap(),
            answer: answer.map(str::to_owned),
            reason: reason.map(str::to_owned),
            seeds: true,
        };
        let of = |answer, reason| judge(&view(answer, reason)).pop().unwrap();
        assert_eq!(of(Some("thin"), Some("peer-near")).verdict, Health::Good);
        assert!(of(Some("full"), Some("no-peer-near")).found.contains("somebody seeds"));
        let plain = of(Some("plain"), Some("csp"));
        assert!(plain.verdict == Health::Bad && plain.change.contains("\"csp\""));
        assert_eq!(of(None, None).verdict, Health::Limited);
    }

    #[tokio::test]
    async fn nobody_there_is_said_with_what_to_do() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        drop(listener);
        let found = doctor(&DoctorOptions { url, bind: None, other_origin: false }).await;
        assert!(!found.healthy);
        let worst = &found.findings[0];
        assert!(worst.check == "server" && worst.verdict == Health::Bad && !worst.change.is_empty(), "{found:?}");
        assert!(found.findings.iter().any(|finding| finding.check == "transfer" && finding.verdict == Health::Good), "{found:?}");
    }
}
