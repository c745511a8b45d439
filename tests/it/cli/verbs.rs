//! `list` and `diff --against service`, asked of the program itself; and what every verb that asks a service says of whoever
//! does not answer as one.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tokio::time::timeout;

use super::program::{Ended, Running, command, ended, get, request, run, sqs};
use super::scripted::{Scripted, answer, ok, refusal};
use super::written;
use crate::support::{PATIENCE, POLL};

const LIST: &str = "/2015-03-31/event-source-mappings";

/// A running service with a queue and a stream of an embedded AWS, which is a process of its own.
struct Service {
    _aws: Running,
    aws: String,
    _service: Running,
    address: String,
    folder: tempfile::TempDir,
}

const MAPPINGS: &str = "EventSourceMappings:
  - Name: incoming
    EventSourceArn: arn:aws:sqs:us-east-1:000000000000:orders
    FunctionName: process
  - EventSourceArn: arn:aws:kinesis:us-east-1:000000000000:stream/clicks
    FunctionName: process
    StartingPosition: TRIM_HORIZON
";

impl Service {
    async fn start(api: &str) -> Self {
        Self::with_function("http://127.0.0.1:1", api).await
    }

    /// The function is at this URL.
    async fn with_function(function: &str, api: &str) -> Self {
        let mut sim = Running::start(&["sim", "--listen", "127.0.0.1:0"]);
        let line = sim.line().await;
        let aws = line
            .strip_prefix("listening on http://")
            .expect("an address");
        for queue in ["orders", "payments"] {
            sqs(aws, "CreateQueue", &json!({ "QueueName": queue }));
        }
        let head = "POST / HTTP/1.1\r\nX-Amz-Target: Kinesis_20131202.CreateStream\r\nContent-Type: application/x-amz-json-1.1";
        let stream = json!({ "StreamName": "clicks", "ShardCount": 1 });
        assert_eq!(request(aws, head, &stream.to_string()).0, 200);
        let folder = tempfile::tempdir().expect("a folder for the test");
        let config = config(aws, "127.0.0.1:0", api, folder.path());
        let config = config.replace("http://127.0.0.1:1", function);
        let path = written(folder.path(), "gate.yaml", &config);
        let mut service = Running::start(&["run", "--config", path.to_str().expect("plain")]);
        let started = service.event("started").await;
        let address = started["listen"].as_str().expect("an address").to_owned();
        let service = Self {
            aws: aws.to_owned(),
            _aws: sim,
            _service: service,
            address,
            folder,
        };
        service.enabled().await;
        service
    }

    /// Returns once both run.
    async fn enabled(&self) {
        let enabled = || {
            let (_, page) = get(&self.address, "/readyz");
            let page: Value = serde_json::from_str(&page).expect("JSON");
            let mappings = page["mappings"].as_array().expect("mappings");
            mappings.iter().all(|mapping| mapping["state"] == "Enabled")
        };
        let reached = async {
            while !enabled() {
                tokio::time::sleep(POLL).await;
            }
        };
        timeout(PATIENCE, reached).await.expect("both are enabled");
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A configuration file that names where the service listens, with other mappings.
    fn file(&self, name: &str, api: &str, mappings: &str) -> String {
        let text = config(&self.aws, &self.address, api, self.folder.path());
        let text = text.replace(MAPPINGS, mappings);
        let path = written(self.folder.path(), name, &text);
        path.to_str().expect("a plain name").to_owned()
    }
}

fn config(aws: &str, listen: &str, api: &str, folder: &Path) -> String {
    let api = api.replace("DIR", folder.to_str().expect("a plain name"));
    format!(
        "Service: {{ Listen: '{listen}', ShutdownGraceInSeconds: 2, Api: {{ {api} }} }}
Aws: {{ Region: us-east-1, EndpointUrl: 'http://{aws}' }}
Checkpoints: {{ Memory: true }}
Functions: {{ process: {{ Http: {{ Url: 'http://127.0.0.1:1/' }}, TimeoutInSeconds: 10 }} }}
{MAPPINGS}"
    )
}

#[tokio::test]
async fn a_running_service_is_listed_and_held_against_its_files() {
    let service = Service::start("").await;
    let (url, gate) = (service.url(), service.folder.path().join("gate.yaml"));
    let gate = gate.to_str().expect("a plain name").to_owned();
    let listed = run(&["list", "--service", &url]);
    assert_eq!((listed.code, listed.err.as_str()), (Some(0), ""));
    let rows: Vec<Vec<&str>> = listed
        .out
        .lines()
        .map(|line| {
            line.split("  ")
                .map(str::trim)
                .filter(|cell| !cell.is_empty())
                .collect()
        })
        .collect();
    let from = |line: usize| format!("{gate}:{line}");
    assert_eq!(
        rows,
        [
            vec![
                "NAME",
                "STATE",
                "PAUSED",
                "SOURCE",
                "FUNCTION",
                "LAST RESULT",
                "FROM",
                "REASON"
            ],
            vec![
                "clicks-process",
                "Enabled",
                "-",
                "arn:aws:kinesis:us-east-1:000000000000:stream/clicks",
                "process",
                "No records processed",
                &from(9),
                "-",
            ],
            vec![
                "incoming",
                "Enabled",
                "-",
                "arn:aws:sqs:us-east-1:000000000000:orders",
                "process",
                "-",
                &from(6),
                "-",
            ],
        ],
        "{}",
        listed.out
    );
    let json = run(&["list", "--service", &url, "--format", "json"]);
    assert_eq!((json.code, json.err.as_str()), (Some(0), ""));
    let saved = written(service.folder.path(), "saved.json", &json.out);
    let checked = run(&["validate", "--config", saved.to_str().expect("plain")]);
    assert_eq!(
        (checked.code, checked.out.lines().count()),
        (Some(0), 3),
        "{checked:?}"
    );
    // Where it listens stands in the configuration; that of a port that was free does not say.
    let named = service.file("named.yaml", "", MAPPINGS);
    assert_eq!(run(&["list", "--config", &named]), listed);
    let unknown = run(&["list", "--config", &gate]);
    assert_eq!(unknown.code, Some(2));
    assert!(
        unknown
            .err
            .starts_with("Service.Listen takes any free port"),
        "{}",
        unknown.err
    );

    let same = run(&["diff", "--config", &named, "--against", "service"]);
    assert_eq!(
        (same.code, same.err.as_str()),
        (Some(0), ""),
        "{}",
        same.out
    );
    let summary = format!("same: 2, different: 0, only in {named}: 0, only in {url}: 0\n");
    assert_eq!(same.out, summary);
    assert_eq!(run(&["diff", "--config", &named, "--against", &url]), same);

    let create = json!({
        "EventSourceArn": "arn:aws:sqs:us-east-1:000000000000:payments",
        "FunctionName": "process",
    });
    let head = format!("POST {LIST} HTTP/1.1\r\nContent-Type: application/json");
    let (status, body) = request(&service.address, &head, &create.to_string());
    assert_eq!(status, 202, "{body}");
    let changed = MAPPINGS.replace("Name: incoming", "Name: incoming\n    BatchSize: 7");
    let changed = service.file("changed.yaml", "", &changed);
    let differs = run(&["diff", "--config", &changed, "--against", &url]);
    assert_eq!((differs.code, differs.err.as_str()), (Some(1), ""));
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:process";
    assert_eq!(
        differs.out,
        format!(
            "only in {url}: payments-process, arn:aws:sqs:us-east-1:000000000000:payments to {arn}, there from the API\n\
             different: incoming, arn:aws:sqs:us-east-1:000000000000:orders to {arn}, there from {gate}:6\n    \
             BatchSize: 7 in {changed}, 10 in {url}\n\
             same: 1, different: 1, only in {changed}: 0, only in {url}: 1\n"
        )
    );
    let args = [
        "diff",
        "--config",
        &changed,
        "--against",
        &url,
        "--format",
        "json",
    ];
    let shown: Value = serde_json::from_str(&run(&args).out).expect("one object");
    assert_eq!(shown["OnlyThere"][0]["DefinedIn"], "the API");
    assert_eq!(shown["Different"][0]["DefinedIn"], format!("{gate}:6"));
}

/// A GET on the control API.
fn shown(service: &Service, name: &str) -> Value {
    let listed = run(&["list", "--service", &service.url(), "--format", "json"]);
    assert_eq!(told(&listed), (Some(0), ""));
    let listed: Value = serde_json::from_str(&listed.out).expect("one object");
    let mappings = listed["EventSourceMappings"].as_array().expect("a list");
    let found = mappings.iter().find(|mapping| mapping["Name"] == name);
    found.expect("it is listed").clone()
}

#[tokio::test]
async fn mappings_of_a_running_service_are_paused_and_resumed() {
    let service = Service::start("").await;
    let url = service.url();
    let paused = run(&["pause", "--service", &url, "incoming", "clicks-process"]);
    assert_eq!(told(&paused), (Some(0), ""));
    for (line, name) in paused.out.lines().zip(["incoming", "clicks-process"]) {
        assert!(line.starts_with(&format!("{name}: paused")), "{line}");
    }
    let rests = async {
        while shown(&service, "incoming")["State"] != "Disabled" {
            tokio::time::sleep(POLL).await;
        }
    };
    timeout(PATIENCE, rests).await.expect("it comes to rest");
    let now = shown(&service, "incoming");
    assert_eq!(
        (&now["Paused"], &now["StateTransitionReason"]),
        (&json!(true), &json!("Paused by the control API"))
    );
    let listed = run(&["list", "--service", &url]);
    let row = listed
        .out
        .lines()
        .find(|line| line.starts_with("incoming "));
    let row = row.expect("it is listed");
    assert!(
        row.starts_with("incoming        Disabled  yes     arn:"),
        "{row}"
    );
    let saved = run(&["list", "--service", &url, "--format", "json"]);
    let saved = written(service.folder.path(), "saved.json", &saved.out);
    assert_eq!(
        run(&["validate", "--config", saved.to_str().expect("plain")]).code,
        Some(0)
    );

    let named = service.file("named.yaml", "", MAPPINGS);
    let differs = run(&["diff", "--config", &named, "--against", "service"]);
    assert_eq!(told(&differs), (Some(1), ""));
    let held = format!("    Paused: not set in {named}, true in {url}");
    let lines = differs.out.lines();
    assert_eq!(
        lines.filter(|line| *line == held).count(),
        2,
        "{}",
        differs.out
    );
    assert!(!differs.out.contains("Enabled"), "{}", differs.out);

    let again = run(&["pause", "--service", &url, "incoming"]);
    assert_eq!(
        (again.code, again.out.as_str()),
        (Some(0), "incoming: was paused already\n")
    );
    let resumed = run(&["resume", "--service", &url, "--all"]);
    let expected = "clicks-process: resumed\nincoming: resumed\n";
    assert_eq!(
        (resumed.code, resumed.out.as_str(), resumed.err.as_str()),
        (Some(0), expected, "")
    );
    service.enabled().await;
    assert_eq!(shown(&service, "incoming")["Paused"], Value::Null);
    let same = run(&["diff", "--config", &named, "--against", "service"]);
    assert_eq!(same.code, Some(0), "{}", same.out);
    let again = run(&["resume", "--service", &url, "incoming"]);
    assert_eq!(
        (again.code, again.out.as_str()),
        (Some(0), "incoming: was not paused\n")
    );
}

#[tokio::test]
async fn a_running_stream_is_sought_back_and_forth() {
    let function = Scripted::start(|_, _| ok(&json!({})));
    let service = Service::with_function(&function.url, "").await;
    let url = service.url();
    let put = json!({ "StreamName": "clicks", "Data": "aGVsbG8=", "PartitionKey": "a" });
    let head = "POST / HTTP/1.1\r\nX-Amz-Target: Kinesis_20131202.PutRecord\r\nContent-Type: application/x-amz-json-1.1";
    let (status, body) = request(&service.aws, head, &put.to_string());
    assert_eq!(status, 200, "{body}");
    let put: Value = serde_json::from_str(&body).expect("JSON");
    let record = put["SequenceNumber"].as_str().expect("a number").to_owned();
    let (shard, name) = ("shardId-000000000000", "clicks-process");
    let seek = |more: &[&str]| run(&[&["seek", name, "--service", &url], more].concat());
    let until = |position: String| {
        let (seek, expected) = (
            &seek,
            format!("SHARD                 POSITION\n{shard}  {position}\n"),
        );
        async move {
            let reached = async {
                while !seek(&[]).out.starts_with(&expected) {
                    tokio::time::sleep(POLL).await;
                }
            };
            let reached = timeout(PATIENCE, reached).await;
            reached.unwrap_or_else(|_| panic!("it is never at {expected}, but {:?}", seek(&[])));
        }
    };
    until(format!("after {record}")).await;
    let calls = || {
        let calls = function.asked();
        calls
            .iter()
            .filter(|(_, event)| event.contains(&record))
            .count()
    };
    assert_eq!(calls(), 1);

    let back = seek(&["--to", "trim-horizon", "--yes"]);
    assert_eq!(told(&back), (Some(0), ""));
    let done = format!(
        "{name}: the one shard sought to TRIM_HORIZON; `sluicegate seek {name} --undo` puts it back\n"
    );
    assert!(back.out.ends_with(&done), "{}", back.out);
    until(format!("after {record}")).await;
    assert_eq!(calls(), 2, "it is delivered again");

    let at = seek(&["--to", &record, "--shard", shard, "--yes"]);
    assert_eq!(told(&at), (Some(0), ""));
    assert!(
        at.out.contains("that is the record which was settled last"),
        "{}",
        at.out
    );
    until(format!("after {record}")).await;
    assert_eq!(calls(), 3);

    // Paused, it keeps the place where it is put.
    assert_eq!(run(&["pause", name, "--service", &url]).code, Some(0));
    for to in ["trim-horizon", "TRIM_HORIZON"] {
        let back = seek(&["--to", to, "--shard", shard, "--yes"]);
        assert_eq!(told(&back), (Some(0), ""));
        let rests = format!("; it is paused, and goes on there after `sluicegate resume {name}`\n");
        assert!(back.out.ends_with(&rests), "{}", back.out);
        until("TRIM_HORIZON".to_owned()).await;
    }
    let undone = seek(&["--undo", "--yes"]);
    assert_eq!(told(&undone), (Some(0), ""));
    let nothing = seek(&["--undo", "--yes"]);
    assert_eq!(nothing.code, Some(1));
    assert!(
        nothing.err.contains("there is nothing to undo"),
        "{}",
        nothing.err
    );
    let shown: Value = serde_json::from_str(&seek(&["--format", "json"]).out).expect("one object");
    assert_eq!(
        shown["Shards"][0]["StartingPosition"], "TRIM_HORIZON",
        "{shown}"
    );
    let time = seek(&["--to", "2026-01-01T00:00:00Z", "--yes", "--format", "json"]);
    let shown: Value = serde_json::from_str(&time.out).expect("one object");
    assert_eq!(
        shown["Shards"][0]["StartingPositionTimestamp"], 1_767_225_600.0,
        "{shown}"
    );
    assert_eq!(calls(), 3, "it is paused");

    for (args, expected) in [
        (
            &["--to", "latest", "--shard", "shardId-000000000009", "--yes"][..],
            "ShardId: shardId-000000000009: the stream has no such shard",
        ),
        (
            &["--to", "300000000000000499659", "--shard", shard, "--yes"],
            "SequenceNumber: ",
        ),
    ] {
        let refused = seek(args);
        assert_eq!(refused.code, Some(1), "{args:?}");
        let expected = format!("{name}: not sought: {url} refuses: {expected}");
        assert!(refused.err.starts_with(&expected), "{}", refused.err);
    }
    let queue = run(&["seek", "incoming", "--service", &url]);
    assert_eq!(queue.code, Some(1));
    assert!(
        queue.err.contains("which has no positions"),
        "{}",
        queue.err
    );
}

/// What a run ends with: its code, and what it says to people.
fn told(ended: &Ended) -> (Option<i32>, &str) {
    (ended.code, ended.err.as_str())
}

#[tokio::test]
async fn a_service_is_told_who_asks() {
    const KEYS: &str = "AccessKeys: [ { AccessKeyId: AKIAWRITER0000000000, SecretAccessKey: a-secret-of-sixteen }, \
                        { AccessKeyId: AKIAREADER0000000000, SecretAccessKey: a-secret-of-another, ReadOnly: true } ]";
    let service = Service::start(&format!("{KEYS}, TokenFile: DIR/token")).await;
    let (url, folder) = (service.url(), service.folder.path());
    let token = written(folder, "token", "a-token-that-may-do-all\n");
    let other = written(folder, "other", "a-token-of-somebody-else");
    let plain = |path: &PathBuf| path.to_str().expect("a plain name").to_owned();
    let named = service.file("named.yaml", KEYS, MAPPINGS);
    let strange =
        format!("{url} does not let you: The security token included in the request is invalid.\n");

    let with_token = run(&["list", "--service", &url, "--token-file", &plain(&token)]);
    assert_eq!(told(&with_token), (Some(0), ""));
    assert_eq!(with_token.out.lines().count(), 3);
    assert_eq!(
        run(&["list", "--config", &named]),
        with_token,
        "signed with a key of the file"
    );
    let wrong = run(&["list", "--service", &url, "--token-file", &plain(&other)]);
    assert_eq!(told(&wrong), (Some(1), strange.as_str()));
    // The environment has a key that nobody knows, then one that may look, then none.
    assert_eq!(
        told(&run(&["list", "--service", &url])),
        (Some(1), strange.as_str())
    );
    let keyed = |args: &[&str]| {
        let mut command = command(args);
        command
            .env("AWS_ACCESS_KEY_ID", "AKIAREADER0000000000")
            .env("AWS_SECRET_ACCESS_KEY", "a-secret-of-another");
        ended(&mut command)
    };
    assert_eq!(keyed(&["list", "--service", &url]), with_token);
    let mut nobody = command(&["list", "--service", &url]);
    nobody
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("HOME", folder);
    let nobody = ended(&mut nobody);
    assert_eq!(nobody.code, Some(1));
    let hint = format!(
        "{url} wants to know who asks; give --token-file FILE, or the service's --config FILE, or set AWS_ACCESS_KEY_ID"
    );
    assert!(nobody.err.starts_with(&hint), "{}", nobody.err);
    assert_eq!(nobody.err.lines().count(), 1, "{}", nobody.err);

    let missing = run(&["list", "--service", &url, "--token-file", "missing"]);
    assert_eq!(missing.code, Some(2));
    assert!(
        missing
            .err
            .starts_with("missing: the token can not be read: "),
        "{}",
        missing.err
    );
    let abroad = run(&[
        "list",
        "--service",
        "http://10.0.0.1:9480",
        "--token-file",
        &plain(&token),
    ]);
    assert_eq!(abroad.code, Some(2));
    assert!(
        abroad.err.contains("a token would be sent in plain text"),
        "{}",
        abroad.err
    );
}

#[test]
fn whoever_does_not_answer_as_a_service_is_named_in_one_line() {
    let huge = json!({ "EventSourceMappings": ["x".repeat(17 * 1024 * 1024)] });
    let html = answer("200 OK", "Content-Type: text/html\r\n", "<html>");
    let cases = [
        (
            html.clone(),
            "it answers 200 OK with text/html, not a list of mappings",
        ),
        (
            answer(
                "404 Not Found",
                "Content-Type: text/plain\r\n",
                "no such page",
            ),
            "it answers 404 Not Found with text/plain, not a list of mappings",
        ),
        (
            answer(
                "301 Moved Permanently",
                "Location: http://127.0.0.1:1/\r\n",
                "",
            ),
            "it answers 301 Moved Permanently, not a list of mappings",
        ),
        (
            answer(
                "200 OK",
                "Content-Type: application/json\r\n",
                "{\"EventSourceMappings\": [}",
            ),
            "it answers 200 OK with JSON of another kind, not a list of mappings",
        ),
        (
            ok(&json!({ "Functions": [] })),
            "it answers JSON without EventSourceMappings, not a list of mappings",
        ),
        (
            ok(&json!({ "EventSourceMappings": [], "NextMarker": "again" })),
            "it answers one page again and again, not a list of mappings",
        ),
        (ok(&huge), "it answers more than 16777216 bytes"),
        ("SSH-2.0-OpenSSH_9.9\r\n".to_owned(), "failed to ask"),
        (String::new(), "failed to ask"),
        (
            refusal("403 Forbidden", "AccessDeniedException", "not\nyou"),
            "does not let you: not\\nyou",
        ),
        (
            refusal(
                "503 Service Unavailable",
                "ServiceException",
                "the service is starting or ending",
            ),
            "failed with status 503: the service is starting or ending",
        ),
        (
            refusal(
                "404 Not Found",
                "UnknownOperationException",
                "No operation of event source mappings has this path.",
            ),
            "does not know how to do this: the service there is another version than this program",
        ),
    ];
    for (said, expected) in cases {
        let server = Scripted::start(move |_, _| said.clone());
        for verb in ["list", "pause", "seek"] {
            let mut args = vec![verb, "--service", &server.url];
            if verb != "list" {
                args.push("orders");
            }
            let Ended { code, out, err } = run(&args);
            assert_eq!((code, out.as_str()), (Some(1), ""), "{verb}: {err}");
            assert!(
                err.contains(expected) && err.contains(&server.url),
                "{verb}: {err}"
            );
            assert_eq!(err.lines().count(), 1, "{err}");
        }
    }
    let nobody = run(&["list", "--service", "http://127.0.0.1:1"]);
    assert_eq!(nobody.code, Some(1));
    let expected = "failed to ask http://127.0.0.1:1: ";
    assert!(
        nobody.err.starts_with(expected) && nobody.err.contains("efused"),
        "{}",
        nobody.err
    );
    assert!(
        nobody.err.contains("--service URL names another place"),
        "{}",
        nobody.err
    );
    assert_eq!(nobody.err.lines().count(), 1, "{}", nobody.err);
    for (url, expected) in [
        ("127.0.0.1:9480", "does not begin with http:// or https://"),
        ("http://127.0.0.1:9480/metrics", "has a path or query"),
        (
            "http://me:secret@127.0.0.1:9480",
            "remove what stands before the @",
        ),
    ] {
        let wrong = run(&["list", "--service", url]);
        assert_eq!(wrong.code, Some(2), "{url}");
        assert!(wrong.err.contains(expected), "{url}: {}", wrong.err);
    }
}

#[test]
fn every_page_is_asked_for_and_too_often_is_waited_out() {
    let mapping =
        |index: usize| json!({ "UUID": format!("{index:04}"), "Name": format!("m{index:04}") });
    let throttled = std::sync::atomic::AtomicBool::new(false);
    let server = Scripted::start(move |line, _| {
        let page = |from: usize, next: Value| {
            let mappings: Vec<Value> = (from..from + 100).map(mapping).collect();
            ok(&json!({ "EventSourceMappings": mappings, "NextMarker": next }))
        };
        match line.strip_prefix("GET ") {
            Some(LIST) => page(0, json!("a+b/c=")),
            Some("/2015-03-31/event-source-mappings?Marker=a%2Bb%2Fc%3D") => {
                match throttled.swap(true, std::sync::atomic::Ordering::SeqCst) {
                    true => page(100, Value::Null),
                    false => answer(
                        "429 Too Many Requests",
                        "Content-Type: application/json\r\nx-amzn-ErrorType: TooManyRequestsException\r\nRetry-After: 0\r\n",
                        "{}",
                    ),
                }
            }
            _ => answer("404 Not Found", "", ""),
        }
    });
    let listed = run(&["list", "--service", &server.url]);
    assert_eq!(told(&listed), (Some(0), ""));
    assert_eq!(listed.out.lines().count(), 201);
    assert!(listed.out.contains("\nm0199  "), "{}", listed.out);
    assert_eq!(server.asked().len(), 3);
    let heads = server.heads();
    assert!(
        heads
            .iter()
            .all(|head| !head.to_ascii_lowercase().contains("authorization")),
        "{heads:?}"
    );
}
