//! A record between its arrival and its end: a piece of a sheet on which it stands beside others, as an event has them, with a comma
//! between. So an event of records that stand beside each other is a part of their sheets, and nothing is copied to make it.

use std::collections::VecDeque;
use std::ops::Range;

use bytes::Bytes;

/// A written record; never empty.
#[derive(Clone, Debug)]
pub struct Piece {
    sheet: Bytes,
    place: Range<usize>,
}

impl Piece {
    pub(super) fn of(sheet: Bytes, place: Range<usize>) -> Self {
        Self { sheet, place }
    }

    /// How many bytes.
    pub fn len(&self) -> usize {
        self.place.len()
    }

    /// Whether there are none: of no record.
    pub fn is_empty(&self) -> bool {
        self.place.is_empty()
    }

    /// Where on its sheet it stands.
    pub(super) fn place(&self) -> Range<usize> {
        self.place.clone()
    }

    pub(super) fn sheet(&self) -> &Bytes {
        &self.sheet
    }

    /// Whether `next` stands behind it on the same sheet, with the comma between.
    pub(super) fn is_followed_by(&self, next: &Self) -> bool {
        let same = self.sheet.as_ptr() == next.sheet.as_ptr();
        same && self.place.end + 1 == next.place.start
    }
}

impl From<Vec<u8>> for Piece {
    /// On a sheet of its own.
    fn from(text: Vec<u8>) -> Self {
        let place = 0..text.len();
        Self::of(Bytes::from(text), place)
    }
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.sheet[self.place.clone()]
    }
}

/// What is written on together: a sheet lives as long as the last record that is on it.
const SHEET_BYTES: usize = 64 * 1024;

/// Where records of one lane are written until a batch of them is taken.
#[derive(Debug, Default)]
pub struct Sheets {
    /// Those that are full, or that a batch was taken of.
    full: VecDeque<Bytes>,
    /// The number of the first of them.
    first: u64,
    /// The one that is written on.
    open: Vec<u8>,
}

/// Where a record stands until it is taken.
#[derive(Clone, Debug)]
pub struct Spot {
    sheet: u64,
    place: Range<usize>,
}

impl Spot {
    /// How many bytes the record has.
    pub fn len(&self) -> usize {
        self.place.len()
    }

    /// Whether there are none: of no record.
    pub fn is_empty(&self) -> bool {
        self.place.is_empty()
    }
}

impl Sheets {
    /// Write a record of about so many bytes. It is the first of about so many of that length: of a few no more is kept than
    /// they take.
    pub fn write(
        &mut self,
        bytes: usize,
        records: usize,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Spot {
        if !self.open.is_empty() && self.open.capacity() < self.open.len() + 1 + bytes {
            self.turn();
        }
        if self.open.is_empty() {
            let wanted = (bytes + 1).saturating_mul(records.max(1));
            self.open.reserve_exact(wanted.min(SHEET_BYTES).max(bytes));
        } else {
            self.open.push(b',');
        }
        let start = self.open.len();
        write(&mut self.open);
        Spot {
            sheet: self.first + self.full.len() as u64,
            place: start..self.open.len(),
        }
    }

    /// The record, for good.
    pub fn piece(&mut self, spot: Spot) -> Piece {
        let number = |from: u64| usize::try_from(spot.sheet - from).ok();
        if number(self.first) == Some(self.full.len()) {
            self.turn();
        }
        let sheet = number(self.first).and_then(|number| self.full.get(number));
        let sheet = sheet.expect("its sheet is kept until it is taken");
        Piece::of(sheet.clone(), spot.place)
    }

    /// Nothing before this record is asked for any more; nothing at all where there is none.
    pub fn forget_before(&mut self, first: Option<&Spot>) {
        let until = first.map_or(u64::MAX, |spot| spot.sheet);
        while self.first < until && self.full.pop_front().is_some() {
            self.first += 1;
        }
    }

    /// The next record is on a new sheet.
    fn turn(&mut self) {
        let full = std::mem::take(&mut self.open);
        self.full.push_back(Bytes::from(full));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(index: usize) -> String {
        format!("{{\"{index:05}\":\"{}\"}}", "x".repeat(1_000))
    }

    fn put(sheets: &mut Sheets, records: usize, text: &str) -> Spot {
        let spot = sheets.write(text.len(), records, |out| out.extend(text.as_bytes()));
        assert_eq!((spot.len(), spot.is_empty()), (text.len(), text.is_empty()));
        spot
    }

    #[test]
    fn records_stand_beside_each_other_and_a_few_of_them_have_no_more_than_they_need() {
        let mut sheets = Sheets::default();
        let spots: Vec<Spot> = (0..200)
            .map(|index| put(&mut sheets, 200 - index, &text(index)))
            .collect();
        let pieces: Vec<Piece> = spots.into_iter().map(|spot| sheets.piece(spot)).collect();
        for (index, piece) in pieces.iter().enumerate() {
            assert_eq!(piece.as_ref(), text(index).as_bytes());
        }
        let beside = pieces.windows(2).filter(|pair| {
            pair[0].is_followed_by(&pair[1]) && pair[0].sheet()[pair[0].place().end] == b','
        });
        // 64 of them are on a sheet.
        assert_eq!(beside.count(), 199 - 3);
        for (records, kept) in [(1, 1_013), (3, 3 * 1_013), (1_000, SHEET_BYTES)] {
            let mut sheets = Sheets::default();
            put(&mut sheets, records, &text(0));
            assert_eq!(sheets.open.capacity(), kept, "{records}");
        }
        let long = "y".repeat(3 * SHEET_BYTES);
        let mut sheets = Sheets::default();
        put(&mut sheets, 1_000, "{}");
        let spot = put(&mut sheets, 1_000, &long);
        assert_eq!(sheets.open.capacity(), long.len(), "a sheet of its own");
        assert_eq!(sheets.piece(spot).as_ref(), long.as_bytes());
    }

    #[test]
    fn a_record_that_is_longer_than_foretold_is_whole() {
        let mut sheets = Sheets::default();
        let short = put(&mut sheets, 1, "{}");
        let longer = sheets.write(1, 1, |out| out.extend("{\"a\":1}".bytes()));
        let next = put(&mut sheets, 1, "{\"b\":2}");
        for (spot, text) in [(longer, "{\"a\":1}"), (short, "{}"), (next, "{\"b\":2}")] {
            assert_eq!(sheets.piece(spot).as_ref(), text.as_bytes());
        }
    }

    #[test]
    fn sheets_are_kept_for_what_waits_and_no_longer() {
        let mut sheets = Sheets::default();
        let mut spots: VecDeque<Spot> = (0..200)
            .map(|index| put(&mut sheets, 200 - index, &text(index)))
            .collect();
        let mut taken = 0;
        // How many are taken, and how many sheets are kept then, with the one that is written on.
        for (count, kept) in [(1, 4), (63, 3), (1, 3), (64, 2), (70, 1)] {
            for spot in spots.drain(..count) {
                assert_eq!(sheets.piece(spot).as_ref(), text(taken).as_bytes());
                taken += 1;
            }
            sheets.forget_before(spots.front());
            let open = usize::from(!sheets.open.is_empty());
            assert_eq!(sheets.full.len() + open, kept, "{taken}");
        }
        // The rest is taken while more is written.
        let more = put(&mut sheets, 1, "{}");
        for spot in spots {
            assert_eq!(sheets.piece(spot).as_ref(), text(taken).as_bytes());
            taken += 1;
        }
        sheets.forget_before(Some(&more));
        assert_eq!(sheets.piece(more).as_ref(), b"{}");
        sheets.forget_before(None);
        assert_eq!((taken, sheets.full.len(), sheets.open.len()), (200, 0, 0));
    }
}
