//! More connections than the system gives the broker.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::wire::Wire;

const LIMIT: Duration = Duration::from_secs(30);

/// What `vitals up` needs for itself, and some connections.
const DESCRIPTORS: u32 = 48;

/// The kernel counts processor time in hundredths of a second.
const TICKS_PER_SECOND: u64 = 100;

fn processor_ticks(process: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).expect("it runs");
    let behind_name = stat.rsplit_once(')').expect("a name").1;
    behind_name.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().expect("a number")).sum()
}

#[tokio::test]
async fn a_broker_without_descriptors_waits_says_so_once_and_serves_when_some_are_free() {
    let folder = tempfile::tempdir().expect("a folder");
    let said = folder.path().join("said");
    let mut child = Command::new("sh")
        .args(["-c", &format!("ulimit -n {DESCRIPTORS}; exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_vitals")])
        .args(["up", "--listen", "127.0.0.1:0", "--data"])
        .arg(folder.path().join("data"))
        .stdout(Stdio::piped())
        .stderr(File::create(&said).expect("a file"))
        .spawn()
        .expect("started");
    let mut first = String::new();
    BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut first).expect("a line");
    let address = first.split_once("listens on ").and_then(|(_, rest)| rest.split_once(',')).expect("an address").0;
    let count = |what: &str| fs::read_to_string(&said).expect("text").matches(what).count();

    let crowd: Vec<_> = (0..2 * DESCRIPTORS).map(|_| TcpStream::connect(address).expect("connected")).collect();
    let begin = Instant::now();
    while count("Too many open files") == 0 {
        assert!(begin.elapsed() < LIMIT, "it says nothing");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let before = processor_ticks(child.id());
    tokio::time::sleep(Duration::from_secs(2)).await;
    let spent = processor_ticks(child.id()) - before;
    assert!(spent < TICKS_PER_SECOND / 4, "{spent} hundredths of a second in two seconds");
    assert_eq!((count("Too many open files"), count("taken again")), (1, 0));

    drop(crowd);
    let begin = Instant::now();
    while count("taken again") == 0 {
        assert!(begin.elapsed() < LIMIT, "it does not say that it is over");
        assert!(!Wire::connect(address).await.exists("nothing").await);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!((count("Too many open files"), count("taken again")), (1, 1));
    child.kill().expect("killed");
    child.wait().expect("ended");
}
