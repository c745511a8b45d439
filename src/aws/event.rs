//! An event as the body of a request, and its digest: chunk by chunk, so that a large one is never put together.

use std::pin::Pin;
use std::task::{Context, Poll};

use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use sha2::{Digest as _, Sha256};

use crate::model::event::Event;
use crate::model::hex::hex;

/// Its body. One chunk is one that the SDK knows as such, and sends again by itself.
pub fn body(event: Event) -> SdkBody {
    match event.whole() {
        Some(whole) => SdkBody::from(whole.clone()),
        None => SdkBody::from_body_1_x(Chunks {
            left: event.len() as u64,
            chunks: event.chunks(),
        }),
    }
}

/// SHA-256 of it, in hexadecimal digits: what is signed of a request's body.
pub(super) fn digest(event: &Event) -> String {
    let mut digest = Sha256::new();
    event.chunks().for_each(|chunk| digest.update(&chunk));
    hex(&digest.finalize())
}

struct Chunks<I> {
    /// Bytes that are still to come.
    left: u64,
    chunks: I,
}

impl<I: Iterator<Item = Bytes> + Unpin> Body for Chunks<I> {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let chunk = self.chunks.next();
        self.left -= chunk.as_ref().map_or(0, |chunk| chunk.len() as u64);
        Poll::Ready(chunk.map(|chunk| Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;
    use crate::model::event::Piece;

    fn event(lengths: &[usize]) -> Event {
        let pieces = lengths.iter().zip(b'a'..);
        let mut pieces: Vec<Piece> = pieces
            .map(|(length, mark)| Piece::from(vec![mark; *length]))
            .collect();
        Event::of(&mut pieces.iter_mut().collect::<Vec<_>>())
    }

    #[tokio::test]
    async fn the_body_of_an_event_is_its_text_and_as_long_as_it_says() {
        for (lengths, chunks) in [(&[][..], 1), (&[5], 1), (&[70_000, 5, 80_000], 5)] {
            let event = event(lengths);
            let mut body = body(event.clone());
            let (mut sent, mut count) = (Vec::new(), 0);
            while !body.is_end_stream() {
                let left = (event.len() - sent.len()) as u64;
                assert_eq!(body.size_hint().exact(), Some(left));
                let frame = body.frame().await.unwrap().unwrap();
                sent.extend_from_slice(frame.data_ref().unwrap());
                count += 1;
            }
            assert_eq!(event.text(), sent);
            assert_eq!(count, chunks, "{lengths:?}");
            assert!(body.frame().await.is_none());
        }
    }

    #[test]
    fn a_digest_is_that_of_the_text() {
        for lengths in [&[5][..], &[70_000, 5, 80_000]] {
            let event = event(lengths);
            assert_eq!(digest(&event), hex(&Sha256::digest(event.text())));
        }
        assert_eq!(
            digest(&Event::default()),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }
}
