//! GitLab: a profile becomes the variables of a project, and the component's jobs run under a real local runner, with
//! every log searched for every secret.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "ci/gitlab/component.rs"]
mod component;
#[path = "ci/gitlab/job.rs"]
mod job;
#[path = "ci/gitlab/scene.rs"]
mod scene;
#[path = "ci/gitlab/sync.rs"]
mod sync;
