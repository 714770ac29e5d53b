//! TLS for every server: whom we believe, what we show of ourselves, and what it means when a handshake fails.
//!
//! Names are always checked, and there is no way to leave that out.

mod certificate;
mod make;
mod server;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{AlertDescription, CertificateError, ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub use self::certificate::Certificate;
pub use self::make::{Made, MakeError, make};
pub use self::server::ServerTls;

/// What a file is to hold.
const CERTIFICATE: &str = "certificate";
const KEY: &str = "private key";

/// Which files say whom we believe and who we are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificates of those who sign servers'; `None` for the ones that the system believes.
    pub authorities: Option<PathBuf>,
    /// Our own certificate, and those between it and who signed it.
    pub certificate: Option<PathBuf>,
    /// Its private key; `None` where it is in the file of the certificate.
    pub key: Option<PathBuf>,
}

/// A way to speak TLS.
#[derive(Clone)]
pub struct Tls {
    config: Arc<ClientConfig>,
    /// Where those whom we believe are from.
    believed: Arc<str>,
}

impl Tls {
    /// Reads the files.
    pub fn open(files: &TlsFiles) -> Result<Self, TlsError> {
        let (roots, believed) = match &files.authorities {
            Some(path) => (roots_of(path)?, path.display().to_string()),
            None => (system_roots()?, "the certificates of this system".to_owned()),
        };
        let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(TlsError::NotOffered)?
            .with_root_certificates(roots);
        let config = match &files.certificate {
            None => builder.with_no_client_auth(),
            Some(certificate) => {
                let key = files.key.as_ref().unwrap_or(certificate);
                let unfit = |source| TlsError::Unfit { certificate: certificate.clone(), key: key.clone(), source };
                builder.with_client_auth_cert(certificates(certificate)?, private_key(key)?).map_err(unfit)?
            }
        };
        Ok(Self { config: Arc::new(config), believed: believed.into() })
    }

    /// What a library that makes its own connections takes.
    pub fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.config)
    }

    /// Makes sure who answers on `stream`, which leads to `host`: a name, or an address without brackets.
    pub async fn connect(&self, stream: TcpStream, host: &str) -> Result<TlsStream<TcpStream>, Refusal> {
        let name = ServerName::try_from(host.to_owned()).map_err(|_| Refusal::NoName { host: host.to_owned() })?;
        TlsConnector::from(self.config()).connect(name, stream).await.map_err(|error| self.refusal(host, error))
    }

    /// What a failure means, in the handshake or, of our own certificate, at the first answer.
    pub fn refusal(&self, host: &str, error: io::Error) -> Refusal {
        use CertificateError as Bad;
        let Some(cause) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) else {
            return if error.kind() == io::ErrorKind::UnexpectedEof { Refusal::Closed } else { Refusal::Broken(error) };
        };
        match cause {
            rustls::Error::InvalidCertificate(bad) => match bad {
                // Made anew under the name that it had, an authority signs otherwise.
                Bad::UnknownIssuer | Bad::BadSignature => {
                    Refusal::UnknownIssuer { believed: self.believed.to_string() }
                }
                Bad::NotValidForNameContext { presented, .. } => Refusal::OtherName {
                    host: host.to_owned(),
                    names: presented.iter().map(|name| plain_name(name)).collect(),
                },
                Bad::NotValidForName => Refusal::OtherName { host: host.to_owned(), names: Vec::new() },
                Bad::ExpiredContext { not_after, .. } => Refusal::Expired { seconds: Some(not_after.as_secs()) },
                Bad::Expired => Refusal::Expired { seconds: None },
                Bad::NotValidYet | Bad::NotValidYetContext { .. } => Refusal::NotYet,
                Bad::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => Refusal::IsAuthority,
                other => Refusal::BadCertificate(other.to_string()),
            },
            rustls::Error::AlertReceived(alert) => match alert {
                AlertDescription::CertificateRequired | AlertDescription::BadCertificate
                    if !self.config.client_auth_cert_resolver.has_certs() =>
                {
                    Refusal::WantsCertificate
                }
                alert => Refusal::Alert(format!("{alert:?}")),
            },
            rustls::Error::InvalidMessage(_) => Refusal::NotTls,
            other => Refusal::Failed(other.to_string()),
        }
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("believed", &self.believed).finish_non_exhaustive()
    }
}

/// `DnsName("kafka-1.ward")` or `IpAddress(127.0.0.1)`, as rustls tells the names of a certificate, without the words around.
fn plain_name(told: &str) -> String {
    let inner = told.split_once('(').and_then(|(_, rest)| rest.rsplit_once(')')).map_or(told, |(inner, _)| inner);
    inner.trim_matches('"').to_owned()
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let found = read.map_err(|error| TlsError::of(path, error, CERTIFICATE))?;
    if found.is_empty() { Err(TlsError::NotThere { path: path.to_owned(), what: CERTIFICATE }) } else { Ok(found) }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let is_locked = || {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.contains("BEGIN ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED")
    };
    match PrivateKeyDer::from_pem_file(path) {
        Ok(_) | Err(_) if is_locked() => Err(TlsError::Locked { path: path.to_owned() }),
        Ok(key) => Ok(key),
        Err(error) => Err(TlsError::of(path, error, KEY)),
    }
}

fn roots_of(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|source| TlsError::Unusable { path: path.to_owned(), source })?;
    }
    Ok(roots)
}

fn system_roots() -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    // Systems carry some that cannot be used: they are for others.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() { Err(TlsError::NobodyBelieved) } else { Ok(roots) }
}

/// Why the files cannot be used.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each message names its fields")]
pub enum TlsError {
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// It is not in the file.
    #[error("{} holds no {what} in PEM", path.display())]
    NotThere { path: PathBuf, what: &'static str },
    /// The file is damaged.
    #[error("the {what} in {} cannot be read: {why}", path.display())]
    Damaged { path: PathBuf, what: &'static str, why: String },
    /// The key has a password of its own.
    #[error("the private key in {} is encrypted, which is not read here", path.display())]
    Locked { path: PathBuf },
    /// The certificate of an authority cannot be used.
    #[error("a certificate in {} cannot be used", path.display())]
    Unusable {
        path: PathBuf,
        #[source]
        source: rustls::Error,
    },
    /// The certificate and the key do not belong together.
    #[error("the certificate in {} cannot be used with the key in {}", certificate.display(), key.display())]
    Unfit {
        certificate: PathBuf,
        key: PathBuf,
        #[source]
        source: rustls::Error,
    },
    /// The system believes nobody.
    #[error("this system has no certificates of authorities")]
    NobodyBelieved,
    /// The provider offers no version of TLS: it is built in, so this does not happen.
    #[error("TLS is not to be had")]
    NotOffered(#[source] rustls::Error),
}

impl TlsError {
    fn of(path: &Path, error: pem::Error, what: &'static str) -> Self {
        let path = path.to_owned();
        match error {
            pem::Error::Io(source) => Self::Unreadable { path, source },
            pem::Error::NoItemsFound => Self::NotThere { path, what },
            other => Self::Damaged { path, what, why: other.to_string() },
        }
    }
}

impl TlsError {
    /// What to do next; the options for this kind of server begin with `--WHOSE-`.
    pub fn hint(&self, whose: &str) -> Option<String> {
        Some(match self {
            Self::Unreadable { .. } => "name a PEM file that this user may read".to_owned(),
            Self::NotThere { what: KEY, .. } | Self::Damaged { what: KEY, .. } => {
                format!("name the file of the certificate's private key with --{whose}-key")
            }
            Self::NotThere { .. } | Self::Damaged { .. } | Self::Unusable { .. } => {
                "name a PEM file, which has lines as -----BEGIN CERTIFICATE-----; `openssl x509 -inform der` makes one of \
                 other files"
                    .to_owned()
            }
            Self::Locked { path } => format!(
                "keep it readable for this user alone, and write it without a password: openssl pkey -in {} -out key.pem",
                path.display()
            ),
            Self::Unfit { .. } => "name the private key that the certificate was made for".to_owned(),
            Self::NobodyBelieved => format!("name the certificate of who signed the server's with --{whose}-ca FILE"),
            Self::NotOffered(_) => return None,
        })
    }
}

/// Why a server is not talked to.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each message names its fields")]
pub enum Refusal {
    /// What answers does not speak TLS.
    #[error("it does not speak TLS")]
    NotTls,
    /// It hangs up at the first bytes.
    #[error("it closed the connection in the TLS handshake, as a port without TLS does")]
    Closed,
    /// The connection broke.
    #[error("the connection broke in the TLS handshake")]
    Broken(#[source] io::Error),
    /// Nobody whom we believe has signed its certificate.
    #[error("its certificate was signed by nobody in {believed}")]
    UnknownIssuer { believed: String },
    /// Its certificate is somebody else's.
    #[error("its certificate is not for '{host}'{}", for_whom(names))]
    OtherName { host: String, names: Vec<String> },
    /// Its certificate has run out.
    #[error("its certificate ran out{}", since(*seconds))]
    Expired { seconds: Option<u64> },
    /// Its certificate is of a time to come.
    #[error("its certificate is not valid yet")]
    NotYet,
    /// It shows the certificate that others are signed with.
    #[error("it shows the certificate of an authority as its own")]
    IsAuthority,
    /// Its certificate is no good for another reason.
    #[error("its certificate cannot be believed: {0}")]
    BadCertificate(String),
    /// What it says breaks the rules of TLS, or both have nothing in common.
    #[error("the TLS handshake with it failed: {0}")]
    Failed(String),
    /// It wants to know who we are.
    #[error("it wants a certificate of ours")]
    WantsCertificate,
    /// It hangs up, and says why.
    #[error("it refused the TLS handshake: {0}")]
    Alert(String),
    /// A host that cannot be in a certificate.
    #[error("'{host}' is no name that a certificate could be for")]
    NoName { host: String },
}

fn for_whom(names: &[String]) -> String {
    if names.is_empty() { ", and names nobody else".to_owned() } else { format!(" but for {}", names.join(", ")) }
}

fn since(seconds: Option<u64>) -> String {
    let time = seconds.and_then(|seconds| i64::try_from(seconds).ok());
    let time = time.and_then(|seconds| chrono::DateTime::from_timestamp(seconds, 0));
    time.map(|time| format!(" on {}", time.format("%Y-%m-%d %H:%M UTC"))).unwrap_or_default()
}

impl Refusal {
    /// Whether what answers there may be a port without TLS.
    pub fn is_without_tls(&self) -> bool {
        matches!(self, Self::NotTls | Self::Closed | Self::Broken(_))
    }

    /// Whether asking again later can help.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Closed | Self::Broken(_))
    }

    /// What to do next; the options for this kind of server begin with `--WHOSE-`.
    pub fn hint(&self, whose: &str) -> String {
        match self {
            Self::NotTls | Self::Closed => format!(
                "if this port is without TLS, leave out --{whose}-tls and the files of --{whose}-ca and --{whose}-cert; \
                 else name the port that has it"
            ),
            Self::Broken(_) => "see whether the server is there and stays there".to_owned(),
            Self::UnknownIssuer { .. } => {
                format!("name the certificate of who signed the server's with --{whose}-ca FILE")
            }
            Self::OtherName { .. } => {
                "use a name from its certificate in the address; where the server itself told this one \
                 (advertised.listeners of Kafka, broadcast_rpc_address of Cassandra), its certificate has to be for it"
                    .to_owned()
            }
            Self::Expired { .. } => "have the server's certificate renewed; check the clock of this machine".to_owned(),
            Self::NotYet => "check the clocks of this machine and of whoever made the certificate".to_owned(),
            Self::IsAuthority => {
                "give the server a certificate of its own, signed by that one: what `openssl req -x509` makes is an \
                 authority's"
                    .to_owned()
            }
            Self::BadCertificate(_) | Self::Failed(_) => {
                "ask whoever runs the server; TLS 1.2 and 1.3 are spoken".to_owned()
            }
            Self::WantsCertificate => format!("name one that it knows with --{whose}-cert FILE and --{whose}-key FILE"),
            Self::Alert(_) => format!(
                "ask whoever runs the server what it wants; a certificate of ours is named with --{whose}-cert FILE"
            ),
            Self::NoName { .. } => "name the server as its certificate does".to_owned(),
        }
    }
}

/// Whether TLS itself says what went wrong, and not the network.
pub fn is_told_by_tls(error: &io::Error) -> bool {
    error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()).is_some()
}

#[cfg(test)]
mod tests;
