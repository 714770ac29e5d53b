//! The store that the settings name, whichever it is, and what can go wrong with it.
//!
//! What a third store needs: a variant here, with all that is matched below; the pipeline's port
//! ([`Store`], in `pipeline/store.rs`); an address in `store/address.rs`; its shape in `store/tables.rs` and its steps in
//! `store/migrations.rs` and `migrations/`; variants in `store/survey.rs`; and what `diagnose/store.rs`, `cmd/doctor`,
//! `cmd/status` and `cmd/reset` say of it. `xtask/tests/stores/contract.rs` then holds it to what the others keep.

mod journals;

use std::sync::Arc;
use std::time::Duration;

use futures::future::try_join_all;

use super::cassandra::{self, CassandraError, CassandraStore, NodeAccess, Replication};
use super::journal::Journal;
use super::sqlite::{self, SqliteError, SqliteStore};
use super::stored_alarm::KNOWN_ALARMS;
use super::{
    Acknowledged, ActiveAlarms, AlarmId, Consistency, Kept, Largest, Order, SchemaPart, SchemaStep, SchemaVersion,
    Selection, Stock, StoredAlarm, StoredReading, Survey, Width,
};
use crate::advice::{Advice, Code};
use crate::alarm::KnownAlarm;
use crate::pipeline::store::{Batch, BatchLimits, Entry, NodeGeneration, RequiredDelay, Store, WriteError, Written};
use crate::reading::{PatientId, Signs, Timestamp};
use crate::secret::NoPassword;
use crate::store::StoreAddress;
use crate::tls::TlsError;

/// So many patients are asked for at the same time.
const PATIENTS_AT_ONCE: usize = 16;

/// Connects to the store at `address`. Neither the keyspace nor the file need exist yet.
pub async fn open(
    address: &StoreAddress,
    access: NodeAccess,
    consistency: Consistency,
) -> Result<AnyStore, StoreError> {
    match address {
        StoreAddress::Cassandra { nodes, keyspace } => {
            let store = CassandraStore::connect(nodes, access, keyspace.parse()?, consistency).await?;
            Ok(AnyStore::Cassandra(store))
        }
        StoreAddress::Sqlite { path } => Ok(AnyStore::Sqlite(SqliteStore::at(path.clone())?)),
    }
}

/// One of the stores.
#[derive(Debug)]
pub enum AnyStore {
    /// A keyspace of a Cassandra cluster.
    Cassandra(CassandraStore),
    /// An SQLite file.
    Sqlite(SqliteStore),
}

impl AnyStore {
    /// Makes what is missing of the schema, and tells each part in order. `replication` is for a keyspace that is made
    /// now; a file has one copy.
    ///
    /// # Errors
    /// What is there cannot hold our rows, or the store refuses. [`StoreError::OneCopy`] where a file was to have more
    /// copies than one.
    pub async fn init(&self, replication: &Replication) -> Result<Vec<SchemaStep>, StoreError> {
        match self {
            Self::Cassandra(store) => Ok(store.init(replication).await?),
            Self::Sqlite(_) if *replication != Replication::default() => Err(StoreError::OneCopy),
            Self::Sqlite(store) => Ok(store.init().await?),
        }
    }

    /// Makes sure that readings can be stored, and tells each part that was made for it.
    pub async fn prepare(&self) -> Result<Vec<SchemaStep>, StoreError> {
        match self {
            Self::Cassandra(store) => Ok(store.prepare().await?),
            Self::Sqlite(store) => Ok(store.prepare().await?),
        }
    }

    /// How long what was acknowledged may be forgotten, and why.
    pub async fn durability_delay(&self) -> Result<RequiredDelay, StoreError> {
        match self {
            Self::Cassandra(store) => Ok(store.durability_delay().await?),
            Self::Sqlite(_) => {
                Ok(RequiredDelay { time: Duration::ZERO, why: "stored rows are on the disk".to_owned() })
            }
        }
    }

    /// Looks at what is there: the nodes or the file, and the tables. Changes nothing.
    pub(crate) async fn survey(&self) -> Result<Survey, StoreError> {
        match self {
            Self::Cassandra(store) => Ok(Survey::Cassandra(store.survey().await?)),
            Self::Sqlite(store) => Ok(Survey::Sqlite(store.survey().await?)),
        }
    }

    /// The version of the schema. A newer one than is known here is refused by all that writes.
    pub async fn version(&self) -> Result<SchemaVersion, StoreError> {
        match self {
            Self::Cassandra(store) => Ok(store.version().await?),
            Self::Sqlite(store) => Ok(store.version().await?),
        }
    }

    /// Makes sure that no newer `vitals` has made the tables, as all that writes or removes does by itself.
    pub async fn refuse_newer(&self) -> Result<(), StoreError> {
        match self {
            Self::Cassandra(store) => Ok(store.refuse_newer().await?),
            Self::Sqlite(store) => Ok(store.refuse_newer().await?),
        }
    }

    /// Everyone who has readings, each once, in no order that means anything.
    pub async fn patients(&self) -> Result<Vec<String>, StoreError> {
        match self {
            Self::Cassandra(store) => Ok(store.patients().await?),
            Self::Sqlite(store) => Ok(store.patients().await?),
        }
    }

    /// The readings of `selection`, at most `limit` of them.
    pub fn readings(&self, selection: &Selection, limit: u32) -> Readings<'_> {
        match self {
            Self::Cassandra(store) => Readings::Cassandra(store.readings(selection, limit)),
            Self::Sqlite(store) => Readings::Sqlite(store.readings(selection, limit)),
        }
    }

    /// The same, where other readings were read `before`: what is open for them goes on being used.
    pub fn readings_after<'a>(
        &'a self,
        before: Option<Readings<'a>>,
        selection: &Selection,
        limit: u32,
    ) -> Readings<'a> {
        match before {
            Some(Readings::Sqlite(before)) => Readings::Sqlite(before.again(selection, limit)),
            _ => self.readings(selection, limit),
        }
    }

    /// How many patients are best read at the same time: an SQLite file over one connection, one after the other.
    pub(crate) fn readers(&self) -> usize {
        match self {
            Self::Cassandra(_) => PATIENTS_AT_ONCE,
            Self::Sqlite(_) => 1,
        }
    }

    /// Begins to read the whole table, in an order that is the same for the same rows: as the store keeps them.
    pub async fn scan(&self, width: Width) -> Result<Readings<'_>, StoreError> {
        match self {
            Self::Cassandra(store) => Ok(Readings::CassandraTable(store.scan(width).await?)),
            // The key and the values lie together, so to leave some out saves nothing.
            Self::Sqlite(store) => Ok(Readings::Sqlite(store.scan())),
        }
    }

    /// Writes rows back as they once came out: their texts and values are taken as they are, also those that no
    /// reading would have. A column without a value leaves an earlier one alone. No two of the rows may have the same
    /// key; rows of one patient together cost the least.
    ///
    /// # Errors
    /// As of a batch. Rows whose time is older than what is kept are counted, and not written.
    pub async fn restore(&self, rows: &[StoredReading]) -> Result<Written, WriteError> {
        match self {
            Self::Cassandra(store) => store.restore(rows).await,
            Self::Sqlite(store) => store.restore(rows).await,
        }
    }

    /// The schema as it is, and where it differs from what [`AnyStore::init`] makes.
    pub async fn schema(&self) -> Result<Vec<SchemaPart>, StoreError> {
        match self {
            Self::Cassandra(store) => Ok(store.schema().await?),
            Self::Sqlite(store) => Ok(store.schema().await?),
        }
    }

    /// The names of columns of the table that are not ours.
    pub async fn extra_columns(&self) -> Result<Vec<String>, StoreError> {
        match self {
            Self::Cassandra(store) => Ok(store.extra_columns().await?),
            Self::Sqlite(store) => Ok(store.extra_columns().await?),
        }
    }

    /// The last alarms of each of these patients, at most `limit` of one, each one's newest first.
    pub async fn alarms_of(&self, patients: &[&str], limit: u16) -> Result<Vec<StoredAlarm>, StoreError> {
        match self {
            Self::Cassandra(store) => Ok(store.alarms_of(patients, limit).await?),
            Self::Sqlite(store) => Ok(store.alarms_of(patients, limit).await?),
        }
    }

    /// The alarms of this patient that were raised and have not ended, the newest first, however many newer ones there
    /// are.
    pub async fn open_alarms(&self, patient: &str) -> Result<Vec<StoredAlarm>, StoreError> {
        match self {
            Self::Cassandra(store) => Ok(store.open_alarms(patient).await?),
            Self::Sqlite(store) => Ok(store.open_alarms(patient).await?),
        }
    }

    /// What the tables hold, and how many of their rows would not be kept so, as far as moments tell. `now` is in
    /// microseconds since 1970.
    pub(crate) async fn stock(&self, kept: Kept, now: i64) -> Result<Stock, StoreError> {
        match self {
            Self::Cassandra(store) => Ok(store.stock(kept, now).await?),
            Self::Sqlite(store) => Ok(store.stock(kept, now).await?),
        }
    }

    /// The patients with the most readings, as far as moments tell.
    pub(crate) async fn largest(&self) -> Result<Largest, StoreError> {
        match self {
            Self::Cassandra(store) => Ok(store.largest().await?),
            Self::Sqlite(store) => Ok(store.largest().await?),
        }
    }

    /// All patients that have rows in `patient_alerts`, in no order that means anything.
    pub async fn alarm_patients(&self) -> Result<Vec<String>, StoreError> {
        match self {
            Self::Cassandra(store) => Ok(store.alarm_patients().await?),
            Self::Sqlite(store) => Ok(store.alarm_patients().await?),
        }
    }

    /// How many alarms are on; `None` where there are too many rows to look through for that.
    pub async fn active_alarms(&self) -> Result<Option<ActiveAlarms>, StoreError> {
        match self {
            Self::Cassandra(store) => Ok(store.active_alarms().await?),
            Self::Sqlite(store) => Ok(Some(store.active_alarms().await?)),
        }
    }

    /// The alarm of this id.
    pub async fn alarm(&self, id: &AlarmId) -> Result<Option<StoredAlarm>, StoreError> {
        match self {
            Self::Cassandra(store) => Ok(store.alarm(id).await?),
            Self::Sqlite(store) => Ok(store.alarm(id).await?),
        }
    }

    /// Notes who has acknowledged an alarm, and when; one whose value is back has ended by that. Nothing else of its row
    /// changes, and no other row. Of several that do it at the same time one is the first, and the others are told so.
    pub async fn acknowledge(&self, id: &AlarmId, by: &str, at: Timestamp) -> Result<Acknowledged, StoreError> {
        match self {
            Self::Cassandra(store) => Ok(store.acknowledge(id, by, at).await?),
            Self::Sqlite(store) => Ok(store.acknowledge(id, by, at).await?),
        }
    }

    /// The newest reading of each of these patients that was before `until`; a patient without one is left out.
    pub async fn newest_readings(&self, patients: &[&str], until: Timestamp) -> Result<Vec<StoredReading>, StoreError> {
        let newest =
            async |patient: &&str| self.readings(&Selection::newest_before(patient, until), 1).next_page().await;
        let mut found = Vec::new();
        for patients in patients.chunks(PATIENTS_AT_ONCE) {
            found.extend(try_join_all(patients.iter().map(newest)).await?.into_iter().flatten().flatten());
        }
        Ok(found)
    }

    /// Removes our tables, and a file with them if nothing else is in it. A keyspace stays, with the number of its
    /// copies. Tells each part that went.
    pub async fn clear(self) -> Result<Vec<String>, StoreError> {
        match self {
            Self::Cassandra(store) => Ok(store.drop_tables().await?),
            Self::Sqlite(store) => Ok(store.clear().await?),
        }
    }

    /// Removes the keyspace or the file with everything in it: for one that was made for a while.
    pub async fn remove(self) -> Result<(), StoreError> {
        match self {
            Self::Cassandra(store) => Ok(store.drop_keyspace().await?),
            Self::Sqlite(store) => Ok(store.remove()?),
        }
    }
}

impl Store for AnyStore {
    fn batch_limits(&self) -> BatchLimits {
        match self {
            Self::Cassandra(store) => store.batch_limits(),
            Self::Sqlite(_) => SqliteStore::batch_limits(),
        }
    }

    async fn node_generation(&self) -> Result<NodeGeneration, WriteError> {
        match self {
            Self::Cassandra(store) => Ok(store.read_node_generation().await?),
            // What is acknowledged is on the disk: a restart can have forgotten nothing.
            Self::Sqlite(_) => Ok(NodeGeneration::default()),
        }
    }

    async fn alarms(&self, patients: &[PatientId]) -> Result<Vec<KnownAlarm>, WriteError> {
        let ids: Vec<_> = patients.iter().map(PatientId::as_str).collect();
        let mut alarms = self.alarms_of(&ids, KNOWN_ALARMS).await?;
        for id in ids {
            // So many are newer than one that may still be on.
            if StoredAlarm::are_not_all(&alarms, id) {
                alarms.extend(self.open_alarms(id).await?);
            }
        }
        Ok(StoredAlarm::all_known(&alarms))
    }

    async fn newest(
        &self,
        patients: &[PatientId],
        until: Timestamp,
    ) -> Result<Vec<(PatientId, Timestamp)>, WriteError> {
        let mut newest = Vec::new();
        for patient in patients {
            let page = self.readings(&Selection::newest_before(patient.as_str(), until), 1).next_page().await?;
            newest.extend(page.into_iter().flatten().filter_map(|reading| reading.patient_and_time()));
        }
        Ok(newest)
    }

    async fn measured(
        &self,
        patient: &PatientId,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<(Timestamp, Signs)>, WriteError> {
        let selection = Selection::Patient {
            id: patient.as_str().to_owned(),
            since: Some(since),
            until: Some(until),
            order: Order::OldestFirst,
        };
        let (mut readings, mut measured) = (self.readings(&selection, u32::MAX), Vec::new());
        while let Some(page) = readings.next_page().await? {
            measured.extend(page.iter().filter_map(StoredReading::moment));
        }
        // Another program's text may stand where its time does not.
        measured.sort_by_key(|(time, _)| *time);
        measured.retain(|(time, _)| (since..until).contains(time));
        Ok(measured)
    }

    async fn known_patients(&self) -> Result<Vec<PatientId>, WriteError> {
        let patients = self.patients().await?;
        Ok(patients.iter().filter_map(|patient| PatientId::parse(patient).ok()).collect())
    }

    async fn admissions(&self, behind: i32) -> Result<Vec<Entry>, WriteError> {
        Ok(self.entries_with_gaps(Journal::Patients, behind).await?)
    }

    async fn rules(&self) -> Result<Option<Entry>, WriteError> {
        Ok(self.newest_entries(Journal::Rules, 1).await?.pop())
    }

    async fn write(&self, batch: &Batch) -> Result<Written, WriteError> {
        match self {
            Self::Cassandra(store) => store.write(batch).await,
            Self::Sqlite(store) => store.write(batch).await,
        }
    }
}

/// Readings on their way out of a store, page by page.
#[derive(Debug)]
pub enum Readings<'store> {
    /// Some out of Cassandra.
    Cassandra(cassandra::read::Readings<'store>),
    /// The whole table out of Cassandra.
    CassandraTable(cassandra::scan::Scan),
    /// Out of SQLite.
    Sqlite(sqlite::read::Readings<'store>),
}

impl Readings<'_> {
    /// The next page: up to a few thousand readings, or `None` when there are no more. A page of the whole table may be
    /// empty. After an error it can be asked for again, but not where the whole table is read from Cassandra.
    pub async fn next_page(&mut self) -> Result<Option<Vec<StoredReading>>, StoreError> {
        match self {
            Self::Cassandra(readings) => Ok(readings.next_page().await?),
            Self::CassandraTable(scan) => Ok(scan.next_page().await?),
            Self::Sqlite(readings) => Ok(readings.next_page().await?),
        }
    }
}

/// What went wrong with a store. No text of it holds patient data.
#[derive(Debug, Clone, thiserror::Error)]
#[allow(missing_docs, reason = "each has its text")]
pub enum StoreError {
    /// The files that the settings name cannot be used.
    #[error(transparent)]
    Files(Arc<TlsError>),
    /// There is no password for the role.
    #[error(transparent)]
    NoPassword(#[from] NoPassword),
    #[error(transparent)]
    Cassandra(#[from] CassandraError),
    #[error(transparent)]
    Sqlite(#[from] SqliteError),
    /// A journal has later entries, and not this one.
    #[error("the entry {version} of {table} is missing, and there are later ones")]
    Gap { table: &'static str, version: i32 },
    /// Minutes could not be made.
    #[error("{0}")]
    Minutes(String),
    #[error("an SQLite file keeps one copy of every row, not as many as --keyspace-replication says")]
    OneCopy,
}

impl From<TlsError> for StoreError {
    fn from(error: TlsError) -> Self {
        Self::Files(Arc::new(error))
    }
}

impl From<StoreError> for WriteError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Cassandra(error) => error.into(),
            StoreError::Sqlite(error) => error.into(),
            StoreError::Minutes(reason) => Self::Later(reason),
            StoreError::OneCopy | StoreError::Files(_) | StoreError::NoPassword(_) | StoreError::Gap { .. } => {
                Self::Later(error.to_string())
            }
        }
    }
}

impl StoreError {
    /// Whether waiting may mend it: the store is starting, away, or busy.
    pub fn is_away(&self) -> bool {
        match self {
            Self::Cassandra(error) => error.is_away(),
            Self::Sqlite(error) => matches!(error, SqliteError::Busy(..)),
            // The replica that has it may be asked next.
            Self::Gap { .. } => true,
            Self::OneCopy | Self::Files(_) | Self::NoPassword(_) | Self::Minutes(_) => false,
        }
    }
}

impl Advice for StoreError {
    fn code(&self) -> Code {
        match self {
            Self::Cassandra(error) => error.code(),
            Self::Sqlite(error) => error.code(),
            Self::Gap { .. } | Self::Minutes(_) => Code::Unreachable,
            Self::OneCopy | Self::Files(_) | Self::NoPassword(_) => Code::Usage,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Cassandra(error) => error.hint(),
            Self::Sqlite(error) => error.hint(),
            Self::Files(error) => error.hint("store"),
            Self::NoPassword(error) => Some(error.hint()),
            Self::Gap { .. } => Some(
                "a replica lags behind, or a row was deleted: try again, with --consistency QUORUM where that is less; then \
                 repair the table, or write a row of that version back"
                    .to_owned(),
            ),
            Self::Minutes(_) => Some("begin it again when the store is back: that is safe".to_owned()),
            Self::OneCopy => Some("leave --keyspace-replication out: only Cassandra keeps copies".to_owned()),
        }
    }
}
