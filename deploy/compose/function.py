"""The function of compose.yaml: says what it is given, and fails a message that says "fail"."""


def handler(event, _context):
    failed = []
    for record in event["Records"]:
        print(record["messageId"], record["body"])
        if record["body"] == "fail":
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}
