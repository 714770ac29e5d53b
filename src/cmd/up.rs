//! `vitals up`: the embedded broker, in the foreground.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use color_eyre::eyre::Result;

use super::Context;
use super::common::data_folder;
use super::common::health::tell_health;
use super::common::retention::tell_retention;
use super::common::web::WebArgs;
use crate::address::Endpoint;
use crate::advice::{Advice, Code};
use crate::app;
use crate::broker::flush::Flush;
use crate::broker::notice::Notice;
use crate::broker::users::{Users, UsersError};
use crate::broker::{Broker, Config, Entrance};
use crate::health::broker::BrokerHealth;
use crate::output::{LogLevel, Output};
use crate::service_manager::ServiceManager;
use crate::settings::{EMBEDDED, EMBEDDED_ADDRESS, Settings};
use crate::span::parse_duration;
use crate::tls::{self, Made, MakeError, ServerTls, TlsError};

/// Where it listens, and where it keeps its records.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
For one machine: it speaks the Kafka protocol, and has no replication and no
transactions. Records and committed offsets are kept in its folder. It runs
until Ctrl+C.

What it acknowledges is on the disk by then, so that a power cut loses nothing;
requests that wait together share one flush. On a slow disk, where the last second
may be lost, --flush 1s is faster.

A Kafka client asks at the address that it was given, and goes on to the one that
the broker names. Through a tunnel (ssh -L), a mapped port or a proxy it does not
reach the one listened on: name the address that it does reach with --advertise.

Other machines are let in inside TLS and with a password alone; whoever is let
in may do everything. --make-certs makes certificates for a first try, for this
machine's names and the advertised one. The file of users is TOML, with a line
`name = \"password\"` for each.

Examples:
  vitals up
  vitals up --listen 127.0.0.1:9193 --data ./broker
  vitals up --flush 1s
  vitals up --health 127.0.0.1:9101
  vitals up --log-format json
  vitals up --web
  vitals up --make-certs certs --advertise ward-7.local:9093
  vitals up --listen 0.0.0.0:9093 --advertise ward-7.local:9093 \\
      --tls-cert certs/server.pem --tls-key certs/server-key.pem --users users.toml")]
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
    /// Speak TLS with this certificate, PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Its private key, PEM without a password
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Let in whoever knows a password of this file, by SCRAM
    #[arg(long, value_name = "FILE")]
    users: Option<PathBuf>,
    #[command(flatten)]
    web: WebArgs,
    /// Make certificates in this folder, for --tls-cert and --tls-key, and end
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["tls_cert", "tls_key", "users", "data"])]
    make_certs: Option<PathBuf>,
}

/// Why the broker does not begin.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UpError {
    #[error("{0} can be reached from other machines, and {1}")]
    Reachable(SocketAddr, &'static str),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error(transparent)]
    Users(#[from] UsersError),
    #[error("no certificates were made")]
    Make(#[from] MakeError),
}

impl Advice for UpError {
    fn code(&self) -> Code {
        Code::Usage
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Reachable(..) => {
                "listen on 127.0.0.1, or give --tls-cert, --tls-key and --users; `vitals up --make-certs \
                                    FOLDER` makes certificates for a first try"
                    .to_owned()
            }
            Self::Tls(error) => return error.hint("tls"),
            Self::Users(_) => "the file is TOML, with a line `name = \"password\"` for each user".to_owned(),
            Self::Make(MakeError::There(_)) => "name another folder, or remove what is there".to_owned(),
            Self::Make(MakeError::Unwritable(..)) => "name a folder that this user may write to".to_owned(),
            Self::Make(MakeError::Name(..)) => "give a name or an address with --advertise".to_owned(),
        })
    }
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
    let Context { settings, output, .. } = context;
    if let Some(folder) = &args.make_certs {
        return make_certificates(folder, args.advertise.as_ref(), output);
    }
    let told = Arc::new(BrokerHealth::default());
    let _health = tell_health(context, told.clone()).await?;
    let entrance = entrance(&args)?;
    let folder = match args.data {
        Some(folder) => folder,
        None => data_folder(settings)?.join("broker"),
    };
    for note in caution(&args.listen, args.advertise.is_some()) {
        output.tell(LogLevel::Warn, "advertise_missing", note);
    }
    let way = match (&entrance.tls, &entrance.users) {
        (None, None) => "",
        (Some(_), None) => "it speaks TLS\n",
        (None, Some(_)) => "it lets its users in, in the clear\n",
        (Some(_), Some(_)) => "it speaks TLS, and lets its users in\n",
    };
    let tls = entrance.tls.clone();
    let (has_tls, has_users) = (entrance.tls.is_some(), entrance.users.is_some());
    let config =
        Config { folder: folder.clone(), listen: args.listen, advertise: args.advertise, flush: args.flush, entrance };
    tell_wish(settings, output).await;
    let mut broker = Broker::start(config).await?;
    told.listens(broker.traffic());
    // A certificate is for the name that clients are told.
    let own = if has_tls { broker.advertised().to_string() } else { broker.address().to_string() };
    let own = (own, settings.broker_access.clone());
    let server = args.web.open(own, (&settings.embedded_store(), tls), context).await?;
    // Clients depend on the broker, and not on somebody reading this. Nobody types what comes next from a log.
    let mut feed = output.feed();
    if output.is_logged() {
        log_listening(&broker, has_tls, has_users);
    } else {
        feed.line(greeting(&broker, &folder, args.flush, way));
    }
    until_stopped(&mut broker, &told, &ServiceManager::of(&settings.supervision), context).await;
    drop(server);
    let failures = broker.stop().await;
    for notice in &failures {
        tell(output, notice);
    }
    if !failures.is_empty() {
        return Ok(Code::Unreachable);
    }
    output.tell(LogLevel::Info, "broker_ended", "the broker has ended; its records are kept");
    Ok(Code::Done)
}

/// Says where the settings ask for something else than what is in force. The file need not be there yet.
async fn tell_wish(settings: &Settings, output: &Output) {
    if settings.wished_retention() == [None; 3] {
        return;
    }
    if let Ok(store) = app::open_store_at(settings, &settings.embedded_store()).await {
        // Who writes into it says why it cannot be read.
        let _ = tell_retention(&store, settings, output).await;
    }
}

/// Passes on what the broker tells, and tells the service manager that it goes on.
async fn until_stopped(broker: &mut Broker, health: &BrokerHealth, manager: &ServiceManager, context: &Context) {
    let address = broker.address();
    let status = || format!("listens on {address}");
    manager.is_ready(&status());
    // What is served has tasks of its own, on the threads of this one.
    let mut signs_of_life = tokio::time::interval(manager.interval());
    loop {
        tokio::select! {
            () = context.shutdown.wait() => break,
            notice = broker.notice() => {
                if matches!(notice, Notice::Disk { .. }) {
                    health.disk_failed();
                }
                tell(&context.output, &notice);
            }
            _ = signs_of_life.tick() => manager.goes_on(status),
        }
    }
    manager.is_stopping();
}

/// What a person is told, and can type next.
fn greeting(broker: &Broker, folder: &Path, flush: Flush, way: &str) -> String {
    let address = broker.address();
    let flushed = match flush {
        Flush::BeforeAck => "they are on the disk before they are acknowledged\n".to_owned(),
        Flush::Every(span) => format!("they are brought to the disk every {span:?}: a power cut may cost as much\n"),
    };
    // Where its clients are told to come, where that is not obvious.
    let advertised = match broker.advertised() {
        same if *same == address.into() => String::new(),
        other => format!("its clients are told to come to {other}\n"),
    };
    format!(
        "broker {} listens on {address}, records are in {}\n{flushed}{way}{advertised}{}",
        broker.cluster_id(),
        folder.display(),
        next_commands(address, way.is_empty())
    )
}

fn log_listening(broker: &Broker, has_tls: bool, has_users: bool) {
    tracing::info!(
        event = "listening",
        version = env!("CARGO_PKG_VERSION"),
        address = %broker.address(),
        advertised = %broker.advertised(),
        cluster = %broker.cluster_id(),
        tls = has_tls,
        users = has_users,
        "the broker listens"
    );
}

fn tell(output: &Output, notice: &Notice) {
    let level = match notice {
        Notice::Disk { .. } => LogLevel::Error,
        Notice::SetBack(_) | Notice::Crowded(_) | Notice::Unanswered(_) => LogLevel::Warn,
        Notice::Roomy => LogLevel::Info,
    };
    output.tell(level, notice.name(), format_args!("note: {notice}"));
}

/// Who is let in. Nobody from elsewhere in the clear, or without a password.
fn entrance(args: &Args) -> Result<Entrance, UpError> {
    let tls = args.tls_cert.as_deref().zip(args.tls_key.as_deref());
    let tls = tls.map(|(certificate, key)| ServerTls::open(certificate, key)).transpose()?;
    let users = args.users.as_deref().map(Users::read).transpose()?;
    if !args.listen.ip().is_loopback() {
        match (&tls, &users) {
            (None, _) => return Err(UpError::Reachable(args.listen, "what is said with this broker could be read")),
            (_, None) => return Err(UpError::Reachable(args.listen, "this broker would let everybody in")),
            _ => {}
        }
    }
    Ok(Entrance { tls, users })
}

/// For this machine, by the names that it is sure of.
fn make_certificates(folder: &Path, advertised: Option<&Endpoint>, output: &Output) -> Result<Code> {
    let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
    let advertised = advertised.map(|endpoint| endpoint.host().to_owned());
    names.splice(0..0, advertised.filter(|host| !["localhost", "127.0.0.1", "::1"].contains(&&**host)));
    let Made { authority, certificate, key } = tls::make(folder, &names).map_err(UpError::from)?;
    output.line(format!(
        "made for {}, for a year and a month\nfor the broker:   --tls-cert {} --tls-key {}\nfor its clients:  --broker-ca {}",
        names.join(", "),
        certificate.display(),
        key.display(),
        authority.display()
    ))?;
    Ok(Code::Done)
}

/// What to know before other machines come to this address.
fn caution(listen: &SocketAddr, is_advertised: bool) -> Vec<String> {
    let mut notes = Vec::new();
    if listen.ip().is_unspecified() && !is_advertised {
        notes.push(format!(
            "note: its clients are told to come to {listen}, which is their own machine\nhint: --advertise HOST:PORT tells them where this one is"
        ));
    }
    notes
}

/// What to type in the next terminals.
fn next_commands(address: SocketAddr, is_open: bool) -> String {
    if !is_open {
        return "its clients need --broker-ca, --broker-user and a password: `vitals guide security`".to_owned();
    }
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
        assert_eq!(cautions("10.0.0.7:9093", false), 0);
        assert_eq!(cautions("0.0.0.0:9093", false), 1);
        assert_eq!(cautions("0.0.0.0:9093", true), 0);
    }
}
