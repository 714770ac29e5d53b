//! What has to outlive a broker, and who may not come near it.

use super::*;
use crate::broker::groups::{Committed, Entry};

fn settings() -> BTreeMap<String, String> {
    BTreeMap::from([("retention.ms".to_owned(), "-1".to_owned())])
}

#[test]
fn the_cluster_id_and_the_topics_are_the_same_after_a_restart() {
    let place = tempfile::tempdir().expect("folder");
    let (id, made) = {
        let mut folder = Folder::open(place.path()).expect("opened");
        (folder.cluster_id().to_owned(), folder.create_topic("t", 3, settings()).expect("made"))
    };
    assert!(id.starts_with(CLUSTER_ID_PREFIX) && id.len() > 16);
    let folder = Folder::open(place.path()).expect("opened again");
    assert_eq!(folder.cluster_id(), id);
    assert_eq!(folder.topics(), [made]);
}

#[test]
fn a_second_broker_is_told_who_has_the_folder() {
    let place = tempfile::tempdir().expect("folder");
    let _first = Folder::open(place.path()).expect("opened");
    let error = Folder::open(place.path()).expect_err("in use");
    assert!(matches!(&error, FolderError::InUse { pid, .. } if *pid == std::process::id().to_string()), "{error}");
    assert!(error.hint().is_some());
}

#[test]
fn a_folder_of_a_newer_version_is_left_alone() {
    let place = tempfile::tempdir().expect("folder");
    drop(Folder::open(place.path()).expect("opened"));
    fs::write(place.path().join("format"), "2").expect("written");
    assert!(matches!(Folder::open(place.path()), Err(FolderError::Format { .. })));
}

#[test]
fn no_name_of_a_topic_leads_out_of_the_folder() {
    let place = tempfile::tempdir().expect("folder");
    let mut folder = Folder::open(place.path()).expect("opened");
    for name in ["", ".", "..", "../x", "a/b", "a\\b", "ä", &"x".repeat(250)] {
        let refused = folder.create_topic(name, 1, BTreeMap::new());
        assert!(matches!(refused, Err(FolderError::TopicName { .. })), "{name}");
    }
}

#[test]
fn a_topic_is_made_once_and_deleted_with_its_records() {
    let place = tempfile::tempdir().expect("folder");
    let mut folder = Folder::open(place.path()).expect("opened");
    let first = folder.create_topic("t", 1, BTreeMap::new()).expect("made");
    assert!(matches!(folder.create_topic("t", 1, BTreeMap::new()), Err(FolderError::TopicExists { .. })));
    drop(folder.open_log("t", 0, LogLimits::default()).expect("log"));
    folder.delete_topic("t").expect("deleted");
    assert!(matches!(folder.delete_topic("t"), Err(FolderError::NoTopic { .. })));
    assert_ne!(folder.create_topic("t", 1, BTreeMap::new()).expect("made again").id, first.id);
}

fn kept(offset: i64) -> Committed {
    Committed { offset, metadata: "m".to_owned(), leader_epoch: -1 }
}

fn entry(topic: &str, offset: i64) -> Entry {
    Entry { topic: topic.to_owned(), partition: 0, committed: kept(offset) }
}

#[test]
fn committed_offsets_are_there_after_a_restart() {
    let place = tempfile::tempdir().expect("folder");
    let path = place.path().join("offsets");
    let mut offsets = OffsetsFile::open(&path).expect("opened");
    for (topic, value) in [("t", 1), ("t", 2), ("u", 9)] {
        offsets.put("g", &[entry(topic, value)]).expect("kept");
    }
    offsets.put("h", &[entry("t", 5)]).expect("kept");
    offsets.remove("g", &[("u".to_owned(), 0)]).expect("removed");
    drop(offsets);
    let offsets = OffsetsFile::open(&path).expect("opened again");
    assert_eq!(offsets.get("g", "t", 0), Some(kept(2)));
    assert_eq!(offsets.all("g"), [entry("t", 2)]);
    assert_eq!(offsets.groups(), ["g", "h"]);
}

#[test]
fn a_torn_end_costs_the_last_entry_at_most() {
    let place = tempfile::tempdir().expect("folder");
    let path = place.path().join("offsets");
    let mut offsets = OffsetsFile::open(&path).expect("opened");
    offsets.put("g", &[entry("t", 1)]).expect("kept");
    let whole = fs::read(&path).expect("read").len();
    offsets.put("g", &[entry("t", 2)]).expect("kept");
    drop(offsets);
    let text = fs::read(&path).expect("read");
    for cut in whole..text.len() {
        fs::write(&path, &text[..cut]).expect("torn");
        let mut offsets = OffsetsFile::open(&path).expect("opened");
        assert_eq!(offsets.get("g", "t", 0), Some(kept(1)), "cut at {cut}");
        offsets.put("g", &[entry("t", 3)]).expect("kept behind it");
        assert_eq!(OffsetsFile::open(&path).expect("opened").get("g", "t", 0), Some(kept(3)));
    }
}

#[test]
fn a_file_of_outdated_entries_is_written_anew() {
    let place = tempfile::tempdir().expect("folder");
    let path = place.path().join("offsets");
    let mut offsets = OffsetsFile::open(&path).expect("opened");
    for value in 0..10_100 {
        offsets.put("g", &[entry("t", value)]).expect("kept");
    }
    assert!(fs::metadata(&path).expect("there").len() < 20_000);
    assert_eq!(OffsetsFile::open(&path).expect("opened").get("g", "t", 0).expect("kept").offset, 10_099);
}
