//! `--watch`: the same again and again.

use std::time::Duration;

use color_eyre::eyre::Result;
use tokio::time::sleep;

use crate::advice::Code;
use crate::cmd::{Context, unless_stopped};
use crate::span::parse_duration;

/// The option `--watch`, for every command that shows what changes.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub(in crate::cmd) struct WatchArgs {
    /// Show it again and again, every so often
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, require_equals = true, default_missing_value = "2", value_parser = |text: &str| parse_interval(text, SHORTEST_INTERVAL))]
    watch: Option<Duration>,
}

/// A shorter interval would only burden the servers.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(200);

/// Takes a time span that is not shorter than `shortest`.
pub(in crate::cmd) fn parse_interval(text: &str, shortest: Duration) -> Result<Duration, String> {
    let interval = parse_duration(text).map_err(|fault| fault.to_string())?;
    if interval < shortest {
        return Err(format!("the shortest interval is {} ms", shortest.as_millis()));
    }
    Ok(interval)
}

impl WatchArgs {
    /// Whether it is shown more than once.
    pub(in crate::cmd) fn is_on(self) -> bool {
        self.watch.is_some()
    }

    /// After something was shown: waits until it is time to show it again. `false` where once is enough.
    pub(in crate::cmd) async fn again(self) -> bool {
        if let Some(interval) = self.watch {
            sleep(interval).await;
        }
        self.is_on()
    }

    /// Does `work` until it ends, or until Ctrl+C, which is how watching ends.
    pub(in crate::cmd) async fn until_stopped(
        self,
        context: &Context,
        work: impl Future<Output = Result<Code>>,
    ) -> Result<Code> {
        let ended = unless_stopped(&context.shutdown, work).await?;
        Ok(if self.is_on() && ended == Code::CutShort { Code::Done } else { ended })
    }
}
