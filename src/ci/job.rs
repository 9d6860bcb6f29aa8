//! What a job's own variables say of it: its runner, its ref, where its code comes from, and what its log will show.
//!
//! # Why
//!
//! Whoever can run code in a job that has an identity can send the values anywhere, masked or not. So the questions are
//! whose code it is (a fork, a protected branch) and how the job came to have secrets, before what its log hides.

use super::Platform;
use super::shell::Told;
use crate::problem::{Problem, Severity};
use serde_json::Value;

/// A job, as far as it can tell by itself.
pub struct Job<'a> {
    /// Its platform.
    pub platform: Platform,
    /// What a variable is set to.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    /// GitHub's event, the JSON of `GITHUB_EVENT_PATH`.
    pub event: Option<Value>,
    /// What its shells do.
    pub shells: Told,
}

/// The rules that a job is held to, each with its sentence.
pub const RULES: &[(&str, &str)] = &[
    ("platform", "the job runs on a platform that is known here"),
    (
        "no-runner",
        "the runner gives a step the files it hands values over in",
    ),
    ("masks", "the log hides what a job learns as it runs"),
    ("debug", "the log shows no debugging output"),
    ("xtrace", "no shell prints its commands"),
    ("stop-commands", "the runner takes masks"),
    ("fork", "no code of a fork runs beside an identity"),
    (
        "trigger",
        "what starts the job gives no secrets to code that others wrote",
    ),
    (
        "unprotected",
        "a strict profile is opened on a protected ref only",
    ),
    ("identity-lines", "the CI secret is the one line of the key"),
    ("no-identity", "an identity is there that opens a profile"),
    (
        "vault",
        "each bundle is a whole age file that holds what a vault may hold",
    ),
    ("unmaskable", "each secret can be hidden"),
    ("many-masks", "the masks are few enough for a quick log"),
];

impl Job<'_> {
    fn is(&self, name: &str, value: &str) -> bool {
        (self.variable)(name).is_some_and(|set| set == value)
    }

    /// The runner in a few words: what it calls itself.
    #[must_use]
    pub fn runner(&self) -> String {
        let names: &[&str] = match self.platform {
            Platform::Github => &["RUNNER_ENVIRONMENT", "RUNNER_OS", "RUNNER_ARCH", "ImageOS"],
            Platform::Gitlab => &["CI_RUNNER_VERSION", "CI_RUNNER_EXECUTABLE_ARCH"],
            Platform::Other(_) => &[],
        };
        let said: Vec<String> = names
            .iter()
            .filter_map(|name| (self.variable)(name))
            .filter(|text| !text.is_empty())
            .collect();
        if said.is_empty() {
            self.platform.name().to_owned()
        } else {
            format!("{} ({})", self.platform.name(), said.join(", "))
        }
    }

    /// Whether its code comes from a fork.
    #[must_use]
    pub fn is_fork(&self) -> bool {
        match self.platform {
            Platform::Github => {
                let head = self
                    .event
                    .as_ref()
                    .and_then(|event| event.pointer("/pull_request/head"));
                // The repository of a fork that was deleted is null.
                head.is_some_and(|head| {
                    let name = head.pointer("/repo/full_name").and_then(Value::as_str);
                    name != (self.variable)("GITHUB_REPOSITORY").as_deref()
                })
            }
            Platform::Gitlab => {
                let source = (self.variable)("CI_MERGE_REQUEST_SOURCE_PROJECT_ID");
                source.is_some() && source != (self.variable)("CI_MERGE_REQUEST_PROJECT_ID")
            }
            Platform::Other(_) => false,
        }
    }

    /// Whether its branch or tag is protected, where the platform says so.
    #[must_use]
    pub fn is_protected(&self) -> Option<bool> {
        let name = match self.platform {
            Platform::Github => "GITHUB_REF_PROTECTED",
            Platform::Gitlab => "CI_COMMIT_REF_PROTECTED",
            Platform::Other(_) => return None,
        };
        (self.variable)(name).map(|value| value == "true")
    }

    /// What is wrong with it. `identity`: whether it has one; `hides`: whether its runner hides what it is told to.
    #[must_use]
    pub fn problems(&self, identity: bool, hides: bool) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut add = |rule, severity, message: &str, help: &str| {
            problems.push(Problem::new(rule, message).severity(severity).help(help));
        };
        if self.platform == Platform::Github {
            for name in ["GITHUB_ENV", "GITHUB_OUTPUT", "RUNNER_TEMP"] {
                if (self.variable)(name).is_none() {
                    add(
                        "no-runner",
                        Severity::Error,
                        &format!("{name} is not set"),
                        "a container or sudo may have dropped it: pass it on",
                    );
                }
            }
        }
        if !hides {
            add(
                "masks",
                Severity::Note,
                "the log hides nothing that a job learns as it runs",
                "let dotage hide it: dotage run -- COMMAND",
            );
        }
        if self.is("RUNNER_DEBUG", "1") {
            add(
                "debug",
                Severity::Warning,
                "debugging is on: the log shows the environment of each step, secrets in it as masks hide them",
                "run the job again without debug logging, or without secrets",
            );
        }
        if self.is("CI_DEBUG_TRACE", "true") {
            add(
                "debug",
                Severity::Error,
                "CI_DEBUG_TRACE is on: the log shows every variable, and each command with its values",
                "take CI_DEBUG_TRACE out of the job",
            );
        }
        if self.is("CI_DEBUG_SERVICES", "true") {
            add(
                "debug",
                Severity::Warning,
                "CI_DEBUG_SERVICES is on: the log shows what service containers print",
                "take CI_DEBUG_SERVICES out of the job",
            );
        }
        if self.shells.traces {
            add(
                "xtrace",
                Severity::Warning,
                "a shell prints its commands (set -x), quoted in ways that no mask has",
                "take `set -x` out of the script, and `-x` out of its `shell:`",
            );
        }
        if self.shells.stops_commands {
            add(
                "stop-commands",
                Severity::Error,
                "this step stops workflow commands: a mask that is written meanwhile is printed, and hides nothing",
                "call dotage ci in a step of its own",
            );
        }
        if self.is_fork() && identity {
            add(
                "fork",
                Severity::Error,
                "code of a fork runs in a job that has an identity",
                "give the job no secret where the code is a fork's: github.event.pull_request.head.repo.full_name, or CI_MERGE_REQUEST_SOURCE_PROJECT_ID, tells",
            );
        }
        if let Some(event @ ("pull_request_target" | "workflow_run")) =
            (self.variable)("GITHUB_EVENT_NAME").as_deref()
            && identity
        {
            add(
                "trigger",
                Severity::Warning,
                &format!("{event} gives secrets to jobs about code that others wrote"),
                "never check that code out here; use pull_request, which has no secrets for forks",
            );
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn rules(
        platform: Platform,
        set: &[(&str, &str)],
        event: Option<Value>,
        shells: Told,
        identity: bool,
    ) -> Vec<&'static str> {
        let variable = |asked: &str| {
            let found = set.iter().find(|(name, _)| *name == asked);
            found.map(|(_, value)| (*value).to_owned())
        };
        let job = Job {
            platform,
            variable: &variable,
            event,
            shells,
        };
        job.problems(identity, true)
            .iter()
            .map(|problem| problem.rule)
            .collect()
    }

    #[test]
    fn a_fork_beside_an_identity_is_wrong() {
        let event =
            |repository: Value| Some(json!({"pull_request": {"head": {"repo": repository}}}));
        let set = [
            ("GITHUB_REPOSITORY", "team/shop"),
            ("GITHUB_ENV", "/e"),
            ("GITHUB_OUTPUT", "/o"),
            ("RUNNER_TEMP", "/t"),
        ];
        let of = |event, identity| rules(Platform::Github, &set, event, Told::default(), identity);
        assert_eq!(of(event(json!({"full_name": "kim/shop"})), true), ["fork"]);
        assert_eq!(of(event(Value::Null), true), ["fork"]);
        assert!(of(event(json!({"full_name": "kim/shop"})), false).is_empty());
        assert!(of(event(json!({"full_name": "team/shop"})), true).is_empty());
        assert!(of(None, true).is_empty());
        let merge = [
            ("CI_MERGE_REQUEST_SOURCE_PROJECT_ID", "2"),
            ("CI_MERGE_REQUEST_PROJECT_ID", "1"),
        ];
        assert_eq!(
            rules(Platform::Gitlab, &merge, None, Told::default(), true),
            ["fork"]
        );
    }

    #[test]
    fn what_shows_values_is_told() {
        let shells = Told {
            traces: true,
            stops_commands: true,
        };
        assert_eq!(
            rules(
                Platform::Gitlab,
                &[("CI_DEBUG_TRACE", "true"), ("CI_DEBUG_SERVICES", "true")],
                None,
                shells,
                true
            ),
            ["debug", "debug", "xtrace", "stop-commands"]
        );
        assert_eq!(
            rules(
                Platform::Github,
                &[("RUNNER_DEBUG", "1"), ("GITHUB_EVENT_NAME", "workflow_run")],
                None,
                Told::default(),
                true
            ),
            ["no-runner", "no-runner", "no-runner", "debug", "trigger"]
        );
    }
}
