//! `vitals patient list`: who is admitted.

use chrono::Utc;
use color_eyre::eyre::Result;

use crate::admission::Admission;
use crate::advice::Code;
use crate::app;
use crate::cmd::Context;
use crate::cmd::common::table::{Field, print};
use crate::output::{Column, FormatArgs, Value};
use crate::reading::Timestamp;

/// Who is listed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
OWN tells how many limits are the patient's own, O2 the scale of NEWS2 by which
the oxygen saturation counts.

Examples:
  vitals patient list
  vitals patient list --ward West -o json")]
pub(super) struct Args {
    /// Only this ward
    #[arg(long, value_name = "WARD")]
    ward: Option<String>,
    /// Also who was discharged
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    format: FormatArgs,
}

/// A patient who is listed, and until when the alarms are paused.
struct Listed {
    patient: String,
    admission: Admission,
    paused_until: Option<Timestamp>,
}

const FIELDS: [Field<Listed>; 12] = [
    (Column::text("patient_id", "PATIENT"), |listed| listed.patient.as_str().into()),
    (Column::text("name", "NAME"), |listed| text(listed.admission.name.as_ref())),
    (Column::text("ward", "WARD"), |listed| text(listed.admission.ward.as_ref())),
    (Column::text("bed", "BED"), |listed| text(listed.admission.bed.as_ref())),
    (Column::number("spo2_scale", "O2"), |listed| i32::from(listed.admission.spo2_scale.number()).into()),
    (Column::number("own_limits", "OWN"), |listed| listed.admission.limits.len().into()),
    (Column::text("admitted_at", "ADMITTED"), |listed| listed.admission.admitted_at.as_str().into()),
    (Column::for_programs("discharged_at"), |listed| text(listed.admission.discharged_at.as_ref())),
    (Column::for_programs("birth_date"), |listed| text(listed.admission.birth_date.as_ref())),
    (Column::for_programs("paused_until"), |listed| listed.paused_until.map(|until| until.to_string()).into()),
    (Column::for_programs("paused_by"), |listed| {
        let pause = listed.admission.pause.as_ref().filter(|_| listed.paused_until.is_some());
        pause.map(|pause| pause.by.as_str()).into()
    }),
    (Column::for_programs("limits"), |listed| {
        serde_json::to_value(&listed.admission.limits).unwrap_or_default().into()
    }),
];

fn text(text: Option<&String>) -> Value {
    text.map(String::as_str).into()
}

pub(super) async fn run(args: &Args, context: &Context) -> Result<Code> {
    let Context { settings, output, .. } = context;
    let store = app::open_store_to_read(settings, output).await?;
    let now = Timestamp::from_utc(Utc::now())?;
    let is_wanted =
        |admission: &Admission| (args.all || admission.is_in()) && (args.ward.is_none() || args.ward == admission.ward);
    let listed: Vec<_> = store
        .admitted()
        .await?
        .patients
        .into_iter()
        .filter(|(_, admission)| is_wanted(admission))
        .map(|(patient, admission)| Listed { patient, paused_until: admission.paused_until(now), admission })
        .collect();
    if listed.is_empty() {
        let place = args.ward.as_ref().map(|ward| format!(" on ward {ward}")).unwrap_or_default();
        output.note(format_args!("nobody is admitted{place}: see `vitals patient admit --help`"));
    }
    print(output, args.format, &FIELDS, listed)?;
    Ok(Code::Done)
}
