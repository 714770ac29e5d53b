//! What was found: the object that `-o json` gives, field by field, and one screen of it for people.

use serde::Serialize;

use crate::diagnose::Problem;
use crate::output::{counted, size, wrapped};
use crate::store::{self, ActiveAlarms, SchemaVersion};

/// Everything at one look. A part that did not answer is null, and `wrong` says why.
#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    pub(super) healthy: bool,
    pub(super) wrong: Vec<Problem>,
    pub(super) brokers_address: String,
    pub(super) cluster: Option<Cluster>,
    pub(super) topics: Vec<Topic>,
    pub(super) group: Option<Group>,
    pub(super) store_address: String,
    pub(super) store: Option<Store>,
    /// How long rows are kept, in words; null where the store does not tell.
    pub(super) retention: Option<String>,
    /// The patients with the most readings, in words; null where that takes too long.
    pub(super) largest: Option<String>,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct Cluster {
    pub(super) id: Option<String>,
    /// The id of the node that leads the cluster.
    pub(super) controller: Option<i32>,
    pub(super) brokers: Vec<Broker>,
}

#[derive(Debug, Serialize)]
pub(super) struct Broker {
    pub(super) id: i32,
    /// Null of one that only the replicas' lists still name.
    pub(super) address: Option<String>,
    pub(super) up: bool,
    pub(super) version: Option<&'static str>,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct Topic {
    pub(super) name: String,
    pub(super) exists: bool,
    pub(super) partitions: usize,
    /// On how many brokers each partition is kept.
    pub(super) replication: usize,
    pub(super) leaderless: Vec<i32>,
    pub(super) under_replicated: Vec<i32>,
    /// Null where a partition's leader does not tell.
    pub(super) records: Option<i64>,
}

#[derive(Debug, Serialize)]
pub(super) struct Group {
    pub(super) name: String,
    /// In Kafka's words; null where there is no such group.
    pub(super) state: Option<String>,
    pub(super) members: usize,
    /// Messages that the group has not read; null where it is not known.
    pub(super) lag: Option<i64>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(super) enum Store {
    Cassandra {
        keyspace: String,
        /// Null where there is no such keyspace.
        replication: Option<String>,
        schema_agrees: bool,
        schema_version: SchemaVersion,
        nodes: Vec<Node>,
        tables: Vec<Table>,
        #[serde(flatten)]
        alarms: Alarms,
    },
    Sqlite {
        path: String,
        size_bytes: u64,
        journal_mode: String,
        schema_version: SchemaVersion,
        tables: Vec<Table>,
        #[serde(flatten)]
        alarms: Alarms,
    },
}

/// The alarms that are on.
#[derive(Debug, Default, Serialize)]
pub(super) struct Alarms {
    /// Null where they could not be counted, or the tables are not as they should be.
    pub(super) active_alarms: Option<ActiveAlarms>,
    /// Why they could not be counted.
    #[serde(rename = "alarms_not_counted", skip_serializing_if = "Option::is_none")]
    pub(super) not_counted: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct Node {
    pub(super) address: String,
    pub(super) up: bool,
    pub(super) data_center: String,
    pub(super) version: String,
}

impl From<store::Node> for Node {
    fn from(node: store::Node) -> Self {
        Self { address: node.address, up: node.is_up, data_center: node.data_center, version: node.version }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct Table {
    pub(super) name: &'static str,
    /// `fits`, `missing`, or `differs`.
    pub(super) state: &'static str,
}

/// What stands on the left, and the room for it.
const LABEL_COLUMNS: usize = 9;

/// What a line begins with that tells of something wrong.
pub(super) const WRONG: &str = "WRONG";

/// The last line where nothing is.
pub(super) const WELL: &str = "all is well";

/// The lines of the screen, none of them longer than `width` where its words allow it.
pub(super) fn lines(report: &Report, width: usize) -> Vec<String> {
    let mut screen = Screen { lines: Vec::new(), width };
    screen.cluster(report);
    screen.topics(&report.topics);
    if let Some(group) = &report.group {
        screen.group(group);
    }
    screen.store(report);
    if let Some(retention) = &report.retention {
        screen.put("kept", retention);
    }
    if let Some(largest) = &report.largest {
        screen.put("largest", largest);
    }
    screen.wrong(report);
    screen.lines
}

struct Screen {
    lines: Vec<String>,
    width: usize,
}

impl Screen {
    /// A line behind its label, or below the one before where that is empty.
    fn put(&mut self, label: &str, text: &str) {
        let indent = " ".repeat(LABEL_COLUMNS);
        self.lines.extend(wrapped(&format!("{label:<LABEL_COLUMNS$}"), &indent, text, self.width));
    }

    fn cluster(&mut self, report: &Report) {
        let Some(cluster) = &report.cluster else {
            return self.put("brokers", &format!("{}: no answer", report.brokers_address));
        };
        let id = cluster.id.as_deref().map(|id| format!(", cluster {id}")).unwrap_or_default();
        self.put("brokers", &format!("{}{id}", report.brokers_address));
        for broker in &cluster.brokers {
            self.put("", &broker_line(broker, cluster));
        }
        let leads = |id: i32| cluster.brokers.iter().any(|broker| broker.id == id);
        if let Some(controller) = cluster.controller.filter(|controller| !leads(*controller)) {
            self.put("", &format!("{controller}  leads the cluster, and is no broker"));
        }
    }

    fn topics(&mut self, topics: &[Topic]) {
        let widest = topics.iter().map(|topic| topic.name.len()).max().unwrap_or_default();
        for (place, topic) in topics.iter().enumerate() {
            let label = if place == 0 { "topics" } else { "" };
            self.put(label, &format!("{:<widest$}  {}", topic.name, topic_words(topic)));
        }
    }

    fn group(&mut self, group: &Group) {
        let lag = group.lag.map(|lag| format!(", lag {lag}")).unwrap_or_default();
        let state = group.state.as_deref().unwrap_or("not there yet");
        self.put("group", &format!("{}  {state}, {}{lag}", group.name, counted(group.members, "member")));
    }

    fn store(&mut self, report: &Report) {
        match &report.store {
            None => self.put("store", &format!("{}: no answer", report.store_address)),
            Some(Store::Cassandra { replication, schema_agrees, schema_version, nodes, tables, alarms, .. }) => {
                self.put("store", &report.store_address);
                for node in nodes {
                    let text =
                        format!("{}  {}  Cassandra {}  {}", node.address, up(node.up), node.version, node.data_center);
                    self.put("", &text);
                }
                let replication = replication.as_deref().unwrap_or("no keyspace");
                let agrees = if *schema_agrees { "schema agrees" } else { "schema differs between nodes" };
                self.put("", &format!("{replication}, {agrees}"));
                self.tables(tables, *schema_version);
                self.alarms(alarms);
            }
            Some(Store::Sqlite { path, size_bytes, journal_mode, schema_version, tables, alarms }) => {
                self.put("store", &format!("sqlite:{path}"));
                self.put("", &format!("{}, log mode {journal_mode}", size(*size_bytes)));
                self.tables(tables, *schema_version);
                self.alarms(alarms);
            }
        }
    }

    fn tables(&mut self, tables: &[Table], version: SchemaVersion) {
        if !tables.is_empty() {
            let words: Vec<_> = tables.iter().map(|table| format!("{} {}", table.name, table.state)).collect();
            let SchemaVersion { found, known } = version;
            self.put("", &format!("tables: {}, version {found} (known: {known})", words.join(", ")));
        }
    }

    fn alarms(&mut self, alarms: &Alarms) {
        if let Some(active) = alarms.active_alarms {
            self.put("alarms", &alarm_words(active));
        }
        if let Some(why) = &alarms.not_counted {
            self.put("alarms", &format!("not counted: {why}; `vitals alarms list --active` shows them"));
        }
    }

    fn wrong(&mut self, report: &Report) {
        self.lines.push(String::new());
        if report.healthy {
            self.lines.push(WELL.to_owned());
        }
        for wrong in &report.wrong {
            self.lines.extend(wrapped(&format!("{WRONG}  "), "       ", &wrong.what, self.width));
            self.lines.extend(wrapped("  cure ", "       ", &wrong.fix, self.width));
        }
    }
}

fn broker_line(broker: &Broker, cluster: &Cluster) -> String {
    let address = broker.address.as_deref().unwrap_or("?");
    let version = broker.version.map(|version| format!("  {version}")).unwrap_or_default();
    let leads = if cluster.controller == Some(broker.id) { "  controller" } else { "" };
    format!("{}  {address}  {}{version}{leads}", broker.id, up(broker.up))
}

fn topic_words(topic: &Topic) -> String {
    if !topic.exists {
        return "missing".to_owned();
    }
    let (partitions, copies) = (counted(topic.partitions, "partition"), topic.replication);
    let records = topic.records.map_or_else(|| "? records".to_owned(), |records| counted(records, "record"));
    let copies = counted(copies, "copy");
    let trouble = |numbers: &[i32], what: &str| {
        if numbers.is_empty() { String::new() } else { format!(", {} {what}", numbers.len()) }
    };
    let leaderless = trouble(&topic.leaderless, "leaderless");
    let under_replicated = trouble(&topic.under_replicated, "under-replicated");
    format!("{partitions}, {copies}, {records}{leaderless}{under_replicated}")
}

fn alarm_words(alarms: ActiveAlarms) -> String {
    let ActiveAlarms { high, medium, low } = alarms;
    let counts = [(high, "*** high"), (medium, "** medium"), (low, "* low")];
    let counts: Vec<_> =
        counts.iter().filter(|(count, _)| *count > 0).map(|(count, of)| format!("{count} {of}")).collect();
    if counts.is_empty() { "none is on".to_owned() } else { format!("on: {}", counts.join(", ")) }
}

fn up(up: bool) -> &'static str {
    if up { "up" } else { "DOWN" }
}
