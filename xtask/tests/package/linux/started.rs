//! What was unpacked, started as its units say, by a service manager that this test is.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::running::{self, Running, wait_until};
use super::unit::Unit;
use super::unpacked::{install, opened, packages, tar_gz};

const LIMIT: Duration = Duration::from_secs(30);

/// A third of it is how often a sign of life comes.
const WATCHDOG: Duration = Duration::from_millis(1_500);

/// How long a broker is away.
const AWAY: Duration = Duration::from_secs(4);

/// A service, and what it has told its manager so far, message by message.
struct Service {
    running: Running,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Service {
    fn start(name: &str, mut command: Command, place: &Path) -> Self {
        let path = place.join(format!("{name}.socket"));
        let socket = UnixDatagram::bind(&path).unwrap();
        command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", WATCHDOG.as_micros().to_string());
        let heard = Arc::<Mutex<Vec<String>>>::default();
        let messages = Arc::clone(&heard);
        std::thread::spawn(move || {
            let mut message = [0; 4_096];
            while let Ok(length) = socket.recv(&mut message) {
                messages.lock().unwrap().push(String::from_utf8_lossy(&message[..length]).into_owned());
            }
        });
        Self { running: Running::start(name, &mut command), heard }
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }

    fn count(&self, line: &str) -> usize {
        self.heard().iter().flat_map(|message| message.lines()).filter(|told| *told == line).count()
    }

    fn wait_for(&mut self, line: &str) {
        let heard = Arc::clone(&self.heard);
        let told = move || heard.lock().unwrap().iter().any(|message| message.lines().any(|told| told.contains(line)));
        self.running.wait_for(line, LIMIT, |_| told().then_some(()));
    }

    /// Asks it to end, as the manager does.
    fn stop(self) {
        assert_eq!((self.count("READY=1"), self.count("STOPPING=1")), (1, 0), "{:?}", self.heard());
        self.running.signal("TERM");
        let heard = self.heard;
        self.running.wait_end(LIMIT).well();
        wait_until("STOPPING=1", LIMIT, || {
            heard.lock().unwrap().iter().any(|message| message.starts_with("STOPPING=1\n")).then_some(())
        });
    }
}

/// The `.deb` and the `.tar.gz`, each in a root of its own, and one state for both.
struct Host {
    from_deb: PathBuf,
    from_tar_gz: PathBuf,
    folder: tempfile::TempDir,
}

impl Host {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = |name: &str| {
            // What StateDirectory= makes.
            std::fs::create_dir_all(folder.path().join(name).join("var/lib/vitals")).unwrap();
            folder.path().join(name)
        };
        let from_deb = install(&opened().0, &root("deb"));
        let from_tar_gz = install(&tar_gz(&packages().tar_gz), &root("tar"));
        Self { from_deb, from_tar_gz, folder }
    }

    /// Starts the instance of a unit, of what is installed below `root`.
    fn start(&self, root: &Path, unit: &str, instance: &str) -> Service {
        let text = std::fs::read_to_string(root.join("usr/lib/systemd/system").join(unit)).unwrap();
        let name = unit.replace('@', &format!("@{instance}"));
        Service::start(&name, Unit::read(&text).start(root, instance), self.folder.path())
    }

    /// Starts the broker, and makes the topics, of one partition each, and the tables.
    fn with_a_broker(&self) -> Service {
        let mut broker = self.start(&self.from_deb, "vitals-broker.service", "");
        broker.wait_for("READY=1");
        let told = broker.running.wait_for_line("listens on ", LIMIT);
        self.configure(told.split("listens on ").nth(1).unwrap().split(',').next().unwrap());
        self.vitals("init --partitions 1");
        broker
    }

    /// Writes into the settings what an administrator would: by way of the examples that are there.
    fn configure(&self, broker: &str) {
        let path = self.from_tar_gz.join("etc/vitals.toml");
        let mut settings = std::fs::read_to_string(&path).unwrap();
        let state = self.from_tar_gz.join("var/lib/vitals");
        for (example, value) in [
            ("# brokers = [", format!("brokers = [\"{broker}\"] # [")),
            ("# store = \"sqlite:/var/lib/vitals", format!("store = \"sqlite:{}", state.display())),
        ] {
            assert!(settings.contains(example), "{settings}");
            settings = settings.replacen(example, &value, 1);
        }
        std::fs::write(path, settings).unwrap();
    }

    /// Runs a command to its good end, with the settings of the services.
    fn vitals(&self, words: &str) {
        let mut command = Command::new(self.from_tar_gz.join("usr/bin/vitals"));
        command.args(words.split_whitespace()).arg("--config").arg(self.from_tar_gz.join("etc/vitals.toml"));
        running::run(words, command.env_clear()).well();
    }
}

#[test]
fn what_is_unpacked_runs_as_its_units_say_and_tells_the_service_manager_how_it_goes() {
    let host = Host::new();
    let mut broker = host.with_a_broker();
    broker.wait_for("STATUS=listens on 127.0.0.1:");

    let mut consumer = host.start(&host.from_tar_gz, "vitals-consume@.service", "1");
    consumer.wait_for("READY=1");
    // There is one partition: this one waits for the other to leave, and that is its work.
    let mut second = host.start(&host.from_tar_gz, "vitals-consume@.service", "2");
    second.wait_for("READY=1");
    host.vitals("produce --count 20 --interval 0 --patients SECRET-1");
    let stored = |service: &Service| service.heard().iter().any(|message| message.contains("20 readings stored"));
    wait_until("a status", LIMIT, || (stored(&consumer) || stored(&second)).then_some(()));

    // A broker that is away is no reason to begin a consumer anew.
    let before = consumer.count("WATCHDOG=1");
    broker.running.signal("STOP");
    std::thread::sleep(AWAY);
    let signs = consumer.count("WATCHDOG=1") - before;
    broker.running.signal("CONT");
    assert!(signs >= 3, "{signs} signs of life in {AWAY:?}: {:?}", consumer.heard());

    let told = [consumer.heard(), second.heard(), broker.heard()].concat().concat();
    assert!(!told.contains("SECRET"), "{told}");
    second.stop();
    consumer.stop();
    assert!(broker.count("WATCHDOG=1") > 3, "{:?}", broker.heard());
    broker.stop();
}

#[test]
fn what_shows_and_what_listens_tell_where_and_end_when_they_are_asked() {
    let host = Host::new();
    let broker = host.with_a_broker();
    for (unit, status, metric) in [
        ("vitals-serve.service", "STATUS=shows 0 beds to 0 on http://127.0.0.1:", Some("vitals_http_connections ")),
        ("vitals-listen.service", "STATUS=listens on 127.0.0.1:", None),
    ] {
        let mut service = host.start(&host.from_tar_gz, unit, "");
        service.wait_for("READY=1");
        service.wait_for(status);
        let signs = service.count("WATCHDOG=1");
        wait_until("signs of life", LIMIT, || (service.count("WATCHDOG=1") > signs + 1).then_some(()));
        if let Some(metric) = metric {
            let told = service.heard().concat();
            let address = told.split("http://").nth(1).unwrap().lines().next().unwrap();
            let metrics = asked(address, "/metrics");
            assert!(metrics.contains(metric), "{metrics}");
        }
        service.stop();
    }
    broker.stop();
}

/// What comes back until the server ends it.
fn asked(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_consumer_that_cannot_begin_is_never_ready_and_ends_with_a_code_that_is_begun_again() {
    let host = Host::new();
    host.with_a_broker().stop();
    let consumer = host.start(&host.from_tar_gz, "vitals-consume@.service", "1");
    let heard = Arc::clone(&consumer.heard);
    consumer.running.wait_end(LIMIT).with_code(4);
    assert!(heard.lock().unwrap().is_empty(), "{heard:?}");
}
