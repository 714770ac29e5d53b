//! Ctrl+C and SIGTERM: the first asks every task to drain, the second ends the process at once.
//!
//! [`Shutdown`] is the listening end, which every task may have; [`Trigger`] is the other one. In the program the
//! [`signals`] pull the trigger; a test pulls it by hand.

use std::future::pending;
use std::io;
use std::time::Duration;

use tokio::sync::watch;

/// Within this a command has ended after the first signal; the program ends it then.
pub const END_LIMIT: Duration = Duration::from_secs(5);
/// What a consumer has of it to settle what it took up, and a producer to hear that its messages were taken,
pub const DRAIN_LIMIT: Duration = Duration::from_secs(3);
/// what a consumer has to hear that its last commit was taken,
pub const LAST_COMMIT_LIMIT: Duration = Duration::from_millis(700);
/// and to leave its group.
pub const LEAVE_LIMIT: Duration = Duration::from_millis(900);

const _: () = assert!(
    DRAIN_LIMIT.as_millis() + LAST_COMMIT_LIMIT.as_millis() + LEAVE_LIMIT.as_millis() < END_LIMIT.as_millis(),
    "the parts have to fit into the whole"
);

/// Tells when to stop. Clones tell the same.
#[derive(Debug, Clone)]
pub struct Shutdown {
    requests: watch::Receiver<u32>,
}

/// Asks everybody who holds the [`Shutdown`] to stop.
#[derive(Debug)]
pub struct Trigger {
    requests: watch::Sender<u32>,
}

/// Gives both ends. A trigger that is dropped without having been pulled never stops anybody.
#[must_use]
pub fn channel() -> (Trigger, Shutdown) {
    let (sender, receiver) = watch::channel(0);
    (Trigger { requests: sender }, Shutdown { requests: receiver })
}

impl Trigger {
    /// Asks to stop. The first time it means "drain, then end", from the second time on "end at once".
    pub fn pull(&self) {
        self.requests.send_modify(|count| *count = count.saturating_add(1));
    }
}

impl Shutdown {
    /// Whether somebody asked to stop.
    #[must_use]
    pub fn requested(&self) -> bool {
        *self.requests.borrow() >= 1
    }

    /// Waits until somebody asks to stop; returns at once if that was so already. Cancel safe.
    pub async fn wait(&self) {
        self.count_reaches(1).await;
    }

    /// Waits until somebody asked twice, which means that draining takes too long for them. Cancel safe.
    pub async fn wait_again(&self) {
        self.count_reaches(2).await;
    }

    async fn count_reaches(&self, count: u32) {
        let mut requests = self.requests.clone();
        if requests.wait_for(|seen| *seen >= count).await.is_err() {
            pending::<()>().await;
        }
    }
}

/// Pulls `trigger` at every SIGINT (Ctrl+C) and SIGTERM, for ever. The handlers are in place once this returns.
///
/// # Errors
/// Where the system does not let the program handle signals.
#[cfg(unix)]
pub fn signals(trigger: Trigger) -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};

    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => trigger.pull(),
                _ = terminate.recv() => trigger.pull(),
            }
        }
    })
}

/// Pulls `trigger` at every Ctrl+C, for ever.
///
/// # Errors
/// None here: where Ctrl+C cannot be handled it ends the process, as without this program's help.
#[cfg(not(unix))]
pub fn signals(trigger: Trigger) -> io::Result<impl Future<Output = ()>> {
    Ok(async move {
        while tokio::signal::ctrl_c().await.is_ok() {
            trigger.pull();
        }
        pending::<()>().await;
    })
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[test]
    fn nobody_stops_before_the_trigger_is_pulled() {
        let (_trigger, shutdown) = channel();
        assert!(!shutdown.requested());
        assert!(shutdown.wait().now_or_never().is_none());
    }

    #[test]
    fn the_first_pull_reaches_every_clone_and_the_second_wait_goes_on() {
        let (trigger, shutdown) = channel();
        let clone = shutdown.clone();
        trigger.pull();
        assert!(shutdown.requested() && clone.requested());
        assert!(clone.wait().now_or_never().is_some());
        assert!(clone.wait_again().now_or_never().is_none());
    }

    #[test]
    fn the_second_pull_ends_the_second_wait() {
        let (trigger, shutdown) = channel();
        trigger.pull();
        trigger.pull();
        assert!(shutdown.wait_again().now_or_never().is_some());
    }

    #[test]
    fn a_dropped_trigger_stops_nobody() {
        let (trigger, shutdown) = channel();
        drop(trigger);
        assert!(!shutdown.requested());
        assert!(shutdown.wait().now_or_never().is_none());
    }

    #[tokio::test]
    async fn a_waiting_task_is_woken() {
        let (trigger, shutdown) = channel();
        let waiting = tokio::spawn(async move { shutdown.wait().await });
        trigger.pull();
        waiting.await.unwrap();
    }
}
