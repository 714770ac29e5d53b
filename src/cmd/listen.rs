//! `vitals listen`: readings from those who send them by themselves, monitors and their gateways.

mod check;
mod error;
mod hl7;

use color_eyre::eyre::Result;

pub use self::error::ListenCommandError;
use super::Context;
use crate::advice::Code;

/// Listen for senders.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    protocol: Protocol,
}

#[derive(Debug, clap::Subcommand)]
enum Protocol {
    /// Take HL7 v2 (ORU^R01 in MLLP), acknowledged when the topic has it
    Hl7(hl7::Args),
}

impl Args {
    /// Whether it runs until it is stopped.
    #[must_use]
    pub fn is_service(&self) -> bool {
        let Protocol::Hl7(args) = &self.protocol;
        args.is_service()
    }
}

/// Listens until it is stopped.
///
/// # Errors
/// [`ListenCommandError`] for the options and the files; those of the cluster and of the address.
pub async fn run(args: Args, context: &Context) -> Result<Code> {
    let Protocol::Hl7(args) = args.protocol;
    hl7::run(args, context).await
}
