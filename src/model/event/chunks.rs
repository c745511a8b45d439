//! An event as it is sent: chunks, one behind the other.
//!
//! Records that stand beside each other on a sheet go as the part of it that they are, where that is long enough to be worth it;
//! what is short is written together. Either way a batch that is being delivered is in memory once: the records that were written
//! together are pieces of that text from then on.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::piece::Piece;
use super::{CLOSE, OPEN};

/// Shorter parts are copied: a chunk costs about as much as a copy of a few kilobytes.
const CHUNK_BYTES_MIN: usize = 16 * 1024;

/// An event. Clones share its text.
#[derive(Clone, Default)]
pub struct Event {
    /// What was written for it.
    text: Bytes,
    /// Parts of sheets, each with the place in `text` before which it goes.
    parts: Option<Arc<[(usize, Bytes)]>>,
    length: usize,
}

impl From<Bytes> for Event {
    fn from(text: Bytes) -> Self {
        Self {
            length: text.len(),
            text,
            parts: None,
        }
    }
}

/// By their text, however it is stored.
impl PartialEq for Event {
    fn eq(&self, other: &Self) -> bool {
        self.length == other.length && self.text() == other.text()
    }
}

impl Eq for Event {}

/// An event is a customer's data: no part of it is shown.
impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an event of {} bytes", self.length)
    }
}

/// Pieces that stand beside each other on a sheet.
struct Run {
    /// Which of the records.
    records: Range<usize>,
    /// Where on the sheet.
    place: Range<usize>,
}

impl Run {
    fn is_chunk(&self) -> bool {
        CHUNK_BYTES_MIN <= self.place.len()
    }
}

impl Event {
    /// The event of these records, in their order.
    pub fn of(records: &mut [&mut Piece]) -> Self {
        Self::closed_by(records, CLOSE.as_bytes())
    }

    /// With this behind the last record.
    pub(super) fn closed_by(records: &mut [&mut Piece], close: &[u8]) -> Self {
        let runs = runs(records);
        let copied = runs.iter().filter(|run| !run.is_chunk());
        let copied: usize = copied.map(|run| run.place.len()).sum();
        let commas = runs.len().saturating_sub(1);
        let mut text = Vec::with_capacity(OPEN.len() + copied + commas + close.len());
        let mut parts = Vec::new();
        // Where in the text the records of a run are now.
        let mut moved = Vec::new();
        text.extend_from_slice(OPEN.as_bytes());
        for (index, run) in runs.iter().enumerate() {
            if 0 < index {
                text.push(b',');
            }
            let sheet = records[run.records.start].sheet();
            if run.is_chunk() {
                parts.push((text.len(), sheet.slice(run.place.clone())));
            } else {
                moved.push((run, text.len()));
                text.extend_from_slice(&sheet[run.place.clone()]);
            }
        }
        text.extend_from_slice(close);
        let text = Bytes::from(text);
        for (run, at) in moved {
            for record in &mut records[run.records.clone()] {
                let place = record.place();
                let start = at + place.start - run.place.start;
                **record = Piece::of(text.clone(), start..start + place.len());
            }
        }
        let shared: usize = parts
            .iter()
            .map(|(_, part): &(usize, Bytes)| part.len())
            .sum();
        Self {
            length: text.len() + shared,
            text,
            parts: (!parts.is_empty()).then(|| parts.into()),
        }
    }

    /// How many bytes.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// All of it, where it is one chunk.
    pub fn whole(&self) -> Option<&Bytes> {
        self.parts.is_none().then_some(&self.text)
    }

    /// How many chunks there are, at most: some may be empty.
    fn chunk_count(&self) -> usize {
        self.parts.as_ref().map_or(0, |parts| 2 * parts.len()) + 1
    }

    /// One of the chunks: text and parts in turn.
    fn chunk(&self, index: usize) -> Bytes {
        let Some(parts) = &self.parts else {
            return self.text.clone();
        };
        let part = index / 2;
        if index % 2 == 1 {
            return parts[part].1.clone();
        }
        let start = part.checked_sub(1).map_or(0, |before| parts[before].0);
        let end = parts.get(part).map_or(self.text.len(), |(at, _)| *at);
        self.text.slice(start..end)
    }

    /// Its chunks in order; none is empty.
    pub fn chunks(&self) -> impl Iterator<Item = Bytes> + Send + Sync + use<> {
        let event = self.clone();
        let all = (0..self.chunk_count()).map(move |index| event.chunk(index));
        all.filter(|chunk| !chunk.is_empty())
    }

    /// All of it in one text.
    pub fn text(&self) -> Bytes {
        match self.whole() {
            Some(whole) => whole.clone(),
            None => {
                let mut text = Vec::with_capacity(self.length);
                self.chunks()
                    .for_each(|chunk| text.extend_from_slice(&chunk));
                Bytes::from(text)
            }
        }
    }
}

fn runs(records: &[&mut Piece]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (index, record) in records.iter().enumerate() {
        let place = record.place();
        match runs.last_mut() {
            Some(run) if records[index - 1].is_followed_by(record) => {
                run.records.end = index + 1;
                run.place.end = place.end;
            }
            Some(_) | None => runs.push(Run {
                records: index..index + 1,
                place,
            }),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::event::piece::Sheets;
    use crate::model::event::{WindowEnvelope, event_bytes, window_event};

    const ENVELOPE: WindowEnvelope<'_> = WindowEnvelope {
        shard_id: "s",
        arn: "a",
        start_ms: 0,
        end_ms: 1_000,
        state: "{}",
        final_invoke: false,
        terminated_early: false,
    };

    /// Records of these lengths, those of a group on sheets together.
    fn pieces(groups: &[&[usize]]) -> Vec<Piece> {
        let mut pieces = Vec::new();
        for (group, mark) in groups.iter().zip(b'a'..) {
            let mut sheets = Sheets::default();
            // The first takes the room of all.
            let all = group.iter().sum::<usize>() + group.len();
            let foretold = std::iter::once(all).chain(group[1..].iter().copied());
            let write = |(length, foretold): (&usize, usize)| {
                sheets.write(foretold, 1, |out| {
                    out.extend(std::iter::repeat_n(mark, *length))
                })
            };
            let spots: Vec<_> = group.iter().zip(foretold).map(write).collect();
            pieces.extend(spots.into_iter().map(|spot| sheets.piece(spot)));
        }
        pieces
    }

    fn texts(pieces: &[Piece]) -> Vec<Vec<u8>> {
        pieces.iter().map(|piece| piece.as_ref().to_vec()).collect()
    }

    fn event(pieces: &mut [Piece]) -> Event {
        Event::of(&mut pieces.iter_mut().collect::<Vec<_>>())
    }

    const LONG: usize = CHUNK_BYTES_MIN;
    const CASES: [&[&[usize]]; 9] = [
        &[],
        &[&[3]],
        &[&[3, 2], &[1]],
        &[&[LONG]],
        &[&[LONG - 1]],
        &[&[LONG / 2, LONG / 2]],
        &[&[LONG, 5], &[LONG]],
        &[&[5], &[LONG, 1], &[7, 7], &[8], &[3 * LONG, 2, LONG], &[1]],
        &[&[2 * LONG], &[3 * LONG], &[1]],
    ];

    #[test]
    fn an_event_is_its_records_in_order_however_they_stand_and_they_stay_the_same() {
        for case in CASES {
            let mut pieces = pieces(case);
            let before = texts(&pieces);
            let listed = before.join(&b","[..]);
            let plain = event(&mut pieces);
            let expected = [OPEN.as_bytes(), &listed, CLOSE.as_bytes()].concat();
            assert_eq!(plain.text(), expected, "{case:?}");
            assert_eq!(plain.len(), event_bytes(before.iter().map(Vec::len)));
            assert!(!plain.is_empty() && plain.chunks().all(|chunk| !chunk.is_empty()));
            assert_eq!(texts(&pieces), before);
            // Again, of what came of them; and of some of them.
            assert_eq!(event(&mut pieces), plain);
            let windowed = window_event(&mut pieces.iter_mut().collect::<Vec<_>>(), &ENVELOPE);
            assert!(windowed.text().starts_with(&expected[..expected.len() - 1]));
            for start in 0..pieces.len() {
                let rest = event(&mut pieces[start..]);
                let listed = before[start..].join(&b","[..]);
                assert_eq!(
                    rest.text(),
                    [OPEN.as_bytes(), &listed, CLOSE.as_bytes()].concat()
                );
                assert_eq!(texts(&pieces), before);
            }
        }
    }

    #[test]
    fn a_batch_is_in_memory_once() {
        for case in CASES {
            let mut pieces = pieces(case);
            let event = event(&mut pieces);
            let chunks: Vec<Bytes> = event.chunks().collect();
            for piece in &pieces {
                let own = piece.as_ref().as_ptr_range();
                let within = |chunk: &Bytes| {
                    let chunk = chunk.as_ptr_range();
                    chunk.start <= own.start && own.end <= chunk.end
                };
                assert!(chunks.iter().any(within), "{case:?}");
            }
        }
    }

    #[test]
    fn long_runs_are_parts_of_their_sheets_and_short_ones_are_written_together() {
        for (case, chunks) in [
            (CASES[0], 1),
            (CASES[2], 1),
            (CASES[3], 3),
            (CASES[4], 1),
            (CASES[5], 3),
            (CASES[6], 5),
            (CASES[7], 5),
            (CASES[8], 5),
        ] {
            let event = event(&mut pieces(case));
            assert_eq!(event.chunks().count(), chunks, "{case:?}");
            assert_eq!(event.whole().is_some(), chunks == 1, "{case:?}");
        }
    }

    #[test]
    fn nothing_of_an_event_is_shown() {
        let shown = format!("{:?}", event(&mut pieces(&[&[3]])));
        assert_eq!(shown, "an event of 17 bytes");
    }
}
