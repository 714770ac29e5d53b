//! Rows as one request: BATCH for several, EXECUTE for one. Where one ends and the next begins is here too: rows of
//! several partitions stay below what the server warns of and far below what it refuses, rows of one partition are one
//! write to it and may be more. How many readings and patients share a batch is said by the store (see `write.rs`).
//!
//! The driver sends these requests and reads the answers, but does not encode them: it would take one allocation a value,
//! clone them all and copy them twice, which was more than half of a drain's processor time.
//!
//! Cassandra's native protocol, version 4, sections 4.1.6 and 4.1.7.

use cdrs_tokio::consistency::Consistency;
use cdrs_tokio::frame::message_batch::BatchType;
use cdrs_tokio::frame::{Direction, Envelope, Flags, Opcode, Version};

use super::Insert;
use super::values::{Row, Values};

/// The rows of a request, alerts included, where they are all of one partition: some hundred kilobytes.
const MAX_STATEMENTS: usize = 500;
/// Beyond this Cassandra writes a warning into its log for every single batch of several partitions
/// (`batch_size_warn_threshold`), and beyond ten times as much it refuses it for good (`batch_size_fail_threshold`). What
/// is one partition's is one write to it, of whatever size.
const MAX_SHARED_SERVER_BYTES: usize = 5 * 1024;
/// By how much the server counts a value as more than its bytes: each of them has a time, and two fields for its end.
const VALUE_SERVER_BYTES: usize = 8 + 4 + 8;
/// By how much the server counts a row as more than its values.
const ROW_SERVER_BYTES: usize = 21;
/// A value's length on the wire.
const LENGTH_BYTES: usize = 4;
/// The patient and the time, of which a row of either table has one each, are no values to the server.
const KEYS: usize = 2;

/// In a batch: what follows is the id of a prepared statement.
const PREPARED: u8 = 1;
/// In the flags of EXECUTE: values follow.
const WITH_VALUES: u8 = 1;
/// In the flags of both: the time of writing follows, in microseconds since 1970.
const WITH_TIMESTAMP: u8 = 0x20;
/// In the flags of BATCH.
const NOTHING_MORE: u8 = 0;

/// Rows that go out together.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Group {
    rows: usize,
    /// What the server counts them as.
    server_bytes: usize,
    /// Whether they are of several partitions.
    is_shared: bool,
    /// The partition key of the first row: where there are several nodes, and the rows were consumed, that of all of them.
    key: Vec<u8>,
    /// Their statements, as BATCH has them: kind, id, values.
    statements: Vec<u8>,
    /// Where the values of the first row begin.
    values_at: usize,
    /// When they are said to be written, in microseconds since 1970; the server says where nothing is given.
    written_at: Option<i64>,
}

/// Puts rows into groups, in their order. All rows of a partition that are added one after the other go into one group, as
/// far as it takes them: the server writes them all or none. Of two alarms the later one is never there without the end of
/// the one before.
#[derive(Debug, Default)]
pub(super) struct Groups<'a> {
    full: Vec<Group>,
    last: Group,
    /// The patient and the part of the row that was added last, and what the last group was before the first row of there.
    partition: (&'a str, i32),
    before: Mark,
}

/// Where a group could be cut.
#[derive(Debug, Default, Clone, Copy)]
struct Mark {
    rows: usize,
    server_bytes: usize,
    statements_bytes: usize,
    is_shared: bool,
    /// Where the values of the first row behind it begin.
    values_at: usize,
}

impl<'a> Groups<'a> {
    /// Adds a row; it begins another group where it would take the last one past a limit, together with the rows of its
    /// partition. A row that is past it alone goes alone. Its end comes in so many seconds, or is not set.
    pub(super) fn add<R: Row>(&mut self, insert: &Insert, row: &'a R, ttl: Option<i32>) {
        let [usual, rest] = R::COLUMNS.map(<[_]>::len);
        let (statement_id, count) =
            if row.is_usual() { (&insert.usual, usual) } else { (&insert.whole, usual.saturating_add(rest)) };
        let statements = &mut self.last.statements;
        let start = statements.len();
        statements.push(PREPARED);
        push_short(statements, statement_id.len());
        statements.extend_from_slice(statement_id);
        let values_at = statements.len();
        push_short(statements, count.saturating_add(1));
        let mut bound = Values::behind(statements);
        row.bind(&mut bound);
        let set = bound.count_set();
        let own_bytes = server_bytes_of(statements.len() - values_at, count, set);
        // Behind the columns, and none of them.
        Values::behind(statements).number(ttl.map(i32::to_be_bytes));
        let Group { rows, server_bytes, is_shared, .. } = self.last;
        let here = Mark { rows, server_bytes, statements_bytes: start, is_shared, values_at };
        let partition = (row.patient(), row.part());
        let is_other = std::mem::replace(&mut self.partition, partition) != partition;
        if is_other {
            self.before = here;
        }
        let shares = rows > 0 && (is_shared || is_other);
        if rows == MAX_STATEMENTS {
            self.cut(here, row.partition_key());
        } else if shares && server_bytes + own_bytes >= MAX_SHARED_SERVER_BYTES {
            self.cut(self.before, row.partition_key());
        } else {
            self.last.is_shared = shares;
        }
        if rows == 0 {
            self.last.values_at = values_at;
            self.last.key = row.partition_key();
        }
        self.last.rows += 1;
        self.last.server_bytes += own_bytes;
    }

    /// Begins another group with what is behind this mark, which is in the partition of this key.
    fn cut(&mut self, at: Mark, key: Vec<u8>) {
        let Group { rows, server_bytes, .. } = self.last;
        let next = Group {
            rows: rows - at.rows,
            server_bytes: server_bytes - at.server_bytes,
            is_shared: false,
            // Groups are cut before a partition's first row or among the rows of one, and its next row is added here.
            key,
            statements: self.last.statements.split_off(at.statements_bytes),
            values_at: at.values_at - at.statements_bytes,
            written_at: None,
        };
        let full = std::mem::replace(&mut self.last, next);
        self.full.push(Group { rows: at.rows, server_bytes: at.server_bytes, is_shared: at.is_shared, ..full });
        self.before = Mark::default();
    }

    /// All of them; none where no row was added.
    pub(super) fn finish(mut self) -> Vec<Group> {
        if self.last.rows > 0 {
            self.full.push(self.last);
        }
        self.full
    }
}

impl Group {
    /// The key of the partition that its rows are in.
    pub(super) fn partition_key(&self) -> &[u8] {
        &self.key
    }

    /// The same, written at this time, in microseconds since 1970.
    pub(super) fn written_at(self, micros: i64) -> Self {
        Self { written_at: Some(micros), ..self }
    }

    /// The request that writes it.
    pub(super) fn request(&self, consistency: Consistency) -> Envelope {
        let (opcode, body) = if self.rows == 1 {
            (Opcode::Execute, self.execute(consistency))
        } else {
            (Opcode::Batch, self.batch(consistency))
        };
        Envelope::new(Version::V4, Direction::Request, Flags::empty(), opcode, 0, body, None, Vec::new())
    }

    fn batch(&self, consistency: Consistency) -> Vec<u8> {
        let mut body = Vec::with_capacity(self.statements.len() + 8);
        body.push(BatchType::Unlogged.into());
        push_short(&mut body, self.rows);
        body.extend_from_slice(&self.statements);
        body.extend_from_slice(&i16::from(consistency).to_be_bytes());
        self.end(&mut body, NOTHING_MORE, &[]);
        body
    }

    fn execute(&self, consistency: Consistency) -> Vec<u8> {
        let (head, values) = self.statements.split_at_checked(self.values_at).unwrap_or_default();
        let mut body = Vec::with_capacity(self.statements.len() + 8);
        // The id stands behind the kind, which only BATCH has.
        body.extend_from_slice(head.get(1..).unwrap_or_default());
        body.extend_from_slice(&i16::from(consistency).to_be_bytes());
        self.end(&mut body, WITH_VALUES, values);
        body
    }

    /// The flags, and what they say that follows.
    fn end(&self, body: &mut Vec<u8>, flags: u8, values: &[u8]) {
        body.push(flags | if self.written_at.is_some() { WITH_TIMESTAMP } else { 0 });
        body.extend_from_slice(values);
        body.extend(self.written_at.into_iter().flat_map(i64::to_be_bytes));
    }
}

/// What the server counts a row as that takes so many bytes on the wire, behind its statement's id, and has so many
/// values, of which so many are set.
fn server_bytes_of(wire_bytes: usize, count: usize, set: usize) -> usize {
    let contents = wire_bytes.saturating_sub(size_of::<u16>() + LENGTH_BYTES * count);
    contents + ROW_SERVER_BYTES + VALUE_SERVER_BYTES * set.saturating_sub(KEYS)
}

fn push_short(out: &mut Vec<u8>, number: usize) {
    // Neither an id nor the rows of a group come near the limit.
    out.extend_from_slice(&u16::try_from(number).unwrap_or(u16::MAX).to_be_bytes());
}

#[cfg(test)]
mod tests {
    use cdrs_tokio::frame::message_batch::{BatchQuery, BatchQuerySubj, BodyReqBatch};
    use cdrs_tokio::frame::message_request::RequestBody;
    use cdrs_tokio::query::QueryValues;
    use cdrs_tokio::types::CBytesShort;
    use cdrs_tokio::types::value::Value;

    use super::*;
    use crate::reading::{Consciousness, Observed, PatientId, Reading, Signs, Timestamp};

    /// A row of one text. Its part is what stands behind the colon of its patient.
    struct Text(&'static str, String);

    impl Row for Text {
        const COLUMNS: [&'static [&'static str]; 2] = [&["text"], &["never"]];

        fn is_usual(&self) -> bool {
            true
        }

        fn patient(&self) -> &str {
            self.0.split_once(':').map_or(self.0, |(patient, _)| patient)
        }

        fn part(&self) -> i32 {
            self.0.split_once(':').map_or(0, |(_, part)| part.parse().unwrap())
        }

        fn bind(&self, values: &mut Values<'_>) {
            values.bytes(self.1.as_bytes());
        }
    }

    const ID: [u8; 16] = [7; 16];

    fn insert() -> Insert {
        Insert { usual: ID.to_vec(), whole: vec![8; 16] }
    }

    fn grouped(texts: &[Text]) -> Vec<Group> {
        let (mut groups, insert) = (Groups::default(), insert());
        for text in texts {
            groups.add(&insert, text, None);
        }
        groups.finish()
    }

    /// Rows of so many bytes, as the server counts them.
    fn groups(sizes: &[(&'static str, usize)]) -> Vec<Group> {
        let texts: Vec<_> =
            sizes.iter().map(|(patient, size)| Text(patient, "x".repeat(size - ROW_SERVER_BYTES))).collect();
        grouped(&texts)
    }

    fn rows(groups: &[Group]) -> Vec<usize> {
        groups.iter().map(|group| group.rows).collect()
    }

    fn bodies(texts: &[&str]) -> Vec<RequestBody> {
        let texts: Vec<_> = texts.iter().map(|text| Text("P1", (*text).to_owned())).collect();
        grouped(&texts).iter().map(|group| group.request(Consistency::LocalQuorum).request_body().unwrap()).collect()
    }

    #[test]
    fn a_request_has_so_many_rows_at_most() {
        assert_eq!(rows(&groups(&[("P1", 30); MAX_STATEMENTS])), [MAX_STATEMENTS]);
        assert_eq!(rows(&groups(&[("P1", 30); MAX_STATEMENTS + 1])), [MAX_STATEMENTS, 1]);
    }

    #[test]
    fn what_is_of_several_patients_stays_under_five_kibibytes() {
        assert_eq!(rows(&groups(&[("P1", 1024), ("P1", 1024), ("P2", 1024), ("P2", 1024), ("P3", 1024)])), [4, 1]);
        assert_eq!(rows(&groups(&[("P1", 1023), ("P1", 1023), ("P2", 1023), ("P2", 1023), ("P3", 1023)])), [5]);
    }

    #[test]
    fn what_is_of_one_patient_is_of_any_size_and_nobody_else_joins_it() {
        assert_eq!(rows(&groups(&[("P1", 1024), ("P1", 9000), ("P1", 1024), ("P2", 100), ("P2", 100)])), [3, 2]);
    }

    #[test]
    fn what_is_of_one_patient_in_several_partitions_is_several_writes_to_the_server() {
        let groups =
            groups(&[("P1:1", 9000), ("P1:1", 9000), ("P1:2", 9000), ("P1:2", 1000), ("P1:3", 100), ("P2:3", 100)]);
        assert_eq!(rows(&groups), [2, 2, 2]);
        assert_eq!(groups.iter().map(|group| group.is_shared).collect::<Vec<_>>(), [false, false, true]);
    }

    #[test]
    fn a_further_row_of_one_of_several_patients_counts_too() {
        assert_eq!(rows(&groups(&[("P1", 2000), ("P2", 2000), ("P2", 2000), ("P2", 9000)])), [1, 3]);
    }

    #[test]
    fn all_rows_of_a_patient_are_in_one_request_that_says_the_same() {
        let cut = [("P1", 2000), ("P1", 1000), ("P2", 1500), ("P2", 1000), ("P3", 3000), ("P4", 100), ("P4", 5000)];
        let groups = groups(&cut);
        assert_eq!(rows(&groups), [2, 2, 1, 2]);
        assert_eq!(groups.iter().map(|group| group.is_shared).collect::<Vec<_>>(), [false; 4]);
        let whole: Vec<_> =
            [&cut[..2], &cut[2..4], &cut[4..5], &cut[5..]].map(self::groups).into_iter().flatten().collect();
        assert_eq!(groups, whole);
    }

    #[test]
    fn a_row_counts_as_much_as_the_server_counts_it() {
        let signs = Signs {
            heart_rate: Some(120),
            spo2: Some(85),
            systolic: Some(120),
            diastolic: Some(80),
            respiratory_rate: Some(16),
            temperature: Some(36.8),
            observed: Observed::NOTHING,
        };
        let observed = Observed { supplemental_oxygen: Some(true), consciousness: Some(Consciousness::Alert) };
        let time = Timestamp::parse("2025-10-26T10:30:15.123456Z").unwrap();
        let server_bytes = |signs| {
            let reading = Reading::new(PatientId::parse("P001").unwrap(), time, signs).unwrap();
            let mut groups = Groups::default();
            groups.add(&insert(), &reading, Some(60));
            groups.last.server_bytes
        };
        let key = "P001".len() + 32;
        assert_eq!(server_bytes(signs), key + 21 + 6 * 24);
        assert_eq!(server_bytes(Signs { observed, ..signs }), key + 21 + 6 * 24 + 2 * 21);
        assert_eq!(
            server_bytes(Signs { spo2: Some(97), ..Signs::default() }),
            key + 21 + 24,
            "what is not set is none"
        );
    }

    #[test]
    fn no_rows_are_no_request() {
        assert_eq!(rows(&groups(&[])), [0; 0]);
    }

    #[test]
    fn several_rows_are_the_batch_that_the_driver_would_send() {
        let query = |text: &str| BatchQuery {
            subject: BatchQuerySubj::PreparedId(CBytesShort::new(ID.to_vec())),
            values: QueryValues::SimpleValues(vec![Value::new(text), Value::NotSet]),
        };
        let queries = vec![query("one"), query("two")];
        let batch = BodyReqBatch::new(BatchType::Unlogged, queries, Consistency::LocalQuorum, None, None, None, None);
        assert_eq!(bodies(&["one", "two"]), [RequestBody::Batch(batch)]);
    }

    #[test]
    fn one_row_is_the_statement_that_the_driver_would_execute() {
        let bodies = bodies(&["one"]);
        let [RequestBody::Execute(execute)] = bodies.as_slice() else { panic!("{bodies:?}") };
        assert_eq!(execute.id, CBytesShort::new(ID.to_vec()));
        assert_eq!(execute.query_parameters.consistency, Consistency::LocalQuorum);
        assert_eq!(
            execute.query_parameters.values,
            Some(QueryValues::SimpleValues(vec![Value::new("one"), Value::NotSet]))
        );
    }

    #[test]
    fn the_end_of_a_row_is_the_value_behind_its_columns() {
        let (mut groups, text) = (Groups::default(), Text("P1", "one".to_owned()));
        groups.add(&insert(), &text, Some(86_400));
        let request = groups.finish().remove(0).request(Consistency::One);
        let RequestBody::Execute(execute) = request.request_body().unwrap() else { panic!("{request:?}") };
        let values = vec![Value::new("one"), Value::new(86_400)];
        assert_eq!(execute.query_parameters.values, Some(QueryValues::SimpleValues(values)));
    }

    #[test]
    fn the_first_row_of_a_further_group_can_go_alone_too() {
        let texts: Vec<_> = (0..=MAX_STATEMENTS).map(|number| Text("P1", number.to_string())).collect();
        let requests: Vec<_> = grouped(&texts).iter().map(|group| group.request(Consistency::One)).collect();
        let RequestBody::Execute(last) = requests[1].request_body().unwrap() else { panic!("{:?}", requests[1]) };
        let values = vec![Value::new(MAX_STATEMENTS.to_string()), Value::NotSet];
        assert_eq!(last.query_parameters.values, Some(QueryValues::SimpleValues(values)));
    }
}
