//! For development: set-up, tests, tidy checks.
fn main() {}
