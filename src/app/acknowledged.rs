//! An alarm that somebody acknowledges: found by its name, and told to other programs.

use std::time::Duration;

use color_eyre::eyre::Result;
use tokio::time::{sleep, timeout};

use crate::pipeline::announcing::Alarms as _;
use crate::reading::Timestamp;
use crate::settings::Settings;
use crate::store::{AlarmId, AnyStore, StoreError, StoredAlarm};

/// How long other programs are told of it at most.
const ANNOUNCING_LIMIT: Duration = Duration::from_secs(5);
/// A consumer has mostly stored by then what it announced just before.
const SETTLED_AFTER: Duration = Duration::from_millis(200);
/// How often an alarm is told once more that changes meanwhile: then a consumer is at it, and tells too.
const ROUNDS: u32 = 3;

/// The alarm that is named. Its onset may be written in other ways than ours.
///
/// # Errors
/// The store does not tell.
pub async fn find(store: &AnyStore, id: &AlarmId) -> Result<Option<StoredAlarm>, StoreError> {
    let found = store.alarm(id).await?;
    match (found, Timestamp::parse(&id.onset)) {
        (None, Ok(onset)) => store.alarm(&AlarmId { onset: onset.to_string(), ..id.clone() }).await,
        (found, _) => Ok(found),
    }
}

/// Tells other programs of alarms that were acknowledged. They are so all the same where that fails.
///
/// # Errors
/// Why the topic of alarms was not told.
pub async fn announce(store: &AnyStore, acknowledged: Vec<StoredAlarm>, settings: &Settings) -> Result<(), String> {
    match timeout(ANNOUNCING_LIMIT, try_announce(store, acknowledged, settings)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("it took longer than {} s", ANNOUNCING_LIMIT.as_secs())),
    }
}

async fn try_announce(store: &AnyStore, mut alarms: Vec<StoredAlarm>, settings: &Settings) -> Result<()> {
    let Some(topic) = super::open_alarm_topic(settings).await? else { return Ok(()) };
    // A consumer announces what becomes of an alarm before it stores it. Where that came before our message, ours would
    // hide it: the last message of an alarm counts. So what has changed by now is told once more, as it is.
    for _ in 0..ROUNDS {
        let records: Vec<_> = alarms.iter().filter_map(StoredAlarm::record).collect();
        topic.announce(&records).await?;
        sleep(SETTLED_AFTER).await;
        let mut changed = Vec::new();
        for alarm in alarms {
            changed.extend(store.alarm(&alarm.id()).await?.filter(|since| *since != alarm));
        }
        if changed.is_empty() {
            break;
        }
        alarms = changed;
    }
    Ok(())
}
