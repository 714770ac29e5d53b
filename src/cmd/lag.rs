//! `vitals lag`: how far the group is behind.

use color_eyre::eyre::Result;

use super::Context;
use super::common::table::{self, Field};
use super::common::watch::WatchArgs;
use crate::advice::Code;
use crate::kafka::cluster::Cluster;
use crate::kafka::error::KafkaError;
use crate::kafka::lag::{self, PartitionLag};
use crate::output::{Column, FormatArgs, Output};
use crate::settings::Settings;
use crate::{app, diagnose};

/// What to show.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The lag is the number of messages between what the group has stored and the
end of each partition. It is shown even while nobody consumes. Committed is
what is stored and cannot be forgotten any more, which may be later. Where
the topic was deleted and made anew, it counts from the start.
The exit code is 1 where --fail-above finds more.

Examples:
  vitals lag
  vitals lag --watch
  vitals lag --fail-above 1000 -o json")]
pub struct Args {
    #[command(flatten)]
    watch: WatchArgs,
    /// Exit with code 1 when the lag of all partitions together is above this
    #[arg(long = "fail-above", value_name = "N")]
    fail_above: Option<u64>,
    /// How to show it
    #[command(flatten)]
    format: FormatArgs,
}

const FIELDS: [Field<PartitionLag>; 9] = [
    (Column::number("partition", "PARTITION"), |lag| lag.partition.into()),
    (Column::number("committed", "COMMITTED"), |lag| lag.committed.into()),
    (Column::number("stored", "STORED"), |lag| lag.stored.into()),
    (Column::number("end", "END"), |lag| lag.end.into()),
    (Column::number("lag", "LAG"), |lag| lag.lag.into()),
    (Column::number("lag_seconds", "SECONDS"), |lag| {
        lag.lag_seconds.map(|seconds| (seconds * 10.0).round() / 10.0).into()
    }),
    (Column::text("member", "MEMBER").shortened(MEMBER_CHARS), |lag| {
        lag.member.as_ref().map(|member| member.id.as_str()).into()
    }),
    (Column::text("host", "HOST"), |lag| lag.member.as_ref().map(|member| member.host.as_str()).into()),
    (Column::for_programs("earlier_committed"), |lag| lag.earlier.into()),
];

/// Enough of a member's id, which ends with a random UUID, to tell it from the others.
const MEMBER_CHARS: usize = 16;

/// Shows the lag, once or until Ctrl+C.
pub async fn run(args: Args, context: &Context) -> Result<Code> {
    args.watch.until_stopped(context, watch(&args, context)).await
}

async fn watch(args: &Args, context: &Context) -> Result<Code> {
    let Context { settings, output, .. } = context;
    let mut cluster = app::open_led_kafka(settings, &[&settings.topic], Some(&settings.group), output).await?;
    loop {
        let shown = show(&mut cluster, args, settings, output).await?;
        if shown != Code::Done || !args.watch.again().await {
            return Ok(shown);
        }
    }
}

async fn show(cluster: &mut Cluster, args: &Args, settings: &Settings, output: &Output) -> Result<Code> {
    match lag::measure(cluster, &settings.group, &settings.topic).await {
        Ok(lags) => {
            if args.watch.is_on() {
                output.clear_screen()?;
            }
            let shown = print(&lags, args, output);
            if let Some(wrong) = diagnose::group::earlier(settings, &lags) {
                output.note(format_args!("note: {}\nhint: {}", wrong.what, wrong.fix));
            }
            shown
        }
        // Whoever watches wants to see how it goes on.
        Err(error) if args.watch.is_on() && (error.is_passing() || matches!(error, KafkaError::NoGroup { .. })) => {
            output.note_error(&error);
            Ok(Code::Done)
        }
        Err(error) => Err(error.into()),
    }
}

/// Shows the lags; that they are too high together is a finding.
fn print(lags: &[PartitionLag], args: &Args, output: &Output) -> Result<Code> {
    table::print(output, args.format, &FIELDS, lags)?;
    let total: i64 = lags.iter().map(|lag| lag.lag).sum();
    let oldest = lags.iter().filter_map(|lag| lag.lag_seconds).reduce(f64::max);
    let waited = oldest.map(|seconds| format!(", the oldest message has waited {seconds:.1} s")).unwrap_or_default();
    output.note(format_args!("total lag {total}{waited}"));
    let too_high = args.fail_above.is_some_and(|limit| u64::try_from(total).unwrap_or(0) > limit);
    Ok(if too_high { Code::Finding } else { Code::Done })
}
