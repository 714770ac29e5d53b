//! Static members: a restart keeps their share, and fences who had it.

use super::*;

#[test]
fn a_restarted_static_member_keeps_its_share_and_fences_its_former_self() {
    let mut scene = Scene::stable(&[id("a"), fixed("b", "ward")]);
    let ticket = scene.join_as(ask(fixed("", "ward"), &["range"]), "b2");
    assert_eq!(scene.joins[&ticket].generation_id, 1);
    assert_eq!(scene.beat(&id("a")), Ok(()));
    assert_eq!(scene.beat(&fixed("b", "ward")), Err(ResponseError::FencedInstanceId));
    let ticket = scene.sync(&fixed("b2", "ward"));
    assert_eq!(scene.syncs[&ticket].assignment, Bytes::from("b"));
}

#[test]
fn a_restarted_static_leader_is_told_not_to_share_out() {
    let mut scene = Scene::stable(&[fixed("a", "ward"), id("b")]);
    let ticket = scene.join_as(ask(fixed("", "ward"), &["range"]), "a2");
    let answer = &scene.joins[&ticket];
    assert!(answer.skip_assignment && answer.members.len() == 2 && answer.leader.as_str() == "a2");
    let older = Join { skips_assignment: false, ..ask(fixed("", "ward"), &["range"]) };
    let ticket = scene.join_as(older, "a3");
    let answer = &scene.joins[&ticket];
    assert!(!answer.skip_assignment && answer.members.is_empty() && answer.leader.as_str() == "a2");
}

#[test]
fn a_restarted_static_member_that_changes_the_protocol_starts_a_rebalance() {
    let mut scene = Scene::new();
    scene.join_as(ask(fixed("", "ward"), &["range", "sticky"]), "a");
    scene.pass(INITIAL_DELAY);
    scene.sync(&fixed("a", "ward"));
    let ticket = scene.join_as(ask(fixed("", "ward"), &["sticky", "range"]), "a2");
    assert_eq!(scene.joins[&ticket].generation_id, 2);
}

#[test]
fn the_wait_of_a_former_self_is_fenced() {
    let mut scene = Scene::stable(&[id("a"), fixed("b", "ward")]);
    let waiting = scene.join_as(ask(fixed("b", "ward"), &["sticky", "range"]), "unused");
    scene.join_as(ask(fixed("", "ward"), &["range"]), "b2");
    assert_eq!(scene.join_code(waiting), Some(ResponseError::FencedInstanceId));
}

#[test]
fn a_static_member_that_is_away_keeps_its_place_until_its_session_ends() {
    let mut scene = Scene::stable(&[id("a"), fixed("b", "ward")]);
    let third = scene.join_as(ask(id(""), &["range"]), "c");
    scene.rejoin(&id("a"));
    scene.pass(SESSION * 9 / 10);
    assert!(!scene.joins.contains_key(&third));
    scene.pass(SESSION / 10);
    assert_eq!(scene.joins[&third].generation_id, 2);
}

#[test]
fn a_static_member_can_be_sent_away_by_its_instance_id() {
    let mut scene = Scene::stable(&[fixed("a", "ward")]);
    assert_eq!(scene.leave(&fixed("another", "ward")), Err(ResponseError::FencedInstanceId));
    assert_eq!(scene.leave(&fixed("", "ward")), Ok(()));
    assert_eq!(scene.leave(&fixed("", "ward")), Err(ResponseError::UnknownMemberId));
}
