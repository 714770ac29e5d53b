//! Servers that are hostile in the TLS handshake, inside TLS, and in the exchange of a login. None of them knows the
//! password, so no session may end well.

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::{BufMut as _, Bytes, BytesMut};
use futures::stream::{self, StreamExt as _};
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::{
    ApiKey, ApiVersionsResponse, RequestHeader, ResponseHeader, SaslAuthenticateRequest, SaslAuthenticateResponse,
    SaslHandshakeResponse,
};
use kafka_protocol::protocol::{Decodable as _, Encodable as _};
use rand::rngs::StdRng;
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use vitals::kafka::config::Access;
use vitals::kafka::connection::Connection;
use vitals::kafka::login::{Login, Mechanism};
use vitals::secret::Secret;
use vitals::tls::{Tls, TlsFiles};

/// A login hashes thousands of times: more of them would only wait for each other.
const AT_A_TIME: usize = 8;
/// A connection has 3 s; what is more is for a busy machine.
const LIMIT: Duration = Duration::from_secs(20);

/// A server's way into TLS, and a client's that believes it.
pub(crate) struct Ways {
    pub(crate) server: TlsAcceptor,
    pub(crate) client: Tls,
    _folder: TempDir,
}

impl Ways {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let own = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        std::fs::write(&path, authority.pem()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![CertificateDer::from_pem_slice(own.pem().as_bytes()).unwrap()],
                PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap(),
            )
            .unwrap();
        let client = Tls::open(&TlsFiles { authorities: Some(path), ..TlsFiles::default() }).unwrap();
        Self { server: TlsAcceptor::from(Arc::new(config)), client, _folder: folder }
    }
}

pub(crate) async fn sessions(seeds: Range<u64>) -> String {
    let (ways, begin) = (Ways::new(), Instant::now());
    let took: Vec<Duration> =
        stream::iter(seeds).map(|seed| session(seed, &ways)).buffer_unordered(AT_A_TIME).collect().await;
    let longest = took.iter().max().copied().unwrap_or_default();
    format!(
        "{} sessions in {:.1} s, the longest {:.1} s",
        took.len(),
        begin.elapsed().as_secs_f32(),
        longest.as_secs_f32()
    )
}

async fn session(seed: u64, ways: &Ways) -> Duration {
    let begin = Instant::now();
    let mut rng = StdRng::seed_from_u64(seed);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let is_inside_tls = rng.random_bool(0.7);
    let (server, mut server_rng) = (ways.server.clone(), StdRng::from_rng(&mut rng));
    let serving = tokio::spawn(async move {
        let (stream, _) = listener.accept().await?;
        match is_inside_tls {
            true if server_rng.random_bool(0.3) => break_handshake(stream, server_rng).await,
            true => talk(server.accept(stream).await?, server_rng).await,
            false => talk(stream, server_rng).await,
        }
    });
    let mechanism = if rng.random() { Mechanism::ScramSha256 } else { Mechanism::ScramSha512 };
    let login = Login { user: "ward".to_owned(), password: Secret::new("pencil"), mechanism };
    let access = Access { tls: is_inside_tls.then(|| ways.client.clone()), login: Some(login) };
    let opened = timeout(LIMIT, Connection::open(&address, &access)).await;
    let opened = opened.unwrap_or_else(|_| panic!("the session {seed} hangs"));
    assert!(opened.is_err(), "the session {seed} let somebody in who does not know the password");
    serving.abort();
    begin.elapsed()
}

/// Answers the first message of TLS with what is none, or with the beginning of one.
async fn break_handshake(mut stream: TcpStream, mut rng: StdRng) -> io::Result<()> {
    let mut hello = [0; 2048];
    let length = stream.read(&mut hello).await?;
    let mut answer = vec![0; rng.random_range(0..600)];
    rng.fill_bytes(&mut answer);
    match rng.random_range(0..5) {
        // A record of the handshake, whose length may lie.
        0 => answer.splice(..0, [0x16, 3, 3, rng.random(), rng.random()]).for_each(drop),
        // An alert of any kind.
        1 => answer.splice(.., [0x15, 3, 3, 0, 2, rng.random(), rng.random()]).for_each(drop),
        // What came.
        2 => answer.splice(.., hello[..length].iter().copied()).for_each(drop),
        3 => return Ok(()),
        _ => {}
    }
    stream.write_all(&answer).await?;
    // Half of them say nothing more, and stay.
    if rng.random() { std::future::pending().await } else { Ok(()) }
}

/// Speaks Kafka as far as the login, and there anything.
async fn talk(mut stream: impl AsyncRead + AsyncWrite + Unpin, mut rng: StdRng) -> io::Result<()> {
    loop {
        let length = stream.read_i32().await?;
        let mut request = vec![0; usize::try_from(length).unwrap_or_default().min(1 << 20)];
        stream.read_exact(&mut request).await?;
        let answer = answer(Bytes::from(request), &mut rng);
        stream.write_all(&answer).await?;
        stream.flush().await?;
    }
}

fn answer(mut request: Bytes, rng: &mut StdRng) -> BytesMut {
    let (key, version) = (i16::from_be_bytes([request[0], request[1]]), i16::from_be_bytes([request[2], request[3]]));
    let api = ApiKey::try_from(key).unwrap();
    let header = RequestHeader::decode(&mut request, api.request_header_version(version)).unwrap();
    let mut body = BytesMut::new();
    match api {
        ApiKey::ApiVersions => {
            let offer = |key: i16| ApiVersion::default().with_api_key(key).with_max_version(9);
            // SaslHandshake and SaslAuthenticate.
            let offers = vec![offer(17), offer(36)];
            ApiVersionsResponse::default().with_api_keys(offers).encode(&mut body, 0).unwrap();
        }
        ApiKey::SaslHandshake => SaslHandshakeResponse::default().encode(&mut body, version).unwrap(),
        _ => {
            let said = SaslAuthenticateRequest::decode(&mut request, version).unwrap().auth_bytes;
            let answer = SaslAuthenticateResponse::default().with_auth_bytes(reply(&said, rng).into());
            answer.with_session_lifetime_ms(rng.random_range(-2..3)).encode(&mut body, version).unwrap();
        }
    }
    // Now and then something is wrong below the login as well.
    if rng.random_bool(0.1) {
        body.truncate(rng.random_range(0..=body.len()));
    }
    let mut answer = BytesMut::new();
    answer.put_i32(0);
    let header_version = if api == ApiKey::ApiVersions { 0 } else { api.response_header_version(version) };
    ResponseHeader::default().with_correlation_id(header.correlation_id).encode(&mut answer, header_version).unwrap();
    answer.extend_from_slice(&body);
    let length = i32::try_from(answer.len() - 4).unwrap();
    let told = if rng.random_bool(0.05) { [i32::MAX, -1, 0, length + 9][rng.random_range(0..4)] } else { length };
    answer[..4].copy_from_slice(&told.to_be_bytes());
    answer
}

/// What a server of SCRAM could say: right in its parts, and never as a whole.
fn reply(said: &[u8], rng: &mut StdRng) -> Vec<u8> {
    let text = String::from_utf8_lossy(said);
    let nonce = text.split_once("r=").map_or("", |(_, rest)| rest.split(',').next().unwrap_or_default());
    let mut bytes = vec![0; rng.random_range(0..64)];
    rng.fill_bytes(&mut bytes);
    let coded = BASE64_STANDARD.encode(&bytes);
    if text.starts_with("n,,") {
        let rounds = ["4096", "1", "0", "-1", "16384", "16385", "4294967296", "99999999999999999999", "", "x"];
        let rounds = rounds[rng.random_range(0..rounds.len())];
        return match rng.random_range(0..9) {
            0..4 => format!("r={nonce}more,s={coded},i={rounds}").into_bytes(),
            4 => format!("r={coded},s={coded},i=4096").into_bytes(),
            5 => format!("r={nonce}more,s=%%%,i=4096,m=x").into_bytes(),
            6 => b"r".to_vec(),
            7 => Vec::new(),
            _ => bytes,
        };
    }
    match rng.random_range(0..6) {
        0 => format!("v={coded}").into_bytes(),
        1 => b"e=other-error".to_vec(),
        2 => b"v=".to_vec(),
        3 => text.replace("p=", "v=").into_bytes(),
        4 => Vec::new(),
        _ => bytes,
    }
}
