//! The embedded broker behind a proxy that makes faults on command.
//!
//! The proxy carries whole frames, one request after the other on each connection, and knows what each of them asks
//! for. The addresses in the answers are its own, so that no client goes around it.

pub(crate) mod frame;
mod plan;
mod refusal;
mod route;
mod tests;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;
use vitals::broker::Broker;

pub(crate) use frame::Request;
use plan::Deed;
pub(crate) use plan::{Fault, Plan};

use crate::own_broker::started;

/// A broker that fails as it is told.
pub(crate) struct Faulty {
    pub(crate) plan: Arc<Plan>,
    broker: Broker,
    address: SocketAddr,
    held: watch::Sender<bool>,
    _serving: JoinSet<()>,
    _folder: tempfile::TempDir,
}

impl Faulty {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let broker = started(folder.path()).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let plan = Arc::new(Plan::default());
        let (held, released) = watch::channel(false);
        let place = Place { proxy: address, plan: Arc::clone(&plan), held: released };
        let carry = move |client, broker| Line { client, broker, place: place.clone() }.run();
        let mut serving = JoinSet::new();
        serving.spawn(frame::serve(listener, broker.address(), carry));
        Self { plan, broker, address, held, _serving: serving, _folder: folder }
    }

    /// Where clients meet the faults.
    pub(crate) fn brokers(&self) -> Vec<String> {
        vec![self.address.to_string()]
    }

    /// Where nothing fails: for whoever sets up and checks.
    pub(crate) fn brokers_behind(&self) -> Vec<String> {
        vec![self.broker.address().to_string()]
    }

    /// Nothing reaches the broker until [`go_on`](Self::go_on), as if it was stopped; connections stand and are taken.
    pub(crate) fn hold(&self) {
        self.held.send_replace(true);
    }

    /// What was held back goes to the broker.
    pub(crate) fn go_on(&self) {
        self.held.send_replace(false);
    }
}

/// What every connection has to know.
#[derive(Clone)]
struct Place {
    proxy: SocketAddr,
    plan: Arc<Plan>,
    held: watch::Receiver<bool>,
}

/// One client's connection, with one of its own to the broker behind.
struct Line {
    client: TcpStream,
    broker: TcpStream,
    place: Place,
}

impl Line {
    async fn run(mut self) -> io::Result<()> {
        while let Some(frame) = frame::read(&mut self.client).await? {
            let _ = self.place.held.wait_for(|held| !held).await;
            let request = Request::parse(frame);
            let done = match self.place.plan.take(&request, self.place.proxy) {
                Deed::Carry => self.carry_on(&request).await?,
                Deed::Refuse(answer) => frame::write(&mut self.client, &answer).await.map(Some)?,
                Deed::Fail(fault) => self.fail(fault, &request).await?,
            };
            if done.is_none() {
                break;
            }
        }
        Ok(())
    }

    async fn carry_on(&mut self, request: &Request) -> io::Result<Option<()>> {
        let Some(answer) = self.ask(request).await? else { return Ok(None) };
        frame::write(&mut self.client, &answer).await.map(Some)
    }

    /// `None` closes the connection.
    async fn fail(&mut self, fault: Fault, request: &Request) -> io::Result<Option<()>> {
        match fault {
            Fault::Delay(pause) => {
                let Some(answer) = self.ask(request).await? else { return Ok(None) };
                sleep(pause).await;
                return frame::write(&mut self.client, &answer).await.map(Some);
            }
            Fault::Drop | Fault::Error(_) => {}
            Fault::Lose => drop(self.ask(request).await?),
            Fault::Cut => {
                if let Some(answer) = self.ask(request).await? {
                    let whole = frame::with_length(&answer);
                    let half = whole.split_at(whole.len() / 2).0;
                    self.client.write_all(half).await?;
                    self.client.shutdown().await?;
                }
            }
            Fault::Silence => frame::hung_up(&self.client).await,
        }
        Ok(None)
    }

    /// The broker's answer, with our address in place of its own. `None` where the client does not wait for it.
    async fn ask(&mut self, request: &Request) -> io::Result<Option<Bytes>> {
        frame::write(&mut self.broker, &request.frame).await?;
        let answer = frame::ask(&self.client, &mut self.broker).await?;
        Ok(answer.map(|answer| route::through(self.place.proxy, request, answer)))
    }
}
