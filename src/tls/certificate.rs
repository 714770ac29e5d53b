//! What a certificate says of itself: for whom it is, and for how long. Whether it is believed is rustls's business.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use chrono::{DateTime, Utc};
use tokio::net::TcpStream;
use x509_cert::der::Decode as _;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use super::{CERTIFICATE, Refusal, Tls, TlsError, certificates};

/// For whom a certificate is, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Names and addresses.
    pub names: Vec<String>,
    /// When it runs out.
    pub until: DateTime<Utc>,
}

impl Certificate {
    /// The first one of a file.
    pub fn of_file(path: &Path) -> Result<Self, TlsError> {
        let damaged = |why: String| TlsError::Damaged { path: path.to_owned(), what: CERTIFICATE, why };
        let found = certificates(path)?;
        let first = found.first().ok_or_else(|| damaged("there is none".to_owned()))?;
        Self::of_der(first).map_err(damaged)
    }

    fn of_der(bytes: &[u8]) -> Result<Self, String> {
        let told = x509_cert::Certificate::from_der(bytes).map_err(|error| error.to_string())?;
        let told = told.tbs_certificate();
        let until = told.validity().not_after.to_unix_duration().as_secs();
        let until = i64::try_from(until).ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
        let alternatives = told.get_extension::<SubjectAltName>().map_err(|error| error.to_string())?;
        Ok(Self {
            names: alternatives.map(|(_, names)| names.0.iter().filter_map(name).collect()).unwrap_or_default(),
            until: until.ok_or("its end is no time")?,
        })
    }
}

fn name(told: &GeneralName) -> Option<String> {
    match told {
        GeneralName::DnsName(name) => Some(name.as_str().to_owned()),
        GeneralName::IpAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(bytes.as_bytes()).map(IpAddr::from);
            v4.or_else(|_| <[u8; 16]>::try_from(bytes.as_bytes()).map(IpAddr::from)).ok().map(|ip| ip.to_string())
        }
        _ => None,
    }
}

impl Tls {
    /// The certificate of who answers at `address`, once it is believed to be `host`'s. `None` where it cannot be read.
    pub async fn look(&self, address: SocketAddr, host: &str) -> Result<Option<Certificate>, Refusal> {
        let stream = TcpStream::connect(address).await.map_err(Refusal::Broken)?;
        let stream = self.connect(stream, host).await?;
        let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
        Ok(shown.and_then(|certificate| Certificate::of_der(certificate).ok()))
    }
}
