//! The bug: a write that failed is taken for a good one, so that its readings are committed and nowhere.

use vitals::pipeline::store::{Batch, BatchLimits, Epoch, Store, WriteError};

/// A store that hides its errors.
pub(crate) struct SkipsOnError<'a, T>(pub(crate) &'a T);

impl<T: Store> Store for SkipsOnError<'_, T> {
    fn batch_limits(&self) -> BatchLimits {
        self.0.batch_limits()
    }

    async fn write(&self, batch: &Batch) -> Result<(), WriteError> {
        let _ = self.0.write(batch).await;
        Ok(())
    }

    async fn epoch(&self) -> Result<Epoch, WriteError> {
        self.0.epoch().await
    }
}
