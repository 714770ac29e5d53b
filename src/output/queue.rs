//! What waits to be printed, and the thread that prints it: who has something to say does not wait for who reads it.
//! How much may wait of standard output, and what happens beyond that, is in `feed`.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::lock;

/// So much is printed in one go: few system calls, and little of which nobody knows whether it was read.
const BATCH_BYTES: usize = 64 * 1024;

/// A queue of a limited size. What was accepted is printed in its order, also after this is dropped.
pub(super) struct Queue<T> {
    shared: Arc<Shared<T>>,
    limit_bytes: usize,
}

struct Shared<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
    printed: Notify,
}

struct State<T> {
    waiting: VecDeque<(T, usize)>,
    /// Of what waits and of what is being printed.
    bytes: usize,
    being_printed: usize,
    /// Nothing was printed for as long as somebody was ready to wait for it.
    is_stuck: bool,
    is_closed: bool,
}

impl<T: Send + 'static> Queue<T> {
    /// Has a thread `print` what comes, several at once where several wait.
    pub(super) fn new(limit_bytes: usize, print: impl FnMut(Vec<T>) + Send + 'static) -> Self {
        let state = State { waiting: VecDeque::new(), bytes: 0, being_printed: 0, is_stuck: false, is_closed: false };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new(), printed: Notify::new() });
        let of_thread = Arc::clone(&shared);
        std::thread::spawn(move || of_thread.print_all(print));
        Self { shared, limit_bytes }
    }

    /// Takes it where there is room; never waits. What is larger than the limit is taken when nothing else is there.
    pub(super) fn offer(&self, item: T, bytes: usize) -> bool {
        let mut state = lock(&self.shared.state);
        let has_room = state.bytes == 0 || state.bytes.saturating_add(bytes) <= self.limit_bytes;
        if has_room {
            state.bytes = state.bytes.saturating_add(bytes);
            state.waiting.push_back((item, bytes));
            self.shared.changed.notify_all();
        }
        has_room
    }

    pub(super) fn bytes(&self) -> usize {
        lock(&self.shared.state).bytes
    }

    pub(super) fn len(&self) -> usize {
        let state = lock(&self.shared.state);
        state.waiting.len().saturating_add(state.being_printed)
    }

    /// Blocks until everything is printed, but not for longer than `limit`, and not at all where the last one who did
    /// waited in vain.
    pub(super) fn wait_until_done(&self, limit: Duration) {
        let deadline = Instant::now() + limit;
        let mut state = lock(&self.shared.state);
        while !state.is_empty() && !state.is_stuck {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                state.is_stuck = true;
            } else {
                state = self.shared.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
            }
        }
    }

    pub(super) async fn done(&self) {
        loop {
            let printed = self.shared.printed.notified();
            if lock(&self.shared.state).is_empty() {
                return;
            }
            printed.await;
        }
    }
}

impl<T> State<T> {
    fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.being_printed == 0
    }

    fn next_batch(&mut self) -> (Vec<T>, usize) {
        let (mut batch, mut size) = (Vec::new(), 0_usize);
        while size < BATCH_BYTES
            && let Some((item, bytes)) = self.waiting.pop_front()
        {
            batch.push(item);
            size = size.saturating_add(bytes);
        }
        self.being_printed = batch.len();
        (batch, size)
    }
}

impl<T> Shared<T> {
    fn print_all(&self, mut print: impl FnMut(Vec<T>)) {
        let mut state = lock(&self.state);
        loop {
            let (batch, bytes) = state.next_batch();
            if batch.is_empty() {
                if state.is_closed {
                    return;
                }
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            drop(state);
            print(batch);
            state = lock(&self.state);
            state.bytes = state.bytes.saturating_sub(bytes);
            (state.being_printed, state.is_stuck) = (0, false);
            self.changed.notify_all();
            self.printed.notify_waiters();
        }
    }
}

impl<T> Drop for Queue<T> {
    fn drop(&mut self) {
        lock(&self.shared.state).is_closed = true;
        self.shared.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

    use futures::FutureExt as _;

    use super::*;

    /// A queue whose printing waits for a permit for every batch.
    fn gated(limit_bytes: usize) -> (Queue<u32>, SyncSender<()>, Receiver<Vec<u32>>) {
        let (permit, permits) = sync_channel::<()>(100);
        let (printing, printed) = sync_channel(100);
        let print = move |batch| {
            let _ = permits.recv();
            let _ = printing.send(batch);
        };
        (Queue::new(limit_bytes, print), permit, printed)
    }

    #[test]
    fn what_has_no_room_is_refused_at_once_and_what_was_taken_is_printed_in_its_order() {
        let (queue, permit, printed) = gated(10);
        let taken: Vec<_> = (0..5).filter(|number| queue.offer(*number, 4)).collect();
        assert_eq!(taken, [0, 1], "10 bytes hold two of 4");
        assert_eq!((queue.len(), queue.bytes()), (2, 8));
        assert!(queue.done().now_or_never().is_none());
        (0..2).for_each(|_| permit.send(()).unwrap());
        queue.wait_until_done(Duration::from_secs(60));
        assert_eq!((queue.len(), queue.bytes()), (0, 0));
        assert!(queue.done().now_or_never().is_some());
        assert_eq!(printed.try_iter().flatten().collect::<Vec<_>>(), [0, 1]);
        assert!(queue.offer(9, 100), "too large, but nothing else is there");
    }

    #[test]
    fn who_waits_in_vain_is_the_only_one() {
        let (queue, permit, _printed) = gated(10);
        assert!(queue.offer(1, 1));
        queue.wait_until_done(Duration::from_millis(1));
        let began = Instant::now();
        queue.wait_until_done(Duration::from_secs(60));
        assert!(began.elapsed() < Duration::from_secs(30));
        permit.send(()).unwrap();
    }

    #[test]
    fn what_was_taken_is_printed_after_the_queue_is_dropped() {
        let (queue, permit, printed) = gated(10);
        assert!(queue.offer(1, 1) && queue.offer(2, 1));
        drop(queue);
        (0..2).for_each(|_| permit.send(()).unwrap());
        assert_eq!(printed.iter().flatten().collect::<Vec<_>>(), [1, 2]);
    }
}
