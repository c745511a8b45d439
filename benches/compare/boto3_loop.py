"""The loop that one writes in Python: boto3, threads, a JSON event. It keeps no promise.

    boto3_loop.py queue|kinesis ENDPOINT ARN CONCURRENCY
"""

import base64
import json
import sys
import threading

import boto3
from botocore.config import Config

REGION = "us-east-1"


def client(service, endpoint):
    settings = Config(max_pool_connections=64)
    return boto3.client(service, endpoint_url=endpoint, region_name=REGION, config=settings)


def invoke(functions, records):
    answer = functions.invoke(FunctionName="bench", Payload=json.dumps({"Records": records}).encode())
    answer["Payload"].read()
    if answer.get("FunctionError"):
        raise RuntimeError(answer["FunctionError"])


def queue(sqs, functions, url, arn):
    while True:
        received = sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=20, MessageSystemAttributeNames=["All"], MessageAttributeNames=["All"]
        )
        messages = received.get("Messages", [])
        if not messages:
            continue
        invoke(functions, [
            {
                "messageId": message["MessageId"], "receiptHandle": message["ReceiptHandle"], "body": message["Body"],
                "attributes": message.get("Attributes", {}), "messageAttributes": message.get("MessageAttributes", {}),
                "md5OfBody": message["MD5OfBody"], "eventSource": "aws:sqs", "eventSourceARN": arn, "awsRegion": REGION,
            }
            for message in messages
        ])
        entries = [{"Id": str(index), "ReceiptHandle": message["ReceiptHandle"]} for index, message in enumerate(messages)]
        sqs.delete_message_batch(QueueUrl=url, Entries=entries)


def shard(kinesis, functions, arn, shard_id):
    opened = kinesis.get_shard_iterator(StreamARN=arn, ShardId=shard_id, ShardIteratorType="TRIM_HORIZON")
    iterator = opened["ShardIterator"]
    while iterator:
        read = kinesis.get_records(StreamARN=arn, ShardIterator=iterator, Limit=1000)
        invoke(functions, [
            {
                "kinesis": {
                    "kinesisSchemaVersion": "1.0", "partitionKey": record["PartitionKey"], "sequenceNumber": record["SequenceNumber"],
                    "data": base64.b64encode(record["Data"]).decode(),
                    "approximateArrivalTimestamp": record["ApproximateArrivalTimestamp"].timestamp(),
                },
                "eventSource": "aws:kinesis", "eventVersion": "1.0", "eventID": f"{shard_id}:{record['SequenceNumber']}",
                "eventName": "aws:kinesis:record", "invokeIdentityArn": "", "awsRegion": REGION, "eventSourceARN": arn,
            }
            for record in read["Records"]
        ])
        iterator = read.get("NextShardIterator")


def main():
    source, endpoint, arn, concurrency = sys.argv[1:]
    functions = client("lambda", endpoint)
    if source == "queue":
        sqs = client("sqs", endpoint)
        url = sqs.get_queue_url(QueueName=arn.rsplit(":", 1)[1])["QueueUrl"]
        loops = [(queue, (sqs, functions, url, arn))] * int(concurrency)
    else:
        kinesis = client("kinesis", endpoint)
        shards = kinesis.list_shards(StreamARN=arn)["Shards"]
        loops = [(shard, (kinesis, functions, arn, each["ShardId"])) for each in shards]
    threads = [threading.Thread(target=loop, args=given) for loop, given in loops]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


main()
