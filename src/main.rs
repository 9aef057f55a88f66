//! The `openclaw` program.

fn main() {}
