//! An answer's body before the SDK has read it.
//!
//! The SDK reads JSON byte by byte into values of its own, of which an engine needs a few as they came: for a large read that is
//! most of what it costs (1,580 us of 2,135 for 1,000 records of 1 KB, against 400 with borrowed texts). Credentials, endpoint, signature,
//! time-outs and what is said of errors stay the SDK's: only the body of a success is taken aside, and it reads an empty object.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::BeforeDeserializationInterceptorContextMut;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::ConfigBag;
use bytes::{Bytes, BytesMut};
use hyper::body::{Body, Frame};

/// What the SDK reads in place of the body.
const NOTHING: &[u8] = b"{}";

/// The body of one call's answer. Goes with the call as an interceptor of it, the last, so that every guard of the SDK still
/// sees the whole body pass.
#[derive(Clone, Debug, Default)]
pub(super) struct Diverted(Arc<Mutex<BytesMut>>);

impl Diverted {
    /// The body, once the call succeeded.
    pub(super) fn body(&self) -> Bytes {
        let mut body = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *body).freeze()
    }
}

#[dyn_dispatch_hint]
impl Intercept for Diverted {
    fn name(&self) -> &'static str {
        "Diverted"
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response_mut();
        if response.status().is_success() {
            let rest = response.take_body();
            let length = Body::size_hint(&rest).lower();
            self.0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .reserve(usize::try_from(length.min(LENGTH_BELIEVED_MAX)).unwrap_or(0));
            let aside = Aside {
                rest: Some(rest),
                body: self.0.clone(),
            };
            *response.body_mut() = SdkBody::from_body_1_x(aside);
        }
        Ok(())
    }
}

/// No answer's announced length is believed beyond this: what comes is kept, what does not come costs nothing.
const LENGTH_BELIEVED_MAX: u64 = 16 * 1024 * 1024;

/// A body that goes aside, and ends as an empty object.
struct Aside {
    rest: Option<SdkBody>,
    body: Arc<Mutex<BytesMut>>,
}

impl Body for Aside {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        while let Some(rest) = &mut this.rest {
            match ready!(Pin::new(rest).poll_frame(context)) {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        let mut body = this.body.lock().unwrap_or_else(PoisonError::into_inner);
                        body.extend_from_slice(&data);
                    }
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => {
                    this.rest = None;
                    return Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(NOTHING)))));
                }
            }
        }
        Poll::Ready(None)
    }
}
