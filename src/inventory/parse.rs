//! Which keys an inventory has, and what each of them means.

use super::reader::{Field, Fields, Reader, Shape};
use super::{
    Bootstrap, Class, Compose, Contract, Derive, Exception, Inventory, Origin, Profile, Required,
    Rotation, Service, Source, Spot, Target, Variable, check, format,
};
use crate::problem::Problem;
use crate::secret::Name;
use crate::template;
use crate::yaml::{self, At, Key, Kind, Node};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const INVENTORY: Shape = (
    "inventory",
    &[
        "env",
        "profiles",
        "services",
        "classes",
        "variables",
        "targets",
    ],
);
const PROFILE: Shape = ("profile", &["vault", "contract", "exceptions"]);
const EXCEPTION: Shape = ("exception", &["rule", "names", "reason", "until"]);
const SERVICE: Shape = (
    "service",
    &[
        "environment",
        "code_defaults",
        "compose",
        "after",
        "deploy",
        "healthy",
        "within",
        "verify",
        "contain",
        "secrets_dir",
    ],
);
const COMPOSE: Shape = ("compose", &["files", "service"]);
const CLASS: Shape = ("class", &["boundary", "contain", "verify"]);
const VARIABLE: Shape = (
    "variable",
    &[
        "purpose",
        "used_by",
        "class",
        "bundle",
        "format",
        "sensitive",
        "base64",
        "required",
        "optional_for",
        "defaults",
        "steers_process",
        "bootstrap",
        "encrypts_stored_data",
        "derive",
        "rotation",
    ],
);
const BOOTSTRAP: Shape = ("bootstrap", &["while", "within", "reset"]);
const ROTATION: Shape = (
    "rotation",
    &[
        "every",
        "together",
        "window",
        "overlap",
        "expect",
        "backup",
        "before",
        "undo",
        "verify",
        "within",
        "old_must_fail",
    ],
);
const TARGET: Shape = (
    "target",
    &[
        "template", "folder", "to", "profile", "service", "names", "dialect", "for", "mode",
        "owner", "group",
    ],
);
/// Each kind of mapping that the parser knows, for the test that compares them with the schema.
#[cfg(test)]
pub(super) fn shapes() -> Vec<Shape> {
    let shapes = [
        INVENTORY, PROFILE, EXCEPTION, SERVICE, COMPOSE, CLASS, VARIABLE, BOOTSTRAP, ROTATION,
        TARGET,
    ];
    [&shapes, format::SHAPES].concat()
}

/// The inventory that `text` declares.
pub(super) fn inventory(path: &Path, text: &str) -> Result<Inventory, Vec<Problem>> {
    let root = yaml::tree(path, text).map_err(|problem| vec![problem])?;
    let mut reader = Reader {
        path,
        text,
        problems: Vec::new(),
    };
    let mut fields = reader.fields(root.at, root, INVENTORY);
    let inventory = Inventory {
        path: path.to_owned(),
        text: text.to_owned(),
        env: reader.names(fields.take("env")),
        profiles: section(&mut reader, &mut fields, "profiles", "profile", profile),
        services: section(
            &mut reader,
            &mut fields,
            "services",
            "service",
            |reader, at, node| Some(service(reader, at, node)),
        ),
        classes: section(
            &mut reader,
            &mut fields,
            "classes",
            "class",
            |reader, at, node| Some(class(reader, at, node)),
        ),
        variables: variables(&mut reader, fields.take("variables")),
        targets: section(&mut reader, &mut fields, "targets", "target", target),
    };
    check::check(&mut reader, &inventory);
    if reader.problems.is_empty() {
        return Ok(inventory);
    }
    let mut problems = reader.problems;
    problems.sort_by(|a, b| a.place.cmp(&b.place));
    Err(problems)
}

/// A mapping of names to things of one kind. What can't be read as one isn't there, and has been noted.
fn section<'t, T>(
    reader: &mut Reader<'t>,
    fields: &mut Fields<'t>,
    key: &'static str,
    what: &str,
    read: fn(&mut Reader<'t>, At, Node<'t>) -> Option<T>,
) -> BTreeMap<String, T> {
    let Some(field) = fields.take(key) else {
        return BTreeMap::new();
    };
    reader
        .map(field, &format!("a mapping of names, each with a {what}"))
        .into_iter()
        .filter_map(|(Key { text, at }, node)| {
            let good = reader.label(&text, at, what);
            let thing = read(reader, at, node)?;
            good.then(|| (text.into_owned(), thing))
        })
        .collect()
}

fn profile<'t>(reader: &mut Reader<'t>, at: At, node: Node<'t>) -> Option<Profile> {
    let mut fields = reader.fields(at, node, PROFILE);
    let contract = reader.word(
        fields.take("contract"),
        &[("strict", Contract::Strict), ("lenient", Contract::Lenient)],
    );
    let exceptions = match fields.take("exceptions") {
        None => Vec::new(),
        Some(Field {
            node: Node {
                kind: Kind::List(items),
                ..
            },
            ..
        }) => items
            .into_iter()
            .filter_map(|node| exception(reader, node))
            .collect(),
        Some(field) => {
            reader.wrong(
                "wrong-type",
                field.node.at,
                "`exceptions` is no list",
                "write a list: - { rule: RULE, names: [NAME], reason: why, until: 2027-01-31 }",
            );
            Vec::new()
        }
    };
    let vault = match fields.take("vault") {
        None => {
            reader.missing(
                &fields,
                "vault",
                "write where its values are: vault: vault/NAME.age, or a folder: vault/NAME/",
            );
            None
        }
        field => reader.inside(field),
    };
    Some(Profile {
        at,
        vault: vault?,
        contract: contract.unwrap_or(Contract::Strict),
        exceptions,
    })
}

fn exception<'t>(reader: &mut Reader<'t>, node: Node<'t>) -> Option<Exception> {
    let at = node.at;
    let mut fields = reader.fields(at, node, EXCEPTION);
    for (key, help) in [
        ("rule", "write the rule's name as `dotage check` prints it"),
        ("reason", "write why the rule may be broken"),
        ("until", "write the last day that it may be: 2027-01-31"),
    ] {
        if !fields.has(key) {
            reader.missing(&fields, key, help);
        }
    }
    let rule = fields.take("rule").and_then(|field| reader.text(field));
    let names = reader.names(fields.take("names"));
    let reason = reader.plain_text(fields.take("reason"));
    let until = reader.date(fields.take("until"));
    Some(Exception {
        at,
        rule: rule?,
        names,
        reason: reason?,
        until: until?,
    })
}

fn service<'t>(reader: &mut Reader<'t>, at: At, node: Node<'t>) -> Service {
    let mut fields = reader.fields(at, node, SERVICE);
    let environment = match fields.take("environment") {
        None => [Source::Process, Source::Vault]
            .map(|value| Spot { at, value })
            .into(),
        field => reader
            .texts(field)
            .into_iter()
            .map(|Spot { at, value }| {
                let value = match value.as_str() {
                    "process" => Source::Process,
                    "vault" => Source::Vault,
                    "compose" => Source::Compose,
                    "defaults" => Source::Defaults,
                    _ => Source::File(PathBuf::from(value)),
                };
                Spot { at, value }
            })
            .collect(),
    };
    let compose = fields.take("compose").map(|field| {
        let mut fields = reader.fields(field.node.at, field.node, COMPOSE);
        let files = reader.texts(fields.take("files"));
        if files.is_empty() {
            reader.missing(
                &fields,
                "files",
                "write the files in the order of -f: files: [compose.yaml]",
            );
        }
        Compose {
            files: files
                .into_iter()
                .map(|Spot { at, value }| Spot {
                    at,
                    value: PathBuf::from(value),
                })
                .collect(),
            service: fields.take("service").and_then(|field| reader.text(field)),
        }
    });
    Service {
        at,
        environment,
        code_defaults: by_name(reader, fields.take("code_defaults")),
        compose,
        after: reader.texts(fields.take("after")),
        deploy: reader.texts(fields.take("deploy")),
        healthy: reader.texts(fields.take("healthy")),
        within: reader.duration(fields.take("within")),
        verify: reader.texts(fields.take("verify")),
        contain: reader.texts(fields.take("contain")),
        secrets_dir: by_name(reader, fields.take("secrets_dir")),
    }
}

/// A mapping of variables' names to texts.
fn by_name<'t>(reader: &mut Reader<'t>, field: Option<Field<'t>>) -> BTreeMap<Name, Spot<String>> {
    let Some(field) = field else {
        return BTreeMap::new();
    };
    let key = field.key;
    reader
        .map(field, "a mapping of variables' names to texts")
        .into_iter()
        .filter_map(|(Key { text, at }, node)| {
            let name = reader.name(&text, at);
            let text = reader.text(Field { key, node })?;
            Some((name?, text))
        })
        .collect()
}

fn class<'t>(reader: &mut Reader<'t>, at: At, node: Node<'t>) -> Class {
    let mut fields = reader.fields(at, node, CLASS);
    Class {
        at,
        boundary: reader.plain_text(fields.take("boundary")),
        contain: reader.texts(fields.take("contain")),
        verify: reader.texts(fields.take("verify")),
    }
}

fn variables<'t>(reader: &mut Reader<'t>, field: Option<Field<'t>>) -> BTreeMap<Name, Variable> {
    let Some(field) = field else {
        return BTreeMap::new();
    };
    let entries = reader.map(field, "a mapping of names, each with a variable");
    // Filled before it becomes a map, and never grown: there may be thousands, and each is large.
    let mut variables = Vec::with_capacity(entries.len());
    for (Key { text, at }, node) in entries {
        let name = reader.name(&text, at);
        let variable = variable(reader, at, node);
        variables.extend(name.map(|name| (name, variable)));
    }
    variables.into_iter().collect()
}

fn variable<'t>(reader: &mut Reader<'t>, at: At, node: Node<'t>) -> Variable {
    let mut fields = reader.fields(at, node, VARIABLE);
    let class = fields.take("class").and_then(|field| reader.text(field));
    let bundle = fields.take("bundle").and_then(|field| reader.text(field));
    for (spot, what) in [(&class, "class"), (&bundle, "bundle")] {
        if let Some(Spot { at, value }) = spot {
            reader.label(value, *at, what);
        }
    }
    let format = match fields.take("format") {
        Some(field) => Spot {
            at: field.node.at,
            value: format::format(reader, field).unwrap_or(format::ANY_TEXT),
        },
        None => Spot {
            at,
            value: format::ANY_TEXT,
        },
    };
    let defaults = fields.take("defaults").map_or(BTreeMap::new(), |field| {
        reader
            .map(
                field,
                "a mapping of profiles to texts: { development: VALUE }",
            )
            .into_iter()
            .filter_map(|(key, node)| {
                let value = reader
                    .text(Field {
                        key: "defaults",
                        node,
                    })?
                    .value;
                Some((key.text.into_owned(), Spot { at: key.at, value }))
            })
            .collect()
    });
    let bootstrap = fields
        .take("bootstrap")
        .and_then(|field| bootstrap(reader, field.node))
        .map(Box::new);
    let derive = fields.take("derive").and_then(|field| reader.text(field));
    Variable {
        at,
        purpose: reader
            .plain_text(fields.take("purpose"))
            .unwrap_or_default(),
        used_by: reader.texts(fields.take("used_by")),
        bundle: bundle
            .or(class.clone())
            .map_or_else(|| "default".to_owned(), |spot| spot.value),
        class,
        sensitive: reader.boolean(fields.take("sensitive")).unwrap_or(true),
        base64: reader.boolean(fields.take("base64")).unwrap_or(false),
        required: required(reader, fields.take("required"), bootstrap.is_some()),
        optional_for: reader.texts(fields.take("optional_for")),
        defaults,
        steers_process: reader
            .boolean(fields.take("steers_process"))
            .unwrap_or(false),
        bootstrap,
        encrypts_stored_data: reader
            .boolean(fields.take("encrypts_stored_data"))
            .unwrap_or(false),
        derive: derive.and_then(|spot| derived(reader, spot)).map(Box::new),
        rotation: fields
            .take("rotation")
            .map(|field| Box::new(rotation(reader, field.node))),
        format,
    }
}

/// `true`, `false`, or the profiles. Without a word it is `true`, but not for what only a bootstrap needs.
fn required<'t>(reader: &mut Reader<'t>, field: Option<Field<'t>>, bootstrap: bool) -> Required {
    if let Some(Field {
        node: Node {
            kind: Kind::List(_),
            ..
        },
        ..
    }) = field
    {
        return Required::In(reader.texts(field));
    }
    match reader.boolean(field) {
        Some(false) => Required::Never,
        None if bootstrap => Required::Never,
        _ => Required::Always,
    }
}

fn bootstrap<'t>(reader: &mut Reader<'t>, node: Node<'t>) -> Option<Bootstrap> {
    let mut fields = reader.fields(node.at, node, BOOTSTRAP);
    let switch = match fields.take("while") {
        None => {
            reader.missing(
                &fields,
                "while",
                "write the boolean variable that opens the bootstrap: while: NAME",
            );
            None
        }
        field => reader.names(field).pop(),
    };
    let within = reader.duration(fields.take("within"));
    let reset = reader.plain_text(fields.take("reset"));
    Some(Bootstrap {
        switch: switch?,
        within,
        reset,
    })
}

fn rotation<'t>(reader: &mut Reader<'t>, node: Node<'t>) -> Rotation {
    let mut fields = reader.fields(node.at, node, ROTATION);
    Rotation {
        every: reader.duration(fields.take("every")),
        together: reader.names(fields.take("together")),
        window: reader.plain_text(fields.take("window")),
        overlap: reader.duration(fields.take("overlap")),
        expect: reader.plain_text(fields.take("expect")),
        backup: reader.texts(fields.take("backup")),
        before: reader.texts(fields.take("before")),
        undo: reader.texts(fields.take("undo")),
        verify: reader.texts(fields.take("verify")),
        within: reader.duration(fields.take("within")),
        old_must_fail: reader.texts(fields.take("old_must_fail")),
    }
}

/// The expression and the names in it; whether they are declared is for the check.
fn derived(reader: &mut Reader, spot: Spot<String>) -> Option<Derive> {
    let Spot { at, value } = spot;
    let parts = match template::parts(&value) {
        Ok(parts) => parts,
        Err(why) => {
            let message = format!("`derive` is no template: {why}");
            reader.wrong("bad-value", at, message, "write names as {{ NAME }}");
            return None;
        }
    };
    if parts.is_empty() {
        reader.wrong(
            "bad-value",
            at,
            "`derive` names no variable",
            "write names as {{ NAME }}, or use `defaults`",
        );
    }
    let names = parts
        .iter()
        .filter_map(|part| reader.name(part, at))
        .collect();
    Some(Derive {
        at,
        expression: value,
        names,
    })
}

fn target<'t>(reader: &mut Reader<'t>, at: At, node: Node<'t>) -> Option<Target> {
    let mut fields = reader.fields(at, node, TARGET);
    let folder = reader.boolean(fields.take("folder")).unwrap_or(false);
    let source = match fields.take("template") {
        Some(field) if folder => {
            reader.wrong(
                "bad-value",
                field.node.at,
                "a target with a template and `folder: true`",
                "keep one: a secrets folder has no template",
            );
            None
        }
        None if folder => Some(Origin::Folder),
        None => {
            reader.missing(
                &fields,
                "template",
                "write template: templates/NAME.env.j2, or folder: true for a secrets folder",
            );
            None
        }
        field => reader.path(field).map(Origin::Template),
    };
    let to = match fields.take("to") {
        None => {
            reader.missing(&fields, "to", "write the path of the file: to: .env");
            None
        }
        field => reader.path(field),
    };
    let target = Target {
        at,
        profile: fields.take("profile").and_then(|field| reader.text(field)),
        service: fields.take("service").and_then(|field| reader.text(field)),
        names: reader.names(fields.take("names")),
        dialect: fields.take("dialect").and_then(|field| reader.text(field)),
        consumers: reader.texts(fields.take("for")),
        mode: reader.mode(fields.take("mode")).unwrap_or(0o600),
        owner: reader.plain_text(fields.take("owner")),
        group: reader.plain_text(fields.take("group")),
        source: source?,
        to: to?,
    };
    Some(target)
}
