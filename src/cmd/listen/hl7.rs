//! `vitals listen hl7`: monitors and their gateways, until Ctrl+C.

use std::fs::File;
use std::io::Read as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use color_eyre::eyre::Result;

use super::{ListenCommandError, check};
use crate::advice::Code;
use crate::app;
use crate::cmd::Context;
use crate::cmd::common::health::tell_health;
use crate::intake::hl7::figures::Figures;
use crate::intake::hl7::listener::Listener;
use crate::intake::hl7::notice::Notice;
use crate::intake::hl7::sender::{BUILT_IN, Sender};
use crate::kafka::dead_letters::DeadLetterTopic;
use crate::kafka::producer::Codec;
use crate::output::{FormatArgs, LogLevel, Output, counted};
use crate::service_manager::ServiceManager;
use crate::tls::ServerTls;

/// Where the standard for MLLP has its port, on this machine.
const USUAL_ADDRESS: &str = "127.0.0.1:2575";

/// The longest file of a sender: a table of beds of a large hospital takes a tenth of it.
const MAX_SENDER_BYTES: u64 = 1024 * 1024;

/// Where to listen, and who sends.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A message is acknowledged (AA or CA) when the topic has its readings. What cannot
be used is answered with AE or AR and the place, as in OBX[3]-5, and goes to the
dead letters whole: `vitals dlq list --reason hl7`. While Kafka is away nothing
is acknowledged.

--sender says whose codes, units, clock and patients these are: a built-in sender
(standard, philips, mindray, ge, efficia), or a file. Each has LOINC and MDC as
well. `vitals guide hl7` tells what may be in a file. Senders of different kinds
need a listener each.

--check explains the messages of a file, each segment with what is made of it,
without any server; the exit code is 1 where one would be refused.

Examples:
  vitals listen hl7 --sender philips
  vitals listen hl7 --mllp 127.0.0.1:2575 --sender ward7.toml
  vitals listen hl7 --sender ward7.toml --check sample.hl7
  vitals listen hl7 --mllp 0.0.0.0:2575 --sender ward7.toml \\
      --tls-cert server.pem --tls-key server-key.pem --tls-client-ca monitors.pem")]
pub(super) struct Args {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, value_name = "HOST:PORT", default_value = USUAL_ADDRESS)]
    mllp: SocketAddr,
    /// Who sends: a sender that is built in, or a file
    #[arg(long, value_name = "NAME|FILE", default_value = "standard")]
    sender: PathBuf,
    /// Explain the messages of this file, and end
    #[arg(long, value_name = "FILE")]
    check: Option<PathBuf>,
    #[command(flatten)]
    format: FormatArgs,
    /// Speak TLS with this certificate, PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Its private key, PEM without a password
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Take in only senders with a certificate that one of these has signed, PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_client_ca: Option<PathBuf>,
    /// Listen for other machines without TLS
    #[arg(long, conflicts_with = "tls_cert")]
    in_the_clear: bool,
}

impl Args {
    pub(super) fn is_service(&self) -> bool {
        self.check.is_none()
    }

    /// Nobody from elsewhere in the clear, unless that is asked for.
    fn tls(&self) -> Result<Option<ServerTls>, ListenCommandError> {
        let files = self.tls_cert.as_deref().zip(self.tls_key.as_deref());
        let open = |(certificate, key)| ServerTls::open_for(certificate, key, self.tls_client_ca.as_deref());
        let tls = files.map(open).transpose()?;
        let is_guarded = tls.is_some() || self.in_the_clear || self.mllp.ip().is_loopback();
        if is_guarded { Ok(tls) } else { Err(ListenCommandError::Reachable(self.mllp)) }
    }
}

pub(super) async fn run(args: Args, context: &Context) -> Result<Code> {
    let sender = find(&args.sender)?;
    if let Some(file) = &args.check {
        return check::run(file, &sender, args.format, &context.output);
    }
    listen(&args, sender, context).await
}

async fn listen(args: &Args, sender: Sender, context: &Context) -> Result<Code> {
    let Context { settings, output, shutdown } = context;
    let tls = args.tls()?;
    let figures = Arc::new(Figures::default());
    let ready = async {
        let health = tell_health(context, figures.clone()).await?;
        let producer = app::open_producer(settings, Codec::None, output).await?;
        let kafka = app::kafka_config(settings)?;
        app::check_dead_letters(&settings.topic, &kafka).await?;
        let letters = DeadLetterTopic::of(&settings.topic, &kafka);
        let listener = Listener::bind(args.mllp, tls.clone()).await?;
        Ok::<_, color_eyre::Report>((health, producer, letters, listener))
    };
    let (_health, producer, letters, listener) = tokio::select! {
        ready = ready => ready?,
        () = shutdown.wait() => return Ok(Code::CutShort),
    };
    greet(&listener, &args.sender, tls.is_some(), output);
    let (manager, address) = (ServiceManager::of(&settings.supervision), listener.address());
    let status = || format!("listens on {address}");
    manager.is_ready(&status());
    let supervised = async {
        // What is served has tasks of its own, on the threads of this one.
        let mut signs_of_life = tokio::time::interval(manager.interval());
        loop {
            tokio::select! {
                () = shutdown.wait() => break,
                _ = signs_of_life.tick() => manager.goes_on(status),
            }
        }
        manager.is_stopping();
    };
    let hear = |notice: &Notice| tell(output, notice);
    let serving = listener.serve(sender, producer, letters, Arc::clone(&figures), shutdown, hear);
    tokio::join!(serving, supervised);
    output.tell(LogLevel::Info, "listener_ended", summary(&figures));
    Ok(Code::Done)
}

fn greet(listener: &Listener, sender: &Path, has_tls: bool, output: &Output) {
    let address = listener.address();
    if output.is_logged() {
        let sender = sender.display();
        tracing::info!(event = "listening", %address, %sender, tls = has_tls, "HL7 is listened for");
    } else {
        let way = if has_tls { ", inside TLS" } else { "" };
        // Senders depend on this, and not on somebody reading it.
        output.feed().line(format!("HL7 (MLLP) is listened for on {address}{way}; sender {}", sender.display()));
    }
}

fn tell(output: &Output, notice: &Notice) {
    let level = if notice.is_trouble() { LogLevel::Warn } else { LogLevel::Info };
    output.tell(level, notice.name(), format_args!("note: {notice}"));
}

fn summary(figures: &Figures) -> String {
    let (accepted, refused) = (figures.accepted.load(Relaxed), figures.refused());
    let readings = counted(figures.readings.load(Relaxed), "reading");
    format!("{} acknowledged, {refused} refused; {readings} in the topic", counted(accepted, "message"))
}

/// The sender that is built in under this name, or that of this file: a path has a separator, ends in `.toml`, or is there.
fn find(named: &Path) -> Result<Sender, ListenCommandError> {
    let name = named.to_str().unwrap_or_default();
    if let Some(sender) = Some(name).filter(|name| BUILT_IN.contains(name)).and_then(Sender::built_in) {
        return Ok(sender);
    }
    let is_path = named.components().count() > 1 || named.extension().is_some_and(|ending| ending == "toml");
    if !is_path && !named.is_absolute() && !named.exists() {
        return Err(ListenCommandError::NoSender(named.to_owned()));
    }
    let bytes = content(named, MAX_SENDER_BYTES)?;
    let text = String::from_utf8(bytes).map_err(|_| ListenCommandError::NotUtf8(named.to_owned()))?;
    Sender::parse(&text).map_err(|mistake| ListenCommandError::Mistake(named.to_owned(), mistake))
}

/// A file of no more than so many bytes.
pub(super) fn content(path: &Path, limit: u64) -> Result<Vec<u8>, ListenCommandError> {
    let unreadable = |error| ListenCommandError::Unreadable(path.to_owned(), error);
    let mut bytes = Vec::new();
    File::open(path).map_err(unreadable)?.take(limit + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > limit) {
        return Err(ListenCommandError::TooLong(path.to_owned(), limit));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::Advice as _;
    use crate::cmd::common::parsed;

    #[test]
    fn beyond_this_machine_it_listens_inside_tls_or_where_somebody_says_otherwise() {
        let tls = |line: &str| parsed::<Args>(line).unwrap().tls().map(|tls| tls.is_some());
        assert!(matches!(tls(""), Ok(false)) && matches!(tls("--mllp 0.0.0.0:2575 --in-the-clear"), Ok(false)));
        let error = tls("--mllp 0.0.0.0:2575").unwrap_err();
        assert_eq!(error.code(), Code::Usage);
        assert!(error.hint().unwrap().contains("--in-the-clear"));
    }

    #[test]
    fn a_sender_is_one_that_is_built_in_or_a_file_and_a_mistake_has_its_place() {
        for name in BUILT_IN {
            assert!(find(Path::new(name)).is_ok(), "{name}");
        }
        let error = find(Path::new("phillips")).unwrap_err();
        assert!(error.hint().unwrap().starts_with("did you mean philips? there are standard, philips"));
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mine");
        std::fs::write(&file, "zone = \"+01:00\"\n[patient]\nform = []").unwrap();
        let error = find(&file).unwrap_err();
        assert!(error.to_string().ends_with("mine, line 3, column 1: patient has no 'form'"), "{error}");
        assert_eq!((error.code(), error.hint().as_deref()), (Code::BadData, Some("did you mean from?")));
        assert_eq!(find(Path::new("none.toml")).unwrap_err().code(), Code::Usage);
    }
}
