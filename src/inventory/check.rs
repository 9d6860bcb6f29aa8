//! Whether the parts of an inventory fit each other: what one names, another declares.

use super::reader::{Reader, nearest};
use super::{Contract, Format, Inventory, Required, Spot};
use crate::dialect::Dialect;
use crate::secret::Name;
use crate::yaml::At;
use std::collections::{BTreeMap, BTreeSet};

/// Notes whatever doesn't fit.
pub(super) fn check(reader: &mut Reader, inventory: &Inventory) {
    // A section that didn't parse has been noted; what refers to it would only repeat that.
    if inventory.profiles.is_empty() && reader.problems.is_empty() {
        reader.wrong(
            "missing-key",
            At { line: 1, column: 1 },
            "an inventory without a profile",
            "write profiles: { production: { vault: vault/production/ } }",
        );
    }
    let declared = Declared {
        profiles: labels(&inventory.profiles),
        services: labels(&inventory.services),
        classes: labels(&inventory.classes),
        variables: inventory.variables.keys().map(Name::as_str).collect(),
    };
    profiles(reader, inventory, &declared);
    services(reader, inventory, &declared);
    variables(reader, inventory, &declared);
    derived(reader, inventory);
    targets(reader, inventory, &declared);
}

/// The names that are declared, each kind in order.
struct Declared<'i> {
    profiles: Vec<&'i str>,
    services: Vec<&'i str>,
    classes: Vec<&'i str>,
    variables: Vec<&'i str>,
}

fn labels<T>(section: &BTreeMap<String, T>) -> Vec<&str> {
    section.keys().map(String::as_str).collect()
}

/// Notes a name that isn't among the declared.
fn known(reader: &mut Reader, declared: &[&str], what: &str, name: &str, at: At) {
    if declared.binary_search(&name).is_ok() {
        return;
    }
    let help = match nearest(name, declared.iter().copied()) {
        Some(near) => format!("write `{near}`"),
        None if declared.len() > 12 => format!("declare it under `{}`", plural(what)),
        None if declared.is_empty() => {
            format!("declare it under `{}`: there is none yet", plural(what))
        }
        None => {
            format!(
                "declare it under `{}`, or write one of {}",
                plural(what),
                declared.join(", ")
            )
        }
    };
    reader.wrong(
        "undeclared",
        at,
        format!("no {what} is called `{name}`"),
        help,
    );
}

fn plural(what: &str) -> String {
    match what {
        "class" => "classes".to_owned(),
        _ => format!("{what}s"),
    }
}

fn all_known(reader: &mut Reader, declared: &[&str], what: &str, spots: &[Spot<String>]) {
    for spot in spots {
        known(reader, declared, what, &spot.value, spot.at);
    }
}

fn names_known(reader: &mut Reader, declared: &Declared, names: &[Spot<Name>]) {
    for spot in names {
        known(
            reader,
            &declared.variables,
            "variable",
            spot.value.as_str(),
            spot.at,
        );
    }
}

fn profiles(reader: &mut Reader, inventory: &Inventory, declared: &Declared) {
    for profile in inventory.profiles.values() {
        for exception in &profile.exceptions {
            names_known(reader, declared, &exception.names);
        }
    }
}

fn services(reader: &mut Reader, inventory: &Inventory, declared: &Declared) {
    for (name, service) in &inventory.services {
        all_known(reader, &declared.services, "service", &service.after);
        for (variable, spot) in &service.code_defaults {
            known(
                reader,
                &declared.variables,
                "variable",
                variable.as_str(),
                spot.at,
            );
        }
        let mut files = BTreeMap::new();
        for (variable, spot) in &service.secrets_dir {
            known(
                reader,
                &declared.variables,
                "variable",
                variable.as_str(),
                spot.at,
            );
            let file = spot.value.as_str();
            if file.contains(['/', '\0']) || matches!(file, "." | "..") {
                reader.wrong(
                    "bad-value",
                    spot.at,
                    format!("`{file}` is no name of a file"),
                    "write the file's name without its folder",
                );
            } else if let Some(other) = files.insert(file, variable) {
                reader.wrong(
                    "bad-value",
                    spot.at,
                    format!("{name} already reads {other} from the file `{file}`"),
                    "give each variable a file of its own",
                );
            }
        }
    }
    let edges = inventory
        .services
        .iter()
        .map(|(name, service)| {
            (
                name.as_str(),
                service
                    .after
                    .iter()
                    .map(|spot| spot.value.as_str())
                    .collect(),
            )
        })
        .collect();
    if let Some(circle) = circle(&edges)
        && let Some(service) = circle
            .first()
            .and_then(|name| inventory.services.get(*name))
    {
        let at = service.after.first().map_or(service.at, |spot| spot.at);
        reader.wrong(
            "circle",
            at,
            format!("services wait for each other: {}", circle.join(" → ")),
            "remove one `after`",
        );
    }
}

fn variables(reader: &mut Reader, inventory: &Inventory, declared: &Declared) {
    for (name, variable) in &inventory.variables {
        all_known(reader, &declared.services, "service", &variable.used_by);
        if let Some(class) = &variable.class
            && !declared.classes.is_empty()
        {
            known(reader, &declared.classes, "class", &class.value, class.at);
        }
        if let Required::In(profiles) = &variable.required {
            all_known(reader, &declared.profiles, "profile", profiles);
        }
        for spot in &variable.optional_for {
            if !variable
                .used_by
                .iter()
                .any(|other| other.value == spot.value)
            {
                reader.wrong(
                    "undeclared",
                    spot.at,
                    format!("`{}` doesn't use {name}", spot.value),
                    "name it in `used_by` too, or remove it here",
                );
            }
        }
        for (profile, spot) in &variable.defaults {
            known(reader, &declared.profiles, "profile", profile, spot.at);
            let strict = inventory
                .profiles
                .get(profile)
                .is_some_and(|profile| profile.contract == Contract::Strict);
            if variable.sensitive && strict {
                reader.wrong(
                    "published-secret",
                    spot.at,
                    format!("a default for the secret {name} in the strict profile {profile}, where everybody can read it"),
                    "put the value into the vault, or write sensitive: false if it is none",
                );
            }
        }
        if let Some(derive) = &variable.derive {
            for part in &derive.names {
                known(
                    reader,
                    &declared.variables,
                    "variable",
                    part.as_str(),
                    derive.at,
                );
            }
            if let Some(spot) = variable.defaults.values().next() {
                reader.wrong(
                    "bad-value",
                    spot.at,
                    format!("a default for {name}, which is derived"),
                    "remove `defaults`, or `derive`",
                );
            }
        }
        if let Some(bootstrap) = &variable.bootstrap {
            let switch = &bootstrap.switch;
            known(
                reader,
                &declared.variables,
                "variable",
                switch.value.as_str(),
                switch.at,
            );
            if let Some(other) = inventory.variables.get(&switch.value)
                && !matches!(other.format.value, Format::Boolean)
            {
                reader.wrong(
                    "bad-value",
                    switch.at,
                    format!("{} opens a bootstrap but isn't a boolean", switch.value),
                    format!("write format: boolean at {}", switch.value),
                );
            }
        }
        if let Some(rotation) = &variable.rotation {
            names_known(reader, declared, &rotation.together);
        }
    }
}

/// Notes values that derive from each other.
fn derived(reader: &mut Reader, inventory: &Inventory) {
    let edges = inventory
        .variables
        .iter()
        .filter_map(|(name, variable)| {
            Some((
                name.as_str(),
                variable
                    .derive
                    .as_ref()?
                    .names
                    .iter()
                    .map(Name::as_str)
                    .collect(),
            ))
        })
        .collect();
    if let Some(circle) = circle(&edges)
        && let Some(derive) = circle
            .first()
            .and_then(|name| inventory.variables.get(*name)?.derive.as_ref())
    {
        reader.wrong(
            "circle",
            derive.at,
            format!("values derive from each other: {}", circle.join(" → ")),
            "give one of them a value of its own",
        );
    }
}

fn targets(reader: &mut Reader, inventory: &Inventory, declared: &Declared) {
    let mut written = BTreeMap::new();
    for (name, target) in &inventory.targets {
        if let Some(profile) = &target.profile {
            known(
                reader,
                &declared.profiles,
                "profile",
                &profile.value,
                profile.at,
            );
        }
        if let Some(service) = &target.service {
            known(
                reader,
                &declared.services,
                "service",
                &service.value,
                service.at,
            );
        }
        names_known(reader, declared, &target.names);
        for spot in target.dialect.iter().chain(&target.consumers) {
            if Dialect::from_name(&spot.value).is_none() {
                let names = || Dialect::ALL.iter().map(|dialect| dialect.name());
                let help = match nearest(&spot.value, names()) {
                    Some(near) => format!("write `{near}`"),
                    None => format!("write one of {}", names().collect::<Vec<_>>().join(", ")),
                };
                let message = format!("no dialect is called `{}`", spot.value);
                reader.wrong("undeclared", spot.at, message, help);
            }
        }
        if let (Some(dialect), Some(_)) = (&target.dialect, target.consumers.first()) {
            reader.wrong(
                "bad-value",
                dialect.at,
                "a target with a `dialect` and a list `for`",
                "keep one: `for` chooses what all of its consumers read alike",
            );
        }
        let profile = target.profile.as_ref().map(|spot| spot.value.as_str());
        if let Some(other) = written.insert((&target.to.value, profile), name) {
            reader.wrong(
                "bad-value",
                target.to.at,
                format!(
                    "the target {other} writes `{}` as well",
                    target.to.value.display()
                ),
                "give each target a path of its own, or a profile",
            );
        }
    }
}

/// A circle in a graph of names, from its first name in order back to it.
fn circle<'n>(edges: &BTreeMap<&'n str, Vec<&'n str>>) -> Option<Vec<&'n str>> {
    // Whatever only leads out of the graph is in no circle; take it away until nothing more goes.
    let mut left: BTreeSet<&str> = edges.keys().copied().collect();
    let mut waiting: BTreeMap<&str, usize> = BTreeMap::new();
    let mut backwards: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, nexts) in edges {
        let inside: Vec<&str> = nexts
            .iter()
            .copied()
            .filter(|next| edges.contains_key(next))
            .collect();
        waiting.insert(name, inside.len());
        for next in inside {
            backwards.entry(next).or_default().push(name);
        }
    }
    let mut free: Vec<&str> = waiting
        .iter()
        .filter(|(_, count)| **count == 0)
        .map(|(name, _)| *name)
        .collect();
    while let Some(name) = free.pop() {
        left.remove(name);
        for before in backwards.remove(name).unwrap_or_default() {
            if let Some(count) = waiting.get_mut(before) {
                *count -= 1;
                if *count == 0 {
                    free.push(before);
                }
            }
        }
    }
    // Each name that is left leads to another that is left: walking on must come round.
    let mut path: Vec<&str> = vec![left.first()?];
    loop {
        let next = *edges
            .get(path.last()?)?
            .iter()
            .find(|next| left.contains(*next))?;
        if let Some(start) = path.iter().position(|name| *name == next) {
            let mut round = path.split_off(start);
            let first = round
                .iter()
                .enumerate()
                .min_by_key(|(_, name)| **name)
                .map_or(0, |(index, _)| index);
            round.rotate_left(first);
            round.push(round.first()?);
            return Some(round);
        }
        path.push(next);
    }
}
