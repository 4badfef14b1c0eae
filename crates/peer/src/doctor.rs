//! What stands between a page and its visitors, as this machine sees it: the server, how it answers, the way on which visitors are introduced, and WebRTC itself.

mod transfer;

use std::net::IpAddr;
use std::time::Duration;

use tokio::time::timeout;
use url::{Host, Url};
use viral_swarm::doctor::{Diagnosis, Finding, Health, Introductions, introductions, judge, secure_context, transfer_finding};
use viral_wire::signal::{PeerToTracker, TrackerToPeer};

use crate::origin::Origin;
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

/// Looks at everything that can be looked at without a browser. What it tries it takes back: nobody is introduced, nothing is kept.
pub async fn doctor(options: &DoctorOptions) -> Diagnosis {
    let mut findings = vec![secure(&options.url)];
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
    Diagnosis::new(options.url.to_string(), findings)
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

/// Whether visitors can be introduced: the tracker welcomes whoever registers.
async fn websocket(origin: &Origin, page: &str) -> Finding {
    let register = PeerToTracker::Register { page: page.to_owned(), manifest: None, ticket: None, slots: 0 };
    let mut tracker = TrackerClient::open(origin, vec![register]);
    let heard = timeout(WELCOME_WAIT, tracker.next()).await;
    tracker.close(GOODBYE_WAIT).await;
    introductions(&match heard {
        Ok(TrackerEvent::Signal(signal)) if matches!(*signal, TrackerToPeer::Welcome { .. }) => Introductions::Welcome,
        Ok(TrackerEvent::Signal(_)) => Introductions::Refused,
        Ok(TrackerEvent::Lost(why)) => Introductions::Lost(why),
        Err(_) => Introductions::Silent { seconds: WELCOME_WAIT.as_secs() },
    })
}

/// Whether browsers take the page for secure.
fn secure(url: &Url) -> Finding {
    let is_local = match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    secure_context(url.scheme(), is_local)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_take_part_over_tls_and_on_this_machine() {
        let of = |url: &str| secure(&url.parse().unwrap()).verdict;
        for url in ["https://app.example/", "http://localhost:8080/", "http://a.localhost/", "http://127.9.9.9/", "http://[::1]/"] {
            assert_eq!(of(url), Health::Good, "{url}");
        }
        for url in ["http://app.example/", "http://10.0.0.1/", "http://localhost.example/"] {
            assert_eq!(of(url), Health::Bad, "{url}");
        }
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
