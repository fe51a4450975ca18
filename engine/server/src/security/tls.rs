//! TLS, and what a client certificate is worth.
//!
//! The handshake proves that the caller holds the certificate's private key, and takes any certificate. Whether it is one
//! of ours — issued by our authority, within its time, bound to a platform — is judged once for each connection with the
//! same rules that the handshake would apply, so that a caller with a bad certificate is told why in an answer instead of
//! being cut off. Such a connection gets nothing else.

use std::any::Any;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::dev::Extensions;
use actix_web::rt::net::TcpStream;
use arc_swap::ArcSwap;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, ServerConfig, SignatureScheme};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::fault::SecurityFault;
use super::names::DistinguishedName;
use super::refusal::Refusal;
use crate::config::TlsConfig;

/// What judges client certificates.
pub type Judge = Arc<dyn ClientCertVerifier>;

/// The server's certificate and the authority of client certificates, as they were read from their files last. Other ones
/// take effect with the next connection; those that are open stay.
#[derive(Debug)]
pub struct TlsFiles {
    provider: Arc<CryptoProvider>,
    shown: ArcSwap<CertifiedKey>,
    judge: Option<ArcSwap<Judge>>,
}

/// What files hold.
type Held = (CertifiedKey, Option<Judge>);

impl TlsFiles {
    /// Reads the files.
    ///
    /// # Errors
    /// Files that cannot be read, or do not fit.
    pub fn read(config: &TlsConfig) -> Result<Self, SecurityFault> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let (shown, judge) = held(config, &provider)?;
        Ok(Self { provider, shown: ArcSwap::from_pointee(shown), judge: judge.map(ArcSwap::from_pointee) })
    }

    /// The settings of TLS, which follow the files.
    ///
    /// # Errors
    /// What the provider cannot do.
    pub fn server_config(self: &Arc<Self>) -> Result<ServerConfig, SecurityFault> {
        let builder = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()
            .map_err(|fault| SecurityFault::Tls(fault.to_string()))?;
        let builder = match self.judge() {
            Some(judge) => builder.with_client_cert_verifier(Arc::new(JudgedLater(judge))),
            None => builder.with_no_client_auth(),
        };
        Ok(builder.with_cert_resolver(Arc::new(Shown(Arc::clone(self)))))
    }

    /// What judges client certificates, if there may be any.
    #[must_use]
    pub fn judge(&self) -> Option<Judge> {
        self.judge.as_ref().map(|judge| Judge::clone(&judge.load()))
    }

    /// Reads the files again, without effect yet.
    ///
    /// # Errors
    /// Files that cannot be read, or do not fit.
    pub fn read_again(&self, config: &TlsConfig) -> Result<TlsChange, SecurityFault> {
        let (shown, judge) = held(config, &self.provider)?;
        Ok(TlsChange { is_other: shown.cert != self.shown.load().cert, shown, judge })
    }

    /// Puts what was read again in force; true when the server shows another certificate from now on.
    pub fn put(&self, change: TlsChange) -> bool {
        let TlsChange { shown, judge, is_other } = change;
        self.shown.store(Arc::new(shown));
        if let (Some(known), Some(judge)) = (&self.judge, judge) {
            known.store(Arc::new(judge));
        }
        is_other
    }
}

/// Files of TLS that were read again.
#[derive(Debug)]
pub struct TlsChange {
    shown: CertifiedKey,
    judge: Option<Judge>,
    is_other: bool,
}

fn held(config: &TlsConfig, provider: &Arc<CryptoProvider>) -> Result<Held, SecurityFault> {
    let chain = certificates("security.tls.certificate_file", &config.certificate_file)?;
    let key = PrivateKeyDer::from_pem_file(&config.key_file)
        .map_err(|fault| pem_fault("security.tls.key_file", &config.key_file, &fault))?;
    let shown = CertifiedKey::from_der(chain, key, provider);
    let shown =
        shown.map_err(|fault| SecurityFault::Tls(format!("certificate_file and key_file: {fault}")))?;
    let judge = config.client_ca_file.as_deref().map(|file| judge(file, provider)).transpose()?;
    Ok((shown, judge))
}

/// Shows the certificate that is in force.
#[derive(Debug)]
struct Shown(Arc<TlsFiles>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.shown.load_full())
    }
}

fn judge(file: &Path, provider: &Arc<CryptoProvider>) -> Result<Judge, SecurityFault> {
    let mut roots = RootCertStore::empty();
    for root in certificates("security.tls.client_ca_file", file)? {
        roots.add(root).map_err(|fault| SecurityFault::Tls(fault.to_string()))?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .allow_unauthenticated()
        .build()
        .map_err(|fault| SecurityFault::Tls(format!("client_ca_file: {fault}")))
}

fn certificates(key: &str, file: &Path) -> Result<Vec<CertificateDer<'static>>, SecurityFault> {
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    read.map_err(|fault| pem_fault(key, file, &fault))
}

fn pem_fault(key: &str, file: &Path, fault: &rustls::pki_types::pem::Error) -> SecurityFault {
    SecurityFault::Tls(format!("{key} {}: {fault}", file.display()))
}

/// Takes any certificate whose key the caller holds.
#[derive(Debug)]
struct JudgedLater(Judge);

impl ClientCertVerifier for JudgedLater {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[rustls::DistinguishedName] {
        // None: a caller is to send what it has, so that it can be told what is wrong with it.
        &[]
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

/// What the client certificate of a connection is worth. A connection without one has none of these.
#[derive(Clone, Debug)]
pub struct Connection {
    subject: Option<DistinguishedName>,
    /// The last second in which the certificate counts, or why it does not.
    verdict: Result<u64, Refusal>,
}

impl Connection {
    /// The proved subject.
    ///
    /// # Errors
    /// Why the certificate does not count, or not any more.
    pub(super) fn subject(&self, now_s: u64) -> Result<Option<&DistinguishedName>, Refusal> {
        let not_after_s = self.verdict.clone()?;
        if now_s > not_after_s {
            return Err(Refusal::CertificateExpired);
        }
        Ok(self.subject.as_ref())
    }

    /// The subject as the certificate says it, proved or not: for the log.
    pub(super) fn claimed_subject(&self) -> Option<String> {
        self.subject.as_ref().map(ToString::to_string)
    }

    fn judged(judge: &Judge, chain: &[CertificateDer<'_>], now_s: u64) -> Option<Self> {
        let (end_entity, intermediates) = chain.split_first()?;
        let now = UnixTime::since_unix_epoch(Duration::from_secs(now_s));
        let verdict = judge.verify_client_cert(end_entity, intermediates, now);
        let Ok((_, parsed)) = X509Certificate::from_der(end_entity) else {
            return Some(Self { subject: None, verdict: Err(Refusal::CertificateUntrusted) });
        };
        let not_after_s = u64::try_from(parsed.validity().not_after.timestamp()).unwrap_or(0);
        let subject = DistinguishedName::of(parsed.subject());
        let verdict = match verdict {
            Ok(_) if subject.is_none() => Err(Refusal::CertificateUnbound),
            Ok(_) => Ok(not_after_s),
            Err(fault) => Err(refusal(&fault)),
        };
        Some(Self { subject, verdict })
    }
}

fn refusal(fault: &Error) -> Refusal {
    match fault {
        Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            Refusal::CertificateExpired
        }
        Error::InvalidCertificate(
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. },
        ) => Refusal::CertificateNotYetValid,
        _ => Refusal::CertificateUntrusted,
    }
}

/// Looks at a new connection, and notes what its certificate is worth.
pub fn observe_connection(judge: &Judge, now_s: u64, stream: &dyn Any, data: &mut Extensions) {
    let Some(stream) = stream.downcast_ref::<TlsStream<TcpStream>>() else { return };
    let (_, session) = stream.get_ref();
    let chain = session.peer_certificates().unwrap_or_default();
    if let Some(connection) = Connection::judged(judge, chain, now_s) {
        data.insert(connection);
    }
}
