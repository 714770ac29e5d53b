//! A link to a server that can be cut and mended.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// A TCP proxy in front of one server.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    link: Arc<Mutex<Link>>,
    carried: Arc<AtomicUsize>,
}

/// What the proxy carries at the moment.
struct Link {
    is_up: bool,
    streams: Vec<TcpStream>,
    carried: Arc<AtomicUsize>,
}

impl Proxy {
    pub(crate) fn start(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let carried = Arc::new(AtomicUsize::new(0));
        let link = Link { is_up: true, streams: Vec::new(), carried: Arc::clone(&carried) };
        let link = Arc::new(Mutex::new(link));
        let (server, shared) = (server.to_owned(), Arc::clone(&link));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                shared.lock().unwrap().take(client, &server);
            }
        });
        Self { address, link, carried }
    }

    /// How many bytes it has carried in both directions.
    pub(crate) fn carried_bytes(&self) -> usize {
        self.carried.load(Ordering::SeqCst)
    }

    /// Ends every connection, and each new one at once.
    pub(crate) fn cut(&self) {
        let mut link = self.link.lock().unwrap();
        link.is_up = false;
        for stream in link.streams.drain(..) {
            // One that has ended already cannot be ended again.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Carries new connections again.
    pub(crate) fn mend(&self) {
        self.link.lock().unwrap().is_up = true;
    }
}

impl Link {
    /// Carries what a client says, or hangs up on it where the link is cut.
    fn take(&mut self, client: TcpStream, server: &str) {
        let Some(server) = self.is_up.then(|| TcpStream::connect(server).ok()).flatten() else { return };
        for (from, to) in [(&client, &server), (&server, &client)] {
            let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
            let carried = Arc::clone(&self.carried);
            thread::spawn(move || carry(from, to, &carried));
        }
        self.streams.extend([client, server]);
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, carried: &AtomicUsize) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        carried.fetch_add(length, Ordering::SeqCst);
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}
