//! A configuration that is wrong at the very place of a secret: what is said of it names the place alone.

use super::{canary, heard, quiet};
use crate::support::gate::{Program, program};

const KEY_ID: &str = "AKIAIOSFODNN7EXAMPLE";

/// Texts in which the canary of a letter stands where something is wrong.
fn wrong() -> Vec<(char, String)> {
    let function = |entry: &str| format!("Functions: {{ f: {entry} }}");
    let key = |key: &str| format!("Service: {{ Api: {{ AccessKeys: [ {key} ] }} }}");
    let api = |api: &str| format!("Service: {{ Api: {{ {api} }} }}");
    let cases = [
        (
            'I',
            function(r#"{ Http: { Url: "http://user:@@@@host/" } }"#),
        ),
        ('I', function(r#"{ Http: { Url: "user:@@@@host" } }"#)),
        ('I', function(r#"{ Http: "http://user:@@@@host" }"#)),
        ('I', function(r#""http://user:@@@@host""#)),
        (
            'I',
            r#"Aws: { EndpointUrl: "http://user:@@@@host" }"#.to_owned(),
        ),
        (
            'I',
            r#"Aws: { Endpoints: { Sqs: "ftp://user:@@@@host" } }"#.to_owned(),
        ),
        (
            'H',
            function(r#"{ Http: { Url: "ftp://host/?code=@@@" } }"#),
        ),
        (
            'H',
            function(r#"{ Http: { Url: "http://host/?code=@@@#top" } }"#),
        ),
        ('H', function(r#"{ Http: { Url: "host/?code=@@@" } }"#)),
        (
            'H',
            r#"Aws: { EndpointUrl: "http://host/?code=@@@" }"#.to_owned(),
        ),
        (
            'H',
            function(r#"{ Http: { Url: [ "http://host/?code=@@@" ] } }"#),
        ),
        (
            'H',
            function(r#"{ Http: { Url: "http://h/", Headers: { Authorization: "@@@" } } }"#),
        ),
        (
            'D',
            key(&format!(
                "{{ AccessKeyId: {KEY_ID}, SecretAccessKey: [ \"@@@\" ] }}"
            )),
        ),
        (
            'D',
            key(&format!(
                "{{ AccessKeyId: {KEY_ID}, SecretAccessKey: {{ a: \"@@@\" }} }}"
            )),
        ),
        (
            'D',
            key(&format!(
                "{{ AccessKeyId: {KEY_ID}, SecretAcessKey: \"@@@\" }}"
            )),
        ),
        ('D', key("{ AccessKeyId: short, SecretAccessKey: \"@@@\" }")),
        (
            'D',
            key("{ SecretAccessKey: \"@@@\", SecretAccessKey: \"@@@\" }"),
        ),
        ('D', key("\"@@@\"")),
        (
            'D',
            api(&format!(
                "AccessKeys: {{ AccessKeyId: {KEY_ID}, SecretAccessKey: \"@@@\" }}"
            )),
        ),
        ('D', api("AccessKeys: \"@@@\"")),
        ('E', api("Token: \"@@@\"")),
        ('E', api("TokenFile: { Token: \"@@@\" }")),
        (
            'D',
            format!(
                "Service:\n  Api:\n    AccessKeys:\n      - AccessKeyId: {KEY_ID}\n        SecretAccessKey: \"@@@\n"
            ),
        ),
        (
            'D',
            format!(
                "Service:\n  Api:\n    AccessKeys:\n      - SecretAccessKey: @@@\n       AccessKeyId: {KEY_ID}\n"
            ),
        ),
        ('B', "Aws: { SecretAccessKey: \"@@@\" }".to_owned()),
    ];
    let place = |letter: char, text: String| {
        text.replace("@@@@", &format!("{}@", canary(letter)))
            .replace("@@@", &canary(letter))
    };
    cases
        .into_iter()
        .map(|(letter, text)| (letter, place(letter, text)))
        .collect()
}

// reliability: I17
#[tokio::test]
async fn an_error_at_the_place_of_a_secret_names_the_place_alone() {
    for (letter, text) in wrong() {
        assert_eq!(heard(&text).len(), 1, "{letter}: {text}");
        let (code, said) = Program::with(&text).end().await;
        let said = said.join("\n");
        assert_eq!(code, Some(2), "{text}: {said}");
        assert!(said.starts_with("gate.yaml:"), "{said}");
        quiet(&text, &said);
    }
}

#[test]
fn what_validate_shows_of_a_right_one_has_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "Service: {{ Api: {{ AccessKeys: [ {{ AccessKeyId: {KEY_ID}, SecretAccessKey: \"${{SECRET}}\" }} ] }} }}\n\
         Functions:\n  f: {{ Http: {{ Url: \"http://127.0.0.1:9/?code={}\" }} }}\n\
         EventSourceMappings:\n  - {{ EventSourceArn: \"arn:aws:sqs:us-east-1:000000000000:q\", FunctionName: f }}\n",
        canary('H')
    );
    std::fs::write(folder.path().join("gate.yaml"), text).unwrap();
    for format in ["table", "json"] {
        let ended = std::process::Command::new(program())
            .args(["validate", "--config", "gate.yaml", "--format", format])
            .current_dir(folder.path())
            .env("SECRET", canary('D'))
            .output()
            .unwrap();
        let said = [ended.stdout, ended.stderr].map(|text| String::from_utf8(text).unwrap());
        let said = said.join("");
        assert!(ended.status.success(), "{format}: {said}");
        assert!(said.contains("127.0.0.1:9"), "{said}");
        quiet(format, &said);
    }
}
