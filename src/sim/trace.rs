//! A running digest of all that passed between clients in process and the world: equal for equal runs.

use std::hash::{DefaultHasher, Hasher};

use bytes::Bytes;
use http::HeaderMap;

use super::{wire::Request, world::World};

/// The digest so far.
#[derive(Debug, Default)]
pub(super) struct Trace(DefaultHasher);

impl World {
    /// A digest over every request (head, signature and all, and body), every answer before its faults, and their virtual times. The
    /// same seed and the same program give the same digest; it is not stable across compiler versions.
    pub fn trace(&self) -> u64 {
        self.lock().trace.0.finish()
    }

    pub(super) fn trace_request(&self, request: &Request) {
        let uri = request.uri().to_string();
        self.trace_message(uri.as_bytes(), request.headers(), request.body());
    }

    pub(super) fn trace_response(&self, response: &http::Response<Bytes>) {
        let status = response.status().as_u16().to_be_bytes();
        self.trace_message(&status, response.headers(), response.body());
    }

    pub(super) fn trace_frame(&self, frame: &Bytes) {
        self.trace_message(b"", &HeaderMap::new(), frame);
    }

    fn trace_message(&self, start: &[u8], headers: &HeaderMap, body: &Bytes) {
        let now_ms = self.clock().now_ms();
        let hasher = &mut self.lock().trace.0;
        hasher.write_u64(now_ms);
        hasher.write(start);
        for (name, value) in headers {
            hasher.write(name.as_str().as_bytes());
            hasher.write(value.as_bytes());
        }
        hasher.write(body);
    }
}
