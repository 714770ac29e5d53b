//! Servers that were started together: they become ready together, and they end together.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use super::folder::{Record, StackFolder, State};
use super::java::{Javas, Release};
use super::ports;
use super::ready::{self, NotReady};
use super::secure::{Access, SUPERUSER, USER};
use super::server::{Member, Role, Server, class_path};
use crate::error::{Error, Result};
use crate::process::{self, Identity, Life, Place};
use crate::worker::{self, Job, LogTail, SHOWN_WITH_ERRORS};
use crate::{say, signals};

/// How long a server may take to answer. On an idle machine it takes 10 s, on a busy one 30 s.
const READY_LIMIT: Duration = Duration::from_secs(120);
/// How long Kafka's storage folder may take to be formatted: a start of Java and some files.
const FIRST_RUN_LIMIT: Duration = Duration::from_secs(60);
/// How often a starting server is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Servers started by this process. Dropping it ends them, unless they were [left running](Self::leave_running).
#[derive(Debug)]
pub(crate) struct Stack {
    folder: StackFolder,
    javas: Javas,
    life: Life,
    servers: Vec<Running>,
}

#[derive(Debug)]
struct Running {
    server: Box<dyn Server>,
    child: Child,
    record: Record,
    started: Instant,
    /// It has answered once.
    is_ready: bool,
}

impl Stack {
    /// Starts `servers` and comes back when each of them has answered a request. Call it from the main thread (see
    /// [`Life::EndsWithParent`]).
    pub(crate) fn start(folder: StackFolder, servers: Vec<Box<dyn Server>>, life: Life) -> Result<Self> {
        let javas = prepare(&servers)?;
        folder.make()?;
        let mut stack = Self { folder, javas, life, servers: Vec::new() };
        let (joining, first): (Vec<_>, Vec<_>) = servers.into_iter().partition(|server| server.joins());
        for server in first {
            stack.launch_one(server)?;
        }
        for server in joining {
            // One at a time: two that join at once may not know of each other.
            stack.wait_for(|earlier| earlier.role == server.member().role)?;
            stack.launch_one(server)?;
        }
        stack.wait_for(|_| true)?;
        Ok(stack)
    }

    /// The servers stay when this process ends; `cargo xtask services down` ends them.
    pub(crate) fn leave_running(mut self) {
        self.servers.clear();
    }

    pub(crate) fn port(&self, member: impl Into<Member>) -> Result<u16> {
        Ok(self.find(member.into())?.record.port)
    }

    /// Where a server's clients connect: the only one's, or that of the first of several.
    pub(crate) fn address(&self, role: Role) -> Result<String> {
        Ok(format!("127.0.0.1:{}", self.port(role)?))
    }

    /// Those of all that work together, with commas between them, as `vitals` takes them; on `port`, or each on its own.
    pub(crate) fn addresses(&self, role: Role, port: Option<u16>) -> String {
        let of_role = self.servers.iter().map(|running| &running.record).filter(|record| record.member.role == role);
        let address = |record: &Record| format!("{}:{}", record.member.host(), port.unwrap_or(record.port));
        of_role.map(address).collect::<Vec<_>>().join(",")
    }

    /// How `vitals` comes to servers that were started with `--secure`.
    pub(crate) fn access(&self, is_inside_tls: bool) -> Result<Access> {
        let environment = self.environment();
        let found = |name: &str| {
            let value = environment.iter().find(|(key, _)| key == name).and_then(|(_, value)| value.to_str());
            value.map(str::to_owned).ok_or(Error::NoServer("server with a login"))
        };
        let port = |name: &str| found(name)?.parse().map_err(|_| Error::NoServer("port of its own"));
        let file = |name: &str| Ok::<_, Error>(format!("{}/{name}", found("VITALS_TEST_CERTIFICATES")?));
        let mut settings = vec![("store_user", SUPERUSER.to_owned()), ("store_password_file", file("store-password")?)];
        let (mut brokers_port, mut store_port) = (None, None);
        if is_inside_tls {
            brokers_port = Some(port("VITALS_TEST_BOTH_PORT")?);
            store_port = Some(port("VITALS_TEST_SECURE_CASSANDRA_TLS_PORT")?);
            settings.extend([
                ("broker_ca", file("ca.pem")?),
                ("broker_user", USER.to_owned()),
                ("broker_password_file", file("password")?),
                ("store_ca", file("ca.pem")?),
            ]);
        }
        Ok(Access {
            brokers: self.addresses(Role::Kafka, brokers_port),
            nodes: self.addresses(Role::SecureCassandra, store_port),
            settings,
        })
    }

    /// Where their data, settings and logs are.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// All servers of a kind, by their processes.
    pub(crate) fn processes(&self, role: Role) -> Vec<Identity> {
        let of_role = self.servers.iter().filter(|running| running.record.member.role == role);
        of_role.map(|running| running.record.process).collect()
    }

    pub(crate) fn process(&self, member: impl Into<Member>) -> Option<Identity> {
        self.find(member.into()).ok().map(|running| running.record.process)
    }

    /// The command of a tool that comes with Kafka, by its Java class.
    pub(crate) fn kafka_tool(&self, options: &[&str], class: &str, arguments: &[&str]) -> Result<Vec<OsString>> {
        let jars = self.find(Role::Kafka.into())?.server.bundle().jars();
        let mut command = process::command_of(self.javas.of(Release::Installed), options);
        command.extend(class_path(&[], &jars));
        command.extend([class].iter().chain(arguments).map(OsString::from));
        Ok(command)
    }

    /// What a command that works with this stack finds in its environment.
    pub(crate) fn environment(&self) -> Vec<(String, OsString)> {
        let mut environment: Vec<(String, OsString)> = vec![
            ("VITALS_TEST_JAVA".to_owned(), self.javas.of(Release::Installed).clone()),
            ("VITALS_TEST_STACK".to_owned(), self.folder.path().into()),
        ];
        for running in &self.servers {
            environment.extend(running.environment());
            let own = running.server.environment(&self.folder);
            environment.extend(own.into_iter().map(|(name, value)| (name, value.into())));
        }
        let of_all = |role| Some(self.addresses(role, None)).filter(|addresses| !addresses.is_empty());
        if let Some(brokers) = of_all(Role::Kafka) {
            environment.push(("VITALS_BROKERS".to_owned(), brokers.into()));
        }
        if let Some(nodes) = of_all(Role::Cassandra) {
            environment.push(("VITALS_STORE".to_owned(), format!("cassandra://{nodes}/hospital").into()));
        }
        environment
    }

    /// Starts a server that has ended again, on its port and its data, and comes back when it has answered a request.
    pub(crate) fn start_again(&mut self, member: impl Into<Member>) -> Result<()> {
        let member = member.into();
        if let Some(at) = self.servers.iter().position(|running| running.record.member == member) {
            let ended = self.servers.remove(at);
            self.launch_one(ended.server)?;
        }
        self.wait_for(|other| other == member)
    }

    /// Starts one more, and comes back when it has answered a request.
    pub(crate) fn join(&mut self, server: Box<dyn Server>) -> Result<()> {
        let member = server.member();
        self.launch_one(server)?;
        self.wait_for(|other| other == member)
    }

    /// Ends a server by [`process::kill`] or [`process::stop`]; its data stays.
    pub(crate) fn end(&mut self, member: impl Into<Member>, end: fn(&[Identity]) -> Vec<Identity>) -> Result<()> {
        let member = member.into();
        let Some(running) = self.servers.iter_mut().find(|running| running.record.member == member) else {
            return Ok(());
        };
        if let Some(left) = end(&[running.record.process]).first() {
            return Err(Error::Immortal(left.pid));
        }
        // It has ended; this only takes notice.
        let _ = running.child.wait();
        Ok(())
    }

    fn find(&self, member: Member) -> Result<&Running> {
        let found = self.servers.iter().find(|running| running.record.member == member);
        found.ok_or(Error::NoServer("such server"))
    }

    fn launch_one(&mut self, server: Box<dyn Server>) -> Result<()> {
        let jars = server.bundle().jars();
        server.write_configuration(&self.folder)?;
        if let Some(arguments) = server.first_run(&self.folder, &jars) {
            self.first_run(self.javas.of(server.java()), &arguments)?;
        }
        let member = server.member();
        say::talk(&format!("starting {member} {} on {}:{}", server.version(), member.host(), server.port()));
        let child = self.spawn(&*server, &jars)?;
        let record = Record {
            member,
            version: server.version().to_owned(),
            port: server.port(),
            // A child that is already gone has no identity; the first look at it reports that.
            process: Identity::of(child.id()).unwrap_or(Identity { pid: child.id(), start_ticks: 0 }),
        };
        self.servers.push(Running { server, child, record: record.clone(), started: Instant::now(), is_ready: false });
        self.remember(record)
    }

    fn first_run(&self, java: &OsStr, arguments: &[OsString]) -> Result<()> {
        let command: Vec<_> = [java.to_owned()].into_iter().chain(arguments.iter().cloned()).collect();
        let log = self.folder.path().join("logs").join("kafka-format.log");
        let what = "the formatting of Kafka's storage folder";
        let hint = "; if an earlier start left something behind, remove it: cargo xtask services down --purge";
        Job { what, command: &command, folder: self.folder.path(), log: &log, limit: FIRST_RUN_LIMIT, hint }.run()
    }

    fn spawn(&self, server: &dyn Server, jars: &Path) -> Result<Child> {
        let java = self.javas.of(server.java());
        let start_error = Error::start(&java.to_string_lossy());
        let log = self.folder.log(server.member());
        keep_previous(&log);
        let mut command = process::command(java, Place::OwnSession, self.life).map_err(&start_error)?;
        command.args(server.arguments(&self.folder, jars)).current_dir(self.folder.path());
        worker::log_into(&mut command, &log).map_err(Error::file("write", &log))?;
        command.spawn().map_err(start_error)
    }

    fn wait_for(&mut self, wanted: impl Fn(Member) -> bool) -> Result<()> {
        loop {
            signals::check()?;
            let mut all_ready = true;
            for running in self.servers.iter_mut().filter(|running| wanted(running.record.member)) {
                all_ready &= running.is_ready(&self.folder)?;
            }
            if all_ready {
                return Ok(());
            }
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    /// Written after each start: even if this process is killed now, `down` finds what it left.
    fn remember(&self, record: Record) -> Result<()> {
        let mut state = State::read(&self.folder)?;
        state.servers.retain(|known| known.member != record.member);
        state.servers.push(record);
        state.write(&self.folder)
    }

    /// At once when nobody needs the data afterwards; otherwise each server gets its time to write and close.
    fn end_all(&mut self) {
        let processes: Vec<Identity> = self.servers.iter().map(|running| running.record.process).collect();
        let left = match self.life {
            Life::EndsWithParent => process::kill(&processes),
            Life::Outlives => process::stop(&processes),
        };
        for process in left {
            say::talk(&format!("warning: {}", Error::Immortal(process.pid)));
        }
        self.forget(&processes);
        self.servers.clear();
    }

    /// What has ended is no longer shown as a part of the stack. Without a state file there is nothing to forget.
    fn forget(&self, ended: &[Identity]) {
        if let Ok(mut state) = State::read(&self.folder) {
            state.servers.retain(|record| !ended.contains(&record.process));
            // A failure would only show an ended server once more.
            let _ = state.write(&self.folder);
        }
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        self.end_all();
    }
}

impl Running {
    fn is_ready(&mut self, folder: &StackFolder) -> Result<bool> {
        let Record { member, port, .. } = self.record;
        if let Some(how) = self.has_ended() {
            let hint =
                format!("; no lines at all often mean that the heap is too small ({} SIZE)", member.role.heap_option());
            let how = format!("ended while it was starting ({how})");
            return Err(Error::failed(&member.to_string(), &how, &folder.log(member), &hint));
        }
        if self.is_ready {
            return Ok(true);
        }
        match ready::check(member, port).and_then(|()| self.server.when_ready(folder)) {
            Ok(()) => {
                self.is_ready = true;
                let seconds = self.started.elapsed().as_secs_f32();
                say::talk(&format!(
                    "{member} {} answers on {}:{port} ({seconds:.1} s)",
                    self.record.version,
                    member.host()
                ));
                Ok(true)
            }
            Err(reason) if self.started.elapsed() >= READY_LIMIT => {
                Err(self.not_ready(&reason, LogTail::read(&folder.log(member), SHOWN_WITH_ERRORS)))
            }
            Err(_) => Ok(false),
        }
    }

    fn has_ended(&mut self) -> Option<String> {
        match self.child.try_wait() {
            Ok(None) => None,
            Ok(Some(status)) => Some(status.to_string()),
            Err(error) => Some(error.to_string()),
        }
    }

    fn not_ready(&self, reason: &NotReady, log: LogTail) -> Error {
        let Record { member, port, .. } = self.record;
        let heap_option = member.role.heap_option();
        Error::NotReady { member, port, limit: READY_LIMIT, reason: reason.to_string(), log, heap_option }
    }

    /// For example `VITALS_TEST_KAFKA_PORT`, `…_PID`, `…_VERSION` and `…_LIBS`; of the second of several
    /// `VITALS_TEST_KAFKA_2_PORT`.
    fn environment(&self) -> Vec<(String, OsString)> {
        let prefix = format!("VITALS_TEST_{}", self.record.member.file_name().replace('-', "_").to_uppercase());
        vec![
            (format!("{prefix}_PORT"), self.record.port.to_string().into()),
            (format!("{prefix}_PID"), self.record.process.pid.to_string().into()),
            (format!("{prefix}_VERSION"), self.record.version.clone().into()),
            (format!("{prefix}_LIBS"), self.server.bundle().jars().into()),
        ]
    }
}

/// Everything that can be found wanting before the first server starts.
fn prepare(servers: &[Box<dyn Server>]) -> Result<Javas> {
    if !cfg!(target_os = "linux") {
        return Err(Error::NotLinux);
    }
    let releases: Vec<_> = servers.iter().map(|server| server.java()).collect();
    let javas = Javas::find(&releases)?;
    for server in servers {
        ports::must_be_free(server.member(), server.port())?;
    }
    servers.iter().try_for_each(|server| server.bundle().ensure())?;
    Ok(javas)
}

/// The log of the run before stays as `NAME.previous.log`. There may be none.
fn keep_previous(log: &Path) {
    let _ = fs::rename(log, log.with_extension("previous.log"));
}
