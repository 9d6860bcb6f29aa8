//! `--format`: the form in which a verb tells the problems that it found.

use super::{Done, Failure, print};
use crate::problem::{Problem, Severity};
use crate::report::{self, Form};
use clap::builder::{PossibleValuesParser, TypedValueParser};

// Another `Args` has it in it, and clap wants the names of groups to differ.
#[derive(clap::Args)]
#[group(skip)]
pub(super) struct Args {
    /// The form
    #[arg(long, value_name = "FORM", default_value = "people", value_parser = forms())]
    format: Form,
    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

impl Args {
    /// Whether this form was asked for.
    pub(super) fn is(&self, form: Form) -> bool {
        self.format == form && !self.json
    }

    /// Writes the problems to stdout; an error among them is what the verb looks for.
    pub(super) fn tell(
        &self,
        problems: &[Problem],
        rules: &[(&str, &str)],
    ) -> Result<Done, Failure> {
        let form = if self.json { Form::Json } else { self.format };
        print(report::text(form, problems, rules))?;
        let wrong = |problem: &Problem| problem.severity == Severity::Error;
        Ok(if problems.iter().any(wrong) {
            Done::WithFindings
        } else {
            Done::Well
        })
    }
}

fn forms() -> impl TypedValueParser<Value = Form> {
    PossibleValuesParser::new(Form::ALL.map(Form::name))
        .try_map(|name| Form::from_name(&name).ok_or("no form"))
}
