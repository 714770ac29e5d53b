//! What a process tells of itself over HTTP: whether it lives, whether it is ready, and how it does.
//!
//! - `server`: `/livez`, `/readyz` and `/metrics`, for whoever is on this machine
//! - [`consumer`]: what a consumer tells, as a listener of its pipeline; [`broker`]: what the embedded broker tells
//! - `exposition`: metrics as Prometheus reads them
//!
//! Nobody waits for those who ask: what happens is counted where it happens, and who asks gets a copy. No metric names a
//! patient, and how many series there are is bounded.

pub mod broker;
pub mod consumer;
mod exposition;
mod server;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use self::exposition::{Exposition, Histogram, Kind};
use crate::advice::{Advice, Code};
use crate::shutdown::Shutdown;

/// What is told of.
pub trait Subject: Send + Sync + 'static {
    /// Why it is not ready, one line for each reason; none where it is.
    fn reasons(&self) -> Vec<String>;

    /// Adds its metrics.
    fn metrics(&self, to: &mut Exposition);
}

/// Nobody can be told.
#[derive(Debug, thiserror::Error)]
pub enum HealthError {
    /// The address cannot be listened on.
    #[error("cannot tell of health on {0}")]
    Listen(SocketAddr, #[source] io::Error),
}

impl Advice for HealthError {
    fn code(&self) -> Code {
        Code::Unreachable
    }

    fn hint(&self) -> Option<String> {
        let Self::Listen(_, source) = self;
        Some(if source.kind() == io::ErrorKind::AddrInUse {
            "something listens there already, perhaps another `vitals`: give each its own address with --health"
                .to_owned()
        } else {
            "choose another address with --health".to_owned()
        })
    }
}

/// Whoever asks is answered until this is dropped.
#[derive(Debug)]
pub struct Health {
    address: SocketAddr,
    serving: JoinHandle<()>,
}

impl Health {
    /// Begins to answer on `address`, where port 0 takes a free one. From the first signal of `shutdown` on the process
    /// is not ready.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub async fn start(
        address: SocketAddr,
        subject: Arc<dyn Subject>,
        shutdown: Shutdown,
    ) -> Result<Self, HealthError> {
        let listening = |source| HealthError::Listen(address, source);
        let listener = TcpListener::bind(address).await.map_err(listening)?;
        let address = listener.local_addr().map_err(listening)?;
        let serving = tokio::spawn(server::serve(listener, Arc::new(Told::new(subject, shutdown))));
        Ok(Self { address, serving })
    }

    /// Where it answers.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Health {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// What the answers are made of.
struct Told {
    subject: Arc<dyn Subject>,
    shutdown: Shutdown,
    /// In seconds since 1970.
    started: f64,
}

/// `/livez`, `/readyz` and `/metrics`, for a server that has other paths beside them.
pub fn routes(subject: Arc<dyn Subject>, shutdown: Shutdown) -> Router {
    server::routes(Arc::new(Told::new(subject, shutdown)))
}

impl Told {
    fn new(subject: Arc<dyn Subject>, shutdown: Shutdown) -> Self {
        // Close enough: this is among the first things that a process does.
        let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        Self { subject, shutdown, started }
    }

    fn reasons(&self) -> Vec<String> {
        let ending = self.shutdown.requested().then(|| "ending".to_owned());
        ending.into_iter().chain(self.subject.reasons()).collect()
    }

    fn metrics(&self) -> String {
        let mut metrics = Exposition::default();
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        metrics.family("vitals_build_info", Kind::Gauge, "1, with the version of vitals.").sample(&version, 1);
        let help = "When the process was started, in seconds since 1970.";
        metrics.family("process_start_time_seconds", Kind::Gauge, help).sample(&[], self.started);
        let is_ready = i32::from(self.reasons().is_empty());
        metrics.family("vitals_ready", Kind::Gauge, "Whether /readyz answers with 200.").sample(&[], is_ready);
        self.subject.metrics(&mut metrics);
        metrics.into_text()
    }
}
