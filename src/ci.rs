//! CI platforms: which of them a job runs on, and what its runner takes from the job's output and files.
//!
//! # Why
//!
//! This is knowledge and touches nothing: what the environment says is asked of the caller, and what is to be written is
//! handed back. A platform's rules are read off its runner's source, which each of the files here names.

mod ancestors;
pub mod github;
pub mod gitlab;
pub mod job;
pub mod shell;

use crate::secret;

/// A platform whose job this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Platform {
    /// GitHub Actions, and what runs its workflows (act, Gitea, Forgejo).
    Github,
    /// GitLab CI.
    Gitlab,
    /// Another one, by its name.
    Other(&'static str),
}

/// What others set in their jobs, and their names. `CI` comes last: nearly all of them set it.
const OTHERS: [(&str, &str); 6] = [
    ("JENKINS_URL", "Jenkins"),
    ("BUILDKITE", "Buildkite"),
    ("CI_PIPELINE_FORGE_URL", "Woodpecker"),
    ("DRONE", "Drone"),
    ("CIRCLECI", "CircleCI"),
    ("CI", "a CI platform without a name here"),
];

impl Platform {
    /// The platform that an environment tells of; `variable` says what a variable is set to.
    pub fn of(variable: &dyn Fn(&str) -> Option<String>) -> Option<Platform> {
        let is = |name: &str| variable(name).is_some_and(|value| value == "true");
        if is("GITHUB_ACTIONS") {
            return Some(Platform::Github);
        }
        if is("GITLAB_CI") {
            return Some(Platform::Gitlab);
        }
        OTHERS
            .into_iter()
            .find(|(name, _)| variable(name).is_some_and(|value| !value.is_empty()))
            .map(|(_, platform)| Platform::Other(platform))
    }

    /// What people call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Platform::Github => "GitHub Actions",
            Platform::Gitlab => "GitLab CI",
            Platform::Other(name) => name,
        }
    }
}

/// Why a variable of this name is not given to the steps of a job, in words that complete `NAME …`; none where it may be.
#[must_use]
pub fn refused(name: &str) -> Option<&'static str> {
    let runner = ["GITHUB_", "RUNNER_", "ACTIONS_", "INPUT_", "STATE_"];
    if runner.iter().any(|start| name.starts_with(start)) || name == "CI" {
        Some("is the runner's own to set")
    } else if ["DOTAGE_", "SOPS_AGE_"]
        .iter()
        .any(|start| name.starts_with(start))
    {
        Some("says where dotage finds an identity, and may be a command")
    } else if secret::steers(name)
        || ["HOME", "SHELL", "ENV"].contains(&name)
        || name.eq_ignore_ascii_case("NODE_OPTIONS")
    {
        Some("changes what the programs of later steps run or load")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_platform_is_told_by_what_it_sets() {
        let of = |set: &[(&str, &str)]| {
            Platform::of(&|asked| {
                let found = set.iter().find(|(name, _)| *name == asked);
                found.map(|(_, value)| (*value).to_owned())
            })
        };
        assert_eq!(of(&[]), None);
        assert_eq!(
            of(&[("CI", "true"), ("GITHUB_ACTIONS", "true")]),
            Some(Platform::Github)
        );
        assert_eq!(of(&[("GITHUB_ACTIONS", "false")]), None);
        assert_eq!(of(&[("GITLAB_CI", "true")]), Some(Platform::Gitlab));
        assert_eq!(
            of(&[("CI", "true"), ("JENKINS_URL", "http://ci/")]).map(Platform::name),
            Some("Jenkins")
        );
    }

    #[test]
    fn what_steers_a_job_is_refused() {
        for name in [
            "GITHUB_TOKEN",
            "RUNNER_TEMP",
            "ACTIONS_STEP_DEBUG",
            "INPUT_X",
            "STATE_x",
            "CI",
            "PATH",
            "HOME",
            "SHELL",
            "IFS",
            "ENV",
            "BASH_ENV",
            "LD_PRELOAD",
            "LD_AUDIT",
            "LD_LIBRARY_PATH",
            "DYLD_INSERT_LIBRARIES",
            "NODE_OPTIONS",
            "node_options",
            "PYTHONSTARTUP",
            "PYTHONPATH",
            "PERL5OPT",
            "RUBYOPT",
            "GIT_SSH_COMMAND",
            "GIT_CONFIG_COUNT",
            "DOTAGE_IDENTITY_COMMAND",
        ] {
            assert!(refused(name).is_some(), "{name}");
        }
        for name in ["DATABASE_URL", "CI_TOKEN", "NODE_ENV", "PGPASSWORD", "path"] {
            assert_eq!(refused(name), None, "{name}");
        }
    }
}
