//! What was found, for people: one screen.

use super::report::{Broker, Cluster, Group, Report, Store, Table, Topic};
use crate::output::{counted, wrapped};
use crate::store::SchemaVersion;

/// What stands on the left, and the room for it.
const LABEL_COLUMNS: usize = 9;

/// What a line begins with that tells of something wrong.
pub(super) const WRONG: &str = "WRONG";

/// The last line where nothing is.
pub(super) const WELL: &str = "all is well";

/// The lines of the screen, none of them longer than `width` where its words allow it.
pub(super) fn lines(report: &Report, width: usize) -> Vec<String> {
    let mut sheet = Sheet { lines: Vec::new(), width };
    sheet.cluster(report);
    sheet.topics(&report.topics);
    if let Some(group) = &report.group {
        sheet.group(group);
    }
    sheet.store(report);
    sheet.wrong(report);
    sheet.lines
}

struct Sheet {
    lines: Vec<String>,
    width: usize,
}

impl Sheet {
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
            Some(Store::Cassandra { replication, schema_agrees, schema_version, nodes, tables, .. }) => {
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
            }
            Some(Store::Sqlite { path, size_bytes, journal_mode, schema_version, tables }) => {
                self.put("store", &format!("sqlite:{path}"));
                self.put("", &format!("{}, log mode {journal_mode}", size(*size_bytes)));
                self.tables(tables, *schema_version);
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

fn up(up: bool) -> &'static str {
    if up { "up" } else { "DOWN" }
}

fn size(bytes: u64) -> String {
    const KIB: u64 = 1024;
    const MIB: u64 = 1024 * KIB;
    if bytes < 10 * MIB { format!("{} KiB", bytes.div_ceil(KIB)) } else { format!("{} MiB", bytes / MIB) }
}
