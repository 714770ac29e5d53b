//! The rows of the table, month by month, in the order of an archive: patients by their ids, each one's rows newest first.
//!
//! Each patient's rows of a month are a range of the key, read page by page; while one page is worked on, the next is
//! read. Months without rows are not asked for.

use color_eyre::eyre::Result;
use futures::future::{join, try_join_all};

use crate::archive::month::Month;
use crate::cmd::common::pages::page_of;
use crate::reading::Timestamp;
use crate::store::{AnyStore, Order, Readings, Selection, StoreError, StoredReading};

/// The rows before a moment.
pub(super) struct Table<'store> {
    store: &'store AnyStore,
    before: Timestamp,
    /// Each patient, by the ids, with the month of the next row.
    patients: Vec<(String, Option<Month>)>,
    /// What was read last: what is open for it goes on being used.
    last: Option<Readings<'store>>,
}

impl<'store> Table<'store> {
    /// Looks who has rows, and from when on.
    pub(super) async fn look(store: &'store AnyStore, before: Timestamp) -> Result<Self, StoreError> {
        let mut ids = store.patients().await?;
        ids.sort_unstable();
        let patients = ids.into_iter().map(|id| (id, None)).collect();
        let mut table = Self { store, before, patients, last: None };
        let all: Vec<_> = (0..table.patients.len()).collect();
        table.find_next(&all, None).await?;
        Ok(table)
    }

    /// The first month that has rows.
    pub(super) fn next_month(&self) -> Option<Month> {
        self.patients.iter().filter_map(|(_, next)| *next).min()
    }

    /// Gives the rows of a month to `each`, page by page. No earlier month has rows left.
    pub(super) async fn read_month(
        &mut self,
        month: Month,
        mut each: impl FnMut(Vec<StoredReading>) -> Result<()>,
    ) -> Result<()> {
        let until = month.end().map_or(self.before, |end| end.min(self.before));
        let places = (0..).zip(&self.patients).filter(|(_, (_, next))| *next == Some(month));
        let places: Vec<usize> = places.map(|(place, _)| place).collect();
        for &place in &places {
            let Some((id, _)) = self.patients.get(place) else { continue };
            let selection = Selection::Patient {
                id: id.clone(),
                since: Some(month.start()),
                until: Some(until),
                order: Order::NewestFirst,
            };
            let mut readings = self.store.readings_after(self.last.take(), &selection, u32::MAX);
            let mut page = page_of(&mut readings).await?;
            while let Some(rows) = page {
                let (next, done) = join(page_of(&mut readings), async { each(rows) }).await;
                done?;
                page = next?;
            }
            self.last = Some(readings);
        }
        self.find_next(&places, month.end()).await?;
        Ok(())
    }

    /// Looks for the month of the first row since this moment, for the patients of these places.
    async fn find_next(&mut self, places: &[usize], since: Option<Timestamp>) -> Result<(), StoreError> {
        let is_over = since.is_some_and(|since| since >= self.before);
        for places in places.chunks(self.store.readers()) {
            let ids: Vec<_> = places.iter().filter_map(|place| self.patients.get(*place)).collect();
            let selections: Vec<_> = ids.iter().map(|(id, _)| self.oldest_of(id, since)).collect();
            let found = match selections.as_slice() {
                _ if is_over => vec![None; places.len()],
                [selection] => {
                    let mut readings = self.store.readings_after(self.last.take(), selection, 1);
                    let found = page_of(&mut readings).await?;
                    self.last = Some(readings);
                    vec![found]
                }
                selections => {
                    let oldest = selections.iter().map(async |selection| {
                        let mut readings = self.store.readings(selection, 1);
                        page_of(&mut readings).await
                    });
                    try_join_all(oldest).await?
                }
            };
            for (place, page) in places.iter().zip(found) {
                let first = page.into_iter().flatten().next();
                if let Some((_, next)) = self.patients.get_mut(*place) {
                    *next = first.and_then(|row| Month::of_text(&row.timestamp));
                }
            }
        }
        Ok(())
    }

    fn oldest_of(&self, id: &str, since: Option<Timestamp>) -> Selection {
        let since = since.or(Some(Month::FIRST.start()));
        Selection::Patient { id: id.to_owned(), since, until: Some(self.before), order: Order::OldestFirst }
    }
}
