//! The embedded broker behind a proxy that makes faults on command.
//!
//! The proxy carries whole frames, one request after the other on each connection, and knows what each of them asks
//! for. The addresses in the answers are its own, so that no client goes around it.

pub(crate) mod frame;
mod plan;
mod refusal;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;
use vitals::broker::Broker;

pub(crate) use frame::Request;
use plan::Action;
pub(crate) use plan::{Fault, Plan};

use crate::own_broker::started_anew;

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
        let (broker, folder) = started_anew().await;
        let (listener, address) = frame::listener().await;
        let plan = Arc::new(Plan::default());
        let (held, released) = watch::channel(false);
        let shared = Shared { proxy: address, plan: Arc::clone(&plan), held: released };
        let carry = move |client, broker| Connection { client, broker, shared: shared.clone() }.run();
        let mut serving = JoinSet::new();
        serving.spawn(frame::serve(listener, broker.address(), carry));
        Self { plan, broker, address, held, _serving: serving, _folder: folder }
    }

    /// Where clients meet the faults.
    pub(crate) fn brokers(&self) -> Vec<String> {
        vec![self.address.to_string()]
    }

    /// Where nothing fails: for whoever sets up and checks.
    pub(crate) fn behind(&self) -> String {
        self.broker.address().to_string()
    }

    /// Nothing reaches the broker until [`go_on`](Self::go_on), as if it was stopped; connections stand and are taken.
    pub(crate) fn hold(&self) {
        self.held.send_replace(true);
    }

    pub(crate) fn go_on(&self) {
        self.held.send_replace(false);
    }
}

#[derive(Clone)]
struct Shared {
    proxy: SocketAddr,
    plan: Arc<Plan>,
    held: watch::Receiver<bool>,
}

struct Connection {
    client: TcpStream,
    broker: TcpStream,
    shared: Shared,
}

impl Connection {
    async fn run(mut self) -> io::Result<()> {
        while let Some(frame) = frame::read(&mut self.client).await? {
            let _ = self.shared.held.wait_for(|held| !held).await;
            let request = Request::parse(frame);
            let answer = match self.shared.plan.take(&request, self.shared.proxy) {
                Action::Carry => self.ask(&request).await?,
                Action::Refuse(answer) => Some(answer),
                Action::Fail(fault) => self.fail(fault, &request).await?,
            };
            let Some(answer) = answer else { break };
            frame::write(&mut self.client, &answer).await?;
        }
        Ok(())
    }

    /// The answer where it is only late; `None` closes the connection.
    async fn fail(&mut self, fault: Fault, request: &Request) -> io::Result<Option<Bytes>> {
        match fault {
            Fault::Delay(pause) => {
                let answer = self.ask(request).await?;
                sleep(pause).await;
                return Ok(answer);
            }
            Fault::Drop | Fault::Error(_) => {}
            Fault::Lose => drop(self.ask(request).await?),
            Fault::Cut => {
                if let Some(answer) = self.ask(request).await? {
                    let whole = frame::with_length(&answer);
                    self.client.write_all(&whole[..whole.len() / 2]).await?;
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
        Ok(answer.map(|answer| frame::naming(self.shared.proxy, request, answer)))
    }
}
