//! Names that the machine resolves, without the addresses where cloud machines keep their credentials: what the configuration
//! may not name by its address is not reached by a name of it either. // reliability: section 6

use std::fmt;
use std::net::IpAddr;

use aws_smithy_runtime_api::client::dns::{DnsFuture, ResolveDns, ResolveDnsError};

use crate::config::url::is_metadata_address;

/// The machine's own resolver, guarded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Resolved;

/// Why a name is not connected to.
#[derive(Debug, PartialEq, Eq)]
struct Refused {
    name: String,
    address: IpAddr,
}

impl fmt::Display for Refused {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{:?} is the name of {}, a link-local address, where cloud machines keep their credentials; nothing is sent there",
            self.name, self.address
        )
    }
}

impl std::error::Error for Refused {}

impl ResolveDns for Resolved {
    fn resolve_dns<'a>(&'a self, name: &'a str) -> DnsFuture<'a> {
        DnsFuture::new(async move {
            let found = tokio::net::lookup_host((name, 0)).await;
            let found = found.map_err(ResolveDnsError::new)?;
            let addresses = found.map(|socket| socket.ip()).collect();
            allowed(name, addresses).map_err(ResolveDnsError::new)
        })
    }
}

/// The addresses that may be connected to. A name that has one that may not, and others, has the others.
fn allowed(name: &str, mut addresses: Vec<IpAddr>) -> Result<Vec<IpAddr>, Refused> {
    let first_refused = addresses
        .iter()
        .copied()
        .find(|ip| is_metadata_address(*ip));
    addresses.retain(|ip| !is_metadata_address(*ip));
    match first_refused {
        Some(address) if addresses.is_empty() => Err(Refused {
            name: name.to_owned(),
            address,
        }),
        _ => Ok(addresses),
    }
}

#[cfg(test)]
mod tests {
    use aws_smithy_runtime_api::client::http::HttpConnector as _;
    use aws_smithy_types::body::SdkBody;

    use super::*;
    use crate::aws::clients::Clients;
    use crate::aws::fault::chain;
    use crate::clock::Clock;
    use crate::config::aws::Aws;

    fn addresses(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn a_name_of_the_metadata_service_is_refused_and_others_keep_what_is_theirs() {
        for (found, left) in [
            (&["127.0.0.1", "::1"][..], &["127.0.0.1", "::1"][..]),
            (&["10.0.0.7"], &["10.0.0.7"]),
            (&["169.254.169.254", "10.0.0.7"], &["10.0.0.7"]),
            (&[], &[]),
        ] {
            assert_eq!(allowed("a.test", addresses(found)), Ok(addresses(left)));
        }
        for alone in [
            "169.254.169.254",
            "169.254.170.2",
            "::ffff:169.254.169.254",
            "fe80::1",
            "fd00:ec2::254",
        ] {
            let refused = allowed("meta.test", addresses(&[alone])).unwrap_err();
            assert_eq!(refused.address, addresses(&[alone])[0]);
            assert!(
                refused
                    .to_string()
                    .starts_with("\"meta.test\" is the name of")
            );
        }
    }

    // The machine reads more than dotted decimals as an address: these are no names in any DNS.
    #[tokio::test]
    async fn other_ways_to_write_the_address_are_refused_once_they_are_resolved() {
        for written in [
            "0xa9fea9fe",
            "2852039166",
            "0251.0376.0251.0376",
            "169.254.43518",
        ] {
            let refused = Resolved.resolve_dns(written).await.unwrap_err();
            let refused = std::error::Error::source(&refused).unwrap().to_string();
            assert!(
                refused.contains("169.254.169.254, a link-local address"),
                "{refused}"
            );
        }
        let local = Resolved.resolve_dns("localhost").await.unwrap();
        assert!(
            !local.is_empty() && local.iter().all(IpAddr::is_loopback),
            "{local:?}"
        );
    }

    #[tokio::test]
    async fn every_connection_of_the_process_is_made_through_it() {
        let clients = Clients::without_account(&Aws::default(), &Clock::machine());
        let request = http::Request::get("http://0xa9fea9fe/latest/meta-data");
        let request = request.body(SdkBody::empty()).unwrap();
        let sent = clients.connector().call(request.try_into().unwrap());
        let why = chain(&sent.await.unwrap_err());
        assert!(why.contains("nothing is sent there"), "{why}");
    }
}
