//! A login that is for a time, at a server that keeps count.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::{BufMut, BytesMut};
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::{
    ApiVersionsResponse, HeartbeatRequest, HeartbeatResponse, RequestHeader, ResponseHeader, SaslAuthenticateResponse,
    SaslHandshakeResponse,
};
use kafka_protocol::protocol::{Decodable, Encodable};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

use super::*;
use crate::kafka::config::Access;

const USER: &str = "ward";
const PASSWORD: &str = "pencil";
/// How long a login holds there, and a time by which it is to be renewed.
const LIFETIME: Duration = Duration::from_secs(1);
const RENEWED_BY_THEN: Duration = Duration::from_millis(800);

#[derive(Default)]
struct Counts {
    connections: AtomicUsize,
    logins: AtomicUsize,
}

/// Lets so many logins in, and no more.
async fn serve(let_in: usize) -> (String, Arc<Counts>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, counts) = (listener.local_addr().unwrap().to_string(), Arc::new(Counts::default()));
    let counted = Arc::clone(&counts);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counted.connections.fetch_add(1, Ordering::Relaxed);
            let mut challenge = None;
            while let Some(answer) = answer(&mut stream, &counted, let_in, &mut challenge).await {
                stream.write_all(&answer).await.unwrap();
            }
        }
    });
    (address, counts)
}

async fn answer(
    stream: &mut TcpStream,
    counts: &Counts,
    let_in: usize,
    begun: &mut Option<(String, String)>,
) -> Option<BytesMut> {
    let length = stream.read_i32().await.ok()?;
    let mut frame = vec![0; usize::try_from(length).unwrap()];
    stream.read_exact(&mut frame).await.ok()?;
    let mut frame = Bytes::from(frame);
    let (key, version) = (i16::from_be_bytes([frame[0], frame[1]]), i16::from_be_bytes([frame[2], frame[3]]));
    let api = ApiKey::try_from(key).unwrap();
    let header = RequestHeader::decode(&mut frame, api.request_header_version(version)).unwrap();
    let mut body = BytesMut::new();
    match api {
        ApiKey::ApiVersions => {
            let offer = |api: ApiKey| ApiVersion::default().with_api_key(wire::api_key(api)).with_max_version(9);
            let offers = [ApiKey::SaslHandshake, ApiKey::SaslAuthenticate, ApiKey::Heartbeat].map(offer).to_vec();
            ApiVersionsResponse::default().with_api_keys(offers).encode(&mut body, 0).unwrap();
        }
        ApiKey::SaslHandshake => {
            let is_let_in = counts.logins.fetch_add(1, Ordering::Relaxed) < let_in;
            let code = if is_let_in { 0 } else { ResponseError::UnsupportedSaslMechanism.code() };
            SaslHandshakeResponse::default().with_error_code(code).encode(&mut body, version).unwrap();
        }
        ApiKey::SaslAuthenticate => {
            let request = SaslAuthenticateRequest::decode(&mut frame, version).unwrap();
            let said = std::str::from_utf8(&request.auth_bytes).unwrap().to_owned();
            let reply = reply(&said, begun);
            let millis = i64::try_from(LIFETIME.as_millis()).unwrap();
            let response = SaslAuthenticateResponse::default().with_auth_bytes(reply.into_bytes().into());
            response.with_session_lifetime_ms(millis).encode(&mut body, version).unwrap();
        }
        _ => HeartbeatResponse::default().encode(&mut body, version).unwrap(),
    }
    let mut answer = BytesMut::new();
    answer.put_i32(0);
    let header_version = if api == ApiKey::ApiVersions { 0 } else { api.response_header_version(version) };
    let header = ResponseHeader::default().with_correlation_id(header.correlation_id);
    header.encode(&mut answer, header_version).unwrap();
    answer.extend_from_slice(&body);
    let length = i32::try_from(answer.len() - 4).unwrap();
    answer[..4].copy_from_slice(&length.to_be_bytes());
    Some(answer)
}

/// What a server says that knows the password: a challenge to the first message, and its proof to the second.
fn reply(said: &str, begun: &mut Option<(String, String)>) -> String {
    if let Some((nonce, challenge)) = begun.take() {
        let exchange = Exchange { hash: Hash::Sha256, user: USER, password: PASSWORD, nonce: &nonce };
        let (expected_of_client, expected) = exchange.answer(challenge.as_bytes()).unwrap();
        assert_eq!(said, expected_of_client, "the client proves that it knows the password");
        return format!("v={}", BASE64_STANDARD.encode(expected.signature));
    }
    let nonce = said.split_once(",r=").unwrap().1.to_owned();
    let challenge = format!("r={nonce}server,s=c2FsdA==,i=4096");
    *begun = Some((nonce, challenge.clone()));
    challenge
}

async fn connect(address: &str) -> Result<Connection, KafkaError> {
    let (user, password) = (USER.to_owned(), Secret::new(PASSWORD));
    let login = Some(Login { user, password, mechanism: Mechanism::ScramSha256 });
    Connection::open(address, &Access { tls: None, login }).await
}

#[tokio::test]
async fn a_login_is_renewed_on_its_connection_before_it_is_over() {
    let (address, counts) = serve(usize::MAX).await;
    let mut connection = connect(&address).await.unwrap();
    connection.call(&HeartbeatRequest::default()).await.unwrap();
    assert_eq!(counts.logins.load(Ordering::Relaxed), 1, "it is not renewed too soon");
    for login in 2..4 {
        sleep(RENEWED_BY_THEN).await;
        connection.call(&HeartbeatRequest::default()).await.unwrap();
        assert_eq!(counts.logins.load(Ordering::Relaxed), login);
    }
    assert_eq!(counts.connections.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_connection_is_not_used_on_whose_login_is_not_renewed() {
    let (address, counts) = serve(1).await;
    let mut connection = connect(&address).await.unwrap();
    sleep(RENEWED_BY_THEN).await;
    let refused = connection.call(&HeartbeatRequest::default()).await.unwrap_err();
    assert!(refused.is_refusal(), "{refused}");
    assert!(!connection.is_usable());
    assert_eq!(counts.logins.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_password_is_not_sent_as_it_is_outside_of_tls() {
    let (address, counts) = serve(usize::MAX).await;
    let login = Login { user: USER.to_owned(), password: Secret::new(PASSWORD), mechanism: Mechanism::Plain };
    let refused = Connection::open(&address, &Access { tls: None, login: Some(login) }).await.unwrap_err();
    assert!(refused.to_string().ends_with("PLAIN is for TLS alone"), "{refused}");
    assert_eq!(counts.logins.load(Ordering::Relaxed), 0, "nothing was asked");
}
