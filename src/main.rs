//! The `dotage` command.
fn main() {}
