//! Members of a group that are of another kind than ours.

use rustix::process::Signal;

use super::flow::Flow;
use super::run::Run;
use super::stand::COMMAND_LIMIT;
use crate::error::Error;
use crate::worker::Worker;

const JAVA: &str = "a Java member";
/// Kafka's console consumer.
const JAVA_CLASS: &str = "org.apache.kafka.tools.consumer.ConsoleConsumer";

/// One of them.
#[derive(Debug)]
pub(super) struct Foreign {
    member: Worker,
    /// So begins a line that it prints when it is given a message.
    sign: &'static str,
}

impl Foreign {
    /// On `librdkafka`; where the stack has Kafka's own tools, mostly its console consumer, which commits nothing.
    pub(super) fn join(run: &mut Run<'_>, flow: &mut Flow<'_>) -> Result<Self, Error> {
        let at = &flow.scene.at;
        let arguments = ["--bootstrap-server", &at.brokers, "--topic", &at.topic, "--group", &at.group];
        let quiet =
            ["--command-property", "enable.auto.commit=false", "--command-property", "heartbeat.interval.ms=500"];
        let kind = match (run.is_planted(), run.schedule.coin()) {
            (true, _) => "ahead",
            (false, true) => "commits",
            (false, false) => "keeps",
        };
        match run.stack.tool(JAVA_CLASS, &[&arguments[..], &quiet].concat()) {
            Some(command) if !run.schedule.made().is_multiple_of(4) => {
                Ok(Self { member: run.stand.start(JAVA, &command)?, sign: "{" })
            }
            _ => Ok(Self { member: flow.foreign_member(kind)?, sign: "read " }),
        }
    }

    /// When it was given something: one that never took part shows nothing.
    pub(super) fn leave(mut self, run: &Run<'_>) -> Result<(), Error> {
        self.member.wait_for_line(self.sign, COMMAND_LIMIT, run.stand.interrupt())?;
        self.member.signal(Signal::TERM);
        // Java ends with a code of its own.
        self.member.wait_for_end(COMMAND_LIMIT, run.stand.interrupt()).map(drop)
    }
}
