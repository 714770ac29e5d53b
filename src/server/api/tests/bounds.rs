//! What one who asks may hold of what all share, and for how long.

use std::time::Duration;

use axum::body::BodyDataStream;
use futures::StreamExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep, timeout};

use super::*;
use crate::http::{Guest, Peer, exchange};
use crate::server::tokens::Role;
use crate::server::{CONNECTIONS, DOWNLOADS_AT_ONCE, STREAMS, STREAMS_OF_ONE};
use crate::store::cassandra::{NodeAccess, Replication};
use crate::store::{Consistency, StoreAddress};

fn around(shared: &Arc<Shared>) -> Router {
    guard::around(paths().with_state(Arc::clone(shared)), Arc::clone(&shared.access))
}

/// The answer to one who shows this token, which nobody has taken yet.
async fn begun(shared: &Arc<Shared>, path: &str, token: &str) -> Response {
    let request = Request::builder().uri(path).header("host", "localhost").header("authorization", token);
    around(shared).oneshot(request.body(Body::empty()).expect("a request")).await.expect("an answer")
}

fn tells_to_come_again(response: &Response) {
    assert_eq!(response.status().as_u16(), 429);
    assert!(response.headers().contains_key("retry-after"));
    assert_eq!(response.headers()["content-type"], "application/problem+json");
}

#[tokio::test]
async fn so_many_look_on_and_of_one_token_fewer_and_whoever_comes_then_comes_again() {
    let shared = shared_by(Access::of(&[("Anna", Role::Viewer), ("Bo", Role::Nurse)]));
    let mut of_one = Vec::new();
    for _ in 0..STREAMS_OF_ONE {
        of_one.push(begun(&shared, "/api/v1/stream", "Bearer Anna").await);
    }
    assert!(of_one.iter().all(|response| response.status().as_u16() == 200));
    tells_to_come_again(&begun(&shared, "/api/v1/stream", "Bearer Anna").await);
    assert_eq!(begun(&shared, "/api/v1/stream", "Bearer Bo").await.status().as_u16(), 200);
    of_one.pop();
    assert_eq!(begun(&shared, "/api/v1/stream", "Bearer Anna").await.status().as_u16(), 200);

    let shared = shared_by(Access::Local);
    let mut all = Vec::new();
    for _ in 0..STREAMS {
        all.push(begun(&shared, "/api/v1/stream", "").await);
    }
    assert!(all.iter().all(|response| response.status().as_u16() == 200));
    tells_to_come_again(&begun(&shared, "/api/v1/stream", "").await);
    all.pop();
    assert_eq!(begun(&shared, "/api/v1/stream", "").await.status().as_u16(), 200);
}

/// How long it takes until a connection of one who looks on ends, who takes what comes or does not; not more than a minute.
async fn looks_on(shared: &Arc<Shared>, takes_it: bool) -> Duration {
    let (near, mut far) = duplex(1024);
    far.write_all(b"GET /api/v1/stream HTTP/1.1\r\nhost: localhost\r\n\r\n").await.expect("it is asked");
    let begun = Instant::now();
    let taking = async {
        let mut taken = vec![0; 1024];
        while takes_it && far.read(&mut taken).await.is_ok_and(|length| length > 0) {}
        // It stays there, and takes nothing.
        sleep(Duration::from_secs(600)).await;
    };
    let guest = Guest::of(Peer([127, 0, 0, 1].into()), &Arc::default(), None);
    tokio::select! {
        _ = timeout(Duration::from_secs(60), exchange(near, guest, &CONNECTIONS, around(shared))) => {}
        () = taking => {}
    }
    begun.elapsed()
}

#[tokio::test(start_paused = true)]
async fn who_looks_on_and_takes_nothing_is_dropped_after_10_s_and_gives_the_place_back() {
    let shared = shared();
    let hub = Arc::clone(&shared.hub);
    let mut ticking = JoinSet::new();
    ticking.spawn(async move {
        let mut seconds = interval(Duration::from_millis(100));
        loop {
            seconds.tick().await;
            hub.tick();
        }
    });
    let dropped = looks_on(&shared, false).await;
    assert!(dropped >= CONNECTIONS.write && dropped < 2 * CONNECTIONS.write, "{dropped:?}");
    assert_eq!((shared.hub.watchers(), shared.streams.free()), (0, STREAMS));
    assert_eq!(looks_on(&shared, true).await, Duration::from_secs(60));
}

/// A store that has so many readings of P1.
async fn stored(shared: &Shared, count: u32) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("vitals.db");
    let address = StoreAddress::Sqlite { path: path.clone() };
    let store = crate::store::open(&address, NodeAccess::default(), Consistency::default()).await.expect("a store");
    store.init(&Replication::default()).await.expect("tables");
    let rows = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) INSERT INTO patient_vitals \
         (patient_id, timestamp, heart_rate) SELECT 'P1', printf('2025-10-26T10:30:15.%06d+00:00', i), 80 FROM n"
    );
    rusqlite::Connection::open(path).and_then(|file| file.execute_batch(&rows)).expect("rows");
    assert!(shared.store.set(Arc::new(store)).is_ok());
    folder
}

const FILE: &str = "/api/v1/patients/P1/readings?format=csv";

/// The lines that come of a body, and whether it comes to its end.
async fn taken(mut body: BodyDataStream) -> (usize, bool) {
    let mut lines = 0;
    while let Some(part) = body.next().await {
        let Ok(part) = part else { return (lines, false) };
        lines += part.split(|byte| *byte == b'\n').count() - 1;
    }
    (lines, true)
}

#[tokio::test]
async fn a_download_ends_when_its_token_is_taken_back_and_does_not_look_whole() {
    let shared = shared_by(Access::of(&[("Anna", Role::Viewer)]));
    let _folder = stored(&shared, 20_000).await;
    let whole = begun(&shared, FILE, "Bearer Anna").await.into_body().into_data_stream();
    assert_eq!(taken(whole).await, (20_001, true));
    let mut broken = begun(&shared, FILE, "Bearer Anna").await.into_body().into_data_stream();
    assert!(broken.next().await.is_some_and(|part| part.is_ok()));
    shared.access.change(&[]);
    assert_eq!(taken(broken).await, (0, false));
}

#[tokio::test]
async fn so_many_downloads_are_on_their_way_and_the_next_is_told_to_come_again() {
    let shared = shared();
    let _folder = stored(&shared, 20_000).await;
    let mut downloads = Vec::new();
    for _ in 0..DOWNLOADS_AT_ONCE {
        downloads.push(begun(&shared, FILE, "").await);
    }
    assert!(downloads.iter().all(|response| response.status().as_u16() == 200));
    tells_to_come_again(&begun(&shared, FILE, "").await);
    assert_eq!(taken(downloads.remove(0).into_body().into_data_stream()).await, (20_001, true));
    assert_eq!(begun(&shared, FILE, "").await.status().as_u16(), 200);
}
