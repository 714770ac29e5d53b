//! The store against a real Cassandra, each test in a keyspace of its own. What `vitals init` makes, and what is said where
//! it is missing, is tested with the program: in services.rs.
//!
//! `VITALS_STORE` gives the address: `cassandra://HOST:PORT[,…]/KEYSPACE`; the keyspace in it is not touched.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic is how a test fails"
)]
#![allow(clippy::disallowed_methods, reason = "the test runner gives the server's address by the environment")]

#[path = "../stores/contract.rs"]
mod contract;
#[allow(dead_code, reason = "campaigns use the rest of it")]
#[path = "../../src/link.rs"]
mod link;
#[path = "../stores/migrations.rs"]
mod migrations;
#[path = "../stores/rows.rs"]
mod rows;
mod scene;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use cdrs_tokio::types::ByIndex;
use tokio::net::TcpListener;
use vitals::advice::{Advice, Code};
use vitals::pipeline::store::{Batch, Store, WriteError};
use vitals::reading::Signs;
use vitals::store::cassandra::{CassandraStore, Replication};
use vitals::store::{AnyStore, Consistency, Order, Selection, StoredReading};

use contract::{keeps_the_contract, of};
use link::{Link, Trouble};
use migrations::{Place, for_place, migrates};
use rows::{at, batch, heart_rate, reading};
use scene::{Scene, nodes};

keeps_the_contract!(with_store);
migrates!(with_place);

async fn with_store(check: impl AsyncFnOnce(&AnyStore)) {
    let scene = Scene::with_tables().await;
    check(&AnyStore::Cassandra(scene.store().await)).await;
    scene.end().await;
}

async fn with_place(check: impl AsyncFnOnce(&Scene)) {
    let scene = Scene::new().await;
    check(&scene).await;
    scene.end().await;
}

impl Place for Scene {
    async fn store(&self) -> AnyStore {
        AnyStore::Cassandra(self.store().await)
    }

    async fn run(&self, statement: &str) {
        self.cql(&for_place(statement, "KS.")).await;
    }

    async fn texts(&self, query: &str) -> Vec<Option<String>> {
        let rows = self.cql(&for_place(query, "KS.")).await;
        let mut texts: Vec<_> = rows.iter().map(|row| row.by_index(0).unwrap()).collect();
        texts.sort();
        texts
    }
}

async fn read(store: CassandraStore, selection: &Selection, limit: u32) -> Vec<StoredReading> {
    contract::read(&AnyStore::Cassandra(store), selection, limit).await
}

/// A store that reaches the server through a link.
async fn through_link(scene: &Scene) -> (Link, CassandraStore) {
    let link = Link::start(0, &nodes()[0]).unwrap();
    let node = link.address().to_string();
    let store = CassandraStore::connect(vec![node], scene.keyspace(), Consistency::default()).await;
    (link, store.unwrap())
}

/// Writes as the pipeline does: again until it is stored.
async fn write_until_stored(store: &CassandraStore, batch: &Batch) {
    let end = Instant::now() + Duration::from_secs(30);
    while let Err(error) = store.write(batch).await {
        assert!(matches!(error, WriteError::Later(_)), "{error}");
        assert!(Instant::now() < end, "{error}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn several_init_at_once_make_every_part_once() {
    let scene = Scene::new().await;
    let stores = futures::future::join_all((0..4).map(|_| scene.store())).await;
    let replication = Replication::default();
    let runs = futures::future::join_all(stores.iter().map(|store| store.init(&replication))).await;
    let mut made = BTreeMap::new();
    for step in runs.into_iter().flat_map(Result::unwrap) {
        *made.entry(step.what).or_insert(0) += u32::from(step.made);
    }
    assert_eq!(made.len(), 4);
    assert!(made.values().all(|times| *times == 1), "{made:?}");
    scene.end().await;
}

#[tokio::test]
async fn a_keyspace_can_be_replicated_per_data_centre() {
    let scene = Scene::new().await;
    let store = scene.store().await;
    let error = store.init(&"nowhere:1".parse().unwrap()).await.unwrap_err();
    assert!(error.to_string().contains("nowhere"), "{error}");
    assert_eq!(error.code(), Code::Usage);

    let here: String = scene.cql("SELECT data_center FROM system.local").await.first().unwrap().r_by_index(0).unwrap();
    store.init(&format!("{here}:1").parse().unwrap()).await.unwrap();
    let rows = scene.cql("SELECT toJson(replication) FROM system_schema.keyspaces WHERE keyspace_name = 'KS'").await;
    let replication: String = rows.first().unwrap().r_by_index(0).unwrap();
    assert!(replication.contains("NetworkTopologyStrategy") && replication.contains(&here), "{replication}");
    scene.end().await;
}

#[tokio::test]
async fn init_makes_a_table_again_that_was_dropped() {
    let scene = Scene::with_tables().await;
    scene.cql("DROP TABLE KS.patient_alerts").await;
    let steps = scene.store().await.init(&Replication::default()).await.unwrap();
    let made: Vec<_> = steps.iter().filter(|step| step.made).map(|step| step.what.clone()).collect();
    assert_eq!(made, [format!("table {}.patient_alerts", scene.name)]);
    scene.end().await;
}

#[tokio::test]
async fn a_table_of_another_shape_is_refused_by_its_column() {
    let scene = Scene::new().await;
    scene.cql("CREATE KEYSPACE KS WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}").await;
    scene.cql("CREATE TABLE KS.patient_vitals (patient_id TEXT, timestamp TIMESTAMP, PRIMARY KEY (patient_id, timestamp))").await;
    let store = scene.store().await;
    for error in [store.init(&Replication::default()).await.unwrap_err(), store.prepare().await.unwrap_err()] {
        assert!(error.to_string().contains("column `timestamp` is TIMESTAMP where TEXT is needed"), "{error}");
        assert_eq!(error.code(), Code::Usage);
    }
    let tables = scene.count("SELECT COUNT(*) FROM system_schema.tables WHERE keyspace_name = 'KS'").await;
    assert_eq!(tables, 1, "nothing is made beside a table that cannot be used");
    scene.end().await;
}

#[tokio::test]
async fn an_alert_written_twice_is_one_and_keeps_what_was_added_since() {
    let scene = Scene::with_tables().await;
    let store = scene.store().await;
    let critical = batch(vec![reading("P001", 0, Signs { spo2: Some(85), ..heart_rate(130) })]);
    assert_eq!(critical.alerts.len(), 2);
    store.write(&critical).await.unwrap();
    scene
        .cql(
            "UPDATE KS.patient_alerts SET acknowledged_by = 'nurse', peak = 140.0 WHERE patient_id = 'P001' \
             AND onset = '2025-10-26T00:00:00+00:00' AND rule = 'heart_rate_high'",
        )
        .await;
    store.write(&critical).await.unwrap();

    let alerts = store.alerts("P001", 10).await.unwrap();
    let seen: Vec<_> =
        alerts.iter().map(|alert| (alert.rule.as_str(), alert.priority.as_deref(), alert.value, alert.limit)).collect();
    assert_eq!(
        seen,
        [
            ("heart_rate_high", Some("medium"), Some(130.0), Some(110.0)),
            ("spo2_low", Some("high"), Some(85.0), Some(92.0))
        ]
    );
    let kept = scene
        .count("SELECT COUNT(*) FROM KS.patient_alerts WHERE acknowledged_by = 'nurse' AND peak = 140 ALLOW FILTERING");
    assert_eq!(kept.await, 1);
    scene.end().await;
}

#[tokio::test]
async fn a_row_of_another_program_comes_back_as_it_is() {
    let scene = Scene::with_tables().await;
    scene.cql("INSERT INTO KS.patient_vitals (patient_id, timestamp, spo2) VALUES ('P 9', 'yesterday', 97)").await;
    let stored = read(scene.store().await, &Selection::Any, 5).await;
    let signs = Signs { spo2: Some(97), ..Signs::default() };
    assert_eq!(stored, [StoredReading { patient_id: "P 9".to_owned(), timestamp: "yesterday".to_owned(), signs }]);
    scene.end().await;
}

#[tokio::test]
async fn a_table_that_is_dropped_and_made_again_under_a_prepared_statement_takes_rows_again() {
    let scene = Scene::with_tables().await;
    let store = scene.store().await;
    let (one, many) = (
        batch(vec![reading("P001", 0, heart_rate(60))]),
        batch(vec![reading("P001", 1, heart_rate(61)), reading("P001", 2, heart_rate(62))]),
    );
    for rows in [&one, &many] {
        store.write(rows).await.unwrap();
        scene.cql("DROP TABLE KS.patient_vitals").await;
        let error = store.write(rows).await.unwrap_err();
        assert!(matches!(&error, WriteError::Later(reason) if reason.contains("patient_vitals")), "{error}");
        store.init(&Replication::default()).await.unwrap();
        write_until_stored(&store, rows).await;
        assert_eq!(read(scene.store().await, &Selection::Any, 10).await.len(), rows.readings.len());
        scene.cql("TRUNCATE KS.patient_vitals").await;
    }
    scene.end().await;
}

#[tokio::test]
async fn a_consistency_that_cannot_be_had_is_tried_again_later() {
    let scene = Scene::with_tables().await;
    let rows = batch(vec![reading("P001", 0, heart_rate(60))]);
    let store = CassandraStore::connect(nodes(), scene.keyspace(), Consistency::Three).await.unwrap();
    let error = store.write(&rows).await.unwrap_err();
    assert!(matches!(&error, WriteError::Later(reason) if reason.contains("THREE")), "{error}");
    scene.end().await;
}

#[tokio::test]
async fn a_silent_server_is_told_within_five_seconds() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let node = listener.local_addr().unwrap().to_string();
    let start = Instant::now();
    let error = CassandraStore::connect(vec![node], "hospital".parse().unwrap(), Consistency::default()).await;
    assert!(start.elapsed() < Duration::from_secs(5));
    assert_eq!(error.map(drop).unwrap_err().code(), Code::Unreachable);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_cut_are_made_anew_and_nothing_is_lost() {
    let scene = Scene::with_tables().await;
    let (link, store) = through_link(&scene).await;
    for second in 0..40 {
        if second % 10 == 5 {
            // Those that are made afterwards are as ever.
            link.set(Some(Trouble::Down));
            link.set(None);
        }
        write_until_stored(&store, &batch(vec![reading("P001", second, heart_rate(60))])).await;
    }
    assert_eq!(scene.count("SELECT COUNT(*) FROM KS.patient_vitals").await, 40);
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_without_an_answer_ends_at_its_limit_and_the_next_one_has_a_new_session() {
    let scene = Scene::with_tables().await;
    let (link, store) = through_link(&scene).await;
    let row = |second| batch(vec![reading("P001", second, heart_rate(60))]);
    store.write(&row(0)).await.unwrap();
    let connections = link.made();
    link.set(Some(Trouble::Silence));
    let start = Instant::now();
    let lost = futures::future::join_all((1..20).map(|second| {
        let (store, row) = (&store, row(second));
        async move { store.write(&row).await }
    }))
    .await;
    assert!(lost.iter().all(|outcome| matches!(outcome, Err(WriteError::Later(_)))), "{lost:?}");
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    link.set(None);
    assert_eq!(link.made(), connections);
    store.write(&row(100)).await.unwrap();
    assert!(link.made() > connections, "a late answer on the old session could be taken for another one's");
    assert_eq!(
        read(scene.store().await, &of("P001", Order::NewestFirst), 1).await.first().unwrap().timestamp,
        at(100).to_string()
    );
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_dropped_leaves_no_connection_open() {
    let scene = Scene::with_tables().await;
    let (link, store) = through_link(&scene).await;
    store.write(&batch(vec![reading("P001", 0, heart_rate(60))])).await.unwrap();
    assert!(link.open() >= 2, "the link carries a connection for control and one for requests");
    drop(store);
    let end = Instant::now() + Duration::from_secs(10);
    while link.open() > 0 {
        assert!(Instant::now() < end, "{} connections are still open", link.open());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    scene.end().await;
}
