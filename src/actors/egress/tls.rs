//! TLS to a target. A scanner must be able to look at a site whose certificate is bad, so what is wrong with one is
//! recorded and never ends the handshake; that the server holds the certificate's key is still checked.
//!
//! No secret of ours is safer for a good certificate: a login is sent to addresses that were judged and pinned.

use std::io;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::domain::web::certificate::{self, Certificate};

/// What is needed for TLS to anybody. Cheap to clone.
#[derive(Clone)]
pub struct Tls {
    provider: Arc<CryptoProvider>,
    roots: Arc<RootCertStore>,
}

impl Tls {
    /// Trusts whom this machine's programs trust. The store is read once, by a thread that may block.
    pub async fn of_this_machine() -> Self {
        static ROOTS: OnceLock<Arc<RootCertStore>> = OnceLock::new();
        if let Some(roots) = ROOTS.get() {
            return Self::trusting(Arc::clone(roots));
        }
        let roots = tokio::task::spawn_blocking(|| {
            let found = rustls_native_certs::load_native_certs();
            for error in &found.errors {
                tracing::warn!(%error, "a part of this machine's root certificates cannot be read");
            }
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(found.certs);
            Arc::new(roots)
        });
        let roots = roots.await.unwrap_or_else(|_| Arc::new(RootCertStore::empty()));
        Self::trusting(Arc::clone(ROOTS.get_or_init(|| roots)))
    }

    /// Trusts these.
    pub fn trusting(roots: Arc<RootCertStore>) -> Self {
        Self { provider: Arc::new(rustls::crypto::ring::default_provider()), roots }
    }

    /// Shakes hands with the server of `host`, and says what it showed.
    pub async fn connect<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        host: &str,
        stream: S,
    ) -> io::Result<(TlsStream<S>, certificate::Tls)> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let witness = Arc::new(Witness { tls: self.clone(), seen: Mutex::new(None) });
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&witness) as Arc<dyn ServerCertVerifier>)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // A resumed session shows no certificate.
        config.resumption = Resumption::disabled();
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
        let version = stream.get_ref().1.protocol_version();
        let version = version.and_then(|version| version.as_str()).unwrap_or("unknown").replace('_', ".");
        let seen = witness.seen.lock().unwrap_or_else(PoisonError::into_inner).take();
        let certificate = seen.ok_or_else(|| io::Error::other("the server showed no certificate"))?;
        Ok((stream, certificate::Tls { version, certificate }))
    }
}

/// Believes every certificate, and says what is wrong with it.
#[derive(Debug)]
struct Witness {
    tls: Tls,
    seen: Mutex<Option<Certificate>>,
}

impl Witness {
    fn judge(
        &self,
        own: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        host: &ServerName<'_>,
        now: UnixTime,
    ) -> Certificate {
        let stated = certificate::read(own);
        let validity = stated.map(|stated| stated.validity);
        let is_self_signed = stated.is_some_and(|stated| stated.is_self_issued);
        let parsed = match ParsedCertificate::try_from(own) {
            Ok(parsed) => parsed,
            Err(error) => {
                let why = Some(error.to_string());
                return Certificate { validity, is_self_signed, untrusted: why.clone(), wrong_name: why };
            }
        };
        // Asked about a moment in which it is valid: that it has expired is no reason to doubt who vouched for it.
        let then = validity.map_or(now, |validity| {
            let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
            let inside = now.clamp(validity.from, validity.until.max(validity.from));
            UnixTime::since_unix_epoch(std::time::Duration::from_secs(inside.try_into().unwrap_or(0)))
        });
        let algorithms = self.tls.provider.signature_verification_algorithms.all;
        let chain =
            verify_server_cert_signed_by_trust_anchor(&parsed, &self.tls.roots, others, then, algorithms);
        let untrusted = chain.err().map(|error| error.to_string());
        let wrong_name = verify_server_name(&parsed, host).err().map(|error| error.to_string());
        Certificate { validity, is_self_signed, untrusted, wrong_name }
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tls {{ {} roots }}", self.roots.len())
    }
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        host: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let judged = self.judge(own, others, host, now);
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(judged);
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, own, signed, &self.tls.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, own, signed, &self.tls.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.tls.provider.signature_verification_algorithms.supported_schemes()
    }
}
