use cdrs_tokio::frame::message_batch::{BatchQuery, BatchQuerySubj, BodyReqBatch};
use cdrs_tokio::frame::message_request::RequestBody;
use cdrs_tokio::query::QueryValues;
use cdrs_tokio::types::CBytesShort;
use cdrs_tokio::types::value::Value;

use super::*;

/// A row of one text.
struct Text(String);

impl Row for Text {
    const VALUES: u16 = 1;

    fn bind(&self, values: &mut Values<'_>) {
        values.0.extend_from_slice(&i32::try_from(self.0.len()).unwrap().to_be_bytes());
        values.0.extend_from_slice(self.0.as_bytes());
    }
}

const ID: [u8; 16] = [7; 16];
/// What a row has beside its text: kind, id with its length, number of values, length of the value.
const OVERHEAD: usize = 1 + 2 + 16 + 2 + 4;

fn groups(sizes: &[usize]) -> Vec<Group> {
    let mut groups = Groups::default();
    let id = StatementId::new(ID.to_vec());
    sizes.iter().for_each(|size| groups.add(&id, &Text("x".repeat(size - OVERHEAD))));
    groups.finish()
}

fn rows(groups: &[Group]) -> Vec<usize> {
    groups.iter().map(|group| group.rows).collect()
}

fn bodies(texts: &[&str]) -> Vec<RequestBody> {
    let mut groups = Groups::default();
    let id = StatementId::new(ID.to_vec());
    texts.iter().for_each(|text| groups.add(&id, &Text((*text).to_owned())));
    groups.finish().iter().map(|group| group.request(Consistency::LocalQuorum).request_body().unwrap()).collect()
}

#[test]
fn sixty_small_rows_are_one_batch() {
    assert_eq!(rows(&groups(&[30; 60])), [60]);
}

#[test]
fn the_sixty_first_row_begins_another_batch() {
    assert_eq!(rows(&groups(&[30; 61])), [60, 1]);
}

#[test]
fn a_batch_stays_under_five_kibibytes() {
    assert_eq!(rows(&groups(&[1024; 5])), [4, 1]);
    assert_eq!(rows(&groups(&[1023; 5])), [5]);
}

#[test]
fn a_row_that_is_too_large_goes_alone() {
    assert_eq!(rows(&groups(&[100, 9000, 100])), [1, 1, 1]);
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
    let mut groups = Groups::default();
    let id = StatementId::new(ID.to_vec());
    (0..61).for_each(|number| groups.add(&id, &Text(number.to_string())));
    let requests: Vec<_> = groups.finish().iter().map(|group| group.request(Consistency::One)).collect();
    let RequestBody::Execute(last) = requests[1].request_body().unwrap() else { panic!("{:?}", requests[1]) };
    assert_eq!(last.query_parameters.values, Some(QueryValues::SimpleValues(vec![Value::new("60")])));
}
