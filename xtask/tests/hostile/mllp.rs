//! Senders of HL7 that are none, at a listener in this process.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use futures::stream::{self, StreamExt as _};
use rand::rngs::StdRng;
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use vitals::intake::hl7::figures::Figures;
use vitals::intake::hl7::framing::framed;
use vitals::intake::hl7::listener::Listener;
use vitals::intake::hl7::sender::Sender;
use vitals::kafka::dead_letters::DeadLetterTopic;
use vitals::kafka::producer::Producer;
use vitals::shutdown;

const AT_A_TIME: usize = 64;
/// How long a session waits to be answered or shown out.
const STAY: Duration = Duration::from_millis(300);
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

const GOOD: &str =
    "MSH|^~\\&|M|W|||20251026103015+0000||ORU^R01|7|P|2.6\rPID|||P1\rOBX|1|NM|8867-4^HR^LN||95|/min|||||F\r";

/// Sessions of these seeds, while a good sender is answered again and again; in words what came of it.
pub(crate) async fn sessions(broker: String, topic: &str, seeds: Range<u64>) -> String {
    let producer = Producer::connect(&[broker.clone()][..], topic).await.unwrap();
    let letters = DeadLetterTopic::of(topic, &[broker][..]);
    let listener = Listener::bind(([127, 0, 0, 1], 0).into(), None).await.unwrap();
    let address = listener.address().to_string();
    let figures = Arc::new(Figures::default());
    let (trigger, shutdown) = shutdown::channel();
    let counted = Arc::clone(&figures);
    let serving = tokio::spawn(async move {
        let sender = Sender::parse("behind = \"36500d\"").unwrap();
        listener.serve(sender, producer, letters, counted, &shutdown, |_| {}).await;
    });
    let (begin, count) = (Instant::now(), seeds.end - seeds.start);
    let hostile = async {
        stream::iter(seeds).for_each_concurrent(AT_A_TIME, |seed| session(&address, seed)).await;
        crowd(&address).await;
    };
    tokio::pin!(hostile);
    let mut rounds = 0;
    loop {
        tokio::select! {
            () = &mut hostile => break,
            () = sleep(Duration::from_millis(100)) => {}
        }
        good(&address).await;
        rounds += 1;
    }
    // Whoever was one too many has gone by now, or goes when its time is over.
    good(&address).await;
    trigger.pull();
    timeout(ANSWER_LIMIT, serving).await.expect("it ends in time").unwrap();
    let took = begin.elapsed().as_secs_f32();
    let [accepted, dropped, turned_away] =
        [&figures.accepted, &figures.dropped, &figures.turned_away].map(|figure| figure.load(Relaxed));
    assert_eq!(figures.open.load(Relaxed), 0, "nobody is left");
    assert!(dropped > count / 4, "{dropped} of {count}");
    format!(
        "{count} sessions in {took:.1} s, {dropped} dropped, {turned_away} turned away, {} refused, {accepted} accepted, \
         while {rounds} messages of a good one were answered",
        figures.refused()
    )
}

/// A good message is answered, whoever else is there; who finds no place comes again.
async fn good(address: &str) {
    let answered = async {
        loop {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let mut answer = vec![0; 512];
            if stream.write_all(&framed(GOOD.as_bytes())).await.is_ok()
                && let Ok(length @ 1..) = stream.read(&mut answer).await
            {
                return String::from_utf8_lossy(&answer[..length]).into_owned();
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    let answer = timeout(ANSWER_LIMIT, answered).await.expect("answered in time");
    assert!(answer.contains("\rMSA|AA|7\r"), "{answer}");
}

async fn session(address: &str, seed: u64) {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut noise = vec![0; rng.random_range(0..400)];
    rng.fill_bytes(&mut noise);
    let mut good = GOOD.as_bytes().to_vec();
    let said: Vec<u8> = match rng.random_range(0..10) {
        0 => noise,
        // A frame of noise, one of a harmed message, and one that is cut.
        1 => framed(&noise),
        2 => {
            for _ in 0..rng.random_range(1..5) {
                let at = rng.random_range(0..good.len());
                good[at] = rng.random_range(0..=255);
            }
            framed(&good)
        }
        3 => framed(&good)[..rng.random_range(0..good.len())].to_vec(),
        // Starts and ends without anything between them.
        4 => vec![0x0b; rng.random_range(1..200)],
        5 => [0x0b, 0x1c, b'\r'].repeat(rng.random_range(1..200)),
        // Too long.
        6 => [&[0x0b][..], &vec![b'|'; 1024 * 1024 + 10]].concat(),
        7 => b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        8 => b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        // Many segments of many fields.
        _ => framed(&[&good[..], &b"OBX|||||||||||||||||||||||||||\r".repeat(rng.random_range(1..5000))].concat()),
    };
    let Ok(mut stream) = TcpStream::connect(address).await else { return };
    // It may have been shown out already.
    let _ = stream.write_all(&said).await;
    let _ = timeout(STAY, stream.read(&mut [0; 64])).await;
}

/// Three hundred that begin a large message at the same time and do not end it.
async fn crowd(address: &str) {
    let begun = |_| async {
        let mut stream = TcpStream::connect(address).await.ok()?;
        let large = [&[0x0b][..], &vec![b'x'; 900 * 1024]].concat();
        let _ = timeout(STAY, stream.write_all(&large)).await;
        Some(stream)
    };
    let held: Vec<_> = stream::iter(0..300).map(begun).buffer_unordered(300).collect().await;
    good(address).await;
    drop(held);
}
