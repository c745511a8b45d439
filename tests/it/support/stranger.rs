//! An HTTPS server whose certificate nobody trusts. It speaks no TLS: it says the first words of a server of TLS 1.2, which
//! are not encrypted, and a client breaks off at the certificate. So there is no private key in this repository.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Self-signed by `CN=nobody` for 127.0.0.1, valid until 2126; its key was thrown away.
const CERTIFICATE: &str = "\
    308201883082012da003020102021419d1150998662bdce1e740d07311d0cd7b014b45300a06082a8648ce3d0403023011310f300d06\
    035504030c066e6f626f64793020170d3236313132313132303935385a180f32313236313032383132303935385a3011310f300d0603\
    5504030c066e6f626f64793059301306072a8648ce3d020106082a8648ce3d030107034200049635085286cc0ac411a1263a1a679777\
    4a10b5b2ba735a1879b70852f2e8102195309fa88b6f8308ec933d3239a2a37209fd15c40bdbe333cfc6621e22108446a361305f301d\
    0603551d0e04160414027beae938e458c4be18ae5f15a1fa159f8a723e301f0603551d23041830168014027beae938e458c4be18ae5f\
    15a1fa159f8a723e300f0603551d110408300687047f000001300c0603551d130101ff04023000300a06082a8648ce3d040302034900\
    3046022100e0728bc126f0302efd346957cc2c3c6782fee3b76d94c337475438271591c639022100b4718500a9937b86da8ed50f55d7\
    b94170c4a434d7f1d0d88e2a3a7f33bc6dc4";

/// The server. It ends when it is dropped.
pub struct Stranger {
    /// `https://127.0.0.1:PORT`
    pub endpoint: String,
    _server: JoinSet<()>,
}

impl Stranger {
    /// Listens on a free port of the loopback address.
    pub async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .expect("a free port");
        let endpoint = format!(
            "https://{}",
            listener.local_addr().expect("a bound address")
        );
        let mut server = JoinSet::new();
        server.spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.expect("the listener accepts");
                greet(stream).await.ok();
            }
        });
        Self {
            endpoint,
            _server: server,
        }
    }
}

async fn greet(mut stream: TcpStream) -> std::io::Result<()> {
    stream.write_all(&greeting()).await?;
    // What the client says does not matter; it hangs up.
    let mut said = Vec::new();
    stream.read_to_end(&mut said).await?;
    Ok(())
}

/// ServerHello, Certificate, ServerKeyExchange, ServerHelloDone (RFC 5246, 7.4; RFC 8422, 5.4).
fn greeting() -> Vec<u8> {
    let version = [3, 3];
    let random = [7; 32];
    let ecdhe_ecdsa_aes_128_gcm_sha256 = [0xc0, 0x2b];
    let hello = [
        &version[..],
        &random,
        &[0],
        &ecdhe_ecdsa_aes_128_gcm_sha256,
        &[0],
    ]
    .concat();
    let certificates = long(&long(&certificate()));
    // The group x25519, a point of it, and as signature something that is none.
    let key = [&[3, 0, 0x1d, 32][..], &[9; 32], &[4, 3, 0, 8], &[0; 8]].concat();
    [
        record(2, &hello),
        record(11, &certificates),
        record(12, &key),
        record(14, &[]),
    ]
    .concat()
}

fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    let message = [&[kind][..], &long(body)].concat();
    let length = u16::try_from(message.len()).expect("a short message");
    [&[22, 3, 3][..], &length.to_be_bytes(), &message].concat()
}

/// Behind its length in three bytes.
fn long(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len())
        .expect("a short message")
        .to_be_bytes();
    [&length[1..], body].concat()
}

fn certificate() -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).expect("a hexadecimal digit") as u8;
    CERTIFICATE
        .as_bytes()
        .chunks(2)
        .map(|pair| digit(pair[0]) << 4 | digit(pair[1]))
        .collect()
}
