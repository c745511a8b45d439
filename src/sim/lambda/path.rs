//! Function paths: `/2015-03-31/functions/<name, name:qualifier, partial or full ARN>/<rest>?Qualifier=`.

use http::Uri;

use crate::sim::percent::decoded;

/// The function that a path names.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Target<'a> {
    /// The bare name.
    pub(super) name: String,
    /// The version or alias, from the query or the name.
    pub(super) qualifier: Option<String>,
    /// The path after the function, with its slash.
    pub(super) rest: &'a str,
}

/// The function that this URI names; none if it is no function path.
pub(super) fn target(uri: &Uri) -> Option<Target<'_>> {
    let path = uri.path().strip_prefix("/2015-03-31/functions/")?;
    let (function, rest) = path.split_at(path.find('/').unwrap_or(path.len()));
    let function = decoded(function)?;
    let asked = uri
        .query()
        .unwrap_or_default()
        .split('&')
        .find_map(|pair| pair.strip_prefix("Qualifier="));
    // API: Lambda Invoke, FunctionName: the parts after `function:` in an ARN, a bare name otherwise
    let name = function
        .rsplit_once("function:")
        .map_or(function.as_str(), |(_, name)| name);
    let (name, own) = name
        .split_once(':')
        .map_or((name, None), |(name, qualifier)| {
            (name, Some(qualifier.to_owned()))
        });
    let qualifier = match asked {
        Some(asked) => Some(decoded(asked)?),
        None => own,
    };
    (!name.is_empty()).then(|| Target {
        name: name.to_owned(),
        qualifier,
        rest,
    })
}

#[cfg(test)]
mod tests {
    use super::{Uri, target};

    #[test]
    fn each_way_to_name_a_function_gives_its_name_and_qualifier() {
        for (uri, name, qualifier, rest) in [
            (
                "/2015-03-31/functions/f/invocations",
                "f",
                None,
                "/invocations",
            ),
            (
                "/2015-03-31/functions/f%3Alive/invocations",
                "f",
                Some("live"),
                "/invocations",
            ),
            (
                "/2015-03-31/functions/f:live/invocations?Qualifier=7",
                "f",
                Some("7"),
                "/invocations",
            ),
            (
                "/2015-03-31/functions/f?Qualifier=%24LATEST",
                "f",
                Some("$LATEST"),
                "",
            ),
            (
                "/2015-03-31/functions/123456789012:function:f/configuration",
                "f",
                None,
                "/configuration",
            ),
            (
                "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Af%3A3/invocations",
                "f",
                Some("3"),
                "/invocations",
            ),
        ] {
            let uri: Uri = uri.parse().unwrap();
            let found = target(&uri).unwrap();
            assert_eq!(
                (found.name.as_str(), found.qualifier.as_deref(), found.rest),
                (name, qualifier, rest),
                "{uri}"
            );
        }
    }

    #[test]
    fn what_names_no_function_is_no_function_path() {
        for uri in [
            "/",
            "/2015-03-31/functions/",
            "/2015-03-31/functions/%zz/invocations",
            "/2015-03-31/functions/%ff",
        ] {
            assert_eq!(target(&uri.parse::<Uri>().unwrap()), None, "{uri}");
        }
    }
}
