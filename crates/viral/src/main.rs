//! The `viral` command line.
fn main() {}
