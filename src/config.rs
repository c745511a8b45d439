//! Files to a checked configuration: what comes out of here cannot be wrong.

pub mod arn;
pub mod aws;
pub mod function;
pub mod mapping;
pub mod service;

use function::FunctionEntry;
use mapping::Mapping;

/// The whole configuration, merged from every file and checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Where the admin API listens, and how long a drain may take.
    pub service: service::Service,
    /// Region and endpoints; what is not named here comes from the usual environment of AWS tools.
    pub aws: aws::Aws,
    /// Functions that run elsewhere than in AWS Lambda.
    pub functions: Vec<FunctionEntry>,
    /// The event source mappings, in the order of the files.
    pub mappings: Vec<Mapping>,
}
