//! The operators' runbook, sentence by sentence: what it says is done with the preset, by the real program.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "runbook/bootstrap.rs"]
mod bootstrap;
#[path = "runbook/contract.rs"]
mod contract;
#[path = "runbook/incident.rs"]
mod incident;
#[path = "runbook/inventory.rs"]
mod inventory;
#[path = "runbook/precedence.rs"]
mod precedence;
#[path = "runbook/rotation.rs"]
mod rotation;
#[path = "runbook/stack.rs"]
mod stack;
#[path = "runbook/storage.rs"]
mod storage;
#[path = "rotate/stack.rs"]
mod world;
