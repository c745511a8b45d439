//! GetRecords' answers that come in parts, through the real client: read to their end, broken off, and left before it.

use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body, SizeHint};

use super::*;

/// An answer whose length is announced, or is not; it breaks off behind the parts, or ends.
fn in_parts(parts: &[&str], breaks: bool) -> http::Response<SdkBody> {
    let parts: Vec<_> = parts
        .iter()
        .map(|part| Ok(Frame::data(Bytes::from((*part).to_owned()))))
        .collect();
    let broken = breaks.then(|| Err(std::io::Error::other("reset by peer")));
    let parts = futures_util::stream::iter(parts.into_iter().chain(broken));
    http::Response::new(SdkBody::from_body_1_x(StreamBody::new(parts)))
}

#[tokio::test(start_paused = true)]
async fn a_large_answer_is_read_as_it_comes_and_as_a_small_one_where_it_breaks_off() {
    let record = |number: u32, data: &str| {
        format!(
            r#"{{"SequenceNumber":"{number}","Data":"{data}","ApproximateArrivalTimestamp":1}}"#
        )
    };
    let large = record(8, &"AAAA".repeat(600_000));
    let answer = format!(
        r#"{{"NextShardIterator":"n","Records":[{},{large},{}],"MillisBehindLatest":5}}"#,
        record(7, ""),
        record(9, "")
    );
    let parts: Vec<&str> = [0, 50, 60, 900_000, 2_250_000, answer.len()]
        .windows(2)
        .map(|ends| &answer[ends[0]..ends[1]])
        .collect();
    for (parts, breaks, told) in [
        (&parts[..], false, None),
        (&parts[..1], true, Some("reset by peer")),
        (&parts[..4], true, Some("reset by peer")),
        (&parts[..], true, Some("reset by peer")),
        (&parts[..1], false, Some("EOF while parsing")),
        (&parts[..4], false, Some("EOF while parsing")),
    ] {
        let (kinesis, _) = stream([in_parts(parts, breaks)]);
        let read = kinesis.read(&ShardIterator("i".to_owned()), 10).await;
        match (read, told) {
            (Ok(read), None) => {
                let Records::Kinesis(records) = &read.records else {
                    panic!("{:?}", read.records);
                };
                let lengths: Vec<usize> = records.iter().map(|read| read.data.len()).collect();
                assert_eq!(lengths, [0, 1_800_000, 0]);
                assert_eq!((read.behind_ms, read.amount), (Some(5), Amount::Little));
                assert_eq!(read.next, Some(ShardIterator("n".to_owned())));
            }
            (Err(failure), Some(told)) => {
                assert_eq!(failure.status, breaks.then_some(200));
                assert_eq!(failure.fault, Fault::Transient);
                let words = failure.to_string();
                assert!(words.starts_with("unreadable answer: "), "{words}");
                assert!(words.contains(told), "{words}");
            }
            (read, told) => panic!("{told:?}: {read:?}"),
        }
    }
}

/// A body whose length is known beforehand, as Content-Length says it; behind the text that is there it stalls.
struct Announced {
    text: Bytes,
    announced: u64,
}

impl Body for Announced {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.announced == 0 {
            return Poll::Ready(None);
        }
        let next = self.text.len().min(100_000);
        if next == 0 {
            return Poll::Pending;
        }
        self.announced -= next as u64;
        Poll::Ready(Some(Ok(Frame::data(self.text.split_to(next)))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.announced)
    }
}

#[tokio::test(start_paused = true)]
async fn the_end_of_an_answer_is_not_waited_for_where_it_is_far_and_none_of_it_is_kept() {
    const DATA: usize = 600_000;
    let data = "AAAA".repeat(DATA / 3);
    let records = |count: u32| {
        let record = |number| {
            format!(
                r#"{{"SequenceNumber":"{number}","Data":"{data}","ApproximateArrivalTimestamp":1}}"#
            )
        };
        let records: Vec<String> = (1..=count).map(record).collect();
        let records = records.join(",");
        Bytes::from(format!(
            r#"{{"NextShardIterator":"n","Records":[{records}]}}"#
        ))
    };
    // Of 0.8 MB of text each, seven make an event.
    for (count, stalls_at, kept, dropped) in [
        (7, None, Ok(7), None),
        (12, None, Ok(7), Some(5)),
        (12, Some(6_000_000), Ok(7), Some(5)),
        (12, Some(5_800_000), Ok(7), Some(5)),
        // Of what is kept all has to come.
        (12, Some(5_500_000), Err(()), None),
        (7, Some(5_500_000), Err(()), None),
        // What is near is waited for.
        (8, None, Ok(7), Some(1)),
        (8, Some(6_000_000), Err(()), None),
    ] {
        let mut text = records(count);
        let announced = text.len() as u64;
        text.truncate(stalls_at.unwrap_or(text.len()));
        let body = SdkBody::from_body_1_x(Announced { text, announced });
        let (kinesis, _) = stream([http::Response::new(body)]);
        let began = Instant::now();
        let read = kinesis.read(&ShardIterator("i".to_owned()), 10).await;
        let case = format!("{count} {stalls_at:?}");
        let (Ok(read), Ok(kept)) = (&read, kept) else {
            assert!(read.is_err() && kept.is_err(), "{case}: {read:?}");
            assert_eq!(
                shown(read).split(": ").nth(2),
                Some("the answer stopped for 20 s")
            );
            continue;
        };
        assert_eq!(
            (read.records.len(), began.elapsed()),
            (kept, Duration::ZERO),
            "{case}"
        );
        match (read.amount, dropped) {
            (Amount::Much, None) => {}
            (
                Amount::Beyond {
                    dropped_bytes,
                    oversized: false,
                },
                Some(dropped),
            ) => {
                // What stands around data that were not read counts for data.
                let about = dropped * DATA..dropped * DATA + 2_000;
                assert!(about.contains(&dropped_bytes), "{case}: {dropped_bytes}");
            }
            amount => panic!("{case}: {amount:?}"),
        }
    }
}
