//! How the program ends, and what it tells the person at the terminal when something went wrong. What a panic does is
//! here too: it is told, and asks for the drain; the code is 70 then.

use std::error::Error;
use std::fmt;
use std::panic::PanicHookInfo;
use std::process::ExitCode;
use std::time::Duration;

use color_eyre::eyre::{self, EyreHandler, Report, Result};

use crate::advice::{Advice, Code};
use crate::alarm::rules::OwnLimitError;
use crate::app::cluster_check::WrongCluster;
use crate::app::journal::Contended;
use crate::app::patient_change::AdmissionError;
use crate::archive::ArchiveError;
use crate::broker::BrokerError;
use crate::broker::folder::FolderError;
use crate::cmd::alarms::AlarmsError;
use crate::cmd::bench::BenchError;
use crate::cmd::common::confirm::ConfirmError;
use crate::cmd::dlq::DlqError;
use crate::cmd::export::ExportError;
use crate::cmd::guide::GuideError;
use crate::cmd::import::ImportError;
use crate::cmd::listen::ListenCommandError;
use crate::cmd::patient::NothingToSet;
use crate::cmd::produce::ProduceError;
use crate::cmd::query::QueryError;
use crate::cmd::reset::ResetError;
use crate::cmd::retention::RetentionError;
use crate::cmd::rules::RulesCommandError;
use crate::cmd::topic::TopicError;
use crate::cmd::up::UpError;
use crate::health::HealthError;
use crate::intake::csv::CsvError;
use crate::intake::hl7::listener::ListenError;
use crate::intake::source::SourceError;
use crate::kafka::error::KafkaError;
use crate::kafka::producer::ProducerError;
use crate::output::{LogLevel, Output, OutputError};
use crate::server::ServeError;
use crate::server::tokens::TokenError;
use crate::settings::SettingsError;
use crate::shutdown::Trigger;
use crate::store::StoreError;
use crate::store::cassandra::CassandraError;
use crate::store::sqlite::SqliteError;
use crate::toml_table::TomlError;

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        Self::from(code.number())
    }
}

/// Looks whether an error is of a type that gives advice.
type Recognise = for<'a> fn(&'a (dyn Error + 'static)) -> Option<&'a dyn Advice>;

/// Every error that gives advice. A new one needs a line here: `cargo xtask tidy` looks for it.
const ADVISERS: &[Recognise] = &[
    recognise::<SettingsError>,
    recognise::<OutputError>,
    recognise::<StoreError>,
    recognise::<CassandraError>,
    recognise::<SqliteError>,
    recognise::<KafkaError>,
    recognise::<ArchiveError>,
    recognise::<ImportError>,
    recognise::<ListenCommandError>,
    recognise::<ListenError>,
    recognise::<WrongCluster>,
    recognise::<AdmissionError>,
    recognise::<Contended>,
    recognise::<TokenError>,
    recognise::<AlarmsError>,
    recognise::<BenchError>,
    recognise::<ConfirmError>,
    recognise::<UpError>,
    recognise::<DlqError>,
    recognise::<GuideError>,
    recognise::<HealthError>,
    recognise::<BrokerError>,
    recognise::<FolderError>,
    recognise::<NothingToSet>,
    recognise::<OwnLimitError>,
    recognise::<ProduceError>,
    recognise::<ServeError>,
    recognise::<SourceError>,
    recognise::<CsvError>,
    recognise::<ProducerError>,
    recognise::<QueryError>,
    recognise::<ExportError>,
    recognise::<ResetError>,
    recognise::<RulesCommandError>,
    recognise::<RetentionError>,
    recognise::<TopicError>,
    recognise::<TomlError>,
];

fn recognise<'a, E: Advice + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a dyn Advice> {
    error.downcast_ref::<E>().map(|error| -> &dyn Advice { error })
}

/// What a report comes to: the code of the outermost error that has one, and the first hint on the way to its root.
/// An error that nobody has advice for is a fault of this program.
#[must_use]
pub fn explain(report: &Report) -> (Code, Option<String>) {
    let advice = || report.chain().filter_map(|error| ADVISERS.iter().find_map(|recognise| recognise(error)));
    let code = advice().next().map_or(Code::Bug, Advice::code);
    (code, advice().find_map(Advice::hint))
}

/// What was said last gets this long to be read: nobody may be there to do so.
const TALK_TIME: Duration = Duration::from_millis(500);

/// Says what went wrong, if something did, and gives the code to exit with. An error that counts as done, such as a
/// reader that has gone, is not worth a word.
#[must_use]
pub fn conclude(outcome: Result<Code>, output: &Output) -> Code {
    let code = outcome.unwrap_or_else(|report| {
        let (code, hint) = explain(&report);
        if code != Code::Done {
            output.error(report.chain(), hint.as_deref(), code);
        }
        code
    });
    output.wait_for_talk(TALK_TIME);
    code
}

/// Makes the first panic say what failed and ask for the [drain](crate::shutdown), and reports carry no traces.
/// Whichever task or thread it was: a program that goes on without one of them may hold partitions and do nothing for
/// them. What panics later follows from the first, and is not told.
///
/// # Errors
/// Where it was done before.
pub fn install_hooks(output: &Output, trigger: Trigger) -> Result<()> {
    eyre::set_hook(Box::new(|_| Box::new(NoTrace)))?;
    let output = output.clone();
    std::panic::set_hook(Box::new(move |panic| {
        if !trigger.fail() {
            return;
        }
        // A full screen would swallow what is told.
        output.leave_screen();
        let hint = "this is a fault of vitals: please report it to whoever gave you vitals, with the line above";
        output.tell(LogLevel::Error, "panicked", format_args!("error: {}\nhint: {hint}", describe(panic)));
    }));
    Ok(())
}

/// Nobody sees the trace of an error, and with `RUST_BACKTRACE` set, taking one costs more than most commands.
struct NoTrace;

impl EyreHandler for NoTrace {
    fn debug(&self, error: &(dyn Error + 'static), f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{error:?}")
    }
}

/// A panic's text is told only where it is fixed in the source: any other may hold patient data.
fn describe(panic: &PanicHookInfo<'_>) -> String {
    let place = panic.location().map(|place| format!(" at {}:{}", place.file(), place.line())).unwrap_or_default();
    let text = panic.payload().downcast_ref::<&'static str>().map(|text| format!(": {text}")).unwrap_or_default();
    format!("vitals failed{place}{text}")
}

#[cfg(test)]
mod tests {
    use std::io;

    use color_eyre::eyre::{WrapErr as _, eyre};

    use super::*;

    fn concluded(report: Report) -> (Code, String) {
        let (output, memory) = Output::into_memory();
        let code = conclude(Err(report), &output);
        (code, memory.stderr())
    }

    #[test]
    fn an_error_with_advice_gives_code_and_hint_through_its_contexts() {
        let error = SettingsError::Missing { name: "instance_id" };
        let report = Err::<(), _>(error).wrap_err("cannot join").wrap_err("cannot consume").unwrap_err();
        let expected = "error: cannot consume: cannot join: instance_id is not set\nhint: give --instance-id\n";
        assert_eq!(concluded(report), (Code::Usage, expected.to_owned()));
    }

    #[test]
    fn an_error_without_advice_is_a_fault_of_the_program() {
        assert_eq!(concluded(eyre!("surprise")), (Code::Bug, "error: surprise\n".to_owned()));
    }

    #[test]
    fn a_reader_that_has_gone_is_not_worth_a_word() {
        assert_eq!(concluded(OutputError::Closed.into()), (Code::Done, String::new()));
    }

    #[test]
    fn a_full_disk_is_named() {
        let error = OutputError::from(io::Error::from(io::ErrorKind::StorageFull));
        let (code, text) = concluded(error.into());
        assert_eq!(code, Code::Unreachable);
        assert!(text.starts_with("error: cannot write to standard output: "), "{text}");
    }
}
