//! Addresses in the configuration: of services and of functions. A text that may hold a password is never shown.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use http::Uri;

use super::error::quoted;

/// What may follow the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// Any path and query: a function's own address.
    Any,
    /// Nothing but a `/`: the SDK appends the path of each call.
    Nothing,
}

/// Longer addresses are a mistake.
const URL_CHARS_MAX: usize = 2048;

/// Checks an address: `http` or `https`, a host, no credentials, no fragment.
pub(super) fn check(text: &str, rest: Rest) -> Result<(), String> {
    if text.is_empty() || text.len() > URL_CHARS_MAX {
        return Err(format!("expected a URL of 1 to {URL_CHARS_MAX} characters"));
    }
    let after_scheme = text.split_once("://").map_or(text, |(_, after)| after);
    let authority = after_scheme
        .split(['/', '?', '#'])
        .next()
        .unwrap_or(after_scheme);
    if authority.contains('@') {
        return Err(
            "credentials in a URL end up in logs; remove what stands before the @".to_owned(),
        );
    }
    let refuse = |what: &str| Err(format!("{} {what}", quoted(&without_query(text))));
    if !(text.starts_with("http://") || text.starts_with("https://")) {
        return refuse("does not begin with http:// or https://");
    }
    if text.contains('#') {
        return refuse("has a fragment (#...), which is never sent; remove it");
    }
    let Ok(uri) = text.parse::<Uri>() else {
        return refuse("is no URL; expected such as http://127.0.0.1:4566");
    };
    let host = uri.host().unwrap_or_default();
    if host.is_empty() {
        return refuse("has no host");
    }
    let port_holds = match authority.strip_prefix(host) {
        Some("") => true,
        Some(_) => uri.port_u16().is_some_and(|port| port != 0),
        None => false,
    };
    if !port_holds {
        return refuse("has no port between 1 and 65535 after the host");
    }
    let bare_host = host.trim_start_matches('[').trim_end_matches(']');
    if bare_host.parse().is_ok_and(is_metadata_address) {
        return refuse(
            "is a link-local address, where cloud machines keep their credentials; nothing is sent there",
        );
    }
    let bare = matches!(uri.path(), "" | "/") && uri.query().is_none();
    match rest {
        Rest::Nothing if !bare => {
            refuse("has a path or query; an endpoint is scheme, host and port alone")
        }
        Rest::Any | Rest::Nothing => Ok(()),
    }
}

/// 169.254.0.0/16, fe80::/10 and fd00:ec2::254, also as IPv4 inside IPv6: where cloud machines keep their credentials.
pub fn is_metadata_address(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => Ipv4Addr::is_link_local(&address),
        IpAddr::V6(address) => {
            Ipv6Addr::is_unicast_link_local(&address)
                || address == Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)
        }
    }
}

/// A text that stands where no URL should, and may be one with a password or a key in it.
pub(super) fn may_hold_a_secret(text: &str) -> bool {
    text.contains("://") && text.contains(['@', '?'])
}

/// For a table or a log: the query of a URL may be a key, so that only its presence is shown.
pub(super) fn without_query(url: &str) -> String {
    match url.split_once('?') {
        Some((before, _)) => format!("{before}?..."),
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_services_and_functions_are_accepted() {
        let endpoints = [
            "http://127.0.0.1:4566",
            "https://sqs.us-east-1.amazonaws.com/",
            "http://[::1]:9324",
            "http://localhost",
        ];
        for url in endpoints {
            assert_eq!(check(url, Rest::Nothing), Ok(()), "{url}");
            assert_eq!(check(url, Rest::Any), Ok(()), "{url}");
        }
        let function = "http://127.0.0.1:8080/2015-03-31/functions/function/invocations?code=1@2";
        assert_eq!(check(function, Rest::Any), Ok(()));
    }

    #[test]
    fn other_addresses_are_refused_with_the_reason() {
        let cases = [
            ("", "expected a URL of 1 to 2048 characters"),
            (
                "localhost:4566",
                "\"localhost:4566\" does not begin with http:// or https://",
            ),
            (
                "ftp://host",
                "\"ftp://host\" does not begin with http:// or https://",
            ),
            (
                "http://user:secret@host/",
                "credentials in a URL end up in logs; remove what stands before the @",
            ),
            (
                "user:secret@host",
                "credentials in a URL end up in logs; remove what stands before the @",
            ),
            (
                "http://user:sec ret@host",
                "credentials in a URL end up in logs; remove what stands before the @",
            ),
            (
                "http://host/#top",
                "\"http://host/#top\" has a fragment (#...), which is never sent; remove it",
            ),
            (
                "http://ho st/",
                "\"http://ho st/\" is no URL; expected such as http://127.0.0.1:4566",
            ),
            (
                "http://",
                "\"http://\" is no URL; expected such as http://127.0.0.1:4566",
            ),
            (
                "http:///path",
                "\"http:///path\" is no URL; expected such as http://127.0.0.1:4566",
            ),
            ("http://:4566", "\"http://:4566\" has no host"),
            (
                "http://host:0",
                "\"http://host:0\" has no port between 1 and 65535 after the host",
            ),
            (
                "http://host:99999",
                "\"http://host:99999\" has no port between 1 and 65535 after the host",
            ),
            (
                "http://169.254.169.254/latest",
                "\"http://169.254.169.254/latest\" is a link-local address, where cloud machines keep their credentials; nothing is sent there",
            ),
            (
                "http://[::ffff:169.254.169.254]/",
                "\"http://[::ffff:169.254.169.254]/\" is a link-local address, where cloud machines keep their credentials; nothing is sent there",
            ),
            (
                "http://[fd00:ec2::254]/",
                "\"http://[fd00:ec2::254]/\" is a link-local address, where cloud machines keep their credentials; nothing is sent there",
            ),
        ];
        for (url, expected) in cases {
            assert_eq!(check(url, Rest::Any).unwrap_err(), expected, "{url}");
        }
        for url in ["http://h/path", "http://h?x=1", "http://h/?x"] {
            assert_eq!(
                check(url, Rest::Nothing).unwrap_err(),
                format!(
                    "{:?} has a path or query; an endpoint is scheme, host and port alone",
                    without_query(url)
                )
            );
        }
    }

    #[test]
    fn a_query_is_not_shown() {
        assert_eq!(without_query("http://h/p?code=secret"), "http://h/p?...");
        assert_eq!(without_query("http://h/p"), "http://h/p");
    }
}
