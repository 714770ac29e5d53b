//! `vitals retention set`.

use chrono::Utc;
use color_eyre::eyre::Result;

use super::show::stock;
use super::topics::{self, TopicKept, as_setting, words};
use crate::advice::{Advice, Code};
use crate::app::author::{Author, line};
use crate::app::{self, journal};
use crate::cmd::Context;
use crate::cmd::common::confirm::{ConfirmArgs, Loss, confirm};
use crate::diagnose::retention::shown;
use crate::kafka::admin::dead_letter_topic;
use crate::kafka::cluster::Cluster;
use crate::kafka::topic_settings::{self, RETENTION_MS};
use crate::output::{Output, counted, size};
use crate::reading::Timestamp;
use crate::settings::Settings;
use crate::span::Keep;
use crate::store::{AnyStore, Kept, Retention, Stock, StoreAddress, TableStock};

/// What to keep for how long, and who says so.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without any of --raw, --minutes, --alerts, --messages and --dead-letters it
puts in force what the settings ask for (keep_raw, keep_minutes, keep_alerts).

It says first what would go, and asks where something would be kept for less
long than before. A reading ends so long after its own time, whenever it is
written: what is read once more is not renewed, and what is older is counted
as expired and not written. So does a minute: what its readings come to, which
stays when they have gone. An alarm ends so long after its onset, by what was in
force then.
In an SQLite file older rows go within minutes of the change, as long as some
program writes into it. In Cassandra rows that were written before keep the
end that they have, until `vitals retention apply`; those that are written from
now on get theirs.
Topics give back whole files of messages, so that some stay a while longer.

Examples:
  vitals retention set --raw 30d --dry-run
  vitals retention set --raw 30d --minutes 400d --by Anna --reason 'one month'
  vitals retention set --raw keep --by Anna --reason 'a study' --yes
  vitals retention set --messages 7d --dead-letters 90d --by Bo --reason disk")]
pub(super) struct Args {
    /// How long readings are kept, as 30d or 36h; keep is for ever
    #[arg(id = "raw_kept", long = "raw", value_name = "TIME|keep", value_parser = Keep::parse)]
    raw: Option<Keep>,
    /// How long what the readings of each minute come to is kept
    #[arg(id = "minutes_kept", long = "minutes", value_name = "TIME|keep", value_parser = Keep::parse)]
    minutes: Option<Keep>,
    /// How long alarms are kept, with who acknowledged them
    #[arg(id = "alerts_kept", long = "alerts", value_name = "TIME|keep", value_parser = Keep::parse)]
    alerts: Option<Keep>,
    /// How long the topic keeps its messages (its retention.ms)
    #[arg(long, value_name = "TIME|keep", value_parser = Keep::parse)]
    messages: Option<Keep>,
    /// How long refused messages are kept
    #[arg(long, value_name = "TIME|keep", value_parser = Keep::parse)]
    dead_letters: Option<Keep>,
    /// Who sets it
    #[arg(long, value_name = "NAME", value_parser = line, required_unless_present = "dry_run")]
    by: Option<String>,
    /// Why
    #[arg(long, value_name = "TEXT", value_parser = line, required_unless_present = "dry_run")]
    reason: Option<String>,
    /// Only show what would change and what would go
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    confirm: ConfirmArgs,
}

/// Why nothing was set.
#[derive(Debug, thiserror::Error)]
pub enum RetentionError {
    /// Nothing was named, neither here nor in the settings.
    #[error("nothing to set")]
    NothingToSet,
}

impl Advice for RetentionError {
    fn code(&self) -> Code {
        Code::Usage
    }

    fn hint(&self) -> Option<String> {
        let hint = "name what is to be kept for how long: --raw, --minutes, --alerts, --messages or --dead-letters; \
                    or keep_raw, keep_minutes and keep_alerts in the settings";
        Some(hint.to_owned())
    }
}

/// What is to change.
struct Wanted {
    raw: Option<Keep>,
    minutes: Option<Keep>,
    alerts: Option<Keep>,
}

impl Wanted {
    fn of(args: &Args, settings: &Settings) -> Result<Self, RetentionError> {
        let Args { raw, minutes, alerts, messages, dead_letters, .. } = args;
        if [raw, minutes, alerts, messages, dead_letters].iter().any(|keep| keep.is_some()) {
            return Ok(Self { raw: *raw, minutes: *minutes, alerts: *alerts });
        }
        match settings.wished_retention() {
            [None, None, None] => Err(RetentionError::NothingToSet),
            [raw, minutes, alerts] => Ok(Self { raw, minutes, alerts }),
        }
    }

    fn over(&self, before: Kept) -> Kept {
        Kept {
            raw: self.raw.unwrap_or(before.raw),
            minutes: self.minutes.unwrap_or(before.minutes),
            alerts: self.alerts.unwrap_or(before.alerts),
        }
    }

    /// What is changed, in a word for the journal.
    fn name(&self, before: Kept) -> String {
        let after = self.over(before);
        let parts = [
            ("raw", after.raw != before.raw),
            ("minutes", after.minutes != before.minutes),
            ("alerts", after.alerts != before.alerts),
        ];
        parts.iter().filter(|(_, changes)| *changes).map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
    }
}

pub(super) async fn run(args: &Args, context: &Context) -> Result<Code> {
    let Context { settings, output, .. } = context;
    let wanted = Wanted::of(args, settings)?;
    // Both are looked at before anything changes, so that one that cannot be reached leaves the other alone.
    let store = match (&wanted, args.dry_run) {
        (Wanted { raw: None, minutes: None, alerts: None }, _) => None,
        (_, true) => Some(app::open_store_to_read(settings, output).await?),
        (_, false) => Some(app::open_store_to_change(settings, output).await?),
    };
    let rows = match &store {
        Some(store) => Some(RowsChange::look(store, &wanted, output).await?),
        None => None,
    };
    let rows = rows.filter(|rows| rows.before != rows.after);
    let mut topics = TopicsChange::look(args, settings, output).await?;
    if rows.is_none() && topics.as_ref().is_none_or(|topics| topics.changes.is_empty()) {
        output.note("that is in force already: nothing changes");
        return Ok(Code::Done);
    }
    let is_sqlite = matches!(settings.store, StoreAddress::Sqlite { .. });
    let told = rows.iter().flat_map(|rows| rows.lines(is_sqlite));
    for line in told.chain(topics.iter().flat_map(TopicsChange::lines)) {
        output.note(line);
    }
    if args.dry_run {
        output.note("nothing was changed: --dry-run");
        return Ok(Code::Done);
    }
    if rows.as_ref().is_some_and(RowsChange::is_shorter) || topics.as_ref().is_some_and(TopicsChange::is_shorter) {
        let loss = Loss {
            what: "what is older than that, now or in time",
            name: &name(settings),
            is_loopback: (rows.is_none() || settings.store.is_loopback())
                && (topics.is_none() || settings.brokers.are_loopback()),
        };
        confirm(&args.confirm, loss, output).await?;
    }
    if let (Some(store), Some(_)) = (&store, &rows) {
        let author = Author::now(args.by.as_deref().unwrap_or_default(), args.reason.as_deref().unwrap_or_default())?;
        let since = put_in_force(store, &wanted, &author).await?;
        output.note(format_args!(
            "in force: readings are kept {}, minutes {}, alarms {}; consumers take it up within 5 s",
            shown(since.raw),
            shown(since.minutes),
            shown(since.alerts)
        ));
    }
    if let Some(topics) = &mut topics {
        topics.make(output).await?;
    }
    Ok(Code::Done)
}

/// What is to be typed: the keyspace, or the file without its folder.
fn name(settings: &Settings) -> String {
    match &settings.store {
        StoreAddress::Cassandra { keyspace, .. } => keyspace.clone(),
        StoreAddress::Sqlite { path } => path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned(),
    }
}

async fn put_in_force(store: &AnyStore, wanted: &Wanted, author: &Author<'_>) -> Result<Kept> {
    let before = store.retention().await?.in_force();
    let name = wanted.name(before);
    // Of what somebody else has set meanwhile, what is not named here stays.
    let change = |known: &Retention| {
        let since = wanted.over(known.in_force());
        Ok((since.to_content()?, since))
    };
    journal::change(store, &name, author, change).await
}

/// What changes for the rows of the store.
struct RowsChange {
    before: Kept,
    after: Kept,
    stock: Stock,
    now: i64,
}

impl RowsChange {
    async fn look(store: &AnyStore, wanted: &Wanted, output: &Output) -> Result<Self> {
        let before = store.retention().await?.in_force();
        let after = wanted.over(before);
        let stock = if before == after { Stock::default() } else { stock(store, after, output).await };
        Ok(Self { before, after, stock, now: Utc::now().timestamp_micros() })
    }

    fn is_shorter(&self) -> bool {
        let Self { before, after, .. } = self;
        let pairs = [(after.raw, before.raw), (after.minutes, before.minutes), (after.alerts, before.alerts)];
        pairs.iter().any(|(after, before)| after.is_shorter_than(*before))
    }

    fn lines(&self, is_sqlite: bool) -> Vec<String> {
        let mut lines = Vec::new();
        let parts = [
            ("readings", "patient_vitals", self.before.raw, self.after.raw),
            ("minutes", "patient_vitals_1m", self.before.minutes, self.after.minutes),
            ("alarms", "patient_alerts", self.before.alerts, self.after.alerts),
        ];
        for (what, table, before, after) in parts {
            if before == after {
                continue;
            }
            lines.push(format!("{what}: kept {} until now, {} from now on", shown(before), shown(after)));
            let stock = self.stock.tables.iter().find(|stock| stock.table == table);
            if let (Some(stock), true) = (stock, after.is_shorter_than(before)) {
                lines.push(self.over(what, stock, after, is_sqlite));
            }
        }
        lines
    }

    /// What of a table is older than that.
    fn over(&self, what: &str, stock: &TableStock, after: Keep, is_sqlite: bool) -> String {
        let horizon = after.horizon(self.now).and_then(Timestamp::from_micros).map(|time| time.to_string());
        let (Some(horizon), Some(oldest)) = (horizon, &stock.oldest) else { return "  the table is empty".to_owned() };
        if *oldest >= horizon {
            return format!("  none is older: the oldest is of {oldest}");
        }
        let about = if stock.is_counted { "" } else { "about " };
        let rows = stock.over.map_or_else(
            || "an unknown number of rows".to_owned(),
            |rows| {
                let bytes = size(rows.saturating_mul(stock.row_bytes));
                format!("{about}{} (about {bytes}, an estimate)", counted(rows, "row"))
            },
        );
        let range = format!("from {oldest} to {horizon}");
        if is_sqlite {
            let but = if what == "alarms" { ", but for alarms that are on" } else { "" };
            format!("  {range}: {rows} go{but}, as soon as some program writes into the file")
        } else {
            format!(
                "  {range}: {rows} were written before and keep the end that they have until `vitals retention apply`; what \
                 is that old and comes again is not written"
            )
        }
    }
}

/// What changes for topics.
struct TopicsChange {
    cluster: Cluster,
    changes: Vec<(TopicKept, Keep)>,
}

impl TopicsChange {
    async fn look(args: &Args, settings: &Settings, output: &Output) -> Result<Option<Self>> {
        let letters = dead_letter_topic(&settings.topic);
        let wanted = [(&settings.topic, args.messages), (&letters, args.dead_letters)];
        let wanted: Vec<_> = wanted.into_iter().filter_map(|(topic, keep)| Some((topic, keep?))).collect();
        if wanted.is_empty() {
            return Ok(None);
        }
        let topics: Vec<_> = wanted.iter().map(|(topic, _)| topic.as_str()).collect();
        let mut cluster = app::open_led_kafka(settings, &topics, None, output).await?;
        let mut changes = Vec::new();
        for (topic, keep) in wanted {
            let kept = topics::kept(&mut cluster, topic).await?;
            if kept.retention_ms.map(|ms| ms.max(-1).to_string()) != Some(as_setting(keep)) {
                // Who may not is told before anything else changes.
                topic_settings::alter(&mut cluster, topic, RETENTION_MS, &as_setting(keep), true).await?;
                changes.push((kept, keep));
            }
        }
        Ok(Some(Self { cluster, changes }))
    }

    fn lines(&self) -> Vec<String> {
        let line = |(kept, keep): &(TopicKept, Keep)| {
            let TopicKept { topic, retention_ms, .. } = kept;
            format!("topic {topic}: messages are kept {} until now, {} from now on", words(*retention_ms), shown(*keep))
        };
        self.changes.iter().map(line).collect()
    }

    fn is_shorter(&self) -> bool {
        self.changes.iter().any(|(kept, keep)| {
            let before = kept.retention_ms.and_then(|ms| u64::try_from(ms).ok());
            match (keep, before) {
                (Keep::All, _) => false,
                (Keep::For(_), None) => true,
                (Keep::For(span), Some(before)) => span.as_millis() < u128::from(before),
            }
        })
    }

    async fn make(&mut self, output: &Output) -> Result<()> {
        for (TopicKept { topic, .. }, keep) in &self.changes {
            topic_settings::alter(&mut self.cluster, topic, RETENTION_MS, &as_setting(*keep), false).await?;
            output.note(format_args!("topic {topic}: messages are kept {}", shown(*keep)));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::cmd::common::parsed;
    use crate::settings::{Environment, Flags, resolve};

    const DAY: Duration = Duration::from_secs(86_400);

    fn wanted(line: &str, variables: &[(&str, &str)]) -> Result<Kept, RetentionError> {
        let environment: Environment =
            variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let settings = resolve(&Flags::default(), &environment).unwrap();
        let args: Args = parsed(&format!("{line} --dry-run")).unwrap();
        let before = Kept { raw: Keep::For(30 * DAY), ..Kept::default() };
        Wanted::of(&args, &settings).map(|wanted| wanted.over(before))
    }

    #[test]
    fn what_is_not_named_stays_and_the_settings_speak_where_nothing_is_named() {
        let wish = [("VITALS_KEEP_ALERTS", "400d")];
        assert_eq!(wanted("--raw 7d", &wish).unwrap(), Kept { raw: Keep::For(7 * DAY), ..Kept::default() });
        let kept = Kept { raw: Keep::For(30 * DAY), ..Kept::default() };
        assert_eq!(wanted("", &wish).unwrap(), Kept { alerts: Keep::For(400 * DAY), ..kept });
        assert_eq!(wanted("--messages 7d", &wish).unwrap(), kept);
        assert_eq!(wanted("--minutes 400d", &wish).unwrap(), Kept { minutes: Keep::For(400 * DAY), ..kept });
        assert!(matches!(wanted("", &[]), Err(RetentionError::NothingToSet)));
    }

    #[test]
    fn a_change_needs_who_and_why_and_a_trial_does_not() {
        for line in ["--raw 30d", "--raw 30d --by Anna", "--raw 30d --reason disk", "--raw 30 --dry-run"] {
            assert!(parsed::<Args>(line).is_err(), "{line}");
        }
        assert!(parsed::<Args>("--raw 30d --by Anna --reason disk").is_ok());
        assert!(parsed::<Args>("--raw 30d --dry-run").is_ok());
    }

    #[test]
    fn what_would_go_is_told_from_when_to_when_with_rows_and_bytes() {
        let stock = TableStock {
            table: "patient_vitals",
            patients: 3,
            looked: 3,
            oldest: Some("2026-01-01T00:00:00+00:00".to_owned()),
            rows: Some(9_000),
            over: Some(7_000),
            is_counted: true,
            row_bytes: 76,
        };
        let now = Timestamp::parse("2026-03-01T00:00:00Z").unwrap().as_micros();
        let lines = |after, is_sqlite| {
            let after = Kept { raw: after, ..Kept::default() };
            let stock = Stock { tables: vec![stock.clone()], file: None };
            RowsChange { before: Kept::default(), after, stock, now }.lines(is_sqlite)
        };
        assert_eq!(
            lines(Keep::For(30 * DAY), true),
            [
                "readings: kept for ever until now, 30d from now on",
                "  from 2026-01-01T00:00:00+00:00 to 2026-01-30T00:00:00+00:00: 7000 rows (about 520 KiB, an estimate) go, as \
                 soon as some program writes into the file"
            ]
        );
        assert!(lines(Keep::For(30 * DAY), false)[1].contains("keep the end that they have"));
        assert_eq!(lines(Keep::For(90 * DAY), true)[1], "  none is older: the oldest is of 2026-01-01T00:00:00+00:00");
    }
}
