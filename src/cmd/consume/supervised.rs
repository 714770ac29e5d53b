//! What the service manager hears of a consumer: that it has joined its group, how far it is, that its loop goes on.

use crate::output::counted;
use crate::pipeline::events::{Listener, PipelineEvent, Progress};
use crate::service_manager::ServiceManager;
use crate::shutdown::Shutdown;

/// Tells the manager what the pipeline tells. A loop that stands still tells nothing, and the manager begins it anew;
/// servers that are away do not hold the loop up.
pub(super) struct Supervised<'a> {
    manager: &'a ServiceManager,
    /// How many partitions it has; `None` while it waits for them.
    partitions: Option<usize>,
    progress: Progress,
}

impl<'a> Supervised<'a> {
    pub(super) fn by(manager: &'a ServiceManager) -> Self {
        Self { manager, partitions: None, progress: Progress::default() }
    }

    fn status(&self) -> String {
        let Some(partitions) = self.partitions else { return "waiting for partitions".to_owned() };
        let Progress { stored, refused, lag, .. } = self.progress;
        let partitions = counted(u64::try_from(partitions).unwrap_or(u64::MAX), "partition");
        format!("{partitions}, lag {lag}, {} stored, {refused} refused", counted(stored, "reading"))
    }
}

impl Listener for Supervised<'_> {
    fn hear(&mut self, event: PipelineEvent<'_>) {
        match event {
            // The store has answered before: what it is asked at the start comes first.
            PipelineEvent::Assigned(partitions) => {
                self.partitions = Some(partitions.len());
                self.manager.is_ready(&self.status());
            }
            PipelineEvent::Revoked => self.partitions = None,
            PipelineEvent::Progress(progress) => {
                self.progress = progress;
                self.manager.goes_on(|| self.status());
            }
            PipelineEvent::Stored { .. } => self.manager.goes_on(|| self.status()),
            _ => {}
        }
    }
}

/// Does `work`, and tells the manager when it begins to end: by itself, or because somebody asks.
pub(super) async fn to_its_end<T>(
    mut work: impl Future<Output = T> + Unpin,
    manager: &ServiceManager,
    shutdown: &Shutdown,
) -> T {
    tokio::select! {
        () = shutdown.wait() => {}
        done = &mut work => {
            manager.is_stopping();
            return done;
        }
    }
    manager.is_stopping();
    work.await
}
