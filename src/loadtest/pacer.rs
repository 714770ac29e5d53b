//! Wakes the senders when a reading is due.
//!
//! The runtime's timers are for time limits: they go off up to two milliseconds late, which is as long as a reading takes
//! for its whole way. A thread that sleeps by itself is late by some fifty microseconds.

use std::sync::{Arc, Weak};
use std::thread::sleep;
use std::time::Duration;

use tokio::sync::Notify;

use super::clock::Clock;

/// The shortest sleep: what comes due meanwhile is sent together. More wake-ups would only cost time.
const SHORTEST: Duration = Duration::from_micros(200);

/// The longest sleep, after which it is looked whether anybody waits any more.
const LONGEST: Duration = Duration::from_millis(50);

/// Who is woken for which place of a round.
pub(super) struct Pacer {
    /// For each place, its sender.
    pub(super) senders: Vec<Arc<Notify>>,
    /// Between two readings.
    pub(super) interval: Duration,
    /// Gone with the load test.
    pub(super) load_test: Weak<()>,
}

impl Pacer {
    /// Wakes the senders until the load test is gone. This blocks: it wants a thread of its own.
    pub(super) fn run(self, clock: Clock) {
        let mut round = self.senders.iter().cycle();
        let mut due = Duration::ZERO;
        while self.load_test.strong_count() > 0 {
            let wait = due.saturating_sub(clock.elapsed());
            if wait > LONGEST {
                sleep(LONGEST);
                continue;
            }
            sleep(wait.max(SHORTEST));
            let now = clock.elapsed();
            while due <= now {
                if let Some(sender) = round.next() {
                    sender.notify_one();
                }
                due = due.saturating_add(self.interval);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[tokio::test]
    async fn each_sender_is_woken_for_its_places_and_the_thread_ends_with_the_load_test() {
        let (often, seldom) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let senders = vec![Arc::clone(&often), Arc::clone(&often), Arc::clone(&seldom)];
        let load_test = Arc::new(());
        let pacer = Pacer { senders, interval: Duration::from_millis(5), load_test: Arc::downgrade(&load_test) };
        let began = Instant::now();
        let thread = std::thread::spawn(move || pacer.run(Clock::start()));
        often.notified().await;
        seldom.notified().await;
        assert!(began.elapsed() >= Duration::from_millis(10), "the third place is due after two intervals");
        drop(load_test);
        thread.join().expect("ended");
    }
}
