//! A proxy that spoils connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// A TCP proxy in front of the server whose connections can be cut or held.
pub(crate) struct Proxy {
    pub(crate) node: String,
    cut: Arc<Notify>,
    held: Arc<AtomicBool>,
    accepted: Arc<AtomicUsize>,
}

impl Proxy {
    pub(crate) async fn start(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let node = listener.local_addr().unwrap().to_string();
        let proxy = Self { node, cut: Arc::default(), held: Arc::default(), accepted: Arc::default() };
        let (cut, held) = (Arc::clone(&proxy.cut), Arc::clone(&proxy.held));
        let accepted = Arc::clone(&proxy.accepted);
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                accepted.fetch_add(1, Ordering::Relaxed);
                let server = TcpStream::connect(&server).await.unwrap();
                tokio::spawn(carry(client, server, Arc::clone(&cut), Arc::clone(&held)));
            }
        });
        proxy
    }

    /// How many connections it has accepted since it was started.
    pub(crate) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::Relaxed)
    }

    /// How many connections it carries.
    pub(crate) fn open(&self) -> usize {
        // Beside them, the proxy and its listening task hold one each.
        Arc::strong_count(&self.cut) - 2
    }

    /// Ends all connections that are open.
    pub(crate) fn cut(&self) {
        self.cut.notify_waiters();
    }

    /// From now on, what the server answers on connections that are open is lost.
    pub(crate) fn hold(&self) {
        self.held.store(true, Ordering::Relaxed);
    }

    /// The opposite of [`Proxy::hold`].
    pub(crate) fn release(&self) {
        self.held.store(false, Ordering::Relaxed);
    }
}

async fn carry(client: TcpStream, server: TcpStream, cut: Arc<Notify>, held: Arc<AtomicBool>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let up = async { tokio::io::copy(&mut from_client, &mut to_server).await.map(drop) };
    let down = async {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let length = from_server.read(&mut buffer).await?;
            if length == 0 {
                return Ok::<_, std::io::Error>(());
            }
            if !held.load(Ordering::Relaxed) {
                to_client.write_all(&buffer[..length]).await?;
            }
        }
    };
    tokio::select! {
        _ = up => {}
        _ = down => {}
        () = cut.notified() => {}
    }
}
