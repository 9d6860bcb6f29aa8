//! `dotage ci gitlab sync`: a profile's values, as the variables of a GitLab project or group.

use crate::child::{self, Call};
use crate::ci::gitlab::{self, Answer, Api, Owner, Plan, Request, Step, Terms, Value};
use crate::cli::{Done, Failure, Shell, print, say};
use crate::contract;
use crate::file;
use crate::problem::{Place, Problem, Severity};
use crate::project::{Project, Wanted};
use crate::secret::{Secret, Secrets};
use serde_json::json;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The variable that a token is looked for in.
const TOKEN: &str = "GITLAB_TOKEN";
/// The variable whose value is the key of the hashes, unless another is named.
const KEY: &str = "GITLAB_SYNC_KEY";
/// The fewest bytes of such a key.
const KEY_BYTES: usize = 16;
/// The longest file that a token is read from.
const TOKEN_FILE: usize = 4096;

/// Put a profile's values into the variables of a GitLab project or group
///
/// For values that GitLab itself needs; a job of yours takes them from the vault with `dotage run`. Each is masked,
/// hidden, protected and for one environment. What dotage did not put there is left alone. The token comes from
/// `GITLAB_TOKEN` or a file: scope `api`, role Maintainer.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The only variables
    names: Vec<String>,
    /// The profile [default: the only one, or development]
    #[arg(short = 'P', long, env = "DOTAGE_PROFILE", hide_env_values = true)]
    profile: Option<String>,
    /// Only the variables of one service
    #[arg(long)]
    service: Option<String>,
    /// The GitLab server: `https://gitlab.example.com`
    #[arg(long, env = "CI_SERVER_URL", hide_env_values = true)]
    url: String,
    /// The project, by number or path
    #[arg(long, env = "CI_PROJECT_ID", hide_env_values = true)]
    project: Option<String>,
    /// The group instead, by number or path
    #[arg(long)]
    group: Option<String>,
    /// The environments that they are for [default: the profile's name]
    #[arg(long)]
    scope: Option<String>,
    /// The file with the token [default: `GITLAB_TOKEN`]
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// The variable whose value is the key of the hashes by which a hidden value is known to be the same
    #[arg(long, value_name = "NAME", default_value = KEY)]
    key: String,
    /// Delete what dotage put there for this profile and the vault has no more
    #[arg(long)]
    prune: bool,
    /// Take over a variable that is there already
    #[arg(long)]
    adopt: bool,
    /// Give them to branches and tags that aren't protected, too
    #[arg(long)]
    unprotected: bool,
    /// Let Maintainers read the values in GitLab
    #[arg(long)]
    visible: bool,
    /// Put a secret there that GitLab can't mask: one with white space, or shorter than 8 characters
    #[arg(long)]
    allow_unmasked: bool,
    /// Say what would change, and change nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// The plan as a JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args, shell: &Shell) -> Result<Done, Failure> {
    let project = Project::find()?;
    let (profile, _) = project.profile(args.profile.as_deref())?;
    let owner = match (&args.project, &args.group) {
        (_, Some(group)) => Owner::Group(group.clone()),
        (Some(project), None) => Owner::Project(project.clone()),
        (None, None) => {
            return Err(Problem::new("no-owner", "whose variables are they to be?")
                .help("say --project GROUP/NAME, or --group GROUP")
                .into());
        }
    };
    let token = token(args.token_file.as_deref())?;
    let wanted = wanted(&project, args)?;
    let (key, secrets) = values(&project, profile, &wanted, args, shell)?;
    let scope = args.scope.as_deref().unwrap_or(profile);
    let terms = Terms {
        profile,
        scope,
        key: key.as_ref(),
        protected: !args.unprotected,
        hidden: !args.visible,
        adopt: args.adopt,
        prune: args.prune,
        unmasked: args.allow_unmasked,
    };
    let values: Vec<Value> = wanted
        .iter()
        .filter_map(|(name, variable)| {
            Some(Value {
                name,
                secret: secrets.get(*name)?,
                sensitive: variable.sensitive,
                steers_process: variable.steers_process,
            })
        })
        .collect();
    let send = |request: &Request| send(request, &token);
    let api = Api::new(&args.url, &owner, &send, &std::thread::sleep);
    let there = api.variables()?;
    let plan = gitlab::plan(&values, &there, &terms)?;
    for warning in &plan.warnings {
        say(warning);
    }
    if terms.key.is_none() && plan.steps.iter().any(|step| step.hidden) {
        say(no_key(&args.key));
    }
    let mut done = 0;
    if !args.dry_run {
        for step in &plan.steps {
            match api.take(step, &terms) {
                Ok(warning) => {
                    done += 1;
                    if let Some(warning) = warning {
                        say(warning);
                    }
                }
                Err(problem) => {
                    say(format!("{done} of {} changes are made", plan.steps.len()));
                    return Err(problem.into());
                }
            }
        }
    }
    print(if args.json {
        format!("{:#}\n", object(&plan, &terms, args.dry_run))
    } else {
        text(&plan, &terms, args.dry_run)
    })?;
    if !plan.left.is_empty() {
        say(format!(
            "left there, though the vault has no value: {}\nhelp: dotage ci gitlab sync --prune",
            plan.left.join(", ")
        ));
    }
    Ok(Done::Well)
}

/// The variables that are asked for.
fn wanted<'a>(project: &'a Project, args: &Args) -> Result<Wanted<'a>, Problem> {
    let mut wanted = project.names(args.service.as_deref())?;
    if !args.names.is_empty() {
        if args.prune {
            return Err(Problem::new(
                "prune-some",
                "with names, --prune would delete every other variable",
            )
            .help("leave the names out, or --prune"));
        }
        let mut named = Wanted::new();
        for name in &args.names {
            let (name, variable) = project.variable(name)?;
            named.insert(name, variable);
        }
        wanted.retain(|name, _| named.contains_key(name));
    }
    wanted.retain(|name, _| name.as_str() != args.key);
    Ok(wanted)
}

/// The key of the hashes, if there is one, and the values that are asked for.
fn values(
    project: &Project,
    profile: &str,
    wanted: &Wanted<'_>,
    args: &Args,
    shell: &Shell,
) -> Result<(Option<Secret>, Secrets), Vec<Problem>> {
    let mut all = wanted.clone();
    match project.variable(&args.key) {
        Ok((name, variable)) => drop(all.insert(name, variable)),
        // Nobody has to have one; whoever names one has.
        Err(problem) if args.key != KEY => return Err(problem.into()),
        Err(_) => {}
    }
    let found = project.values(profile, &all, &|| shell.identities())?;
    shell.tell_openers(&found.opened_by);
    let mut secrets = found.secrets;
    let key = secrets.remove(&*args.key);
    if key
        .as_ref()
        .is_some_and(|key| key.expose().len() < KEY_BYTES)
    {
        return Err(Problem::new(
            "weak-key",
            format!("{} has fewer than {KEY_BYTES} bytes", args.key),
        )
        .help(format!(
            "dotage generate {} --force --profile {profile}",
            args.key
        ))
        .into());
    }
    let missing: Vec<Problem> = wanted
        .iter()
        .filter(|(name, variable)| {
            !secrets.contains_key(**name) && variable.is_required(profile, args.service.as_deref())
        })
        .map(|(name, _)| contract::missing(&project.inventory, name, profile))
        .collect();
    if missing.is_empty() {
        Ok((key, secrets))
    } else {
        Err(missing)
    }
}

/// The token, in one line of visible characters.
fn token(path: Option<&Path>) -> Result<Zeroizing<String>, Problem> {
    let (text, place) = match path {
        Some(path) => {
            let bytes = Zeroizing::new(file::read(path, TOKEN_FILE)?);
            let text = String::from_utf8_lossy(&bytes).trim().to_owned();
            (text, Some(Place::file(path)))
        }
        None => (
            std::env::var(TOKEN).unwrap_or_default().trim().to_owned(),
            None,
        ),
    };
    let text = Zeroizing::new(text);
    let wrong = |message: &str| {
        let mut problem = Problem::new("token", message)
            .help("make one in GitLab, with the scope `api` and the role Maintainer, and say --token-file FILE or set GITLAB_TOKEN");
        problem.place.clone_from(&place);
        Err(problem)
    };
    if text.is_empty() {
        return wrong("there is no token");
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return wrong("what is there is no token: it has more than visible characters");
    }
    Ok(text)
}

fn no_key(name: &str) -> Problem {
    Problem::new(
        "no-key",
        format!("the vault holds no {name}: without it nobody knows whether a hidden value is the same, and each is sent every time"),
    )
    .severity(Severity::Note)
    .help(format!("declare it for a service of its own (`ci: {{}}`), and generate it\n  {name}: {{ purpose: proves which values GitLab holds, used_by: [ci], format: {{ key: {{ bytes: 32 }} }} }}"))
}

/// Sends a request with curl.
fn send(request: &Request, token: &str) -> Result<Answer, Problem> {
    let token = Zeroizing::new(format!("PRIVATE-TOKEN: {token}"));
    let reply = child::curl(&Call {
        method: request.method,
        url: &request.url,
        headers: &[
            &token,
            "Content-Type: application/json",
            "Accept: application/json",
        ],
        body: request.body.as_ref().map(|body| body.as_str()),
        without: &[TOKEN],
    })?;
    let Some(reply) = reply else {
        return Ok(Answer {
            status: 0,
            retry_after: None,
            next_page: None,
            body: Zeroizing::new(Vec::new()),
        });
    };
    let header = |name: &str| {
        let named = |(other, _): &&(String, String)| other == name;
        reply
            .headers
            .iter()
            .find(named)
            .map(|(_, value)| value.clone())
    };
    Ok(Answer {
        status: reply.status,
        retry_after: header("retry-after").and_then(|seconds| seconds.parse().ok()),
        next_page: header("x-next-page"),
        body: reply.body,
    })
}

/// What a job or a reader of the plan can know of a variable.
fn kind(step: &Step<'_>, terms: &Terms<'_>) -> String {
    let mut words = Vec::new();
    for (is, word) in [
        (step.file, "file"),
        (step.masked, "masked"),
        (step.hidden, "hidden"),
        (terms.protected, "protected"),
    ] {
        if is {
            words.push(word);
        }
    }
    words.join(", ")
}

/// The plan, a change a line.
fn text(plan: &Plan<'_>, terms: &Terms<'_>, dry_run: bool) -> String {
    let mut text = String::new();
    for step in &plan.steps {
        let (sign, what) = match step.action {
            gitlab::Action::Create => ("+", kind(step, terms)),
            gitlab::Action::Update => ("~", step.why.join(", ")),
            gitlab::Action::Replace => ("±", step.why.join(", ")),
            gitlab::Action::Delete => ("-", step.why.join(", ")),
        };
        let _ = writeln!(text, "{sign} {} ({what})", step.key);
    }
    let would = if dry_run { "to change" } else { "changed" };
    let _ = writeln!(
        text,
        "{}: {} {would}, {} as they should be",
        terms.scope,
        plan.steps.len(),
        plan.same
    );
    text
}

fn object(plan: &Plan<'_>, terms: &Terms<'_>, dry_run: bool) -> serde_json::Value {
    let steps: Vec<serde_json::Value> = plan
        .steps
        .iter()
        .map(|step| {
            json!({
                "action": step.action.name(),
                "name": step.key,
                "type": if step.file { "file" } else { "env_var" },
                "masked": step.masked,
                "hidden": step.hidden,
                "why": step.why,
            })
        })
        .collect();
    json!({
        "profile": terms.profile,
        "scope": terms.scope,
        "protected": terms.protected,
        "dry_run": dry_run,
        "changes": steps,
        "same": plan.same,
        "left": plan.left,
    })
}
