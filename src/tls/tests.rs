//! Servers with certificates, good and bad; each handshake is a real one.

use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, KeyUsagePurpose, date_time_ymd};
use rustls::ServerConfig;
use rustls::server::WebPkiClientVerifier;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::*;

struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: tempfile::TempDir,
}

impl Authority {
    fn new() -> Self {
        // Each has the same name: that of rcgen.
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Self { issuer, folder: tempfile::tempdir().unwrap() }
    }

    /// A certificate for `127.0.0.1`, with what is to be special about it, and its key.
    fn signs(&self, special: impl FnOnce(&mut CertificateParams)) -> (String, String) {
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        special(&mut params);
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn believed(&self) -> TlsFiles {
        TlsFiles { authorities: Some(self.file("ca.pem", &self.issuer.pem())), ..TlsFiles::default() }
    }

    /// A server that answers each connection with what it reads; it may want certificates of this authority.
    async fn serve(&self, (certificate, key): (String, String), wants_certificate: bool) -> u16 {
        let builder = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let roots = Arc::new(roots_of(self.believed().authorities.as_deref().unwrap()).unwrap());
        let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider).build().unwrap();
        let builder =
            if wants_certificate { builder.with_client_cert_verifier(verifier) } else { builder.with_no_client_auth() };
        let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
        let config = builder.with_single_cert(chain, PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap()).unwrap();
        let (acceptor, listener) =
            (TlsAcceptor::from(Arc::new(config)), TcpListener::bind("127.0.0.1:0").await.unwrap());
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if let Ok(mut stream) = acceptor.accept(stream).await {
                    let mut byte = [0];
                    while stream.read_exact(&mut byte).await.is_ok() && stream.write_all(&byte).await.is_ok() {}
                }
            }
        });
        port
    }
}

/// Speaks TLS to the port, and sends a byte to and fro.
async fn talk(files: &TlsFiles, host: &str, port: u16) -> Result<(), Refusal> {
    let tls = Tls::open(files).unwrap();
    let talk = async {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let mut stream = tls.connect(stream, host).await?;
        let broken = |error| tls.refusal(host, error);
        stream.write_all(b"x").await.map_err(broken)?;
        stream.flush().await.map_err(broken)?;
        assert_eq!(stream.read_u8().await.map_err(broken)?, b'x');
        Ok(())
    };
    timeout(Duration::from_secs(10), talk).await.expect("no answer")
}

async fn refused(files: &TlsFiles, host: &str, port: u16) -> String {
    talk(files, host, port).await.expect_err("it is talked to").to_string()
}

#[tokio::test]
async fn a_server_is_talked_to_that_an_authority_vouches_for() {
    let authority = Authority::new();
    let port = authority.serve(authority.signs(|_| {}), false).await;
    talk(&authority.believed(), "127.0.0.1", port).await.unwrap();
    let told = refused(&authority.believed(), "kafka-1.ward", port).await;
    assert_eq!(told, "its certificate is not for 'kafka-1.ward' but for 127.0.0.1");
    let other = Authority::new();
    let told = refused(&other.believed(), "127.0.0.1", port).await;
    assert!(told.starts_with("its certificate was signed by nobody in "), "{told}");
}

#[tokio::test]
async fn a_certificate_that_ran_out_or_is_an_authority_s_is_refused() {
    type Special = fn(&mut CertificateParams);
    let authority = Authority::new();
    let cases: [(Special, &str); 3] = [
        (|of| of.not_after = date_time_ymd(2020, 2, 29), "its certificate ran out on 2020-02-29 00:00 UTC"),
        (|of| of.not_before = date_time_ymd(2999, 1, 1), "its certificate is not valid yet"),
        (
            |of| of.is_ca = IsCa::Ca(BasicConstraints::Unconstrained),
            "it shows the certificate of an authority as its own",
        ),
    ];
    for (special, problem) in cases {
        let port = authority.serve(authority.signs(special), false).await;
        assert_eq!(refused(&authority.believed(), "127.0.0.1", port).await, problem);
    }
}

#[tokio::test]
async fn a_server_that_wants_to_know_who_we_are_is_shown_a_certificate() {
    let authority = Authority::new();
    let port = authority.serve(authority.signs(|_| {}), true).await;
    assert_eq!(refused(&authority.believed(), "127.0.0.1", port).await, "it wants a certificate of ours");
    let (certificate, key) = authority.signs(|_| {});
    let both = authority.file("own.pem", &[certificate, key].concat());
    let shown = TlsFiles { certificate: Some(both), ..authority.believed() };
    talk(&shown, "127.0.0.1", port).await.unwrap();
}

#[tokio::test]
async fn what_is_no_tls_is_told_apart() {
    let authority = Authority::new();
    for (says, problem) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], "it does not speak TLS"),
        (b"", "it closed the connection in the TLS handshake, as a port without TLS does"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut some = [0; 64];
            let _ = stream.read(&mut some).await;
            let _ = stream.write_all(says).await;
        });
        let told = refused(&authority.believed(), "127.0.0.1", port).await;
        // A peer that leaves bytes unread resets the connection.
        assert!(told == problem || says.is_empty() && told.starts_with("the connection broke"), "{told}");
    }
}

#[test]
fn files_that_cannot_be_used_are_named_with_a_cure() {
    let authority = Authority::new();
    let (certificate, key) = authority.signs(|_| {});
    let (certificate, key) = (authority.file("cert.pem", &certificate), authority.file("key.pem", &key));
    let (_, other_key) = authority.signs(|_| {});
    let locked = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let files = |authorities: Option<&PathBuf>, certificate: Option<&PathBuf>, key: Option<&PathBuf>| TlsFiles {
        authorities: authorities.cloned().or(authority.believed().authorities),
        certificate: certificate.cloned(),
        key: key.cloned(),
    };
    let missing = authority.folder.path().join("none.pem");
    for (files, problem, cure) in [
        (files(Some(&missing), None, None), "cannot read ", "PEM"),
        (files(Some(&key), None, None), "holds no certificate", "BEGIN CERTIFICATE"),
        (files(None, Some(&certificate), None), "holds no private key", "--broker-key"),
        (files(None, Some(&certificate), Some(&authority.file("locked.pem", locked))), "is encrypted", "openssl pkey"),
        (
            files(None, Some(&certificate), Some(&authority.file("other.pem", &other_key))),
            "with the key in",
            "made for",
        ),
    ] {
        let error = Tls::open(&files).expect_err("the files are used");
        let (told, hint) = (error.to_string(), error.hint("broker").unwrap_or_default());
        assert!(told.contains(problem) && hint.contains(cure), "{told}\n{hint}");
    }
    Tls::open(&files(None, Some(&certificate), Some(&key))).expect("files that can be used");
}
