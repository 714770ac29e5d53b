//! The way of all messages into Kafka: what many connections bring at the same time goes out together, and each is told
//! when Kafka has what it brought.
//!
//! There are two lanes, so that dead letters which cannot be kept hold up no reading.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;

use super::listener::Hall;
use super::notice::Notice;
use crate::kafka::dead_letters::DeadLetterTopic;
use crate::kafka::producer::{Cluster, Delivery, Outgoing, Producer};
use crate::pipeline::dead_letters::{DeadLetter, DeadLetters as _};
use crate::retry::Backoff;

/// So many parcels of readings wait for the next batch. What does not fit waits on its connection, which is not read
/// meanwhile.
pub(super) const READINGS_WAITING: usize = 1024;
/// The same of letters, each of which may be as large as a message, and how many go out together.
pub(super) const LETTERS_WAITING: usize = 64;

/// What one connection brings at once, and who is told when it is kept.
#[derive(Debug)]
pub(super) struct Parcel<T> {
    items: Vec<T>,
    kept: oneshot::Sender<()>,
}

impl<T> Parcel<T> {
    /// A parcel, and what is told when it is kept.
    pub(super) fn of(items: Vec<T>) -> (Self, oneshot::Receiver<()>) {
        let (kept, receipt) = oneshot::channel();
        (Self { items, kept }, receipt)
    }

    fn tell_kept(self) {
        // The connection may have been given up meanwhile.
        let _ = self.kept.send(());
    }
}

/// Sends readings until nobody brings any more, each until Kafka has it.
pub(super) async fn send_readings<C: Cluster>(
    mut producer: Producer<C>,
    mut parcels: mpsc::Receiver<Parcel<Outgoing>>,
    hall: &Hall,
) {
    let mut batch = Vec::new();
    while parcels.recv_many(&mut batch, READINGS_WAITING).await > 0 {
        let readings: Vec<_> = batch.iter_mut().flat_map(|parcel| parcel.items.drain(..)).collect();
        let count = u64::try_from(readings.len()).unwrap_or(u64::MAX);
        let mut delivery = Delivery::new(readings);
        let mut trouble = Trouble::of(&hall.figures.readings_away);
        while let Err(error) = producer.send(&mut delivery).await {
            trouble.go_on(hall, Notice::Away(error.to_string())).await;
        }
        trouble.end(hall);
        hall.figures.readings.fetch_add(count, Relaxed);
        batch.drain(..).for_each(Parcel::tell_kept);
    }
}

/// Keeps dead letters until nobody brings any more.
pub(super) async fn keep_letters(topic: DeadLetterTopic, mut parcels: mpsc::Receiver<Parcel<DeadLetter>>, hall: &Hall) {
    let mut batch = Vec::new();
    while parcels.recv_many(&mut batch, LETTERS_WAITING).await > 0 {
        let letters: Vec<_> = batch.iter_mut().flat_map(|parcel| parcel.items.drain(..)).collect();
        let mut trouble = Trouble::of(&hall.figures.letters_away);
        while let Err(error) = topic.keep(&letters).await {
            trouble.go_on(hall, Notice::LettersAway(error.to_string())).await;
        }
        trouble.end(hall);
        batch.drain(..).for_each(Parcel::tell_kept);
    }
}

/// What does not go out at once.
struct Trouble<'a> {
    is_away: &'a AtomicBool,
    backoff: Backoff,
    is_told: bool,
}

impl<'a> Trouble<'a> {
    fn of(is_away: &'a AtomicBool) -> Self {
        Self { is_away, backoff: Backoff::default(), is_told: false }
    }

    async fn go_on(&mut self, hall: &Hall, notice: Notice) {
        self.is_away.store(true, Relaxed);
        let pause = self.backoff.next_pause();
        if !std::mem::replace(&mut self.is_told, true) || self.backoff.is_worth_telling() {
            hall.notices.tell(notice);
        }
        sleep(pause).await;
    }

    fn end(self, hall: &Hall) {
        if self.is_told {
            self.is_away.store(false, Relaxed);
            hall.notices.tell(Notice::Back);
        }
    }
}
