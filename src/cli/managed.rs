//! The mappings that AWS Lambda has, for the verbs that ask it.

use serde_json::Value;

use super::run::seed;
use crate::aws::clients::Clients;
use crate::aws::fault::Failure;
use crate::aws::mappings::{self, Wanted};
use crate::clock::Clock;
use crate::config::aws::Aws;

/// What was listed, and by whom.
pub struct Listed {
    /// `AWS Lambda in us-east-1`.
    pub name: String,
    /// In the shape in which AWS prints them.
    pub mappings: Vec<Value>,
}

/// Why nothing was listed.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    #[error(
        "failed to list event source mappings: no region is named; give --region, or set AWS_REGION"
    )]
    Region,
    #[error("failed to list the event source mappings of {region}: {failure}")]
    Call { region: String, failure: Failure },
}

/// Lists the mappings of these regions, or where there is none of that of `aws`, the environment or the profile.
pub async fn list(aws: &Aws, regions: &[String], wanted: &Wanted) -> Result<Listed, ListError> {
    let clock = Clock::machine();
    let clients = Clients::from_environment(aws, None, &clock).await;
    let mut chance = fastrand::Rng::with_seed(seed(&clock));
    let regions = match (regions, clients.region()) {
        ([], Some(region)) => vec![region.to_owned()],
        ([], None) => return Err(ListError::Region),
        (regions, _) => regions.to_vec(),
    };
    let mut listed = Vec::new();
    for region in &regions {
        let page = mappings::list(&clients, region, wanted, &mut || chance.f64()).await;
        listed.extend(page.map_err(|failure| {
            let region = region.clone();
            ListError::Call { region, failure }
        })?);
    }
    Ok(Listed {
        name: format!("AWS Lambda in {}", regions.join(", ")),
        mappings: listed,
    })
}
