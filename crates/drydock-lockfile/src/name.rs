//! The name of a package.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The `name` of a package, scope included. Compared and ordered by bytes; cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PackageName(Arc<str>);

impl PackageName {
    /// Takes any text: what npm accepts as the name of a package is npm's business, and old packages break today's rules.
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// The name with its scope: `@acme/api`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name without its scope: `api`.
    pub fn unscoped(&self) -> &str {
        match self.0.strip_prefix('@').and_then(|rest| rest.split_once('/')) {
            Some((_, name)) => name,
            None => &self.0,
        }
    }
}

impl fmt::Display for PackageName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for PackageName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}", &*self.0)
    }
}

impl std::borrow::Borrow<str> for PackageName {
    fn borrow(&self) -> &str {
        &self.0
    }
}
