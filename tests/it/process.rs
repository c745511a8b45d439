//! The process in bad surroundings: it says what is wrong in a line, ends only where there is nothing to hope for, and
//! never panics.

mod bounds;
mod canaries;
mod doors;
mod life;
mod stop;
mod streams;
mod wire;

use std::fs::File;
use std::io::pipe;
use std::process::Stdio;

use tokio::net::TcpListener;
use tokio::process::Command;

use crate::e2e::{bodies, numbers};
use crate::support::cloud::Cloud;
use crate::support::collector::{Collector, Reply};
use crate::support::gate::{Config, Gate, Page, Program, program};
use crate::support::line::Line;
use crate::support::ministack::free_port;
use crate::support::queue::{EMPTY, QueueShape};
use crate::support::tls::{Certificate, Guard};

const ORDERS: &str = "arn:aws:sqs:us-east-1:000000000000:orders";

// contract: 1
#[tokio::test]
async fn a_wrong_configuration_ends_with_2_and_a_line_for_each_error() {
    let wrong = "Service: { Listen: nowhere }\nEventSourceMappings:\n  - EventSourceArn: arn:aws:sqs:us-east-1:000000000000:orders\n    FunctionName: process\n    BatchSize: 20000\n    BatchSise: 1\n";
    let (code, said) = Program::with(wrong).end().await;
    assert_eq!(code, Some(2));
    assert_eq!(
        said,
        [
            "gate.yaml:1: Service.Listen: \"nowhere\" is no address to listen on; expected an IP address or localhost, and a port: 127.0.0.1:9480",
            "gate.yaml:5: EventSourceMappings[0].BatchSize: 20000 is more than 10000",
            "gate.yaml:6: EventSourceMappings[0].BatchSise: unknown key; did you mean BatchSize?",
        ]
    );
}

#[tokio::test]
async fn a_configuration_that_cannot_be_read_ends_with_2() {
    let unreadable =
        Program::with("Service: {}").but(|command| command.args(["--config", "missing.yaml"]));
    let (code, said) = unreadable.end().await;
    assert_eq!(code, Some(2));
    assert_eq!(
        said,
        ["missing.yaml: cannot be read: No such file or directory (os error 2)"]
    );
}

#[tokio::test]
async fn a_log_filter_that_cannot_be_read_ends_with_2() {
    let config = Config::at("http://127.0.0.1:9").mapping("orders", ORDERS, "process", "");
    let (code, said) = config
        .program()
        .but(|command| command.env("RUST_LOG", "sluicegate=loud"))
        .end()
        .await;
    assert_eq!(code, Some(2));
    assert!(
        said.len() == 1 && said[0].starts_with("RUST_LOG: \"sluicegate=loud\" is no filter: "),
        "{said:?}"
    );
}

#[tokio::test]
async fn an_address_that_is_taken_ends_with_1_before_anything_is_received() {
    let taken = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let cloud = Cloud::embedded().await;
    let queue = cloud.queue("orders", QueueShape::default()).await;
    queue.send("000").await;
    let config = Config::at(&cloud.endpoint)
        .listen(&address)
        .mapping("orders", &queue.arn, "process", "");
    let (code, said) = config.program().end().await;
    assert_eq!(code, Some(1));
    assert_eq!(
        said,
        [format!(
            "failed to listen on {address}: address in use; set Service.Listen"
        )]
    );
    assert_eq!(queue.counts().await.visible, 1);
}

/// What `/readyz` says about the mapping `orders` once it failed to start.
async fn reason(gate: &Gate) -> String {
    let failing = |page: &Page| page.mapping("orders")["state"] == "Failing";
    let page = gate.wait_for("/readyz", "a reason", failing).await;
    assert_eq!(page.status, 503);
    assert_eq!(gate.get("/livez").await.status, 200);
    page.mapping("orders")["reason"]
        .as_str()
        .expect("a reason")
        .to_owned()
}

#[tokio::test]
async fn credentials_that_are_nowhere_are_named_as_the_reason_with_what_to_set() {
    let config = Config::at("http://127.0.0.1:9").mapping("orders", ORDERS, "process", "");
    let broken = "[profile broken]\ncredential_process = /bin/false\n";
    for (profile, cause) in [
        (None, "no credentials found in chain"),
        (Some("nobody"), "no credentials found in chain"),
        (Some("broken"), "external process exited"),
    ] {
        let program = config.program().file(".aws/config", broken).but(|command| {
            command
                .env_remove("AWS_ACCESS_KEY_ID")
                .env("AWS_EC2_METADATA_DISABLED", "true");
            command.envs(profile.map(|name| ("AWS_PROFILE", name)))
        });
        let gate = program.start().await;
        let reason = reason(&gate).await;
        let expected = "failed to start: the queue arn:aws:sqs:us-east-1:000000000000:orders: \
                        no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, \
                        or AWS_PROFILE, or give this machine a role; tried: ";
        assert!(
            reason.starts_with(expected) && reason.contains(cause),
            "{profile:?}: {reason}"
        );
        // The SDK would print the whole answer of whoever was asked for credentials.
        let foreign = |line: &String| line.contains("aws_config");
        assert!(!gate.log().iter().any(foreign), "{:?}", gate.log());
        gate.stop().await;
    }
}

/// Delivers a message and drains.
async fn works(cloud: &Cloud, name: &str, change: impl FnOnce(&mut Command) -> &mut Command) {
    let collector = Collector::start(|_| Reply::success()).await;
    let queue = cloud.queue(name, QueueShape::default()).await;
    // Where it says nothing, it cannot say where it listens.
    let address = format!("127.0.0.1:{}", free_port().await);
    let config = Config::at(&cloud.endpoint)
        .listen(&address)
        .function("process", &collector.url("process"), 10)
        .mapping("orders", &queue.arn, "process", "");
    let mut gate = config.program().but(change).launch();
    queue.send_all(&numbers(3)).await;
    queue.wait_for(EMPTY).await;
    let address = address.parse().expect("an address");
    let ready = Gate::try_get(address, "/readyz").await.expect("it listens");
    assert_eq!(ready.status, 200, "{name}");
    gate.signal("TERM").await;
    assert_eq!(gate.ended().await.code(), Some(0), "{name}");
    assert_eq!(bodies(&collector.calls()), numbers(3), "{name}");
}

type Variables<'a> = &'a [(&'a str, &'a str)];

// contract: 2
#[tokio::test]
async fn endpoint_and_credentials_come_from_where_every_aws_tool_has_them() {
    let cloud = Cloud::embedded().await;
    let collector = Collector::start(|_| Reply::success()).await;
    let function = cloud.function("process", &collector).await;
    let at = cloud.endpoint.as_str();
    let nowhere = "http://127.0.0.1:9";
    let profile = format!("[profile mine]\nendpoint_url = {at}\n");
    let services = format!(
        "[profile mine]\nservices = local\n[services local]\nsqs =\n  endpoint_url = {at}\nlambda =\n  endpoint_url = {at}\n"
    );
    let credentials = "[mine]\naws_access_key_id = a\naws_secret_access_key = b\n";
    let cases: [(&str, Variables, &str); 4] = [
        ("everything", &[("AWS_ENDPOINT_URL", at)], ""),
        (
            "each-service",
            &[
                ("AWS_ENDPOINT_URL", nowhere),
                ("AWS_ENDPOINT_URL_SQS", at),
                ("AWS_ENDPOINT_URL_LAMBDA", at),
            ],
            "",
        ),
        ("profile", &[("AWS_PROFILE", "mine")], &profile),
        ("services", &[("AWS_PROFILE", "mine")], &services),
    ];
    for (name, envs, config) in cases {
        let queue = cloud.queue(name, QueueShape::default()).await;
        queue.send(name).await;
        let from_profile = envs.iter().any(|(name, _)| *name == "AWS_PROFILE");
        let program = Config::somewhere()
            .mapping("orders", &queue.arn, &function, "")
            .program()
            .file(".aws/config", config)
            .file(".aws/credentials", credentials);
        let gate = program
            .but(|command| {
                if from_profile {
                    command
                        .env_remove("AWS_ACCESS_KEY_ID")
                        .env_remove("AWS_SECRET_ACCESS_KEY");
                }
                command.envs(envs.iter().copied())
            })
            .start()
            .await;
        gate.ready().await;
        queue.wait_for(EMPTY).await;
    }
    assert_eq!(
        bodies(&collector.calls()),
        ["each-service", "everything", "profile", "services"]
    );
}

fn full() -> Stdio {
    File::options()
        .write(true)
        .open("/dev/full")
        .expect("a disk that is full")
        .into()
}

/// The write end of a pipe that nobody reads.
fn broken() -> Stdio {
    let (_, writer) = pipe().expect("a pipe");
    writer.into()
}

#[tokio::test]
async fn a_log_that_nobody_can_write_stops_nothing() {
    let cloud = Cloud::embedded().await;
    works(&cloud, "full", |command| {
        command.stderr(full()).stdout(full())
    })
    .await;
    works(&cloud, "broken", |command| {
        command.stderr(broken()).stdout(broken())
    })
    .await;
}

#[tokio::test]
async fn a_process_without_standard_streams_works() {
    let cloud = Cloud::embedded().await;
    // Descriptors 0 to 2 are given to the first files and sockets that are opened.
    let program = program();
    let closed = format!("exec \"{program}\" run --config gate.yaml <&- >&- 2>&-");
    works(&cloud, "closed", move |command| {
        let mut shell = Command::new("sh");
        shell.args(["-c", &closed]).env_clear().kill_on_drop(true);
        for (name, value) in command.as_std().get_envs() {
            shell.env(name, value.unwrap_or_default());
        }
        shell.current_dir(
            command
                .as_std()
                .get_current_dir()
                .expect("a folder of its own"),
        );
        *command = shell;
        command
    })
    .await;
}

const UNTRUSTING: [(&str, &str); 2] = [
    ("SSL_CERT_FILE", "/nonexistent"),
    ("SSL_CERT_DIR", "/nonexistent"),
];

#[tokio::test]
async fn plain_http_needs_no_root_certificates() {
    let cloud = Cloud::embedded().await;
    works(&cloud, "untrusting", |command| command.envs(UNTRUSTING)).await;
}

#[tokio::test]
async fn a_certificate_that_nobody_trusts_is_named_as_the_reason() {
    let nobody = "http://127.0.0.1:9";
    let stranger = Line::guarded(nobody, Guard::Shows(Certificate::Unknown));
    let config = Config::at(&stranger.endpoint()).mapping("orders", ORDERS, "process", "");
    for envs in [&UNTRUSTING[..], &[]] {
        let gate = config
            .program()
            .but(|command| command.envs(envs.iter().copied()))
            .start()
            .await;
        let reason = reason(&gate).await;
        assert!(
            reason.contains("invalid peer certificate: UnknownIssuer"),
            "{reason}"
        );
        gate.stop().await;
    }
}
