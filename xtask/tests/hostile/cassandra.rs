//! A server that lets everybody in, as Cassandra would, and then says anything.

use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::time::{Duration, Instant};

use futures::stream::{self, StreamExt as _};
use rand::rngs::StdRng;
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use vitals::store::cassandra::NodeAccess;
use vitals::store::{self, Consistency, StoreAddress};

use crate::secure::Ways;

/// Each of them waits for the driver's time limit, and does little else.
const AT_A_TIME: usize = 50;
/// Every step of a connection has a limit of its own; together they are below this, also on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

const OPTIONS: u8 = 5;
const STARTUP: u8 = 1;
const SUPPORTED: u8 = 6;
const READY: u8 = 2;

pub(crate) async fn sessions(seeds: Range<u64>) -> String {
    let begin = Instant::now();
    let ways = Ways::new();
    let took: Vec<Duration> =
        stream::iter(seeds).map(|seed| session(seed, &ways)).buffer_unordered(AT_A_TIME).collect().await;
    let longest = took.iter().max().copied().unwrap_or_default();
    let (all, longest) = (begin.elapsed().as_secs_f32(), longest.as_secs_f32());
    format!("{} sessions in {all:.1} s, the longest {longest:.1} s", took.len())
}

async fn session(seed: u64, ways: &Ways) -> Duration {
    let begin = Instant::now();
    // Every third of them inside TLS.
    let is_inside_tls = seed.is_multiple_of(3);
    let (address, serving) = serve(seed, is_inside_tls.then(|| ways.server.clone())).await;
    let access = NodeAccess { tls: is_inside_tls.then(|| ways.client.clone()), ..NodeAccess::default() };
    let address = StoreAddress::parse(&format!("cassandra://{address}/hospital")).unwrap();
    let opened = timeout(LIMIT, store::open(&address, access, Consistency::default())).await;
    let opened = opened.unwrap_or_else(|_| panic!("the session {seed} hangs"));
    assert!(opened.is_err(), "the session {seed} came to a store");
    serving.abort();
    begin.elapsed()
}

async fn serve(seed: u64, inside: Option<TlsAcceptor>) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move {
        let mut rng = StdRng::seed_from_u64(seed);
        loop {
            let (client, _) = listener.accept().await.unwrap();
            let (inside, rng) = (inside.clone(), StdRng::from_rng(&mut rng));
            // A connection that breaks is nothing to tell.
            tokio::spawn(async move {
                match inside {
                    Some(tls) => talk(tls.accept(client).await?, rng).await,
                    None => talk(client, rng).await,
                }
            });
        }
    });
    (address, serving)
}

async fn talk(mut client: impl AsyncRead + AsyncWrite + Unpin, mut rng: StdRng) -> io::Result<()> {
    loop {
        let mut head = [0; 9];
        client.read_exact(&mut head).await?;
        let length = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        let mut body = vec![0; usize::try_from(length).unwrap()];
        client.read_exact(&mut body).await?;
        let answer = match head[4] {
            OPTIONS => frame(&head, SUPPORTED, 2, &[0, 0]),
            STARTUP => frame(&head, READY, 0, &[]),
            _ => nonsense(&head, &mut rng),
        };
        client.write_all(&answer).await?;
        client.flush().await?;
    }
}

/// A frame of any kind, with lengths that may lie, outside and inside.
fn nonsense(request: &[u8; 9], rng: &mut StdRng) -> Vec<u8> {
    let mut body = vec![0; rng.random_range(0..120)];
    rng.fill_bytes(&mut body);
    // Rows, with numbers of columns and rows that cannot be.
    if rng.random_bool(0.5) {
        body.splice(..0, [0, 0, 0, 2, 0, 0, 0, 4, 0x7f, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff]).for_each(drop);
    }
    let opcode = if rng.random_bool(0.7) { 8 } else { rng.random_range(0..17) };
    let length = i32::try_from(body.len()).unwrap();
    let told = [length, length, i32::MAX, -1, -9, 3][rng.random_range(0..6)];
    frame(request, opcode, told, &body)
}

/// An answer in the version and to the stream of the request.
fn frame(request: &[u8; 9], opcode: u8, length: i32, body: &[u8]) -> Vec<u8> {
    let head = [request[0] | 0x80, 0, request[2], request[3], opcode];
    [&head[..], &length.to_be_bytes(), body].concat()
}
