//! Visitors that speak no protocol at all.

use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

use futures::stream::{self, StreamExt as _};
use rand::rngs::StdRng;
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// So many at a time.
const AT_A_TIME: usize = 32;

/// How long a visitor waits to be shown out.
const STAY: Duration = Duration::from_millis(200);

/// Visitors with these seeds, one after the other and side by side.
pub(crate) async fn visit(broker: SocketAddr, seeds: Range<u64>) {
    stream::iter(seeds).for_each_concurrent(AT_A_TIME, |seed| one(broker, seed)).await;
}

async fn one(broker: SocketAddr, seed: u64) {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut noise = vec![0; rng.random_range(0..400)];
    rng.fill_bytes(&mut noise);
    let prefix: Vec<u8> = match rng.random_range(0..6) {
        // What follows is taken for a frame's length.
        0 => Vec::new(),
        1 => i32::MAX.to_be_bytes().to_vec(),
        2 => (-1_i32).to_be_bytes().to_vec(),
        // A frame of noise; one that begins as a known request; one that never becomes whole.
        3 => u32::try_from(noise.len()).expect("a length").to_be_bytes().to_vec(),
        4 => {
            let (api, version) = (rng.random_range(0_i16..70), rng.random_range(0_i16..14));
            let length = i32::try_from(noise.len() + 4).expect("a length");
            [&length.to_be_bytes()[..], &api.to_be_bytes(), &version.to_be_bytes()].concat()
        }
        _ => 32_000_000_i32.to_be_bytes().to_vec(),
    };
    let Ok(mut stream) = TcpStream::connect(broker).await else { return };
    // It may have been shown out already.
    let _ = stream.write_all(&[prefix, noise].concat()).await;
    let _ = timeout(STAY, stream.read(&mut [0; 64])).await;
}
