//! The bug: a restart of the store goes unnoticed, so that what it has forgotten is not written again.

use vitals::pipeline::store::{Batch, BatchLimits, Epoch, Store, WriteError};

/// A store that is for ever in its first life.
pub(crate) struct NoRewind<'a, T> {
    inner: &'a T,
    first: Epoch,
}

impl<'a, T: Store> NoRewind<'a, T> {
    /// Around a real store, in whose life `first` the first reading is written.
    pub(crate) fn over(inner: &'a T, first: Epoch) -> Self {
        Self { inner, first }
    }
}

impl<T: Store> Store for NoRewind<'_, T> {
    fn batch_limits(&self) -> BatchLimits {
        self.inner.batch_limits()
    }

    async fn write(&self, batch: &Batch) -> Result<(), WriteError> {
        self.inner.write(batch).await
    }

    async fn epoch(&self) -> Result<Epoch, WriteError> {
        // While it is away it does not answer here either.
        self.inner.epoch().await?;
        Ok(self.first.clone())
    }
}
