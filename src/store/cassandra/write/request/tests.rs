use cdrs_tokio::frame::message_batch::{BatchQuery, BatchQuerySubj, BodyReqBatch};
use cdrs_tokio::frame::message_request::RequestBody;
use cdrs_tokio::query::QueryValues;
use cdrs_tokio::types::CBytesShort;
use cdrs_tokio::types::value::Value;

use super::*;
use crate::reading::{PatientId, Reading, Signs, Timestamp};

/// A row of one text.
struct Text(&'static str, String);

impl Row for Text {
    const VALUES: u16 = 1;

    fn patient(&self) -> &str {
        self.0
    }

    fn bind(&self, values: &mut Values<'_>) {
        values.0.extend_from_slice(&i32::try_from(self.1.len()).unwrap().to_be_bytes());
        values.0.extend_from_slice(self.1.as_bytes());
    }
}

const ID: [u8; 16] = [7; 16];
/// What the server counts a row as beside its text.
const OVERHEAD: usize = ROW_SERVER_BYTES;

fn grouped(texts: &[Text]) -> Vec<Group> {
    let mut groups = Groups::default();
    let id = StatementId::new(ID.to_vec());
    for text in texts {
        groups.add(&id, text);
    }
    groups.finish()
}

/// Rows of so many bytes, as the server counts them.
fn groups(sizes: &[(&'static str, usize)]) -> Vec<Group> {
    let texts: Vec<_> = sizes.iter().map(|(patient, size)| Text(patient, "x".repeat(size - OVERHEAD))).collect();
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
fn a_further_row_of_one_of_several_patients_counts_too() {
    assert_eq!(rows(&groups(&[("P1", 2000), ("P2", 2000), ("P2", 2000), ("P2", 9000)])), [2, 2]);
}

#[test]
fn a_row_counts_as_much_as_the_server_counts_it_and_a_little_more() {
    let signs = Signs {
        heart_rate: Some(120),
        spo2: Some(85),
        systolic: Some(120),
        diastolic: Some(80),
        respiratory_rate: Some(16),
        temperature: Some(36.8),
    };
    let time = Timestamp::parse("2025-10-26T10:30:15.123456Z").unwrap();
    let reading = Reading::new(PatientId::parse("P001").unwrap(), time, signs).unwrap();
    let mut groups = Groups::default();
    let id = StatementId::new(ID.to_vec());
    groups.add(&id, &reading);
    let counted = groups.last.server_bytes;
    assert_eq!(counted, "P001".len() + 32 + 21 + 6 * 24);
}

#[test]
fn no_rows_are_no_request() {
    assert_eq!(rows(&groups(&[])), [0; 0]);
}

#[test]
fn several_rows_are_the_batch_that_the_driver_would_send() {
    let query = |text: &str| BatchQuery {
        subject: BatchQuerySubj::PreparedId(CBytesShort::new(ID.to_vec())),
        values: QueryValues::SimpleValues(vec![Value::new(text)]),
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
    assert_eq!(execute.query_parameters.values, Some(QueryValues::SimpleValues(vec![Value::new("one")])));
}

#[test]
fn the_first_row_of_a_further_group_can_go_alone_too() {
    let texts: Vec<_> = (0..=MAX_STATEMENTS).map(|number| Text("P1", number.to_string())).collect();
    let requests: Vec<_> = grouped(&texts).iter().map(|group| group.request(Consistency::One)).collect();
    let RequestBody::Execute(last) = requests[1].request_body().unwrap() else { panic!("{:?}", requests[1]) };
    let value = Value::new(MAX_STATEMENTS.to_string());
    assert_eq!(last.query_parameters.values, Some(QueryValues::SimpleValues(vec![value])));
}
