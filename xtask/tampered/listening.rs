//! `vitals listen hl7` with a cluster around the real one that says at once that it has what is still on its way.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use color_eyre::eyre::{Result, eyre};
use tokio::time::sleep;
use vitals::advice::Code;
use vitals::app;
use vitals::intake::hl7::figures::Figures;
use vitals::intake::hl7::listener::Listener;
use vitals::intake::hl7::sender::Sender;
use vitals::kafka::dead_letters::DeadLetterTopic;
use vitals::kafka::error::KafkaError;
use vitals::kafka::producer::{Cluster, Direct, Link, Patience, Producer};
use vitals::record::Record;
use vitals::settings::Settings;
use vitals::shutdown::Shutdown;

use crate::Notes;

/// So long messages are on their way: whoever is killed has some.
const UNDERWAY: Duration = Duration::from_millis(200);

/// Listens until it is told to stop.
pub(crate) async fn listen(
    address: SocketAddr,
    settings: &Settings,
    notes: Notes,
    shutdown: &Shutdown,
) -> Result<Code> {
    let kafka = app::kafka_config(settings)?;
    let cluster = EarlyCluster(Direct::new(&kafka));
    let producer = Producer::over(cluster, settings.topic.as_str(), Patience::default()).await?;
    let letters = DeadLetterTopic::of(&settings.topic, &kafka);
    let sender = Sender::built_in("philips").ok_or_else(|| eyre!("there is no such sender"))?;
    let listener = Listener::bind(address, None).await?;
    // As `vitals listen hl7` says it.
    notes.0.note(format_args!("HL7 (MLLP) is listened for on {}", listener.address()));
    let figures = Arc::new(Figures::default());
    let hear = |notice: &_| notes.0.note(format_args!("note: {notice}"));
    listener.serve(sender, producer, letters, figures, shutdown, hear).await;
    Ok(Code::Done)
}

struct EarlyCluster(Direct);

impl Cluster for EarlyCluster {
    type Link = EarlyLink;

    fn name(&self) -> String {
        self.0.name()
    }

    async fn connect(&self, topic: &str) -> Result<EarlyLink, KafkaError> {
        self.0.connect(topic).await.map(|link| EarlyLink(Arc::new(link)))
    }
}

struct EarlyLink(Arc<<Direct as Cluster>::Link>);

impl Link for EarlyLink {
    fn partitions(&self) -> i32 {
        self.0.partitions()
    }

    async fn produce(&self, partition: i32, records: Vec<Record>) -> Result<(), KafkaError> {
        let link = Arc::clone(&self.0);
        tokio::spawn(async move {
            sleep(UNDERWAY).await;
            // Nobody is left who could be told.
            let _ = link.produce(partition, records).await;
        });
        Ok(())
    }
}
