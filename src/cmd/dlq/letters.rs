//! The dead letters of a topic, one after the other, each once.

use super::seen::{Full, Seen};
use super::{DlqError, counted};
use crate::kafka::cluster::Cluster;
use crate::kafka::dead_letter::{Joiner, KeptLetter, Piece, Unfinished};
use crate::kafka::error::KafkaError;
use crate::kafka::history::{self, History, Stretch};

/// Which letters.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Choice {
    /// Only letters with this reason; may be given several times
    #[arg(long = "reason", value_name = "CODE")]
    pub(super) reasons: Vec<String>,
    /// Only letters of these offsets of the source, the last one included
    #[arg(long, value_name = "PARTITION:FIRST-LAST", value_parser = crate::cmd::common::offset_argument::parse)]
    pub(super) offsets: Option<Stretch>,
}

impl Choice {
    fn takes(&self, letter: &KeptLetter) -> bool {
        let of_offsets = |stretch: &Stretch| {
            stretch.partition == letter.partition && (stretch.start..stretch.end).contains(&letter.offset)
        };
        let has_reason = self.reasons.is_empty() || self.reasons.contains(&letter.reason);
        has_reason && self.offsets.as_ref().is_none_or(of_offsets)
    }
}

/// Letters on their way out of their topic, by the times of their messages.
#[derive(Debug)]
pub(super) struct Letters<'a> {
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

impl<'a> Letters<'a> {
    /// Those of `choice` that are there now in `topic`, which holds the dead letters of `source`. A topic that was never
    /// made holds nothing.
    ///
    /// # Errors
    /// There is no topic `source` either; Kafka cannot be reached or refuses.
    pub(super) async fn open(
        cluster: &'a mut Cluster,
        topic: &'a str,
        source: &'a str,
        choice: &'a Choice,
    ) -> Result<Letters<'a>, KafkaError> {
        let history = match history::everything(cluster, topic).await {
            Err(KafkaError::NoTopic { .. }) => cluster.leaders(source).await.map(|_| None)?,
            found => Some(History::open(cluster, topic, &found?).await?),
        };
        Ok(Self {
            history,
            source,
            choice,
            seen: Seen::default(),
            joiner: Joiner::default(),
            is_unsure: false,
            others: 0,
        })
    }

    /// The next letter; `None` behind the last one.
    ///
    /// # Errors
    /// Kafka cannot be reached or refuses.
    pub(super) async fn next(&mut self) -> Result<Option<KeptLetter>, KafkaError> {
        let Some(history) = &mut self.history else { return Ok(None) };
        while let Some((_, record)) = history.next().await? {
            let Some(piece) = Piece::read(&record).filter(|piece| piece.letter().topic == self.source) else {
                self.others += 1;
                continue;
            };
            let KeptLetter { partition, offset, .. } = *piece.letter();
            if !self.choice.takes(piece.letter()) || (piece.is_part() && self.seen.contains(partition, offset)) {
                continue;
            }
            let Some(letter) = self.joiner.join(piece) else { continue };
            match self.seen.insert(letter.partition, letter.offset) {
                Ok(false) => {}
                Ok(true) => return Ok(Some(letter)),
                Err(Full) => {
                    self.is_unsure = true;
                    return Ok(Some(letter));
                }
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
        let first = unfinished.first().map(|Unfinished { partition, offset, found, parts }| {
            format!("; parts found of {partition}:{offset}: {found} of {parts}")
        });
        let first = first.unwrap_or_default();
        (count > 0).then(|| format!("left out, since parts are missing or do not fit: {}{first}", counted(count)))
    }

    /// The next letter, as long as it is sure that it was not given before.
    ///
    /// # Errors
    /// [`DlqError::TooMany`]; Kafka cannot be reached or refuses.
    pub(super) async fn next_for_sure(&mut self) -> color_eyre::eyre::Result<Option<KeptLetter>> {
        let letter = self.next().await?;
        if self.is_unsure { Err(DlqError::TooMany.into()) } else { Ok(letter) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Record;

    fn letter(reason: &str, partition: i32, offset: i64) -> KeptLetter {
        let original = Record { offset, timestamp_ms: 0, key: None, value: None, headers: Vec::new(), fault: None };
        KeptLetter { reason: reason.to_owned(), topic: "t".to_owned(), partition, offset, original }
    }

    #[test]
    fn without_a_choice_every_letter_is_taken() {
        assert!(Choice::default().takes(&letter("not_json", 0, 0)));
    }

    #[test]
    fn reasons_and_offsets_both_have_to_fit() {
        let offsets = Some(Stretch { partition: 2, start: 10, end: 20 });
        let choice = Choice { reasons: vec!["not_json".to_owned(), "no_sign".to_owned()], offsets };
        assert!(choice.takes(&letter("no_sign", 2, 10)) && choice.takes(&letter("not_json", 2, 19)));
        for other in [letter("timestamp", 2, 10), letter("no_sign", 2, 20), letter("no_sign", 1, 10)] {
            assert!(!choice.takes(&other), "{other:?}");
        }
    }
}
