//! Where a service is, and who asks it.

use super::*;

#[test]
fn whoever_listens_everywhere_is_asked_on_this_machine() {
    for (listen, expected) in [
        ("127.0.0.1:9480", Some("http://127.0.0.1:9480")),
        ("10.0.0.1:80", Some("http://10.0.0.1:80")),
        ("0.0.0.0:9480", Some("http://127.0.0.1:9480")),
        ("[::]:9480", Some("http://[::1]:9480")),
        ("127.0.0.1:0", None),
    ] {
        let address = address_of(listen.parse().unwrap());
        assert_eq!(address.as_deref(), expected, "{listen}");
    }
}

#[test]
fn a_token_goes_over_https_or_to_this_machine() {
    for (address, private) in [
        ("http://127.0.0.1:9480", true),
        ("http://127.9.9.9", true),
        ("http://[::1]:9480", true),
        ("http://[::ffff:127.0.0.1]:9480", true),
        ("http://LocalHost:9480", true),
        ("https://gate.example.com", true),
        ("http://gate.example.com", false),
        ("http://10.0.0.1:9480", false),
        ("http://localhost.example.com", false),
    ] {
        assert_eq!(is_private(address), private, "{address}");
    }
}

#[test]
fn a_marker_stands_in_a_query() {
    assert_eq!(encoded("aZ0-_.~"), "aZ0-_.~");
    assert_eq!(encoded("a b&c=é%"), "a%20b%26c%3D%C3%A9%25");
}

/// The settings of a service, and a folder with the files `all` and `look`.
fn api(text: &str) -> (Api, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    for name in ["all", "look"] {
        std::fs::write(folder.path().join(name), format!("token-{name}\n")).unwrap();
    }
    let text = text.replace("DIR", folder.path().to_str().unwrap());
    let config = Config::parse("a.yaml", &text, &|_| None).unwrap();
    (config.service.api, folder)
}

fn asker(token: Option<&Path>, text: &str) -> Result<String, (Exit, String)> {
    let (api, _folder) = api(text);
    let token = TokenArgs {
        token_file: token.map(Path::to_path_buf),
    };
    Ok(match who(&token, Some(&api))? {
        Who::Anybody => "anybody".to_owned(),
        Who::Token(token) => token,
        Who::Key { id, .. } => id,
    })
}

#[test]
fn whoever_may_do_most_and_tells_least_is_who_asks() {
    const WRITER: &str =
        "{ AccessKeyId: AKIAWRITER0000000000, SecretAccessKey: a-secret-of-sixteen }";
    const READER: &str = "{ AccessKeyId: AKIAREADER0000000000, SecretAccessKey: a-secret-of-sixteen, ReadOnly: true }";
    for (settings, expected) in [
        (String::new(), "anybody"),
        (
            format!("AccessKeys: [ {READER}, {WRITER} ], TokenFile: DIR/all"),
            "AKIAWRITER0000000000",
        ),
        (
            format!("AccessKeys: [ {READER} ], TokenFile: DIR/all"),
            "token-all",
        ),
        (
            format!("AccessKeys: [ {READER} ], ReadOnlyTokenFile: DIR/look"),
            "AKIAREADER0000000000",
        ),
        ("ReadOnlyTokenFile: DIR/look".to_owned(), "token-look"),
    ] {
        let text = format!("Service: {{ Api: {{ {settings} }} }}");
        assert_eq!(asker(None, &text), Ok(expected.to_owned()), "{settings}");
    }
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join("own");
    std::fs::write(&own, "  token-own\r\n").unwrap();
    let text = format!("Service: {{ Api: {{ AccessKeys: [ {WRITER} ] }} }}");
    assert_eq!(asker(Some(&own), &text), Ok("token-own".to_owned()));
}

#[test]
fn a_file_without_a_token_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let long = "x".repeat(4097);
    for (text, expected) in [
        ("\n", "holds no token: it is empty"),
        ("a b", "holds no token: expected letters, digits and signs"),
        ("é", "holds no token: expected letters, digits and signs"),
        (
            long.as_str(),
            "holds no token: 4097 bytes are more than 4096",
        ),
    ] {
        std::fs::write(&file, text).unwrap();
        let (exit, said) = asker(Some(&file), "Service: {}").unwrap_err();
        assert_eq!(exit, Exit::Usage);
        let expected = format!("{}: {expected}", file.display());
        assert!(said.starts_with(&expected), "{said}");
    }
    std::fs::remove_file(&file).unwrap();
    let (_, said) = asker(Some(&file), "Service: {}").unwrap_err();
    assert!(
        said.contains("the token can not be read: No such file"),
        "{said}"
    );
}
