//! GetRecords' answer as it comes: each record is read when it is there, and what was read is dropped. All of it may be 14 MB for
//! an event of six; and what has just come is in the processor's cache.
//!
//! What is kept of an answer is bounded either way, and behind that the position is opened anew. A little that comes behind that is
//! passed over, so that the connection stays good. The end of much more is not waited for: 8 MB take longer and cost more than
//! another connection, and the buffer of one that brings so much grows to 400 KB and stays.

use bytes::Bytes;

use super::answer::{Answer, record};
use super::plain::Plain;
use crate::aws::direct::Taker;
use crate::aws::fault::Failure;
use crate::aws::split::{Apart, Part};
use crate::aws::stream::{Amount, Read, ReadBounds, Records, ShardIterator};
use crate::model::record::{Data, KinesisRecord};

/// Small records are read together, and share the text of them all: about so much of it.
const SHEET_BYTES: usize = 64 * 1024;
/// What a record takes in an event beside data and key: ids, ARNs, a role.
const EVENT_RECORD_BYTES: usize = 512;

/// Of what is not kept, more than that does not have to come. With TLS 1 MB takes about as much of a processor as a connection
/// (1 ms), and some 10 ms of a line of 1 Gb/s.
const LEFT_FROM: u64 = 1024 * 1024;

/// An answer under way: what there is of it.
#[derive(Debug)]
pub(super) struct Incoming {
    apart: Apart,
    /// Of records that are not yet kept, the data or all their text, one behind the other, the last perhaps in part.
    sheet: Vec<u8>,
    waiting: Vec<Waiting>,
    /// How long the sheet before was: the next are often as long.
    sheet_bytes: usize,
    kept: Kept,
    /// The text of records that are dropped without being read, in bytes.
    passed: usize,
    /// Its end was not waited for.
    cut: bool,
    /// Why it can not be read. What comes behind that is passed over: whether all of it comes says more.
    wrong: Option<Failure>,
}

/// A record that is not yet kept.
#[derive(Debug)]
struct Waiting {
    /// Where on the sheet it ends.
    end: usize,
    /// It was read, and of it the data alone are on the sheet.
    read: Option<KinesisRecord>,
}

/// The records of an answer, as far as they are kept: from the first on, and the first in any case.
#[derive(Debug)]
struct Kept {
    records: Vec<KinesisRecord>,
    /// What they take in an event.
    bytes: usize,
    bytes_max: usize,
    /// What was dropped, in bytes of data and keys.
    dropped: Option<usize>,
}

impl Incoming {
    pub(super) fn new(bounds: ReadBounds) -> Self {
        Self {
            apart: Apart::of("Records"),
            sheet: Vec::new(),
            waiting: Vec::new(),
            sheet_bytes: 0,
            kept: Kept::new(bounds.keep_bytes_max),
            passed: 0,
            cut: false,
            wrong: None,
        }
    }

    /// What the answer says, when all of it is there.
    ///
    /// # Errors
    /// It is not what GetRecords answers.
    pub(super) fn read(mut self) -> Result<Read, Failure> {
        self.read_sheet();
        if let Some(wrong) = self.wrong {
            return Err(wrong);
        }
        // All of it passes for data.
        if let Some(dropped) = &mut self.kept.dropped {
            *dropped += plain_bytes(self.passed);
        }
        if self.cut {
            return Ok(self.kept.alone());
        }
        let rest = Bytes::from(self.apart.rest());
        let mut answer = Answer::read(&rest)?;
        // Such as are in no list of that name.
        for record in answer.records() {
            self.kept.keep(record.usable(&rest)?);
        }
        self.kept.read(answer)
    }

    /// Takes the record that `text` begins with, where all of it is there and in its usual spelling, and says how long it is.
    fn plain(&mut self, text: &[u8]) -> Option<usize> {
        if self.kept.dropped.is_some() {
            return None;
        }
        let (plain, length) = Plain::begins(text)?;
        let (record, data) = plain.usable()?;
        self.put(data.text());
        self.ends(Some(record));
        Some(length)
    }

    fn record(&mut self, part: &[u8], ends: bool) {
        if self.kept.dropped.is_some() {
            self.passed += part.len();
            return;
        }
        self.put(part);
        if ends {
            self.ends(None);
        } else if self.kept.is_full_with(self.sheet.len(), self.waiting.len()) {
            // One that can not be kept is not waited for.
            self.passed = self.sheet.len() - self.whole();
            self.read_sheet();
            self.kept.dropped.get_or_insert_default();
        }
    }

    fn put(&mut self, part: &[u8]) {
        if self.sheet.is_empty() {
            self.sheet.reserve_exact(self.sheet_bytes);
        }
        self.sheet.extend_from_slice(part);
    }

    /// A record ends here.
    fn ends(&mut self, read: Option<KinesisRecord>) {
        let end = self.sheet.len();
        self.waiting.push(Waiting { end, read });
        if SHEET_BYTES <= end {
            self.read_sheet();
        }
    }

    /// How much of the sheet is of whole records.
    fn whole(&self) -> usize {
        self.waiting.last().map_or(0, |last| last.end)
    }

    /// Reads what is whole on the sheet, and begins another. A large record has one alone.
    fn read_sheet(&mut self) {
        let whole = self.whole();
        let mut sheet = std::mem::take(&mut self.sheet);
        sheet.truncate(whole);
        self.sheet_bytes = whole + whole / 8;
        // What was made ready for more is given back.
        let sheet = Bytes::from(sheet.into_boxed_slice());
        let mut from = 0;
        for Waiting { end, read } in self.waiting.drain(..) {
            let place = from..end;
            let record = match read {
                Some(record) => Ok(KinesisRecord {
                    data: Data::from_checked(sheet.slice(place)),
                    ..record
                }),
                None => record(&sheet[place], &sheet),
            };
            match record {
                Ok(record) => self.kept.keep(record),
                Err(wrong) => {
                    self.wrong.get_or_insert(wrong);
                }
            }
            from = end;
        }
    }
}

impl Taker for Incoming {
    fn take(&mut self, part: Bytes) {
        let mut text = &*part;
        while self.wrong.is_none()
            && let Some(part) = self.apart.next(&mut text)
        {
            match part {
                Part::Begins => {
                    if let Some(length) = self.plain(text) {
                        text = &text[length..];
                        self.apart.passed();
                    }
                }
                Part::Element { text, ends } => self.record(text, ends),
                Part::Wrong => {
                    let wrong = "GetRecords: the records do not make a list";
                    self.wrong = Some(Failure::unreadable(wrong));
                }
            }
        }
    }

    fn leaves(&mut self, rest: u64) -> bool {
        self.cut = self.kept.dropped.is_some() && self.wrong.is_none() && LEFT_FROM < rest;
        if self.cut {
            self.passed += usize::try_from(rest).unwrap_or_default();
        }
        self.cut
    }
}

impl Kept {
    fn new(bytes_max: usize) -> Self {
        Self {
            records: Vec::new(),
            bytes: 0,
            bytes_max,
            dropped: None,
        }
    }

    /// Whether a record of which these bytes have come, and `before` others with it, will not be kept. A large one is taken
    /// for as long as those before it were: the half of it would be there for nothing, and in every shard at once.
    fn is_full_with(&self, bytes: usize, before: usize) -> bool {
        let is_first = self.records.is_empty() && before == 0;
        let usual = self.bytes / self.records.len().max(1);
        let bytes = if SHEET_BYTES < bytes {
            bytes.max(usual)
        } else {
            bytes
        };
        !is_first && self.bytes_max < self.bytes + bytes
    }

    fn keep(&mut self, record: KinesisRecord) {
        let bytes =
            record.data.base64_len() + record.partition_key.as_bytes().len() + EVENT_RECORD_BYTES;
        let fits = self.records.is_empty() || self.bytes + bytes <= self.bytes_max;
        if self.dropped.is_some() || !fits {
            let bytes = record.data.len() + record.partition_key.as_bytes().len();
            *self.dropped.get_or_insert_default() += bytes;
            return;
        }
        self.bytes += bytes;
        self.records.push(record);
    }

    /// How much this is.
    fn amount(&self) -> Amount {
        match self.dropped {
            Some(dropped_bytes) => Amount::Beyond {
                dropped_bytes,
                oversized: self.bytes_max < self.bytes,
            },
            None if self.bytes <= self.bytes_max / 2 => Amount::Little,
            None => Amount::Much,
        }
    }

    /// Without the rest of the answer.
    fn alone(self) -> Read {
        Read {
            amount: self.amount(),
            records: Records::Kinesis(self.records),
            next: None,
            behind_ms: None,
            children: Vec::new(),
        }
    }

    /// With the rest of the answer.
    fn read(self, mut answer: Answer<'_>) -> Result<Read, Failure> {
        let children = answer.children()?;
        let next = answer.next_shard_iterator.map(ShardIterator);
        // An answer that says nothing at all must not pass for the end of the shard.
        if next.is_none() && children.is_empty() && answer.millis_behind_latest.is_none() {
            return Err(Failure::unreadable(
                "GetRecords returned neither NextShardIterator nor what the end of a shard has",
            ));
        }
        Ok(Read {
            next,
            behind_ms: answer
                .millis_behind_latest
                .and_then(|ms| u64::try_from(ms).ok()),
            children,
            ..self.alone()
        })
    }
}

/// What so many bytes of base64 stand for.
fn plain_bytes(text: usize) -> usize {
    text.div_ceil(4) * 3
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
