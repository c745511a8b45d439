//! What two configurations differ in, in words and as JSON.

use super::run;
use crate::cli::program::Ended;

#[test]
fn each_setting_that_differs_is_shown_with_both_values() {
    let Ended { code, out, err } =
        run(&["diff", "--config", "here.yaml", "--against", "there.yaml"]);
    assert_eq!((code, err.as_str()), (Some(1), ""));
    assert_eq!(out, TEXT);
    let args = [
        "diff",
        "--config",
        "here.yaml",
        "--against",
        "there.yaml",
        "--format",
        "json",
    ];
    let Ended { code, out, err } = run(&args);
    assert_eq!((code, err.as_str()), (Some(1), ""));
    let shown: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(shown["Here"], "here.yaml");
    assert_eq!(shown["OnlyHere"][0]["Name"], "only-here-count");
    assert_eq!(shown["OnlyThere"][0]["Name"], "only-there-count");
    assert_eq!(
        shown["Different"][0]["Settings"]["BatchSize"],
        serde_json::json!({ "Here": 100, "There": 50 })
    );
    assert!(!out.contains("secret"), "a query may be a key: {out}");
}

#[test]
fn a_configuration_is_the_same_as_itself() {
    let Ended { code, out, err } =
        run(&["diff", "--config", "here.yaml", "--against", "here.yaml"]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert_eq!(
        out,
        "same: 3, different: 0, only in here.yaml: 0, only in here.yaml: 0\n"
    );
}

#[test]
fn an_invalid_configuration_on_either_side_ends_with_2() {
    for (config, against) in [("here.yaml", "missing.yaml"), ("missing.yaml", "here.yaml")] {
        let Ended { code, out, err } = run(&["diff", "--config", config, "--against", against]);
        assert_eq!((code, out.as_str()), (Some(2), ""));
        assert_eq!(
            err,
            "missing.yaml: cannot be read: No such file or directory (os error 2)\n"
        );
    }
}

const TEXT: &str = r##"only in here.yaml: only-here-count, arn:aws:sqs:us-east-1:123456789012:only-here to arn:aws:lambda:us-east-1:123456789012:function:count
only in there.yaml: only-there-count, arn:aws:sqs:us-east-1:123456789012:only-there to arn:aws:lambda:us-east-1:123456789012:function:count
different: orders, arn:aws:sqs:us-east-1:123456789012:orders to arn:aws:lambda:us-east-1:123456789012:function:process-orders
    BatchSize: 100 in here.yaml, 50 in there.yaml
    Function: {"Http":{"Url":"http://127.0.0.1:8080/"},"TimeoutInSeconds":60} in here.yaml, not set in there.yaml
different: clicks-count-live, arn:aws:kinesis:us-east-1:123456789012:stream/clicks to arn:aws:lambda:us-east-1:123456789012:function:count:live
    DestinationConfig: {"OnFailure":{}} in here.yaml, {"OnFailure":{"Destination":"arn:aws:s3:::failed"}} in there.yaml
    Enabled: true in here.yaml, false in there.yaml
    Name: clicks-count-live in here.yaml, clicks in there.yaml
same: 0, different: 2, only in here.yaml: 1, only in there.yaml: 1
"##;
