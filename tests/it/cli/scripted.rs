//! A service that says what a test wants it to: one answer a request, and all requests kept. What it stands for is checked
//! where the verbs meet the real one.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use serde_json::{Value, json};

/// What came: the method and the target, and the body.
pub type Asked = (String, String);

/// A server on a port of its own until it is dropped.
pub struct Scripted {
    pub url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    heads: Arc<Mutex<Vec<String>>>,
    over: Arc<AtomicBool>,
    server: Option<JoinHandle<()>>,
}

/// An answer as it goes over the wire.
pub fn answer(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n{body}"
    )
}

/// JSON with the status 200.
pub fn ok(body: &Value) -> String {
    answer(
        "200 OK",
        "Content-Type: application/json\r\n",
        &body.to_string(),
    )
}

/// JSON with the status 202.
pub fn accepted(body: &Value) -> String {
    answer(
        "202 Accepted",
        "Content-Type: application/json\r\n",
        &body.to_string(),
    )
}

/// An error in AWS's style.
pub fn refusal(status: &str, code: &str, message: &str) -> String {
    let headers = format!("Content-Type: application/json\r\nx-amzn-ErrorType: {code}\r\n");
    let body = json!({ "Type": "User", "message": message });
    answer(status, &headers, &body.to_string())
}

impl Scripted {
    /// Answers each request with what `script` makes of its line and its body.
    pub fn start(script: impl Fn(&str, &str) -> String + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let heads: Arc<Mutex<Vec<String>>> = Arc::default();
        let over: Arc<AtomicBool> = Arc::default();
        let mut scripted = Self {
            url: format!("http://{address}"),
            asked: Arc::clone(&asked),
            heads: Arc::clone(&heads),
            over: Arc::clone(&over),
            server: None,
        };
        #[allow(clippy::disallowed_methods, reason = "joined when it is dropped")]
        let server = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if over.load(Ordering::SeqCst) {
                    return;
                }
                let Some(mut stream) = stream.ok() else {
                    continue;
                };
                let Some((head, body)) = request(&mut stream) else {
                    continue;
                };
                let line = head.split(" HTTP/").next().unwrap_or_default().to_owned();
                let answer = script(&line, &body);
                // Kept before it is answered: whoever has the answer may look.
                asked.lock().unwrap().push((line, body));
                heads.lock().unwrap().push(head);
                stream.write_all(answer.as_bytes()).ok();
            }
        });
        scripted.server = Some(server);
        scripted
    }

    /// Everything that was asked so far, but for the page that tells of states.
    pub fn asked(&self) -> Vec<Asked> {
        let asked = self.asked.lock().unwrap();
        let mut asked = asked.clone();
        asked.retain(|(line, _)| line != "GET /readyz");
        asked
    }

    /// The heads of all requests.
    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        TcpStream::connect(self.url.trim_start_matches("http://")).ok();
        if let Some(server) = self.server.take() {
            server.join().ok();
        }
    }
}

/// Head and body of a request.
fn request(stream: &mut TcpStream) -> Option<(String, String)> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).ok()?;
    let mut lines = head.lines();
    let length = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_length = name.eq_ignore_ascii_case("content-length");
        is_length.then(|| value.trim().parse::<usize>().ok())?
    });
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).ok()?;
    Some((head, String::from_utf8(body).ok()?))
}
