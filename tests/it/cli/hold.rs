//! `pause` and `resume`: what is asked of a service, and what is said of each mapping that was named.

use serde_json::{Value, json};

use super::program::{Ended, run};
use super::scripted::{Scripted, accepted, answer, ok, refusal};

const LIST: &str = "/2015-03-31/event-source-mappings";
const CLICKS: &str = "14e0db71-5d35-4eb5-b481-8945cf9d10c2";
const ORDERS: &str = "24e0db71-5d35-4eb5-b481-8945cf9d10c2";
const VIEWS: &str = "34e0db71-5d35-4eb5-b481-8945cf9d10c2";

fn mappings() -> Value {
    let mapping = |uuid: &str, name: &str| {
        json!({
            "UUID": uuid,
            "Name": name,
            "State": "Enabled",
            "EventSourceMappingArn": format!("arn:aws:lambda:us-east-1:123456789012:event-source-mapping:{uuid}"),
            "EventSourceArn": format!("arn:aws:sqs:us-east-1:123456789012:{name}"),
        })
    };
    let mut views = mapping(VIEWS, "views");
    views["Paused"] = json!(true);
    json!([mapping(CLICKS, "clicks"), mapping(ORDERS, "orders"), views])
}

/// Three mappings, of which the last is paused; what is said of the others is the script's affair.
fn service(script: impl Fn(&str) -> String + Send + 'static) -> Scripted {
    Scripted::start(move |line, _| match line.strip_prefix("GET ") {
        Some(LIST) => ok(&json!({ "EventSourceMappings": mappings(), "NextMarker": null })),
        Some(_) => answer("404 Not Found", "", ""),
        None => script(line),
    })
}

fn in_state(state: &str) -> String {
    accepted(&json!({ "State": state, "Paused": true }))
}

/// The mappings of which something was asked beside the list.
fn held(server: &Scripted) -> Vec<String> {
    let asked = server.asked().into_iter();
    let changes = asked.filter_map(|(line, _)| Some(line.strip_prefix("POST ")?.to_owned()));
    changes
        .map(|target| target.trim_start_matches(LIST).to_owned())
        .collect()
}

#[test]
fn each_mapping_has_a_line_of_its_own() {
    let server = service(|line| match line.contains(CLICKS) {
        true => in_state("Disabling"),
        false => in_state("Disabled"),
    });
    let arn = format!("arn:aws:lambda:us-east-1:123456789012:event-source-mapping:{ORDERS}");
    let args = [
        "pause",
        "--service",
        &server.url,
        "views",
        "clicks",
        &arn,
        ORDERS,
    ];
    let Ended { code, out, err } = run(&args);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    let expected = "views: was paused already\nclicks: paused; what it has in hand is finished first\norders: paused\n";
    assert_eq!(out, expected);
    let paused = [VIEWS, CLICKS, ORDERS].map(|uuid| format!("/{uuid}/pause"));
    assert_eq!(held(&server), paused);

    let server = service(|line| match line.contains(VIEWS) {
        true => in_state("Enabling"),
        false => in_state("Disabled"),
    });
    let Ended { code, out, err } = run(&["resume", "--service", &server.url, "--all"]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    let expected = "clicks: was not paused; it is disabled by its own settings\n\
                    orders: was not paused; it is disabled by its own settings\nviews: resumed\n";
    assert_eq!(out, expected);
    let resumed = [CLICKS, ORDERS, VIEWS].map(|uuid| format!("/{uuid}/resume"));
    assert_eq!(held(&server), resumed);
}

#[test]
fn a_name_that_is_not_known_changes_nothing() {
    let server = service(|_| in_state("Disabled"));
    let Ended { code, out, err } =
        run(&["pause", "--service", &server.url, "orders", "clikcs", "x"]);
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert_eq!(
        err,
        "there is no mapping \"clikcs\"; did you mean clicks?\n\
         there is no mapping \"x\"; there are: clicks, orders, views\n\
         nothing was changed\n"
    );
    assert_eq!(held(&server), [""; 0]);
}

#[test]
fn what_went_well_and_what_did_not_is_told_apart() {
    let server = service(|line| match line.contains(CLICKS) {
        true => refusal(
            "400 Bad Request",
            "ResourceInUseException",
            "it is in transition",
        ),
        false => in_state("Disabled"),
    });
    let Ended { code, out, err } = run(&["pause", "--service", &server.url, "clicks", "orders"]);
    let refused = format!(
        "clicks: not paused: {} refuses: it is in transition\n",
        server.url
    );
    assert_eq!(
        (code, out.as_str(), err),
        (Some(1), "orders: paused\n", refused)
    );

    // Whoever may look alone is not told so of every mapping.
    let server = service(|_| {
        let message = "this key or token may look, and change nothing";
        refusal("403 Forbidden", "AccessDeniedException", message)
    });
    let Ended { code, out, err } = run(&["resume", "--service", &server.url, "--all"]);
    assert_eq!((code, out.as_str()), (Some(1), ""));
    let expected = format!(
        "clicks: not resumed: {} does not let you: this key or token may look, and change nothing\n\
         orders: not asked for\nviews: not asked for\n",
        server.url
    );
    assert_eq!(err, expected);
    assert_eq!(held(&server).len(), 1);
}

#[test]
fn an_older_service_is_told_so_and_an_empty_one_too() {
    let server = service(|_| refusal("404 Not Found", "UnknownOperationException", "no"));
    let Ended { code, err, .. } = run(&["pause", "--service", &server.url, "orders"]);
    assert_eq!(code, Some(1));
    let expected =
        "does not know how to do this: the service there is another version than this program\n";
    assert!(err.ends_with(expected), "{err}");
    let server = Scripted::start(|_, _| ok(&json!({ "EventSourceMappings": [] })));
    let nothing = run(&["pause", "--service", &server.url, "--all"]);
    assert_eq!(
        (nothing.code, nothing.err.as_str()),
        (Some(1), "the service has no mapping\n")
    );
    let nothing = run(&["pause", "--service", &server.url, "orders"]);
    let expected = "there is no mapping \"orders\"; the service has none\n";
    assert_eq!((nothing.code, nothing.err.as_str()), (Some(1), expected));
}
