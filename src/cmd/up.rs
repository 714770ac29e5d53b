//! `vitals up`: the embedded broker, in the foreground.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use color_eyre::eyre::Result;

use super::Context;
use super::common::data_folder;
use crate::address::Endpoint;
use crate::advice::Code;
use crate::broker::flush::Flush;
use crate::broker::{Broker, Config};
use crate::settings::{EMBEDDED, EMBEDDED_ADDRESS};
use crate::span::parse_duration;

/// Where it listens, and where it keeps its records.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
For one machine: it speaks the Kafka protocol, and has no replication, no
transactions and no access control. Records and committed offsets are kept in
its folder. It runs until Ctrl+C.

What it acknowledges is on the disk by then, so that a power cut loses nothing;
requests that wait together share one flush. On a slow disk, where the last second
may be lost, --flush 1s is faster.

A Kafka client asks at the address that it was given, and goes on to the one that
the broker names. Through a tunnel (ssh -L), a mapped port or a proxy it does not
reach the one listened on: name the address that it does reach with --advertise.

Examples:
  vitals up
  vitals up --listen 127.0.0.1:9193 --data ./broker
  vitals up --flush 1s
  vitals up --listen 0.0.0.0:9093 --advertise ward-7.local:9093")]
pub struct Args {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, value_name = "HOST:PORT", default_value = EMBEDDED_ADDRESS)]
    listen: SocketAddr,
    /// Address that its clients are told to come to [default: where it listens]
    #[arg(long, value_name = "HOST:PORT", value_parser = parse_endpoint)]
    advertise: Option<Endpoint>,
    /// Folder for its records [default: vitals/broker in the user's folder for data]
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// When records and offsets are brought to the disk: before they are acknowledged, or once in a TIME
    #[arg(long, value_name = "before-ack|TIME", default_value = BEFORE_ACK, value_parser = parse_flush)]
    flush: Flush,
}

const BEFORE_ACK: &str = "before-ack";

/// A flush that comes less often protects from nothing.
const LONGEST_FLUSH: Duration = Duration::from_secs(3600);

fn parse_flush(text: &str) -> Result<Flush, String> {
    if text == BEFORE_ACK {
        return Ok(Flush::BeforeAck);
    }
    match parse_duration(text) {
        Ok(span) if span.is_zero() || span > LONGEST_FLUSH => {
            Err(format!("'{text}' is not between 1ms and 1h: '{BEFORE_ACK}' waits for the disk each time"))
        }
        Ok(span) => Ok(Flush::Every(span)),
        Err(fault) => Err(format!("{fault}, nor '{BEFORE_ACK}': {}", fault.fix)),
    }
}

fn parse_endpoint(text: &str) -> Result<Endpoint, String> {
    Endpoint::parse(text).map_err(|fault| format!("{fault}: {}", fault.fix))
}

/// Serves until Ctrl+C.
///
/// # Errors
/// The folder is another broker's or cannot be used; the address is taken.
pub async fn run(args: Args, context: &Context) -> Result<Code> {
    let Context { settings, output, shutdown } = context;
    let folder = match args.data {
        Some(folder) => folder,
        None => data_folder(settings)?.join("broker"),
    };
    for note in caution(&args.listen, args.advertise.is_some()) {
        output.note(note);
    }
    let config = Config { folder: folder.clone(), listen: args.listen, advertise: args.advertise, flush: args.flush };
    let mut broker = Broker::start(config).await?;
    let address = broker.address();
    let flushed = match args.flush {
        Flush::BeforeAck => "they are on the disk before they are acknowledged\n".to_owned(),
        Flush::Every(span) => format!("they are brought to the disk every {span:?}: a power cut may cost as much\n"),
    };
    // Where its clients are told to come, where that is not obvious.
    let advertised = match broker.advertised() {
        same if *same == address.into() => String::new(),
        other => format!("its clients are told to come to {other}\n"),
    };
    // Clients depend on the broker, and not on somebody reading this.
    let mut feed = output.feed();
    feed.line(format_args!(
        "broker {} listens on {address}, records are in {}\n{flushed}{advertised}{}",
        broker.cluster_id(),
        folder.display(),
        next_commands(address)
    ));
    loop {
        tokio::select! {
            () = shutdown.wait() => break,
            notice = broker.notice() => output.note(format_args!("note: {notice}")),
        }
    }
    let failures = broker.stop().await;
    for notice in &failures {
        output.note(format_args!("note: {notice}"));
    }
    if !failures.is_empty() {
        return Ok(Code::Unreachable);
    }
    output.note("the broker has ended; its records are kept");
    Ok(Code::Done)
}

/// What to know before other machines come to this address.
fn caution(listen: &SocketAddr, is_advertised: bool) -> Vec<String> {
    let mut notes = Vec::new();
    if !listen.ip().is_loopback() {
        notes.push(format!("note: {listen} can be reached from other machines, and this broker lets everybody in"));
    }
    if listen.ip().is_unspecified() && !is_advertised {
        notes.push(format!(
            "note: its clients are told to come to {listen}, which is their own machine\nhint: --advertise HOST:PORT tells them where this one is"
        ));
    }
    notes
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

#[cfg(test)]
mod tests {
    use super::*;

    fn cautions(listen: &str, is_advertised: bool) -> usize {
        caution(&listen.parse().expect("an address"), is_advertised).len()
    }

    #[test]
    fn an_address_that_clients_cannot_use_is_noticed_unless_they_are_told_another() {
        assert_eq!(cautions("127.0.0.1:9093", false), 0);
        assert_eq!(cautions("10.0.0.7:9093", false), 1);
        assert_eq!(cautions("0.0.0.0:9093", false), 2);
        assert_eq!(cautions("0.0.0.0:9093", true), 1);
    }
}
