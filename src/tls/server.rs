//! The other side of TLS: what the embedded broker and the listener for HL7 show of themselves, and whom they let in.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::server::WebPkiClientVerifier;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::{TlsError, certificates, private_key, roots_of};

/// A server's certificate and key.
#[derive(Clone)]
pub struct ServerTls(TlsAcceptor);

impl ServerTls {
    /// Reads the files: a certificate, with those between it and who signed it, and its private key.
    pub fn open(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        Self::open_for(certificate, key, None)
    }

    /// The same for those alone who have a certificate of one of these `authorities`, where there are any.
    pub fn open_for(certificate: &Path, key: &Path, authorities: Option<&Path>) -> Result<Self, TlsError> {
        let unfit = |source| TlsError::Unfit { certificate: certificate.to_owned(), key: key.to_owned(), source };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(TlsError::NotOffered)?;
        let builder = match authorities {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let roots = Arc::new(roots_of(path)?);
                let unusable = |error: rustls::server::VerifierBuilderError| TlsError::Unusable {
                    path: path.to_owned(),
                    source: rustls::Error::General(error.to_string()),
                };
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(roots, provider).build().map_err(unusable)?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let config = builder.with_single_cert(certificates(certificate)?, private_key(key)?).map_err(unfit)?;
        Ok(Self(TlsAcceptor::from(Arc::new(config))))
    }

    /// Speaks TLS with whoever has come.
    pub async fn accept(&self, stream: TcpStream) -> std::io::Result<TlsStream<TcpStream>> {
        self.0.accept(stream).await
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTls").finish_non_exhaustive()
    }
}
