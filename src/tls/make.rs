//! Certificates for a first try: an authority, and a server's that it signs.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};

/// As long as browsers take a server's.
const LIFETIME: Duration = Duration::from_secs(397 * 24 * 60 * 60);

/// Files that were made.
#[derive(Debug)]
pub struct Made {
    /// Who signed the server's: what clients believe.
    pub authority: PathBuf,
    /// The server's.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// Why none were made.
#[derive(Debug, thiserror::Error)]
pub enum MakeError {
    /// A file is there already, and may be in use.
    #[error("{} is there already", .0.display())]
    There(PathBuf),
    /// It cannot be written.
    #[error("cannot write {}", .0.display())]
    Unwritable(PathBuf, #[source] io::Error),
    /// A name that a certificate cannot be for.
    #[error("no certificate can be made for {0}")]
    Name(String, #[source] rcgen::Error),
}

/// Makes both in `folder`, for a server with these names. The authority's own key is kept nowhere: it signs once.
pub fn make(folder: &Path, names: &[String]) -> Result<Made, MakeError> {
    let file = |name: &str| folder.join(name);
    let made = Made { authority: file("ca.pem"), certificate: file("server.pem"), key: file("server-key.pem") };
    if let Some(there) = [&made.authority, &made.certificate, &made.key].into_iter().find(|path| path.exists()) {
        return Err(MakeError::There(there.clone()));
    }
    let unnamed = |error| MakeError::Name(names.join(", "), error);
    let (authority, server, key) = sign(names).map_err(unnamed)?;
    fs::create_dir_all(folder).map_err(|error| MakeError::Unwritable(folder.to_owned(), error))?;
    for (path, text, is_secret) in
        [(&made.key, key, true), (&made.certificate, server, false), (&made.authority, authority, false)]
    {
        write(path, &text, is_secret).map_err(|error| MakeError::Unwritable(path.clone(), error))?;
    }
    Ok(made)
}

/// The authority, the server's certificate and its key.
fn sign(names: &[String]) -> Result<(String, String, String), rcgen::Error> {
    let until = (SystemTime::now() + LIFETIME).into();
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.distinguished_name.push(DnType::CommonName, "vitals up --make-certs");
    params.not_after = until;
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
    let mut params = CertificateParams::new(names.to_vec())?;
    params.distinguished_name.push(DnType::CommonName, names.first().map_or("vitals", String::as_str));
    // Strict clients want to be told who signed it.
    params.use_authority_key_identifier_extension = true;
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.not_after = until;
    let key = KeyPair::generate()?;
    let server = params.signed_by(&key, &authority)?;
    Ok((authority.pem(), server.pem(), key.serialize_pem()))
}

/// A new file; a secret is for its owner alone from its first byte.
fn write(path: &Path, text: &str, is_secret: bool) -> io::Result<()> {
    let mut options = fs::File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if is_secret {
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    }
    #[cfg(not(unix))]
    let _ = is_secret;
    options.open(path)?.write_all(text.as_bytes())
}
