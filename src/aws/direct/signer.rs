//! Signatures of calls that look alike: what is the same in all of them is written once, and the key of a day is made once. The date, the
//! digests and one HMAC are what a call takes.
//!
//! The SDK's signer makes everything anew, which is 76 allocations a call and a fifth of what a queue of small messages takes. It still
//! says what a signature is: it signs the first call beside us, and where it says anything else, it signs all that follow. Keys and
//! signatures themselves are its own functions either way; what is written by hand is the text that they are made of.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use aws_sdk_lambda::config::Credentials;
use aws_sigv4::http_request::{SignableBody, SigningSettings};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::identity::Identity;
use aws_smithy_runtime_api::http::Headers;
use sha2::{Digest as _, Sha256};

use crate::aws::sigv4::{ALGORITHM, Signing};
use crate::model::hex::hex;
use crate::model::utc::Utc;

const METHOD: &str = "POST";
const AUTHORIZATION: &str = "authorization";
const DATE: &str = "x-amz-date";
const TOKEN: &str = "x-amz-security-token";
const LENGTH: &str = "content-length";
/// `20261122`.
const DAY_LENGTH: usize = 8;

/// The headers that make a call a signed one.
pub(super) type Signed = Vec<(&'static str, String)>;

/// What is signed of a call, beside what all of its look have.
#[derive(Clone, Copy)]
pub(super) struct Signable<'a> {
    /// But for those that make it signed.
    pub(super) headers: &'a Headers,
    /// SHA-256 of its body, in hexadecimal digits.
    pub(super) digest: &'a str,
    pub(super) moment: SystemTime,
}

/// Signs the calls of one look: to one address, with headers that differ in their `content-length` alone.
pub(super) struct Signer {
    address: String,
    region: String,
    service: String,
    /// None where no form is good for these headers.
    form: OnceLock<Option<Form>>,
    /// Whether the SDK's signer says the same; without a session token, and with one.
    agreed: [OnceLock<bool>; 2],
    known: Mutex<Known>,
}

/// What a canonical request has of everything but itself.
struct Form {
    /// Method, path and query.
    head: String,
    /// The headers in their order.
    lines: Vec<Line>,
    /// Their names, without a session token and with one.
    names: [String; 2],
}

/// A header that is signed.
enum Line {
    /// All of the line.
    Fixed(String),
    Length,
    Date,
    /// Where there is one.
    Token,
}

/// What holds for a while.
#[derive(Default)]
struct Known {
    /// Since 1970.
    second: u64,
    /// The same: `20261122T101530Z`. Empty before the first call.
    date: String,
    secret: String,
    day: String,
    /// Made of these two.
    key: Vec<u8>,
}

/// What a call is signed with.
struct Moment {
    date: String,
    key: Vec<u8>,
}

impl Signer {
    pub(super) fn new(address: &str, region: &str, service: &str) -> Self {
        Self {
            address: address.to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
            form: OnceLock::new(),
            agreed: Default::default(),
            known: Mutex::default(),
        }
    }

    /// Whether the SDK's signer says the same, as far as that was asked: without a session token, and with one.
    #[cfg(test)]
    pub(super) fn agreed(&self) -> [Option<bool>; 2] {
        self.agreed.each_ref().map(|agreed| agreed.get().copied())
    }

    /// For which service.
    pub(super) fn service(&self) -> &str {
        &self.service
    }

    /// The headers that sign a call.
    ///
    /// # Errors
    /// It can not be signed: why.
    pub(super) fn sign(&self, identity: &Identity, call: Signable<'_>) -> Result<Signed, String> {
        let theirs = || self.theirs(identity, call);
        let Some(credentials) = identity.data::<Credentials>() else {
            return theirs();
        };
        let agreed = &self.agreed[usize::from(credentials.session_token().is_some())];
        if agreed.get() == Some(&false) {
            return theirs();
        }
        let Some(ours) = self.ours(credentials, call) else {
            return theirs();
        };
        if agreed.get().is_some() {
            return Ok(ours);
        }
        let theirs = theirs()?;
        agreed.get_or_init(|| ours == theirs);
        Ok(theirs)
    }

    fn theirs(&self, identity: &Identity, call: Signable<'_>) -> Result<Signed, String> {
        let signing = Signing {
            identity,
            region: &self.region,
            service: &self.service,
            moment: call.moment,
            settings: SigningSettings::default(),
        };
        let body = SignableBody::Precomputed(call.digest.to_owned());
        let signed = signing.sign(METHOD, &self.address, call.headers.iter(), body)?;
        let (instructions, _) = signed.into_parts();
        let (headers, _) = instructions.into_parts();
        Ok(headers
            .into_iter()
            .map(|header| (header.name(), header.value().to_owned()))
            .collect())
    }

    fn ours(&self, credentials: &Credentials, call: Signable<'_>) -> Option<Signed> {
        let Signable {
            headers,
            digest,
            moment,
        } = call;
        let form = self.form.get_or_init(|| Form::of(&self.address, headers));
        let form = form.as_ref()?;
        let token = credentials.session_token();
        let Moment { date, key } = self.moment(credentials.secret_access_key(), moment);
        let length = headers.get(LENGTH)?;
        let canonical = form.canonical(length, &date, token, digest);
        let scope = format!(
            "{}/{}/{}/aws4_request",
            &date[..DAY_LENGTH],
            self.region,
            self.service
        );
        let digest = hex(&Sha256::digest(canonical));
        let to_sign = format!("{ALGORITHM}\n{date}\n{scope}\n{digest}");
        let signature = v4::calculate_signature(key, to_sign.as_bytes());
        let authorization = format!(
            "{ALGORITHM} Credential={}/{scope}, SignedHeaders={}, Signature={signature}",
            credentials.access_key_id(),
            form.names(token),
        );
        let mut signed = vec![(DATE, date), (AUTHORIZATION, authorization)];
        signed.extend(token.map(|token| (TOKEN, token.to_owned())));
        Some(signed)
    }

    fn moment(&self, secret: &str, moment: SystemTime) -> Moment {
        let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.second != since.as_secs() || known.date.is_empty() {
            known.second = since.as_secs();
            let seconds = Utc::at(known.second * 1000).seconds();
            known.date = seconds.replace(['-', ':'], "");
        }
        if !known.date.starts_with(&known.day) || known.secret != secret || known.key.is_empty() {
            let key = v4::generate_signing_key(secret, moment, &self.region, &self.service);
            known.key = key.as_ref().to_vec();
            known.secret = secret.to_owned();
            known.day = known.date[..DAY_LENGTH].to_owned();
        }
        Moment {
            date: known.date.clone(),
            key: known.key.clone(),
        }
    }
}

impl Form {
    /// Of calls with headers such as these. None where one of them is there twice.
    fn of(address: &str, headers: &Headers) -> Option<Self> {
        let uri: http::Uri = address.parse().ok()?;
        let left_out = SigningSettings::default().excluded_headers;
        let left_out = left_out.unwrap_or_default();
        let mut lines = BTreeMap::new();
        for (name, value) in headers.iter() {
            if left_out.iter().any(|left_out| left_out == name) {
                continue;
            }
            let line = match name {
                LENGTH => Line::Length,
                _ => Line::Fixed(format!("{name}:{value}\n")),
            };
            if lines.insert(name, line).is_some() {
                return None;
            }
        }
        let host = || {
            Line::Fixed(format!(
                "host:{}\n",
                uri.authority().map_or("", |host| host.as_str())
            ))
        };
        lines.entry("host").or_insert_with(host);
        lines.insert(DATE, Line::Date);
        lines.insert(TOKEN, Line::Token);
        let named = |with_token: bool| {
            let names = lines.keys().filter(|name| with_token || **name != TOKEN);
            names.copied().collect::<Vec<_>>().join(";")
        };
        let query = uri.query().unwrap_or_default();
        Some(Self {
            head: format!("{METHOD}\n{}\n{query}\n", encoded(uri.path())),
            names: [false, true].map(named),
            lines: lines.into_values().collect(),
        })
    }

    fn names(&self, token: Option<&str>) -> &str {
        &self.names[usize::from(token.is_some())]
    }

    /// The canonical request.
    fn canonical(&self, length: &str, date: &str, token: Option<&str>, digest: &str) -> String {
        let mut text = String::with_capacity(1_024 + token.map_or(0, str::len));
        let mut put = |parts: &[&str]| parts.iter().for_each(|part| text.push_str(part));
        put(&[&self.head]);
        for line in &self.lines {
            match (line, token) {
                (Line::Fixed(line), _) => put(&[line]),
                (Line::Length, _) => put(&[LENGTH, ":", length, "\n"]),
                (Line::Date, _) => put(&[DATE, ":", date, "\n"]),
                (Line::Token, Some(token)) => put(&[TOKEN, ":", token, "\n"]),
                (Line::Token, None) => {}
            }
        }
        put(&["\n", self.names(token), "\n", digest]);
        text
    }
}

/// A path as it is signed: what is encoded in it is encoded once more.
fn encoded(path: &str) -> String {
    let mut text = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                text.push(char::from(byte));
            }
            other => {
                // Writing to a text can not fail.
                let _ = write!(text, "%{other:02X}");
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const QUEUE: &str = "https://sqs.eu-west-1.amazonaws.com/";
    const FUNCTION: &str = "http://127.0.0.1:3001/base/2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-west-1%3A1%3Afunction%3Af/invocations?Qualifier=%24LATEST";
    /// 2026-11-22T23:59:58Z.
    const LATE_S: u64 = 1_795_391_998;

    fn identity(secret: &str, token: Option<&str>) -> Identity {
        let token = token.map(str::to_owned);
        Credentials::new("AKIDEXAMPLE", secret, token, None, "test").into()
    }

    fn headers(length: usize, more: &[(&'static str, &'static str)]) -> Headers {
        let mut headers = Headers::new();
        headers.insert("content-type", "application/x-amz-json-1.0");
        headers.insert("x-amz-target", "AmazonSQS.ReceiveMessage");
        headers.insert("user-agent", "aws-sdk-rust/1");
        for (name, value) in more {
            headers.append(*name, *value);
        }
        headers.insert(LENGTH, length.to_string());
        headers
    }

    /// Many calls, each held against the SDK's signer: what it signs with keys that change, over midnight, with bodies of any length.
    fn signs_as_theirs(signer: &Signer, more: &[(&'static str, &'static str)]) {
        for (number, after_s) in (0_usize..).zip([0, 0, 1, 2, 3, 86_400, 86_399, 400 * 86_400]) {
            for secret in ["one", "two"] {
                for token in [None, Some("a token/+="), Some("another")] {
                    let identity = identity(secret, token);
                    let headers = headers(number * 1_000, more);
                    let digest = hex(&Sha256::digest(number.to_string()));
                    let moment =
                        UNIX_EPOCH + Duration::from_millis((LATE_S + after_s) * 1000 + 250);
                    let call = Signable {
                        headers: &headers,
                        digest: &digest,
                        moment,
                    };
                    let signed = signer.sign(&identity, call).unwrap();
                    let theirs = signer.theirs(&identity, call);
                    assert_eq!(signed, theirs.unwrap(), "{number} {secret} {token:?}");
                }
            }
        }
    }

    #[test]
    fn what_is_written_by_hand_is_what_the_sdk_signs() {
        for address in [QUEUE, FUNCTION, "http://sqs.test:9324/base/", "http://h"] {
            for host in [&[][..], &[("host", "sqs.test")]] {
                let signer = Signer::new(address, "eu-west-1", "sqs");
                assert_eq!(signer.agreed(), [None, None]);
                signs_as_theirs(&signer, host);
                assert_eq!(signer.agreed(), [Some(true), Some(true)], "{address}");
            }
        }
    }

    #[test]
    fn what_the_sdk_signs_otherwise_is_left_to_it() {
        let spaced = &[("x-a", "two  spaces")][..];
        for (address, more) in [
            ("https://h/a//b/../c", &[][..]),
            ("https://h/?b=2&a=1", &[]),
            ("https://h:443/", &[]),
            (QUEUE, spaced),
        ] {
            let signer = Signer::new(address, "eu-west-1", "sqs");
            signs_as_theirs(&signer, more);
            assert_eq!(signer.agreed(), [Some(false), Some(false)], "{address}");
        }
        let signer = Signer::new(QUEUE, "eu-west-1", "sqs");
        signs_as_theirs(&signer, &[("x-a", "1"), ("x-a", "2")]);
        assert_eq!(signer.agreed(), [None, None], "there is no form for it");
    }

    #[test]
    fn an_identity_that_is_no_key_can_not_sign() {
        let signer = Signer::new(QUEUE, "eu-west-1", "sqs");
        let nobody = Identity::new("nobody".to_owned(), None);
        let call = Signable {
            headers: &headers(0, &[]),
            digest: "",
            moment: UNIX_EPOCH,
        };
        let signed = signer.sign(&nobody, call);
        assert!(signed.is_err(), "{signed:?}");
    }
}
