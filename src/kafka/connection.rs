//! One connection to one broker: a request goes out, its response comes back, within a time limit.
//!
//! A connection is used by one task, with one request in flight. A request that was cut off (an error, a time-out, a
//! dropped future) leaves the connection unusable, so that an answer that comes late never meets a later request.

use std::collections::HashMap;
use std::fmt;
use std::io::ErrorKind;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::{ApiKey, ApiVersionsRequest, ApiVersionsResponse, RequestHeader};
use kafka_protocol::protocol::{Encodable, HeaderVersion, Request, StrBytes, VersionRange};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::config::Access;
use super::error::KafkaError;
use super::login::{Login, LoginError};
use super::wire::{self, WireError};
use crate::address;
use crate::output::counted;
use crate::tls;

/// How long opening a connection may take: TLS, the broker's list of versions, and the login.
pub const CONNECT_LIMIT: Duration = Duration::from_secs(3);

/// How long an ordinary request may take.
pub const REQUEST_LIMIT: Duration = Duration::from_secs(5);

/// One that took longer is worth a line in a log of single steps.
const SLOW_REQUEST: Duration = Duration::from_secs(1);

/// The longest answer to a fetch that is taken: well above what one asks for, since a first batch comes whole.
const MAX_FETCH_BYTES: usize = 128 * 1024 * 1024;

/// The longest of other answers: the metadata of a large cluster are a few megabytes.
const MAX_ANSWER_BYTES: usize = 32 * 1024 * 1024;

/// The room that a response gets before its first byte came.
const FIRST_READ_BYTES: usize = 64 * 1024;

/// The name under which brokers know us.
const CLIENT_ID: &str = "vitals";

/// The first bytes of what a port of TLS says to somebody who does not speak it: an alert.
const TLS_ALERT: [u8; 2] = [0x15, 0x03];

/// The share of its time that a login is used before it is renewed.
const RENEWED_AFTER: f64 = 0.7;

trait Stream: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Sync + Unpin> Stream for S {}

/// A connection to one broker.
pub struct Connection {
    address: String,
    access: Access,
    stream: Box<dyn Stream>,
    /// What the broker offers, by API key.
    offers: HashMap<i16, VersionRange>,
    next_id: i32,
    /// Set while a request is under way.
    usable: bool,
    /// Nothing but the versions was asked for yet.
    is_fresh: bool,
    /// When the broker is told once more who we are.
    renew_login_at: Option<Instant>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("address", &self.address)
            .field("usable", &self.usable)
            .finish_non_exhaustive()
    }
}

impl Connection {
    /// Opens a connection to `address` (`host:port`), asks which versions the broker speaks, and says who we are where
    /// that is set.
    pub async fn open(address: &str, access: &Access) -> Result<Self, KafkaError> {
        timeout(CONNECT_LIMIT, Self::open_unlimited(address, access)).await.unwrap_or_else(|_| {
            Err(KafkaError::TimedOut { address: address.to_owned(), what: "a connection", limit: CONNECT_LIMIT })
        })
    }

    async fn open_unlimited(address: &str, access: &Access) -> Result<Self, KafkaError> {
        let broken = |source| KafkaError::Io { address: address.to_owned(), source };
        let stream = TcpStream::connect(address).await.map_err(broken)?;
        // Small requests must not wait for the acknowledgement of earlier ones.
        stream.set_nodelay(true).map_err(broken)?;
        let stream: Box<dyn Stream> = match &access.tls {
            None => Box::new(stream),
            Some(tls) => {
                let refused = |refusal| KafkaError::Tls { address: address.to_owned(), refusal };
                Box::new(tls.connect(stream, address::host_of(address)).await.map_err(refused)?)
            }
        };
        let mut connection = Self {
            address: address.to_owned(),
            access: access.clone(),
            stream,
            offers: HashMap::new(),
            next_id: 0,
            usable: true,
            is_fresh: true,
            renew_login_at: None,
        };
        let answer: ApiVersionsResponse = connection.exchange(&ApiVersionsRequest::default(), 0).await?;
        for api in answer.api_keys {
            connection.offers.insert(api.api_key, VersionRange { min: api.min_version, max: api.max_version });
        }
        if let Some(login) = &access.login {
            connection.log_in(login).await?;
        }
        tracing::debug!(event = "connected", address, tls = connection.is_encrypted(), "a connection to a broker");
        Ok(connection)
    }

    async fn log_in(&mut self, login: &Login) -> Result<(), KafkaError> {
        self.renew_login_at = None;
        let proven = login.prove(self).await;
        // Whoever does not let us in once more is not talked to any longer.
        self.usable &= proven.is_ok();
        let lifetime = proven?;
        self.renew_login_at = lifetime.map(|lifetime| Instant::now() + lifetime.mul_f64(RENEWED_AFTER));
        Ok(())
    }

    /// A broker hangs up when a login is over; so it is renewed before, as long as nothing is under way.
    async fn renew_login(&mut self) -> Result<(), KafkaError> {
        if self.renew_login_at.is_some_and(|at| Instant::now() >= at)
            && let Some(login) = self.access.login.clone()
        {
            // It asks for the two requests of a login through the same door.
            Box::pin(self.log_in(&login)).await?;
        }
        Ok(())
    }

    /// Where it leads, as it was opened: `host:port`.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Whether nobody on the way can read what is said.
    pub(super) fn is_encrypted(&self) -> bool {
        self.access.tls.is_some()
    }

    /// Whether the connection can take a request.
    pub fn is_usable(&self) -> bool {
        self.usable
    }

    /// Sends `request` and waits for its response, within [`REQUEST_LIMIT`].
    pub async fn call<R: Request>(&mut self, request: &R) -> Result<R::Response, KafkaError> {
        let begun = Instant::now();
        let answer = self.call_within(request, REQUEST_LIMIT).await;
        let seconds = begun.elapsed().as_secs_f64();
        if begun.elapsed() >= SLOW_REQUEST {
            let (address, request) = (&*self.address, wire::name(R::KEY));
            tracing::debug!(event = "request_slow", address, request, seconds, "a broker took long");
        }
        answer
    }

    /// Like [`call`](Self::call) with a limit of its own, for requests that wait at the broker.
    pub async fn call_within<R: Request>(&mut self, request: &R, limit: Duration) -> Result<R::Response, KafkaError> {
        self.call_up_to(request, i16::MAX, limit).await
    }

    /// Like [`call_within`](Self::call_within) in a version of at most `max`, for requests that lack what newer versions
    /// need.
    pub(super) async fn call_up_to<R: Request>(
        &mut self,
        request: &R,
        max: i16,
        limit: Duration,
    ) -> Result<R::Response, KafkaError> {
        let unsupported = || KafkaError::Unsupported { address: self.address.clone(), what: wire::name(R::KEY) };
        let version = self.common_version(R::KEY).ok_or_else(unsupported)?.min(max);
        let whole = async {
            self.renew_login().await?;
            self.exchange(request, version).await
        };
        timeout(limit, whole).await.unwrap_or_else(|_| {
            Err(KafkaError::TimedOut { address: self.address.clone(), what: wire::name(R::KEY), limit })
        })
    }

    /// The versions in which the broker answers a request, where it does.
    pub(super) fn offer(&self, key: i16) -> Option<&VersionRange> {
        self.offers.get(&key)
    }

    /// Whether both sides speak a request in a common version.
    pub(super) fn speaks(&self, key: i16) -> bool {
        self.common_version(key).is_some()
    }

    /// The highest version of a request that both sides speak.
    fn common_version(&self, key: i16) -> Option<i16> {
        let both = self.offer(key).map(|theirs| wire::spoken(key).intersect(theirs));
        both.filter(|both| !both.is_empty()).map(|both| both.max)
    }

    async fn exchange<R: Request>(&mut self, request: &R, version: i16) -> Result<R::Response, KafkaError> {
        if !self.usable {
            return Err(self.io_error(std::io::ErrorKind::NotConnected.into()));
        }
        self.usable = false;
        let id = self.next_id;
        self.next_id = self.next_id.wrapping_add(1);
        let frame = self.encode(request, version, id)?;
        self.stream.write_all(&frame).await.map_err(|source| self.io_error(source))?;
        self.stream.flush().await.map_err(|source| self.io_error(source))?;
        let is_fetch = R::KEY == wire::api_key(ApiKey::Fetch);
        let answer = self.read_frame(if is_fetch { MAX_FETCH_BYTES } else { MAX_ANSWER_BYTES }).await?;
        let response = self.decode::<R>(answer, version, id)?;
        self.usable = true;
        self.is_fresh &= R::KEY == wire::api_key(ApiKey::ApiVersions);
        Ok(response)
    }

    fn encode<R: Request>(&self, request: &R, version: i16, id: i32) -> Result<BytesMut, KafkaError> {
        let header = RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_correlation_id(id)
            .with_client_id(Some(StrBytes::from_static_str(CLIENT_ID)));
        let mut frame = BytesMut::new();
        frame.put_i32(0);
        header
            .encode(&mut frame, R::header_version(version))
            .and_then(|()| request.encode(&mut frame, version))
            .map_err(|error| self.protocol_error(format!("our {} cannot be written: {error}", wire::name(R::KEY))))?;
        let length =
            i32::try_from(frame.len() - 4).map_err(|_| self.protocol_error("our request is too long".into()))?;
        if let Some(prefix) = frame.first_chunk_mut::<4>() {
            *prefix = length.to_be_bytes();
        }
        Ok(frame)
    }

    async fn read_frame(&mut self, limit: usize) -> Result<Bytes, KafkaError> {
        let length = self.stream.read_i32().await.map_err(|source| self.io_error(source))?;
        if self.access.tls.is_none() && length.to_be_bytes().starts_with(&TLS_ALERT) {
            return Err(KafkaError::WantsTls { address: self.address.clone() });
        }
        let length = usize::try_from(length)
            .ok()
            .filter(|length| *length <= limit)
            .ok_or_else(|| self.protocol_error(format!("a response of {length} bytes")))?;
        // Grows with what arrives, not with what was announced.
        let mut frame = BytesMut::with_capacity(length.min(FIRST_READ_BYTES));
        while frame.len() < length {
            let room = length - frame.len();
            let read = (&mut self.stream).take(u64::try_from(room).unwrap_or(u64::MAX)).read_buf(&mut frame).await;
            if read.map_err(|source| self.io_error(source))? == 0 {
                return Err(self.io_error(std::io::ErrorKind::UnexpectedEof.into()));
            }
        }
        Ok(frame.freeze())
    }

    fn decode<R: Request>(&self, mut answer: Bytes, version: i16, id: i32) -> Result<R::Response, KafkaError> {
        // The list of versions is asked for before anything is agreed, so its header is always the oldest.
        let header_version =
            if R::KEY == wire::api_key(ApiKey::ApiVersions) { 0 } else { R::Response::header_version(version) };
        let unread = |error: WireError| self.protocol_error(format!("{}: {error}", wire::name(R::KEY)));
        let header = wire::response_header(&mut answer, header_version).map_err(unread)?;
        if header.correlation_id != id {
            return Err(self.protocol_error(format!("answer {} to request {id}", header.correlation_id)));
        }
        let response = wire::response::<R>(&mut answer, version).map_err(unread)?;
        if answer.has_remaining() {
            return Err(self.protocol_error(format!("{} behind the answer", counted(answer.remaining(), "byte"))));
        }
        Ok(response)
    }

    fn io_error(&self, source: std::io::Error) -> KafkaError {
        let address = self.address.clone();
        // With TLS 1.3 a server says that it does not believe us when we think that all is well.
        if let Some(tls) = &self.access.tls
            && self.is_fresh
            && tls::is_told_by_tls(&source)
        {
            let refusal = tls.refusal(address::host_of(&address), source);
            return KafkaError::Tls { address, refusal };
        }
        // A listener that wants a login answers the question for versions, and hangs up at everything else.
        let is_closed = matches!(source.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset);
        if is_closed && self.is_fresh && !self.offers.is_empty() && self.access.login.is_none() {
            return KafkaError::HungUp { address };
        }
        KafkaError::Io { address, source }
    }

    /// The broker does not let us in.
    pub(super) fn login_error(&self, error: LoginError) -> KafkaError {
        KafkaError::Login { address: self.address.clone(), error }
    }

    /// What the broker said is not understood.
    pub(super) fn protocol_error(&self, what: String) -> KafkaError {
        KafkaError::Protocol { address: self.address.clone(), what }
    }
}
