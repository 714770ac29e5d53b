//! Dead letters: messages that cannot become readings, kept whole.

use std::future::Future;

use crate::kafka::records::Record;
use crate::ledger::Receipt;
use crate::reject::Reject;

/// A refused record, where it stood, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// The partition that it was read from.
    pub partition: i32,
    /// The record as it was read: key, value and headers.
    pub record: Record,
    /// Why it was refused.
    pub reject: Reject,
}

/// Where dead letters are kept.
pub trait DeadLetters: Send + Sync {
    /// Why a letter could not be kept yet.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Keeps letters. `Ok` means that all of them are kept; after an error any part may be, and keeping the same
    /// letters again only adds copies.
    fn keep(&self, letters: &[Letter]) -> impl Future<Output = Result<(), Self::Error>> + Send;
}

/// How many bytes of letters go out in one go.
const MAIL_BYTES: usize = 512 * 1024;

/// Letters that go out together, and what is settled when they are kept.
#[derive(Debug)]
pub struct Mail {
    /// The letters.
    pub letters: Vec<Letter>,
    /// The records that they stand for.
    pub receipts: Vec<Receipt>,
    /// What they take of the memory limit.
    pub size_bytes: usize,
    /// How often it was tried.
    pub attempts: u32,
}

/// Letters that wait to be kept. One mail is in flight at a time, so they keep their order.
#[derive(Debug, Default)]
pub struct Outbox {
    waiting: Vec<(Letter, Receipt)>,
    in_flight: bool,
}

impl Outbox {
    /// Puts a letter in.
    pub fn add(&mut self, letter: Letter, receipt: Receipt) {
        self.waiting.push((letter, receipt));
    }

    /// The next letters to go out: at least one, and not more than [`MAIL_BYTES`] where there are several.
    pub fn next_mail(&mut self) -> Option<Mail> {
        if self.in_flight || self.waiting.is_empty() {
            return None;
        }
        self.in_flight = true;
        let mut size_bytes = 0;
        let fits = |(letter, _): &&(Letter, Receipt)| {
            let first = size_bytes == 0;
            size_bytes += letter.record.size_bytes();
            first || size_bytes <= MAIL_BYTES
        };
        let count = self.waiting.iter().take_while(fits).count();
        let (letters, receipts): (Vec<_>, Vec<_>) = self.waiting.drain(..count).unzip();
        let size_bytes = letters.iter().map(|letter| letter.record.size_bytes()).sum();
        Some(Mail { letters, receipts, size_bytes, attempts: 0 })
    }

    /// Notes that no mail is in flight any more.
    pub fn done(&mut self) {
        self.in_flight = false;
    }

    /// Drops what has not gone out yet, and gives its size.
    pub fn clear(&mut self) -> usize {
        let size = self.waiting.iter().map(|(letter, _)| letter.record.size_bytes()).sum();
        self.waiting.clear();
        size
    }
}
