//! Ctrl+C and SIGTERM: the first asks every task to drain, the second ends the process at once. A panic, in whatever
//! task or thread, asks for the drain too.
//!
//! [`Shutdown`] is the listening end, which every task may have; [`Trigger`] is the other one. In the program the
//! [`signals`] pull the trigger, and what tells a panic (see [`exit`](crate::exit)); a test pulls it by hand.

use std::future::pending;
use std::io;
use std::time::Duration;

use tokio::sync::watch;

/// Within this a command has ended after the first signal; the program ends it then.
pub const END_LIMIT: Duration = Duration::from_secs(5);
/// What a consumer has of it to have acknowledged what it took up, and a producer to hear that its messages were taken,
pub const DRAIN_LIMIT: Duration = Duration::from_secs(3);
/// what a consumer has to hear that its last commit was taken,
pub const LAST_COMMIT_LIMIT: Duration = Duration::from_millis(700);
/// and to leave its group.
pub const LEAVE_LIMIT: Duration = Duration::from_millis(900);
/// What is printed has the rest, to be taken by who reads it.
const SHOW_LIMIT: Duration = Duration::from_millis(250);
/// Where nobody has asked to stop, it has this: who reads may come a little later.
const PATIENCE: Duration = Duration::from_secs(30);

const _: () = assert!(
    DRAIN_LIMIT.as_millis() + LAST_COMMIT_LIMIT.as_millis() + LEAVE_LIMIT.as_millis() + SHOW_LIMIT.as_millis()
        < END_LIMIT.as_millis(),
    "the parts have to fit into the whole"
);

/// Tells when to stop. Clones tell the same.
#[derive(Debug, Clone)]
pub struct Shutdown {
    requests: watch::Receiver<Requests>,
}

/// Asks everybody who holds the [`Shutdown`] to stop. Clones ask the same.
#[derive(Debug, Clone)]
pub struct Trigger {
    requests: watch::Sender<Requests>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Requests {
    count: u32,
    /// Whether a fault of this program is among the reasons.
    failed: bool,
}

/// Gives both ends. A trigger that is dropped without having been pulled never stops anybody.
#[must_use]
pub fn channel() -> (Trigger, Shutdown) {
    let (sender, receiver) = watch::channel(Requests::default());
    (Trigger { requests: sender }, Shutdown { requests: receiver })
}

impl Trigger {
    /// Asks to stop. The first time it means "drain, then end", from the second time on "end at once".
    pub fn pull(&self) {
        self.requests.send_modify(|asked| asked.count = asked.count.saturating_add(1));
    }

    /// The same for a signal: the log has it before anybody can say that they have ended.
    fn pull_told(&self) {
        if self.requests.borrow().count == 0 {
            tracing::info!(event = "stopping", "asked to stop: what was begun is finished");
        }
        self.pull();
    }

    /// Asks to stop because this program has a fault. It never means "end at once": whoever drains already goes on.
    /// Says whether it is the first fault.
    #[must_use]
    pub fn fail(&self) -> bool {
        let mut is_first = false;
        self.requests.send_modify(|asked| {
            is_first = !asked.failed;
            *asked = Requests { count: asked.count.max(1), failed: true };
        });
        is_first
    }
}

impl Shutdown {
    /// Whether somebody asked to stop.
    pub fn requested(&self) -> bool {
        self.requests.borrow().count >= 1
    }

    /// Whether this program had a fault.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.requests.borrow().failed
    }

    /// Waits until somebody asks to stop; returns at once if that was so already. Cancel safe.
    pub async fn wait(&self) {
        self.count_reaches(1).await;
    }

    /// Waits until somebody asked twice, which means that draining takes too long for them. Cancel safe.
    pub async fn wait_again(&self) {
        self.count_reaches(2).await;
    }

    /// How long to wait at the end for who reads what was printed. Cancel safe.
    pub async fn patience(&self) {
        let _ = tokio::time::timeout(PATIENCE, self.wait()).await;
        if self.requested() {
            tokio::time::sleep(SHOW_LIMIT).await;
        }
    }

    async fn count_reaches(&self, count: u32) {
        let mut requests = self.requests.clone();
        if requests.wait_for(|seen| seen.count >= count).await.is_err() {
            pending::<()>().await;
        }
    }
}

/// Pulls `trigger` at every SIGINT (Ctrl+C) and SIGTERM, for ever. The handlers are in place once this returns.
#[cfg(unix)]
pub fn signals(trigger: Trigger) -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};

    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => trigger.pull_told(),
                _ = terminate.recv() => trigger.pull_told(),
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
            trigger.pull_told();
        }
        pending::<()>().await;
    })
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[test]
    fn the_first_pull_reaches_every_clone_and_the_second_ends_the_second_wait() {
        let (trigger, shutdown) = channel();
        let clone = shutdown.clone();
        assert!(!shutdown.requested() && shutdown.wait().now_or_never().is_none());
        trigger.pull();
        assert!(shutdown.requested() && clone.requested());
        assert!(clone.wait().now_or_never().is_some());
        assert!(clone.wait_again().now_or_never().is_none());
        trigger.pull();
        assert!(clone.wait_again().now_or_never().is_some());
    }

    #[test]
    fn a_fault_asks_to_drain_and_never_to_end_at_once() {
        let (trigger, shutdown) = channel();
        assert!(!shutdown.failed());
        assert!(trigger.clone().fail(), "it is the first");
        assert!(shutdown.requested() && shutdown.failed());
        assert!(!trigger.fail(), "it is the second");
        assert!(shutdown.wait_again().now_or_never().is_none());
        trigger.pull();
        assert!(shutdown.wait_again().now_or_never().is_some(), "Ctrl+C during that drain ends at once");
    }

    #[test]
    fn a_fault_while_it_drains_does_not_cut_the_drain_short() {
        let (trigger, shutdown) = channel();
        trigger.pull();
        assert!(trigger.fail());
        assert!(shutdown.failed() && shutdown.wait_again().now_or_never().is_none());
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
