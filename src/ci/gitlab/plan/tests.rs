use super::*;

fn name(name: &str) -> Name {
    Name::new(name).unwrap()
}

fn secret(text: &str) -> Secret {
    Secret::new(text.as_bytes().to_vec())
}

fn terms() -> Terms<'static> {
    Terms {
        profile: "production",
        scope: "production",
        key: None,
        protected: true,
        hidden: true,
        adopt: false,
        prune: false,
        unmasked: false,
    }
}

/// What a test says of a value: its name, the text, whether it is a secret.
type Said = (Name, Secret, bool);

fn said(values: &[(&str, &str)]) -> Vec<Said> {
    values
        .iter()
        .map(|(key, text)| (name(key), secret(text), true))
        .collect()
}

fn values(said: &[Said]) -> Vec<Value<'_>> {
    said.iter()
        .map(|(name, secret, sensitive)| Value {
            name,
            secret,
            sensitive: *sensitive,
            steers_process: false,
        })
        .collect()
}

/// The variable that a step makes, as GitLab then tells of it.
fn made(step: &Step<'_>, terms: &Terms<'_>) -> Variable {
    Variable {
        key: step.key.clone(),
        scope: terms.scope.to_owned(),
        file: step.file,
        raw: true,
        protected: terms.protected,
        masked: step.masked,
        hidden: step.hidden,
        description: step.description.clone(),
        value: step
            .secret
            .filter(|_| !step.hidden)
            .map(|secret| Secret::new(secret.expose().to_vec())),
    }
}

fn made_all(plan: &Plan<'_>, terms: &Terms<'_>) -> Vec<Variable> {
    plan.steps.iter().map(|step| made(step, terms)).collect()
}

fn told(plan: &Plan<'_>) -> Vec<String> {
    plan.steps
        .iter()
        .map(|step| {
            format!(
                "{} {}: {}",
                step.action.name(),
                step.key,
                step.why.join(", ")
            )
        })
        .collect()
}

#[test]
fn what_is_new_is_masked_hidden_and_marked() {
    let said = [
        (name("TOKEN"), secret("p@ss/w$rd\"42"), true),
        (name("KEY"), secret("-----BEGIN\nline\n"), true),
        (name("DB"), secret("app"), false),
    ];
    let plan = plan(&values(&said), &[], &terms()).ok().unwrap();
    let shape: Vec<_> = plan
        .steps
        .iter()
        .map(|step| (step.key.as_str(), step.file, step.masked, step.hidden))
        .collect();
    assert_eq!(
        shape,
        [
            ("TOKEN", false, true, true),
            ("KEY", true, false, false),
            ("DB", false, false, false)
        ]
    );
    assert!(
        plan.steps
            .iter()
            .all(|step| step.description == "managed by dotage, profile production")
    );
    let warned: Vec<_> = plan
        .warnings
        .iter()
        .map(|problem| &*problem.message)
        .collect();
    assert_eq!(warned, ["KEY has several lines, and GitLab can't mask it"]);
}

#[test]
fn gitlab_masks_eight_characters_without_white_space() {
    for good in [
        "12345678",
        "päßwörter",
        "$a$b$c$d",
        "{\"a\":\"b\"}",
        "a\u{a0}234567",
    ] {
        assert!(is_maskable(good), "{good:?}");
    }
    for bad in [
        "",
        "1234567",
        "1234 5678",
        "1234567\n",
        "1234\u{b}5678",
        "äöüßäöü",
    ] {
        assert!(!is_maskable(bad), "{bad:?}");
    }
}

#[test]
fn a_secret_that_gitlab_cant_mask_is_refused_unless_that_is_allowed() {
    let said = said(&[
        ("SHORT", "abc"),
        ("WORDS", "correct horse battery"),
        ("EMPTY", ""),
    ]);
    let wrong = plan(&values(&said), &[], &terms()).err().unwrap();
    let told: Vec<_> = wrong.iter().map(|problem| &*problem.message).collect();
    assert_eq!(
        told,
        [
            "SHORT has fewer than 8 characters, and GitLab can't mask it",
            "WORDS has white space in it, and GitLab can't mask it",
            "EMPTY has fewer than 8 characters, and GitLab can't mask it"
        ]
    );
    let terms = Terms {
        unmasked: true,
        ..terms()
    };
    let plan = plan(&values(&said), &[], &terms).ok().unwrap();
    assert_eq!(plan.warnings.len(), 3);
    assert!(plan.steps.iter().all(|step| !step.masked && !step.hidden));
}

#[test]
fn names_of_the_platform_and_bytes_that_are_no_text_are_refused() {
    let said = [
        (name("CI_JOB_TOKEN"), secret("12345678"), true),
        (name("DOTAGE_IDENTITY"), secret("12345678"), true),
        (name("LD_PRELOAD"), secret("/tmp/x.so"), true),
        (name(&"A".repeat(256)), secret("12345678"), true),
        (name("BYTES"), Secret::new(vec![0xff; 9]), true),
        (name("NUL"), secret("1234\x005678"), true),
        (name("LONG"), secret(&"x".repeat(LONGEST_VALUE + 1)), true),
    ];
    let wrong = plan(&values(&said), &[], &terms()).err().unwrap();
    let rules: Vec<_> = wrong.iter().map(|problem| problem.rule).collect();
    assert_eq!(
        rules,
        [
            "platforms-name",
            "platforms-name",
            "steers-process",
            "name-too-long",
            "not-text",
            "not-text",
            "value-too-long"
        ]
    );
}

#[test]
fn a_second_run_changes_nothing_where_the_vault_holds_a_key() {
    let key = secret("0123456789abcdef0123456789abcdef");
    let terms = Terms {
        key: Some(&key),
        ..terms()
    };
    let said = said(&[("TOKEN", "one-two-three"), ("PEM", "a\nb\n")]);
    let first = plan(&values(&said), &[], &terms).ok().unwrap();
    let there = made_all(&first, &terms);
    assert!(
        there
            .iter()
            .any(|there| there.hidden && there.value.is_none())
    );
    let second = plan(&values(&said), &there, &terms).ok().unwrap();
    assert_eq!((second.steps.len(), second.same), (0, 2));
}

#[test]
fn without_a_key_a_hidden_value_is_sent_again() {
    let said = said(&[("TOKEN", "one-two-three"), ("PEM", "a\nb\n")]);
    let terms = terms();
    let first = plan(&values(&said), &[], &terms).ok().unwrap();
    let there = made_all(&first, &terms);
    let second = plan(&values(&said), &there, &terms).ok().unwrap();
    assert_eq!(told(&second), ["update TOKEN: value not known"]);
    assert_eq!(second.same, 1);
}

#[test]
fn each_difference_is_found() {
    let key = secret("0123456789abcdef0123456789abcdef");
    let terms = Terms {
        key: Some(&key),
        ..terms()
    };
    let old = said(&[("TOKEN", "one-two-three")]);
    let there = |change: &dyn Fn(&mut Variable)| {
        let first = plan(&values(&old), &[], &terms).ok().unwrap();
        let mut there = made_all(&first, &terms);
        change(&mut there[0]);
        there
    };
    let now = |new: &str, there: &[Variable]| {
        let new = said(&[("TOKEN", new)]);
        told(&plan(&values(&new), there, &terms).ok().unwrap())
    };
    let same = "one-two-three";
    assert_eq!(
        now("another-value", &there(&|_| ())),
        ["update TOKEN: value"]
    );
    assert_eq!(
        now(same, &there(&|there| there.protected = false)),
        ["update TOKEN: protected"]
    );
    assert_eq!(
        now(same, &there(&|there| there.raw = false)),
        ["update TOKEN: raw"]
    );
    // Somebody changed the value in GitLab, where it can be seen: the mark alone would not tell.
    let seen = there(&|there| {
        there.hidden = false;
        there.value = Some(secret("somebody-elses"));
    });
    assert_eq!(now(same, &seen), ["update TOKEN: value"]);
    let unmarked = there(&|there| {
        there.hidden = false;
        there.value = Some(secret("one-two-three"));
        there.description = "managed by dotage, profile production".to_owned();
    });
    assert_eq!(now(same, &unmarked), ["update TOKEN: mark"]);
    assert_eq!(
        now("two\nlines", &there(&|_| ())),
        ["replace TOKEN: value, type, masked"]
    );
}

#[test]
fn what_is_somebody_elses_is_left_alone() {
    let said = said(&[("TOKEN", "one-two-three")]);
    let there = |description: &str, scope: &str, key: &str| Variable {
        key: key.to_owned(),
        scope: scope.to_owned(),
        file: false,
        raw: true,
        protected: true,
        masked: true,
        hidden: false,
        description: description.to_owned(),
        value: Some(secret("one-two-three")),
    };
    let prune = Terms {
        prune: true,
        ..terms()
    };
    for description in ["", "by hand", "managed by dotage, profile staging"] {
        let wrong = plan(
            &values(&said),
            &[there(description, "production", "TOKEN")],
            &prune,
        );
        assert_eq!(wrong.err().unwrap()[0].rule, "taken", "{description}");
        // Under another name, or for another environment, it is in nobody's way.
        let others = [
            there(description, "production", "OTHER"),
            there(description, "*", "TOKEN"),
        ];
        let plan = plan(&values(&said), &others, &prune).ok().unwrap();
        assert_eq!(told(&plan), ["create TOKEN: new"], "{description}");
        assert!(plan.left.is_empty());
    }
    let adopt = Terms {
        adopt: true,
        ..terms()
    };
    let plan = plan(
        &values(&said),
        &[there("by hand", "production", "TOKEN")],
        &adopt,
    );
    assert_eq!(told(&plan.ok().unwrap()), ["update TOKEN: mark"]);
}

#[test]
fn only_ours_of_this_profile_and_scope_is_pruned() {
    let old = said(&[("GONE", "one-two-three"), ("TOKEN", "one-two-three")]);
    let terms = terms();
    let mut there = made_all(&plan(&values(&old), &[], &terms).ok().unwrap(), &terms);
    let mut elsewhere = made_all(&plan(&values(&old), &[], &terms).ok().unwrap(), &terms);
    elsewhere[0].scope = "review/*".to_owned();
    there.push(elsewhere.remove(0));
    let now = said(&[("TOKEN", "one-two-three")]);
    let kept = plan(&values(&now), &there, &terms).ok().unwrap();
    assert_eq!(kept.left, ["GONE"]);
    let prune = Terms {
        prune: true,
        ..terms
    };
    let plan = plan(&values(&now), &there, &prune).ok().unwrap();
    assert_eq!(
        told(&plan),
        ["update TOKEN: value not known", "delete GONE: gone"]
    );
    assert!(plan.left.is_empty());
}

/// RFC 4231 has no case of our form: computed with Python's `hmac`.
#[test]
fn the_keyed_hash_is_an_hmac_over_name_scope_and_value() {
    let key = secret("key");
    assert_eq!(
        tag(&key, &name("TOKEN"), "production", &secret("value")),
        "1e5f82266eeb04c63bb9962d53cd4504"
    );
    let other = |scope, value| tag(&key, &name("TOKEN"), scope, &secret(value));
    assert_ne!(other("a", "bc"), other("ab", "c"));
}
