//! The dead letters of a topic, one after the other, each once.

use std::collections::hash_map::DefaultHasher;
use std::collections::{HashMap, HashSet};
use std::hash::{Hash as _, Hasher as _};

use super::dead_letters;
use crate::kafka::cluster::Cluster;
use crate::kafka::dead_letter::{Joiner, KeptLetter, Piece, Unfinished};
use crate::kafka::error::KafkaError;
use crate::kafka::history::{self, History, Stretch};

/// Which letters.
#[derive(Debug, Clone, Default, clap::Args)]
pub(in crate::cmd) struct Choice {
    /// Only letters with this reason; may be given several times
    #[arg(long = "reason", value_name = "CODE")]
    pub(super) reasons: Vec<String>,
    /// Only letters of these offsets of the source, the last one included
    #[arg(long, value_name = "PARTITION:FIRST-LAST", value_parser = crate::cmd::common::offset_argument::parse, allow_hyphen_values = true)]
    pub(super) offsets: Option<Stretch>,
}

impl Choice {
    fn takes(&self, letter: &KeptLetter) -> bool {
        let has_reason = self.reasons.is_empty() || self.reasons.contains(&letter.reason);
        has_reason && self.offsets.is_none_or(|offsets| offsets.contains(letter.partition, letter.offset))
    }
}

/// The dead letters of a source on their way out of their topic, by the times of their messages.
#[derive(Debug)]
pub(in crate::cmd) struct DeadLetters<'a> {
    history: Option<History<'a>>,
    source: &'a str,
    choice: &'a Choice,
    seen: Seen,
    joiner: Joiner,
    /// Whether some were given that may have been given before.
    pub(super) is_unsure: bool,
    /// How many messages of the topic are no letters of the source.
    pub(super) others: u64,
}

impl<'a> DeadLetters<'a> {
    /// Those of `choice` that are there now in `topic`, which holds the dead letters of `source`. A topic that was never
    /// made holds nothing, as long as there is a topic `source`.
    pub(in crate::cmd) async fn open(
        cluster: &'a mut Cluster,
        topic: &'a str,
        source: &'a str,
        choice: &'a Choice,
    ) -> Result<DeadLetters<'a>, KafkaError> {
        let history = match history::everything(cluster, topic).await {
            Err(KafkaError::NoTopic { .. }) => cluster.leaders(source).await.map(|_| None)?,
            found => Some(History::open(cluster, topic, &found?).await?),
        };
        let (seen, joiner) = (Seen::default(), Joiner::default());
        Ok(Self { history, source, choice, seen, joiner, is_unsure: false, others: 0 })
    }

    /// The next letter; `None` behind the last one.
    pub(in crate::cmd) async fn next(&mut self) -> Result<Option<KeptLetter>, KafkaError> {
        let Some(history) = &mut self.history else { return Ok(None) };
        while let Some((_, record)) = history.next().await? {
            let Some(piece) = Piece::read(&record).filter(|piece| piece.letter().topic == self.source) else {
                self.others += 1;
                continue;
            };
            let KeptLetter { partition, offset, .. } = *piece.letter();
            if !self.choice.takes(piece.letter())
                || (piece.part().is_some() && offset_is_of_topic(partition) && self.seen.contains(partition, offset))
            {
                continue;
            }
            let Some(letter) = self.joiner.join(piece) else { continue };
            let is_new = self.seen.take(&letter);
            self.is_unsure |= is_new.is_none();
            if is_new.unwrap_or(true) {
                return Ok(Some(letter));
            }
        }
        Ok(None)
    }

    /// What parts were found of letters that are not whole: known behind the last letter.
    pub(super) fn unfinished(&self) -> Vec<Unfinished> {
        let is_not_given = |letter: &Unfinished| !self.seen.contains(letter.partition, letter.offset);
        let mut unfinished: Vec<_> = self.joiner.unfinished().filter(is_not_given).collect();
        unfinished.dedup_by_key(|letter| (letter.partition, letter.offset));
        unfinished
    }

    /// What to say of letters that are left out, since they are not whole.
    pub(super) fn left_out(&self) -> Option<String> {
        let unfinished = self.unfinished();
        let count = u64::try_from(unfinished.len()).unwrap_or(u64::MAX).saturating_add(self.joiner.given_up);
        let first = unfinished.first().map_or_else(String::new, |Unfinished { partition, offset, found, parts }| {
            format!("; parts found of {partition}:{offset}: {found} of {parts}")
        });
        (count > 0).then(|| format!("left out, since parts are missing or do not fit: {}{first}", dead_letters(count)))
    }
}

/// Offsets of one block.
const BLOCK: i64 = 64;

/// So many blocks are remembered: some hundred megabytes where letters are far apart, and nearly nothing where they
/// follow each other.
const MAX_BLOCKS: usize = 2_000_000;

/// The letters that were given before, by partition and block, as bits: a letter may lie in its topic several times.
#[derive(Debug, Default)]
struct Seen {
    blocks: HashMap<(i32, i64), u64>,
    /// Those that have a number instead of an offset, with what is in them.
    strangers: HashSet<u64>,
}

/// Whether a letter's message was in the topic, where nothing else has its offset. The others' numbers are chosen by who
/// has refused them: two may have the same.
fn offset_is_of_topic(partition: i32) -> bool {
    partition >= 0
}

impl Seen {
    /// Remembers a letter, and tells whether it is new; `None` where there is no room to remember it.
    fn take(&mut self, letter: &KeptLetter) -> Option<bool> {
        let KeptLetter { partition, offset, original, .. } = letter;
        let is_new = self.insert(*partition, *offset);
        if offset_is_of_topic(*partition) {
            return is_new;
        }
        let mut hasher = DefaultHasher::new();
        (partition, offset, &original.key, &original.value).hash(&mut hasher);
        original.headers.iter().for_each(|header| (&header.key, &header.value).hash(&mut hasher));
        let mark = hasher.finish();
        if self.strangers.len() >= MAX_BLOCKS && !self.strangers.contains(&mark) {
            return None;
        }
        Some(self.strangers.insert(mark))
    }

    fn contains(&self, partition: i32, offset: i64) -> bool {
        let (block, bit) = block_and_bit(partition, offset);
        self.blocks.get(&block).is_some_and(|bits| bits & bit != 0)
    }

    /// Remembers an offset, and tells whether it is new; `None` where there is no room to remember it.
    fn insert(&mut self, partition: i32, offset: i64) -> Option<bool> {
        let (block, bit) = block_and_bit(partition, offset);
        if self.blocks.len() >= MAX_BLOCKS && !self.blocks.contains_key(&block) {
            return None;
        }
        let bits = self.blocks.entry(block).or_default();
        let is_new = *bits & bit == 0;
        *bits |= bit;
        Some(is_new)
    }
}

fn block_and_bit(partition: i32, offset: i64) -> ((i32, i64), u64) {
    let bit = 1_u64.wrapping_shl(u32::try_from(offset.rem_euclid(BLOCK)).unwrap_or(0));
    ((partition, offset.div_euclid(BLOCK)), bit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd::dlq::tests::letter;

    #[test]
    fn reasons_and_offsets_both_have_to_fit() {
        let letter = |reason: &str, partition, offset| KeptLetter { partition, offset, ..letter(reason, None, None) };
        assert!(Choice::default().takes(&letter("not_json", 0, 0)));
        let offsets = Some(Stretch { partition: 2, start: 10, end: 20 });
        let choice = Choice { reasons: vec!["not_json".to_owned(), "no_sign".to_owned()], offsets };
        assert!(choice.takes(&letter("no_sign", 2, 10)) && choice.takes(&letter("not_json", 2, 19)));
        for other in [letter("timestamp", 2, 10), letter("no_sign", 2, 20), letter("no_sign", 1, 10)] {
            assert!(!choice.takes(&other), "{other:?}");
        }
    }

    #[test]
    fn letters_of_two_processes_with_one_number_are_two() {
        let of = |partition, value| KeptLetter { partition, ..letter("hl7", None, Some(value)) };
        let mut seen = Seen::default();
        assert_eq!(
            [&b"a"[..], b"b", b"a"].map(|value| seen.take(&of(-1, value))),
            [Some(true), Some(true), Some(false)]
        );
        assert_eq!(seen.take(&of(-2, b"a")), Some(true), "of another kind");
        assert_eq!(
            [&b"a"[..], b"b"].map(|value| seen.take(&of(2, value))),
            [Some(true), Some(false)],
            "an offset is one"
        );
    }

    #[test]
    fn an_offset_is_new_once() {
        let mut seen = Seen::default();
        for offset in [0, 1, 63, 64, 65, 1_000_000, i64::MAX] {
            assert!(!seen.contains(2, offset), "{offset}");
            assert_eq!(seen.insert(2, offset), Some(true), "{offset}");
            assert!(seen.contains(2, offset), "{offset}");
            assert_eq!(seen.insert(2, offset), Some(false), "{offset}");
        }
        assert_eq!(seen.insert(3, 64), Some(true), "another partition");
    }
}
