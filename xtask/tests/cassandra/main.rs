//! The store against a real Cassandra, each test in a keyspace of its own. What `vitals init` makes, and what is said where
//! it is missing, is tested with the program: in `services`.
//!
//! `VITALS_STORE` gives the address: `cassandra://HOST:PORT[,…]/KEYSPACE`; the keyspace in it is not touched.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests may panic")]
#![allow(clippy::disallowed_methods, reason = "the test runner gives the server's address by the environment")]

#[path = "../stores/contract.rs"]
mod contract;
mod ends;
#[allow(dead_code, reason = "campaigns use the rest of it")]
#[path = "../../src/link.rs"]
mod link;
#[path = "../stores/migrations.rs"]
mod migrations;
#[path = "../stores/rows.rs"]
mod rows;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use cdrs_tokio::cluster::session::{SessionBuilder, TcpSessionBuilder};
use cdrs_tokio::cluster::{NodeTcpConfigBuilder, TcpConnectionManager};
use cdrs_tokio::load_balancing::RoundRobinLoadBalancingStrategy;
use cdrs_tokio::transport::TransportTcp;
use cdrs_tokio::types::{ByIndex, prelude::Row};
use futures::future::join_all;
use vitals::advice::{Advice, Code};
use vitals::alarm::{Step, Steps};
use vitals::pipeline::store::{Batch, WriteError};

use vitals::store::cassandra::{CassandraStore, Keyspace, NodeAccess, Replication};
use vitals::store::{AnyStore, Consistency, Journal, Order, Selection, StoredReading};

use contract::{keeps_the_contract, of};
use link::{Link, Trouble};
use migrations::{Place, for_place, migrates};
use rows::{at, batch, heart_rate, one, reading};

keeps_the_contract!(with_store);
migrates!(with_place);

type Session = cdrs_tokio::cluster::session::Session<
    TransportTcp,
    TcpConnectionManager,
    RoundRobinLoadBalancingStrategy<TransportTcp, TcpConnectionManager>,
>;

/// The nodes that `VITALS_STORE` names.
fn nodes() -> Vec<String> {
    let address = std::env::var("VITALS_STORE").expect("VITALS_STORE is set by `cargo xtask test`");
    let nodes = address.trim_start_matches("cassandra://").split('/').next().unwrap_or_default();
    nodes.split(',').map(str::to_owned).collect()
}

/// A keyspace that goes when the test has passed, and the driver's own session to look at it from outside.
struct TestKeyspace {
    name: String,
    session: Session,
}

impl TestKeyspace {
    async fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let micros = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros();
        let name = format!("test_{micros}_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let points = nodes().into_iter().map(Into::into).collect();
        let config = NodeTcpConfigBuilder::new().with_contact_points(points).build().await.unwrap();
        let session = TcpSessionBuilder::new(RoundRobinLoadBalancingStrategy::new(), config).build().await.unwrap();
        Self { name, session }
    }

    async fn with_tables() -> Self {
        let test = Self::new().await;
        test.store().await.init(&Replication::default()).await.unwrap();
        test
    }

    fn keyspace(&self) -> Keyspace {
        self.name.parse().unwrap()
    }

    async fn store(&self) -> CassandraStore {
        CassandraStore::connect(&nodes(), NodeAccess::default(), self.keyspace(), Consistency::default()).await.unwrap()
    }

    /// What a person does with cqlsh; `KS` stands for the keyspace.
    async fn cql(&self, cql: &str) -> Vec<Row> {
        let answer = self.session.query(cql.replace("KS", &self.name)).await.unwrap();
        answer.response_body().unwrap().into_rows().unwrap_or_default()
    }

    async fn count(&self, cql: &str) -> i64 {
        self.cql(cql).await.first().unwrap().r_by_index(0).unwrap()
    }

    async fn end(self) {
        self.cql("DROP KEYSPACE IF EXISTS KS").await;
    }
}

async fn with_store(check: impl AsyncFnOnce(&AnyStore)) {
    let test = TestKeyspace::with_tables().await;
    check(&AnyStore::Cassandra(test.store().await)).await;
    test.end().await;
}

async fn with_place(check: impl AsyncFnOnce(&TestKeyspace)) {
    let test = TestKeyspace::new().await;
    check(&test).await;
    test.end().await;
}

impl Place for TestKeyspace {
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
async fn through_link(test: &TestKeyspace) -> (Link, CassandraStore) {
    let link = Link::start(0, &nodes()[0]).unwrap();
    let node = vec![link.address().to_string()];
    (
        link,
        CassandraStore::connect(&node, NodeAccess::default(), test.keyspace(), Consistency::default()).await.unwrap(),
    )
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
async fn a_keyspace_can_be_replicated_per_data_centre() {
    let test = TestKeyspace::new().await;
    let store = test.store().await;
    let error = store.init(&"nowhere:1".parse().unwrap()).await.unwrap_err();
    assert!(error.to_string().contains("nowhere"), "{error}");
    assert_eq!(error.code(), Code::Usage);

    let here: String = test.cql("SELECT data_center FROM system.local").await.first().unwrap().r_by_index(0).unwrap();
    store.init(&format!("{here}:1").parse().unwrap()).await.unwrap();
    let rows = test.cql("SELECT toJson(replication) FROM system_schema.keyspaces WHERE keyspace_name = 'KS'").await;
    let replication: String = rows.first().unwrap().r_by_index(0).unwrap();
    assert!(replication.contains("NetworkTopologyStrategy") && replication.contains(&here), "{replication}");
    test.end().await;
}

#[tokio::test]
async fn a_table_of_another_shape_is_refused_by_its_column() {
    let test = TestKeyspace::new().await;
    test.cql("CREATE KEYSPACE KS WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}").await;
    test.cql(
        "CREATE TABLE KS.patient_vitals (patient_id TEXT, timestamp TIMESTAMP, PRIMARY KEY (patient_id, timestamp))",
    )
    .await;
    let store = test.store().await;
    for error in [store.init(&Replication::default()).await.unwrap_err(), store.prepare().await.unwrap_err()] {
        assert!(error.to_string().contains("column `timestamp` is TIMESTAMP where TEXT is needed"), "{error}");
        assert_eq!(error.code(), Code::Usage);
    }
    let tables = test.count("SELECT COUNT(*) FROM system_schema.tables WHERE keyspace_name = 'KS'").await;
    assert_eq!(tables, 1, "nothing is made beside a table that cannot be used");
    test.end().await;
}

#[tokio::test]
async fn an_alarm_written_again_keeps_who_acknowledged_it_and_that_it_ended() {
    let test = TestKeyspace::with_tables().await;
    let store = test.store().await;
    let mut critical = batch(vec![reading("P001", 0, heart_rate(130))]);
    store.write(&critical).await.unwrap();
    // Raised it is once.
    critical.alarms.iter_mut().for_each(|alarm| (alarm.rules, alarm.steps) = (None, Steps::of(Step::Worse)));
    let added = "UPDATE KS.patient_alerts SET acknowledged_by = 'nurse', ended = 'b' WHERE patient_id = 'P001' \
                 AND onset = '2025-10-26T00:00:00+00:00' AND rule = 'heart_rate_high'";
    test.cql(added).await;
    store.write(&critical).await.unwrap();
    let kept = "SELECT COUNT(*) FROM KS.patient_alerts WHERE acknowledged_by = 'nurse' AND ended = 'b' AND peak = 130 AND value = 130 \
                ALLOW FILTERING";
    assert_eq!(test.count(kept).await, 1);
    test.end().await;
}

#[tokio::test]
async fn a_table_that_is_dropped_and_made_again_under_a_prepared_statement_takes_rows_again() {
    let test = TestKeyspace::with_tables().await;
    let store = test.store().await;
    let (one, many) = (one(0), batch(vec![reading("P001", 1, heart_rate(61)), reading("P001", 2, heart_rate(62))]));
    for rows in [&one, &many] {
        store.write(rows).await.unwrap();
        test.cql("DROP TABLE KS.patient_vitals").await;
        let error = store.write(rows).await.unwrap_err();
        assert!(matches!(&error, WriteError::Later(reason) if reason.contains("patient_vitals")), "{error}");
        let steps = store.init(&Replication::default()).await.unwrap();
        let made: Vec<_> = steps.into_iter().filter(|step| step.made).map(|step| step.what).collect();
        assert_eq!(made, [format!("table {}.patient_vitals", test.name)]);
        write_until_stored(&store, rows).await;
        assert_eq!(read(test.store().await, &Selection::Any, 10).await.len(), rows.readings.len());
        test.cql("TRUNCATE KS.patient_vitals").await;
    }
    test.end().await;
}

#[tokio::test]
async fn a_consistency_that_cannot_be_had_is_tried_again_later() {
    let test = TestKeyspace::with_tables().await;
    let rows = one(0);
    let store =
        CassandraStore::connect(&nodes(), NodeAccess::default(), test.keyspace(), Consistency::Three).await.unwrap();
    let error = store.write(&rows).await.unwrap_err();
    assert!(matches!(&error, WriteError::Later(reason) if reason.contains("THREE")), "{error}");
    test.end().await;
}

/// One node has them, so that nothing is read or written where three are asked for.
#[tokio::test]
async fn the_journals_are_read_as_consistently_as_readings() {
    let test = TestKeyspace::with_tables().await;
    let store =
        CassandraStore::connect(&nodes(), NodeAccess::default(), test.keyspace(), Consistency::Three).await.unwrap();
    for journal in [Journal::Rules, Journal::Patients] {
        let outcomes = [store.newest_entries(journal, 1).await, store.entries_behind(journal, 0, 10).await];
        for outcome in outcomes {
            let error = outcome.unwrap_err().to_string();
            assert!(error.contains("THREE"), "{journal:?}: {error}");
        }
    }
    test.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_cut_are_made_anew_and_nothing_is_lost() {
    let test = TestKeyspace::with_tables().await;
    let (link, store) = through_link(&test).await;
    for second in 0..40 {
        if second % 10 == 5 {
            // Those that are made afterwards are as ever.
            link.set(Some(Trouble::Down));
            link.set(None);
        }
        write_until_stored(&store, &one(second)).await;
    }
    assert_eq!(test.count("SELECT COUNT(*) FROM KS.patient_vitals").await, 40);
    test.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_without_an_answer_ends_at_its_limit_and_the_next_one_has_a_new_session() {
    let test = TestKeyspace::with_tables().await;
    let (link, store) = through_link(&test).await;
    store.write(&one(0)).await.unwrap();
    let connections = link.made();
    link.set(Some(Trouble::Silence));
    let start = Instant::now();
    let lost = join_all((1..20).map(|second| {
        let (store, row) = (&store, one(second));
        async move { store.write(&row).await }
    }))
    .await;
    assert!(lost.iter().all(|outcome| matches!(outcome, Err(WriteError::Later(_)))), "{lost:?}");
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    link.set(None);
    assert_eq!(link.made(), connections);
    store.write(&one(100)).await.unwrap();
    assert!(link.made() > connections, "a late answer on the old session could be taken for another one's");
    assert_eq!(
        read(test.store().await, &of("P001", Order::NewestFirst), 1).await.first().unwrap().timestamp,
        at(100).to_string()
    );
    test.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_dropped_leaves_no_connection_open() {
    let test = TestKeyspace::with_tables().await;
    let (link, store) = through_link(&test).await;
    store.write(&one(0)).await.unwrap();
    assert!(link.open() >= 2, "the link carries a connection for control and one for requests");
    drop(store);
    let end = Instant::now() + Duration::from_secs(10);
    while link.open() > 0 {
        assert!(Instant::now() < end, "{} connections are still open", link.open());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    test.end().await;
}
