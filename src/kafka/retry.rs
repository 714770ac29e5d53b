//! Waiting between attempts.

use std::time::Duration;

/// The first pause; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause: a server that is back is found within this.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// Trouble is told from this attempt on, after about a second, and then once for every so many.
const FIRST_TELLING: u32 = 4;
const ATTEMPTS_BETWEEN_TELLINGS: u32 = 30;

/// Pauses that grow, without a last attempt.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    attempts: u32,
}

impl Backoff {
    /// Notes an attempt, and waits as long as its turn asks for.
    pub(crate) async fn wait(&mut self) {
        tokio::time::sleep(self.next_pause()).await;
    }

    /// Notes an attempt, and says how long to wait.
    pub(crate) fn next_pause(&mut self) -> Duration {
        let pause = FIRST_PAUSE.saturating_mul(1_u32.checked_shl(self.attempts).unwrap_or(u32::MAX)).min(LONGEST_PAUSE);
        self.attempts = self.attempts.saturating_add(1);
        pause
    }

    /// Whether the operator should hear of the attempt that comes.
    pub(crate) fn is_worth_telling(&self) -> bool {
        self.attempts >= FIRST_TELLING && (self.attempts - FIRST_TELLING).is_multiple_of(ATTEMPTS_BETWEEN_TELLINGS)
    }

    /// Begins anew: an attempt went well.
    pub(crate) fn reset(&mut self) {
        self.attempts = 0;
    }
}
