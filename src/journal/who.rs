//! Who acts, and from where: read off the environment that a process was started with.

/// Who acts, from where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Who {
    /// The name: `DOTAGE_ACTOR`, else whom the CI system names, else the login name.
    pub actor: String,
    /// `person`, `ci` or `ansible`.
    pub host: String,
    /// The address of the CI job.
    pub job: Option<String>,
}

/// Who acts, by the environment's variables; `user` is the number of the account, for where nothing names it.
///
/// Ansible gives its modules no variable of its own, so dotage's collection sets `DOTAGE_ANSIBLE`.
pub fn who(variable: &dyn Fn(&str) -> Option<String>, user: u32) -> Who {
    let variable = |name| variable(name).filter(|value| !value.trim().is_empty());
    let github = variable("GITHUB_ACTIONS").is_some();
    let gitlab = variable("GITLAB_CI").is_some();
    let (host, named, job) = if github {
        let part = |name| variable(name).unwrap_or_default();
        let job = format!(
            "{}/{}/actions/runs/{}",
            part("GITHUB_SERVER_URL"),
            part("GITHUB_REPOSITORY"),
            part("GITHUB_RUN_ID")
        );
        ("ci", variable("GITHUB_ACTOR"), Some(job))
    } else if gitlab {
        ("ci", variable("GITLAB_USER_LOGIN"), variable("CI_JOB_URL"))
    } else if variable("DOTAGE_ANSIBLE").is_some() {
        ("ansible", None, None)
    } else {
        ("person", None, None)
    };
    let actor = variable("DOTAGE_ACTOR")
        .or(named)
        .or_else(|| variable("LOGNAME"))
        .or_else(|| variable("USER"))
        .unwrap_or_else(|| format!("user {user}"));
    Who {
        actor: actor.trim().to_owned(),
        host: host.to_owned(),
        job,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(variables: &[(&str, &str)]) -> Who {
        let find = |name: &str| {
            let found = variables.iter().find(|(key, _)| *key == name)?;
            Some(found.1.to_owned())
        };
        who(&find, 1000)
    }

    #[test]
    fn a_person_is_named_by_what_says_most() {
        let name = |variables: &[(&str, &str)]| {
            let who = with(variables);
            assert_eq!((who.host.as_str(), who.job), ("person", None));
            who.actor
        };
        assert_eq!(name(&[]), "user 1000");
        assert_eq!(name(&[("USER", "ann"), ("DOTAGE_ACTOR", " ")]), "ann");
        assert_eq!(name(&[("USER", "ann"), ("LOGNAME", "anna")]), "anna");
        let asked = [("LOGNAME", "ann"), ("DOTAGE_ACTOR", "ann@example.com\n")];
        assert_eq!(name(&asked), "ann@example.com");
    }

    #[test]
    fn a_job_is_named_with_its_address() {
        let github = with(&[
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_ACTOR", "ann"),
            ("GITHUB_SERVER_URL", "https://github.com"),
            ("GITHUB_REPOSITORY", "us/app"),
            ("GITHUB_RUN_ID", "17"),
            ("USER", "runner"),
        ]);
        assert_eq!((github.actor.as_str(), github.host.as_str()), ("ann", "ci"));
        let address = "https://github.com/us/app/actions/runs/17";
        assert_eq!(github.job.as_deref(), Some(address));
        let gitlab = with(&[
            ("GITLAB_CI", "true"),
            ("GITLAB_USER_LOGIN", "bob"),
            ("CI_JOB_URL", "https://gitlab.com/us/app/-/jobs/5"),
        ]);
        assert_eq!((gitlab.actor.as_str(), gitlab.host.as_str()), ("bob", "ci"));
        assert!(gitlab.job.is_some_and(|job| job.ends_with("/jobs/5")));
    }

    #[test]
    fn ansible_is_told_apart() {
        let who = with(&[("DOTAGE_ANSIBLE", "1"), ("LOGNAME", "deploy")]);
        assert_eq!(
            (who.actor.as_str(), who.host.as_str()),
            ("deploy", "ansible")
        );
    }
}
