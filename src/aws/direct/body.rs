//! The body of an answer: collected, or handed on part by part as it comes.

use std::time::Duration;

use aws_smithy_types::body::SdkBody;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::Body as _;

use crate::aws::fault::chain;

/// The longest answer that is read: twice what 10 MiB of Kinesis records take as JSON, and ten times a function's reply.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// No answer's announced length is believed beyond this: what comes is kept, what does not come costs nothing.
const LENGTH_BELIEVED_MAX: usize = 16 * 1024 * 1024;
/// An answer that has begun and then brings nothing for so long brings nothing more: the SDK's own patience.
const STALLED: Duration = Duration::from_secs(20);

/// Who takes a body as it comes.
pub(crate) trait Taker {
    /// So many bytes are announced: 0 where nothing is. Who makes no use of that has nothing to do.
    fn begin(&mut self, _announced: usize) {}

    /// The next of it; never empty.
    fn take(&mut self, part: Bytes);

    /// Whether what has been taken is enough, and of the rest so many bytes are not worth their way. With them goes the
    /// connection: the next call has to make one.
    fn leaves(&mut self, _rest: u64) -> bool {
        false
    }
}

/// Hands a body on to its end, or to where its taker leaves it, and says how much that was.
pub(super) async fn pour(mut body: SdkBody, taker: &mut impl Taker) -> Result<usize, String> {
    taker.begin(usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX));
    let mut length = 0;
    loop {
        let frame = match tokio::time::timeout(STALLED, body.frame()).await {
            Ok(Some(frame)) => frame.map_err(|error| chain(error.as_ref()))?,
            Ok(None) => return Ok(length),
            Err(_) => return Err(format!("the answer stopped for {} s", STALLED.as_secs())),
        };
        let Ok(data) = frame.into_data() else {
            continue;
        };
        length += data.len();
        if length > ANSWER_BYTES_MAX {
            return Err(format!(
                "the answer is longer than {ANSWER_BYTES_MAX} bytes"
            ));
        }
        if data.is_empty() {
            continue;
        }
        taker.take(data);
        if let Some(rest) = body.size_hint().exact()
            && taker.leaves(rest)
        {
            return Ok(length);
        }
    }
}

/// The body, as one text. Nothing is copied of one that came at once.
#[derive(Debug, Default)]
pub(crate) struct Whole {
    announced: usize,
    first: Bytes,
    all: BytesMut,
}

impl Whole {
    /// How much has come.
    pub(crate) fn len(&self) -> usize {
        self.first.len() + self.all.len()
    }

    /// All that has come.
    pub(crate) fn text(self) -> Bytes {
        match self.all.is_empty() {
            true => self.first,
            false => self.all.freeze(),
        }
    }
}

impl Taker for Whole {
    fn begin(&mut self, announced: usize) {
        self.announced = announced;
    }

    fn take(&mut self, part: Bytes) {
        if self.len() == 0 {
            self.first = part;
            return;
        }
        if self.all.is_empty() {
            self.all.reserve(self.announced.min(LENGTH_BELIEVED_MAX));
            self.all.extend_from_slice(&std::mem::take(&mut self.first));
        }
        self.all.extend_from_slice(&part);
    }
}
