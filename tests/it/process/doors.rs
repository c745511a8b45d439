//! Every page and every route of the listener, for whoever asks with and without a token, on a loopback address and off
//! it. The rows are held against the program's own lists: a route without a row fails.

use std::path::Path;

use sluicegate::admin::answer::PAGES;
use sluicegate::control::ROUTES;

use crate::support::gate::{Config, Gate};

const ALL: &str = "the-token-that-may-do-everything";
const LOOK: &str = "the-token-that-may-look";
const NOBODYS: &str = "the-token-that-nobody-has-given-out";

/// Who may.
#[derive(Clone, Copy, Debug)]
enum Door {
    /// Whoever reaches the address: it only reads, and tells no secret.
    Open,
    /// Whoever may look.
    Look,
    /// Whoever may change.
    Change,
}

const MAPPINGS: &str = "/2015-03-31/event-source-mappings";
const MAPPING: &str = "/2015-03-31/event-source-mappings/{UUID}";
const PAUSE: &str = "/2015-03-31/event-source-mappings/{UUID}/pause";
const RESUME: &str = "/2015-03-31/event-source-mappings/{UUID}/resume";
const POSITION: &str = "/2015-03-31/event-source-mappings/{UUID}/position";
const TAGS: &str = "/2017-03-31/tags/{ARN}";

/// Each with the status that whoever is let in gets: no mapping has the UUID, and no body says anything.
const ROWS: [(&str, &str, Door, u16); 18] = [
    ("GET", "/", Door::Open, 200),
    ("GET", "/healthz", Door::Open, 200),
    ("GET", "/livez", Door::Open, 200),
    ("GET", "/metrics", Door::Open, 200),
    ("GET", "/readyz", Door::Open, 200),
    ("GET", "/version", Door::Open, 200),
    ("POST", MAPPINGS, Door::Change, 400),
    ("GET", MAPPINGS, Door::Look, 200),
    ("GET", MAPPING, Door::Look, 404),
    ("PUT", MAPPING, Door::Change, 404),
    ("DELETE", MAPPING, Door::Change, 404),
    ("POST", PAUSE, Door::Change, 404),
    ("POST", RESUME, Door::Change, 404),
    ("GET", POSITION, Door::Look, 404),
    ("PUT", POSITION, Door::Change, 400),
    ("GET", TAGS, Door::Look, 404),
    ("POST", TAGS, Door::Change, 400),
    ("DELETE", TAGS, Door::Change, 400),
];

/// Off the loopback address, reached through it all the same.
const EVERYWHERE: &str = "0.0.0.0:0";
const HERE: &str = "127.0.0.1:0";

const IN: Option<&str> = None;
const FORBIDDEN: Option<&str> = Some("AccessDeniedException");
const MISSING: Option<&str> = Some("MissingAuthenticationTokenException");
const UNKNOWN: Option<&str> = Some("UnrecognizedClientException");

/// What whoever has no token, a wrong one, the one that may look and the one that may do all is told: let in, or why not.
fn expected(door: Door, listen: &str, asks: bool) -> [Option<&'static str>; 4] {
    match (door, asks, listen) {
        (Door::Open, _, _) => [IN, IN, IN, IN],
        (Door::Look, true, _) => [MISSING, UNKNOWN, IN, IN],
        (Door::Change, true, _) => [MISSING, UNKNOWN, FORBIDDEN, IN],
        // Nobody was given a token: this machine may, and no other.
        (Door::Look | Door::Change, false, HERE) => [IN, IN, IN, IN],
        (Door::Look | Door::Change, false, _) => [FORBIDDEN, FORBIDDEN, FORBIDDEN, FORBIDDEN],
    }
}

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

fn path(template: &str) -> String {
    template
        .replace("{UUID}", "14e0db71-5d35-4eb5-b481-8945cf9d10c2")
        .replace(
            "{ARN}",
            "arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Aevent-source-mapping%3A14e0db71-5d35-4eb5-b481-8945cf9d10c2",
        )
}

async fn gate(listen: &str, asks: bool, folder: &Path) -> Gate {
    let config = Config::at("http://127.0.0.1:9").listen(listen);
    let file = |name: &str, token: &str| {
        let path = folder.join(name);
        std::fs::write(&path, token).expect("a token's file");
        path.display().to_string()
    };
    let (all, look) = (file("all", ALL), file("look", LOOK));
    let api = format!("TokenFile: \"{all}\", ReadOnlyTokenFile: \"{look}\"");
    match asks {
        true => config.api(&api),
        false => config,
    }
    .start()
    .await
}

// reliability: 6
#[tokio::test]
async fn every_route_lets_in_whom_it_may_on_and_off_the_loopback_address() {
    let mut routes: Vec<_> = PAGES
        .iter()
        .map(|(path, _)| ("GET".to_owned(), *path))
        .collect();
    routes.extend(
        ROUTES
            .iter()
            .map(|route| (route.method.to_string(), route.path)),
    );
    let rows = ROWS.map(|(method, path, _, _)| (method.to_owned(), path));
    assert_eq!(routes, rows, "each route has its row");

    let folder = tempfile::tempdir().unwrap();
    let who = [
        ("no token", String::new()),
        ("a wrong token", bearer(NOBODYS)),
        ("the token that may look", bearer(LOOK)),
        ("the token that may do all", bearer(ALL)),
    ];
    for (listen, asks) in [
        (HERE, false),
        (HERE, true),
        (EVERYWHERE, false),
        (EVERYWHERE, true),
    ] {
        let gate = gate(listen, asks, folder.path()).await;
        for (method, template, door, status) in ROWS {
            let expected = expected(door, listen, asks);
            for ((who, head), refusal) in who.iter().zip(expected) {
                let (page, code) = gate.ask(method, &path(template), head, "").await;
                let asked = format!("{method} {template} at {listen} (asks: {asks}) with {who}");
                match refusal {
                    None => assert_eq!(page.status, status, "{asked}: {page:?}"),
                    Some(_) => {
                        assert_eq!((page.status, code.as_deref()), (403, refusal), "{asked}")
                    }
                }
                for token in [ALL, LOOK, NOBODYS] {
                    assert!(!page.body.contains(token), "{asked}: {page:?}");
                }
            }
        }
        // What is no route is not told from one without a token: nobody learns what there is.
        let (page, code) = gate.ask("GET", "/2015-03-31/functions", "", "").await;
        match (asks, listen) {
            (true, _) => assert_eq!((page.status, code.as_deref()), (403, MISSING)),
            (false, HERE) => assert_eq!(page.status, 404),
            (false, _) => assert_eq!((page.status, code.as_deref()), (403, FORBIDDEN)),
        }
        gate.stop().await;
    }
}
