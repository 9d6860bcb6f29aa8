//! A rotation: which values switch together, what has to be done for that, in which order, and what comes next.
//!
//! # Why
//!
//! It is pure: no disk, no process, no clock of its own. A rotation in flight is a file, and all that it has to remember
//! is a [`Position`]: the step that it is at, whether that step is done, and how far it had come when it turned back. Each
//! step can be done twice, so whoever finds the file, on whatever machine, does that step again or the next one.
//!
//! The steps follow from the inventory and are not stored: a step whose words are no longer in the plan is an error, since
//! what was done can't be told any more. The old value is kept until the new one is proven, the new one from before it is
//! used: both are in the file from its first moment to its last.

use crate::inventory::{Inventory, Rotation, Service, Spot, Variable};
use crate::problem::{Place, Problem};
use crate::secret::Name;
use crate::time::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

/// What is done for a rotation, in which order.
pub struct Plan<'a> {
    inventory: &'a Inventory,
    /// The profile.
    pub profile: String,
    /// The variables that get a new value: they switch together.
    pub names: BTreeSet<&'a Name>,
    /// Those that the inventory switches with them, but whose value nobody makes or gave: it stays.
    pub kept: BTreeSet<&'a Name>,
    /// Those whose value is made of one that switches.
    pub derived: BTreeSet<&'a Name>,
    /// The services that read any of these, in the order in which they are deployed.
    pub services: Vec<&'a str>,
    forward: Vec<Step>,
}

/// Something to do. Its words are what the journal and the file of the rotation call it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The new values are made, and put into the file of the rotation with the old ones.
    Stage,
    /// Stored data is saved.
    Backup,
    /// What must be done with the old and the new value before the switch.
    Before,
    /// The vault gets the new values.
    Switch,
    /// The targets that show one of them are rendered.
    Render,
    /// A service takes what it reads, and is healthy.
    Deploy(String),
    /// The checks pass.
    Verify,
    /// The old values stay good beside the new ones for a while.
    Overlap,
    /// The targets are rendered without the old values.
    Retire,
    /// A service that had both takes the new ones alone.
    Redeploy(String),
    /// The old values are proven dead.
    Prove,
    /// The old values are destroyed: the rotation has ended.
    Finish,
    /// What `Before` did is taken back.
    Undo,
    /// The vault gets the old values again.
    SwitchBack,
    /// The targets are rendered with the old values.
    RenderBack,
    /// A service takes the old values again.
    DeployBack(String),
    /// The checks pass with the old values.
    VerifyBack,
    /// The new values are destroyed: all is as before the rotation.
    FinishBack,
}

/// The steps that have no service, and their words.
const WORDS: &[(Step, &str)] = &[
    (Step::Stage, "stage"),
    (Step::Backup, "backup"),
    (Step::Before, "before"),
    (Step::Switch, "switch"),
    (Step::Render, "render"),
    (Step::Verify, "verify"),
    (Step::Overlap, "overlap"),
    (Step::Retire, "retire"),
    (Step::Prove, "prove"),
    (Step::Finish, "finish"),
    (Step::Undo, "undo"),
    (Step::SwitchBack, "switch back"),
    (Step::RenderBack, "render back"),
    (Step::VerifyBack, "verify back"),
    (Step::FinishBack, "finish back"),
];

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Deploy(service) => write!(f, "deploy {service}"),
            Step::Redeploy(service) => write!(f, "redeploy {service}"),
            Step::DeployBack(service) => write!(f, "deploy back {service}"),
            plain => f.write_str(
                WORDS
                    .iter()
                    .find(|(step, _)| step == plain)
                    .map_or("", |(_, word)| word),
            ),
        }
    }
}

impl Step {
    /// The step of these words.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if let Some((step, _)) = WORDS.iter().find(|(_, word)| *word == text) {
            return Some(step.clone());
        }
        let of = |word: &str| text.strip_prefix(word).map(str::to_owned);
        of("deploy back ")
            .map(Step::DeployBack)
            .or_else(|| of("deploy ").map(Step::Deploy))
            .or_else(|| of("redeploy ").map(Step::Redeploy))
    }

    /// Whether it belongs to the way back.
    #[must_use]
    pub fn is_back(&self) -> bool {
        matches!(
            self,
            Step::Undo
                | Step::SwitchBack
                | Step::RenderBack
                | Step::DeployBack(_)
                | Step::VerifyBack
                | Step::FinishBack
        )
    }

    /// Whether somebody else than dotage can have done it: what it does is seen outside of the vault.
    #[must_use]
    pub fn is_outside(&self) -> bool {
        !matches!(
            self,
            Step::Stage
                | Step::Switch
                | Step::Overlap
                | Step::Finish
                | Step::SwitchBack
                | Step::FinishBack
        )
    }
}

/// Where a rotation in flight stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// The step that was begun last.
    pub step: Step,
    /// Whether it is done.
    pub done: bool,
    /// On the way back: the step that was begun last on the way forward.
    pub reached: Option<Step>,
    /// When all was deployed and its checks passed: the old values stay good for a while from then on.
    pub verified: Option<Time>,
}

impl Position {
    /// Whether the targets may show the old values beside the new ones: from the switch to the end of the overlap.
    #[must_use]
    pub fn shows_previous(&self) -> bool {
        matches!(
            self.step,
            Step::Switch | Step::Render | Step::Deploy(_) | Step::Verify | Step::Overlap
        )
    }
}

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// This step.
    Do(Step),
    /// Nothing until then: the old values stay good.
    Wait(Time),
    /// Nothing any more.
    Ended,
}

impl<'a> Plan<'a> {
    /// The plan for new values of these variables. One that is made of others stands for the secrets among those; with
    /// each come those that the inventory switches together with it.
    ///
    /// # Errors
    /// A variable that is not rotated: one of a bootstrap, one that stored data is encrypted with and that has no
    /// `before`, one that is made of nothing secret.
    pub fn new(
        inventory: &'a Inventory,
        profile: &str,
        asked: &BTreeSet<&'a Name>,
    ) -> Result<Self, Vec<Problem>> {
        let mut names = BTreeSet::new();
        for name in asked {
            sources(inventory, name, &mut names);
        }
        if let (true, Some(name)) = (names.is_empty(), asked.first()) {
            let message = format!("{name} is made of no secret: there is nothing to rotate");
            return Err(vec![
                Problem::new("nothing-secret", message)
                    .at(Place::file(&inventory.path))
                    .help("change what it is made of: dotage set NAME"),
            ]);
        }
        let mut all = names.clone();
        loop {
            let more: BTreeSet<&Name> = inventory
                .variables
                .iter()
                .flat_map(|(name, variable)| {
                    let with = variable
                        .rotation
                        .iter()
                        .flat_map(|rotation| &rotation.together);
                    with.map(move |other| (name, other))
                })
                .filter_map(|(name, other)| {
                    let (other, _) = inventory.variables.get_key_value(&other.value)?;
                    match (all.contains(name), all.contains(other)) {
                        (true, false) => Some(other),
                        (false, true) => Some(name),
                        _ => None,
                    }
                })
                .collect();
            if more.is_empty() {
                break;
            }
            all.extend(more);
        }
        let mut kept = BTreeSet::new();
        let asked = names.clone();
        for name in all.difference(&asked) {
            let generated = inventory
                .variables
                .get(*name)
                .is_some_and(Variable::is_generated);
            if generated {
                names.insert(name);
            } else {
                kept.insert(*name);
            }
        }
        let problems: Vec<Problem> = names
            .iter()
            .filter_map(|name| refused(inventory, profile, name))
            .collect();
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Plan::of(inventory, profile, names, kept))
    }

    /// The plan of a rotation in flight: what its file holds are its names.
    #[must_use]
    pub fn resumed(
        inventory: &'a Inventory,
        profile: &str,
        names: impl IntoIterator<Item = &'a Name>,
    ) -> Self {
        Plan::of(
            inventory,
            profile,
            names.into_iter().collect(),
            BTreeSet::new(),
        )
    }

    fn of(
        inventory: &'a Inventory,
        profile: &str,
        names: BTreeSet<&'a Name>,
        kept: BTreeSet<&'a Name>,
    ) -> Self {
        let mut derived = BTreeSet::new();
        loop {
            let made = |name: &&Name| names.contains(*name) || derived.contains(*name);
            let more: BTreeSet<&Name> = inventory
                .variables
                .iter()
                .filter(|(name, variable)| {
                    let mut parts = variable.derive.iter().flat_map(|derive| &derive.names);
                    !derived.contains(*name) && parts.any(|part| made(&part))
                })
                .map(|(name, _)| name)
                .collect();
            if more.is_empty() {
                break;
            }
            derived.extend(more);
        }
        let mut plan = Plan {
            services: in_order(inventory, names.iter().chain(&derived).copied()),
            inventory,
            profile: profile.to_owned(),
            names,
            kept,
            derived,
            forward: Vec::new(),
        };
        plan.forward = plan.forward();
        plan
    }

    fn forward(&self) -> Vec<Step> {
        let deploy = |step: fn(String) -> Step| {
            self.services
                .iter()
                .map(move |service| step((*service).to_owned()))
        };
        let mut steps = vec![Step::Stage];
        let if_any = |steps: &mut Vec<Step>, step: Step| {
            if !self.commands(&step).is_empty() {
                steps.push(step);
            }
        };
        if_any(&mut steps, Step::Backup);
        if_any(&mut steps, Step::Before);
        steps.extend([Step::Switch, Step::Render]);
        steps.extend(deploy(Step::Deploy));
        if_any(&mut steps, Step::Verify);
        if self.overlap().is_some() {
            steps.extend([Step::Overlap, Step::Retire]);
            steps.extend(deploy(Step::Redeploy));
        }
        if_any(&mut steps, Step::Prove);
        steps.push(Step::Finish);
        steps
    }

    /// The steps from the beginning to the end.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.forward
    }

    /// The steps back from where a rotation has come to: what was begun is taken back.
    #[must_use]
    pub fn steps_back(&self, reached: &Step) -> Vec<Step> {
        let begun = |step: &Step| {
            let at = |wanted: &Step| self.forward.iter().position(|other| other == wanted);
            at(step).is_some_and(|step| at(reached).is_some_and(|reached| step <= reached))
        };
        let mut steps = Vec::new();
        if begun(&Step::Before) {
            steps.push(Step::Undo);
        }
        if begun(&Step::Switch) {
            steps.extend([Step::SwitchBack, Step::RenderBack]);
            let services = self.services.iter();
            steps.extend(services.map(|service| Step::DeployBack((*service).to_owned())));
            if !self.commands(&Step::VerifyBack).is_empty() {
                steps.push(Step::VerifyBack);
            }
        }
        steps.push(Step::FinishBack);
        steps
    }

    /// What comes next, at a moment.
    ///
    /// # Errors
    /// When the step that it stands at is none of the plan: the inventory was changed meanwhile.
    pub fn next(&self, at: &Position, now: Time) -> Result<Next, Problem> {
        let back;
        let steps = match &at.reached {
            Some(reached) => {
                back = self.steps_back(reached);
                &back
            }
            None => &self.forward,
        };
        let Some(begun) = steps.iter().position(|step| *step == at.step) else {
            let message = format!(
                "the rotation stands at `{}`, which is no step of it by the dotage.yaml of today",
                at.step
            );
            return Err(Problem::new("plan-changed", message)
                .help("bring back the dotage.yaml that it began with: git log -p dotage.yaml"));
        };
        let Some(step) = steps.get(begun + usize::from(at.done)) else {
            return Ok(Next::Ended);
        };
        Ok(match (step, self.overlap(), at.verified) {
            (Step::Overlap, Some(overlap), Some(verified)) if verified.until(now) < overlap => {
                Next::Wait(Time(verified.0.saturating_add(overlap.as_secs())))
            }
            _ => Next::Do(step.clone()),
        })
    }

    /// Where it stands once it turns back.
    #[must_use]
    pub fn turned(&self, at: &Position) -> Position {
        let first = self.steps_back(&at.step).into_iter().next();
        Position {
            step: first.unwrap_or(Step::FinishBack),
            done: false,
            reached: Some(at.step.clone()),
            verified: None,
        }
    }

    /// What a step runs, in order: each command once.
    #[must_use]
    pub fn commands(&self, step: &Step) -> Vec<&'a str> {
        let rotations = || {
            let variables = self.variables();
            variables.filter_map(|(_, variable)| variable.rotation.as_deref())
        };
        let of = |list: fn(&'a Rotation) -> &'a Vec<Spot<String>>| -> Vec<&'a Spot<String>> {
            rotations().flat_map(list).collect()
        };
        let service = |name: &String| self.inventory.services.get(name);
        let spots: Vec<&Spot<String>> = match step {
            Step::Backup => of(|rotation| &rotation.backup),
            Step::Before => of(|rotation| &rotation.before),
            Step::Undo => {
                let mut undo = of(|rotation| &rotation.undo);
                undo.reverse();
                undo
            }
            Step::Deploy(name) | Step::Redeploy(name) | Step::DeployBack(name) => service(name)
                .map(|service| service.deploy.iter().collect())
                .unwrap_or_default(),
            Step::Verify | Step::VerifyBack => self.checks(),
            Step::Prove => of(|rotation| &rotation.old_must_fail),
            _ => Vec::new(),
        };
        let mut commands: Vec<&str> = Vec::new();
        for spot in spots {
            if !commands.contains(&spot.value.as_str()) {
                commands.push(&spot.value);
            }
        }
        commands
    }

    /// The commands that succeed when a service runs, and how long they may fail.
    #[must_use]
    pub fn healthy(&self, service: &str) -> (Vec<&'a str>, Duration) {
        let Some(service) = self.inventory.services.get(service) else {
            return (Vec::new(), Duration::ZERO);
        };
        let commands = service.healthy.iter().map(|spot| spot.value.as_str());
        (commands.collect(), service.within.unwrap_or_default())
    }

    /// How long the checks may fail.
    #[must_use]
    pub fn within(&self) -> Duration {
        let rotations = self
            .variables()
            .filter_map(|(_, variable)| variable.rotation.as_ref()?.within);
        let services = self.used().filter_map(|service| service.within);
        rotations.chain(services).max().unwrap_or_default()
    }

    /// Whether the old values stay good for a while from when this step is done.
    #[must_use]
    pub fn begins_overlap(&self, step: &Step) -> bool {
        let mut pairs = self.forward.iter().zip(self.forward.iter().skip(1));
        pairs.any(|(one, next)| one == step && *next == Step::Overlap)
    }

    /// How long the old values stay good beside the new ones, by the longest word of the inventory.
    #[must_use]
    pub fn overlap(&self) -> Option<Duration> {
        self.variables()
            .filter_map(|(_, variable)| variable.rotation.as_ref()?.overlap)
            .max()
    }

    /// The maintenance windows that it needs, in words.
    #[must_use]
    pub fn windows(&self) -> Vec<&'a str> {
        let rotations = self
            .variables()
            .filter_map(|(_, variable)| variable.rotation.as_deref());
        rotations
            .filter_map(|rotation| rotation.window.as_deref())
            .collect()
    }

    /// What users will notice, by variable.
    #[must_use]
    pub fn expect(&self) -> Vec<(&'a Name, &'a str)> {
        self.variables()
            .filter_map(|(name, variable)| {
                Some((name, variable.rotation.as_ref()?.expect.as_deref()?))
            })
            .collect()
    }

    /// The variables that get a new value.
    pub fn variables(&self) -> impl Iterator<Item = (&'a Name, &'a Variable)> {
        self.names
            .iter()
            .filter_map(|name| self.inventory.variables.get_key_value(*name))
    }

    /// The services that read what switches.
    fn used(&self) -> impl Iterator<Item = &'a Service> {
        self.services
            .iter()
            .filter_map(|service| self.inventory.services.get(*service))
    }

    /// The checks of each variable; of one that has none, those of its services.
    fn checks(&self) -> Vec<&'a Spot<String>> {
        let own = |variable: &'a Variable| match &variable.rotation {
            Some(rotation) if !rotation.verify.is_empty() => Some(&rotation.verify),
            _ => None,
        };
        let mut checks: Vec<&Spot<String>> = Vec::new();
        for (_, variable) in self.variables() {
            match own(variable) {
                Some(verify) => checks.extend(verify),
                None => checks.extend(
                    variable
                        .used_by
                        .iter()
                        .filter_map(|user| self.inventory.services.get(&user.value))
                        .flat_map(|service| &service.verify),
                ),
            }
        }
        checks
    }
}

/// The variables that a name stands for: itself, or the secrets among what it is made of.
fn sources<'a>(inventory: &'a Inventory, name: &Name, into: &mut BTreeSet<&'a Name>) {
    let Some((name, variable)) = inventory.variables.get_key_value(name) else {
        return;
    };
    match &variable.derive {
        None => {
            into.insert(name);
        }
        Some(derive) => {
            for part in &derive.names {
                let secret = inventory
                    .variables
                    .get(part)
                    .is_some_and(|part| part.derive.is_some() || part.sensitive);
                if secret {
                    sources(inventory, part, into);
                }
            }
        }
    }
}

/// Why a variable is not rotated.
fn refused(inventory: &Inventory, profile: &str, name: &Name) -> Option<Problem> {
    let variable = inventory.variables.get(name)?;
    if let Some(bootstrap) = &variable.bootstrap {
        let message = format!(
            "{name} is only for the bootstrap: a new value would change no account that there is"
        );
        let close = format!("dotage bootstrap close --profile {profile}");
        return Some(
            inventory
                .problem("bootstrap-value", variable.at, message)
                .help(match &bootstrap.reset {
                    Some(reset) => format!("{reset}; if it is still there: {close}"),
                    None => close,
                }),
        );
    }
    let before = variable
        .rotation
        .as_ref()
        .is_some_and(|rotation| !rotation.before.is_empty());
    if variable.encrypts_stored_data && !before {
        let message =
            format!("{name} encrypts stored data, and no `before` says how that is re-encrypted");
        return Some(
            inventory
                .problem("no-before", variable.at, message)
                .help(format!("write rotation: {{ before: COMMAND, undo: COMMAND }}; it sees {name}_OLD and {name}_NEW")),
        );
    }
    None
}

/// The services that read one of the variables, each after those that it is deployed after.
fn in_order<'a>(inventory: &'a Inventory, names: impl Iterator<Item = &'a Name>) -> Vec<&'a str> {
    let users: BTreeSet<&str> = names
        .filter_map(|name| inventory.variables.get(name))
        .flat_map(|variable| &variable.used_by)
        .map(|user| user.value.as_str())
        .collect();
    let mut order = Vec::new();
    let mut seen = BTreeSet::new();
    for service in &users {
        place(inventory, service, &mut seen, &mut order);
    }
    order.retain(|service| users.contains(service));
    order
}

fn place<'a>(
    inventory: &'a Inventory,
    service: &str,
    seen: &mut BTreeSet<&'a str>,
    order: &mut Vec<&'a str>,
) {
    let Some((name, service)) = inventory.services.get_key_value(service) else {
        return;
    };
    if seen.insert(name) {
        for before in &service.after {
            place(inventory, &before.value, seen, order);
        }
        order.push(name);
    }
}

/// Groups of variables that switch together, of all that are to be rotated: each is a plan of its own. What protects
/// stored data comes first, then the rest in the order of the services that read it.
#[must_use]
pub fn groups<'a>(
    inventory: &'a Inventory,
    profile: &str,
    names: &BTreeSet<&'a Name>,
) -> (Vec<BTreeSet<&'a Name>>, Vec<Problem>) {
    let mut groups: Vec<BTreeSet<&Name>> = Vec::new();
    let mut problems = Vec::new();
    for name in names {
        if groups.iter().any(|group| group.contains(*name)) {
            continue;
        }
        match Plan::new(inventory, profile, &BTreeSet::from([*name])) {
            Ok(plan) => {
                let group: BTreeSet<&Name> = plan
                    .names
                    .iter()
                    .chain(&plan.kept)
                    .chain(&plan.derived)
                    .copied()
                    .collect();
                groups.push(group);
            }
            Err(several) => problems.extend(several),
        }
    }
    let all = in_order(inventory, names.iter().copied());
    let rank: BTreeMap<&str, usize> = all.iter().copied().zip(0..).collect();
    groups.sort_by_key(|group| {
        let of = || {
            group
                .iter()
                .filter_map(|name| inventory.variables.get(*name))
        };
        let protects = of().any(|variable| variable.encrypts_stored_data);
        let first = of()
            .flat_map(|variable| &variable.used_by)
            .filter_map(|user| rank.get(user.value.as_str()))
            .min()
            .copied();
        (!protects, first)
    });
    (groups, problems)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    const PRESET: &str = include_str!("../templates/freeboard/dotage.yaml");

    fn inventory(text: &str) -> Inventory {
        Inventory::parse(Path::new("dotage.yaml"), text).unwrap()
    }

    fn plan<'a>(inventory: &'a Inventory, names: &[&str]) -> Plan<'a> {
        Plan::new(inventory, "production", &asked(inventory, names)).unwrap()
    }

    fn asked<'a>(inventory: &'a Inventory, names: &[&str]) -> BTreeSet<&'a Name> {
        names
            .iter()
            .map(|name| inventory.variables.get_key_value(*name).unwrap().0)
            .collect()
    }

    fn words(steps: &[Step]) -> String {
        steps
            .iter()
            .map(Step::to_string)
            .collect::<Vec<_>>()
            .join(", ")
    }

    fn shown(names: &BTreeSet<&Name>) -> String {
        names
            .iter()
            .map(|name| name.as_str())
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn what_two_services_share_is_deployed_to_both_in_order() {
        let preset = inventory(PRESET);
        let plan = plan(&preset, &["JWT_GATEWAY_SECRET"]);
        assert_eq!(
            words(plan.steps()),
            "stage, switch, render, deploy api, deploy gateway, verify, finish"
        );
        assert_eq!(
            plan.commands(&Step::Deploy("gateway".into())),
            ["docker compose up -d --force-recreate freeboard-gateway"]
        );
    }

    #[test]
    fn a_derived_value_stands_for_its_parts_and_switches_with_them() {
        let preset = inventory(PRESET);
        for asked in ["FREEBOARD_POSTGRES_URL", "POSTGRES_PASSWORD"] {
            let plan = plan(&preset, &[asked]);
            assert_eq!(shown(&plan.names), "POSTGRES_PASSWORD");
            assert_eq!(shown(&plan.kept), "POSTGRES_DB POSTGRES_USER");
            assert_eq!(shown(&plan.derived), "FREEBOARD_POSTGRES_URL");
            assert_eq!(
                words(plan.steps()),
                "stage, backup, before, switch, render, deploy postgres, deploy api, verify, prove, finish"
            );
        }
        // A name that is only kept beside it brings it along.
        let both = plan(&preset, &["POSTGRES_USER"]);
        assert_eq!(shown(&both.names), "POSTGRES_PASSWORD POSTGRES_USER");
    }

    #[test]
    fn runbook_r5_a_bootstraps_password_is_not_rotated() {
        let preset = inventory(PRESET);
        let Err(problems) = Plan::new(&preset, "production", &asked(&preset, &["ADMIN_PASSWORD"]))
        else {
            panic!("planned");
        };
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].rule, "bootstrap-value");
        assert!(
            problems[0]
                .help
                .as_ref()
                .unwrap()
                .contains("password reset")
        );
    }

    #[test]
    fn what_encrypts_stored_data_needs_a_way_to_re_encrypt_it() {
        let text = PRESET.replace("      before: npm run credentials:reencrypt", "      #");
        let inventory = inventory(&text);
        let Err(problems) = Plan::new(
            &inventory,
            "production",
            &asked(&inventory, &["CREDENTIAL_ENCRYPTION_KEY"]),
        ) else {
            panic!("planned");
        };
        assert_eq!(problems[0].rule, "no-before");
    }

    #[test]
    fn each_step_follows_the_one_before_and_one_that_was_begun_is_done_again() {
        let preset = inventory(PRESET);
        let plan = plan(&preset, &["CREDENTIAL_ENCRYPTION_KEY"]);
        let mut at = Position {
            step: Step::Stage,
            done: false,
            reached: None,
            verified: None,
        };
        let mut seen = Vec::new();
        loop {
            match plan.next(&at, Time(0)).unwrap() {
                Next::Do(step) => {
                    at = Position {
                        step: step.clone(),
                        done: false,
                        ..at
                    };
                    assert_eq!(plan.next(&at, Time(0)).unwrap(), Next::Do(step.clone()));
                    at.done = true;
                    seen.push(step);
                }
                Next::Ended => break,
                Next::Wait(_) => panic!("nothing to wait for"),
            }
        }
        assert_eq!(seen, plan.steps());
    }

    #[test]
    fn the_way_back_takes_back_what_was_begun() {
        let preset = inventory(PRESET);
        let plan = plan(&preset, &["CREDENTIAL_ENCRYPTION_KEY"]);
        for (reached, back) in [
            (Step::Stage, "finish back"),
            (Step::Backup, "finish back"),
            (Step::Before, "undo, finish back"),
            (
                Step::Switch,
                "undo, switch back, render back, deploy back api, verify back, finish back",
            ),
            (
                Step::Verify,
                "undo, switch back, render back, deploy back api, verify back, finish back",
            ),
        ] {
            assert_eq!(words(&plan.steps_back(&reached)), back, "{reached}");
            let at = plan.turned(&Position {
                step: reached.clone(),
                done: false,
                reached: None,
                verified: None,
            });
            assert_eq!(at.reached, Some(reached));
            assert_eq!(
                words(std::slice::from_ref(&at.step)),
                back.split(", ").next().unwrap()
            );
        }
        // The two swapped: what was done last is taken back first.
        assert_eq!(
            plan.commands(&Step::Undo),
            ["npm run credentials:reencrypt"]
        );
    }

    #[test]
    fn an_overlap_is_waited_for_and_then_the_services_take_the_new_value_alone() {
        let text = PRESET.replace(
            "      old_must_fail: ./ops/verify.sh old-token",
            "      overlap: 1h",
        );
        let inventory = inventory(&text);
        let plan = plan(&inventory, &["JWT_SECRET"]);
        assert_eq!(
            words(plan.steps()),
            "stage, switch, render, deploy api, verify, overlap, retire, redeploy api, finish"
        );
        let at = Position {
            step: Step::Verify,
            done: true,
            reached: None,
            verified: Some(Time(1_000)),
        };
        assert_eq!(
            plan.next(&at, Time(4_599)).unwrap(),
            Next::Wait(Time(4_600))
        );
        assert_eq!(
            plan.next(&at, Time(4_600)).unwrap(),
            Next::Do(Step::Overlap)
        );
        assert!(at.shows_previous());
        assert!(
            !Position {
                step: Step::Retire,
                ..at
            }
            .shows_previous()
        );
    }

    #[test]
    fn an_overlap_begins_when_the_last_thing_before_it_is_done() {
        let begins = |text: &str| {
            let inventory = inventory(text);
            let plan = plan(&inventory, &["KEY"]);
            let steps = plan.steps().iter();
            let begins: Vec<Step> = steps
                .filter(|step| plan.begins_overlap(step))
                .cloned()
                .collect();
            words(&begins)
        };
        let text = "profiles: { production: { vault: v.age } }\nservices: { api: {} }\nvariables: { KEY: { purpose: p, used_by: [api], rotation: { overlap: 1d } } }\n";
        assert_eq!(begins(text), "deploy api");
        assert_eq!(begins(&text.replace("1d", "1d, verify: v")), "verify");
        assert_eq!(begins(&text.replace("overlap: 1d", "every: 1d")), "");
    }

    #[test]
    fn a_derived_value_stands_for_secrets_that_are_typed_too() {
        let inventory = inventory(
            "profiles: { production: { vault: v.age } }\nservices: { api: {} }\nvariables:\n  KEY: { purpose: p, used_by: [api] }\n  HOST: { purpose: p, used_by: [api], sensitive: false }\n  URL: { purpose: p, used_by: [api], derive: 'https://{{ KEY }}@{{ HOST }}' }\n  PAGE: { purpose: p, used_by: [api], derive: 'https://{{ HOST }}' }\n",
        );
        assert_eq!(shown(&plan(&inventory, &["URL"]).names), "KEY");
        let Err(problems) = Plan::new(&inventory, "production", &asked(&inventory, &["PAGE"]))
        else {
            panic!("planned");
        };
        assert_eq!(problems[0].rule, "nothing-secret");
    }

    #[test]
    fn a_plan_that_changed_under_a_rotation_is_an_error() {
        let preset = inventory(PRESET);
        let plan = plan(&preset, &["JWT_SECRET"]);
        let at = Position {
            step: Step::Deploy("gone".into()),
            done: true,
            reached: None,
            verified: None,
        };
        assert_eq!(plan.next(&at, Time(0)).unwrap_err().rule, "plan-changed");
    }

    #[test]
    fn what_protects_stored_data_is_rotated_first() {
        let preset = inventory(PRESET);
        let names = asked(
            &preset,
            &[
                "JWT_SECRET",
                "CREDENTIAL_ENCRYPTION_KEY",
                "POSTGRES_PASSWORD",
                "ADMIN_PASSWORD",
            ],
        );
        let (groups, problems) = groups(&preset, "production", &names);
        let shown: Vec<String> = groups.iter().map(shown).collect();
        assert_eq!(
            shown,
            [
                "CREDENTIAL_ENCRYPTION_KEY",
                "FREEBOARD_POSTGRES_URL POSTGRES_DB POSTGRES_PASSWORD POSTGRES_USER",
                "JWT_SECRET"
            ]
        );
        assert_eq!(problems.len(), 1);
    }

    #[test]
    fn a_step_is_read_back_from_its_words() {
        let preset = inventory(PRESET);
        let plan = plan(&preset, &["POSTGRES_PASSWORD"]);
        for step in plan.steps().iter().chain(&plan.steps_back(&Step::Finish)) {
            assert_eq!(Step::parse(&step.to_string()).as_ref(), Some(step));
        }
        assert_eq!(Step::parse("dance"), None);
    }
}
