//! The embedded Lambda, REST-JSON: Invoke and what there is to know about a function.

pub mod function;

mod forward;
mod invoke;
mod path;

use bytes::Bytes;
use http::{HeaderName, Method, header::RETRY_AFTER};
use serde_json::json;

use self::{
    function::{Function, FunctionConfig},
    path::{Target, target},
};
use super::{
    faults::Operation,
    wire::{Request, response, set_header},
    world::{Settings, World},
};

const JSON: &str = "application/json";

/// Which operation a request asks for, by its path and method.
pub(super) fn operation(request: &Request) -> Operation {
    match (target(request.uri()), request.method()) {
        (
            Some(Target {
                rest: "/invocations",
                ..
            }),
            &Method::POST,
        ) => Operation::Invoke,
        (
            Some(Target {
                rest: "/configuration",
                ..
            }),
            &Method::GET,
        ) => Operation::GetFunctionConfiguration,
        (Some(Target { rest: "", .. }), &Method::GET) => Operation::GetFunction,
        _ => Operation::Unknown,
    }
}

/// Serves one call.
pub(super) async fn call(
    world: &World,
    operation: Operation,
    request: Request,
) -> http::Response<Bytes> {
    let Some(target) = target(request.uri()) else {
        return error(404, "UnknownOperationException", "no such path");
    };
    match operation {
        Operation::Invoke => invoke::invoke(world, &target, &request).await,
        Operation::GetFunction => described(
            world,
            &target,
            |configuration| json!({ "Configuration": configuration, "Code": { "RepositoryType": "S3", "Location": "" }, "Tags": {} }),
        ),
        _ => described(world, &target, |configuration| configuration),
    }
}

// API: Lambda GetFunction, GetFunctionConfiguration
fn described(
    world: &World,
    target: &Target<'_>,
    wrap: impl FnOnce(serde_json::Value) -> serde_json::Value,
) -> http::Response<Bytes> {
    let state = world.lock();
    let now = world.clock().elapsed();
    let there = |function: &&Function| function.away_until <= now;
    let Some(function) = state.functions.get(&target.name).filter(there) else {
        return not_found(world.settings(), target);
    };
    let version = target
        .qualifier
        .clone()
        .unwrap_or_else(|| function.config.version.clone());
    let configuration = json!({
        "FunctionName": target.name,
        "FunctionArn": arn(world.settings(), target),
        "Runtime": "provided.al2023",
        "Role": function.config.role,
        "Handler": "bootstrap",
        "CodeSize": 0,
        "Description": "",
        "Timeout": function.config.timeout.as_secs(),
        "MemorySize": 128,
        "Version": version,
        "State": "Active",
        "LastUpdateStatus": "Successful",
        "PackageType": "Zip",
        "Architectures": ["x86_64"],
    });
    response(200, JSON, wrap(configuration).to_string().into())
}

// API: Lambda Invoke, ResourceNotFoundException
fn not_found(settings: &Settings, target: &Target<'_>) -> http::Response<Bytes> {
    error(
        404,
        "ResourceNotFoundException",
        &format!("Function not found: {}", arn(settings, target)),
    )
}

fn arn(settings: &Settings, target: &Target<'_>) -> String {
    let (region, account, name) = (&settings.region, &settings.account, &target.name);
    match &target.qualifier {
        None => format!("arn:aws:lambda:{region}:{account}:function:{name}"),
        Some(qualifier) => format!("arn:aws:lambda:{region}:{account}:function:{name}:{qualifier}"),
    }
}

/// An error of Lambda itself: the function did not run.
// API: Lambda Invoke, Errors: the type in a header, `Message` for 404 and `message` for others
pub(super) fn error(status: u16, code: &str, message: &str) -> http::Response<Bytes> {
    let party = if status < 500 { "User" } else { "Service" };
    let body = if status == 404 {
        json!({ "Type": party, "Message": message })
    } else {
        json!({ "Type": party, "message": message })
    };
    typed(status, code, &body)
}

/// A throttle.
// API: Lambda Invoke, TooManyRequestsException: Reason and the Retry-After header
pub(super) fn throttled(reason: &str) -> http::Response<Bytes> {
    let body = json!({ "Type": "User", "Reason": reason, "message": "Rate Exceeded.", "retryAfterSeconds": "1" });
    let mut response = typed(429, "TooManyRequestsException", &body);
    set_header(&mut response, RETRY_AFTER, "1");
    response
}

fn typed(status: u16, code: &str, body: &serde_json::Value) -> http::Response<Bytes> {
    let mut error = response(status, JSON, body.to_string().into());
    set_header(
        &mut error,
        HeaderName::from_static("x-amzn-errortype"),
        code,
    );
    error
}

impl World {
    /// Registers a function under a bare name, in place of an earlier one.
    pub fn register<H, F>(&self, name: &str, config: FunctionConfig, handler: H)
    where
        H: Fn(function::Invocation) -> F + Send + Sync + 'static,
        F: Future<Output = function::Reply> + Send + 'static,
    {
        let function = Function::new(config, move |invocation| Box::pin(handler(invocation)));
        self.lock().functions.insert(name.to_owned(), function);
    }

    /// Registers a function that runs behind a URL: the event is posted to it and its answer is the function's.
    ///
    /// # Errors
    /// When `url` is no absolute `http` URL.
    pub fn register_http(
        &self,
        name: &str,
        config: FunctionConfig,
        url: &str,
    ) -> Result<(), forward::BadUrl> {
        let forward = forward::Forward::to(url, config.timeout)?;
        self.register(name, config, move |invocation| {
            forward.clone().run(invocation)
        });
        Ok(())
    }

    /// Removes a function; invocations under way go on.
    pub fn unregister(&self, name: &str) {
        self.lock().functions.remove(name);
    }

    /// How many invocations of a function run now.
    pub fn running(&self, name: &str) -> u32 {
        self.lock().functions.get(name).map_or(0, Function::running)
    }
}

pub use forward::BadUrl;
