//! Who may use the control API: whoever holds a key or a token, and where none is named, whoever is on this machine.

use std::net::SocketAddr;
use std::path::Path;
use std::time::SystemTime;

use tracing::warn;

use crate::aws::sigv4::{Request, Unsigned, same};
use crate::config::service::Api;

/// A token that is shorter is guessed.
const TOKEN_BYTES_MIN: usize = 16;
/// A file that is longer holds no token.
const TOKEN_BYTES_MAX: usize = 4096;

/// The rules of one listener.
#[derive(Clone, Debug)]
pub struct Access {
    api: Api,
    /// Only this machine reaches the listener.
    loopback: bool,
}

/// What whoever asks may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Granted {
    /// Everything.
    All,
    /// Look.
    Reading,
}

/// Why somebody is not let in: the code is AWS's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    /// For `x-amzn-ErrorType`.
    pub code: &'static str,
    /// In words.
    pub message: String,
}

impl Denied {
    fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }
}

impl Access {
    /// Of a listener on this address.
    pub fn new(api: &Api, listen: SocketAddr) -> Self {
        Self {
            api: api.clone(),
            loopback: listen.ip().to_canonical().is_loopback(),
        }
    }

    /// What this request's sender may do.
    ///
    /// # Errors
    /// Nobody knows him, or his signature does not hold.
    pub fn granted(&self, request: &Request<'_>, now: SystemTime) -> Result<Granted, Denied> {
        if !self.api.asks() {
            return self.unasked(request);
        }
        let mut headers = request.headers.iter();
        let authorization = headers.find(|(name, _)| *name == "authorization");
        if let Some(token) = authorization.and_then(|(_, value)| bearer(value)) {
            return self.bearer(token.as_bytes());
        }
        let keys = self.api.keys.iter();
        let keys = keys.map(|key| (key.id.as_str(), key.secret.reveal()));
        let id = request.signer(keys, now).map_err(|error| {
            let code = match error {
                Unsigned::Missing => "MissingAuthenticationTokenException",
                Unsigned::Incomplete(_) => "IncompleteSignatureException",
                Unsigned::UnknownKey => "UnrecognizedClientException",
                Unsigned::Expired(_) | Unsigned::Mismatch => "InvalidSignatureException",
            };
            Denied::new(code, error.to_string())
        })?;
        let read_only = |key: &&crate::config::service::AccessKey| key.id == id && key.read_only;
        Ok(match self.api.keys.iter().find(read_only) {
            Some(_) => Granted::Reading,
            None => Granted::All,
        })
    }

    /// Who sent a request that was granted, for the log: a key by its id, which is no secret.
    pub fn who(&self, request: &Request<'_>) -> String {
        let mut headers = request.headers.iter();
        let authorization = headers.find(|(name, _)| *name == "authorization");
        let authorization = authorization.map_or("", |(_, value)| *value);
        if !self.api.asks() {
            return "this machine".to_owned();
        }
        if bearer(authorization).is_some() {
            return "a bearer token".to_owned();
        }
        let given = authorization.split_once("Credential=");
        let id = given.and_then(|(_, scope)| scope.split('/').next());
        let mut keys = self.api.keys.iter();
        let key = keys.find(|key| Some(key.id.as_str()) == id);
        key.map_or_else(|| "somebody".to_owned(), |key| format!("key {}", key.id))
    }

    /// On a loopback address everybody may who is no web page: a browser lets any of them send requests to this machine.
    fn unasked(&self, request: &Request<'_>) -> Result<Granted, Denied> {
        let code = "AccessDeniedException";
        if !self.loopback {
            return Err(Denied::new(
                code,
                "this address can be reached from other machines: set Service.Api, or listen on 127.0.0.1",
            ));
        }
        let header = |wanted: &str| {
            let mut headers = request.headers.iter();
            headers
                .find(|(name, _)| *name == wanted)
                .map(|(_, value)| *value)
        };
        // A name that somebody else's server gave this machine's address to is none of ours.
        let own = header("host").is_some_and(is_own);
        if !own || header("origin").is_some() {
            return Err(Denied::new(
                code,
                "a request of a web page, or to another host than this machine, needs Service.Api",
            ));
        }
        Ok(Granted::All)
    }

    fn bearer(&self, given: &[u8]) -> Result<Granted, Denied> {
        let holds = |file: &Option<_>| {
            let token = file.as_deref().and_then(token);
            token.is_some_and(|token| same(&token, given))
        };
        // Both are read whatever the first says.
        let (all, reading) = (
            holds(&self.api.token_file),
            holds(&self.api.read_only_token_file),
        );
        match (all, reading) {
            (true, _) => Ok(Granted::All),
            (false, true) => Ok(Granted::Reading),
            (false, false) => Err(Denied::new(
                "UnrecognizedClientException",
                "The security token included in the request is invalid.",
            )),
        }
    }
}

fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// `127.0.0.1:9480`, `[::1]`, `localhost:80`.
fn is_own(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost")
        || name
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.to_canonical().is_loopback())
}

/// What the file holds now: whoever changes the token needs no restart.
fn token(file: &Path) -> Option<Vec<u8>> {
    let held = match std::fs::read(file) {
        Ok(held) => held,
        Err(error) => {
            warn!(file = %file.display(), %error, "nobody is let in with this token: the file can not be read");
            return None;
        }
    };
    let token = held.trim_ascii();
    if !(TOKEN_BYTES_MIN..=TOKEN_BYTES_MAX).contains(&token.len()) {
        warn!(
            file = %file.display(),
            "nobody is let in with this token: it must have {TOKEN_BYTES_MIN} to {TOKEN_BYTES_MAX} bytes"
        );
        return None;
    }
    Some(token.to_vec())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::Duration;

    use super::*;

    const TOKEN: &str = "a-token-that-may-do-all";
    const READING: &str = "a-token-that-may-look";

    fn request<'a>(headers: &'a [(&'a str, &'a str)]) -> Request<'a> {
        Request {
            method: "GET",
            target: "/2015-03-31/event-source-mappings",
            headers,
            body: b"",
        }
    }

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000)
    }

    fn access(api: Api, listen: &str) -> Access {
        Access::new(&api, listen.parse().unwrap())
    }

    fn code(granted: Result<Granted, Denied>) -> Result<Granted, &'static str> {
        granted.map_err(|denied| denied.code)
    }

    #[test]
    fn where_nobody_is_named_this_machine_may_and_no_web_page() {
        let asked = |listen: &str, headers: &[(&str, &str)]| {
            code(access(Api::default(), listen).granted(&request(headers), now()))
        };
        let denied = Err("AccessDeniedException");
        for host in [
            "127.0.0.1:9480",
            "localhost:9480",
            "LOCALHOST",
            "[::1]:9480",
            "127.9.9.9",
        ] {
            assert_eq!(
                asked("127.0.0.1:9480", &[("host", host)]),
                Ok(Granted::All),
                "{host}"
            );
            assert_eq!(asked("[::1]:9480", &[("host", host)]), Ok(Granted::All));
            assert_eq!(asked("0.0.0.0:9480", &[("host", host)]), denied);
            assert_eq!(asked("10.0.0.1:9480", &[("host", host)]), denied);
            let page = [("host", host), ("origin", "https://example.com")];
            assert_eq!(asked("127.0.0.1:9480", &page), denied);
        }
        for host in [
            "example.com",
            "example.com:9480",
            "127.0.0.1.example.com",
            "",
            "[",
            "localhost.",
            "10.0.0.1",
        ] {
            assert_eq!(asked("127.0.0.1:9480", &[("host", host)]), denied, "{host}");
        }
        assert_eq!(asked("127.0.0.1:9480", &[]), denied);
    }

    struct Tokens {
        folder: tempfile::TempDir,
    }

    impl Tokens {
        fn new() -> Self {
            let tokens = Self {
                folder: tempfile::tempdir().unwrap(),
            };
            std::fs::write(tokens.all(), format!("{TOKEN}\n")).unwrap();
            std::fs::write(tokens.reading(), READING).unwrap();
            tokens
        }

        fn all(&self) -> PathBuf {
            self.folder.path().join("all")
        }

        fn reading(&self) -> PathBuf {
            self.folder.path().join("reading")
        }

        fn access(&self) -> Access {
            let api = Api {
                token_file: Some(self.all()),
                read_only_token_file: Some(self.reading()),
                ..Api::default()
            };
            access(api, "127.0.0.1:9480")
        }

        fn asked(&self, authorization: Option<&str>) -> Result<Granted, &'static str> {
            let mut headers = vec![("host", "127.0.0.1:9480")];
            headers.extend(authorization.map(|value| ("authorization", value)));
            code(self.access().granted(&request(&headers), now()))
        }
    }

    #[test]
    fn a_token_says_what_its_holder_may_do_on_a_loopback_address_too() {
        let tokens = Tokens::new();
        let with = |token: &str| tokens.asked(Some(&format!("Bearer {token}")));
        assert_eq!(with(TOKEN), Ok(Granted::All));
        assert_eq!(
            tokens.asked(Some(&format!("bearer  {TOKEN} "))),
            Ok(Granted::All)
        );
        assert_eq!(with(READING), Ok(Granted::Reading));
        for wrong in [
            "",
            "a",
            "a-token-that-may-do-al",
            "a-token-that-may-do-all2",
            "A-TOKEN-THAT-MAY-DO-ALL",
        ] {
            assert_eq!(with(wrong), Err("UnrecognizedClientException"), "{wrong}");
        }
        assert_eq!(
            tokens.asked(None),
            Err("MissingAuthenticationTokenException")
        );
        assert_eq!(
            tokens.asked(Some(TOKEN)),
            Err("IncompleteSignatureException")
        );
        assert_eq!(
            tokens.asked(Some("Basic YTpi")),
            Err("IncompleteSignatureException")
        );
    }

    #[test]
    fn a_token_is_changed_without_a_restart_and_one_that_is_guessed_lets_nobody_in() {
        let tokens = Tokens::new();
        let with = |token: &str| tokens.asked(Some(&format!("Bearer {token}")));
        std::fs::write(tokens.all(), "another-token-for-all").unwrap();
        assert_eq!(with(TOKEN), Err("UnrecognizedClientException"));
        assert_eq!(with("another-token-for-all"), Ok(Granted::All));
        for short in ["", "\n", "123456789012345"] {
            std::fs::write(tokens.all(), short).unwrap();
            assert_eq!(with(short), Err("UnrecognizedClientException"));
        }
        std::fs::remove_file(tokens.all()).unwrap();
        assert_eq!(with(""), Err("UnrecognizedClientException"));
        assert_eq!(with(READING), Ok(Granted::Reading));
    }

    #[test]
    fn secrets_are_not_shown() {
        let text = "Service: { Api: { AccessKeys: [ { AccessKeyId: AKIAIOSFODNN7EXAMPLE, SecretAccessKey: wJalrXUtnFEMI/K7MDENG } ] } }";
        let config = crate::config::Config::parse("a.yaml", text, &|_| None).unwrap();
        assert!(config.service.api.asks());
        let shown = format!(
            "{config:?} {} {}",
            crate::config::json(&config),
            crate::config::table(&config)
        );
        assert!(!shown.contains("wJalr"), "{shown}");
    }
}
