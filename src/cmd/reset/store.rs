//! The stored readings and alerts, before they go.

use color_eyre::eyre::Result;

use crate::app;
use crate::cmd::common::progress_line::ProgressLine;
use crate::output::{Output, counted};
use crate::settings::Settings;
use crate::store::StoreAddress;
use crate::store::cassandra::CassandraError;
use crate::store::sqlite::SqliteError;
use crate::store::{AnyStore, SchemaPart, SchemaState, StoreError, Width};

/// What goes with the store.
pub(super) struct StoreLoss {
    store: AnyStore,
    /// What holds the tables: `keyspace hospital`, `file vitals.db`.
    place: String,
    /// `None` where there is no table of readings.
    rows: Option<u64>,
    /// Whether one of our tables is there.
    is_there: bool,
}

impl StoreLoss {
    pub(super) async fn look(settings: &Settings, output: &Output) -> Result<Self> {
        let store = app::open_store(settings).await?;
        store.refuse_newer().await?;
        let rows = match count(&store, output).await {
            Ok(rows) => Some(rows),
            Err(error) if is_missing(&error) => None,
            Err(error) => return Err(error.into()),
        };
        let is_there = match store.schema().await {
            Ok(parts) => parts.iter().any(is_ours),
            Err(error) if is_missing(&error) => false,
            Err(error) => return Err(error.into()),
        };
        let place = match &settings.store {
            StoreAddress::Cassandra { keyspace, .. } => format!("keyspace {keyspace}"),
            StoreAddress::Sqlite { path } => format!("file {}", path.display()),
        };
        Ok(Self { store, place, rows, is_there })
    }

    pub(super) fn line(&self) -> Option<String> {
        let rows =
            self.rows.map_or_else(|| "no readings".to_owned(), |rows| counted(rows, "reading") + ", and all alerts");
        self.is_there.then(|| format!("{}: {rows}", self.place))
    }

    pub(super) async fn delete(self, output: &Output) -> Result<()> {
        if !self.is_there {
            return Ok(());
        }
        for part in self.store.clear().await? {
            output.line(format_args!("{part}: deleted"))?;
        }
        Ok(())
    }
}

async fn count(store: &AnyStore, output: &Output) -> Result<u64, StoreError> {
    let mut progress = output.progress(None);
    let mut pace = ProgressLine::new();
    let mut scan = store.scan(Width::Keys).await?;
    while let Some(page) = scan.next_page().await? {
        pace.add(u64::try_from(page.len()).unwrap_or(u64::MAX), "counting", &mut progress);
    }
    Ok(pace.rows())
}

/// A keyspace alone is nothing that goes.
fn is_ours(part: &SchemaPart) -> bool {
    part.what.starts_with("table ") && matches!(part.state, SchemaState::AsMade | SchemaState::Differs)
}

fn is_missing(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::Cassandra(CassandraError::NoKeyspace(_) | CassandraError::NoTable(_))
            | StoreError::Sqlite(SqliteError::NoFile(_) | SqliteError::NoTable { .. })
    )
}
