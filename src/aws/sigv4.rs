//! Whether a request that came to us was signed with one of our keys (AWS Signature Version 4): it is signed once more, over
//! what it says was signed, and the two signatures are compared. And the signatures of requests that we send ourselves.

use std::time::{Duration, SystemTime};

use aws_sdk_lambda::config::Credentials;
use aws_sigv4::SigningOutput;
use aws_sigv4::http_request::{
    SignableBody, SignableRequest, SigningInstructions, SigningSettings, sign,
};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::identity::Identity;
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;

/// How far a request's clock may be from ours, as AWS has it.
pub const SKEW_MAX: Duration = Duration::from_secs(300);

pub(super) const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// The service that requests are to be signed for.
const SERVICE: &str = "lambda";

/// A request as it came.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// `GET`.
    pub method: &'a str,
    /// Path and query, encoded as they came.
    pub target: &'a str,
    /// Lower-case names; a header that came twice is there twice.
    pub headers: &'a [(&'a str, &'a str)],
    /// All of it.
    pub body: &'a [u8],
}

/// Why a request is not let in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsigned {
    /// Neither signed nor with anything else that says who asks.
    #[error("Missing Authentication Token")]
    Missing,
    /// A part of the signature is not there, or not readable.
    #[error("{0}")]
    Incomplete(String),
    /// Nobody here has this key.
    #[error("The security token included in the request is invalid.")]
    UnknownKey,
    /// Signed too long ago, or in the future.
    #[error("Signature expired: {0} is more than 5 minutes from this machine's clock")]
    Expired(String),
    /// Signed with another secret, or changed on its way.
    #[error(
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method."
    )]
    Mismatch,
}

impl Request<'_> {
    /// The key's id, if the request was signed with the secret that belongs to it.
    ///
    /// # Errors
    /// See [`Unsigned`].
    pub fn signer<'k>(
        &self,
        keys: impl IntoIterator<Item = (&'k str, &'k str)>,
        now: SystemTime,
    ) -> Result<&'k str, Unsigned> {
        let authorization = self.header("authorization").ok_or(Unsigned::Missing)?;
        let given = Given::read(authorization)?;
        let mut keys = keys.into_iter();
        let key = keys.find(|(id, _)| *id == given.key);
        let (id, secret) = key.ok_or(Unsigned::UnknownKey)?;
        let moment = self.moment(&given, now)?;
        let expected = self.signature(&given, secret, moment)?;
        match same(expected.as_bytes(), given.signature.as_bytes()) {
            true => Ok(id),
            false => Err(Unsigned::Mismatch),
        }
    }

    /// The headers with which a request of ours is signed: its date, and `authorization`. All headers that it has are signed.
    ///
    /// # Errors
    /// It is none that can be signed: why.
    pub fn signed(
        &self,
        (id, secret): (&str, &str),
        region: &str,
        now: SystemTime,
    ) -> Result<Vec<(String, String)>, String> {
        let signing = Signing {
            identity: &identity(id, secret),
            region,
            service: SERVICE,
            moment: now,
            settings: SigningSettings::default(),
        };
        let body = SignableBody::Bytes(self.body);
        let signed = signing.sign(self.method, self.target, self.headers.iter().copied(), body)?;
        let headers = signed.output().headers();
        let owned = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Ok(owned.collect())
    }

    fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers
            .find(|(own, _)| *own == name)
            .map(|(_, value)| *value)
    }

    /// When it says that it was signed, which must not be long ago.
    fn moment(&self, given: &Given<'_>, now: SystemTime) -> Result<SystemTime, Unsigned> {
        let text = self.header("x-amz-date").ok_or_else(|| {
            incomplete("Authorization header requires existence of the X-Amz-Date header")
        })?;
        let unreadable = || {
            incomplete(&format!(
                "X-Amz-Date must be like 20260921T120000Z, and is {text}"
            ))
        };
        let moment = moment(text).ok_or_else(unreadable)?;
        if !text.starts_with(given.day) {
            return Err(incomplete(
                "Date in Credential scope does not match YYYYMMDD from X-Amz-Date",
            ));
        }
        let skew = match now.duration_since(moment) {
            Ok(skew) => skew,
            Err(ahead) => ahead.duration(),
        };
        match skew <= SKEW_MAX {
            true => Ok(moment),
            false => Err(Unsigned::Expired(text.to_owned())),
        }
    }

    fn signature(
        &self,
        given: &Given<'_>,
        secret: &str,
        moment: SystemTime,
    ) -> Result<String, Unsigned> {
        let mut headers = Vec::new();
        for name in given.headers.split(';') {
            let mut values = self.headers.iter().filter(|(own, _)| *own == name);
            match (values.next(), values.next()) {
                (Some(header), None) => headers.push(*header),
                (Some(_), Some(_)) => {
                    return Err(incomplete(&format!("{name} is signed, and came twice")));
                }
                (None, _) => {
                    return Err(incomplete(&format!("{name} is signed, and did not come")));
                }
            }
        }
        for needed in ["host", "x-amz-date"] {
            if !headers.iter().any(|(name, _)| *name == needed) {
                return Err(incomplete(&format!("{needed} must be a 'SignedHeader'")));
            }
        }
        // The signer writes the date itself.
        headers.retain(|(name, _)| *name != "x-amz-date");
        let mut settings = SigningSettings::default();
        settings.excluded_headers = None;
        let signing = Signing {
            identity: &identity(given.key, secret),
            region: given.region,
            service: SERVICE,
            moment,
            settings,
        };
        let body = SignableBody::Bytes(self.body);
        let signed = signing
            .sign(self.method, self.target, headers.into_iter(), body)
            .map_err(|why| incomplete(&format!("the request can not be checked: {why}")))?;
        Ok(signed.signature().to_owned())
    }
}

/// As whom a request is signed, for which service, and when.
pub(super) struct Signing<'a> {
    pub(super) identity: &'a Identity,
    pub(super) region: &'a str,
    pub(super) service: &'a str,
    pub(super) moment: SystemTime,
    pub(super) settings: SigningSettings,
}

impl Signing<'_> {
    /// The signature, and the headers that say it. `headers` are those that are signed, but for those that the settings leave out;
    /// the date is among what is made here.
    pub(super) fn sign<'h>(
        self,
        method: &'h str,
        target: &'h str,
        headers: impl Iterator<Item = (&'h str, &'h str)>,
        body: SignableBody<'h>,
    ) -> Result<SigningOutput<SigningInstructions>, String> {
        let params = v4::SigningParams::builder()
            .identity(self.identity)
            .region(self.region)
            .name(self.service)
            .time(self.moment)
            .settings(self.settings)
            .build()
            .map_err(|error| error.to_string())?;
        let request = SignableRequest::new(method, target, headers, body);
        let request = request.map_err(|error| error.to_string())?;
        sign(request, &params.into()).map_err(|error| error.to_string())
    }
}

fn identity(id: &str, secret: &str) -> Identity {
    Credentials::new(id, secret, None, None, "control API").into()
}

/// What an `Authorization` header says.
struct Given<'a> {
    key: &'a str,
    /// `20260921`.
    day: &'a str,
    region: &'a str,
    /// Their names, in lower case, with `;` between them.
    headers: &'a str,
    signature: &'a str,
}

impl<'a> Given<'a> {
    fn read(authorization: &'a str) -> Result<Self, Unsigned> {
        let rest = authorization
            .strip_prefix(ALGORITHM)
            .ok_or_else(|| incomplete(&format!("Authorization must begin with {ALGORITHM}")))?;
        let part = |name: &str| {
            let mut parts = rest.split(',').map(str::trim);
            let value = parts.find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
            value.filter(|value| !value.is_empty()).ok_or_else(|| {
                incomplete(&format!(
                    "Authorization header requires '{name}' parameter."
                ))
            })
        };
        let scope = part("Credential")?;
        let parts: Vec<&str> = scope.split('/').collect();
        let [key, day, region, SERVICE, "aws4_request"] = parts[..] else {
            return Err(incomplete(&format!(
                "Credential must be KEY/YYYYMMDD/REGION/{SERVICE}/aws4_request"
            )));
        };
        Ok(Self {
            key,
            day,
            region,
            headers: part("SignedHeaders")?,
            signature: part("Signature")?,
        })
    }
}

fn incomplete(what: &str) -> Unsigned {
    Unsigned::Incomplete(what.to_owned())
}

/// `20260921T120000Z`.
fn moment(text: &str) -> Option<SystemTime> {
    let digits = |range| {
        let part: Option<&str> = text.get(range);
        part.filter(|part| part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let (year, month, day) = (digits(0..4)?, digits(4..6)?, digits(6..8)?);
    let (hour, minute, second) = (digits(9..11)?, digits(11..13)?, digits(13..15)?);
    let written = format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z");
    let whole = text.len() == 16 && text.get(8..9) == Some("T") && text.ends_with('Z');
    let moment = DateTime::from_str(&written, Format::DateTime).ok()?;
    SystemTime::try_from(moment).ok().filter(|_| whole)
}

/// Compared in a time that says nothing of where they differ.
pub fn same(one: &[u8], other: &[u8]) -> bool {
    let differing = one.iter().zip(other).fold(0, |all, (a, b)| all | (a ^ b));
    one.len() == other.len() && differing == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [(&str, &str); 2] = [
        ("AKIDOTHER", "other"),
        ("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
    ];
    const DATE: &str = "20260921T120000Z";

    fn now() -> SystemTime {
        moment(DATE).unwrap()
    }

    /// Signed by the SDK's own signer, with the settings that its clients have.
    fn signed(method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> String {
        let request = Request {
            method,
            target,
            headers,
            body,
        };
        let signed = request.signed(KEYS[1], "eu-west-1", now()).unwrap();
        let mut signed = signed.into_iter();
        let (_, value) = signed.find(|(name, _)| name == "authorization").unwrap();
        value
    }

    struct Case {
        target: String,
        body: Vec<u8>,
        headers: Vec<(String, String)>,
    }

    impl Case {
        fn signed() -> Self {
            let target = "/2015-03-31/event-source-mappings?FunctionName=a%3Ab&MaxItems=3";
            let body = br#"{"BatchSize":3}"#.to_vec();
            let sent = [("host", "gate:9480"), ("content-type", "application/json")];
            let authorization = signed("POST", target, &sent, &body);
            let header = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
            let mut headers: Vec<_> = sent.into_iter().map(header).collect();
            headers.push(header(("x-amz-date", DATE)));
            headers.push(header(("authorization", &authorization)));
            // What is added on the way is not signed.
            headers.push(header(("x-forwarded-for", "10.0.0.1")));
            Self {
                target: target.to_owned(),
                body,
                headers,
            }
        }

        fn set(&mut self, name: &str, change: impl Fn(&str) -> String) {
            let mut headers = self.headers.iter_mut();
            let header = headers.find(|(own, _)| own == name).unwrap();
            header.1 = change(&header.1);
        }

        fn judge_at(&self, now: SystemTime) -> Result<&'static str, Unsigned> {
            let headers = self.headers.iter();
            let headers: Vec<(&str, &str)> = headers
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect();
            let request = Request {
                method: "POST",
                target: &self.target,
                headers: &headers,
                body: &self.body,
            };
            request.signer(KEYS, now)
        }

        fn judge(&self) -> Result<&'static str, Unsigned> {
            self.judge_at(now())
        }

        fn refusal(&self) -> String {
            self.judge().unwrap_err().to_string()
        }
    }

    #[test]
    fn a_request_is_known_by_the_key_that_signed_it() {
        assert_eq!(Case::signed().judge(), Ok("AKIDEXAMPLE"));
    }

    #[test]
    fn whatever_was_signed_can_not_be_changed() {
        let mut changed = Case::signed();
        changed.body.push(b' ');
        assert_eq!(changed.judge(), Err(Unsigned::Mismatch));
        let mut changed = Case::signed();
        changed.target.push('0');
        assert_eq!(changed.judge(), Err(Unsigned::Mismatch));
        for (name, value) in [
            ("host", "other:9480"),
            ("content-type", "text/plain"),
            ("x-amz-date", "20260921T120001Z"),
        ] {
            let mut changed = Case::signed();
            changed.set(name, |_| value.to_owned());
            assert_eq!(changed.judge(), Err(Unsigned::Mismatch), "{name}");
        }
        for (from, to) in [("eu-west-1", "eu-west-2"), ("AKIDEXAMPLE", "AKIDOTHER")] {
            let mut changed = Case::signed();
            changed.set("authorization", |text| text.replace(from, to));
            assert_eq!(changed.judge(), Err(Unsigned::Mismatch), "{to}");
        }
        let mut changed = Case::signed();
        changed.set("authorization", |text| text[..text.len() - 1].to_owned());
        assert_eq!(changed.judge(), Err(Unsigned::Mismatch));
    }

    #[test]
    fn a_signature_holds_for_five_minutes_in_both_directions() {
        let case = Case::signed();
        let second = Duration::from_secs(1);
        assert_eq!(case.judge_at(now() + SKEW_MAX), Ok("AKIDEXAMPLE"));
        assert_eq!(case.judge_at(now() - SKEW_MAX), Ok("AKIDEXAMPLE"));
        let expired = Err(Unsigned::Expired(DATE.to_owned()));
        assert_eq!(case.judge_at(now() + SKEW_MAX + second), expired);
        assert_eq!(case.judge_at(now() - SKEW_MAX - second), expired);
    }

    #[test]
    fn what_is_missing_or_unreadable_is_named() {
        for (name, expected) in [
            ("authorization", "Missing Authentication Token"),
            (
                "x-amz-date",
                "Authorization header requires existence of the X-Amz-Date header",
            ),
            ("content-type", "content-type is signed, and did not come"),
        ] {
            let mut case = Case::signed();
            case.headers.retain(|(own, _)| own != name);
            assert_eq!(case.refusal(), expected);
        }
        for (from, to, expected) in [
            (
                ALGORITHM,
                "Basic",
                "Authorization must begin with AWS4-HMAC-SHA256",
            ),
            (
                "Signature=",
                "",
                "Authorization header requires 'Signature' parameter.",
            ),
            (
                "Credential=",
                "Credential",
                "Authorization header requires 'Credential' parameter.",
            ),
            (
                "/lambda/",
                "/sqs/",
                "Credential must be KEY/YYYYMMDD/REGION/lambda/aws4_request",
            ),
            ("host;", "", "host must be a 'SignedHeader'"),
            (";x-amz-date", "", "x-amz-date must be a 'SignedHeader'"),
            (
                "AKIDEXAMPLE",
                "AKIDNOBODY",
                "The security token included in the request is invalid.",
            ),
            (
                "20260921/",
                "20260920/",
                "Date in Credential scope does not match YYYYMMDD from X-Amz-Date",
            ),
        ] {
            let mut case = Case::signed();
            case.set("authorization", |text| text.replace(from, to));
            assert_eq!(case.refusal(), expected, "{from} -> {to}");
        }
        let mut twice = Case::signed();
        let host = ("host".to_owned(), "gate:9480".to_owned());
        twice.headers.push(host);
        assert_eq!(twice.refusal(), "host is signed, and came twice");
        for date in [
            "",
            "20260921",
            "2026-09-21T12:00:00Z",
            "20261321T120000Z",
            "20260921T120000+",
        ] {
            let mut case = Case::signed();
            case.set("x-amz-date", |_| date.to_owned());
            let text = case.refusal();
            assert!(
                text.starts_with("X-Amz-Date must be like "),
                "{date}: {text}"
            );
        }
    }

    #[test]
    fn hostile_requests_are_refused_and_nothing_panics() {
        let scope = "Credential=AKIDEXAMPLE/20260921/r/lambda/aws4_request";
        for authorization in [
            String::new(),
            ALGORITHM.to_owned(),
            format!("{ALGORITHM} Credential=/////, SignedHeaders=;;;, Signature=,"),
            format!("{ALGORITHM} {scope}, SignedHeaders=\u{e9}, Signature=\u{e9}"),
            format!("{ALGORITHM} {scope}, SignedHeaders=;;, Signature=00"),
        ] {
            let mut case = Case::signed();
            case.set("authorization", |_| authorization.clone());
            assert!(case.judge().is_err(), "{authorization}");
        }
        for target in ["", "/%", "//", "/%zz?%", "http://else/"] {
            let mut case = Case::signed();
            case.target = target.to_owned();
            assert!(case.judge().is_err(), "{target}");
        }
    }
}
