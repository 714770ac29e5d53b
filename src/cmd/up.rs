//! `vitals up`: the embedded broker, in the foreground.

use std::net::SocketAddr;
use std::path::PathBuf;

use color_eyre::eyre::Result;

use super::Context;
use crate::broker::{Broker, Config};
use crate::exit::Code;
use crate::settings::{EMBEDDED, EMBEDDED_ADDRESS, Settings, SettingsError};

/// Where it listens, and where it keeps its records.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
For one machine: it speaks the Kafka protocol, and has no replication, no transactions and no access control. Records
and committed offsets are kept in its folder. It runs until Ctrl+C.

Examples:
  vitals up
  vitals up --listen 127.0.0.1:9193 --data ./broker")]
pub struct Args {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, value_name = "HOST:PORT", default_value = EMBEDDED_ADDRESS)]
    listen: SocketAddr,
    /// Folder for its records [default: vitals/broker in the user's folder for data]
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
}

/// Serves until Ctrl+C.
///
/// # Errors
/// The folder is another broker's or cannot be used; the address is taken.
pub async fn run(args: Args, context: &Context) -> Result<Code> {
    let Context { settings, output, shutdown } = context;
    let folder = args.data.map_or_else(|| default_folder(settings), Ok)?;
    if !args.listen.ip().is_loopback() {
        output.note(format_args!(
            "note: {} can be reached from other machines, and this broker lets everybody in",
            args.listen
        ));
    }
    let broker = Broker::start(Config { folder: folder.clone(), listen: args.listen }).await?;
    let address = broker.address();
    let told = output.line(format_args!(
        "broker {} listens on {address}, records are in {}\n{}",
        broker.cluster_id(),
        folder.display(),
        next_commands(address)
    ));
    // Clients depend on the broker, and not on somebody reading this.
    if let Err(error) = told {
        output.note_error(&error);
    }
    shutdown.wait().await;
    broker.stop().await;
    output.note("the broker has ended; its records are kept");
    Ok(Code::Done)
}

fn default_folder(settings: &Settings) -> Result<PathBuf, SettingsError> {
    let folder = settings.data_folder.as_ref().ok_or(SettingsError::NoDataFolder { option: "--data FOLDER" })?;
    Ok(folder.join("broker"))
}

/// What to type in the next terminals.
fn next_commands(address: SocketAddr) -> String {
    let elsewhere =
        if address.to_string() == EMBEDDED_ADDRESS { String::new() } else { format!(" --brokers {address}") };
    let profile = format!("--profile {EMBEDDED}{elsewhere}");
    format!(
        "in other terminals:\n  vitals init {profile}\n  vitals consume {profile}\n  vitals produce {profile}\n  vitals query {profile} --patient P001"
    )
}
