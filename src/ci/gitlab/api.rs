//! GitLab's API of project and group variables: its requests, its answers, its pages and its limits.
//!
//! # Why
//!
//! Who sends a request and who waits is given: a request is a method, an address and a text. One that failed on the way,
//! or that the server could not answer, is sent again; a variable whose creation is told only the second time is there
//! already, and then it is updated. What an answer says in words is not repeated, since nobody knows what it quotes.

use super::plan::{Action, Step, Terms, Variable};
use crate::problem::{Problem, Severity};
use crate::secret::Secret;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::time::Duration;
use zeroize::Zeroizing;

/// How many variables an answer has at most: GitLab's own limit.
const PAGE: usize = 100;
/// The most pages: GitLab's limit is 8,000 variables.
const PAGES: usize = 200;
/// How often a request is sent again that failed.
const AGAIN: u32 = 4;
/// The longest that a rate limit is waited for, all together.
const PATIENCE: Duration = Duration::from_mins(5);

/// Whose variables.
pub enum Owner {
    /// A project, by number or path.
    Project(String),
    /// A group, by number or path.
    Group(String),
}

/// A request.
pub struct Request {
    /// `GET`, `POST`, `PUT`, `DELETE`.
    pub method: &'static str,
    /// The whole address. No value is in it.
    pub url: String,
    /// A JSON text, which holds a value.
    pub body: Option<Zeroizing<String>>,
}

/// What the server answers.
pub struct Answer {
    /// The HTTP status; 0 when there was no answer, or none that is one.
    pub status: u16,
    /// How many seconds it asks to wait.
    pub retry_after: Option<u64>,
    /// The next page, in words as the header has it: empty after the last.
    pub next_page: Option<String>,
    /// The body.
    pub body: Zeroizing<Vec<u8>>,
}

/// The API of one project or group.
pub struct Api<'a> {
    base: String,
    of: String,
    send: &'a dyn Fn(&Request) -> Result<Answer, Problem>,
    wait: &'a dyn Fn(Duration),
}

impl<'a> Api<'a> {
    /// The API at a server's address. `send` sends a request; its error ends everything, an answer of status 0 is tried
    /// again. `wait` waits.
    pub fn new(
        server: &str,
        owner: &Owner,
        send: &'a dyn Fn(&Request) -> Result<Answer, Problem>,
        wait: &'a dyn Fn(Duration),
    ) -> Self {
        let (kind, owner) = match owner {
            Owner::Project(project) => ("project", project),
            Owner::Group(group) => ("group", group),
        };
        let server = server.trim_end_matches('/').trim_end_matches("/api/v4");
        Api {
            base: format!("{server}/api/v4/{kind}s/{}/variables", escaped(owner)),
            of: format!("{kind} {owner}"),
            send,
            wait,
        }
    }

    /// Every variable that is there.
    ///
    /// # Errors
    /// When the server can't be asked, refuses, or answers something else.
    pub fn variables(&self) -> Result<Vec<Variable>, Problem> {
        let mut variables = Vec::new();
        let mut page = "1".to_owned();
        for _ in 0..PAGES {
            let answer = self.ask(&Request {
                method: "GET",
                url: format!("{}?per_page={PAGE}&page={}", self.base, escaped(&page)),
                body: None,
            })?;
            if answer.status != 200 {
                return Err(self.refused(&answer, None));
            }
            let Ok(Value::Array(list)) = serde_json::from_slice(&answer.body) else {
                return Err(self.no_api());
            };
            let count = list.len();
            for one in list {
                variables.push(variable(one).ok_or_else(|| self.no_api())?);
            }
            page = match answer.next_page {
                Some(next) if next.is_empty() => return Ok(variables),
                Some(next) => next,
                None if count < PAGE => return Ok(variables),
                None => (page.parse::<usize>().unwrap_or(1) + 1).to_string(),
            };
        }
        Err(Problem::new(
            "gitlab",
            format!("{} has no end of variables", self.of),
        ))
    }

    /// Does one step, and says what GitLab made of it that is not what was asked.
    ///
    /// # Errors
    /// When the server can't be asked or refuses; when a secret came to be where more can see it than was asked, which
    /// is taken back where that can be done.
    pub fn take(&self, step: &Step<'_>, terms: &Terms<'_>) -> Result<Option<Problem>, Problem> {
        match step.action {
            Action::Create => self.create(step, terms),
            Action::Update => self.update(step, terms),
            Action::Replace => {
                self.delete(&step.key, terms.scope)?;
                self.create(step, terms)
            }
            Action::Delete => self.delete(&step.key, terms.scope).map(|()| None),
        }
    }

    fn create(&self, step: &Step<'_>, terms: &Terms<'_>) -> Result<Option<Problem>, Problem> {
        let mut tries = 0;
        let answer = self.asked(
            &Request {
                method: "POST",
                url: self.base.clone(),
                body: Some(body(step, terms, true)),
            },
            &mut tries,
        )?;
        if answer.status == 400 && tries > 1 {
            // Perhaps the first one was heard, and only its answer lost.
            let updated = self.put(step, terms)?;
            if updated.status != 404 {
                return self.made(&updated, step, terms);
            }
        }
        self.made(&answer, step, terms)
    }

    fn update(&self, step: &Step<'_>, terms: &Terms<'_>) -> Result<Option<Problem>, Problem> {
        self.made(&self.put(step, terms)?, step, terms)
    }

    fn put(&self, step: &Step<'_>, terms: &Terms<'_>) -> Result<Answer, Problem> {
        self.ask(&Request {
            method: "PUT",
            url: self.one(&step.key, terms.scope),
            body: Some(body(step, terms, false)),
        })
    }

    fn delete(&self, key: &str, scope: &str) -> Result<(), Problem> {
        let answer = self.ask(&Request {
            method: "DELETE",
            url: self.one(key, scope),
            body: None,
        })?;
        // Gone already is gone.
        if matches!(answer.status, 200..=299 | 404) {
            Ok(())
        } else {
            Err(self.refused(&answer, Some(key)))
        }
    }

    /// The address of a variable. The filter is needed where the name is there for several environments.
    fn one(&self, key: &str, scope: &str) -> String {
        format!(
            "{}/{key}?filter%5Benvironment_scope%5D={}",
            self.base,
            escaped(scope)
        )
    }

    /// Looks at what was made: older servers, and cheaper ones, pass over what they don't know.
    fn made(
        &self,
        answer: &Answer,
        step: &Step<'_>,
        terms: &Terms<'_>,
    ) -> Result<Option<Problem>, Problem> {
        if !matches!(answer.status, 200..=299) {
            return Err(self.refused(answer, Some(&step.key)));
        }
        let made = serde_json::from_slice(&answer.body)
            .ok()
            .and_then(variable)
            .ok_or_else(|| self.no_api())?;
        let key = &step.key;
        if made.scope != terms.scope {
            self.delete(key, &made.scope)?;
            return Err(Problem::new(
                "scope",
                format!(
                    "{} takes no scope: {key} would be there for every environment, and is deleted again",
                    self.of
                ),
            )
            .help("scopes of a group need GitLab Premium: put it into the project, or say --scope '*'"));
        }
        if step.masked && !made.masked || terms.protected && !made.protected {
            self.delete(key, &made.scope)?;
            return Err(Problem::new(
                "attributes",
                format!("this GitLab neither masks nor protects {key} as it was asked to; it is deleted again"),
            )
            .help("GitLab 15.7 or newer takes raw variables, which are masked whatever their characters"));
        }
        let warning = |rule, message: String, help: &str| {
            let problem = Problem::new(rule, message).severity(Severity::Warning);
            Ok(Some(problem.help(help)))
        };
        if made.description != step.description {
            let message = format!(
                "{key} is there without a mark: the next sync takes it for somebody else's"
            );
            return warning(
                "not-marked",
                message,
                "GitLab keeps descriptions since 16.2; with an older one, sync with --adopt",
            );
        }
        if step.hidden && !made.hidden && step.action != Action::Update {
            let message = format!("{key} is masked, but not hidden");
            return warning("not-hidden", message, "GitLab hides variables since 17.6");
        }
        Ok(None)
    }

    fn ask(&self, request: &Request) -> Result<Answer, Problem> {
        self.asked(request, &mut 0)
    }

    /// Sends a request until it is answered, and counts how often.
    fn asked(&self, request: &Request, tries: &mut u32) -> Result<Answer, Problem> {
        let mut waited = Duration::ZERO;
        let mut pause = Duration::from_secs(1);
        loop {
            let answer = (self.send)(request)?;
            *tries += 1;
            let limited = answer.status == 429;
            let for_now = limited || answer.status == 0 || answer.status >= 500;
            if !for_now || !limited && *tries > AGAIN {
                return Ok(answer);
            }
            // A second at least, or a server that says 0 each time is asked for ever.
            let asked = answer
                .retry_after
                .map(|seconds| Duration::from_secs(seconds.max(1)));
            let next = asked.unwrap_or(pause);
            if waited + next > PATIENCE {
                return Err(Problem::new(
                    "rate-limit",
                    format!(
                        "the server wants no request from us for {} seconds",
                        next.as_secs()
                    ),
                )
                .help("run it again later: what is done stays done"));
            }
            (self.wait)(next);
            waited += next;
            pause *= 2;
        }
    }

    /// What an answer that is no yes means.
    fn refused(&self, answer: &Answer, key: Option<&str>) -> Problem {
        let what = key.map_or_else(|| "the variables".to_owned(), str::to_owned);
        let of = &self.of;
        let (message, help) = match answer.status {
            0 => (
                "the server gives no answer".to_owned(),
                "look at --url, at the network, and at the certificate (CURL_CA_BUNDLE names others)",
            ),
            300..=399 => (
                "the server sends us elsewhere, and the token goes nowhere else".to_owned(),
                "give --url the address that a browser ends up at, with https",
            ),
            400 => (
                match fields(&answer.body) {
                    Some(fields) => format!("GitLab refuses {what} for its {fields}"),
                    None => format!("GitLab refuses {what}"),
                },
                "what is done stays done; mend it, and run it again",
            ),
            401 => (
                "GitLab does not accept the token".to_owned(),
                "make one with the scope `api`, and the role Maintainer",
            ),
            403 => (
                format!("the token may not touch {what} of {of}"),
                "it needs the scope `api`, and the role Maintainer (of a group: Owner)",
            ),
            404 => (
                format!("there is no {of}, or the token can't see it"),
                "give its number, or its path with every group: --project group/name",
            ),
            status => (
                format!("the server answers {status}"),
                "run it again later: what is done stays done",
            ),
        };
        Problem::new("gitlab", message).help(help)
    }

    fn no_api(&self) -> Problem {
        Problem::new(
            "gitlab",
            format!(
                "what answers is no GitLab API: nothing is known of {}",
                self.of
            ),
        )
        .help("give --url the server's address: https://gitlab.example.com")
    }
}

/// The fields that a refusal names. What it says of them is left out.
fn fields(body: &[u8]) -> Option<String> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    let known = [
        "key",
        "value",
        "masked",
        "hidden",
        "protected",
        "raw",
        "environment_scope",
        "variable_type",
        "description",
    ];
    let named = answer.get("message")?.as_object()?;
    let named: Vec<&str> = known
        .into_iter()
        .filter(|field| named.contains_key(*field))
        .collect();
    (!named.is_empty()).then(|| named.join(" and "))
}

/// A variable, as an answer tells of it.
fn variable(told: Value) -> Option<Variable> {
    let Value::Object(mut told) = told else {
        return None;
    };
    let flag = |name: &str| told.get(name).and_then(Value::as_bool).unwrap_or(false);
    let text = |name: &str| told.get(name).and_then(Value::as_str).map(str::to_owned);
    Some(Variable {
        key: text("key")?,
        scope: text("environment_scope").unwrap_or_else(|| "*".to_owned()),
        file: text("variable_type").is_some_and(|kind| kind == "file"),
        raw: flag("raw"),
        protected: flag("protected"),
        masked: flag("masked"),
        hidden: flag("hidden"),
        description: text("description").unwrap_or_default(),
        value: match told.remove("value") {
            Some(Value::String(value)) => Some(Secret::new(value.into_bytes())),
            _ => None,
        },
    })
}

/// What a creation or an update says.
fn body(step: &Step<'_>, terms: &Terms<'_>, create: bool) -> Zeroizing<String> {
    let value = step.secret.map_or_else(String::new, |secret| {
        String::from_utf8_lossy(secret.expose()).into_owned()
    });
    let mut body = json!({
        "value": value,
        "variable_type": if step.file { "file" } else { "env_var" },
        "protected": terms.protected,
        "masked": step.masked,
        "raw": true,
        "environment_scope": terms.scope,
        "description": step.description,
    });
    if create {
        body["key"] = Value::from(step.key.as_str());
        if step.hidden {
            body["masked_and_hidden"] = Value::from(true);
        }
    }
    Zeroizing::new(body.to_string())
}

/// A text as one part of an address.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}

#[cfg(test)]
mod tests;
