//! `vitals serve`: the ward on a screen, and its data for programs.

mod token;

use std::net::SocketAddr;
use std::path::PathBuf;

use color_eyre::eyre::Result;

use super::Context;
use crate::advice::Code;
use crate::app;
use crate::output::LogLevel;
use crate::server::Server;
use crate::service_manager::ServiceManager;
use crate::tls::ServerTls;

/// Where the ward is shown, where nobody says.
pub(super) const USUAL_ADDRESS: &str = "127.0.0.1:8080";

/// Where to listen.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Open the address in a browser: the ward, a bed for each patient, with the alarms
that `vitals consume` has raised. It runs beside the consumers, reads the topics
and the store, is in no group and commits nothing. Nothing has to be installed,
and no other machine is asked.

Programs find the same below /api/v1, and send readings there; /openapi.json
describes it. /livez, /readyz and /metrics tell how it does.

For this machine alone it asks nobody who they are. With a certificate it speaks
TLS, and lets in whoever has a token; without one, other machines come by a tunnel:
ssh -L 8080:127.0.0.1:8080 HOST.

Examples:
  vitals serve
  vitals serve token create --name west-3 --role nurse --by Anna
  vitals serve --listen 0.0.0.0:8443 --tls-cert ward.pem --tls-key ward-key.pem
  vitals demo --web --for 0")]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    action: Option<Action>,
    /// Address to listen on; port 0 takes a free one
    #[arg(long, value_name = "HOST:PORT", default_value = USUAL_ADDRESS)]
    listen: SocketAddr,
    /// Speak TLS with this certificate, PEM, and let in whoever has a token
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Its private key, PEM without a password
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Say who may come from other machines
    Token(token::Args),
}

impl Args {
    /// Whether it runs until it is stopped.
    #[must_use]
    pub fn is_service(&self) -> bool {
        self.action.is_none()
    }
}

/// Serves until Ctrl+C; or says who may come.
///
/// # Errors
/// The address cannot be listened on; another cluster answers than the one that is meant; those of the store.
pub async fn run(args: Args, context: &Context) -> Result<Code> {
    match args.action {
        Some(Action::Token(args)) => token::run(args, context).await,
        None => serve(&args, context).await,
    }
}

async fn serve(args: &Args, context: &Context) -> Result<Code> {
    let Context { settings, output, shutdown } = context;
    let files = args.tls_cert.as_deref().zip(args.tls_key.as_deref());
    let tls = files.map(|(certificate, key)| ServerTls::open(certificate, key)).transpose()?;
    let asks_for_tokens = tls.is_some();
    // Before anybody is asked who may be away.
    Server::judge(args.listen, asks_for_tokens)?;
    app::check_cluster(settings).await?;
    let server = Server::start(settings, (args.listen, tls), shutdown).await?;
    if output.is_logged() {
        tracing::info!(event = "listening", address = %server.address(), tokens = asks_for_tokens, "the ward is shown");
    } else {
        let who = if asks_for_tokens { ", to whoever has a token: vitals serve token --help" } else { "" };
        // Whoever looks on depends on this, and not on somebody reading it.
        output.feed().line(format!("the ward is shown on {}{who}", server.url()));
    }
    let manager = ServiceManager::of(&settings.supervision);
    manager.is_ready(&server.status());
    // What is served has tasks of its own, on the threads of this one.
    let mut signs_of_life = tokio::time::interval(manager.interval());
    loop {
        tokio::select! {
            () = shutdown.wait() => break,
            _ = signs_of_life.tick() => manager.goes_on(|| server.status()),
        }
    }
    manager.is_stopping();
    output.tell(LogLevel::Info, "server_ended", "the ward is shown no more");
    Ok(Code::Done)
}
