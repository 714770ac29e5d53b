//! Members of one group: sharing, take-over, static membership, members of other kinds and of newer protocols. Signals are
//! a campaign: R14.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::peer;
use crate::program::Program as _;
use crate::running::{RUN_LIMIT, Running, look_until, wait_until};
use crate::ward::{CATCH_UP_LIMIT, Ward, assert_same, sent};

/// A broker takes no shorter one by default.
const SESSION: &str = "--session-timeout 6s";

/// A member that was killed is given up after the session time-out of 6 s; the others hear of it with their next
/// heartbeat, within 3 s; the rest is for a slow machine to share anew.
const TAKE_OVER_LIMIT: Duration = Duration::from_secs(6 + 3 + 3);

/// A member that leaves is gone at once; the others hear of it with their next heartbeat, within 3 s.
const HAND_OVER_LIMIT: Duration = Duration::from_secs(3 + 2);

/// How long members may take to share at the start: a new member waits for the others' next heartbeat.
const SHARE_LIMIT: Duration = Duration::from_secs(20);

/// Members of other kinds have slower habits, and a Java machine to start.
const FOREIGN_LIMIT: Duration = Duration::from_secs(40);

/// The partitions that a member said last that it has.
pub(crate) fn assigned(member: &Running) -> BTreeSet<i32> {
    member.stdout().iter().rev().find_map(|line| partitions(line)).unwrap_or_default()
}

fn partitions(line: &str) -> Option<BTreeSet<i32>> {
    let set = line.strip_prefix("Partitions assigned: ")?;
    let numbers = set.split("partition=").skip(1);
    Some(numbers.map(|rest| rest.split(')').next().unwrap().parse().unwrap()).collect())
}

fn assignments(member: &Running) -> usize {
    member.stdout().iter().filter(|line| partitions(line).is_some()).count()
}

/// Waits until the members have so many partitions each, and all of them together.
fn wait_for_shares(members: &mut [Running], shares: &[usize], limit: Duration) {
    let total: usize = shares.iter().sum();
    let look = || {
        let sets: Vec<_> = members.iter().map(assigned).collect();
        let mut sizes: Vec<_> = sets.iter().map(BTreeSet::len).collect();
        sizes.sort_unstable();
        (sizes == shares && sets.iter().flatten().collect::<BTreeSet<_>>().len() == total).then_some(())
    };
    if look_until(limit, look).is_none() {
        let said: Vec<_> = members.iter().map(|member| (assigned(member), member.stderr())).collect();
        panic!("no shares of {shares:?} within {limit:?}: {said:?}");
    }
}

/// Sends readings until it is told to stop.
fn start_sending(ward: &Ward) -> Running {
    let mut sender = ward.start("produce --interval 0.01 --patients A,B,C,D,E,F,G,H,I,J,K,L,M,N,O,P,Q,R");
    sender.wait_for_line("SENT ", CATCH_UP_LIMIT);
    sender
}

fn stop_sending(sender: Running) -> Vec<Value> {
    sender.signal("INT");
    sent(&sender.wait_end(Duration::from_secs(5)).well().output())
}

#[test]
fn three_members_share_six_partitions_and_two_take_over_from_one_that_is_killed() {
    let ward = Ward::with_partitions(6);
    let consume = format!("consume {SESSION}");
    let mut members: Vec<_> = (0..3).map(|_| ward.start(&consume)).collect();
    wait_for_shares(&mut members, &[2, 2, 2], SHARE_LIMIT);
    let sender = start_sending(&ward);
    let mut killed = members.pop().unwrap();
    killed.wait_for_line("--- Message #", CATCH_UP_LIMIT);

    killed.kill();
    wait_for_shares(&mut members, &[3, 3], TAKE_OVER_LIMIT);

    let sent = stop_sending(sender);
    ward.wait_for_no_lag();
    assert_same(&ward.stored(), sent);
}

/// A member of another kind joins beside ours, is given half of six partitions, reads, and leaves. It commits nothing, so
/// what it reads is read again when it has left.
fn joins_and_leaves(ward: &Ward, join: impl FnOnce() -> Running, sign: &str, leave: impl FnOnce(&mut Running)) {
    let mut members = vec![ward.start("consume")];
    wait_for_shares(&mut members, &[6], SHARE_LIMIT);
    let sender = start_sending(ward);
    let mut foreign = join();
    wait_for_shares(&mut members, &[3], FOREIGN_LIMIT);
    foreign.wait_for_line(sign, CATCH_UP_LIMIT);
    leave(&mut foreign);
    foreign.wait_end(FOREIGN_LIMIT);
    wait_for_shares(&mut members, &[6], HAND_OVER_LIMIT);
    let sent = stop_sending(sender);
    ward.wait_for_no_lag();
    assert_same(&ward.stored(), sent);
}

#[test]
fn a_librdkafka_member_joins_and_leaves_and_every_reading_is_stored() {
    let ward = Ward::with_partitions(6);
    let join = || peer::start_python("member_librdkafka.py", &[&ward.brokers, &ward.name, &ward.name]);
    joins_and_leaves(&ward, join, "read ", |member| {
        let lines = member.stdout();
        let theirs = lines.iter().rev().find_map(|line| line.strip_prefix("assigned ")).unwrap();
        assert_eq!(theirs.split(' ').count(), 3, "half of six partitions: {theirs}");
        member.say("leave");
    });
}

#[test]
fn a_java_member_joins_and_leaves_and_every_reading_is_stored() {
    let ward = Ward::with_partitions(6);
    let class = "org.apache.kafka.tools.consumer.ConsoleConsumer";
    let arguments = ["--bootstrap-server", &ward.brokers, "--topic", &ward.name, "--group", &ward.name];
    let quiet = ["--command-property", "enable.auto.commit=false"];
    let join = || peer::start_tool(class, &[&arguments[..], &quiet].concat());
    joins_and_leaves(&ward, join, "patient_id", |member| {
        let lag = ward.rows("lag");
        let is_java = |lag: &&Value| lag["member"].as_str().is_some_and(|id| id.starts_with("console-consumer"));
        assert_eq!(lag.iter().filter(is_java).count(), 3, "{lag:?}");
        member.signal("TERM");
    });
}

#[test]
fn a_restarted_member_with_an_instance_id_has_its_partitions_back_and_nobody_else_is_disturbed() {
    let ward = Ward::with_partitions(6);
    let mut members = vec![ward.start("consume --instance-id bed-1"), ward.start("consume")];
    wait_for_shares(&mut members, &[3, 3], SHARE_LIMIT);
    let (other, first) = (members.pop().unwrap(), members.pop().unwrap());
    let (before, times) = (assigned(&first), assignments(&other));
    first.kill();
    ward.send(50);

    let restart = Instant::now();
    let mut again = ward.start("consume --instance-id bed-1");
    // Others would wait for the session's end, 10 s; 3 s are promised, and `cargo xtask chaos --faults R1` measures that.
    let limit = Duration::from_secs(6);
    let back = again
        .wait_for("assignment", limit, |member| Some(assigned(member)).filter(|partitions| !partitions.is_empty()));
    assert!(restart.elapsed() < limit, "{:?}", restart.elapsed());
    assert_eq!(back, before);

    ward.wait_for_no_lag();
    // Longer than a heartbeat's interval after the restart, and still no other assignment.
    let disturbed = look_until(Duration::from_secs(4), || (assignments(&other) > times).then_some(()));
    assert_eq!(disturbed, None, "{:?}", other.stdout());
}

#[test]
fn the_lag_names_a_member_by_its_instance_id_and_one_whose_id_another_process_takes_ends_with_a_hint() {
    let ward = Ward::with_partitions(2);
    let mut first = ward.start("consume --instance-id bed-1");
    first.wait_for_line("Partitions assigned", SHARE_LIMIT);
    wait_until("two partitions of bed-1", SHARE_LIMIT, || {
        let lag = ward.rows("lag");
        (lag.len() == 2 && lag.iter().all(|lag| lag["member"] == "bed-1")).then_some(())
    });
    let mut second = ward.start("consume --instance-id bed-1");
    second.wait_for_line("Partitions assigned", SHARE_LIMIT);

    first.wait_end(Duration::from_secs(8)).with_code(4).tells(&["'bed-1'", "hint: "]);
    assert!(second.is_running());
}

const SHARE_CONSUMER: &str = "org.apache.kafka.tools.consumer.ConsoleShareConsumer";

/// What `group list` tells of the ward's own.
fn listed(ward: &Ward) -> Option<Value> {
    ward.rows("group list").into_iter().find(|listed| listed["group"] == *ward.name)
}

#[test]
fn a_group_of_the_newer_protocol_is_described_and_counted_and_never_joined() {
    let ward = Ward::with_partitions(3);
    ward.send(30);
    let mut member = peer::start_python("member_librdkafka.py", &[&ward.brokers, &ward.name, &ward.name, "newer"]);
    member.wait_for("30 messages", CATCH_UP_LIMIT, |member| {
        (member.stdout().iter().filter(|line| line.starts_with("read ")).count() == 30).then_some(())
    });
    let lag = ward.rows("lag");
    assert!(lag.iter().all(|lag| lag["lag"] == 0 && lag["member"].is_string()), "{lag:?}");
    let described = ward.rows("group describe");
    let partitions: Vec<_> = described.iter().flat_map(|row| row["partitions"].as_array().unwrap()).collect();
    assert_eq!((described.len(), partitions.len()), (1, 3), "{described:?}");
    let group = listed(&ward).unwrap();
    assert_eq!((&group["type"], &group["members"]), (&"consumer".into(), &1.into()));
    assert_eq!(ward.status(0)["group"]["members"], 1);
    ward.done("doctor");
    for words in [format!("group delete {} --yes", ward.name), "group seek --to earliest".to_owned()] {
        ward.run(&words).with_code(1).tells(&["has members: "]);
    }
    ward.refused("consume --exit-at-end", 2).tells(&["Kafka's newer consumer protocol"]);

    member.say("leave");
    member.wait_end(RUN_LIMIT).well();
    wait_until("it is empty", CATCH_UP_LIMIT, || (listed(&ward)?["state"] == "Empty").then_some(()));
    assert_eq!(ward.committed(), 30);
    ward.rows("group seek --to earliest");
    assert_eq!(ward.total_lag(), 30);
    assert!(ward.status(1).to_string().contains("nobody reads: 30 messages"));
    ward.done(&format!("group delete {} --yes", ward.name));
    ward.run("lag").with_code(2);
}

#[test]
fn a_share_group_is_listed_and_otherwise_refused() {
    let ward = Ward::with_partitions(1);
    ward.send(1);
    let arguments = ["--bootstrap-server", &ward.brokers, "--topic", &ward.name, "--group", &ward.name];
    let _member = peer::start_tool(SHARE_CONSUMER, &arguments);
    wait_until("the group", RUN_LIMIT, || (listed(&ward)?["type"] == "share").then_some(()));
    ward.done("group describe");
    for words in ["lag", "consume --exit-at-end", "group seek --to earliest"] {
        ward.refused(words, 2).tells(&["Kafka's 'share' protocol"]);
    }
}
