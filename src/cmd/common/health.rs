//! Whoever asks is told of health, where the settings say so.

use std::sync::Arc;

use crate::cmd::Context;
use crate::health::{Health, HealthError, Subject};

/// Begins to tell, and says where; until what this gives is dropped.
///
/// # Errors
/// The address cannot be listened on.
pub(in crate::cmd) async fn tell_health(
    context: &Context,
    subject: Arc<dyn Subject>,
) -> Result<Option<Health>, HealthError> {
    let Some(address) = context.settings.health else { return Ok(None) };
    let health = Health::start(address, subject, context.shutdown.clone()).await?;
    context.output.note(format_args!("health: http://{}/readyz and /metrics", health.address()));
    Ok(Some(health))
}
