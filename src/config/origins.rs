//! Where mappings stand: for whoever wants to change one, and is told where.

use std::collections::BTreeMap;

use super::error::Place;
use super::mapping::Mapping;

/// The place of each mapping of the files.
#[derive(Clone, Debug, Default)]
pub struct Origins(BTreeMap<String, Place>);

impl Origins {
    pub(super) fn new(mappings: &[(Mapping, Place)]) -> Self {
        let places = mappings.iter();
        Origins(
            places
                .map(|(mapping, place)| (mapping.uuid.clone(), place.clone()))
                .collect(),
        )
    }

    /// Where the mapping stands; `None` where it is of no file.
    pub fn of(&self, mapping: &Mapping) -> Option<&Place> {
        self.0.get(&mapping.uuid)
    }
}

/// Files that say the same in other places are the same configuration.
impl PartialEq for Origins {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}
