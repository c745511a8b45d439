//! A record between its arrival and its end: a text of its own until an event is made of it, from then on a piece of that
//! event, so that a batch that is being delivered is in memory once.

use bytes::{Bytes, BytesMut};

use super::OPEN;

/// A written record; never empty.
#[derive(Clone, Debug)]
pub struct Piece(Form);

#[derive(Clone, Debug)]
enum Form {
    Text(String),
    Of(Bytes),
}

impl From<String> for Piece {
    fn from(text: String) -> Self {
        Self(Form::Text(text))
    }
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        match &self.0 {
            Form::Text(text) => text.as_bytes(),
            Form::Of(event) => event,
        }
    }
}

/// What is written on together: a sheet lives as long as the last record that is on it.
const SHEET_BYTES: usize = 64 * 1024;

/// Where records are written, many to a sheet: a thousand texts of a kilobyte are a thousand long ways to the allocator and back.
#[derive(Debug, Default)]
pub struct Sheets {
    sheet: BytesMut,
    /// Where a record is written before its length is known.
    draft: String,
}

impl Sheets {
    /// A record, the first of about so many of its length: of a few no more is kept than they take.
    pub fn write(&mut self, records: usize, write: impl FnOnce(&mut String)) -> Piece {
        self.draft.clear();
        write(&mut self.draft);
        let length = self.draft.len();
        if SHEET_BYTES <= length {
            // A sheet of its own, and no room of that size is kept.
            return Piece::from(std::mem::take(&mut self.draft));
        }
        if self.sheet.capacity() < length {
            let wanted = length.saturating_mul(records.max(1));
            self.sheet = BytesMut::with_capacity(wanted.min(SHEET_BYTES));
        }
        self.sheet.extend_from_slice(self.draft.as_bytes());
        Piece(Form::Of(self.sheet.split().freeze()))
    }
}

/// The event was made of these records, in this order: they are pieces of it from now on.
pub fn share<'a>(event: &Bytes, records: impl Iterator<Item = &'a mut Piece>) {
    let mut start = OPEN.len();
    for record in records {
        let end = start + record.as_ref().len();
        let piece = event.slice(start..end);
        debug_assert_eq!(piece, record.as_ref(), "the event is made of its records");
        *record = Piece(Form::Of(piece));
        // A comma is between any two.
        start = end + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::event::{WindowEnvelope, event, window_event};

    fn pieces() -> Vec<Piece> {
        let texts = ["{\"a\":1}", "{\"b\":\"ä\"}", "{}"];
        texts.map(|text| Piece::from(text.to_owned())).into()
    }

    #[test]
    fn records_are_pieces_of_their_event_and_the_same_as_before() {
        let envelope = WindowEnvelope {
            shard_id: "s",
            arn: "a",
            start_ms: 0,
            end_ms: 1_000,
            state: "{}",
            final_invoke: false,
            terminated_early: false,
        };
        let plain = event(pieces().iter());
        let windowed = window_event(pieces().iter(), &envelope);
        for event in [plain, windowed] {
            let mut records = pieces();
            share(&event, records.iter_mut());
            for (record, before) in records.iter().zip(pieces()) {
                assert_eq!(record.as_ref(), before.as_ref());
                assert_eq!(record.as_ref().len(), before.as_ref().len());
                assert!(event.as_ptr_range().contains(&record.as_ref().as_ptr()));
            }
        }
    }

    #[test]
    fn records_share_sheets_and_a_few_of_them_have_no_more_than_they_need() {
        let text = |index: usize| format!("{{\"{index:05}\":\"{}\"}}", "x".repeat(1_000));
        let mut sheets = Sheets::default();
        let written: Vec<Piece> = (0..200)
            .map(|index| sheets.write(200 - index, |out| out.push_str(&text(index))))
            .collect();
        for (index, record) in written.iter().enumerate() {
            assert_eq!(record.as_ref(), text(index).as_bytes());
        }
        let neighbours = written.windows(2).filter(|pair| {
            pair[0].as_ref().as_ptr_range().end == pair[1].as_ref().as_ptr_range().start
        });
        // 64 of them are on a sheet.
        assert_eq!(neighbours.count(), 199 - 3);
        let mut sheets = Sheets::default();
        sheets.write(1, |out| out.push_str(&text(0)));
        assert_eq!(
            sheets.sheet.capacity(),
            0,
            "nothing is kept for records that do not come"
        );
        let long = "y".repeat(3 * SHEET_BYTES);
        assert_eq!(
            sheets.write(usize::MAX, |out| out.push_str(&long)).as_ref(),
            long.as_bytes()
        );
        let kept = (sheets.sheet.capacity(), sheets.draft.capacity());
        assert_eq!(kept, (0, 0), "nor for one that is long");
    }

    #[test]
    fn of_some_pieces_another_event_is_made() {
        let mut records = pieces();
        let whole = event(records.iter());
        share(&whole, records.iter_mut());
        drop(whole);
        let half = event(records[1..].iter());
        assert_eq!(half, "{\"Records\":[{\"b\":\"ä\"},{}]}");
        share(&half, records[1..].iter_mut());
        assert_eq!(records[0].as_ref(), b"{\"a\":1}");
        assert_eq!(records[2].as_ref(), b"{}");
    }
}
