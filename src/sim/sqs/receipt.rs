//! Receipt handles: opaque outside, inside the queue, the message and which of its receives.

use aws_smithy_types::base64;
use fastrand::Rng;

use super::error::{Code, SqsError};

const PREFIX: &str = "AQEB";

/// What a receipt handle says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Receipt {
    /// The serial of the queue.
    pub(super) queue: u64,
    /// The number of the message in it.
    pub(super) number: u64,
    /// The message's ApproximateReceiveCount when it was handed out.
    pub(super) receive: u32,
}

impl Receipt {
    pub(super) fn handle(self, rng: &mut Rng) -> String {
        // The random part keeps consumers from building handles by themselves.
        let text = format!(
            "{}:{}:{}:{:016x}",
            self.queue,
            self.number,
            self.receive,
            rng.u64(..)
        );
        format!("{PREFIX}{}", base64::encode(text))
    }

    // API: SQS DeleteMessage, ReceiptHandleIsInvalid
    pub(super) fn parse(handle: &str) -> Result<Self, SqsError> {
        Self::read(handle).ok_or_else(|| {
            Code::ReceiptHandleIsInvalid.because("The input receipt handle is invalid.")
        })
    }

    fn read(handle: &str) -> Option<Self> {
        let bytes = base64::decode(handle.strip_prefix(PREFIX)?).ok()?;
        let mut parts = std::str::from_utf8(&bytes).ok()?.split(':');
        let mut part = || parts.next();
        Some(Self {
            queue: part()?.parse().ok()?,
            number: part()?.parse().ok()?,
            receive: part()?.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Receipt, Rng};

    #[test]
    fn a_handle_reads_back_and_never_repeats() {
        let (receipt, mut rng) = (
            Receipt {
                queue: 1,
                number: 2,
                receive: 3,
            },
            Rng::with_seed(1),
        );
        let (first, second) = (receipt.handle(&mut rng), receipt.handle(&mut rng));
        assert_eq!(Receipt::parse(&first), Ok(receipt));
        assert_eq!(Receipt::parse(&second), Ok(receipt));
        assert_ne!(first, second);
    }

    #[test]
    fn what_is_no_handle_is_refused() {
        for bad in ["", "AQEB", "AQEB!!", "nonsense", "AQEBMTox"] {
            assert_eq!(
                Receipt::parse(bad).unwrap_err().message,
                "The input receipt handle is invalid.",
                "{bad}"
            );
        }
    }
}
