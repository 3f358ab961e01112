//! One order at an authority, from the account to the certificate (RFC 8555 section 7.4).

use std::time::Duration;

use instant_acme::{
    Account, AccountCredentials, ChallengeStatus, ChallengeType, Identifier, NewAccount, NewOrder, Order,
    OrderStatus, RetryPolicy,
};
use rcgen::{CertificateParams, DistinguishedName, KeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use wardgate_crypto::CertificateFacts;
use zeroize::Zeroizing;

use super::chain::{CertificateFault, ServedCertificate};
use super::model::{LEASE, Needed, Unfit, Unprovable, fits, forgets_the_account, needed};
use super::reseal::ACCOUNT;
use super::service::{Certificates, Challenge};
use super::store;
use crate::kernel::error::AuthError;
use crate::ports::Outbound;

/// How long the authority may take to look at the proofs, and to write the certificate.
const PATIENCE: Duration = Duration::from_secs(60);

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub(super) enum OrderError {
    #[error(transparent)]
    Authority(#[from] instant_acme::Error),
    #[error("{0}: {1}")]
    Unprovable(String, Unprovable),
    #[error("the authority does not believe that the names are this server's: {0}")]
    Unproven(String),
    #[error("the authority did not answer with what was asked for: {0}")]
    Wrong(String),
    #[error("the authority did not answer with what was asked for: {0}")]
    Unfit(#[from] Unfit),
    #[error("the authority did not answer with what was asked for: {0}")]
    Unservable(#[from] CertificateFault),
    #[error("the order took longer than four minutes")]
    Late,
    #[error(transparent)]
    Own(#[from] AuthError),
}

/// What an order brings.
pub(super) struct Ordered {
    /// PEM.
    pub(super) chain: String,
    /// PKCS#8.
    pub(super) key: Zeroizing<Vec<u8>>,
    pub(super) facts: CertificateFacts,
}

/// Asks for a certificate. What it has the nodes answer meanwhile is added to `proofs`, however it ends.
pub(super) async fn run(
    certificates: &Certificates,
    proofs: &mut Vec<Challenge>,
) -> Result<Ordered, OrderError> {
    let account = account(certificates).await?;
    let identifiers: Vec<_> = certificates.names().iter().cloned().map(Identifier::Dns).collect();
    let mut order = match account.new_order(&NewOrder::new(&identifiers)).await {
        Err(instant_acme::Error::Api(problem)) if forgets_the_account(problem.r#type.as_deref()) => {
            forget_account(certificates).await?;
            return Err(instant_acme::Error::Api(problem).into());
        }
        order => order?,
    };
    prove(certificates, &mut order, proofs).await?;
    let policy = RetryPolicy::new().timeout(PATIENCE);
    if order.poll_ready(&policy).await? != OrderStatus::Ready {
        return Err(OrderError::Unproven(objections(&mut order).await?));
    }
    let key = KeyPair::generate().map_err(|error| AuthError::internal("make a key for TLS", error))?;
    order.finalize_csr(&signing_request(certificates.names(), &key)?).await?;
    let chain = order.poll_certificate(&policy).await?;
    let key = Zeroizing::new(key.serialize_der());
    // As each node will read it, today and after a restart: what they cannot serve takes no other's place.
    let served = ServedCertificate::new(&chain, PrivatePkcs8KeyDer::from(key.to_vec()).into())?;
    fits(&served.facts, certificates.names(), certificates.env.now())?;
    Ok(Ordered { chain, key, facts: served.facts })
}

/// The account at the authority: that of the database, or one that is made now and kept there.
async fn account(certificates: &Certificates) -> Result<Account, OrderError> {
    let Certificates { env, master, settings, .. } = certificates;
    let directory = settings.directory.clone();
    let builder = || Account::builder_with_http(Box::new(settings.outbound.clone()) as Box<Outbound>);
    let found = env.db.lookup_global(directory.clone(), |tx, directory| {
        Box::pin(async move { Ok::<_, AuthError>(store::find_account(tx, directory).await?) })
    });
    if let Some(sealed) = found.await? {
        let plain = master.open(ACCOUNT, directory.as_bytes(), &sealed);
        let plain = plain.map_err(|error| AuthError::internal("open the account at the authority", error))?;
        let credentials = serde_json::from_slice::<AccountCredentials>(&plain);
        let credentials =
            credentials.map_err(|error| AuthError::internal("read the account at the authority", error))?;
        return Ok(builder().from_credentials(credentials).await?);
    }
    let contact: Vec<_> = settings.contact.iter().map(|contact| format!("mailto:{contact}")).collect();
    let contact: Vec<_> = contact.iter().map(String::as_str).collect();
    let new = NewAccount { contact: &contact, terms_of_service_agreed: true, only_return_existing: false };
    let (account, credentials) = builder().create(&new, directory.clone(), None).await?;
    let plain = serde_json::to_vec(&credentials).map(Zeroizing::new);
    let plain = plain.map_err(|error| AuthError::internal("write the account at the authority", error))?;
    let sealed = master.seal(ACCOUNT, directory.as_bytes(), &plain, env.rng.as_ref());
    let sealed = sealed.map_err(|error| AuthError::internal("seal the account at the authority", error))?;
    let kept = env.db.write_global((directory, sealed), |tx, (directory, sealed)| {
        Box::pin(async move { Ok::<_, AuthError>(store::insert_account(tx, directory, sealed).await?) })
    });
    kept.await?;
    Ok(account)
}

async fn forget_account(certificates: &Certificates) -> Result<(), AuthError> {
    let directory = certificates.settings.directory.clone();
    let removed = certificates.env.db.write_global(directory, |tx, directory| {
        Box::pin(async move { Ok::<_, AuthError>(store::remove_account(tx, directory).await?) })
    });
    removed.await
}

/// Writes down what every node is to answer for the names, and tells the authority to look once each has read it.
async fn prove(
    certificates: &Certificates,
    order: &mut Order,
    proofs: &mut Vec<Challenge>,
) -> Result<(), OrderError> {
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        let name = authorization.identifier().to_string().to_ascii_lowercase();
        if !certificates.names().contains(&name) {
            return Err(OrderError::Wrong(format!("it asks about {name}")));
        }
        let offered = authorization.challenges.iter().map(|challenge| &challenge.r#type);
        match needed(authorization.status, offered) {
            Ok(Needed::Nothing) => {}
            Ok(Needed::Proof) => {
                let challenge = authorization.challenge(ChallengeType::TlsAlpn01);
                let challenge =
                    challenge.ok_or(OrderError::Unprovable(name.clone(), Unprovable::NotOffered))?;
                let digest = challenge.key_authorization().digest().as_ref().to_vec();
                proofs.push(Challenge { name, digest });
            }
            Err(reason) => return Err(OrderError::Unprovable(name, reason)),
        }
    }
    if proofs.is_empty() {
        return Ok(());
    }
    let until = certificates.env.now().plus(LEASE);
    let written = certificates.env.db.write_global((proofs.clone(), until), |tx, (proofs, until)| {
        Box::pin(async move {
            for Challenge { name, digest } in proofs {
                store::put_challenge(tx, name, digest, *until).await?;
            }
            Ok::<_, AuthError>(())
        })
    });
    written.await?;
    tokio::time::sleep(certificates.settings.spread).await;
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        let offered = authorization.challenges.iter().map(|challenge| &challenge.r#type);
        if needed(authorization.status, offered) != Ok(Needed::Proof) {
            continue;
        }
        if let Some(mut challenge) = authorization.challenge(ChallengeType::TlsAlpn01) {
            challenge.set_ready().await?;
        }
    }
    Ok(())
}

/// What the authority says against the proofs.
async fn objections(order: &mut Order) -> Result<String, OrderError> {
    let (mut all, mut authorizations) = (Vec::new(), order.authorizations());
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        let state = authorization.refresh().await?;
        let failed = state.challenges.iter().filter(|challenge| challenge.status == ChallengeStatus::Invalid);
        let reasons = failed.filter_map(|challenge| challenge.error.as_ref()?.detail.as_deref());
        all.extend(reasons.map(|reason| format!("{}: {reason}", state.identifier())));
    }
    Ok(all.join("; "))
}

/// What the authority is to sign: the names, and nothing else about whoever runs this.
fn signing_request(names: &[String], key: &KeyPair) -> Result<Vec<u8>, AuthError> {
    let request = CertificateParams::new(names).and_then(|mut params| {
        params.distinguished_name = DistinguishedName::new();
        params.serialize_request(key)
    });
    let request = request.map_err(|error| AuthError::internal("ask for a certificate", error))?;
    Ok(request.der().to_vec())
}
