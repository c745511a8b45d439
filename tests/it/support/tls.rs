//! What a server of HTTPS shows: certificates that `tests/support/certificates` made.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;

/// What whoever connects meets before the first word of HTTP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Guard {
    /// No TLS.
    #[default]
    None,
    /// No TLS where TLS is expected.
    Plain,
    /// A handshake that never goes on.
    Stalled,
    /// A handshake with this certificate.
    Shows(Certificate),
}

/// A certificate for the same key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certificate {
    /// For 127.0.0.1, by [`root`], until 2126.
    Good,
    /// As that, for `other.test`.
    Other,
    /// As the first, until 2021.
    Expired,
    /// As the first, by a root that nobody knows.
    Unknown,
}

const KEY: &[u8] = include_bytes!("tls/key.der");

impl Certificate {
    fn der(self) -> &'static [u8] {
        match self {
            Self::Good => include_bytes!("tls/good.der"),
            Self::Other => include_bytes!("tls/other.der"),
            Self::Expired => include_bytes!("tls/expired.der"),
            Self::Unknown => include_bytes!("tls/unknown.der"),
        }
    }
}

/// For `SSL_CERT_FILE`: the root that the program is to trust.
pub fn root() -> PathBuf {
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/support/tls/root.pem").into()
}

/// The server's side of a handshake.
pub fn acceptor(certificate: Certificate) -> TlsAcceptor {
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the versions that ring has")
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from(certificate.der())],
            PrivateKeyDer::from(PrivatePkcs8KeyDer::from(KEY)),
        )
        .expect("a certificate of this key");
    TlsAcceptor::from(Arc::new(config))
}
