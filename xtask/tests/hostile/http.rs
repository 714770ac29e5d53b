//! Who comes to `vitals serve` and is no browser: at a server for this machine, and at one inside TLS.

use std::net::SocketAddr;
use std::ops::Range;
use std::time::{Duration, Instant};

use futures::stream::{self, StreamExt as _};
use rand::rngs::StdRng;
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use vitals::address::Brokers;
use vitals::app::author::Author;
use vitals::server::Server;
use vitals::server::tokens::{self, Role};
use vitals::settings::{Environment, Flags, Settings, resolve};
use vitals::shutdown;
use vitals::store::StoreAddress;
use vitals::store::cassandra::Replication;
use vitals::tls::{self, ServerTls, Tls, TlsFiles};

const AT_A_TIME: usize = 64;
/// How long a session waits to be answered or shown out.
const STAY: Duration = Duration::from_millis(300);
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// Where the servers are, and what lets somebody in.
struct Doors {
    open: SocketAddr,
    guarded: SocketAddr,
    tls: Tls,
    token: String,
}

/// Sessions of these seeds, while a good one is answered again and again; in words what came of it.
pub(crate) async fn sessions(broker: &str, topic: &str, seeds: Range<u64>) -> String {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings {
        brokers: Brokers::parse(broker).unwrap(),
        topic: topic.to_owned(),
        store: StoreAddress::Sqlite { path: folder.path().join("vitals.db") },
        ..resolve(&Flags::default(), &Environment::default()).unwrap()
    };
    let store = vitals::app::open_store(&settings).await.unwrap();
    store.init(&Replication::default()).await.unwrap();
    let token = tokens::create(&store, "West", Role::Viewer, &Author::now("Anna", "").unwrap()).await.unwrap();
    let made = tls::make(&folder.path().join("certs"), &["localhost".to_owned()]).unwrap();
    let (_trigger, shutdown) = shutdown::channel();
    let listen = ([127, 0, 0, 1], 0).into();
    let server_tls = ServerTls::open(&made.certificate, &made.key).unwrap();
    let open = Server::start(&settings, (listen, None), &shutdown).await.unwrap();
    let guarded = Server::start(&settings, (listen, Some(server_tls)), &shutdown).await.unwrap();
    let tls = Tls::open(&TlsFiles { authorities: Some(made.authority), ..TlsFiles::default() }).unwrap();
    let doors = Doors { open: open.address(), guarded: guarded.address(), tls, token: token.reveal().to_owned() };

    // It takes a moment until the server knows who may come.
    while !doors.is_let_in().await {
        sleep(Duration::from_millis(50)).await;
    }
    let (begin, count) = (Instant::now(), seeds.end - seeds.start);
    let hostile = stream::iter(seeds).for_each_concurrent(AT_A_TIME, |seed| session(&doors, seed));
    tokio::pin!(hostile);
    let mut rounds = 0;
    loop {
        tokio::select! {
            () = &mut hostile => break,
            () = sleep(Duration::from_millis(100)) => {}
        }
        doors.good().await;
        rounds += 1;
    }
    doors.good().await;
    let took = begin.elapsed().as_secs_f32();
    format!("{count} sessions in {took:.1} s, while {rounds} rounds of good ones were answered")
}

impl Doors {
    /// Good requests are answered, whoever else is there.
    async fn good(&self) {
        let plain = TcpStream::connect(self.open).await.unwrap();
        assert!(is_answered(plain, "").await);
        assert!(self.is_let_in().await);
    }

    async fn is_let_in(&self) -> bool {
        let inside = TcpStream::connect(self.guarded).await.unwrap();
        let inside = timeout(ANSWER_LIMIT, self.tls.connect(inside, "localhost")).await.expect("in time").unwrap();
        is_answered(inside, &format!("authorization: Bearer {}\r\n", self.token)).await
    }
}

async fn is_answered(mut stream: impl AsyncRead + AsyncWrite + Unpin, headers: &str) -> bool {
    let request = format!("GET /api/v1/latest HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}\r\n");
    let mut answer = Vec::new();
    let answered = async {
        stream.write_all(request.as_bytes()).await.unwrap();
        stream.read_to_end(&mut answer).await
    };
    let _ = timeout(ANSWER_LIMIT, answered).await.expect("answered in time");
    let answer = String::from_utf8_lossy(&answer);
    answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("\"beds\":")
}

async fn session(doors: &Doors, seed: u64) {
    let mut rng = StdRng::seed_from_u64(seed);
    let said = said(doors.guarded.port(), &mut rng);
    let address = if rng.random() { doors.open } else { doors.guarded };
    let Ok(stream) = TcpStream::connect(address).await else { return };
    // Some speak TLS, and then no sense; others do not even that.
    if address == doors.guarded && rng.random() {
        if let Ok(stream) = doors.tls.connect(stream, "localhost").await {
            tell(stream, &said, true, &mut rng).await;
        }
    } else {
        tell(stream, &said, address == doors.guarded, &mut rng).await;
    }
}

/// Says it, and takes little or nothing of the answer. Nobody without a token sees a patient.
async fn tell(mut stream: impl AsyncRead + AsyncWrite + Unpin, said: &[u8], is_guarded: bool, rng: &mut StdRng) {
    // It may have been shown out already.
    let _ = timeout(STAY, stream.write_all(said)).await;
    if rng.random() {
        let mut answer = vec![0; 4 * 1024];
        if let Ok(Ok(length)) = timeout(STAY, stream.read(&mut answer)).await {
            let answer = String::from_utf8_lossy(&answer[..length]);
            assert!(!is_guarded || !answer.contains("\"beds\":"), "{answer}");
        }
    }
}

fn said(guarded_port: u16, rng: &mut StdRng) -> Vec<u8> {
    let mut noise = vec![0; rng.random_range(0..400)];
    rng.fill_bytes(&mut noise);
    let good = "GET /api/v1/latest HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let post = |head: &str, body: &[u8]| {
        let head = format!(
            "POST /api/v1/readings HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n{head}\r\n"
        );
        [head.as_bytes(), body].concat()
    };
    match rng.random_range(0..14) {
        0 => noise,
        1 => {
            let mut harmed = good.as_bytes().to_vec();
            for _ in 0..rng.random_range(1..5) {
                let at = rng.random_range(0..harmed.len());
                harmed[at] = rng.random_range(0..=255);
            }
            harmed
        }
        // A head that is cut, that is too long, and that has too many lines.
        2 => good.as_bytes()[..rng.random_range(0..good.len())].to_vec(),
        3 => format!("GET /{} HTTP/1.1\r\nhost: localhost\r\n\r\n", "x".repeat(rng.random_range(0..200_000))).into(),
        4 => {
            format!("GET / HTTP/1.1\r\nhost: localhost\r\n{}\r\n", "a: b\r\n".repeat(rng.random_range(0..5_000))).into()
        }
        // Many who wait for answers that nobody takes.
        5 => good.repeat(rng.random_range(1..500)).into(),
        6 => "GET /api/v1/stream HTTP/1.1\r\nhost: localhost\r\n\r\n".into(),
        // A body that is shorter or longer than was said, or of parts that are none.
        7 => post(&format!("content-length: {}\r\n", rng.random::<u64>()), &noise),
        8 => post("transfer-encoding: chunked\r\n", &[b"ffffffffffffffff\r\n", &noise[..]].concat()),
        9 => {
            post("transfer-encoding: chunked\r\ncontent-length: 5\r\n", b"0\r\n\r\nGET /api/v1/latest HTTP/1.1\r\n\r\n")
        }
        // JSON that goes deep, and readings that are none.
        10 => {
            let deep = "[".repeat(rng.random_range(1..60_000));
            post(&format!("content-length: {}\r\n", deep.len()), deep.as_bytes())
        }
        11 => {
            let row = r#"{"patient_id":"P1","timestamp":"2026-01-01T00:00:00Z","heart_rate":1e999},"#;
            let rows = format!("[{}{{}}]", row.repeat(rng.random_range(1..2_000)));
            post(&format!("content-length: {}\r\n", rows.len()), rows.as_bytes())
        }
        // Ways around who is let in.
        12 => {
            let ways = [
                "//api/v1/latest",
                "/assets/../api/v1/latest",
                "/assets/%2e%2e/api/v1/latest",
                "/login/../",
                "*",
                "/%00",
            ];
            let way = ways[rng.random_range(0..ways.len())];
            format!("GET {way} HTTP/1.1\r\nhost: localhost\r\ncookie: __Host-vitals-{guarded_port}=\r\nauthorization: Bearer\r\n\r\n")
                .into()
        }
        _ => b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
    }
}
