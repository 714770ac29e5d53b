//! The settle time in force: as the user says, or as the store needs it.

use color_eyre::eyre::Result;

use crate::output::Output;
use crate::pipeline::Settling;
use crate::settings::SettleChoice;
use crate::store::{AnyStore, SettleTime, Store as _};

/// How long stored readings wait for their commit, and says why where they do.
pub(super) async fn settling(store: &AnyStore, choice: SettleChoice, output: &Output) -> Result<Settling> {
    let SettleTime { time, why } = match choice {
        SettleChoice::Auto => store.settle_time().await?,
        SettleChoice::Fixed(time) => SettleTime { time, why: "as --settle-time says".to_owned() },
    };
    if time.is_zero() {
        return Ok(Settling::default());
    }
    output.note(format_args!("offsets are committed {} s after their readings are stored: {why}", time.as_secs_f64()));
    let epoch = store.epoch().await?;
    Ok(Settling { time, epoch })
}
