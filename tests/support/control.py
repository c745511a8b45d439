"""Drives the control API with the clients that teams have: botocore, on which boto3 stands, and the AWS CLI. Holds the
answers key by key against what AWS answers. Run by tests/run, in its venv: control.py SLUICEGATE."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import botocore.auth
import botocore.awsrequest
import botocore.config
import botocore.credentials
import botocore.httpsession
import botocore.session
from botocore.exceptions import ClientError

SLUICEGATE = Path(sys.argv[1]).resolve()
VENV = Path(sys.executable).parent
REGION = "us-east-1"
KEY, SECRET = "AKIAIOSFODNN7EXAMPLE", "a-secret-that-nobody-guesses"
READER, READERS_SECRET = "AKIAREADEREXAMPLE000", "another-that-nobody-guesses"

# Section 1.3 of the behaviour that we follow: the keys of a fresh mapping.
OF_A_QUEUE = {
    "BatchSize", "EventSourceArn", "EventSourceMappingArn", "FunctionArn", "FunctionResponseTypes", "LastModified",
    "MaximumBatchingWindowInSeconds", "State", "StateTransitionReason", "UUID",
}
OF_A_STREAM = OF_A_QUEUE | {
    "BisectBatchOnFunctionError", "DestinationConfig", "LastProcessingResult", "MaximumRecordAgeInSeconds",
    "MaximumRetryAttempts", "ParallelizationFactor", "StartingPosition", "TumblingWindowInSeconds",
}
SETTINGS_OF_A_STREAM = {
    "BatchSize": 100, "BisectBatchOnFunctionError": False, "DestinationConfig": {"OnFailure": {}},
    "FunctionResponseTypes": [], "LastProcessingResult": "No records processed", "MaximumBatchingWindowInSeconds": 0,
    "MaximumRecordAgeInSeconds": -1, "MaximumRetryAttempts": -1, "ParallelizationFactor": 1,
    "StateTransitionReason": "User action", "TumblingWindowInSeconds": 0,
}

checks = 0


def same(what, found, expected):
    global checks
    checks += 1
    if found != expected:
        sys.exit(f"control: {what}:\n  found    {found!r}\n  expected {expected!r}")


def until(what, holds, seconds=30):
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            sys.exit(f"control: never {what}")
        time.sleep(0.02)


class Program:
    """A running program, ended when it is left."""

    def __init__(self, *arguments, ready):
        self.process = subprocess.Popen(
            [SLUICEGATE, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(KEY, SECRET))
        stream = self.process.stdout if ready == "listening" else self.process.stderr
        for line in stream:
            if ready in line:
                self.line = line
                return
        sys.exit(f"control: {arguments[0]} does not start: {self.process.stderr.read()}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=30)


def environment(key, secret):
    return {
        "PATH": os.environ["PATH"], "AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret, "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION, "AWS_EC2_METADATA_DISABLED": "true", "AWS_PAGER": "", "NO_PROXY": "*",
    }


def client(service, endpoint, key=KEY, secret=SECRET):
    session = botocore.session.Session()
    session.set_credentials(key, secret)
    config = botocore.config.Config(retries={"total_max_attempts": 1}, proxies={})
    return session.create_client(service, region_name=REGION, endpoint_url=endpoint, config=config)


def refused(call, **arguments):
    """Code, status and message of an error."""
    try:
        answer = call(**arguments)
    except ClientError as error:
        answer = error.response
        return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Message"]
    sys.exit(f"control: not refused: {arguments}: {answer}")


def settings(answer):
    return {key: value for key, value in answer.items() if key != "ResponseMetadata"}


def by_botocore(api, world):
    queue, stream = world["queue"], world["stream"]
    created = api.create_event_source_mapping(EventSourceArn=queue, FunctionName="process")
    same("status of a create", created["ResponseMetadata"]["HTTPStatusCode"], 202)
    same("keys of a queue's mapping", set(settings(created)), OF_A_QUEUE)
    uuid = created["UUID"]
    same("a queue's mapping", {key: created[key] for key in ("BatchSize", "FunctionArn", "State", "StateTransitionReason")}, {
        "BatchSize": 10, "FunctionArn": world["function"], "State": "Creating", "StateTransitionReason": "USER_INITIATED"})
    same("its ARN", created["EventSourceMappingArn"], f"arn:aws:lambda:{REGION}:000000000000:event-source-mapping:{uuid}")
    until("enabled", lambda: api.get_event_source_mapping(UUID=uuid)["State"] == "Enabled")

    streamed = api.create_event_source_mapping(EventSourceArn=stream, FunctionName="process", StartingPosition="TRIM_HORIZON")
    same("keys of a stream's mapping", set(settings(streamed)), OF_A_STREAM)
    same("a stream's mapping", {key: streamed[key] for key in SETTINGS_OF_A_STREAM}, SETTINGS_OF_A_STREAM)

    updated = api.update_event_source_mapping(UUID=uuid, BatchSize=5, FunctionResponseTypes=["ReportBatchItemFailures"])
    same("an update", (updated["State"], updated["BatchSize"], updated["FunctionResponseTypes"]),
         ("Updating", 5, ["ReportBatchItemFailures"]))
    updated = api.update_event_source_mapping(UUID=uuid, Enabled=False)
    same("a disabling", (updated["State"], updated["BatchSize"]), ("Disabling", 5))
    until("disabled", lambda: api.get_event_source_mapping(UUID=uuid)["State"] == "Disabled")

    # Pages of one, through botocore's own paginator.
    pages = api.get_paginator("list_event_source_mappings").paginate(PaginationConfig={"PageSize": 1})
    found = [mapping["UUID"] for page in pages for mapping in page["EventSourceMappings"]]
    same("a list in pages", sorted(found), sorted([uuid, streamed["UUID"]]))
    only = api.list_event_source_mappings(EventSourceArn=queue)["EventSourceMappings"]
    same("a list of a source", [mapping["UUID"] for mapping in only], [uuid])
    same("a list of an alias", api.list_event_source_mappings(FunctionName="process:live")["EventSourceMappings"], [])

    arn = created["EventSourceMappingArn"]
    same("status of a tag", api.tag_resource(Resource=arn, Tags={"team": "orders é"})["ResponseMetadata"]["HTTPStatusCode"], 204)
    same("tags", api.list_tags(Resource=arn)["Tags"], {"team": "orders é"})
    api.untag_resource(Resource=arn, TagKeys=["team"])
    same("no tags", api.list_tags(Resource=arn)["Tags"], {})

    wrong_everything(api, world, uuid)
    for gone in (uuid, streamed["UUID"]):
        same("a delete", api.delete_event_source_mapping(UUID=gone)["State"], "Deleting")
        same("a mapping that is gone", refused(api.get_event_source_mapping, UUID=gone),
             ("ResourceNotFoundException", 404, "The resource you requested does not exist."))


def wrong_everything(api, world, uuid):
    invalid = "InvalidParameterValueException"
    queue, stream, function = world["queue"], world["stream"], "process"
    create = api.create_event_source_mapping
    cases = [
        ((create, {"FunctionName": function}), (invalid, 400, "Unrecognized event source.")),
        ((create, {"EventSourceArn": queue, "FunctionName": "nobody"}), (invalid, 400, "Function does not exist")),
        ((create, {"EventSourceArn": queue, "FunctionName": function}), (
            "ResourceConflictException", 409,
            f'An event source mapping with SQS arn (" {queue} ") and function (" {function} ") already exists. '
            f"Please update or delete the existing mapping with UUID {uuid}")),
        ((create, {"EventSourceArn": queue + "-missing", "FunctionName": function}), (
            invalid, 400, "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. "
            "SQS Error Message: The specified queue does not exist.")),
        ((create, {"EventSourceArn": stream + "-missing", "FunctionName": function, "StartingPosition": "LATEST"}),
         (invalid, 400, f"Stream not found: {stream}-missing")),
        ((create, {"EventSourceArn": stream, "FunctionName": function}), (
            invalid, 400, "1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: "
            "Member must not be null.")),
        ((create, {"EventSourceArn": stream, "FunctionName": function, "StartingPosition": "invalid"}), (
            "ValidationException", 400, "1 validation error detected: Value 'invalid' at 'startingPosition' failed to satisfy "
            "constraint: Member must satisfy enum value set: [LATEST, AT_TIMESTAMP, TRIM_HORIZON]")),
        ((create, {"EventSourceArn": queue, "FunctionName": function, "BatchSize": 11}), (
            invalid, 400, "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10")),
        ((create, {"EventSourceArn": queue, "FunctionName": function, "DestinationConfig": {"OnFailure": {"Destination": queue}}}),
         (invalid, 400, "Unsupported DestinationConfig parameter for given event source mapping type.")),
        ((create, {"EventSourceArn": queue, "FunctionName": function, "FilterCriteria": {"Filters": [{"Pattern": "{"}]}}),
         (invalid, 400, "Invalid filter pattern definition.")),
        ((api.update_event_source_mapping, {"UUID": uuid[::-1]}),
         ("ResourceNotFoundException", 404, "The resource you requested does not exist.")),
        ((api.delete_event_source_mapping, {"UUID": uuid[::-1]}),
         ("ResourceNotFoundException", 404, "The resource you requested does not exist.")),
        ((api.list_tags, {"Resource": f"arn:aws:lambda:{REGION}:000000000000:event-source-mapping:{uuid[::-1]}"}),
         ("ResourceNotFoundException", 404,
          f"Event source mapping not found: arn:aws:lambda:{REGION}:000000000000:event-source-mapping:{uuid[::-1]}")),
    ]
    for (call, arguments), expected in cases:
        same(f"{arguments}", refused(call, **arguments), expected)


def by_cli(endpoint, world):
    def aws(*arguments, fails=None):
        done = subprocess.run(
            [VENV / "aws", "--endpoint-url", endpoint, "lambda", *arguments],
            env=environment(KEY, SECRET), capture_output=True, text=True)
        if fails:
            same(f"aws {arguments[0]} fails: {done.stderr}", (done.returncode != 0, fails in done.stderr), (True, True))
            return None
        if done.returncode:
            sys.exit(f"control: aws {arguments}: {done.stderr}")
        return json.loads(done.stdout) if done.stdout else None

    created = aws("create-event-source-mapping", "--event-source-arn", world["queue"], "--function-name", "process",
                  "--batch-size", "20", "--maximum-batching-window-in-seconds", "1")
    same("keys by the CLI", set(created), OF_A_QUEUE)
    uuid = created["UUID"]
    listed = aws("list-event-source-mappings", "--function-name", "process")
    same("a list by the CLI", [mapping["UUID"] for mapping in listed["EventSourceMappings"]], [uuid])
    updated = aws("update-event-source-mapping", "--uuid", uuid, "--no-enabled")
    same("an update by the CLI", updated["State"], "Disabling")
    aws("create-event-source-mapping", "--event-source-arn", world["queue"], "--function-name", "process",
        fails="(ResourceConflictException) when calling the CreateEventSourceMapping operation")
    same("a delete by the CLI", aws("delete-event-source-mapping", "--uuid", uuid)["State"], "Deleting")
    aws("get-event-source-mapping", "--uuid", uuid, fails="(ResourceNotFoundException)")


def raw(endpoint, method, path, body=None, key=KEY, secret=SECRET):
    """A request that no SDK knows, signed by botocore: status, AWS's name of an error, and body."""
    data = b"" if body is None else json.dumps(body).encode()
    request = botocore.awsrequest.AWSRequest(method, f"{endpoint}/2015-03-31/event-source-mappings/{path}", data=data)
    if key:
        botocore.auth.SigV4Auth(botocore.credentials.Credentials(key, secret), "lambda", REGION).add_auth(request)
    answer = botocore.httpsession.URLLib3Session().send(request.prepare())
    return answer.status_code, answer.headers.get("x-amzn-errortype"), json.loads(answer.content)


def beyond_aws(endpoint, world, readers):
    """Pause, resume and positions: each route for whoever may, may only look, and may not."""
    api = client("lambda", endpoint)
    queue = api.create_event_source_mapping(EventSourceArn=world["queue"], FunctionName="process")["UUID"]
    stream = api.create_event_source_mapping(
        EventSourceArn=world["stream"], FunctionName="process", StartingPosition="TRIM_HORIZON")["UUID"]
    until("enabled", lambda: api.get_event_source_mapping(UUID=stream)["State"] == "Enabled")
    horizon = {"StartingPosition": "TRIM_HORIZON"}
    for method, verb, body, granted in [
            ("GET", "position", None, 200), ("PUT", "position", horizon, 200), ("PUT", "position", {"Undo": True}, 200),
            ("POST", "pause", None, 202), ("POST", "resume", None, 202)]:
        what, path = f"{method} {verb}", f"{stream}/{verb}"
        if readers:
            same(f"{what} by nobody", raw(endpoint, method, path, body, None)[:2], (403, "MissingAuthenticationTokenException"))
            same(f"{what} by another", raw(endpoint, method, path, body, KEY, "x")[:2], (403, "InvalidSignatureException"))
            looks = (200, None) if method == "GET" else (403, "AccessDeniedException")
            same(f"{what} by a reader", raw(endpoint, method, path, body, READER, READERS_SECRET)[:2], looks)
        same(what, raw(endpoint, method, path, body)[:2], (granted, None))

    for uuid in (queue, stream):
        status, _, paused = raw(endpoint, "POST", f"{uuid}/pause")
        same("a pause", (status, paused["Paused"], paused["StateTransitionReason"]), (202, True, "Paused by the control API"))
        until("paused", lambda: api.get_event_source_mapping(UUID=uuid)["State"] == "Disabled")
        # Whatever the SDK knows of it, and what is ours.
        same("keys of a paused mapping", set(raw(endpoint, "GET", uuid)[2]),
             (OF_A_QUEUE if uuid == queue else OF_A_STREAM) | {"Name", "Paused"})
        same("a resume", raw(endpoint, "POST", f"{uuid}/resume")[2]["Paused"], False)

    status, _, at = raw(endpoint, "GET", f"{stream}/position")
    same("keys of positions", (status, set(at)), (200, {"UUID", "EventSourceArn", "Shards", "Undo", "NextMarker"}))
    shard = at["Shards"][0]["ShardId"]
    invalid = (400, "InvalidParameterValueException")
    for body, expected in [
            ({}, invalid), ({**horizon, "Undo": True}, invalid), ({"Undo": True}, invalid),
            ({"StartingPosition": "EARLIEST"}, (400, "ValidationException")),
            ({"StartingPosition": "AT_TIMESTAMP"}, invalid),
            ({"StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": time.time() + 3600}, invalid),
            ({"Shards": [{"ShardId": "shardId-000000000009", **horizon}]}, invalid),
            ({"Shards": [{"ShardId": shard}]}, invalid),
            ({"Shards": [{"ShardId": shard, "SequenceNumber": "one"}]}, invalid),
            ({"Shards": [{"ShardId": shard, "SequenceNumber": "1"}]}, invalid)]:
        same(f"positions {body}", raw(endpoint, "PUT", f"{stream}/position", body)[:2], expected)
    same("positions of a queue", raw(endpoint, "PUT", f"{queue}/position", horizon)[:2], invalid)
    same("a pause of nobody", raw(endpoint, "POST", f"{stream[::-1]}/pause")[:2], (404, "ResourceNotFoundException"))
    same("another method", raw(endpoint, "GET", f"{stream}/pause")[:2], (405, "MethodNotAllowedException"))
    moment = {"StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": 1700000000.5}
    shown = raw(endpoint, "PUT", f"{stream}/position", moment)[2]
    same("a moment", shown["Shards"], [{"ShardId": shard, **moment}])
    same("the time of an undo", abs(shown["Undo"]["Replaced"] - time.time()) < 60, True)
    same("an undo", raw(endpoint, "PUT", f"{stream}/position", {"Undo": True})[2], at)
    for uuid in (queue, stream):
        api.delete_event_source_mapping(UUID=uuid)


def by_keys(endpoint, world):
    """Who is named in Service.Api, and what each may do."""
    call = lambda *keys: client("lambda", endpoint, *keys)
    refusal = refused(call(KEY, "not-the-secret-that-it-is").list_event_source_mappings)
    same("another secret", refusal[:2], ("InvalidSignatureException", 403))
    refusal = refused(call("AKIANOBODYEXAMPLE000", SECRET).list_event_source_mappings)
    same("another key", refusal[:2], ("UnrecognizedClientException", 403))
    reader = call(READER, READERS_SECRET)
    same("a reader", reader.list_event_source_mappings()["EventSourceMappings"], [])
    refusal = refused(reader.create_event_source_mapping, EventSourceArn=world["queue"], FunctionName="process")
    same("a reader who writes", refusal[:2], ("AccessDeniedException", 403))


def main():
    with tempfile.TemporaryDirectory() as folder, \
            Program("sim", "--listen", "127.0.0.1:0", "--function", "process=http://127.0.0.1:1/", ready="listening") as sim:
        aws = sim.line.split()[-1]
        url = client("sqs", aws).create_queue(QueueName="orders")["QueueUrl"]
        arn = client("sqs", aws).get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        client("kinesis", aws).create_stream(StreamName="clicks", ShardCount=1)
        stream = client("kinesis", aws).describe_stream_summary(StreamName="clicks")["StreamDescriptionSummary"]["StreamARN"]
        world = {"queue": arn, "stream": stream, "function": f"arn:aws:lambda:{REGION}:000000000000:function:process"}

        def gate(api):
            path = Path(folder) / "sluicegate.yaml"
            path.write_text(
                f"Service: {{ Listen: '127.0.0.1:0', ShutdownGraceInSeconds: 2{api} }}\nAws: {{ EndpointUrl: '{aws}' }}\n"
                f"Checkpoints: {{ File: '{folder}/checkpoints.db' }}\nEventSourceMappings: []\n")
            program = Program("run", "--config", str(path), ready='"started"')
            return program, "http://" + json.loads(program.line)["listen"]

        keys = (f", Api: {{ AccessKeys: [ {{ AccessKeyId: {KEY}, SecretAccessKey: {SECRET} }}, "
                f"{{ AccessKeyId: {READER}, SecretAccessKey: {READERS_SECRET}, ReadOnly: true }} ] }}")
        for api in ("", keys):
            program, endpoint = gate(api)
            with program:
                if api:
                    by_keys(endpoint, world)
                by_botocore(client("lambda", endpoint), world)
                by_cli(endpoint, world)
                beyond_aws(endpoint, world, bool(api))
                # Who is asked about is not who asks: pages for machines need no key.
                same("livez", urllib.request.urlopen(f"{endpoint}/livez").status, 200)
    print(f"control: {checks} checks by botocore {botocore.__version__} and the AWS CLI")


main()
