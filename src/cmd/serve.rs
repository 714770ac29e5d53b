//! `vitals serve`: the ward on a screen, and its data for programs.

use std::net::SocketAddr;

use color_eyre::eyre::Result;

use super::Context;
use crate::advice::Code;
use crate::app;
use crate::output::LogLevel;
use crate::server::Server;
use crate::service_manager::ServiceManager;

/// Where the ward is shown, where nobody says.
pub(super) const USUAL_ADDRESS: &str = "127.0.0.1:8080";

/// Where to listen.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Open the address in a browser: the ward, a bed for each patient, with the alarms
that `vitals consume` has raised. It runs beside the consumers, reads the topics
and the store, is in no group and commits nothing. Nothing has to be installed,
and no other machine is asked.

Programs find the same below /api/v1; /openapi.json describes it. /livez, /readyz
and /metrics tell how it does.

It listens on this machine alone. From another one, come by a tunnel:
ssh -L 8080:127.0.0.1:8080 HOST.

Examples:
  vitals serve
  vitals serve --listen 127.0.0.1:8081
  vitals demo --web --for 0")]
pub struct Args {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, value_name = "HOST:PORT", default_value = USUAL_ADDRESS)]
    listen: SocketAddr,
}

/// Serves until Ctrl+C.
///
/// # Errors
/// The address cannot be listened on; another cluster answers than the one that is meant.
pub async fn run(args: Args, context: &Context) -> Result<Code> {
    let Context { settings, output, shutdown } = context;
    app::check_cluster(settings).await?;
    let server = Server::start(settings, args.listen, shutdown).await?;
    let address = server.address();
    if output.is_logged() {
        tracing::info!(event = "listening", %address, "the ward is shown");
    } else {
        // Whoever looks on depends on this, and not on somebody reading it.
        output.feed().line(format!("the ward is shown on http://{address}"));
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
