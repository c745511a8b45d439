//! Wrong configurations, each with the exact lines that the user sees.

use sluicegate::config::Config;

/// A text and the lines of its errors.
type Case = (&'static str, &'static [&'static str]);

fn check(cases: &[Case]) {
    for (text, expected) in cases {
        let env = |name: &str| (name == "WORD").then(|| "ten".to_owned());
        let errors = Config::parse("a.yaml", text, &env).expect_err(text);
        let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(lines, *expected, "{text}");
    }
}

#[test]
fn a_text_that_is_no_configuration_is_refused_as_a_whole() {
    check(&[
        (
            "",
            &["a.yaml: the file is empty; expected keys such as EventSourceMappings"],
        ),
        (
            "# nothing but a comment\n",
            &["a.yaml: the file is empty; expected keys such as EventSourceMappings"],
        ),
        (
            "---\n",
            &["a.yaml: the file is empty; expected keys such as EventSourceMappings"],
        ),
        (
            "~",
            &["a.yaml: the file is empty; expected keys such as EventSourceMappings"],
        ),
        (
            "- a
- b
",
            &["a.yaml:1: expected a mapping with keys such as EventSourceMappings, found a list"],
        ),
        (
            "orders",
            &[
                r#"a.yaml:1: expected a mapping with keys such as EventSourceMappings, found "orders""#,
            ],
        ),
        (
            "12",
            &["a.yaml:1: expected a mapping with keys such as EventSourceMappings, found 12"],
        ),
        (
            "a: 1
---
b: 2
",
            &["a.yaml:2: a second document begins here; a file holds one"],
        ),
        (
            "Service: {Listen: 127.0.0.1:1\n",
            &[
                "a.yaml:2: not valid YAML or JSON: while parsing a flow mapping, did not find expected ',' or '}'",
            ],
        ),
        (
            "Service:
  Listen: a: b
",
            &["a.yaml:2: not valid YAML or JSON: mapping values are not allowed in this context"],
        ),
        (
            r#"{"Service": {"Listen" 1}}"#,
            &[
                "a.yaml:1: not valid YAML or JSON: invalid trailing content after double-quoted scalar",
            ],
        ),
        (
            "Service: *nowhere\n",
            &["a.yaml:1: not valid YAML or JSON: while parsing node, found unknown anchor"],
        ),
        (
            "Aws: &all
  Endpoints: *all
",
            &["a.yaml:2: an alias inside the very value that it stands for"],
        ),
        (
            "Aws: !Sub {Region: x}\n",
            &[r#"a.yaml:1: the tag "!Sub" is not supported; values are plain YAML or JSON"#],
        ),
        (
            "Aws: {Region: !Ref region}\n",
            &[r#"a.yaml:1: the tag "!Ref" is not supported; values are plain YAML or JSON"#],
        ),
        (
            "Service: {ShutdownGraceInSeconds: !!int ten}\n",
            &[r#"a.yaml:1: "ten" is no !!int"#],
        ),
        (
            "? [Service]
: 1
",
            &["a.yaml:1: a key must be plain text, not a list, a mapping or an alias"],
        ),
        (
            "Service:
  <<: {Listen: 127.0.0.1:1}
",
            &["a.yaml:2: merge keys (<<) are not part of YAML 1.2; write the keys out"],
        ),
        (
            "Service: {}\n\0Aws: {}\n",
            &[r#"a.yaml:2: a control character (\u{0}); is this a text file?"#],
        ),
        (
            "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
            &["a.yaml:1: nested more than 32 levels deep"],
        ),
    ]);
}

#[test]
fn top_level_keys_are_checked() {
    check(&[
        (
            "Servise: {}\n",
            &["a.yaml:1: Servise: unknown key; did you mean Service?"],
        ),
        (
            "EventSourceMapping: []\n",
            &["a.yaml:1: EventSourceMapping: unknown key; did you mean EventSourceMappings?"],
        ),
        (
            "Logging: {}\n",
            &[
                "a.yaml:1: Logging: unknown key; expected Service, Checkpoints, Aws, Functions, EventSourceMappings, NextMarker or NextToken",
            ],
        ),
        (
            "Service: {}
Aws: {}
Service: {}
",
            &["a.yaml:3: Service: set twice; first at line 1"],
        ),
        (
            "Service: []\n",
            &["a.yaml:1: Service: expected a mapping, found a list"],
        ),
        (
            "Service: 1
Aws: text
Functions: []
Checkpoints: true
EventSourceMappings: {}
",
            &[
                "a.yaml:1: Service: expected a mapping, found 1",
                r#"a.yaml:2: Aws: expected a mapping, found "text""#,
                "a.yaml:3: Functions: expected a mapping, found a list",
                "a.yaml:4: Checkpoints: expected a mapping, found true",
                "a.yaml:5: EventSourceMappings: expected a list, found a mapping",
            ],
        ),
    ]);
}

#[test]
fn the_service_is_checked() {
    check(&[
        (
            "Service:
  Listen: 9480
",
            &[
                r#"a.yaml:2: Service.Listen: "9480" is no address to listen on; expected an IP address or localhost, and a port: 127.0.0.1:9480"#,
            ],
        ),
        (
            "Service:
  Listen: example.com:9480
",
            &[
                r#"a.yaml:2: Service.Listen: "example.com:9480" is no address to listen on; expected an IP address or localhost, and a port: 127.0.0.1:9480"#,
            ],
        ),
        (
            "Service:
  Listen: localhost
",
            &[
                r#"a.yaml:2: Service.Listen: "localhost" is no address to listen on; expected an IP address or localhost, and a port: 127.0.0.1:9480"#,
            ],
        ),
        (
            "Service:
  Listen: 127.0.0.1:99999
",
            &[
                r#"a.yaml:2: Service.Listen: "127.0.0.1:99999" is no address to listen on; expected an IP address or localhost, and a port: 127.0.0.1:9480"#,
            ],
        ),
        (
            "Service:
  Listen: 127.0.0.1:1
  Listen: 127.0.0.1:2
",
            &["a.yaml:3: Service.Listen: set twice; first at line 2"],
        ),
        (
            "Service: {listen: 127.0.0.1:1}\n",
            &["a.yaml:1: Service.listen: unknown key; did you mean Listen?"],
        ),
        (
            "Service: {Port: 1}\n",
            &[
                "a.yaml:1: Service.Port: unknown key; expected Listen, ShutdownGraceInSeconds or Api",
            ],
        ),
        (
            "Service: {ShutdownGraceInSeconds: -1}\n",
            &["a.yaml:1: Service.ShutdownGraceInSeconds: -1 is less than 0"],
        ),
        (
            "Service: {ShutdownGraceInSeconds: 3601}\n",
            &["a.yaml:1: Service.ShutdownGraceInSeconds: 3601 is more than 3600"],
        ),
        (
            "Service: {ShutdownGraceInSeconds: 1.5}\n",
            &[
                "a.yaml:1: Service.ShutdownGraceInSeconds: expected a whole number from 0 to 3600, found 1.5",
            ],
        ),
        (
            "Service: {ShutdownGraceInSeconds: 30s}\n",
            &[
                r#"a.yaml:1: Service.ShutdownGraceInSeconds: expected a whole number from 0 to 3600, found "30s""#,
            ],
        ),
    ]);
}

#[test]
fn checkpoints_are_checked() {
    check(&[
        (
            "Checkpoints: {DynamoDb: {Table: sluicegate}}\n",
            &[
                "a.yaml:1: Checkpoints.DynamoDb: this version keeps no checkpoints in DynamoDB; use File or Memory",
            ],
        ),
        (
            "Checkpoints:
  File: a.db
  Memory: true
",
            &[
                "a.yaml:3: Checkpoints.Memory: more than one store; keep one of File, Memory or DynamoDb",
            ],
        ),
        (
            "Checkpoints: {File: \"\"}\n",
            &[r#"a.yaml:1: Checkpoints.File: expected the path of a file, found """#],
        ),
        (
            "Checkpoints: {Memory: yes}\n",
            &[r#"a.yaml:1: Checkpoints.Memory: expected true or false, found "yes""#],
        ),
        (
            "Checkpoints: {Redis: x}\n",
            &["a.yaml:1: Checkpoints.Redis: unknown key; expected File, Memory or DynamoDb"],
        ),
    ]);
}

#[test]
fn regions_and_endpoints_are_checked() {
    check(&[
        (
            "Aws: {Region: US East}\n",
            &[r#"a.yaml:1: Aws.Region: "US East" is no region; expected such as us-east-1"#],
        ),
        (
            "Aws: {EndpointUrl: localhost:4566}\n",
            &[
                r#"a.yaml:1: Aws.EndpointUrl: "localhost:4566" does not begin with http:// or https://"#,
            ],
        ),
        (
            "Aws: {EndpointUrl: \"http://key:secret@localhost\"}\n",
            &[
                "a.yaml:1: Aws.EndpointUrl: credentials in a URL end up in logs; remove what stands before the @",
            ],
        ),
        (
            "Aws:
  Endpoints:
    Sqs: http://localhost:4566/path
    SQS: http://localhost
    Lambda: http://169.254.169.254/
",
            &[
                r#"a.yaml:3: Aws.Endpoints.Sqs: "http://localhost:4566/path" has a path or query; an endpoint is scheme, host and port alone"#,
                "a.yaml:4: Aws.Endpoints.SQS: unknown key; did you mean Sqs?",
                r#"a.yaml:5: Aws.Endpoints.Lambda: "http://169.254.169.254/" is a link-local address, where cloud machines keep their credentials; nothing is sent there"#,
            ],
        ),
        (
            "Aws: {Endpoints: http://localhost}\n",
            &[r#"a.yaml:1: Aws.Endpoints: expected a mapping, found "http://localhost""#],
        ),
    ]);
}

#[test]
fn functions_are_checked() {
    check(&[
        (
            "Functions:
  my function: {Http: {Url: http://localhost/}}
",
            &[
                r#"a.yaml:2: Functions["my function"]: "my function" is no function name; expected name, name:alias, 123456789012:function:name or arn:aws:lambda:us-east-1:123456789012:function:name"#,
            ],
        ),
        (
            "Functions:
  f:
",
            &["a.yaml:2: Functions.f: expected a mapping, found nothing"],
        ),
        (
            "Functions:
  f: {}
",
            &[
                "a.yaml:2: Functions.f: Http is missing: where does the function run? A function in AWS Lambda needs no entry here",
            ],
        ),
        (
            "Functions:
  f: {Http: {}}
",
            &[
                "a.yaml:2: Functions.f.Http: Url is missing: where the event is posted, such as http://127.0.0.1:8080/",
            ],
        ),
        (
            "Functions:
  f: {Http: http://localhost/}
",
            &[r#"a.yaml:2: Functions.f.Http: expected a mapping, found "http://localhost/""#],
        ),
        (
            r#"Functions:
  f:
    Http: {Url: "ftp://host"}
    TimeoutInSeconds: 901
    Timeout: 1
"#,
            &[
                r#"a.yaml:3: Functions.f.Http.Url: "ftp://host" does not begin with http:// or https://"#,
                "a.yaml:4: Functions.f.TimeoutInSeconds: 901 is more than 900",
                "a.yaml:5: Functions.f.Timeout: unknown key; expected Http, TimeoutInSeconds or RoleArn",
            ],
        ),
        (
            r#"Functions:
  f:
    Http: {Url: "http://user:secret@host/"}
"#,
            &[
                "a.yaml:3: Functions.f.Http.Url: credentials in a URL end up in logs; remove what stands before the @",
            ],
        ),
        (
            r#"Functions:
  f:
    Http: {Url: "http://h/"}
    TimeoutInSeconds: 0
"#,
            &["a.yaml:4: Functions.f.TimeoutInSeconds: 0 is less than 1"],
        ),
        (
            r#"Functions:
  f:
    Http: {Url: "http://h/"}
    RoleArn: admin
"#,
            &[
                r#"a.yaml:4: Functions.f.RoleArn: "admin" is no ARN of a role; expected such as arn:aws:iam::123456789012:role/name"#,
            ],
        ),
        (
            r#"Functions:
  f: {Http: {Url: "http://a/"}}
  f: {Http: {Url: "http://b/"}}
"#,
            &["a.yaml:3: Functions.f: set twice; first at line 2"],
        ),
    ]);
}

#[test]
fn references_to_the_environment_are_checked() {
    check(&[
        (
            "Aws: {Region: \"${UNSET}\"}\n",
            &[
                "a.yaml:1: Aws.Region: the environment variable UNSET is not set; set it, or write ${UNSET:-default}",
            ],
        ),
        (
            "Aws: {Region: \"${UNSET\"}\n",
            &[
                r#"a.yaml:1: Aws.Region: a "${" without its "}"; write $${ for the two characters themselves"#,
            ],
        ),
        (
            "Aws: {Region: \"${not a name}\"}\n",
            &[
                r#"a.yaml:1: Aws.Region: "not a name" is no name of an environment variable; write ${NAME}, ${NAME:-default}, or $${ for the two characters themselves"#,
            ],
        ),
        (
            "EventSourceMappings:
  - EventSourceArn: arn:aws:sqs:us-east-1:123456789012:orders
    FunctionName: ${UNSET}
",
            &[
                "a.yaml:3: EventSourceMappings[0].FunctionName: the environment variable UNSET is not set; set it, or write ${UNSET:-default}",
            ],
        ),
        (
            "Service: {ShutdownGraceInSeconds: \"${WORD}\"}\n",
            &[
                r#"a.yaml:1: Service.ShutdownGraceInSeconds: expected a whole number from 0 to 3600, found "ten""#,
            ],
        ),
    ]);
}

#[test]
fn who_may_use_the_control_api_is_checked_and_no_secret_is_shown() {
    check(&[
        (
            "Service:
  Api:
    AccessKey: []
    TokenFile: ''
    ReadOnlyTokenFile: 5
",
            &[
                "a.yaml:3: Service.Api.AccessKey: unknown key; did you mean AccessKeys?",
                "a.yaml:4: Service.Api.TokenFile: expected the path of a file, found \"\"",
                "a.yaml:5: Service.Api.ReadOnlyTokenFile: expected text, found 5; put it in quotes",
            ],
        ),
        (
            "Service:
  Api:
    AccessKeys:
      - { AccessKeyId: AKIAIOSFODNN7EXAMPLE }
      - { SecretAccessKey: wJalrXUtnFEMI/K7MDENG }
      - { AccessKeyId: 1234567890123456, SecretAccessKey: 98765432109876543210 }
      - { AccessKeyId: short, SecretAccessKey: wJalrXUtnFEMI/K7MDENG }
      - { AccessKeyId: AKIAIOSFODNN7EXAMPLE, SecretAccessKey: short-secret }
      - { AccessKeyId: AKIAIOSFODNN7EXAMPLE, SecretAccessKey: wJalrXUtnFEMI/K7MDENG }
      - { AccessKeyId: AKIAIOSFODNN7EXAMPLE, SecretAccessKey: wJalrXUtnFEMI/K7MDENG, ReadOnly: 1 }
",
            &[
                "a.yaml:4: Service.Api.AccessKeys[0]: SecretAccessKey is missing",
                "a.yaml:5: Service.Api.AccessKeys[1]: AccessKeyId is missing",
                "a.yaml:6: Service.Api.AccessKeys[2].AccessKeyId: expected text, in quotes",
                "a.yaml:6: Service.Api.AccessKeys[2].SecretAccessKey: expected text, in quotes",
                "a.yaml:7: Service.Api.AccessKeys[3].AccessKeyId: an access key's id has 16 to 128 letters and digits, such as AKIAIOSFODNN7EXAMPLE",
                "a.yaml:8: Service.Api.AccessKeys[4].SecretAccessKey: a secret of fewer than 16 characters is guessed",
                "a.yaml:10: Service.Api.AccessKeys[6].ReadOnly: expected true or false, found 1",
            ],
        ),
        (
            "Service:
  Api:
    AccessKeys:
      - { AccessKeyId: AKIAIOSFODNN7EXAMPLE, SecretAccessKey: wJalrXUtnFEMI/K7MDENG }
      - { AccessKeyId: AKIAIOSFODNN7EXAMPLE, SecretAccessKey: another-long-secret }
",
            &[
                "a.yaml:5: Service.Api.AccessKeys[1].AccessKeyId: AKIAIOSFODNN7EXAMPLE is there already",
            ],
        ),
    ]);
}
