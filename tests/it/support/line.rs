//! A line between the program and a server, over real TCP, that can be cut, stretched and spoken on wrongly. It knows just so
//! much of HTTP that it can tell one request from the next: each is sent on over a connection of its own, and answered as
//! the test wills.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::door::Door;
use super::tls::{Guard, acceptor};

/// Between two bytes of an answer that trickles.
const DRIP: Duration = Duration::from_millis(1);

/// What happens to a request or its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The connection is reset before the server has the request.
    ResetBefore,
    /// The server does what it was asked, and the connection is reset before its answer.
    ResetAfter,
    /// The connection is reset in the middle of the answer's body.
    ResetInBody,
    /// The server hangs up without an answer, as one does that had just given up an idle connection.
    HangUp,
    /// The answer comes byte by byte.
    Trickle,
    /// The answer ends before the length that it stated.
    Short,
    /// Behind the length that the answer stated, there is more.
    Long,
    /// The answer is as it should be, and the connection ends behind it without a word.
    Closing,
    /// Nothing comes back any more, and the connection stays.
    Silence,
}

#[derive(Default)]
struct State {
    /// Every request, when it came: AWS's name of the operation, `Invoke` among them, or else the path.
    asked: Vec<(Instant, String)>,
    troubles: BTreeMap<String, Vec<Trouble>>,
    guard: Guard,
}

/// The line. It ends, with its connections, when it is dropped.
pub struct Line {
    door: Door,
    scheme: &'static str,
    server: SocketAddr,
    state: Arc<Mutex<State>>,
    running: JoinSet<()>,
}

impl Line {
    /// To the server at this endpoint, of plain HTTP; open.
    pub fn to(endpoint: &str) -> Self {
        Self::new("http", endpoint, Guard::None)
    }

    /// As [`Line::to`], and the program speaks HTTPS on it.
    pub fn guarded(endpoint: &str, guard: Guard) -> Self {
        Self::new("https", endpoint, guard)
    }

    fn new(scheme: &'static str, endpoint: &str, guard: Guard) -> Self {
        let server = endpoint.strip_prefix("http://").expect("plain HTTP");
        let (server, _) = server.split_once('/').unwrap_or((server, ""));
        let state = State {
            guard,
            ..State::default()
        };
        let mut line = Self {
            door: Door::new(),
            scheme,
            server: server.parse().expect("an address"),
            state: Arc::new(Mutex::new(state)),
            running: JoinSet::new(),
        };
        line.open();
        line
    }

    /// The program's end of it.
    pub fn endpoint(&self) -> String {
        format!("{}://{}", self.scheme, self.address())
    }

    /// Host and port of the program's end.
    pub fn address(&self) -> SocketAddr {
        self.door.address
    }

    /// Connections are taken from now on.
    pub fn open(&mut self) {
        let listener = self.door.open();
        let (server, state) = (self.server, Arc::clone(&self.state));
        self.running.spawn(serve(listener, server, state));
    }

    /// Every connection is cut, and none is taken.
    pub async fn shut(&mut self) {
        self.running.shutdown().await;
    }

    /// What the next requests for this operation suffer, in this order.
    pub fn befall(&self, operation: &str, troubles: &[Trouble]) {
        let mut state = self.state.lock().expect("no holder panics");
        let waiting = state.troubles.entry(operation.to_owned()).or_default();
        waiting.extend(troubles.iter().rev());
    }

    /// How many troubles were not met yet.
    pub fn left(&self) -> usize {
        let state = self.state.lock().expect("no holder panics");
        state.troubles.values().map(Vec::len).sum()
    }

    /// From now on the server shows this to whoever connects; connections that are made already stay as they are.
    pub fn guard(&self, guard: Guard) {
        self.state.lock().expect("no holder panics").guard = guard;
    }

    /// When this operation was first asked for since then, if it was.
    pub fn asked_since(&self, operation: &str, since: Instant) -> Option<Instant> {
        let state = self.state.lock().expect("no holder panics");
        // The last come last.
        let from = state.asked.partition_point(|(at, _)| *at < since);
        let mut asked = state.asked[from..].iter();
        asked
            .find(|(_, asked)| asked == operation)
            .map(|(at, _)| *at)
    }
}

async fn serve(listener: TcpListener, server: SocketAddr, state: Arc<Mutex<State>>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            Some(ended) = connections.join_next() => ended.expect("a connection does not panic"),
            accepted = listener.accept() => {
                let (stream, _) = accepted.expect("the listener accepts");
                stream.set_nodelay(true).expect("an option of every connection");
                let state = Arc::clone(&state);
                // What is cut ends with an error, as it is meant to.
                connections.spawn(async move { drop(connection(stream, server, &state).await) });
            }
        }
    }
}

async fn connection(
    mut stream: TcpStream,
    server: SocketAddr,
    state: &Mutex<State>,
) -> io::Result<()> {
    let guard = state.lock().expect("no holder panics").guard;
    match guard {
        Guard::None => talk(stream, server, state).await,
        Guard::Plain => {
            stream
                .write_all(
                    b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
                )
                .await?;
            silence(&mut stream).await
        }
        Guard::Stalled => silence(&mut stream).await,
        Guard::Shows(certificate) => {
            let acceptor: TlsAcceptor = acceptor(certificate);
            talk(acceptor.accept(stream).await?, server, state).await
        }
    }
}

/// Until the other side hangs up.
async fn silence(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<()> {
    let mut ignored = [0; 4096];
    while stream.read(&mut ignored).await? > 0 {}
    Ok(())
}

/// A connection, with whatever is spoken on it.
trait Wire: AsyncRead + AsyncWrite + Unpin + Send {
    fn tcp(&self) -> &TcpStream;
}

impl Wire for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Wire for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

/// Ends in a reset instead of an orderly end.
fn reset(wire: impl Wire) -> io::Result<()> {
    wire.tcp().set_zero_linger()
}

async fn talk(mut wire: impl Wire, server: SocketAddr, state: &Mutex<State>) -> io::Result<()> {
    while let Some(request) = request(&mut wire).await? {
        let operation = operation(&request);
        let trouble = {
            let mut state = state.lock().expect("no holder panics");
            state.asked.push((Instant::now(), operation.clone()));
            state.troubles.get_mut(&operation).and_then(Vec::pop)
        };
        match trouble {
            Some(Trouble::ResetBefore) => return reset(wire),
            Some(Trouble::HangUp) => return wire.shutdown().await,
            Some(Trouble::Silence) => return silence(&mut wire).await,
            _ => {}
        }
        let mut unexpected = [0];
        let answer = tokio::select! {
            biased;
            answer = exchange(server, &request) => answer?,
            // It hung up: nobody waits for the answer, and a server that noticed would not give it.
            gone = wire.read(&mut unexpected) => {
                assert_eq!(gone?, 0, "a second request before the answer of the first");
                return Ok(());
            }
        };
        let body = answer.len() - head_length(&answer).expect("an answer has a head");
        let half = answer.len() - body / 2 - 1;
        match trouble {
            None => wire.write_all(&answer).await?,
            Some(Trouble::ResetAfter) => return reset(wire),
            Some(Trouble::ResetInBody) => {
                wire.write_all(&answer[..half]).await?;
                wire.flush().await?;
                // What was not read yet is lost by a reset: the first half is to arrive.
                sleep(10 * DRIP).await;
                return reset(wire);
            }
            Some(Trouble::Trickle) => {
                for byte in &answer {
                    wire.write_all(std::slice::from_ref(byte)).await?;
                    wire.flush().await?;
                    sleep(DRIP).await;
                }
            }
            Some(Trouble::Short) => {
                wire.write_all(&answer[..half]).await?;
                return wire.shutdown().await;
            }
            Some(Trouble::Long) => {
                wire.write_all(&[&answer[..], b"{\"more\":1}"].concat())
                    .await?
            }
            Some(Trouble::Closing) => {
                wire.write_all(&answer).await?;
                return wire.shutdown().await;
            }
            Some(Trouble::ResetBefore | Trouble::HangUp | Trouble::Silence) => {
                unreachable!("it was met before")
            }
        }
        wire.flush().await?;
    }
    Ok(())
}

/// The next request, whole; none where the other side hung up.
async fn request(wire: &mut impl Wire) -> io::Result<Option<Vec<u8>>> {
    let mut request = Vec::new();
    let mut wanted = None;
    loop {
        if wanted.is_none()
            && let Some(head) = head_length(&request)
        {
            let body = header(&request[..head], "content-length");
            wanted = Some(head + body.map_or(0, |length| length.parse().expect("a length")));
        }
        if wanted.is_some_and(|wanted| wanted <= request.len()) {
            return Ok(Some(request));
        }
        if wire.read_buf(&mut request).await? == 0 {
            return Ok(None);
        }
    }
}

fn head_length(message: &[u8]) -> Option<usize> {
    let end = message.windows(4).position(|four| four == b"\r\n\r\n");
    end.map(|end| end + 4)
}

fn header(head: &[u8], name: &str) -> Option<String> {
    let head = std::str::from_utf8(head).expect("a head is ASCII");
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    let (_, value) = lines.find(|(key, _)| key.eq_ignore_ascii_case(name))?;
    Some(value.trim().to_owned())
}

fn operation(request: &[u8]) -> String {
    if let Some(target) = header(
        request.split_at(head_length(request).unwrap_or(0)).0,
        "x-amz-target",
    ) {
        let (_, operation) = target.rsplit_once('.').expect("a service and an operation");
        return operation.to_owned();
    }
    let path = request
        .split(|byte| *byte == b' ')
        .nth(1)
        .unwrap_or_default();
    let path = String::from_utf8_lossy(path).into_owned();
    if path.ends_with("/invocations") {
        return "Invoke".to_owned();
    }
    path
}

/// The answer, whole, over a connection for it alone.
async fn exchange(server: SocketAddr, request: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(server).await?;
    let line = request
        .windows(2)
        .position(|two| two == b"\r\n")
        .unwrap_or(0);
    stream.write_all(&request[..line]).await?;
    stream.write_all(b"\r\nconnection: close").await?;
    stream.write_all(&request[line..]).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let head = head_length(&answer).ok_or(io::ErrorKind::UnexpectedEof)?;
    // It is said of that connection, not of this.
    let (head, body) = answer.split_at(head);
    let text = std::str::from_utf8(head).expect("a head is ASCII");
    let kept = text
        .split_inclusive("\r\n")
        .filter(|line| !line.to_ascii_lowercase().starts_with("connection:"));
    Ok([kept.collect::<String>().as_bytes(), body].concat())
}
