//! Members of one group: sharing, take-over, static membership, members of other kinds. Signals are a campaign: R14.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::peer;
use crate::running::{Running, look_until, wait_until};
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

/// How many times a member was given partitions.
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

fn stop_sending(sender: Running) -> Vec<serde_json::Value> {
    sender.signal("INT");
    sent(&sender.wait_end(Duration::from_secs(5)).well().stdout)
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
    ward.wait_for_no_lag(CATCH_UP_LIMIT);
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
    ward.wait_for_no_lag(CATCH_UP_LIMIT);
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
        let lag = ward.lag();
        let of_java = lag.iter().filter(|lag| lag.member().is_some_and(|id| id.starts_with("console-consumer")));
        assert_eq!(of_java.count(), 3, "{lag:?}");
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

    ward.wait_for_no_lag(CATCH_UP_LIMIT);
    // Longer than a heartbeat's interval after the restart, and still no other assignment.
    let disturbed = look_until(Duration::from_secs(4), || (assignments(&other) > times).then_some(()));
    assert_eq!(disturbed, None, "{:?}", other.stdout());
}

#[test]
fn a_member_with_an_instance_id_that_another_process_takes_ends_with_a_hint() {
    let ward = Ward::with_partitions(2);
    let mut first = ward.start("consume --instance-id bed-1");
    first.wait_for_line("Partitions assigned", SHARE_LIMIT);
    let mut second = ward.start("consume --instance-id bed-1");
    second.wait_for_line("Partitions assigned", SHARE_LIMIT);

    let ended = first.wait_end(Duration::from_secs(8)).with_code(4);
    assert!(ended.talk().contains("'bed-1'") && ended.talk().contains("hint: "), "{}", ended.talk());
    assert!(second.is_running());
}

#[test]
fn the_lag_names_who_reads_what_while_members_run() {
    let ward = Ward::with_partitions(4);
    let mut member = ward.start("consume --instance-id bed-1");
    member.wait_for_line("Partitions assigned", SHARE_LIMIT);
    let lag = wait_until("four partitions of bed-1", SHARE_LIMIT, || {
        Some(ward.lag()).filter(|lag| lag.iter().all(|lag| lag.member() == Some("bed-1")))
    });
    assert_eq!(lag.len(), 4);
}
