//! What a leader watches for the members of its group.

use tokio::time::timeout;
use vitals::kafka::admin::{self, TopicSpec};
use vitals::kafka::consumer::Consumer;
use vitals::kafka::group::MemberConfig;
use vitals::kafka::offsets::Place;
use vitals::pipeline::source::{Event, MembershipEvent, Source as _};

use super::{Bench, LIMIT};

/// Takes part in the group until so many partitions are assigned.
async fn take_part_until(consumer: &mut Consumer, count: usize) {
    let mut held = 0;
    loop {
        match consumer.next(true).await.expect("an event") {
            Event::Membership(MembershipEvent::Release) => consumer.released(held).await,
            Event::Membership(MembershipEvent::Assigned { assignment, partitions, .. }) => {
                held = assignment;
                if partitions.len() == count {
                    return;
                }
            }
            _ => {}
        }
    }
}

/// The leader does not read that topic itself.
pub(crate) async fn what_a_topic_of_another_member_gains_is_given_out(brokers: &[String]) {
    let mut bench = Bench::with_topic(brokers, "leading", 1).await;
    let other = format!("{}-other", bench.topic);
    let of = |partitions| TopicSpec::readings(&other, partitions, 1);
    admin::create(&mut bench.cluster, &of(1)).await.expect("made");
    let mut leader = bench.join().await;
    timeout(LIMIT, take_part_until(&mut leader, 1)).await.expect("alone in the group");
    let config = MemberConfig { topic: other.clone(), ..bench.member() };
    let mut member = Consumer::join(brokers, config, Place::Earliest).await.expect("joined");
    let scene = async {
        take_part_until(&mut member, 1).await;
        admin::delete(&mut bench.cluster, &other).await.expect("deleted");
        admin::create(&mut bench.cluster, &of(3)).await.expect("made anew");
        take_part_until(&mut member, 3).await;
    };
    tokio::select! {
        outcome = timeout(LIMIT, scene) => outcome.expect("given out in time"),
        () = take_part_until(&mut leader, usize::MAX) => {}
    }
    member.leave().await;
    leader.leave().await;
}
