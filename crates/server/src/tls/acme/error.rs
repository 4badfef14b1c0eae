//! Why no certificate can be had. Every message says what to do next.

use std::io;
use std::path::PathBuf;

/// Why a certificate authority cannot be asked at all.
#[derive(Debug, thiserror::Error)]
pub enum AcmeError {
    /// The store cannot be written.
    #[error("{path} cannot be used to keep certificates ({error}); give a folder that this user may write with --state-dir")]
    Store {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The stored account cannot be read.
    #[error("the account in {path} cannot be read ({error}); restore it, or remove it and a new one is made")]
    Account {
        /// The file.
        path: PathBuf,
        /// Why.
        error: String,
    },
    /// The certificates that are to be trusted cannot be read.
    #[error("the certificate authority's root in {path} cannot be used ({error}); give a file in PEM form with --acme-ca")]
    Root {
        /// The file.
        path: PathBuf,
        /// Why.
        error: String,
    },
    /// TLS cannot begin.
    #[error("TLS cannot begin: {0}")]
    Tls(String),
}

/// Why an order gave no certificate.
#[derive(Debug, thiserror::Error)]
pub(super) enum OrderError {
    /// It was refused, or could not be made.
    #[error("{error}; {hint}", hint = hint(error))]
    Acme { error: Box<instant_acme::Error> },
    /// A name was not proven to be ours.
    #[error("{name} was not proven to be ours by {challenge}: {}; {}", detail(problem), hint_of(problem))]
    Unproven { name: String, challenge: String, problem: Box<instant_acme::Problem> },
    /// The certificate authority knows none of our ways to prove a name.
    #[error("{name} cannot be proven by {challenge}, which the certificate authority does not offer; {next}")]
    NotOffered { name: String, challenge: String, next: &'static str },
    /// The order ended without a reason.
    #[error("the order ended as {0}; it is made again")]
    Ended(String),
    /// It took too long.
    #[error("the certificate authority took longer than {0} s; it is asked again")]
    TooSlow(u64),
    /// What was given is no certificate for our key and names.
    #[error("what the certificate authority gave cannot be used ({0}); ask whoever runs it")]
    Unusable(String),
    /// The account could not be kept.
    #[error("{path} cannot be written ({error}); make room, or let this user write it")]
    Unkept { path: PathBuf, error: io::Error },
}

impl OrderError {
    /// Whether nothing but the numbers of requests did not fit, which says nothing of the order: it is to be made again at once (RFC 8555 section 6.5).
    pub(super) fn is_of_nonces(&self) -> bool {
        let Self::Acme { error } = self else { return false };
        let instant_acme::Error::Api(problem) = &**error else { return false };
        problem.r#type.as_deref() == Some("urn:ietf:params:acme:error:badNonce")
    }
}

impl From<instant_acme::Error> for OrderError {
    fn from(error: instant_acme::Error) -> Self {
        Self::Acme { error: Box::new(error) }
    }
}

fn hint(error: &instant_acme::Error) -> &'static str {
    if let instant_acme::Error::Api(problem) = error {
        return hint_of(problem);
    }
    "see that this machine reaches the address of --acme-directory, and trusts it (--acme-ca)"
}

fn detail(problem: &instant_acme::Problem) -> String {
    let kind = problem.r#type.as_deref().unwrap_or_default();
    let kind = kind.rsplit(':').next().unwrap_or_default();
    let detail = problem.detail.as_deref().unwrap_or("no reason is given");
    if kind.is_empty() { detail.to_owned() } else { format!("{kind}, {detail}") }
}

/// What to do about each kind of problem (RFC 8555 section 6.7).
fn hint_of(problem: &instant_acme::Problem) -> &'static str {
    let kind = problem.r#type.as_deref().and_then(|kind| kind.strip_prefix("urn:ietf:params:acme:error:"));
    match kind.unwrap_or_default() {
        "dns" => "let the name have the address of this server",
        "connection" | "tls" | "unauthorized" | "incorrectResponse" => {
            "let port 443 of the name reach --listen of this server, or port 80 its --redirect-listen"
        }
        "caa" => "let the CAA records of the name allow this certificate authority",
        "rateLimited" => "nothing is to be done but to wait; it is asked again when it says so",
        "rejectedIdentifier" | "unsupportedIdentifier" | "malformed" => "give names that this certificate authority certifies with --acme",
        "accountDoesNotExist" => "remove the account's file in the folder acme of --state-dir, and a new one is made",
        "unsupportedContact" | "invalidContact" => "give another address with --acme-contact",
        "externalAccountRequired" => "choose a certificate authority that takes accounts without a contract with --acme-directory",
        "userActionRequired" => "agree to the new terms of the certificate authority, at the address that it gives",
        "serverInternal" => "nothing is to be done but to wait; it is asked again",
        _ => "ask whoever runs the certificate authority",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_says_what_to_do() {
        let problem = |kind: &str| {
            serde_json::from_str::<instant_acme::Problem>(&format!("{{\"type\":\"urn:ietf:params:acme:error:{kind}\",\"detail\":\"d\"}}"))
                .unwrap()
        };
        let unproven =
            OrderError::Unproven { name: "a.example".into(), challenge: "tls-alpn-01".into(), problem: Box::new(problem("connection")) };
        let said = unproven.to_string();
        assert!(said.starts_with("a.example was not proven to be ours by tls-alpn-01: connection, d; let port 443"), "{said}");
        for (kind, next) in [("rateLimited", "wait"), ("caa", "CAA"), ("accountDoesNotExist", "remove the account's file"), ("new", "ask")]
        {
            let said = OrderError::from(instant_acme::Error::Api(problem(kind))).to_string();
            assert!(said.contains(next) && said.contains('d'), "{said}");
        }
        let acme = |kind: &str| OrderError::from(instant_acme::Error::Api(problem(kind)));
        assert!(acme("badNonce").is_of_nonces() && !acme("malformed").is_of_nonces() && !unproven.is_of_nonces());
        let away = OrderError::from(instant_acme::Error::Other("refused".into())).to_string();
        assert_eq!(away, "refused; see that this machine reaches the address of --acme-directory, and trusts it (--acme-ca)");
    }
}
