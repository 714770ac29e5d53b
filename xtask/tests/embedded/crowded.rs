//! More connections than the system gives the broker.

use std::fs;
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use super::home::address_in;
use super::wire::Wire;
use crate::running::Running;

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
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit -n {DESCRIPTORS}; exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_vitals")]);
    command.args(["up", "--listen", "127.0.0.1:0", "--data"]).arg(folder.path().join("data"));
    let mut broker = Running::start("vitals up", &mut command);
    let address = address_in(&broker.wait_for_line("listens on ", LIMIT));
    let count = |broker: &Running, what: &str| broker.stderr().iter().filter(|line| line.contains(what)).count();

    let crowd: Vec<_> = (0..2 * DESCRIPTORS).map(|_| TcpStream::connect(&address).expect("connected")).collect();
    broker.wait_for_note("Too many open files", LIMIT);
    let before = processor_ticks(broker.pid());
    tokio::time::sleep(Duration::from_secs(2)).await;
    let spent = processor_ticks(broker.pid()) - before;
    assert!(spent < TICKS_PER_SECOND / 4, "{spent} hundredths of a second in two seconds");
    assert_eq!((count(&broker, "Too many open files"), count(&broker, "taken again")), (1, 0));

    drop(crowd);
    let begin = Instant::now();
    while count(&broker, "taken again") == 0 {
        assert!(begin.elapsed() < LIMIT, "it does not say that it is over");
        assert!(!Wire::connect(&address).await.exists("nothing").await);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!((count(&broker, "Too many open files"), count(&broker, "taken again")), (1, 1));
}
