//! The control API, driven by the client of AWS's own SDK, from whose side nothing tells us from AWS.

use aws_sdk_lambda::Client;
use aws_sdk_lambda::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_lambda::types::{EventSourcePosition, FilterCriteria};

use crate::e2e::{bodies, count, numbers};
use crate::support::cloud::{Cloud, sdk_config};
use crate::support::collector::{Collector, Reply};
use crate::support::gate::Gate;
use crate::support::queue::{EMPTY, QueueShape};

crate::support::scenarios! {
    a_mapping_that_is_created_polls_and_survives_a_restart,
    an_update_takes_effect_and_a_disabled_mapping_rests,
    a_deleted_mapping_is_gone_with_its_position,
    a_mapping_of_a_file_is_shown_and_changed_in_its_file_alone,
    what_does_not_exist_is_refused_and_nothing_is_kept,
}

/// A client of the gate's control API.
fn client(gate: &Gate) -> Client {
    Client::new(&sdk_config(&format!("http://{}", gate.admin())))
}

/// The code and the message of an error.
fn refused<T: std::fmt::Debug, E>(answer: Result<T, SdkError<E>>) -> (String, String)
where
    E: ProvideErrorMetadata + std::fmt::Debug,
{
    let error = answer.expect_err("it is refused");
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    (text(error.code()), text(error.message()))
}

/// Returns when the mapping is in this state.
async fn until(client: &Client, uuid: &str, state: &str) {
    let reached = async {
        loop {
            let shown = client.get_event_source_mapping().uuid(uuid).send().await;
            if shown.expect("it is there").state() == Some(state) {
                return;
            }
            tokio::time::sleep(crate::support::POLL).await;
        }
    };
    let reached = tokio::time::timeout(crate::support::PATIENCE, reached).await;
    assert!(reached.is_ok(), "{uuid} is never {state}");
}

async fn a_mapping_that_is_created_polls_and_survives_a_restart(cloud: Cloud) {
    let collector = Collector::start(|_| Reply::success()).await;
    let queue = cloud.queue("orders", QueueShape::default()).await;
    let function = cloud.function("process", &collector).await;
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("checkpoints.db");
    let config = cloud.config().checkpoints(&file);
    let gate = config.start().await;
    assert!(!file.exists(), "there is nothing to keep yet");
    let client_ = client(&gate);
    let created = client_
        .create_event_source_mapping()
        .event_source_arn(&queue.arn)
        .function_name("process")
        .batch_size(7)
        .send()
        .await
        .unwrap();
    let uuid = created.uuid().unwrap().to_owned();
    assert_eq!(created.state(), Some("Creating"));
    assert_eq!(created.state_transition_reason(), Some("USER_INITIATED"));
    assert_eq!(created.function_arn(), Some(function.as_str()));
    assert_eq!(created.batch_size(), Some(7));
    assert!(created.last_modified().is_some());
    queue.send_all(&numbers(20)).await;
    queue.wait_for(EMPTY).await;
    assert_eq!(bodies(&collector.calls()), numbers(20));
    until(&client_, &uuid, "Enabled").await;
    gate.stop().await;

    let gate = config.start().await;
    let listed = client(&gate)
        .list_event_source_mappings()
        .function_name("process")
        .send()
        .await
        .unwrap();
    let listed = listed.event_source_mappings();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].uuid(), Some(uuid.as_str()));
    queue.send_all(&numbers(3)).await;
    queue.wait_for(EMPTY).await;
    assert_eq!(count(&collector.calls()), 23);
    assert_eq!(gate.stop().await.deleted, 3);
}

async fn an_update_takes_effect_and_a_disabled_mapping_rests(cloud: Cloud) {
    let collector = Collector::start(|_| Reply::success()).await;
    let queue = cloud.queue("orders", QueueShape::default()).await;
    cloud.function("process", &collector).await;
    let gate = cloud.config().start().await;
    let client = client(&gate);
    let created = client
        .create_event_source_mapping()
        .event_source_arn(&queue.arn)
        .function_name("process")
        .enabled(false)
        .send()
        .await
        .unwrap();
    assert_eq!(created.state(), Some("Disabled"));
    let uuid = created.uuid().unwrap();
    queue.send_all(&numbers(4)).await;
    let filter = aws_sdk_lambda::types::Filter::builder().pattern(r#"{"body":["002"]}"#);
    let updated = client
        .update_event_source_mapping()
        .uuid(uuid)
        .enabled(true)
        .filter_criteria(FilterCriteria::builder().filters(filter.build()).build())
        .send()
        .await
        .unwrap();
    assert_eq!(updated.state(), Some("Enabling"));
    queue.wait_for(EMPTY).await;
    assert_eq!(bodies(&collector.calls()), ["002"]);
    until(&client, uuid, "Enabled").await;
    let disabled = client
        .update_event_source_mapping()
        .uuid(uuid)
        .enabled(false);
    assert_eq!(disabled.send().await.unwrap().state(), Some("Disabling"));
    until(&client, uuid, "Disabled").await;
    // What was not named has stayed as it was.
    let shown = client.get_event_source_mapping().uuid(uuid).send().await;
    let shown = shown.unwrap();
    assert_eq!(shown.filter_criteria().unwrap().filters().len(), 1);
    gate.stop().await;
}

async fn a_deleted_mapping_is_gone_with_its_position(cloud: Cloud) {
    let collector = Collector::start(|_| Reply::success()).await;
    let stream = cloud.stream("clicks", 1).await;
    let function = cloud.function("count", &collector).await;
    let texts: Vec<String> = numbers(5);
    stream.put("a", &texts).await;
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("checkpoints.db");
    let gate = cloud.config().checkpoints(&file).start().await;
    let client = client(&gate);
    let create = || {
        client
            .create_event_source_mapping()
            .event_source_arn(&stream.arn)
            .function_name(&function)
            .starting_position(EventSourcePosition::TrimHorizon)
            .send()
    };
    for round in 1..=2 {
        let created = create().await.unwrap();
        assert_eq!(created.state_transition_reason(), Some("User action"));
        assert_eq!(
            created.last_processing_result(),
            Some("No records processed")
        );
        let uuid = created.uuid().unwrap();
        // Whoever had the position of the one before would see nothing.
        collector
            .wait_for("all records", |calls| {
                crate::e2e::streams::delivered(calls).len() == 5 * round
            })
            .await;
        if round == 1 {
            let (code, message) = refused(create().await);
            assert_eq!(code, "ResourceConflictException");
            assert!(message.ends_with(&format!("with UUID {uuid}")), "{message}");
        }
        let deleted = client.delete_event_source_mapping().uuid(uuid).send().await;
        assert_eq!(deleted.unwrap().state(), Some("Deleting"));
        let gone = client.get_event_source_mapping().uuid(uuid).send().await;
        assert_eq!(
            refused(gone),
            (
                "ResourceNotFoundException".to_owned(),
                "The resource you requested does not exist.".to_owned()
            )
        );
    }
    gate.stop().await;
    let verified = std::process::Command::new(crate::support::gate::program())
        .args(["checkpoint", "verify"])
        .arg(&file)
        .output()
        .unwrap();
    let verified = String::from_utf8(verified.stdout).unwrap();
    assert!(
        verified.ends_with("good, 0 mappings, 0 shards, 0 registrations\n"),
        "{verified}"
    );
}

async fn a_mapping_of_a_file_is_shown_and_changed_in_its_file_alone(cloud: Cloud) {
    let collector = Collector::start(|_| Reply::success()).await;
    let queue = cloud.queue("orders", QueueShape::default()).await;
    let function = cloud.function("process", &collector).await;
    let gate = cloud
        .config()
        .mapping("orders", &queue.arn, &function, "BatchSize: 3")
        .start()
        .await;
    gate.ready().await;
    let client = client(&gate);
    let listed = client.list_event_source_mappings().send().await.unwrap();
    let [listed] = listed.event_source_mappings() else {
        panic!("{listed:?}");
    };
    assert_eq!(
        (listed.batch_size(), listed.state()),
        (Some(3), Some("Enabled"))
    );
    let uuid = listed.uuid().unwrap();
    let update = client
        .update_event_source_mapping()
        .uuid(uuid)
        .batch_size(4);
    let (code, message) = refused(update.send().await);
    assert_eq!(code, "ResourceConflictException");
    assert!(message.contains("is defined in "), "{message}");
    let delete = client.delete_event_source_mapping().uuid(uuid).send().await;
    assert_eq!(refused(delete).0, "ResourceConflictException");
    queue.send_all(&numbers(3)).await;
    queue.wait_for(EMPTY).await;
    gate.stop().await;
}

async fn what_does_not_exist_is_refused_and_nothing_is_kept(cloud: Cloud) {
    let collector = Collector::start(|_| Reply::success()).await;
    let queue = cloud.queue("orders", QueueShape::default()).await;
    cloud.function("process", &collector).await;
    let gate = cloud.config().start().await;
    let client = client(&gate);
    let create = |source: &str, function: &str| {
        client
            .create_event_source_mapping()
            .event_source_arn(source)
            .function_name(function)
            .send()
    };
    let missing = queue.arn.replace("orders", "nothing");
    for (source, function, expected) in [
        (queue.arn.as_str(), "nobody", "Function does not exist"),
        (
            missing.as_str(),
            "process",
            "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. SQS Error Message: The specified queue does not exist.",
        ),
    ] {
        let (code, message) = refused(create(source, function).await);
        assert_eq!(
            (code.as_str(), message.as_str()),
            ("InvalidParameterValueException", expected)
        );
    }
    let listed = client.list_event_source_mappings().send().await.unwrap();
    assert_eq!(listed.event_source_mappings().len(), 0);
    gate.stop().await;
}
