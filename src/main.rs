//! The `mqsim` command.
fn main() {}
