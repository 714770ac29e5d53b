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
    for name in ["", ".", "..", concat!("..", "/x"), "a/b", "a\\b", "ä", &"x".repeat(250)] {
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
    folder.clear("t").expect("cleared");
    assert!(matches!(folder.delete_topic("t"), Err(FolderError::NoTopic { .. })));
    assert_ne!(folder.create_topic("t", 1, BTreeMap::new()).expect("made again").id, first.id);
}

fn kept(offset: i64) -> Committed {
    Committed { offset, metadata: "m".to_owned(), leader_epoch: -1 }
}

fn entry(topic: &str, offset: i64) -> Entry {
    Entry { topic: topic.to_owned(), topic_id: id_of(topic), partition: 0, committed: kept(offset) }
}

/// Every topic has an id of its own.
fn id_of(topic: &str) -> Uuid {
    Uuid::from_u128(crc32c::crc32c(topic.as_bytes()).into())
}

/// The offsets, where every topic is there with as many records as are needed.
fn open_offsets(path: &Path) -> io::Result<OffsetsFile> {
    let present = |topic: &str, _| Some(Present { topic_id: id_of(topic), start_offset: 0, end_offset: i64::MAX });
    OffsetsFile::open(path, present)
}

#[test]
fn committed_offsets_are_there_after_a_restart() {
    let place = tempfile::tempdir().expect("folder");
    let path = place.path().join("offsets");
    let mut offsets = open_offsets(&path).expect("opened");
    for (topic, value) in [("t", 1), ("t", 2), ("u", 9)] {
        offsets.put("g", &[entry(topic, value)]).expect("kept");
    }
    offsets.put("h", &[entry("t", 5)]).expect("kept");
    offsets.remove("g", &[("u".to_owned(), 0)]).expect("removed");
    drop(offsets);
    let offsets = open_offsets(&path).expect("opened again");
    assert_eq!(offsets.get("g", "t", 0), Some(kept(2)));
    assert_eq!(offsets.all("g"), [entry("t", 2)]);
    assert_eq!(offsets.groups(), ["g", "h"]);
}

#[test]
fn a_torn_end_costs_the_last_entry_at_most() {
    let place = tempfile::tempdir().expect("folder");
    let path = place.path().join("offsets");
    let mut offsets = open_offsets(&path).expect("opened");
    offsets.put("g", &[entry("t", 1)]).expect("kept");
    let whole = fs::read(&path).expect("read").len();
    offsets.put("g", &[entry("t", 2)]).expect("kept");
    drop(offsets);
    let text = fs::read(&path).expect("read");
    for cut in whole..text.len() {
        fs::write(&path, &text[..cut]).expect("torn");
        let mut offsets = open_offsets(&path).expect("opened");
        assert_eq!(offsets.get("g", "t", 0), Some(kept(1)), "cut at {cut}");
        offsets.put("g", &[entry("t", 3)]).expect("kept behind it");
        assert_eq!(open_offsets(&path).expect("opened").get("g", "t", 0), Some(kept(3)));
    }
}

#[test]
fn a_file_of_outdated_entries_is_written_anew() {
    let place = tempfile::tempdir().expect("folder");
    let path = place.path().join("offsets");
    let mut offsets = open_offsets(&path).expect("opened");
    for value in 0..10_100 {
        offsets.put("g", &[entry("t", value)]).expect("kept");
    }
    assert!(fs::metadata(&path).expect("there").len() < 20_000);
    assert_eq!(open_offsets(&path).expect("opened").get("g", "t", 0).expect("kept").offset, 10_099);
}

#[test]
fn a_damaged_line_costs_itself_alone() {
    let place = tempfile::tempdir().expect("folder");
    let path = place.path().join("offsets");
    let mut offsets = open_offsets(&path).expect("opened");
    for topic in ["a", "b", "c"] {
        offsets.put("g", &[entry(topic, 1)]).expect("kept");
    }
    drop(offsets);
    let mut text = fs::read(&path).expect("read");
    text[20] ^= 1;
    fs::write(&path, text).expect("written");
    assert_eq!(open_offsets(&path).expect("opened").all("g"), [entry("b", 1), entry("c", 1)]);
}

#[test]
fn what_is_committed_is_kept_where_the_file_cannot_be_written_anew() {
    let place = tempfile::tempdir().expect("folder");
    let path = place.path().join("offsets");
    let mut offsets = open_offsets(&path).expect("opened");
    // Where the fresh file would go there is a folder.
    fs::create_dir(path.with_extension("new")).expect("made");
    for value in 0..10_100 {
        offsets.put("g", &[entry("t", value)]).expect("kept");
    }
    offsets.remove("g", &[("u".to_owned(), 0)]).expect("nothing to do");
    drop(offsets);
    fs::remove_dir(path.with_extension("new")).expect("removed");
    assert_eq!(open_offsets(&path).expect("opened").get("g", "t", 0), Some(kept(10_099)));
}

#[cfg(target_os = "linux")]
#[test]
fn what_cannot_be_written_as_removed_is_not_forgotten() {
    let place = tempfile::tempdir().expect("folder");
    let mut offsets = open_offsets(&place.path().join("offsets")).expect("opened");
    offsets.put("g", &[entry("t", 1)]).expect("kept");
    offsets.file = OpenOptions::new().write(true).open("/dev/full").expect("a device without room").into();
    offsets.remove("g", &[("t".to_owned(), 0)]).expect_err("no room");
    assert_eq!(offsets.get("g", "t", 0), Some(kept(1)));
}

#[cfg(unix)]
#[test]
fn a_new_folder_is_private_and_one_that_is_there_keeps_its_rights() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = tempfile::tempdir().expect("folder");
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    let path = place.path().join("data");
    drop(Folder::open(&path).expect("made"));
    assert_eq!(mode(&path), 0o700);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o750)).expect("changed");
    drop(Folder::open(&path).expect("opened"));
    assert_eq!(mode(&path), 0o750);
}

#[test]
fn a_topic_is_not_made_over_one_that_is_on_the_disk() {
    let place = tempfile::tempdir().expect("folder");
    let mut folder = Folder::open(place.path()).expect("opened");
    let theirs = place.path().join("topics").join("t").join(TOPIC_FILE);
    fs::create_dir_all(theirs.parent().expect("folder")).expect("made");
    fs::write(&theirs, "another's").expect("written");
    let refused = folder.create_topic("t", 1, BTreeMap::new());
    assert!(matches!(refused, Err(FolderError::TopicExists { .. })), "{refused:?}");
    assert_eq!(fs::read_to_string(&theirs).expect("there"), "another's");
}

#[test]
fn an_offset_counts_for_the_topic_that_it_was_committed_for_and_no_further_than_its_end() {
    let place = tempfile::tempdir().expect("folder");
    let path = place.path().join("offsets");
    let mut offsets = open_offsets(&path).expect("opened");
    for (topic, offset) in [("kept", 5), ("made again", 5), ("cut", 9), ("smaller", 5)] {
        offsets.put("g", &[entry(topic, offset)]).expect("kept");
    }
    drop(offsets);
    let present = |topic: &str, _: i32| {
        let topic_id = id_of(if topic == "made again" { "another" } else { topic });
        (topic != "smaller").then_some(Present { topic_id, start_offset: 2, end_offset: 7 })
    };
    let offsets = OffsetsFile::open(&path, present).expect("opened");
    let found = offsets.all("g").into_iter().map(|entry| (entry.topic, entry.committed.offset)).collect::<Vec<_>>();
    assert_eq!(found, [("cut".to_owned(), 7), ("kept".to_owned(), 5)]);
    assert_eq!(offsets.set_back(), 1);
}

#[test]
fn a_topic_that_is_forgotten_is_not_in_the_file_any_more() {
    let place = tempfile::tempdir().expect("folder");
    let path = place.path().join("offsets");
    let mut offsets = open_offsets(&path).expect("opened");
    offsets.put("g", &[entry("t", 1), entry("u", 2)]).expect("kept");
    offsets.put("h", &[entry("t", 3)]).expect("kept");
    offsets.forget(id_of("t"));
    assert_eq!((offsets.all("g"), offsets.all("h")), (vec![entry("u", 2)], Vec::new()));
    assert_eq!(offsets.groups(), ["g"]);
    assert_eq!(fs::read_to_string(&path).expect("text").lines().count(), 1);
}

#[test]
fn what_a_crash_has_left_of_a_topic_is_removed_and_a_description_that_cannot_be_read_ends_the_start() {
    let place = tempfile::tempdir().expect("folder");
    drop(Folder::open(place.path()).expect("opened"));
    let left = place.path().join("topics").join("left");
    fs::create_dir_all(left.join("0")).expect("made");
    drop(Folder::open(place.path()).expect("opened again"));
    assert!(!left.exists());
    // A folder in its place reads as an error.
    fs::create_dir_all(left.join(TOPIC_FILE)).expect("made");
    assert!(matches!(Folder::open(place.path()), Err(FolderError::Io { .. })));
    assert!(left.exists());
}
