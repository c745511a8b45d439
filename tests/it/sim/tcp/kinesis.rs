//! Kinesis over TCP: a record there and back, and events pushed as chunks of one answer.

use aws_sdk_kinesis::{
    primitives::Blob,
    types::{ShardIteratorType, StartingPosition},
};

use super::Served;

#[tokio::test]
async fn a_record_goes_the_whole_way_over_tcp() {
    let served = Served::start().await;
    let client = aws_sdk_kinesis::Client::new(&served.sdk_config());
    client
        .create_stream()
        .stream_name("s")
        .shard_count(1)
        .send()
        .await
        .unwrap();
    let put = client.put_record().stream_name("s").partition_key("k");
    let put = put.data(Blob::new("hello")).send().await.unwrap();
    let get = client
        .get_shard_iterator()
        .stream_name("s")
        .shard_id(put.shard_id());
    let at = get
        .shard_iterator_type(ShardIteratorType::TrimHorizon)
        .send()
        .await
        .unwrap();
    let got = client
        .get_records()
        .set_shard_iterator(at.shard_iterator)
        .send()
        .await
        .unwrap();
    assert_eq!(got.records()[0].data().as_ref(), b"hello");
    assert_eq!(got.records()[0].sequence_number(), put.sequence_number());
    served.stop().await;
}

#[tokio::test]
async fn events_are_pushed_over_tcp_until_the_shard_ends_or_the_server_does() {
    let served = Served::start().await;
    let client = aws_sdk_kinesis::Client::new(&served.sdk_config());
    served.world.create_stream("s", 1).unwrap();
    let consumer = served.world.register_consumer("s", "c").unwrap();
    let subscribe = async |shard: &str| {
        let from = StartingPosition::builder().r#type(ShardIteratorType::TrimHorizon);
        let call = client
            .subscribe_to_shard()
            .consumer_arn(&consumer)
            .shard_id(shard);
        call.starting_position(from.build().unwrap())
            .send()
            .await
            .unwrap()
            .event_stream
    };
    let mut events = subscribe("shardId-000000000000").await;
    let mut counts = Vec::new();
    for n in 0..3 {
        let event = events.recv().await.unwrap().unwrap();
        counts.push(event.as_subscribe_to_shard_event().unwrap().records().len());
        match n {
            0 => drop(served.world.put_record("s", "k", "1").unwrap()),
            1 => drop(
                served
                    .world
                    .split_shard("s", "shardId-000000000000")
                    .unwrap(),
            ),
            _ => {}
        }
    }
    assert_eq!(counts, [0, 1, 0]);
    assert_eq!(events.recv().await.unwrap(), None);
    let mut child = subscribe("shardId-000000000001").await;
    child.recv().await.unwrap().unwrap();
    served.stop().await;
    assert!(child.recv().await.is_err());
}
