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
//! | commands | [`cmd`]: one file or folder each, and `cmd/common` for what several share · [`guide`]: the manual's pages |
//! | composition | `server`: the ward on a screen, and its data for programs · `loadtest`: what `bench` and `demo` share · `diagnose`: what is wrong, why it matters, what mends it · [`app`]: from settings to parts, a consumer put together |
//! | settings | [`settings`]: every option, environment variable and file key |
//! | edges | [`archive`]: rows as a file and back · `fhir`: readings, patients and alarms as FHIR R4 has them · [`intake`]: the simulated ward, CSV files, HL7 v2 from monitors · [`health`]: readiness and metrics over HTTP · [`http`]: connections of whoever comes, and how slow and how many they may be · [`broker`]: the embedded broker · [`kafka`]: producing, fetch, groups, offsets, lag · [`store`]: Cassandra, or an SQLite file · [`trail`]: the audit trail, a file or the system log · [`port`]: what is behind an address |
//! | story | [`pipeline`]: the file to read first, from fetched to committed, with its ports ([source](pipeline::source), [store](pipeline::store), [dead letters](pipeline::dead_letters), [rules](pipeline::rules)) and its [events](pipeline::events) |
//! | core | [`admission`]: who is watched, in which bed, and what is different about them · [`alarm`]: rules, and what becomes of alarms · [`score`]: early-warning scores · [`ledger`]: what may be committed · [`faults`]: what is wrong with the lines of a file · [`minute`]: what the readings of a minute come to · [`reading`]: one reading, its message, why a message is [refused](reading::reject) · [`record`]: a message before anybody has understood it |
//! | ground | [`shutdown`]: Ctrl+C and SIGTERM · [`service_manager`]: what systemd is told · [`output`]: everything that is printed · [`disk`] · [`retry`]: how long to wait between attempts · [`address`], [`span`]: hosts and times as they are typed · [`tls`]: whom we believe, what a failed handshake means · [`secret`]: what nobody is shown · [`toml_table`]: files of TOML, with line and column of every mistake · [`suggestion`]: the name that was probably meant · [`advice`]: what an error means, exit codes |
//!
//! The core has no sockets, clock, environment or printing.
//!
//! What one looks for, and where it is:
//!
//! | readings and settings | |
//! |---|---|
//! | a message is parsed; why it is refused | `reading/decode.rs`; `reading/reject.rs` |
//! | HL7: a frame into readings, and the answer; whose codes are known; many connections become one batch | `intake/hl7/judge.rs`, `hl7/answer.rs`, its codes in `hl7/refusal.rs`; `hl7/sender.rs`, `hl7/senders/*.toml`; `hl7/session.rs`, `hl7/lane.rs` |
//! | readings over HTTP: the answer; a body into messages; what of them is held at most; many requests become one batch | `server/api/send.rs`; `server/ingest/sort.rs`, `reading/document.rs`; `server/ingest.rs`; `server/ingest/lane.rs` |
//! | a flag, its variable, file key and default; what it may be | `settings/table.rs`, of TLS and logins `table/access.rs`; `settings/values.rs` |
//! | what is committed when | `ledger.rs` |
//! | a record is judged; a write that failed is tried again | `pipeline/judging.rs`; `pipeline/delivery.rs`, after the wait of `retry.rs` |
//! | membership: heartbeats and timers; what the coordinator is asked | `kafka/group/driver.rs`; `kafka/group/coordinator.rs` |
//! | offsets, and from where the rules hear records again; lag in records and seconds | `kafka/offsets.rs`; `kafka/lag.rs` |
//! | bytes go out: to Kafka; to Cassandra, after a look whether it lets us in | `kafka/connection.rs`; `store/cassandra/connect.rs`, `probe.rs` |
//! | what is waited for while other brokers take over, and for how long | `kafka/failover.rs`, by `open_led_kafka` in `app.rs` |
//! | which node of Cassandra is asked next; that one does not answer, and for how long it is passed over | `store/cassandra/balance.rs`; `store/cassandra/silent.rs` |
//! | by which name a node's certificate is checked, and at which port one is looked for that nobody named; a password that it refuses, in words | `names_of` in `store/cassandra/connect.rs`; `Fault` in `store/cassandra/probe.rs` |
//! | TLS: whom we believe, and what a failed handshake means; a login to Kafka; renewed before it is over | `tls.rs`; `kafka/login.rs`, `login/scram.rs`; `kafka/connection.rs` |
//! | which command is in the audit trail, and with which arguments; its line; a full file | `cmd/acts.rs`; `trail/line.rs`; `trail/file.rs` |
//! | what a service logs; the names of trouble; the shape of a line, and which events pass | `cmd/consume/log.rs`; `TroubleKind` in `pipeline/events.rs`; `output/log.rs` |
//! | a password typed at the terminal; the settings in a Java client's properties | `output/prompt.rs`; `settings/properties.rs` |
//! | which files and which user, PLAIN inside TLS only; the files read, the password found; what every connection gets | `settings/access.rs`; `kafka_config`, `node_access` in `app.rs`; `kafka/config.rs`, `store/cassandra/access.rs` |
//! | what an error of Kafka is called, and what mends it | `kafka/error.rs` |
//! | the ward screen: what is known of a bed; how far one may be behind, and what is told then; the paths, each described; its files | `server/ward/bed.rs`; `server/hub.rs`, `server/api/stream.rs`; `server/api.rs`, `api/openapi.json`, tried by `xtask/tests/embedded/described.rs`; `server/page/`, where `stream.js` notes that contact is lost |
//! | the screen in a real browser: the steps; who takes them | `xtask/browser/ward.mjs`; `xtask/tests/embedded/screen.rs`, with what `xtask/src/services/browser.rs` installs |
//! | FHIR: an observation of a reading; an alarm; a search; a validator that is not ours | `fhir/observation.rs`; `fhir/issue.rs`; `server/fhir/search.rs`; `xtask/tests/embedded/judged.rs` with `xtask/java/JudgeFhir.java` |
//! | what is asked of the server, counted | `server/traffic.rs`, `http/connections.rs` |
//! | who is let in, and which role may ask what; where that is asked; how slow and how large a connection may be, and how many one may have | `server/access.rs`; `server/guard.rs`; `http.rs`, `CONNECTIONS` in `server.rs`, `http/shares.rs` |
//! | a token: what proves it, given and taken back; how a browser shows it | `server/tokens.rs`, `app/journal.rs`; `server/login.rs` |
//! | why `/readyz` answers 503, and the metrics: of a consumer, of the broker; the paths | `health/consumer/figures.rs`, `health/broker.rs`; `health/server.rs` |
//! | what Kafka and Cassandra have to allow, by task; a right as the line that gives it | `diagnose/rights.rs`; `kafka/right.rs`, `missing_grant` in `store/cassandra/error.rs` |
//! | systemd is told that a program is ready, and that it goes on; the units; the .deb | `cmd/consume/supervised.rs`, `cmd/up.rs`; `xtask/package/`; `xtask/src/package.rs` |
//! | the real servers of the tests, also with TLS and logins, and several that work together | `xtask/src/services.rs` |
//! | the attacks on the promises: which there are; how each is made | `xtask/src/chaos/promises.rs`; `xtask/src/chaos/campaigns/`, brokers and nodes that are away or join in `cluster.rs` |
//! | what is measured; what a number of patients needs | `xtask/src/bench/`; `Plan` in `bench/capacity.rs` |
//! | rights that the tests give; that each is needed | `xtask/tests/services/grants.rs`; `rights.rs` beside it |
//! | the embedded broker's produce and fetch; its TLS and its users | `broker/records.rs`; `broker/server.rs`, `tls/server.rs`; `broker/users.rs`, `kafka/login/scram.rs` |
//! | certificates that are made, and for how long one is | `tls/make.rs`; `tls/certificate.rs`, `diagnose/certificates.rs` |
//! | what a store has to do, and what a third one needs | `store/any.rs`: its head lists it |
//! | how many readings are written together; where a request to Cassandra ends, by its rows and bytes; the columns of an insert and their values | `store/cassandra/write.rs`, `store/sqlite/write.rs`; `store/cassandra/write/request.rs`; `store/cassandra/write/values.rs`, `store/sqlite/write.rs` |
//! | what is written of an alarm; its row read back, and what a missing value there stands for | `store/changed.rs`; `store/stored_alarm.rs` |
//! | how long rows are kept: what is in force, and what that means for a row; TTLs; old rows of a file go | `store/retention.rs`; `store/cassandra/retention.rs`; `store/sqlite/sweep.rs` |
//! | rows in Cassandra that were written before get their end; the largest patients, and from when on they are too large | `cmd/retention/apply.rs`, `store/renewal.rs`, `store/cassandra/renew.rs`; `Largest` in `store/stock.rs`, `diagnose/store.rs` |
//! | months of readings as files: what is in the folder; a file; beside the table, and out of it; back | `archive/folder.rs`, `archive/manifest.rs`; `archive/parquet.rs`; `cmd/archive/`, `store/*/remove.rs`; `archive/backup.rs` |
//! | a patient is erased; what stays of the journal | `cmd/patient/erase.rs`; `store/removal.rs` |
//! | what the readings of a minute come to; when a minute is over, and when its rows are asked; as rows; minutes, hours and days read back; which an import computes | `minute.rs`; `pipeline/minutes.rs`; `store/*/minutes.rs`; `store/series.rs`; `cmd/import/minutes.rs` |
//! | tables and their columns; the numbered steps that make them | `store/tables.rs`; `store/migrations.rs`, `migrations/` |
//! | applied rules and admitted patients, as rows; who acknowledged | `store/*/journal.rs`; `store/*/acknowledge.rs` |
//!
//! | alarms | |
//! |---|---|
//! | the line `>>> ALERT:` below a reading; its two limits, which can be set | `alarm.rs`; `alarm/limits.rs` |
//! | the limits of the built-in sets, as data | `alarm/sets/*.toml` |
//! | a rule that looks back: what it makes of readings; how that is computed of those that are remembered, a score once for all rules; its key in a file, and the schema of that | `Form` in `alarm/rules/measure.rs`; `alarm/window.rs`; `alarm/rules/file.rs`, `rules/schema.rs` |
//! | the text of an alarm; its line on the screen; its message in `patient.alarms` | `Rule::text` in `alarm/rules.rs`; `cmd/common/line.rs`; `alarm/message.rs` |
//! | the states of one rule; all rules for one patient; all patients; what is told of an alarm | `alarm/machine.rs`; `alarm/patient.rs`; `alarm/watch.rs`; `alarm/change.rs` |
//! | a patient's own limits, and which are impossible; whether a set that is applied leaves them possible | `alarm/rules/own.rs`; `cmd/rules/own_limits.rs` |
//! | of whom nothing comes | `alarm/watch/beds.rs` |
//! | a partition is taken over: from which record on it is heard again; what the store is asked; what comes of both | `alarm/watch/partition.rs`, kept by `kafka/offsets.rs`; `pipeline/memory.rs`; `pipeline/judging.rs`, `alarm/watch/restore.rs` |
//! | alarms are announced, then stored, and why in this order; what waits for a broker goes out together | `pipeline/announcing.rs`; `kafka/alarm_topic.rs` |
//! | points of a chart; what they add up to; a score along the readings of a patient | `score/charts/*.toml`; `score.rs`; `alarm/running_score.rs` |
//! | the page of `report` | `cmd/report/page.rs`, `page.html` |
//!
//! The way of one reading into Cassandra, file by file, 18 there and 8 back; what they call on is in the folders of
//! their names:
//!
//! ```text
//!  kafka/connection.rs ─▶ kafka/wire.rs ─▶ kafka/fetch.rs ─▶ kafka/records/decode.rs ─▶ kafka/consumer.rs
//!  ─▶ pipeline.rs ─▶ ledger.rs (admitted) ─▶ reading/decode.rs ─▶ pipeline/judging.rs ─▶ alarm/watch.rs
//!  ─▶ alarm/patient.rs ─▶ alarm/machine.rs ─▶ pipeline/write_queue.rs ─▶ pipeline/delivery.rs
//!  ─▶ pipeline/announcing.rs ─▶ store/any.rs ─▶ store/cassandra/write.rs ─▶ store/cassandra/write/request.rs
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
    fhir
    guide
    health
    http
    intake
    kafka
    ledger
    loadtest
    minute
    output
    pipeline
    port
    reading
    record
    retry
    score
    secret
    server
    service_manager
    settings
    shutdown
    span
    store
    suggestion
    system_text
    tls
    toml_table
    trail
}
