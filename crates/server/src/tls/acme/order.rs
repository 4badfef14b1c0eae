//! One order: an account, proofs that the names are ours, a key and its certificate.

use std::sync::Arc;
use std::time::Duration;

use instant_acme::{
    Account, AccountCredentials, AuthorizationStatus, ChallengeStatus, ChallengeType, Identifier, NewAccount, NewOrder, Order, OrderStatus,
    RetryPolicy,
};
use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use super::client::AcmeClient;
use super::error::OrderError;
use super::store::Store;
use crate::tls::certificate;
use crate::tls::challenges::Challenges;

/// How the state of an order is looked at: after 1 s, 1.5 s, and so on, for two minutes; a time that the certificate authority names goes first.
const LOOKS: RetryPolicy = RetryPolicy::new().initial_delay(Duration::from_secs(1)).backoff(1.5).timeout(Duration::from_secs(120));

/// What is ordered, and of whom.
pub(super) struct Wanted<'a> {
    pub(super) names: &'a [String],
    pub(super) contact: Option<&'a str>,
    pub(super) directory: &'a str,
    pub(super) proof: Proof,
}

/// How names are proven to be ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proof {
    /// TLS-ALPN-01 on port 443.
    Tls,
    /// HTTP-01 on port 80.
    Http,
}

impl Proof {
    fn kind(self) -> ChallengeType {
        match self {
            Self::Tls => ChallengeType::TlsAlpn01,
            Self::Http => ChallengeType::Http01,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Tls => "tls-alpn-01",
            Self::Http => "http-01",
        }
    }
}

/// Orders. The result is the key and the certificates, in PEM form.
pub(super) async fn order(wanted: &Wanted<'_>, client: &AcmeClient, store: &Store, open: &Challenges) -> Result<String, OrderError> {
    let account = account(wanted, client, store).await?;
    let names: Vec<Identifier> = wanted.names.iter().cloned().map(Identifier::Dns).collect();
    let mut order = account.new_order(&NewOrder::new(&names)).await?;
    prove(&mut order, wanted.proof, open).await?;
    match order.poll_ready(&LOOKS).await {
        Ok(OrderStatus::Ready) => {}
        Ok(status) => return Err(refused(&mut order, wanted.proof, status).await),
        Err(error @ instant_acme::Error::Api(_)) => {
            let refused = refused(&mut order, wanted.proof, OrderStatus::Invalid).await;
            // Which name it was says more than that the order is over.
            return Err(if matches!(refused, OrderError::Unproven { .. }) { refused } else { error.into() });
        }
        Err(error) => return Err(error.into()),
    }
    let key = order.finalize().await?;
    let chain = order.poll_certificate(&LOOKS).await?;
    Ok(format!("{key}\n{chain}"))
}

/// The account: the one that is kept, or a new one, which is kept before anything is ordered.
async fn account(wanted: &Wanted<'_>, client: &AcmeClient, store: &Store) -> Result<Account, OrderError> {
    let builder = Account::builder_with_http(Box::new(client.clone()));
    let kept = store.account::<AccountCredentials>().map_err(|error| OrderError::Unusable(error.to_string()))?;
    if let Some(credentials) = kept {
        return Ok(builder.from_credentials(credentials).await?);
    }
    let contact = wanted.contact.map(|address| format!("mailto:{address}"));
    let contacts: Vec<&str> = contact.as_deref().into_iter().collect();
    let asked = NewAccount { contact: &contacts, terms_of_service_agreed: true, only_return_existing: false };
    let (account, credentials) = builder.create(&asked, wanted.directory.to_owned(), None).await?;
    store.put_account(&credentials).map_err(|error| OrderError::Unkept { path: store.account_path().to_owned(), error })?;
    tracing::info!(directory = wanted.directory, "a new account; its certificate authority's terms are agreed to by --acme");
    Ok(account)
}

/// Lays out what proves each name that is not proven yet, and says so.
async fn prove(order: &mut Order, proof: Proof, open: &Challenges) -> Result<(), OrderError> {
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        if authorization.status == AuthorizationStatus::Valid {
            continue;
        }
        let name = authorization.identifier().to_string();
        let Some(mut challenge) = authorization.challenge(proof.kind()) else {
            let next = match proof {
                Proof::Tls => "give --redirect-listen on port 80 as well, and it is proven there",
                Proof::Http => "the other way is tried next",
            };
            return Err(OrderError::NotOffered { name, challenge: proof.name().to_owned(), next });
        };
        let answer = challenge.key_authorization();
        match proof {
            Proof::Http => open.say(&challenge.token, answer.as_str()),
            Proof::Tls => {
                open.show(&name, proving(&name, answer.digest().as_ref()).map_err(|error| OrderError::Unusable(error.to_string()))?)
            }
        }
        challenge.set_ready().await?;
    }
    Ok(())
}

/// Which name was not proven, and why.
async fn refused(order: &mut Order, proof: Proof, status: OrderStatus) -> OrderError {
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let Ok(mut authorization) = authorization else { continue };
        let name = authorization.identifier().to_string();
        let Ok(state) = authorization.refresh().await else { continue };
        let mut faults = state.challenges.iter().filter(|challenge| challenge.status == ChallengeStatus::Invalid);
        if let Some(problem) = faults.find_map(|challenge| challenge.error.clone()) {
            return OrderError::Unproven { name, challenge: proof.name().to_owned(), problem: Box::new(problem) };
        }
    }
    OrderError::Ended(format!("{status:?}").to_lowercase())
}

/// The certificate that shows that we know what was asked (RFC 8737 section 3). No library takes it for one of a server, as it should be.
fn proving(name: &str, digest: &[u8]) -> Result<Arc<CertifiedKey>, Box<dyn std::error::Error + Send + Sync>> {
    let mut params = CertificateParams::new(vec![name.to_owned()])?;
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    let key = PrivateKeyDer::try_from(key.serialize_der())?;
    Ok(Arc::new(CertifiedKey::new(vec![certificate.der().clone()], any_supported_type(&key)?)))
}

/// Whether a certificate is for all of these names.
pub(super) fn covers(chain: &[CertificateDer<'_>], names: &[String]) -> bool {
    let had = certificate::names(chain);
    names.iter().all(|name| had.contains(name))
}
