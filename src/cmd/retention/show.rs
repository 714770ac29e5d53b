//! `vitals retention show`.

use std::time::Duration;

use chrono::Utc;
use color_eyre::eyre::Result;
use serde::Serialize;
use tokio::time::timeout;

use super::topics::{self, TopicKept};
use crate::advice::Code;
use crate::app;
use crate::cmd::Context;
use crate::diagnose::Problem;
use crate::diagnose::retention::{shown, unmet};
use crate::output::{ObjectFormat, ObjectFormatArgs, Output, counted, error_chain, size, wrapped};
use crate::settings::Settings;
use crate::store::{AnyStore, FileRoom, Kept, Retention, Stock, TableStock};

/// How to show it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Rows and bytes are estimates where that is said: by Cassandra's own figures,
or by what can be counted of an SQLite file within a second.

Examples:
  vitals retention show
  vitals retention show -o json")]
pub(super) struct Args {
    #[command(flatten)]
    format: ObjectFormatArgs,
}

/// What the tables hold is told within this, or not.
const STOCK_LIMIT: Duration = Duration::from_secs(10);

/// What is known.
#[derive(Debug, Serialize)]
struct Report {
    raw: String,
    minutes: String,
    alerts: String,
    /// Null where nobody has said anything.
    since: Option<String>,
    by: Option<String>,
    reason: Option<String>,
    /// What the settings ask for that is not in force.
    unmet: Option<Problem>,
    tables: Vec<Table>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<File>,
    /// Null where no broker was reached.
    topics: Option<Vec<TopicKept>>,
}

#[derive(Debug, Serialize)]
struct Table {
    name: &'static str,
    patients: usize,
    oldest: Option<String>,
    rows: Option<u64>,
    bytes: Option<u64>,
    is_estimate: bool,
}

#[derive(Debug, Serialize)]
struct File {
    free_bytes: u64,
    shrinks: bool,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<Code> {
    let Context { settings, output, .. } = context;
    let store = app::open_store_to_read(settings, output).await?;
    let retention = store.retention().await?;
    let stock = stock(&store, retention.in_force(), output).await;
    let topics = match topics::look(settings).await {
        Ok(topics) => Some(topics),
        Err(error) => {
            output.note(format_args!("note: {error}; how long topics keep their messages is not shown"));
            None
        }
    };
    let report = Report::of(&retention, settings, stock, topics);
    match args.format.choose(output.stdout_is_terminal()) {
        ObjectFormat::Table => report.lines(output.text_width()).into_iter().try_for_each(|line| output.line(line))?,
        ObjectFormat::Json => output.json(&serde_json::to_string_pretty(&report)?)?,
        ObjectFormat::Ndjson => output.json(&serde_json::to_string(&report)?)?,
    }
    Ok(Code::Done)
}

/// What the tables hold; nothing, and a note, where that is not told in time.
pub(super) async fn stock(store: &AnyStore, kept: Kept, output: &Output) -> Stock {
    let why = match timeout(STOCK_LIMIT, store.stock(kept, Utc::now().timestamp_micros())).await {
        Ok(Ok(stock)) => return stock,
        Ok(Err(error)) => error_chain(&error),
        Err(_) => format!("that takes longer than {} s", STOCK_LIMIT.as_secs()),
    };
    output.note(format_args!("note: what the tables hold is not told: {why}"));
    Stock::default()
}

impl Report {
    fn of(retention: &Retention, settings: &Settings, stock: Stock, topics: Option<Vec<TopicKept>>) -> Self {
        let Kept { raw, minutes, alerts } = retention.in_force();
        let last = retention.last();
        let table = |stock: TableStock| Table {
            name: stock.table,
            patients: stock.patients,
            oldest: stock.oldest,
            rows: stock.rows,
            bytes: stock.rows.map(|rows| rows.saturating_mul(stock.row_bytes)),
            is_estimate: !stock.is_counted,
        };
        Self {
            raw: raw.to_string(),
            minutes: minutes.to_string(),
            alerts: alerts.to_string(),
            since: last.map(|change| change.at.to_string()),
            by: last.map(|change| change.by.clone()),
            reason: last.map(|change| change.reason.clone()),
            unmet: unmet(retention, settings),
            tables: stock.tables.into_iter().map(table).collect(),
            file: stock.file.map(|FileRoom { free_bytes, shrinks }| File { free_bytes, shrinks }),
            topics,
        }
    }

    fn lines(&self, width: usize) -> Vec<String> {
        let mut lines = Vec::new();
        let mut put =
            |label: &str, text: &str| lines.extend(wrapped(&format!("{label:<10}"), "          ", text, width));
        let words = |keep: &str| crate::span::Keep::parse(keep).map_or_else(|_| keep.to_owned(), shown);
        put("readings", &words(&self.raw));
        put("minutes", &words(&self.minutes));
        put("alarms", &words(&self.alerts));
        match (&self.since, &self.by, &self.reason) {
            (Some(since), Some(by), Some(reason)) => put("since", &format!("{since} by {by}: {reason}")),
            _ => put("since", "nobody has said how long, so that everything is kept"),
        }
        if let Some(Problem { what, fix }) = &self.unmet {
            put("settings", &format!("{what}; {fix}"));
        }
        for (place, table) in self.tables.iter().enumerate() {
            put(if place == 0 { "tables" } else { "" }, &table.in_words());
        }
        if let Some(File { free_bytes, shrinks }) = self.file {
            let then = if shrinks {
                "what more becomes free is given back".to_owned()
            } else {
                "it is used again, and the file does not become smaller: it was made before that could be asked for; \
                 with every program stopped `sqlite3 FILE 'PRAGMA auto_vacuum = INCREMENTAL; VACUUM'` mends that"
                    .to_owned()
            };
            put("file", &format!("{} of it are free; {then}", size(free_bytes)));
        }
        for (place, topic) in self.topics.iter().flatten().enumerate() {
            put(if place == 0 { "topics" } else { "" }, &format!("{}  {}", topic.topic, topic.in_words()));
        }
        lines
    }
}

impl Table {
    fn in_words(&self) -> String {
        let Self { name, patients, oldest, rows, bytes, is_estimate } = self;
        let Some(oldest) = oldest else { return format!("{name}  empty") };
        let about = if *is_estimate { "about " } else { "" };
        let rows = match (rows, bytes) {
            (Some(rows), Some(bytes)) => format!(", {about}{}, about {}", counted(*rows, "row"), size(*bytes)),
            _ => ", more rows than are counted here".to_owned(),
        };
        format!("{name}  oldest {oldest}{rows}, {}", counted(*patients, "patient"))
    }
}
