//! Sources of credentials that answer with half a secret, and endpoints with a password: the reason that is told holds none.
//! What a `credential_process` says on stderr when it fails is meant for people and is told.

use tokio::process::Command;

use super::{canary, quiet};
use crate::process::{ORDERS, reason};
use crate::support::collector::{Collector, Reply};
use crate::support::gate::Config;

/// The pages and the log of a mapping that cannot start in such an environment.
async fn told(name: &str, files: &[(&str, String)], envs: &[(&str, String)]) {
    let config = Config::at("http://127.0.0.1:9").mapping("orders", ORDERS, "process", "");
    let envs: Vec<_> = envs.to_vec();
    let mut program = config.program().but(|command: &mut Command| {
        command
            .env_remove("AWS_ACCESS_KEY_ID")
            .env_remove("AWS_SECRET_ACCESS_KEY")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("RUST_LOG", "trace")
            .envs(envs)
    });
    for (path, text) in files {
        program = program.file(path, text);
    }
    let gate = program.start().await;
    let reason = reason(&gate).await;
    quiet(name, &reason);
    quiet(name, &gate.metrics_text().await);
    quiet(name, &gate.log().join("\n"));
    gate.stop().await;
}

fn broken_document() -> String {
    let (id, secret, token) = (canary('A'), canary('B'), canary('C'));
    format!(
        r#"{{"Version":1,"AccessKeyId":"{id}","SecretAccessKey":"{secret}","SessionToken":"{token}","Expiration":"{token}","Token":"{token}" broken"#
    )
}

// reliability: I17
#[tokio::test]
async fn whoever_answers_with_half_a_secret_is_not_quoted() {
    let document = broken_document();
    let process = "[default]\ncredential_process = sh -c 'cat doc'\n".to_owned();
    told(
        "a process with a broken document",
        &[(".aws/config", process), ("doc", document.clone())],
        &[("PATH", "/usr/bin:/bin".to_owned())],
    )
    .await;
    let (id, secret) = (canary('A'), canary('B'));
    let files = format!("[default]\naws_access_key_id {id}\naws_secret_access_key {secret}\n");
    told(
        "a file that cannot be parsed",
        &[(".aws/credentials", files)],
        &[],
    )
    .await;
    let half = format!(
        "[default]\naws_secret_access_key = {secret}\naws_session_token = {}\n",
        canary('C')
    );
    told("a file with half of it", &[(".aws/credentials", half)], &[]).await;

    for (name, reply) in [
        (
            "a container's agent with a broken document",
            Reply::text(&document),
        ),
        (
            "a container's agent that refuses with it",
            Reply::status(400, &document),
        ),
    ] {
        let agent = Collector::start(move |_| reply.clone()).await;
        told(
            name,
            &[],
            &[
                ("AWS_CONTAINER_CREDENTIALS_FULL_URI", agent.url("role")),
                ("AWS_CONTAINER_AUTHORIZATION_TOKEN", canary('C')),
            ],
        )
        .await;
    }
}

#[tokio::test]
async fn the_password_of_an_endpoint_is_not_told() {
    let secret = [
        ("AWS_ACCESS_KEY_ID", canary('A')),
        ("AWS_SECRET_ACCESS_KEY", canary('B')),
        ("AWS_SESSION_TOKEN", canary('C')),
    ];
    for host in ["127.0.0.1:9", "127.0.0.1:99999", "nobody.invalid"] {
        let url = format!("http://user:{}@{host}", canary('I'));
        let config = Config::somewhere().mapping("orders", ORDERS, "process", "");
        let gate = config
            .program()
            .but(|command| {
                command
                    .envs(secret.clone())
                    .env("RUST_LOG", "trace")
                    .env("AWS_ENDPOINT_URL", &url)
            })
            .start()
            .await;
        let reason = reason(&gate).await;
        quiet(host, &reason);
        quiet(host, &gate.metrics_text().await);
        quiet(host, &gate.log().join("\n"));
        gate.stop().await;
    }
}
