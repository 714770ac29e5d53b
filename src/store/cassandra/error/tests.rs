use super::*;

fn refused(doing: Doing, ty: ErrorType, message: &str) -> CassandraError {
    let body = ErrorBody { message: message.to_owned(), ty };
    CassandraError::from_driver(doing, DriverError::Server { body, addr: ([127, 0, 0, 1], 9042).into() })
}

fn write_refused(ty: ErrorType, message: &str) -> WriteError {
    refused(Doing::Write, ty, message).into()
}

#[test]
fn rows_that_are_at_fault_are_never_taken() {
    let error = write_refused(ErrorType::Invalid, "Key may not be empty");
    assert!(matches!(error, WriteError::Never(reason) if reason == "Key may not be empty"));
}

#[test]
fn a_refusal_that_has_nothing_to_do_with_the_rows_can_pass() {
    for (ty, message) in [
        (ErrorType::Overloaded, "Server is in overloaded state"),
        (ErrorType::IsBootstrapping, "Cannot read from a bootstrapping node"),
        (ErrorType::Invalid, "unconfigured table patient_vitals"),
        (ErrorType::Invalid, "Keyspace hospital does not exist"),
        (ErrorType::Invalid, "SERIAL is not supported as conditional update commit consistency. Use ANY"),
        (ErrorType::Invalid, "Guardrail disk_usage violated: Write request failed because disk usage exceeds"),
        (ErrorType::Unauthorized, "User anonymous has no MODIFY permission"),
    ] {
        assert!(matches!(write_refused(ty, message), WriteError::Later(_)), "{message}");
    }
}

#[test]
fn a_statement_that_cannot_be_prepared_says_nothing_about_the_rows() {
    let error = refused(Doing::Prepare, ErrorType::Invalid, "Undefined column name heart_rate").into();
    assert!(matches!(error, WriteError::Later(_)));
}

#[test]
fn a_broken_connection_spoils_the_session_and_can_pass() {
    let io = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
    let error = CassandraError::from_driver(Doing::Write, DriverError::Io(io));
    assert_eq!(error.to_string(), "Cassandra did not take rows: connection reset");
    assert!(error.spoils_session());
    assert!(matches!(error.into(), WriteError::Later(_)));
}

#[test]
fn an_answer_of_the_server_does_not_spoil_the_session() {
    assert!(!refused(Doing::Write, ErrorType::Overloaded, "busy").spoils_session());
}

#[test]
fn a_server_that_is_not_there_names_the_services() {
    let fault = super::super::probe::Fault::Refused;
    let error = CassandraError::NoNode(vec![NodeFault { node: "localhost:9042".to_owned(), fault }]);
    assert_eq!(error.to_string(), "no Cassandra node can be used: localhost:9042: nothing listens there");
    assert!(error.hint().is_some_and(|hint| hint.contains("cargo xtask services up")));
    assert_eq!(error.code(), Code::Unreachable);
}
