//! The operators' runbook, sentence by sentence: what it says is done with the preset, by the real program.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "runbook/bootstrap.rs"]
mod bootstrap;
#[path = "runbook/incident.rs"]
mod incident;
#[path = "runbook/precedence.rs"]
mod precedence;
#[path = "runbook/rotation.rs"]
mod rotation;
#[path = "rotate/stack.rs"]
mod stack;
