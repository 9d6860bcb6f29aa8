//! The preset end to end on real parts: what its rotations and an incident do to PostgreSQL, an API, a gateway and a store.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "freeboard/database.rs"]
mod database;
#[path = "canary/needles.rs"]
mod needles;
#[path = "freeboard/runbook.rs"]
mod runbook;
#[path = "freeboard/server.rs"]
mod server;
#[path = "freeboard/stack.rs"]
mod stack;
