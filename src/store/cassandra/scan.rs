//! The whole table, row by row.
//!
//! Each row lies where the token of its patient is on the ring. The ring is cut into slices; a few of them are read at
//! the same time, page by page, each by short requests that no large table can bring to a time-out, and a request that
//! fails is made again. What comes out is in the order of the ring, always: patients by token, each one's rows as the
//! table keeps them. So the same rows come in the same order every time.

use std::collections::VecDeque;
use std::sync::Arc;

use cdrs_tokio::types::prelude::Row;
use cdrs_tokio::types::value::Value;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::CassandraStore;
use super::error::{CassandraError, Doing};
use super::read::{Columns, stored_reading};
use super::schema::LOOK_LIMIT;
use crate::reading::Signs;
use crate::store::{StoredReading, Width};

/// Into how many slices the ring is cut: enough for several to be read at once on a small cluster, few enough that an
/// empty table is read at once.
const SLICES: i64 = 64;

/// How many slices are read at the same time.
const SLICES_AT_ONCE: usize = 8;

/// How many pages of a slice wait to be taken, one of them outside of the channel. With the two limits around it this
/// bounds the memory of a scan: about 10 MiB.
const PAGES_AHEAD: usize = 3;

const PAGE_ROWS: i32 = 2000;

/// The partitioner whose tokens are whole numbers of 64 bits.
const MURMUR3: &str = "org.apache.cassandra.dht.Murmur3Partitioner";

impl CassandraStore {
    /// Begins to read the whole table.
    ///
    /// # Errors
    /// [`CassandraError::NoKeyspace`], [`CassandraError::NoTable`] or [`CassandraError::Shape`] where there is nothing
    /// to read from; else why the server did not answer.
    pub async fn scan(&self, width: Width) -> Result<Scan, CassandraError> {
        let columns = match (self.reading_columns().await?, width) {
            (_, Width::Keys) => "patient_id, timestamp".into(),
            (columns, Width::Rows) => columns.into(),
        };
        let slices = if self.partitioner().await? == MURMUR3 { slices().map(Some).collect() } else { [None].into() };
        Ok(Scan { store: self.clone(), width, columns, slices, begun: VecDeque::new(), tasks: JoinSet::new() })
    }

    async fn partitioner(&self) -> Result<String, CassandraError> {
        let cql = "SELECT partitioner FROM system.local";
        let rows = self.look(Doing::ReadSchema, LOOK_LIMIT, cql, Vec::new()).await?;
        rows.first().map_or_else(|| Ok(String::new()), |row| Columns::of(row, Doing::ReadSchema).need(0))
    }

    /// Reads a slice, as far ahead as `pages` goes.
    async fn read_slice(
        self,
        slice: Option<Slice>,
        width: Width,
        columns: Arc<str>,
        pages: mpsc::Sender<Result<Option<Vec<StoredReading>>, CassandraError>>,
    ) {
        let decode = match width {
            Width::Keys => stored_key,
            Width::Rows => stored_reading,
        };
        let mut cql = format!("SELECT {columns} FROM {}", self.keyspace.table("patient_vitals"));
        let mut values = Vec::new();
        if let Some(Slice { after, last }) = slice {
            cql.push_str(" WHERE token(patient_id) > ? AND token(patient_id) <= ?");
            values.extend([Value::new(after), Value::new(last)]);
        }
        let mut mark = None;
        loop {
            let page = self.page_insisted(&cql, values.clone(), PAGE_ROWS, mark).await;
            mark = page.as_ref().ok().and_then(|page| page.metadata.paging_state.clone());
            let page = page.and_then(|page| Row::from_body(page).iter().map(decode).collect::<Result<Vec<_>, _>>());
            let ends = page.is_err();
            if pages.send(page.map(Some)).await.is_err() || ends {
                return;
            }
            if mark.is_none() {
                // Who does not wait any more needs no end.
                let _ = pages.send(Ok(None)).await;
                return;
            }
        }
    }
}

fn stored_key(row: &Row) -> Result<StoredReading, CassandraError> {
    let columns = Columns::of(row, Doing::Read);
    Ok(StoredReading { patient_id: columns.need(0)?, timestamp: columns.need(1)?, signs: Signs::default() })
}

/// A part of the ring: the tokens after `after`, up to `last`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Slice {
    after: i64,
    last: i64,
}

/// The ring in equal parts, in its order. No row has the smallest token, which is kept for the ring's beginning.
fn slices() -> impl Iterator<Item = Slice> {
    let begin_of = |number: i64| {
        let past_the_first = i128::from(number) * (1_i128 << 64) / i128::from(SLICES);
        i64::try_from(i128::from(i64::MIN) + past_the_first).unwrap_or(i64::MAX)
    };
    (0..SLICES).map(move |number| Slice { after: begin_of(number), last: begin_of(number + 1) })
}

/// The whole table on its way out of the store. Requests that are under way end when this is dropped.
#[derive(Debug)]
pub struct Scan {
    store: CassandraStore,
    width: Width,
    /// What is asked for of each row.
    columns: Arc<str>,
    /// Not begun yet; `None` stands for the whole ring.
    slices: VecDeque<Option<Slice>>,
    /// Those that are read, in the order of the ring; behind the last page of each comes `None`.
    begun: VecDeque<mpsc::Receiver<Result<Option<Vec<StoredReading>>, CassandraError>>>,
    tasks: JoinSet<()>,
}

impl Scan {
    /// The next page, or `None` when there are no more. A page may be empty. After an error there is none.
    pub async fn next_page(&mut self) -> Result<Option<Vec<StoredReading>>, CassandraError> {
        loop {
            while self.begun.len() < SLICES_AT_ONCE
                && let Some(slice) = self.slices.pop_front()
            {
                let (pages, receiver) = mpsc::channel(PAGES_AHEAD - 1);
                self.tasks.spawn(self.store.clone().read_slice(slice, self.width, Arc::clone(&self.columns), pages));
                self.begun.push_back(receiver);
            }
            let Some(first) = self.begun.front_mut() else { return Ok(None) };
            match first.recv().await {
                Some(Ok(None)) => drop(self.begun.pop_front()),
                Some(page) => return page,
                None => return Err(CassandraError::Broken(Doing::Read, "the scan has ended early".to_owned())),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slices_cover_the_ring_without_a_gap() {
        let slices: Vec<_> = slices().collect();
        assert_eq!(slices.len(), usize::try_from(SLICES).unwrap());
        assert_eq!(slices.first().map(|slice| slice.after), Some(i64::MIN));
        assert_eq!(slices.last().map(|slice| slice.last), Some(i64::MAX));
        assert!(slices.windows(2).all(|pair| pair[0].last == pair[1].after));
        let width = i128::from(u64::MAX) / i128::from(SLICES);
        assert!(slices.iter().all(|slice| i128::from(slice.last) - i128::from(slice.after) >= width));
    }
}
