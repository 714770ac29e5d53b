//! `vitals alarms`: the alarms that are stored, to acknowledge and to pause them, and what others read of them.

mod ack;
mod list;
mod pause;
mod view;

use color_eyre::eyre::Result;

use super::{Context, unless_stopped};
use crate::advice::{Advice, Code};
use crate::alarm::message::json_schema;
use crate::store::AlarmId;

/// What to do with alarms.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
An alarm is a row of the table patient_alerts: `vitals consume` writes it when
the alarm is raised, and again when something becomes of it. Before that it
goes to the topic of alarms, for other programs.

Examples:
  vitals alarms list --active
  vitals alarms ack P001/spo2_low/2025-10-26T10:30:15+00:00 --by Anna")]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List alarms: the newest, or those that are on
    List(list::Args),
    /// Acknowledge alarms: somebody has seen them and acts
    Ack(ack::Args),
    /// Pause the alarms of a patient: nobody need hear of them for a while
    Pause(pause::PauseArgs),
    /// End a pause before its time
    Resume(pause::ResumeArgs),
    /// Print the JSON Schema of the messages in the topic of alarms
    #[command(after_help = "\
Every change of an alarm goes to the topic patient.alarms as well (setting
alarms_topic): `vitals guide messages` tells how to read it.

Examples:
  vitals alarms schema > alarms.schema.json
  vitals topic tail patient.alarms --raw --follow")]
    Schema,
}

/// Why nothing was acknowledged.
#[allow(missing_docs, reason = "each message says what it is")]
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum AlarmsError {
    #[error("'{text}' is not the id of an alarm; nothing was acknowledged")]
    NoId { text: String },
    #[error("there is no alarm {id}; nothing was acknowledged")]
    NoAlarm { id: AlarmId },
    /// A row of an earlier `vitals`.
    #[error("{id} is a reading over a limit that an earlier vitals noted, and no alarm; nothing was acknowledged")]
    Line { id: AlarmId },
    #[error("no alarm of the rule {rule} is on for {patient}; nothing was acknowledged")]
    NotOn { patient: String, rule: String },
}

impl Advice for AlarmsError {
    fn code(&self) -> Code {
        Code::Usage
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoId { .. } => {
                "give PATIENT/RULE/ONSET, as `vitals alarms list` shows it, or the patient's id with --rule".to_owned()
            }
            Self::NoAlarm { .. } => "`vitals alarms list` shows which there are".to_owned(),
            Self::Line { .. } => "what is on now is shown by `vitals alarms list --active`".to_owned(),
            Self::NotOn { .. } => "`vitals alarms list --active` shows which are on".to_owned(),
        })
    }
}

/// Does it.
pub async fn run(args: Args, context: &Context) -> Result<Code> {
    match args.action {
        Action::List(args) => list::run(&args, context).await,
        Action::Schema => {
            context.output.json(&format!("{:#}", json_schema()))?;
            Ok(Code::Done)
        }
        Action::Ack(args) => unless_stopped(&context.shutdown, ack::run(&args, context)).await,
        Action::Pause(args) => unless_stopped(&context.shutdown, pause::pause(&args, context)).await,
        Action::Resume(args) => unless_stopped(&context.shutdown, pause::resume(&args, context)).await,
    }
}

/// How many of a patient's rows are looked through, the newest first: months of one stay, or a few days of a `vitals`
/// that wrote one for each reading over a limit.
const LOOKED_THROUGH: u16 = 1000;

#[cfg(test)]
mod tests;
