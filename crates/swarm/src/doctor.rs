//! What stands between a page and its visitors, in plain words: how well each thing is that was looked at, and what to change. What a browser finds, `browser/src/core/doctor.ts`
//! says in the same way.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

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
    /// This check came to this.
    #[must_use]
    pub fn new(check: &'static str, verdict: Health, found: impl Into<String>, change: impl Into<String>) -> Self {
        Self { check, verdict, found: found.into(), change: change.into() }
    }

    /// All is well.
    #[must_use]
    pub fn good(check: &'static str, found: impl Into<String>) -> Self {
        Self::new(check, Health::Good, found, "")
    }
}

impl Diagnosis {
    /// What was found of a page.
    #[must_use]
    pub fn new(url: String, mut findings: Vec<Finding>) -> Self {
        findings.sort_by_key(|finding| finding.verdict);
        let healthy = findings.iter().all(|finding| finding.verdict != Health::Bad);
        Self { url, healthy, findings }
    }
}

/// How the server sees this machine, as if a browser came from here: `/.viral/doctor.json`.
#[derive(Debug, Deserialize)]
pub struct DoctorView {
    /// Where it comes from.
    pub address: IpAddr,
    /// How a visit would be answered; none where there is no page.
    pub answer: Option<String>,
    /// Why so.
    pub reason: Option<String>,
    /// Whether anybody seeds now.
    pub seeds: bool,
}

/// Browsers have service workers and hashing only on secure origins: those with TLS, and those of the machine itself.
#[must_use]
pub fn secure_context(scheme: &str, is_local: bool) -> Finding {
    match (scheme, is_local) {
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
#[must_use]
pub fn judge(view: &DoctorView) -> Vec<Finding> {
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

/// What was heard on the connection by which visitors are introduced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Introductions {
    /// The tracker welcomes whoever registers.
    Welcome,
    /// It says something else.
    Refused,
    /// The connection does not open, for this reason.
    Lost(String),
    /// Nothing came for so long.
    Silent {
        /// How long.
        seconds: u64,
    },
}

/// Whether visitors can be introduced.
#[must_use]
pub fn introductions(heard: &Introductions) -> Finding {
    let change = "A proxy in front must pass WebSockets on, with Host and Origin as they came: see \"Behind a proxy\" in the guide.";
    let bad = |found: String, change: &str| Finding::new("websocket", Health::Bad, found, change);
    match heard {
        Introductions::Welcome => {
            Finding::good("websocket", "The connection by which visitors are introduced opens, and the server answers on it.")
        }
        Introductions::Refused => {
            bad("The server answers, but does not introduce this machine to anybody.".to_owned(), "The server's log says why.")
        }
        Introductions::Lost(why) => bad(format!("The connection by which visitors are introduced does not open: {why}."), change),
        Introductions::Silent { seconds } => {
            bad(format!("The connection by which visitors are introduced is silent for {seconds} s."), change)
        }
    }
}

/// How a transfer on this machine went: how long it took, or what failed.
#[must_use]
pub fn transfer_finding(took: Result<Duration, String>) -> Finding {
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

    #[test]
    fn what_is_worst_comes_first_and_one_bad_thing_is_enough() {
        let fine = secure_context("https", false);
        let diagnosis = Diagnosis::new("/".to_owned(), vec![fine.clone(), introductions(&Introductions::Silent { seconds: 5 })]);
        assert!(!diagnosis.healthy && diagnosis.findings[0].found.contains("5 s"));
        assert!(Diagnosis::new("/".to_owned(), vec![fine, transfer_finding(Ok(Duration::from_millis(7)))]).healthy);
    }
}
