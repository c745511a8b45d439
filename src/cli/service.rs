//! A running service as the verbs see it: where it is, who asks, and what its control API answers, page after page.

mod error;
mod names;
pub mod table;

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::{Method, Uri};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

use self::error::Reading;
use super::{Exit, environment, failed, log, output, refused};
use crate::aws::clients::Clients;
use crate::aws::control::{Answer, Door, Silence, Who};
use crate::clock::Clock;
use crate::config::Config;
use crate::config::aws::{Aws, endpoint_url};
use crate::config::service::{Api, Service as Settings};
pub use error::ServiceError;
pub use names::{Named, named};

/// Where the service is, and who asks.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Args {
    /// Where the service listens; by default where --config says, else http://127.0.0.1:9480
    #[arg(long, value_name = "URL", value_parser = endpoint_url)]
    pub service: Option<String>,
    /// The service's configuration, for where it listens and who may ask; may be given more than once
    #[arg(long, value_name = "FILE")]
    pub config: Vec<PathBuf>,
    #[command(flatten)]
    pub token: TokenArgs,
}

/// A token of who asks.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct TokenArgs {
    /// A file with the bearer token to ask with, in place of a key
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
}

/// How requests say who asks, for the help of each verb.
macro_rules! who_asks {
    () => {
        "Who asks: the token of --token-file, else the key or token of --config (Service.Api), else, where the service wants\n\
         to know, the key of the usual AWS environment. A token goes over https or to this machine only."
    };
}
pub(super) use who_asks;

/// What the help of `list` says at its end.
pub const LIST_ENDS: &str = concat!(
    who_asks!(),
    "\n\nEnds with 0, with 2 where the usage or the configuration is wrong, with 1 where anything else is."
);

/// How long an answer may take, beyond what the service itself allows: it ends a request after 25 s.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often a request is made that is answered with "too often".
const ATTEMPTS_MAX: usize = 30;
/// The wait before the next of them, where the service names none, and the longest that it may name.
const REPEAT_AFTER: Duration = Duration::from_secs(1);
const REPEAT_AFTER_MAX: Duration = Duration::from_secs(10);
/// A page has 100 mappings, and a service 10,000 registrations beside those of its files; 10,000 shards are as many pages.
const PAGES_MAX: usize = 1_000;
/// A file that is longer holds no token.
const TOKEN_BYTES_MAX: u64 = 4096;
const API: &str = "/2015-03-31/event-source-mappings";

/// A service that can be asked.
pub struct Service {
    runtime: Runtime,
    door: Door,
    who: Who,
}

impl Service {
    /// The service that the arguments name. Nothing is sent yet.
    ///
    /// # Errors
    /// Said on stderr; how the program is to end.
    pub fn of(args: &Args) -> Result<Self, Exit> {
        let settings = match args.config.as_slice() {
            [] => None,
            files => Some(
                Config::load(files, &environment)
                    .map_err(|errors| refused(&errors))?
                    .service,
            ),
        };
        Self::reach(args.service.as_deref(), &args.token, settings.as_ref())
    }

    /// The service at this address, else at that of its settings.
    ///
    /// # Errors
    /// Said on stderr; how the program is to end.
    pub fn reach(
        url: Option<&str>,
        token: &TokenArgs,
        settings: Option<&Settings>,
    ) -> Result<Self, Exit> {
        let default = Settings::default();
        let listen = settings.unwrap_or(&default).listen;
        let address = match url {
            Some(url) => url.to_owned(),
            None => address_of(listen).ok_or_else(|| {
                wrong(&"Service.Listen takes any free port; name the one in the log with --service URL")
            })?,
        };
        let who = who(token, settings.map(|settings| &settings.api))
            .map_err(|(exit, what)| said(exit, &what))?;
        if matches!(who, Who::Token(_)) && !is_private(&address) {
            return Err(wrong(&format!(
                "{address}: a token would be sent in plain text over the network; use https, or a key, whose secret is not sent"
            )));
        }
        // Of plain HTTP to this machine nobody wants to know that there are no certificates.
        log(match address.starts_with("https:") {
            true => "warn",
            false => "error",
        })?;
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime =
            runtime.map_err(|error| failed(&format!("failed to start the runtime: {error}")))?;
        let clock = Clock::machine();
        let clients = runtime.block_on(Clients::from_environment(&Aws::default(), None, &clock));
        Ok(Self {
            runtime,
            door: Door::new(&address, clients, clock),
            who,
        })
    }

    /// Scheme, host and port.
    pub fn address(&self) -> &str {
        self.door.address()
    }

    /// Every mapping, in the shape in which AWS prints them.
    ///
    /// # Errors
    /// See [`ServiceError`].
    pub fn list(&mut self) -> Result<Vec<Value>, ServiceError> {
        let (_, mappings) = self.pages(API, "EventSourceMappings", "a list of mappings")?;
        Ok(mappings)
    }

    /// What `/readyz` says of each mapping: its state and the reason. It tells more than AWS's words do, and is asked of
    /// nobody; nothing where it can not be had, as behind a proxy that lets the API through alone.
    pub fn readiness(&mut self) -> Value {
        let asked = self.once(&Method::GET, "/readyz", "", &Who::Anybody);
        let answer = asked
            .ok()
            .filter(|answer| matches!(answer.status, 200 | 503));
        let page = answer.and_then(|answer| serde_json::from_slice(&answer.body).ok());
        page.unwrap_or_default()
    }

    /// Pauses the mapping, or resumes it: what it is then.
    ///
    /// # Errors
    /// See [`ServiceError`].
    pub fn hold(&mut self, uuid: &str, verb: &'static str) -> Result<Value, ServiceError> {
        let target = format!("{API}/{uuid}/{verb}");
        self.ask(&Method::POST, &target, "", "a mapping")
    }

    /// The positions of a stream's mapping, with the shards of all pages.
    ///
    /// # Errors
    /// See [`ServiceError`].
    pub fn positions(&mut self, uuid: &str) -> Result<Value, ServiceError> {
        let target = format!("{API}/{uuid}/position");
        let (mut page, shards) = self.pages(&target, "Shards", "positions of shards")?;
        page["Shards"] = Value::Array(shards);
        Ok(page)
    }

    /// Sets positions of a stream's mapping.
    ///
    /// # Errors
    /// See [`ServiceError`].
    pub fn seek(&mut self, uuid: &str, wanted: &Value) -> Result<(), ServiceError> {
        let target = format!("{API}/{uuid}/position");
        let body = wanted.to_string();
        self.ask(&Method::PUT, &target, &body, "positions of shards")?;
        Ok(())
    }

    /// Every page of a list: the first without its marker, and what all of them have under `key`.
    fn pages(
        &mut self,
        target: &str,
        key: &str,
        expected: &'static str,
    ) -> Result<(Value, Vec<Value>), ServiceError> {
        let mut first = None;
        let mut all = Vec::new();
        let mut marker = String::new();
        for _ in 0..PAGES_MAX {
            let target = match marker.as_str() {
                "" => target.to_owned(),
                marker => format!("{target}?Marker={}", encoded(marker)),
            };
            let mut page = self.ask(&Method::GET, &target, "", expected)?;
            let Some(Value::Array(entries)) = page.get_mut(key).map(Value::take) else {
                return Err(self.stranger(format!("JSON without {key}"), expected));
            };
            all.extend(entries);
            let next = page["NextMarker"].as_str().unwrap_or_default().to_owned();
            if let Some(page) = page.as_object_mut() {
                page.remove("NextMarker");
            }
            first.get_or_insert(page);
            if next.is_empty() {
                return Ok((first.unwrap_or_default(), all));
            }
            if next == marker {
                return Err(self.stranger("one page again and again".to_owned(), expected));
            }
            marker = next;
        }
        Err(self.stranger(format!("more than {PAGES_MAX} pages"), expected))
    }

    /// One request, made again where the service has too many or wants to know who asks.
    fn ask(
        &mut self,
        method: &Method,
        target: &str,
        body: &str,
        expected: &'static str,
    ) -> Result<Value, ServiceError> {
        for _ in 0..ATTEMPTS_MAX {
            let who = self.who.clone();
            let answer = self.once(method, target, body, &who)?;
            match Reading::of(&answer) {
                Reading::Json(value) => return Ok(value),
                Reading::TooOften => {
                    let after = answer.retry_after.unwrap_or(REPEAT_AFTER);
                    let after = after.min(REPEAT_AFTER_MAX);
                    self.runtime
                        .block_on(async { tokio::time::sleep(after).await });
                }
                Reading::Unsigned if who == Who::Anybody => {
                    let address = self.address().to_owned();
                    let key = self.runtime.block_on(self.door.key());
                    self.who = key.map_err(|why| ServiceError::Nobody { address, why })?;
                }
                Reading::Unsigned => return Err(self.refused(&answer)),
                Reading::Refused => return Err(self.refused(&answer)),
                Reading::Strange(found) => return Err(self.stranger(found, expected)),
            }
        }
        Err(ServiceError::Busy {
            address: self.address().to_owned(),
            attempts: ATTEMPTS_MAX,
        })
    }

    fn once(
        &self,
        method: &Method,
        target: &str,
        body: &str,
        who: &Who,
    ) -> Result<Answer, ServiceError> {
        let asked = self.door.ask(method, target, body, who, PATIENCE);
        let address = || self.address().to_owned();
        let changing = *method != Method::GET;
        self.runtime
            .block_on(asked)
            .map_err(|silence| match silence {
                Silence::Late(limit) => ServiceError::Late {
                    address: address(),
                    limit,
                    changing,
                },
                Silence::Connection(why) | Silence::Unsent(why) => ServiceError::Unreached {
                    address: address(),
                    why,
                },
                Silence::Long => ServiceError::Stranger {
                    address: address(),
                    found: silence.to_string(),
                    expected: "an answer of its control API",
                },
            })
    }

    fn stranger(&self, found: String, expected: &'static str) -> ServiceError {
        ServiceError::Stranger {
            address: self.address().to_owned(),
            found,
            expected,
        }
    }

    fn refused(&self, answer: &Answer) -> ServiceError {
        ServiceError::refused(self.address(), answer)
    }
}

/// Who listens on every address listens on this machine's own; `None` where the port is not known beforehand.
fn address_of(listen: SocketAddr) -> Option<String> {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    let address = SocketAddr::new(ip, listen.port());
    (listen.port() != 0).then(|| format!("http://{address}"))
}

/// What is sent there, nobody else reads.
fn is_private(address: &str) -> bool {
    let uri: Option<Uri> = address.parse().ok();
    let host = uri.as_ref().and_then(Uri::host).unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let ip = bare.parse::<IpAddr>();
    address.starts_with("https:")
        || bare.eq_ignore_ascii_case("localhost")
        || ip.is_ok_and(|ip| ip.to_canonical().is_loopback())
}

/// A key before a token, since its secret is not sent; one that may change something before one that may look.
fn who(token: &TokenArgs, api: Option<&Api>) -> Result<Who, (Exit, String)> {
    if let Some(file) = &token.token_file {
        return token_in(file);
    }
    let Some(api) = api else {
        return Ok(Who::Anybody);
    };
    let key = |read_only: bool| {
        let key = api.keys.iter().find(|key| key.read_only == read_only)?;
        Some(Who::Key {
            id: key.id.clone(),
            secret: key.secret.reveal().to_owned(),
        })
    };
    match (key(false), &api.token_file, key(true)) {
        (Some(key), _, _) => Ok(key),
        (None, Some(file), _) => token_in(file),
        (None, None, Some(key)) => Ok(key),
        (None, None, None) => match &api.read_only_token_file {
            Some(file) => token_in(file),
            None => Ok(Who::Anybody),
        },
    }
}

fn token_in(file: &Path) -> Result<Who, (Exit, String)> {
    let name = file.display();
    let unfit = |what: &str| (Exit::Usage, format!("{name}: {what}"));
    let length = fs::metadata(file).map_or(0, |found| found.len());
    if length > TOKEN_BYTES_MAX {
        return Err(unfit(&format!(
            "holds no token: {length} bytes are more than {TOKEN_BYTES_MAX}"
        )));
    }
    let text = fs::read_to_string(file)
        .map_err(|error| unfit(&format!("the token can not be read: {error}")))?;
    match text.trim() {
        "" => Err(unfit("holds no token: it is empty")),
        token if token.bytes().all(|byte| byte.is_ascii_graphic()) => {
            Ok(Who::Token(token.to_owned()))
        }
        _ => Err(unfit(
            "holds no token: expected letters, digits and signs, and no blank between them",
        )),
    }
}

/// For a query: nothing but letters, digits and what needs no escape.
fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

fn wrong(what: &dyn std::fmt::Display) -> Exit {
    said(Exit::Usage, what)
}

fn said(exit: Exit, what: &dyn std::fmt::Display) -> Exit {
    output::complain(what);
    exit
}

#[cfg(test)]
mod tests;
