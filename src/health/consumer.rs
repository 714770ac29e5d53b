//! What a consumer tells: it listens to its pipeline, and is asked by others meanwhile.

mod figures;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use self::figures::Figures;
use super::{Exposition, Subject};
use crate::pipeline::events::{Listener, PipelineEvent};

/// A consumer as those see it who ask how it does.
#[derive(Debug)]
pub struct ConsumerHealth {
    /// The topic that it reads.
    topic: String,
    figures: Mutex<Figures>,
}

/// Has [`ConsumerHealth`] know what happens in the pipeline.
#[derive(Debug)]
pub struct Observer(Arc<ConsumerHealth>);

impl ConsumerHealth {
    /// One that has not begun to read its topic.
    pub fn new(topic: &str) -> Arc<Self> {
        Arc::new(Self { topic: topic.to_owned(), figures: Mutex::new(Figures::new()) })
    }

    /// The listener for its pipeline.
    pub fn observer(self: &Arc<Self>) -> Observer {
        Observer(Arc::clone(self))
    }

    /// Held for less time than a batch takes to be put together, whoever asks: the text is made of a copy.
    fn figures(&self) -> MutexGuard<'_, Figures> {
        // Each event is one change: what a panic left behind is whole.
        self.figures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listener for Observer {
    fn hear(&mut self, event: PipelineEvent<'_>) {
        // Most events are readings; the progress counts them.
        if !matches!(event, PipelineEvent::Reading { .. }) {
            self.0.figures().note(event, Instant::now());
        }
    }
}

impl Subject for ConsumerHealth {
    fn reasons(&self) -> Vec<String> {
        self.figures().reasons(Instant::now())
    }

    fn metrics(&self, to: &mut Exposition) {
        let figures = self.figures().clone();
        let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        figures.show(to, &self.topic, i64::try_from(now_ms).unwrap_or(i64::MAX));
    }
}
