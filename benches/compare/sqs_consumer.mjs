// The most used consumer of queues in Node, with a handler that invokes a function: sqs_consumer.mjs ENDPOINT ARN CONCURRENCY

import { InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda";
import { SQSClient } from "@aws-sdk/client-sqs";
import { Consumer } from "sqs-consumer";

const [endpoint, arn, concurrency] = process.argv.slice(2);
const account = { accessKeyId: "anyone", secretAccessKey: "anything" };
const settings = { endpoint, region: "us-east-1", credentials: account };
const lambda = new LambdaClient(settings);
const sqs = new SQSClient(settings);

async function handleMessageBatch(messages) {
  const Records = messages.map((message) => ({
    messageId: message.MessageId,
    receiptHandle: message.ReceiptHandle,
    body: message.Body,
    attributes: message.Attributes ?? {},
    messageAttributes: message.MessageAttributes ?? {},
    md5OfBody: message.MD5OfBody,
    eventSource: "aws:sqs",
    eventSourceARN: arn,
    awsRegion: "us-east-1",
  }));
  const answer = await lambda.send(new InvokeCommand({ FunctionName: "bench", Payload: JSON.stringify({ Records }) }));
  if (answer.FunctionError) throw new Error(answer.FunctionError);
  return messages;
}

// The name alone is of account and queue: the endpoint is the client's.
const queueUrl = `${endpoint}/000000000000/${arn.split(":").pop()}`;
for (let number = 0; number < Number(concurrency); number += 1) {
  const consumer = Consumer.create({
    queueUrl,
    sqs,
    batchSize: 10,
    waitTimeSeconds: 20,
    messageSystemAttributeNames: ["All"],
    messageAttributeNames: ["All"],
    handleMessageBatch,
  });
  consumer.on("error", (error) => { throw error; });
  consumer.on("processing_error", (error) => { throw error; });
  consumer.start();
}
