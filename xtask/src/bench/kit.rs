//! What every table needs: the `dist` build, a Python with clients, a place for files, and a way to run programs.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::place::Place;
use super::program::{Program, Taken};
use crate::error::Error;
use crate::services::server::{Role, class_path};
use crate::services::stack::Stack;
use crate::signals::Interrupt;

/// Serves one run, table after table.
#[derive(Debug)]
pub(super) struct Kit {
    /// What is measured.
    pub(super) binary: PathBuf,
    /// A Python with clients of both servers.
    pub(super) python: PathBuf,
    /// Where files go.
    pub(super) place: Place,
    /// Whether the user wants the end.
    pub(super) interrupt: Interrupt,
}

impl Kit {
    /// Runs a tool of Kafka by its Java class, in this Java heap.
    pub(super) fn kafka_tool(
        &self,
        stack: &Stack,
        heap: &str,
        class: &'static str,
        arguments: &[&str],
    ) -> Result<ToolOutput, Error> {
        let jars = stack.jars(Role::Kafka).ok_or(Error::NoServer("such server"))?;
        let mut command = vec![stack.java().clone(), heap.into()];
        command.extend(class_path(&[], &jars));
        command.push(class.into());
        command.extend(arguments.iter().map(OsString::from));
        self.run(class, &command)
    }

    /// Runs a Python script of `xtask/tests/peers`.
    pub(super) fn python(&self, script: &'static str, arguments: &[&str]) -> Result<ToolOutput, Error> {
        let mut command = self.python_command(script);
        command.extend(arguments.iter().map(OsString::from));
        self.run(script, &command)
    }

    /// How a Python script of `xtask/tests/peers` is started.
    pub(super) fn python_command(&self, script: &str) -> Vec<OsString> {
        let peers = crate::repository::root().join("xtask").join("tests").join("peers");
        // Nothing compiled is left beside the scripts.
        vec![self.python.clone().into(), "-B".into(), peers.join(script).into()]
    }

    /// Runs a Python script from elsewhere.
    pub(super) fn python_file(
        &self,
        what: &'static str,
        script: &Path,
        arguments: &[OsString],
    ) -> Result<ToolOutput, Error> {
        let mut command = vec![self.python.clone().into(), "-B".into(), script.into()];
        command.extend(arguments.iter().cloned());
        self.run(what, &command)
    }

    /// Runs a program that came with the Python clients.
    pub(super) fn python_program(&self, name: &'static str, arguments: &[&str]) -> Result<ToolOutput, Error> {
        let mut command = vec![self.python.with_file_name(name).into()];
        command.extend(arguments.iter().map(OsString::from));
        self.run(name, &command)
    }

    /// Runs the binary that is measured. What a producer says on stdout is dropped.
    pub(super) fn vitals(
        &self,
        what: &'static str,
        arguments: &[&str],
        environment: &[(&'static str, OsString)],
    ) -> Result<ToolOutput, Error> {
        // A producer's lines are as many as what it sends.
        let is_chatty = arguments.first() == Some(&"produce");
        let mut command = vec![OsString::from(&self.binary)];
        command.extend(arguments.iter().map(OsString::from));
        self.run_with(what, &command, environment, is_chatty)
    }

    fn run(&self, what: &'static str, command: &[OsString]) -> Result<ToolOutput, Error> {
        self.run_with(what, command, &[], false)
    }

    fn run_with(
        &self,
        what: &'static str,
        command: &[OsString],
        environment: &[(&'static str, OsString)],
        is_chatty: bool,
    ) -> Result<ToolOutput, Error> {
        let log = self.place.path("tool.log");
        let program = Program { what, command, environment, is_chatty, log: &log };
        let taken = program.run(&self.interrupt)?;
        Ok(ToolOutput { what, text: program.output()?, taken })
    }
}

/// What a tool said, on stdout and stderr, and what it took.
#[derive(Debug)]
pub(super) struct ToolOutput {
    /// Time, processor time and memory.
    pub(super) taken: Taken,
    /// The tool.
    what: &'static str,
    /// All of it.
    text: String,
}

impl ToolOutput {
    /// What `find` makes of it; an error that shows it where that is nothing.
    pub(super) fn find<T>(&self, missing: &'static str, find: impl FnOnce(&str) -> Option<T>) -> Result<T, Error> {
        find(&self.text).ok_or_else(|| Error::Unclear { what: self.what, missing, said: self.text.clone() })
    }

    /// What it took, if it said `expected`: a tool that did something else must not count.
    pub(super) fn having(self, missing: &'static str, expected: &str) -> Result<Taken, Error> {
        self.find(missing, |text| text.contains(expected).then_some(self.taken))
    }
}
