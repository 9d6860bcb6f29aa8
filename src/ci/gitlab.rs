//! GitLab: its variables as they are and as they are to be, and whether the runner hides what a job prints.

mod api;
mod masks;
mod plan;
mod runner;

pub use api::{Answer, Api, Owner, Request};
pub use masks::masks;
pub use plan::{Action, Plan, Step, Terms, Value, Variable, plan};
pub use runner::hides_at_run_time;
