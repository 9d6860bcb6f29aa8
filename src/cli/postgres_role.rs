//! `dotage postgres-role`: SQL for psql that gives a PostgreSQL role its password, or retires it.

use super::{Done, Failure, print};
use crate::postgres::{self, Role};
use crate::problem::Problem;
use crate::secret::{Name, Secret};
use std::io::{self, IsTerminal};
use std::os::unix::ffi::OsStringExt;

/// Print SQL for psql: a PostgreSQL role's password, as its SCRAM verifier, or a role's end
///
/// The password itself isn't in it. What gives a password goes to a pipe, not to a terminal.
#[derive(clap::Args)]
#[command(group(clap::ArgGroup::new("what").args(["password_env", "retire"]).required(true)))]
pub(super) struct Args {
    /// The role, as it is, without quotes
    role: String,
    /// The environment variable that holds its password
    #[arg(long, value_name = "NAME")]
    password_env: Option<String>,
    /// Create the role if it is missing, and let it log in
    #[arg(long, requires = "password_env")]
    create: bool,
    /// Make it a member of the role OWNER, and let its sessions act as OWNER
    #[arg(long, value_name = "OWNER", requires = "password_env")]
    member_of: Option<String>,
    /// No login and no password for it any more, and its sessions end
    #[arg(long)]
    retire: bool,
}

pub(super) fn run(args: &Args) -> Result<Done, Failure> {
    let role = role(&args.role)?;
    let Some(variable) = &args.password_env else {
        print(postgres::retirement(&role))?;
        return Ok(Done::Well);
    };
    let owner = args.member_of.as_deref().map(self::role).transpose()?;
    if io::stdout().is_terminal() {
        return Err(Problem::new(
            "terminal",
            "stdout is a terminal: the verifier was not shown",
        )
        .help("pipe it: dotage postgres-role … | psql …")
        .into());
    }
    let password = password(variable)?;
    let verifier = postgres::verifier(&password)
        .map_err(|failed| Problem::new("generator", failed.to_string()).help("try again"))?;
    print(postgres::password(&role, &verifier, args.create, owner.as_ref()).expose())?;
    Ok(Done::Well)
}

fn role(name: &str) -> Result<Role, Problem> {
    Role::new(name).ok_or_else(|| {
        Problem::new("role", "a role's name has 1 to 63 bytes")
            .help("PostgreSQL would cut it off: choose a shorter one")
    })
}

/// The password in a variable of the environment. A word that names none may be the password itself: it isn't repeated.
fn password(variable: &str) -> Result<Secret, Problem> {
    let held = Name::new(variable).and_then(|name| std::env::var_os(name.as_str()));
    let Some(held) = held else {
        return Err(Problem::new(
            "no-value",
            "--password-env names no variable of the environment",
        )
        .help("name the one that holds the password: in a rotation's `before`, NAME_NEW"));
    };
    let password = Secret::new(held.into_vec());
    if postgres::is_portable(&password) {
        return Ok(password);
    }
    Err(Problem::new(
        "password",
        "the password is empty or holds more than printable ASCII, which not every client of PostgreSQL hashes alike",
    )
    .help("make one that they do: dotage generate NAME, with format: { password: … }"))
}
