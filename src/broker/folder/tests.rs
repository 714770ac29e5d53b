//! What has to outlive a broker, and who may not come near it.

use super::*;

fn settings() -> BTreeMap<String, String> {
    BTreeMap::from([("retention.ms".to_owned(), "-1".to_owned())])
}

fn fresh() -> (tempfile::TempDir, Folder) {
    let dir = tempfile::tempdir().expect("folder");
    let folder = Folder::open(dir.path()).expect("opened");
    (dir, folder)
}

#[test]
fn the_cluster_id_and_the_topics_are_the_same_after_a_restart() {
    let dir = tempfile::tempdir().expect("folder");
    let (id, made) = {
        let mut folder = Folder::open(dir.path()).expect("opened");
        (folder.cluster_id.clone(), folder.create_topic("t", 3, settings()).expect("made"))
    };
    assert!(id.starts_with(CLUSTER_ID_PREFIX) && id.len() > 16);
    let folder = Folder::open(dir.path()).expect("opened again");
    assert_eq!(folder.cluster_id, id);
    assert_eq!(folder.topics, BTreeMap::from([("t".to_owned(), made)]));
}

#[test]
fn a_second_broker_is_told_who_has_the_folder() {
    let dir = tempfile::tempdir().expect("folder");
    let _first = Folder::open(dir.path()).expect("opened");
    let error = Folder::open(dir.path()).expect_err("in use");
    assert!(matches!(&error, FolderError::InUse(_, pid) if *pid == std::process::id().to_string()), "{error}");
    assert!(error.hint().is_some());
}

#[test]
fn a_folder_of_a_newer_version_is_left_alone() {
    let dir = tempfile::tempdir().expect("folder");
    drop(Folder::open(dir.path()).expect("opened"));
    fs::write(dir.path().join("format"), "99").expect("written");
    assert!(matches!(Folder::open(dir.path()), Err(FolderError::Format(..))));
    assert!(matches!(inspect(dir.path()), Err(FolderError::Format(_, found)) if found == "99"));
}

#[test]
fn no_name_of_a_topic_leads_out_of_the_folder() {
    let (_dir, mut folder) = fresh();
    for name in ["", ".", "..", concat!("..", "/x"), "a/b", "a\\b", "ä", &"x".repeat(250)] {
        let refused = folder.create_topic(name, 1, BTreeMap::new());
        assert!(matches!(refused, Err(FolderError::TopicName)), "{name}");
    }
}

#[test]
fn a_topic_is_made_once_and_deleted_with_its_records() {
    let (_dir, mut folder) = fresh();
    let first = folder.create_topic("t", 1, BTreeMap::new()).expect("made");
    assert!(matches!(folder.create_topic("t", 1, BTreeMap::new()), Err(FolderError::TopicExists)));
    drop(folder.open_logs(&first, LogLimits::default()).expect("logs"));
    folder.delete_topic("t").expect("deleted");
    folder.clear("t").expect("cleared");
    assert!(matches!(folder.delete_topic("t"), Err(FolderError::NoTopic)));
    assert_ne!(folder.create_topic("t", 1, BTreeMap::new()).expect("made again").id, first.id);
}

fn entry(topic: &str, offset: i64) -> Entry {
    let committed = Committed { topic_id: id_of(topic), offset, metadata: "m".to_owned(), leader_epoch: -1 };
    Entry { topic: topic.to_owned(), partition: 0, committed }
}

/// What the group `g` has committed of `t`.
fn committed(offsets: &OffsetsFile) -> Option<i64> {
    offsets.get("g", "t", 0).map(|committed| committed.offset)
}

/// Every topic has an id of its own.
fn id_of(topic: &str) -> Uuid {
    Uuid::from_u128(crc32c::crc32c(topic.as_bytes()).into())
}

/// The offsets, where every topic is there with as many records as are needed.
fn open_offsets(path: &Path) -> io::Result<OffsetsFile> {
    OffsetsFile::open(path, |topic, _| {
        Some(Partition { topic_id: id_of(topic), start_offset: 0, end_offset: i64::MAX, made: None })
    })
}

/// Offsets in a folder of their own.
fn fresh_offsets() -> (tempfile::TempDir, PathBuf, OffsetsFile) {
    let dir = tempfile::tempdir().expect("folder");
    let path = dir.path().join("offsets");
    let offsets = open_offsets(&path).expect("opened");
    (dir, path, offsets)
}

#[test]
fn committed_offsets_are_there_after_a_restart() {
    let (_dir, path, mut offsets) = fresh_offsets();
    for (topic, value) in [("t", 1), ("t", 2), ("u", 9)] {
        offsets.put("g", &[entry(topic, value)]).expect("kept");
    }
    offsets.put("h", &[entry("t", 5)]).expect("kept");
    offsets.remove("g", &[("u".to_owned(), 0)]).expect("removed");
    drop(offsets);
    let offsets = open_offsets(&path).expect("opened again");
    assert_eq!(committed(&offsets), Some(2));
    assert_eq!(offsets.all("g"), [entry("t", 2)]);
    assert_eq!(offsets.groups(), ["g", "h"]);
}

#[test]
fn a_torn_end_costs_the_last_entry_at_most() {
    let (_dir, path, mut offsets) = fresh_offsets();
    offsets.put("g", &[entry("t", 1)]).expect("kept");
    let whole = fs::read(&path).expect("read").len();
    offsets.put("g", &[entry("t", 2)]).expect("kept");
    drop(offsets);
    let text = fs::read(&path).expect("read");
    for cut in whole..text.len() {
        fs::write(&path, &text[..cut]).expect("torn");
        let mut offsets = open_offsets(&path).expect("opened");
        assert_eq!(committed(&offsets), Some(1), "cut at {cut}");
        offsets.put("g", &[entry("t", 3)]).expect("kept behind it");
        assert_eq!(committed(&open_offsets(&path).expect("opened")), Some(3));
    }
}

#[test]
fn a_file_of_outdated_entries_is_written_anew() {
    let (_dir, path, mut offsets) = fresh_offsets();
    for value in 0..10_100 {
        offsets.put("g", &[entry("t", value)]).expect("kept");
    }
    assert!(fs::metadata(&path).expect("there").len() < 20_000);
    assert_eq!(committed(&open_offsets(&path).expect("opened")), Some(10_099));
}

#[test]
fn a_damaged_line_costs_itself_alone() {
    let (_dir, path, mut offsets) = fresh_offsets();
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
    let (_dir, path, mut offsets) = fresh_offsets();
    // Where the fresh file would go there is a folder.
    fs::create_dir(path.with_extension("new")).expect("made");
    for value in 0..10_100 {
        offsets.put("g", &[entry("t", value)]).expect("kept");
    }
    offsets.remove("g", &[("u".to_owned(), 0)]).expect("nothing to do");
    drop(offsets);
    fs::remove_dir(path.with_extension("new")).expect("removed");
    assert_eq!(committed(&open_offsets(&path).expect("opened")), Some(10_099));
}

#[test]
fn what_cannot_be_written_as_removed_is_not_forgotten() {
    let (_dir, path, mut offsets) = fresh_offsets();
    offsets.put("g", &[entry("t", 1)]).expect("kept");
    offsets.file = File::open(&path).expect("open for reading alone").into();
    offsets.remove("g", &[("t".to_owned(), 0)]).expect_err("not written");
    assert_eq!(committed(&offsets), Some(1));
}

#[cfg(unix)]
#[test]
fn a_new_folder_is_private_and_one_that_is_there_keeps_its_rights() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().expect("folder");
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    let path = dir.path().join("data");
    drop(Folder::open(&path).expect("made"));
    assert_eq!(mode(&path), 0o700);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o750)).expect("changed");
    drop(Folder::open(&path).expect("opened"));
    assert_eq!(mode(&path), 0o750);
}

#[test]
fn a_topic_is_not_made_over_one_that_is_on_the_disk() {
    let (dir, mut folder) = fresh();
    let theirs = dir.path().join("topics").join("t").join(TOPIC_FILE);
    fs::create_dir_all(theirs.parent().expect("folder")).expect("made");
    fs::write(&theirs, "another's").expect("written");
    let refused = folder.create_topic("t", 1, BTreeMap::new());
    assert!(matches!(refused, Err(FolderError::TopicExists)), "{refused:?}");
    assert_eq!(fs::read_to_string(&theirs).expect("there"), "another's");
}

#[test]
fn an_offset_counts_for_the_topic_that_it_was_committed_for_and_no_further_than_its_end() {
    let (_dir, path, mut offsets) = fresh_offsets();
    for (topic, offset) in [("kept", 5), ("made again", 5), ("cut", 9), ("smaller", 5)] {
        offsets.put("g", &[entry(topic, offset)]).expect("kept");
    }
    drop(offsets);
    let offsets = OffsetsFile::open(&path, |topic, _| {
        let topic_id = id_of(if topic == "made again" { "another" } else { topic });
        (topic != "smaller").then_some(Partition { topic_id, start_offset: 2, end_offset: 7, made: None })
    });
    let offsets = offsets.expect("opened");
    let found = offsets.all("g").into_iter().map(|entry| (entry.topic, entry.committed.offset)).collect::<Vec<_>>();
    assert_eq!(found, [("cut".to_owned(), 7), ("kept".to_owned(), 5)]);
    assert_eq!(offsets.set_back, 1);
}

#[test]
fn a_topic_that_is_forgotten_is_not_in_the_file_any_more() {
    let (_dir, path, mut offsets) = fresh_offsets();
    offsets.put("g", &[entry("t", 1), entry("u", 2)]).expect("kept");
    offsets.put("h", &[entry("t", 3)]).expect("kept");
    offsets.forget(id_of("t"));
    assert_eq!((offsets.all("g"), offsets.all("h")), (vec![entry("u", 2)], Vec::new()));
    assert_eq!(offsets.groups(), ["g"]);
    assert_eq!(fs::read_to_string(&path).expect("text").lines().count(), 1);
}

#[test]
fn what_a_crash_has_left_of_a_topic_is_removed_and_a_description_that_cannot_be_read_ends_the_start() {
    let dir = tempfile::tempdir().expect("folder");
    drop(Folder::open(dir.path()).expect("opened"));
    let left = dir.path().join("topics").join("left");
    fs::create_dir_all(left.join("0")).expect("made");
    drop(Folder::open(dir.path()).expect("opened again"));
    assert!(!left.exists());
    // A folder in its place reads as an error.
    fs::create_dir_all(left.join(TOPIC_FILE)).expect("made");
    assert!(matches!(Folder::open(dir.path()), Err(FolderError::Io(..))));
    assert!(left.exists());
}

#[test]
fn a_folder_is_missing_then_in_use_then_free() {
    let dir = tempfile::tempdir().expect("folder");
    let path = dir.path().join("broker");
    assert_eq!(inspect(&path).expect("looked at"), FolderState::Missing);
    let folder = Folder::open(&path).expect("opened");
    let pid = std::process::id().to_string();
    assert_eq!(inspect(&path).expect("looked at"), FolderState::InUse { pid });
    drop(folder);
    assert_eq!(inspect(&path).expect("looked at"), FolderState::Free);
}
