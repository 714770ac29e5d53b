//! Patient vital signs through Kafka, or the embedded broker, into Cassandra or SQLite.
//!
//! ```text
//!  device, CSV, simulator ─ produce ─▶ topic patient.vitals ─ fetch ─▶ decode ─▶ rules ─▶ store ─▶ commit
//!                                                                       │ refused  │ alarm
//!                                                                       ▼          ▼
//!                                                         patient.vitals.dlq    patient.alarms,
//!                                                                               patient_alerts, screen
//! ```
//!
//! The order of these steps is the promise: nothing is committed before it is stored, or kept as a dead letter.
//!
//! The house, from the top to the ground. A room may use what is below it and nothing else; `cargo xtask tidy` checks
//! that (`xtask/src/tidy/floors.rs` is the table).
//!
//! | floor | rooms |
//! |---|---|
//! | main | `main.rs`, `program.rs`: parse, settings, run, report · [`exit`]: what every error comes to, panics |
//! | commands | [`cmd`]: one file or folder each, and `cmd/common` for what several share (`running_score.rs`: the score of a patient along the readings) · [`guide`]: the manual's pages |
//! | composition | `loadtest`: what `bench` and `demo` share · `diagnose`: what is wrong, why it matters, what mends it · [`app`]: from settings to parts, a consumer put together |
//! | settings | [`settings`]: every option, environment variable and file key, with its section and its default, in `settings/table.rs`; what it may be in `values.rs` |
//! | edges | [`archive`]: rows as a file and back · [`intake`]: the simulated ward, CSV files · [`broker`]: the embedded broker; `broker/records.rs` has its produce and fetch · [`kafka`]: producing, fetch, offsets, lag; `kafka/connection.rs` is where bytes go out; `kafka/group`: membership, with its timers and heartbeats in `driver.rs`; `offsets.rs`: what is committed, and from where the rules hear records again; `alarm_topic.rs`: alarms for other programs · [`store`]: Cassandra, or an SQLite file, each with its statements and how large a batch it likes in its `write.rs`, who acknowledged alarms in `acknowledge.rs`, applied rules and admitted patients in `journal.rs`; `any.rs` lists what a store has to do; numbered steps in `migrations.rs` · [`port`]: what is behind an address |
//! | story | [`pipeline`]: the file to read first, from fetched to committed (`delivery.rs`: alarms are announced, then stored, and what a write that fails comes to; how long it waits is `retry.rs`'s; `judging.rs`: what comes before a reading is judged, as applied rules, patients, and alarms that `memory.rs` waits for; who is missed that never sent anything), with its ports: [source](pipeline::source), [store](pipeline::store), [where alarms are announced](pipeline::announcing), and why before they are stored, [dead letters](pipeline::dead_letters), [rules](pipeline::rules), and its [events](pipeline::events) |
//! | core | [`admission`]: who is watched, in which bed, and what is different about them, as data · [`alarm`]: rules as data (`rules.rs`), the states of one rule (`machine.rs`), all rules for one patient (`patient.rs`) and what is remembered of its readings (`window.rs`), limits of a patient's own, and which are impossible (`rules/own.rs`), all patients (`watch.rs`): whose alarm is due though nothing came, of whom nothing comes (`watch/beds.rs`), what a consumer takes up from the store, and mends in it (`watch/restore.rs`), and how far back records count (`watch/partition.rs`); the text below a reading, with its limits (`limits.rs`); the message that is announced (`message.rs`) · [`score`]: early-warning scores, each a chart of TOML in `score/charts` · [`ledger`]: what may be committed · [`faults`]: what is wrong with the lines of a file · [`reading`]: one reading, its message, why a message is [refused](reading::reject) · [`record`]: a message before anybody has understood it |
//! | ground | [`shutdown`]: Ctrl+C and SIGTERM · [`output`]: everything that is printed · [`disk`] · [`retry`]: how long to wait between attempts · [`address`], [`span`]: hosts and times as they are typed · [`toml_table`]: files of TOML with the place of every mistake · [`suggestion`]: the name that was probably meant · [`advice`]: what an error means, exit codes |
//!
//! The core has no sockets, clock, environment or printing.
//!
//! The way of one reading into Cassandra, file by file, 17 there and 8 back; what they call on is in the folders of
//! their names:
//!
//! ```text
//!  kafka/connection.rs ─▶ kafka/wire.rs ─▶ kafka/fetch.rs ─▶ kafka/records/decode.rs ─▶ kafka/consumer.rs
//!  ─▶ pipeline.rs ─▶ ledger.rs (admitted) ─▶ reading/decode.rs ─▶ pipeline/judging.rs ─▶ alarm/watch.rs
//!  ─▶ alarm/patient.rs ─▶ alarm/machine.rs ─▶ pipeline/write_queue.rs
//!  ─▶ pipeline/delivery.rs ─▶ store/any.rs ─▶ store/cassandra/write.rs ─▶ store/cassandra/write/request.rs
//!
//!  pipeline/delivery.rs ─▶ ledger.rs (acknowledged) ─▶ pipeline/commits.rs ─▶ kafka/consumer.rs ─▶ kafka/group/driver.rs
//!  ─▶ kafka/group/coordinator.rs ─▶ kafka/offsets.rs ─▶ kafka/connection.rs
//! ```

#![cfg_attr(not(feature = "testing"), allow(unreachable_pub, reason = "what tests reach is public for them"))]

mod program;

pub use program::main;

/// The program is its own business; tests look into its rooms.
macro_rules! rooms {
    ($($room:ident)*) => {
        $(
            #[cfg(feature = "testing")]
            pub mod $room;
            #[cfg(not(feature = "testing"))]
            mod $room;
        )*
    };
}

rooms! {
    address
    admission
    advice
    alarm
    app
    archive
    broker
    cmd
    diagnose
    disk
    exit
    faults
    guide
    intake
    kafka
    ledger
    loadtest
    output
    pipeline
    port
    reading
    record
    retry
    score
    settings
    shutdown
    span
    store
    suggestion
    system_text
    toml_table
}
