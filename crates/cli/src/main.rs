//! The `recobro` command.
fn main() {}
