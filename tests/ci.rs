//! CI platforms, for real: what their logs show of a masked secret, what their runners read of what a job is handed, the
//! real act on our action and each ready workflow, the linters on all of it.
//!
//! Run `tests/install` first.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test"
)]

#[path = "ci/action.rs"]
mod action;
#[allow(
    dead_code,
    reason = "shared with tests/dialects.rs, which uses all of it"
)]
#[path = "dialects/hostile.rs"]
mod hostile;
#[path = "ci/leaks.rs"]
mod leaks;
#[path = "ci/linters.rs"]
mod linters;
#[path = "ci/own.rs"]
mod own;
#[path = "ci/records.rs"]
mod records;
#[path = "ci/runner.rs"]
mod runner;
#[path = "ci/verb.rs"]
mod verb;
