//! Which bucket and key a request means: by its host (`bucket.s3.region.amazonaws.com`) or by its path (`/bucket/key`).

use http::{
    Uri,
    header::{AUTHORIZATION, HOST},
};

use crate::sim::{percent::decoded, wire::Request};

/// A bucket, and the key in it if there is one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) bucket: String,
    pub(super) key: Option<String>,
}

/// Whether a request is for S3: by the scope of its signature, or unsigned by its host. Paths would not tell it from Lambda.
pub(in crate::sim) fn is_ours(request: &Request) -> bool {
    let signed = request
        .headers()
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    match signed {
        Some(signed) => signed.contains("/s3/aws4_request"),
        None => host(request).split('.').any(is_s3_label),
    }
}

/// `s3`, or the older `s3-us-west-2`.
fn is_s3_label(label: &str) -> bool {
    label == "s3" || label.starts_with("s3-")
}

pub(super) fn target(request: &Request) -> Option<Target> {
    parse(host(request), request.uri())
}

/// The host without its port.
fn host(request: &Request) -> &str {
    let named = request
        .headers()
        .get(HOST)
        .and_then(|host| host.to_str().ok());
    let named = named.or_else(|| request.uri().authority().map(http::uri::Authority::as_str));
    let named = named.unwrap_or_default();
    named.rsplit_once(':').map_or(named, |(host, _)| host)
}

// API: S3, Virtual hosting of general purpose buckets
fn parse(host: &str, uri: &Uri) -> Option<Target> {
    let path = decoded(uri.path())?;
    let path = path.strip_prefix('/').unwrap_or(&path);
    let (bucket, key) = match virtual_host(host) {
        Some(bucket) => (bucket, path),
        None => path.split_once('/').unwrap_or((path, "")),
    };
    (!bucket.is_empty()).then(|| Target {
        bucket: bucket.to_owned(),
        key: (!key.is_empty()).then(|| key.to_owned()),
    })
}

/// The bucket that stands before the service or before `localhost`; a bucket's name may have dots too.
fn virtual_host(host: &str) -> Option<&str> {
    if let Some(bucket) = host.strip_suffix(".localhost") {
        return Some(bucket);
    }
    let mut dots = host
        .match_indices('.')
        .map(|(at, _)| at)
        .collect::<Vec<_>>();
    dots.reverse();
    let service = dots.into_iter().find(|at| {
        let label = host[at + 1..].split('.').next().unwrap_or_default();
        is_s3_label(label)
    });
    service.map(|at| &host[..at])
}

#[cfg(test)]
mod tests {
    use super::{Target, parse};

    #[test]
    fn a_bucket_is_named_by_the_host_or_by_the_path() {
        for (host, path, bucket, key) in [
            ("bkt.s3.us-east-1.amazonaws.com", "/a/b", "bkt", Some("a/b")),
            ("b.k.t.s3.us-east-1.amazonaws.com", "/a", "b.k.t", Some("a")),
            ("bkt.s3.amazonaws.com", "/", "bkt", None),
            ("bkt.localhost", "/a", "bkt", Some("a")),
            (
                "s3.us-east-1.amazonaws.com",
                "/bkt/a%20b/c",
                "bkt",
                Some("a b/c"),
            ),
            ("127.0.0.1", "/bkt", "bkt", None),
            ("127.0.0.1", "/bkt/", "bkt", None),
            ("localhost", "/bkt/%C3%A4", "bkt", Some("ä")),
        ] {
            let expected = Target {
                bucket: bucket.to_owned(),
                key: key.map(str::to_owned),
            };
            assert_eq!(
                parse(host, &path.parse().unwrap()),
                Some(expected),
                "{host}{path}"
            );
        }
        assert_eq!(parse("127.0.0.1", &"/".parse().unwrap()), None);
    }
}
