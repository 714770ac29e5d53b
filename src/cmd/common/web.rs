//! `--web`: the ward on a screen, in the process of the broker.

use std::net::SocketAddr;

use color_eyre::eyre::Result;

use crate::address::Brokers;
use crate::cmd::Context;
use crate::cmd::serve::USUAL_ADDRESS;
use crate::output::LogLevel;
use crate::server::Server;
use crate::settings::{ServerAccess, Settings};
use crate::store::StoreAddress;
use crate::tls::ServerTls;

/// Whether, and where.
#[derive(Debug, clap::Args)]
pub(in crate::cmd) struct WebArgs {
    /// Show the ward in a browser as well, at this address [default: 127.0.0.1:8080]
    #[arg(long, value_name = "HOST:PORT", num_args = 0..=1, require_equals = true, default_missing_value = USUAL_ADDRESS)]
    web: Option<SocketAddr>,
}

impl WebArgs {
    /// Begins to show what is in the broker at `address` and in the `store`, until what this gives is dropped: to other
    /// machines only inside `tls`, and to whoever has a token.
    ///
    /// # Errors
    /// Its address cannot be listened on.
    pub(in crate::cmd) async fn open(
        &self,
        (address, access): (String, ServerAccess),
        (store, tls): (&StoreAddress, Option<ServerTls>),
        context: &Context,
    ) -> Result<Option<Server>> {
        let Some(listen) = self.web else { return Ok(None) };
        // Who is on this machine need not say who they are; the broker's certificate is for others.
        let tls = tls.filter(|_| !listen.ip().is_loopback());
        let brokers = Brokers::parse(&address)?;
        let settings = Settings { brokers, broker_access: access, store: store.clone(), ..context.settings.clone() };
        let server = Server::start(&settings, (listen, tls), &context.shutdown).await?;
        let text = format!("the ward is shown on {}", server.url());
        context.output.tell(LogLevel::Info, "ward_shown", text);
        Ok(Some(server))
    }
}
