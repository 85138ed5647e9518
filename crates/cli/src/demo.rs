//! The sample portfolio of `recobro demo`: generated from a seed, imported and played like any other.

pub(crate) mod ageing;
pub(crate) mod agents;
pub(crate) mod bounces;
pub(crate) mod news;
pub(crate) mod portfolio;
pub(crate) mod random;
pub(crate) mod segments;
pub(crate) mod summary;
